//! Scrapes -> the series of promtool's unit tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What a scrape adds to each series, as the ServiceMonitor has it.
const TARGET: &str = "job=\"fairlead-controller\",instance=\"10.0.0.1:8080\",pod=\"fairlead-controller-0\"";

/// Samples by their series, minute by minute.
#[derive(Debug, Default)]
pub(super) struct Timeline(BTreeMap<usize, BTreeMap<String, String>>);

impl Timeline {
    /// A scrape, which stands until the next one.
    pub(super) fn add(&mut self, minute: usize, text: &str) {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| line.rsplit_once(' '));
        self.0.insert(
            minute,
            samples
                .map(|(series, value)| (targeted(series), value.to_owned()))
                .collect(),
        );
    }

    /// The first series of any scrape that has one of these words.
    pub(super) fn with_any(&self, words: &[&str]) -> Option<&str> {
        let mut series = self.0.values().flat_map(BTreeMap::keys).map(String::as_str);
        series.find(|series| words.iter().any(|word| series.contains(word)))
    }

    /// The series as promtool reads them, for this many minutes.
    pub(super) fn series(&self, minutes: usize) -> Vec<Value> {
        let mut names: Vec<&String> = self.0.values().flat_map(BTreeMap::keys).collect();
        names.sort();
        names.dedup();
        let series = names.into_iter().map(|name| {
            let value = |minute: usize| {
                let scrape = self.0.range(..=minute).next_back();
                scrape
                    .and_then(|(_, samples)| samples.get(name))
                    .map_or("_", String::as_str)
            };
            let values: Vec<&str> = (0..minutes).map(value).collect();
            json!({"series": name, "values": values.join(" ")})
        });
        series.collect()
    }
}

fn targeted(series: &str) -> String {
    match series.strip_suffix('}') {
        Some(labelled) => format!("{labelled},{TARGET}}}"),
        None => format!("{series}{{{TARGET}}}"),
    }
}

#[test]
fn a_series_is_missing_where_it_was_not_scraped() {
    let mut timeline = Timeline::default();
    timeline.add(0, "# TYPE a gauge\na 1\n");
    timeline.add(2, "a 2\nb{c=\"d e\"} 3\n");
    timeline.add(3, "a 2\n");
    let values = |index: usize| timeline.series(4)[index]["values"].clone();
    assert_eq!((values(0), values(1)), (json!("1 1 2 2"), json!("_ _ 3 _")));
    assert_eq!(timeline.series(4)[1]["series"], format!("b{{c=\"d e\",{TARGET}}}"));
}
