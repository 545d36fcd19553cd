//! Fragments of JSON schema that the derive cannot express.
//!
//! Knows the structural-schema rules of Kubernetes; knows no resource.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The pattern of every duration, with hours: what Flux's resources accept.
pub(super) const DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// The pattern of durations that bound one network operation: no hours.
pub(super) const SHORT_DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// Any JSON value: a schema without a type, whose content the API server keeps.
pub(super) fn any_json(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// An object with any content, which the API server keeps.
pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A duration without hours.
pub(super) fn short_duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": SHORT_DURATION_PATTERN })
}

/// For `skip_serializing_if`: leaves booleans that are off out of the stored object.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !*value
}
