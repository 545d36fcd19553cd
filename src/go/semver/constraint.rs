//! Version ranges: alternatives (`||`) of comparisons that all have to hold (space or comma).

use std::cmp::Ordering;
use std::fmt;

use super::error::ConstraintError;
use super::scan::{Parts, is_space, skip_spaces};
use super::version::Version;

/// The longest text that is read as a range, in bytes.
pub const MAXIMUM_CONSTRAINT_LENGTH: usize = 512;
/// The most alternatives (joined by `||`) in one range.
pub const MAXIMUM_ALTERNATIVES: usize = 32;

/// A version range, for example `>=1.2 <2 || ~3.1`.
#[derive(Debug, Clone)]
pub struct Constraint {
    alternatives: Vec<Alternative>,
}

/// Comparisons that all have to hold.
#[derive(Debug, Clone)]
struct Alternative {
    comparisons: Vec<Comparison>,
    /// One comparison names a prerelease, so prereleases are candidates for all of them.
    prereleases: bool,
}

#[derive(Debug, Clone)]
struct Comparison {
    operator: Operator,
    version: Version,
    wildcard: Wildcard,
    /// The version as it was written, with its `v`, wildcards and metadata.
    text: String,
}

/// Which number, and everything to its right, is a wildcard or not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    None,
    Major,
    Minor,
    Patch,
}

#[derive(Debug, Clone, Copy)]
struct Operator {
    symbol: &'static str,
    comparison: Relation,
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The longer symbols stand before those that they start with; no symbol at all means equality.
const OPERATORS: [(&str, Relation); 12] = [
    ("!=", Relation::NotEqual),
    (">=", Relation::GreaterOrEqual),
    ("=>", Relation::GreaterOrEqual),
    ("<=", Relation::LessOrEqual),
    ("=<", Relation::LessOrEqual),
    ("~>", Relation::Tilde),
    ("=", Relation::Equal),
    (">", Relation::Greater),
    ("<", Relation::Less),
    ("~", Relation::Tilde),
    ("^", Relation::Caret),
    ("", Relation::Equal),
];

impl Constraint {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAXIMUM_CONSTRAINT_LENGTH {
            return Err(ConstraintError::TooLong);
        }
        let rewritten = rewrite_hyphens(text);
        if rewritten.split("||").count() > MAXIMUM_ALTERNATIVES {
            return Err(ConstraintError::TooManyAlternatives);
        }
        let alternatives = rewritten
            .split("||")
            .map(Alternative::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Whether a version lies in the range. A prerelease does so only where the range names a prerelease.
    pub fn check(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|alternative| alternative.check(version))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternative) in self.alternatives.iter().enumerate() {
            formatter.write_str(if index > 0 { " || " } else { "" })?;
            for (index, comparison) in alternative.comparisons.iter().enumerate() {
                formatter.write_str(if index > 0 { " " } else { "" })?;
                write!(formatter, "{}{}", comparison.operator.symbol, comparison.text)?;
            }
        }
        Ok(())
    }
}

impl Alternative {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        let improper = || ConstraintError::Improper(text.to_owned());
        let mut shapes = Vec::new();
        let mut rest = skip_spaces(text);
        loop {
            let (operator, parts, written, remaining) = split_comparison(rest).ok_or_else(improper)?;
            shapes.push((operator, parts, written));
            let trimmed = skip_spaces(remaining);
            if trimmed.is_empty() {
                break;
            }
            rest = match trimmed.strip_prefix(',') {
                Some(next) => skip_spaces(next),
                None if trimmed.len() < remaining.len() => trimmed,
                None => return Err(improper()),
            };
        }
        let comparisons = shapes
            .into_iter()
            .map(|(operator, parts, written)| Comparison::new(operator, &parts, written))
            .collect::<Result<Vec<_>, _>>()?;
        let prereleases = comparisons.iter().any(|comparison| comparison.version.is_prerelease());
        Ok(Self {
            comparisons,
            prereleases,
        })
    }

    fn check(&self, version: &Version) -> bool {
        (self.prereleases || !version.is_prerelease())
            && self.comparisons.iter().all(|comparison| comparison.check(version))
    }
}

impl Comparison {
    fn new(operator: Operator, parts: &Parts<'_>, written: &str) -> Result<Self, ConstraintError> {
        let given = |part: Option<&str>| part.is_some_and(|part| !is_wildcard(part));
        let suffix = parts
            .prerelease
            .map_or_else(String::new, |prerelease| format!("-{prerelease}"));
        let minor = parts.minor.unwrap_or_default();
        let (wildcard, plain) = if is_wildcard(parts.major) {
            (Wildcard::Major, format!("0.0.0{suffix}"))
        } else if !given(parts.minor) {
            (Wildcard::Minor, format!("{}.0.0{suffix}", parts.major))
        } else if !given(parts.patch) {
            (Wildcard::Patch, format!("{}.{minor}.0{suffix}", parts.major))
        } else {
            (Wildcard::None, written.to_owned())
        };
        let version = Version::parse(&plain).map_err(|_| ConstraintError::Parser)?;
        Ok(Self {
            operator,
            version,
            wildcard,
            text: written.to_owned(),
        })
    }

