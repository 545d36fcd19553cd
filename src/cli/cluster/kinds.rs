//! Which object a person means: `deploy/web`, `deployments.apps/web`, `Deployment web`.
//!
//! Edge: asks the API server for its resources, with their short names, as kubectl does.

use kube::Client;
use kube::api::ApiResource;
use kube::core::discovery::v2::{APIGroupDiscoveryList, APIResourceDiscovery};

/// Why it cannot be said which object is meant.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    /// Neither one argument with a slash nor two.
    #[error("say which object: KIND/NAME, for example deployment/web")]
    Shape,
    /// No resource of this name.
    #[error("the cluster serves no resource {0:?}; `kubectl api-resources` lists those it serves")]
    Unknown(String),
    /// The server could not be asked.
    #[error("cannot discover the cluster's resources: {0}")]
    Discovery(#[from] kube::Error),
}

/// A kind as the cluster serves it.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) api: ApiResource,
    pub(super) namespaced: bool,
}

/// Splits `KIND/NAME`, or takes two arguments.
pub(super) fn split(arguments: &[String]) -> Result<(&str, &str), NameError> {
    match arguments {
        [both] => both
            .split_once('/')
            .filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
            .ok_or(NameError::Shape),
        [kind, name] => Ok((kind, name)),
        _ => Err(NameError::Shape),
    }
}

/// The kind that a word means: plural, singular, short name or kind, and after a dot the group.
pub(super) async fn find(client: &Client, word: &str) -> Result<Kind, NameError> {
    for groups in [
        client.list_core_api_versions_aggregated().await?,
        client.list_api_groups_aggregated().await?,
    ] {
        if let Some(kind) = among(&groups, word) {
            return Ok(kind);
        }
    }
    Err(NameError::Unknown(word.to_owned()))
}

fn among(groups: &APIGroupDiscoveryList, word: &str) -> Option<Kind> {
    let (name, wanted_group) = match word.split_once('.') {
        Some((name, group)) => (name, Some(group)),
        None => (word, None),
    };
    for group in &groups.items {
        let group_name = group
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.name.as_deref())
            .unwrap_or_default();
        if wanted_group.is_some_and(|wanted| wanted != group_name) {
            continue;
        }
        // The server lists the version that it prefers first.
        for version in &group.versions {
            let version_name = version.version.as_deref().unwrap_or_default();
            let found = version.resources.iter().find(|resource| is_called(resource, name));
            if let Some(kind) = found.and_then(|resource| kind(group_name, version_name, resource)) {
                return Some(kind);
            }
        }
    }
    None
}

fn is_called(resource: &APIResourceDiscovery, name: &str) -> bool {
    let is = |known: Option<&str>| known.is_some_and(|known| known.eq_ignore_ascii_case(name));
    let kind = resource.response_kind.as_ref().and_then(|kind| kind.kind.as_deref());
    is(resource.resource.as_deref())
        || is(resource.singular_resource.as_deref())
        || is(kind)
        || resource.short_names.iter().any(|short| is(Some(short)))
}

fn kind(group: &str, version: &str, resource: &APIResourceDiscovery) -> Option<Kind> {
    let kind = resource.response_kind.as_ref()?.kind.clone()?;
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Some(Kind {
        api: ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version,
            kind,
            plural: resource.resource.clone()?,
        },
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_in_one_word_or_in_two() {
        let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(split(&words(&["deploy/web"])).unwrap(), ("deploy", "web"));
        assert_eq!(split(&words(&["deploy", "web"])).unwrap(), ("deploy", "web"));
        for wrong in [words(&["web"]), words(&["/web"]), words(&["deploy/"]), words(&[])] {
            assert!(split(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_kind_is_found_by_any_of_its_names() {
        let groups: APIGroupDiscoveryList = serde_json::from_value(serde_json::json!({"items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                 "scope": "Namespaced", "singularResource": "deployment", "verbs": ["get"], "shortNames": ["deploy"]}]}]}]}))
        .unwrap();
        for word in ["deployments", "deployment", "Deployment", "deploy", "deploy.apps"] {
            let kind = among(&groups, word).unwrap();
            assert_eq!(
                (kind.api.api_version.as_str(), kind.namespaced),
                ("apps/v1", true),
                "{word}"
            );
        }
        assert!(among(&groups, "deploy.extensions").is_none());
    }
}
