//! How much one rendering may use.

/// Limits of one rendering. The defaults are far above what real charts need, let a template that includes itself reach
/// Helm's own limit, and are safe on a stack of [`Limits::STACK_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates, blocks and nested expressions inside each other, in evaluation steps that use the stack.
    pub depth: usize,
    /// Bytes of output of one execution, and of any one string that a function makes.
    pub bytes: usize,
    /// Nodes evaluated in one rendering.
    pub steps: u64,
    /// How often one template may include itself, Helm's constant.
    pub includes: u32,
}

impl Limits {
    /// The stack on which the default depth is safe, also in an unoptimised build (which uses at most 2.7 KiB a level;
    /// measured). Render on a thread with at least this much: memory is only taken for what is used.
    pub const STACK_BYTES: usize = 32 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 6_000,
            bytes: 128 << 20,
            steps: 200_000_000,
            includes: 1_000,
        }
    }
}
