//! ConflictPolicy: ownership rules that many releases share.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::CustomResource;
use kube::core::{Selector, SelectorExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::helm_release::ownership::OwnershipRule;

/// Ownership rules for the releases that a policy selects.
///
/// The rules of a HelmRelease itself come first, then those of all policies that select it: those of a higher priority
/// first, and of the same priority in the order of the policies' names.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "ConflictPolicy",
    plural = "conflictpolicies",
    status = "ConflictPolicyStatus",
    derive = "PartialEq",
    doc = "Rules for contested fields that many releases share.",
    shortname = "fcp",
    category = "fairlead",
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Releases", type_ = "integer", json_path = ".status.releases"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct ConflictPolicySpec {
    /// Policies of a higher priority come first.
    #[serde(default)]
    pub priority: i32,
    /// Namespaces whose HelmReleases are selected. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// HelmReleases that are selected, by their labels. Default: all in the selected namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_selector: Option<LabelSelector>,
    /// The rules; the first that matches decides.
    #[schemars(length(min = 1, max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Vec<OwnershipRule>,
}

/// Whether a policy selects a release with these labels, in a namespace with these; `None` when the namespace is not known.
///
/// A selector that cannot be read may mean any release, so it selects all: its rules are told of, never silently left out.
pub fn selects(
    policy: &ConflictPolicy,
    namespace: Option<&BTreeMap<String, String>>,
    release: &BTreeMap<String, String>,
) -> bool {
    let fits = |selector: &Option<LabelSelector>, labels: &BTreeMap<String, String>| {
        let selector = selector.clone().map(Selector::try_from);
        selector.is_none_or(|selector| selector.map_or(true, |selector| selector.matches(labels)))
    };
    let ConflictPolicySpec {
        priority: _,
        namespace_selector,
        release_selector,
        rules: _,
    } = &policy.spec;
    fits(release_selector, release)
        && (namespace_selector.is_none() || namespace.is_some_and(|labels| fits(namespace_selector, labels)))
}

/// The observed state of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictPolicyStatus {
    /// Generation of the spec that this status is about; -1 before the first reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`, `Stalled` when a rule is invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Number of HelmReleases that the policy selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<u32>,
}
