//! What Helm does not tell about a failure: the line in its source, the way that led there, the value that was wrong,
//! and the way out.
//!
//! A report is made from a [`RenderError`] when somebody asks, from what the error carries. It shows no secret: texts
//! that stand in the values under a name like `password` are replaced wherever they appear ([`Secrets`]), no string
//! from the values is quoted as "the value that was wrong", and a rendered Secret is not shown at all.

mod excerpt;
mod head;
mod secrets;

use std::fmt::{self, Display, Formatter};

pub use excerpt::{Excerpt, ExcerptLine};
pub use secrets::{Secrets, is_sensitive};

use super::RenderError;
use super::error::{Document, Mismatch};
use crate::template::subject::{Found, Subject, shorten};
use crate::template::trace::{Step, Trace};

/// The longest node, cause or name in a report, in characters.
const MAXIMUM_TEXT: usize = 160;

/// The part of a failure that Helm does not tell. `Display` is what the command line prints below Helm's message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Where it happened.
    pub place: Option<Place>,
    /// The lines around the place.
    pub excerpt: Option<Excerpt>,
    /// The way to the place, innermost call first.
    pub calls: Vec<Call>,
    /// The values that were wrong, each a sentence: `.Values.image is nil`.
    pub wrong: Vec<String>,
    /// What else is to be known, and the way out.
    pub notes: Vec<String>,
}

/// A place in a template, or in what one made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the template.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 0 as in Helm's messages; none where only the line is known.
    pub column: Option<usize>,
    /// What the line belongs to.
    pub within: Within,
}

/// What a line of a [`Place`] is a line of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Within {
    /// The file.
    File,
    /// A template that the file defines; the line is the file's.
    Template(String),
    /// A text that was given to `tpl`.
    Text,
    /// A document that the template made.
    Document,
}

/// One call on the way to the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// An include, a `tpl` or a `template`.
    At {
        /// `file:line:column` of the call.
        location: String,
        /// The call as Go prints it.
        node: String,
        /// How often it comes one after the other.
        times: usize,
    },
    /// So many further calls.
    Omitted(usize),
}

impl RenderError {
    /// What Helm does not tell. Nothing where Helm's message says all.
    pub fn report(&self, secrets: &Secrets) -> Option<Report> {
        match self {
            Self::Parse(error) => Some(Report::of_trace(&Trace::of_parsing(error), secrets)),
            Self::Execution(failure) => Some(Report::of_trace(&failure.trace, secrets)),
            Self::Limit { trace, .. } => Some(Report::of_trace(trace, secrets)),
            Self::Yaml { path, document, .. } => Some(Report::of_document(path, document, secrets)),
            Self::Schema { mismatches, .. } => Some(Report::of_mismatches(mismatches)),
            Self::NotInstallable(_)
            | Self::MissingDependencies(_)
            | Self::NoReleaseName
            | Self::ReleaseName(_)
            | Self::Dependencies(_)
            | Self::Values(_)
            | Self::KubeVersion { .. }
            | Self::Encode(_) => None,
        }
    }

    /// One bounded text for a status or an event: Helm's message without secrets, and the place if Helm does not
    /// name it. `most` is in characters.
    pub fn brief(&self, secrets: &Secrets, most: usize) -> String {
        let place = match self.report(secrets).and_then(|report| report.place) {
            // Helm names the template and the line of a document.
            None
            | Some(Place {
                within: Within::Document,
                ..
            }) => String::new(),
            Some(Place {
                file,
                line,
                within: Within::File | Within::Template(_) | Within::Text,
                column: _,
            }) => format!("{file}:{line}"),
        };
        let text = secrets.hide(&self.to_string()).into_owned();
        let message = shorten(text.trim_end(), most.saturating_sub(place.chars().count() + 6));
        if place.is_empty() || message.contains(&place) {
            message
        } else {
            format!("{message} (at {place})")
        }
    }
}

impl Report {
    fn of_trace(trace: &Trace, secrets: &Secrets) -> Self {
        let mut report = Self::default();
        let Some(innermost) = trace.innermost() else {
            return report;
        };
        report.place = Some(place_of(innermost));
        report.excerpt = Some(excerpt_of(innermost, &trace.cause, secrets));
        for (index, step) in trace.steps.iter().enumerate().rev().skip(1) {
            if let Some(omitted) = trace.omitted.filter(|omitted| omitted.after == index + 1) {
                report.calls.push(Call::Omitted(omitted.count));
            }
            let here = step.position.to_string();
            if let Some(Call::At { location, times, .. }) = report.calls.last_mut()
                && *location == here
            {
                *times += 1;
                continue;
            }
            report.calls.push(Call::At {
                location: here,
                node: shorten(&secrets.hide(&step.node), MAXIMUM_TEXT),
                times: 1,
            });
        }
        report.wrong = trace.wrong.iter().map(|subject| tell(subject, secrets)).collect();
        report
    }

