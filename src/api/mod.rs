//! The custom resources of `fairlead.dev/v1alpha1`, and the names (conditions, reasons, annotations, labels) they use.
//!
//! Pure: types and constants, no behaviour beyond their own invariants. The documentation of the fields is what
//! `kubectl explain` shows, so it speaks to users of the resources.

#![expect(
    clippy::duplicated_attributes,
    reason = "each `printcolumn` of kube's derive has the same keys"
)]

pub mod acted_on;
pub mod conditions;
pub mod conflict_policy;
pub mod crd;
pub mod duration;
pub mod helm_release;
pub mod helm_repository;
pub mod label_selector;
pub(crate) mod listing;
pub mod names;
pub mod oci_repository;
pub mod reference;
pub mod release_ledger;
pub mod resolution;
mod schema;
pub mod source_status;
pub mod wasm_plugin;

pub use conflict_policy::ConflictPolicy;
pub use crd::custom_resource_definitions;
pub use duration::Duration;
pub use helm_release::{HelmRelease, HelmReleaseSpec, HelmReleaseStatus};
pub use helm_repository::HelmRepository;
pub use oci_repository::OCIRepository;
pub use release_ledger::ReleaseLedger;
pub use wasm_plugin::WasmPlugin;

/// The API group of all resources.
pub const GROUP: &str = "fairlead.dev";
/// The served and stored version of all resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of all resources.
pub const API_VERSION: &str = "fairlead.dev/v1alpha1";
