//! Which texts go-yaml takes for a timestamp: what Go's `time.Parse` accepts for its four layouts.
//!
//! Only the question is answered, no time is made: towards JSON a timestamp stays the text that it was, but a *string*
//! that looks like one is written in quotes.

/// Whether the text is one of `2006-1-2`, `2006-1-2 15:4:5.9`, `2006-1-2T15:4:5.9Z07:00` (also with a small `t`).
pub(super) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let year = bytes[..4]
        .iter()
        .fold(0, |year, digit| year * 10 + u32::from(digit - b'0'));
    let mut rest = Cursor(&bytes[5..]);
    date(&mut rest, year)
        && match rest.0.first() {
            None => true,
            Some(b'T' | b't') => {
                rest.0 = &rest.0[1..];
                time_of_day(&mut rest) && zone(&mut rest) && rest.0.is_empty()
            }
            Some(b' ') => {
                rest.skip_spaces();
                time_of_day(&mut rest) && rest.0.is_empty()
            }
            Some(_) => false,
        }
}

struct Cursor<'t>(&'t [u8]);

impl Cursor<'_> {
    fn skip(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn skip_spaces(&mut self) {
        while self.skip(b' ') {}
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u32> {
        let length = self.0.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        (length > 0).then(|| {
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
        })
    }

    fn number_below(&mut self, limit: u32) -> bool {
        self.number().is_some_and(|number| number < limit)
    }
}

fn date(rest: &mut Cursor<'_>, year: u32) -> bool {
    let Some(month @ 1..=12) = rest.number() else {
        return false;
    };
    if !rest.skip(b'-') {
        return false;
    }
    rest.number()
        .is_some_and(|day| (1..=days_in(month, year)).contains(&day))
}

fn days_in(month: u32, year: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn time_of_day(rest: &mut Cursor<'_>) -> bool {
    let clock =
        rest.number_below(24) && rest.skip(b':') && rest.number_below(60) && rest.skip(b':') && rest.number_below(60);
    // A fraction of any length, behind a point or a comma; without a digit it is not one.
    if let [b'.' | b',', digit, ..] = rest.0
        && digit.is_ascii_digit()
    {
        let digits = rest.0[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest.0 = &rest.0[1 + digits..];
    }
    clock
}

/// `Z`, or an offset whose hours go to 24 and minutes to 60, as Go's do.
fn zone(rest: &mut Cursor<'_>) -> bool {
    if rest.skip(b'Z') {
        return true;
    }
    let [b'+' | b'-', h1, h2, b':', m1, m2, tail @ ..] = rest.0 else {
        return false;
    };
    let two = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let valid = two(h1, h2).is_some_and(|hours| hours <= 24) && two(m1, m2).is_some_and(|minutes| minutes <= 60);
    rest.0 = tail;
    valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_layouts_are_timestamps() {
        for text in [
            "2020-01-01",
            "2020-1-1",
            "2024-02-29",
            "2020-01-01 1:2:3",
            "2020-01-01  10:20:30.5",
            "2020-01-01T10:20:30Z",
            "2020-01-01t10:20:30,123456789012+24:60",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
    }

    #[test]
    fn what_time_parse_refuses_is_none() {
        for text in [
            "2023-02-29",
            "2020-13-01",
            "2020-01-01T10:20:30",
            "2020-01-01 10:20:30Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01 10:20:30 -5",
            "20-01-01",
            "2020-01-01T10:20:30.Z",
            "2020-01-",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
