//! A real Kubernetes control plane for tests and the demo: etcd, kube-apiserver, kube-controller-manager and kube-scheduler,
//! with KWOK in the place of kubelets; and the tools that tests compare with: kubectl, Helm 4 and 3, an OCI registry, and Flux's
//! helm-controller. And an
//! [`Oracle`], which answers what Helm's and Go's own libraries make of a template, a text or a chart.
//!
//! All but the oracle is one Go binary, built on first use into a cache outside the checkout. A control plane stops when its
//! [`ControlPlane`] is dropped and when the process that started it ends in any way, SIGKILL included.
//!
//! | Environment variable | Meaning |
//! |---|---|
//! | `KUBEBUILDER_ASSETS` | folder with `etcd` and `kube-apiserver` (and more) to run in place of what would be built; parts that are not in it do not run |
//! | `FAIRLEAD_TEST_CONTEXT` | context of the kubeconfig of an existing cluster to use: nothing is started |
//! | `FAIRLEAD_CACHE` | where the built binary is kept (default: `$XDG_CACHE_HOME/fairlead`, then `~/.cache/fairlead`) |
//! | `FAIRLEAD_TEST_KEEP` | keep namespaces, and the control plane's directory with its logs |

mod audit;
mod binaries;
mod build;
mod command;
mod control_plane;
mod error;
mod flux;
mod namespace;
mod oracle;
mod process;
mod progress;
mod registry;
mod requests;
mod service_account;

pub use audit::{AuditEvent, AuditMark, AuditedObject};
pub use binaries::{cosign, keyless, promtool, standalone_helm};
pub use command::Output;
pub use control_plane::{ControlPlane, Options};
pub use error::Error;
pub use flux::HelmController;
pub use namespace::Namespace;
pub use oracle::Oracle;
pub use registry::Registry;
pub use requests::{RequestCounts, RequestKind};

/// The path of `helm`, `kubectl` or another component, which may be built now, for tests that need no control plane.
pub async fn program(name: &str) -> Result<std::path::PathBuf, Error> {
    binaries::find(name).await
}

/// Whether the environment asks to keep what a run leaves behind.
fn keep() -> bool {
    std::env::var_os("FAIRLEAD_TEST_KEEP").is_some_and(|value| !value.is_empty())
}
