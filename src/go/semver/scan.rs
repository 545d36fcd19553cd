//! Cuts a version, or what stands for one in a range, into its parts. Knows the shape only, not the validity.

/// The parts of something shaped like `v1.2.3-prerelease+metadata`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) major: &'a str,
    pub(super) minor: Option<&'a str>,
    pub(super) patch: Option<&'a str>,
    pub(super) prerelease: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    /// How many bytes of the text the parts and their separators take.
    pub(super) length: usize,
}

impl<'a> Parts<'a> {
    /// Reads the longest such shape at the start of `text`; `component` says which bytes a number may consist of.
    ///
    /// Every separator differs from the bytes of the part before it, so there is only one way to read a text.
    pub(super) fn scan(text: &'a str, component: fn(u8) -> bool) -> Option<Self> {
        let mut position = usize::from(text.starts_with('v'));
        let major = run(text, position, component)?;
        position += major.len();
        let number = |position: &mut usize| {
            let found = after(text, *position, b'.').and_then(|start| run(text, start, component))?;
            *position += 1 + found.len();
            Some(found)
        };
        let minor = number(&mut position);
        let patch = minor.and_then(|_| number(&mut position));
        let mut suffix = |marker: u8| {
            let found = after(text, position, marker).and_then(|start| identifiers(text, start))?;
            position += 1 + found.len();
            Some(found)
        };
        let prerelease = suffix(b'-');
        let metadata = suffix(b'+');
        Some(Self {
            major,
            minor,
            patch,
            prerelease,
            metadata,
            length: position,
        })
    }
}

/// Whether a byte may stand in a prerelease or metadata identifier.
pub(super) fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Whether Go's `\s` matches a byte.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// The text without the spaces at its start.
pub(super) fn skip_spaces(text: &str) -> &str {
    text.trim_start_matches(|character: char| character.is_ascii() && is_space(character as u8))
}

fn after(text: &str, position: usize, separator: u8) -> Option<usize> {
    (text.as_bytes().get(position) == Some(&separator)).then_some(position + 1)
}

/// The longest non-empty run of accepted (ASCII) bytes at `start`.
fn run(text: &str, start: usize, accepted: fn(u8) -> bool) -> Option<&str> {
    let rest = text.as_bytes().get(start..)?;
    let length = rest.iter().position(|byte| !accepted(*byte)).unwrap_or(rest.len());
    text.get(start..start + length).filter(|found| !found.is_empty())
}

/// The longest list of dot-separated identifiers at `start`.
fn identifiers(text: &str, start: usize) -> Option<&str> {
    let mut end = start + run(text, start, is_identifier)?.len();
    while let Some(next) = after(text, end, b'.').and_then(|start| run(text, start, is_identifier)) {
        end += 1 + next.len();
    }
    text.get(start..end)
}
