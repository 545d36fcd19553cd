use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::api::HelmRelease;
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::ownership::ConflictAction;
use crate::ownership::class::Class;
use crate::ownership::managed::{Manager, Operation};
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Contest, Moment, Subject};
use crate::ownership::redact::Redactor;
use crate::ownership::shadow::{Effect, FieldChange, ObjectShadow, count_actions};
use crate::plan::policy::policy_of;

fn object(api_version: &str, kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some("prod".into()),
        name: name.into(),
    }
}

fn manager(name: &str, subresource: Option<&str>) -> Manager {
    Manager {
        name: name.into(),
        operation: Operation::Update,
        subresource: subresource.map(str::to_owned),
        api_version: Some("v1".into()),
        time: Some("2026-11-22T21:00:00Z".parse().unwrap()),
    }
}

fn contested(
    object: &ObjectReference,
    path: &str,
    by: Manager,
    class: Class,
    action: Action,
    rule: &str,
) -> ContestedField {
    let exact: FieldPath = path.parse().unwrap();
    let show = |value: Value| Some(Redactor::new(*b"salt").show(object, &exact, &value));
    ContestedField {
        field: exact.to_string(),
        ours: show(json!("ours | `x`")),
        theirs: show(json!("theirs")),
        manager: by,
        class,
        action,
        rule: rule.into(),
        path: Some(exact),
    }
}

fn shadow(reference: ObjectReference, effect: Effect, contested: Vec<ContestedField>) -> ObjectShadow {
    let policies = [
        (ConflictAction::Fail, Action::Failed),
        (ConflictAction::Retry, Action::Retrying),
        (ConflictAction::HandOff, Action::HandedOff),
        (ConflictAction::Yield, Action::Yielded),
        (ConflictAction::Force, Action::Forced),
    ];
    let under = |action| {
        let fields = contested.iter().cloned().map(|field| match field.rule.as_str() {
            "onConflict" => ContestedField { action, ..field },
            _ => field,
        });
        count_actions(&fields.collect::<Vec<_>>())
    };
    ObjectShadow {
        alternatives: policies.map(|(policy, action)| (policy, under(action))).into(),
        contested,
        owned: Some(4),
        ..ObjectShadow {
            effect,
            ..ObjectShadow::created(reference)
        }
    }
}

fn real(object: &ObjectReference, path: &str, by: &str) -> ContestedField {
    contested(
        object,
        path,
        manager(by, None),
        Class::Real,
        Action::Failed,
        "onConflict",
    )
}

fn map() -> ObjectShadow {
    let map = object("v1", "ConfigMap", "shop");
    let helm = manager("helm", None);
    let old = contested(&map, ".data.old", helm, Class::Legacy, Action::Resolved, "adoptFrom");
    let fields = vec![real(&map, ".data[\"a.yaml\"]", "kubectl-edit"), old];
    shadow(map, Effect::Adopted, fields)
}

fn deployment() -> ObjectShadow {
    let deployment = object("apps/v1", "Deployment", "shop.web");
    let field =
        |path: &str, by: Manager, class, action, rule: &str| contested(&deployment, path, by, class, action, rule);
    let image = ".spec.template.spec.containers[name=\"app\"].image";
    let scaled = manager("kube-controller-manager", Some("scale"));
    let (helm, rival) = (manager("helm", None), manager("rival", None));
    let hpa = "wellKnownOwners/hpa-replicas";
    let fields = vec![
        field(".spec.replicas", scaled, Class::Real, Action::Yielded, hpa),
        field(image, helm, Class::Phantom, Action::Resolved, "phantom"),
        field(image, rival, Class::Real, Action::Failed, "rules[0]"),
    ];
    let path: FieldPath = ".spec.paused".parse().unwrap();
    let changed = FieldChange {
        live: None,
        foretold: Some(Redactor::new(*b"salt").show(&deployment, &path, &json!(true))),
        path,
    };
    ObjectShadow {
        changes: vec![changed],
        changed: 1,
        ..shadow(deployment, Effect::Changed, fields)
    }
}

fn webhooks() -> ObjectShadow {
    let api_version = "admissionregistration.k8s.io/v1";
    let hook = ObjectReference {
        namespace: None,
        ..object(api_version, "MutatingWebhookConfiguration", "shop")
    };
    let bundle = |name: &str| format!(".webhooks[name=\"{name}\"].clientConfig.caBundle");
    let fields = vec![
        real(&hook, &bundle("a.example.com"), "injector"),
        real(&hook, &bundle("b.example.com"), "injector"),
        ContestedField {
            ours: None,
            ..real(&hook, ".webhooks[name=\"c\"].timeoutSeconds", "injector")
        },
        ContestedField {
            path: None,
            field: ".webhooks.lost".into(),
            ..real(&hook, ".x", "injector")
        },
    ];
    shadow(hook, Effect::Unchanged, fields)
}

/// A release with one conflict of each kind that matters.
fn release() -> ReleaseShadow {
    let secret = object("v1", "Secret", "shop");
    let password = real(&secret, ".data.password", "operator (v1.2+)");
    let objects = vec![
        map(),
        shadow(secret, Effect::Unchanged, vec![password]),
        deployment(),
        webhooks(),
        ObjectShadow::created(object("v1", "Service", "shop")),
    ];
    ReleaseShadow {
        source: Source::HelmRelease,
        namespace: "prod".into(),
        name: "shop".into(),
        chart: "shop@1.0.0".into(),
        field_manager: "fairlead:prod/shop".into(),
        objects,
        removed: vec![object("v1", "ConfigMap", "old")],
        refused: vec![Refusal {
            object: object("batch/v1", "Job", "migrate"),
            message: "the field is immutable".into(),
        }],
    }
}

