//! One record: base64 of gzip of JSON, as Helm 3 and 4 write it.
//!
//! Pure. Only what Fairlead uses of a record is read; its chart, which is most of it, is passed over. The storage drivers for
//! Secrets and ConfigMaps keep the same text (Helm's `pkg/storage/driver/util.go`).

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::api::helm_release::history::ApplyMethod;
use crate::render::flatten;
use crate::yaml;

/// The largest encoded record, in bytes. The API server holds no object beyond 1.5 MiB or so; other storage drivers may.
pub const MAX_ENCODED: usize = 8 << 20;
/// The largest record as JSON, in bytes. It holds the chart, and text is easily compressed to a twentieth.
pub const MAX_DECODED: usize = 64 << 20;
/// The first bytes of what gzip wrote; a record without them is plain JSON.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// What of a record Fairlead uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name of the release.
    pub name: String,
    /// The namespace of the release.
    pub namespace: String,
    /// The number of the revision.
    pub revision: u32,
    /// Where the revision stands.
    pub status: Status,
    /// The name of the chart.
    pub chart_name: String,
    /// The version of the chart.
    pub chart_version: String,
    /// How the revision was applied.
    pub apply_method: ApplyMethod,
    /// What was applied: all documents but hooks and CRDs of `crds/`, without Helm's marks of ownership.
    pub manifest: String,
}

/// Where a revision stands, in Helm's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// `unknown`, or a word that no Helm up to 4.3 writes.
    Unknown,
    /// `deployed`: it is what the cluster was brought to last.
    Deployed,
    /// `uninstalled`: the release is gone and its history was kept.
    Uninstalled,
    /// `superseded`: a later revision was deployed.
    Superseded,
    /// `failed`.
    Failed,
    /// `uninstalling`.
    Uninstalling,
    /// `pending-install`.
    PendingInstall,
    /// `pending-upgrade`.
    PendingUpgrade,
    /// `pending-rollback`.
    PendingRollback,
}

impl Status {
    /// Helm's word.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// Whether an action is under way, or was cut short.
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }

    /// Reads Helm's word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "deployed" => Self::Deployed,
            "uninstalled" => Self::Uninstalled,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "uninstalling" => Self::Uninstalling,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            _ => Self::Unknown,
        }
    }
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is too large.
    #[error("the record is larger than {limit} bytes{}", if *.decoded { " when it is decompressed" } else { "" })]
    TooLarge {
        /// The bound that it exceeds.
        limit: usize,
        /// Whether it does so only when it is decompressed.
        decoded: bool,
    },
    /// It is no base64.
    #[error("the record is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// It cannot be decompressed.
    #[error("the record cannot be decompressed: {0}")]
    Gzip(std::io::Error),
    /// It is not the JSON of a release. Its values are not quoted: they may be secret.
    #[error("the record is not a Helm release: line {line}, column {column} of its JSON")]
    Json {
        /// Counted from one.
        line: usize,
        /// Counted from one.
        column: usize,
    },
    /// A document of its manifest is not YAML. It is not quoted: it may be a Secret.
    #[error("document {position} of the record's manifest is not YAML")]
    Manifest {
        /// Counted from one.
        position: usize,
    },
}

