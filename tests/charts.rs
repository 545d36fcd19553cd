//! Charts written for the tests, one a subject, each compared byte for byte with what Helm 4.3.1 prints.
//!
//! Knows the layout that `tests/charts/README.md` describes, and runs both programs as people do. Rules of single
//! functions and of the syntax are held by the tables beside the modules.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]
#![expect(clippy::print_stdout, reason = "says how many cases are identical")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fairlead::chart::load::read_values;

/// What Helm logs besides the error that it printed.
const COMMAND_FAILED: &str = "level=WARN msg=\"command failed\"";

/// Lines of Helm that Fairlead does not write: errors come once, flags do what they do, and links are followed silently.
const UNWANTED: [&str; 4] = [
    COMMAND_FAILED,
    "level=ERROR ",
    "Flag --",
    // It names absolute paths; a test of its own compares it.
    "level=INFO msg=\"found symbolic link in path.",
];

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
    /// The error; or else the warnings, sorted, as Helm's follow the random order of Go's maps.
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
    if let Some(start) = stderr.find("Error: ") {
        let error = stderr[start..]
            .split(COMMAND_FAILED)
            .next()
            .unwrap_or_default()
            .trim_end();
        let error = error.strip_suffix(DEBUG_HINT).unwrap_or(error);
        return lines(error.lines());
    }
    let wanted = |line: &&str| !UNWANTED.iter().any(|unwanted| line.starts_with(unwanted));
    let mut warnings: Vec<&str> = stderr.lines().filter(wanted).collect();
    warnings.sort_unstable();
    lines(warnings.into_iter())
}

fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts")
}

/// The folders that have a chart, at any depth outside of charts.
fn subjects(below: &Path, found: &mut Vec<PathBuf>) {
    if below.join("chart").is_dir() {
        found.push(below.to_owned());
        return;
    }
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            subjects(&path, found);
        }
    }
}

