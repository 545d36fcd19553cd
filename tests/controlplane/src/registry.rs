//! An OCI registry.

use serde::Deserialize;

use crate::process::Process;
use crate::{ControlPlane, Error, binaries};

/// An empty OCI registry in memory, without TLS. It ends when it is dropped and when the process ends.
#[derive(Debug)]
pub struct Registry {
    address: String,
    process_id: u32,
    _process: Process,
}

#[derive(Deserialize)]
struct Report {
    address: String,
    process: u32,
}

impl ControlPlane {
    /// Starts a registry that anybody may write to.
    pub async fn start_registry(&self) -> Result<Registry, Error> {
        Registry::start(Vec::new()).await
    }

    /// Starts a registry that asks for basic authentication with this name and password.
    pub async fn start_registry_with_user(&self, name: &str, password: &str) -> Result<Registry, Error> {
        Registry::start(vec![format!("-user={name}:{password}")]).await
    }
}

impl Registry {
    async fn start(arguments: Vec<String>) -> Result<Self, Error> {
        let program = binaries::find("registry").await?;
        let (
            process,
            Report {
                address,
                process: process_id,
            },
        ) = Process::start(&program, arguments).await?;
        Ok(Self {
            address,
            process_id,
            _process: process,
        })
    }

    /// Host and port, such as `127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of a repository in Helm's form, such as `oci://127.0.0.1:40123/charts`.
    pub fn url(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.address)
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }
}
