//! The custom resources of `fairlead.dev/v1alpha1`, and the names (conditions, reasons, annotations, labels) they use.
//!
//! Pure: types and constants, no behaviour beyond their own invariants.
