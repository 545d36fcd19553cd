//! `fairlead template` as a process: flags, streams, exit codes. What it renders is held by `tests/corpus.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

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
fn failures_begin_with_helms_words_and_end_with_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), "{{ required \"size of what?\" .Values.nothing }}\n");
    let failed = fairlead(&["template", "web", chart.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stdout), "");
    let expected = "Error: execution error at (shop/templates/map.yaml:1:3): size of what?\n\n\
        Use --debug flag to render out invalid YAML\n\n  --> shop/templates/map.yaml:1:3\n  \
        1 | {{ required \"size of what?\" .Values.nothing }}\n    \
        |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ size of what?\n  value: .Values.nothing is nil\n";
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

/// Each `$ ARGUMENTS` in `tests/charts/flags.golden.txt` is followed by what Helm 4.3.1 printed for it in that folder:
/// its standard output, or its error.
#[test]
fn every_flag_does_what_helms_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let golden = std::fs::read_to_string(folder.join("flags.golden.txt")).unwrap();
    let mut wrong = Vec::new();
    let cases: Vec<(&str, &str)> = golden
        .strip_prefix("$ ")
        .unwrap()
        .split("\n$ ")
        .map(|case| case.split_once('\n').unwrap())
        .collect();
    assert!(cases.len() > 50, "{} cases", cases.len());
    for (line, expected) in cases {
        let arguments = arguments(line);
        let output = Command::new(env!("CARGO_BIN_EXE_fairlead"))
            .arg("template")
            .args(&arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        let (found, expected) = match expected.strip_prefix("Error: ") {
            None => (text(&output.stdout), expected),
            // Below Helm's message stands what Helm does not tell.
            Some(error) => {
                let errors = text(&output.stderr);
                // Above it may stand warnings.
                let errors = errors
                    .find("Error: ")
                    .map_or("", |start| &errors[start + "Error: ".len()..]);
                let length = error.trim_end().len().min(errors.len());
                (errors.get(..length).unwrap_or(errors).to_owned(), error)
            }
        };
        if found.trim_end() != expected.trim_end() {
            wrong.push(format!("$ {line}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words, of which one may stand in double quotes.
fn arguments(line: &str) -> Vec<String> {
    match line.split_once(" \"") {
        None => line.split(' ').map(str::to_owned).collect(),
        Some((words, quoted)) => {
            let quoted = quoted.trim_end_matches('"').replace("\\\"", "\"");
            words.split(' ').map(str::to_owned).chain([quoted]).collect()
        }
    }
}

#[test]
fn invalid_yaml_is_printed_for_debugging() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), "a: b\nc: d: e\n");
    std::fs::write(chart.join("templates/good.yaml"), "kind: ConfigMap\n").unwrap();
    let chart = chart.to_str().unwrap();
    let message = "Error: YAML parse error on shop/templates/map.yaml: error converting YAML to JSON: yaml: line 2: \
        mapping values are not allowed in this context\n\n";
    let plain = fairlead(&["template", "web", chart]);
    let errors = text(&plain.stderr);
    let hint = "Use --debug flag to render out invalid YAML\n\n";
    let report = "  --> shop/templates/map.yaml:2, in the document that the template made\n  1 | a: b\n  2 | c: d: e\n    | ^^^^^^^\n";
    assert_eq!(
        (errors.as_str(), text(&plain.stdout).as_str()),
        (&*format!("{message}{hint}{report}"), "")
    );
    let debugged = fairlead(&["template", "web", chart, "--debug"]);
    assert_eq!(text(&debugged.stderr), format!("{message}{report}"));
    let expected = "---\n# Source: shop/templates/good.yaml\nkind: ConfigMap\n\n---\n# Source: shop/templates/map.yaml\na: b\nc: d: e\n";
    assert_eq!(text(&debugged.stdout), expected);
    assert_eq!(debugged.status.code(), Some(1));
    let chosen = fairlead(&[
        "template",
        "web",
        chart,
        "--debug",
        "--show-only",
        "templates/good.yaml",
    ]);
    assert!(text(&chosen.stdout).contains("kind: ConfigMap") && !text(&chosen.stdout).contains("c: d"));
}

#[test]
fn flags_that_helm_obeys_and_we_do_not_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), MAP);
    let chart = chart.to_str().unwrap();
    for (flag, expected) in [
        (
            "--validate",
            "Error: --validate asks a cluster, and this command renders without one",
        ),
        ("--dry-run=server", "Error: --dry-run=server asks a cluster"),
        ("--verify", "Error: --verify is not supported"),
        ("--post-renderer=x", "Error: --post-renderer is not supported"),
    ] {
        let output = fairlead(&["template", "web", chart, flag]);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(1), ""),
            "{flag}"
        );
        assert!(
            text(&output.stderr).starts_with(expected),
            "{flag}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn limits_are_raised_by_flags() {
    let directory = tempfile::tempdir().unwrap();
    let chart = chart(directory.path(), "a: {{ repeat 100 \"x\" }}\n");
    let chart = chart.to_str().unwrap();
    let limited = fairlead(&["template", "web", chart, "--limit", "bytes=50"]);
    let errors = text(&limited.stderr);
    assert!(
        errors.starts_with("Error: shop/templates/map.yaml: a text is longer than 50 bytes; raise this with --limit bytes=NUMBER\n\n  --> "),
        "{errors}"
    );
    let raised = fairlead(&[
        "template",
        "web",
        chart,
        "--limit",
        "bytes=50",
        "--limit",
        "bytes=500",
        "--limit=time=5s",
    ]);
    assert!(raised.status.success(), "{}", text(&raised.stderr));
    let wrong = fairlead(&["template", "web", chart, "--limit", "speed=5"]);
    assert!(text(&wrong.stderr).starts_with("Error: invalid limit \"speed=5\": "));
}
