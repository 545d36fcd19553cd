//! HelmRelease: a chart, its values, and how its objects are kept in the cluster.
//!
//! The fields are those of Flux's HelmRelease v2 by name and meaning, plus `ownership`, `mode` and `plugins`. Knows the
//! shape and the documented defaults; what is done with them is decided in `plan` and `ownership`.

pub mod actions;
pub mod chart;
pub mod drift;
pub mod gate;
pub mod history;
pub mod ownership;
pub mod ownership_status;
pub mod post_render;
pub mod remediation;
pub mod requests;
pub mod shadow;
pub mod status;
pub mod values;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::actions::{HelmAction, Install, Rollback, Test, Uninstall, Upgrade};
use self::chart::{ChartReference, ChartTemplate};
use self::drift::{DriftDetection, HealthCheckExpression, WaitStrategy};
use self::ownership::Ownership;
use self::post_render::{PostRenderStrategy, PostRenderer};
use self::values::ValuesReference;
use super::reference::{CommonMetadata, LocalReference, SecretKeyReference};
use super::schema::{any_object, is_false};
use super::{Duration, names};

pub use self::status::HelmReleaseStatus;

/// How long one Helm action may take when `spec.timeout` is not set.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);
/// How many revisions are kept when `spec.maxHistory` is not set.
pub const DEFAULT_MAX_HISTORY: u32 = 5;

/// The desired state of a Helm release.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "HelmRelease",
    namespaced,
    status = "HelmReleaseStatus",
    derive = "PartialEq",
    doc = "A release of a Helm chart, applied with server-side apply under its own field manager.",
    shortname = "fhr",
    category = "all",
    category = "fairlead",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    printcolumn(
        name = "Conflicts",
        type_ = "integer",
        description = "Fields that another field manager contests.",
        json_path = ".status.ownership.conflicts.total"
    ),
    printcolumn(
        name = "Chart",
        type_ = "string",
        priority = 1,
        json_path = ".status.history[0].chartName"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        priority = 1,
        json_path = ".status.history[0].chartVersion"
    ),
    printcolumn(
        name = "Revision",
        type_ = "integer",
        priority = 1,
        json_path = ".status.history[0].version"
    ),
    printcolumn(
        name = "Manager",
        type_ = "string",
        priority = 1,
        json_path = ".status.ownership.fieldManager"
    )
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.chart) != has(self.chartRef)",
        "message": "exactly one of spec.chart and spec.chartRef must be set"
    },
]))]
pub struct HelmReleaseSpec {
    /// The chart, by its name and version in a repository. Mutually exclusive with `chartRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartTemplate>,
    /// The chart, by a reference to an object that fetches it. Mutually exclusive with `chart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_ref: Option<ChartReference>,
    /// How often the release is reconciled when nothing else causes it.
    pub interval: Duration,
    /// Secret or ConfigMap that describes the cluster to release to. Default: the cluster of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Suspends the release: it is neither reconciled nor, when this object is deleted, uninstalled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Name of the Helm release. Default: the name of this object, with `spec.targetNamespace` and a dash in front of it
    /// when that is set; shortened with a digest when longer than 53 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 53))]
    pub release_name: Option<String>,
    /// Namespace that the chart's objects are released to. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub target_namespace: Option<String>,
    /// Namespace of Helm's release records. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub storage_namespace: Option<String>,
    /// Other HelmReleases, or objects of other kinds, that must be ready before this one is installed or upgraded. They are watched. A
    /// HelmRelease that is deleted waits while one that depends on it is being uninstalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub depends_on: Vec<Dependency>,
    /// How long one Helm action may take, with its hooks and the waiting. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Number of revisions that Helm's history keeps; 0 keeps all. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_history: Option<u32>,
    /// Name of a ServiceAccount in the namespace of this object that is impersonated for all requests about the release's
    /// objects, hooks and records. Default: what the controller was started with, or the controller's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Whether what is known of the cluster's version and kinds is used again. Default: true. With `false` the cluster is asked anew at
    /// each reconcile, for charts that depend on kinds which are defined outside of them. The connection is reused in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_client: Option<bool>,
    /// Whether the live objects are compared with the release, and corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_detection: Option<DriftDetection>,
    /// Options of the install action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// Options of the upgrade action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// Options of the chart's tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// Options of the rollback action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Options of the uninstall action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<Uninstall>,
    /// Objects that hold values: documents are merged in their order, then `spec.values`, and then what has a `targetPath` is set,
    /// each over what came before. A change of such an object is acted on at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub values_from: Vec<ValuesReference>,
    /// Values for the chart. They take precedence over `spec.valuesFrom`, except over what is set at a `targetPath`. A null takes a default
    /// of the chart away; `kubectl apply` without `--server-side` drops it, those in `spec.valuesFrom` are never lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub values: Option<Map<String, Value>>,
    /// Labels and annotations that are set on every object of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Changes to the rendered manifests, made in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub post_renderers: Vec<PostRenderer>,
    /// Whether hooks pass through the post-renderers: `combined` with the other manifests (default), `nohooks`, or
    /// `separate` from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_render_strategy: Option<PostRenderStrategy>,
    /// How it is awaited that objects become ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_strategy: Option<WaitStrategy>,
    /// CEL expressions that say when objects of a kind are ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub health_check_exprs: Vec<HealthCheckExpression>,
    /// Who may own which field of the release's objects, and what is done when another field manager contests one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// `Apply` keeps the cluster as the release says. `Shadow` only compares and reports: it writes nothing but status.
    #[serde(default)]
    pub mode: Mode,
    /// WasmPlugins that take part in the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "stage"])
    )]
    pub plugins: Vec<PluginUse>,
}