    fn of_document(path: &str, document: &Document, secrets: &Secrets) -> Self {
        let Document { text, line, files: _ } = document;
        if text.is_empty() {
            return Self::default();
        }
        let wrong = head::wrong_fields(text);
        // Where the reader names no line, the first wrong field may be found by its name.
        let line = line.or_else(|| wrong.first()?.line).unwrap_or(1);
        let mut report = Self {
            place: Some(Place {
                file: path.to_owned(),
                line,
                column: None,
                within: Within::Document,
            }),
            wrong: wrong.into_iter().map(|field| field.told).collect(),
            ..Self::default()
        };
        if secrets::is_secret_document(text) {
            report
                .notes
                .push("the document is a Secret, so its lines are not shown; see them with --debug".to_owned());
        } else {
            report.excerpt = Some(Excerpt::of_line(secrets.hide(text).as_bytes(), line));
        }
        report
    }

    fn of_mismatches(mismatches: &[Mismatch]) -> Self {
        let mut report = Self::default();
        for Mismatch { chart, pointers } in mismatches {
            let schema = format!("{chart}/values.schema.json");
            for pointer in pointers {
                report
                    .wrong
                    .push(format!("{} is refused by {schema}", values_path(chart, pointer)));
            }
            if pointers.is_empty() {
                report.notes.push(format!("the schema is {schema}"));
            }
        }
        report
    }
}

/// The path of a value as the root chart's user sets it: `/image/tag` of `web/charts/db` is `.Values.db.image.tag`.
fn values_path(chart: &str, pointer: &str) -> String {
    let subcharts = chart.split("/charts/").skip(1);
    let tokens = pointer.split('/').filter(|token| !token.is_empty());
    let tokens = tokens.map(|token| token.replace("~1", "/").replace("~0", "~"));
    let names = subcharts.map(str::to_owned).chain(tokens);
    shorten(
        &names.fold(".Values".to_owned(), |path, name| path + "." + &name),
        MAXIMUM_TEXT,
    )
}

fn place_of(step: &Step) -> Place {
    let Step { position, template, .. } = step;
    let within = if position.source_name() == TPL {
        Within::Text
    } else if position.source_name() == template {
        Within::File
    } else {
        Within::Template(shorten(template, MAXIMUM_TEXT))
    };
    Place {
        file: position.source_name().to_owned(),
        line: position.line(),
        column: Some(position.column()),
        within,
    }
}

/// The source name of `tpl` texts.
const TPL: &str = "gotpl";

fn excerpt_of(step: &Step, cause: &str, secrets: &Secrets) -> Excerpt {
    let Step {
        position,
        node,
        length,
        template: _,
    } = step;
    let (start, end) = match length {
        Some(length) => (position.offset(), position.offset() + length),
        None => excerpt::extent(position.text(), position.offset(), node),
    };
    let label = cause.lines().next().unwrap_or_default();
    let excerpt = Excerpt::new(position.text(), start, end).labelled(&shorten(&secrets.hide(label), MAXIMUM_TEXT));
    // The text of `tpl` comes from the values, a template's from the chart.
    if position.source_name() == TPL {
        excerpt.hiding(secrets)
    } else {
        excerpt
    }
}

/// The value that was wrong, in a sentence.
fn tell(subject: &Subject, secrets: &Secrets) -> String {
    let Subject {
        expression,
        type_name,
        found,
    } = subject;
    let told = match found {
        Found::Nothing => "nil".to_owned(),
        Found::Scalar(_) if is_sensitive(expression) => format!("{type_name}, which is not shown"),
        Found::Scalar(value) => format!("{type_name} {}", secrets.hide(value)),
        Found::Text(0) | Found::List(0) | Found::Map(0) => format!("an empty {type_name}"),
        Found::Text(length) => format!("{type_name} of {}", counted(*length, "byte")),
        Found::List(length) => format!("{type_name} with {}", counted(*length, "element")),
        Found::Map(length) => format!("{type_name} with {}", counted(*length, "key")),
        Found::Object => (*type_name).to_owned(),
    };
    format!("{} is {told}", secrets.hide(expression))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            within,
        } = self;
        write!(formatter, "{file}:{line}")?;
        if let Some(column) = column {
            write!(formatter, ":{column}")?;
        }
        match within {
            Within::File => Ok(()),
            Within::Template(name) => write!(formatter, ", in template {name:?}"),
            Within::Text => formatter.write_str(", in a text that was given to tpl"),
            Within::Document => formatter.write_str(", in the document that the template made"),
        }
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            excerpt,
            calls,
            wrong,
            notes,
        } = self;
        if let Some(place) = place {
            writeln!(formatter, "  --> {place}")?;
        }
        if let Some(excerpt) = excerpt {
            write!(formatter, "{excerpt}")?;
        }
        for call in calls {
            match call {
                Call::At { location, node, times } => {
                    write!(formatter, "  called from {location}: {node}")?;
                    match times {
                        1 => writeln!(formatter)?,
                        times => writeln!(formatter, " ({times} times)")?,
                    }
                }
                Call::Omitted(count) => writeln!(formatter, "  called from {count} further calls")?,
            }
        }
        for wrong in wrong {
            writeln!(formatter, "  value: {wrong}")?;
        }
        notes.iter().try_for_each(|note| writeln!(formatter, "  note: {note}"))
    }
}