fn reports() -> ShadowReports {
    let failure = Failure {
        namespace: "prod".into(),
        release: "broken".into(),
        message: "the record is not a Helm release".into(),
    };
    ShadowReports::of([&release()], vec![failure])
}

#[test]
fn the_report_as_json() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&reports()).unwrap());
}

#[test]
fn the_report_as_markdown() {
    insta::assert_snapshot!(markdown(&reports()));
}

#[test]
fn the_policy() {
    insta::assert_snapshot!(generate(&[release()], "shadow", 7).to_yaml());
}

#[test]
fn the_generated_policy_decides_all_that_policies_can_decide() {
    let generated = generate(&[release()], "shadow", 0);
    let bare = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease", "metadata": {"name": "shop", "namespace": "prod"},
        "spec": {"interval": "1m", "chart": {"spec": {"chart": "shop", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}}});
    let bare: HelmRelease = serde_json::from_value(bare).unwrap();
    let policy = policy_of(
        &bare,
        generated.policies.iter().map(|explained| &explained.policy).collect(),
    )
    .unwrap();
    let moment = Moment {
        now: Timestamp::UNIX_EPOCH,
        retries_exhausted: false,
    };
    let release = release();
    let stopping = release
        .contested()
        .into_iter()
        .filter(|found| found.field.rule == "onConflict");
    let mut seen = 0;
    for Undecided { object, field } in stopping {
        let contest = Contest {
            subject: Subject::named(object),
            path: field.path.as_ref(),
            manager: &field.manager,
            ours: None,
            class: field.class,
        };
        let decision = policy.decide(&contest, moment);
        let can_yield = field.path.is_some() && field.ours.is_some();
        let expected = if can_yield { Action::Yielded } else { Action::Forced };
        assert_eq!(decision.action, expected, "{object} {}: {}", field.field, decision.rule);
        seen += 1;
    }
    assert_eq!(seen, 6);
    // What it does not name, it does not decide.
    let other = object("v1", "ConfigMap", "shop-other");
    let path: FieldPath = ".data[\"a.yaml\"]".parse().unwrap();
    let by = manager("kubectl-edit", None);
    let contest = Contest {
        subject: Subject::named(&other),
        path: Some(&path),
        manager: &by,
        ours: None,
        class: Class::Real,
    };
    assert_eq!(policy.decide(&contest, moment).action, Action::Failed);
    assert_eq!(generated.uncovered.len(), 1);
}

#[test]
fn many_objects_and_fields_stay_within_the_bounds_of_a_policy() {
    let objects = (0..300).map(|index| {
        let map = object("v1", "ConfigMap", &format!("{}-{index}", "m".repeat(200)));
        let fields = (0..70).map(|key| {
            let path = format!(".data.k{key}-{}", if index % 2 == 0 { "a" } else { "b" });
            contested(
                &map,
                &path,
                manager("x", None),
                Class::Real,
                Action::Failed,
                "onConflict",
            )
        });
        shadow(map.clone(), Effect::Adopted, fields.collect())
    });
    let many = ReleaseShadow {
        objects: objects.collect(),
        ..release()
    };
    let generated = generate(&[many], "shadow", 0);
    assert!(generated.policies.len() > 1);
    for Explained { policy, reasons } in &generated.policies {
        assert!(policy.spec.rules.len() <= 128 && policy.spec.rules.len() == reasons.len());
        crate::plan::policy::check(policy).unwrap();
        for rule in &policy.spec.rules {
            let target = rule.target.as_ref().unwrap();
            assert!(rule.paths.len() <= 64 && target.name.as_ref().unwrap().len() <= 512);
            assert!(rule.name.as_ref().unwrap().len() <= 63);
        }
    }
}

#[test]
fn the_same_shadow_gives_the_same_status() {
    let at = |second| Time(Timestamp::from_second(second).unwrap());
    let mut status = HelmReleaseStatus::default();
    apply_to(&mut status, &release(), 1, &at(1_700_000_000));
    let first = status.clone();
    insta::assert_snapshot!(serde_json::to_string_pretty(&first).unwrap());
    apply_to(&mut status, &release(), 1, &at(1_700_000_999));
    assert_eq!(status, first);
    let stored: HelmReleaseStatus = serde_json::from_value(serde_json::to_value(&first).unwrap()).unwrap();
    assert_eq!(stored, first);

    let mut moved = release();
    moved.objects[0].contested[0].action = Action::Yielded;
    apply_to(&mut status, &moved, 1, &at(1_700_000_999));
    let ownership = status.ownership.unwrap();
    let field = ownership
        .contested
        .iter()
        .find(|field| field.manager == "kubectl-edit")
        .unwrap();
    assert_eq!((field.count, field.first_seen < field.last_seen), (2, true));
    assert_eq!(
        summary(&release()),
        "shadow mode, nothing was written: objects that would be 1 created, 1 changed, 1 removed, 1 refused, 1 adopted without a \
         change, 2 left as they are; 8 contested fields, of which 7 would stop the release"
    );
}
