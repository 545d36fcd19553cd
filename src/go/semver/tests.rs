//! Compares with the Go library's own answers, see `GOLDEN`.

use serde_json::Value;

use super::{Constraint, Version};

/// JSON lines written by a Go program from Masterminds/semver 3.5.0; the first names the versions that ranges are
/// checked against. Then one row each: `v` lenient parsing (error, text, numbers, prerelease, metadata, next major,
/// minor and patch version), `s` strict parsing (error), `o` order, `c` range (error, text, one digit a version).
const GOLDEN: &str = include_str!("golden.jsonl");

fn text(row: &Value, column: usize) -> &str {
    row[column]
        .as_str()
        .unwrap_or_else(|| panic!("no column {column} in {row}"))
}

fn check_lenient(row: &Value) {
    let error = text(row, 2);
    let version = match Version::parse(text(row, 1)) {
        Ok(version) => version,
        Err(failure) => return assert_eq!(failure.to_string(), error, "{row}"),
    };
    assert_eq!(error, "", "{row}");
    assert_eq!(version.to_string(), text(row, 3), "{row}");
    assert_eq!(version.original(), text(row, 1));
    assert_eq!(
        format!("{} {} {}", version.major(), version.minor(), version.patch()),
        text(row, 4),
        "{row}"
    );
    assert_eq!(
        (version.prerelease(), version.metadata()),
        (text(row, 5), text(row, 6)),
        "{row}"
    );
    assert_eq!(version.next_major().unwrap().original(), text(row, 7), "{row}");
    assert_eq!(version.next_minor().unwrap().original(), text(row, 8), "{row}");
    assert_eq!(version.next_patch().unwrap().original(), text(row, 9), "{row}");
}

fn check_constraint(row: &Value, versions: &[Version]) {
    let error = text(row, 2);
    let constraint = match Constraint::parse(text(row, 1)) {
        Ok(constraint) => constraint,
        Err(failure) => return assert_eq!(failure.to_string(), error, "{row}"),
    };
    assert_eq!(error, "", "{row}");
    assert_eq!(constraint.to_string(), text(row, 3), "{row}");
    let answers: String = versions
        .iter()
        .map(|version| if constraint.check(version) { '1' } else { '0' })
        .collect();
    assert_eq!(answers, text(row, 4), "{row}");
}

#[test]
fn agrees_with_the_go_library() {
    let mut versions = Vec::new();
    let mut rows = 0;
    for line in GOLDEN.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        rows += 1;
        match text(&row, 0) {
            "versions" => {
                versions = text(&row, 1)
                    .split(' ')
                    .map(|text| Version::parse(text).unwrap())
                    .collect();
            }
            "v" => check_lenient(&row),
            "s" => {
                let error = Version::parse_strict(text(&row, 1))
                    .err()
                    .map_or_else(String::new, |error| error.to_string());
                assert_eq!(error, text(&row, 2), "{row}");
            }
            "o" => {
                let [ours, theirs] = [1, 2].map(|column| Version::parse(text(&row, column)).unwrap());
                assert_eq!((ours.compare(&theirs) as i8).to_string(), text(&row, 3), "{row}");
                assert_eq!(theirs.compare(&ours), ours.compare(&theirs).reverse(), "{row}");
            }
            "c" => check_constraint(&row, &versions),
            kind => panic!("unknown kind of row: {kind}"),
        }
    }
    assert!(
        versions.len() > 30 && rows > 500,
        "{} versions, {rows} rows",
        versions.len()
    );
}

#[test]
fn derives_versions() {
    let version = Version::parse("v1.2.3-rc.1+build").unwrap();
    assert_eq!(version.with_prerelease("beta").unwrap().original(), "v1.2.3-beta+build");
    assert_eq!(version.with_prerelease("").unwrap().to_string(), "1.2.3+build");
    assert_eq!(
        version.with_prerelease("01").unwrap_err().to_string(),
        "version segment starts with 0"
    );
    assert_eq!(
        version.with_prerelease("a..b").unwrap_err().to_string(),
        "invalid prerelease string"
    );
    assert_eq!(version.with_metadata("x").unwrap().original(), "v1.2.3-rc.1+x");
    assert_eq!(
        version.with_metadata("a_b").unwrap_err().to_string(),
        "invalid metadata string"
    );
    let largest = Version::parse("1.2.18446744073709551615").unwrap();
    assert_eq!(
        largest.next_patch().unwrap_err().to_string(),
        "patch version increment would overflow uint64"
    );
}
