//! The order in which go-yaml writes the keys of a mapping: people's order, in which `a2` comes before `a10`.
//!
//! Knows strings only. The order is not transitive for some sets of keys (`a1b` < `a2` < `a10` < `a1b`), so the sort here
//! is one that cannot panic on such an order; go-yaml's own output is random for them.

use std::cmp::Ordering;

use crate::go::text::unicode;

use super::emit::Dialect;

/// Runs up to this length are sorted by insertion, as Go's own sort does.
const INSERTION_RUN: usize = 12;

/// Sorts keys as the given go-yaml writes them.
pub(super) fn sort_keys<T>(entries: &mut Vec<(&str, T)>, dialect: Dialect)
where
    T: Copy,
{
    if entries.len() <= INSERTION_RUN {
        insertion_sort(entries, dialect);
        return;
    }
    let mut runs: Vec<Vec<(&str, T)>> = entries
        .chunks(INSERTION_RUN)
        .map(|chunk| {
            let mut run = chunk.to_vec();
            insertion_sort(&mut run, dialect);
            run
        })
        .collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(&left, &right, dialect),
                None => left,
            });
        }
        runs = merged;
    }
    *entries = runs.pop().unwrap_or_default();
}

fn insertion_sort<T>(entries: &mut [(&str, T)], dialect: Dialect) {
    for end in 1..entries.len() {
        let mut at = end;
        while at > 0 && less(entries[at].0, entries[at - 1].0, dialect) {
            entries.swap(at, at - 1);
            at -= 1;
        }
    }
}

fn merge<'k, T: Copy>(left: &[(&'k str, T)], right: &[(&'k str, T)], dialect: Dialect) -> Vec<(&'k str, T)> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if less(right[j].0, left[i].0, dialect) {
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    merged
}

/// Whether key `a` is written before key `b`.
fn less(a: &str, b: &str, dialect: Dialect) -> bool {
    if a.is_ascii() && b.is_ascii() {
        compare(a.as_bytes(), b.as_bytes(), dialect) == Ordering::Less
    } else {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        compare(&a, &b, dialect) == Ordering::Less
    }
}

/// A character of a key, as byte (ASCII keys) or as `char`.
trait Rune: Copy + Ord {
    fn is_letter(self) -> bool;
    fn is_digit(self) -> bool;
    /// The distance from `0`, which go-yaml takes as the digit's value.
    fn digit_value(self) -> i64;
    fn is_zero(self) -> bool;
}

impl Rune for u8 {
    fn is_letter(self) -> bool {
        self.is_ascii_alphabetic()
    }
    fn is_digit(self) -> bool {
        self.is_ascii_digit()
    }
    fn digit_value(self) -> i64 {
        i64::from(self) - i64::from(b'0')
    }
    fn is_zero(self) -> bool {
        self == b'0'
    }
}

impl Rune for char {
    fn is_letter(self) -> bool {
        unicode::is_letter(self)
    }
    fn is_digit(self) -> bool {
        unicode::is_digit(self)
    }
    fn digit_value(self) -> i64 {
        i64::from(u32::from(self)) - i64::from(b'0')
    }
    fn is_zero(self) -> bool {
        self == '0'
    }
}

fn compare<R: Rune>(a: &[R], b: &[R], dialect: Dialect) -> Ordering {
    let Some(at) = a.iter().zip(b).position(|(x, y)| x != y) else {
        return a.len().cmp(&b.len());
    };
    let (x, y) = (a[at], b[at]);
    match (x.is_letter(), y.is_letter()) {
        (true, true) => return x.cmp(&y),
        (false, false) => {}
        (x_is_letter, _) => {
            let letter_first = dialect == Dialect::V3 && at > 0 && a[at - 1].is_digit();
            return if x_is_letter == letter_first {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
    }
    // A zero that continues a number counts; a leading one does not.
    let continues_number = (x.is_zero() || y.is_zero())
        && a[..at]
            .iter()
            .rev()
            .take_while(|rune| rune.is_digit())
            .any(|rune| !rune.is_zero());
    let start = i64::from(continues_number);
    let (a_number, a_digits) = number(&a[at..], start);
    let (b_number, b_digits) = number(&b[at..], start);
    a_number.cmp(&b_number).then(a_digits.cmp(&b_digits)).then(x.cmp(&y))
}

/// The value (wrapping, as Go's) and the length of the digits at the start.
fn number<R: Rune>(runes: &[R], start: i64) -> (i64, usize) {
    let mut value = start;
    let mut length = 0;
    for rune in runes.iter().take_while(|rune| rune.is_digit()) {
        value = value.wrapping_mul(10).wrapping_add(rune.digit_value());
        length += 1;
    }
    (value, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(keys: &[&'static str], dialect: Dialect) -> Vec<&'static str> {
        let mut entries: Vec<(&str, ())> = keys.iter().map(|key| (*key, ())).collect();
        sort_keys(&mut entries, dialect);
        entries.into_iter().map(|(key, ())| key).collect()
    }

    #[test]
    fn numbers_in_keys_count_as_numbers() {
        assert_eq!(
            sorted(&["b", "a10", "a2", "a b", "a", "A", "10", "9", "_u"], Dialect::V2),
            ["_u", "9", "10", "A", "a", "a b", "a2", "a10", "b"]
        );
    }

    #[test]
    fn version_3_puts_letters_first_behind_a_digit() {
        assert_eq!(sorted(&["a1-", "a1b"], Dialect::V2), ["a1-", "a1b"]);
        assert_eq!(sorted(&["a1-", "a1b"], Dialect::V3), ["a1b", "a1-"]);
    }

    #[test]
    fn an_order_with_a_cycle_does_not_panic() {
        let keys: Vec<String> = (0..400)
            .flat_map(|n| [format!("a{n}"), format!("a{n}b"), format!("a{n}0")])
            .collect();
        let mut entries: Vec<(&str, ())> = keys.iter().map(|key| (key.as_str(), ())).collect();
        sort_keys(&mut entries, Dialect::V2);
        assert_eq!(entries.len(), 1200);
    }
}
