//! When the gate is open, on the days on which clocks are changed too.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan::revision::tests::identity;

fn gate(gate: &Value) -> Result<Gate, String> {
    let spec = json!({"interval": "1m", "upgrade": {"gate": gate}});
    Gate::of(&serde_json::from_value(spec).unwrap()).map_err(|error| error.to_string())
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// The windows' verdict at a time: `open`, or when the next one opens.
fn windows(windows: &Value, time: &str) -> String {
    let gate = gate(&json!({ "windows": windows })).unwrap();
    match gate.verdict("change", None, at(time)) {
        Verdict::Open => "open".to_owned(),
        Verdict::Held(Hold { approved, opens_at }) => {
            assert!(approved);
            opens_at.unwrap().to_string()
        }
    }
}

#[test]
fn without_a_gate_and_without_windows_everything_may_begin() {
    let spec = serde_json::from_value(json!({"interval": "1m", "upgrade": {}})).unwrap();
    for gate in [Gate::of(&spec).unwrap(), gate(&json!({})).unwrap()] {
        assert_eq!(gate.verdict("change", None, at("2026-01-01T00:00:00Z")), Verdict::Open);
    }
}

#[test]
fn an_approval_is_of_exactly_one_change() {
    let gate = gate(&json!({"approval": "Required"})).unwrap();
    let now = at("2026-01-01T00:00:00Z");
    let waits = Verdict::Held(Hold {
        approved: false,
        opens_at: None,
    });
    for other in [
        None,
        Some(""),
        Some("chang"),
        Some("change "),
        Some("CHANGE"),
        Some("changed"),
    ] {
        assert_eq!(gate.verdict("change", other, now), waits, "{other:?}");
    }
    assert_eq!(gate.verdict("change", Some("change"), now), Verdict::Open);
}

#[test]
fn an_approval_opens_no_window_and_a_window_approves_nothing() {
    let gate = gate(&json!({"approval": "Required", "windows": [{"start": "22:00", "duration": "4h"}]})).unwrap();
    let held = |approved, opens_at: Option<&str>| {
        Verdict::Held(Hold {
            approved,
            opens_at: opens_at.map(at),
        })
    };
    let (day, night) = (at("2026-06-01T12:00:00Z"), at("2026-06-01T23:00:00Z"));
    let tonight = Some("2026-06-01T22:00:00Z");
    assert_eq!(gate.verdict("change", None, day), held(false, tonight));
    assert_eq!(gate.verdict("change", Some("change"), day), held(true, tonight));
    assert_eq!(gate.verdict("change", None, night), held(false, None));
    assert_eq!(gate.verdict("change", Some("change"), night), Verdict::Open);
}

#[test]
fn a_hold_is_looked_at_when_its_window_opens_or_at_the_interval() {
    let (now, opens) = (at("2026-06-01T12:00:00Z"), at("2026-06-01T22:00:00Z"));
    let until = |approved, opens_at| Hold { approved, opens_at }.until(now, Duration::from_mins(10));
    assert_eq!(until(true, Some(opens)), opens);
    assert_eq!(until(false, Some(opens)), at("2026-06-01T12:10:00Z"));
    assert_eq!(until(false, None), at("2026-06-01T12:10:00Z"));
    let hold = Hold {
        approved: false,
        opens_at: None,
    };
    assert_eq!(hold.until(now, Duration::MAX), Timestamp::MAX);
}

#[test]
fn a_window_is_open_from_its_start_for_its_duration_over_midnight_too() {
    let nightly = json!([{"start": "22:00", "duration": "4h"}]);
    for (time, expected) in [
        ("2026-06-01T21:59:59.999Z", "2026-06-01T22:00:00Z"),
        ("2026-06-01T22:00:00Z", "open"),
        ("2026-06-02T00:00:00Z", "open"),
        ("2026-06-02T01:59:59.999Z", "open"),
        ("2026-06-02T02:00:00Z", "2026-06-02T22:00:00Z"),
    ] {
        assert_eq!(windows(&nightly, time), expected, "{time}");
    }
}

#[test]
fn the_days_are_those_on_which_it_opens_in_its_zone() {
    // 2026-06-05 is a Friday. In Berlin it is two hours later.
    let weekend =
        json!([{"days": ["Saturday", "Sunday"], "start": "22:00", "duration": "4h", "timeZone": "Europe/Berlin"}]);
    for (time, expected) in [
        ("2026-06-05T20:30:00Z", "2026-06-06T20:00:00Z"),
        ("2026-06-06T20:00:00Z", "open"),
        ("2026-06-07T00:00:00Z", "2026-06-07T20:00:00Z"),
        // It is Monday in Berlin, and Sunday's window is still open.
        ("2026-06-07T23:59:59Z", "open"),
        ("2026-06-08T00:00:00Z", "2026-06-13T20:00:00Z"),
    ] {
        assert_eq!(windows(&weekend, time), expected, "{time}");
    }
    // Where it is Tuesday already, or Sunday still.
    let monday = |zone| json!([{"days": ["Monday"], "start": "00:30", "duration": "30m", "timeZone": zone}]);
    assert_eq!(windows(&monday("Pacific/Kiritimati"), "2026-06-07T10:45:00Z"), "open");
    assert_eq!(
        windows(&monday("Pacific/Pago_Pago"), "2026-06-08T10:45:00Z"),
        "2026-06-08T11:30:00Z"
    );
}

#[test]
fn of_several_windows_any_may_be_open_and_the_next_one_counts() {
    let several = json!([
        {"days": ["Monday"], "start": "10:00", "duration": "1h"},
        {"days": ["Monday"], "start": "10:30", "duration": "1h"},
        {"days": ["Tuesday"], "start": "09:00", "duration": "1h", "timeZone": "America/New_York"},
    ]);
    for (time, expected) in [
        ("2026-06-01T09:00:00Z", "2026-06-01T10:00:00Z"),
        ("2026-06-01T11:15:00Z", "open"),
        ("2026-06-01T11:30:00Z", "2026-06-02T13:00:00Z"),
        ("2026-06-02T14:00:00Z", "2026-06-08T10:00:00Z"),
    ] {
        assert_eq!(windows(&several, time), expected, "{time}");
    }
}

#[test]
fn a_window_of_seven_days_is_always_open_and_one_a_second_shorter_is_closed_for_that() {
    let week = |duration| json!([{"days": ["Wednesday"], "start": "12:00", "duration": duration}]);
    // 2026-06-03 is a Wednesday.
    for time in ["2026-06-03T11:59:59Z", "2026-06-03T12:00:00Z", "2026-06-06T00:00:00Z"] {
        assert_eq!(windows(&week("168h"), time), "open", "{time}");
    }
    assert_eq!(windows(&week("167h59m59s"), "2026-06-03T11:59:58Z"), "open");
    assert_eq!(
        windows(&week("167h59m59s"), "2026-06-03T11:59:59Z"),
        "2026-06-03T12:00:00Z"
    );
}

#[test]
fn a_start_that_the_clock_skips_is_as_much_later_and_one_that_it_shows_twice_the_first() {
    let berlin =
        |start: &str, duration: &str| json!([{"start": start, "duration": duration, "timeZone": "Europe/Berlin"}]);
    // On 2026-03-29 clocks go from 02:00 to 03:00, which is 01:00 UTC.
    let skipped = berlin("02:30", "30m");
    assert_eq!(windows(&skipped, "2026-03-29T00:59:59Z"), "2026-03-29T01:30:00Z");
    assert_eq!(windows(&skipped, "2026-03-29T01:59:59Z"), "open");
    assert_eq!(windows(&skipped, "2026-03-29T02:00:00Z"), "2026-03-30T00:30:00Z");
    // On 2026-10-25 they go from 03:00 back to 02:00, which is 01:00 UTC.
    let twice = berlin("02:30", "30m");
    assert_eq!(windows(&twice, "2026-10-25T00:29:59Z"), "2026-10-25T00:30:00Z");
    assert_eq!(windows(&twice, "2026-10-25T00:59:59Z"), "open");
    assert_eq!(windows(&twice, "2026-10-25T01:30:00Z"), "2026-10-26T01:30:00Z");
    // What is open while clocks are changed is open as long as ever.
    let night = berlin("22:00", "6h");
    assert_eq!(windows(&night, "2026-03-29T02:59:59Z"), "open"); // 04:59:59 in Berlin
    assert_eq!(windows(&night, "2026-03-29T03:00:00Z"), "2026-03-29T20:00:00Z");
    assert_eq!(windows(&night, "2026-10-25T01:59:59Z"), "open"); // 02:59:59 for the second time
    assert_eq!(windows(&night, "2026-10-25T02:00:00Z"), "2026-10-25T21:00:00Z");
}

#[test]
fn a_date_that_a_zone_skips_has_the_window_a_day_later() {
    // Samoa went from the 29th of December 2011 to the 31st, at 10:00 UTC.
    let apia = json!([{"days": ["Friday"], "start": "12:00", "duration": "1h", "timeZone": "Pacific/Apia"}]);
    assert_eq!(windows(&apia, "2011-12-29T00:00:00Z"), "2011-12-30T22:00:00Z");
}

#[test]
fn at_the_end_of_time_nothing_opens_any_more() {
    let gate = gate(&json!({"windows": [{"start": "00:00", "duration": "1m"}]})).unwrap();
    let held = Verdict::Held(Hold {
        approved: true,
        opens_at: None,
    });
    assert_eq!(gate.verdict("change", None, Timestamp::MAX), held);
    let first = gate.verdict("change", None, Timestamp::MIN);
    assert!(
        matches!(first, Verdict::Held(Hold { opens_at: Some(_), .. })),
        "{first:?}"
    );
}

#[test]
fn what_cannot_be_understood_is_named_with_the_way_out() {
    let window = |field: &str, value: &str| {
        let mut window = json!({"start": "22:00", "duration": "4h", "timeZone": "UTC"});
        window[field] = json!(value);
        gate(&json!({"windows": [{"start": "22:00", "duration": "4h"}, window]})).unwrap_err()
    };
    for zone in ["Europe/Bonn", "europe/berlin", "Local", "", "+02:00", "CEST"] {
        let error = window("timeZone", zone);
        let expected = format!("spec.upgrade.gate.windows[1].timeZone: {zone:?} is no time zone");
        assert!(
            error.starts_with(&expected) && error.contains("Europe/Berlin"),
            "{error}"
        );
    }
    for start in ["24:00", "7:00", "07:60", "07", "07:00:00", "+7:00", ""] {
        let error = window("start", start);
        assert!(error.starts_with("spec.upgrade.gate.windows[1].start: "), "{error}");
    }
    for duration in ["0s", "168h0m0.001s"] {
        let error = window("duration", duration);
        assert!(
            error.starts_with("spec.upgrade.gate.windows[1].duration: ") && error.contains("168h"),
            "{error}"
        );
    }
}

#[test]
fn another_change_has_another_name_and_a_new_manifest_of_the_same_is_no_change() {
    let same = identity("1.0.0");
    let name = change(&same);
    assert!(
        name.len() == DIGITS && name.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{name}"
    );
    let same_chart = Identity {
        oci_digest: Some("sha256:manifest".into()),
        ..same.clone()
    };
    assert_eq!(change(&same_chart), name);
    let patched = |post_renderers: Option<&str>, common_metadata: Option<&str>| Identity {
        post_rendering: PostRenderingDigests {
            post_renderers: post_renderers.map(str::to_owned),
            common_metadata: common_metadata.map(str::to_owned),
        },
        ..same.clone()
    };
    let other = || "other".to_owned();
    let others = [
        identity("1.0.1"),
        Identity {
            release_name: other(),
            ..same.clone()
        },
        Identity {
            namespace: other(),
            ..same.clone()
        },
        Identity {
            chart_name: other(),
            ..same.clone()
        },
        Identity {
            chart_digest: other(),
            ..same.clone()
        },
        Identity {
            config_digest: other(),
            ..same.clone()
        },
        patched(Some("a"), None),
        patched(None, Some("a")),
    ];
    let names: std::collections::BTreeSet<String> = others.iter().map(change).chain([name]).collect();
    assert_eq!(names.len(), others.len() + 1);
}

proptest! {
    /// Whatever the windows and the zone: a gate that is closed opens at the time that it names, and not a second before.
    #[test]
    fn a_closed_gate_opens_when_it_says(
        second in 0..4_000_000_000_i64,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"]),
        hour in 0..24_u8,
        minute in 0..60_u8,
        minutes in 1..=10_080_u32,
        days in prop::sample::subsequence(vec!["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], 0..=7),
    ) {
        let window = json!({"days": days, "start": format!("{hour:02}:{minute:02}"), "duration": format!("{minutes}m"), "timeZone": zone});
        let gate = gate(&json!({"windows": [window]})).unwrap();
        let now = Timestamp::from_second(second).unwrap();
        if let Verdict::Held(Hold { opens_at, .. }) = gate.verdict("change", None, now) {
            let opens = opens_at.unwrap();
            prop_assert!(opens > now && opens.as_second() - second <= 9 * 86_400, "{now} {opens}");
            prop_assert_eq!(gate.verdict("change", None, opens), Verdict::Open);
            let before = Timestamp::from_second(opens.as_second() - 1).unwrap();
            prop_assert_ne!(gate.verdict("change", None, before), Verdict::Open);
        }
    }
}
