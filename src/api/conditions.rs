//! Conditions: their types and reasons, and how new ones are merged into a status.
//!
//! Pure: the time of a transition comes in. Knows what conditions mean; which are set is decided in `plan`.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message in bytes; longer ones are cut and say so.
pub const MAX_MESSAGE: usize = 4096;

macro_rules! names {
    ($(#[$enum_doc:meta])* $name:ident { $($(#[$doc:meta])+ $variant:ident),+ $(,)? }) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])+ $variant),+ }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as it stands in the object.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The one with the given name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

names! {
    /// Types of condition, in the order in which they stand in a status.
    ConditionType {
        /// The object is as its spec says. For a HelmRelease the summary of `Released`, `TestSuccess` and `Remediated`.
        Ready,
        /// Work is in progress. Absent otherwise.
        Reconciling,
        /// It does not work as it is: the retries are used up, or only a change can help. It is looked at again all the same, with
        /// backoff. Absent otherwise.
        Stalled,
        /// The last install, upgrade or uninstall.
        Released,
        /// The chart's tests on the current revision.
        TestSuccess,
        /// A failed action was remediated.
        Remediated,
        /// `spec.upgrade.gate` holds back an upgrade. Absent otherwise.
        Held,
        /// The live objects differ from the release.
        Drifted,
        /// Other field managers contest fields of the release.
        Conflicted,
        /// The spec sets fields that this version of Fairlead accepts but does not act on yet. Absent when there are none.
        FieldsIgnored,
        /// The artifact of a source is stored and can be used.
        ArtifactInStorage,
        /// The signature of an artifact was verified.
        SourceVerified,
    }
}

names! {
    /// Reasons of conditions and events. Those that Flux has too mean the same.
    Reason {
        /// An install succeeded.
        InstallSucceeded,
        /// An install failed.
        InstallFailed,
        /// An upgrade succeeded.
        UpgradeSucceeded,
        /// An upgrade failed.
        UpgradeFailed,
        /// The chart's tests succeeded.
        TestSucceeded,
        /// A test of the chart failed.
        TestFailed,
        /// The chart's tests are still to be run.
        AwaitingTests,
        /// A rollback succeeded.
        RollbackSucceeded,
        /// A rollback failed.
        RollbackFailed,
        /// An uninstall succeeded.
        UninstallSucceeded,
        /// An uninstall failed.
        UninstallFailed,
        /// Work is in progress.
        Progressing,
        /// An attempt failed and another will be made.
        ProgressingWithRetry,
        /// The source of the chart is not ready.
        SourceNotReady,
        /// The chart could not be fetched or read.
        ArtifactFailed,
        /// A HelmRelease that this one depends on is not ready.
        DependencyNotReady,
        /// The values could not be composed, or the chart refuses them.
        ValuesError,
        /// The chart could not be rendered.
        RenderFailed,
        /// The spec cannot be acted on as it is written.
        InvalidSpec,
        /// A CEL expression of the spec is invalid.
        InvalidCELExpression,
        /// The cluster could not be reached or refused the request.
        ClusterError,
        /// A reference to another namespace is not allowed, or the cluster denied access.
        AccessDenied,
        /// Objects did not become ready in time.
        HealthCheckFailed,
        /// Waiting for objects was ended by a change of the spec.
        HealthCheckCanceled,
        /// The state of the release could not be determined.
        StateError,
        /// Something failed for which there is no other reason.
        ReconcileError,
        /// The release's record says that another operation is in progress.
        PendingRelease,
        /// Helm's record of a revision could not be written.
        RecordNotWritten,
        /// All retries were used up.
        RetriesExceeded,
        /// There is no good revision to roll back to.
        MissingRollbackTarget,
        /// The live objects differ from the release.
        DriftDetected,
        /// The live objects are as the release says.
        NoDriftDetected,
        /// Another field manager contests fields, and the policy says to fail.
        ConflictFailed,
        /// Another field manager contests fields, and the policy says to try again.
        ConflictRetrying,
        /// Another field manager contests fields, and a person must decide.
        ConflictHandedOff,
        /// All contested fields were decided by the policy.
        ConflictsResolved,
        /// No other field manager contests a field.
        NoConflicts,
        /// A writer keeps overwriting a field, so corrections of it were stopped.
        FieldFight,
        /// A rule with an end in time has ended.
        RuleExpired,
        /// A contested field was left to its owner.
        FieldYielded,
        /// A contested field is owned beside its owner, with the owner's value.
        FieldAdopted,
        /// A contested field was taken.
        FieldForced,
        /// A field that the chart no longer sets is kept as it is until its next owner writes it.
        FieldHandedOver,
        /// An object was deleted and created again, because a field of it cannot be changed.
        ObjectRecreated,
        /// Fields were left out of an object because its kind does not have them.
        FieldsLeftOut,
        /// Fields of an earlier tool of the release became the release's.
        FieldsMigrated,
        /// A field, or the record of who owns it, was lost without a conflict.
        OwnershipLost,
        /// Admission set a field otherwise than it was applied.
        AdmissionOverride,
        /// An upgrade waits until somebody approves it.
        AwaitingApproval,
        /// An upgrade waits until a window of time opens.
        WindowClosed,
        /// The release is as it is deployed, and an upgrade is held back.
        UpgradeHeld,
        /// Reconciliation is suspended.
        Suspended,
        /// Differences were only reported, because the release is in shadow mode.
        ShadowCompared,
        /// Fields of the spec are accepted but not acted on yet.
        NotActedOn,
        /// Everything is done.
        Succeeded,
        /// The object failed for the reason in the message.
        Failed,
        /// A plugin refused the release or failed.
        PluginFailed,
        /// There is no signature by anybody who is trusted.
        VerificationError,
        /// An operator became the one that works.
        LeaderElection,
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known.
    Unknown,
}

impl ConditionStatus {
    /// The status as it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Which condition.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// What a person should know; cut at [`MAX_MESSAGE`] bytes.
    pub message: String,
}

impl ConditionUpdate {
    /// A condition to be set.
    pub fn new(
        type_: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status: status.into(),
            reason,
            message: message.into(),
        }
    }
}

/// Sets one condition and keeps the others, in the order of [`ConditionType`]; conditions of other writers stay behind them.
///
/// The transition time changes only with the status. Returns whether anything changed.
pub fn set(conditions: &mut Vec<Condition>, update: ConditionUpdate, generation: Option<i64>, now: &Time) -> bool {
    let ConditionUpdate {
        type_,
        status,
        reason,
        message,
    } = update;
    let mut next = Condition {
        last_transition_time: now.clone(),
        message: bounded(message),
        observed_generation: generation,
        reason: reason.as_str().to_owned(),
        status: status.as_str().to_owned(),
        type_: type_.as_str().to_owned(),
    };
    let Some(current) = conditions.iter_mut().find(|condition| condition.type_ == next.type_) else {
        let rank = rank(&next);
        let position = conditions
            .iter()
            .position(|other| self::rank(other) > rank)
            .unwrap_or(conditions.len());
        conditions.insert(position, next);
        return true;
    };
    if current.status == next.status {
        next.last_transition_time = current.last_transition_time.clone();
    }
    let changed = *current != next;
    *current = next;
    changed
}

/// Removes a condition. Returns whether it was there.
pub fn remove(conditions: &mut Vec<Condition>, type_: ConditionType) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_.as_str());
    conditions.len() != before
}

/// The condition of a type.
pub fn get(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// Whether a condition is there and `True`.
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    get(conditions, type_).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
}

/// Where a condition stands among the known ones; unknown ones come last.
fn rank(condition: &Condition) -> usize {
    ConditionType::ALL
        .iter()
        .position(|known| known.as_str() == condition.type_)
        .unwrap_or(usize::MAX)
}

/// The message with at most [`MAX_MESSAGE`] bytes.
fn bounded(mut message: String) -> String {
    const CUT: &str = "… (cut)";
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE - CUT.len();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str(CUT);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn ready(status: bool, reason: Reason, message: &str) -> ConditionUpdate {
        ConditionUpdate::new(ConditionType::Ready, status, reason, message)
    }

    #[test]
    fn the_transition_time_changes_only_with_the_status() {
        let mut conditions = Vec::new();
        assert!(set(
            &mut conditions,
            ready(false, Reason::Progressing, "a"),
            Some(1),
            &at(1)
        ));
        assert!(set(
            &mut conditions,
            ready(false, Reason::InstallFailed, "b"),
            Some(1),
            &at(2)
        ));
        assert_eq!(conditions[0].last_transition_time, at(1));
        assert!(!set(
            &mut conditions,
            ready(false, Reason::InstallFailed, "b"),
            Some(1),
            &at(3)
        ));
        assert!(set(
            &mut conditions,
            ready(true, Reason::InstallSucceeded, "c"),
            Some(1),
            &at(4)
        ));
        assert_eq!(conditions[0].last_transition_time, at(4));
        assert!(set(
            &mut conditions,
            ready(true, Reason::InstallSucceeded, "c"),
            Some(2),
            &at(5)
        ));
        assert_eq!((conditions.len(), conditions[0].observed_generation), (1, Some(2)));
    }

    #[test]
    fn the_order_does_not_depend_on_who_came_first() {
        let mut conditions = vec![Condition {
            type_: "example.com/Other".into(),
            status: "True".into(),
            reason: "Other".into(),
            message: String::new(),
            last_transition_time: at(0),
            observed_generation: None,
        }];
        for type_ in [ConditionType::Released, ConditionType::Ready, ConditionType::Conflicted] {
            set(
                &mut conditions,
                ConditionUpdate::new(type_, true, Reason::Succeeded, ""),
                None,
                &at(1),
            );
        }
        let types: Vec<_> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Ready", "Released", "Conflicted", "example.com/Other"]);
        assert!(is_true(&conditions, ConditionType::Ready));
        assert!(remove(&mut conditions, ConditionType::Ready));
        assert!(!remove(&mut conditions, ConditionType::Ready));
        assert!(!is_true(&conditions, ConditionType::Ready));
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let mut conditions = Vec::new();
        set(
            &mut conditions,
            ready(false, Reason::Failed, &"ä".repeat(MAX_MESSAGE)),
            None,
            &at(1),
        );
        assert!(conditions[0].message.len() <= MAX_MESSAGE);
        assert!(conditions[0].message.ends_with("ä… (cut)"));
    }

    #[test]
    fn names_are_found_again() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(*reason));
        }
        assert_eq!(ConditionType::from_name("Nothing"), None);
    }
}
