//! What must not be shown.
//!
//! The rule is by name: what stands in the values under a key that has one of [`WORDS`] in it, at any depth below, is a
//! secret. It hides more than it must (`secretName`, `keycloak`); that is the safe side.

use std::borrow::Cow;

use serde_json::Value;

use crate::chart::{Chart, JsonMap};
use crate::go::strconv;

/// What a key has in it whose value is a secret; without case, `-` and `_`.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "key",
    "private",
    "auth",
    "cert",
];

/// What is written instead.
const HIDDEN: &str = "[hidden]";

/// The shortest text that is looked for: shorter ones stand everywhere.
const MINIMUM: usize = 4;

/// The most texts that are looked for.
const MAXIMUM: usize = 1_000;

/// Texts that are replaced wherever they appear.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Longest first, so that no part of one is left.
    texts: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("count", &self.texts.len())
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// The secrets in some values, by the names of their keys.
    pub fn of_values<'v>(values: impl IntoIterator<Item = &'v JsonMap>) -> Self {
        let mut secrets = Self::default();
        for map in values {
            map.iter()
                .for_each(|(key, value)| secrets.collect(value, is_sensitive(key)));
        }
        secrets.arrange();
        secrets
    }

    /// The secrets in what a user sets, and in the defaults of a chart and its subcharts.
    pub fn of_chart(chart: &Chart, values: &JsonMap) -> Self {
        fn defaults<'c>(chart: &'c Chart, found: &mut Vec<&'c JsonMap>) {
            found.push(&chart.values);
            chart.subcharts.iter().for_each(|subchart| defaults(subchart, found));
        }
        let mut all = vec![values];
        defaults(chart, &mut all);
        Self::of_values(all)
    }

    /// With every text and number of these values, whatever their names are.
    #[must_use]
    pub fn and_all_of(mut self, values: &JsonMap) -> Self {
        values.values().for_each(|value| self.collect(value, true));
        self.arrange();
        self
    }

    fn arrange(&mut self) {
        self.texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.texts.dedup();
        self.texts.truncate(MAXIMUM);
    }

    /// The text with every secret replaced.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in &self.texts {
            if shown.contains(secret.as_str()) {
                shown = Cow::Owned(shown.replace(secret.as_str(), HIDDEN));
            }
        }
        shown
    }

    fn collect(&mut self, value: &Value, secret: bool) {
        match value {
            Value::Object(entries) => entries
                .iter()
                .for_each(|(key, value)| self.collect(value, secret || is_sensitive(key))),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, secret)),
            Value::String(text) if secret => self.add(text),
            Value::Number(number) if secret => {
                self.add(&number.to_string());
                // In templates it is a float.
                let float = crate::template::Value::Float64(number.as_f64().unwrap_or_default());
                self.add(&String::from_utf8_lossy(&crate::go::fmt::sprint(&[float])));
            }
            Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => {}
        }
    }

    /// Of a text of several lines each one is a secret: an excerpt shows lines. Messages show them in Go's quotes.
    fn add(&mut self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| line.len() >= MINIMUM) {
            let quoted = strconv::quote(line.as_bytes());
            let quoted = String::from_utf8_lossy(&quoted);
            let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            if quoted != line {
                self.texts.push(quoted.to_owned());
            }
            self.texts.push(line.to_owned());
        }
    }
}

/// Whether a key, or a path of keys, names a secret.
pub fn is_sensitive(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect();
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a document, which need not be YAML, is that of a Secret or of something like it.
pub(super) fn is_secret_document(text: &str) -> bool {
    text.lines()
        .any(|line| line.find("kind").is_some_and(|at| line[at..].contains("Secret")))
}
