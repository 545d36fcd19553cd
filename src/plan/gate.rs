//! Whether an upgrade may begin now: who approved what, and which window of time is open.
//!
//! Pure and total. What the gate is asked about, and what goes on meanwhile, is decided in [`course`](super::course).

mod window;

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use self::window::Window;
use super::revision::{Identity, PostRenderingDigests};
use crate::api::helm_release::HelmReleaseSpec;
use crate::api::helm_release::gate::Approval;

/// How many hexadecimal digits stand for a change.
const DIGITS: usize = 12;

/// A gate that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The time zone of a window is not known.
    #[error(
        "spec.upgrade.gate.windows[{index}].timeZone: {name:?} is no time zone of the IANA database: write a name as it stands there, such as \
         Europe/Berlin, or leave it out for UTC"
    )]
    TimeZone {
        /// Position in the list.
        index: usize,
        /// As given.
        name: String,
    },
    /// The start of a window is no time of a day.
    #[error(
        "spec.upgrade.gate.windows[{index}].start: {start:?} is no time of a day: write hours and minutes, such as 22:00"
    )]
    Start {
        /// Position in the list.
        index: usize,
        /// As given.
        start: String,
    },
    /// A window is open for no time, or too long.
    #[error("spec.upgrade.gate.windows[{index}].duration: {duration} is not more than 0 and at most 168h")]
    Duration {
        /// Position in the list.
        index: usize,
        /// As given.
        duration: crate::api::Duration,
    },
}

/// What holds back the upgrades of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    approval: Approval,
    windows: Vec<Window>,
}

/// What the gate says of an upgrade that would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may begin.
    Open,
    /// It may not begin yet.
    Held(Hold),
}

/// What an upgrade waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Whether it is approved, or needs no approval.
    pub approved: bool,
    /// When the next window opens; `None` while one is open, or where there are none.
    pub opens_at: Option<Timestamp>,
}

impl Hold {
    /// When it is looked again if nothing happens before: when only a window is waited for, as it opens.
    pub fn until(self, now: Timestamp, interval: Duration) -> Timestamp {
        let Self { approved, opens_at } = self;
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        let at_interval = now.saturating_add(interval).unwrap_or(Timestamp::MAX);
        opens_at.filter(|_| approved).unwrap_or(at_interval)
    }
}

impl Gate {
    /// As the spec has it; one without a gate is always open.
    ///
    /// # Errors
    /// When a window cannot be understood.
    pub fn of(spec: &HelmReleaseSpec) -> Result<Self, GateError> {
        let gate = spec.upgrade.as_ref().and_then(|upgrade| upgrade.gate.as_ref());
        let Some(gate) = gate else {
            return Ok(Self::default());
        };
        let windows = gate.windows.iter().enumerate();
        Ok(Self {
            approval: gate.approval,
            windows: windows
                .map(|(index, window)| Window::of(index, window))
                .collect::<Result<_, _>>()?,
        })
    }

    /// What it says of a change; `approved` is the change that somebody approved.
    pub fn verdict(&self, change: &str, approved: Option<&str>, now: Timestamp) -> Verdict {
        let Self { approval, windows } = self;
        let approved = match approval {
            Approval::NotRequired => true,
            Approval::Required => approved == Some(change),
        };
        let is_open = windows.is_empty() || windows.iter().any(|window| window.is_open(now));
        if approved && is_open {
            return Verdict::Open;
        }
        let opens_at = windows.iter().filter_map(|window| window.opens_after(now)).min();
        Verdict::Held(Hold {
            approved,
            opens_at: opens_at.filter(|_| !is_open),
        })
    }
}

/// What stands for a change: the first digits of a digest of all that makes a revision another one.
pub fn change(identity: &Identity) -> String {
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version,
        app_version: _, // follows from the chart's digest
        chart_digest,
        oci_digest: _, // another manifest may have the same chart
        config_digest,
        post_rendering: PostRenderingDigests {
            post_renderers,
            common_metadata,
        },
    } = identity;
    let all = json!([
        release_name,
        namespace,
        chart_name,
        chart_version,
        chart_digest,
        config_digest,
        post_renderers,
        common_metadata,
    ]);
    let mut digits = format!("{:x}", Sha256::digest(all.to_string()));
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests;
