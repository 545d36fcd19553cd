//! Go's replacement templates (`Regexp.Expand`): `$1`, `$name`, `${name}`, `$$`.

/// A part of a replacement.
pub(super) enum Piece<'a> {
    /// Text as it stands.
    Literal(&'a [u8]),
    /// A group by its number.
    Number(usize),
    /// A group by its name.
    Name(&'a [u8]),
}

/// Splits a replacement into its parts. A `$` that starts no reference is text.
pub(super) fn parse(mut template: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while let Some(position) = template.iter().position(|&byte| byte == b'$') {
        if position > 0 {
            pieces.push(Piece::Literal(&template[..position]));
        }
        let (dollar, rest) = template[position..].split_at(1);
        if rest.first() == Some(&b'$') {
            pieces.push(Piece::Literal(dollar));
            template = &rest[1..];
        } else if let Some((name, after)) = reference(rest) {
            pieces.push(number(name).map_or(Piece::Name(name), Piece::Number));
            template = after;
        } else {
            pieces.push(Piece::Literal(dollar));
            template = rest;
        }
    }
    if !template.is_empty() {
        pieces.push(Piece::Literal(template));
    }
    pieces
}

/// The longest `name` or `{name}` at the start, and what follows it.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (braced, text) = match text.first()? {
        b'{' => (true, &text[1..]),
        _ => (false, text),
    };
    let length = name_length(text);
    let (name, rest) = text.split_at(length);
    match (length, braced) {
        (0, _) => None,
        (_, false) => Some((name, rest)),
        (_, true) => rest.strip_prefix(b"}").map(|after| (name, after)),
    }
}

fn name_length(text: &[u8]) -> usize {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid
        .find(|character: char| character != '_' && !character.is_alphanumeric())
        .unwrap_or(valid.len())
}

/// Go reads a name of digits as a number, unless it has a leading zero or is too large.
fn number(name: &[u8]) -> Option<usize> {
    let leading_zero = name.len() > 1 && name.first() == Some(&b'0');
    if leading_zero || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name)
        .ok()?
        .parse()
        .ok()
        .filter(|&number| number < 1_000_000_000)
}
