//! Which chart: from the argument to a loaded chart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::CommandError;
use super::reading::Reading;
use crate::chart::{ArchiveLimits, Chart};
use crate::source::{
    self, Access, ChartContent, ChartReference, ClientCertificate, Credentials, Fetcher, FetcherOptions, HttpReference,
    OciReference, OciSelector, Secret, Tls, UrlReference,
};
use crate::template::Ahead;

/// Where the chart comes from.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// The login for the repository or registry.
    #[arg(long, requires = "password")]
    username: Option<String>,
    /// The password for the repository or registry.
    #[arg(long, requires = "username")]
    password: Option<String>,
    /// Send the login to the archive's host as well when that is another one.
    #[arg(long)]
    pass_credentials: bool,
    /// A file with certificate authorities to trust in addition to those of the system.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A file with our certificate chain.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// A file with the private key of --cert-file.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Accept any server certificate.
    #[arg(long)]
    insecure_skip_tls_verify: bool,
}

/// A chart that is nowhere.
#[derive(Debug, thiserror::Error)]
#[error("path {0:?} not found; for a chart in a repository give its address with --repo, or as oci:// or https://")]
struct NotFound(String);

impl ChartArguments {
    /// Loads the chart, while helpers parse its templates. One on this machine is read directly: it needs no runtime, no client and no
    /// cache, all of which take longer to make than most charts to render.
    pub(super) fn load(&self, reference: &str) -> Result<(Chart, Ahead), CommandError> {
        let limits = ArchiveLimits::default();
        let mut reading = Reading::default();
        let content = match self.reference(reference)? {
            ChartReference::Archive(path) => {
                ChartContent::Archive(source::read_archive(&path, source::Limits::default())?.into())
            }
            ChartReference::Directory(path) => ChartContent::Directory(source::read_directory(
                &path,
                source::Limits::default(),
                &mut crate::cli::warn,
                &mut |file| reading.see(file),
            )?),
            remote @ (ChartReference::HttpRepository(_)
            | ChartReference::Oci(_)
            | ChartReference::Published(_)
            | ChartReference::Url(_)) => fetch(&remote)?,
        };
        let chart = match content {
            ChartContent::Archive(bytes) => {
                reading.expect(bytes.len());
                Chart::from_archive_with(&bytes, &limits, &mut |file| reading.see(file))?
            }
            ChartContent::Directory(files) => {
                Chart::from_directory_with(files, &limits, &mut |file| reading.see(file))?
            }
        };
        Ok((chart, reading.finish()))
    }

    /// How to get at the server.
    fn access(&self) -> Result<Access, CommandError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| CommandError::from(format!("{}: {error}", path.display())))
        };
        let credentials = match (&self.username, &self.password) {
            (Some(username), Some(password)) => Credentials::Basic {
                username: username.clone(),
                password: Secret::new(password.clone()),
            },
            (None, _) | (_, None) => Credentials::Anonymous,
        };
        let client = match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate: read(certificate)?,
                key: Secret::new(String::from_utf8(read(key)?)?),
            }),
            (None, _) | (_, None) => None,
        };
        let tls = Tls {
            certificate_authorities: self.ca_file.as_ref().map(read).transpose()?,
            client,
            insecure_skip_verify: self.insecure_skip_tls_verify,
        };
        Ok(Access {
            credentials,
            tls,
            ..Access::default()
        })
    }

    fn reference(&self, chart: &str) -> Result<ChartReference, CommandError> {
        let access = self.access()?;
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
                access,
                pass_credentials: self.pass_credentials,
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
                access,
                insecure: self.plain_http,
            }))
        } else if chart.starts_with("http://") || chart.starts_with("https://") {
            Ok(ChartReference::Url(UrlReference {
                url: chart.to_owned(),
                access,
            }))
        } else {
            Err(NotFound(chart.to_owned()).into())
        }
    }
}

/// Downloads a chart, or takes it from the cache.
fn fetch(reference: &ChartReference) -> Result<ChartContent, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let content = runtime.block_on(async {
        let fetcher = Fetcher::open(FetcherOptions::default()).await?;
        let resolved = fetcher.resolve(reference).await?;
        fetcher.fetch(&resolved).await
    })?;
    Ok(content)
}
