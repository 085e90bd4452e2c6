//! The next target when one fails.

use tokio::time::Instant;

use super::Service;
use crate::call::{Call, Event, Events};
use crate::error::{Failure, FailureKind};

/// Tries a call's targets in order until one answers.
#[derive(Debug)]
pub struct Fallback<S> {
    inner: S,
}

impl<S> Fallback<S> {
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

/// Whether another model may do better. What arrived stays: an answer that has begun is never replaced.
fn falls_back(failure: &Failure, spoke: bool) -> bool {
    !spoke && failure.kind != FailureKind::Interrupted
}

impl<S: Service> Service for Fallback<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let mut targets = call.targets.iter();
        let mut target = call.target();
        targets.next();
        let began = Instant::now();
        loop {
            let mut narrowed = Call { targets: vec![target.clone()], ..call.clone() };
            narrowed.limits.timeout = call.limits.timeout.saturating_sub(began.elapsed());
            let failure = match self.inner.call(&narrowed, events).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let Some(next) = targets.next().filter(|_| falls_back(&failure, events.spoke())) else {
                return Err(failure);
            };
            target = next;
            events.emit(Event::Fallback { to: target.clone(), cause: failure }).await?;
        }
    }
}
