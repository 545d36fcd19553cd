//! The custom resources of `fairlead.dev/v1alpha1`, and the names (conditions, reasons, annotations, labels) they use.
//!
//! Pure: types and constants, no behaviour beyond their own invariants. The documentation of the fields is what
//! `kubectl explain` shows, so it speaks to users of the resources.

pub mod acted_on;
pub mod conditions;
pub mod duration;
pub mod helm_release;
pub mod names;
pub mod reference;
mod schema;

pub use duration::Duration;
pub use helm_release::{HelmRelease, HelmReleaseSpec, HelmReleaseStatus};

/// The API group of all resources.
pub const GROUP: &str = "fairlead.dev";
/// The served and stored version of all resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of all resources.
pub const API_VERSION: &str = "fairlead.dev/v1alpha1";
