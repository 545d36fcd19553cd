//! From the texts of a spec to a conflict policy that can decide.
//!
//! Pure. It knows both shapes, the resource's and the policy's; what the policy decides is `ownership::policy`.

use crate::api::conditions::Reason;
use crate::api::helm_release::ownership::{ConflictAction, Ownership, OwnershipRule, Toggle};
use crate::api::reference::Selector;
use crate::ownership::policy::{OnConflict, Policy, Rule, RuleError, RuleSource};

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// One of its texts is wrong.
    #[error("spec.ownership.{rule}: {source}")]
    Rule {
        /// `rules[0]`.
        rule: String,
        /// Which text, and what is wrong with it.
        source: RuleError,
    },
    /// It selects objects by something that this version cannot select by.
    #[error("spec.ownership.{rule}: target.{field} is not supported yet; use group, kind, namespace and name")]
    Unsupported {
        /// `rules[0]`.
        rule: String,
        /// `version`, `labelSelector`, ...
        field: &'static str,
    },
}

impl PolicyError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Rule { .. } | Self::Unsupported { .. } => Reason::InvalidSpec,
        }
    }
}

/// The policy that `spec.ownership` describes.
pub fn policy(ownership: &Ownership) -> Result<Policy, PolicyError> {
    let Ownership {
        field_manager: _,
        on_conflict,
        retry: _,
        well_known_owners,
        adopt_from: _,
        rules,
        fights: _,
    } = ownership;
    let release_rules = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| parse(index, rule))
        .collect::<Result<Vec<Rule>, _>>()?;
    Ok(Policy {
        release_rules,
        shared_rules: Vec::new(),
        well_known_owners: *well_known_owners == Toggle::Enabled,
        on_conflict: translate(*on_conflict),
        then: translate(ownership.effective_retry().then.into()),
    })
}

fn parse(index: usize, rule: &OwnershipRule) -> Result<Rule, PolicyError> {
    let OwnershipRule {
        name,
        target,
        paths,
        managers,
        on_conflict,
        until,
    } = rule;
    let place = format!("rules[{index}]");
    let empty = Selector::default();
    let Selector {
        group,
        version,
        kind,
        name: object_name,
        namespace,
        annotation_selector,
        label_selector,
    } = target.as_ref().unwrap_or(&empty);
    let unsupported = [
        ("version", version),
        ("annotationSelector", annotation_selector),
        ("labelSelector", label_selector),
    ];
    if let Some((field, _)) = unsupported.into_iter().find(|(_, value)| value.is_some()) {
        return Err(PolicyError::Unsupported { rule: place, field });
    }
    let source = RuleSource {
        group: group.as_deref(),
        kind: kind.as_deref(),
        object_name: object_name.as_deref(),
        namespace: namespace.as_deref(),
        paths,
        managers,
        on_conflict: translate(*on_conflict),
        until: until.as_ref().map(|until| until.0),
    };
    let shown = name
        .as_ref()
        .map_or_else(|| place.clone(), |name| format!("rules/{name}"));
    Rule::parse(shown, &source).map_err(|source| PolicyError::Rule { rule: place, source })
}

fn translate(action: ConflictAction) -> OnConflict {
    match action {
        ConflictAction::Fail => OnConflict::Fail,
        ConflictAction::Retry => OnConflict::Retry,
        ConflictAction::HandOff => OnConflict::HandOff,
        ConflictAction::Yield => OnConflict::Yield,
        ConflictAction::Force => OnConflict::Force,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(ownership: serde_json::Value) -> Result<Policy, String> {
        let ownership: Ownership = serde_json::from_value(ownership).unwrap();
        policy(&ownership).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_keep_their_order_and_names() {
        let policy = parsed(json!({"onConflict": "Yield", "wellKnownOwners": "Disabled", "rules": [
            {"paths": [".spec.replicas"], "onConflict": "Force", "until": "2026-12-24T00:00:00Z"},
            {"name": "sizes", "target": {"kind": "Deployment"}, "managers": ["vpa-.*"], "onConflict": "Yield"},
        ]}))
        .unwrap();
        let names: Vec<&str> = policy.release_rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["rules[0]", "rules/sizes"]);
        assert_eq!(
            (policy.on_conflict, policy.well_known_owners),
            (OnConflict::Yield, false)
        );
        assert!(policy.release_rules[0].until.is_some());
    }

    #[test]
    fn a_bad_rule_is_named_with_its_field() {
        let error = parsed(json!({"rules": [{"managers": ["("], "onConflict": "Fail"}]})).unwrap_err();
        assert!(
            error.starts_with("spec.ownership.rules[0]: managers[0]: \"(\" is not a usable"),
            "{error}"
        );
        let error = parsed(json!({"rules": [{"paths": [".spec["], "onConflict": "Fail"}]})).unwrap_err();
        assert!(error.starts_with("spec.ownership.rules[0]: paths[0]: "), "{error}");
        let error = parsed(json!({"rules": [{"target": {"labelSelector": "a=b"}, "onConflict": "Fail"}]})).unwrap_err();
        assert!(error.contains("target.labelSelector is not supported yet"), "{error}");
    }
}
