//! Kubernetes events about releases.
//!
//! Edge. Publishing never holds up a reconcile: events go through a bounded channel to one task, and are dropped (with
//! a log line) when the API server cannot keep up. Equal events are joined into a series, and many similar ones into one
//! (`series`); not by kube's recorder, which joins events with different notes and so loses all notes but the first.

mod series;

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::series::{AllSeries, Subject, Write};
use crate::api::conditions::Reason;
use crate::api::names::CONTROLLER_FIELD_MANAGER;

/// Events that may wait for the API server.
const QUEUE: usize = 1024;
/// The API server's limit for an event's note, in bytes.
const MAX_NOTE: usize = 1024;
/// What events say that they come from.
const CONTROLLER: &str = "fairlead";
/// How long writing one event may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether an event is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something went as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

struct Notice {
    about: ObjectReference,
    severity: Severity,
    reason: Reason,
    action: String,
    note: String,
}

/// Where events are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(mpsc::Sender<Notice>);

impl Events {
    /// Starts the publishing task, which ends with `shutdown` after what is queued is sent.
    pub fn start(client: Client, shutdown: CancellationToken) -> Self {
        let (sender, mut queue) = mpsc::channel::<Notice>(QUEUE);
        let mut publisher = Publisher {
            client,
            instance: std::env::var("POD_NAME").unwrap_or_else(|_| CONTROLLER.to_owned()),
            series: AllSeries::default(),
        };
        tokio::spawn(async move {
            loop {
                let notice = tokio::select! {
                    notice = queue.recv() => notice,
                    () = shutdown.cancelled() => queue.try_recv().ok(),
                };
                let Some(notice) = notice else { break };
                publisher.publish(notice).await;
            }
        });
        Self(sender)
    }

    /// Hands in an event about `about`. `action` is the verb that it was done by, such as `upgrade`.
    pub fn publish(&self, about: ObjectReference, severity: Severity, reason: Reason, action: &str, note: &str) {
        let notice = Notice {
            about,
            severity,
            reason,
            action: action.to_owned(),
            note: note.to_owned(),
        };
        if self.0.try_send(notice).is_err() {
            debug!(%reason, "event dropped: the queue is full or the operator is shutting down");
        }
    }
}

struct Publisher {
    client: Client,
    instance: String,
    series: AllSeries,
}

impl Publisher {
    async fn publish(&mut self, notice: Notice) {
        let now = Timestamp::now();
        let subject = Subject {
            uid: notice.about.uid.clone().unwrap_or_default(),
            is_warning: notice.severity == Severity::Warning,
            reason: notice.reason.as_str(),
            action: notice.action.clone(),
        };
        let object = notice.about.name.as_deref().unwrap_or(CONTROLLER);
        let name = format!("{object}.{:x}", now.as_nanosecond());
        let write = self.series.take(subject, &notice.note, name, now);
        let namespace = notice.about.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let (name, call) = match write {
            Write::Nothing => return,
            Write::Create { name, note } => {
                let event = self.event(&notice, &name, &note, now);
                (name, tokio::time::timeout(TIMEOUT, create(events, event)).await)
            }
            Write::Repeat { name, count } => {
                let patch = repeat(count, now);
                let call = tokio::time::timeout(TIMEOUT, change(events, &name, patch)).await;
                (name, call)
            }
        };
        let error = match call {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {TIMEOUT:?}"),
        };
        // It may have expired, or never have been there: the next one begins a series.
        self.series.forget(&name);
        warn!(reason = notice.reason.as_str(), %error, "event was not published");
    }

    fn event(&self, notice: &Notice, name: &str, note: &str, now: Timestamp) -> Event {
        let type_ = match notice.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        };
        Event {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(notice.about.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            action: Some(notice.action.clone()),
            event_time: Some(MicroTime(now)),
            note: Some(bounded(note)),
            reason: Some(notice.reason.as_str().to_owned()),
            regarding: Some(notice.about.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(type_.to_owned()),
            ..Event::default()
        }
    }
}

async fn create(events: Api<Event>, event: Event) -> Result<(), kube::Error> {
    let parameters = PostParams {
        field_manager: Some(CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    events.create(&parameters, &event).await.map(|_| ())
}

async fn change(events: Api<Event>, name: &str, patch: serde_json::Value) -> Result<(), kube::Error> {
    let parameters = PatchParams {
        field_manager: Some(CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    events.patch(name, &parameters, &Patch::Merge(patch)).await.map(|_| ())
}

fn repeat(count: i32, now: Timestamp) -> serde_json::Value {
    let series = EventSeries {
        count,
        last_observed_time: MicroTime(now),
    };
    json!({"series": series})
}

fn bounded(note: &str) -> String {
    const ELLIPSIS: &str = "…";
    if note.len() <= MAX_NOTE {
        return note.to_owned();
    }
    let mut end = MAX_NOTE - ELLIPSIS.len();
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ELLIPSIS}", &note[..end])
}
