//! Executing the templates of a set, and what Helm makes of their output and of their errors.

use memchr::memmem;

use super::RenderError;
use super::manifest::is_notes;
use super::program::Plan;
use crate::template::error::{Cause, FunctionError, Located};
use crate::template::trace::Trace;
use crate::template::value::{Map, MapType, Text, Value};
use crate::template::{Context, ExecutionError, Host, Limits, Mode};

/// What Go prints for a missing key. Helm removes it wherever it stands.
const NO_VALUE: &str = "<no value>";

/// Executes the templates of a plan in its order, each on its chart's root. `take` gets the path and the text of each.
pub(super) fn execute(
    plan: &Plan,
    roots: &[Map],
    limits: Limits,
    mode: Mode,
    host: &mut dyn Host,
    mut take: impl FnMut(String, String),
) -> Result<(), RenderError> {
    let mut context = Context::new(&plan.set, host, limits, mode);
    let (name_key, base_path_key, template_key) = (Text::from("Name"), Text::from("BasePath"), Text::from("Template"));
    for step in &plan.steps {
        let Some(root) = roots.get(step.chart) else {
            unreachable!("plan and roots are of the same charts")
        };
        let about = [
            (name_key.clone(), Value::String(step.text.clone())),
            (base_path_key.clone(), Value::String(step.base_path.clone())),
        ];
        let about = Map::of(MapType::Values, about.into());
        let written = root.insert(template_key.clone(), Value::Map(about));
        debug_assert!(written.is_ok(), "a root is never nil");
        let mut output = Vec::new();
        // `$` has Helm's type for values; the same map under `.Subcharts` is a plain one.
        let root = Value::Map(root.with_type(MapType::Values));
        context
            .execute(&step.name, &root, &mut output)
            .map_err(|error| failure(&step.name, &error))?;
        take(step.name.clone(), clean(&step.name, output)?);
    }
    Ok(())
}

/// The output as text, without `<no value>`.
fn clean(path: &str, output: Vec<u8>) -> Result<String, RenderError> {
    let text = match String::from_utf8(output) {
        Ok(text) => text,
        Err(error) if is_notes(path) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        Err(_) => {
            let message = "error converting YAML to JSON: yaml: invalid leading UTF-8 octet".to_owned();
            return Err(RenderError::Yaml {
                path: path.to_owned(),
                message,
                document: Box::default(),
            });
        }
    };
    Ok(match memmem::find(text.as_bytes(), NO_VALUE.as_bytes()) {
        Some(_) => text.replace(NO_VALUE, ""),
        None => text,
    })
}

/// The notes of some charts, in the order of their paths.
pub(super) fn join_notes(mut notes: Vec<(String, String)>) -> String {
    notes.sort();
    let texts: Vec<&str> = notes.iter().map(|(_, text)| text.as_str()).collect();
    texts.join("\n")
}

/// A template's failure in Helm's words, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// Helm's text.
    pub text: String,
    /// What Helm does not tell.
    pub trace: Box<Trace>,
}

fn failure(template: &str, error: &ExecutionError) -> RenderError {
    let trace = Box::new(Trace::of(error));
    if let Some(limit) = error.limit() {
        return RenderError::Limit {
            template: template.to_owned(),
            limit,
            trace,
        };
    }
    let text = match (error.abort(), error) {
        // `required` or `fail`: the chart's author speaks. Only the outermost template is named.
        (Some(message), ExecutionError::At(located)) => {
            format!("execution error at ({}): {message}", located.position)
        }
        _ => explain(error),
    };
    RenderError::Execution(Failure { text, trace })
}

/// One paragraph for each template on the way to the error. If any part is not an error of text/template, Helm gives
/// up and prints Go's text as it is.
fn explain(root: &ExecutionError) -> String {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut current = Some(root);
    while let Some(error) = current {
        let (paragraph, next) = match error {
            ExecutionError::NoTemplate(_) => (format!("{error}\n"), None),
            ExecutionError::At(located) => {
                let next = match &located.cause {
                    Cause::Evaluation(_) | Cause::Limit(_) => None,
                    Cause::Call {
                        error: FunctionError::Template(prefix, inner),
                        ..
                    } if prefix.is_empty() => Some(inner),
                    // Functions' own errors say no place.
                    Cause::Call { .. } => return root.to_string(),
                };
                let cause = located.cause.to_string();
                let message = cause
                    .split_once(" template:")
                    .map_or(cause.as_str(), |(before, _)| before);
                let Located {
                    position,
                    template,
                    node,
                    ..
                } = &**located;
                (
                    format!("{position}\n  executing \"{template}\" at <{node}>:\n    {message}\n"),
                    next,
                )
            }
        };
        if paragraphs.last() != Some(&paragraph) {
            paragraphs.push(paragraph);
        }
        current = next;
    }
    paragraphs.concat().trim().to_owned()
}
