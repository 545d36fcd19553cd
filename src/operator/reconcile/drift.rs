//! Drift of a deployed release is told: in the status, an event and a metric.
//!
//! Edge. What drift is, and what is done about it, is decided in `plan::drift`.

use kube::Resource as _;

use super::now;
use super::record::{Recorded, release_labels};
use crate::api::conditions::Reason;
use crate::api::helm_release::drift::DriftDetectionMode;
use crate::operator::context::Context;
use crate::ownership::drift::DriftedField;
use crate::plan::drift;
use crate::telemetry::events::Severity;

/// What is done about drift that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// It is corrected at once.
    Corrected,
    /// It stays, because the conflict policy says so.
    Contested,
    /// It is only reported.
    Reported,
}

/// Tells of drift that was found. The same drift is reported once.
pub(super) fn found(context: &Context, recorded: &mut Recorded, drifted: &[DriftedField], response: Response) {
    let generation = recorded.release().metadata.generation.unwrap_or_default();
    let is_corrected = response == Response::Corrected;
    if !drift::found(recorded.status_mut(), drifted, is_corrected, generation, &now()) {
        return;
    }
    let fields = u64::try_from(drifted.len()).unwrap_or(u64::MAX);
    context
        .shared
        .metrics
        .drifted(&release_labels(recorded.release()), fields);
    let (severity, what) = match response {
        Response::Corrected => (Severity::Normal, "is put right"),
        Response::Contested => (Severity::Warning, "stays, as the conflict policy says"),
        Response::Reported => (Severity::Warning, "stays, since spec.driftDetection.mode is warn"),
    };
    let note = format!("drift that {what}: {}", drift::summary(drifted));
    let about = recorded.release().object_ref(&());
    let events = &context.shared.events;
    events.publish(about, severity, Reason::DriftDetected, "correct drift", &note);
}

/// Tells that there is no drift any more, or that it is not looked for.
pub(super) fn ended(recorded: &mut Recorded, mode: DriftDetectionMode) {
    let generation = recorded.release().metadata.generation.unwrap_or_default();
    drift::ended(recorded.status_mut(), mode, generation, &now());
}
