//! Kubernetes events about releases.
//!
//! Edge. Publishing never holds up a reconcile: events go through a bounded channel to one task, and are dropped (with
//! a log line) when the API server cannot keep up. The recorder joins repeated events into series.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::conditions::Reason;

/// Events that may wait for the API server.
const QUEUE: usize = 1024;
/// The API server's limit for an event's note, in bytes.
const MAX_NOTE: usize = 1024;

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
    event: Event,
}

/// Where events are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(mpsc::Sender<Notice>);

impl Events {
    /// Starts the publishing task, which ends with `shutdown` after what is queued is sent.
    pub fn start(client: Client, shutdown: CancellationToken) -> Self {
        let (sender, mut queue) = mpsc::channel::<Notice>(QUEUE);
        let reporter = Reporter {
            controller: "fairlead".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        let recorder = Recorder::new(client, reporter);
        tokio::spawn(async move {
            loop {
                let notice = tokio::select! {
                    notice = queue.recv() => notice,
                    () = shutdown.cancelled() => queue.try_recv().ok(),
                };
                let Some(Notice { about, event }) = notice else { break };
                if let Err(error) = recorder.publish(&event, &about).await {
                    warn!(reason = event.reason, %error, "event was not published");
                }
            }
        });
        Self(sender)
    }

    /// Hands in an event about `about`. `action` is the verb that it was done by, such as `upgrade`.
    pub fn publish(&self, about: ObjectReference, severity: Severity, reason: Reason, action: &str, note: &str) {
        let event = Event {
            type_: match severity {
                Severity::Normal => EventType::Normal,
                Severity::Warning => EventType::Warning,
            },
            reason: reason.as_str().to_owned(),
            note: Some(bounded(note)),
            action: action.to_owned(),
            secondary: None,
        };
        if self.0.try_send(Notice { about, event }).is_err() {
            debug!(%reason, "event dropped: the queue is full or the operator is shutting down");
        }
    }
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
