//! A control plane for one test, for what would disturb the others.

use std::ops::Deref;

use fairlead_controlplane::{ControlPlane, Options};

use super::Result;

/// A control plane that ends with its test: one that stayed would take its share of the processor from all tests after it.
pub(crate) struct OwnPlane(&'static ControlPlane);

impl OwnPlane {
    /// Starts one, anew and empty.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        Ok(Self(Box::leak(Box::new(ControlPlane::start(options).await?))))
    }

    /// As all tests know theirs. It does not answer any more when this is dropped.
    pub(crate) fn get(&self) -> &'static ControlPlane {
        self.0
    }
}

impl Deref for OwnPlane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        self.0
    }
}

impl Drop for OwnPlane {
    fn drop(&mut self) {
        self.0.end();
    }
}
