//! .helmignore, with the rules of Helm's own matcher, which are not those of .gitignore.
//!
//! The first rule that matches decides; a rule with `!` ignores everything that it does *not* match; `**` is refused.

use crate::go::path_match::path_match;

/// The name of the file with the rules.
pub const HELM_IGNORE: &str = ".helmignore";

/// Why a .helmignore cannot be used. Terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// `**` anywhere.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// A pattern that Go's `filepath.Match` refuses.
    #[error("syntax error in pattern")]
    Pattern,
}

/// The rules of one chart.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    /// Compare with the last part of the path only: the pattern has no slash.
    base_only: bool,
    negated: bool,
    directories_only: bool,
}

impl Rules {
    /// The rules of a .helmignore (empty when the chart has none), and after them the one that Helm always adds: files
    /// in `templates/` that start with a dot.
    pub fn parse(text: &[u8]) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut rules = Vec::new();
        for line in String::from_utf8_lossy(text).lines().chain(["templates/.?*"]) {
            rules.extend(Rule::parse(line)?);
        }
        Ok(Self(rules))
    }

    /// Whether a path (relative to the chart, with `/`) is to be left out. A directory that is left out takes
    /// everything in it along; asking about its files is not enough.
    pub fn ignores(&self, path: &str, is_directory: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            let matches = rule.matches(path);
            if rule.negated {
                if (rule.directories_only && !is_directory) || !matches {
                    return true;
                }
            } else if matches && (!rule.directories_only || is_directory) {
                return true;
            }
        }
        false
    }

    /// Whether a file is to be left out, by itself or with one of the directories that it is in.
    pub fn ignores_file(&self, path: &str) -> bool {
        let mut directories = path.match_indices('/').map(|(index, _)| &path[..index]);
        directories.any(|directory| self.ignores(directory, true)) || self.ignores(path, false)
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, IgnoreError> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        path_match(line, "abc").map_err(|_| IgnoreError::Pattern)?;
        let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (directories_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let (pattern, base_only) = match line.strip_prefix('/') {
            Some(anchored) => (anchored, false),
            None => (line, !line.contains('/')),
        };
        Ok(Some(Self {
            pattern: pattern.to_owned(),
            base_only,
            negated,
            directories_only,
        }))
    }

    fn matches(&self, path: &str) -> bool {
        let path = if self.base_only {
            path.rsplit('/').next().unwrap_or(path)
        } else {
            path
        };
        path_match(&self.pattern, path).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(rules: &str, path: &str, is_directory: bool) -> bool {
        Rules::parse(rules.as_bytes()).unwrap().ignores(path, is_directory)
    }

    #[test]
    fn follows_helms_rules() {
        for (rules, path, is_directory, expected) in [
            ("helm.txt", "helm.txt", false, true),
            ("helm.*", "sub/helm.txt", false, true),
            ("/helm.txt", "sub/helm.txt", false, false),
            ("/helm.txt", "helm.txt", false, true),
            ("mast/", "mast", true, true),
            ("mast/", "mast", false, false),
            ("mast/a.txt", "x/mast/a.txt", false, false),
            ("mast/*", "mast/a/b", false, false),
            ("# helm.txt\n\n", "helm.txt", false, false),
            ("!helm.txt", "helm.txt", false, false),
            ("!helm.txt", "tiller.txt", false, true),
            ("!mast/", "helm.txt", false, true),
            ("", "templates/.hidden", false, true),
            ("", "templates/sub/.hidden", false, false),
            ("", ".hidden", false, false),
            ("*", "", true, false),
        ] {
            assert_eq!(ignored(rules, path, is_directory), expected, "{rules:?} {path}");
        }
    }

    #[test]
    fn a_directory_takes_its_files_along() {
        let rules = Rules::parse(b"docs/").unwrap();
        assert!(rules.ignores_file("docs/a.md") && rules.ignores_file("sub/docs/x/a.md"));
        assert!(!rules.ignores_file("docs"));
    }

    #[test]
    fn refuses_what_helm_refuses() {
        assert_eq!(Rules::parse(b"foo/**/bar").unwrap_err(), IgnoreError::DoubleStar);
        assert_eq!(Rules::parse(b"[").unwrap_err(), IgnoreError::Pattern);
    }
}
