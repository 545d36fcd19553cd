//! Reading the few fields that the rules look at; what is missing or of another type is not there.

use serde_json::Value;

/// The longest message of a condition that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

pub(super) fn integer(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// An integer that the API leaves out when it is zero.
pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    integer(object, pointer).unwrap_or(0)
}

/// A condition of `status.conditions`.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl Condition<'_> {
    /// Its message, or its reason, or `default`.
    pub(super) fn describe(&self, default: &str) -> String {
        let best = [self.message, self.reason, default]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or(default);
        best.chars().take(MAX_MESSAGE).collect()
    }
}

pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<Condition<'a>> {
    let Some(Value::Array(conditions)) = object.pointer("/status/conditions") else {
        return None;
    };
    let found = conditions
        .iter()
        .find(|condition| text(condition, "/type") == Some(name))?;
    let read = |pointer| text(found, pointer).unwrap_or_default();
    Some(Condition {
        status: read("/status"),
        reason: read("/reason"),
        message: read("/message"),
    })
}
