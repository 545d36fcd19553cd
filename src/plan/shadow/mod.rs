//! What a release would do if it were applied: from dry runs to a status, a report, a text for people, and the policy that
//! would let the release through.
//!
//! Pure. Everything here is made from one value, [`ReleaseShadow`]; how the dry runs are made is `cluster::apply`'s. What
//! adoption settles by itself (fields of earlier tools of the release, and conflicts in which no value changes) is counted
//! apart from the conflicts that somebody must decide about.

mod markdown;
mod outlook;
mod policy;
mod report;
mod status;
#[cfg(test)]
mod tests;

pub use markdown::markdown;
pub use outlook::{adopted, counts, policies};
pub use policy::{Explained, GeneratedPolicy, generate, is_generated};
pub use report::{ChangedField, ContestedReport, Failure, ObjectReport, ShadowReport, ShadowReports, Source, Totals};
pub use status::{apply_to, counted, summary};

use crate::ownership::contested::ContestedField;
use crate::ownership::reference::ObjectReference;
use crate::ownership::shadow::{ObjectShadow, is_adopted};

/// What would become of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseShadow {
    /// Where the manifests come from.
    pub source: Source,
    /// Namespace of the HelmRelease, or of Helm's record.
    pub namespace: String,
    /// Name of the HelmRelease, or of the Helm release.
    pub name: String,
    /// Name and version of the chart.
    pub chart: String,
    /// The field manager that it would be applied with.
    pub field_manager: String,
    /// The objects that were dry-run, in install order.
    pub objects: Vec<ObjectShadow>,
    /// Objects of the release that would be removed.
    pub removed: Vec<ObjectReference>,
    /// Objects that the API server would refuse.
    pub refused: Vec<Refusal>,
}

/// An object that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The object.
    pub object: ObjectReference,
    /// Why, and the way out; no value of a Secret.
    pub message: String,
}

/// A field about which something must be decided, and its object.
#[derive(Debug, Clone, Copy)]
pub struct Undecided<'a> {
    /// The object.
    pub object: &'a ObjectReference,
    /// The field.
    pub field: &'a ContestedField,
}

impl ReleaseShadow {
    /// The contested fields that adoption does not settle, by object, then by field.
    pub fn contested(&self) -> Vec<Undecided<'_>> {
        let mut contested: Vec<Undecided<'_>> = self
            .objects
            .iter()
            .flat_map(
                |ObjectShadow {
                     reference, contested, ..
                 }| {
                    let object = reference;
                    contested.iter().map(move |field| Undecided { object, field })
                },
            )
            .filter(|undecided| !is_adopted(undecided.field))
            .collect();
        contested.sort_by(|a, b| (a.object, a.field.sort_key()).cmp(&(b.object, b.field.sort_key())));
        contested
    }

    /// Whether a contested field would keep the release from being applied.
    pub fn stops(&self) -> bool {
        let mut fields = self.objects.iter().flat_map(|object| &object.contested);
        fields.any(|field| field.action.stops())
    }

    /// Whether the release could be applied as it is.
    pub fn applies(&self) -> bool {
        self.refused.is_empty() && !self.stops()
    }
}
