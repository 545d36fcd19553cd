//! From a kubeconfig that a release names to a client.
//!
//! Edge. Who may write a Secret must not thereby run programs in the operator, read its files, or have its traffic read: what a
//! kubeconfig says of that kind is refused.

use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::error::ClusterProblem;
use crate::operator::context::Tenancy;

/// What to do instead of naming a file.
const NO_FILES: &str = "put the content into the kubeconfig (the fields that end with -data, or token)";

/// The configuration of a client, from the text of a kubeconfig and its current context.
///
/// # Errors
/// When it is no kubeconfig, or says something that is refused.
pub async fn configuration(text: &str, tenancy: &Tenancy) -> Result<Config, ClusterProblem> {
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| unusable(&error))?;
    for cluster in kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref()) {
        check_cluster(cluster, tenancy)?;
    }
    for user in kubeconfig
        .auth_infos
        .iter()
        .filter_map(|named| named.auth_info.as_ref())
    {
        check_user(user, tenancy)?;
    }
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.map_err(|error| unusable(&error))
}

/// The parser's own messages quote lines.
fn unusable(error: &KubeconfigError) -> ClusterProblem {
    ClusterProblem::Unusable(match error {
        KubeconfigError::Parse(_) => "it is not a kubeconfig".to_owned(),
        error => error.to_string(),
    })
}

fn check_cluster(cluster: &Cluster, tenancy: &Tenancy) -> Result<(), ClusterProblem> {
    if cluster.certificate_authority.is_some() {
        return Err(refused("certificate-authority", NO_FILES));
    }
    let is_plain = cluster
        .server
        .as_ref()
        .is_some_and(|server| !server.starts_with("https://"));
    if !tenancy.kubeconfig_insecure_tls && (is_plain || cluster.insecure_skip_tls_verify == Some(true)) {
        let what = if is_plain {
            "a server without https"
        } else {
            "insecure-skip-tls-verify"
        };
        let way_out = "give certificate-authority-data, or start the controller with --insecure-kubeconfig-tls";
        return Err(refused(what, way_out));
    }
    Ok(())
}

fn check_user(user: &AuthInfo, tenancy: &Tenancy) -> Result<(), ClusterProblem> {
    let files = [
        ("tokenFile", &user.token_file),
        ("client-certificate", &user.client_certificate),
        ("client-key", &user.client_key),
    ];
    if let Some((what, _)) = files.into_iter().find(|(_, file)| file.is_some()) {
        return Err(refused(what, NO_FILES));
    }
    if !tenancy.kubeconfig_exec {
        let way_out = "use a token or a client certificate, or start the controller with --insecure-kubeconfig-exec";
        if user.exec.is_some() {
            return Err(refused("exec", way_out));
        }
        if user.auth_provider.is_some() {
            return Err(refused("auth-provider", way_out));
        }
    }
    // Acting as the kubeconfig's own user instead would be more than it says.
    if user.impersonate.is_some() || user.impersonate_uid.is_some() || user.impersonate_groups.is_some() {
        return Err(refused("as", "set spec.serviceAccountName"));
    }
    Ok(())
}

const fn refused(what: &'static str, way_out: &'static str) -> ClusterProblem {
    ClusterProblem::Refused { what, way_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "
apiVersion: v1
kind: Config
current-context: main
contexts: [{name: main, context: {cluster: far, user: me}}]
clusters: [{name: far, cluster: {server: 'https://far.example.com:6443'}}]
users: [{name: me, user: {token: hunter2}}]
";

    async fn outcome(text: &str, tenancy: &Tenancy) -> Result<String, String> {
        let config = configuration(text, tenancy).await.map_err(|error| error.to_string())?;
        Ok(config.cluster_url.to_string())
    }

    #[tokio::test]
    async fn a_kubeconfig_with_a_token_is_used() {
        let url = outcome(PLAIN, &Tenancy::default()).await;
        assert_eq!(url.unwrap(), "https://far.example.com:6443/");
    }

    #[tokio::test]
    async fn what_reaches_into_the_operator_is_refused() {
        for (replaced, by, named) in [
            ("token: hunter2", "tokenFile: /var/run/secrets/token", "tokenFile"),
            ("token: hunter2", "client-key: /key", "client-key"),
            (
                "token: hunter2",
                "client-certificate: /certificate",
                "client-certificate",
            ),
            (
                "token: hunter2",
                "exec: {command: sh, apiVersion: client.authentication.k8s.io/v1}",
                "exec",
            ),
            ("token: hunter2", "auth-provider: {name: gcp}", "auth-provider"),
            ("token: hunter2", "as: admin", "as,"),
            ("token: hunter2", "as-groups: ['system:masters']", "as,"),
            ("6443'", "6443', certificate-authority: /ca", "certificate-authority"),
            (
                "6443'",
                "6443', insecure-skip-tls-verify: true",
                "insecure-skip-tls-verify",
            ),
            ("https://", "http://", "a server without https"),
        ] {
            let text = PLAIN.replace(replaced, by);
            let error = outcome(&text, &Tenancy::default()).await.unwrap_err();
            assert!(error.contains("refused") && error.contains(named), "{by}: {error}");
        }
    }

    #[tokio::test]
    async fn flags_allow_programs_and_insecure_connections_but_no_files() {
        let tenancy = Tenancy {
            kubeconfig_exec: true,
            kubeconfig_insecure_tls: true,
            ..Tenancy::default()
        };
        assert!(outcome(&PLAIN.replace("https://", "http://"), &tenancy).await.is_ok());
        let exec = PLAIN.replace(
            "token: hunter2",
            "exec: {command: 'true', apiVersion: client.authentication.k8s.io/v1}",
        );
        assert!(outcome(&exec, &tenancy).await.is_ok());
        let file = PLAIN.replace("token: hunter2", "tokenFile: /var/run/secrets/token");
        assert!(outcome(&file, &tenancy).await.unwrap_err().contains("tokenFile"));
    }

    #[tokio::test]
    async fn an_error_quotes_nothing_of_the_kubeconfig() {
        for text in [
            "users: [{name: me, user: {token: [hunter2]}}]",
            "hunter2",
            "a: 'hunter2\n b",
        ] {
            let error = outcome(text, &Tenancy::default()).await.unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
