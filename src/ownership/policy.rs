//! What to do about a contested field: rules in order, the first that matches decides.
//!
//! Order: a person's resolutions, the breakers of fights, the release's rules, ConflictPolicy rules, well-known owners,
//! then what the class of the conflict says, then `onConflict`. Pure: the time comes in.

use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::class::Class;
use super::managed::Manager;
use super::path::FieldPath;
use super::pattern::PathPattern;
use super::reference::ObjectReference;
use super::wellknown;
pub use crate::api::helm_release::ownership_status::ConflictOutcome as Action;
use crate::api::label_selector::MetadataSelector;
use crate::api::reference::Selector;

/// The longest regular expression in a rule, in bytes.
pub const MAX_EXPRESSION_LENGTH: usize = 512;

/// The largest compiled regular expression of a rule, in bytes.
const MAX_COMPILED_SIZE: usize = 256 * 1024;

/// What a rule says to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnConflict {
    /// End the attempt.
    Fail,
    /// Try again with backoff.
    Retry,
    /// Stop without remediation and wait for a person.
    HandOff,
    /// Leave the field out for as long as somebody else owns it.
    Yield,
    /// Take the field.
    Force,
    /// Own the field beside its owner, with the owner's value instead of the chart's. Only a person decides so.
    Adopt,
}

impl Action {
    /// Whether the other owner still has the field.
    pub const fn is_unresolved(self) -> bool {
        match self {
            Self::Yielded | Self::Retrying | Self::HandedOff | Self::Failed => true,
            Self::Forced | Self::Resolved | Self::Adopted => false,
        }
    }

    /// Whether nothing may be written.
    pub const fn stops(self) -> bool {
        match self {
            Self::Retrying | Self::HandedOff | Self::Failed => true,
            Self::Forced | Self::Resolved | Self::Adopted | Self::Yielded => false,
        }
    }
}

/// What was decided, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub action: Action,
    /// `resolve[0]`, `fights`, `rules[0]`, `ConflictPolicy/platform/rules[2]`, `wellKnownOwners/hpa-replicas`, `phantom`, `adoptFrom`, `ledger`, `admission`, `union`, `onConflict`.
    pub rule: String,
}

/// What a whole text must match.
#[derive(Debug, Clone)]
pub struct Anchored(Matcher);

#[derive(Debug, Clone)]
enum Matcher {
    Expression(Regex),
    Literal(String),
}

/// Why an expression of a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is too long.
    #[error("{field}: the regular expression has {length} bytes; at most 512 are allowed")]
    TooLong {
        /// `target.kind`, `managers[0]`, …
        field: String,
        /// In bytes.
        length: usize,
    },
    /// It is not a regular expression, or too complex.
    #[error("{field}: {expression:?} is not a usable regular expression: {problem}")]
    BadExpression {
        /// `target.kind`, `managers[0]`, …
        field: String,
        /// As given.
        expression: String,
        /// From the regex engine.
        problem: String,
    },
    /// A selector cannot be read.
    #[error("{field} is not a selector: {problem}")]
    BadSelector {
        /// `target.labelSelector` or `target.annotationSelector`.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A path is none.
    #[error("paths[{index}]: {source}")]
    BadPath {
        /// Which of the paths.
        index: usize,
        /// What is wrong.
        source: super::path::PathError,
    },
}

impl Anchored {
    /// Compiles the expression; `field` names it in errors.
    pub fn new(field: &str, expression: &str) -> Result<Self, RuleError> {
        if expression.len() > MAX_EXPRESSION_LENGTH {
            return Err(RuleError::TooLong {
                field: field.to_owned(),
                length: expression.len(),
            });
        }
        let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_COMPILED_SIZE).build();
        // By itself first: `a)|(?:b` must not close our group.
        let compiled = build(expression).and_then(|_| build(&format!("^(?:{expression})$")));
        compiled
            .map(Matcher::Expression)
            .map(Self)
            .map_err(|error| RuleError::BadExpression {
                field: field.to_owned(),
                expression: expression.to_owned(),
                problem: error.to_string().lines().last().unwrap_or_default().to_owned(),
            })
    }

    /// Whether the expression matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Matcher::Expression(expression) => expression.is_match(text),
            Matcher::Literal(literal) => literal == text,
        }
    }

    /// Matches exactly this text.
    pub fn literally(text: &str) -> Self {
        Self(Matcher::Literal(text.to_owned()))
    }
}

