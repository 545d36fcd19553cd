//! Asking the server about one object, dry run by dry run, until it has said all that a policy could decide about.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contest::Case;
use super::error::ApplyError;
use super::review::{Draft, DryRun};
use super::{Applier, MAX_ROUNDS};
use crate::ownership::conflict::{ConflictCause, StatusCause};
use crate::ownership::value::replace;

/// What the dry runs of one object came to.
pub(super) enum Asked {
    /// Everything that there is to decide about is known.
    Told(Box<Answers>),
    /// managedFields names this version, which is served no more: it must be brought to another one before more can be said.
    Unreadable(String),
    /// The object changed while we looked.
    Stale,
}

/// What the server said, so that any policy can be asked about it.
pub(super) struct Answers {
    /// The object as it would be, without our values that others exclude.
    pub(super) foretold: Value,
    /// Who contests what.
    pub(super) causes: Vec<ConflictCause>,
    /// Which fields exclude each other, dry run by dry run.
    pub(super) unions: Vec<Vec<StatusCause>>,
}

impl Applier {
    /// Dry-runs until the server has nothing more to object to. What excludes each other is decided on the way: no dry run
    /// gets past it.
    pub(super) async fn ask(&self, case: Case<'_>, draft: &mut Draft) -> Result<Asked, ApplyError> {
        let Case { plan, live, .. } = case;
        // The first run sends everything, so that its conflicts are all that there are; what is excluded comes after them.
        let mut causes: BTreeSet<ConflictCause> = BTreeSet::new();
        let mut unions = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let mut answer = self.dry_run(plan, &draft.probe, live, false).await?;
            if let DryRun::Conflicts(found) = answer {
                causes.extend(found.into_iter().filter(|cause| !self.is_own_update(&cause.manager)));
                answer = self.dry_run(plan, &draft.probe, live, true).await?;
            }
            match answer {
                DryRun::Fits(foretold) => {
                    let causes = causes.into_iter().collect();
                    return Ok(Asked::Told(Box::new(Answers {
                        foretold,
                        causes,
                        unions,
                    })));
                }
                DryRun::Stale | DryRun::Conflicts(_) => return Ok(Asked::Stale),
                DryRun::RemovedVersion(removed) => return Ok(Asked::Unreadable(removed)),
                DryRun::Union(found, error) => {
                    if !case.exclude(&found, draft) {
                        return Err(error);
                    }
                    unions.push(found);
                }
            }
        }
        Ok(Asked::Stale)
    }
}

impl Case<'_> {
    /// Decides on the conflicts that the server told of. What excludes each other has been decided on before.
    pub(super) fn answer(&self, answers: &Answers, draft: &mut Draft) {
        let Answers {
            foretold,
            causes,
            unions: _,
        } = answers;
        if causes.is_empty() {
            return;
        }
        let mut foretold = foretold.clone();
        for (path, ours) in &draft.excluded {
            replace(&mut foretold, path, ours.clone());
        }
        self.resolve(&foretold, causes, draft);
    }
}
