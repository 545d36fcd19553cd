//! `fairlead template` as a process: flags, streams, exit codes. What it renders is held by `tests/corpus.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fairlead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A chart with one object, in a directory of its own.
fn chart(directory: &Path, template: &str) -> PathBuf {
    let chart = directory.join("shop");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 1.2.3\n").unwrap();
    std::fs::write(chart.join("values.yaml"), "size: 3\n").unwrap();
    std::fs::write(chart.join("templates/map.yaml"), template).unwrap();
    chart
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n\
    data:\n  size: {{ .Values.size | quote }}\n  upgrade: {{ .Release.IsUpgrade | quote }}\n";

#[test]
fn values_and_release_flags_reach_the_templates() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), MAP);
    let chart = chart.to_str().unwrap();
    let output = fairlead(&[
        "template",
        "web",
        chart,
        "--namespace",
        "prod",
        "--set",
        "size=5",
        "--is-upgrade",
    ]);
    let expected = "---\n# Source: shop/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  \
        namespace: prod\ndata:\n  size: \"5\"\n  upgrade: \"true\"\n";
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        (expected, "")
    );
    assert!(output.status.success());
}

#[test]
fn flags_of_helm_that_mean_nothing_here_are_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), MAP);
    let chart = chart.to_str().unwrap();
    let plain = fairlead(&["template", "web", chart]);
    let flags = [
        "--debug",
        "--dry-run",
        "--wait",
        "--wait=watcher",
        "--timeout",
        "5m",
        "--create-namespace",
        "--kube-context",
        "x",
        "--server-side=false",
        "--atomic",
        "--labels",
        "a=b",
        "--disable-openapi-validation",
        "--take-ownership",
    ];
    let arguments: Vec<&str> = ["template", "web", chart].into_iter().chain(flags).collect();
    let flagged = fairlead(&arguments);
    assert_eq!(text(&flagged.stderr), "");
    assert_eq!(text(&flagged.stdout), text(&plain.stdout));
}

#[test]
fn failures_are_one_line_on_stderr_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), "{{ required \"size of what?\" .Values.nothing }}\n");
    let failed = fairlead(&["template", "web", chart.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stdout), "");
    let expected = "Error: execution error at (shop/templates/map.yaml:1:3): size of what?\n";
    assert_eq!(text(&failed.stderr), expected);
    let missing = fairlead(&["template", "web", "no/such/chart"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).starts_with("Error: path \"no/such/chart\" not found"),
        "{}",
        text(&missing.stderr)
    );
    assert_eq!(fairlead(&["template", "--no-such-flag"]).status.code(), Some(2));
}
