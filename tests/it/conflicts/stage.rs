//! A namespace, a release in it that the library applies, and the actors that write to its objects.

use std::num::NonZeroUsize;
use std::sync::Arc;

use fairlead::cluster::apply::{
    Adoption, Applied, Applier, ApplyError, ApplyRequest, ApplySettings, UnknownFields, Decided, Observed,
};
use fairlead::cluster::calls::{ApplyOptions, Calls};
use fairlead::cluster::discovery::{KindCache, Resource};
use fairlead::release::ApplyMethod;
use fairlead::ownership::class::Roster;
use fairlead::ownership::intent::{Intent, ReleaseIdentity};
use fairlead::ownership::ledger::Ledger;
use fairlead::ownership::policy::{Moment, OnConflict, Policy, Rule, RuleSource};
use fairlead::ownership::redact::Redactor;
use fairlead::ownership::reference::ObjectReference;
use fairlead_controlplane::{ControlPlane, Namespace};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use crate::support::installation::DEADLINE;

/// The release's field manager where no operator is in it.
pub(super) const MANAGER: &str = "helm-platform-v4";


/// A release on the shared control plane.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) namespace: Arc<Namespace>,
    pub(super) calls: Calls,
    pub(super) kinds: Arc<KindCache>,
    pub(super) ledger: Ledger,
    pub(super) policy: Policy,
    pub(super) adoption: Adoption,
}

/// The time of all scenarios.
pub(super) fn moment() -> Moment {
    Moment {
        now: "2026-06-01T00:00:00Z".parse().unwrap(),
        retries_exhausted: false,
    }
}

impl Stage {
    /// A namespace whose name begins with `prefix`, and a release in it that nothing was applied of.
    pub(super) async fn open(prefix: &str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let client = plane.client().unwrap();
        Self {
            calls: Calls::new(client.clone(), DEADLINE),
            kinds: Arc::new(KindCache::new(client.clone(), DEADLINE)),
            namespace: Arc::new(plane.namespace(prefix).await.unwrap()),
            client,
            ledger: Ledger::default(),
            policy: Policy::default(),
            adoption: Adoption::OnlyOurs,
        }
    }

    pub(super) fn release(&self) -> ReleaseIdentity {
        ReleaseIdentity {
            name: "shop".to_owned(),
            namespace: self.namespace.name().to_owned(),
        }
    }

    /// A rule of the release for these paths and managers.
    pub(super) fn rule(&mut self, paths: &[&str], managers: &[&str], on_conflict: OnConflict) {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (paths, managers) = (owned(paths), owned(managers));
        let source = RuleSource {
            target: None,
            paths: &paths,
            managers: &managers,
            on_conflict,
            until: None,
        };
        let name = format!("rules[{}]", self.policy.release_rules.len());
        self.policy.release_rules.push(Rule::parse(name, &source).unwrap());
    }

    pub(super) fn applier(&self) -> Applier {
        let settings = ApplySettings {
            roster: Roster::new(MANAGER, Vec::new(), None),
            policy: self.policy.clone(),
            release: self.release(),
            redactor: Redactor::new(*b"the salt of the tests"),
            adoption: self.adoption,
            method: ApplyMethod::ServerSide,
            unknown_fields: UnknownFields::Refused,
            recreates: false,
            parallelism: NonZeroUsize::new(4).unwrap(),
            former: None,
        };
        Applier::new(self.calls.clone(), self.kinds.clone(), Arc::new(settings))
    }

    pub(super) fn request(&self, manifest: &Value) -> ApplyRequest {
        let intent = Intent::new(manifest.clone(), Some(&self.release())).unwrap();
        let reference = self.reference(manifest);
        ApplyRequest {
            intent,
            observed: Observed::Unknown,
            comparison: None,
            record: self.ledger.shared(&reference),
        }
    }

    /// The object's reference as the ledger has it.
    pub(super) fn reference(&self, manifest: &Value) -> ObjectReference {
        let mut reference = ObjectReference::of(manifest).unwrap();
        let cluster_scoped = [
            "ClusterRole",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "Namespace",
            "CustomResourceDefinition",
        ];
        if reference.namespace.is_none() && !cluster_scoped.contains(&reference.kind.as_str()) {
            reference.namespace = Some(self.namespace.name().to_owned());
        }
        reference
    }

    /// Decides about the whole release, writes if nothing says stop, and keeps the ledger.
    pub(super) async fn apply_all(&mut self, manifests: &[Value]) -> Result<Vec<Applied>, Decided> {
        let requests = manifests.iter().map(|manifest| self.request(manifest)).collect();
        let applier = self.applier();
        let decided = applier.decide(requests, moment()).await;
        if decided.stops() {
            return Err(decided);
        }
        let mut outcomes = Vec::new();
        for outcome in applier.write(decided.plans, moment()).await {
            let applied = outcome.unwrap();
            let policy = self.policy.fingerprint(moment().now);
            self.ledger.record(&applied.observation(&policy), moment().now);
            outcomes.push(applied);
        }
        Ok(outcomes)
    }

