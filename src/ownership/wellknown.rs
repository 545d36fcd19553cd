//! The built-in catalogue of fields that belong to somebody else by design, as data: who, which field, and the source.
//!
//! Everything in it is yielded. It never applies to predecessors of ours (`adoptFrom`) or to other Fairlead releases.

use std::sync::OnceLock;

use super::class::Class;
use super::pattern::PathPattern;
use super::policy::{Anchored, Contest};
use super::value::is_empty;

/// An entry of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WellKnownOwner {
    /// `hpa-replicas`.
    pub name: &'static str,
    /// Which objects, as `group/Kind`, core kinds as `/Kind`; none means all.
    pub kinds: &'static [&'static str],
    /// Which of them by name, as a regular expression for the whole name; empty means all.
    pub object_name: &'static str,
    /// Which fields and what is below them.
    pub paths: &'static [&'static str],
    /// Which managers, as a regular expression for the whole name; empty means all.
    pub manager: &'static str,
    /// Only writes through this subresource, if not empty.
    pub subresource: &'static str,
    /// Only while what we would apply is empty: a placeholder that somebody is to fill.
    pub only_if_ours_is_empty: bool,
    /// Where this is known from.
    pub source: &'static str,
}

const WEBHOOKS: &[&str] = &[
    "admissionregistration.k8s.io/MutatingWebhookConfiguration",
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
];

const CONTAINER_RESOURCES: &[&str] = &[
    ".spec.template.spec.containers[*].resources",
    ".spec.template.spec.initContainers[*].resources",
    ".spec.jobTemplate.spec.template.spec.containers[*].resources",
    ".spec.containers[*].resources",
];

const ANY: WellKnownOwner = WellKnownOwner {
    name: "",
    kinds: &[],
    object_name: "",
    paths: &[],
    manager: "",
    subresource: "",
    only_if_ours_is_empty: false,
    source: "",
};

