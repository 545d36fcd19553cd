//! Go's `filepath.Match` on Unix: shell patterns in which `*` and `?` do not cross `/`.

/// A pattern that Go refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether the whole name matches. Patterns: `*` and `?` (anything but `/`), `[a-z]`, `[^a-z]`, `\` before a literal.
///
/// Time is bounded by pattern times name: a `*` never tries again what a later `*` has taken over. Like Go, a fault in
/// the pattern may go unseen when the name does not match before it; an empty name always sees all of it.
pub fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let mut pattern: &[u8] = pattern.as_bytes();
    let mut name: &str = name;
    while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains('/'));
        }
        let (after, matched) = match_chunk(chunk, name)?;
        if matched && (after.is_empty() || !pattern.is_empty()) {
            name = after;
            continue;
        }
        if star && let Some(after) = skip_to_match(chunk, name, pattern.is_empty())? {
            name = after;
            continue;
        }
        // Go checks the rest of the pattern before it says no.
        while !pattern.is_empty() {
            let (_, chunk, rest) = scan_chunk(pattern);
            pattern = rest;
            match_chunk(chunk, "")?;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// The place after the first match of a chunk that comes after a `*`.
fn skip_to_match<'a>(chunk: &[u8], name: &'a str, last: bool) -> Result<Option<&'a str>, BadPattern> {
    for (start, character) in name.char_indices() {
        if character == '/' {
            break;
        }
        let (after, matched) = match_chunk(chunk, &name[start + character.len_utf8()..])?;
        if matched && (after.is_empty() || !last) {
            return Ok(Some(after));
        }
    }
    Ok(None)
}

/// Whether there is a leading `*`, the part up to the next `*` outside brackets, and the rest.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_range = false;
    let mut index = 0;
    while index < pattern.len() {
        match pattern[index] {
            b'\\' => index += 1,
            b'[' => in_range = true,
            b']' => in_range = false,
            b'*' if !in_range => break,
            _ => {}
        }
        index += 1;
    }
    let end = index.min(pattern.len());
    (stars > 0, &pattern[..end], &pattern[end..])
}

/// Matches a chunk without `*` at the start of the name, and gives the rest of the name. When the name does not match,
/// the rest of the chunk is still checked.
fn match_chunk<'a>(mut chunk: &[u8], name: &'a str) -> Result<(&'a str, bool), BadPattern> {
    let mut rest = name;
    let mut failed = false;
    while !chunk.is_empty() {
        failed |= rest.is_empty();
        match chunk[0] {
            b'[' => {
                let character = if failed { '\0' } else { take(&mut rest) };
                let (after, matched) = match_class(&chunk[1..], character)?;
                chunk = after;
                failed |= !matched;
            }
            b'?' => {
                if !failed {
                    failed |= take(&mut rest) == '/';
                }
                chunk = &chunk[1..];
            }
            first => {
                if first == b'\\' {
                    chunk = &chunk[1..];
                }
                let byte = *chunk.first().ok_or(BadPattern)?;
                if !failed {
                    if rest.as_bytes()[0] == byte {
                        // Both are UTF-8, so equal bytes end characters at the same place; step over whole ones.
                        let width = rest.chars().next().map_or(1, char::len_utf8);
                        if chunk.len() >= width && chunk[..width] == rest.as_bytes()[..width] {
                            rest = &rest[width..];
                            chunk = &chunk[width - 1..];
                        } else {
                            failed = true;
                        }
                    } else {
                        failed = true;
                    }
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok(if failed { ("", false) } else { (rest, true) })
}

fn take(text: &mut &str) -> char {
    let mut characters = text.chars();
    let first = characters.next().unwrap_or('\0');
    *text = characters.as_str();
    first
}

/// The rest after a class (whose `[` is already gone), and whether the character is in it.
fn match_class(mut class: &[u8], character: char) -> Result<(&[u8], bool), BadPattern> {
    let negated = class.first() == Some(&b'^');
    if negated {
        class = &class[1..];
    }
    let mut matched = false;
    let mut ranges = 0;
    loop {
        if ranges > 0 && class.first() == Some(&b']') {
            return Ok((&class[1..], matched != negated));
        }
        let (low, rest) = class_character(class)?;
        let (high, rest) = match rest.first() {
            Some(b'-') => class_character(&rest[1..])?,
            _ => (low, rest),
        };
        class = rest;
        matched |= low <= character && character <= high;
        ranges += 1;
    }
}

/// One character of a class, which must go on after it.
fn class_character(class: &[u8]) -> Result<(char, &[u8]), BadPattern> {
    if matches!(class.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    let class = if class[0] == b'\\' { &class[1..] } else { class };
    let text = std::str::from_utf8(class).map_err(|_| BadPattern)?;
    let character = text.chars().next().ok_or(BadPattern)?;
    let rest = &class[character.len_utf8()..];
    if rest.is_empty() {
        Err(BadPattern)
    } else {
        Ok((character, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_go() {
        // The table of Go's own documentation of Match, by pattern, name and outcome.
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("*x", "xxx", true),
            ("templates/.?*", "templates/.hidden", true),
            ("é", "é", true),
        ] {
            assert_eq!(path_match(pattern, name), Ok(expected), "{pattern} {name}");
        }
    }

    #[test]
    fn refuses_bad_patterns() {
        for pattern in ["[]a]", "[-]", "[x-]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\"] {
            assert_eq!(path_match(pattern, "a"), Err(BadPattern), "{pattern}");
        }
    }
}
