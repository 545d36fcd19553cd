//! The ConflictPolicy that would let the releases through: a rule for each group of fields that one rival holds.
//!
//! A generated rule changes nothing that others set: it yields. Only a field that cannot be left out is forced, because nothing
//! else would do. It names the objects, the fields and the rival that were seen, and nothing beyond, except that items of one list
//! whose same field the same rival holds become one pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::Resource as _;
use serde_json::{Value, json};

use super::{ReleaseShadow, Undecided};
use crate::api::ConflictPolicy;
use crate::api::conflict_policy::ConflictPolicySpec;
use crate::api::helm_release::ownership::{ConflictAction, MAX_RULES, OwnershipRule};
use crate::api::reference::Selector;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::path::{FieldPath, PathElement};
use crate::ownership::policy::{Action, MAX_EXPRESSION_LENGTH};
use crate::yaml;

/// The most paths of one rule.
const MAX_PATHS: usize = 64;
/// The longest path of a rule, in characters.
const MAX_PATH_LENGTH: usize = 1024;
/// The longest part of a rule's name that says what it is about, in characters.
const MAX_SLUG: usize = 55;
/// The label by which namespaces are known by their names.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// A policy, and why it says what it says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GeneratedPolicy {
    /// The policies: one, or as many as it takes to hold all rules. None when there is nothing to decide.
    pub policies: Vec<Explained>,
    /// What no ConflictPolicy can decide, because a rule of the release itself comes first.
    pub uncovered: Vec<String>,
}

/// A ConflictPolicy and the reasons of its rules, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The policy.
    pub policy: ConflictPolicy,
    /// One line for each of its rules.
    pub reasons: Vec<String>,
}

/// What one generated rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct About {
    /// Rules for all fields come last: they would match what others are about.
    for_all_paths: bool,
    action: ConflictAction,
    api_group: String,
    kind: String,
    namespace: String,
    manager: String,
    subresource: Option<String>,
}

/// The policy that decides what stops these releases. What a policy of this name decides already stands in it as well, so that it
/// can take the place of that one. Of several policies the one with the highest `priority` comes first, so it must be above that
/// of policies that say otherwise.
pub fn generate(releases: &[ReleaseShadow], name: &str, priority: i32) -> GeneratedPolicy {
    let mut found: BTreeMap<About, BTreeMap<String, BTreeSet<FieldPath>>> = BTreeMap::new();
    let mut namespaces = BTreeSet::new();
    let mut uncovered = Vec::new();
    for release in releases {
        let contested = release.contested().into_iter();
        for undecided in
            contested.filter(|undecided| undecided.field.action.stops() || is_by(name, &undecided.field.rule))
        {
            if !is_for_policies(&undecided.field.rule) {
                uncovered.push(explain_uncovered(release, &undecided));
                continue;
            }
            namespaces.insert(release.namespace.clone());
            let objects = found.entry(about(&undecided)).or_default();
            let paths = objects.entry(undecided.object.name.clone()).or_default();
            paths.extend(undecided.field.path.clone());
        }
    }
    let rules: Vec<(OwnershipRule, String)> = found
        .iter()
        .flat_map(|(about, objects)| rules(about, objects))
        .collect();
    let policies = rules.chunks(MAX_RULES).enumerate().map(|(index, rules)| {
        let name = if index == 0 {
            name.to_owned()
        } else {
            format!("{name}-{}", index + 1)
        };
        explained(&name, priority, &namespaces, index * MAX_RULES, rules)
    });
    GeneratedPolicy {
        policies: policies.collect(),
        uncovered,
    }
}

/// Whether ConflictPolicies come before what decided: a person, a fight and the release's own rules come before them.
fn is_for_policies(rule: &str) -> bool {
    ["ConflictPolicy/", "wellKnownOwners/", "onConflict"]
        .iter()
        .any(|prefix| rule.starts_with(prefix))
}

