//! Charts written for the tests, one a subject (`tests/charts/README.md`), each compared byte for byte with Helm 4.3.1.
//!
//! `fairlead template rel chart` runs in the subject's folder with the arguments of each line of its `cases.yaml`. What
//! Helm printed for the same is beside it: `golden/<case>.yaml`, and `golden/<case>.stderr.txt` if there was something.
//! `FAIRLEAD_CASE=<part of subject/case>` takes only some cases. `FAIRLEAD_GOLDEN=write` has the real Helm write the
//! goldens anew.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use fairlead::chart::load::read_values;

/// What Helm logs besides the error that it printed.
const COMMAND_FAILED: &str = "level=WARN msg=\"command failed\"";

/// What Helm says below every error of a template; Fairlead says more than `--debug` would.
const DEBUG_HINT: &str = "\n\nUse --debug flag to render out invalid YAML";

/// Arguments of `template`, to be run in a folder of `tests/charts`.
struct Case {
    subject: String,
    name: String,
    arguments: Vec<String>,
}

/// What a run printed.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    /// Nothing when the command failed.
    stdout: Option<Vec<u8>>,
    /// The warnings, sorted, and then the error: Helm's warnings follow the random order of Go's maps.
    stderr: String,
}

impl Case {
    fn id(&self) -> String {
        format!("{}/{}", self.subject, self.name)
    }

    fn directory(&self) -> PathBuf {
        charts().join(&self.subject)
    }

    fn golden(&self, extension: &str) -> PathBuf {
        self.directory()
            .join("golden")
            .join(format!("{}.{extension}", self.name))
    }

    fn run(&self, program: &Path, home: &Path) -> Printed {
        let mut command = Command::new(program);
        command.current_dir(self.directory()).args(["template", "rel", "chart"]);
        command.args(&self.arguments).env("KUBECONFIG", home.join("none"));
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, home);
        }
        let output = command.output().unwrap();
        Printed {
            stdout: output.status.success().then_some(output.stdout),
            stderr: normalize(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    fn read_golden(&self) -> Printed {
        Printed {
            stdout: std::fs::read(self.golden("yaml")).ok(),
            stderr: std::fs::read_to_string(self.golden("stderr.txt")).unwrap_or_default(),
        }
    }

    fn write_golden(&self, printed: &Printed) {
        std::fs::create_dir_all(self.directory().join("golden")).unwrap();
        let stderr = (!printed.stderr.is_empty()).then_some(printed.stderr.as_bytes());
        for (extension, text) in [("yaml", printed.stdout.as_deref()), ("stderr.txt", stderr)] {
            let path = self.golden(extension);
            match text {
                Some(text) => std::fs::write(path, text).unwrap(),
                None if path.exists() => std::fs::remove_file(path).unwrap(),
                None => {}
            }
        }
    }
}

fn normalize(stderr: &str) -> String {
    let (warnings, error) = stderr.split_at(stderr.find("Error: ").unwrap_or(stderr.len()));
    let mut warnings: Vec<&str> = warnings
        .lines()
        .filter(|line| !line.starts_with(COMMAND_FAILED))
        .collect();
    warnings.sort_unstable();
    let error = error.split(COMMAND_FAILED).next().unwrap_or_default().trim_end();
    let error = error.strip_suffix(DEBUG_HINT).unwrap_or(error);
    let lines = warnings.into_iter().chain((!error.is_empty()).then_some(error));
    lines.map(|line| format!("{line}\n")).collect()
}

fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts")
}

/// All cases, or those that `FAIRLEAD_CASE` names a part of.
fn cases() -> Vec<Case> {
    let wanted = std::env::var("FAIRLEAD_CASE").unwrap_or_default();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(charts()).unwrap() {
        let entry = entry.unwrap();
        let Ok(text) = std::fs::read(entry.path().join("cases.yaml")) else {
            continue;
        };
        for (name, arguments) in read_values(&text).unwrap() {
            let arguments = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
            let arguments = arguments.iter().map(|argument| argument.as_str().unwrap().to_owned());
            found.push(Case {
                subject: entry.file_name().into_string().unwrap(),
                name,
                arguments: arguments.collect(),
            });
        }
    }
    found.retain(|case| case.id().contains(&wanted));
    found.sort_by_key(Case::id);
    assert!(!found.is_empty(), "no case has {wanted:?} in its name");
    found
}

