//! Single calls to the API server: each with a timeout, each answered by JSON or by a typed refusal.
//!
//! Objects stay JSON: a round trip through typed structs loses what the types do not know.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{
    DeleteParams, DynamicObject, GetParams, ListParams, LogParams, ObjectList, PartialObjectMeta, Patch, PatchParams,
    PostParams, Preconditions, PropagationPolicy, Resource as _,
};
use kube::core::Status;
use kube::core::request::Request;
use serde_json::Value;

use super::discovery::Resource;
use crate::api::helm_release::actions::DeletionPropagation;
use crate::ownership::conflict::{ServerStatus, StatusCause};

/// How long one call may take, retries of the client included.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// How many objects are listed with one request.
const PAGE: u32 = 500;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refused.
    #[error("{}", .0.message)]
    Refused(Box<ServerStatus>),
    /// No answer in time; the call may or may not have had its effect.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The server could not be reached, or its answer not be read.
    #[error("{0}")]
    Transport(String),
}

impl CallError {
    /// Whether the server said that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 404)
    }
}

/// What a server-side apply carries beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyOptions<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Take the fields of others.
    pub force: bool,
    /// Only ask what would happen.
    pub dry_run: bool,
}

/// The API server.
#[derive(Clone)]
pub struct Calls {
    client: Client,
    timeout: Duration,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Calls {
    /// Calls through this client, each within the timeout.
    pub const fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    /// The same calls through another client.
    #[must_use]
    pub const fn through(&self, client: Client) -> Self {
        Self::new(client, self.timeout)
    }

    /// The client behind it.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// An object; `None` if it does not exist.
    pub async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, CallError> {
        let request = request_for(resource, namespace)
            .get(name, &GetParams::default())
            .map_err(transport)?;
        match self.send(self.client.request::<Value>(request)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object's metadata; `None` if it does not exist.
    pub(super) async fn get_metadata(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<PartialObjectMeta<DynamicObject>>, CallError> {
        let request = request_for(resource, namespace)
            .get_metadata(name, &GetParams::default())
            .map_err(transport)?;
        match self.send(self.client.request(request)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind in a namespace, or in all.
    pub async fn list(&self, resource: &Resource, namespace: Option<&str>) -> Result<Vec<Value>, CallError> {
        let mut pages = self.pages(resource, namespace);
        let mut found = Vec::new();
        while let Some(mut page) = pages.next().await? {
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => found.extend(items),
                _ => return Err(CallError::Transport("the list has no items".to_owned())),
            }
        }
        Ok(found)
    }

    /// The lists that together have all objects of a kind in a namespace, or in all.
    pub fn pages(&self, resource: &Resource, namespace: Option<&str>) -> Pages<'_> {
        Pages {
            calls: self,
            request: request_for(resource, namespace),
            next: Some(ListParams::default().limit(PAGE)),
        }
    }

    /// The metadata of all objects of a kind with these labels, in a namespace or in all.
    pub async fn list_metadata(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<PartialObjectMeta<DynamicObject>>, CallError> {
        let mut parameters = ListParams::default().labels(selector).limit(PAGE);
        let mut found = Vec::new();
        loop {
            let request = request_for(resource, namespace)
                .list_metadata(&parameters)
                .map_err(transport)?;
            let page: ObjectList<PartialObjectMeta<DynamicObject>> = self.send(self.client.request(request)).await?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// The last lines that a container has printed, at most so many bytes.
    pub async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: u32,
        bytes: u32,
    ) -> Result<String, CallError> {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            tail_lines: Some(lines.into()),
            limit_bytes: Some(bytes.into()),
            ..LogParams::default()
        };
        let request = Request::new(Pod::url_path(&(), Some(namespace)))
            .logs(pod, &parameters)
            .map_err(transport)?;
        self.send(self.client.request_text(request)).await
    }

    /// Server-side apply; gives the object as it is afterwards.
    pub async fn apply(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        body: &Value,
        options: ApplyOptions<'_>,
    ) -> Result<Value, CallError> {
        let ApplyOptions {
            manager,
            force,
            dry_run,
        } = options;
        let parameters = PatchParams {
            dry_run,
            force,
            field_manager: Some(manager.to_owned()),
            field_validation: None,
        };
        let request = request_for(resource, namespace)
            .patch(name, &parameters, &Patch::Apply(body))
            .map_err(transport)?;
        self.send(self.client.request(request)).await
    }

    /// Creates an object that must not exist yet; gives it as it is afterwards.
    pub async fn create(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        body: &Value,
        manager: &str,
    ) -> Result<Value, CallError> {
        let parameters = PostParams {
            field_manager: Some(manager.to_owned()),
            ..PostParams::default()
        };
        let body = serde_json::to_vec(body).map_err(transport)?;
        let request = request_for(resource, namespace)
            .create(&parameters, body)
            .map_err(transport)?;
        self.send(self.client.request(request)).await
    }

    /// Writes a whole object that exists, in the version that it has; gives it as it is afterwards.
    pub async fn replace(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
        manager: &str,
    ) -> Result<Value, CallError> {
        let parameters = PostParams {
            field_manager: Some(manager.to_owned()),
            ..PostParams::default()
        };
        let object = serde_json::to_vec(object).map_err(transport)?;
        let request = request_for(resource, namespace)
            .replace(name, &parameters, object)
            .map_err(transport)?;
        self.send(self.client.request(request)).await
    }

    /// A JSON merge patch of an object that exists; gives the object as it is afterwards.
    pub async fn merge_patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        manager: &str,
    ) -> Result<Value, CallError> {
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let request = request_for(resource, namespace)
            .patch(name, &parameters, &Patch::Merge(patch))
            .map_err(transport)?;
        self.send(self.client.request(request)).await
    }

    /// Deletes the object with this uid; nothing happens to another object of the same name.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        uid: &str,
        propagation: DeletionPropagation,
    ) -> Result<(), CallError> {
        let preconditions = Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        };
        let parameters = DeleteParams {
            propagation_policy: Some(match propagation {
                DeletionPropagation::Background => PropagationPolicy::Background,
                DeletionPropagation::Foreground => PropagationPolicy::Foreground,
                DeletionPropagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        let request = request_for(resource, namespace)
            .delete(name, &parameters)
            .map_err(transport)?;
        self.send(self.client.request::<Value>(request)).await.map(drop)
    }

    async fn send<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) => Err(CallError::Refused(Box::new(read_status(*status)))),
            Ok(Err(error)) => Err(CallError::Transport(chain(&error))),
            Err(_elapsed) => Err(CallError::Timeout(self.timeout)),
        }
    }
}

/// The pages of a list, each asked for when it is wanted.
#[derive(Debug)]
pub struct Pages<'a> {
    calls: &'a Calls,
    request: Request,
    next: Option<ListParams>,
}

impl Pages<'_> {
    /// The next page; `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Value>, CallError> {
        let Some(parameters) = self.next.take() else {
            return Ok(None);
        };
        let request = self.request.list(&parameters).map_err(transport)?;
        let page: Value = self.calls.send(self.calls.client.request(request)).await?;
        let token = page.pointer("/metadata/continue").and_then(Value::as_str);
        self.next = token
            .filter(|token| !token.is_empty())
            .map(|token| parameters.continue_token(token));
        Ok(Some(page))
    }
}

fn request_for(resource: &Resource, namespace: Option<&str>) -> Request {
    let namespace = if resource.namespaced { namespace } else { None };
    Request::new(DynamicObject::url_path(&resource.api, namespace))
}

fn transport(error: impl std::error::Error) -> CallError {
    CallError::Transport(chain(&error))
}

/// An error with its causes, which the outer messages of HTTP errors leave out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn read_status(status: Status) -> ServerStatus {
    let Status {
        status: _,
        code,
        message,
        metadata: _,
        reason,
        details,
    } = status;
    let (kind, causes) = details
        .map(|details| (details.kind, details.causes))
        .unwrap_or_default();
    let causes = causes
        .into_iter()
        .map(|cause| StatusCause {
            field: cause.field,
            reason: cause.reason,
            message: cause.message,
        })
        .collect();
    ServerStatus {
        code,
        reason,
        message,
        kind,
        causes,
    }
}
