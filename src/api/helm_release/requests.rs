//! What people ask of a HelmRelease by annotations: a reconcile now, a new revision, a new count of failures; and what they approve.
//!
//! Flux's annotations are understood as well as Fairlead's own. Where both are set, the later one counts, compared as text: people and
//! tools write times. Each request is honoured once; what was honoured last stands in the status.

use super::HelmRelease;
use crate::api::names::{
    ANNOTATION_APPROVE, ANNOTATION_FORCE_AT, ANNOTATION_REQUESTED_AT, ANNOTATION_RESET_AT, FLUX_REQUESTS,
};

impl HelmRelease {
    /// The value of the annotation that asks for a reconcile.
    pub fn requested_at(&self) -> Option<&str> {
        self.request(ANNOTATION_REQUESTED_AT)
    }

    /// Whether a person, or a changed spec, asks for an attempt now.
    pub fn is_asked(&self) -> bool {
        let status = self.status.as_ref();
        let requested = self.requested_at();
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_deref());
        (requested.is_some() && requested != handled)
            || status.and_then(|status| status.observed_generation) != self.metadata.generation
    }

    /// The value of the annotation that asks for a new revision even if nothing changed; `None` when it was honoured already, or is not
    /// that of the request for a reconcile.
    pub fn forced_at(&self) -> Option<&str> {
        let handled = self
            .status
            .as_ref()
            .and_then(|status| status.last_handled_force_at.as_deref());
        self.request_beside(ANNOTATION_FORCE_AT, handled)
    }

    /// The value of the annotation that asks for the failures to be forgotten; `None` when it was honoured already, or is not that of
    /// the request for a reconcile.
    pub fn reset_at(&self) -> Option<&str> {
        let handled = self
            .status
            .as_ref()
            .and_then(|status| status.last_handled_reset_at.as_deref());
        self.request_beside(ANNOTATION_RESET_AT, handled)
    }

    /// The change that somebody approves.
    pub fn approved_change(&self) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(ANNOTATION_APPROVE).map(String::as_str)
    }

    fn request_beside(&self, annotation: &str, handled: Option<&str>) -> Option<&str> {
        let value = self.request(annotation)?;
        (self.requested_at() == Some(value) && handled != Some(value)).then_some(value)
    }

    /// The later value of Fairlead's annotation and Flux's.
    fn request(&self, annotation: &str) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        let of_flux = FLUX_REQUESTS.iter().find(|(ours, _)| *ours == annotation);
        let names = [Some(annotation), of_flux.map(|(_, theirs)| *theirs)];
        let values = names.into_iter().flatten().filter_map(|name| annotations.get(name));
        values.map(String::as_str).max()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn release(annotations: &Value, status: &Value) -> HelmRelease {
        let spec = json!({"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "shop"}});
        let release = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease", "spec": spec, "status": status,
            "metadata": {"name": "shop", "namespace": "prod", "generation": 1, "annotations": annotations}});
        serde_json::from_value(release).unwrap()
    }

    #[test]
    fn a_request_is_honoured_once() {
        let annotations =
            json!({"fairlead.dev/requestedAt": "2", "fairlead.dev/forceAt": "2", "fairlead.dev/resetAt": "2"});
        let asked = release(&annotations, &json!({"observedGeneration": 1}));
        assert!(asked.is_asked());
        assert_eq!((asked.forced_at(), asked.reset_at()), (Some("2"), Some("2")));
        let handled = json!({"observedGeneration": 1, "lastHandledReconcileAt": "2", "lastHandledForceAt": "2", "lastHandledResetAt": "2"});
        let done = release(&annotations, &handled);
        assert!(!done.is_asked());
        assert_eq!((done.forced_at(), done.reset_at()), (None, None));
    }

    #[test]
    fn force_and_reset_count_only_with_the_request_that_they_belong_to() {
        let annotations = json!({"fairlead.dev/requestedAt": "2", "fairlead.dev/forceAt": "1"});
        let release = release(&annotations, &json!({"observedGeneration": 1}));
        assert_eq!((release.forced_at(), release.reset_at()), (None, None));
    }

    #[test]
    fn the_annotations_of_flux_are_understood_and_the_later_one_counts() {
        let annotations = json!({"reconcile.fluxcd.io/requestedAt": "2026-02", "reconcile.fluxcd.io/forceAt": "2026-02",
            "fairlead.dev/requestedAt": "2026-01"});
        let release = release(
            &annotations,
            &json!({"observedGeneration": 1, "lastHandledReconcileAt": "2026-01"}),
        );
        assert_eq!(
            (release.requested_at(), release.forced_at()),
            (Some("2026-02"), Some("2026-02"))
        );
        assert!(release.is_asked());
    }
}
