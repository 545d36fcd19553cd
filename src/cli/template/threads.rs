//! The threads of this process: room on the stack of the main one, and others that help it.

use super::CommandError;
use crate::template::Limits;

/// Unoptimised code has larger frames than [`Limits::STACK_BYTES`] is made for.
const STACK_BYTES: usize = if cfg!(debug_assertions) {
    8 * Limits::STACK_BYTES
} else {
    Limits::STACK_BYTES
};

/// Starts threads that help this one, on other processors: there they begin at once when there is work for them.
#[cfg(target_os = "linux")]
pub(super) fn start_helpers() {
    use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};
    // Unlike `available_parallelism` this reads no files of control groups.
    let Ok(mut processors) = sched_getaffinity(None) else {
        return;
    };
    let number = usize::try_from(processors.count()).unwrap_or(1);
    processors.unset(sched_getcpu());
    crate::parallel::start_helpers(number, move || {
        // One that may not choose its processor helps where it is.
        let _ = sched_setaffinity(None, &processors);
    });
}

#[cfg(not(target_os = "linux"))]
pub(super) fn start_helpers() {
    let processors = std::thread::available_parallelism();
    crate::parallel::start_helpers(processors.map_or(1, std::num::NonZero::get), || {});
}

/// Lets the stack of the main thread grow as far as rendering needs it, and tells whether it may.
///
/// On Linux that stack grows as it is used, up to what `RLIMIT_STACK` says at that time, and at least 128 MiB of addresses
/// below it are kept free (`mmap_base` in the kernel). On another thread the C library takes memory page by page, each with a
/// system call of its own: a tenth of the time of a large chart.
#[cfg(target_os = "linux")]
fn main_stack_is_large() -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // What the arguments and the environment take is on that stack too.
    const WANTED: u64 = 2 * STACK_BYTES as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Stack);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= WANTED);
    let raised = Rlimit {
        current: Some(WANTED),
        maximum,
    };
    is_enough(current) || is_enough(maximum) && setrlimit(Resource::Stack, raised).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn main_stack_is_large() -> bool {
    false
}

/// Runs template code where its limits are safe. Called on the main thread.
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, CommandError> {
    if main_stack_is_large() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)?;
        thread.join().map_err(|_| "rendering was stopped".into())
    })
}
