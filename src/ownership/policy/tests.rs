//! Which rule decides, and what.

use serde_json::json;

use super::*;
use crate::ownership::managed::Operation;

const NOW: &str = "2026-06-01T00:00:00Z";

fn moment() -> Moment {
    Moment {
        now: NOW.parse().unwrap(),
        retries_exhausted: false,
    }
}

fn object() -> ObjectReference {
    ObjectReference {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some("prod".into()),
        name: "shop-web".into(),
    }
}

fn manager(name: &str, subresource: Option<&str>) -> Manager {
    Manager {
        name: name.into(),
        operation: Operation::Update,
        subresource: subresource.map(str::to_owned),
        api_version: Some("apps/v1".into()),
        time: None,
    }
}

fn rule(name: &str, paths: &[&str], managers: &[&str], on_conflict: OnConflict) -> Rule {
    let (paths, managers): (Vec<String>, Vec<String>) = (
        paths.iter().map(ToString::to_string).collect(),
        managers.iter().map(ToString::to_string).collect(),
    );
    let target = Selector {
        kind: Some("Deploy.*".to_owned()),
        name: Some("shop-.*".to_owned()),
        ..Selector::default()
    };
    let source = RuleSource {
        target: Some(&target),
        paths: &paths,
        managers: &managers,
        on_conflict,
        until: None,
    };
    Rule::parse(name, &source).unwrap()
}

fn decide(policy: &Policy, path: &str, manager: &Manager, class: Class) -> (Action, String) {
    let (object, path) = (object(), path.parse().unwrap());
    let contest = Contest {
        subject: Subject::named(&object),
        path: Some(&path),
        manager,
        ours: Some(&json!(3)),
        class,
    };
    let Decision { action, rule } = policy.decide(&contest, moment());
    (action, rule)
}

#[test]
fn order_of_precedence() {
    let mut policy = Policy {
        on_conflict: OnConflict::HandOff,
        ..Policy::default()
    };
    let hpa = manager("kube-controller-manager", Some("scale"));
    let at = |policy: &Policy| decide(policy, ".spec.replicas", &hpa, Class::Real);
    assert_eq!(
        at(&policy),
        (Action::Yielded, "wellKnownOwners/hpa-replicas".to_owned())
    );
    policy.shared_rules.push(rule(
        "ConflictPolicy/p/rules[0]",
        &[".spec.replicas"],
        &[],
        OnConflict::Force,
    ));
    assert_eq!(at(&policy), (Action::Forced, "ConflictPolicy/p/rules[0]".to_owned()));
    policy
        .release_rules
        .push(rule("rules[0]", &[".spec"], &["kube-.*"], OnConflict::Fail));
    policy
        .release_rules
        .push(rule("rules[1]", &[".spec"], &["kube-.*"], OnConflict::Yield));
    assert_eq!(at(&policy), (Action::Failed, "rules[0]".to_owned()));
    policy.well_known_owners = false;
    policy.release_rules.clear();
    policy.shared_rules.clear();
    assert_eq!(at(&policy), (Action::HandedOff, "onConflict".to_owned()));
}

#[test]
fn patterns_are_anchored() {
    let policy = Policy {
        release_rules: vec![rule("r", &[], &["kubectl"], OnConflict::Yield)],
        ..Policy::default()
    };
    assert_eq!(
        decide(&policy, ".spec.paused", &manager("kubectl", None), Class::Real).0,
        Action::Yielded
    );
    assert_eq!(
        decide(&policy, ".spec.paused", &manager("kubectl-edit", None), Class::Real).0,
        Action::Failed
    );
}

#[test]
fn phantom_and_legacy_are_taken_unless_a_rule_yields() {
    let policy = Policy::default();
    let kubectl = manager("kubectl-edit", None);
    assert_eq!(
        decide(&policy, ".spec.paused", &kubectl, Class::Phantom),
        (Action::Resolved, "phantom".to_owned())
    );
    assert_eq!(
        decide(&policy, ".spec.paused", &kubectl, Class::Legacy),
        (Action::Resolved, "adoptFrom".to_owned())
    );
    assert_eq!(
        decide(&policy, ".spec.paused", &kubectl, Class::Sibling).0,
        Action::Failed
    );
    let failing = Policy {
        release_rules: vec![rule("r", &[], &[], OnConflict::Fail)],
        ..Policy::default()
    };
    assert_eq!(
        decide(&failing, ".spec.paused", &kubectl, Class::Phantom),
        (Action::Resolved, "r".to_owned())
    );
    assert_eq!(
        decide(&failing, ".spec.paused", &kubectl, Class::Legacy),
        (Action::Failed, "r".to_owned())
    );
    let yielding = Policy {
        release_rules: vec![rule("r", &[], &[], OnConflict::Yield)],
        ..Policy::default()
    };
    assert_eq!(
        decide(&yielding, ".spec.paused", &kubectl, Class::Phantom),
        (Action::Yielded, "r".to_owned())
    );
}

