//! What strategic merge patches must know of the built-in kinds: which of their lists are merged, by which keys.
//!
//! The table `builtin.txt` is made from the OpenAPI schema that kustomize carries; the test of `tests/crosscheck` that compares the two
//! writes it anew when `FAIRLEAD_WRITE_DOCS` is set. Its lines: `cluster APIVERSION KIND`, a kind without namespace; `kind APIVERSION
//! KIND TYPE`; `type TYPE FIELD:TYPE FIELD[KEY,KEY]:TYPE`, a type with its fields below which lists are merged, and those lists (by
//! value where there is no key; without a type where nothing below the items is merged).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde_json::Value;

/// What is known of the lists in and below a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// Nothing: lists are replaced.
    Unknown,
    /// What `builtin.txt` says of this type.
    Type(&'static str),
}

/// What is known of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// Its lists are replaced; objects below it may have some that are merged.
    Plain(Schema),
    /// It is a list that is merged.
    Merged(MergedList),
}

/// A list that is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedList {
    /// What tells its items apart: fields, or their values where there are none.
    pub(super) keys: Vec<&'static str>,
    /// What is known of its items.
    pub(super) items: Schema,
}

struct Table {
    cluster_scoped: HashSet<(&'static str, &'static str)>,
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    types: HashMap<&'static str, HashMap<&'static str, Field>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| read(include_str!("builtin.txt")));

fn read(text: &'static str) -> Table {
    let mut table = Table {
        cluster_scoped: HashSet::new(),
        kinds: HashMap::new(),
        types: HashMap::new(),
    };
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("cluster"), Some(api_version), Some(kind)) => {
                table.cluster_scoped.insert((api_version, kind));
            }
            (Some("kind"), Some(api_version), Some(kind)) => {
                table
                    .kinds
                    .insert((api_version, kind), words.next().unwrap_or_default());
            }
            (Some("type"), Some(name), first) => {
                let fields = first.into_iter().chain(words).filter_map(field).collect();
                table.types.insert(name, fields);
            }
            _ => {}
        }
    }
    table
}

fn field(word: &'static str) -> Option<(&'static str, Field)> {
    let (name, of) = word.split_once(':')?;
    let schema = if of.is_empty() {
        Schema::Unknown
    } else {
        Schema::Type(of)
    };
    let Some((name, keys)) = name.split_once('[') else {
        return Some((name, Field::Plain(schema)));
    };
    let keys = keys.strip_suffix(']')?.split(',').filter(|key| !key.is_empty());
    let merged = MergedList {
        keys: keys.collect(),
        items: schema,
    };
    Some((name, Field::Merged(merged)))
}

impl Schema {
    /// What is known of an object: what is known already, or else what its apiVersion and kind say, also within other objects.
    pub(super) fn or_of(self, object: &serde_json::Map<String, Value>) -> Self {
        let text = |field: &str| object.get(field).and_then(Value::as_str);
        match (self, text("apiVersion"), text("kind")) {
            (Self::Unknown, Some(api_version), Some(kind)) => TABLE
                .kinds
                .get(&(api_version, kind))
                .map_or(Self::Unknown, |name| Self::Type(name)),
            (known, _, _) => known,
        }
    }

    /// What is known of a field of the object.
    pub(super) fn field(self, name: &str) -> &'static Field {
        const UNKNOWN: &Field = &Field::Plain(Schema::Unknown);
        match self {
            Self::Unknown => UNKNOWN,
            Self::Type(of) => TABLE
                .types
                .get(of)
                .and_then(|fields| fields.get(name))
                .unwrap_or(UNKNOWN),
        }
    }
}

/// Whether the objects of a kind are known to have no namespace.
pub(super) fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    TABLE.cluster_scoped.contains(&(api_version, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("builtin.txt");
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(
            (TABLE.cluster_scoped.len(), TABLE.kinds.len(), TABLE.types.len()),
            (lines("cluster "), lines("kind "), lines("type "))
        );
        let fields: usize = TABLE.types.values().map(HashMap::len).sum();
        assert_eq!(fields, text.matches(':').count());
    }

    #[test]
    fn every_type_that_is_named_is_described() {
        let named = TABLE.types.values().flat_map(HashMap::values).map(|field| match field {
            Field::Plain(schema) => *schema,
            Field::Merged(MergedList { items, .. }) => *items,
        });
        for schema in named.chain(TABLE.kinds.values().map(|name| Schema::Type(name))) {
            match schema {
                Schema::Unknown => {}
                Schema::Type(name) => assert!(TABLE.types.contains_key(name), "{name}"),
            }
        }
    }

    #[test]
    fn the_containers_of_a_deployment_are_merged_by_name() {
        let object = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        let mut schema = Schema::Unknown.or_of(object.as_object().unwrap());
        for name in ["spec", "template", "spec"] {
            let Field::Plain(below) = schema.field(name) else {
                unreachable!("{name}")
            };
            schema = *below;
        }
        let Field::Merged(MergedList { keys, items }) = schema.field("containers") else {
            unreachable!("containers are merged")
        };
        assert_eq!(
            (keys.as_slice(), *items),
            (["name"].as_slice(), Schema::Type("io.k8s.api.core.v1.Container"))
        );
    }
}
