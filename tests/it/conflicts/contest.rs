//! What a scenario expects of one contested field.

use std::fmt;

use fairlead::api::helm_release::ownership_status::{ConflictClass, ConflictOutcome};
use fairlead::ownership::path::FieldPath;
use fairlead::ownership::redact::is_redacted;
use fairlead::ownership::reference::ObjectReference;
use fairlead::ownership::value::lookup;
use k8s_openapi::ByteString;
use serde_json::Value;

use crate::support::Result;

/// How a scenario calls the release's own field manager.
pub(crate) const OURS: &str = "ours Apply";

/// What was decided about a field, or about the object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Decision {
    /// A field of another owner.
    About(ConflictClass, ConflictOutcome),
    /// The server refuses the object for its schema: the chart's fault, no conflict.
    Refused,
    /// A field that the chart dropped is kept for its owner to come.
    HandedOver,
}

impl Decision {
    /// Class and action as the document has them.
    pub(crate) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::About(class, action) => (class.as_str(), action.as_str()),
            Self::Refused => ("–", "refused"),
            Self::HandedOver => ("–", "handed over"),
        }
    }
}

/// A field that another manager contests, what was decided about it, and how the object looks afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    /// A manifest of the object: its kind and name.
    pub(super) object: Value,
    pub(super) path: String,
    pub(super) manager: String,
    pub(super) class: ConflictClass,
    pub(super) action: ConflictOutcome,
    pub(super) rule: String,
    /// The live value; null when there is none.
    pub(super) value: Value,
    /// Who has the field by managedFields, sorted.
    pub(super) owners: Vec<String>,
}

/// A contested field: `told` is `path manager Class Action by rule`; afterwards, its live value is `value` and its owners
/// are these, each as `manager Operation`, sorted, and [`OURS`] among them.
pub(crate) fn contest(object: &Value, told: &str, value: impl Into<Value>, owners: &[&str]) -> Contest {
    let (rest, rule) = told.split_once(" by ").unwrap();
    let mut words = rest.rsplitn(4, ' ');
    let (action, class) = (words.next().unwrap(), words.next().unwrap());
    let (manager, path) = (words.next().unwrap(), words.next().unwrap());
    let class = ConflictClass::ALL.iter().find(|known| known.as_str() == class);
    let action = ConflictOutcome::ALL.iter().find(|known| known.as_str() == action);
    Contest {
        object: object.clone(),
        path: path.to_owned(),
        manager: manager.to_owned(),
        class: *class.unwrap(),
        action: *action.unwrap(),
        rule: rule.to_owned(),
        value: value.into(),
        owners: owners.iter().map(ToString::to_string).collect(),
    }
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, manager, class, action, rule, .. } = self;
        write!(f, "{path} {manager} {class} {action} by {rule}")
    }
}

impl Contest {
    /// The decision, for the catalogue.
    pub(super) const fn decision(&self) -> Decision {
        Decision::About(self.class, self.action)
    }

    /// The reason of the event that tells of the field; none where nobody lost anything.
    pub(super) fn reason(&self) -> Option<&'static str> {
        use ConflictClass::{Admission, Legacy, Lost, Union};
        use ConflictOutcome::{Adopted, Failed, Forced, HandedOff, Resolved, Retrying, Yielded};
        match (self.class, self.action) {
            (_, Failed) => Some("ConflictFailed"),
            (_, HandedOff) => Some("ConflictHandedOff"),
            (_, Retrying) => Some("ConflictRetrying"),
            (Admission, _) => Some("AdmissionOverride"),
            (Lost, _) => Some("OwnershipLost"),
            (Legacy, Resolved) => Some("FieldsMigrated"),
            (Union, Resolved) if self.manager != "unknown" => Some("FieldsMigrated"),
            (_, Forced) => Some("FieldForced"),
            (_, Yielded) => Some("FieldYielded"),
            (_, Adopted) => Some("FieldAdopted"),
            (_, Resolved) => None,
        }
    }

    /// Whether an event of this reason and note is about the field.
    pub(super) fn is_told_by(&self, object: &ObjectReference, reason: &str, note: &str) -> bool {
        // Fields that came from a predecessor are told of together.
        let names_it = reason == "FieldsMigrated" || note.contains(&self.path);
        self.reason() == Some(reason)
            && names_it
            && [&object.to_string(), &self.manager, &self.rule].into_iter().all(|text| note.contains(text))
    }

    /// Whether the same was decided about the same field and owner, of whatever class the conflict is.
    pub(super) fn is_decided_like(&self, other: &Self) -> bool {
        let about = |contest: &Self| {
            let Self { object, path, manager, action, .. } = contest;
            let (kind, name) = (object["kind"].clone(), object["metadata"]["name"].clone());
            (kind, name, path.clone(), manager.clone(), *action)
        };
        about(self) == about(other)
    }

    /// Whether the status says of the field what the chart wants, which is `wanted`, and what is there.
    pub(super) fn has_values(&self, ours: Option<&Value>, theirs: Option<&Value>, wanted: &Value) -> bool {
        use ConflictClass::{Admission, Phantom, Real, Sibling, Union};
        if self.is_secret() {
            return [ours, theirs].into_iter().flatten().all(is_redacted);
        }
        // Of fields that exclude each other, the one that is told of is theirs.
        let is_wanted = self.class == Union || is_shown(ours, wanted);
        let stays = self.action.is_unresolved() && matches!(self.class, Real | Sibling | Phantom | Admission);
        is_wanted && (!stays || is_shown(theirs, &self.value))
    }

    /// Whether the object is a Secret, of which nothing may be shown.
    pub(super) fn is_secret(&self) -> bool {
        self.object["kind"] == "Secret"
    }

    /// The texts that may be shown nowhere.
    pub(super) fn secrets(&self) -> Vec<String> {
        let Some(encoded) = self.value.as_str().filter(|_| self.is_secret()) else {
            return Vec::new();
        };
        let ByteString(plain) = serde_json::from_value(self.value.clone()).unwrap();
        vec![encoded.trim_end_matches('=').to_owned(), String::from_utf8(plain).unwrap()]
    }
}

/// Whether this is how a status shows a value: long ones by their beginning.
fn is_shown(shown: Option<&Value>, value: &Value) -> bool {
    match (shown, value) {
        (None, Value::Null) => true,
        (Some(Value::String(shown)), Value::String(value)) if value.len() > 256 => {
            value.starts_with(shown.chars().take(100).collect::<String>().as_str())
        }
        (shown, value) => shown == Some(value),
    }
}

/// The value at a path of an object; null when there is none.
pub(super) fn value_at(object: &Value, path: &str) -> Result<Value> {
    let path: FieldPath = path.parse()?;
    Ok(lookup(object, &path).cloned().unwrap_or_default())
}

#[test]
fn a_line_is_read_and_written() {
    let line = ".data[\"a b\"] fairlead:a/b Sibling Forced by its item left the chart";
    let read = contest(&Value::Null, line, 1, &[OURS]);
    assert_eq!((read.to_string().as_str(), read.path.as_str()), (line, ".data[\"a b\"]"));
    let (three, seven) = (Value::from(3), Value::from(7));
    assert!(read.has_values(Some(&three), None, &three) && !read.has_values(Some(&seven), None, &three));
    let yielded = contest(&Value::Null, ".data.a hpa Real Yielded by r", 7, &["hpa Update"]);
    assert!(yielded.has_values(Some(&three), Some(&seven), &three));
    assert!(!yielded.has_values(Some(&three), Some(&three), &three));
    assert_eq!(yielded.reason(), Some("FieldYielded"));
}
