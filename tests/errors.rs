//! What a failing chart says: Helm's own words first, then what Helm does not tell.
//!
//! Each file in `tests/errors/` is a chart with one fault (`-- path --` before each file) and what Helm 4.3.1 says of it
//! (`-- error --`). The whole message stands in `tests/errors/snapshots`. With `FAIRLEAD_HELM=<path of helm>` the recorded
//! words are compared with what that Helm says now.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, JsonMap};
use fairlead::render::{Operation, Program, Release, RenderError, Report, Request, Secrets, render};
use fairlead::template::{Host, Limits, Mode};

/// Unoptimised code needs larger frames than [`Limits::STACK_BYTES`] is made for.
const STACK_BYTES: usize = 64 << 20;

struct Nowhere;

impl Host for Nowhere {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(1);
    }
}

/// One chart with a fault.
struct Case {
    files: BTreeMap<String, String>,
    /// What Helm says, or how that begins.
    error: String,
    /// How long it is.
    length: usize,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")
}

fn read(name: &str) -> Case {
    let text = std::fs::read_to_string(directory().join(format!("{name}.txt"))).unwrap();
    let mut files = BTreeMap::new();
    for section in format!("\n{text}").split("\n-- ").skip(1) {
        let (title, content) = section.split_once(" --\n").unwrap();
        // The line break before the next title is the file's own.
        files.insert(title.to_owned(), format!("{content}\n"));
    }
    let title = files.keys().find(|title| title.starts_with("error")).unwrap().clone();
    let error = files.remove(&title).unwrap();
    let error = error.trim_end_matches('\n').to_owned();
    let length = title
        .split(' ')
        .nth(2)
        .map_or(error.len(), |length| length.parse().unwrap());
    Case { files, error, length }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            Some(name.strip_suffix(".txt")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// Renders a chart that fails.
fn fail(files: &BTreeMap<String, String>) -> (RenderError, Secrets) {
    let files = files
        .iter()
        .map(|(path, text)| File::new(path.as_str(), text.clone().into_bytes()));
    let chart = Chart::from_directory(files.collect(), &ArchiveLimits::default()).unwrap();
    let program = Program::new(Arc::new(chart));
    let release = Release {
        name: "rel".to_owned(),
        namespace: "ns".to_owned(),
        revision: 1,
        operation: Operation::Install,
    };
    let run = || {
        let request = Request {
            program: &program,
            values: &JsonMap::new(),
            release: &release,
            capabilities: &Capabilities {
                kube_version: "1.36.3".parse().unwrap(),
                ..Capabilities::default()
            },
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: false,
        };
        render(&request, &mut Nowhere).unwrap_err()
    };
    let error = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    });
    (error, Secrets::of_chart(program.chart(), &JsonMap::new()))
}

/// What the command line prints below Helm's message.
fn shown(report: Option<&Report>) -> String {
    report.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn helm_is_heard_first_and_then_what_it_does_not_tell() {
    let names = names();
    assert!(names.len() >= 30, "{} cases", names.len());
    for name in names {
        let Case { files, error, length } = read(&name);
        let (found, secrets) = fail(&files);
        let text = found.to_string();
        let text = text.trim_end();
        assert_eq!(text.len(), length, "{name}: {text}");
        assert!(text.starts_with(&error), "{name}: expected {error}\nfound {text}");
        let report = found.report(&secrets);
        let whole = format!(
            "{}\n\n{}\n---\n{}",
            error,
            shown(report.as_ref()),
            found.brief(&secrets, 200)
        );
        insta::with_settings!({ snapshot_path => "errors/snapshots", prepend_module_to_snapshot => false,
            omit_expression => true }, { insta::assert_snapshot!(name, whole) });
    }
}

#[test]
fn no_secret_is_shown() {
    for (name, secret) in [
        ("yaml_of_a_secret", "hunter2"),
        ("yaml_with_a_password", "hunter2"),
        ("number_that_is_a_password", "12345678"),
    ] {
        let (error, secrets) = fail(&read(name).files);
        let report = shown(error.report(&secrets).as_ref());
        assert!(!report.is_empty() && !report.contains(secret), "{name}: {report}");
        assert!(!error.brief(&secrets, 500).contains(secret), "{name}");
    }
}

/// An operator knows which values come from Secrets, whatever their names are.
#[test]
fn what_comes_from_a_secret_is_hidden_in_helms_words_too() {
    let (error, _) = fail(&read("tpl_that_does_not_parse").files);
    let from_secret =
        serde_json::json!({"annotations": "a: b\nteam: {{ .Values.team\n", "other": {"pin": 4711, "say": "\"hello\""}});
    let secrets = Secrets::default().and_all_of(from_secret.as_object().unwrap());
    let brief = error.brief(&secrets, 1_000);
    assert!(
        error.to_string().contains("team: {{") && !brief.contains("team: {{"),
        "{brief}"
    );
    let expected =
        "error calling tpl: cannot parse template \"[hidden]\\n[hidden]\\n\": template: gotpl:3: unclosed action";
    assert!(brief.contains(expected), "{brief}");
    assert!(!shown(error.report(&secrets).as_ref()).contains("team: {{"));
    assert_eq!(
        secrets.hide(r#"pin 4711 says "\"hello\"""#),
        r#"pin [hidden] says "[hidden]""#
    );
}

#[test]
fn a_report_is_bounded() {
    for name in ["endless_include", "long_line"] {
        let (error, secrets) = fail(&read(name).files);
        let report = shown(error.report(&secrets).as_ref());
        assert!(report.len() < 4_000, "{name}: {} bytes", report.len());
        assert!(
            report.lines().all(|line| line.chars().count() < 200),
            "{name}: {report}"
        );
        assert!(error.brief(&secrets, 300).chars().count() <= 300, "{name}");
    }
}

#[test]
fn what_is_recorded_is_what_helm_says() {
    let Some(helm) = std::env::var_os("FAIRLEAD_HELM") else {
        println!("set FAIRLEAD_HELM to compare with the real Helm");
        return;
    };
    for name in names() {
        let Case { files, error, length } = read(&name);
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("web");
        for (path, text) in &files {
            let path = chart.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut command = std::process::Command::new(&helm);
        command.args(["template", "rel"]).arg(&chart);
        command.args(["--namespace", "ns", "--kube-version", "1.36.3"]);
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        let said = said.split_once("Error: ").unwrap().1;
        let said = said
            .split("\nlevel=WARN msg=\"command failed\"")
            .next()
            .unwrap()
            .trim_end();
        let said = said
            .trim_end_matches("Use --debug flag to render out invalid YAML")
            .trim_end();
        assert_eq!(said.len(), length, "{name}: {said}");
        assert!(said.starts_with(&error), "{name}: {said}");
    }
}
