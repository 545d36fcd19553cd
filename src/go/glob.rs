//! Globs of github.com/gobwas/glob with `/` as separator, which Helm's `.Files.Glob` uses.

use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern that is compiled.
const MAXIMUM_PATTERN: usize = 4096;

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Glob(Regex);

/// A pattern that gobwas/glob refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid glob pattern")]
pub struct BadGlob;

impl Glob {
    /// Compiles `*` (not across `/`), `**` (across it), `?`, `[abc]`, `[!a-z]`, `{a,b}` and `\` before a literal.
    pub fn new(pattern: &str) -> Result<Self, BadGlob> {
        if pattern.len() > MAXIMUM_PATTERN {
            return Err(BadGlob);
        }
        let mut expression = String::from("^(?:");
        let mut depth = 0_usize;
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '*' if characters.next_if_eq(&'*').is_some() => expression.push_str(".*"),
                '*' => expression.push_str("[^/]*"),
                '?' => expression.push_str("[^/]"),
                '[' => class(&mut characters, &mut expression)?,
                '{' => {
                    depth += 1;
                    expression.push_str("(?:");
                }
                ',' if depth > 0 => expression.push('|'),
                '}' if depth > 0 => {
                    depth -= 1;
                    expression.push(')');
                }
                '\\' => literal(characters.next().ok_or(BadGlob)?, &mut expression),
                other => literal(other, &mut expression),
            }
        }
        expression.push_str(&")".repeat(depth));
        expression.push_str(")$");
        let regex = RegexBuilder::new(&expression).dot_matches_new_line(true).build();
        regex.map(Self).map_err(|_| BadGlob)
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.0.is_match(name)
    }
}

/// `[abc]` or `[a-z]`, but not both at once; the `[` is already read.
fn class(characters: &mut impl Iterator<Item = char>, expression: &mut String) -> Result<(), BadGlob> {
    let mut members = Vec::new();
    loop {
        match characters.next().ok_or(BadGlob)? {
            ']' => break,
            '\\' => members.push(characters.next().ok_or(BadGlob)?),
            member => members.push(member),
        }
    }
    let (negated, members) = match members.as_slice() {
        ['!', members @ ..] => (true, members),
        members => (false, members),
    };
    if members.is_empty() {
        return Err(BadGlob);
    }
    expression.push_str(if negated { "[^" } else { "[" });
    match members {
        [low, '-', high] if low <= high => {
            literal(*low, expression);
            expression.push('-');
            literal(*high, expression);
        }
        [_, '-', ..] => return Err(BadGlob),
        members => members.iter().for_each(|member| literal(*member, expression)),
    }
    expression.push(']');
    Ok(())
}

fn literal(character: char, expression: &mut String) {
    let mut buffer = [0; 4];
    expression.push_str(&regex::escape(character.encode_utf8(&mut buffer)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_gobwas() {
        for (pattern, name, expected) in [
            ("files/*", "files/a.txt", true),
            ("files/*", "files/sub/a.txt", false),
            ("files/**", "files/sub/a.txt", true),
            ("**.yaml", "a/b.yaml", true),
            ("*.yaml", "a/b.yaml", false),
            ("dashboards/*.{json,yaml}", "dashboards/a.json", true),
            ("dashboards/*.{json,yaml}", "dashboards/a.txt", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("a.b", "axb", false),
            ("\\*", "*", true),
        ] {
            assert_eq!(
                Glob::new(pattern).unwrap().matches(name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
        assert_eq!(Glob::new("[a").unwrap_err(), BadGlob);
        assert_eq!(Glob::new("[a-cA-C]").unwrap_err(), BadGlob);
    }
}
