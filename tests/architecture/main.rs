//! Holds the line between pure and edge modules: every path in `src/` is compared with a table of what its module may use.
//!
//! Pure modules get time, randomness and look-ups as parameters; this test is why that stays true.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod scan;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use scan::Crates;
use table::{EVERYWHERE, IMPURE, Nature, RULES, Rule, SYSTEM_RANDOM};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn declared_crates() -> Crates {
    Crates::declared(&fs::read_to_string(root().join("Cargo.toml")).unwrap())
}

/// What is wrong in one file: `module` is its place in the crate, for example `["api", "names"]`.
fn violations(crates: &Crates, module: &[String], text: &str) -> Vec<String> {
    let Some(top) = module.first() else { return Vec::new() };
    let place = module.join("::");
    let Some(rule) = RULES.iter().find(|rule| rule.module == top) else {
        return vec![format!(
            "{place}: the module `{top}` is not in tests/architecture/table.rs; put it there"
        )];
    };
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
    let wrong: BTreeSet<String> = scan::paths(crates, module, &file)
        .iter()
        .filter_map(|path| wrong_use(rule, path))
        .collect();
    let report = |used: String| format!("{place}: must not use `{used}`");
    wrong.into_iter().map(report).collect()
}

/// What is wrong with using a path: the whole path, or the name of a crate of which nothing may be used.
fn wrong_use(rule: &Rule, path: &[String]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let text = path.join("::");
    if first == "crate" {
        // Only what is in the table is a module; other names at the root are re-exports and macros.
        let module = rest.first()?;
        let known = RULES.iter().any(|other| other.module == module);
        let wrong = known && module != rule.module && !rule.modules.contains(&module.as_str());
        return wrong.then_some(text);
    }
    match rule.nature {
        Nature::Edge => None,
        Nature::Pure if !EVERYWHERE.contains(&first.as_str()) && !rule.crates.contains(&first.as_str()) => {
            Some(first.clone())
        }
        Nature::Pure => {
            let is_below = |prefix: &&str| text == *prefix || text.starts_with(&format!("{prefix}::"));
            let mut forbidden = IMPURE.iter().filter(|prefix| !rule.crates.contains(prefix));
            let impure = forbidden.any(is_below) || rest.iter().any(|name| name == SYSTEM_RANDOM);
            impure.then_some(text)
        }
    }
}

/// All source files below `folder` with their place in the crate, except `lib.rs`, `main.rs` and files for tests only.
fn source_files(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, PathBuf)>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "tests" || (module.is_empty() && (stem == "lib" || stem == "main")) {
            continue;
        }
        let place = [module, std::slice::from_ref(&stem)].concat();
        if path.is_dir() {
            source_files(&path, &place, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((if stem == "mod" { module.to_vec() } else { place }, path));
        }
    }
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let crates = declared_crates();
    let mut files = Vec::new();
    source_files(&root().join("src"), &[], &mut files);
    assert!(files.len() > 20, "the source was not found");
    let wrong: Vec<_> = files
        .iter()
        .flat_map(|(module, path)| violations(&crates, module, &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(
        wrong.is_empty(),
        "the line between modules is crossed:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_table_is_complete_and_pure_modules_know_no_edge() {
    let nature: BTreeMap<_, _> = RULES.iter().map(|rule| (rule.module, rule.nature)).collect();
    assert_eq!(nature.len(), RULES.len(), "a module is listed twice");
    for rule in RULES {
        for module in rule.modules {
            let of_other = nature
                .get(module)
                .unwrap_or_else(|| panic!("{}: {module} is not listed", rule.module));
            assert!(
                rule.nature == Nature::Edge || *of_other == Nature::Pure,
                "{} is pure and may not know {module}",
                rule.module
            );
        }
    }
}

/// Proves that the check fails where it should: each text is wrong in its module for the given path.
#[test]
fn violations_are_found() {
    let crates = declared_crates();
    #[rustfmt::skip] // one line a case
    let seeded = [
        ("api", "use tokio::time::sleep;", "tokio"),
        ("api", "use tokio::*;", "tokio"),
        ("api", "use kube::Client;", "kube::Client"),
        ("api", "use kube::{CustomResource, runtime as watching};", "kube::runtime"),
        ("api", "use super::super::cluster;", "crate::cluster"),
        ("api", "fn f() { let _ = crate::operator::run(); }", "crate::operator::run"),
        ("plan", "use std::time::SystemTime as Clock; fn f() { Clock::now(); }", "std::time::SystemTime::now"),
        ("plan", "use std::time; fn f() { time::Instant::now(); }", "std::time::Instant::now"),
        ("plan", "fn f() -> Timestamp { Timestamp::now() } use jiff::Timestamp;", "jiff::Timestamp::now"),
        ("plan", "fn f() -> u8 { rand::random() }", "rand"),
        ("render", "fn f() { println!(\"{:?}\", std::fs::read(\"x\")); }", "std::fs::read"),
        ("render", "fn f(_: std::net::TcpStream) {}", "std::net::TcpStream"),
        ("render", "mod inner { use super::super::super::source::fetch; }", "crate::source::fetch"),
        ("template", "use bcrypt::rand_core::OsRng;", "bcrypt::rand_core::OsRng"),
        ("ownership", "use std::{collections::BTreeMap, env::{self, args}};", "std::env::args"),
        ("cluster", "use crate::operator::reconcile;", "crate::operator::reconcile"),
    ];
    for (module, text, path) in seeded {
        let found = violations(&crates, &[module.to_owned(), "seeded".to_owned()], text);
        let expected = format!("{module}::seeded: must not use `{path}`");
        assert!(found.contains(&expected), "{text}: {found:?}");
    }
    let unknown = violations(&crates, &["novelty".to_owned()], "");
    assert!(unknown[0].contains("put it there"), "{unknown:?}");
}

/// What is allowed is not reported, or the check would be ignored.
#[test]
fn allowed_uses_are_not_reported() {
    let crates = declared_crates();
    #[rustfmt::skip] // one line a case
    let fine = [
        ("api", "use kube::CustomResource; use std::time::Duration; use super::names::FINALIZER;"),
        ("plan", "use crate::api::conditions; fn f() { conditions::get(&[], x); std::mem::swap(a, b); }"),
        ("go", "use std::net::Ipv4Addr;"),
        ("plan", "#[cfg(test)] mod tests { use std::fs; fn f() { fs::read(\"x\"); tokio::spawn(x); } }"),
        ("render", "fn f(now: jiff::Timestamp, url: u8) { let tokio = url; println!(\"{tokio}\", tokio, url); }"),
        ("operator", "use tokio::fs; use crate::plan::Plan;"),
    ];
    for (module, text) in fine {
        let found = violations(&crates, &[module.to_owned(), "fine".to_owned()], text);
        assert_eq!(found, Vec::<String>::new(), "{text}");
    }
}
