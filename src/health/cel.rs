//! CEL expressions of a spec: read once, with bounds on what they may cost, and evaluated over objects.
//!
//! Pure. It knows the language as Flux offers it (the standard functions and macros, strings, sets, encoders) and nothing of
//! what an expression is asked for. An evaluation cannot be interrupted, so what could take long is refused beforehand.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_cel::KubeCelExt as _;
use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, Program, Value as CelValue};
use serde_json::Value;

use crate::parallel;

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 2048;
/// How deep macros (`all`, `exists`, `filter`, `map`) may stand within each other.
pub const MAX_LOOPS: u32 = 3;
/// How much an evaluation may read, in bytes: the size of the object for each round of its macros.
pub const MAX_COST: u64 = 1 << 30;
/// Functions of the libraries that are left out: their results can be much longer than what goes in.
const LEFT_OUT: [&str; 3] = ["replace", "join", "format"];
/// The longest text of an error that is repeated, in characters.
const MAX_ERROR: usize = 200;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// It is no CEL.
    #[error("{0}")]
    Syntax(String),
    /// It is too long.
    #[error("it has {0} bytes; at most {MAX_LENGTH} are accepted")]
    TooLong(usize),
    /// It could take too long.
    #[error("its macros stand {0} deep within each other; at most {MAX_LOOPS} are accepted")]
    TooManyLoops(u32),
    /// It uses a function that is not there.
    #[error("the function {0} is not available")]
    Function(String),
    /// It uses a variable that is not there.
    #[error("the variable {name} is not available; there are {available}")]
    Variable {
        /// Its name.
        name: String,
        /// Those that there are.
        available: String,
    },
}

/// Why an evaluation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A field is missing, or of another type than expected.
    #[error("{0}")]
    Failed(String),
    /// The result is not a boolean.
    #[error("the result is {0}, not true or false")]
    NotBoolean(String),
    /// The object is too large for the macros of the expression.
    #[error("it would read the object's {size} bytes too often ({rounds} times)")]
    TooCostly {
        /// The object's size in bytes.
        size: u64,
        /// How often its macros may go round.
        rounds: u64,
    },
}

/// An expression that was read, and is true or false of objects.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Box<str>,
    program: Arc<Program>,
    /// The variables that it uses, sorted.
    variables: BTreeSet<String>,
    loops: u32,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is no CEL, or beyond one of the bounds.
    pub fn parse(text: &str) -> Result<Self, CelError> {
        if text.len() > MAX_LENGTH {
            return Err(CelError::TooLong(text.len()));
        }
        // The parser goes down the stack with the text. Were it to panic on some text, that text would be no CEL.
        let parsed = parallel::on_large_stack(|| Self::compile(text));
        parsed.unwrap_or_else(|| Err(CelError::Syntax("it cannot be parsed".to_owned())))
    }

    fn compile(text: &str) -> Result<Self, CelError> {
        let program = Program::compile(text).map_err(|errors| CelError::Syntax(first_line(&errors.to_string())))?;
        let references = program.references();
        if let Some(function) = LEFT_OUT.into_iter().find(|name| references.has_function(name)) {
            return Err(CelError::Function(function.to_owned()));
        }
        let loops = loops(program.expression());
        if loops > MAX_LOOPS {
            return Err(CelError::TooManyLoops(loops));
        }
        // Those of macros are their own.
        let own = own_variables(program.expression());
        let used = references.variables().into_iter().map(str::to_owned);
        let variables = used.filter(|name| !own.contains(name)).collect();
        Ok(Self {
            text: text.into(),
            program: Arc::new(program),
            variables,
            loops,
        })
    }

    /// Reads an expression that may use only these variables.
    ///
    /// # Errors
    /// As [`Self::parse`], and when it uses another variable.
    pub fn over(text: &str, variables: &[&str]) -> Result<Self, CelError> {
        let expression = Self::parse(text)?;
        let other = expression
            .variables
            .iter()
            .find(|name| !variables.contains(&name.as_str()));
        match other {
            Some(name) => Err(CelError::Variable {
                name: name.clone(),
                available: variables.join(", "),
            }),
            None => Ok(expression),
        }
    }

    /// Whether it is true of these variables.
    ///
    /// # Errors
    /// When a field that it looks at is missing, its result is no boolean, or it would take too long.
    pub fn holds(&self, variables: &[(&str, &Value)]) -> Result<bool, EvaluationError> {
        self.check_cost(variables)?;
        let evaluated = parallel::on_large_stack(|| self.evaluate(variables));
        evaluated.unwrap_or_else(|| Err(EvaluationError::Failed("it cannot be evaluated".to_owned())))
    }

    fn evaluate(&self, variables: &[(&str, &Value)]) -> Result<bool, EvaluationError> {
        let mut context = Context::default().with_all();
        for (name, value) in variables.iter().filter(|(name, _)| self.variables.contains(*name)) {
            context.add_variable_from_value(*name, convert(value));
        }
        match self.program.execute(&context) {
            Ok(CelValue::Bool(holds)) => Ok(holds),
            Ok(other) => Err(EvaluationError::NotBoolean(other.type_of().to_string())),
            Err(error) => Err(EvaluationError::Failed(explain(&error))),
        }
    }

    fn check_cost(&self, variables: &[(&str, &Value)]) -> Result<(), EvaluationError> {
        let mut extent = Extent::default();
        for (_, value) in variables.iter().filter(|(name, _)| self.variables.contains(*name)) {
            extent.add(value);
        }
        let rounds = extent.longest.saturating_pow(self.loops);
        if rounds.saturating_mul(extent.size) > MAX_COST {
            let size = extent.size;
            return Err(EvaluationError::TooCostly { size, rounds });
        }
        Ok(())
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

/// How large an object is.
#[derive(Debug, Default)]
struct Extent {
    /// About the bytes of its JSON.
    size: u64,
    /// The items of its longest list or map. A text of an expression can make a list, too.
    longest: u64,
}

impl Extent {
    fn add(&mut self, value: &Value) {
        let (bytes, items) = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => (8, 0),
            Value::String(text) => (text.len() + 8, 0),
            Value::Array(items) => {
                for item in items {
                    self.add(item);
                }
                (8, items.len())
            }
            Value::Object(fields) => {
                for field in fields.values() {
                    self.add(field);
                }
                (fields.keys().map(|name| name.len() + 8).sum(), fields.len())
            }
        };
        self.size = self.size.saturating_add(bytes as u64);
        self.longest = self.longest.max(items as u64);
    }
}