/// Whether a release is applied or only compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// The cluster is kept as the release says.
    #[default]
    Apply,
    /// Nothing but status is written.
    Shadow,
}

/// How the cluster to release to is reached. Exactly one of the references must be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.configMapRef) != has(self.secretRef)",
        "message": "exactly one of kubeConfig.configMapRef and kubeConfig.secretRef must be set"
    },
]))]
pub struct KubeConfigReference {
    /// ConfigMap with the keys `provider`, `cluster`, `address`, `ca.crt`, `audiences` and `serviceAccountName`, for
    /// clusters that are reached with a workload identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalReference>,
    /// Secret with a kubeconfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
}

/// An object that must be ready first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.apiVersion) == has(self.kind)",
        "message": "apiVersion and kind must be set together"
    },
]))]
pub struct Dependency {
    /// API version of the object. Default: that of HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub api_version: Option<String>,
    /// Kind of the object. Default: HelmRelease. Objects of other kinds are read in the cluster and with the permissions of the
    /// release, and are ready by the rules of kstatus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: Option<String>,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object. Default: the namespace of this HelmRelease; for a kind that has no namespaces it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL expression over `self` (this HelmRelease) and `dep` (the dependency) that says whether it is ready, instead of the
    /// built-in check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

/// A WasmPlugin that takes part in a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginUse {
    /// Name of the WasmPlugin.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// When the plugin runs.
    pub stage: PluginStage,
    /// Configuration for this release, merged over the plugin's default configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub config: Option<Map<String, Value>>,
}

/// When a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PluginStage {
    /// Before rendering: the plugin may change the values.
    TransformValues,
    /// Before rendering: the plugin may refuse the values.
    ValidateValues,
    /// After rendering: the plugin may change the manifests.
    TransformManifests,
    /// After rendering: the plugin may refuse the manifests.
    ValidateManifests,
}

/// The names that a release has, with the documented defaults filled in.
impl HelmRelease {
    /// The namespace of this object; empty only for an object that did not come from an API server.
    pub fn own_namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The name of this object; empty only for an object that did not come from an API server.
    pub fn own_name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The name of the Helm release, at most 53 characters.
    pub fn release_name(&self) -> String {
        match (&self.spec.release_name, &self.spec.target_namespace) {
            (Some(name), _) => names::shorten_release_name(name),
            (None, Some(namespace)) => names::shorten_release_name(&format!("{namespace}-{}", self.own_name())),
            (None, None) => names::shorten_release_name(self.own_name()),
        }
    }

