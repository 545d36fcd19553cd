//! Access with the rights of a service account.

use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{AuthInfo, Kubeconfig};
use kube::{Api, Client};

use crate::control_plane::{configuration, read, write};
use crate::{ControlPlane, Error};

const TOKEN_SECONDS: i64 = 3600;

impl ControlPlane {
    /// A kubeconfig file with a token of the service account, which is made if there is none. It is good for an hour, and
    /// its current context has the account's namespace.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let kubeconfig = self.service_account(namespace, name).await?;
        let path = self
            .directory()
            .join("service-accounts")
            .join(format!("{namespace}.{name}.kubeconfig"));
        write(&path, &kubeconfig).await?;
        Ok(path)
    }

    /// A client with a token of the service account, which is made if there is none.
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> Result<Client, Error> {
        let kubeconfig = self.service_account(namespace, name).await?;
        let config = configuration(kubeconfig, self.kubeconfig_path()).await?;
        Client::try_from(config).map_err(Error::api("making a client"))
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<Kubeconfig, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        match accounts.create(&PostParams::default(), &account).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => {
                return Err(Error::api(format!("making the service account {namespace}/{name}"))(
                    error,
                ));
            }
        }
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await;
        let answer = answer.map_err(Error::api(format!("a token of the service account {namespace}/{name}")))?;
        let token = answer.status.and_then(|status| status.token).unwrap_or_default();

        let mut kubeconfig = read(self.kubeconfig_path())?;
        let current = kubeconfig.current_context.clone();
        kubeconfig
            .contexts
            .retain(|context| Some(&context.name) == current.as_ref());
        let users: Vec<String> = kubeconfig
            .contexts
            .iter_mut()
            .filter_map(|context| context.context.as_mut())
            .filter_map(|context| {
                context.namespace = Some(namespace.to_owned());
                context.user.clone()
            })
            .collect();
        kubeconfig.auth_infos.retain(|user| users.contains(&user.name));
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo {
                token: Some(token.clone().into()),
                ..AuthInfo::default()
            });
        }
        Ok(kubeconfig)
    }
}
