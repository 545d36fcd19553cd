//! A record as a whole: made for a new revision, or read so that one word of it can be changed and it be written back.
//!
//! Pure. Unlike [`Record`](super::Record), which reads the few things that Fairlead uses, a document keeps all that stands in a
//! record, also what a later Helm put there. New documents are slim: of the chart they hold what Helm needs to list, show and
//! roll back a release (its metadata and its values), and none of its files, which are most of what Helm writes.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::record::{ApplyMethod, RecordError, Status, objects_of, read_json};
use crate::chart::JsonMap;
use crate::chart::metadata::Metadata;
use crate::render::{Hook, Rendered};

/// The longest description, in characters: Helm's own bound.
const MAXIMUM_DESCRIPTION: usize = 256;

/// What of a rendering goes into a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// All documents but hooks and CRDs of `crds/`.
    manifest: String,
    /// The hooks, in Helm's form.
    hooks: Vec<Value>,
    /// The rendered NOTES.txt.
    notes: String,
    /// The chart's values with those of its subcharts, as templates saw them, and the defaults that a null of the user took away.
    /// Helm keeps what the charts say without the user's values, and puts these over it when it shows all: the outcome is the same.
    values: JsonMap,
}

impl Content {
    /// Of a rendering, from which the notes and the values are taken. `config` is what the user set, and `defaults` gives the chart's
    /// values without that.
    pub fn of(rendered: &mut Rendered, config: &JsonMap, defaults: impl FnOnce() -> JsonMap) -> Self {
        let mut values = std::mem::take(&mut rendered.values);
        if removes(config) {
            put_back(&mut values, config, &defaults());
        }
        Self {
            manifest: rendered.manifest(),
            hooks: rendered.hooks.iter().map(hook).collect(),
            notes: std::mem::take(&mut rendered.notes),
            values,
        }
    }
}

/// Whether a null takes something away.
fn removes(config: &JsonMap) -> bool {
    config.values().any(|value| match value {
        Value::Null => true,
        Value::Object(fields) => removes(fields),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    })
}

/// Gives values the defaults again that nulls took away: Helm shows a null that finds nothing to take away.
fn put_back(values: &mut JsonMap, config: &JsonMap, defaults: &JsonMap) {
    for (key, set) in config {
        match (set, defaults.get(key)) {
            (Value::Null, Some(default)) => {
                values.entry(key.clone()).or_insert_with(|| default.clone());
            }
            (Value::Object(set), Some(Value::Object(defaults))) => {
                if let Some(Value::Object(values)) = values.get_mut(key) {
                    put_back(values, set, defaults);
                }
            }
            _ => {}
        }
    }
}

fn hook(hook: &Hook) -> Value {
    let Hook {
        manifest,
        events,
        weight,
        delete_policies,
        output_log_policies,
    } = hook;
    let events: Vec<&str> = events.iter().map(|event| event.name()).collect();
    let mut fields = json!({
        "name": manifest.name,
        "kind": manifest.kind,
        "path": manifest.path,
        "manifest": &*manifest.text,
        "events": events,
        "last_run": {"phase": ""},
    });
    if let Value::Object(fields) = &mut fields {
        if *weight != 0 {
            fields.insert("weight".to_owned(), json!(weight));
        }
        for (name, policies) in [
            ("delete_policies", delete_policies),
            ("output_log_policies", output_log_policies),
        ] {
            if !policies.is_empty() {
                fields.insert(name.to_owned(), json!(policies));
            }
        }
    }
    fields
}

/// What a new record is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The name of the release.
    pub name: &'a str,
    /// The namespace of the release.
    pub namespace: &'a str,
    /// The number of the revision.
    pub revision: u32,
    /// The chart's metadata.
    pub metadata: &'a Metadata,
    /// What the user set.
    pub config: &'a JsonMap,
    /// What the chart was rendered to.
    pub content: &'a Content,
    /// How its objects are written.
    pub apply_method: ApplyMethod,
    /// When the release was first deployed.
    pub first_deployed: Timestamp,
    /// When this revision began.
    pub last_deployed: Timestamp,
}

/// A record as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Everything but `info`.
    fields: Map<String, Value>,
    info: Map<String, Value>,
}