#[test]
fn a_time_boxed_rule_ends_and_says_so() {
    let mut ended = rule("rules[0]", &[".spec.replicas"], &[], OnConflict::Force);
    ended.until = Some(NOW.parse().unwrap());
    let policy = Policy {
        release_rules: vec![ended],
        ..Policy::default()
    };
    let human = manager("kubectl", Some("scale"));
    assert_eq!(
        decide(&policy, ".spec.replicas", &human, Class::Real),
        (Action::Failed, "onConflict".to_owned())
    );
    assert_eq!(policy.expired(moment().now), ["rules[0]"]);
    let before: Timestamp = "2026-05-31T23:59:59Z".parse().unwrap();
    assert!(policy.expired(before).is_empty());
}

#[test]
fn retry_falls_to_then() {
    let policy = Policy {
        on_conflict: OnConflict::Retry,
        then: OnConflict::Yield,
        ..Policy::default()
    };
    let (object, path, human) = (object(), ".spec.paused".parse().unwrap(), manager("kubectl-edit", None));
    let contest = Contest {
        subject: Subject::named(&object),
        path: Some(&path),
        manager: &human,
        ours: None,
        class: Class::Real,
    };
    assert_eq!(policy.decide(&contest, moment()).action, Action::Retrying);
    let exhausted = Moment {
        retries_exhausted: true,
        ..moment()
    };
    assert_eq!(policy.decide(&contest, exhausted).action, Action::Yielded);
    let forever = Policy {
        then: OnConflict::Retry,
        ..policy
    };
    assert_eq!(forever.decide(&contest, exhausted).action, Action::Failed);
}

#[test]
fn what_cannot_be_found_cannot_be_yielded() {
    let policy = Policy {
        on_conflict: OnConflict::Yield,
        ..Policy::default()
    };
    let (object, human) = (object(), manager("kubectl-edit", None));
    let contest = Contest {
        subject: Subject::named(&object),
        path: None,
        manager: &human,
        ours: None,
        class: Class::Real,
    };
    assert_eq!(policy.decide(&contest, moment()).action, Action::Failed);
}

#[test]
fn caution_has_an_order() {
    let decision = |action| Decision {
        action,
        rule: String::new(),
    };
    let (forced, yielded, failed) = (
        decision(Action::Forced),
        decision(Action::Yielded),
        decision(Action::Failed),
    );
    assert_eq!(most_cautious([&forced, &yielded]), Some(&yielded));
    assert_eq!(most_cautious([&failed, &yielded]), Some(&failed));
    assert_eq!(most_cautious([]), None);
}

#[test]
fn every_part_of_a_target_selects() {
    let reference = object();
    let rendered = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"tier": "front"}}});
    let subject = Subject {
        object: &reference,
        rendered: Some(&rendered),
    };
    for (part, selecting, other) in [
        ("group", "apps", ""),
        ("version", "v[1-9]", "v1beta1"),
        ("kind", "Deploy.*", "Deploy"),
        ("name", "shop-web", "web"),
        ("namespace", "prod", "pro"),
        ("labelSelector", "team in (a, b)", "tier=front"),
        ("annotationSelector", "tier=front", "team=a"),
    ] {
        let is_about = |text: &str, subject| {
            let target: Selector = serde_json::from_value(json!({part: text})).unwrap();
            Target::parse(&target).unwrap().matches(subject)
        };
        assert!(is_about(selecting, subject), "{part}: {selecting}");
        assert!(!is_about(other, subject), "{part}: {other}");
        // What is not known is not selected by what it is.
        let is_metadata = part.ends_with("Selector");
        assert_eq!(is_about(selecting, Subject::named(&reference)), !is_metadata, "{part}");
    }
}

#[test]
fn bad_rules_name_the_field() {
    let error = Anchored::new("managers[0]", "a(").unwrap_err();
    assert!(error.to_string().starts_with("managers[0]: \"a(\""), "{error}");
    assert!(matches!(
        Anchored::new("x", &"a".repeat(513)),
        Err(RuleError::TooLong { length: 513, .. })
    ));
    assert!(matches!(
        Anchored::new("x", "(a{1000}){1000}"),
        Err(RuleError::BadExpression { .. })
    ));
    let target = Selector {
        annotation_selector: Some("a in".to_owned()),
        ..Selector::default()
    };
    let error = Target::parse(&target).unwrap_err().to_string();
    assert!(
        error.starts_with("target.annotationSelector is not a selector: "),
        "{error}"
    );
    // Alternatives are anchored as a whole, and a closing parenthesis cannot break out of the group.
    Anchored::new("x", "a)|(?:b").unwrap_err();
}
