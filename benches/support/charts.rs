//! The charts that are measured, and how one is rendered: as a library user does, with no cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, JsonMap};
use fairlead::render::{Operation, Program, Release, Rendered, Request, render};
use fairlead::template::{Host, Limits, Mode};

/// Real charts from small to large, by a part of their file names in the corpus.
const CORPUS: [(&str, &str); 5] = [
    ("metrics-server", "bitnami__charts__metrics-server-"),
    ("ingress-nginx", "kubernetes__ingress-nginx__ingress-nginx-"),
    ("prometheus", "prometheus-community__helm-charts__prometheus-29"),
    ("argo-workflows", "argoproj__argo-helm__argo-workflows-"),
    (
        "kube-prometheus-stack",
        "prometheus-community__helm-charts__kube-prometheus-stack-",
    ),
];

/// A chart as it comes: packed, or the files of a directory.
pub(crate) enum Source {
    /// A tar.gz.
    Archive(Vec<u8>),
    /// Path and content.
    Files(Vec<(String, String)>),
}

impl Source {
    /// Loads the chart.
    pub(crate) fn load(&self) -> Chart {
        let limits = ArchiveLimits::default();
        match self {
            Self::Archive(bytes) => Chart::from_archive(bytes, &limits).unwrap(),
            Self::Files(files) => {
                let files = files
                    .iter()
                    .map(|(name, text)| File::new(name, text.clone().into_bytes()));
                Chart::from_directory(files.collect(), &limits).unwrap()
            }
        }
    }
}

/// Five charts of the corpus; without a corpus the chart of the tests.
pub(crate) fn sources() -> Vec<(&'static str, Source)> {
    let Some(directory) = corpus() else {
        println!(
            "no corpus: set FAIRLEAD_CORPUS to measure real charts; this measures tests/charts/umbrella/chart only"
        );
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/umbrella/chart");
        let mut files = Vec::new();
        read_directory(&root, &root, &mut files);
        return vec![("tests-umbrella", Source::Files(files))];
    };
    let archives = directory.join("charts");
    let find = |prefix: &str| -> PathBuf {
        let mut entries = std::fs::read_dir(&archives).unwrap().map(|entry| entry.unwrap());
        let found = entries.find(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)));
        found
            .unwrap_or_else(|| panic!("no {prefix}* in {}", archives.display()))
            .path()
    };
    CORPUS
        .iter()
        .map(|(name, prefix)| (*name, Source::Archive(std::fs::read(find(prefix)).unwrap())))
        .collect()
}

fn corpus() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("FAIRLEAD_CORPUS") {
        return Some(directory.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    beside.is_dir().then_some(beside)
}

fn read_directory(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_directory(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((
                name,
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            ));
        }
    }
}

/// The names and texts of all templates, in the order in which they are parsed.
pub(crate) fn templates(chart: &Chart) -> Vec<(String, &[u8])> {
    let mut found = Vec::new();
    collect(chart, &chart.metadata.name, &mut found);
    found
}

fn collect<'a>(chart: &'a Chart, path: &str, found: &mut Vec<(String, &'a [u8])>) {
    for subchart in &chart.subcharts {
        collect(subchart, &format!("{path}/charts/{}", subchart.metadata.name), found);
    }
    let templates = chart.templates.iter();
    found.extend(templates.map(|file| (format!("{path}/{}", file.name), &*file.data)));
}

/// A release of a chart, ready to be rendered with default values.
pub(crate) struct Installation {
    program: Program,
    values: JsonMap,
    release: Release,
    capabilities: Capabilities,
}

impl Installation {
    /// Of a chart; nothing is parsed yet.
    pub(crate) fn new(chart: Chart) -> Self {
        Self {
            program: Program::new(Arc::new(chart)),
            values: JsonMap::new(),
            release: Release {
                name: "rel".to_owned(),
                namespace: "ns".to_owned(),
                revision: 1,
                operation: Operation::Install,
            },
            capabilities: Capabilities::default(),
        }
    }

    /// Renders it.
    pub(crate) fn render(&self) -> Rendered {
        let request = Request {
            program: &self.program,
            values: &self.values,
            release: &self.release,
            capabilities: &self.capabilities,
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: false,
        };
        render(&request, &mut Offline(1)).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A host without a cluster, whose random numbers repeat.
struct Offline(u64);

impl Host for Offline {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        // SplitMix64.
        for chunk in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}