impl Document {
    /// The record of a revision. Its status is [`Status::Unknown`] until it is set.
    pub fn new(parts: &Parts<'_>) -> Self {
        let Parts {
            name,
            namespace,
            revision,
            metadata,
            config,
            content,
            apply_method,
            first_deployed,
            last_deployed,
        } = parts;
        let Content {
            manifest,
            hooks,
            notes,
            values,
        } = content;
        let info = json!({
            "first_deployed": first_deployed.to_string(),
            "last_deployed": last_deployed.to_string(),
            "deleted": "",
            "notes": notes,
            "status": Status::Unknown.as_word(),
        });
        let fields = json!({
            "name": name,
            "namespace": namespace,
            "version": revision,
            "chart": {
                "metadata": metadata,
                "lock": null,
                "templates": [],
                "values": values,
                "schema": null,
                "files": [],
            },
            "config": config,
            "manifest": manifest,
            "hooks": hooks,
            "apply_method": apply_method.as_word(),
        });
        Self {
            fields: object(fields),
            info: object(info),
        }
    }

    /// Reads a record as it stands in a Secret's data.
    ///
    /// # Errors
    /// When it is no record, or one beyond the bounds of [`Record::decode`](super::Record::decode).
    pub fn decode(encoded: &[u8]) -> Result<Self, RecordError> {
        let mut fields: Map<String, Value> = read_json(encoded)?;
        let info = fields.remove("info").map(object).unwrap_or_default();
        Ok(Self { fields, info })
    }

    /// The record as it stands in a Secret's data.
    pub fn encode(&self) -> String {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        // Neither does writing to memory fail, nor writing maps with text keys.
        let whole = Whole {
            fields: &self.fields,
            info: &self.info,
        };
        let _ = gzip.write_all(&serde_json::to_vec(&whole).unwrap_or_default());
        STANDARD.encode(gzip.finish().unwrap_or_default())
    }

    /// Says where the revision stands, and why. Nothing is said of why when the description is empty.
    pub fn stand(&mut self, status: Status, description: &str) {
        self.info.insert("status".to_owned(), json!(status.as_word()));
        if !description.is_empty() {
            let short: String = description.chars().take(MAXIMUM_DESCRIPTION).collect();
            self.info.insert("description".to_owned(), json!(short));
        }
    }

    /// Says when the revision was uninstalled.
    pub fn deleted(&mut self, at: Timestamp) {
        self.info.insert("deleted".to_owned(), json!(at.to_string()));
    }

    /// Makes it the record of a revision that restores what this one has, as Helm does when it rolls back.
    pub fn restored_as(&mut self, revision: u32, at: Timestamp, method: ApplyMethod) {
        let source = self.fields.insert("version".to_owned(), json!(revision));
        self.info.insert("last_deployed".to_owned(), json!(at.to_string()));
        self.info.insert("deleted".to_owned(), json!(""));
        self.info
            .insert("rollback_revision".to_owned(), source.unwrap_or(Value::Null));
        self.fields.insert("apply_method".to_owned(), json!(method.as_word()));
    }

    /// The namespace of the release.
    pub fn namespace(&self) -> &str {
        self.fields.get("namespace").and_then(Value::as_str).unwrap_or_default()
    }

    /// A text of the chart's metadata; empty where it has none.
    pub fn metadata(&self, name: &str) -> &str {
        let metadata = self.fields.get("chart").and_then(|chart| chart.get("metadata"));
        let text = metadata.and_then(|metadata| metadata.get(name));
        text.and_then(Value::as_str).unwrap_or_default()
    }

    /// What the user set.
    pub fn config(&self) -> JsonMap {
        match self.fields.get("config") {
            Some(Value::Object(config)) => config.clone(),
            Some(_) | None => JsonMap::new(),
        }
    }

    /// The values of the chart.
    pub fn chart_values(&self) -> JsonMap {
        match self.fields.get("chart").and_then(|chart| chart.get("values")) {
            Some(Value::Object(values)) => values.clone(),
            Some(_) | None => JsonMap::new(),
        }
    }

