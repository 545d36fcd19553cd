//! Options of Helm's actions: install, upgrade, rollback, test, uninstall.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Duration;
use super::super::schema::is_false;
use super::gate::Gate;
use super::status::ReleaseAction;

/// How long is waited between attempts of the strategy `RetryOnFailure` that has no `retryInterval`.
pub const DEFAULT_RETRY_INTERVAL: Duration = Duration::from_mins(5);

/// Actions that make a revision of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmAction {
    /// An install.
    Install,
    /// An upgrade.
    Upgrade,
    /// A rollback to an earlier revision.
    Rollback,
}

impl HelmAction {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Install, Self::Upgrade, Self::Rollback];

    /// The name as messages have it, and as it stands in Helm's `pending-*` statuses.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
        }
    }

    /// The action that releases a chart; `None` for a rollback.
    pub const fn of_chart(self) -> Option<ReleaseAction> {
        match self {
            Self::Install => Some(ReleaseAction::Install),
            Self::Upgrade => Some(ReleaseAction::Upgrade),
            Self::Rollback => None,
        }
    }
}

impl From<ReleaseAction> for HelmAction {
    fn from(action: ReleaseAction) -> Self {
        match action {
            ReleaseAction::Install => Self::Install,
            ReleaseAction::Upgrade => Self::Upgrade,
        }
    }
}

/// What is done with the CRDs in a chart's `crds/` folder. They are never deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CrdsPolicy {
    /// Nothing.
    Skip,
    /// Those that do not exist are created; existing ones are left alone.
    #[default]
    Create,
    /// Those that do not exist are created; existing ones are brought to the chart's state.
    CreateReplace,
}

/// Whether an upgrade or rollback uses server-side apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerSideApply {
    /// Server-side apply.
    Enabled,
    /// Client-side apply.
    Disabled,
    /// As before.
    #[default]
    Auto,
}

/// Options of the install action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the options are those of Flux")]
pub struct Install {
    /// What is done with the CRDs in the chart's `crds/` folder before the install: `Skip`, `Create` those that do not
    /// exist (default), or `CreateReplace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdsPolicy>,
    /// Whether `spec.targetNamespace` is created when it does not exist. It is never deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_namespace: bool,
    /// Whether the chart's hooks are not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether fields that the schema of their kind does not have are left out and told of in an event, instead of being refused.
    #[serde(default, rename = "disableOpenAPIValidation", skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Whether the values are not validated against the chart's JSON schema.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether existing objects that carry no or another release's Helm annotations are refused, instead of adopted. Nothing is written
    /// then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether it is not awaited that the objects become ready. Hooks are awaited nevertheless.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether it is not awaited that Jobs complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// What is done when the install fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<InstallRemediation>,
    /// Whether the name of a release that somebody uninstalled and whose history was kept is used again: its revisions are counted on.
    /// Without it, such a name is refused. What this object itself has released is always brought back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace: bool,
    /// Whether server-side apply is used. Default: true. With `false` objects are written as a client-side apply writes them: the release's
    /// manager owns its fields by the operation Update. Who contests a field is found out and decided in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
    /// Deprecated, use `crds`, which has precedence: whether the install leaves out the CRDs in the chart's `crds/` folder, as
    /// `crds: Skip` does.
    #[serde(default, rename = "skipCRDs", skip_serializing_if = "is_false")]
    pub skip_crds: bool,
    /// What is done when the action fails. Default: `RemediateOnFailure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ActionStrategy>,
    /// How long the action may take. Default: `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What is done when an install fails: the release is uninstalled and tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallRemediation {
    /// Number of retries after failures; negative for no limit. When they are used up, the release is `Stalled`; it heals when its
    /// objects become ready, and is attempted again after a wait that grows with each failure. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i32>,
    /// Whether failed tests do not cause remediation. Default: `spec.test.ignoreFailures`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remediated too. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
}

