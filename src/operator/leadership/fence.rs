//! A fence around the clients of an operator: writes pass while it leads, and at no other time.
//!
//! Edge. It asks nobody: it compares the clock with the moment until which the operator leads, before each request and while one is
//! under way. So a process that was stopped for a while, or that could not renew its lease, writes nothing afterwards but for what
//! the system had been given to send already.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Method, Request};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::plan::election::Moment;

/// A request that was not made, or not waited for, because the operator does not lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this operator does not lead (any more), so it writes nothing; the one that leads will")]
pub struct NotLeading;

/// The fence of one process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Fence(Option<Arc<State>>);

#[derive(Debug)]
struct State {
    /// What moments are counted from.
    origin: Instant,
    /// Until when writes pass, in nanoseconds.
    until: AtomicU64,
    /// Whether no further write may begin, although the operator leads.
    is_closed: AtomicBool,
    /// Writes under way.
    writes: watch::Sender<usize>,
}

impl Fence {
    /// No fence: for an operator that leads because nobody else is there.
    pub const fn none() -> Self {
        Self(None)
    }

    /// A fence that lets nothing through before it is told that the operator leads.
    pub fn closed() -> Self {
        Self(Some(Arc::new(State {
            origin: Instant::now(),
            until: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            writes: watch::Sender::new(0),
        })))
    }

    /// Now, on the fence's clock.
    pub fn now(&self) -> Moment {
        Moment(self.0.as_ref().map_or(Duration::ZERO, |state| state.origin.elapsed()))
    }

    /// Lets writes pass until a moment.
    pub fn open_until(&self, until: Moment) {
        if let Some(state) = &self.0 {
            let nanos = u64::try_from(until.0.as_nanos()).unwrap_or(u64::MAX);
            state.until.store(nanos, Ordering::SeqCst);
        }
    }

    /// Lets no further write begin, and waits until those under way are over, at most for so long. Returns whether they are.
    pub async fn close(&self, patience: Duration) -> bool {
        let Some(state) = &self.0 else { return true };
        state.is_closed.store(true, Ordering::SeqCst);
        let mut writes = state.writes.subscribe();
        let over = tokio::time::timeout(patience, writes.wait_for(|writes| *writes == 0)).await;
        matches!(over, Ok(Ok(_)))
    }
}

impl State {
    fn until(&self) -> Instant {
        self.origin + Duration::from_nanos(self.until.load(Ordering::SeqCst))
    }

    /// Completes when the operator does not lead any more.
    async fn is_over(&self) {
        loop {
            let until = self.until();
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A write under way.
struct Passage(Arc<State>);

impl Passage {
    /// Counted first and looked at then, so that whoever closes the fence either keeps it out or waits for it.
    fn of(state: &Arc<State>) -> Option<Self> {
        state.writes.send_modify(|writes| *writes += 1);
        let passage = Self(state.clone());
        let is_open = !state.is_closed.load(Ordering::SeqCst) && Instant::now() < state.until();
        is_open.then_some(passage)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.writes.send_modify(|writes| *writes -= 1);
    }
}

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fenced {
            inner,
            fence: self.clone(),
        }
    }
}

/// A service behind a fence.
#[derive(Debug, Clone)]
pub struct Fenced<S> {
    inner: S,
    fence: Fence,
}

impl<S, B> Service<Request<B>> for Fenced<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let Some(state) = self.fence.0.as_ref().filter(|_| !reads) else {
            let answer = self.inner.call(request);
            return Box::pin(async move { answer.await.map_err(Into::into) });
        };
        let Some(passage) = Passage::of(state) else {
            return Box::pin(async { Err(NotLeading.into()) });
        };
        let answer = self.inner.call(request);
        Box::pin(fenced(async move { answer.await.map_err(Into::into) }, passage))
    }
}

