//! The lease in the API server: read, written in exactly the version that was seen, and followed.
//!
//! Edge. Through a client of its own, so that it waits for no other request; each request with a timeout.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource as _};

use crate::api::names::CONTROLLER_FIELD_MANAGER;

/// Why the lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    /// Somebody else wrote, created or deleted it first.
    #[error("it is in another version than was seen")]
    Stale,
    /// The server refused, or could not be reached.
    #[error("{0}")]
    Call(Box<kube::Error>),
    /// No answer in time; a write may have been made or not.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// One lease.
#[derive(Clone)]
pub(super) struct Leases {
    api: Api<Lease>,
    name: String,
    timeout: Duration,
}

impl Leases {
    /// The lease of this name.
    pub(super) fn new(client: Client, namespace: &str, name: &str, timeout: Duration) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            timeout,
        }
    }

    /// The lease, if there is one.
    pub(super) async fn read(&self) -> Result<Option<Lease>, LeaseError> {
        self.send(self.api.get_opt(&self.name)).await
    }

    /// Creates it; it must not exist.
    pub(super) async fn create(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        self.send(self.api.create(&parameters(), lease)).await
    }

    /// Replaces the version that it names.
    pub(super) async fn replace(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        self.send(self.api.replace(&self.name, &parameters(), lease)).await
    }

    /// The lease whenever it changes; nothing where it is gone. What cannot be seen is left out: whoever waits for too long asks.
    pub(super) fn changes(&self) -> impl Stream<Item = Option<Lease>> + Send + use<> {
        watcher::watch_object(self.api.clone(), &self.name)
            .default_backoff()
            .filter_map(|seen| std::future::ready(seen.ok()))
    }

    async fn send<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, LeaseError> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Err(LeaseError::Stale),
            Ok(Err(error)) => Err(LeaseError::Call(Box::new(error))),
            Err(_elapsed) => Err(LeaseError::Timeout(self.timeout)),
        }
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// What an event about a lease names.
pub(super) fn reference(lease: &Lease) -> ObjectReference {
    lease.object_ref(&())
}
