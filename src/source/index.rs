//! A chart repository's `index.yaml`: only what selecting and fetching a version needs is kept.
//!
//! Entries that Helm would not accept are left out and counted, with the first few reasons kept; fields that Helm
//! does not know are ignored (Helm refuses the whole index).

use std::collections::BTreeMap;

use jiff::Timestamp;
use libyaml_safer::EventData;
use serde::Deserialize;

use super::events::{Broken, Events};
use crate::go::semver::Version;

/// How many reasons for leaving out entries are kept.
const REASONS: usize = 10;

/// The charts of a repository.
#[derive(Debug, Default)]
pub(super) struct Index {
    charts: BTreeMap<String, Vec<IndexEntry>>,
    /// How many entries were left out.
    pub(super) skipped: usize,
    /// Why the first of them were.
    pub(super) reasons: Vec<String>,
}

/// One version of a chart.
#[derive(Debug)]
pub(super) struct IndexEntry {
    pub(super) version: Version,
    pub(super) urls: Vec<String>,
    /// The archive's SHA-256 as the index writes it.
    pub(super) digest: Option<String>,
    created: Option<Timestamp>,
}

/// An entry as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEntry {
    name: Option<String>,
    version: Option<String>,
    r#type: Option<String>,
    urls: Option<Vec<Option<String>>>,
    digest: Option<String>,
    created: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIndex {
    api_version: Option<String>,
    #[serde(default)]
    entries: Option<BTreeMap<String, Option<Vec<Option<RawEntry>>>>>,
}

impl Index {
    /// Reads an index, as YAML or JSON.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Broken {
                line: 1,
                reason: "it is empty".to_owned(),
            });
        }
        let json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        match json.then(|| serde_json::from_slice::<RawIndex>(bytes)) {
            Some(Ok(raw)) => Self::from_json(raw),
            // YAML that begins with a flow mapping ends up here as well.
            Some(Err(error)) => {
                let broken = Broken {
                    line: error.line() as u64,
                    reason: error.to_string(),
                };
                Self::from_yaml(bytes).map_err(|_| broken)
            }
            None => Self::from_yaml(bytes),
        }
    }

    /// The versions of a chart, newest first; of equal versions (they differ in metadata) the one created last.
    pub(super) fn versions(&self, chart: &str) -> Option<&[IndexEntry]> {
        self.charts.get(chart).map(Vec::as_slice)
    }

    /// The names of all charts, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.charts.keys().map(String::as_str)
    }

    fn from_json(raw: RawIndex) -> Result<Self, Broken> {
        let mut index = Self::default();
        for (chart, entries) in raw.entries.unwrap_or_default() {
            let versions = index.charts.entry(chart.clone()).or_default();
            let mut refused = Vec::new();
            for entry in entries.unwrap_or_default() {
                match check(entry) {
                    Ok(entry) => versions.push(entry),
                    Err(reason) => refused.push(format!("{chart}: {reason}")),
                }
            }
            refused.into_iter().for_each(|reason| index.refuse(reason));
        }
        index.finish(raw.api_version.is_some_and(|version| !version.is_empty()), 1)
    }

    fn from_yaml(bytes: &[u8]) -> Result<Self, Broken> {
        let mut index = Self::default();
        let mut api_version = false;
        let mut events = Events::new(bytes);
        events.enter_document()?;
        events.mapping(|events, key, value| match key {
            "apiVersion" => {
                api_version = events.text(value)?.is_some_and(|version| !version.is_empty());
                Ok(())
            }
            "entries" => match value {
                EventData::MappingStart { .. } => {
                    events.mapping(|events, chart, value| index.read_chart(events, chart, value))
                }
                other => events.text(other).map(drop),
            },
            _ => events.skip(&value),
        })?;
        index.finish(api_version, events.line())
    }

    fn read_chart(&mut self, events: &mut Events<'_>, chart: &str, value: EventData) -> Result<(), Broken> {
        let mut versions = Vec::new();
        match value {
            EventData::SequenceStart { .. } => events.sequence(|events, item| {
                let line = events.line();
                let entry = read_entry(events, item)?;
                match check(entry) {
                    Ok(entry) => versions.push(entry),
                    Err(reason) => self.refuse(format!("{chart} (line {line}): {reason}")),
                }
                Ok(())
            })?,
            scalar @ EventData::Scalar { .. } => {
                if events.text(scalar)?.is_some() {
                    return events.broken(format!("the versions of chart {chart:?} are not a list"));
                }
            }
            _ => return events.broken(format!("the versions of chart {chart:?} are not a list")),
        }
        self.charts.insert(chart.to_owned(), versions);
        Ok(())
    }

    fn refuse(&mut self, reason: String) {
        self.skipped += 1;
        if self.reasons.len() < REASONS {
            self.reasons.push(reason);
        }
    }

    fn finish(mut self, api_version: bool, line: u64) -> Result<Self, Broken> {
        if !api_version {
            let reason = "no apiVersion is given, so it is not the index of a chart repository".to_owned();
            return Err(Broken { line, reason });
        }
        for versions in self.charts.values_mut() {
            versions.sort_by(|one, other| {
                other
                    .version
                    .compare(&one.version)
                    .then_with(|| other.created.cmp(&one.created))
            });
        }
        Ok(self)
    }
}

