//! Post-renderers against kustomize 5.8 itself: patches, targets and images; and the table of what patches merge.

use std::path::Path;

use fairlead::api::helm_release::post_render::PostRenderer;
use fairlead::postrender::{Object, PostRendering};
use fairlead_controlplane::Oracle;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::check::{self, Subject};

struct Kustomize;

#[derive(Clone, Debug)]
struct Case {
    objects: Vec<Value>,
    /// `patches` and `images`.
    kustomize: Value,
}

impl Subject for Kustomize {
    type Case = Case;

    const NAME: &'static str = "kustomize";

    fn question(case: &Case) -> Value {
        json!({"op": "kustomize", "objects": case.objects, "kustomization": case.kustomize})
    }

    fn ours(case: &Case) -> Value {
        let post_renderer: PostRenderer = serde_json::from_value(json!({"kustomize": case.kustomize})).unwrap();
        let mut objects: Vec<Object> = case
            .objects
            .iter()
            .cloned()
            .map(|object| Object::new(object).unwrap())
            .collect();
        let changed = PostRendering::new(&[post_renderer], None).and_then(|changes| changes.change(&mut objects));
        match changed {
            Ok(()) => answer(objects.iter().filter_map(Object::value).cloned().collect()),
            Err(_) => json!({"failed": true}),
        }
    }

    fn theirs(answer: Value) -> Value {
        match answer {
            Value::Object(mut answer) if answer.get("error").is_some_and(|error| error == "") => {
                match answer.remove("objects") {
                    Some(Value::Array(objects)) => self::answer(objects),
                    other => json!({"malformed": other}),
                }
            }
            answer if answer.get("error").is_some() => json!({"failed": true}),
            answer => answer,
        }
    }
}

/// The objects by name: kustomize may sort them. A field that is null or has no labels or annotations is as good as none.
fn answer(objects: Vec<Value>) -> Value {
    let named = objects.into_iter().map(|mut object| {
        drop_empty(&mut object);
        (format!("{} {}", object["kind"], object["metadata"]["name"]), object)
    });
    Value::Object(named.collect())
}

fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty);
            fields.retain(|name, value| {
                let is_metadata = name == "labels" || name == "annotations";
                !(value.is_null() || is_metadata && value.as_object().is_some_and(Map::is_empty))
            });
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn patch(patch: &Value) -> Value {
    json!({"patches": [{"patch": patch.to_string()}]})
}

fn patch_of(target: &Value, patch: &str) -> Value {
    json!({"patches": [{"patch": patch, "target": target}]})
}

fn image(image: &Value) -> Value {
    json!({"images": [image]})
}

fn deployment(name: &str, pod: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}})
}

fn pod() -> Value {
    json!({
        "containers": [
            {"name": "web", "image": "nginx:1.2", "args": ["-v", "--all"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}], "resources": {"limits": {"cpu": "1"}}},
            {"name": "side", "image": "registry.local:5000/team/side:2@sha256:abc"}],
        "initContainers": [{"name": "init", "image": "busybox"}],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "oci", "image": {"reference": "registry.local/model:1"}}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
        "tolerations": [{"key": "a"}],
        "topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}],
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"disk": "ssd"},
    })
}

/// What the cases of the table change.
fn objects() -> Vec<Value> {
    vec![
        deployment("web", &pod()),
        deployment("api", &pod()),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "prod", "annotations": {"team": "a"}},
            "spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "http"}, {"port": 81, "protocol": "TCP"}], "selector": {"app": "web"}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "default", "finalizers": ["x", "y"]},
            "data": {"a": "1", "b": "2"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        json!({"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "shop"},
            "spec": {"containers": [{"name": "a", "image": "nginx"}], "ports": [{"port": 1}], "size": 3, "nested": {"a": {"b": 1}},
                "template": deployment("inner", &pod())}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "shops.example.com"},
            "spec": {"group": "example.com", "containers": [{"name": "a", "image": "nginx"}], "versions": [{"name": "v1"}]}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "hook"},
            "webhooks": [{"name": "a.example.com", "failurePolicy": "Fail"}, {"name": "b.example.com"}]}),
    ]
}