/// Whether a policy is one of those that were generated under this name: it is called so, or so with a number.
pub fn is_generated(name: &str, policy: &str) -> bool {
    policy.strip_prefix(name).is_some_and(|rest| {
        let number = rest.strip_prefix('-').unwrap_or_default();
        rest.is_empty() || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a policy that was generated under this name decided.
fn is_by(name: &str, rule: &str) -> bool {
    let rest = rule.strip_prefix("ConflictPolicy/");
    let policy = rest.and_then(|rest| rest.split_once('/')).map(|(policy, _)| policy);
    policy.is_some_and(|policy| is_generated(name, policy))
}

fn explain_uncovered(release: &ReleaseShadow, undecided: &Undecided<'_>) -> String {
    let Undecided { object, field } = undecided;
    format!(
        "{}/{}: {object} {} of {}: {} of the release comes before every ConflictPolicy and says {}; change it there",
        release.namespace, release.name, field.field, field.manager.name, field.rule, field.action
    )
}

fn about(undecided: &Undecided<'_>) -> About {
    let Undecided { object, field } = undecided;
    About {
        for_all_paths: field.path.is_none(),
        action: match field.action {
            Action::Forced => ConflictAction::Force,
            // What the chart does not have under this path cannot be left out of it.
            _ if field.path.is_none() || field.ours.is_none() => ConflictAction::Force,
            Action::Yielded
            | Action::Adopted
            | Action::Resolved
            | Action::Retrying
            | Action::HandedOff
            | Action::Failed => ConflictAction::Yield,
        },
        api_group: object.group().to_owned(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone().unwrap_or_default(),
        manager: field.manager.name.clone(),
        subresource: field.manager.subresource.clone(),
    }
}

/// The rules about one rival and kind: objects with the same fields share one.
fn rules(about: &About, objects: &BTreeMap<String, BTreeSet<FieldPath>>) -> Vec<(OwnershipRule, String)> {
    let mut by_paths: BTreeMap<BTreeSet<String>, Vec<&str>> = BTreeMap::new();
    for (name, paths) in objects {
        by_paths.entry(patterns(paths)).or_default().push(name);
    }
    let mut rules = Vec::new();
    for (paths, names) in by_paths {
        let paths: Vec<String> = paths.into_iter().collect();
        for (names, count) in expressions(&names) {
            if paths.is_empty() {
                rules.push((rule(about, names.clone(), Vec::new()), reason(about, 0, count)));
            }
            for paths in paths.chunks(MAX_PATHS) {
                let reason = reason(about, paths.len(), count);
                rules.push((rule(about, names.clone(), paths.to_vec()), reason));
            }
        }
    }
    rules
}

/// The paths as patterns; items of one list with the same field become one.
fn patterns(paths: &BTreeSet<FieldPath>) -> BTreeSet<String> {
    let mut alike: BTreeMap<String, Vec<&FieldPath>> = BTreeMap::new();
    for path in paths {
        alike.entry(pattern(path, true)).or_default().push(path);
    }
    let patterns = alike.into_iter().map(|(shared, paths)| match paths.as_slice() {
        [only] => pattern(only, false),
        _ => shared,
    });
    patterns.collect()
}

/// The path as a rule has it, with items of lists as they are or as any; what is too long is cut at a step, since a pattern
/// stands for everything below it.
fn pattern(path: &FieldPath, any_item: bool) -> String {
    let mut text = String::new();
    for element in path.elements() {
        let step = match element {
            PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) if any_item => "[*]".to_owned(),
            element => element.to_string(),
        };
        if text.chars().count() + step.chars().count() > MAX_PATH_LENGTH {
            break;
        }
        text.push_str(&step);
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// Expressions that match exactly these names, each within the bound, and how many names each has.
fn expressions(names: &[&str]) -> Vec<(String, usize)> {
    let mut expressions: Vec<(String, usize)> = Vec::new();
    for name in names {
        let name = literally(name);
        match expressions.last_mut() {
            Some((expression, count)) if expression.len() + 1 + name.len() <= MAX_EXPRESSION_LENGTH => {
                expression.push('|');
                expression.push_str(&name);
                *count += 1;
            }
            _ => expressions.push((name, 1)),
        }
    }
    expressions
}

/// A regular expression that matches this text. Unlike `regex::escape` it leaves a dash, which every other name has, readable.
fn literally(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\.+*?()|[]{}^$".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

fn rule(about: &About, names: String, paths: Vec<String>) -> OwnershipRule {
    OwnershipRule {
        name: None,
        target: Some(Selector {
            group: Some(literally(&about.api_group)),
            kind: Some(literally(&about.kind)),
            name: Some(names),
            namespace: Some(literally(&about.namespace)),
            ..Selector::default()
        }),
        paths,
        managers: vec![literally(&about.manager)],
        on_conflict: about.action,
        until: None,
    }
}

fn reason(about: &About, paths: usize, objects: usize) -> String {
    let class = ManagerClass::of(&about.manager, about.subresource.as_deref()).as_str();
    let plural = |count: usize, one: &str| {
        if count == 1 {
            format!("1 {one}")
        } else {
            format!("{count} {one}s")
        }
    };
    let fields = match paths {
        0 => "fields that cannot be named".to_owned(),
        paths => plural(paths, "field"),
    };
    let through = about
        .subresource
        .as_ref()
        .map_or_else(String::new, |through| format!(" through {through}"));
    let what = match about.action {
        ConflictAction::Yield => "Yield keeps what is there; to take the chart's value, say Force",
        ConflictAction::Fail | ConflictAction::Retry | ConflictAction::HandOff | ConflictAction::Force => {
            "Force takes it"
        }
    };
    let (manager, kind) = (&about.manager, plural(objects, &about.kind));
    format!("{fields} of {kind}, held by {manager}{through} (a manager of the class {class}): {what}.")
}

fn explained(
    name: &str,
    priority: i32,
    namespaces: &BTreeSet<String>,
    first: usize,
    rules: &[(OwnershipRule, String)],
) -> Explained {
    let named = rules.iter().enumerate().map(|(index, (rule, _))| OwnershipRule {
        name: Some(rule_name(rule, first + index + 1)),
        ..rule.clone()
    });
    let selector = LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: NAMESPACE_NAME.to_owned(),
            operator: "In".to_owned(),
            values: Some(namespaces.iter().cloned().collect()),
        }]),
        match_labels: None,
    };
    let spec = ConflictPolicySpec {
        priority,
        namespace_selector: Some(selector),
        release_selector: None,
        rules: named.collect(),
    };
    Explained {
        policy: ConflictPolicy::new(name, spec),
        reasons: rules.iter().map(|(_, reason)| reason.clone()).collect(),
    }
}

/// A name by which a status can call the rule: what it does, to what kind, and its number.
fn rule_name(rule: &OwnershipRule, number: usize) -> String {
    let kind = rule
        .target
        .as_ref()
        .and_then(|target| target.kind.as_deref())
        .unwrap_or_default();
    let manager = rule.managers.first().map(String::as_str).unwrap_or_default();
    let words = format!("{:?}-{kind}-{manager}", rule.on_conflict).to_lowercase();
    let words: Vec<&str> = words
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug: String = words.join("-").chars().take(MAX_SLUG).collect();
    format!("{}-{number}", slug.trim_end_matches('-'))
}

impl GeneratedPolicy {
    /// The manifests with a reason before each rule, ready for `kubectl apply`.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for (index, Explained { policy, reasons }) in self.policies.iter().enumerate() {
            if index > 0 {
                text.push_str("---\n");
            }
            text.push_str(
                "# Made by `fairlead shadow`. Read every rule: it decides who owns the fields that it names.\n",
            );
            let head = json!({
                "apiVersion": ConflictPolicy::api_version(&()), "kind": ConflictPolicy::kind(&()),
                "metadata": {"name": policy.metadata.name},
            });
            text.push_str(&yaml::to_string(&head));
            text.push_str("spec:\n");
            let mut spec = serde_json::to_value(&policy.spec).unwrap_or_default();
            let rules = spec
                .as_object_mut()
                .and_then(|spec| spec.remove("rules"))
                .unwrap_or_default();
            indented(&mut text, &yaml::to_string(&spec));
            text.push_str("  rules:\n");
            for (rule, reason) in rules.as_array().into_iter().flatten().zip(reasons) {
                comment(&mut text, "  ", reason);
                indented(&mut text, &yaml::to_string(&Value::Array(vec![rule.clone()])));
            }
        }
        if self.policies.is_empty() {
            text.push_str("# No contested field needs a ConflictPolicy.\n");
        }
        if !self.uncovered.is_empty() {
            text.push_str("# Not covered:\n");
        }
        self.uncovered.iter().for_each(|line| comment(&mut text, "", line));
        text
    }
}

fn indented(text: &mut String, lines: &str) {
    for line in lines.lines() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {line}");
    }
}

/// A line that YAML passes over, whatever is in it.
fn comment(text: &mut String, indentation: &str, line: &str) {
    let is_break = |character: char| {
        character.is_control() || matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    let line: String = line
        .chars()
        .map(|character| if is_break(character) { ' ' } else { character })
        .collect();
    let _ = writeln!(text, "{indentation}# {line}");
}
