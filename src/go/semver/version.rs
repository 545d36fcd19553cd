//! One version: parsing (lenient and strict), order and the methods that templates call on it.

use std::cmp::Ordering;
use std::fmt;

use super::error::VersionError;
use super::scan::{Parts, is_identifier};

/// The longest text that is read as a version, in bytes.
pub const MAXIMUM_VERSION_LENGTH: usize = 256;

/// A version `major.minor.patch[-prerelease][+metadata]` that remembers how it was written.
///
/// It implements neither `Eq` nor `Ord`, because versions that differ in metadata compare as equal; use
/// [`Version::compare`].
#[derive(Debug, Clone)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    metadata: String,
    original: String,
}

impl Version {
    /// Reads a version leniently (Go's `NewVersion`): a leading `v`, missing minor and patch numbers and leading
    /// zeros are accepted.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAXIMUM_VERSION_LENGTH {
            return Err(VersionError::TooLong);
        }
        let parts = Parts::scan(text, |byte| byte.is_ascii_digit())
            .filter(|parts| parts.length == text.len())
            .ok_or(VersionError::Invalid)?;
        let number = |digits: &str| {
            digits
                .parse()
                .map_err(|_| VersionError::SegmentOutOfRange(digits.to_owned()))
        };
        let version = Self {
            major: number(parts.major)?,
            minor: number(parts.minor.unwrap_or("0"))?,
            patch: number(parts.patch.unwrap_or("0"))?,
            prerelease: parts.prerelease.unwrap_or_default().to_owned(),
            metadata: parts.metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        };
        // The scan guarantees the form of the metadata; of the prerelease it does not know the leading zeros.
        if let Some(prerelease) = parts.prerelease {
            validate_prerelease(prerelease)?;
        }
        Ok(version)
    }

    /// Reads a version that has to follow the specification to the letter (Go's `StrictNewVersion`).
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAXIMUM_VERSION_LENGTH {
            return Err(VersionError::TooLong);
        }
        let mut segments = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (segments.next(), segments.next(), segments.next()) else {
            return Err(VersionError::Invalid);
        };
        let (rest, metadata) = cut(rest, '+');
        metadata.map_or(Ok(()), validate_metadata)?;
        let (patch, prerelease) = cut(rest, '-');
        prerelease.map_or(Ok(()), validate_prerelease)?;
        for segment in [major, minor, patch] {
            if !segment.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(VersionError::InvalidCharacters);
            }
            if has_leading_zero(segment) {
                return Err(VersionError::LeadingZero);
            }
        }
        let number = |digits: &str| match digits {
            "" => Err(VersionError::EmptySegment),
            digits => digits.parse().map_err(|_| VersionError::OutOfRange(digits.to_owned())),
        };
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// The major number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The minor number.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The patch number.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// The text between `-` and `+`; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// Whether this is a prerelease.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// The text after `+`, or nothing.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text that the version was read from.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The order of precedence; metadata does not count.
    pub fn compare(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }

    /// The next major version: a release, its other numbers zero.
    pub fn next_major(&self) -> Result<Self, VersionError> {
        let major = self.major.checked_add(1).ok_or(VersionError::Overflow("major"))?;
        Ok(self.derive(major, 0, 0, "", ""))
    }

    /// The next minor version: a release, its patch number zero.
    pub fn next_minor(&self) -> Result<Self, VersionError> {
        let minor = self.minor.checked_add(1).ok_or(VersionError::Overflow("minor"))?;
        Ok(self.derive(self.major, minor, 0, "", ""))
    }

    /// The next patch version; for a prerelease that is the release that it precedes.
    pub fn next_patch(&self) -> Result<Self, VersionError> {
        let step = u64::from(!self.is_prerelease());
        let patch = self.patch.checked_add(step).ok_or(VersionError::Overflow("patch"))?;
        Ok(self.derive(self.major, self.minor, patch, "", ""))
    }

    /// The same version with another prerelease (without its `-`); an empty one makes it a release.
    pub fn with_prerelease(&self, prerelease: &str) -> Result<Self, VersionError> {
        if !prerelease.is_empty() {
            validate_prerelease(prerelease)?;
        }
        Ok(self.derive(self.major, self.minor, self.patch, prerelease, &self.metadata))
    }

    /// The same version with other metadata (without its `+`), or with none.
    pub fn with_metadata(&self, metadata: &str) -> Result<Self, VersionError> {
        if !metadata.is_empty() {
            validate_metadata(metadata)?;
        }
        Ok(self.derive(self.major, self.minor, self.patch, &self.prerelease, metadata))
    }

    /// A version made from this one: written in the same style, that is with `v` if this one is.
    fn derive(&self, major: u64, minor: u64, patch: u64, prerelease: &str, metadata: &str) -> Self {
        let mut derived = Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
            metadata: metadata.to_owned(),
            original: String::new(),
        };
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        derived.original = format!("{prefix}{derived}");
        derived
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(formatter, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(formatter, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// A prerelease precedes its release; among prereleases the first differing identifier decides.
fn compare_prereleases(ours: &str, theirs: &str) -> Ordering {
    match (ours.is_empty(), theirs.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut ours, mut theirs) = (ours.split('.'), theirs.split('.'));
    loop {
        let order = match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(ours), Some(theirs)) => compare_identifiers(ours, theirs),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers by value and before words; a number beyond 64 bits counts as a word, as in the Go library.
fn compare_identifiers(ours: &str, theirs: &str) -> Ordering {
    match (ours.parse::<u64>(), theirs.parse::<u64>()) {
        (Ok(ours), Ok(theirs)) => ours.cmp(&theirs),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => ours.cmp(theirs),
    }
}

fn validate_prerelease(prerelease: &str) -> Result<(), VersionError> {
    for identifier in prerelease.split('.') {
        if identifier.is_empty() || !identifier.bytes().all(is_identifier) {
            return Err(VersionError::InvalidPrerelease);
        }
        if has_leading_zero(identifier) && identifier.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(VersionError::LeadingZero);
        }
    }
    Ok(())
}

fn validate_metadata(metadata: &str) -> Result<(), VersionError> {
    let valid = |identifier: &str| !identifier.is_empty() && identifier.bytes().all(is_identifier);
    if metadata.split('.').all(valid) {
        Ok(())
    } else {
        Err(VersionError::InvalidMetadata)
    }
}

fn has_leading_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

/// The text before the first `separator` and, if there is one, the text after it.
fn cut(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}
