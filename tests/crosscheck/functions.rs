//! The functions that templates may call: Helm's and Go's, no more and no fewer.

use std::collections::BTreeSet;

use fairlead::template::functions::names;
use fairlead_controlplane::Oracle;
use serde_json::json;

/// Go's `text/template` has these by itself.
const GO: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

#[test]
fn templates_may_call_what_helm_registers() {
    let ours: BTreeSet<&str> = names().into_iter().collect();
    let asked: Vec<&str> = ours.iter().copied().chain(GO.iter().copied()).collect();
    let answer = Oracle::start()
        .unwrap()
        .ask(&[json!({"op": "functions", "names": asked})])
        .unwrap();
    let registered = answer[0]["registered"].as_array().unwrap().iter();
    let registered: BTreeSet<&str> = registered
        .filter_map(|name| name.as_str())
        .chain(GO.iter().copied())
        .collect();
    assert_eq!(answer[0]["unknown"], json!([]), "functions that Go does not know");
    assert!(registered.len() > 200);
    assert_eq!(ours, registered);
}
