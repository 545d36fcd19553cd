//! The flags of leader election.
//!
//! Edge. Their names and meaning are those that operators built with controller-runtime have.

use crate::api::duration::Duration;
use crate::operator::leadership::ElectionSettings;
use crate::plan::election::{Timing, TimingError};

/// Flags that say whether several operators share the work, and how fast they take over.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
pub(super) struct ElectionArguments {
    /// Work only while holding a lease, so that of several operators one works and the others stand by
    #[arg(long, env = "FAIRLEAD_ENABLE_LEADER_ELECTION")]
    enable_leader_election: bool,
    /// Namespace of the lease; without it, in a cluster that of the Pod, else that of the kubeconfig's context
    #[arg(long, value_name = "NAMESPACE")]
    leader_election_namespace: Option<String>,
    /// How long a stand-by waits after the last sign of life of the one that works, in whole seconds
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    leader_election_lease_duration: Duration,
    /// How long the one that works tries to renew its lease before it ends; shorter than the lease
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    leader_election_renew_deadline: Duration,
    /// How often the lease is renewed, or tried to be had
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    leader_election_retry_period: Duration,
}

impl ElectionArguments {
    /// What they ask for, from an operator for one namespace or for all; nothing without an election.
    pub(super) fn settings(self, scope: Option<&str>) -> Result<Option<ElectionSettings>, TimingError> {
        let Self {
            enable_leader_election,
            leader_election_namespace,
            leader_election_lease_duration,
            leader_election_renew_deadline,
            leader_election_retry_period,
        } = self;
        let timing = Timing::new(
            leader_election_lease_duration.into(),
            leader_election_renew_deadline.into(),
            leader_election_retry_period.into(),
        )?;
        Ok(enable_leader_election.then(|| ElectionSettings {
            namespace: leader_election_namespace,
            scope: scope.map(str::to_owned),
            instance: instance(),
            timing,
        }))
    }
}

/// The Pod's name, or the machine's.
fn instance() -> String {
    std::env::var("POD_NAME").unwrap_or_else(|_| rustix::system::uname().nodename().to_string_lossy().into_owned())
}
