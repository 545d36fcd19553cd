//! The release's own source of randomness and time for templates.
//!
//! A chart that makes a random password must make the same one each time a revision is rendered, or every restart of the
//! operator would change it. So randomness comes from a seed that is kept in a Secret beside the release (made only for
//! charts that ask for randomness), together with the revision's number; and time is the time at which the revision began.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::lookup::Asker;
use crate::api::{HelmRelease, names};
use crate::operator::context::Shared;
use crate::template::Host;

/// Length of a seed in bytes.
const LENGTH: usize = 32;
/// Key of the seed in its Secret.
const KEY: &str = "seed";

/// What all randomness of a release comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; LENGTH]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("<seed>")
    }
}

/// Why there is no seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The system gave no randomness.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
    /// The Secret could not be read or written.
    #[error("Secret {namespace}/{name}, which keeps the release's seed: {source}")]
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl Seed {
    /// A new one.
    pub fn random() -> Result<Self, SeedError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(SeedError::Random)?;
        Ok(Self(bytes))
    }

    /// One that anybody can work out, and so good for nothing that is applied: of a release in shadow mode, which keeps none
    /// and must render the same each time.
    pub fn of_shadow(release: &HelmRelease) -> Self {
        let uid = release.metadata.uid.as_deref().unwrap_or_default();
        Self(Sha256::digest(format!("shadow {uid}")).into())
    }
}

/// Random bytes that keep digests of secret values from being looked up.
pub fn salt() -> Result<Vec<u8>, SeedError> {
    Ok(Seed::random()?.0.to_vec())
}

fn secret_name(release: &HelmRelease) -> String {
    format!("fairlead.seed.{}", release.own_name())
}

fn failed(release: &HelmRelease, source: kube::Error) -> SeedError {
    SeedError::Secret {
        namespace: release.own_namespace().to_owned(),
        name: secret_name(release),
        source: Box::new(source),
    }
}

fn secrets(shared: &Shared, release: &HelmRelease) -> Api<Secret> {
    Api::namespaced(shared.client.clone(), release.own_namespace())
}

/// The seed that is kept for a release, if there is one. That of an earlier release with the same name, which the garbage
/// collector has not taken yet, is none.
pub async fn read(shared: &Shared, release: &HelmRelease) -> Result<Option<Seed>, SeedError> {
    let secret = secrets(shared, release)
        .get_opt(&secret_name(release))
        .await
        .map_err(|source| failed(release, source))?;
    let bytes = secret
        .filter(|secret| is_owned(secret, release))
        .and_then(|secret| secret.data?.remove(KEY));
    Ok(bytes.and_then(|bytes| <[u8; LENGTH]>::try_from(bytes.0).ok()).map(Seed))
}

fn is_owned(secret: &Secret, release: &HelmRelease) -> bool {
    let mut owners = secret.metadata.owner_references.iter().flatten();
    owners.any(|owner| Some(&owner.uid) == release.metadata.uid.as_ref())
}

/// Deletes the seed of a release that ends.
pub async fn delete(shared: &Shared, release: &HelmRelease) -> Result<(), SeedError> {
    let deleted = secrets(shared, release)
        .delete(&secret_name(release), &DeleteParams::default())
        .await;
    match deleted {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(source) => Err(failed(release, source)),
    }
}

/// Keeps a new seed. If another one of this release came first, that one counts; one of an earlier release goes.
pub async fn keep(shared: &Shared, release: &HelmRelease, seed: Seed) -> Result<Seed, SeedError> {
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(secret_name(release)),
            owner_references: release.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("fairlead.dev/seed".to_owned()),
        data: Some([(KEY.to_owned(), ByteString(seed.0.to_vec()))].into()),
        immutable: Some(true),
        ..Secret::default()
    };
    let parameters = PostParams {
        field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match secrets(shared, release).create(&parameters, &secret).await {
        Ok(_) => return Ok(seed),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(source) => return Err(failed(release, source)),
    }
    if let Some(first) = read(shared, release).await? {
        return Ok(first);
    }
    delete(shared, release).await?;
    let created = secrets(shared, release).create(&parameters, &secret).await;
    created.map(|_| seed).map_err(|source| failed(release, source))
}

/// The outside world as the templates of one revision see it: live objects, no DNS, a fixed time, seeded randomness.
#[derive(Debug)]
pub struct SeededHost {
    seed: Seed,
    revision: u32,
    began: Timestamp,
    blocks: u64,
    asker: Asker,
}

impl SeededHost {
    /// For one revision.
    pub const fn new(seed: Seed, revision: u32, began: Timestamp, asker: Asker) -> Self {
        Self {
            seed,
            revision,
            began,
            blocks: 0,
            asker,
        }
    }

    /// Whether any template asked for randomness.
    pub const fn used_randomness(&self) -> bool {
        self.blocks > 0
    }

    /// The next block of the stream: a hash of seed, revision and position, which nobody can guess without the seed.
    fn block(&mut self) -> [u8; LENGTH] {
        let mut hash = Sha256::new();
        hash.update(self.seed.0);
        hash.update(self.revision.to_be_bytes());
        hash.update(self.blocks.to_be_bytes());
        self.blocks += 1;
        hash.finalize().into()
    }
}

impl Host for SeededHost {
    fn lookup(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Value, String> {
        let answer = self.asker.ask(api_version, kind, namespace, name);
        answer.map_err(|error| error.to_string())
    }

    fn now(&mut self) -> jiff::Timestamp {
        self.began
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(LENGTH) {
            let block = self.block();
            for (target, byte) in chunk.iter_mut().zip(block) {
                *target = byte;
            }
        }
    }

    fn elapsed(&mut self) -> std::time::Duration {
        crate::clock::thread_time()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup::channel;
    use super::*;

    fn stream(seed: u8, revision: u32, lengths: &[usize]) -> Vec<u8> {
        let (asker, _) = channel();
        let mut host = SeededHost::new(Seed([seed; LENGTH]), revision, Timestamp::UNIX_EPOCH, asker);
        lengths
            .iter()
            .flat_map(|length| {
                let mut buffer = vec![0; *length];
                host.random(&mut buffer);
                buffer
            })
            .collect()
    }

    #[test]
    fn a_revision_has_its_own_repeatable_stream() {
        assert_eq!(stream(1, 1, &[5, 40, 7]), stream(1, 1, &[5, 40, 7]));
        assert_ne!(stream(1, 1, &[16]), stream(1, 2, &[16]));
        assert_ne!(stream(1, 1, &[16]), stream(2, 1, &[16]));
        let long = stream(1, 1, &[64]);
        assert_ne!(long[..32], long[32..]);
    }
}
