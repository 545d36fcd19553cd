//! Runs the tests of a chart on a revision that is deployed.
//!
//! Edge by what it calls. Which test is next, and what became of it, is decided in `plan::hooks`.

use std::time::Duration;

use tracing::warn;

use super::action::{deployed, held};
use super::attempt::Desired;
use super::hooks::{self, Event, Progress};
use super::record::{self, Recorded};
use super::{Done, Next, ReconcileError, remediate};
use crate::api::conditions::{self, ConditionType};
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::plan::hooks::{has_failed, tests};
use crate::plan::outcome::Outcome;
use crate::plan::remedy::Aftermath;
use crate::plan::revision::Phase;
use crate::render::HookEvent;

/// Ends a reconcile of a release that is deployed: runs the chart's tests, each once for a revision, where the release asks for
/// them. A test that failed is run again after a while, unless failures are ignored.
pub(super) async fn tested(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
) -> Result<Done, ReconcileError> {
    let spec = &recorded.release().spec;
    let Some(options) = spec.test.clone().filter(|options| options.enable) else {
        return Ok(deployed(desired));
    };
    let timeout = options.timeout.unwrap_or_else(|| spec.effective_timeout());
    let tests = tests(&desired.rendering.hooks, &options.filters);
    let event = Event {
        hooks: &tests,
        event: HookEvent::Test,
        timeout: timeout.as_std(),
    };
    let action = desired.revision.action;
    let at_interval = |outcome| Done {
        outcome,
        ..deployed(desired)
    };
    let number = tests.len();
    if !hooks::is_due(recorded, event) {
        return Ok(at_interval(Outcome::Tested { action, number }));
    }
    if has_failed(&tests, HookEvent::Test, hooks::runs(recorded, HookEvent::Test)) {
        if options.ignore_failures {
            let known = conditions::get(&recorded.status().conditions, ConditionType::TestSuccess);
            let message = known.map(|known| known.message.clone()).unwrap_or_default();
            return Ok(at_interval(Outcome::TestFailed {
                action,
                message,
                ignored: true,
                aftermath: Aftermath::Uncounted,
            }));
        }
        if let Some(held) = held(recorded, memory) {
            return Ok(held);
        }
    }
    if desired.revision.phase != Some(Phase::Deployed) {
        // That it is deployed is recorded first: Helm, too, tests what is deployed.
        let progress = format!("running {number} tests of the chart");
        return Ok(Done {
            outcome: Outcome::Testing { action, progress },
            next: Next::After(Duration::ZERO),
        });
    }
    let message = match hooks::run(context, recorded, event).await {
        Ok(Progress::Done) => {
            tidy(context, recorded, memory, desired, event).await?;
            return Ok(at_interval(Outcome::Tested { action, number }));
        }
        Ok(Progress::Waiting { progress, deadline }) => {
            return Ok(Done {
                outcome: Outcome::Testing { action, progress },
                next: Next::At(deadline),
            });
        }
        Ok(Progress::Failed { message }) => message,
        Err(error) => error.to_string(),
    };
    warn!(revision = desired.revision.number, error = message, "test failed");
    let ignored = options.ignore_failures;
    let aftermath = remediate::aftermath_of_test(context, recorded, action);
    let failed = Outcome::TestFailed {
        action,
        message,
        ignored,
        aftermath,
    };
    Ok(if ignored && aftermath != Aftermath::Undone {
        at_interval(failed)
    } else {
        Done {
            outcome: failed,
            next: remediate::next(aftermath),
        }
    })
}

/// Deletes what the tests leave behind, where their policy says so. That they have succeeded is recorded before.
async fn tidy(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    event: Event<'_>,
) -> Result<(), ReconcileError> {
    if !hooks::leaves_something(event) {
        return Ok(());
    }
    let outcome = Outcome::Testing {
        action: desired.revision.action,
        progress: "the tests have succeeded".to_owned(),
    };
    record::begin(context, recorded, memory, &outcome).await?;
    if let Err(error) = hooks::tidy(context, recorded, event).await {
        warn!(%error, "the object of a test stays");
    }
    Ok(())
}
