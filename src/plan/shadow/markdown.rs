//! The report as Markdown, for an issue or a change request.
//!
//! Names and values are anybody's choice, so nothing of them may end a table's cell or begin markup.

use std::fmt::Write as _;

use serde_json::Value;

use super::report::{ContestedReport, Failure, ObjectReport, ShadowReport, ShadowReports, Source, Totals};
use crate::api::helm_release::ownership_status::ConflictOutcome;
use crate::api::helm_release::shadow::{PolicyOutlook, ShadowCounts};

/// The report in GitHub's Markdown.
pub fn markdown(reports: &ShadowReports) -> String {
    let mut text = String::from("# Shadow report\n\n");
    let Totals {
        releases,
        applied,
        stopped,
        contested,
        adopted,
        failures,
    } = reports.totals;
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "Nothing was written. This is what server-side apply would do.\n\n\
         - releases: {releases}, of which {applied} could be applied as they are and {stopped} could not\n\
         - contested fields: {contested}, and {adopted} that adoption settles\n\
         - releases that could not be looked at: {failures}"
    );
    if !reports.releases.is_empty() {
        text.push_str(
            "\n| Release | Chart | Applies | Created | Changed | Removed | Refused | Contested | Adopted fields |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        reports.releases.iter().for_each(|release| overview(&mut text, release));
    }
    reports.releases.iter().for_each(|release| section(&mut text, release));
    if !reports.failures.is_empty() {
        text.push_str("\n## Not looked at\n\n");
        for Failure {
            namespace,
            release,
            message,
        } in &reports.failures
        {
            let _ = writeln!(
                text,
                "- {}: {}",
                code(&format!("{namespace}/{release}")),
                plain(message)
            );
        }
    }
    text
}

fn overview(text: &mut String, release: &ShadowReport) {
    let ShadowCounts {
        created,
        changed,
        adopted: _,
        unchanged: _,
        removed,
        refused,
    } = release.objects;
    let applies = if release.applies { "yes" } else { "**no**" };
    let adopted: u32 = release
        .adopted
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count));
    let _ = writeln!(
        text,
        "| {} | {} | {applies} | {created} | {changed} | {removed} | {refused} | {} | {adopted} |",
        code(&format!("{}/{}", release.namespace, release.release)),
        code(&release.chart),
        release.conflicts.total,
    );
}

fn section(text: &mut String, release: &ShadowReport) {
    let source = match release.source {
        Source::HelmRelease => "from its HelmRelease",
        Source::HelmRecord => "from the manifest that Helm stored",
    };
    let _ = writeln!(
        text,
        "\n## {}/{}\n\nChart {}, {source}; field manager {}.",
        plain(&release.namespace),
        plain(&release.release),
        code(&release.chart),
        code(&release.field_manager),
    );
    if !release.adopted.is_empty() {
        let classes: Vec<String> = release
            .adopted
            .iter()
            .map(|(class, count)| format!("{count} {class}"))
            .collect();
        let _ = writeln!(
            text,
            "Adoption settles {} fields without a decision.",
            classes.join(" and ")
        );
    }
    if !release.contested.is_empty() {
        text.push_str(
            "\n### Contested fields\n\n| Object | Field | Held by | Class | Chart | Live | Action | Rule |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|---|\n");
        release.contested.iter().for_each(|field| contested(text, field));
        text.push_str("\n### What each policy would do\n\n| onConflict | The release | Fields |\n|---|---|---|\n");
        for (policy, outlook) in &release.policies {
            let PolicyOutlook { stops, by_action } = outlook;
            let verdict = if *stops { "**stops**" } else { "goes through" };
            let actions: Vec<String> = by_action
                .iter()
                .map(|(action, count)| format!("{count} {action}"))
                .collect();
            let _ = writeln!(text, "| {policy:?} | {verdict} | {} |", actions.join(", "));
        }
    }
    if !release.changes.is_empty() {
        text.push_str("\n### What would change\n\n| Object | Effect | Field | Live | Then |\n|---|---|---|---|---|\n");
        release.changes.iter().for_each(|change| object(text, change));
    }
}

fn contested(text: &mut String, field: &ContestedReport) {
    let ContestedReport {
        object,
        path,
        ours,
        theirs,
        manager,
        operation,
        subresource,
        time,
        class,
        action,
        rule,
    } = field;
    let through = subresource
        .as_ref()
        .map_or_else(String::new, |subresource| format!(" through {}", code(subresource)));
    let since = time.map_or_else(String::new, |time| format!(", {time}"));
    let action = match action {
        ConflictOutcome::Failed | ConflictOutcome::HandedOff | ConflictOutcome::Retrying => format!("**{action}**"),
        ConflictOutcome::Forced | ConflictOutcome::Resolved | ConflictOutcome::Adopted | ConflictOutcome::Yielded => {
            action.to_string()
        }
    };
    let _ = writeln!(
        text,
        "| {} | {} | {} ({operation}{through}{since}) | {class} | {} | {} | {action} | {} |",
        code(object),
        code(path),
        code(manager),
        value(ours.as_ref()),
        value(theirs.as_ref()),
        code(rule),
    );
}

fn object(text: &mut String, change: &ObjectReport) {
    let ObjectReport {
        object,
        effect,
        changed,
        fields,
        message,
    } = change;
    let (object, effect) = (code(object), effect.as_str());
    if fields.is_empty() {
        let message = message.as_deref().map(plain).unwrap_or_default();
        let _ = writeln!(text, "| {object} | {effect} | {message} | | |");
    }
    for field in fields {
        let (path, live, then) = (
            code(&field.path),
            value(field.live.as_ref()),
            value(field.foretold.as_ref()),
        );
        let _ = writeln!(text, "| {object} | {effect} | {path} | {live} | {then} |");
    }
    let more = changed.saturating_sub(fields.len());
    if more > 0 && !fields.is_empty() {
        let _ = writeln!(text, "| {object} | {effect} | and {more} more | | |");
    }
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| code(&value.to_string()))
}

/// Text in which nothing is markup or ends a cell.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Text as it is, in a cell: as code, which a backtick in it would end.
fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.is_empty() {
        return String::new();
    }
    if text.contains('`') {
        return plain(&text);
    }
    format!("`{}`", text.replace('|', "\\|"))
}