/// Goes on with a write for as long as the operator leads.
async fn fenced<R>(answer: impl Future<Output = Result<R, BoxError>>, passage: Passage) -> Result<R, BoxError> {
    let mut answer = pin!(answer);
    let mut over = pin!(passage.0.is_over());
    poll_fn(|context| {
        // Before anything else: a process that was frozen may be about to send, and its timers do not know yet how late it is.
        if Instant::now() >= passage.0.until() {
            return Poll::Ready(Err(NotLeading.into()));
        }
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        over.as_mut().poll(context).map(|()| Err(NotLeading.into()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;
    use tower::service_fn;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(20);

    /// A service that answers when it is told to, behind a fence.
    fn behind(
        fence: &Fence,
        answer: &Arc<Notify>,
    ) -> impl Service<Request<()>, Response = (), Error = BoxError, Future: Send> + Clone + use<> {
        let answer = answer.clone();
        fence.layer(service_fn(move |_: Request<()>| {
            let answer = answer.clone();
            async move {
                answer.notified().await;
                Ok::<(), BoxError>(())
            }
        }))
    }

    fn request(method: Method) -> Request<()> {
        Request::builder().method(method).body(()).unwrap()
    }

    fn is_refused(answer: &Result<(), BoxError>) -> bool {
        answer.as_ref().is_err_and(|error| error.is::<NotLeading>())
    }

    #[tokio::test]
    async fn writes_pass_only_while_the_operator_leads() {
        let (fence, answer) = (Fence::closed(), Arc::new(Notify::new()));
        let mut service = behind(&fence, &answer);
        assert!(is_refused(&service.call(request(Method::PATCH)).await));
        answer.notify_one();
        assert!(service.call(request(Method::GET)).await.is_ok());
        fence.open_until(fence.now().after(LONG));
        answer.notify_one();
        assert!(service.call(request(Method::PATCH)).await.is_ok());
        fence.open_until(fence.now());
        for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
            assert!(is_refused(&service.call(request(method)).await));
        }
        answer.notify_one();
        assert!(
            behind(&Fence::none(), &answer)
                .call(request(Method::PATCH))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_write_under_way_ends_with_the_lease_and_goes_on_with_a_renewed_one() {
        let (fence, answer) = (Fence::closed(), Arc::new(Notify::new()));
        let mut service = behind(&fence, &answer);
        fence.open_until(fence.now().after(SHORT));
        assert!(is_refused(&service.call(request(Method::PATCH)).await));
        let first = fence.now().after(SHORT * 5);
        fence.open_until(first);
        let write = tokio::spawn(service.call(request(Method::PATCH)));
        fence.open_until(fence.now().after(LONG));
        tokio::time::sleep(fence.now().until(first) + SHORT).await;
        answer.notify_one();
        assert!(write.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_was_under_way_when_the_process_was_frozen_is_not_gone_on_with() {
        let (fence, answer) = (Fence::closed(), Arc::new(Notify::new()));
        let mut service = behind(&fence, &answer);
        fence.open_until(fence.now().after(SHORT));
        let mut write = Box::pin(service.call(request(Method::PATCH)));
        assert!(futures::poll!(write.as_mut()).is_pending());
        std::thread::sleep(SHORT * 2); // nothing runs meanwhile, and no timer
        answer.notify_one();
        assert!(is_refused(&write.await));
    }

    #[tokio::test]
    async fn a_fence_is_closed_when_no_write_is_under_way() {
        let (fence, answer) = (Fence::closed(), Arc::new(Notify::new()));
        let mut service = behind(&fence, &answer);
        fence.open_until(fence.now().after(LONG));
        let write = tokio::spawn(service.call(request(Method::PATCH)));
        assert!(!fence.close(SHORT).await, "one is under way");
        assert!(is_refused(&service.call(request(Method::PATCH)).await));
        answer.notify_one();
        assert!(fence.close(LONG).await);
        assert!(write.await.unwrap().is_ok(), "what had begun is not cut off");
    }
}
