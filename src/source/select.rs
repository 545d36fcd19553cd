//! Which version a version range means, by Helm's rules.

use crate::go::semver::{Constraint, ConstraintError, Version};

/// How many names or versions an error message offers.
const OFFERS: usize = 10;

/// Picks from candidates that are sorted newest first: the one that is written exactly as wanted, else the first in
/// the range. Nothing wanted means the latest release; prereleases are picked only by ranges that name one.
pub(super) fn select<'a, T>(
    candidates: &'a [T],
    version: impl Fn(&T) -> &Version,
    wanted: &str,
) -> Result<Option<&'a T>, ConstraintError> {
    let constraint = Constraint::parse(if wanted.is_empty() { "*" } else { wanted })?;
    let exact = candidates
        .iter()
        .find(|candidate| version(candidate).original() == wanted);
    Ok(exact.or_else(|| candidates.iter().find(|candidate| constraint.check(version(candidate)))))
}

/// The versions to offer instead of a missing one: those around it, or the newest.
pub(super) fn nearest<'a>(sorted: impl Iterator<Item = &'a Version>, wanted: &str) -> Vec<String> {
    let sorted: Vec<&Version> = sorted.collect();
    let position = Version::parse(wanted).ok().map_or(0, |wanted| {
        sorted.partition_point(|version| version.compare(&wanted).is_gt())
    });
    let start = position
        .saturating_sub(OFFERS / 2)
        .min(sorted.len().saturating_sub(OFFERS));
    sorted
        .iter()
        .skip(start)
        .take(OFFERS)
        .map(|version| version.original().to_owned())
        .collect()
}

/// The names to offer instead of a missing one: those that resemble it, or the first.
pub(super) fn similar<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let prefix: String = wanted.chars().take(3).collect();
    let resembles = |name: &&&str| name.starts_with(&prefix) || name.contains(wanted) || wanted.contains(**name);
    let alike: Vec<&&str> = names.iter().filter(resembles).take(OFFERS).collect();
    let offered = if alike.is_empty() {
        names.iter().take(OFFERS).collect()
    } else {
        alike
    };
    offered.into_iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{nearest, select, similar};
    use crate::go::semver::Version;

    fn versions() -> Vec<Version> {
        let mut versions: Vec<_> = [
            "0.9.0",
            "1.0.0",
            "1.0.1+b",
            "1.0.1",
            "1.1.0-rc.1",
            "1.1.0",
            "2.0.0-beta.1",
            "v1.5.0",
        ]
        .map(|text| Version::parse(text).unwrap())
        .into();
        versions.sort_by(|one, other| other.compare(one));
        versions
    }

    #[test]
    fn selects_as_helm_does() {
        let versions = versions();
        let pick = |wanted: &str| {
            select(&versions, |version| version, wanted)
                .unwrap()
                .map(Version::original)
        };
        for (wanted, expected) in [
            ("", Some("v1.5.0")),
            ("*", Some("v1.5.0")),
            (">0.0.0-0", Some("2.0.0-beta.1")),
            ("1.5.0", Some("v1.5.0")),
            ("v1.0.0", Some("1.0.0")),
            ("1.0.1", Some("1.0.1")),
            ("1.0.1+b", Some("1.0.1+b")),
            ("~1.0", Some("1.0.1+b")),
            ("1.1.0-rc.1", Some("1.1.0-rc.1")),
            ("<1.0", Some("0.9.0")),
            ("3.x", None),
            ("1.1.1", None),
        ] {
            assert_eq!(pick(wanted), expected, "{wanted:?}");
        }
        assert!(select(&versions, |version| version, "latest").is_err());
    }

    #[test]
    fn offers_what_is_near() {
        let versions = versions();
        assert_eq!(nearest(versions.iter(), "3.x").len(), 8);
        let many: Vec<_> = (0..40)
            .rev()
            .map(|minor| Version::parse(&format!("1.{minor}.0")).unwrap())
            .collect();
        let offered = nearest(many.iter(), "1.20.5");
        assert_eq!(
            (offered.len(), offered[4].as_str(), offered[5].as_str()),
            (10, "1.21.0", "1.20.0")
        );
        assert_eq!(nearest(many.iter(), "0.1.0").last().unwrap(), "1.0.0");
        assert_eq!(nearest(many.iter(), ">9")[0], "1.39.0");
        let names = ["apache", "nginx", "nginx-ingress"];
        assert_eq!(
            similar(names.into_iter(), "ngnix"),
            ["apache", "nginx", "nginx-ingress"]
        );
        assert_eq!(similar(names.into_iter(), "nginx2"), ["nginx", "nginx-ingress"]);
    }
}