    /// The objects of the manifest in their order.
    ///
    /// # Errors
    /// As [`Record::objects`](super::Record::objects).
    pub fn objects(&self) -> Result<Vec<Value>, RecordError> {
        let manifest = self.fields.get("manifest").and_then(Value::as_str);
        objects_of(manifest.unwrap_or_default())
    }

    /// The hooks, in Helm's form.
    pub fn hooks(&self) -> &[Value] {
        self.fields
            .get("hooks")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// When the release was first deployed; `None` where the record does not say it.
    pub fn first_deployed(&self) -> Option<Timestamp> {
        self.info.get("first_deployed")?.as_str()?.parse().ok()
    }
}

/// A document as it is written.
#[derive(Serialize)]
struct Whole<'a> {
    info: &'a Map<String, Value>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Record;

    fn document() -> Document {
        let metadata = Metadata {
            name: "web".to_owned(),
            version: "1.2.3".to_owned(),
            ..Metadata::default()
        };
        let began = Timestamp::from_second(1_767_225_600).unwrap();
        let content = Content {
            manifest: "---\n# Source: web/a.yaml\nkind: A\n".to_owned(),
            notes: "Thank you".to_owned(),
            ..Content::default()
        };
        Document::new(&Parts {
            name: "shop",
            namespace: "prod",
            revision: 7,
            metadata: &metadata,
            config: &JsonMap::new(),
            content: &content,
            apply_method: ApplyMethod::ServerSide,
            first_deployed: began,
            last_deployed: began,
        })
    }

    #[test]
    fn what_is_written_is_read_as_a_record() {
        let mut document = document();
        document.stand(Status::Deployed, "Install complete");
        let read = Record::decode(document.encode().as_bytes()).unwrap();
        assert_eq!(
            (read.name.as_str(), read.namespace.as_str(), read.revision),
            ("shop", "prod", 7)
        );
        assert_eq!(
            (read.status, read.apply_method),
            (Status::Deployed, ApplyMethod::ServerSide)
        );
        assert_eq!(
            (read.chart_name.as_str(), read.chart_version.as_str()),
            ("web", "1.2.3")
        );
        assert_eq!(read.objects().unwrap(), [json!({"kind": "A"})]);
    }

    #[test]
    fn what_another_tool_wrote_is_kept_when_the_status_changes() {
        let later = json!({"name": "shop", "version": 1, "later": {"unknown": true},
            "info": {"status": "deployed", "first_deployed": "2026-01-01T01:00:00+01:00", "notes": "n", "later": 1}});
        let mut read = Document::decode(STANDARD.encode(later.to_string()).as_bytes()).unwrap();
        read.stand(Status::Superseded, "");
        let again = Document::decode(read.encode().as_bytes()).unwrap();
        assert_eq!(again, read);
        assert_eq!(again.fields["later"], json!({"unknown": true}));
        assert_eq!(
            (&again.info["status"], &again.info["later"]),
            (&json!("superseded"), &json!(1))
        );
        assert_eq!(again.first_deployed(), Timestamp::from_second(1_767_225_600).ok());
    }

    #[test]
    fn a_default_that_a_null_took_away_stays_in_the_record() {
        let map = |value: Value| object(value);
        let config = map(
            json!({"path": null, "unknown": null, "probe": {"port": null, "host": "a"}, "list": [null], "text": {"a": null}}),
        );
        let defaults =
            map(json!({"path": "/", "probe": {"port": 80, "host": "b", "other": 1}, "list": [1], "text": "t"}));
        let mut values = map(json!({"probe": {"host": "a", "other": 1}, "list": [null], "text": {}}));
        assert!(removes(&config));
        put_back(&mut values, &config, &defaults);
        let expected =
            map(json!({"path": "/", "probe": {"port": 80, "host": "a", "other": 1}, "list": [null], "text": {}}));
        assert_eq!(values, expected);
        assert!(!removes(&expected));
    }

    #[test]
    fn a_description_is_as_long_as_helms_at_most() {
        let mut document = document();
        document.stand(Status::Failed, &"ä".repeat(1000));
        assert_eq!(
            document.info["description"].as_str().map(|text| text.chars().count()),
            Some(256)
        );
    }
}
