//! Work on many things at once, where it is worth a thread.
//!
//! Knows nothing of what is done. Pure but for the threads: the result is that of doing one thing after the other.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use rayon_core::ThreadPool;

/// Most threads for one piece of work, the caller's included: what is done here is bound by memory before long.
const MOST_THREADS: usize = 4;

/// A thread's stack: what rendering needs. Memory is only taken for what is used.
pub(crate) const STACK_BYTES: usize = 32 << 20;

/// How many processors there are for us. Asking reads files of control groups.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// Threads that wait for work, if [`start_helpers`] was called.
static STARTED: OnceLock<ThreadPool> = OnceLock::new();

/// Starts the threads that will help the calling one, before there is work for them. Without it they are started when they are needed.
///
/// It is for a process that ends after some milliseconds. Linux often puts a new thread behind the one that started it, on the
/// same processor, and looks for a better place at its next tick, up to 4 ms later: most of what the thread was to do is done by then. `begin`
/// runs first on each of them, and may say where it works.
#[cfg(feature = "cli")]
pub(crate) fn start_helpers(processors: usize, begin: impl Fn() + Send + Sync + 'static) {
    let helpers = processors.min(MOST_THREADS).saturating_sub(1);
    if helpers == 0 {
        return;
    }
    let started = rayon_core::ThreadPoolBuilder::new()
        .num_threads(helpers)
        .stack_size(STACK_BYTES)
        .start_handler(move |_| begin())
        .build();
    // Without them all is done by the caller, or by threads that are started when they are needed.
    if let Ok(pool) = started
        && STARTED.set(pool).is_ok()
    {
        // They begin here, and go where `begin` says.
        thread::yield_now();
    }
}

/// Lets a helper that was started ([`start_helpers`]) do some work, whatever becomes of the caller; without one it is not done.
pub(crate) fn in_background(work: impl FnOnce() + Send + 'static) {
    if let Some(pool) = STARTED.get() {
        pool.spawn(work);
    }
}

/// Does work that goes deep down the stack on a thread of its own, which takes some 50 microseconds. `None` if it panics, or
/// if there is no thread to be had.
#[cfg(feature = "cluster")]
pub(crate) fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> Option<R> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Where helpers come from, for as long as the things live that they borrow.
enum Helpers<'a, 'scope, 'env> {
    Started(&'a rayon_core::Scope<'env>),
    New(&'scope thread::Scope<'scope, 'env>),
}

impl<'env> Helpers<'_, '_, 'env> {
    /// Lets one do some work. Nobody may rely on it: there may be no thread to be had.
    fn spawn(&self, work: impl FnOnce() + Send + 'env) {
        match self {
            Self::Started(scope) => scope.spawn(|_| work()),
            Self::New(scope) => {
                let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            }
        }
    }
}

/// Does `main` on this thread, and waits for what it let helpers do.
fn with_helpers<'env, R>(main: impl FnOnce(&Helpers<'_, '_, 'env>) -> R) -> R {
    match STARTED.get() {
        Some(pool) => pool.in_place_scope(|scope| main(&Helpers::Started(scope))),
        None => thread::scope(|scope| main(&Helpers::New(scope))),
    }
}

