//! Real charts, rendered and compared byte for byte with what Helm 4.3.1 makes of them.
//!
//! The corpus is a directory with `cases.json`, `charts/`, `values/` and `golden/`, named by `FAIRLEAD_CORPUS` or
//! found at `../shared/corpus` beside the repository. `FAIRLEAD_CASE=<part of an id>` renders the cases with that part
//! in their id and shows the first difference of each. Charts of our own are the matter of `tests/charts.rs`.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, JsonMap, load::read_values, values::merge_maps};
use fairlead::render::{Operation, Program, Release, Request, TemplateOutput, render};
use fairlead::template::{Host, Limits, Mode};
use sha2::Digest as _;

/// How many cases of the corpus must be identical. Only ever raised.
const FLOOR: usize = 375;

/// Unoptimised code needs larger frames than [`Limits::STACK_BYTES`] is made for.
const STACK_BYTES: usize = 64 << 20;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Corpus {
    cases: Vec<Case>,
}

#[derive(Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: String,
    chart: String,
    values: Vec<String>,
    release: String,
    namespace: String,
    kube_version: String,
    include_crds: bool,
    sha256: Option<String>,
    error: Option<String>,
}

/// A host without a cluster. Randomness is a seeded sequence (SplitMix64), good enough to find primes with: the corpus
/// has no case whose output depends on it.
struct Offline(u64);

impl Host for Offline {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// What `helm template` would print: standard output, or the error.
fn template(program: &Program, case: &Case, values: &JsonMap) -> Result<String, String> {
    let release = Release {
        name: case.release.clone(),
        namespace: case.namespace.clone(),
        revision: 1,
        operation: Operation::Install,
    };
    let capabilities = Capabilities {
        kube_version: case.kube_version.parse().unwrap(),
        ..Capabilities::default()
    };
    let request = Request {
        program,
        values,
        release: &release,
        capabilities: &capabilities,
        limits: Limits::default(),
        mode: Mode::default(),
        skip_schema_validation: false,
        subchart_notes: false,
        keep_values: false,
    };
    let output = TemplateOutput {
        include_crds: case.include_crds,
        ..TemplateOutput::default()
    };
    match render(&request, &mut Offline(1)) {
        Ok(rendered) => Ok(output.write(&rendered)),
        Err(error) if error.is_of_templates() => {
            Err(format!("Error: {error}\n\nUse --debug flag to render out invalid YAML"))
        }
        Err(error) => Err(format!("Error: {error}")),
    }
}

/// The error without the lines that Helm logs before it.
fn without_log(error: &str) -> &str {
    error.find("Error: ").map_or(error, |start| error[start..].trim_end())
}

/// The first lines that differ, with some lines around them.
fn first_difference(expected: &str, found: &str) -> String {
    const CONTEXT: usize = 6;
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let line = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str], sign: char| {
        let part = lines.iter().skip(line).take(CONTEXT);
        part.map(|line| format!("{sign}{line}")).collect::<Vec<_>>()
    };
    let before = expected[line.saturating_sub(CONTEXT)..line].iter();
    let mut shown = vec![format!("@@ line {} @@", line + 1)];
    shown.extend(before.map(|line| format!(" {line}")));
    shown.extend(part(&expected, '-'));
    shown.extend(part(&found, '+'));
    shown.join("\n")
}

