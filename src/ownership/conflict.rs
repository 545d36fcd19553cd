//! What the API server answers to a server-side apply that it refuses: one total function from the answer to its meaning.
//!
//! Sources: `k8s.io/apimachinery/pkg/util/managedfields/internal/conflict.go` for the causes, observed answers of
//! Kubernetes 1.36 and 1.37 for the rest. Knows texts and codes, decides nothing.

use std::sync::OnceLock;

use regex::Regex;

use super::fieldset::FieldSet;
use super::managed::{ManagedEntry, Manager, Operation};
use super::path::{FieldPath, PathElement};

/// The parts of a `Status` that the meaning depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerStatus {
    /// The HTTP code.
    pub code: u16,
    /// `Conflict`, `Invalid`, …; empty for schema errors.
    pub reason: String,
    /// The human-readable text.
    pub message: String,
    /// `details.kind`: the plural resource name.
    pub kind: String,
    /// `details.causes`, in the server's (random) order.
    pub causes: Vec<StatusCause>,
}

/// One of `details.causes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatusCause {
    /// The field, unescaped and therefore ambiguous.
    pub field: String,
    /// `FieldManagerConflict`, `FieldValueInvalid`, …
    pub reason: String,
    /// The text.
    pub message: String,
}

/// One conflicting field as the server names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConflictCause {
    /// The path in the server's ambiguous rendering.
    pub field: String,
    /// Who owns it.
    pub manager: Manager,
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Other managers own fields with other values; sorted, without duplicates, never empty.
    FieldConflict(Vec<ConflictCause>),
    /// The resourceVersion in the body is no longer the object's.
    StaleVersion,
    /// The object with the uid in the body is gone.
    Deleted,
    /// Another object with the same name has taken its place.
    Replaced,
    /// Two writers raced for a resource quota; nothing is wrong with the object.
    QuotaRace,
    /// A create found the object.
    AlreadyExists,
    /// Two fields exclude each other and somebody else owns one of them: forcing does not help.
    Union(Vec<StatusCause>),
    /// The object breaks a rule of its kind.
    Invalid(Vec<StatusCause>),
    /// A field would change that cannot be changed in an object that exists.
    Immutable(Vec<StatusCause>),
    /// The object does not fit its schema: the chart's fault.
    Schema {
        /// The field in the server's rendering, if the message names one.
        path: Option<String>,
        /// What is wrong with it.
        problem: String,
        /// All fields that the message says the schema does not have.
        undeclared: Vec<String>,
    },
    /// managedFields names a version that is served no more.
    RemovedVersion {
        /// `example.com/v1alpha1`.
        api_version: String,
    },
    /// The namespace does not exist.
    NamespaceMissing,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The kind is not served (yet).
    KindMissing,
    /// Some other object does not exist.
    NotFound,
    /// A webhook or an admission policy said no.
    Denied,
    /// A webhook could not be reached.
    WebhookUnavailable,
    /// We may not do this.
    Forbidden,
    /// The credentials are not accepted.
    Unauthorized,
    /// The server has no server-side apply.
    ApplyUnsupported,
    /// The object is larger than the server takes.
    TooLarge,
    /// The request is malformed.
    BadRequest,
    /// The server is overloaded, restarting or lost its storage for a moment.
    Unavailable,
    /// Something that none of the above describes.
    Other,
}

impl Rejection {
    /// The meaning of an answer with an HTTP code of 400 or more.
    pub fn of(status: &ServerStatus) -> Self {
        let message = status.message.as_str();
        if message.contains("admission webhook \"") && message.contains("denied the request")
            || message.contains("ValidatingAdmissionPolicy '") && message.contains("denied request")
        {
            return Self::Denied;
        }
        match status.code {
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 if message.contains("because it is being terminated") => Self::NamespaceTerminating,
            403 => Self::Forbidden,
            404 => not_found(status),
            409 => conflict(status),
            413 => Self::TooLarge,
            415 => Self::ApplyUnsupported,
            422 => invalid(status),
            429 | 503 | 504 => Self::Unavailable,
            500 => internal(message),
            _ => Self::Other,
        }
    }

