//! Which chart: from the argument to a loaded chart.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::CommandError;
use crate::chart::{ArchiveLimits, Chart};
use crate::source::{
    Access, ChartContent, ChartReference, Fetcher, FetcherOptions, HttpReference, OciReference, OciSelector,
    UrlReference,
};

/// Where the chart comes from.
#[derive(Debug, Args)]
pub(super) struct ChartArguments {
    /// The address of the chart's repository.
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// A version or a range of versions; the latest release without it.
    #[arg(long, value_name = "RANGE")]
    version: Option<String>,
    /// Also take prereleases: the same as --version '>0.0.0-0'.
    #[arg(long)]
    devel: bool,
    /// Talk to an OCI registry without TLS.
    #[arg(long)]
    plain_http: bool,
}

/// A chart that is nowhere.
#[derive(Debug, thiserror::Error)]
#[error("path {0:?} not found; for a chart in a repository give its address with --repo, or as oci:// or https://")]
struct NotFound(String);

impl ChartArguments {
    pub(super) fn load(&self, reference: &str) -> Result<Chart, CommandError> {
        let reference = self.reference(reference)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let content = runtime.block_on(async {
            let fetcher = Fetcher::open(FetcherOptions::default()).await?;
            let resolved = fetcher.resolve(&reference).await?;
            fetcher.fetch(&resolved).await
        })?;
        let limits = ArchiveLimits::default();
        Ok(match content {
            ChartContent::Archive(bytes) => Chart::from_archive(&bytes, &limits)?,
            ChartContent::Directory(files) => Chart::from_directory(files, &limits)?,
        })
    }

    fn reference(&self, chart: &str) -> Result<ChartReference, NotFound> {
        let version = match &self.version {
            Some(version) => version.clone(),
            None if self.devel => ">0.0.0-0".to_owned(),
            None => String::new(),
        };
        if let Some(url) = &self.repo {
            return Ok(ChartReference::HttpRepository(HttpReference {
                url: url.clone(),
                chart: chart.to_owned(),
                version,
                access: Access::default(),
                pass_credentials: false,
                refresh: Duration::ZERO,
            }));
        }
        let path = Path::new(chart);
        if path.is_dir() {
            Ok(ChartReference::Directory(path.to_owned()))
        } else if path.exists() {
            Ok(ChartReference::Archive(path.to_owned()))
        } else if chart.starts_with("oci://") {
            Ok(ChartReference::Oci(OciReference {
                url: chart.to_owned(),
                selector: OciSelector::Version(version),
                media_type: None,
                access: Access::default(),
                insecure: self.plain_http,
            }))
        } else if chart.starts_with("http://") || chart.starts_with("https://") {
            Ok(ChartReference::Url(UrlReference {
                url: chart.to_owned(),
                access: Access::default(),
            }))
        } else {
            Err(NotFound(chart.to_owned()))
        }
    }
}