/// Reads an entry; `None` where there is no mapping.
fn read_entry(events: &mut Events<'_>, value: EventData) -> Result<Option<RawEntry>, Broken> {
    if !matches!(value, EventData::MappingStart { .. }) {
        events.skip(&value)?;
        return Ok(None);
    }
    let mut entry = RawEntry::default();
    events.mapping(|events, key, value| {
        let field = match key {
            "name" => &mut entry.name,
            "version" => &mut entry.version,
            "type" => &mut entry.r#type,
            "digest" => &mut entry.digest,
            "created" => &mut entry.created,
            "urls" => {
                if let EventData::SequenceStart { .. } = value {
                    let urls = entry.urls.insert(Vec::new());
                    return events.sequence(|events, item| {
                        urls.push(events.text(item)?);
                        Ok(())
                    });
                }
                return events.skip(&value);
            }
            _ => return events.skip(&value),
        };
        *field = events.text(value)?;
        Ok(())
    })?;
    Ok(Some(entry))
}

/// What Helm checks of an entry, as far as it matters for selecting and fetching a version.
fn check(entry: Option<RawEntry>) -> Result<IndexEntry, String> {
    let Some(RawEntry {
        name,
        version,
        r#type,
        urls,
        digest,
        created,
    }) = entry
    else {
        return Err("empty entry".to_owned());
    };
    let name = name.unwrap_or_default();
    if name.is_empty() {
        return Err("an entry has no name".to_owned());
    }
    if name == "." || name == ".." || name.contains(['/', '\\']) {
        return Err(format!("{name:?} is not a chart name"));
    }
    let version = version.unwrap_or_default();
    let version = Version::parse(&version).map_err(|error| format!("version {version:?}: {error}"))?;
    match r#type.as_deref() {
        None | Some("" | "application" | "library") => {}
        Some(other) => return Err(format!("version {version}: unknown chart type {other:?}")),
    }
    Ok(IndexEntry {
        version,
        urls: urls
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .filter(|url| !url.is_empty())
            .collect(),
        digest: digest.filter(|digest| !digest.is_empty()),
        created: created.and_then(|created| created.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::Index;

    const YAML: &str = r#"
apiVersion: v1
serverInfo: {contextPath: /x}
entries:
  shop:
    - {name: shop, version: 1.2.0, urls: [shop-1.2.0.tgz], digest: abc, unknown: [1, {a: b}]}
    - name: shop
      version: "1.10.0"
      created: 2024-01-01T00:00:00Z
      urls:
        - https://example.com/shop-1.10.0.tgz
      maintainers: [{name: x}]
    - name: shop
      version: 1.10.0+later
      created: 2024-02-01T00:00:00.123456789+01:00
      urls: []
    - {name: shop, version: not-a-version}
    -
    - {version: 1.0.0}
    - {name: ../x, version: 1.0.0}
    - {name: shop, version: 1.0.0, type: odd}
  empty:
  none: []
generated: 2024-01-01T00:00:00Z
"#;

    #[test]
    fn keeps_what_is_valid_newest_first() {
        let index = Index::parse(YAML.as_bytes()).unwrap();
        let versions: Vec<_> = index
            .versions("shop")
            .unwrap()
            .iter()
            .map(|entry| entry.version.original())
            .collect();
        assert_eq!(versions, ["1.10.0+later", "1.10.0", "1.2.0"]);
        let oldest = &index.versions("shop").unwrap()[2];
        assert_eq!(
            (oldest.digest.as_deref(), oldest.urls.as_slice()),
            (Some("abc"), &["shop-1.2.0.tgz".to_owned()][..])
        );
        assert_eq!(index.names().collect::<Vec<_>>(), ["empty", "none", "shop"]);
        assert_eq!(index.skipped, 5);
        insta::assert_snapshot!(index.reasons.join("\n"), @r#"
        shop (line 17): version "not-a-version": invalid semantic version
        shop (line 19): empty entry
        shop (line 19): an entry has no name
        shop (line 20): "../x" is not a chart name
        shop (line 21): version 1.0.0: unknown chart type "odd"
        "#);
    }

    #[test]
    fn reads_json() {
        let json = r#"{"apiVersion": "v1", "entries": {"a\/b": null, "shop": [null,
            {"name": "shop", "version": "1.0.0", "urls": ["x.tgz", null], "other": {}}]}}"#;
        let index = Index::parse(json.as_bytes()).unwrap();
        assert_eq!(index.versions("shop").unwrap()[0].urls, ["x.tgz"]);
        assert_eq!(index.skipped, 1);
        let flow = "{apiVersion: v1, entries: {shop: [{name: shop, version: 1.0.0}]}}";
        assert_eq!(
            Index::parse(flow.as_bytes()).unwrap().versions("shop").unwrap().len(),
            1
        );
    }

    #[test]
    fn says_what_is_broken_and_where() {
        let broken = |text: &str| Index::parse(text.as_bytes()).map(drop).unwrap_err();
        let all = [
            "",
            " \n",
            "<!DOCTYPE html>\n<html><body>404</body></html>",
            "entries: {}\n",
            "apiVersion: v1\nentries:\n  shop: text\n",
            "apiVersion: v1\nentries:\n  shop:\n    - name: shop\n   version: 1\n",
            "apiVersion: v1\nentries: {shop: [\n",
            "{\"apiVersion\": \"v1\", \"entries\": [}",
            "apiVersion: v1\nother: [[\u{7}",
        ]
        .map(|text| broken(text))
        .map(|broken| format!("{}: {}", broken.line, broken.reason));
        insta::assert_snapshot!(all.join("\n"), @r#"
        1: it is empty
        1: it is empty
        1: it is not a YAML mapping
        2: no apiVersion is given, so it is not the index of a chart repository
        3: the versions of chart "shop" are not a list
        5: did not find expected key
        3: did not find expected node content
        1: invalid type: sequence, expected a map at line 1 column 32
        2: control characters are not allowed
        "#);
        let deep = format!("apiVersion: v1\nother: {}", "[".repeat(100_000));
        assert!(broken(&deep).reason.contains("nests deeper"));
    }
}
