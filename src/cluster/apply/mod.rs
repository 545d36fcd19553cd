//! Server-side apply of a release's objects, in two phases: **decide** reads and dry-runs, **write** writes.
//!
//! The promises that are kept here:
//! * Nothing is written while a contested field of any object says stop: [`Applier::decide`] writes nothing.
//! * `force` is sent only with the resourceVersion and uid that the decision was made on. If the object changed since,
//!   it is decided anew, a bounded number of times.
//! * A yielded field is left out for as long as somebody else holds it, and comes back when nobody does.
//! * A client-side apply writes exactly the object that the decision was made on.
//! * What did not change is not written, and not even read when the caller has seen its resourceVersion.

mod ask;
mod client_side;
mod contest;
mod decide;
mod error;
mod exclusion;
mod losses;
mod predecessor;
mod preflight;
mod recreate;
mod resolve;
mod review;
mod shadow;
mod types;
mod undeclared;
mod write;
mod yielding;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

pub use error::ApplyError;
pub use shadow::Shadowed;
pub use types::{
    Adoption, Applied, ApplyRequest, ApplySettings, Comparison, Decided, ObjectPlan, Observed, Operation, UnknownFields,
};

use decide::Care;

use super::calls::Calls;
use super::discovery::KindCache;
use crate::ownership::policy::Moment;

/// How often one object is decided anew because it changed in between.
pub const MAX_ROUNDS: usize = 8;
/// The wait before the second round; it doubles with each. All rounds together outlast the burst of status updates that a
/// rollout begins with, each of which moves the resourceVersion.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Waits before a round that follows on one in which the object changed.
async fn pause_before(round: usize) {
    if let Some(doublings) = u32::try_from(round).ok().and_then(|round| round.checked_sub(1)) {
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << doublings.min(10))).await;
    }
}

/// Applies the objects of one release.
#[derive(Debug, Clone)]
pub struct Applier {
    calls: Calls,
    kinds: Arc<KindCache>,
    settings: Arc<ApplySettings>,
}

impl Applier {
    /// An applier for one release.
    pub const fn new(calls: Calls, kinds: Arc<KindCache>, settings: Arc<ApplySettings>) -> Self {
        Self { calls, kinds, settings }
    }

    /// Decides about every object without writing anything: objects that somebody else also writes are dry-run.
    ///
    /// The results are in the order of the requests.
    pub async fn decide(&self, requests: Vec<ApplyRequest>, moment: Moment) -> Decided {
        let autoscalers = types::autoscalers(requests.iter().map(|request| &request.intent));
        let decisions = requests.into_iter().map(|request| {
            let autoscalers = autoscalers.clone();
            async move { self.decide_one(request, autoscalers, moment, Care::Sparing).await }
        });
        let results: Vec<_> = futures::stream::iter(decisions)
            .buffered(self.settings.parallelism.get())
            .collect()
            .await;
        Decided::of(results)
    }

    /// Writes what was decided, in any order, at most `parallelism` at once; the results are in the order of the plans.
    ///
    /// Call it wave by wave, and only if [`Decided::stops`] is false for the whole release.
    pub async fn write(&self, plans: Vec<ObjectPlan>, moment: Moment) -> Vec<Result<Applied, ApplyError>> {
        let writes = plans.into_iter().map(|plan| self.write_one(plan, moment));
        futures::stream::iter(writes)
            .buffered(self.settings.parallelism.get())
            .collect()
            .await
    }

    /// Decides and writes one object.
    pub async fn apply(&self, request: ApplyRequest, moment: Moment) -> Result<Applied, ApplyError> {
        let autoscalers = types::autoscalers([&request.intent]);
        let plan = self.decide_one(request, autoscalers, moment, Care::Sparing).await?;
        self.write_one(plan, moment).await
    }
}
