//! Go's time: layouts, zones, printing and reading.

use fairlead::go::time::{Time, Zone};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject};

struct Times;

#[derive(Clone, Debug)]
struct Case {
    layout: String,
    seconds: i64,
    nanos: i64,
    zone: &'static str,
    /// What is read; if empty, what was written.
    text: String,
}

impl Subject for Times {
    type Case = Case;

    const NAME: &'static str = "times";

    fn question(case: &Case) -> Value {
        let Case {
            layout,
            seconds,
            nanos,
            zone,
            text,
        } = case;
        json!({"op": "time", "layout": layout, "seconds": seconds, "nanos": nanos, "zone": zone, "text": text})
    }

    fn ours(case: &Case) -> Value {
        let zone = Zone::load(case.zone, &Zone::Utc).unwrap_or(Zone::Utc);
        let mut time = Time::from_unix(case.seconds, zone.clone());
        time.instant += jiff::SignedDuration::from_nanos(case.nanos);
        let formatted = time.format(&case.layout);
        let text = if case.text.is_empty() { &formatted } else { &case.text };
        let parsed = Time::parse(&case.layout, text, &zone);
        let error = parsed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let parsed = parsed
            .map(|parsed| format!("{} {parsed}", parsed.unix()))
            .unwrap_or_default();
        json!({"formatted": formatted, "string": time.to_string(), "parsed": parsed, "parseError": error})
    }

    fn same(case: &Case, ours: &Value, theirs: &Value) -> bool {
        // A zone's own name that is a number, `+11`, is an unknown zone to us when it is read (COMPATIBILITY.md).
        let has_numeric_names = matches!(case.zone, "Australia/Lord_Howe" | "America/Sao_Paulo");
        ours == theirs || has_numeric_names && case.layout.contains("MST") && ours["formatted"] == theirs["formatted"]
    }
}

#[test]
fn times_are_written_and_read_as_by_go() {
    check::check::<Times>(800, || {
        let element = select(vec![
            "2006",
            "06",
            "01",
            "1",
            "Jan",
            "January",
            "02",
            "2",
            "_2",
            "002",
            "__2",
            "Mon",
            "Monday",
            "15",
            "03",
            "3",
            "04",
            "4",
            "05",
            "5",
            "PM",
            "pm",
            "MST",
            "Z0700",
            "Z07:00",
            "Z07",
            "Z070000",
            "Z07:00:00",
            "-0700",
            "-07:00",
            "-07",
            "-070000",
            "-07:00:00",
            ".000",
            ",000",
            ".999",
            ",999",
            ".000000000",
            ".999999999",
            ".00",
            "05.000",
            "_2006",
        ]);
        let part = prop_oneof![5 => element.prop_map(str::to_owned), 3 => select(vec!["-", " ", ":", "/", "T", ",", "."]).prop_map(str::to_owned), 1 => "[ -~é]{0,2}"];
        let layout = prop_oneof![
            4 => prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat()),
            1 => select(vec!["2006-01-02T15:04:05Z07:00", "Mon, 02 Jan 2006 15:04:05 MST", "2006-01-02 15:04:05.999999999 -0700 MST", "Jan _2 15:04:05", "3:04PM", "2006-01-02"]).prop_map(str::to_owned),
        ];
        let seconds = prop_oneof![
            2 => -2_000_000_000i64..4_000_000_000,
            1 => select(vec![0, -1, 1_500_000_000, -62_135_596_800, 253_402_200_000, 1_711_846_800, 1_711_846_799, 1_729_990_800]),
            1 => -60_000_000_000i64..250_000_000_000,
        ];
        let nanos = prop_oneof![2 => Just(0), 1 => 0i64..1_000_000_000, 1 => select(vec![120_000_000, 1, 999_999_999, 500_000])];
        let zone = select(vec![
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
            "Bogus",
            "",
            "America/Sao_Paulo",
            "Africa/Monrovia",
        ]);
        let text = prop_oneof![
            3 => Just(String::new()),
            1 => select(vec!["2021-06-07", "2021-06-07T08:09:10Z", "2021-02-29", "bad", "2021-13-01", "Mon, 07 Jun 2021 08:09:10 CEST", "12:61", "2021-06-07T08:09:10.123+02:00", "3:04PM", " 2021-06-07", "2021-06-07 ", "24:00"]).prop_map(str::to_owned),
            1 => "[0-9:TZ+. -]{1,12}",
        ];
        (layout, seconds, nanos, zone, text)
            .prop_map(|(layout, seconds, nanos, zone, text)| Case {
                layout,
                seconds,
                nanos,
                zone,
                text,
            })
            .boxed()
    });
}