/// Strategic merge patches of the Pod template of one Deployment.
fn pod_patches() -> Vec<Value> {
    vec![
        json!({"containers": [{"name": "web", "image": "nginx:2"}]}),
        json!({"containers": [{"name": "new", "image": "x"}]}),
        json!({"containers": [{"name": "side", "tty": true}, {"name": "new"}, {"name": "web", "tty": true}]}),
        json!({"containers": [{"name": "web", "$patch": "delete"}]}),
        json!({"containers": [{"name": "absent", "$patch": "delete"}]}),
        json!({"containers": [{"$patch": "replace"}, {"name": "only"}]}),
        json!({"containers": [{"name": "only"}, {"$patch": "replace"}]}),
        json!({"containers": [{"$patch": "delete"}]}),
        json!({"containers": [{"$patch": "merge"}, {"name": "web", "tty": true}]}),
        json!({"containers": null}),
        json!({"containers": [{"name": "web", "env": [{"name": "B", "value": null, "valueFrom": {"fieldRef": {"fieldPath": "x"}}}, {"name": "C", "value": "3"}]}]}),
        json!({"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}]}]}),
        json!({"containers": [{"name": "web", "env": null}]}),
        json!({"containers": [{"name": "web", "args": ["-q"]}]}),
        json!({"containers": [{"name": "web", "args": []}]}),
        json!({"containers": [{"name": "web", "ports": [{"containerPort": 80, "protocol": "UDP", "name": "dns"}]}]}),
        json!({"containers": [{"name": "web", "ports": [{"containerPort": 81, "protocol": "TCP"}]}]}),
        json!({"containers": [{"name": "web", "volumeMounts": [{"name": "more", "mountPath": "/more"}, {"mountPath": "/data", "readOnly": true}]}]}),
        json!({"containers": [{"name": "web", "resources": {"limits": {"cpu": null, "memory": "1Gi"}, "requests": {"cpu": 0.5}}}]}),
        json!({"containers": [{"name": "web", "resources": {"$patch": "replace", "requests": {"cpu": 1}}}]}),
        json!({"containers": [{"name": "web", "resources": {"$patch": "delete"}}]}),
        json!({"containers": [{"name": "web", "securityContext": {"$patch": "delete"}}]}),
        json!({"containers": [{"name": "web", "securityContext": {"runAsUser": 1, "capabilities": {"drop": ["ALL"], "add": null}}}]}),
        json!({"containers": {"name": "web"}}),
        json!({"containers": "web"}),
        json!({"containers": [{"name": "web", "image": ["a"]}]}),
        json!({"volumes": [{"name": "data", "emptyDir": null, "hostPath": {"path": "/x"}}]}),
        json!({"volumes": [{"name": "data", "$patch": "delete"}, {"name": "oci", "$patch": "delete"}]}),
        json!({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b"]}, {"ip": "10.0.0.2", "hostnames": ["c"]}]}),
        json!({"tolerations": [{"key": "b"}]}),
        json!({"topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 2},
            {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 3}]}),
        json!({"imagePullSecrets": [{"name": "other"}]}),
        json!({"nodeSelector": {"disk": null, "zone": "a"}}),
        json!({"nodeSelector": {"$patch": "replace", "zone": "a"}}),
        json!({"nodeSelector": {"$patch": "merge", "zone": "a"}}),
        json!({"nodeSelector": null}),
        json!({"affinity": {"nodeAffinity": {"x": [{"a": null}]}}}),
        json!({"hostNetwork": true, "dnsPolicy": null}),
        json!({"$patch": "delete"}),
        json!({"$patch": "replace", "containers": [{"name": "x", "env": [{"name": "A"}]}]}),
        json!({"initContainers": [{"name": "init", "command": ["a"]}, {"name": "more"}]}),
        json!({"ephemeralContainers": [{"name": "debug"}]}),
    ]
}

/// JSON patches of one Deployment.
fn json_patches() -> Vec<Value> {
    vec![
        json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]),
        json!([{"op": "add", "path": "/spec/paused", "value": true}, {"op": "remove", "path": "/spec/replicas"}]),
        json!([{"op": "remove", "path": "/spec/missing"}]),
        json!([{"op": "replace", "path": "/spec/missing", "value": 1}]),
        json!([{"op": "add", "path": "/spec/missing/below", "value": 1}]),
        json!([{"op": "add", "path": "/metadata/annotations", "value": {"example.com/a": "b"}}]),
        json!([{"op": "add", "path": "/metadata/annotations/a", "value": "b"}]),
        json!([{"op": "add", "path": "/metadata/labels/example.com~1a~0b", "value": "c"}]),
        json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "last"}}]),
        json!([{"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "first"}}]),
        json!([{"op": "add", "path": "/spec/template/spec/containers/2", "value": {"name": "last"}}]),
        json!([{"op": "add", "path": "/spec/template/spec/containers/3", "value": {"name": "beyond"}}]),
        json!([{"op": "remove", "path": "/spec/template/spec/containers/-1"}]),
        json!([{"op": "remove", "path": "/spec/template/spec/containers/-3"}]),
        json!([{"op": "replace", "path": "/spec/template/spec/containers/-2/image", "value": "x"}]),
        json!([{"op": "remove", "path": "/spec/template/spec/containers/5"}]),
        json!([{"op": "test", "path": "/spec/replicas", "value": 1}, {"op": "replace", "path": "/spec/replicas", "value": 2}]),
        json!([{"op": "test", "path": "/spec/replicas", "value": 7}]),
        json!([{"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"}]),
        json!([{"op": "move", "from": "/metadata/labels/app", "path": "/metadata/labels/moved"}]),
        json!([{"op": "move", "from": "/metadata/missing", "path": "/metadata/labels/moved"}]),
        json!([{"op": "replace", "path": "/metadata/name", "value": "renamed"}]),
        json!([{"op": "remove", "path": "/metadata/labels"}]),
        json!([{"op": "replace", "path": "/spec/template/spec/nodeSelector", "value": {}}]),
        json!([{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": null}]),
        json!([{"op": "frobnicate", "path": "/spec"}]),
        json!([]),
    ]
}

/// Targets, each with the JSON patch that puts a label on what it means.
fn targets() -> Vec<Value> {
    vec![
        json!({"kind": "Deployment"}),
        json!({"kind": "Deploy"}),
        json!({"kind": "Deploy.*|Service"}),
        json!({"name": "web"}),
        json!({"name": "w.b"}),
        json!({"name": "we"}),
        json!({"group": "apps"}),
        json!({"group": ".*example.*"}),
        json!({"version": "v1"}),
        json!({"version": "v2"}),
        json!({"namespace": "prod"}),
        json!({"namespace": "default"}),
        json!({"namespace": ".*"}),
        json!({"namespace": "_non.*"}),
        json!({"kind": "Service", "name": "web", "namespace": "prod", "version": "v1"}),
        json!({"labelSelector": "app=web"}),
        json!({"labelSelector": "app!=web"}),
        json!({"labelSelector": "app in (web, api)"}),
        json!({"labelSelector": "app notin (web)"}),
        json!({"labelSelector": "app"}),
        json!({"labelSelector": "!app"}),
        json!({"labelSelector": "app,app!=api"}),
        json!({"labelSelector": "app in web"}),
        json!({"annotationSelector": "team=a"}),
        json!({"annotationSelector": "team,team!=b", "kind": "Service"}),
        json!({"kind": "("}),
        json!({"name": "absent"}),
        json!({}),
    ]
}

fn images() -> Vec<Value> {
    vec![
        json!({"name": "nginx", "newTag": "3"}),
        json!({"name": "nginx", "newName": "mirror.local/nginx"}),
        json!({"name": "nginx", "newName": "mirror.local:5000/nginx", "newTag": "3"}),
        json!({"name": "nginx", "digest": "sha256:def"}),
        json!({"name": "nginx", "newTag": "3", "digest": "sha256:def"}),
        json!({"name": "busybox", "newTag": "1"}),
        json!({"name": "registry.local:5000/team/side", "newTag": "3"}),
        json!({"name": "registry.local:5000/team/side", "newName": "side"}),
        json!({"name": "registry.local:5000/team/side", "digest": "sha256:def"}),
        json!({"name": "side", "newTag": "3"}),
        json!({"name": "registry.local/model", "newTag": "2"}),
        json!({"name": "ngin.", "newTag": "regex"}),
        json!({"name": ".*", "newTag": "all"}),
        json!({"name": "nginx"}),
        json!({"name": "nginx", "newTag": ""}),
        json!({"name": "absent", "newTag": "3"}),
    ]
}

/// Patches of other objects, and in other forms.
fn further() -> Vec<Value> {
    let service = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "prod"}, "spec": spec});
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": data});
    let shop = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "shop"}, "spec": spec});
    let deployment = json!({"kind": "Deployment"});
    vec![
        patch(&service(
            json!({"ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}, {"port": 82, "protocol": "TCP"}]}),
        )),
        patch(&service(json!({"selector": {"$patch": "replace", "app": "other"}}))),
        patch(&config(json!({"a": null, "c": "3"}))),
        patch(&config(json!(null))),
        patch(
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "finalizers": ["z", "x"], "labels": {"a": "b"}}}),
        ),
        patch(
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "default"}, "$patch": "delete"}),
        ),
        patch(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "absent"}})),
        patch(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})),
        patch(&json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "web"}})),
        patch(
            &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader", "namespace": "x"}, "rules": []}),
        ),
        patch(&shop(
            json!({"containers": [{"name": "b"}], "size": null, "nested": {"a": {"c": 2}}, "list": [null, {"a": null}]}),
        )),
        patch(&shop(
            json!({"nested": {"$patch": "replace", "x": 1}, "containers": [{"$patch": "replace"}]}),
        )),
        patch(&shop(
            json!({"template": {"spec": {"template": {"spec": {"containers": [{"name": "side", "tty": true}]}}}}}),
        )),
        patch(&shop(
            json!({"added": self::deployment("a", &json!({"containers": [{"name": "x"}, {"name": "y", "$patch": "delete"}]}))}),
        )),
        patch(
            &json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "hook"},
            "webhooks": [{"name": "b.example.com", "failurePolicy": "Ignore"}]}),
        ),
        patch(&json!({"kind": "ConfigMap", "metadata": {"name": "config"}, "data": {}})),
        patch(&json!({"apiVersion": "v1", "metadata": {"name": "config"}})),
        patch(&json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        patch(&json!([{"op": "remove", "path": "/data"}])),
        patch(&json!("text")),
        json!({"patches": [{"patch": ""}]}),
        json!({"patches": [{"patch": "a: ["}]}),
        patch_of(&deployment, "- op: replace\n  path: /spec/replicas\n  value: 5\n"),
        patch_of(
            &deployment,
            "# why\n- {op: add, path: /metadata/labels/a, value: \"1\"}\n",
        ),
        patch_of(
            &deployment,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: any\n  namespace: other\n  labels: {tier: web}\nspec:\n  replicas: 9\n",
        ),
        patch_of(
            &json!({}),
            "apiVersion: v1\nkind: Any\nmetadata:\n  name: any\n  labels: {tier: web}\n",
        ),
        patch_of(
            &json!({"kind": "ConfigMap"}),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n$patch: delete\n",
        ),
        json!({"patches": [{"patch": format!("{}\n---\n{}", config(json!({"a": "9"})), service(json!({"type": "NodePort"})))}]}),
        patch_of(
            &deployment,
            &format!("{}\n---\n{}", config(json!({"a": "9"})), config(json!({"b": "9"}))),
        ),
        json!({"patches": [
            {"patch": config(json!({"a": "9"})).to_string()},
            {"patch": "[{\"op\": \"test\", \"path\": \"/data/a\", \"value\": \"9\"}]", "target": {"kind": "ConfigMap"}}]}),
        json!({"patches": [
            {"patch": "[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"renamed\"}]", "target": {"kind": "ConfigMap"}},
            {"patch": config(json!({"a": "by its old name"})).to_string()},
            {"patch": "[{\"op\": \"add\", \"path\": \"/data/c\", \"value\": \"by its new name\"}]", "target": {"name": "renamed"}},
            {"patch": "[{\"op\": \"add\", \"path\": \"/data/d\", \"value\": \"by its old name\"}]", "target": {"name": "config"}}]}),
        json!({"patches": [{"patch": self::deployment("web", &json!({"containers": [{"name": "web", "image": "late:1"}]})).to_string()}],
            "images": [{"name": "late", "newTag": "2"}, {"name": "late", "newName": "later"}]}),
    ]
}

