//! One contested field as it is reported: who, what, and what was done. Holds no value that must not be shown.

use super::class::Class;
use super::loss::unknown_manager;
use super::managed::Manager;
use super::path::FieldPath;
use super::policy::Action;
use super::redact::ShownValue;

/// One owner of one contested field of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContestedField {
    /// The exact path; `None` if the server named a field that could not be found among the owner's.
    pub path: Option<FieldPath>,
    /// The path to show: the exact one in its readable form, or the server's text.
    pub field: String,
    /// What we want; `None` if it cannot be looked up (a path of another version).
    pub ours: Option<ShownValue>,
    /// What is there.
    pub theirs: Option<ShownValue>,
    /// The other owner: name, operation, subresource, version, time.
    pub manager: Manager,
    /// The kind of conflict.
    pub class: Class,
    /// What was done.
    pub action: Action,
    /// Which rule said so.
    pub rule: String,
}

impl ContestedField {
    /// The order in which contested fields are reported: by field, then by owner, never by time.
    pub fn sort_key(&self) -> (&str, &str, &str) {
        (
            &self.field,
            &self.manager.name,
            self.manager.subresource.as_deref().unwrap_or_default(),
        )
    }
}

/// A field that we own but that admission set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionOverride {
    /// The field.
    pub path: FieldPath,
    /// What we applied.
    pub ours: ShownValue,
    /// What is there; `None` if it is gone.
    pub live: Option<ShownValue>,
}

/// How admission is called where the name of a manager stands: webhooks and policies have none.
pub const ADMISSION: &str = "admission";

impl AdmissionOverride {
    /// The override as a contested field. Nothing can be done about it but to change the chart or the admission.
    pub fn contested(&self) -> ContestedField {
        let Self { path, ours, live } = self;
        let manager = Manager {
            name: ADMISSION.to_owned(),
            ..unknown_manager()
        };
        ContestedField {
            field: path.to_string(),
            path: Some(path.clone()),
            ours: Some(ours.clone()),
            theirs: live.clone(),
            manager,
            class: Class::Admission,
            action: Action::Yielded,
            rule: ADMISSION.to_owned(),
        }
    }
}
