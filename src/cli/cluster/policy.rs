//! `fairlead policy explain`: which rule would decide about a field.
//!
//! Edge: reads the HelmRelease, the ConflictPolicies and, if it is told one, the object; the decision is
//! `ownership::policy`'s, the same as in the operator.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde::Serialize;
use serde_json::Value;

use super::kinds;
use super::table::Table;
use super::{Cluster, ClusterArguments, Format, is_coloured, print, print_json, through};
use crate::api::conflict_policy::selects;
use crate::api::{ConflictPolicy, HelmRelease};
use crate::cli::CommandError;
use crate::ownership::class::Class;
use crate::ownership::managed::{ManagedFields, Manager, Operation};
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Contest, Moment, Policy, Subject};
use crate::ownership::reference::ObjectReference;
use crate::plan::policy::{policy_of, roster};

/// Ask the conflict policy of a release.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PolicyArguments {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    Explain(ExplainArguments),
}

/// Say which rule would decide about a field of an object, for each of its present owners or for one that is named.
#[derive(Debug, clap::Args)]
struct ExplainArguments {
    /// The release
    release: String,
    /// The object: KIND/NAME
    #[arg(long, value_name = "KIND/NAME")]
    object: String,
    /// The field, for example .spec.replicas
    #[arg(long)]
    path: FieldPath,
    /// The other field manager; without it, every present owner of the field
    #[arg(long)]
    manager: Option<String>,
    /// The subresource that the manager writes through
    #[arg(long, requires = "manager")]
    subresource: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What would be done about the field and one owner.
#[derive(Debug, Serialize)]
struct Explanation {
    object: String,
    path: String,
    manager: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<String>,
    class: Class,
    action: &'static str,
    rule: String,
}

/// What is asked about.
struct Asked {
    object: ObjectReference,
    /// As it is, in place of what the release renders it to; `None` when it does not exist.
    live: Option<Value>,
    owners: Vec<Manager>,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &PolicyArguments) -> Result<(), CommandError> {
    let PolicyCommand::Explain(arguments) = &arguments.command;
    arguments.cluster.run(async |cluster| {
        let releases: Api<HelmRelease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let release = releases.get(&arguments.release).await?;
        let policy = read_policy(&cluster, &release).await?;
        let Asked { object, live, owners } = arguments.owners(&cluster, &release).await?;
        let explanations: Vec<Explanation> = owners
            .iter()
            .map(|owner| {
                let subject = Subject {
                    object: &object,
                    rendered: live.as_ref(),
                };
                explain(&policy, &release, subject, &arguments.path, owner)
            })
            .collect();
        match arguments.output {
            Format::Json => print_json(&explanations),
            Format::Table => print(&table(&explanations).render(is_coloured())),
        }
    })
}

/// The policy as the operator composes it, without the breakers of fights, which only the operator knows.
pub(super) async fn read_policy(cluster: &Cluster, release: &HelmRelease) -> Result<Policy, CommandError> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = namespaces.get_metadata(release.own_namespace()).await?;
    let shared = shared_policies(cluster).await?;
    let selecting = shared
        .iter()
        .filter(|policy| selects(policy, Some(namespace.labels()), release.labels()));
    Ok(policy_of(release, selecting.collect())?)
}

/// The ConflictPolicies of the cluster; none where Fairlead is not installed.
pub(super) async fn shared_policies(cluster: &Cluster) -> Result<Vec<ConflictPolicy>, CommandError> {
    let shared: Api<ConflictPolicy> = Api::all(cluster.client.clone());
    match shared.list(&ListParams::default()).await {
        Ok(policies) => Ok(policies.items),
        // Of a kind that is not served, the answer is no JSON; only its code tells.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

impl ExplainArguments {
    /// The object, and the owners to ask about.
    async fn owners(&self, cluster: &Cluster, release: &HelmRelease) -> Result<Asked, CommandError> {
        let words = [self.object.clone()];
        let (word, name) = kinds::split(&words)?;
        let kind = kinds::find(&cluster.client, word).await?;
        let namespace = kind.namespaced.then(|| release.target_namespace().to_owned());
        let object = ObjectReference {
            api_version: kind.api.api_version.clone(),
            kind: kind.api.kind.clone(),
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        let api: Api<DynamicObject> = match &namespace {
            Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &kind.api),
            None => Api::all_with(cluster.client.clone(), &kind.api),
        };
        if let Some(manager) = &self.manager {
            let live = api.get_opt(name).await?.map(serde_json::to_value).transpose()?;
            let manager = Manager {
                name: manager.clone(),
                operation: Operation::Update,
                subresource: self.subresource.clone(),
                api_version: Some(object.api_version.clone()),
                time: None,
            };
            return Ok(Asked {
                object,
                live,
                owners: vec![manager],
            });
        }
        let live = serde_json::to_value(api.get(name).await?)?;
        let managed = ManagedFields::of(&live)?;
        let ours = release.field_manager();
        let others = managed
            .owners_of(&self.path)
            .into_iter()
            .map(|owner| owner.manager.clone());
        let owners = others.filter(|owner| owner.name != ours).collect();
        Ok(Asked {
            object,
            live: Some(live),
            owners,
        })
    }
}

fn explain(
    policy: &Policy,
    release: &HelmRelease,
    subject: Subject<'_>,
    path: &FieldPath,
    owner: &Manager,
) -> Explanation {
    let class = roster(release).class_of(owner);
    let contest = Contest {
        subject,
        path: Some(path),
        manager: owner,
        ours: None,
        class,
    };
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: false,
    };
    let decision = policy.decide(&contest, moment);
    Explanation {
        object: subject.object.to_string(),
        path: path.to_string(),
        manager: owner.name.clone(),
        subresource: owner.subresource.clone(),
        class,
        action: decision.action.as_str(),
        rule: decision.rule,
    }
}

fn table(explanations: &[Explanation]) -> Table<6> {
    let mut table = Table::new(["OBJECT", "FIELD", "MANAGER", "CLASS", "ACTION", "RULE"]);
    for explanation in explanations {
        let Explanation {
            object,
            path,
            manager,
            subresource,
            class,
            action,
            rule,
        } = explanation;
        table.row([
            object.as_str().into(),
            path.as_str().into(),
            through(manager, subresource.as_deref()).into(),
            class.as_str().into(),
            (*action).into(),
            rule.as_str().into(),
        ]);
    }
    table
}