/// The catalogue, in the order in which it is tried.
pub const CATALOGUE: &[WellKnownOwner] = &[
    WellKnownOwner {
        name: "hpa-replicas",
        paths: &[".spec.replicas"],
        manager: "kube-controller-manager",
        subresource: "scale",
        source: "the HorizontalPodAutoscaler controller scales through the scale subresource; nginx-gateway-fabric#4858",
        ..ANY
    },
    WellKnownOwner {
        name: "keda-replicas",
        paths: &[".spec.replicas"],
        manager: "keda|keda-operator",
        source: "KEDA scales from and to zero by itself, and while paused; kedacore/keda#7306, #6250",
        ..ANY
    },
    WellKnownOwner {
        name: "rollouts-replicas",
        paths: &[".spec.replicas"],
        manager: "rollouts-controller",
        source: "Argo Rollouts scales down the Deployment that a Rollout's workloadRef names",
        ..ANY
    },
    WellKnownOwner {
        name: "vpa-resources",
        paths: CONTAINER_RESOURCES,
        manager: "vpa-updater|vpa-recommender|vpa-admission-controller",
        source: "the VerticalPodAutoscaler and its in-place resizing set requests and limits",
        ..ANY
    },
    WellKnownOwner {
        name: "webhook-ca-bundle",
        kinds: WEBHOOKS,
        paths: &[".webhooks[*].clientConfig.caBundle"],
        source: "CA injectors: cert-manager-cainjector, kube-webhook-certgen, service-ca-operator, operators that patch \
                 their own bundle; chaos-mesh#4822, kthena#717, k8s-metadata-injection#733",
        ..ANY
    },
    WellKnownOwner {
        name: "api-service-ca-bundle",
        kinds: &["apiregistration.k8s.io/APIService"],
        paths: &[".spec.caBundle"],
        source: "CA injectors, as for webhooks; kapp's catalogue of cluster-owned fields",
        ..ANY
    },
    WellKnownOwner {
        name: "crd-conversion-ca-bundle",
        kinds: &["apiextensions.k8s.io/CustomResourceDefinition"],
        paths: &[".spec.conversion.webhook.clientConfig.caBundle"],
        source: "CA injectors, as for webhooks; kubernetes#108081",
        ..ANY
    },
    WellKnownOwner {
        name: "istio-failure-policy",
        kinds: WEBHOOKS,
        paths: &[".webhooks[*].failurePolicy"],
        manager: "pilot-discovery",
        source: "istiod sets Fail once its webhook serves; istio#59367, #61613",
        ..ANY
    },
    WellKnownOwner {
        name: "aggregated-cluster-role-rules",
        kinds: &["rbac.authorization.k8s.io/ClusterRole"],
        paths: &[".rules"],
        manager: "clusterrole-aggregation-controller",
        source: "the server fills the rules of a ClusterRole with an aggregationRule; forcing takes permissions away \
                 for a moment: flux2#2472, kubernetes#118648",
        ..ANY
    },
    WellKnownOwner {
        name: "rollouts-service-selector",
        kinds: &["/Service"],
        paths: &[".spec.selector"],
        manager: "rollouts-controller",
        source: "Argo Rollouts adds rollouts-pod-template-hash to the selector, which is atomic; flux2#5898",
        ..ANY
    },
    WellKnownOwner {
        name: "deployment-revision",
        kinds: &["apps/Deployment"],
        paths: &[".metadata.annotations[\"deployment.kubernetes.io/revision\"]"],
        manager: "kube-controller-manager",
        source: "the Deployment controller numbers its revisions; kapp's catalogue of cluster-owned fields",
        ..ANY
    },
    WellKnownOwner {
        name: "rollout-restart",
        paths: &[".spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]"],
        source: "kubectl rollout restart and dashboards stamp the Pod template; taking it back restarts the Pods again",
        ..ANY
    },
    WellKnownOwner {
        name: "claim-binding",
        kinds: &["/PersistentVolumeClaim"],
        paths: &[".spec.volumeName", ".spec.volumeMode", ".spec.storageClassName"],
        manager: "kube-controller-manager|kube-apiserver",
        source: "the volume binder; kapp's catalogue of cluster-owned fields",
        ..ANY
    },
    WellKnownOwner {
        name: "service-account-tokens",
        kinds: &["/ServiceAccount"],
        paths: &[".secrets", ".imagePullSecrets"],
        manager: "kube-controller-manager|openshift-controller-manager",
        source: "token and dockercfg controllers; kapp's catalogue of cluster-owned fields",
        ..ANY
    },
    WellKnownOwner {
        name: "eks-vpc-cni",
        kinds: &["apps/DaemonSet"],
        object_name: "aws-node",
        paths: &[
            ".spec.template.spec.containers[*].env",
            ".spec.template.spec.containers[*].resources",
        ],
        manager: "eks",
        source: "the EKS add-on manager; amazon-vpc-cni-k8s#2150, #2607",
        ..ANY
    },
    WellKnownOwner {
        name: "eks-aws-auth",
        kinds: &["/ConfigMap"],
        object_name: "aws-auth",
        paths: &[".data.mapRoles"],
        manager: "vpcLambda",
        source: "EKS adds the roles of its node groups",
        ..ANY
    },
    WellKnownOwner {
        name: "filled-secret",
        kinds: &["/Secret"],
        paths: &[".data[*]", ".data"],
        only_if_ours_is_empty: true,
        source: "charts ship an empty Secret that an operator fills; jobset#1205, kubermatic#16138",
        ..ANY
    },
];

struct Compiled {
    owner: &'static WellKnownOwner,
    object_name: Option<Anchored>,
    paths: Vec<PathPattern>,
    manager: Option<Anchored>,
}