    /// The namespace that the chart's objects are released to.
    pub fn target_namespace(&self) -> &str {
        self.spec
            .target_namespace
            .as_deref()
            .unwrap_or_else(|| self.own_namespace())
    }

    /// The namespace of Helm's release records.
    pub fn storage_namespace(&self) -> &str {
        self.spec
            .storage_namespace
            .as_deref()
            .unwrap_or_else(|| self.own_namespace())
    }

    /// The namespace of the source of the chart, and the field of the spec that refers to it.
    pub fn source_namespace(&self) -> (&str, &'static str) {
        let (reference, field) = match (&self.spec.chart, &self.spec.chart_ref) {
            (Some(chart), _) => (chart.spec.source_ref.namespace.as_deref(), "spec.chart.spec.sourceRef"),
            (None, reference) => (
                reference.as_ref().and_then(|reference| reference.namespace.as_deref()),
                "spec.chartRef",
            ),
        };
        (reference.unwrap_or_else(|| self.own_namespace()), field)
    }

    /// Kind and name of the object that describes the cluster to release to; none for the cluster of this object.
    pub fn cluster_object(&self) -> Option<String> {
        let KubeConfigReference {
            config_map_ref,
            secret_ref,
        } = self.spec.kube_config.as_ref()?;
        let secret = secret_ref.as_ref().map(|secret| format!("Secret/{}", secret.name));
        secret.or_else(|| config_map_ref.as_ref().map(|map| format!("ConfigMap/{}", map.name)))
    }

    /// The annotation that carries a person's decisions; none is the empty text.
    pub fn resolve_annotation(&self) -> &str {
        let annotations = self.metadata.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(names::ANNOTATION_RESOLVE))
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// Whether somebody asked for its deletion at least this long ago.
    pub fn is_deleted_since(&self, duration: Duration, now: Timestamp) -> bool {
        let asked = self.metadata.deletion_timestamp.as_ref();
        let duration = SignedDuration::try_from(duration.as_std()).unwrap_or(SignedDuration::MAX);
        asked.is_some_and(|asked| now.duration_since(asked.0) >= duration)
    }

    /// The field manager that the release's objects are applied with.
    pub fn field_manager(&self) -> String {
        match self
            .spec
            .ownership
            .as_ref()
            .and_then(|ownership| ownership.field_manager.as_ref())
        {
            Some(name) => name.clone(),
            None => names::default_field_manager(self.own_namespace(), self.own_name()),
        }
    }
}

/// What install, upgrade and rollback have in common, with the documented defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the spec")]
pub struct ActionOptions {
    /// How long the action may take.
    pub timeout: Duration,
    /// Whether it is not awaited that the objects become ready.
    pub disable_wait: bool,
    /// Whether it is not awaited that Jobs complete.
    pub disable_wait_for_jobs: bool,
    /// Whether the chart's hooks are not run.
    pub disable_hooks: bool,
    /// Whether the values are not validated against the chart's JSON schema.
    pub disable_schema_validation: bool,
}

/// Effective settings: what the spec says, or else the documented default.
impl HelmReleaseSpec {
    /// How long one Helm action may take, unless the action has its own timeout.
    pub fn effective_timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// How long the longest of the Helm actions may take.
    pub fn longest_timeout(&self) -> Duration {
        let actions = [
            self.install.as_ref().and_then(|install| install.timeout),
            self.upgrade.as_ref().and_then(|upgrade| upgrade.timeout),
            self.test.as_ref().and_then(|test| test.timeout),
            self.rollback.as_ref().and_then(|rollback| rollback.timeout),
            self.uninstall.as_ref().and_then(|uninstall| uninstall.timeout),
        ];
        let own = actions.into_iter().flatten();
        own.fold(self.effective_timeout(), Duration::max)
    }

