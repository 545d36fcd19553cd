//! Which HelmReleases a command is about: one of the cluster, or those of files.
//!
//! Edge: reads files and the cluster. What is done with the releases is the commands'.

use std::path::PathBuf;

use kube::api::Api;

use super::Cluster;
use super::desired::{Desired, desired};
use super::documents::Documents;
use crate::api::HelmRelease;
use crate::cli::{CommandError, note};
use crate::operator::given::Given;
use crate::plan::shadow::Failure;

/// Which HelmReleases are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Meant {
    /// A HelmRelease of the cluster or, with --filename, of the files
    #[arg(required_unless_present = "filename")]
    release: Option<String>,
    /// A file with HelmReleases, and what they refer to; - for standard input; repeatable
    #[arg(short, long, value_name = "FILE")]
    filename: Vec<PathBuf>,
}

/// The HelmReleases that are meant.
pub(super) struct Found {
    /// They, with the status of those in the cluster.
    pub(super) releases: Vec<HelmRelease>,
    /// Those that the API server would not take.
    pub(super) failures: Vec<Failure>,
    /// What stands beside them in the files.
    pub(super) given: Given,
}

impl Meant {
    /// Finds them, and tells what a person should know of them.
    pub(super) async fn find(&self, cluster: &Cluster) -> Result<Found, CommandError> {
        if self.filename.is_empty() {
            let api: Api<HelmRelease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
            let name = self.release.as_deref().unwrap_or_default();
            return Ok(Found {
                releases: vec![api.get(name).await?],
                failures: Vec::new(),
                given: Given::default(),
            });
        }
        let documents = Documents::read(&self.filename, &cluster.namespace)?;
        let Documents { releases, given, notes } = documents.only(self.release.as_deref())?;
        for text in &notes {
            note(text);
        }
        let mut found = Found {
            releases: Vec::with_capacity(releases.len()),
            failures: Vec::new(),
            given,
        };
        for object in releases {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let (namespace, name) = (text("namespace"), text("name"));
            match desired(cluster, object).await {
                Ok(Desired { release, notes }) => {
                    for text in &notes {
                        note(text);
                    }
                    found.releases.push(release);
                }
                Err(error) => found.failures.push(failure(&namespace, &name, &*error)),
            }
        }
        Ok(found)
    }
}

/// A release that cannot be looked at.
pub(super) fn failure(namespace: &str, release: &str, error: &(dyn std::error::Error + Send + Sync)) -> Failure {
    Failure {
        namespace: namespace.to_owned(),
        release: release.to_owned(),
        message: error.to_string(),
    }
}