/// All cases, or those that `FAIRLEAD_CASE` names a part of.
fn cases() -> Vec<Case> {
    let wanted = std::env::var("FAIRLEAD_CASE").unwrap_or_default();
    let mut folders = Vec::new();
    subjects(&charts(), &mut folders);
    let mut found = Vec::new();
    for folder in folders {
        // One run without arguments needs no file.
        let text = std::fs::read(folder.join("cases.yaml")).unwrap_or_else(|_| b"default: []".to_vec());
        for (name, arguments) in read_values(&text).unwrap() {
            let arguments = arguments.as_array().unwrap().iter();
            let arguments = arguments.map(|argument| argument.as_str().unwrap().to_owned());
            let subject = folder.strip_prefix(charts()).unwrap().to_str().unwrap().to_owned();
            found.push(Case {
                subject,
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
    let part = |lines: &[String], sign: &str| {
        let lines = lines.iter().skip(same).take(4);
        lines.flat_map(|line| ["\n  ", sign, " ", line]).collect::<String>()
    };
    format!("line {}:{}{}", same + 1, part(&expected, "-"), part(&found, "+"))
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

/// Checks all cases, as many at once as there are processors; what each finds wrong is shown.
fn check(wrong: impl Fn(&Case) -> Option<String> + Sync) {
    let cases = cases();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(wrong) = wrong(case) {
                        failures.lock().unwrap().push(format!("{}: {wrong}", case.id()));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    println!("{}/{} identical", cases.len() - failures.len(), cases.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The program that is tested.
const FAIRLEAD: &str = env!("CARGO_BIN_EXE_fairlead");

/// The real Helm.
fn helm() -> PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fairlead_controlplane::program("helm")).unwrap()
}

#[test]
fn our_charts_are_identical_to_the_goldens() {
    let home = tempfile::tempdir().unwrap();
    check(|case| compare(&case.read_golden(), &case.run(FAIRLEAD.as_ref(), home.path())));
}

/// Asks the real Helm, so that the goldens are never older than the Helm that Fairlead is compared with.
#[test]
fn the_goldens_are_what_helm_prints() {
    let helm = helm();
    let home = tempfile::tempdir().unwrap();
    let write = std::env::var("FAIRLEAD_GOLDEN").is_ok_and(|mode| mode == "write");
    check(|case| {
        let printed = case.run(&helm, home.path());
        if write {
            case.write_golden(&printed);
            return None;
        }
        (printed != case.read_golden()).then(|| format!("Helm prints {printed:?}"))
    });
}

#[test]
fn each_golden_has_its_case() {
    if std::env::var_os("FAIRLEAD_CASE").is_some() {
        return;
    }
    let cases = cases();
    let known: BTreeSet<PathBuf> = cases
        .iter()
        .flat_map(|case| ["yaml", "stderr.txt"].map(|extension| case.golden(extension)))
        .collect();
    let folders: BTreeSet<PathBuf> = cases.iter().map(|case| case.directory().join("golden")).collect();
    for golden in folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = golden.unwrap().path();
        assert!(known.contains(&path), "{} belongs to no case", path.display());
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
    assert_eq!(normalize(logged), "Error: x\n");
    let warned = "level=WARN msg=b\nFlag --x has been deprecated\nlevel=INFO msg=a\n";
    assert_eq!(normalize(warned), "level=INFO msg=a\nlevel=WARN msg=b\n");
}

/// A directory with a chart `linked`, in which `parts` are made, and with a folder beside it for links to lead to.
fn chart_with(parts: impl FnOnce(&Path)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let chart = directory.path().join("linked");
    let outside = directory.path().join("outside");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: linked\nversion: 1.0.0\n",
    )
    .unwrap();
    std::fs::write(chart.join(".helmignore"), "ignored*\n").unwrap();
    std::fs::write(outside.join("note.txt"), "from outside\n").unwrap();
    std::fs::write(
        outside.join("map.yaml"),
        "data: {note: {{ .Files.Get \"folder/note.txt\" | quote }}, empty: {{ .Files.Get \"empty.txt\" | quote }}}\n",
    )
    .unwrap();
    parts(&chart);
    directory
}

/// `template` of the chart in a directory: exit code, output, and what is told.
fn template(program: &Path, directory: &Path) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(program)
        .args(["template", "web", "linked"])
        .current_dir(directory)
        .env("HOME", directory)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let told = stderr.lines().filter(|line| !line.starts_with(COMMAND_FAILED));
    (output.status.code(), stdout, lines(told))
}

#[test]
fn links_and_what_is_no_file_are_dealt_with_as_helm_does() {
    use std::os::unix::fs::symlink;
    let helm = helm();
    let same = |parts: &dyn Fn(&Path)| {
        let directory = chart_with(parts);
        let (helms, ours) = (
            template(&helm, directory.path()),
            template(FAIRLEAD.as_ref(), directory.path()),
        );
        assert_eq!(ours, helms);
        ours
    };
    let (code, stdout, stderr) = same(&|chart| {
        symlink("../../outside/map.yaml", chart.join("templates/map.yaml")).unwrap();
        symlink("../outside", chart.join("folder")).unwrap();
        symlink("../outside/note.txt", chart.join("ignored.txt")).unwrap();
        std::fs::write(chart.join("empty.txt"), "").unwrap();
    });
    assert_eq!(code, Some(0));
    assert!(stdout.contains("{note: \"from outside\\n\", empty: \"\"}"), "{stdout}");
    assert_eq!(stderr.matches("found symbolic link in path").count(), 3, "{stderr}");

    let (code, _, stderr) = same(&|chart| symlink("nowhere", chart.join("dangling")).unwrap());
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("lstat") && stderr.contains("/linked/nowhere"),
        "{stderr}"
    );

    for target in [
        "chain",
        "templates/../Chart.yaml/x",
        "/nowhere/x",
        "../outside/../nowhere",
    ] {
        let (_, _, stderr) = same(&|chart| {
            symlink(target, chart.join("link")).unwrap();
            symlink("link", chart.join("chain")).unwrap();
        });
        assert!(stderr.contains("error evaluating symlink"), "{stderr}");
    }

    let (_, _, stderr) = same(&|chart| drop(std::os::unix::net::UnixListener::bind(chart.join("socket")).unwrap()));
    assert!(stderr.contains("cannot load irregular file"), "{stderr}");
}

#[test]
fn a_directory_is_bounded() {
    let large = chart_with(|chart| {
        std::fs::write(chart.join("large.txt"), vec![b'x'; 6 << 20]).unwrap();
        let template = "size: {{ len (.Files.Get \"large.txt\") }}\n";
        std::fs::write(chart.join("templates/size.yaml"), template).unwrap();
    });
    let (_, stdout, _) = template(FAIRLEAD.as_ref(), large.path());
    assert!(stdout.contains("size: 6291456\n"), "{stdout}");

    let cycle = chart_with(|chart| std::os::unix::fs::symlink(".", chart.join("again")).unwrap());
    let deep = chart_with(|chart| std::fs::create_dir_all(chart.join(["deep"; 33].join("/"))).unwrap());
    for bounded in [cycle, deep] {
        let (code, _, stderr) = template(FAIRLEAD.as_ref(), bounded.path());
        let expected = format!(
            "Error: {} has more than 32 levels of directories\n",
            bounded.path().join("linked").display()
        );
        assert!(code == Some(1) && stderr.ends_with(&expected), "{stderr}");
    }
}