/// Which objects a rule is about; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The API group; the core group is the empty text.
    pub group: Option<Anchored>,
    /// The version, without its group.
    pub version: Option<Anchored>,
    /// The kind.
    pub kind: Option<Anchored>,
    /// The name.
    pub name: Option<Anchored>,
    /// The namespace; cluster-scoped objects have the empty text.
    pub namespace: Option<Anchored>,
    /// The labels that the release gives the object.
    pub labels: Option<MetadataSelector>,
    /// The annotations that the release gives the object.
    pub annotations: Option<MetadataSelector>,
}

impl Target {
    /// Compiles the texts of a selector.
    fn parse(selector: &Selector) -> Result<Self, RuleError> {
        let Selector {
            group,
            version,
            kind,
            name,
            namespace,
            annotation_selector,
            label_selector,
        } = selector;
        let compile =
            |field: &str, text: &Option<String>| text.as_deref().map(|text| Anchored::new(field, text)).transpose();
        let bad = |field| move |problem| RuleError::BadSelector { field, problem };
        let annotations = annotation_selector
            .as_deref()
            .map(|text| MetadataSelector::of_annotations(Some(text)));
        let labels = label_selector
            .as_deref()
            .map(|text| MetadataSelector::of_labels(Some(text)));
        Ok(Self {
            group: compile("target.group", group)?,
            version: compile("target.version", version)?,
            kind: compile("target.kind", kind)?,
            name: compile("target.name", name)?,
            namespace: compile("target.namespace", namespace)?,
            labels: labels.transpose().map_err(bad("target.labelSelector"))?,
            annotations: annotations.transpose().map_err(bad("target.annotationSelector"))?,
        })
    }

    fn matches(&self, Subject { object, rendered }: Subject<'_>) -> bool {
        let Self {
            group,
            version,
            kind,
            name,
            namespace,
            labels,
            annotations,
        } = self;
        let fits = |wanted: &Option<Anchored>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted.matches(text));
        let selects = |wanted: &Option<MetadataSelector>| wanted.as_ref().is_none_or(|wanted| wanted.selects(rendered));
        fits(group, object.group())
            && fits(version, object.version())
            && fits(kind, &object.kind)
            && fits(name, &object.name)
            && fits(namespace, object.namespace.as_deref().unwrap_or_default())
            && selects(labels)
            && selects(annotations)
    }
}

/// The object that a rule may be about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The object.
    pub object: &'a ObjectReference,
    /// What the release renders it to; rules that select by labels or annotations are about no object of which it is not known.
    pub rendered: Option<&'a Value>,
}

impl<'a> Subject<'a> {
    /// An object of which only the name is known.
    pub const fn named(object: &'a ObjectReference) -> Self {
        Self { object, rendered: None }
    }
}

/// A rule of a release or of a ConflictPolicy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// How a decision names it, such as `rules[0]`.
    pub name: String,
    /// Which objects.
    pub target: Target,
    /// Which fields, and everything below them; none means all.
    pub paths: Vec<PathPattern>,
    /// Which owners; none means all.
    pub managers: Vec<Anchored>,
    /// What to do.
    pub on_conflict: OnConflict,
    /// When the rule ends; it holds before this moment.
    pub until: Option<Timestamp>,
}

