//! Answers as a real API server gave them.

use super::*;

fn status(code: u16, reason: &str, message: &str) -> ServerStatus {
    ServerStatus {
        code,
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..ServerStatus::default()
    }
}

fn with_cause(mut status: ServerStatus, reason: &str, field: &str, message: &str) -> ServerStatus {
    let cause = StatusCause {
        field: field.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    status.causes.push(cause);
    status
}

#[test]
fn field_conflicts_are_sorted_and_read() {
    let answer = status(409, "Conflict", "Apply failed with 3 conflicts: …");
    let answer = with_cause(
        answer,
        "FieldManagerConflict",
        ".spec.replicas",
        "conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1",
    );
    let answer = with_cause(
        answer,
        "FieldManagerConflict",
        ".data.a.yaml",
        "conflict with \"al\\\"pha\"",
    );
    let answer = with_cause(
        answer,
        "FieldManagerConflict",
        ".spec.replicas",
        "conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1",
    );
    let answer = with_cause(
        answer,
        "FieldManagerConflict",
        ".spec.paused",
        "conflict with \"helm\" using apps/v1 at 2024-01-02T03:04:05Z",
    );
    let Rejection::FieldConflict(causes) = Rejection::of(&answer) else {
        panic!()
    };
    let [data, paused, replicas] = causes.as_slice() else {
        panic!("{causes:?}")
    };
    assert_eq!(
        (data.manager.name.as_str(), data.manager.operation),
        ("al\"pha", Operation::Apply)
    );
    assert_eq!(
        (paused.manager.name.as_str(), paused.manager.operation),
        ("helm", Operation::Update)
    );
    assert_eq!(paused.manager.time, Some("2024-01-02T03:04:05Z".parse().unwrap()));
    assert_eq!(replicas.manager.subresource.as_deref(), Some("scale"));
    assert_eq!(replicas.manager.api_version.as_deref(), Some("apps/v1"));
}

#[test]
fn conflicts_without_causes_are_told_apart() {
    let modified = "Operation cannot be fulfilled on deployments.apps \"e\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!(
        Rejection::of(&status(409, "Conflict", modified)),
        Rejection::StaleVersion
    );
    let gone = "Operation cannot be fulfilled on configmaps \"e\": uid mismatch: the provided object specified uid x, and no existing object was found";
    assert_eq!(Rejection::of(&status(409, "Conflict", gone)), Rejection::Deleted);
    let quota = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified";
    assert_eq!(Rejection::of(&status(409, "Conflict", quota)), Rejection::QuotaRace);
    assert_eq!(
        Rejection::of(&status(409, "AlreadyExists", "x")),
        Rejection::AlreadyExists
    );
}

#[test]
fn schema_errors_are_the_charts_fault() {
    let text = "failed to create typed patch object (ns/n; apps/v1, Kind=Deployment): .spec.template.spec.containers[name=\"a\"].env: duplicate entries for key [name=\"A\"]";
    let Rejection::Schema { path, problem, .. } = Rejection::of(&status(500, "", text)) else {
        panic!()
    };
    assert_eq!(path.unwrap(), ".spec.template.spec.containers[name=\"a\"].env");
    assert_eq!(problem, "duplicate entries for key [name=\"A\"]");
    assert!(!Rejection::of(&status(500, "", text)).is_retryable());
    assert!(Rejection::of(&status(500, "InternalError", "etcdserver: request timed out")).is_retryable());
    let one = "failed to create typed patch object (ns/n; v1, Kind=ConfigMap): .datum: field not declared in schema";
    let several = "failed to create typed patch object (ns/n; apps/v1, Kind=Deployment): errors:\n  .spec.bogus: field not declared in \
                   schema\n  .spec.template.spec.containers[name=\"a\"].bogus: field not declared in schema\n  .x: expected map";
    for (text, expected) in [
        (one, [".datum"].as_slice()),
        (
            several,
            &[".spec.bogus", ".spec.template.spec.containers[name=\"a\"].bogus"],
        ),
    ] {
        let Rejection::Schema { undeclared, .. } = Rejection::of(&status(500, "", text)) else {
            panic!()
        };
        assert_eq!(undeclared, expected);
    }
    let text = "request to convert CR to an invalid group/version: x.io/v1alpha3";
    let removed = Rejection::RemovedVersion {
        api_version: "x.io/v1alpha3".to_owned(),
    };
    assert_eq!(Rejection::of(&status(500, "", text)), removed);
}

