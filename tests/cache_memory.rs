//! What the operator keeps in memory of each live object, in the cache of the watches and in the ledger: at most 3 KB.
//!
//! The only test of its program, so that the growth of the process is that of the two.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use fairlead::cluster::observe::fingerprint_of;
use fairlead::operator::children::{Children, Known};
use fairlead::ownership::ledger::{Ledger, Observation};
use fairlead::ownership::managed::ManagedFields;
use fairlead::ownership::packed::PackedFields;
use fairlead::ownership::reference::ObjectReference;
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};

const OBJECTS: usize = 10_000;
/// How many objects a release has: each has a ledger of its own.
const OBJECTS_OF_A_RELEASE: usize = 20;
const LIMIT: usize = 3 * 1024;

/// The memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The metadata of a Deployment with three containers, as the server sends it.
fn deployment(number: usize) -> Value {
    let container = json!({".": {}, "f:name": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:args": {},
        "f:env": {".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
        "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}}},
        "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}, "f:requests": {"f:cpu": {}, "f:memory": {}}},
        "f:livenessProbe": {"f:httpGet": {"f:path": {}, "f:port": {}}}});
    let fields = json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}, "f:helm.sh/chart": {}}},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"a\"}": container, "k:{\"name\":\"b\"}": container, "k:{\"name\":\"c\"}": container}}}}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
        "name": format!("a-service-with-a-name-{number:05}"), "namespace": format!("team-{:03}", number % 100),
        "uid": format!("7c0c0e6e-2f6e-4a55-9d7a-{number:012}"), "resourceVersion": format!("{}", 1_000_000 + number), "generation": 3,
        "labels": {"fairlead.dev/name": "shop", "fairlead.dev/namespace": "prod", "app.kubernetes.io/name": "web"},
        "managedFields": [
            {"manager": "fairlead:prod/shop", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "time": "2026-01-01T00:00:00Z", "fieldsV1": fields},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "apiVersion": "apps/v1",
             "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:status": {"f:replicas": {}, "f:readyReplicas": {}}}}]}})
}

fn owned_by_us(live: &Value) -> PackedFields {
    let managed = ManagedFields::of(live).unwrap();
    PackedFields::of(managed.applied_by("fairlead:prod/shop").unwrap())
}

/// Remembers that an object was applied.
fn record(ledger: &mut Ledger, reference: &ObjectReference, live: &Value) {
    let observation = Observation {
        reference,
        uid: "7c0c0e6e-2f6e-4a55-9d7a-000000000000",
        resource_version: "1000000",
        fingerprint: &fingerprint_of(live),
        intent_hash: &"0".repeat(64),
        policy: "",
        owned: &owned_by_us(live),
        contested: &[],
        overridden: &[],
    };
    ledger.record(&observation, fairlead::jiff::Timestamp::UNIX_EPOCH);
}

#[tokio::test]
async fn a_child_takes_little_memory() {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let (changed, mut woken) = tokio::sync::mpsc::unbounded_channel();
    let children = Children::new(client, changed, tokio_util::sync::CancellationToken::new());
    let resource = ApiResource {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        plural: "deployments".to_owned(),
    };
    let see = |number: usize| {
        let object: DynamicObject = serde_json::from_value(deployment(number)).unwrap();
        children.seen(&resource, &object);
        let reference = ObjectReference::of(&deployment(number)).unwrap();
        children.wrote(&reference, "1");
        reference
    };
    see(0);
    let before = resident();
    let mut references = Vec::with_capacity(OBJECTS);
    for number in 0..OBJECTS {
        references.push(see(number));
        while woken.try_recv().is_ok() {}
    }
    let cached = (resident() - before) / OBJECTS;

    let before = resident();
    let mut ledgers = vec![Ledger::default(); OBJECTS / OBJECTS_OF_A_RELEASE];
    for (ledger, references) in ledgers.iter_mut().zip(references.chunks(OBJECTS_OF_A_RELEASE)) {
        for (number, reference) in references.iter().enumerate() {
            record(ledger, reference, &deployment(number));
        }
    }
    let remembered = (resident() - before) / OBJECTS;
    let fields = owned_by_us(&deployment(0)).len();
    let told =
        format!("{cached} bytes in the cache, {remembered} bytes in the ledger, of which it owns {fields} fields");
    eprintln!("{told}");
    assert!(cached + remembered <= LIMIT, "{told}");
    // It stays in use.
    let first = references.first().unwrap();
    assert_eq!(children.get(first), Known::Unknown, "nobody has synced");
    let recorded: usize = ledgers.iter().map(|ledger| ledger.objects().count()).sum();
    assert_eq!(recorded, OBJECTS);
}
