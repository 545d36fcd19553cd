//! The report as text for people: a line an object, with the fields that change below it.
//!
//! Names and values are anybody's choice, so that no control character of them is printed.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::report::{DiffReport, DiffReports, Revisions};
use super::{Held, Newest, Next};
use crate::api::helm_release::shadow::{ShadowCounts, ShadowEffect};
use crate::plan::revision::Cause;
use crate::plan::shadow::{ChangedField, ContestedReport, Failure, ObjectReport, counted};
use crate::yaml;

/// How many unchanged lines are shown around those that change.
const CONTEXT: usize = 3;
/// The longest line, in characters.
const LONGEST: usize = 500;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Heading,
    /// Something comes.
    Added,
    /// Something goes.
    Removed,
    /// Something changes.
    Changed,
    /// Something stands in the way.
    Bad,
    /// Nothing of these.
    Plain,
}

/// A line of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub tone: Tone,
    /// Without a line feed.
    pub text: String,
}

/// The report, line by line.
pub fn lines(reports: &DiffReports) -> Vec<Line> {
    let mut page = Page::default();
    reports.releases.iter().for_each(|report| page.release(report));
    for Failure {
        namespace,
        release,
        message,
    } in &reports.failures
    {
        page.heading(namespace, release);
        page.line(Tone::Bad, 1, &format!("! cannot be compared: {message}"));
    }
    page.0
}

