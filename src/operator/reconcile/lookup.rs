//! `lookup` of templates: live objects, asked for while a chart is rendered.
//!
//! Edge. Rendering has a thread of its own and does no IO: an [`Asker`] hands its questions over, and an [`Answerer`], where the
//! cluster can be reached, answers them one at a time. What the answers mean is the chart's affair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::cluster::calls::CallError;
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::operator::context::Context;
use crate::render::Secrets;

/// How often one rendering may ask.
const MOST_QUESTIONS: usize = 1_000;

/// How many objects one list may have.
const MOST_OBJECTS: usize = 10_000;

/// Why there is no answer. The text stands in the template's error.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The kind.
    #[error(transparent)]
    Kind(#[from] DiscoveryError),
    /// The API server.
    #[error("{object}: {source}")]
    Call {
        /// What was asked for.
        object: String,
        /// Why.
        source: CallError,
    },
    /// A list without end.
    #[error("{object}: there are more than {MOST_OBJECTS}; look one up by its name, or those of one namespace")]
    TooMany {
        /// What was asked for.
        object: String,
    },
    /// A rendering that asks without end.
    #[error("a rendering may look up {MOST_QUESTIONS} times")]
    TooOften,
    /// The operator stops.
    #[error("rendering was interrupted")]
    Interrupted,
}

/// The parameters of `lookup`, as Helm has them.
#[derive(Debug)]
struct Question {
    api_version: String,
    kind: String,
    /// All namespaces when empty.
    namespace: String,
    /// All objects when empty.
    name: String,
}

impl Question {
    fn object(&self) -> String {
        let Self {
            api_version,
            kind,
            namespace,
            name,
        } = self;
        match (namespace.as_str(), name.as_str()) {
            ("", "") => format!("{api_version} {kind}s"),
            (namespace, "") => format!("{api_version} {kind}s in {namespace}"),
            ("", name) => format!("{api_version} {kind} {name}"),
            (namespace, name) => format!("{api_version} {kind} {namespace}/{name}"),
        }
    }
}

type Asked = (Question, oneshot::Sender<Result<Value, LookupError>>);

/// The end that templates have.
#[derive(Debug)]
pub struct Asker(mpsc::Sender<Asked>);

/// The end that has the cluster.
#[derive(Debug)]
pub struct Answerer {
    asked: mpsc::Receiver<Asked>,
    questions: usize,
    /// What Secrets hold that were looked up.
    secret: Map<String, Value>,
}

/// The two ends of one rendering.
pub fn channel() -> (Asker, Answerer) {
    let (sender, asked) = mpsc::channel(1);
    let answerer = Answerer {
        asked,
        questions: 0,
        secret: Map::new(),
    };
    (Asker(sender), answerer)
}

impl Asker {
    /// Asks, and waits for the answer. Not to be called where other work would wait, too.
    ///
    /// # Errors
    /// When the cluster has no answer.
    pub fn ask(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Value, LookupError> {
        let question = Question {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let asked = self.0.blocking_send((question, reply));
        asked.map_err(|_| LookupError::Interrupted)?;
        answer.blocking_recv().unwrap_or(Err(LookupError::Interrupted))
    }
}

impl Answerer {
    /// Answers until the rendering is done. `None` when its thread ended without a result.
    pub async fn serve<T>(&mut self, context: &Context, mut done: oneshot::Receiver<T>) -> Option<T> {
        loop {
            tokio::select! {
                result = &mut done => return result.ok(),
                Some((question, reply)) = self.asked.recv() => {
                    // Who asked has gone only when the rendering has ended.
                    let _ = reply.send(self.answer(context, question).await);
                }
            }
        }
    }

    /// These secrets, and those that Secrets hold that were looked up.
    pub fn secrets(self, known: Secrets) -> Secrets {
        if self.secret.is_empty() {
            known
        } else {
            known.and_all_of(&self.secret)
        }
    }

    async fn answer(&mut self, context: &Context, question: Question) -> Result<Value, LookupError> {
        self.questions += 1;
        if self.questions > MOST_QUESTIONS {
            return Err(LookupError::TooOften);
        }
        let resource = context
            .target
            .kinds
            .resolve(&question.api_version, &question.kind)
            .await?;
        let found = if question.name.is_empty() {
            list(context, &resource, &question).await
        } else {
            get(context, &resource, &question).await
        };
        // As for Helm, what is not there is empty.
        let found = found?.unwrap_or_else(|| json!({}));
        if question.kind == "Secret" {
            self.remember(&found);
        }
        Ok(found)
    }

    fn remember(&mut self, found: &Value) {
        let objects = found.get("items").and_then(Value::as_array);
        for object in objects.map_or(std::slice::from_ref(found), Vec::as_slice) {
            let data = object.get("data").and_then(Value::as_object);
            for text in data.into_iter().flat_map(Map::values).filter_map(Value::as_str) {
                let decoded = STANDARD.decode(text).unwrap_or_default();
                let decoded = String::from_utf8_lossy(&decoded).into_owned();
                self.secret
                    .insert(self.secret.len().to_string(), json!([text, decoded]));
            }
        }
    }
}

async fn get(context: &Context, resource: &Resource, question: &Question) -> Result<Option<Value>, LookupError> {
    if resource.namespaced && question.namespace.is_empty() {
        // No object of the cluster has such a name.
        return Ok(None);
    }
    let found = context
        .target
        .calls
        .get(resource, Some(&question.namespace), &question.name);
    found.await.map_err(|source| failed(question, source))
}

/// The list as the server gives it, pages put together.
async fn list(context: &Context, resource: &Resource, question: &Question) -> Result<Option<Value>, LookupError> {
    let namespace = Some(question.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let mut pages = context.target.calls.pages(resource, namespace);
    let (mut whole, mut items) = (None, Vec::new());
    while let Some(mut page) = pages.next().await.map_err(|source| failed(question, source))? {
        if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
            items.extend(more);
        }
        if items.len() > MOST_OBJECTS {
            return Err(LookupError::TooMany {
                object: question.object(),
            });
        }
        whole.get_or_insert(page);
    }
    Ok(whole.map(|mut whole: Value| {
        if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| key == "resourceVersion");
        }
        whole["items"] = Value::Array(items);
        whole
    }))
}

fn failed(question: &Question, source: CallError) -> LookupError {
    LookupError::Call {
        object: question.object(),
        source,
    }
}
