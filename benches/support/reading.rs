//! What a running operator and the API server have used up to a moment: requests, processor time, memory.

use std::time::{Duration, Instant};

use fairlead_controlplane::{ControlPlane, RequestCounts, RequestKind};

use crate::support::Result;
use crate::support::installation::Installation;

/// What was used and asked for up to a moment.
pub(crate) struct Reading {
    at: Instant,
    requests: RequestCounts,
    server: Duration,
    operator: Duration,
}

impl Reading {
    pub(crate) async fn of(installation: &Installation) -> Result<Self> {
        let plane = installation.plane;
        Ok(Self {
            requests: plane.request_counts().await?,
            server: plane.apiserver_cpu().await?,
            operator: processor_time(installation.operator.process_id())?,
            at: Instant::now(),
        })
    }
}

/// What something cost.
pub(crate) struct Cost {
    pub(crate) requests: RequestCounts,
    pub(crate) server: Duration,
    pub(crate) operator: Duration,
    pub(crate) took: Duration,
}

impl Cost {
    pub(crate) async fn since(before: &Reading, installation: &Installation) -> Result<Self> {
        let after = Reading::of(installation).await?;
        Ok(Self {
            requests: after.requests.since(&before.requests).filter(is_asked),
            server: after.server.saturating_sub(before.server),
            operator: after.operator.saturating_sub(before.operator),
            took: after.at.duration_since(before.at),
        })
    }
}

/// What somebody asks for because there is something to do.
pub(crate) fn is_asked(kind: &RequestKind) -> bool {
    !kind.is_heartbeat() && kind.verb != "WATCH"
}

/// Waits until nobody asks for anything any more: the record, the ledger and the events come after the status.
pub(crate) async fn rest(plane: &ControlPlane) -> Result {
    loop {
        let before = plane.request_counts().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let asked = plane.request_counts().await?.since(&before).filter(is_asked);
        if asked.total() == 0 {
            return Ok(());
        }
    }
}

/// User and system time of a process.
pub(crate) fn processor_time(process: u32) -> Result<Duration> {
    /// Linux counts in hundredths of a second on every architecture that it has.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may hold anything but ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> Result<u32> { Ok(fields.next().ok_or("a short stat")?.parse()?) };
    Ok(TICK * (ticks()? + ticks()?))
}
