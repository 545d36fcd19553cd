//! A scenario with the operator in it: a release of any objects, and those who write to them.

use std::path::Path;

use fairlead::api::HelmRelease;
use fairlead::ownership::fieldset::Relation;
use fairlead::ownership::managed::ManagedFields;
use kube::api::Api;
use serde_json::{Value, json};

use super::contest::{Contest, Decision, OURS, value_at};
use super::stage::Stage;
use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::operator::Operator;
use crate::support::wait::becomes;

/// A chart whose objects are what the values say.
const OBJECTS: &str = "{{- range .Values.objects }}\n---\n{{ toJson . }}\n{{- end }}\n";

/// The release `shop`, its operator, and those who write to its objects.
pub(crate) struct Play {
    pub(crate) stage: Stage,
    pub(crate) installation: Installation,
    ownership: Value,
    /// The objects that the release wants.
    wanted: Vec<Value>,
    requests: u32,
    /// Whether objects of the release are in no namespace, and so outlive the test's.
    pub(super) is_cluster_wide: bool,
    /// Objects without a namespace that are not the release's.
    pub(super) left_behind: Vec<Value>,
    /// Every contest so far.
    pub(super) contests: Vec<Contest>,
    /// What was decided beside contests.
    pub(super) decisions: Vec<Decision>,
    /// The reason and texts of events that tell of more than a contest.
    pub(super) announced: Vec<(&'static str, Vec<String>)>,
    /// Whether the scenario has looked at a live object and its managedFields.
    pub(super) has_looked: bool,
}

impl Play {
    /// Nothing is installed yet. The name of the namespace begins as the test's does: `row07`.
    pub(crate) async fn open(test: &str) -> Result<Self> {
        let plane = installed().await?;
        let prefix: String = test.split('_').take(2).collect();
        let stage = Stage::open(&prefix).await;
        let installation = Installation::with(plane, stage.namespace.clone(), plane.kubeconfig_path()).await?;
        let files = [("templates/objects.yaml", OBJECTS)];
        installation.repository.add("shop", "1.0.0", &files).await?;
        Ok(Self {
            stage,
            installation,
            ownership: json!({}),
            wanted: Vec::new(),
            requests: 0,
            is_cluster_wide: false,
            left_behind: Vec::new(),
            contests: Vec::new(),
            decisions: Vec::new(),
            announced: Vec::new(),
            has_looked: false,
        })
    }

    /// What `spec.ownership` is from the next [`wants`](Self::wants) on.
    pub(crate) fn ownership(&mut self, ownership: Value) {
        self.ownership = ownership;
    }

    /// Gives the release these objects.
    pub(crate) async fn wants(&mut self, objects: &[Value]) -> Result {
        let is_cluster_wide = |object: &Value| self.stage.reference(object).namespace.is_none();
        self.is_cluster_wide |= objects.iter().any(is_cluster_wide);
        let spec = json!({
            "values": {"objects": objects}, "ownership": self.ownership,
            "install": {"disableWait": true}, "upgrade": {"disableWait": true},
        });
        self.installation.release("shop", spec).await?;
        self.wanted = objects.to_vec();
        Ok(())
    }

    /// The value that the release wants at a path of an object; null when it wants none.
    pub(super) fn wanted(&self, object: &Value, path: &str) -> Result<Value> {
        let reference = self.stage.reference(object);
        let wanted = self.wanted.iter().find(|wanted| self.stage.reference(wanted) == reference);
        wanted.map_or(Ok(Value::Null), |wanted| value_at(wanted, path))
    }

    /// Gives the release these objects, and waits until it is ready.
    pub(crate) async fn installs(&mut self, objects: &[Value]) -> Result {
        self.wants(objects).await?;
        self.is_ready().await?;
        Ok(())
    }

    /// Asks for a reconcile, and waits until it is over.
    pub(crate) async fn looks_again(&mut self) -> Result<HelmRelease> {
        self.requests += 1;
        let at = self.requests.to_string();
        self.installation.request("shop", &at).await?;
        let handled = |release: Option<&HelmRelease>| {
            let status = release.and_then(|release| release.status.as_ref());
            status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(at.as_str())
        };
        self.becomes(handled).await
    }

    /// Waits until the release is ready.
    pub(crate) async fn is_ready(&self) -> Result<HelmRelease> {
        self.installation.ready_is("shop", "True", &[]).await
    }