#[test]
fn unions_are_not_plain_validation_errors() {
    let forbidden = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
    let answer = with_cause(
        status(422, "Invalid", ""),
        "FieldValueForbidden",
        "spec.strategy.rollingUpdate",
        forbidden,
    );
    assert!(matches!(Rejection::of(&answer), Rejection::Union(_)));
    let answer = with_cause(
        status(422, "Invalid", ""),
        "FieldValueDuplicate",
        "spec.ports[1].name",
        "Duplicate value: \"h\"",
    );
    assert!(matches!(Rejection::of(&answer), Rejection::Union(_)));
    let answer = with_cause(
        status(422, "Invalid", ""),
        "FieldValueRequired",
        "spec.selector",
        "Required value",
    );
    assert!(matches!(Rejection::of(&answer), Rejection::Invalid(_)));
    let answer = with_cause(
        status(422, "Invalid", ""),
        "FieldValueInvalid",
        "metadata.uid",
        "field is immutable",
    );
    assert_eq!(Rejection::of(&answer), Rejection::Replaced);
}

#[test]
fn fields_that_cannot_be_changed_are_told_from_wrong_ones() {
    for (reason, message) in [
        ("FieldValueInvalid", "Invalid value: {\"a\":\"b\"}: field is immutable"),
        (
            "FieldValueInvalid",
            "Invalid value: \"10.0.0.2\": may not change once set",
        ),
        (
            "FieldValueForbidden",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' are forbidden",
        ),
        (
            "FieldValueForbidden",
            "Forbidden: spec is immutable after creation except resources.requests",
        ),
        ("FieldValueInvalid", "Invalid value: {}: cannot change roleRef"),
    ] {
        let answer = with_cause(status(422, "Invalid", ""), reason, "spec", message);
        assert!(matches!(Rejection::of(&answer), Rejection::Immutable(_)), "{message}");
        assert!(!Rejection::of(&answer).is_retryable());
    }
}

#[test]
fn missing_things_are_told_apart() {
    assert_eq!(
        Rejection::of(&status(404, "NotFound", "namespaces \"nope\" not found")),
        Rejection::NamespaceMissing
    );
    assert_eq!(
        Rejection::of(&status(404, "", "404 page not found")),
        Rejection::KindMissing
    );
    let message =
        "configmaps \"a\" is forbidden: unable to create new content in namespace x because it is being terminated";
    assert_eq!(
        Rejection::of(&status(403, "Forbidden", message)),
        Rejection::NamespaceTerminating
    );
    assert_eq!(
        Rejection::of(&status(403, "Forbidden", "cannot patch")),
        Rejection::Forbidden
    );
}

#[test]
fn ambiguous_paths_are_found_in_the_field_set() {
    let set: FieldSet = [".data[\"a.yaml\"]", ".data.a", ".data.b"]
        .iter()
        .map(|path| path.parse().unwrap())
        .collect();
    let manager = Manager {
        name: "m".into(),
        operation: Operation::Apply,
        subresource: None,
        api_version: None,
        time: None,
    };
    let cause = ConflictCause {
        field: ".data.a.yaml".to_owned(),
        manager,
    };
    assert_eq!(cause.exact_paths(&set), vec![".data[\"a.yaml\"]".parse().unwrap()]);
    let path: FieldPath = ".spec.ports[port=53,protocol=\"TCP\"].name".parse().unwrap();
    assert_eq!(server_rendering(&path), ".spec.ports[port=53,protocol=\"TCP\"].name");
}