/// Options of the upgrade action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the options are those of Flux")]
pub struct Upgrade {
    /// What is done with the CRDs in the chart's `crds/` folder before the upgrade: `Skip`, `Create` those that do not
    /// exist (default), or `CreateReplace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdsPolicy>,
    /// What is done when the name of the chart changes: `Reinstall` (default) or `InPlaceUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_name_change_strategy: Option<ChartNameChangeStrategy>,
    /// Whether objects that a failed upgrade has created are deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// Whether the chart's hooks are not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether fields that the schema of their kind does not have are left out and told of in an event, instead of being refused.
    #[serde(default, rename = "disableOpenAPIValidation", skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Whether the values are not validated against the chart's JSON schema.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether existing objects that carry no or another release's Helm annotations are refused, instead of adopted. Nothing is written
    /// then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether it is not awaited that the objects become ready. Hooks are awaited nevertheless.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether it is not awaited that Jobs complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether objects of which a field changes that cannot be changed are deleted and created again, also by installs and by
    /// corrections of drift. Never Namespaces, PersistentVolumes, PersistentVolumeClaims and CustomResourceDefinitions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// When an upgrade may begin. What it holds back is each revision that would begin as an upgrade: of another chart or other values, a
    /// retry after a rollback, or because of what another tool changed. Meanwhile the release is kept, and corrected, as it is deployed, and
    /// `status.heldUpgrade` and the condition `Held` tell of it. Installs (also those after an uninstall because of another name, namespace or
    /// chart), rollbacks, corrections of drift, deletions and what has begun are not held back, and the annotation `fairlead.dev/forceAt`
    /// opens the gate once: it is a person's word for this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Whether the values of the deployed revision are kept below the new ones, those of its chart below those again in place of the
    /// new chart's. What is to go has to be set to null. The outcome depends on what was deployed before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preserve_values: bool,
    /// What is done when the upgrade fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<UpgradeRemediation>,
    /// Whether server-side apply is used: `enabled`, `disabled` (see `install.serverSideApply`), or `auto` (default): as the last revision
    /// was applied. What another tool released before is applied server-side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApply>,
    /// What is done when the action fails. Default: `RemediateOnFailure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ActionStrategy>,
    /// How long the action may take. Default: `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What is done when the name of the chart changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChartNameChangeStrategy {
    /// The release is upgraded to the other chart.
    InPlaceUpdate,
    /// The release is uninstalled and the other chart installed.
    #[default]
    Reinstall,
}

/// What is done when an upgrade fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRemediation {
    /// Number of retries after failures; negative for no limit. When they are used up, the release is `Stalled`; it heals when its
    /// objects become ready, and is attempted again after a wait that grows with each failure. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i32>,
    /// Whether failed tests do not cause remediation. Default: `spec.test.ignoreFailures`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remediated too. Default: true when `retries` is greater than 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// What remediation does: `rollback` to the last good revision (default), or `uninstall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

/// What the remediation of a failed upgrade does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemediationStrategy {
    /// The last good revision is restored.
    #[default]
    Rollback,
    /// The release is uninstalled, and then installed again.
    Uninstall,
}

/// What is done when an install or upgrade fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.retryInterval) || self.name == 'RetryOnFailure'",
        "message": "retryInterval can only be set with the strategy RetryOnFailure"
    },
]))]
pub struct ActionStrategy {
    /// `RemediateOnFailure` remediates and counts retries; `RetryOnFailure` tries again without remediation and limit.
    pub name: ActionStrategyName,
    /// How long is waited between attempts of `RetryOnFailure`. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
}

/// Names of the strategies for failed actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActionStrategyName {
    /// Remediation, and then a limited number of retries.
    #[default]
    RemediateOnFailure,
    /// Retries without remediation and without limit.
    RetryOnFailure,
}

/// Options of the rollback action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the options are those of Flux")]
pub struct Rollback {
    /// Whether objects that a failed rollback has created are deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// Whether the chart's hooks are not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether it is not awaited that the objects become ready. Hooks are awaited nevertheless.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether it is not awaited that Jobs complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether objects of which a field changes that cannot be changed are deleted and created again, as with `upgrade.force`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether the Pods of the restored Deployments, StatefulSets, DaemonSets, ReplicaSets and ReplicationControllers are deleted, so
    /// that new ones take their places, also where nothing changes in them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recreate: bool,
    /// Whether server-side apply is used: `enabled`, `disabled` (see `install.serverSideApply`), or `auto` (default): as the revision that is
    /// restored was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApply>,
    /// How long the action may take. Default: `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// Options of the chart's tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Whether the chart's tests are run after each install and upgrade.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable: bool,
    /// Which tests are run. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub filters: Vec<TestFilter>,
    /// Whether failed tests do not make the release fail.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_failures: bool,
    /// How long the tests may take. Default: `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// Selects one test of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestFilter {
    /// Name of the test.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Whether the test is excluded, instead of included.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclude: bool,
}

/// Options of the uninstall action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// How the dependents of deleted objects are treated: `background` (default), `foreground` or `orphan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_propagation: Option<DeletionPropagation>,
    /// Whether the chart's hooks are not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether it is not awaited that the objects are gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether Helm's history of the release is kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_history: bool,
    /// How long the action may take. Default: `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// How the dependents of deleted objects are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeletionPropagation {
    /// They are deleted after the object.
    #[default]
    Background,
    /// They are deleted before the object.
    Foreground,
    /// They stay.
    Orphan,
}
