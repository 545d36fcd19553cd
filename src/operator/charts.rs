//! Charts as releases use them: fetched once a digest, parsed once a digest.
//!
//! Edge. It knows sources and digests, not releases.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::api::helm_release::HelmReleaseSpec;
use crate::chart::archive::ArchiveLimits;
use crate::chart::load::LoadError;
use crate::chart::{Chart, ValuesFilesError};
use crate::render::Program;
use crate::signature::Trust;
use crate::source::{ChartContent, ChartReference, Fetcher, HttpReference, IndexState, ResolvedChart, SourceError};

/// How many parsed charts are kept: enough for every chart of a large cluster, few enough to fit in memory.
const KEPT: usize = 64;

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// It could not be found or fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What was fetched is not a chart.
    #[error("chart {name} {version} from {url}: {source}")]
    Load {
        /// As the repository calls it.
        name: String,
        /// As the repository calls it.
        version: String,
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        source: LoadError,
    },
    /// The files that shall replace its values cannot be used.
    #[error("chart {name} {version}: {source}")]
    ValuesFiles {
        /// As the repository calls it.
        name: String,
        /// As the repository calls it.
        version: String,
        /// What is wrong with them.
        source: ValuesFilesError,
    },
    /// The task that reads charts ended.
    #[error("reading the chart was interrupted")]
    Interrupted,
}

impl ChartError {
    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::Load { .. } | Self::ValuesFiles { .. } => false,
            Self::Interrupted => true,
        }
    }
}

/// Files of a chart that replace its values.yaml; none leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValuesFiles {
    /// Their paths in the chart, in the order in which they are merged.
    pub paths: Vec<String>,
    /// Whether files that the chart does not have are skipped.
    pub ignore_missing: bool,
}

impl ValuesFiles {
    /// Those that a release asks for.
    pub fn of(spec: &HelmReleaseSpec) -> Self {
        let chart = spec.chart.as_ref().map(|chart| &chart.spec);
        chart.map_or_else(Self::default, |chart| Self {
            paths: chart.values_files.clone(),
            ignore_missing: chart.ignore_missing_values_files,
        })
    }

    /// The digest of a chart with these files: that of its archive, if there are none.
    pub fn digest_of(&self, chart: &ResolvedChart) -> String {
        let Self { paths, ignore_missing } = self;
        if paths.is_empty() {
            return chart.digest.to_string();
        }
        let made_of = json!([chart.digest.to_string(), paths, ignore_missing]);
        format!("sha256:{:x}", Sha256::digest(made_of.to_string()))
    }
}

/// Finds, fetches and parses charts.
pub struct Charts {
    fetcher: Fetcher,
    /// Most recently used last.
    programs: Mutex<VecDeque<(String, Arc<Program>)>>,
}

impl Charts {
    /// Charts through this fetcher.
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            programs: Mutex::default(),
        }
    }

    /// Which chart a reference means now. Where somebody must have signed it, nothing but its manifest is fetched before that is certain.
    pub async fn resolve(
        &self,
        reference: &ChartReference,
        trust: Option<&Trust>,
    ) -> Result<ResolvedChart, SourceError> {
        let chart = self.fetcher.resolve(reference).await?;
        if let Some(trust) = trust {
            self.fetcher.verify(&chart, trust).await?;
        }
        Ok(chart)
    }

    /// Which index a repository has now.
    pub async fn refresh(&self, repository: &HttpReference) -> Result<IndexState, SourceError> {
        self.fetcher.refresh(repository).await
    }

    /// Fetches a chart's archive, so that it is there when a release needs it. Gives its size in bytes.
    pub async fn store(&self, chart: &ResolvedChart) -> Result<u64, SourceError> {
        Ok(match self.fetcher.fetch(chart).await? {
            ChartContent::Archive(bytes) => bytes.len() as u64,
            ChartContent::Directory(files) => files.iter().map(|file| file.data.len() as u64).sum(),
        })
    }

    /// The parsed chart, with the files that shall replace its values.
    pub async fn program(&self, chart: &ResolvedChart, values: &ValuesFiles) -> Result<Arc<Program>, ChartError> {
        let digest = values.digest_of(chart);
        if let Some(program) = self.known(&digest) {
            return Ok(program);
        }
        let content = self.fetcher.fetch(chart).await?;
        let loaded = tokio::task::spawn_blocking(move || load(content))
            .await
            .map_err(|_| ChartError::Interrupted)?;
        let loaded = loaded.map_err(|source| ChartError::Load {
            name: chart.name.clone(),
            version: chart.version.clone(),
            url: chart.url.clone(),
            source,
        })?;
        let ValuesFiles { paths, ignore_missing } = values;
        let loaded = loaded.with_values_files(paths, *ignore_missing);
        let loaded = loaded.map_err(|source| ChartError::ValuesFiles {
            name: chart.name.clone(),
            version: chart.version.clone(),
            source,
        })?;
        let program = Arc::new(Program::new(Arc::new(loaded)));
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if programs.len() >= KEPT {
            programs.pop_front();
        }
        programs.push_back((digest, program.clone()));
        Ok(program)
    }

    fn known(&self, digest: &str) -> Option<Arc<Program>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let position = programs.iter().position(|(known, _)| known == digest)?;
        let entry = programs.remove(position)?;
        let program = entry.1.clone();
        programs.push_back(entry);
        Some(program)
    }
}

fn load(content: ChartContent) -> Result<Chart, LoadError> {
    let limits = ArchiveLimits::default();
    match content {
        ChartContent::Archive(bytes) => Chart::from_archive(&bytes, &limits),
        ChartContent::Directory(files) => Chart::from_directory(files, &limits),
    }
}