impl Rule {
    /// Reads a rule's texts; see the fields for their meaning.
    pub fn parse(name: impl Into<String>, source: &RuleSource<'_>) -> Result<Self, RuleError> {
        let RuleSource {
            target,
            paths,
            managers,
            on_conflict,
            until,
        } = *source;
        let path =
            |(index, text): (usize, &String)| text.parse().map_err(|source| RuleError::BadPath { index, source });
        let manager = |(index, text): (usize, &String)| Anchored::new(&format!("managers[{index}]"), text);
        Ok(Self {
            name: name.into(),
            target: target.map(Target::parse).transpose()?.unwrap_or_default(),
            paths: paths.iter().enumerate().map(path).collect::<Result<_, _>>()?,
            managers: managers.iter().enumerate().map(manager).collect::<Result<_, _>>()?,
            on_conflict,
            until,
        })
    }

    /// A rule about one field of one object and one owner, such as a person's decision.
    pub fn exactly(
        name: impl Into<String>,
        object: &ObjectReference,
        path: &FieldPath,
        manager: &str,
        on_conflict: OnConflict,
    ) -> Self {
        let target = Target {
            group: Some(Anchored::literally(object.group())),
            kind: Some(Anchored::literally(&object.kind)),
            name: Some(Anchored::literally(&object.name)),
            namespace: Some(Anchored::literally(object.namespace.as_deref().unwrap_or_default())),
            ..Target::default()
        };
        let paths = vec![PathPattern::exactly(path)];
        let managers = vec![Anchored::literally(manager)];
        Self {
            name: name.into(),
            target,
            paths,
            managers,
            on_conflict,
            until: None,
        }
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn is_about(&self, subject: Subject<'_>, path: Option<&FieldPath>) -> bool {
        let fits = match path {
            Some(path) => self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)),
            // A path that could not be found out is covered only by a rule for all paths.
            None => self.paths.is_empty(),
        };
        fits && self.target.matches(subject)
    }

    fn matches(&self, contest: &Contest<'_>) -> bool {
        self.is_about(contest.subject, contest.path)
            && (self.managers.is_empty()
                || self
                    .managers
                    .iter()
                    .any(|pattern| pattern.matches(&contest.manager.name)))
    }
}

/// The texts of a rule as a resource holds them.
#[derive(Debug, Clone, Copy)]
pub struct RuleSource<'a> {
    /// `target`.
    pub target: Option<&'a Selector>,
    /// `paths`.
    pub paths: &'a [String],
    /// `managers`.
    pub managers: &'a [String],
    /// `onConflict`.
    pub on_conflict: OnConflict,
    /// `until`.
    pub until: Option<Timestamp>,
}

/// One owner of one contested field.
#[derive(Debug, Clone, Copy)]
pub struct Contest<'a> {
    /// The object.
    pub subject: Subject<'a>,
    /// The field; `None` if it could not be found out exactly.
    pub path: Option<&'a FieldPath>,
    /// The other owner.
    pub manager: &'a Manager,
    /// What we want there.
    pub ours: Option<&'a Value>,
    /// The class of the conflict.
    pub class: Class,
}

/// What a decision depends on besides the contest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Whether `Retry` has used up its attempts, so that `then` decides.
    pub retries_exhausted: bool,
}

/// All that decides about the contested fields of one release.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What a person decided about single fields.
    pub resolutions: Vec<Rule>,
    /// What stops the fights that go on.
    pub breakers: Vec<Rule>,
    /// The release's rules.
    pub release_rules: Vec<Rule>,
    /// The rules of all ConflictPolicies that select the release, in order.
    pub shared_rules: Vec<Rule>,
    /// Whether the built-in catalogue holds.
    pub well_known_owners: bool,
    /// What to do where no rule matches.
    pub on_conflict: OnConflict,
    /// What to do when `Retry` has used up its attempts; `Retry` here means `Fail`.
    pub then: OnConflict,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            resolutions: Vec::new(),
            breakers: Vec::new(),
            release_rules: Vec::new(),
            shared_rules: Vec::new(),
            well_known_owners: true,
            on_conflict: OnConflict::Fail,
            then: OnConflict::Fail,
        }
    }
}

impl Policy {
    /// Decides about one owner of one contested field.
    pub fn decide(&self, contest: &Contest<'_>, moment: Moment) -> Decision {
        let (wanted, rule) = self.first_match(contest, moment.now);
        let action = match wanted {
            None => Action::Resolved,
            // Taking what is equal takes nothing from anybody, and yielding it is what the rule asks for.
            Some(on_conflict) if contest.class == Class::Phantom && on_conflict != OnConflict::Yield => {
                Action::Resolved
            }
            Some(on_conflict) => self.act(on_conflict, contest, moment),
        };
        Decision { action, rule }
    }

