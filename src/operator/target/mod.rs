//! Where a release is released to, and as whom: one cluster under one identity.
//!
//! Edge. Everything that a reconcile asks of the cluster with the release's objects, or does there, goes through a [`Target`].
//! What is known of a cluster (kinds, versions, watches) is shared by all identities in it, and is watched as whoever Fairlead is
//! there without a ServiceAccount; only calls are made under the identity.

mod cluster;
pub mod error;
pub mod kubeconfig;
pub mod targets;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;
use tokio_util::sync::DropGuard;
use tower::service_fn;

use super::capabilities::ClusterCapabilities;
use super::children::Children;
use super::records::Records;
use crate::cluster::calls::Calls;
use crate::cluster::discovery::KindCache;

/// The header by which the API server is asked to let somebody act as somebody else.
const IMPERSONATE_USER: &str = "Impersonate-User";

/// One cluster under one identity.
pub struct Target {
    /// Calls about the objects of releases, under the identity.
    pub calls: Calls,
    /// Which kinds the cluster serves.
    pub kinds: Arc<KindCache>,
    /// What the cluster offers to templates.
    pub capabilities: Arc<ClusterCapabilities>,
    /// The live objects of all releases in the cluster, as metadata.
    pub children: Children,
    /// Which release records there are in the cluster.
    pub records: Records,
    /// Ends the watches of another cluster when nobody releases to it any more.
    watches: Option<Arc<DropGuard>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Target").finish_non_exhaustive()
    }
}

impl Target {
    /// A cluster as the client's own identity.
    pub fn new(client: &Client, timeout: Duration, children: Children, records: Records) -> Self {
        let kinds = Arc::new(KindCache::new(client.clone(), timeout));
        Self {
            calls: Calls::new(client.clone(), timeout),
            capabilities: Arc::new(ClusterCapabilities::new(client.clone(), kinds.clone())),
            kinds,
            children,
            records,
            watches: None,
        }
    }

    /// With watches that end with the last target of the cluster.
    fn with_watches_until(mut self, end: DropGuard) -> Self {
        self.watches = Some(Arc::new(end));
        self
    }

    /// The same cluster as another user.
    fn acting_as(&self, user: HeaderValue) -> Self {
        Self {
            calls: self.calls.through(acting_as(self.calls.client(), user)),
            kinds: self.kinds.clone(),
            capabilities: self.capabilities.clone(),
            children: self.children.clone(),
            records: self.records.clone(),
            watches: self.watches.clone(),
        }
    }
}

/// A client that acts as another user, through the connections of this one. The API server itself adds the groups of a service
/// account to its name, so that no right to impersonate groups is needed.
fn acting_as(client: &Client, user: HeaderValue) -> Client {
    let inner = client.clone();
    let service = service_fn(move |mut request: Request<Body>| {
        let inner = inner.clone();
        request.headers_mut().insert(IMPERSONATE_USER, user.clone());
        async move { inner.send(request).await }
    });
    Client::new(service, client.default_namespace())
}