fn corpus_directory() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("FAIRLEAD_CORPUS") {
        return Some(directory.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    beside.is_dir().then_some(beside)
}

/// The corpus, if there is one, and its cases.
#[expect(clippy::print_stdout, reason = "a test that compares nothing says so")]
fn corpus() -> Option<(PathBuf, Vec<Case>)> {
    let Some(directory) = corpus_directory() else {
        println!("no corpus: set FAIRLEAD_CORPUS to compare real charts with Helm's output");
        return None;
    };
    let text = std::fs::read(directory.join("cases.json")).unwrap();
    let Corpus { cases } = serde_json::from_slice(&text).unwrap();
    Some((directory, cases))
}

/// All cases of one chart. Result: the ids that differ, with why.
fn run_chart(directory: &Path, cases: &[Case], explain: bool) -> Vec<(String, String)> {
    let bytes = std::fs::read(directory.join("charts").join(&cases[0].chart)).unwrap();
    let chart = match Chart::from_archive(&bytes, &ArchiveLimits::default()) {
        Ok(chart) => chart,
        Err(error) => {
            return cases
                .iter()
                .map(|case| (case.id.clone(), format!("load: {error}")))
                .collect();
        }
    };
    let program = Program::new(Arc::new(chart));
    cases
        .iter()
        .filter_map(|case| Some((case.id.clone(), run_case(directory, &program, case, explain)?)))
        .collect()
}

/// Why a case differs, if it does.
fn run_case(directory: &Path, program: &Program, case: &Case, explain: bool) -> Option<String> {
    let mut values = JsonMap::new();
    for file in &case.values {
        let text = std::fs::read(directory.join("values").join(file)).unwrap();
        values = merge_maps(values, read_values(&text).unwrap());
    }
    match (template(program, case, &values), &case.error) {
        (Ok(output), None) => {
            let digest = sha2::Sha256::digest(&output);
            if case.sha256.as_deref() == Some(&format!("{digest:x}")) {
                return None;
            }
            let golden = std::fs::File::open(directory.join("golden").join(format!("{}.yaml.gz", case.id))).unwrap();
            let golden = std::io::read_to_string(flate2::read::GzDecoder::new(golden)).unwrap();
            let difference = first_difference(&golden, &output);
            Some(if explain { difference } else { shorten(&difference) })
        }
        (Err(error), Some(expected)) if error == without_log(expected) => None,
        (Err(error), Some(expected)) => Some(format!("expected {expected:?}, found {error:?}")),
        (Ok(_), Some(expected)) => Some(format!("expected {expected:?}, found output")),
        (Err(error), None) => Some(if explain {
            error
        } else {
            error.lines().collect::<Vec<_>>().join(" | ")
        }),
    }
}

/// Only the first line of either side.
fn shorten(difference: &str) -> String {
    let first = |sign| {
        difference
            .lines()
            .find(|line| line.starts_with(sign))
            .unwrap_or_default()
    };
    format!("{} {}", first('-'), first('+'))
}

#[test]
fn real_charts_are_identical_to_helm() {
    let Some((directory, cases)) = corpus() else { return };
    let wanted = std::env::var("FAIRLEAD_CASE").ok();
    let mut charts: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases {
        if wanted.as_ref().is_none_or(|wanted| case.id.contains(wanted.as_str())) {
            charts.entry(case.chart.clone()).or_default().push(case);
        }
    }
    let charts: Vec<Vec<Case>> = charts.into_values().collect();
    let total: usize = charts.iter().map(Vec::len).sum();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let worker = || {
                while let Some(cases) = charts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = run_chart(&directory, cases, wanted.is_some());
                    failures.lock().unwrap().extend(failed);
                }
            };
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, worker)
                .unwrap();
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    for (id, reason) in &failures {
        println!("{id}: {reason}");
    }
    let identical = total - failures.len();
    println!("{identical}/{total} identical in {:.2?}", started.elapsed());
    assert!(
        wanted.is_some() || identical >= FLOOR,
        "{identical} of {total} cases are identical, fewer than {FLOOR}"
    );
}

/// The command line renders with threads that help it, which a library does not start.
#[cfg(feature = "cli")]
#[test]
fn the_command_line_prints_the_same() {
    let Some((directory, mut cases)) = corpus() else { return };
    cases.retain(|case| case.values.is_empty() && case.include_crds && case.sha256.is_some());
    for case in &cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fairlead"));
        command.args(["template", &case.release, "--include-crds"]);
        command.args(["--namespace", &case.namespace, "--kube-version", &case.kube_version]);
        let output = command
            .arg(directory.join("charts").join(&case.chart))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let digest = sha2::Sha256::digest(&output.stdout);
        assert_eq!(case.sha256, Some(format!("{digest:x}")), "{}: {errors}", case.id);
    }
    println!("{} identical", cases.len());
}
