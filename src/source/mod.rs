//! Where charts come from: directories, archives, HTTP repositories, OCI registries.
//!
//! Edge: does the IO, with bounds and typed errors; parsing charts is `chart`'s. A [`Fetcher`] first resolves a
//! [`ChartReference`] to a [`ResolvedChart`] (one version with its digest), then fetches that one's content through a
//! cache. It knows servers, credentials and version ranges; it does not know custom resources, Secrets or values.

mod archive;
mod cache;
mod credentials;
mod digest;
mod directory;
mod error;
mod fetcher;
mod folder;
mod http;
mod index;
mod limits;
mod local;
mod oci;
mod reference;
mod select;
mod single_flight;
mod transport;

pub use credentials::{Access, ClientCertificate, Credentials, DockerConfigError, Proxy, Secret, Tls};
pub use digest::{Digest, InvalidDigest};
#[cfg(feature = "cli")]
pub(crate) use error::system_error;
pub use error::{Category, SourceError};
pub use fetcher::{ChartContent, Fetcher, FetcherOptions};
pub use http::IndexState;
pub use limits::Limits;
pub use local::{read_archive, read_directory};
pub use reference::{
    ChartReference, HttpReference, OciReference, OciSelector, PublishedReference, ResolvedChart, UrlReference,
};
