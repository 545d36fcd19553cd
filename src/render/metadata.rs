//! `.Chart`: Chart.yaml under Go's field names.

use serde_json::Value as Json;

use crate::chart::metadata::{Dependency, Maintainer, Metadata};
use crate::template::value::{Map, MapType, Text, Value};

/// The table that templates see.
pub(super) fn value(metadata: &Metadata, is_root: bool) -> Value {
    let Metadata {
        name,
        home,
        sources,
        version,
        description,
        keywords,
        maintainers,
        icon,
        api_version,
        condition,
        tags,
        app_version,
        deprecated,
        annotations,
        kube_version,
        dependencies,
        chart_type,
    } = metadata;
    let annotations = if annotations.is_empty() {
        Map::nil(MapType::Strings)
    } else {
        let entries = annotations
            .iter()
            .map(|(key, value)| (Text::from(key.as_str()), value.as_str().into()));
        Map::of(MapType::Strings, entries.collect())
    };
    let table: Map = [
        ("Name", name.as_str().into()),
        ("Home", home.as_str().into()),
        ("Sources", texts(sources)),
        ("Version", version.as_str().into()),
        ("Description", description.as_str().into()),
        ("Keywords", texts(keywords)),
        ("Maintainers", Value::list(maintainers.iter().map(maintainer).collect())),
        ("Icon", icon.as_str().into()),
        ("APIVersion", api_version.as_str().into()),
        ("Condition", condition.as_str().into()),
        ("Tags", tags.as_str().into()),
        ("AppVersion", app_version.as_str().into()),
        ("Deprecated", Value::Bool(*deprecated)),
        ("Annotations", Value::Map(annotations)),
        ("KubeVersion", kube_version.as_str().into()),
        (
            "Dependencies",
            Value::list(dependencies.iter().map(dependency).collect()),
        ),
        ("Type", chart_type.as_str().into()),
        ("IsRoot", Value::Bool(is_root)),
    ]
    .into_iter()
    .collect();
    Value::Map(table)
}

fn texts(items: &[String]) -> Value {
    Value::list(items.iter().map(|item| item.as_str().into()).collect())
}

fn maintainer(maintainer: &Maintainer) -> Value {
    let Maintainer { name, email, url } = maintainer;
    Value::Map(
        [("Name", name.as_str()), ("Email", email), ("URL", url)]
            .into_iter()
            .collect(),
    )
}

fn dependency(dependency: &Dependency) -> Value {
    let Dependency {
        name,
        version,
        repository,
        condition,
        tags,
        enabled,
        import_values,
        alias,
    } = dependency;
    let table: Map = [
        ("Name", name.as_str().into()),
        ("Version", version.as_str().into()),
        ("Repository", repository.as_str().into()),
        ("Condition", condition.as_str().into()),
        ("Tags", texts(tags)),
        ("Enabled", Value::Bool(*enabled)),
        (
            "ImportValues",
            Value::list(import_values.iter().map(import_value).collect()),
        ),
        ("Alias", alias.as_str().into()),
    ]
    .into_iter()
    .collect();
    Value::Map(table)
}

/// Helm keeps a processed entry as a `map[string]string`.
fn import_value(entry: &Json) -> Value {
    match Value::from_json(entry) {
        Value::Map(map) => Value::Map(map.with_type(MapType::Strings)),
        other => other,
    }
}
