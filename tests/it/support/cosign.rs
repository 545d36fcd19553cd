//! The real cosign, which signs charts as their publishers do.

use std::fs;
use std::path::{Path, PathBuf};

use fairlead_controlplane::Registry;
use tempfile::TempDir;
use tokio::process::Command;

use super::Result;

/// A pair of keys, and cosign to sign with it.
pub(crate) struct Cosign {
    program: PathBuf,
    folder: TempDir,
}

/// How cosign stores a signature.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    /// A Sigstore bundle, in a manifest that refers to what is signed: what cosign does since its version 3.
    Bundle,
    /// A payload with its signature, below a tag that is made from the digest: what it did before.
    Payload,
}

impl Cosign {
    /// Makes a pair of keys.
    pub(crate) async fn new() -> Result<Self> {
        let cosign = Self {
            program: fairlead_controlplane::cosign().await?,
            folder: tempfile::tempdir()?,
        };
        cosign.run(&["generate-key-pair"]).await?;
        Ok(cosign)
    }

    /// The public key, as PEM.
    pub(crate) fn public_key(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("cosign.pub"))?)
    }

    /// Signs what a tag means now.
    pub(crate) async fn sign(&self, registry: &Registry, chart: &str, format: Format) -> Result {
        let format = match format {
            Format::Bundle => "--new-bundle-format=true",
            Format::Payload => "--new-bundle-format=false",
        };
        let reference = format!("{}/{chart}", registry.address());
        // No log: there is none here, and with keys none is asked for.
        let sign = [
            "sign",
            "--key=cosign.key",
            "--use-signing-config=false",
            "--tlog-upload=false",
            "--yes",
        ];
        self.run(&[&sign[..], &["--allow-http-registry", format, &reference]].concat())
            .await
    }

    /// Removes all signatures of what a tag means now.
    pub(crate) async fn clean(&self, registry: &Registry, chart: &str) -> Result {
        let reference = format!("{}/{chart}", registry.address());
        self.run(&["clean", "--type=all", "--force", "--allow-http-registry", &reference])
            .await
    }

    async fn run(&self, arguments: &[&str]) -> Result {
        let home: &Path = self.folder.path();
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(home)
            .env("COSIGN_PASSWORD", "")
            .env("HOME", home)
            .output()
            .await?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("cosign {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
