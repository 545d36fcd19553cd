//! A release that is released to another cluster than before begins anew there.
//!
//! Pure. What stays behind in the former cluster is only told of: whoever moves a release may still need it there.

use crate::api::helm_release::status::HelmReleaseStatus;

/// What stays behind in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// How many objects.
    pub objects: usize,
    /// What described the cluster; none for the cluster of the HelmRelease.
    pub cluster: Option<String>,
}

impl LeftBehind {
    /// What a person should know.
    pub fn note(&self) -> String {
        let Self { objects, cluster } = self;
        let cluster = cluster.as_ref().map_or_else(
            || "this cluster".to_owned(),
            |cluster| format!("the cluster of {cluster}"),
        );
        format!(
            "{objects} objects and Helm's records stay in {cluster}, because spec.kubeConfig changed; delete them there if they are not needed"
        )
    }
}

/// Notes which cluster a release is released to. If it was another before, what was done there is forgotten, and told.
pub fn enter(status: &mut HelmReleaseStatus, cluster: Option<&str>) -> Option<LeftBehind> {
    if status.cluster.as_deref() == cluster {
        return None;
    }
    let before = std::mem::replace(&mut status.cluster, cluster.map(str::to_owned));
    if status.history.is_empty() {
        return None;
    }
    status.history.clear();
    status.storage_namespace = None;
    status.last_attempted_revision_digest = None;
    status.last_attempted_release_action = None;
    (status.failures, status.install_failures, status.upgrade_failures) = (0, 0, 0);
    let inventory = status.inventory.take().unwrap_or_default();
    Some(LeftBehind {
        objects: inventory.entries.len(),
        cluster: before,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn released(cluster: Option<&str>) -> HelmReleaseStatus {
        let status = json!({
            "cluster": cluster,
            "storageNamespace": "prod",
            "history": [{"version": 3, "name": "web", "namespace": "prod", "status": "deployed", "digest": "",
                "chartName": "web", "chartVersion": "1.0.0", "configDigest": "",
                "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z"}],
            "inventory": {"entries": [{"id": "prod_web__ConfigMap", "v": "v1"}]},
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn the_first_cluster_is_noted_and_nothing_is_left() {
        let mut status = HelmReleaseStatus::default();
        assert_eq!(enter(&mut status, Some("Secret/far")), None);
        assert_eq!(status.cluster.as_deref(), Some("Secret/far"));
    }

    #[test]
    fn a_release_stays_as_it_is_while_its_cluster_does() {
        for cluster in [None, Some("Secret/far")] {
            let mut status = released(cluster);
            assert_eq!(enter(&mut status, cluster), None);
            assert_eq!(status, released(cluster));
        }
    }

    #[test]
    fn another_cluster_knows_nothing_of_what_was_done_in_the_former() {
        let mut status = released(None);
        let left = enter(&mut status, Some("Secret/far")).unwrap();
        assert_eq!((left.objects, &left.cluster), (1, &None));
        assert!(left.note().contains("this cluster"));
        assert!(status.history.is_empty() && status.inventory.is_none() && status.storage_namespace.is_none());

        let mut status = released(Some("Secret/far"));
        let left = enter(&mut status, Some("Secret/farther")).unwrap();
        assert!(left.note().contains("the cluster of Secret/far,"), "{}", left.note());
    }
}
