//! The commands with which a person looks at conflicts and decides about them.

use serde_json::{Value, json};

use super::{contested, key_becomes, rival, shop};
use crate::support::Result;
use crate::support::command::{Ended, fairlead};
use crate::support::installation::Installation;

/// Runs `fairlead` in the installation's namespace. Result: whether it succeeded, and its two outputs.
async fn run(installation: &Installation, arguments: &[&str]) -> Result<(bool, String, String)> {
    let arguments = [arguments, &["--namespace", installation.namespace.name()]].concat();
    let Ended { code, stdout, stderr } = fairlead(installation.plane.kubeconfig_path(), &arguments, "").await?;
    Ok((code == Some(0), stdout, stderr))
}

async fn text(installation: &Installation, arguments: &[&str]) -> Result<String> {
    let (success, output, errors) = run(installation, arguments).await?;
    if success {
        Ok(output)
    } else {
        Err(format!("{arguments:?}: {errors}").into())
    }
}

async fn answer(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
    Ok(serde_json::from_str(&text(installation, &arguments).await?)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_looks_asks_and_decides() -> Result {
    let installation = shop("commands", json!({"onConflict": "HandOff"})).await?;
    rival(&installation, json!("theirs")).await?;
    contested(&installation, "HandedOff").await?;

    let conflicts = answer(&installation, &["conflicts", "--unresolved"]).await?;
    assert_eq!(conflicts[0]["release"], "shop");
    assert_eq!(conflicts[0]["path"], ".data.key");
    assert_eq!(conflicts[0]["action"], "HandedOff");
    let table = text(&installation, &["conflicts", "shop"]).await?;
    assert!(
        table.starts_with("NAMESPACE") && table.contains(".data.key   rival"),
        "{table}"
    );

    let blame = answer(&installation, &["blame", "cm/shop"]).await?;
    let key = blame["fields"]
        .as_array()
        .and_then(|fields| fields.iter().find(|field| field["path"] == ".data.key"));
    let key = key.ok_or("no .data.key")?;
    assert_eq!(
        (&key["owners"][0]["manager"], &key["chart"]),
        (&json!("rival"), &json!("none"))
    );
    assert_eq!(
        blame["release"],
        json!(format!("{}/shop", installation.namespace.name()))
    );
    let table = text(
        &installation,
        &["blame", "configmap", "shop", "--path", ".metadata.labels"],
    )
    .await?;
    assert!(table.contains("sets") && !table.contains(".data.key"), "{table}");

    let explain = [
        "policy",
        "explain",
        "shop",
        "--object",
        "configmap/shop",
        "--path",
        ".data.key",
    ];
    let explained = answer(&installation, &explain).await?;
    let expected = json!([{
        "object": format!("v1 ConfigMap {}/shop", installation.namespace.name()), "path": ".data.key",
        "manager": "rival", "class": "Real", "action": "HandedOff", "rule": "onConflict",
    }]);
    assert_eq!(explained, expected);
    let injector = ["--manager", "cert-manager-cainjector"];
    let explained = answer(&installation, &[explain.as_slice(), &injector].concat()).await?;
    assert_eq!(explained[0]["manager"], "cert-manager-cainjector");

    let (success, _, errors) = run(&installation, &["resolve", "shop", "--path", ".data["]).await?;
    assert!(!success && errors.contains("--yield"), "{errors}");
    let said = text(
        &installation,
        &["resolve", "shop", "--path", ".data.key", "--yield", "--until", "1h"],
    )
    .await?;
    assert!(said.ends_with("/shop: 1 decisions in force\n"), "{said}");
    contested(&installation, "Yielded").await?;
    installation.ready_is("shop", "True", &[]).await?;
    let explained = answer(&installation, &explain).await?;
    assert_eq!(explained[0]["rule"], "resolve[0]");

    text(&installation, &["resolve", "shop", "--path", ".data.key", "--forget"]).await?;
    contested(&installation, "HandedOff").await?;
    text(&installation, &["resolve", "shop", "--path", ".data.key", "--force"]).await?;
    key_becomes(&installation, "shop", "ours").await?;

    let owned = answer(&installation, &["ownership", "shop"]).await?;
    assert_eq!(owned["objects"].as_array().map(Vec::len), Some(2));
    let fields = owned["objects"][0]["fields"].to_string();
    assert!(fields.contains(".data.key"), "{owned}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_says_why() -> Result {
    let installation = Installation::start("commands").await?;
    let cases = [
        (["blame", "web"].as_slice(), "say which object: KIND/NAME"),
        (&["blame", "gizmo/web"], "serves no resource \"gizmo\""),
        (&["conflicts", "gone"], "\"gone\" not found"),
        (&["resolve", "gone", "--path", ".a", "--yield"], "\"gone\" not found"),
    ];
    for (arguments, expected) in cases {
        let (success, _, errors) = run(&installation, arguments).await?;
        assert!(!success && errors.contains(expected), "{arguments:?}: {errors}");
    }
    Ok(())
}
