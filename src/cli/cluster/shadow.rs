//! `fairlead shadow`: what releases would do under server-side apply. Nothing is written.
//!
//! Edge. HelmReleases go the operator's own way up to the dry runs; of releases that only Helm knows, the manifest that Helm stored
//! is dry-run, as the HelmRelease would that adopts them. Needs the rights to read, and to patch and create for the dry runs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt as _};
use serde_json::json;

use super::observer::{Observer, PARALLEL, Releases};
use super::policy::{read_policy, shared_policies};
use super::{Cluster, ClusterArguments, TIMEOUT, print, print_json};
use crate::api::HelmRelease;
use crate::api::helm_release::ownership::DEFAULT_ADOPT_FROM;
use crate::api::listing::first_few;
use crate::cli::CommandError;
use crate::cluster::apply::{Adoption, Applier, ApplySettings, Shadowed, UnknownFields};
use crate::cluster::calls::Calls;
use crate::cluster::discovery::KindCache;
use crate::cluster::records::Records;
use crate::operator::given::Given;
use crate::operator::reconcile::render::label;
use crate::operator::reconcile::seed;
use crate::operator::reconcile::shadow::refusals;
use crate::ownership::intent::{Intent, ReleaseIdentity};
use crate::ownership::policy::Moment;
use crate::ownership::redact::{MAX_SHOWN_LENGTH, Redactor};
use crate::plan::policy::roster;
use crate::plan::shadow::{Failure, ReleaseShadow, ShadowReports, Source, generate, is_generated, markdown};
use crate::release::ApplyMethod;
use crate::release::Labelled;

/// Say what releases would do under server-side apply: conflicts, what each policy would do about them, and what would change.
/// Nothing is written.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ShadowArguments {
    /// A HelmRelease, or else a release of Helm; without it, all of both
    release: Option<String>,
    /// Look at all namespaces
    #[arg(short = 'A', long, conflicts_with = "release")]
    all_namespaces: bool,
    /// How the answer is printed: a report, or a ConflictPolicy that would let the releases through
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Further field managers that wrote releases of Helm before, such as terraform-provider-helm; repeatable
    #[arg(long, value_name = "MANAGER", value_delimiter = ',')]
    adopt_from: Vec<String>,
    /// Name of the ConflictPolicy
    #[arg(long, default_value = "shadow")]
    policy_name: String,
    /// Fail when a release could not be applied as it is
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Markdown,
    /// For programs.
    Json,
    /// For kubectl.
    Policy,
}

/// What makes the command fail although it did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// A conflict would stop a release, or the API server would refuse an object.
    Conflicts,
}

/// Namespace and name of a release of Helm.
type HelmName = (String, String);

/// What was found out.
#[derive(Default)]
struct Found {
    releases: Vec<ReleaseShadow>,
    failures: Vec<Failure>,
}

impl Found {
    fn add(&mut self, namespace: &str, release: &str, shadow: Result<ReleaseShadow, CommandError>) {
        match shadow {
            Ok(shadow) => self.releases.push(shadow),
            Err(error) => self.failures.push(Failure {
                namespace: namespace.to_owned(),
                release: release.to_owned(),
                message: error.to_string(),
            }),
        }
    }
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &ShadowArguments) -> Result<(), CommandError> {
    arguments.cluster.run(async |cluster| {
        let found = arguments.look(&cluster).await?;
        match arguments.output {
            Output::Policy => {
                let priority = priority(&cluster, &arguments.policy_name).await?;
                print(&generate(&found.releases, &arguments.policy_name, priority).to_yaml())?;
            }
            Output::Json => print_json(&ShadowReports::of(&found.releases, found.failures.clone()))?,
            Output::Markdown => print(&markdown(&ShadowReports::of(&found.releases, found.failures.clone())))?,
        }
        arguments.verdict(&found)
    })
}

/// Above every policy but those that this command made under the same name.
async fn priority(cluster: &Cluster, name: &str) -> Result<i32, CommandError> {
    let policies = shared_policies(cluster).await?;
    let others = policies.iter().filter(|policy| !is_generated(name, &policy.name_any()));
    let highest = others.map(|policy| policy.spec.priority).max();
    Ok(highest.map_or(0, |highest| highest.saturating_add(1)))
}

impl ShadowArguments {
    fn verdict(&self, found: &Found) -> Result<(), CommandError> {
        let Found { releases, failures } = found;
        if !failures.is_empty() {
            let reasons = failures
                .iter()
                .map(|failure| format!("{}/{}: {}", failure.namespace, failure.release, failure.message));
            let first = first_few(reasons, failures.len(), 1, "; ");
            return Err(format!("cannot look at {first}").into());
        }
        let stopped = releases.iter().filter(|release| !release.applies()).count();
        if self.fail_on == Some(FailOn::Conflicts) && stopped > 0 {
            let all = releases.len();
            return Err(format!("{stopped} of {all} releases could not be applied as they are").into());
        }
        Ok(())
    }