#[test]
fn patches_and_images_do_what_kustomize_does() {
    let pods = pod_patches().into_iter().map(|pod| patch(&deployment("web", &pod)));
    let one = json!({"kind": "Deployment", "name": "web"});
    let json_patches = json_patches()
        .into_iter()
        .map(|patch| patch_of(&one, &patch.to_string()));
    let label = r#"[{"op": "add", "path": "/metadata/seen", "value": "yes"}]"#;
    let targets = targets().into_iter().map(|target| patch_of(&target, label));
    let images = images().into_iter().map(|change| image(&change));
    let kustomizations = pods.chain(json_patches).chain(targets).chain(images).chain(further());
    let cases: Vec<Case> = kustomizations
        .map(|kustomize| Case {
            objects: objects(),
            kustomize,
        })
        .collect();
    assert!(cases.len() >= 140, "{} cases", cases.len());
    check::check_table::<Kustomize>(cases);
}

#[test]
fn patches_that_are_made_up_do_what_kustomize_does() {
    check::check::<Kustomize>(400, || {
        let objects = (made_up_pod(false), service_ports(false));
        let objects = objects.prop_map(|(pod, ports)| vec![deployment("web", &pod), service(&ports)]);
        let images = vec(select(images()), 0..2);
        (objects, vec(made_up_patch(), 1..4), images)
            .prop_map(|(objects, patches, images)| Case {
                objects,
                kustomize: json!({"patches": patches, "images": images}),
            })
            .boxed()
    });
}

