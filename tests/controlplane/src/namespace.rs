//! Namespaces of a test's own.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as Object, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config, ResourceExt as _};

use crate::{ControlPlane, Error};

const ACCOUNT_TIMEOUT: Duration = Duration::from_mins(1);
const DELETE_TIMEOUT: Duration = Duration::from_secs(5);

/// A namespace with a unique name. Dropping it asks for its deletion, without waiting for the end of that.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    config: Config,
}

impl ControlPlane {
    /// Makes a namespace whose name starts with the prefix and a dash, and waits for its default service account, without
    /// which no Pod can be made.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace, Error> {
        let client = self.client()?;
        let object = Object {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                ..ObjectMeta::default()
            },
            ..Object::default()
        };
        let made = Api::all(client.clone()).create(&PostParams::default(), &object).await;
        let name = made
            .map_err(Error::api(format!("making a namespace {prefix}-*")))?
            .name_any();
        let namespace = Namespace {
            name,
            config: self.config().clone(),
        };
        if self.runs("kube-controller-manager") {
            let accounts: Api<ServiceAccount> = Api::namespaced(client, &namespace);
            let made = await_condition(accounts, "default", |account: Option<&ServiceAccount>| {
                account.is_some()
            });
            let late = Error::Deadline {
                what: format!("the service account `default` in {namespace}"),
                seconds: ACCOUNT_TIMEOUT.as_secs(),
            };
            let _ = tokio::time::timeout(ACCOUNT_TIMEOUT, made).await.map_err(|_| late)?;
        }
        Ok(namespace)
    }
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for Namespace {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if crate::keep() {
            return;
        }
        let (name, config) = (std::mem::take(&mut self.name), self.config.clone());
        // The caller's runtime may be ending, so the request gets its own. A namespace that stays harms nobody: names are
        // unique, and the control plane is thrown away.
        let deletion = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    if let Ok(client) = Client::try_from(config) {
                        let namespaces: Api<Object> = Api::all(client);
                        let parameters = DeleteParams::default();
                        let _ = tokio::time::timeout(DELETE_TIMEOUT, namespaces.delete(&name, &parameters)).await;
                    }
                });
            }
        });
        let _ = deletion.join();
    }
}
