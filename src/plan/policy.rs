//! From the texts of a spec, of ConflictPolicies and of a person's decisions to a conflict policy that can decide.
//!
//! Pure. It knows both shapes, the resource's and the policy's; what the policy decides is `ownership::policy`.

use crate::api::conditions::Reason;
use crate::api::conflict_policy::ConflictPolicy;
use crate::api::helm_release::ownership::{ConflictAction, Ownership, OwnershipRule, Toggle};
use crate::api::resolution::{self, Resolution, ResolutionDecision, ResolutionError, ResolvedObject};
use crate::api::{HelmRelease, names};
use crate::ownership::class::Roster;
use crate::ownership::policy::{Anchored, OnConflict, Policy, Rule, RuleError, RuleSource, Target};

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// One of its texts is wrong.
    #[error("{rule}: {source}")]
    Rule {
        /// `spec.ownership.rules[0]`, or `spec.rules[0]` of a ConflictPolicy.
        rule: String,
        /// Which text, and what is wrong with it.
        source: RuleError,
    },
    /// A person's decision that is none.
    #[error("the annotation {0}")]
    Resolution(#[from] ResolutionError),
}

impl PolicyError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Rule { .. } | Self::Resolution(_) => Reason::InvalidSpec,
        }
    }
}

/// The policy of a release: what its spec describes, a person's decisions, and the ConflictPolicies that select it. The breakers
/// of fights are the operator's to add.
pub fn policy_of(release: &HelmRelease, selecting: Vec<&ConflictPolicy>) -> Result<Policy, PolicyError> {
    Ok(Policy {
        resolutions: resolutions(release.resolve_annotation())?,
        shared_rules: shared_rules(selecting),
        ..policy(&release.spec.effective_ownership())?
    })
}

/// Who is who among the field managers of a release's objects.
pub fn roster(release: &HelmRelease) -> Roster {
    let ownership = release.spec.effective_ownership();
    let legacy = ownership.effective_adopt_from().into_iter().map(str::to_owned);
    Roster::new(release.field_manager(), legacy.collect(), None)
}

/// The policy that `spec.ownership` describes, without what others add to it: ConflictPolicies, decisions, breakers.
fn policy(ownership: &Ownership) -> Result<Policy, PolicyError> {
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
        .map(|(index, rule)| {
            parse(
                &format!("spec.ownership.rules[{index}]"),
                &rule_name("rules", index, rule),
                rule,
            )
        })
        .collect::<Result<Vec<Rule>, _>>()?;
    Ok(Policy {
        resolutions: Vec::new(),
        breakers: Vec::new(),
        release_rules,
        shared_rules: Vec::new(),
        well_known_owners: *well_known_owners == Toggle::Enabled,
        on_conflict: translate(*on_conflict),
        then: translate(ownership.effective_retry().then.into()),
    })
}

/// How a decision names a rule of `list`: by its own name, or by its position.
fn rule_name(list: &str, index: usize, rule: &OwnershipRule) -> String {
    rule.name
        .as_ref()
        .map_or_else(|| format!("{list}[{index}]"), |name| format!("{list}/{name}"))
}

/// The rules of the ConflictPolicies that select a release, which the caller has found out: those of a higher priority
/// first, then by name. A rule that cannot be read could be about any field, so in its place stands one that hands every
/// contested field to a person.
fn shared_rules(mut policies: Vec<&ConflictPolicy>) -> Vec<Rule> {
    let name = |policy: &ConflictPolicy| policy.metadata.name.clone().unwrap_or_default();
    policies.sort_by_key(|policy| (std::cmp::Reverse(policy.spec.priority), name(policy)));
    let rules = policies.into_iter().flat_map(|policy| {
        let list = format!("ConflictPolicy/{}/rules", name(policy));
        policy.spec.rules.iter().enumerate().map(move |(index, rule)| {
            let shown = rule_name(&list, index, rule);
            parse(&list, &shown, rule).unwrap_or_else(|_| Rule {
                name: format!("{shown} (it cannot be read)"),
                target: Target::default(),
                paths: Vec::new(),
                managers: Vec::new(),
                on_conflict: OnConflict::HandOff,
                until: None,
            })
        })
    });
    rules.collect()
}

/// What is wrong with the rules of a ConflictPolicy, the first that cannot be read.
pub fn check(policy: &ConflictPolicy) -> Result<(), PolicyError> {
    let mut rules = policy.spec.rules.iter().enumerate();
    rules.try_for_each(|(index, rule)| parse(&format!("spec.rules[{index}]"), "", rule).map(|_| ()))
}

