//! The real cosign, which signs charts as their publishers do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fairlead_controlplane::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

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

/// A Sigstore of its own, and people who sign with what it says of them.
pub(crate) struct Keyless {
    /// What others have to know of the instance.
    pub(crate) trusted_root: Value,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// Somebody who signs.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    pub(crate) identity: &'static str,
    pub(crate) issuer: &'static str,
}

impl Keyless {
    /// Starts the instance.
    pub(crate) async fn start() -> Result<Self> {
        let mut process = Command::new(fairlead_controlplane::keyless().await?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut output = BufReader::new(output).lines();
        let root = output.next_line().await?.ok_or("no trusted root")?;
        Ok(Self {
            trusted_root: serde_json::from_str(&root)?,
            input,
            output,
            _process: process,
        })
    }

    /// Signs what a tag means now. `damage` says what is wrong with the signature; nothing if it is empty.
    pub(crate) async fn sign(
        &mut self,
        registry: &Registry,
        chart: &str,
        person: Person,
        format: Format,
        damage: &str,
    ) -> Result {
        let Person { identity, issuer } = person;
        let format = match format {
            Format::Bundle => "bundle",
            Format::Payload => "payload",
        };
        let asked = json!({"reference": format!("{}/{chart}", registry.address()), "identity": identity,
            "issuer": issuer, "format": format, "damage": damage});
        self.input.write_all(format!("{asked}\n").as_bytes()).await?;
        let answer = self.output.next_line().await?.ok_or("the signer ended")?;
        let answer: Value = serde_json::from_str(&answer)?;
        match answer.get("error") {
            None => Ok(()),
            Some(error) => Err(format!("{asked}: {error}").into()),
        }
    }
}