fn service(ports: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": ports}})
}

fn made_up_patch() -> BoxedStrategy<Value> {
    let text = |object: &Value| json!({"patch": object.to_string()});
    let of_pod = made_up_pod(true).prop_map(move |pod| text(&deployment("web", &pod)));
    let of_service = service_ports(true).prop_map(move |ports| text(&service(&ports)));
    let operations = vec(operation(), 1..4);
    let operations = (operations, select(targets()))
        .prop_map(|(operations, target)| json!({"patch": json!(operations).to_string(), "target": target}));
    prop_oneof![4 => of_pod, 2 => of_service, 2 => operations].boxed()
}

/// Operations that leave texts where images and labels are: what else is there is an error for kustomize, later.
fn operation() -> BoxedStrategy<Value> {
    let texts = [
        "/spec/x",
        "/metadata/labels/app",
        "/spec/template/spec/containers/-1/image",
        "/spec/ports/0/name",
    ];
    let objects = [
        "/spec/template/spec/containers/0",
        "/spec/template/spec/volumes",
        "/spec/ports/-",
        "/spec/x",
    ];
    let path = prop_oneof![
        (select(texts.to_vec()), select(vec![json!("a"), json!("b")])),
        (select(objects.to_vec()), Just(json!({"name": "y"}))),
        (Just("/spec/replicas"), Just(json!(2))),
        (Just("/metadata/labels"), Just(json!({"app": "other"}))),
    ];
    let copy = select(texts.to_vec()).prop_map(|path| json!({"op": "copy", "from": "/metadata/name", "path": path}));
    let other = path.prop_flat_map(|(path, value)| {
        select(vec![
            json!({"op": "add", "path": path, "value": value}),
            json!({"op": "replace", "path": path, "value": value}),
            json!({"op": "remove", "path": path}),
        ])
    });
    prop_oneof![4 => other, 1 => copy].boxed()
}

