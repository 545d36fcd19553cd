//! Which charts are rendered, and with which arguments.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The chart that people ask about first; it is in whatever else is chosen.
const ALWAYS: &str = "kube-prometheus-stack";

/// One chart.
#[derive(Debug)]
pub(crate) struct Case {
    /// What the table calls it.
    pub(crate) name: String,
    /// Of both programs, behind `template`.
    pub(crate) arguments: Vec<OsString>,
    /// How many times faster it must be, where that is not the common goal.
    pub(crate) minimum_speedup: Option<f64>,
}

impl Case {
    /// The generated umbrella, with what it has to reach.
    pub(crate) fn umbrella(directory: &Path, minimum_speedup: f64) -> Self {
        Self {
            name: "umbrella, 4000 tpl calls".to_owned(),
            arguments: ["rel".into(), directory.as_os_str().to_owned()].into(),
            minimum_speedup: Some(minimum_speedup),
        }
    }

    fn of_corpus(corpus: &Path, case: &Value) -> Option<Self> {
        let text = |field: &str| case.get(field)?.as_str();
        let archive = text("chart")?;
        let (_, name) = archive.strip_suffix(".tgz")?.rsplit_once("__")?;
        let mut arguments: Vec<OsString> = vec![text("release")?.into(), corpus.join("charts").join(archive).into()];
        for (flag, field) in [("--namespace", "namespace"), ("--kube-version", "kubeVersion")] {
            arguments.extend([flag.into(), text(field)?.into()]);
        }
        if case.get("includeCrds")?.as_bool()? {
            arguments.push("--include-crds".into());
        }
        for file in case.get("values")?.as_array()? {
            arguments.extend(["--values".into(), corpus.join("values").join(file.as_str()?).into()]);
        }
        Some(Self {
            name: name.to_owned(),
            arguments,
            minimum_speedup: None,
        })
    }
}

/// Where the corpus is, as tests/corpus.rs finds it.
pub(crate) fn corpus() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("FAIRLEAD_CORPUS") {
        return Some(directory.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    beside.is_dir().then_some(beside)
}

/// The rule: of the cases with default values that render, sorted by the size of what they render to, those at equal
/// distances from the smallest to the largest; and [`ALWAYS`].
pub(crate) fn choose(corpus: &Path, count: usize) -> Result<Vec<Case>, Box<dyn Error>> {
    let path = corpus.join("cases.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: Value = serde_json::from_slice(&text)?;
    let all = file
        .get("cases")
        .and_then(Value::as_array)
        .ok_or("cases.json has no cases")?;
    let bytes = |case: &&Value| case.get("bytes").and_then(Value::as_u64).unwrap_or(0);
    let is_always = |case: &&Value| {
        let chart = case.get("chart").and_then(Value::as_str);
        chart.is_some_and(|chart| chart.contains(ALWAYS)) && case.get("error").is_none_or(Value::is_null)
    };
    let mut plain: Vec<&Value> = all
        .iter()
        .filter(|case| {
            let values = case.get("values").and_then(Value::as_array);
            values.is_some_and(Vec::is_empty) && case.get("error").is_none_or(Value::is_null) && !is_always(case)
        })
        .collect();
    plain.sort_by_key(bytes);
    let always = all.iter().find(is_always);
    let others = count.saturating_sub(usize::from(always.is_some())).min(plain.len());
    let steps = others.saturating_sub(1).max(1);
    let mut chosen: Vec<&Value> = (0..others)
        .filter_map(|step| plain.get(step * (plain.len() - 1) / steps).copied())
        .chain(always)
        .collect();
    chosen.sort_by_key(bytes);
    chosen
        .into_iter()
        .map(|case| Case::of_corpus(corpus, case).ok_or_else(|| format!("not a case: {case}").into()))
        .collect()
}
