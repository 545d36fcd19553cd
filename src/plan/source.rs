//! What the status of a source says after it was looked at.
//!
//! Pure. The same for every kind of source; how one is looked at is known elsewhere.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::retry::backoff;
use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::source_status::{Artifact, StatusParts};

/// What a look at a source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The artifact that it has now.
    Found(Fetched),
    /// It has no artifact of its own: its charts are looked up one by one.
    Static,
    /// It could not be looked at.
    Failed {
        /// What is told in `Ready`.
        reason: Reason,
        /// What, where, and the way out.
        message: String,
        /// Whether it may pass without a change of the source.
        retryable: bool,
    },
}

/// An artifact as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The digest of an index; `<version>@<digest of the manifest>` of an OCI artifact.
    pub revision: String,
    /// `sha256:...` of the content.
    pub digest: String,
    /// Bytes of the content.
    pub size: u64,
    /// Where it is, fit to be shown.
    pub url: String,
    /// Whether somebody who is trusted has signed it; `false` if nobody asked.
    pub is_verified: bool,
}

/// What a look was for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Generation of the source.
    pub generation: Option<i64>,
    /// The value of its annotation that asks for a look.
    pub requested_at: Option<&'a str>,
}

/// Writes what a look found into a status. The same finding gives the same status, whenever it is made. A source that cannot be looked
/// at keeps the artifact that it had: what was fetched stays in use.
pub fn tell(status: StatusParts<'_>, wanted: Wanted<'_>, look: Look, now: &Time) {
    let StatusParts {
        observed_generation,
        conditions,
        artifact,
        url,
        last_handled_reconcile_at,
    } = status;
    let Wanted {
        generation,
        requested_at,
    } = wanted;
    *observed_generation = generation;
    if let Some(requested_at) = requested_at {
        *last_handled_reconcile_at = Some(requested_at.to_owned());
    }
    let mut set = |type_, holds, reason, message: &str| {
        conditions::set(
            conditions,
            ConditionUpdate::new(type_, holds, reason, message),
            generation,
            now,
        );
    };
    let (mut is_stalled, mut is_unverified) = (false, false);
    match look {
        Look::Found(fetched) => {
            let message = format!("stored artifact {}", fetched.revision);
            is_unverified = !fetched.is_verified;
            if fetched.is_verified {
                let message = format!("verified signature of revision {}", fetched.revision);
                set(ConditionType::SourceVerified, true, Reason::Succeeded, &message);
            }
            set(ConditionType::Ready, true, Reason::Succeeded, &message);
            set(ConditionType::ArtifactInStorage, true, Reason::Succeeded, &message);
            *url = Some(fetched.url.clone());
            *artifact = Some(renewed(artifact.take(), fetched, now));
        }
        Look::Static => {
            let message = "a registry has no index: its charts are looked up when a release needs them";
            set(ConditionType::Ready, true, Reason::Succeeded, message);
            conditions::remove(conditions, ConditionType::ArtifactInStorage);
            (*url, *artifact) = (None, None);
        }
        Look::Failed {
            reason,
            message,
            retryable,
        } => {
            set(ConditionType::Ready, false, reason, &message);
            if reason == Reason::VerificationError {
                set(ConditionType::SourceVerified, false, reason, &message);
            }
            if !retryable {
                is_stalled = true;
                set(ConditionType::Stalled, true, reason, &message);
            }
        }
    }
    if !is_stalled {
        conditions::remove(conditions, ConditionType::Stalled);
    }
    if is_unverified {
        conditions::remove(conditions, ConditionType::SourceVerified);
    }
}

/// The artifact, with the time at which it was first seen.
fn renewed(known: Option<Artifact>, fetched: Fetched, now: &Time) -> Artifact {
    let Fetched {
        revision,
        digest,
        size,
        url: _,
        is_verified: _,
    } = fetched;
    let same = known.filter(|known| known.revision == revision && known.digest == digest);
    Artifact {
        revision,
        digest,
        last_update_time: same.map_or_else(|| now.clone(), |known| known.last_update_time),
        size: i64::try_from(size).ok(),
    }
}

