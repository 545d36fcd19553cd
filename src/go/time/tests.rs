//! Against a table made with Go's own `time` (tests/golden/go).

use serde::Deserialize;

use super::{Duration, Time, Zone};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    kind: String,
    a: String,
    b: String,
    result: String,
    error: String,
}

fn at(row: &Row) -> Time {
    let zone = Zone::load(&row.b, &Zone::Utc).unwrap();
    Time::from_unix(row.a.parse().unwrap(), zone).add(Duration(123_456_789))
}

fn compute(row: &Row) -> Result<String, String> {
    if let Some(layout) = row.kind.strip_prefix("format ") {
        return Ok(at(row).format(layout));
    }
    if let Some(zone) = row.kind.strip_prefix("parse ") {
        let local = Zone::load(zone, &Zone::Utc).unwrap();
        return Time::parse(&row.a, &row.b, &local)
            .map(|time| time.to_string())
            .map_err(|error| error.to_string());
    }
    match row.kind.as_str() {
        "string" => Ok(at(row).to_string()),
        "zone" => Zone::load(&row.a, &Zone::Utc)
            .map(|_| "known".to_owned())
            .ok_or("unknown".to_owned()),
        "duration" => Duration::parse(&row.a).map(describe).map_err(|error| error.to_string()),
        other => panic!("unknown kind {other}"),
    }
}

fn describe(duration: Duration) -> String {
    format!(
        "{} {duration} {} {} {} {} {}",
        duration.0,
        exponent(duration.seconds()),
        exponent(duration.minutes()),
        exponent(duration.hours()),
        duration.round(Duration(60_000_000_000)),
        duration.truncate(Duration(1_000_000_000)),
    )
}

/// Go's %v of a float, as far as the table needs it.
fn exponent(value: f64) -> String {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (mantissa, power) = text.split_once('e').unwrap();
    format!(
        "{mantissa}e{}{:0>2}",
        if power.starts_with('-') { "-" } else { "+" },
        power.trim_start_matches('-')
    )
}

#[test]
fn as_go_prints_and_reads() {
    let table = include_str!("../../../tests/golden/go/time.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let row: Row = serde_json::from_str(line).unwrap();
        let want = if row.error.is_empty() {
            Ok(row.result.clone())
        } else {
            Err(row.error.clone())
        };
        let got = compute(&row);
        if got != want {
            wrong.push(format!("{} {:?} {:?}: {got:?}, want {want:?}", row.kind, row.a, row.b));
        }
    }
    assert!(table.lines().count() > 1000);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn beyond_the_years_that_fit_is_the_nearest() {
    assert!(
        Time::from_unix(i64::MAX, Zone::Utc)
            .to_string()
            .starts_with("9999-12-30")
    );
    let far = Time::from_unix(i64::MAX, Zone::Utc).add(Duration(i64::MAX));
    assert!(far.to_string().starts_with("9999-12-30"));
}