    /// Waits until the release is not ready, with these texts in the message.
    pub(crate) async fn is_not_ready(&self, texts: &[&str]) -> Result<HelmRelease> {
        self.installation.ready_is("shop", "False", texts).await
    }

    pub(super) async fn becomes(&self, met: impl Fn(Option<&HelmRelease>) -> bool) -> Result<HelmRelease> {
        let releases: Api<HelmRelease> = self.installation.api();
        let release = becomes(&releases, "shop", DEADLINE, met).await;
        let release =
            release.map_err(|error| format!("{error}; the operator logged:\n{}", self.installation.operator.log()))?;
        Ok(release.ok_or("no release")?)
    }

    /// Kills the operator; nobody looks at the release until [`restarts`](Self::restarts).
    pub(crate) fn stops(&mut self) -> Result {
        self.installation.operator.stop()
    }

    /// Starts the operator anew: what it knew is what the cluster keeps.
    pub(crate) async fn restarts(&mut self) -> Result {
        self.restarts_with(self.installation.plane.kubeconfig_path()).await
    }

    /// Starts the operator anew, with this kubeconfig.
    pub(crate) async fn restarts_with(&mut self, kubeconfig: &Path) -> Result {
        let arguments = ["--namespace", self.stage.namespace.name(), "--log=info,fairlead=debug"];
        let mut operator = Operator::start(kubeconfig, &arguments)?;
        operator.ready().await?;
        self.installation.operator = operator;
        Ok(())
    }

    /// A person runs kubectl in the release's namespace.
    pub(crate) async fn kubectl(&self, arguments: &[&str], stdin: Option<&Value>) -> Result {
        let inside = format!("--namespace={}", self.stage.namespace);
        let arguments: Vec<&str> = arguments.iter().copied().chain([inside.as_str()]).collect();
        let stdin = stdin.map(Value::to_string);
        let output = self.installation.plane.kubectl(&arguments, stdin.as_deref()).await?;
        output.checked()?;
        Ok(())
    }

    /// The live object of a manifest.
    pub(crate) async fn live(&self, manifest: &Value) -> Value {
        self.stage.live(manifest).await
    }

    /// Waits until a field of the live object has this value.
    pub(crate) async fn has(&self, manifest: &Value, path: &str, value: &Value) -> Result {
        let (api, name) = self.stage.api(manifest).await;
        let has = |object: Option<&kube::api::DynamicObject>| {
            let object = object.and_then(|object| serde_json::to_value(object).ok());
            object.is_some_and(|object| value_at(&object, path).is_ok_and(|found| found == *value))
        };
        becomes(&api, &name, DEADLINE, has).await?;
        Ok(())
    }

    /// Fails unless a field of the live object has this value (null when there is none) and, by managedFields, these
    /// owners, each as `manager Operation`, sorted.
    pub(crate) async fn holds(
        &mut self,
        manifest: &Value,
        path: &str,
        value: impl Into<Value>,
        owners: &[&str],
    ) -> Result {
        let live = self.live(manifest).await;
        let (found, found_owners) = (value_at(&live, path)?, self.owners(&live, path)?);
        self.has_looked = true;
        let value = value.into();
        if found == value && found_owners == owners {
            return Ok(());
        }
        Err(format!("{path} is {found} of {found_owners:?}, should be {value} of {owners:?}").into())
    }

    /// Who owns a field of a live object.
    fn owners(&self, live: &Value, path: &str) -> Result<Vec<String>> {
        let managed = ManagedFields::of(live)?;
        let mut owners: Vec<String> = managed
            .owners_of(&path.parse()?)
            .iter()
            .filter(|owner| owner.relation != Relation::Descendant)
            .map(|owner| format!("{} {}", owner.manager.name, owner.manager.operation))
            .map(|owner| owner.replace(&self.manager(), OURS.split(' ').next().unwrap_or_default()))
            .collect();
        owners.sort();
        Ok(owners)
    }

    /// The release's own field manager.
    pub(crate) fn manager(&self) -> String {
        format!("fairlead:{}/shop", self.stage.namespace)
    }

    /// Has an object that is not the release's, and in no namespace, removed in the end.
    pub(crate) fn leaves_behind(&mut self, object: &Value) {
        self.left_behind.push(object.clone());
    }
}
