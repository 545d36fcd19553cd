//! Concurrent requests for the same thing share one piece of work and its result.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

type Work<V> = BoxFuture<'static, V>;

/// The work in flight, by what it is for. Dropping all who wait for a piece of work ends it.
pub(super) struct SingleFlight<K, V: Clone> {
    flights: Mutex<HashMap<K, WeakShared<Work<V>>>>,
}

impl<K: Eq + Hash, V: Clone> SingleFlight<K, V> {
    pub(super) fn new() -> Self {
        Self {
            flights: Mutex::new(HashMap::new()),
        }
    }

    /// Joins the work for `key`, or starts it.
    pub(super) async fn run(&self, key: K, start: impl FnOnce() -> Work<V>) -> V {
        let flight = self.join(key, start);
        let result = flight.await;
        // `await` has consumed our handle: what nobody waits for any more is forgotten.
        self.lock().retain(|_, flight| flight.upgrade().is_some());
        result
    }

    fn join(&self, key: K, start: impl FnOnce() -> Work<V>) -> Shared<Work<V>> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, WeakShared<Work<V>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use tokio::sync::Notify;

    use super::SingleFlight;

    #[tokio::test]
    async fn shares_work_and_forgets_it() {
        let flights = Arc::new(SingleFlight::<u8, usize>::new());
        let (count, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let request = || {
            let (count, gate) = (count.clone(), gate.clone());
            flights.run(7, move || {
                async move {
                    gate.notified().await;
                    count.fetch_add(1, Ordering::SeqCst)
                }
                .boxed()
            })
        };
        let all = futures::future::join_all([request(), request(), request()]);
        let release = async { gate.notify_one() };
        let (results, ()) = futures::join!(all, release);
        assert_eq!(results, [0, 0, 0]);
        assert!(flights.lock().is_empty());
        gate.notify_one();
        assert_eq!(request().await, 1);
    }
}
