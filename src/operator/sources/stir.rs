//! Sources whose Secrets change.
//!
//! Edge. A source's Secrets are read when it is looked at; here is who has to be looked at because one of them changed.

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;

use super::keep::Known;
use super::verification;
use crate::api::oci_repository::OCIRepository;

/// Makes sources be looked at anew. Cheap to clone.
#[derive(Clone)]
pub(in crate::operator) struct Stir {
    known: Known,
    artifacts: Store<OCIRepository>,
    changed: mpsc::UnboundedSender<ObjectRef<OCIRepository>>,
}

impl Stir {
    pub(super) fn new(
        known: Known,
        artifacts: Store<OCIRepository>,
        changed: mpsc::UnboundedSender<ObjectRef<OCIRepository>>,
    ) -> Self {
        Self {
            known,
            artifacts,
            changed,
        }
    }

    /// A Secret came, changed or went.
    pub(in crate::operator) fn secret_changed(&self, namespace: &str, name: &str) {
        for artifact in self.artifacts.state() {
            let verify = artifact.spec.verify.as_ref();
            let mut secrets = verify.into_iter().flat_map(verification::secrets);
            if artifact.namespace().as_deref() == Some(namespace) && secrets.any(|secret| secret == name) {
                let artifact = ObjectRef::from_obj(artifact.as_ref());
                self.known.stir(&artifact);
                // Nobody listens where sources are only looked up, and while the operator shuts down.
                let _ = self.changed.send(artifact);
            }
        }
    }
}