/// The rules that a person's decisions make, from the annotation that carries them.
fn resolutions(annotation: &str) -> Result<Vec<Rule>, PolicyError> {
    let decisions = resolution::parse(annotation)?;
    decisions
        .iter()
        .enumerate()
        .map(|(index, decision)| resolved(index, decision))
        .collect()
}

fn resolved(index: usize, resolution: &Resolution) -> Result<Rule, PolicyError> {
    let Resolution {
        object,
        path,
        manager,
        decision,
        until,
        by: _,
    } = resolution;
    let exactly = |text: &Option<String>| text.as_deref().map(Anchored::literally);
    let target = object.as_ref().map_or_else(Target::default, |object| {
        let ResolvedObject {
            group,
            kind,
            namespace,
            name,
        } = object;
        Target {
            group: exactly(group),
            kind: Some(Anchored::literally(kind)),
            name: Some(Anchored::literally(name)),
            namespace: exactly(namespace),
            ..Target::default()
        }
    });
    let path = path.parse().map_err(|source| PolicyError::Rule {
        rule: format!("the annotation {}: [{index}]", names::ANNOTATION_RESOLVE),
        source: RuleError::BadPath { index: 0, source },
    })?;
    Ok(Rule {
        name: format!("resolve[{index}]"),
        target,
        paths: vec![path],
        managers: exactly(manager).into_iter().collect(),
        on_conflict: match decision {
            ResolutionDecision::Yield => OnConflict::Yield,
            ResolutionDecision::Force => OnConflict::Force,
            ResolutionDecision::Adopt => OnConflict::Adopt,
        },
        until: until.as_ref().map(|until| until.0),
    })
}

/// Reads one rule. Errors call it by its `place`, decisions by its `shown` name.
fn parse(place: &str, shown: &str, rule: &OwnershipRule) -> Result<Rule, PolicyError> {
    let OwnershipRule {
        name: _,
        target,
        paths,
        managers,
        on_conflict,
        until,
    } = rule;
    let source = RuleSource {
        target: target.as_ref(),
        paths,
        managers,
        on_conflict: translate(*on_conflict),
        until: until.as_ref().map(|until| until.0),
    };
    Rule::parse(shown, &source).map_err(|source| PolicyError::Rule {
        rule: place.to_owned(),
        source,
    })
}

/// The action of a spec as the policy has it.
pub const fn translate(action: ConflictAction) -> OnConflict {
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
    fn shared_rules_are_in_order_and_what_cannot_be_read_asks_a_person() {
        let policy = |name: &str, priority: i32, rules: serde_json::Value| -> ConflictPolicy {
            let (api_version, kind) = ("fairlead.dev/v1alpha1", "ConflictPolicy");
            serde_json::from_value(
                json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name},
                "spec": {"priority": priority, "rules": rules}}),
            )
            .unwrap()
        };
        let plain = policy(
            "b",
            0,
            json!([{"onConflict": "Force"}, {"name": "hpa", "onConflict": "Yield"}]),
        );
        let broken = policy("a", 0, json!([{"managers": ["("], "onConflict": "Force"}]));
        let first = policy("z", 7, json!([{"onConflict": "Fail"}]));
        let rules = shared_rules(vec![&plain, &broken, &first]);
        let named: Vec<(&str, OnConflict)> = rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule.on_conflict))
            .collect();
        let expected = [
            ("ConflictPolicy/z/rules[0]", OnConflict::Fail),
            ("ConflictPolicy/a/rules[0] (it cannot be read)", OnConflict::HandOff),
            ("ConflictPolicy/b/rules[0]", OnConflict::Force),
            ("ConflictPolicy/b/rules/hpa", OnConflict::Yield),
        ];
        assert_eq!(named, expected);
        check(&plain).unwrap();
        let error = check(&broken).unwrap_err().to_string();
        assert!(error.starts_with("spec.rules[0]: managers[0]: "), "{error}");
    }

    #[test]
    fn decisions_become_rules() {
        let rules = resolutions(r#"[{"path": ".spec.replicas", "decision": "Adopt"}]"#).unwrap();
        assert_eq!(
            (rules[0].name.as_str(), rules[0].on_conflict),
            ("resolve[0]", OnConflict::Adopt)
        );
        let error = resolutions(r#"[{"path": "spec[", "decision": "Adopt"}]"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the annotation fairlead.dev/resolve: [0]: paths[0]: "),
            "{error}"
        );
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
        let error = parsed(json!({"rules": [{"target": {"labelSelector": "a>b"}, "onConflict": "Fail"}]})).unwrap_err();
        assert!(
            error.starts_with("spec.ownership.rules[0]: target.labelSelector is not a selector: "),
            "{error}"
        );
    }
}
