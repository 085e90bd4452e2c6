//! Measures how long connections take to be made, apart from how long models take to answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tower::{Layer, Service};

/// A connection that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connected {
    /// When it was ready.
    pub(super) at: Instant,
    /// The time for DNS, TCP and TLS.
    pub(super) took: Duration,
}

type Slot = Arc<Mutex<Option<Connected>>>;

tokio::task_local! {
    /// The slot in which the running attempt wants to find its connection.
    static OF_THIS_ATTEMPT: Slot;
}

/// A layer around the client's connector that times it.
#[derive(Debug, Clone, Default)]
pub(super) struct Connects {
    /// The last connection of the client. Requests over HTTP/2 share one, and may wait for one that another request
    /// makes.
    last: Slot,
}

impl Connects {
    /// Runs a request. Returns its output and the connection for which it had to wait, if any.
    pub(super) async fn watch<F: Future>(&self, request: F) -> (F::Output, Option<Connected>) {
        let began = Instant::now();
        let own = Slot::default();
        let output = OF_THIS_ATTEMPT.scope(own.clone(), request).await;
        let shared = || read(&self.last).filter(|connected| connected.at > began);
        let connected = read(&own).or_else(shared).map(|connected| {
            let waited = connected.at.saturating_duration_since(began);
            Connected { at: connected.at, took: connected.took.min(waited) }
        });
        (output, connected)
    }
}

fn read(slot: &Slot) -> Option<Connected> {
    *slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(slot: &Slot, connected: Connected) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
}

impl<S> Layer<S> for Connects {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, last: self.last.clone() }
    }
}

/// A connector that is timed.
#[derive(Debug, Clone)]
pub(super) struct Timed<S> {
    inner: S,
    last: Slot,
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let began = Instant::now();
        let connecting = self.inner.call(request);
        let last = self.last.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            let connected = Connected { at: Instant::now(), took: began.elapsed() };
            write(&last, connected);
            // A connection that was not needed in the end is finished outside of any attempt.
            let _ = OF_THIS_ATTEMPT.try_with(|slot| write(slot, connected));
            Ok(connection)
        })
    }
}
