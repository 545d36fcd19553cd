//! How an operator's clients are made: each counts its requests and writes only while the operator leads.
//!
//! Edge. Knows no cluster and no identity.

use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::{Client, Config};

use super::leadership::fence::Fence;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::requests::CountRequests;

/// How long connecting to an API server may take; one that is connected may be silent for longer, as watches are.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What stands around every client.
#[derive(Clone)]
pub struct Clients {
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// What writes must pass.
    pub fence: Fence,
}

impl Clients {
    /// Clients of one process.
    pub fn new(metrics: &Arc<Metrics>, fence: Fence) -> Self {
        Self {
            metrics: metrics.clone(),
            fence,
        }
    }

    /// A client with connections of its own.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn connect(&self, mut config: Config) -> kube::Result<Client> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let builder = ClientBuilder::try_from(config)?.with_layer(&CountRequests(self.metrics.clone()));
        Ok(builder.with_layer(&self.fence).build())
    }
}