    /// Whether the same request can succeed later without anybody changing the chart or the permissions.
    ///
    /// A field conflict is not for retry: the policy decides it.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::StaleVersion
            | Self::Deleted
            | Self::Replaced
            | Self::QuotaRace
            | Self::AlreadyExists
            | Self::NamespaceMissing
            | Self::NamespaceTerminating
            | Self::KindMissing
            | Self::NotFound
            | Self::WebhookUnavailable
            | Self::Unavailable
            | Self::Other => true,
            Self::FieldConflict(_)
            | Self::Union(_)
            | Self::Invalid(_)
            | Self::Immutable(_)
            | Self::Schema { .. }
            | Self::RemovedVersion { .. }
            | Self::Denied
            | Self::Forbidden
            | Self::Unauthorized
            | Self::ApplyUnsupported
            | Self::TooLarge
            | Self::BadRequest => false,
        }
    }
}

fn not_found(status: &ServerStatus) -> Rejection {
    if status.kind == "namespaces" || status.message.starts_with("namespaces \"") {
        return Rejection::NamespaceMissing;
    }
    if status.message.contains("page not found") || status.message.contains("could not find the requested resource") {
        return Rejection::KindMissing;
    }
    Rejection::NotFound
}

fn conflict(status: &ServerStatus) -> Rejection {
    let mut causes: Vec<ConflictCause> = status
        .causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(read_cause)
        .collect();
    if !causes.is_empty() {
        causes.sort();
        causes.dedup();
        return Rejection::FieldConflict(causes);
    }
    if status.reason == "AlreadyExists" {
        return Rejection::AlreadyExists;
    }
    if status.kind == "resourcequotas" || status.message.contains("cannot be fulfilled on resourcequotas") {
        return Rejection::QuotaRace;
    }
    if status.message.contains("uid mismatch") || status.message.contains("Precondition failed: UID") {
        return if status.message.contains("no existing object was found") {
            Rejection::Deleted
        } else {
            Rejection::Replaced
        };
    }
    Rejection::StaleVersion
}

fn invalid(status: &ServerStatus) -> Rejection {
    let mut causes = status.causes.clone();
    causes.sort();
    causes.dedup();
    if causes.iter().any(|cause| cause.field == "metadata.uid") {
        return Rejection::Replaced;
    }
    if causes.iter().any(is_union) {
        Rejection::Union(causes)
    } else if causes.iter().any(is_immutable) {
        Rejection::Immutable(causes)
    } else {
        Rejection::Invalid(causes)
    }
}

/// How validations of updates say that a field cannot be changed; those of custom resources say what their authors wrote.
fn is_immutable(cause: &StatusCause) -> bool {
    let texts = [
        "immutable",
        "may not change once set",
        "cannot change roleRef",
        // StatefulSets, Pods.
        "for fields other than",
        "may not change fields other than",
        "may not add or remove containers",
    ];
    texts.iter().any(|text| cause.message.contains(text))
}

/// The known deadlocks: two members of a union, or an item of a list that survives under its old key.
fn is_union(cause: &StatusCause) -> bool {
    let message = cause.message.as_str();
    match cause.reason.as_str() {
        "FieldValueInvalid" => message.contains("may not be specified when"),
        "FieldValueForbidden" => {
            message.contains("may not be specified when")
                || message.contains("should not be set when")
                // Sources of volumes, handlers of probes.
                || message.contains("may not specify more than 1")
        }
        "FieldValueDuplicate" => cause.field.contains(".ports["),
        _ => false,
    }
}

fn internal(message: &str) -> Rejection {
    if message.contains("failed to create typed patch object") || message.contains("failed to create typed live object")
    {
        let (path, problem) = schema_problem(message);
        return Rejection::Schema {
            path,
            problem,
            undeclared: undeclared(message),
        };
    }
    if let Some((_, rest)) = message.split_once("request to convert CR to an invalid group/version: ") {
        let api_version = rest.split_whitespace().next().unwrap_or_default().to_owned();
        return Rejection::RemovedVersion { api_version };
    }
    if message.contains("failed calling webhook") {
        return Rejection::WebhookUnavailable;
    }
    Rejection::Unavailable
}