    fn act(&self, on_conflict: OnConflict, contest: &Contest<'_>, moment: Moment) -> Action {
        match on_conflict {
            OnConflict::Force => Action::Forced,
            // What cannot be found cannot be left out, nor replaced.
            OnConflict::Yield | OnConflict::Adopt if contest.path.is_none() => Action::Failed,
            OnConflict::Yield => Action::Yielded,
            OnConflict::Adopt => Action::Adopted,
            OnConflict::HandOff => Action::HandedOff,
            OnConflict::Fail => Action::Failed,
            OnConflict::Retry if !moment.retries_exhausted => Action::Retrying,
            OnConflict::Retry if self.then == OnConflict::Retry => Action::Failed,
            OnConflict::Retry => self.act(self.then, contest, moment),
        }
    }

    /// The first that matches; `None` is the class's own answer: take it.
    fn first_match(&self, contest: &Contest<'_>, now: Timestamp) -> (Option<OnConflict>, String) {
        if let Some(rule) = self.rules(now).find(|rule| rule.matches(contest)) {
            return (Some(rule.on_conflict), rule.name.clone());
        }
        if self.well_known_owners
            && let Some(owner) = wellknown::find(contest)
        {
            return (Some(OnConflict::Yield), format!("wellKnownOwners/{}", owner.name));
        }
        match contest.class {
            Class::Phantom => (None, "phantom".to_owned()),
            Class::Legacy => (None, "adoptFrom".to_owned()),
            // Nobody else wants it, as far as anybody knows.
            Class::Lost => (None, "ledger".to_owned()),
            // Who changes what everybody writes cannot be overruled by writing.
            Class::Admission => (Some(OnConflict::Yield), "admission".to_owned()),
            Class::Real | Class::Sibling | Class::Union => (Some(self.on_conflict), "onConflict".to_owned()),
        }
    }

    fn rules(&self, now: Timestamp) -> impl Iterator<Item = &Rule> {
        self.all_rules().filter(move |rule| !rule.is_expired(now))
    }

    fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        let lists = [
            &self.resolutions,
            &self.breakers,
            &self.release_rules,
            &self.shared_rules,
        ];
        lists.into_iter().flatten()
    }

    /// When the next rule ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.rules(now).filter_map(|rule| rule.until).min()
    }

    /// The rules that have ended and decide nothing any more, by name.
    pub fn expired(&self, now: Timestamp) -> Vec<&str> {
        self.all_rules()
            .filter(|rule| rule.is_expired(now))
            .map(|rule| rule.name.as_str())
            .collect()
    }

    /// A digest of everything that decides now; it changes when a rule does, and when a time-boxed rule ends.
    pub fn fingerprint(&self, now: Timestamp) -> String {
        let Self {
            resolutions: _,
            breakers: _,
            release_rules: _,
            shared_rules: _,
            well_known_owners,
            on_conflict,
            then,
        } = self;
        let mut hash = Sha256::new();
        hash.update(format!("{well_known_owners} {on_conflict:?} {then:?}"));
        for rule in self.rules(now) {
            hash.update(format!("\n{rule:?}"));
        }
        hash.finalize()
            .iter()
            .take(16)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Whether a rule leaves this field to some owner, whoever that is: the owner may be about to come.
    pub fn may_yield(&self, subject: Subject<'_>, path: &FieldPath, now: Timestamp) -> bool {
        self.rules(now)
            .any(|rule| rule.on_conflict == OnConflict::Yield && rule.is_about(subject, Some(path)))
    }
}

/// The most cautious of several decisions on one field: stop before yield, yield before take.
pub fn most_cautious<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Option<&'a Decision> {
    decisions.into_iter().max_by_key(|decision| decision.action)
}

#[cfg(test)]
mod tests;
