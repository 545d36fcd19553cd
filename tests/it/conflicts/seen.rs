//! What a scenario saw of decisions about contested fields.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fairlead::api::HelmRelease;
use fairlead::api::helm_release::ownership_status::{ConflictClass, ConflictOutcome};
use fairlead::cluster::apply::{Applied, ApplyError, Decided};
use fairlead::ownership::conflict::Rejection;
use fairlead::ownership::contested::ContestedField;

use crate::support::Result;

/// What was decided about a field, or about the object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Decision {
    /// A field of another owner.
    About(ConflictClass, ConflictOutcome),
    /// The server refuses the object for its schema: the chart's fault, no conflict.
    Refused,
    /// A field that the chart dropped is kept for its owner to come.
    HandedOver,
}

impl Decision {
    /// Class and action as the document has them.
    pub(crate) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::About(class, action) => (class.as_str(), action.as_str()),
            Self::Refused => ("–", "refused"),
            Self::HandedOver => ("–", "handed over"),
        }
    }
}

/// Collects the decisions that one scenario sees. Clones collect together.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    test: &'static str,
    decisions: Arc<Mutex<BTreeSet<Decision>>>,
}

impl Seen {
    /// Nothing yet; `test` is the name of the scenario's test.
    pub(crate) fn by(test: &'static str) -> Self {
        Self {
            test,
            decisions: Arc::default(),
        }
    }

    /// A prefix for the names of namespaces, for example `row01`.
    pub(crate) fn prefix(&self) -> String {
        self.test.split('_').take(2).collect()
    }

    fn saw(&self, decisions: impl IntoIterator<Item = Decision>) {
        let mut all = self.decisions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.extend(decisions);
    }

    /// These fields were contested.
    pub(crate) fn fields<'a>(&self, contested: impl IntoIterator<Item = &'a ContestedField>) {
        let decision = |field: &ContestedField| Decision::About(field.class, field.action);
        self.saw(contested.into_iter().map(decision));
    }

    /// An object was applied.
    pub(crate) fn applied(&self, applied: &Applied) {
        self.fields(&applied.contested);
        self.saw((!applied.handed_over.is_empty()).then_some(Decision::HandedOver));
    }

    /// An object could not be applied.
    pub(crate) fn failed(&self, error: &ApplyError) {
        match error {
            ApplyError::Stopped { contested, .. } => self.fields(contested),
            ApplyError::Rejected {
                rejection: Rejection::Schema { .. },
                ..
            } => self.saw([Decision::Refused]),
            _ => {}
        }
    }

    /// A release was decided about.
    pub(crate) fn decided(&self, decided: &Decided) {
        for contest in decided.contests() {
            self.fields([&contest.contested]);
        }
        for error in &decided.failures {
            self.failed(error);
        }
    }

    /// The status of a release was read.
    pub(crate) fn status(&self, release: &HelmRelease) {
        let status = release.status.as_ref().and_then(|status| status.ownership.as_ref());
        let contested = status.into_iter().flat_map(|ownership| &ownership.contested);
        self.saw(contested.map(|field| Decision::About(field.class, field.action)));
    }

    /// The server refused an object for its schema.
    pub(crate) fn refused(&self) {
        self.saw([Decision::Refused]);
    }

    /// Fails unless exactly these decisions were seen.
    pub(crate) fn is(&self, expected: &[Decision]) -> Result {
        let seen = self.decisions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let expected: BTreeSet<Decision> = expected.iter().copied().collect();
        if *seen == expected {
            return Ok(());
        }
        Err(format!(
            "{}: the catalogue says {expected:?}, but the test saw {seen:?}",
            self.test
        )
        .into())
    }
}

/// What a scenario may return.
pub(crate) trait Outcome {
    /// Whether it passed.
    fn passed(self) -> Result;
}

impl Outcome for () {
    fn passed(self) -> Result {
        Ok(())
    }
}

impl Outcome for Result {
    fn passed(self) -> Result {
        self
    }
}

#[test]
fn what_was_not_seen_and_what_was_not_expected_fail() {
    let real = Decision::About(ConflictClass::Real, ConflictOutcome::Yielded);
    let seen = Seen::by("row_07_a_test");
    assert_eq!(seen.prefix(), "row07");
    assert!(seen.is(&[]).is_ok());
    assert!(seen.is(&[real]).unwrap_err().to_string().contains("Yielded"));
    seen.clone().saw([real, Decision::Refused]);
    assert!(seen.is(&[real]).is_err());
    assert!(seen.is(&[real, Decision::Refused]).is_ok());
}