/// When a source is looked at next: at its interval, or sooner after failures, whatever they were.
pub fn next_look(failures: u32, interval: Duration) -> Duration {
    if failures == 0 {
        interval
    } else {
        backoff(failures, interval)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::api::helm_repository::HelmRepositoryStatus;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn told(status: &mut HelmRepositoryStatus, look: Look, second: i64) {
        let wanted = Wanted {
            generation: Some(2),
            requested_at: None,
        };
        tell(status.parts(), wanted, look, &at(second));
    }

    fn found(revision: &str) -> Look {
        Look::Found(Fetched {
            revision: revision.to_owned(),
            digest: revision.to_owned(),
            size: 7,
            is_verified: false,
            url: "https://charts.example.com/index.yaml".to_owned(),
        })
    }

    fn failed(retryable: bool) -> Look {
        Look::Failed {
            reason: Reason::ArtifactFailed,
            message: "no answer".to_owned(),
            retryable,
        }
    }

    fn condition(status: &HelmRepositoryStatus, type_: ConditionType) -> Option<&str> {
        conditions::get(&status.conditions, type_).map(|condition| condition.status.as_str())
    }

    #[test]
    fn the_same_artifact_gives_the_same_status() {
        let mut status = HelmRepositoryStatus::default();
        told(&mut status, found("sha256:a"), 1);
        let first = status.clone();
        told(&mut status, found("sha256:a"), 2);
        assert_eq!(status, first);
        told(&mut status, found("sha256:b"), 3);
        let artifact = status.artifact.unwrap();
        assert_eq!(
            (artifact.revision.as_str(), artifact.last_update_time),
            ("sha256:b", at(3))
        );
    }

    #[test]
    fn what_was_fetched_stays_in_use_when_the_source_fails() {
        let mut status = HelmRepositoryStatus::default();
        told(&mut status, found("sha256:a"), 1);
        told(&mut status, failed(true), 2);
        assert_eq!(condition(&status, ConditionType::Ready), Some("False"));
        assert_eq!(condition(&status, ConditionType::ArtifactInStorage), Some("True"));
        assert!(status.artifact.is_some());
        told(&mut status, failed(false), 3);
        assert_eq!(condition(&status, ConditionType::Stalled), Some("True"));
        told(&mut status, found("sha256:a"), 4);
        assert_eq!(condition(&status, ConditionType::Stalled), None);
    }

    #[test]
    fn what_is_said_of_signatures_is_what_the_last_look_that_saw_them_found() {
        let mut status = HelmRepositoryStatus::default();
        let verified = |is_verified| match found("1.0.0@sha256:a") {
            Look::Found(fetched) => Look::Found(Fetched { is_verified, ..fetched }),
            other => other,
        };
        let unverified = || Look::Failed {
            reason: Reason::VerificationError,
            message: "it is not signed".to_owned(),
            retryable: false,
        };
        told(&mut status, verified(true), 1);
        assert_eq!(condition(&status, ConditionType::SourceVerified), Some("True"));
        told(&mut status, failed(true), 2);
        assert_eq!(condition(&status, ConditionType::SourceVerified), Some("True"));
        told(&mut status, unverified(), 3);
        assert_eq!(condition(&status, ConditionType::SourceVerified), Some("False"));
        assert_eq!(condition(&status, ConditionType::Ready), Some("False"));
        assert!(status.artifact.is_some(), "what was verified before stays");
        told(&mut status, verified(true), 4);
        assert_eq!(condition(&status, ConditionType::SourceVerified), Some("True"));
        told(&mut status, verified(false), 5);
        assert_eq!(condition(&status, ConditionType::SourceVerified), None);
    }

    #[test]
    fn a_registry_needs_no_artifact() {
        let mut status = HelmRepositoryStatus::default();
        told(&mut status, found("sha256:a"), 1);
        told(&mut status, Look::Static, 2);
        assert_eq!(condition(&status, ConditionType::Ready), Some("True"));
        assert_eq!((status.artifact, status.url), (None, None));
    }

    #[test]
    fn a_failing_source_is_looked_at_at_least_as_often_as_a_good_one() {
        let interval = Duration::from_mins(1);
        assert_eq!(next_look(0, interval), interval);
        assert!(next_look(1, interval) < interval);
        assert_eq!(next_look(u32::MAX, interval), interval);
    }
}
