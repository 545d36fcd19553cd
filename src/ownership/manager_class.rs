//! What sort of writer a field manager is, by its name: a closed set that can be a metric's label.
//!
//! Pure data. Names are those that the tools are known to write under; a manager that is not here is `Unknown`.

/// What sort of writer a field manager is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManagerClass {
    /// Scales or sizes workloads.
    Autoscaler,
    /// Writes CA bundles or webhook settings.
    CaInjector,
    /// A part of the cluster itself.
    Platform,
    /// A person with kubectl or a dashboard.
    Human,
    /// Another deployment tool.
    GitOps,
    /// Helm 3, or a tool that embeds it.
    LegacyHelm,
    /// A name that the API server made up: the true writer is not known.
    Synthetic,
    /// Another release of Fairlead.
    Sibling,
    /// None of these.
    Unknown,
}

impl ManagerClass {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Autoscaler,
        Self::CaInjector,
        Self::Platform,
        Self::Human,
        Self::GitOps,
        Self::LegacyHelm,
        Self::Synthetic,
        Self::Sibling,
        Self::Unknown,
    ];

    /// The name as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Autoscaler => "Autoscaler",
            Self::CaInjector => "CaInjector",
            Self::Platform => "Platform",
            Self::Human => "Human",
            Self::GitOps => "GitOps",
            Self::LegacyHelm => "LegacyHelm",
            Self::Synthetic => "Synthetic",
            Self::Sibling => "Sibling",
            Self::Unknown => "Unknown",
        }
    }

    /// The class of a manager that wrote through `subresource`.
    pub fn of(manager: &str, subresource: Option<&str>) -> Self {
        match (manager, subresource) {
            ("kube-controller-manager", Some("scale"))
            | (
                "keda-operator"
                | "vpa-updater"
                | "vpa-admission-controller"
                | "vpa-recommender"
                | "rollouts-controller",
                _,
            ) => Self::Autoscaler,
            (
                "cert-manager-cainjector"
                | "cainjector"
                | "kube-webhook-certgen"
                | "pilot-discovery"
                | "service-ca-operator",
                _,
            ) => Self::CaInjector,
            (
                "clusterrole-aggregation-controller"
                | "kube-controller-manager"
                | "kubelet"
                | "eks"
                | "vpcLambda"
                | "gkebackup"
                | "velero"
                | super::contested::ADMISSION,
                _,
            ) => Self::Platform,
            ("kubectl" | "k9s" | "rancher" | "Mozilla" | "node-fetch" | "OpenLens" | "Headlamp", _) => Self::Human,
            (
                "argocd-controller"
                | "argocd-application-controller"
                | "kustomize-controller"
                | "helm-controller"
                | "flux-client-side-apply"
                | "kluctl"
                | "application/apply-patch"
                | "timoni"
                | "configsync.gke.io"
                | "kro.run/applyset"
                | "eno"
                | "Terraform",
                _,
            ) => Self::GitOps,
            ("helm" | "helm3" | "helmwave" | "entry" | "Go-http-client", _) => Self::LegacyHelm,
            ("before-first-apply" | "ancient-changes" | super::loss::UNKNOWN_MANAGER, _) => Self::Synthetic,
            (name, _) => Self::of_prefix(name),
        }
    }

    fn of_prefix(name: &str) -> Self {
        const PREFIXES: [(&str, ManagerClass); 4] = [
            ("kubectl-", ManagerClass::Human),
            ("pulumi-kubernetes", ManagerClass::GitOps),
            ("terraform-provider-helm", ManagerClass::LegacyHelm),
            (super::class::SIBLING_PREFIX, ManagerClass::Sibling),
        ];
        PREFIXES
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
            .map_or(Self::Unknown, |(_, class)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_mean_two_writers() {
        assert_eq!(
            ManagerClass::of("kube-controller-manager", Some("scale")),
            ManagerClass::Autoscaler
        );
        assert_eq!(
            ManagerClass::of("kube-controller-manager", None),
            ManagerClass::Platform
        );
        assert_eq!(ManagerClass::of("kubectl-edit", None), ManagerClass::Human);
        assert_eq!(ManagerClass::of("fairlead:prod/shop", None), ManagerClass::Sibling);
        assert_eq!(ManagerClass::of("manager", None), ManagerClass::Unknown);
    }
}
