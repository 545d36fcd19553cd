//! Whether a live object is ready: the kstatus rules.
//!
//! Pure: one object in, one verdict out.
