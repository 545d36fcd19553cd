//! The way from the file that was rendered to the node that failed, laid flat: includes, `tpl` texts and template calls.

use super::error::{Caller, Cause, ExecutionError, FunctionError, Located, ParseError};
use super::position::Position;
use super::subject::Subject;

/// How many of the outermost and of the innermost steps are kept; a template that calls itself makes thousands.
const KEPT: (usize, usize) = (4, 12);

/// How an execution came to its error. Owned and flat: it can be sent to another thread and dropped on a small stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The steps, outermost first; the last one is the place of the error.
    pub steps: Vec<Step>,
    /// How many steps between the outermost and the innermost ones were left out, and behind how many.
    pub omitted: Option<Omitted>,
    /// What went wrong at the last step.
    pub cause: String,
    /// The values that it went wrong with.
    pub wrong: Vec<Subject>,
}

/// A gap in the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// How many steps come before the gap.
    pub after: usize,
    /// How many are missing.
    pub count: usize,
}

/// One template on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The node that was evaluated.
    pub position: Position,
    /// The template that it stands in: a file or a `define`.
    pub template: String,
    /// The node as Go prints it; empty where the text itself could not be parsed.
    pub node: String,
    /// How many bytes of source are to be marked, where that is known.
    pub length: Option<usize>,
}

impl Trace {
    /// The way to an error.
    pub fn of(error: &ExecutionError) -> Self {
        let mut trace = Self {
            steps: Vec::new(),
            omitted: None,
            cause: String::new(),
            wrong: Vec::new(),
        };
        let mut current = Some(error);
        while let Some(error) = current {
            current = trace.descend(error);
        }
        trace.bound();
        trace
    }

    /// The way to an error of parsing, which is one step.
    pub fn of_parsing(error: &ParseError) -> Self {
        Self {
            steps: vec![unparsable(error)],
            omitted: None,
            cause: error.message.clone(),
            wrong: Vec::new(),
        }
    }

    /// The place of the error.
    pub fn innermost(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// Adds the steps of one error; the result is the error below it.
    fn descend<'e>(&mut self, error: &'e ExecutionError) -> Option<&'e ExecutionError> {
        let ExecutionError::At(located) = error else {
            self.cause = error.to_string();
            return None;
        };
        let Located {
            position,
            template,
            node,
            cause,
            wrong,
            callers,
        } = &**located;
        let callers = callers.iter().rev();
        self.steps.extend(callers.map(
            |Caller {
                 position,
                 template,
                 node,
             }| Step {
                position: position.clone(),
                template: template.clone(),
                node: node.clone(),
                length: None,
            },
        ));
        self.steps.push(Step {
            position: position.clone(),
            template: template.clone(),
            node: node.clone(),
            length: None,
        });
        if !wrong.is_empty() {
            self.wrong.clone_from(wrong);
        }
        match cause {
            Cause::Call {
                error: FunctionError::Template(_, inner),
                ..
            } => return Some(inner),
            Cause::Call {
                error: FunctionError::Parse(_, error),
                ..
            } => {
                self.steps.push(unparsable(error));
                self.wrong.clear();
                self.cause.clone_from(&error.message);
            }
            Cause::Call {
                error: FunctionError::Abort(message),
                ..
            } => self.cause.clone_from(message),
            cause @ (Cause::Evaluation(_) | Cause::Limit(_) | Cause::Call { .. }) => self.cause = cause.to_string(),
        }
        None
    }

    fn bound(&mut self) {
        let (outermost, innermost) = KEPT;
        let Some(count) = self
            .steps
            .len()
            .checked_sub(outermost + innermost)
            .filter(|count| *count > 0)
        else {
            return;
        };
        self.steps.drain(outermost..outermost + count);
        self.omitted = Some(Omitted {
            after: outermost,
            count,
        });
    }
}

fn unparsable(error: &ParseError) -> Step {
    Step {
        position: error.position.clone(),
        template: error.template.clone(),
        node: String::new(),
        length: Some(error.length),
    }
}
