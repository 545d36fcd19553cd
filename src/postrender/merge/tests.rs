use serde_json::{Value, json};

use super::*;

fn deployment(pod: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}})
}

/// What comes of the Pod template of a Deployment.
fn pod(live: &Value, patch: &Value) -> Value {
    let merged = merge(deployment(live), &deployment(patch)).unwrap().unwrap();
    merged.pointer("/spec/template/spec").unwrap().clone()
}

fn error(live: &Value, patch: &Value) -> String {
    merge(deployment(live), &deployment(patch)).unwrap_err().to_string()
}

#[test]
fn fields_are_merged_and_null_removes() {
    let live = json!({"hostNetwork": true, "securityContext": {"runAsUser": 1, "runAsGroup": 2}});
    let patch = json!({"hostNetwork": null, "securityContext": {"runAsUser": 3}, "dnsPolicy": "None", "nodeSelector": {"a": null}});
    let expected =
        json!({"securityContext": {"runAsUser": 3, "runAsGroup": 2}, "dnsPolicy": "None", "nodeSelector": {}});
    assert_eq!(pod(&live, &patch), expected);
}

#[test]
fn items_with_keys_are_merged_and_those_of_the_patch_come_first() {
    let live = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}, {"name": "c"}], "tolerations": [{"key": "a"}]});
    let patch = json!({"containers": [{"name": "new"}, {"name": "b", "tty": true}, {"name": "a", "$patch": "delete"}],
        "tolerations": [{"key": "b"}]});
    let expected = json!({"containers": [{"name": "new"}, {"name": "b", "tty": true}, {"name": "c"}], "tolerations": [{"key": "b"}]});
    assert_eq!(pod(&live, &patch), expected);
}

#[test]
fn items_of_a_patch_with_the_same_key_follow_on_each_other() {
    let live = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]});
    let again = json!({"containers": [{"name": "a", "tty": true}, {"name": "c"}, {"name": "a", "tty": false}, {"name": "c", "$patch": "delete"}]});
    let expected = json!({"containers": [{"name": "a", "image": "x", "tty": false}, {"name": "b"}]});
    assert_eq!(pod(&live, &again), expected);
}

#[test]
fn lists_without_known_keys_are_replaced() {
    let resource = |items: Value| json!({"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "a"}, "spec": {"containers": items}});
    let merged = merge(
        resource(json!([{"name": "a", "x": 1}])),
        &resource(json!([{"name": "a"}])),
    )
    .unwrap();
    assert_eq!(merged, Some(resource(json!([{"name": "a"}]))));
}

#[test]
fn a_directive_says_what_is_done_with_a_whole_value() {
    let live = json!({"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": 1}}}, {"name": "b"}]});
    let cases = [
        // A whole list.
        (
            json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
            json!({"containers": [{"name": "c"}]}),
        ),
        (json!({"containers": [{"$patch": "delete"}]}), json!({})),
        // An item, which kustomize leaves as it is.
        (
            json!({"containers": [{"name": "a", "$patch": "replace", "tty": true}]}),
            json!({"containers": [{"name": "a", "tty": true}, {"name": "b"}]}),
        ),
        // An object within.
        (
            json!({"containers": [{"name": "a", "resources": {"$patch": "replace", "requests": {"cpu": 2}}}]}),
            json!({"containers": [{"name": "a", "image": "x", "resources": {"requests": {"cpu": 2}}}, {"name": "b"}]}),
        ),
        // What is added has no directives in it.
        (
            json!({"volumes": [{"$patch": "replace"}, {"name": "v", "emptyDir": {"$patch": "replace", "medium": "Memory"}}]}),
            json!({"containers": live["containers"], "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}),
        ),
    ];
    for (patch, expected) in cases {
        assert_eq!(pod(&live, &patch), expected, "{patch}");
    }
    assert!(error(&live, &json!({"$patch": "remove"})).contains(".spec.template.spec: $patch must be"));
}

#[test]
fn an_object_is_deleted_or_replaced_by_a_directive_at_its_top() {
    let mut patch = deployment(&json!({"hostNetwork": true}));
    patch["$patch"] = json!("delete");
    assert_eq!(merge(deployment(&json!({})), &patch), Ok(None));
    patch["$patch"] = json!("replace");
    let merged = merge(deployment(&json!({"dnsPolicy": "None"})), &patch);
    assert_eq!(merged, Ok(Some(deployment(&json!({"hostNetwork": true})))));
}

#[test]
fn the_directives_that_kubectl_knows_besides_do_what_they_do_there() {
    let live = json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w"}]});
    let patch = json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}],
        "$setElementOrder/volumes": [{"name": "w"}, {"name": "v"}]});
    let expected = json!({"volumes": [{"name": "w"}, {"name": "v", "hostPath": {"path": "/x"}}]});
    assert_eq!(pod(&live, &patch), expected);
    let object = |finalizers: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": finalizers}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}});
    assert_eq!(merge(object(json!(["x", "y"])), &patch), Ok(Some(object(json!(["y"])))));
    assert!(error(&live, &json!({"$retainKeys": "name"})).contains("$retainKeys must be a list"));
}

#[test]
fn an_item_that_leaves_out_a_further_key_is_the_first_one_with_the_others() {
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "dns"}, "spec": {"ports": ports}});
    let ports = json!([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]);
    let cases = [
        (
            json!([{"port": 53, "nodePort": 1}]),
            json!([{"port": 53, "protocol": "TCP", "nodePort": 1}, {"port": 53, "protocol": "UDP"}]),
        ),
        (
            json!([{"port": "53", "protocol": "UDP", "nodePort": 1}]),
            json!([{"port": 53, "protocol": "TCP"}, {"port": "53", "protocol": "UDP", "nodePort": 1}]),
        ),
        (json!([{"port": 53, "$patch": "delete"}]), json!([])),
    ];
    for (patch, expected) in cases {
        assert_eq!(
            merge(service(ports.clone()), &service(patch)),
            Ok(Some(service(expected)))
        );
    }
}

#[test]
fn what_cannot_be_merged_is_named() {
    let live = json!({"containers": [{"name": "a", "image": "x"}]});
    let cases = [
        (
            json!({"containers": {"name": "a"}}),
            ".spec.template.spec.containers is a list and the patch has an object there",
        ),
        (
            json!({"containers": [{"name": "a", "image": []}]}),
            ".spec.template.spec.containers[a].image is a plain value",
        ),
        (
            json!({"containers": [{"image": "y"}]}),
            ".spec.template.spec.containers: an item of the patch has no name",
        ),
    ];
    for (patch, expected) in cases {
        let error = error(&live, &patch);
        assert!(error.contains(expected), "{error}");
    }
}
