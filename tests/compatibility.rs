//! COMPATIBILITY.md: each row names a test, and that test is there.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::path::Path;

/// The tests that a row names: `file::function` in backticks, in its last column.
fn tests_of(row: &str) -> Vec<&str> {
    let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap();
    last.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_row_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("COMPATIBILITY.md")).unwrap();
    let (mut rows, mut wrong) = (0, Vec::new());
    for row in text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| What "))
    {
        rows += 1;
        let tests = tests_of(row);
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        for test in tests {
            let found = test.split_once("::").is_some_and(|(file, function)| {
                std::fs::read_to_string(root.join(file)).is_ok_and(|source| source.contains(&format!("fn {function}(")))
            });
            if !found {
                wrong.push(format!("no such test: {test}"));
            }
        }
    }
    assert!(rows > 10, "{rows} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
