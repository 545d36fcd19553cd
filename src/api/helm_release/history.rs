//! `status.history` and `status.inventory`: what was released, and the objects it consists of.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PluginStage;

/// `apiVersion` of the snapshots that Fairlead writes. It differs from Flux's, so that Flux does not verify their digest.
pub const SNAPSHOT_API_VERSION: &str = "fairlead.dev/v1alpha1";
/// The largest number of snapshots that status keeps.
pub const MAX_HISTORY: usize = 10;

/// What one revision of the release consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Version of the way in which the digest is calculated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Digest of the revision as Helm's record has it.
    pub digest: String,
    /// Digest of the rendered manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<String>,
    /// The action that made the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<SnapshotAction>,
    /// How the objects are written: `csa` by client-side apply; by server-side apply without it.
    #[serde(default, skip_serializing_if = "ApplyMethod::is_server_side")]
    pub apply_method: ApplyMethod,
    /// Name of the Helm release.
    pub name: String,
    /// Namespace that the release's objects are in.
    pub namespace: String,
    /// Helm's number of the revision.
    pub version: u32,
    /// Helm's status of the revision, for example `deployed`, `superseded` or `failed`.
    pub status: String,
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Version of the application in the chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// Digest of the values.
    pub config_digest: String,
    /// Digest of the post-renderers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_renderers_digest: Option<String>,
    /// Digest of the common metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata_digest: Option<String>,
    /// Digest of the OCI artifact that the chart came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci_digest: Option<String>,
    /// When the release was first deployed.
    pub first_deployed: Time,
    /// When this revision was deployed.
    pub last_deployed: Time,
    /// When this revision was uninstalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// The hooks that were run for this revision, by event, kind and name; those of tests stand in `testHooks`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<String, HookStatus>,
    /// The chart's tests that were run on this revision, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub test_hooks: BTreeMap<String, HookStatus>,
    /// The plugins that took part in this revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub plugins: Vec<PluginProvenance>,
}

impl Snapshot {
    /// `<namespace>/<name>.v<revision>`, as Flux calls it.
    pub fn full_name(&self) -> String {
        let Self {
            namespace,
            name,
            version,
            ..
        } = self;
        format!("{namespace}/{name}.v{version}")
    }
}

/// How the objects of a revision are written, in Helm's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ApplyMethod {
    /// By server-side apply.
    #[default]
    #[serde(rename = "ssa")]
    ServerSide,
    /// By writes of the whole object that the client computed.
    #[serde(rename = "csa")]
    ClientSide,
}

impl ApplyMethod {
    /// Helm's word.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::ServerSide => "ssa",
            Self::ClientSide => "csa",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    const fn is_server_side(&self) -> bool {
        matches!(self, Self::ServerSide)
    }
}

/// Actions that make a revision or end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotAction {
    /// An install.
    Install,
    /// An upgrade.
    Upgrade,
    /// A rollback.
    Rollback,
    /// An uninstall.
    Uninstall,
    /// An uninstall that remediates a failure.
    UninstallRemediation,
}

/// How a hook or a test of the chart went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookStatus {
    /// When it was last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<Time>,
    /// When it last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_completed: Option<Time>,
    /// How it went, as Helm says: `Running`, `Succeeded` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// A plugin that took part in a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginProvenance {
    /// Name of the WasmPlugin.
    pub name: String,
    /// When it ran.
    pub stage: PluginStage,
    /// Digest of its code.
    pub digest: String,
    /// Version of its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The objects of a release, with the CRDs of the chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// The objects, sorted.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub entries: Vec<InventoryEntry>,
}

/// One object of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>`, with `__` for each colon in a name.
    pub id: String,
    /// API version without the group.
    pub v: String,
}

impl InventoryEntry {
    /// The entry of an object; `namespace` is empty for objects of the cluster.
    pub fn new(namespace: &str, name: &str, group: &str, kind: &str, version: &str) -> Self {
        Self {
            id: format!("{namespace}_{}_{group}_{kind}", name.replace(':', "__")),
            v: version.to_owned(),
        }
    }

    /// Namespace, name, group and kind of the object; `None` for an id of another shape.
    pub fn parts(&self) -> Option<(&str, String, &str, &str)> {
        let (namespace, rest) = self.id.split_once('_')?;
        let (rest, kind) = rest.rsplit_once('_')?;
        let (name, group) = rest.rsplit_once('_')?;
        Some((namespace, name.replace("__", ":"), group, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_ids_round_trip() {
        let role = InventoryEntry::new("", "system:shop:view", "rbac.authorization.k8s.io", "ClusterRole", "v1");
        assert_eq!(role.id, "_system__shop__view_rbac.authorization.k8s.io_ClusterRole");
        let expected = Some((
            "",
            "system:shop:view".to_owned(),
            "rbac.authorization.k8s.io",
            "ClusterRole",
        ));
        assert_eq!(role.parts(), expected);
        let service = InventoryEntry::new("prod", "shop", "", "Service", "v1");
        assert_eq!(service.id, "prod_shop__Service");
        assert_eq!(service.parts(), Some(("prod", "shop".to_owned(), "", "Service")));
    }

    #[test]
    fn actions_are_named_as_in_flux() {
        let action = SnapshotAction::UninstallRemediation;
        assert_eq!(serde_json::to_value(action).unwrap(), "uninstall-remediation");
    }
}
