//! The operator as a part of another program: all that embedding it takes.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fairlead::operator::admin::{AdminError, AdminServer, Readiness};
use fairlead::operator::context::{Settings, Tenancy};
use fairlead::operator::leadership::fence::Fence;
use fairlead::operator::{Operator, OperatorError};
use fairlead::telemetry::metrics::Metrics;
use kube::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::DemoError;

/// An operator that runs in this process.
pub(crate) struct Embedded {
    shutdown: CancellationToken,
    operator: Option<JoinHandle<Result<(), OperatorError>>>,
    admin: JoinHandle<Result<(), AdminError>>,
    url: String,
}

impl Embedded {
    /// Starts the operator, and its admin server on a free port.
    pub(crate) async fn start(client: Client) -> Result<Self, DemoError> {
        let (metrics, readiness) = (Arc::new(Metrics::default()), Readiness::default());
        let listen = ([127, 0, 0, 1], 0).into();
        let admin = AdminServer::bind(listen, Arc::clone(&metrics), readiness.clone()).await?;
        let address = admin.address().map_err(DemoError::io("the admin server's address"))?;
        let operator = Operator {
            client,
            settings: Settings {
                concurrency: 10,
                parallel_writes: NonZeroUsize::MIN.saturating_add(7),
                request_timeout: Duration::from_secs(30),
                namespace: None,
                chart_cache: None,
                limits: fairlead::template::Limits::default(),
                interval_jitter: 5,
                tenancy: Tenancy::default(),
            },
            metrics,
            readiness,
            fence: Fence::none(),
        };
        let shutdown = CancellationToken::new();
        Ok(Self {
            admin: tokio::spawn(admin.serve(shutdown.clone())),
            operator: Some(tokio::spawn(operator.run(shutdown.clone()))),
            shutdown,
            url: format!("http://{address}"),
        })
    }

    /// The address of the admin server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Completes when the operator ends although nobody told it to, and says why.
    pub(crate) async fn ended(&mut self) -> DemoError {
        let Some(operator) = &mut self.operator else {
            return DemoError::OperatorEnded;
        };
        let ended = operator.await;
        self.operator = None;
        match ended {
            Ok(Err(error)) => error.into(),
            Ok(Ok(())) | Err(_) => DemoError::OperatorEnded,
        }
    }

    /// Tells the operator to end, and waits for running reconciles.
    pub(crate) async fn stop(self) -> Result<(), DemoError> {
        self.shutdown.cancel();
        if let Some(operator) = self.operator {
            operator.await.map_err(|_| DemoError::OperatorEnded)??;
        }
        self.admin.await.map_err(|_| DemoError::OperatorEnded)??;
        Ok(())
    }
}
