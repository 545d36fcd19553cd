//! Flags that Helm accepts for this command and that change nothing in what it prints, so that scripts keep working; and
//! those that it obeys and we do not, which are refused.
//!
//! They are hidden from the help: nobody should learn them here.

use clap::Args;

/// Flags that are read and not used: they are about a cluster, an installation, or Helm's own files.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct AcceptedArguments {
    #[arg(long, hide = true)]
    burst_limit: Option<i32>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(long, hide = true)]
    colour: Option<String>,
    #[arg(long, hide = true)]
    content_cache: Option<String>,
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    dependency_update: bool,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    dry_run: Option<String>,
    #[arg(long, hide = true)]
    force_conflicts: bool,
    #[arg(long, hide = true, alias = "force")]
    force_replace: bool,
    #[arg(long, hide = true)]
    hide_notes: bool,
    #[arg(long, hide = true)]
    keyring: Option<String>,
    #[arg(long, hide = true)]
    kube_apiserver: Option<String>,
    #[arg(long, hide = true)]
    kube_as_group: Vec<String>,
    #[arg(long, hide = true)]
    kube_as_user: Option<String>,
    #[arg(long, hide = true)]
    kube_ca_file: Option<String>,
    #[arg(long, hide = true)]
    kube_context: Option<String>,
    #[arg(long, hide = true)]
    kube_insecure_skip_tls_verify: bool,
    #[arg(long, hide = true)]
    kube_tls_server_name: Option<String>,
    #[arg(long, hide = true)]
    kube_token: Option<String>,
    #[arg(long, hide = true)]
    kubeconfig: Option<String>,
    #[arg(short, long, hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    post_renderer: Option<String>,
    #[arg(long, hide = true)]
    post_renderer_args: Vec<String>,
    #[arg(long, hide = true)]
    qps: Option<f32>,
    #[arg(long, hide = true)]
    registry_config: Option<String>,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(long, hide = true)]
    repository_cache: Option<String>,
    #[arg(long, hide = true)]
    repository_config: Option<String>,
    #[arg(long, hide = true, alias = "atomic")]
    rollback_on_failure: bool,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    server_side: Option<String>,
    #[arg(long, hide = true)]
    take_ownership: bool,
    #[arg(long, hide = true)]
    timeout: Option<String>,
    #[arg(long, hide = true)]
    validate: bool,
    #[arg(long, hide = true)]
    verify: bool,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "watcher", require_equals = true)]
    wait: Option<String>,
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
}

/// A flag of Helm's that asks for what this command does not do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsupported {
    #[error("invalid dry-run value (\"none\"). Must be \"server\" or \"client\"")]
    NoDryRun,
    #[error("invalid dry-run value ({0:?}). Must be \"none\", \"server\", or \"client\"")]
    DryRun(String),
    #[error(
        "{0} asks a cluster, and this command renders without one: give the output to \
         `kubectl apply --dry-run=server -f -`"
    )]
    Server(&'static str),
    #[error("--post-renderer is not supported: give the output to the post-renderer")]
    PostRenderer,
    #[error("--verify is not supported: verify the chart with `helm verify` first")]
    Verify,
}

impl AcceptedArguments {
    /// Refuses what would silently not be done.
    pub(super) fn check(&self) -> Result<(), Unsupported> {
        match self.dry_run.as_deref() {
            None | Some("client" | "true" | "false" | "unset") => {}
            Some("server") => return Err(Unsupported::Server("--dry-run=server")),
            Some("none") => return Err(Unsupported::NoDryRun),
            Some(other) => return Err(Unsupported::DryRun(other.to_owned())),
        }
        if self.validate {
            return Err(Unsupported::Server("--validate"));
        }
        if self.post_renderer.is_some() {
            return Err(Unsupported::PostRenderer);
        }
        if self.verify {
            return Err(Unsupported::Verify);
        }
        Ok(())
    }
}
