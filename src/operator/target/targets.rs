//! From a HelmRelease to its target, made once for each cluster and identity.
//!
//! Edge. A target is kept for as long as a release remembers it; the watches of another cluster end with its last target. A
//! kubeconfig is read anew at each reconcile, so that one that changed is used at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::http::HeaderValue;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::Api;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;

use super::Target;
use super::cluster::{self, Cluster, ClusterKey};
use super::error::TargetError;
use crate::api::HelmRelease;
use crate::operator::children::Children;
use crate::operator::clients::Clients;
use crate::operator::context::{Settings, Tenancy};
use crate::operator::follow::Follow;
use crate::operator::memory::ReleaseMemory;
use crate::operator::records::Records;

/// What tells one target from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetKey {
    cluster: ClusterKey,
    /// The user that is acted as; whoever Fairlead is in the cluster without one.
    user: Option<HeaderValue>,
}

/// A ServiceAccount, and where its name comes from.
struct Account {
    namespace: String,
    name: String,
    by: &'static str,
}

/// The targets of all releases.
pub struct Targets {
    client: Client,
    own: Arc<Target>,
    known: Mutex<HashMap<TargetKey, Weak<Target>>>,
    changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    follow: Follow,
    clients: Clients,
    tenancy: Tenancy,
    timeout: Duration,
    namespace: Option<String>,
}

impl Targets {
    /// With the cluster behind the client as the operator's own. Changes of children are told to `changed`.
    pub(in crate::operator) fn new(
        client: &Client,
        settings: &Settings,
        clients: Clients,
        follow: Follow,
        changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    ) -> Self {
        let namespace = settings.namespace.clone();
        let children = Children::new(client.clone(), changed.clone(), follow.token());
        let records = Records::new(client, &follow, namespace.as_deref());
        let timeout = settings.request_timeout;
        Self {
            client: client.clone(),
            own: Arc::new(Target::new(client, timeout, children, records)),
            known: Mutex::default(),
            changed,
            follow,
            clients,
            tenancy: settings.tenancy.clone(),
            timeout,
            namespace,
        }
    }

    /// The target of a release, which its memory keeps.
    ///
    /// # Errors
    /// When the spec does not say one that can be used.
    pub async fn of(&self, release: &HelmRelease, memory: &mut ReleaseMemory) -> Result<Arc<Target>, TargetError> {
        let before = memory.target.as_ref().map(|(_, target)| target.clone());
        let target = self.of_ending(release, memory).await?;
        let is_new = before.is_none_or(|before| !Arc::ptr_eq(&before, &target));
        if is_new
            && let Some(account) = self.account_here(release)
            && self.is_gone(&account).await
        {
            memory.target = None;
            let Account { namespace, name, by } = account;
            return Err(TargetError::NoServiceAccount { namespace, name, by });
        }
        Ok(target)
    }

    /// The target of a release that is being deleted: its ServiceAccount may be gone before it, and may still have rights.
    ///
    /// # Errors
    /// When the spec does not say one that can be used.
    pub async fn of_ending(
        &self,
        release: &HelmRelease,
        memory: &mut ReleaseMemory,
    ) -> Result<Arc<Target>, TargetError> {
        let user = self.account(release).map(|account| account.user()).transpose()?;
        let cluster = cluster::described(&self.client, release, self.timeout).await?;
        let key = TargetKey {
            cluster: cluster.key(),
            user,
        };
        if let Some((known, target)) = &memory.target
            && *known == key
        {
            return Ok(target.clone());
        }
        let target = match self.known(&key) {
            Some(target) => target,
            None => self.make(release, &key, cluster).await?,
        };
        memory.go_to(key, target.clone());
        Ok(target)
    }

    /// Whether the ServiceAccount that a release is released as is gone, as far as the operator can see.
    pub async fn account_is_gone(&self, release: &HelmRelease) -> bool {
        match self.account_here(release) {
            Some(account) => self.is_gone(&account).await,
            None => false,
        }
    }

    /// The ServiceAccount of the operator's own cluster that a release is released as.
    fn account_here(&self, release: &HelmRelease) -> Option<Account> {
        self.account(release).filter(|_| release.spec.kube_config.is_none())
    }

    async fn is_gone(&self, account: &Account) -> bool {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
        let read = tokio::time::timeout(self.timeout, accounts.get_metadata_opt(&account.name)).await;
        // Where it may not be looked at, the API server will say what is missing.
        matches!(read, Ok(Ok(None)))
    }

    /// The ServiceAccount that a release is released as.
    fn account(&self, release: &HelmRelease) -> Option<Account> {
        let (default, flag) = match &release.spec.kube_config {
            None => (&self.tenancy.default_service_account, "--default-service-account"),
            Some(_) => (
                &self.tenancy.default_kubeconfig_service_account,
                "--default-kubeconfig-service-account",
            ),
        };
        let own = release.spec.service_account_name.as_ref();
        let (name, by) = own
            .map(|name| (name, "spec.serviceAccountName"))
            .or_else(|| default.as_ref().map(|name| (name, flag)))?;
        Some(Account {
            namespace: release.own_namespace().to_owned(),
            name: name.clone(),
            by,
        })
    }

    fn known(&self, key: &TargetKey) -> Option<Arc<Target>> {
        if key.cluster == ClusterKey::Own && key.user.is_none() {
            return Some(self.own.clone());
        }
        self.lock().get(key).and_then(Weak::upgrade)
    }

    async fn make(&self, release: &HelmRelease, key: &TargetKey, cluster: Cluster) -> Result<Arc<Target>, TargetError> {
        let as_itself = TargetKey {
            cluster: key.cluster.clone(),
            user: None,
        };
        let base = if let Some(base) = self.known(&as_itself) {
            base
        } else {
            let client = cluster.connect(&self.client, &self.tenancy, &self.clients).await;
            let client = client.map_err(|problem| cluster::problem(release, problem))?;
            self.keep(as_itself, self.elsewhere(&client))
        };
        Ok(match &key.user {
            None => base,
            Some(user) => self.keep(key.clone(), base.acting_as(user.clone())),
        })
    }

    /// Another cluster, with watches of its own.
    fn elsewhere(&self, client: &Client) -> Target {
        let follow = self.follow.for_a_while();
        let end = follow.token();
        let children = Children::new(client.clone(), self.changed.clone(), end.clone());
        let records = Records::one_by_one(client, &follow, self.namespace.as_deref());
        Target::new(client, self.timeout, children, records).with_watches_until(end.drop_guard())
    }

    fn keep(&self, key: TargetKey, target: Target) -> Arc<Target> {
        let mut known = self.lock();
        // Another release may have been faster.
        if let Some(target) = known.get(&key).and_then(Weak::upgrade) {
            return target;
        }
        known.retain(|_, target| target.strong_count() > 0);
        let target = Arc::new(target);
        known.insert(key, Arc::downgrade(&target));
        target
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetKey, Weak<Target>>> {
        // No code path panics while it holds the lock; were it so, the map is still whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// The account as a user.
    fn user(&self) -> Result<HeaderValue, TargetError> {
        let user = format!("system:serviceaccount:{}:{}", self.namespace, self.name);
        HeaderValue::try_from(user).map_err(|_| TargetError::ServiceAccountName {
            name: self.name.clone(),
        })
    }
}