#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn line(&mut self, tone: Tone, depth: usize, text: &str) {
        let visible = |character: &char| !character.is_control() || *character == '\t';
        let mut shown: String = "  ".repeat(depth);
        shown.extend(text.chars().filter(visible).take(LONGEST));
        if text.chars().nth(LONGEST).is_some() {
            shown.push('…');
        }
        shown.truncate(shown.trim_end().len());
        self.0.push(Line { tone, text: shown });
    }

    fn heading(&mut self, namespace: &str, release: &str) {
        if !self.0.is_empty() {
            self.line(Tone::Plain, 0, "");
        }
        self.line(Tone::Heading, 0, &format!("HelmRelease {namespace}/{release}"));
    }

    fn release(&mut self, report: &DiffReport) {
        let release = &report.release;
        self.heading(&release.namespace, &release.release);
        self.revisions(&release.chart, &report.revision);
        if report.suspended {
            self.line(
                Tone::Changed,
                1,
                "suspended: nothing of this is done before it is resumed",
            );
        }
        for change in &release.changes {
            self.object(change);
        }
        for object in &report.adopts {
            self.line(
                Tone::Changed,
                1,
                &format!("o {object}: its fields become the release's; no value changes"),
            );
        }
        for object in &report.kept {
            self.line(
                Tone::Plain,
                1,
                &format!("= {object}: leaves the release and stays (helm.sh/resource-policy: keep)"),
            );
        }
        for contest in &release.contested {
            self.contest(contest);
        }
        self.line(Tone::Plain, 1, &summary(report));
    }

    fn revisions(&mut self, chart: &str, revisions: &Revisions) {
        let Revisions { newest, next } = revisions;
        match newest {
            Some(Newest { chart: now, .. }) if now != chart => {
                self.line(Tone::Changed, 1, &format!("chart {now} -> {chart}"));
            }
            Some(_) | None => self.line(Tone::Plain, 1, &format!("chart {chart}")),
        }
        let now = newest
            .as_ref()
            .map(|Newest { number, status, .. }| format!("{number} ({status})"));
        let Some(Next {
            number,
            action,
            because,
            reinstalls,
            hooks,
            held,
        }) = next
        else {
            let now = now.unwrap_or_else(|| "none".to_owned());
            return self.line(Tone::Plain, 1, &format!("revision {now}, and no new one"));
        };
        let because: Vec<&str> = because.iter().copied().map(Cause::as_str).collect();
        let because = if because.is_empty() {
            String::new()
        } else {
            format!(": {}", because.join(", "))
        };
        let from = now.map_or_else(String::new, |now| format!("{now} -> "));
        self.line(
            Tone::Changed,
            1,
            &format!("revision {from}{number} ({action}{because})"),
        );
        if *reinstalls {
            self.line(
                Tone::Bad,
                1,
                "! the release is uninstalled where it is, with all of its objects, and installed anew",
            );
        }
        if let Some(Held {
            reason: _,
            message,
            change: _,
        }) = held
        {
            self.line(Tone::Bad, 1, &format!("! {message}"));
        }
        for hook in hooks {
            self.line(
                Tone::Changed,
                1,
                &format!("{} hook {} {}", hook.event, hook.kind, hook.name),
            );
        }
    }

    fn object(&mut self, change: &ObjectReport) {
        let ObjectReport {
            object,
            effect,
            changed,
            fields,
            message,
        } = change;
        match effect {
            ShadowEffect::Created => self.line(Tone::Added, 1, &format!("+ {object}")),
            ShadowEffect::Removed => self.line(Tone::Removed, 1, &format!("- {object}")),
            ShadowEffect::Changed => self.line(Tone::Changed, 1, &format!("~ {object}")),
            ShadowEffect::Refused => {
                let message = message.as_deref().unwrap_or_default();
                self.line(Tone::Bad, 1, &format!("! {object} is refused: {message}"));
            }
        }
        for field in fields {
            self.field(field);
        }
        let more = changed.saturating_sub(fields.len());
        if more > 0 && !fields.is_empty() {
            self.line(Tone::Plain, 3, &format!("and {more} more fields"));
        }
    }

    fn field(&mut self, field: &ChangedField) {
        let ChangedField { path, live, foretold } = field;
        match (live, foretold) {
            (Some(live), Some(then)) if is_short(live) && is_short(then) => {
                self.line(Tone::Changed, 3, &format!("{path}: {live} -> {then}"));
            }
            (None, Some(then)) if is_short(then) => self.line(Tone::Added, 3, &format!("+ {path}: {then}")),
            (Some(live), None) if is_short(live) => self.line(Tone::Removed, 3, &format!("- {path}: {live}")),
            (live, then) => {
                self.line(Tone::Plain, 3, &format!("{path}:"));
                self.long(&long_text(live.as_ref()), &long_text(then.as_ref()));
            }
        }
    }

    fn long(&mut self, live: &str, then: &str) {
        let diff = TextDiff::from_lines(live, then);
        for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
            if index > 0 {
                self.line(Tone::Plain, 4, "…");
            }
            for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
                let (tone, sign) = match change.tag() {
                    ChangeTag::Insert => (Tone::Added, '+'),
                    ChangeTag::Delete => (Tone::Removed, '-'),
                    ChangeTag::Equal => (Tone::Plain, ' '),
                };
                self.line(tone, 4, &format!("{sign} {}", change.value()));
            }
        }
    }

    fn contest(&mut self, field: &ContestedReport) {
        let ContestedReport {
            object,
            path,
            ours,
            theirs,
            manager,
            operation,
            subresource,
            time: _,
            class,
            action,
            rule,
        } = field;
        let through = subresource
            .as_ref()
            .map_or_else(String::new, |subresource| format!(" through {subresource}"));
        let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        let (tone, sign) = if action.stops() {
            (Tone::Bad, '!')
        } else {
            (Tone::Changed, '?')
        };
        let held = format!("{manager} ({operation}{through}) holds {}", value(theirs));
        self.line(
            tone,
            1,
            &format!("{sign} {object} {path}: {held}, ours is {}", value(ours)),
        );
        self.line(tone, 3, &format!("{class} conflict: {action}, by {rule}"));
    }
}

/// Whether a value fits behind its path.
fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\n'),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A value over several lines.
fn long_text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => yaml::to_string(value),
    }
}

fn summary(report: &DiffReport) -> String {
    let ShadowCounts {
        created,
        changed,
        adopted,
        unchanged,
        removed,
        refused,
    } = report.release.objects;
    let told = counted([
        (created, "created"),
        (changed, "changed"),
        (removed, "deleted"),
        (adopted, "adopted"),
        (refused, "refused"),
        (unchanged, "unchanged"),
    ]);
    let told = told.unwrap_or_else(|| "no objects".to_owned());
    let verdict = match (report.release.applies, report.differs) {
        (false, _) => "it could not be applied as it is",
        (true, false) => "nothing would change",
        (true, true) => "it could be applied as it is",
    };
    format!("{told}; {verdict}")
}