impl Compiled {
    /// `None` if an entry cannot be read, which a test rules out.
    fn new(owner: &'static WellKnownOwner) -> Option<Self> {
        let compile = |text: &str| {
            if text.is_empty() {
                Some(None)
            } else {
                Anchored::new(owner.name, text).ok().map(Some)
            }
        };
        let paths = owner
            .paths
            .iter()
            .map(|path| path.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            owner,
            object_name: compile(owner.object_name)?,
            paths,
            manager: compile(owner.manager)?,
        })
    }

    fn matches(&self, contest: &Contest<'_>) -> bool {
        let Self {
            owner,
            object_name,
            paths,
            manager,
        } = self;
        let kind = |kind: &&str| {
            kind.split_once('/') == Some((contest.subject.object.group(), contest.subject.object.kind.as_str()))
        };
        let fits = |wanted: &Option<Anchored>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted.matches(text));
        let subresource = contest.manager.subresource.as_deref().unwrap_or_default();
        contest
            .path
            .is_some_and(|path| paths.iter().any(|pattern| pattern.matches(path)))
            && (owner.kinds.is_empty() || owner.kinds.iter().any(kind))
            && (owner.subresource.is_empty() || owner.subresource == subresource)
            && (!owner.only_if_ours_is_empty || contest.ours.is_none_or(is_empty))
            && fits(object_name, &contest.subject.object.name)
            && fits(manager, &contest.manager.name)
    }
}

fn compiled() -> &'static [Compiled] {
    static COMPILED: OnceLock<Vec<Compiled>> = OnceLock::new();
    COMPILED.get_or_init(|| CATALOGUE.iter().filter_map(Compiled::new).collect())
}

/// The entry that a contested field falls under.
pub fn find(contest: &Contest<'_>) -> Option<&'static WellKnownOwner> {
    match contest.class {
        Class::Legacy | Class::Sibling | Class::Union | Class::Admission | Class::Lost => None,
        Class::Real | Class::Phantom => compiled()
            .iter()
            .find(|entry| entry.matches(contest))
            .map(|entry| entry.owner),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::super::policy::Subject;
    use super::*;
    use crate::ownership::managed::{Manager, Operation};
    use crate::ownership::reference::ObjectReference;

    #[test]
    fn every_entry_can_be_read_and_has_a_source() {
        assert_eq!(compiled().len(), CATALOGUE.len());
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|owner| owner.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for owner in CATALOGUE {
            assert!(!owner.source.is_empty() && !owner.paths.is_empty(), "{}", owner.name);
            assert!(owner.kinds.iter().all(|kind| kind.contains('/')), "{}", owner.name);
        }
    }

    fn found(
        api_version: &str,
        kind: &str,
        path: &str,
        manager: (&str, Option<&str>),
        ours: &Value,
    ) -> Option<&'static str> {
        let object = ObjectReference {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: None,
            name: "x".into(),
        };
        let manager = Manager {
            name: manager.0.into(),
            operation: Operation::Update,
            subresource: manager.1.map(str::to_owned),
            api_version: None,
            time: None,
        };
        let path = path.parse().unwrap();
        let contest = Contest {
            subject: Subject::named(&object),
            path: Some(&path),
            manager: &manager,
            ours: Some(ours),
            class: Class::Real,
        };
        find(&contest).map(|owner| owner.name)
    }

    #[test]
    fn finds_owners() {
        let replicas = |manager| found("apps/v1", "Deployment", ".spec.replicas", manager, &json!(1));
        assert_eq!(
            replicas(("kube-controller-manager", Some("scale"))),
            Some("hpa-replicas")
        );
        assert_eq!(replicas(("kubectl", Some("scale"))), None);
        assert_eq!(replicas(("kube-controller-manager", None)), None);
        let webhook = |path: &str| {
            found(
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration",
                path,
                ("any", None),
                &json!("Cg=="),
            )
        };
        assert_eq!(
            webhook(".webhooks[name=\"a\"].clientConfig.caBundle"),
            Some("webhook-ca-bundle")
        );
        assert_eq!(webhook(".webhooks[name=\"a\"].failurePolicy"), None);
        let secret = |ours| found("v1", "Secret", ".data.x", ("jobset", None), &ours);
        assert_eq!(secret(json!("")), Some("filled-secret"));
        assert_eq!(secret(json!("YQ==")), None);
    }
}
