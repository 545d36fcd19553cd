//! How much post-renderers may do: whoever may write a HelmRelease may write patches.

/// The most patches and images of one release. Each one looks at every object.
pub(super) const MAXIMUM_CHANGES: usize = 1000;
/// The longest text of one patch, in bytes.
pub(super) const MAXIMUM_PATCH_BYTES: usize = 256 << 10;
/// The most operations in one JSON patch.
pub(super) const MAXIMUM_OPERATIONS: usize = 1000;
/// How much the `copy` operations of one JSON patch may copy in one object, roughly in bytes. Each copy can double the object.
pub(super) const MAXIMUM_COPIED: usize = 1 << 20;
/// How deep a value may be that is put into an object, counted from the object: what is nested deeper could exhaust the stack.
pub(super) const MAXIMUM_DEPTH: usize = 200;