    async fn look(&self, cluster: &Cluster) -> Result<Found, CommandError> {
        let mut found = Found::default();
        let releases = self.helm_releases(cluster).await?;
        let mut records = Vec::new();
        // A HelmRelease speaks for the release of Helm that it is about.
        if self.release.is_none() || releases.is_empty() {
            let covered: HashSet<HelmName> = releases
                .iter()
                .map(|release| (release.storage_namespace().to_owned(), release.release_name()))
                .collect();
            let namespace = (!self.all_namespaces).then_some(cluster.namespace.as_str());
            let kept = Records::new(Calls::new(cluster.client.clone(), TIMEOUT));
            records = kept.deployed(namespace, self.release.as_deref()).await?;
            records.retain(|record| !covered.contains(&(record.namespace.clone(), record.release.clone())));
        }
        if let Some(name) = self
            .release
            .as_ref()
            .filter(|_| releases.is_empty() && records.is_empty())
        {
            let namespace = &cluster.namespace;
            return Err(format!(
                "there is neither a HelmRelease {name} in the namespace {namespace} nor a release of Helm of this name that is deployed"
            )
            .into());
        }
        if !releases.is_empty() {
            let these = Releases::These(&releases);
            let meant = if self.all_namespaces { Releases::All } else { these };
            let observer = Observer::start(cluster, meant, Given::default(), MAX_SHOWN_LENGTH).await?;
            for release in &releases {
                let shadow = observer.compare(release).await.map(|diff| diff.release);
                found.add(release.own_namespace(), release.own_name(), shadow);
            }
        }
        let redactor = Redactor::new(seed::salt()?);
        let kinds = Arc::new(KindCache::new(cluster.client.clone(), TIMEOUT));
        for record in &records {
            let shadow = self.adopt(cluster, record, &redactor, &kinds).await;
            found.add(&record.namespace, &record.release, shadow);
        }
        Ok(found)
    }

    /// The HelmReleases that are meant; none where Fairlead is not installed.
    async fn helm_releases(&self, cluster: &Cluster) -> Result<Vec<HelmRelease>, CommandError> {
        let api: Api<HelmRelease> = if self.all_namespaces {
            Api::all(cluster.client.clone())
        } else {
            Api::namespaced(cluster.client.clone(), &cluster.namespace)
        };
        let read = match &self.release {
            Some(name) => api.get(name).await.map(|release| vec![release]),
            None => api.list(&ListParams::default()).await.map(|releases| releases.items),
        };
        match read {
            Ok(releases) => Ok(releases),
            // Of a kind that is not served, the answer is no JSON; only its code tells.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the HelmRelease would do that adopts a release of Helm, with its chart and values as they are.
    async fn adopt(
        &self,
        cluster: &Cluster,
        labelled: &Labelled,
        redactor: &Redactor,
        kinds: &Arc<KindCache>,
    ) -> Result<ReleaseShadow, CommandError> {
        let calls = Calls::new(cluster.client.clone(), TIMEOUT);
        let record = Records::new(calls.clone()).read(labelled).await?;
        let adopter = self.adopter(labelled)?;
        let identity = ReleaseIdentity {
            name: labelled.release.clone(),
            namespace: labelled.namespace.clone(),
        };
        let mut intents = Vec::new();
        for mut manifest in record.objects()? {
            label(&mut manifest, &labelled.namespace, &labelled.release);
            intents.push(Intent::new(manifest, Some(&identity))?);
        }
        let namespaces = intents
            .iter()
            .map(Intent::reference)
            .filter(|reference| reference.kind == "Namespace" && reference.group().is_empty())
            .map(|reference| reference.name.clone())
            .collect();
        let settings = ApplySettings {
            roster: roster(&adopter),
            policy: read_policy(cluster, &adopter).await?,
            release: identity,
            redactor: redactor.clone(),
            adoption: Adoption::TakeOwnership,
            method: ApplyMethod::ServerSide,
            unknown_fields: UnknownFields::Refused,
            recreates: false,
            parallelism: PARALLEL,
            // What it applied last is what it would apply.
            former: None,
        };
        let applier = Applier::new(calls, kinds.clone(), Arc::new(settings));
        let moment = Moment {
            now: Timestamp::now(),
            retries_exhausted: false,
        };
        let Shadowed { objects, failures } = applier.shadow(intents, &[], &namespaces, moment).await;
        let mut refused = refusals(failures)?;
        refused.sort();
        Ok(ReleaseShadow {
            source: Source::HelmRecord,
            namespace: labelled.namespace.clone(),
            name: labelled.release.clone(),
            chart: format!("{}@{}", record.chart_name, record.chart_version),
            field_manager: adopter.field_manager(),
            objects,
            removed: Vec::new(),
            refused,
        })
    }

    /// A HelmRelease of the same name, with the defaults. Its chart is never looked up.
    fn adopter(&self, labelled: &Labelled) -> Result<HelmRelease, CommandError> {
        let given = self.adopt_from.iter().map(String::as_str);
        let adopt_from: Vec<&str> = DEFAULT_ADOPT_FROM.into_iter().chain(given).collect();
        Ok(serde_json::from_value(json!({
            "apiVersion": HelmRelease::api_version(&()), "kind": HelmRelease::kind(&()),
            "metadata": {"name": labelled.release, "namespace": labelled.namespace, "labels": BTreeMap::<String, String>::new()},
            "spec": {"interval": "10m", "releaseName": labelled.release, "ownership": {"adoptFrom": adopt_from}},
        }))?)
    }
}
