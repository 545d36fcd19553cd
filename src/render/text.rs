//! Executing the templates of a set, and what Helm makes of their output and of their errors.

use super::RenderError;
use super::manifest::is_notes;
use super::scope::ChartTemplate;
use crate::template::error::{Cause, FunctionError, Located};
use crate::template::trace::Trace;
use crate::template::value::{Map, MapType, Text, Value};
use crate::template::{Context, ExecutionError, Host, Limits, Mode, TemplateSet};

/// What Go prints for a missing key. Helm removes it wherever it stands.
const NO_VALUE: &str = "<no value>";

/// Executes all templates but the partials, in the order given. Result: path and text.
pub(super) fn execute(
    set: &TemplateSet,
    templates: &[ChartTemplate<'_>],
    limits: Limits,
    mode: Mode,
    host: &mut dyn Host,
) -> Result<Vec<(String, String)>, RenderError> {
    let mut context = Context::new(set, host, limits, mode);
    let mut files = Vec::with_capacity(templates.len());
    let mut output = Vec::new();
    for template in templates.iter().filter(|template| !template.is_partial()) {
        let names = [("Name", &template.name), ("BasePath", &template.base_path)];
        let names = names.map(|(key, value)| (Text::from(key), Value::from(value.as_str())));
        let about = Map::of(MapType::Values, names.into_iter().collect());
        let written = template.root.insert("Template", Value::Map(about));
        debug_assert!(written.is_ok(), "a root is never nil");
        output.clear();
        // `$` has Helm's type for values; the same map under `.Subcharts` is a plain one.
        let root = Value::Map(template.root.with_type(MapType::Values));
        context
            .execute(&template.name, &root, &mut output)
            .map_err(|error| failure(&template.name, &error))?;
        files.push((template.name.clone(), clean(&template.name, &output)?));
    }
    Ok(files)
}

/// The output as text, without `<no value>`.
fn clean(path: &str, output: &[u8]) -> Result<String, RenderError> {
    let text = match std::str::from_utf8(output) {
        Ok(text) => text.to_owned(),
        Err(_) if is_notes(path) => String::from_utf8_lossy(output).into_owned(),
        Err(_) => {
            let message = "error converting YAML to JSON: yaml: invalid leading UTF-8 octet".to_owned();
            return Err(RenderError::Yaml {
                path: path.to_owned(),
                message,
                document: Box::default(),
            });
        }
    };
    Ok(if text.contains(NO_VALUE) {
        text.replace(NO_VALUE, "")
    } else {
        text
    })
}

/// The notes: the root chart's, or with `all` those of every chart, in the order of their paths.
pub(super) fn take_notes(files: &[(String, String)], root: &str, all: bool) -> String {
    let own = format!("{root}/templates/NOTES.txt");
    let mut notes: Vec<&(String, String)> = files
        .iter()
        .filter(|(path, _)| is_notes(path) && (all || *path == own))
        .collect();
    notes.sort();
    let texts: Vec<&str> = notes.into_iter().map(|(_, text)| text.as_str()).collect();
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
