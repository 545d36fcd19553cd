//! Who asked for what, from the API server's audit log.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::{ControlPlane, Error};

/// The log is written right after the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// A place in the audit log.
#[derive(Clone, Copy, Debug)]
pub struct AuditMark(u64);

/// One request that was answered. Those of the control plane's own components are not in the log.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// get, list, watch, create, update, patch, delete, deletecollection; server-side apply is a patch.
    pub verb: String,
    /// The path with its query, which shows dry runs, field managers and force.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// The client's name for itself, such as `fairlead/0.1.0`.
    #[serde(default)]
    pub user_agent: String,
    user: AuditUser,
    impersonated_user: Option<AuditUser>,
    /// The object; none for paths that are no resources.
    pub object_ref: Option<AuditedObject>,
    response_status: Option<AuditStatus>,
}

/// The object of a request. What the request does not name is empty.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub struct AuditedObject {
    /// Empty for the core group.
    pub api_group: String,
    /// Such as `deployments`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for what belongs to the cluster.
    pub namespace: String,
    /// Empty for lists.
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct AuditUser {
    #[serde(default)]
    username: String,
}

#[derive(Clone, Debug, Deserialize)]
struct AuditStatus {
    #[serde(default)]
    code: u16,
}

impl AuditEvent {
    /// The user, such as `system:serviceaccount:fairlead-system:fairlead`.
    pub fn user(&self) -> &str {
        &self.user.username
    }

    /// The user that the user acted as, if it was another.
    pub fn impersonated(&self) -> Option<&str> {
        self.impersonated_user.as_ref().map(|user| user.username.as_str())
    }

    /// The HTTP status of the answer.
    pub fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |status| status.code)
    }

    /// Whether it wrote: it asked for a change, was not refused, and was no dry run.
    pub fn wrote(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        ) && self.code() < 400
            && !self.request_uri.contains("dryRun=")
    }

    /// Whether it concerns the resource, in the namespace if one is given.
    pub fn concerns(&self, resource: &str, namespace: Option<&str>) -> bool {
        self.object_ref.as_ref().is_some_and(|object| {
            object.resource == resource && namespace.is_none_or(|namespace| object.namespace == namespace)
        })
    }
}

impl ControlPlane {
    /// The current end of the audit log; requests that were answered before are before it.
    pub async fn audit_mark(&self) -> Result<AuditMark, Error> {
        let (_, end) = self.read_until_now(AuditMark(0)).await?;
        Ok(end)
    }

    /// The requests that were answered after the mark, in the log's order. This is what proves "no write": pick by
    /// namespace, user or user agent, because other tests may write at the same time.
    pub async fn requests_since(&self, mark: AuditMark) -> Result<Vec<AuditEvent>, Error> {
        let (text, _) = self.read_until_now(mark).await?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|event| !is_sentinel(event))
            .collect())
    }

    /// Reads until a request of our own shows up: the log is behind the answers, but in order to what came long before.
    async fn read_until_now(&self, from: AuditMark) -> Result<(String, AuditMark), Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = self.audit_log()?;
        let sentinel = format!("{SENTINEL}{}-", NEXT.fetch_add(1, Ordering::Relaxed));
        self.get(&sentinel).await?;
        let seen = async {
            loop {
                let text = read_from(path, from).await?;
                if let Some(at) = text.find(&sentinel) {
                    let end = text[at..].find('\n').map_or(text.len(), |line| at + line + 1);
                    return Ok((text[..end].to_owned(), AuditMark(from.0 + end as u64)));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let late = |_| Error::Deadline {
            what: "a line in the audit log".into(),
            seconds: TIMEOUT.as_secs(),
        };
        tokio::time::timeout(TIMEOUT, seen).await.map_err(late)?
    }
}

const SENTINEL: &str = "/version?sentinel=";

fn is_sentinel(event: &AuditEvent) -> bool {
    event.request_uri.starts_with(SENTINEL)
}

async fn read_from(path: &Path, from: AuditMark) -> Result<String, Error> {
    let failed = || Error::io(format!("the audit log {}", path.display()));
    let mut file = tokio::fs::File::open(path).await.map_err(failed())?;
    file.seek(SeekFrom::Start(from.0)).await.map_err(failed())?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).await.map_err(failed())?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}