/// What each item becomes, in the order of the items. `state` is made once for each thread. `is_worth_it` tells whether
/// there is enough to do for a second thread: starting one takes some 50 microseconds.
pub(crate) fn map<T: Sync, S, R: Send>(
    items: &[T],
    is_worth_it: bool,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let threads = if is_worth_it { available(items.len()) } else { 1 };
    if threads < 2 {
        let mut state = state();
        return items.iter().map(|item| work(&mut state, item)).collect();
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let run = || {
        let mut state = state();
        let mut own = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            own.push((index, work(&mut state, item)));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    };
    with_helpers(|helpers| {
        (1..threads).for_each(|_| helpers.spawn(run));
        run();
    });
    in_order(done)
}

/// Makes things, and meanwhile does the work on those that are there already. Result: what `make` says, and what each thing
/// becomes, in the order in which they were made; when `make` fails, the work on the rest is not done.
///
/// `make` gets a function that takes a thing with its size. A thread is started when the sizes come to `worth_a_thread`, and gets things
/// in parcels of a quarter of that: to wake it for each would take longer than the work on a small one.
pub(crate) fn follow<T: Send, R: Send, M, E>(
    worth_a_thread: usize,
    make: impl FnOnce(&mut dyn FnMut(T, usize)) -> Result<M, E>,
    work: impl Fn(T) -> R + Sync,
) -> Result<(M, Vec<R>), E> {
    let (sender, receiver) = mpsc::channel::<Vec<(usize, T)>>();
    let (receiver, done) = (Mutex::new(receiver), Mutex::new(Vec::new()));
    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let run = || {
        let mut own = Vec::new();
        while let Ok(parcel) = next() {
            own.extend(parcel.into_iter().map(|(index, item)| (index, work(item))));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    };
    let made = with_helpers(|helpers| {
        let (mut number, mut size, mut threads) = (0, 0_usize, 1);
        let (mut parcel, mut parcel_size) = (Vec::new(), 0_usize);
        let made = make(&mut |item, item_size| {
            parcel.push((number, item));
            number += 1;
            parcel_size = parcel_size.saturating_add(item_size);
            if parcel_size < worth_a_thread / 4 {
                return;
            }
            size = size.saturating_add(std::mem::take(&mut parcel_size));
            // The receiver lives longer than this.
            let _ = sender.send(std::mem::take(&mut parcel));
            if size / worth_a_thread >= threads && available(threads + 1) > threads {
                threads += 1;
                helpers.spawn(run);
            }
        });
        let _ = sender.send(parcel);
        drop(sender);
        match &made {
            Ok(_) => run(),
            Err(_) => while next().is_ok() {},
        }
        made
    })?;
    Ok((made, in_order(done)))
}

/// Does `main`, and meanwhile, where there is a processor to spare, what may be prepared for later.
pub(crate) fn meanwhile<R>(prepare: Option<impl FnOnce() + Send>, main: impl FnOnce() -> R) -> R {
    let Some(prepare) = prepare.filter(|_| available(2) > 1) else {
        return main();
    };
    with_helpers(|helpers| {
        // Without a thread it is done when it is needed.
        helpers.spawn(prepare);
        main()
    })
}

fn in_order<R>(done: Mutex<Vec<(usize, R)>>) -> Vec<R> {
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// How many threads there are for so many items, the caller's included.
fn available(items: usize) -> usize {
    let threads = STARTED
        .get()
        .map_or_else(|| *PROCESSORS, |pool| pool.current_num_threads() + 1);
    threads.min(items).min(MOST_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        for is_worth_it in [false, true] {
            let doubled = map(
                &items,
                is_worth_it,
                || 0,
                |calls, item| {
                    *calls += 1;
                    assert!(*calls <= items.len());
                    item * 2
                },
            );
            assert!(doubled.iter().copied().eq((0..1000).map(|item| item * 2)));
        }
        assert!(map(&[(); 0], true, || (), |(), ()| ()).is_empty());
    }

    #[test]
    fn what_follows_has_the_order_in_which_things_were_made() {
        for worth_a_thread in [1, 40, usize::MAX] {
            let followed = follow(
                worth_a_thread,
                |take| {
                    (0..1000).for_each(|item| take(item, 1));
                    Ok::<_, ()>("made")
                },
                |item| item * 2,
            );
            assert_eq!(followed, Ok(("made", (0..1000).map(|item| item * 2).collect())));
        }
    }

    #[test]
    fn nothing_follows_what_could_not_be_made() {
        let failed = follow(
            1,
            |take| {
                (0..1000).for_each(|item| take(item, 1));
                Err::<(), _>("not made")
            },
            |item: i32| item,
        );
        assert_eq!(failed, Err("not made"));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn helpers_that_were_started_do_the_same() {
        start_helpers(2, || ());
        the_order_is_that_of_the_items();
        what_follows_has_the_order_in_which_things_were_made();
        nothing_follows_what_could_not_be_made();
        let (sender, receiver) = mpsc::channel();
        in_background(move || sender.send(thread::current().id()).unwrap());
        assert_ne!(receiver.recv(), Ok(thread::current().id()));
    }
}