/// Where two texts part, with the lines there.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let lines = |text: &[u8]| -> Vec<String> {
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| line.escape_ascii().to_string()).collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let same = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let part = |lines: &[String], sign| {
        let lines = lines.iter().skip(same).take(4);
        lines.map(|line| format!("\n  {sign} {line}")).collect::<String>()
    };
    format!("line {}:{}{}", same + 1, part(&expected, '-'), part(&found, '+'))
}

/// Why what Fairlead printed is not what Helm printed. Below Helm's error Fairlead may say more.
fn compare(expected: &Printed, found: &Printed) -> Option<String> {
    match (&expected.stdout, &found.stdout) {
        (Some(expected), Some(found)) if expected != found => Some(difference(expected, found)),
        (Some(_), None) => Some(format!("refused: {}", found.stderr)),
        (None, Some(_)) => Some(format!("not refused with {}", expected.stderr)),
        (Some(_), Some(_)) if expected.stderr == found.stderr => None,
        (None, None) if expected.stderr.is_empty() => Some("there is no golden".to_owned()),
        (None, None) if found.stderr.starts_with(&expected.stderr) => None,
        _ => Some(format!(
            "stderr: {}",
            difference(expected.stderr.as_bytes(), found.stderr.as_bytes())
        )),
    }
}

fn assert_none(failures: &[String], of: usize) {
    println!("{}/{of} identical", of - failures.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn our_charts_are_identical_to_the_goldens() {
    let home = tempfile::tempdir().unwrap();
    let cases = cases();
    let fairlead = Path::new(env!("CARGO_BIN_EXE_fairlead"));
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let difference = compare(&case.read_golden(), &case.run(fairlead, home.path()))?;
            Some(format!("{}: {difference}", case.id()))
        })
        .collect();
    assert_none(&failures, cases.len());
}

/// The goldens are what the real Helm prints, and no golden is without its case.
#[tokio::test]
async fn the_goldens_are_what_helm_prints() {
    let helm = fairlead_controlplane::program("helm").await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let write = std::env::var("FAIRLEAD_GOLDEN").is_ok_and(|mode| mode == "write");
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        let printed = case.run(&helm, home.path());
        if write {
            case.write_golden(&printed);
        } else if printed != case.read_golden() {
            failures.push(format!("{}: Helm prints {printed:#?}", case.id()));
        }
    }
    assert_none(&failures, cases.len());
}

#[test]
fn each_golden_has_its_case() {
    if std::env::var_os("FAIRLEAD_CASE").is_some() {
        return;
    }
    let known: BTreeSet<PathBuf> = cases()
        .iter()
        .flat_map(|case| ["yaml", "stderr.txt"].map(|extension| case.golden(extension)))
        .collect();
    for subject in std::fs::read_dir(charts()).unwrap() {
        let Ok(goldens) = std::fs::read_dir(subject.unwrap().path().join("golden")) else {
            continue;
        };
        for golden in goldens {
            let path = golden.unwrap().path();
            assert!(known.contains(&path), "{} belongs to no case", path.display());
        }
    }
}

/// The comparison finds what it is there to find.
#[test]
fn a_difference_is_noticed() {
    let printed = |stdout: Option<&str>, stderr: &str| Printed {
        stdout: stdout.map(|text| text.as_bytes().to_vec()),
        stderr: stderr.to_owned(),
    };
    let good = printed(Some("a: 1\n"), "");
    assert_eq!(compare(&good, &printed(Some("a: 1\n"), "")), None);
    for other in [
        printed(Some("a: 1"), ""),
        printed(Some("a: 1\n"), "level=WARN msg=x\n"),
        printed(None, "Error: x\n"),
    ] {
        assert!(compare(&good, &other).is_some());
        assert!(compare(&other, &good).is_some());
    }
    let refused = printed(None, "Error: x\n");
    assert_eq!(compare(&refused, &printed(None, "Error: x\n  in a.yaml\n")), None);
    assert!(compare(&refused, &printed(None, "Error: xy\n")).is_some());
    let logged = "level=WARN msg=b\nlevel=INFO msg=a\nError: x\n\nUse --debug flag to render out invalid YAML\n\
        level=WARN msg=\"command failed\" error=x\n";
    assert_eq!(normalize(logged), "level=INFO msg=a\nlevel=WARN msg=b\nError: x\n");
}
