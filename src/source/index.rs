//! A chart repository's `index.yaml`: only what selecting and fetching a version needs is kept.
//!
//! Entries that Helm would not accept are left out and counted, with the first few reasons kept; fields that Helm
//! does not know are ignored (Helm refuses the whole index).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::go::semver::Version;
use crate::yaml;

/// Why an index cannot be read, and on which line (from one; one where the parser names none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// The YAML reader's deepest nesting takes more than the 2 MiB of an ordinary thread when it is not optimised.
const STACK: usize = 16 << 20;
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
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    version: Option<String>,
    #[serde(deserialize_with = "text")]
    r#type: Option<String>,
    urls: Option<Vec<Option<String>>>,
    #[serde(deserialize_with = "text")]
    digest: Option<String>,
    #[serde(deserialize_with = "text")]
    created: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIndex {
    #[serde(default, deserialize_with = "text")]
    api_version: Option<String>,
    #[serde(default)]
    entries: Option<BTreeMap<String, Option<Vec<Value>>>>,
}

/// Text, or a number that was meant as text, as sigs.k8s.io/yaml reads it.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        scalar @ (Value::Number(_) | Value::Bool(_)) => Ok(Some(scalar.to_string())),
        Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("a list or mapping where text belongs")),
    }
}

impl Index {
    /// Reads an index, as YAML or JSON, on a thread of its own.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let failed = |reason: &str| Broken {
            line: 1,
            reason: reason.to_owned(),
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, || Self::parse_here(bytes));
            let thread = thread.map_err(|_| failed("no thread can be started to read it"))?;
            thread.join().unwrap_or_else(|_| Err(failed("reading it failed")))
        })
    }

    fn parse_here(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Broken {
                line: 1,
                reason: "it is empty".to_owned(),
            });
        }
        // JSON first, as Helm does it: it is read much faster.
        let raw = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            Err(error) if error.is_data() => return Err(broken(&error)),
            Err(_) => {
                let value = yaml::from_slice(bytes).map_err(|error| broken(&error))?;
                if !value.is_object() {
                    return Err(Broken {
                        line: 1,
                        reason: "it is not a YAML mapping".to_owned(),
                    });
                }
                serde_json::from_value(value).map_err(|error| broken(&error))?
            }
        };
        Self::from_raw(raw)
    }

    /// The versions of a chart, newest first; of equal versions (they differ in metadata) the one created last.
    pub(super) fn versions(&self, chart: &str) -> Option<&[IndexEntry]> {
        self.charts.get(chart).map(Vec::as_slice)
    }

    /// The names of all charts, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.charts.keys().map(String::as_str)
    }

    fn from_raw(raw: RawIndex) -> Result<Self, Broken> {
        if raw.api_version.is_none_or(|version| version.is_empty()) {
            let reason = "no apiVersion is given, so it is not the index of a chart repository".to_owned();
            return Err(Broken { line: 1, reason });
        }
        let mut index = Self::default();
        for (chart, entries) in raw.entries.unwrap_or_default() {
            let mut versions = Vec::new();
            for (number, entry) in entries.unwrap_or_default().into_iter().enumerate() {
                let entry = serde_json::from_value::<Option<RawEntry>>(entry).map_err(|error| error.to_string());
                match entry.and_then(check) {
                    Ok(entry) => versions.push(entry),
                    Err(reason) => index.refuse(format!("{chart}[{number}]: {reason}")),
                }
            }
            versions.sort_by(|one, other| {
                other
                    .version
                    .compare(&one.version)
                    .then_with(|| other.created.cmp(&one.created))
            });
            index.charts.insert(chart, versions);
        }
        Ok(index)
    }

    fn refuse(&mut self, reason: String) {
        self.skipped += 1;
        if self.reasons.len() < REASONS {
            self.reasons.push(reason);
        }
    }
}

/// The line is in the parser's words: `line 3: ...` or `... at line 3 column 4`.
fn broken(error: &dyn std::error::Error) -> Broken {
    let reason = error.to_string();
    let digits = reason.split_once("line ").map_or("", |(_, rest)| rest);
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    let line = digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(1);
    Broken { line, reason }
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
        shop[3]: version "not-a-version": invalid semantic version
        shop[4]: empty entry
        shop[5]: an entry has no name
        shop[6]: "../x" is not a chart name
        shop[7]: version 1.0.0: unknown chart type "odd"
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
        .map(broken)
        .map(|broken| format!("{}: {}", broken.line, broken.reason));
        insta::assert_snapshot!(all.join("\n"), @r#"
        1: it is empty
        1: it is empty
        1: it is not a YAML mapping
        1: no apiVersion is given, so it is not the index of a chart repository
        1: invalid type: string "text", expected a sequence
        4: error converting YAML to JSON: yaml: line 4: did not find expected key
        2: error converting YAML to JSON: yaml: line 2: did not find expected node content
        1: invalid type: sequence, expected a map at line 1 column 32
        1: error converting YAML to JSON: yaml: control characters are not allowed
        "#);
        let deep = format!("apiVersion: v1\nother: {}", "[".repeat(100_000));
        assert!(broken(&deep).line >= 1);
    }
}
