//! `fairlead values` of a file, and of a release that preserves what it was given before.

use serde_json::{Value, json};

use super::{release, run, stream};
use crate::support::Result;
use crate::support::installation::Installation;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_values_of_a_file_are_composed_of_what_it_holds() -> Result {
    let installation = Installation::start("composed").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", "chart: 1\nboth: chart\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    let references = json!([{"kind": "ConfigMap", "name": "given"}]);
    let web = release(
        "web",
        &json!({"values": {"both": "inline", "gone": null}, "valuesFrom": references}),
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "given"}, "data": {"values.yaml": "given: [1]"}});
    let file = stream(&[web.clone(), map, release("other", &json!({}))]);

    let ended = run(&installation, &["values", "web", "-f", "-"], &file).await?;
    assert!(ended.stderr.contains("has nulls (gone)"), "{ended:?}");
    assert_eq!(ended.with(0)?, "both: inline\ngiven:\n- 1\ngone: null\n");
    let all = run(&installation, &["values", "web", "-f", "-", "--all"], &file)
        .await?
        .with(0)?;
    assert_eq!(all, "both: inline\nchart: 1\ngiven:\n- 1\ngone: null\n");

    let cases = [
        (
            &["values", "-f", "-"][..],
            file.as_str(),
            "there are 2 HelmReleases; say which one by its name",
        ),
        (
            &["values", "third", "-f", "-"],
            file.as_str(),
            "there is no HelmRelease (fairlead.dev/v1alpha1) third",
        ),
        (
            &["values", "-f", "-"],
            &stream(&[web]),
            "it does not exist; create it, or set optional",
        ),
        (&["values", "none"], "", "\"none\" not found"),
    ];
    for (arguments, input, expected) in cases {
        let ended = run(&installation, arguments, input).await?;
        assert!(
            ended.code == Some(1) && ended.stderr.contains(expected),
            "{arguments:?}: {ended:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_are_preserved_are_below_those_of_the_spec() -> Result {
    let installation = Installation::start("below").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", "chart: 1\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    installation.release("web", json!({"values": {"first": 1}})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let second = release(
        "web",
        &json!({"values": {"second": 2}, "upgrade": {"preserveValues": true}}),
    );
    let text = run(&installation, &["values", "-f", "-", "-o", "json"], &second.to_string())
        .await?
        .with(0)?;
    assert_eq!(serde_json::from_str::<Value>(&text)?, json!({"first": 1, "second": 2}));
    Ok(())
}