/// Items of a list with different keys; those of a patch may delete.
fn items(
    keys: &'static [&'static str],
    key: &'static str,
    fields: BoxedStrategy<Map<String, Value>>,
    patches: bool,
) -> BoxedStrategy<Value> {
    let item = (fields, (0..5u8).prop_map(move |roll| patches && roll == 0));
    (subsequence(keys, 0..=keys.len()).prop_shuffle(), vec(item, keys.len()))
        .prop_map(move |(keys, items)| {
            let named = keys.into_iter().zip(items).map(|(name, (mut fields, deletes))| {
                fields.insert(key.to_owned(), json!(name));
                if deletes {
                    fields.insert("$patch".to_owned(), json!("delete"));
                }
                Value::Object(fields)
            });
            Value::Array(named.collect())
        })
        .boxed()
}

fn fields(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Map<String, Value>> {
    let values: Vec<_> = fields.iter().map(|(_, value)| of(value.clone())).collect();
    let names: Vec<&'static str> = fields.into_iter().map(|(name, _)| name).collect();
    values
        .prop_map(move |values| {
            let given = names
                .iter()
                .zip(values)
                .filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            given.collect()
        })
        .boxed()
}

/// A plain value; one of a patch may be null.
fn plain(patches: bool) -> BoxedStrategy<Value> {
    let value = select(vec![json!("a"), json!("b"), json!(1), json!(true), json!("")]);
    if patches {
        prop_oneof![4 => value, 1 => Just(Value::Null)].boxed()
    } else {
        value.boxed()
    }
}

fn map(patches: bool) -> BoxedStrategy<Value> {
    let entries = btree_map(select(vec!["x", "y", "z"]), plain(patches), 0..3).prop_map(|entries| json!(entries));
    if !patches {
        return entries.boxed();
    }
    let directed =
        (entries.clone(), select(vec!["replace", "delete", "merge"])).prop_map(|(mut entries, directive)| {
            entries["$patch"] = json!(directive);
            entries
        });
    prop_oneof![4 => entries, 1 => directed].boxed()
}

fn made_up_pod(patches: bool) -> BoxedStrategy<Value> {
    let env = items(
        &["A", "B", "C"],
        "name",
        fields(vec![("value", plain(patches))]),
        patches,
    );
    let mounts = items(
        &["/a", "/b"],
        "mountPath",
        fields(vec![("name", plain(patches))]),
        patches,
    );
    let container = fields(vec![
        (
            "image",
            select(vec![json!("nginx"), json!("nginx:1"), json!("host:5000/x@sha256:a")]).boxed(),
        ),
        ("args", vec(plain(false), 0..3).prop_map(Value::Array).boxed()),
        ("env", env),
        ("volumeMounts", mounts),
        ("resources", map(patches)),
    ]);
    let volumes = items(
        &["v", "w"],
        "name",
        fields(vec![("emptyDir", map(patches)), ("hostPath", map(patches))]),
        patches,
    );
    fields(vec![
        ("containers", items(&["a", "b", "c"], "name", container, patches)),
        ("volumes", volumes),
        ("nodeSelector", map(patches)),
        ("tolerations", vec(map(false), 0..2).prop_map(Value::Array).boxed()),
        ("hostNetwork", plain(patches)),
    ])
    .prop_map(Value::Object)
    .boxed()
}

/// Ports of which every one says its protocol: kustomize loses patches of others.
fn service_ports(patches: bool) -> BoxedStrategy<Value> {
    items(
        &["80", "81", "82"],
        "port",
        fields(vec![("name", plain(patches)), ("nodePort", plain(patches))]),
        patches,
    )
    .prop_map(|mut ports| {
        for port in ports.as_array_mut().into_iter().flatten() {
            port["protocol"] = json!("TCP");
        }
        ports
    })
    .boxed()
}

/// Set `FAIRLEAD_WRITE_DOCS` to write the table anew.
#[test]
fn the_table_of_merged_lists_is_that_of_kustomize() {
    let answers = Oracle::start().unwrap().ask(&[json!({"op": "mergeKeys"})]).unwrap();
    let table = answers[0]["table"].as_str().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postrender/builtin.txt");
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::write(&path, table).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == table,
        "{} is not up to date; run with FAIRLEAD_WRITE_DOCS=1",
        path.display()
    );
}
