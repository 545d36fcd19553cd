//! A source as it stands, and what a release wants of it.

use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::{Resource as _, ResourceExt as _};

use super::flux::Published;
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
use crate::api::reference::Verification;
use crate::api::source_status::Artifact;

/// A source as it stands, and what a release wants of it.
#[derive(Debug, Clone)]
pub enum Located {
    /// A chart of a HelmRepository.
    Repository {
        /// The repository.
        repository: Arc<HelmRepository>,
        /// Name of the chart.
        chart: String,
        /// Version or range.
        version: String,
        /// How its signature is verified.
        verify: Option<Box<Verification>>,
    },
    /// An artifact.
    Artifact {
        /// Where it is.
        repository: Arc<OCIRepository>,
    },
    /// What Flux's source-controller publishes.
    Published(Box<Published>),
}

impl Located {
    /// Kind and name of the source, if it is suspended.
    pub fn suspended(&self) -> Option<String> {
        match self {
            Self::Repository { repository, .. } if repository.spec.suspend => {
                Some(format!("HelmRepository {}", repository.name_any()))
            }
            Self::Artifact { repository } if repository.spec.suspend => {
                Some(format!("OCIRepository {}", repository.name_any()))
            }
            Self::Published(published) if published.is_suspended => Some(published.source_name.clone()),
            Self::Repository { .. } | Self::Artifact { .. } | Self::Published(_) => None,
        }
    }

    /// Whether somebody looks at the source by itself: another chart shows in the source's status, so that nobody else needs to ask.
    pub fn is_kept(&self) -> bool {
        match self {
            Self::Repository { .. } | Self::Artifact { .. } => self.seen().is_some_and(|seen| seen.is_of_the_spec),
            Self::Published(_) => true,
        }
    }

    /// Whether the chart is a folder that has no version of its own but the one in its Chart.yaml.
    pub fn is_folder(&self) -> bool {
        match self {
            Self::Repository { .. } | Self::Artifact { .. } => false,
            Self::Published(published) => published.reference.folder.is_some(),
        }
    }

    /// What is looked for: changes whenever it may be another chart for a reason other than a newer version.
    pub fn scope(&self) -> String {
        let identity = |meta: &ObjectMeta| {
            let uid = meta.uid.as_deref().unwrap_or_default();
            format!("{uid}@{}", meta.generation.unwrap_or_default())
        };
        match self {
            Self::Repository {
                repository,
                chart,
                version,
                verify: _, // whom it makes trusted is another part of the scope
            } => format!("{} {chart} {version}", identity(repository.meta())),
            Self::Artifact { repository } => identity(repository.meta()),
            Self::Published(published) => {
                let folder = published.reference.folder.as_deref().unwrap_or_default();
                format!("{} {folder}", published.source_name)
            }
        }
    }

    /// Which version of the source is known, if it tells of one.
    pub fn revision(&self) -> Option<&str> {
        match self {
            Self::Repository { .. } | Self::Artifact { .. } => self.seen().map(|seen| seen.revision),
            Self::Published(published) => Some(&published.revision),
        }
    }

    /// What the status of a source of Fairlead says; `None` while it says nothing, and for others.
    fn seen(&self) -> Option<Seen<'_>> {
        let (meta, observed, artifact): (_, _, Option<&Artifact>) = match self {
            Self::Repository { repository, .. } => {
                let status = repository.status.as_ref()?;
                (repository.meta(), status.observed_generation, status.artifact.as_ref())
            }
            Self::Artifact { repository } => {
                let status = repository.status.as_ref()?;
                (repository.meta(), status.observed_generation, status.artifact.as_ref())
            }
            Self::Published(_) => return None,
        };
        Some(Seen {
            revision: &artifact?.revision,
            is_of_the_spec: observed == meta.generation,
        })
    }
}

/// What was seen at a source.
struct Seen<'a> {
    /// The newest version.
    revision: &'a str,
    /// Whether it was looked for as the spec says now.
    is_of_the_spec: bool,
}
