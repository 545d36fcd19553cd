//! The CustomResourceDefinitions of all resources, as they are installed.
//!
//! What the derive makes of the types is finished here: descriptions are unwrapped, things that the API server does not
//! know are left out, and statuses get their first value. Always use these, never the `crd()` of a type.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::conflict_policy::ConflictPolicy;
use super::helm_release::HelmRelease;
use super::helm_repository::HelmRepository;
use super::oci_repository::OCIRepository;
use super::release_ledger::ReleaseLedger;
use super::wasm_plugin::WasmPlugin;

/// Flux's kustomize-controller replaces `${…}` in what it applies; this annotation keeps it from touching our patterns.
const NO_SUBSTITUTION: (&str, &str) = ("kustomize.toolkit.fluxcd.io/substitute", "disabled");

/// The CustomResourceDefinitions of all resources, sorted by name.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        ConflictPolicy::crd(),
        HelmRelease::crd(),
        HelmRepository::crd(),
        OCIRepository::crd(),
        ReleaseLedger::crd(),
        WasmPlugin::crd(),
    ];
    all.iter_mut().for_each(finish);
    all.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    all
}

/// Brings one definition to the form in which it is installed.
fn finish(crd: &mut CustomResourceDefinition) {
    let (key, value) = NO_SUBSTITUTION;
    crd.metadata
        .annotations
        .get_or_insert_default()
        .insert(key.to_owned(), value.to_owned());
    for version in &mut crd.spec.versions {
        let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|validation| validation.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        finish_schema(schema);
        if let Some(status) = schema
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("status"))
        {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
}

/// Finishes a schema and everything in it. The depth is that of our types.
fn finish_schema(schema: &mut JSONSchemaProps) {
    // A field is left out, or it has a value: null would be a third way to write it, which Flux's resources refuse too.
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = unwrap_lines(description);
    }
    // Rust's unsigned formats are unknown to OpenAPI; `minimum: 0` says the same.
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = None;
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        finish_schema(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => finish_schema(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(finish_schema),
        None => {}
    }
    match &mut schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(value)) => finish_schema(value),
        Some(JSONSchemaPropsOrBool::Bool(_)) | None => {}
    }
}

/// The text with the lines of each paragraph joined.
fn unwrap_lines(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.split('\n').map(str::trim).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema below `schema`, with its path.
    fn walk<'a>(path: &str, schema: &'a JSONSchemaProps, visit: &mut dyn FnMut(&str, &'a JSONSchemaProps)) {
        visit(path, schema);
        for (name, property) in schema.properties.iter().flatten() {
            walk(&format!("{path}.{name}"), property, visit);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            walk(&format!("{path}[]"), item, visit);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
            walk(&format!("{path}{{}}"), value, visit);
        }
    }

    fn each_schema(mut check: impl FnMut(&str, &JSONSchemaProps)) {
        for crd in custom_resource_definitions() {
            let schema = crd.spec.versions[0]
                .schema
                .as_ref()
                .unwrap()
                .open_api_v3_schema
                .as_ref()
                .unwrap();
            walk(&crd.spec.names.kind, schema, &mut check);
        }
    }

    #[test]
    fn every_field_is_documented() {
        let mut missing = Vec::new();
        each_schema(|path, schema| {
            let is_field = !path.ends_with("[]") && !path.ends_with("{}");
            let name = path.rsplit('.').next().unwrap_or_default();
            let standard = ["apiVersion", "kind", "metadata"].contains(&name);
            if is_field && !standard && schema.description.is_none() {
                missing.push(path.to_owned());
            }
        });
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn schemas_are_structural() {
        each_schema(|path, schema| {
            let open = schema.x_kubernetes_preserve_unknown_fields == Some(true);
            assert!(schema.type_.is_some() || open, "{path} has no type");
            for combination in [&schema.any_of, &schema.one_of, &schema.all_of] {
                assert!(combination.is_none(), "{path} has alternatives");
            }
            assert!(
                schema
                    .format
                    .as_deref()
                    .is_none_or(|format| !format.starts_with("uint")),
                "{path}"
            );
        });
    }

    #[test]
    fn lists_say_how_they_are_merged() {
        let mut missing = Vec::new();
        each_schema(|path, schema| {
            // The label selectors are Kubernetes's own type.
            let foreign = path.contains("Selector.matchExpressions");
            if schema.type_.as_deref() == Some("array") && schema.x_kubernetes_list_type.is_none() && !foreign {
                missing.push(path.to_owned());
            }
        });
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn short_names_are_not_those_of_flux() {
        let flux = ["hr", "helmrepo", "ocirepo", "hc", "gitrepo", "ks"];
        for crd in custom_resource_definitions() {
            let names = crd.spec.names;
            let short = names.short_names.unwrap_or_default();
            assert!(!short.is_empty(), "{}", names.kind);
            assert!(short.iter().all(|name| !flux.contains(&name.as_str())), "{short:?}");
            assert!(
                names.categories.unwrap_or_default().contains(&"fairlead".to_owned()),
                "{}",
                names.kind
            );
        }
    }

    #[test]
    fn descriptions_are_unwrapped() {
        assert_eq!(unwrap_lines("one\ntwo\n\nthree\n  four"), "one two\n\nthree four");
    }
}
