//! What a chart's manifest says.

use serde::Deserialize;

use crate::source::digest::Digest;

/// What manifests may be, in the order of preference.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json,application/vnd.oci.image.index.v1+json,\
     application/vnd.docker.distribution.manifest.v2+json,application/vnd.docker.distribution.manifest.list.v2+json";
/// The media types of a packed chart; the second is Helm's old one.
const CHART_LAYERS: [&str; 2] = [
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
];
/// How many media types an error lists.
const LISTED: usize = 8;

/// A manifest or an index of manifests; the fields that matter here.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

/// What a manifest refers to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    /// Of a manifest in an index: what the manifest says that it is.
    #[cfg(feature = "verification")]
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
    #[cfg(feature = "verification")]
    #[serde(default)]
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

/// The configuration of a chart's manifest: its `Chart.yaml` as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct ChartConfig {
    pub(super) name: String,
    pub(super) version: String,
}

impl Manifest {
    /// For an index: the first manifest in it. Charts have no platforms.
    pub(super) fn first_manifest(&self) -> Option<Digest> {
        if self.layers.is_empty() {
            self.manifests.first()?.digest.parse().ok()
        } else {
            None
        }
    }

    pub(super) fn config_digest(&self) -> Option<Digest> {
        self.config.as_ref()?.digest.parse().ok()
    }

    /// The layer that holds the packed chart.
    pub(super) fn chart_layer(&self, media_type: Option<&str>) -> Result<Digest, String> {
        let find = |wanted: &str| self.layers.iter().find(|layer| layer.media_type == wanted);
        let layer = match media_type {
            Some(wanted) => find(wanted),
            None => CHART_LAYERS.into_iter().find_map(find),
        };
        let Some(layer) = layer else {
            let wanted = media_type.unwrap_or(CHART_LAYERS[0]);
            let found: Vec<_> = self
                .layers
                .iter()
                .take(LISTED)
                .map(|layer| layer.media_type.as_str())
                .collect();
            let found = if found.is_empty() {
                "no layers at all".to_owned()
            } else {
                found.join(", ")
            };
            return Err(format!("its manifest has no layer of type {wanted}, but {found}"));
        };
        layer
            .digest
            .parse()
            .map_err(|error| format!("the digest of its layer is {error}"))
    }
}
