//! In which order kinds are installed and uninstalled.

use std::cmp::Ordering;

/// Helm's order of installation. Unknown kinds come after all of these, by name.
const INSTALL: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Helm's order of uninstallation. Unknown kinds come after all of these, by name.
const UNINSTALL: &[&str] = &[
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// The place of a kind in the order of installation: sort by it, stably.
pub fn install_position(kind: &str) -> (usize, &str) {
    position(INSTALL, kind)
}

/// The place of a kind in the order of uninstallation: sort by it, stably.
pub fn uninstall_position(kind: &str) -> (usize, &str) {
    position(UNINSTALL, kind)
}

fn position<'a>(order: &[&str], kind: &'a str) -> (usize, &'a str) {
    match order.iter().position(|known| *known == kind) {
        Some(index) => (index, ""),
        None => (order.len(), kind),
    }
}

/// Compares two kinds in the order of installation.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    install_position(a).cmp(&install_position(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_come_last_by_name() {
        let mut kinds = ["Zebra", "Deployment", "Apple", "Namespace", "Service"];
        kinds.sort_by_key(|kind| install_position(kind));
        assert_eq!(kinds, ["Namespace", "Service", "Deployment", "Apple", "Zebra"]);
        kinds.sort_by_key(|kind| uninstall_position(kind));
        assert_eq!(kinds, ["Service", "Deployment", "Namespace", "Apple", "Zebra"]);
    }

    #[test]
    fn both_orders_know_the_same_kinds() {
        let sorted = |order: &[&'static str]| {
            let mut kinds = order.to_vec();
            kinds.sort_unstable();
            kinds
        };
        assert_eq!(sorted(INSTALL), sorted(UNINSTALL));
    }
}
