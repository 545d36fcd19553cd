//! Where the programs are: given by the environment, or built when they are first needed.

use std::path::PathBuf;

use tokio::sync::OnceCell;

use crate::Error;
use crate::build::{self, Program};

/// The components of the built binary; `main.go` has the same.
pub(crate) const COMPONENTS: [&str; 9] = [
    "etcd",
    "helm",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
    "registry",
    "supervise",
];

/// The folder that `KUBEBUILDER_ASSETS` names.
pub(crate) fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The path of a component: the one in `KUBEBUILDER_ASSETS`, or else the built one.
pub(crate) async fn find(name: &str) -> Result<PathBuf, Error> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    if !COMPONENTS.contains(&name) {
        return Err(Error::UnknownComponent { name: name.to_owned() });
    }
    if let Some(given) = assets().map(|folder| folder.join(name)).filter(|path| path.is_file()) {
        return Ok(given);
    }
    Ok(BUILT.get_or_try_init(|| built(Program::ControlPlane)).await?.join(name))
}

/// The supervisor, and the folder of the components that it shall run, if that is not its own.
pub(crate) async fn supervisor() -> Result<(PathBuf, Option<PathBuf>), Error> {
    match assets() {
        Some(folder) => Ok((built(Program::Supervisor).await?.join("supervise"), Some(folder))),
        None => Ok((find("supervise").await?, None)),
    }
}

/// The path of Helm as a program of its own, for comparisons of time and memory; built when it is first needed. Blocks.
pub fn standalone_helm() -> Result<PathBuf, Error> {
    Ok(build::build(Program::Helm)?.join("helm"))
}

/// The path of Prometheus' promtool; built when it is first needed. Blocks.
pub fn promtool() -> Result<PathBuf, Error> {
    Ok(build::build(Program::Promtool)?.join("promtool"))
}

/// The path of Helm 3, which is called `helm`; built when it is first needed.
pub(crate) async fn helm3() -> Result<PathBuf, Error> {
    Ok(built(Program::Helm3).await?.join("helm"))
}

/// The folder with Flux's helm-controller, which is built when it is first needed.
pub(crate) async fn helm_controller() -> Result<PathBuf, Error> {
    built(Program::HelmController).await
}

/// The path of Sigstore's cosign; built when it is first needed.
pub async fn cosign() -> Result<PathBuf, Error> {
    Ok(built(Program::Cosign).await?.join("cosign"))
}

/// The path of the signer that has a Sigstore of its own; built when it is first needed.
pub async fn keyless() -> Result<PathBuf, Error> {
    Ok(built(Program::Keyless).await?.join("keyless"))
}

async fn built(program: Program) -> Result<PathBuf, Error> {
    tokio::task::spawn_blocking(move || build::build(program))
        .await
        .map_err(|error| Error::Io {
            what: "building the control plane".into(),
            source: std::io::Error::other(error),
        })?
}
