//! What stands in the way, and what the exit code says of it.

use serde_json::{Value, json};

use super::{changes, release, report, run, stream};
use crate::shadow::{OBJECTS, assert_no_secret, lines, rivals};
use crate::support::Result;
use crate::support::installation::Installation;

async fn contested(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({})).await?;
    installation.ready_is("shop", "True", &[]).await?;
    // Nothing is put right meanwhile.
    installation.release("shop", json!({"suspend": true})).await?;
    installation.observed("shop").await?;
    rivals(&installation.client, installation.namespace.name(), "shop").await?;
    Ok(installation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_told_with_what_the_policy_would_do_about_it() -> Result {
    let installation = contested("stopped").await?;
    let values = json!({"key": "new"});
    let stopped = release("shop", &json!({"suspend": true, "values": values}));
    let text = run(
        &installation,
        &["diff", "-f", "-"],
        &stream(std::slice::from_ref(&stopped)),
    )
    .await?
    .with(3)?;
    let namespace = installation.namespace.name();
    for part in [
        &format!("! v1 ConfigMap {namespace}/shop .data.key: kubectl-edit (Update) holds \"theirs\", ours is \"new\""),
        "Real conflict: Failed, by onConflict",
        "rotator (Update) holds \"<redacted sha256:",
        "suspended: nothing of this is done before it is resumed",
        "it could not be applied as it is",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let told = report(&installation, &[stopped], &[], 3).await?;
    let shop = &told["releases"][0];
    assert_eq!(
        (&told["verdict"], &shop["applies"], &shop["suspended"]),
        (&json!("Stopped"), &json!(false), &json!(true))
    );
    assert_eq!(
        lines(&shop["contested"]),
        [
            ".data.key kubectl-edit Real Failed",
            ".data.password rotator Real Failed",
            ".data.sibling fairlead:prod/other Sibling Failed",
        ]
    );
    assert_no_secret(&format!("{text}{told}"));

    // With another policy it goes through, and the fields stay with the others.
    let policy = json!({"onConflict": "Yield"});
    let yields = release("shop", &json!({"suspend": true, "values": values, "ownership": policy}));
    let told = report(&installation, &[yields], &[], 1).await?;
    let shop = &told["releases"][0];
    assert_eq!(changes(shop, namespace), Vec::<String>::new());
    assert_eq!(shop["conflicts"]["byAction"], json!({"Yielded": 3}));
    let forces = release(
        "shop",
        &json!({"suspend": true, "values": values, "ownership": {"onConflict": "Force"}}),
    );
    let told = report(&installation, &[forces], &[], 1).await?;
    let fields = &told["releases"][0]["changes"][0]["fields"];
    assert_eq!(
        fields[0],
        json!({"path": ".data.key", "live": "theirs", "foretold": "new"})
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_compared_says_why_and_does_not_hide_the_rest() -> Result {
    let installation = Installation::start("failed").await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    let refused = r"
apiVersion: v1
kind: Service
metadata: {name: refused}
spec: {ports: [{port: 0}]}
";
    installation
        .repository
        .add("refused", "1.0.0", &[("templates/service.yaml", refused)])
        .await?;

    let mistyped = release("shop", &json!({"vaules": {"key": "new"}}));
    let gone = release("gone", &json!({}));
    let told = report(&installation, &[mistyped, gone, release("shop", &json!({}))], &[], 2).await?;
    let failures: Vec<&str> = told["failures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|failure| failure["message"].as_str())
        .collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("unknown field \"spec.vaules\""), "{failures:?}");
    assert!(failures[1].contains("gone"), "{failures:?}");
    assert_eq!(
        (&told["verdict"], &told["releases"][0]["objects"]["created"]),
        (&json!("Failed"), &json!(3))
    );

    let told = report(&installation, &[release("refused", &json!({}))], &[], 3).await?;
    let change = &told["releases"][0]["changes"][0];
    assert_eq!(change["effect"], "Refused");
    assert!(
        change["message"]
            .as_str()
            .is_some_and(|message| message.contains("spec.ports[0].port")),
        "{change}"
    );

    let cases: [(&[&str], &str, &str); 6] = [
        (&["diff"], "", "required arguments were not provided"),
        (&["diff", "none"], "", "\"none\" not found"),
        (&["diff", "-f", "-"], "kind: [", "-, document 1: "),
        (
            &["diff", "-f", "-"],
            "",
            "there is no HelmRelease (fairlead.dev/v1alpha1)",
        ),
        (&["diff", "-f", "no-such-file"], "", "no-such-file: "),
        (
            &["diff", "-f", "-", "--chart", "no-such-chart"],
            &stream(&[release("shop", &json!({}))]),
            "--chart no-such-chart: ",
        ),
    ];
    for (arguments, input, expected) in cases {
        let ended = run(&installation, arguments, input).await?;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {ended:?}");
    }
    Ok(())
}

/// A release that has another name from now on is another release for Helm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_would_be_installed_anew_says_so() -> Result {
    let installation = Installation::start("moved").await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({})).await?;
    installation.ready_is("shop", "True", &[]).await?;
    let told = report(
        &installation,
        &[release("shop", &json!({"releaseName": "store"}))],
        &[],
        1,
    )
    .await?;
    let shop = &told["releases"][0];
    let expected: Value =
        json!({"number": 1, "action": "install", "because": ["ReleaseName"], "reinstalls": true, "hooks": []});
    assert_eq!(shop["revision"]["next"], expected);
    let removed = changes(shop, installation.namespace.name());
    assert!(removed.contains(&"Removed v1 ConfigMap shop".to_owned()), "{removed:?}");
    assert!(
        removed.contains(&"Created v1 ConfigMap store".to_owned()),
        "{removed:?}"
    );
    Ok(())
}
