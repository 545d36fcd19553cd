//! Chart + values + capabilities -> manifests, hooks, CRDs, notes, in install order.
//!
//! Pure: look-ups, time and randomness come in as parameters.
