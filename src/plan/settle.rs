//! Whether a revision whose objects are applied is ready, must wait, or has run out of time.
//!
//! Pure: health and time come in.

use std::fmt::Write as _;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::health::{Health, State};
use crate::ownership::reference::ObjectReference;

/// How many objects that are not ready a message names.
const NAMED: usize = 3;

/// Where a revision stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// All objects are ready.
    Ready,
    /// Some are not, and there is time left.
    Waiting {
        /// `3/7 ready, waiting for ...`.
        progress: String,
        /// When the time is up.
        deadline: Timestamp,
    },
    /// Some are not, and the time is up; or one can never become ready.
    Failed {
        /// What is not ready, and why.
        message: String,
    },
}

/// Looks at the health of all objects that are awaited. `started` is when the revision's attempt began.
pub fn settle(objects: &[(ObjectReference, Health)], started: Timestamp, timeout: Duration, now: Timestamp) -> Settled {
    let pending: Vec<&(ObjectReference, Health)> = objects
        .iter()
        .filter(|(_, health)| health.state != State::Current)
        .collect();
    if pending.is_empty() {
        return Settled::Ready;
    }
    let progress = progress(objects.len(), &pending);
    if let Some((reference, health)) = pending.iter().find(|(_, health)| health.state == State::Failed) {
        return Settled::Failed {
            message: format!("{reference} failed: {}", health.message),
        };
    }
    let deadline = SignedDuration::try_from(timeout)
        .ok()
        .and_then(|timeout| started.checked_add(timeout).ok())
        .unwrap_or(Timestamp::MAX);
    if now >= deadline {
        return Settled::Failed {
            message: format!("not ready after {}s: {progress}", timeout.as_secs()),
        };
    }
    Settled::Waiting { progress, deadline }
}

fn progress(total: usize, pending: &[&(ObjectReference, Health)]) -> String {
    let mut text = format!("{}/{total} ready, waiting for ", total - pending.len());
    for (position, (reference, health)) in pending.iter().take(NAMED).enumerate() {
        let separator = if position == 0 { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{separator}{} {}: {}",
            reference.kind,
            reference.qualified_name(),
            health.message
        );
    }
    if pending.len() > NAMED {
        let _ = write!(text, "; and {} more", pending.len() - NAMED);
    }
    text
}
