//! Names that Fairlead gives to things in the cluster: finalizer, labels, annotations, field managers, releases.
//!
//! Knows the limits of Kubernetes and Helm for each; knows no object.

use sha2::{Digest, Sha256};

/// Finalizer of HelmReleases: the release is uninstalled before the object goes.
pub const FINALIZER: &str = "fairlead.dev/release";

/// Annotation of a HelmRelease or source: any new value asks for a reconciliation now.
pub const ANNOTATION_REQUESTED_AT: &str = "fairlead.dev/requestedAt";
/// Annotation of a HelmRelease: with the same value as [`ANNOTATION_REQUESTED_AT`], one install or upgrade is made even when
/// nothing changed or the retries are used up.
pub const ANNOTATION_FORCE_AT: &str = "fairlead.dev/forceAt";
/// Annotation of a HelmRelease: with the same value as [`ANNOTATION_REQUESTED_AT`], the failure counts are reset once.
pub const ANNOTATION_RESET_AT: &str = "fairlead.dev/resetAt";
/// Fairlead's annotations that ask for something, and what Flux calls the same.
pub const FLUX_REQUESTS: [(&str, &str); 3] = [
    (ANNOTATION_REQUESTED_AT, "reconcile.fluxcd.io/requestedAt"),
    (ANNOTATION_FORCE_AT, "reconcile.fluxcd.io/forceAt"),
    (ANNOTATION_RESET_AT, "reconcile.fluxcd.io/resetAt"),
];
/// Annotation of a HelmRelease that approves the one change that its value stands for (`status.heldUpgrade.change`).
pub const ANNOTATION_APPROVE: &str = "fairlead.dev/approve";
/// Annotation of a HelmRelease that carries a person's decision on conflicts that were handed off.
pub const ANNOTATION_RESOLVE: &str = "fairlead.dev/resolve";
/// Annotation of a release record: namespace, name and uid of the HelmRelease as which Fairlead wrote it. Helm leaves annotations
/// out when it writes a record, so one that has it is as Fairlead left it.
pub const ANNOTATION_WRITTEN_BY: &str = "fairlead.dev/written-by";
/// Annotation of the object of a hook: the attempt that started it, so that an operator that was ended does not start it twice.
pub const ANNOTATION_HOOK_RUN: &str = "fairlead.dev/hook-run";
/// Annotation or label of a live or rendered object: `disabled` excludes it from drift detection.
pub const ANNOTATION_DRIFT_DETECTION: &str = "fairlead.dev/driftDetection";
/// The same of Flux, which is heeded as well.
pub const FLUX_DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";

/// Label on every object of a release: the name of its HelmRelease.
pub const LABEL_NAME: &str = "fairlead.dev/name";
/// Label on every object of a release: the namespace of its HelmRelease.
pub const LABEL_NAMESPACE: &str = "fairlead.dev/namespace";

/// The field manager that Fairlead's own resources (status, finalizers, ledgers) are written with.
pub const CONTROLLER_FIELD_MANAGER: &str = "fairlead-controller";
/// What the default field manager of every release starts with.
pub const FIELD_MANAGER_PREFIX: &str = "fairlead:";
/// The longest field manager that the API server accepts, in bytes.
pub const MAX_FIELD_MANAGER: usize = 128;
/// The longest release name that Helm accepts, in characters.
pub const MAX_RELEASE_NAME: usize = 53;

/// The longest value of a label, in characters.
const MAX_LABEL_VALUE: usize = 63;
/// How many hexadecimal digits stand for what was cut off a name.
const DIGEST_LENGTH: usize = 12;

/// The field manager of a HelmRelease that names none: `fairlead:<namespace>/<name>`, at most [`MAX_FIELD_MANAGER`] bytes.
///
/// A longer one is cut and ends in a dash and 12 hexadecimal digits of the SHA-256 of `<namespace>/<name>`, so that two
/// releases never share a manager.
pub fn default_field_manager(namespace: &str, name: &str) -> String {
    let identity = format!("{namespace}/{name}");
    let room = MAX_FIELD_MANAGER - FIELD_MANAGER_PREFIX.len();
    format!(
        "{FIELD_MANAGER_PREFIX}{}",
        shorten(&identity, room, room - DIGEST_LENGTH - 1)
    )
}

/// A release name as Helm accepts it: unchanged up to [`MAX_RELEASE_NAME`] characters; else the first 40, a dash, and 12
/// hexadecimal digits of the SHA-256 of the whole, as Flux does it.
pub fn shorten_release_name(name: &str) -> String {
    shorten(name, MAX_RELEASE_NAME, MAX_RELEASE_NAME - DIGEST_LENGTH - 1)
}

/// The labels on every object of a HelmRelease, by which it is found and known to be the release's.
pub fn release_labels(namespace: &str, name: &str) -> [(&'static str, String); 2] {
    [
        (LABEL_NAME, label_value(name)),
        (LABEL_NAMESPACE, label_value(namespace)),
    ]
}

/// A name as the value of a label, which takes at most 63 characters: unchanged up to that, else cut and with a digest.
fn label_value(name: &str) -> String {
    shorten(name, MAX_LABEL_VALUE, MAX_LABEL_VALUE - DIGEST_LENGTH - 1)
}

/// `text` when it has at most `limit` bytes, else its first `keep` bytes (cut at a character), a dash and a digest.
fn shorten(text: &str, limit: usize, keep: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = keep;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let digest = Sha256::digest(text.as_bytes());
    let hex = format!("{digest:x}");
    format!("{}-{}", &text[..end], &hex[..DIGEST_LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stay() {
        assert_eq!(default_field_manager("prod", "shop"), "fairlead:prod/shop");
        assert_eq!(shorten_release_name("shop"), "shop");
        assert_eq!(shorten_release_name(&"a".repeat(53)), "a".repeat(53));
    }

    #[test]
    fn long_field_managers_fit_and_differ() {
        let namespace = "n".repeat(63);
        let (one, other) = (format!("{}1", "a".repeat(252)), format!("{}2", "a".repeat(252)));
        let (one, other) = (
            default_field_manager(&namespace, &one),
            default_field_manager(&namespace, &other),
        );
        assert_eq!(one.len(), MAX_FIELD_MANAGER);
        assert_ne!(one, other);
        assert!(
            one.starts_with(&format!("{FIELD_MANAGER_PREFIX}{namespace}/aaa")),
            "{one}"
        );
    }

    #[test]
    fn long_release_names_are_cut_as_flux_cuts_them() {
        // The digest is that of `printf %s "$name" | sha256sum`.
        let name = format!("{}-suffix", "x".repeat(50));
        let short = shorten_release_name(&name);
        assert_eq!(short, format!("{}-1f615cc578d6", "x".repeat(40)));
    }

    #[test]
    fn cuts_at_characters() {
        let short = shorten_release_name(&"ä".repeat(40));
        assert!(short.len() <= MAX_RELEASE_NAME && short.contains('-'), "{short}");
    }
}
