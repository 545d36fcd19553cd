//! The method of `.Capabilities.APIVersions`.

use crate::template::function::{Function, function};
use crate::template::value::{Text, Value};

/// The methods of Helm's `common.VersionSet`.
pub const METHODS: &[Function] = &[function!("Has", has, (&Value, &Text) -> bool)];

fn has(versions: &Value, version: &Text) -> bool {
    let Value::List(versions) = versions else { return false };
    let mut texts = versions.iter().filter_map(Value::as_text);
    texts.any(|known| known == version)
}
