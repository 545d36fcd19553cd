//! What a chart may know about the cluster: its version, its API versions, and the Helm that we speak for.

use crate::go::semver::{Constraint, Version};

/// The Helm version that rendering follows, as templates see it.
pub const HELM_VERSION: &str = "v4.3";

/// The Kubernetes client version of that Helm.
pub const KUBE_CLIENT_VERSION: &str = "v1.37";

/// The API versions that Helm 4.3.1 knows without a cluster, in its order.
const DEFAULT_API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// `.Capabilities`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// `group/version` entries, and `group/version/Kind` ones when they come from a cluster.
    pub api_versions: Vec<String>,
}

impl Default for Capabilities {
    /// What Helm 4.3.1 assumes without a cluster.
    fn default() -> Self {
        Self {
            kube_version: KubeVersion {
                version: "v1.37.0".to_owned(),
                normalized: "v1.37.0".to_owned(),
                major: "1".to_owned(),
                minor: "37".to_owned(),
            },
            api_versions: DEFAULT_API_VERSIONS.iter().map(|&version| version.to_owned()).collect(),
        }
    }
}

impl Capabilities {
    /// Whether the API version (or `group/version/Kind`) is there.
    pub fn has(&self, api_version: &str) -> bool {
        self.api_versions.iter().any(|known| known == api_version)
    }
}

/// A Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As the cluster or the user says it, with a leading `v`: `v1.33.4-gke.1245000`.
    pub version: String,
    /// What ranges are checked against: without suffixes, `v1.33.4`.
    pub normalized: String,
    /// `1`.
    pub major: String,
    /// `33`.
    pub minor: String,
}

/// A version that Kubernetes' own parser refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeVersionError {
    /// No number at the start.
    #[error("could not parse {0:?} as version")]
    Unparsable(String),
    /// Only one number.
    #[error("illegal version string {0:?}")]
    Illegal(String),
    /// A number with a leading zero, or one that is too large.
    #[error("illegal version component {component:?} in {version:?}")]
    Component {
        /// The number.
        component: String,
        /// The whole.
        version: String,
    },
}

impl std::str::FromStr for KubeVersion {
    type Err = KubeVersionError;

    /// Kubernetes' generic parser: at least two numbers, whatever comes after them is ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim_start();
        let numbers = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let end = numbers_end(numbers);
        if end == 0 {
            return Err(KubeVersionError::Unparsable(text.to_owned()));
        }
        let components: Vec<&str> = numbers[..end].split('.').collect();
        let [major, minor, ..] = components.as_slice() else {
            return Err(KubeVersionError::Illegal(text.to_owned()));
        };
        for component in &components {
            if (component.len() > 1 && component.starts_with('0')) || component.parse::<u64>().is_err() {
                return Err(KubeVersionError::Component {
                    component: (*component).to_owned(),
                    version: text.to_owned(),
                });
            }
        }
        let version = if text.starts_with('v') {
            text.to_owned()
        } else {
            format!("v{text}")
        };
        let normalized = format!("v{}", components.join("."));
        Ok(Self {
            version,
            normalized,
            major: (*major).to_owned(),
            minor: (*minor).to_owned(),
        })
    }
}

/// Where `[0-9]+(\.[0-9]+)*` ends.
fn numbers_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    while end > 0 && bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    end
}

/// Whether a version is in a range; false when either cannot be parsed, as in Helm.
pub fn is_compatible(constraint: &str, version: &str) -> bool {
    let Ok(version) = Version::parse(version) else {
        return false;
    };
    Constraint::parse(constraint).is_ok_and(|constraint| constraint.check(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_versions_as_kubernetes_does() {
        let version: KubeVersion = "1.36.3".parse().unwrap();
        assert_eq!(
            (version.version.as_str(), version.normalized.as_str()),
            ("v1.36.3", "v1.36.3")
        );
        let version: KubeVersion = "v1.27.3-gke.100".parse().unwrap();
        assert_eq!(
            (version.version.as_str(), version.normalized.as_str()),
            ("v1.27.3-gke.100", "v1.27.3")
        );
        assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "27"));
        assert_eq!("1.30".parse::<KubeVersion>().unwrap().normalized, "v1.30");
        assert!(matches!(
            "abc".parse::<KubeVersion>(),
            Err(KubeVersionError::Unparsable(_))
        ));
        assert!(matches!("1".parse::<KubeVersion>(), Err(KubeVersionError::Illegal(_))));
        assert!(matches!(
            "1.05".parse::<KubeVersion>(),
            Err(KubeVersionError::Component { .. })
        ));
    }

    #[test]
    fn knows_helms_default_versions() {
        let capabilities = Capabilities::default();
        assert_eq!(capabilities.api_versions.len(), 57);
        assert!(capabilities.has("apps/v1") && !capabilities.has("apps/v1/Deployment"));
    }

    #[test]
    fn ranges_use_the_normalized_version() {
        let version: KubeVersion = "v1.27.3-gke.100".parse().unwrap();
        assert!(is_compatible(">=1.20.0", &version.normalized));
        assert!(!is_compatible(">=1.40", &version.normalized));
        assert!(!is_compatible("bad range", &version.normalized));
    }
}
