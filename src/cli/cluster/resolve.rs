//! `fairlead resolve`: a person's decision about contested fields, written to the release's annotation.
//!
//! Edge: reads and patches the HelmRelease. What a decision means is in `api::resolution`; the operator acts on it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::{ClusterArguments, print, print_json};
use crate::api::resolution::{self, Resolution, ResolutionDecision, ResolvedObject};
use crate::api::{HelmRelease, names};
use crate::cli::CommandError;
use crate::ownership::pattern::PathPattern;

/// The field manager of what people write with this command.
const FIELD_MANAGER: &str = "fairlead-cli";

/// Decide about a contested field of a release: leave it to its owner, take it, or share it at its owner's value.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(group = clap::ArgGroup::new("decision").required(true))]
pub(in crate::cli) struct ResolveArguments {
    /// The release
    release: String,
    /// The field, with everything below it, in the syntax of spec.ownership.rules[].paths
    #[arg(long, required_unless_present = "list")]
    path: Option<String>,
    /// Leave the field to its owner for as long as it owns it
    #[arg(long = "yield", group = "decision")]
    leave: bool,
    /// Take the field
    #[arg(long, group = "decision")]
    force: bool,
    /// Own the field beside its owner, with the owner's value
    #[arg(long, group = "decision")]
    adopt: bool,
    /// Take an earlier decision about the field back
    #[arg(long, group = "decision")]
    forget: bool,
    /// Print the decisions that there are, and change nothing
    #[arg(long, group = "decision")]
    list: bool,
    /// Only this object: KIND/NAME, with the kind as in its manifest; without it, all of the release
    #[arg(long, value_name = "KIND/NAME")]
    object: Option<String>,
    /// Only this other field manager; without it, any
    #[arg(long)]
    manager: Option<String>,
    /// When the decision ends: a time (2026-12-24T00:00:00Z) or a duration from now (2h); without it, never
    #[arg(long, value_parser = until)]
    until: Option<Timestamp>,
    /// Who decides, for those who read it later; without it, the user of this process
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// Reads a time or a duration from now.
fn until(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wrong = |_| format!("{text:?} is neither a time such as 2026-12-24T00:00:00Z nor a duration such as 2h");
    let duration: SignedDuration = text.parse().map_err(wrong)?;
    Timestamp::now().checked_add(duration).map_err(wrong)
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &ResolveArguments) -> Result<(), CommandError> {
    arguments.cluster.run(async |cluster| {
        let releases: Api<HelmRelease> = Api::namespaced(cluster.client, &cluster.namespace);
        let release = releases.get(&arguments.release).await?;
        let known = resolution::parse(release.resolve_annotation())?;
        if arguments.list {
            return print_json(&known);
        }
        let decisions = serde_json::to_string(&arguments.decide(known)?)?;
        // Read again as the operator will: what is too long or too much is refused here.
        let count = resolution::parse(&decisions)?.len();
        let patch = json!({"metadata": {
            "resourceVersion": release.resource_version(),
            "annotations": {
                names::ANNOTATION_RESOLVE: if count == 0 { None } else { Some(decisions) },
                names::ANNOTATION_REQUESTED_AT: Timestamp::now().to_string(),
            },
        }});
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        releases
            .patch(&arguments.release, &parameters, &Patch::Merge(patch))
            .await?;
        print(&format!(
            "helmrelease/{}: {count} decisions in force\n",
            arguments.release
        ))
    })
}

impl ResolveArguments {
    /// The decisions with this one, which goes first; an earlier one about the same is replaced.
    fn decide(&self, mut decisions: Vec<Resolution>) -> Result<Vec<Resolution>, CommandError> {
        let path = self.path.clone().unwrap_or_default();
        let _: PathPattern = path.parse()?;
        let object = self.object.as_deref().map(object).transpose()?;
        decisions.retain(|known| {
            let is_same = known.path == path && known.object == object && known.manager == self.manager;
            !is_same
        });
        if let Some(decision) = self.decision() {
            let resolution = Resolution {
                object,
                path,
                manager: self.manager.clone(),
                decision,
                until: self.until.map(Time),
                by: self.by.clone(),
            };
            decisions.insert(0, resolution);
        }
        Ok(decisions)
    }

    const fn decision(&self) -> Option<ResolutionDecision> {
        if self.leave {
            Some(ResolutionDecision::Yield)
        } else if self.force {
            Some(ResolutionDecision::Force)
        } else if self.adopt {
            Some(ResolutionDecision::Adopt)
        } else {
            None
        }
    }
}

fn object(text: &str) -> Result<ResolvedObject, CommandError> {
    let (kind, name) = text
        .split_once('/')
        .filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
        .ok_or("--object: say KIND/NAME, for example Deployment/web")?;
    Ok(ResolvedObject {
        group: None,
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        assert_eq!(
            until("2026-12-24T00:00:00Z").unwrap().to_string(),
            "2026-12-24T00:00:00Z"
        );
        assert!(until("2h").unwrap() > Timestamp::now());
        assert!(until("tomorrow").unwrap_err().contains("neither a time"));
    }
}