    /// Applies one object.
    pub(super) async fn apply(&mut self, manifest: &Value) -> Result<Applied, ApplyError> {
        let request = self.request(manifest);
        let applied = self.applier().apply(request, moment()).await?;
        let policy = self.policy.fingerprint(moment().now);
        self.ledger.record(&applied.observation(&policy), moment().now);
        Ok(applied)
    }

    pub(super) async fn resource(&self, object: &ObjectReference) -> Resource {
        self.kinds.resolve(&object.api_version, &object.kind).await.unwrap()
    }

    /// The live object.
    pub(super) async fn live(&self, manifest: &Value) -> Value {
        self.find(manifest).await.unwrap()
    }

    pub(super) async fn find(&self, manifest: &Value) -> Option<Value> {
        let object = self.reference(manifest);
        let resource = self.resource(&object).await;
        self.calls
            .get(&resource, object.namespace.as_deref(), &object.name)
            .await
            .unwrap()
    }

    pub(super) async fn api(&self, manifest: &Value) -> (Api<DynamicObject>, String) {
        let object = self.reference(manifest);
        let Resource { api, namespaced } = self.resource(&object).await;
        let client = self.client.clone();
        let api = if namespaced {
            Api::namespaced_with(client, &self.namespace, &api)
        } else {
            Api::all_with(client, &api)
        };
        (api, object.name)
    }

    /// Somebody creates an object with a plain POST.
    pub(super) async fn create_as(&self, manager: &str, manifest: &Value) {
        let (api, _) = self.api(manifest).await;
        let parameters = PostParams {
            field_manager: Some(manager.to_owned()),
            ..PostParams::default()
        };
        api.create(&parameters, &serde_json::from_value(manifest.clone()).unwrap())
            .await
            .unwrap();
    }

    /// Somebody changes an object with a merge patch.
    pub(super) async fn patch_as(&self, manager: &str, manifest: &Value, patch: &Value) {
        let (api, name) = self.api(manifest).await;
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        api.patch(&name, &parameters, &Patch::Merge(patch)).await.unwrap();
    }

    /// Somebody changes an object with a strategic merge patch, as kubectl does.
    pub(super) async fn strategic_patch_as(&self, manager: &str, manifest: &Value, patch: &Value) {
        let (api, name) = self.api(manifest).await;
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        api.patch(&name, &parameters, &Patch::Strategic(patch)).await.unwrap();
    }

    /// Somebody scales through the scale subresource.
    pub(super) async fn scale_as(&self, manager: &str, manifest: &Value, replicas: i32) {
        let (api, name) = self.api(manifest).await;
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        api.patch_scale(
            &name,
            &parameters,
            &Patch::Merge(json!({"spec": {"replicas": replicas}})),
        )
        .await
        .unwrap();
    }

    /// The writer through a subresource gives up its fields: its entry is removed, unless the object changes meanwhile.
    pub(super) async fn let_go(&self, manifest: &Value, subresource: &str) {
        let (api, name) = self.api(manifest).await;
        loop {
            let live = self.live(manifest).await;
            let entries = live["metadata"]["managedFields"].as_array().unwrap();
            let kept: Vec<&Value> = entries
                .iter()
                .filter(|entry| entry["subresource"] != subresource)
                .collect();
            let patch = json!({"metadata": {"managedFields": kept, "resourceVersion": version(&live)}});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Somebody applies with force, as controllers do.
    pub(super) async fn apply_as(&self, manager: &str, manifest: &Value) {
        let object = self.reference(manifest);
        let resource = self.resource(&object).await;
        let options = ApplyOptions {
            manager,
            force: true,
            dry_run: false,
        };
        self.calls
            .apply(&resource, object.namespace.as_deref(), &object.name, manifest, options)
            .await
            .unwrap();
    }
}

/// What a chart renders for a Deployment.
pub(super) fn deployment(replicas: impl Into<Option<i32>>, image: &str) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": image}]}}}});
    if let Some(replicas) = replicas.into() {
        object["spec"]["replicas"] = json!(replicas);
    }
    object
}

/// A ConfigMap with this data.
#[expect(clippy::needless_pass_by_value, reason = "every call makes the data on the spot")]
pub(super) fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// Adds Helm's marks, as the object of an earlier release of Helm has them.
pub(super) fn marked(stage: &Stage, manifest: &Value) -> Value {
    Intent::new(manifest.clone(), Some(&stage.release()))
        .unwrap()
        .body()
        .clone()
}

/// The resourceVersion.
pub(super) fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}

/// Field, manager, class, action and rule of each contested field.
pub(super) fn told(contested: &[fairlead::ownership::contested::ContestedField]) -> Vec<String> {
    contested
        .iter()
        .map(|field| {
            format!(
                "{} {} {} {} {}",
                field.field, field.manager.name, field.class, field.action, field.rule
            )
        })
        .collect()
}
