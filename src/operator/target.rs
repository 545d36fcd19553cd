//! Where a release is released to, and as whom: one cluster under one identity.
//!
//! Edge. Everything that a reconcile asks of the cluster with the release's objects, or does there, goes through a [`Target`].
//! What is known of a cluster (kinds, versions, watches) is shared by all identities in it, and is watched with the operator's
//! own rights; only calls are made under the identity.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;

use tower::service_fn;

use super::capabilities::ClusterCapabilities;
use super::children::Children;
use super::memory::ReleaseMemory;
use super::records::Records;
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::cluster::calls::Calls;
use crate::cluster::discovery::KindCache;

/// The header by which the API server is asked to let somebody act as somebody else.
const IMPERSONATE_USER: &str = "Impersonate-User";

/// A release cannot be released to where, or as whom, its spec says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The name of the service account cannot stand in a request.
    #[error("spec.serviceAccountName {name:?} is not the name of a ServiceAccount")]
    ServiceAccountName {
        /// As given.
        name: String,
    },
}

impl TargetError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ServiceAccountName { .. } => Reason::InvalidSpec,
        }
    }

    /// Whether it may pass without a change of the spec.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::ServiceAccountName { .. } => false,
        }
    }
}

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
        }
    }

    /// The same cluster as another user.
    fn acting_as(&self, user: &HeaderValue) -> Self {
        Self {
            calls: self.calls.through(acting_as(self.calls.client(), user)),
            kinds: self.kinds.clone(),
            capabilities: self.capabilities.clone(),
            children: self.children.clone(),
            records: self.records.clone(),
        }
    }
}

/// A client that acts as another user, through the connections of this one. The API server itself adds the groups of a service
/// account to its name.
fn acting_as(client: &Client, user: &HeaderValue) -> Client {
    let (inner, user) = (client.clone(), user.clone());
    let service = service_fn(move |mut request: Request<Body>| {
        let inner = inner.clone();
        request.headers_mut().insert(IMPERSONATE_USER, user.clone());
        async move { inner.send(request).await }
    });
    Client::new(service, client.default_namespace())
}

/// What tells one target from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetKey {
    /// The user that is acted as; the operator itself without one.
    user: Option<HeaderValue>,
}

impl TargetKey {
    fn of(release: &HelmRelease) -> Result<Self, TargetError> {
        let user = release.spec.service_account_name.as_ref().map(|name| {
            let user = format!("system:serviceaccount:{}:{name}", release.own_namespace());
            HeaderValue::try_from(user).map_err(|_| TargetError::ServiceAccountName { name: name.clone() })
        });
        Ok(Self {
            user: user.transpose()?,
        })
    }
}

/// The targets of all releases. A target is kept for as long as a release remembers it.
pub struct Targets {
    own: Arc<Target>,
    known: Mutex<HashMap<TargetKey, Weak<Target>>>,
}

impl Targets {
    /// With the operator's own cluster as its own identity.
    pub fn new(own: Target) -> Self {
        Self {
            own: Arc::new(own),
            known: Mutex::default(),
        }
    }

    /// The target of a release, which its memory keeps.
    ///
    /// # Errors
    /// When the spec does not say one that can be reached.
    pub fn of(&self, release: &HelmRelease, memory: &mut ReleaseMemory) -> Result<Arc<Target>, TargetError> {
        let key = TargetKey::of(release)?;
        if let Some((known, target)) = &memory.target
            && *known == key
        {
            return Ok(target.clone());
        }
        let target = self.find(&key);
        memory.target = Some((key, target.clone()));
        Ok(target)
    }

    fn find(&self, key: &TargetKey) -> Arc<Target> {
        let Some(user) = &key.user else {
            return self.own.clone();
        };
        // No code path panics while it holds the lock; were it so, the map is still whole.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(key).and_then(Weak::upgrade) {
            return target;
        }
        known.retain(|_, target| target.strong_count() > 0);
        let target = Arc::new(self.own.acting_as(user));
        known.insert(key.clone(), Arc::downgrade(&target));
        target
    }
}
