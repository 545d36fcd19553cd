//! Masterminds semver: versions, their order, constraints.

use fairlead::go::semver::{Constraint, Version};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject};

struct Versions;

#[derive(Clone, Debug)]
struct Case {
    constraint: String,
    version: String,
    other: String,
}

fn words<T, E: std::fmt::Display>(result: &Result<T, E>) -> String {
    result.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

impl Subject for Versions {
    type Case = Case;

    const NAME: &'static str = "versions";

    fn question(case: &Case) -> Value {
        json!({"op": "semver", "constraint": case.constraint, "version": case.version, "other": case.other})
    }

    fn ours(case: &Case) -> Value {
        let version = Version::parse(&case.version);
        let other = Version::parse(&case.other);
        let constraint = Constraint::parse(&case.constraint);
        let order = match (&version, &other) {
            (Ok(version), Ok(other)) => version.compare(other) as i8,
            _ => 0,
        };
        let matches = match (&version, &constraint) {
            (Ok(version), Ok(constraint)) => constraint.check(version),
            _ => false,
        };
        json!({
            "version": version.as_ref().map(ToString::to_string).unwrap_or_default(),
            "versionError": words(&version),
            "otherError": words(&other),
            "strictError": words(&Version::parse_strict(&case.version)),
            "constraintError": words(&constraint),
            "matches": matches,
            "order": order,
        })
    }
}

fn version() -> BoxedStrategy<String> {
    let number =
        prop_oneof![6 => (0..4u32).prop_map(|number| number.to_string()), 1 => "[0-9]{1,3}", 1 => "[0-9]{18,21}"];
    let core = prop::collection::vec(number, 1..5).prop_map(|numbers| numbers.join("."));
    let identifier = prop_oneof![4 => select(vec!["0", "1", "rc", "alpha", "beta", "rc1", "x", "01", "10"]).prop_map(str::to_owned), 1 => "[0-9A-Za-z-]{0,4}"];
    let identifiers = prop::collection::vec(identifier, 0..3).prop_map(|parts| parts.join("."));
    let suffix = |mark: &'static str| prop_oneof![2 => Just(String::new()), 1 => identifiers.clone().prop_map(move |text| format!("{mark}{text}"))];
    let plain = (
        prop_oneof![6 => Just(""), 1 => Just("v"), 1 => Just("V")],
        core,
        suffix("-"),
        suffix("+"),
    );
    let plain = plain.prop_map(|(v, core, pre, meta)| format!("{v}{core}{pre}{meta}"));
    prop_oneof![12 => plain, 1 => "[ -~]{0,8}", 1 => select(vec!["", "1.2.3 ", " 1.2.3", "1.x", "latest", "1.2.3-é"]).prop_map(str::to_owned)].boxed()
}

fn constraint() -> BoxedStrategy<String> {
    let wild = prop_oneof![3 => version(), 1 => select(vec!["*", "x", "X", "1.x", "1.2.x", "1.*", "2.X.x", "", "1.x.3", "0", "0.0", "0.0.0", "0.0.x", "x.1"]).prop_map(str::to_owned)];
    let operator = prop_oneof![
        8 => select(vec!["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"]),
        1 => select(vec!["==", "<>", "><", "!", ">>", "&", "~=", "^^"]),
    ];
    let one = (operator, "[ ]{0,2}", wild.clone())
        .prop_map(|(operator, space, version)| format!("{operator}{space}{version}"));
    let range = (wild.clone(), wild).prop_map(|(from, to)| format!("{from} - {to}"));
    let part = prop_oneof![6 => one, 1 => range];
    let join = select(vec![", ", " ", ",", " || ", "||", " , ", "|", "  "]);
    prop::collection::vec((part, join), 0..4)
        .prop_map(|parts| {
            let last = parts.len().saturating_sub(1);
            let pieces = parts.into_iter().enumerate();
            pieces
                .map(|(index, (part, join))| if index == last { part } else { part + join })
                .collect()
        })
        .boxed()
}

#[test]
fn versions_and_constraints_are_those_of_masterminds() {
    check::check::<Versions>(1_500, || {
        let case = (constraint(), version(), version());
        case.prop_map(|(constraint, version, other)| Case {
            constraint,
            version,
            other,
        })
        .boxed()
    });
}