/// The parts of a record's JSON that are read; serde passes over the others without keeping them.
#[derive(Deserialize)]
struct Stored {
    name: String,
    #[serde(default)]
    namespace: String,
    version: u32,
    #[serde(default)]
    info: StoredInfo,
    #[serde(default)]
    chart: StoredChart,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    apply_method: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredInfo {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredChart {
    metadata: Option<StoredMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredMetadata {
    name: String,
    version: String,
}

impl Record {
    /// Reads a record as it stands in a Secret's data (there it is base64 within the base64 of the Secret) or a ConfigMap's.
    ///
    /// # Errors
    /// When it is no record, or one beyond [`MAX_ENCODED`] or [`MAX_DECODED`].
    pub fn decode(encoded: &[u8]) -> Result<Self, RecordError> {
        let stored: Stored = read_json(encoded)?;
        let Stored {
            name,
            namespace,
            version,
            info: StoredInfo { status },
            chart: StoredChart { metadata },
            manifest,
            apply_method,
        } = stored;
        let StoredMetadata {
            name: chart_name,
            version: chart_version,
        } = metadata.unwrap_or_default();
        Ok(Self {
            name,
            namespace,
            revision: version,
            status: Status::from_word(&status),
            chart_name,
            chart_version,
            // Helm 3 knows one way and does not write it down.
            apply_method: if apply_method == ApplyMethod::ServerSide.as_word() {
                ApplyMethod::ServerSide
            } else {
                ApplyMethod::ClientSide
            },
            manifest,
        })
    }

    /// The objects of the manifest in their order. Lists are flattened; documents of comments alone are left out.
    ///
    /// # Errors
    /// When a document is not YAML.
    pub fn objects(&self) -> Result<Vec<Value>, RecordError> {
        objects_of(&self.manifest)
    }
}

/// The objects of a manifest in their order.
pub(super) fn objects_of(manifest: &str) -> Result<Vec<Value>, RecordError> {
    let mut objects = Vec::new();
    for (index, document) in yaml::split_documents(manifest).enumerate() {
        let parsed = yaml::to_json(document.as_bytes());
        let object = parsed.map_err(|_quotes_values| RecordError::Manifest { position: index + 1 })?;
        objects.extend(flatten(&object).filter(|object| !object.is_null()).cloned());
    }
    Ok(objects)
}

/// Reads the JSON of a record.
pub(super) fn read_json<T: DeserializeOwned>(encoded: &[u8]) -> Result<T, RecordError> {
    if encoded.len() > MAX_ENCODED {
        return Err(RecordError::TooLarge {
            limit: MAX_ENCODED,
            decoded: false,
        });
    }
    let bytes = STANDARD.decode(encoded.trim_ascii())?;
    let json = if bytes.starts_with(&GZIP) {
        inflate(&bytes)?
    } else {
        bytes
    };
    serde_json::from_slice(&json).map_err(|error| RecordError::Json {
        line: error.line(),
        column: error.column(),
    })
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    let allowed = u64::try_from(MAX_DECODED).unwrap_or(u64::MAX);
    let mut json = Vec::new();
    let read = GzDecoder::new(bytes)
        .take(allowed.saturating_add(1))
        .read_to_end(&mut json);
    read.map_err(RecordError::Gzip)?;
    if json.len() > MAX_DECODED {
        return Err(RecordError::TooLarge {
            limit: MAX_DECODED,
            decoded: true,
        });
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded(record: &Value) -> String {
        STANDARD.encode(gzip(record.to_string().as_bytes()))
    }

    fn record() -> Value {
        json!({"name": "shop", "namespace": "prod", "version": 7, "info": {"status": "deployed", "deleted": ""},
            "chart": {"metadata": {"name": "web", "version": "1.2.3"}, "templates": [{"name": "x", "data": "eA=="}]},
            "manifest": "---\n# Source: web/a.yaml\nkind: A\n---\n# only a comment\n---\nkind: List\napiVersion: v1\nitems: [{kind: B}]\n",
            "later": {"unknown": true}})
    }

    #[test]
    fn a_record_of_helm_3_and_one_of_helm_4_are_read() {
        let read = Record::decode(encoded(&record()).as_bytes()).unwrap();
        assert_eq!(
            (read.name.as_str(), read.namespace.as_str(), read.revision, read.status),
            ("shop", "prod", 7, Status::Deployed)
        );
        assert_eq!(
            (read.chart_name.as_str(), read.chart_version.as_str()),
            ("web", "1.2.3")
        );
        assert_eq!(read.apply_method, ApplyMethod::ClientSide);
        assert_eq!(read.objects().unwrap(), [json!({"kind": "A"}), json!({"kind": "B"})]);

        let mut fourth = record();
        fourth["apply_method"] = json!("ssa");
        let plain = STANDARD.encode(fourth.to_string());
        assert_eq!(
            Record::decode(plain.as_bytes()).unwrap().apply_method,
            ApplyMethod::ServerSide
        );
    }

    #[test]
    fn what_is_no_record_is_an_error_that_quotes_nothing() {
        let json = STANDARD.encode(r#"{"name": "shop", "version": "hunter2"}"#);
        let cut = STANDARD.encode(&gzip(record().to_string().as_bytes())[..40]);
        for (bad, says) in [
            ("%", "not base64"),
            (&*json, "line 1"),
            (&*cut, "decompressed"),
            ("", "line 1"),
        ] {
            let error = Record::decode(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hunter2"), "{bad}: {error}");
        }
        let mut broken = record();
        broken["manifest"] = json!("---\nkind: A\n---\npassword: [hunter2\n");
        let error = Record::decode(encoded(&broken).as_bytes())
            .unwrap()
            .objects()
            .unwrap_err();
        assert_eq!(error.to_string(), "document 2 of the record's manifest is not YAML");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text: String) {
            for input in [bytes.clone(), gzip(&bytes), text.clone().into_bytes(), gzip(text.as_bytes())] {
                let _ = Record::decode(&input);
                let _ = Record::decode(STANDARD.encode(&input).as_bytes());
            }
            let manifest = json!({"name": "a", "version": 1, "manifest": text});
            let _ = Record::decode(encoded(&manifest).as_bytes()).unwrap().objects();
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let error = Record::decode(STANDARD.encode(gzip(&vec![b' '; MAX_DECODED + 1])).as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::TooLarge { decoded: true, .. }), "{error}");
        let error = Record::decode(&vec![b'A'; MAX_ENCODED + 1]).unwrap_err();
        assert!(matches!(error, RecordError::TooLarge { decoded: false, .. }), "{error}");
    }
}