    /// The options that install, upgrade and rollback have in common, for one of them.
    pub fn action_options(&self, action: HelmAction) -> ActionOptions {
        let options = match action {
            HelmAction::Install => self.install.as_ref().map(|install| ActionOptions {
                timeout: install.timeout.unwrap_or_else(|| self.effective_timeout()),
                disable_wait: install.disable_wait,
                disable_wait_for_jobs: install.disable_wait_for_jobs,
                disable_hooks: install.disable_hooks,
                disable_schema_validation: install.disable_schema_validation,
            }),
            HelmAction::Upgrade => self.upgrade.as_ref().map(|upgrade| ActionOptions {
                timeout: upgrade.timeout.unwrap_or_else(|| self.effective_timeout()),
                disable_wait: upgrade.disable_wait,
                disable_wait_for_jobs: upgrade.disable_wait_for_jobs,
                disable_hooks: upgrade.disable_hooks,
                disable_schema_validation: upgrade.disable_schema_validation,
            }),
            HelmAction::Rollback => self.rollback.as_ref().map(|rollback| ActionOptions {
                timeout: rollback.timeout.unwrap_or_else(|| self.effective_timeout()),
                disable_wait: rollback.disable_wait,
                disable_wait_for_jobs: rollback.disable_wait_for_jobs,
                disable_hooks: rollback.disable_hooks,
                disable_schema_validation: true, // what is restored was validated when it was released
            }),
        };
        options.unwrap_or(ActionOptions {
            timeout: self.effective_timeout(),
            disable_wait: false,
            disable_wait_for_jobs: false,
            disable_hooks: false,
            disable_schema_validation: false,
        })
    }

    /// Whether objects of which a field changes that cannot be changed are deleted and created again.
    pub fn recreates(&self, action: HelmAction) -> bool {
        match action {
            HelmAction::Install | HelmAction::Upgrade => self.upgrade.as_ref().is_some_and(|upgrade| upgrade.force),
            HelmAction::Rollback => self.rollback.as_ref().is_some_and(|rollback| rollback.force),
        }
    }

    /// Whether existing objects that are not the release's become part of it.
    pub fn takes_ownership(&self, action: HelmAction) -> bool {
        !match action {
            HelmAction::Install => self
                .install
                .as_ref()
                .is_some_and(|install| install.disable_take_ownership),
            HelmAction::Upgrade => self
                .upgrade
                .as_ref()
                .is_some_and(|upgrade| upgrade.disable_take_ownership),
            // What is restored was the release's.
            HelmAction::Rollback => false,
        }
    }

    /// Whether fields that the schema of their kind does not have are left out.
    pub fn leaves_out_unknown_fields(&self, action: HelmAction) -> bool {
        let install = || {
            self.install
                .as_ref()
                .is_some_and(|install| install.disable_open_api_validation)
        };
        let upgrade = || {
            self.upgrade
                .as_ref()
                .is_some_and(|upgrade| upgrade.disable_open_api_validation)
        };
        match action {
            HelmAction::Install => install(),
            HelmAction::Upgrade => upgrade(),
            // What is restored was accepted by one of them.
            HelmAction::Rollback => install() || upgrade(),
        }
    }

    /// Whether the values of the deployed revision are kept below those of the spec.
    pub fn preserves_values(&self) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| upgrade.preserve_values)
    }

    /// Whether what is known of the cluster's version and kinds is used again.
    pub fn uses_known_capabilities(&self) -> bool {
        self.persistent_client.unwrap_or(true)
    }

    /// How long the uninstall may take.
    pub fn uninstall_timeout(&self) -> Duration {
        let timeout = self.uninstall.as_ref().and_then(|uninstall| uninstall.timeout);
        timeout.unwrap_or_else(|| self.effective_timeout())
    }

    /// How many revisions Helm's history keeps; `None` keeps all.
    pub fn effective_max_history(&self) -> Option<u32> {
        match self.max_history.unwrap_or(DEFAULT_MAX_HISTORY) {
            0 => None,
            limit => Some(limit),
        }
    }

    /// The ownership settings, with the defaults when the spec has none.
    pub fn effective_ownership(&self) -> Ownership {
        self.ownership.clone().unwrap_or_default()
    }
}
