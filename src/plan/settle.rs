//! Whether a revision whose objects are applied is ready, must wait, or has run out of time.
//!
//! Pure: health and time come in.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::api::listing::first_few;
use crate::health::{Health, State};
use crate::ownership::reference::ObjectReference;

/// How many objects that are not ready a message names.
const NAMED: usize = 3;

/// How long after objects were applied it is not told that they are not ready: controllers need a moment for what takes them no time,
/// and a status that says so would be as many writes as all that follows.
const UNTOLD: SignedDuration = SignedDuration::from_secs(1);

/// Where a revision stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// All objects are ready.
    Ready,
    /// Some are not, as is usual so soon after they were applied.
    JustApplied {
        /// As of [`Self::Waiting`].
        progress: String,
        /// From when on it counts as waiting.
        until: Timestamp,
    },
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
    match started.checked_add(UNTOLD) {
        Ok(until) if now < until => Settled::JustApplied { progress, until },
        Ok(_) | Err(_) => Settled::Waiting { progress, deadline },
    }
}

fn progress(total: usize, pending: &[&(ObjectReference, Health)]) -> String {
    let waits = pending
        .iter()
        .map(|(object, health)| format!("{} {}: {}", object.kind, object.qualified_name(), health.message));
    format!(
        "{}/{total} ready, waiting for {}",
        total - pending.len(),
        first_few(waits, pending.len(), NAMED, "; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, state: State, message: &str) -> (ObjectReference, Health) {
        let reference = ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("prod".into()),
            name: name.into(),
        };
        (
            reference,
            Health {
                state,
                message: message.into(),
            },
        )
    }

    fn settled(objects: &[(ObjectReference, Health)], now: i64) -> Settled {
        let at = |second| Timestamp::from_second(second).unwrap();
        settle(objects, at(100), Duration::from_mins(1), at(now))
    }

    #[test]
    fn all_current_is_ready_even_after_the_deadline() {
        assert_eq!(settled(&[], 101), Settled::Ready);
        assert_eq!(settled(&[object("web", State::Current, "ready")], 999), Settled::Ready);
    }

    #[test]
    fn progress_names_what_is_missing() {
        let objects = [
            object("a", State::Current, "ready"),
            object("b", State::InProgress, "1 of 3 pods ready"),
            object("c", State::NotFound, "does not exist"),
            object("d", State::Terminating, "is being deleted"),
            object("e", State::InProgress, "0 of 1 pods ready"),
        ];
        let progress = "1/5 ready, waiting for Deployment prod/b: 1 of 3 pods ready; Deployment prod/c: does not exist; \
            Deployment prod/d: is being deleted; and 1 more";
        let deadline = Timestamp::from_second(160).unwrap();
        assert_eq!(
            settled(&objects, 159),
            Settled::Waiting {
                progress: progress.into(),
                deadline
            }
        );
        assert_eq!(
            settled(&objects, 160),
            Settled::Failed {
                message: format!("not ready after 60s: {progress}")
            }
        );
    }

    #[test]
    fn what_was_applied_just_now_may_be_unready_for_a_second() {
        let objects = [object("a", State::InProgress, "0 of 1 pods ready")];
        let at = |second| Timestamp::from_second(second).unwrap();
        let progress = "0/1 ready, waiting for Deployment prod/a: 0 of 1 pods ready".to_owned();
        let just_applied = Settled::JustApplied {
            progress: progress.clone(),
            until: at(101),
        };
        assert_eq!(settled(&objects, 100), just_applied);
        let deadline = at(160);
        assert_eq!(settled(&objects, 101), Settled::Waiting { progress, deadline });
    }

    #[test]
    fn what_cannot_become_ready_is_not_waited_for() {
        let objects = [
            object("a", State::InProgress, "x"),
            object("b", State::Failed, "exceeded its progress deadline"),
        ];
        let message = "apps/v1 Deployment prod/b failed: exceeded its progress deadline";
        assert_eq!(
            settled(&objects, 101),
            Settled::Failed {
                message: message.into()
            }
        );
    }
}