/// Numbers without a fraction become `int`, as in Go: a `uint` could not be compared with a literal.
fn convert(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => CelValue::Int(integer),
            None => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(convert).collect())),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), convert(value)));
            CelValue::Map(Map {
                map: Arc::new(fields.collect()),
            })
        }
    }
}

/// How deep the macros of an expression stand within each other.
fn loops(expression: &IdedExpr) -> u32 {
    let inside = parts(&expression.expr).into_iter().map(loops).max().unwrap_or(0);
    match &expression.expr {
        Expr::Comprehension(comprehension) => {
            let body = [
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ];
            let body = body.into_iter().map(loops).max().unwrap_or(0);
            (body + 1).max(inside)
        }
        Expr::Unspecified
        | Expr::Call(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_) => inside,
    }
}

/// The variables that the macros of an expression make.
fn own_variables(expression: &IdedExpr) -> Vec<String> {
    let mut found: Vec<String> = parts(&expression.expr).into_iter().flat_map(own_variables).collect();
    if let Expr::Comprehension(comprehension) = &expression.expr {
        found.push(comprehension.iter_var.clone());
        found.extend(comprehension.iter_var2.clone());
        found.push(comprehension.accu_var.clone());
    }
    found
}

/// What an expression is made of.
fn parts(expression: &Expr) -> Vec<&IdedExpr> {
    match expression {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::Comprehension(comprehension) => vec![
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(structure) => structure
            .entries
            .iter()
            .flat_map(|entry| entry_parts(&entry.expr))
            .collect(),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// What went wrong, without the values that it went wrong with: they may be a Secret's.
fn explain(error: &ExecutionError) -> String {
    let text = match error {
        ExecutionError::NoSuchKey(name) => format!("there is no field {name}"),
        ExecutionError::UndeclaredReference(name) => format!("there is no {name}"),
        ExecutionError::NotSupportedAsMethod { method, target: _ } => format!("{method} cannot be used here"),
        ExecutionError::UnexpectedType { got, want } => format!("a value is {got}, not {want}"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function has {actual} arguments, not {expected}")
        }
        ExecutionError::FunctionError { function, message: _ } => format!("{function} cannot be used on this value"),
        ExecutionError::IndexOutOfBounds(_) => "a list has no item at an index".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        _ => "a value is not of the type that is expected".to_owned(),
    };
    text.chars().take(MAX_ERROR).collect()
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("ERROR: <input>:")
        .chars()
        .take(MAX_ERROR)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(text: &str, object: &Value) -> Result<bool, String> {
        let expression = Expression::parse(text).map_err(|error| error.to_string())?;
        let fields = object.as_object().unwrap();
        let variables: Vec<(&str, &Value)> = fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
        expression.holds(&variables).map_err(|error| error.to_string())
    }

    fn object() -> Value {
        json!({"metadata": {"name": "web", "generation": 2}, "status": {"observedGeneration": 2, "ratio": 0.5,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}, {"type": "Paused", "status": "False"}]}})
    }

    #[test]
    fn the_expressions_that_flux_documents_work() {
        for (expression, expected) in [
            (
                "status.conditions.filter(c, c.type == 'Ready').all(c, c.status == 'True' && c.observedGeneration == metadata.generation)",
                true,
            ),
            (
                "status.conditions.exists(c, c.type == 'Paused' && c.status == 'True')",
                false,
            ),
            ("has(status.phase) && status.phase == 'Done'", false),
            ("status.observedGeneration >= 2 && status.ratio < 1.0", true),
            (
                "metadata.name.startsWith('we') && metadata.name.matches('^w.b$') && metadata.name.upperAscii() == 'WEB'",
                true,
            ),
            ("size(status.conditions) == 2 && 'status' in status.conditions[0]", true),
            ("metadata.generation == 3 ? false : sets.contains([1, 2], [2])", true),
            ("status.conditions.map(c, c.type) == ['Ready', 'Paused']", true),
        ] {
            assert_eq!(holds(expression, &object()), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_explained_without_values() {
        for (expression, expected) in [
            ("status.phase == 'x'", "there is no field phase"),
            ("stat.phase == 'x'", "there is no stat"),
            ("status.conditions.size()", "the result is int, not true or false"),
            ("metadata.name + 1 == 2", "a value is not of the type that is expected"),
            ("status.conditions[7].type == 'x'", "a list has no item at an index"),
            ("frobnicate(status)", "there is no frobnicate"),
        ] {
            assert_eq!(holds(expression, &object()), Err(expected.to_owned()), "{expression}");
        }
    }

    #[test]
    fn what_is_no_cel_or_could_take_long_is_refused() {
        let refused = |text: &str| Expression::parse(text).unwrap_err();
        assert!(matches!(refused("status.phase =="), CelError::Syntax(_)));
        assert!(matches!(refused(""), CelError::Syntax(_)));
        assert_eq!(refused(&"a".repeat(MAX_LENGTH + 1)), CelError::TooLong(MAX_LENGTH + 1));
        assert_eq!(
            refused("a.replace('', a) == ''"),
            CelError::Function("replace".to_owned())
        );
        let nested = "a.all(w, a.all(x, a.all(y, a.all(z, z == w))))";
        assert_eq!(refused(nested), CelError::TooManyLoops(4));
        let large = json!({"a": vec![json!({"b": "c"}); 5000]});
        let error = holds("a.all(x, a.all(y, x == y))", &large).unwrap_err();
        assert!(error.starts_with("it would read the object's"), "{error}");
    }

    #[test]
    fn only_the_variables_that_there_are_can_be_used() {
        let over = |text: &str| {
            Expression::over(text, &["self", "dep"])
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            over("dep.status.conditions.exists(c, c.type == self.metadata.name)"),
            Ok(())
        );
        assert_eq!(
            over("status.ready"),
            Err("the variable status is not available; there are self, dep".to_owned())
        );
    }

    #[test]
    fn no_expression_is_too_deep_for_the_stack() {
        let object = json!({"b": true});
        for part in [
            "a&&",
            "1+",
            "a.b||",
            "-",
            "a?b:",
            "[",
            "{1:",
            "f(",
            "(",
            "a.",
            "a[0].",
            "[a].map(a,",
        ] {
            let close = |open| match open {
                '[' => Some(']'),
                '{' => Some('}'),
                '(' => Some(')'),
                _ => None,
            };
            let repeated = part.repeat(MAX_LENGTH / 2 / part.len());
            let closers: String = repeated.chars().rev().filter_map(close).collect();
            for text in [format!("{repeated}a{closers}"), part.repeat(MAX_LENGTH / part.len())] {
                if let Ok(expression) = Expression::parse(&text) {
                    let _ = expression.holds(&[("a", &object)]);
                }
            }
        }
    }
}
