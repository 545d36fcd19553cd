//! A stream of manifests cut into documents, byte for byte as Helm 4 does it.
//!
//! Helm cuts wherever a line begins with `---`, whatever follows it and even inside a literal block; that is kept,
//! because charts depend on it.

/// The documents of a stream in their order: each without the white space at its beginning, but with what is at its end.
/// Documents of white space alone are left out.
pub fn split_documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text.trim_start());
    let mut at_line_start = true;
    std::iter::from_fn(move || {
        let stream = rest?;
        let Some((document, behind)) = cut(stream, std::mem::take(&mut at_line_start)) else {
            rest = None;
            return Some(stream);
        };
        rest = Some(behind);
        Some(document)
    })
    .map(str::trim_start)
    .filter(|document| !document.is_empty())
}

/// Cuts at the first line that begins with `---`; the marker and the blanks behind it go.
fn cut(stream: &str, at_line_start: bool) -> Option<(&str, &str)> {
    let marker = if at_line_start && stream.starts_with("---") {
        0
    } else {
        stream.find("\n---")? + 1
    };
    Some((&stream[..marker], stream[marker + 3..].trim_start_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_end_and_lose_their_beginning() {
        let stream = "\n---\n# one\na: 1\n\n--- \t\nb: 2\n---c: 3\n---\n \n---";
        assert_eq!(
            split_documents(stream).collect::<Vec<_>>(),
            ["# one\na: 1\n\n", "b: 2\n", "c: 3\n"]
        );
        // Only a line's beginning cuts: not what follows a marker on its line.
        assert_eq!(
            split_documents("------ \na: 1\n--- --- x\n").collect::<Vec<_>>(),
            ["--- \na: 1\n", "--- x\n"]
        );
    }
}
