//! What holds upgrades back: approvals, and windows of time. And what a status says of an upgrade that is held.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Duration;

/// The longest duration of a window.
pub const LONGEST_WINDOW: Duration = Duration::from_mins(7 * 24 * 60);

/// When an upgrade may begin: `upgrade.gate`, where what is held back and what is not is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Whether each change waits until somebody approves it: `NotRequired` (default), or `Required`. It is approved by the annotation
    /// `fairlead.dev/approve` on this object with the value of `status.heldUpgrade.change`, which stands for exactly what would be
    /// released: the chart with its version and contents, the values and the post-renderers. Another change needs another approval;
    /// a retry of the same does not.
    #[serde(default)]
    pub approval: Approval,
    /// When upgrades may begin; what has begun goes on when a window closes. None: at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub windows: Vec<GateWindow>,
}

/// Whether changes have to be approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Approval {
    /// No.
    #[default]
    NotRequired,
    /// Each.
    Required,
}

/// A window of time that comes again each week, or each day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateWindow {
    /// The days on which it opens, in its time zone. None: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7), extend("x-kubernetes-list-type" = "atomic"))]
    pub days: Vec<Weekday>,
    /// When it opens, in its time zone, such as `22:00`. Where clocks are put forward over that time it opens as much later, and where
    /// they show it twice, at the first.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub start: String,
    /// How long it is open, more than 0 and at most 168h, over midnight too. It is as long when clocks are changed meanwhile.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-validations" = [{
            "rule": "duration(self) > duration('0s') && duration(self) <= duration('168h')",
            "message": "must be more than 0 and at most 168h"
        }])
    )]
    pub duration: Duration,
    /// Name of its time zone in the IANA database, such as `Europe/Berlin`; the database is part of Fairlead. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// An upgrade that `spec.upgrade.gate` holds back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldUpgrade {
    /// Version of the chart that would be released.
    pub chart_version: String,
    /// What stands for the change: the value of the annotation `fairlead.dev/approve` that approves it.
    pub change: String,
    /// Whether it is approved, or needs no approval.
    pub approved: bool,
    /// When the next window opens; not set while one is open, or where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Time>,
}
