//! Lists in messages for people: the first few, and how many more there are.

use std::fmt::{Display, Write as _};

/// The first of `total` things in one line, with what stands between them, such as `; `.
pub(crate) fn first_few<T: Display>(
    things: impl IntoIterator<Item = T>,
    total: usize,
    at_most: usize,
    separator: &str,
) -> String {
    let mut text = String::new();
    let mut named = 0;
    for thing in things.into_iter().take(at_most) {
        let before = if named == 0 { "" } else { separator };
        // Writing to a string does not fail.
        let _ = write!(text, "{before}{thing}");
        named += 1;
    }
    if total > named {
        let _ = write!(text, "{separator}and {} more", total - named);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_counted() {
        let few = |count: u32| first_few(0..count, count as usize, 2, "; ");
        assert_eq!(few(0), "");
        assert_eq!(few(1), "0");
        assert_eq!(few(2), "0; 1");
        assert_eq!(few(5), "0; 1; and 3 more");
        // Of a list that was shortened before, the true number counts.
        assert_eq!(first_few(["a"], 7, 3, ", "), "a, and 6 more");
    }
}
