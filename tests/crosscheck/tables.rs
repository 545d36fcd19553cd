//! The tables of expressions, rendered as charts: against what is written down, and against what Helm says today.
//!
//! `appendix.jsonl` is appendix B of the reference on Helm 4 (353 expressions, made with `helm template` 4.3.1), remade with
//! the oracle: each is the body of an action in the notes of a chart `t2` with one file, behind four characters of text. Helm
//! gives what the reference says in all rows; the row `.Files`, which it abbreviates, has the bytes.

use serde_json::Value;

use crate::charts::{ChartFiles, answer, readable};
use crate::check::{self, Subject};
use crate::expressions::Expressions;

const APPENDIX: &str = include_str!("../golden/functions/appendix.jsonl");
const EXPRESSIONS: &str = include_str!("../golden/functions/expressions.txt");

#[derive(serde::Deserialize)]
struct Row {
    expression: String,
    output: Option<String>,
    error: Option<String>,
}

fn appendix() -> impl Iterator<Item = Row> {
    APPENDIX.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// An expression of the appendix.
struct Appendix;

impl Appendix {
    const TEXT: &'static str = "out ";

    fn chart(expression: &str) -> ChartFiles {
        let values = "m: {a: {b: 1, c: [1, 2]}, x: hello, z: 0, f: false, n: null, e: \"\"}\nl: [3, 1, 2]\n";
        let mut chart = ChartFiles::with_notes(&format!("{}{{{{ {expression} }}}}", Self::TEXT), values);
        chart.files.insert("a.txt".to_owned(), "hi\n".to_owned());
        chart
    }
}

impl Subject for Appendix {
    type Case = String;

    const NAME: &'static str = "appendix";

    fn question(case: &String) -> Value {
        Self::chart(case).question("template")
    }

    fn ours(case: &String) -> Value {
        answer(Self::chart(case).render())
    }

    fn theirs(answer: Value) -> Value {
        readable(answer)
    }
}

#[test]
fn the_appendix_is_what_we_render() {
    let mut differences = Vec::new();
    for Row {
        expression,
        output,
        error,
    } in appendix()
    {
        let ours = Appendix::ours(&expression);
        let same = match (&output, &error) {
            (Some(output), _) => ours["notes"] == format!("{}{output}", Appendix::TEXT),
            (None, error) => ours["error"].as_str() == error.as_deref(),
        };
        if !same {
            differences.push(format!("{expression}\n  ours {ours}\n  Helm {output:?} {error:?}"));
        }
    }
    assert_eq!(appendix().count(), 353);
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn the_appendix_is_what_helm_renders() {
    check::check_table::<Appendix>(appendix().map(|row| row.expression).collect());
}

#[test]
fn the_table_of_expressions_is_what_helm_renders() {
    let expressions = EXPRESSIONS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//"));
    let actions: Vec<String> = expressions
        .map(|expression| format!("{{{{ {expression} }}}}"))
        .collect();
    assert!(actions.len() > 600);
    check::check_table::<Expressions>(actions);
}