    /// Whether the comparison holds; the rule for prereleases is the alternative's.
    fn check(&self, version: &Version) -> bool {
        let bound = &self.version;
        let order = version.compare(bound);
        let major = version.major().cmp(&bound.major());
        let minor = major.then(version.minor().cmp(&bound.minor()));
        match self.operator.comparison {
            Relation::Equal if self.wildcard == Wildcard::None => order.is_eq(),
            Relation::Equal | Relation::Tilde => self.check_tilde(version, order),
            Relation::NotEqual => match self.wildcard {
                Wildcard::None | Wildcard::Major => order.is_ne(),
                Wildcard::Minor => major.is_ne(),
                Wildcard::Patch => minor.is_ne() || version.prerelease() != bound.prerelease(),
            },
            Relation::Greater => match self.wildcard {
                Wildcard::None | Wildcard::Major => order.is_gt(),
                Wildcard::Minor => major.is_gt(),
                Wildcard::Patch => minor.is_gt(),
            },
            Relation::GreaterOrEqual => order.is_ge(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => match self.wildcard {
                Wildcard::None => order.is_le(),
                Wildcard::Minor => major.is_le(),
                Wildcard::Major | Wildcard::Patch => minor.is_le(),
            },
            Relation::Caret => self.check_caret(version, order),
        }
    }

    /// `~1.2.3` is `>=1.2.3 <1.3`, `~1` is `>=1 <2`; `~0.0.0`, and so `*`, has no upper bound.
    fn check_tilde(&self, version: &Version, order: Ordering) -> bool {
        let bound = &self.version;
        if order.is_lt() {
            return false;
        }
        let zero = (bound.major(), bound.minor(), bound.patch()) == (0, 0, 0);
        match self.wildcard {
            Wildcard::None | Wildcard::Major if zero => true,
            Wildcard::Minor => version.major() == bound.major(),
            Wildcard::None | Wildcard::Major | Wildcard::Patch => {
                (version.major(), version.minor()) == (bound.major(), bound.minor())
            }
        }
    }

    /// Up to the next change of the leftmost number that is not zero. (`^*` is `^0.0.0`, an oddity of the library.)
    fn check_caret(&self, version: &Version, order: Ordering) -> bool {
        let bound = &self.version;
        if order.is_lt() || version.major() != bound.major() {
            return false;
        }
        if bound.major() > 0 || self.wildcard == Wildcard::Minor {
            return true;
        }
        if version.minor() != bound.minor() {
            return false;
        }
        bound.minor() > 0 || self.wildcard == Wildcard::Patch || version.patch() == bound.patch()
    }
}

/// Which bytes the Go library accepts in a number of a range; that `|` is one of them only makes for another error.
fn is_component(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
}

fn is_wildcard(part: &str) -> bool {
    matches!(part, "x" | "X" | "*")
}

/// Reads an operator and what it compares with; also returns the version as written and the text that follows.
fn split_comparison(text: &str) -> Option<(Operator, Parts<'_>, &str, &str)> {
    let (symbol, comparison) = *OPERATORS.iter().find(|(symbol, _)| text.starts_with(symbol))?;
    let rest = skip_spaces(text.get(symbol.len()..)?);
    let parts = Parts::scan(rest, is_component)?;
    let (written, remaining) = rest.split_at_checked(parts.length)?;
    Some((Operator { symbol, comparison }, parts, written, remaining))
}

/// Rewrites `1.2 - 2.3` to `>= 1.2, <= 2.3 `, wherever in the text it stands.
fn rewrite_hyphens(text: &str) -> String {
    let mut rewritten = text.to_owned();
    let mut position = 0;
    while let Some(range) = find_hyphen_range(text, position) {
        position = range.end;
        let comparisons = format!(">= {}, <= {} ", range.low, range.high);
        rewritten = rewritten.replacen(range.text, &comparisons, 1);
    }
    rewritten
}

struct HyphenRange<'a> {
    low: &'a str,
    high: &'a str,
    /// The range with the spaces around it.
    text: &'a str,
    end: usize,
}

/// The first range with a hyphen that starts at or after `from`.
fn find_hyphen_range(text: &str, from: usize) -> Option<HyphenRange<'_>> {
    let bytes = text.as_bytes();
    let spaces_before = |end: usize| {
        bytes
            .get(from..end)
            .into_iter()
            .flatten()
            .rev()
            .take_while(|b| is_space(**b))
            .count()
    };
    for hyphen in text
        .match_indices('-')
        .map(|(index, _)| index)
        .filter(|index| *index > from)
    {
        let low_end = hyphen - spaces_before(hyphen);
        let after = text.get(hyphen + 1..)?;
        let high_text = skip_spaces(after);
        if low_end == hyphen || high_text.len() == after.len() {
            continue;
        }
        let Some(high) = Parts::scan(high_text, is_component).and_then(|parts| high_text.get(..parts.length)) else {
            continue;
        };
        let Some(low) = version_before(text, from, low_end) else {
            continue;
        };
        let start = low_end - low.len() - spaces_before(low_end - low.len());
        let end = text.len() - skip_spaces(high_text.get(high.len()..)?).len();
        return Some(HyphenRange {
            low,
            high,
            text: text.get(start..end)?,
            end,
        });
    }
    None
}

/// The longest version that ends at `end` and does not start before `from`.
fn version_before(text: &str, from: usize, end: usize) -> Option<&str> {
    let bytes = text.as_bytes().get(from..end)?;
    let first = from
        + bytes
            .iter()
            .rposition(|byte| is_space(*byte))
            .map_or(0, |space| space + 1);
    (first..end)
        .filter_map(|start| text.get(start..end))
        .find(|candidate| Parts::scan(candidate, is_component).is_some_and(|parts| parts.length == candidate.len()))
}
