//! Fields that the schema of their kind does not have, such as those of a newer version or with a typing error: the server refuses them
//! in a server-side apply, whatever the request says. They are left out where the release says so.

use super::Applier;
use super::error::ApplyError;
use super::types::{ObjectPlan, Step, UnknownFields};
use crate::ownership::conflict::Rejection;
use crate::ownership::path::FieldPath;
use crate::ownership::value::remove;

impl Applier {
    /// Takes the fields that the server does not know out of what is wanted. `false` if the refusal is about something else, or they may
    /// not be left out: trying again would not help. Each time at least one field goes, so it ends.
    pub(super) fn leaves_out(&self, plan: &mut ObjectPlan, error: &ApplyError) -> bool {
        let ApplyError::Rejected {
            rejection: Rejection::Schema { undeclared, .. },
            ..
        } = error
        else {
            return false;
        };
        if self.settings.unknown_fields == UnknownFields::Refused {
            return false;
        }
        let mut is_less = false;
        for path in undeclared.iter().filter_map(|text| text.parse::<FieldPath>().ok()) {
            if plan.intent.leave_out(&path) {
                if let Step::Configure(configure) = &mut plan.step {
                    remove(&mut configure.body, &path);
                }
                plan.undeclared.push(path);
                is_less = true;
            }
        }
        is_less
    }
}