/// `failed to create typed patch object (ns/n; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema`.
fn schema_problem(message: &str) -> (Option<String>, String) {
    let detail = message.split_once("): ").map_or(message, |(_, detail)| detail);
    match detail.split_once(": ") {
        Some((path, problem)) if path.starts_with(['.', '[']) => (Some(path.to_owned()), problem.to_owned()),
        _ => (None, detail.to_owned()),
    }
}

/// The most fields of one message that are read.
const MAX_UNDECLARED: usize = 256;

/// The fields that are not in the schema: of one such there is a sentence, of several a list, one a line.
fn undeclared(message: &str) -> Vec<String> {
    let lines = message.lines().take(MAX_UNDECLARED);
    let fields = lines.filter_map(|line| {
        let before = line.strip_suffix(": field not declared in schema")?;
        let path = before.rsplit_once("): ").map_or(before, |(_, path)| path).trim();
        path.starts_with('.').then(|| path.to_owned())
    });
    fields.collect()
}

fn phrase() -> Option<&'static Regex> {
    static PHRASE: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern =
        r#"^conflict with "((?:[^"\\]|\\.)*)"(?: with subresource "([^"]*)")?(?: using (\S+))?(?: at (\S+))?$"#;
    PHRASE.get_or_init(|| Regex::new(pattern).ok()).as_ref()
}

fn read_cause(cause: &StatusCause) -> ConflictCause {
    let found = phrase().and_then(|phrase| phrase.captures(&cause.message));
    let group = |index| {
        found
            .as_ref()
            .and_then(|found| found.get(index))
            .map(|text| text.as_str())
    };
    let api_version = group(3).map(str::to_owned);
    let manager = Manager {
        name: group(1).map_or_else(|| cause.message.clone(), unquote),
        // Only entries of Update say which version they used.
        operation: if api_version.is_some() {
            Operation::Update
        } else {
            Operation::Apply
        },
        subresource: group(2).map(str::to_owned),
        api_version,
        time: group(4).and_then(|time| time.parse().ok()),
    };
    ConflictCause {
        field: cause.field.clone(),
        manager,
    }
}

/// Undoes Go's `%q` for the escapes that a manager's name can hold.
fn unquote(quoted: &str) -> String {
    let mut plain = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let code = |digits: usize, rest: &mut std::str::Chars<'_>| {
            let text: String = rest.by_ref().take(digits).collect();
            u32::from_str_radix(&text, 16)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('x') => plain.push(code(2, &mut rest)),
            Some('u') => plain.push(code(4, &mut rest)),
            Some('U') => plain.push(code(8, &mut rest)),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

impl ConflictCause {
    /// Whether this managedFields entry is the one that the cause speaks of.
    pub fn is_about(&self, entry: &ManagedEntry) -> bool {
        let Manager {
            name,
            operation,
            subresource,
            api_version,
            time: _,
        } = &self.manager;
        let other = &entry.manager;
        *name == other.name
            && *operation == other.operation
            && *subresource == other.subresource
            && (api_version.is_none() || *api_version == other.api_version)
    }

    /// The exact paths in the field set that the server renders as this cause's field: more than one if it is ambiguous.
    pub fn exact_paths(&self, fields: &FieldSet) -> Vec<FieldPath> {
        fields
            .paths()
            .into_iter()
            .filter(|path| server_rendering(path) == self.field)
            .collect()
    }
}

/// A path as structured-merge-diff prints it: without escaping, so that it cannot be read back.
pub fn server_rendering(path: &FieldPath) -> String {
    let mut text = String::new();
    for element in path.elements() {
        match element {
            PathElement::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            PathElement::Key(keys) => {
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text.push('[');
                text.push_str(&keys.join(","));
                text.push(']');
            }
            PathElement::Value(_) | PathElement::Index(_) => text.push_str(&element.to_string()),
        }
    }
    text
}

#[cfg(test)]
mod tests;
