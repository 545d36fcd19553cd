//! Go's time layouts (`2006-01-02 15:04:05`) as tokens.

/// How a zone offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a part that the layout shows or not"
)]
pub(super) struct OffsetStyle {
    /// `Z` stands for UTC (`Z07:00`).
    pub(super) iso: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset(OffsetStyle),
    /// `.000`: always all digits, after the separator.
    Fraction(u8, usize),
    /// `.999`: without trailing zeros.
    TrimmedFraction(u8, usize),
}

/// The layout up to its first token, the token with its text, and what follows.
pub(super) struct Chunk<'l> {
    pub(super) prefix: &'l str,
    pub(super) token: Option<(Token, &'l str)>,
    pub(super) rest: &'l str,
}

/// Splits a layout at its first token.
pub(super) fn next_chunk(layout: &str) -> Chunk<'_> {
    let bytes = layout.as_bytes();
    for start in 0..bytes.len() {
        if let Some((token, skip, length)) = token_at(&bytes[start..]) {
            // Tokens are ASCII, so these are character boundaries.
            let (from, to) = (start + skip, start + skip + length);
            return Chunk {
                prefix: &layout[..from],
                token: Some((token, &layout[from..to])),
                rest: &layout[to..],
            };
        }
    }
    Chunk {
        prefix: layout,
        token: None,
        rest: "",
    }
}

/// The token at the start, how much text stands before it, and its length.
fn token_at(text: &[u8]) -> Option<(Token, usize, usize)> {
    let plain = |token: Token, length: usize| Some((token, 0, length));
    match text.first()? {
        b'J' if text.starts_with(b"January") => plain(Token::LongMonth, 7),
        b'J' if text.starts_with(b"Jan") && !lower_follows(text, 3) => plain(Token::Month, 3),
        b'M' if text.starts_with(b"Monday") => plain(Token::LongWeekday, 6),
        b'M' if text.starts_with(b"Mon") && !lower_follows(text, 3) => plain(Token::Weekday, 3),
        b'M' if text.starts_with(b"MST") => plain(Token::ZoneName, 3),
        b'0' => zero_token(text).map(|(token, length)| (token, 0, length)),
        b'1' if text.get(1) == Some(&b'5') => plain(Token::Hour, 2),
        b'1' => plain(Token::NumberMonth, 1),
        b'2' if text.starts_with(b"2006") => plain(Token::LongYear, 4),
        b'2' => plain(Token::Day, 1),
        // `_2006` is an underscore before a year, not a padded day.
        b'_' if text.starts_with(b"_2006") => Some((Token::LongYear, 1, 4)),
        b'_' if text.starts_with(b"__2") => plain(Token::SpaceYearDay, 3),
        b'_' if text.starts_with(b"_2") => plain(Token::SpaceDay, 2),
        b'3' => plain(Token::Hour12, 1),
        b'4' => plain(Token::Minute, 1),
        b'5' => plain(Token::Second, 1),
        b'P' if text.starts_with(b"PM") => plain(Token::UpperHalf, 2),
        b'p' if text.starts_with(b"pm") => plain(Token::LowerHalf, 2),
        b'-' => offset_token(text, false).map(|(token, length)| (token, 0, length)),
        b'Z' => offset_token(text, true).map(|(token, length)| (token, 0, length)),
        b'.' | b',' => fraction_token(text).map(|(token, length)| (token, 0, length)),
        _ => None,
    }
}

/// Go does not see a month in `Janet` nor a day in `Month`.
fn lower_follows(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_lowercase)
}

fn zero_token(text: &[u8]) -> Option<(Token, usize)> {
    if text.starts_with(b"002") {
        return Some((Token::ZeroYearDay, 3));
    }
    let token = match text.get(1)? {
        b'1' => Token::ZeroMonth,
        b'2' => Token::ZeroDay,
        b'3' => Token::ZeroHour12,
        b'4' => Token::ZeroMinute,
        b'5' => Token::ZeroSecond,
        b'6' => Token::Year,
        _ => return None,
    };
    Some((token, 2))
}

fn offset_token(text: &[u8], iso: bool) -> Option<(Token, usize)> {
    let style = |colon, minutes, seconds| OffsetStyle {
        iso,
        colon,
        minutes,
        seconds,
    };
    let forms: [(&[u8], OffsetStyle); 5] = [
        (b"070000", style(false, true, true)),
        (b"07:00:00", style(true, true, true)),
        (b"0700", style(false, true, false)),
        (b"07:00", style(true, true, false)),
        (b"07", style(false, false, false)),
    ];
    let tail = &text[1..];
    forms
        .into_iter()
        .find(|(form, _)| tail.starts_with(form))
        .map(|(form, style)| (Token::Offset(style), form.len() + 1))
}

fn fraction_token(text: &[u8]) -> Option<(Token, usize)> {
    let separator = *text.first()?;
    let digit = *text.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let count = text[1..].iter().take_while(|byte| **byte == digit).count();
    if text.get(1 + count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let token = if digit == b'0' {
        Token::Fraction(separator, count)
    } else {
        Token::TrimmedFraction(separator, count)
    };
    Some((token, count + 1))
}
