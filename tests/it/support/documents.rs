//! Documents that tests write.

use std::path::Path;

use super::Result;

/// Fails unless the committed file is `expected`; with `FAIRLEAD_WRITE_DOCS` in the environment, writes it.
pub(crate) fn check(file: &str, expected: &str) -> Result {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().ok_or("a file without a folder")?)?;
        std::fs::write(&path, expected)?;
        return Ok(());
    }
    let found = std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let differs = |(number, (found, expected)): (usize, (&str, &str))| {
        (found != expected).then(|| format!("line {}: {found:?}, should be {expected:?}", number + 1))
    };
    if found == expected {
        return Ok(());
    }
    let line = found.lines().zip(expected.lines()).enumerate().find_map(differs);
    Err(format!(
        "{file} is stale ({}); set FAIRLEAD_WRITE_DOCS=1, run the test again and commit the result",
        line.unwrap_or_else(|| "another number of lines".to_owned())
    )
    .into())
}
