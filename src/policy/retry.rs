//! Further tries at the same model, for failures that may pass.

use std::time::Duration;

use tokio::time;

use super::Service;
use crate::call::{Call, Event, Events};
use crate::error::{Failure, FailureKind};

/// Tries after a failure that the gateway reported, unless the user says otherwise.
const RETRIES: u32 = 2;

/// Waits double from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A gateway that asks for more patience than this is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Tries again, within bounds, what failed before the first token.
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
}

impl<S> Retry<S> {
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

/// Whether a gateway asks for more patience than there is, with so much time `left` for the call.
fn asks_too_much(failure: &Failure, left: Duration) -> Option<Duration> {
    failure.retry_after.filter(|asked| *asked > LONGEST_RETRY_AFTER.min(left))
}

/// How long to wait before the next try; `None` ends it. `tries` is how many were made, `chance` is in 0..1.
fn wait(
    failure: &Failure,
    spoke: bool,
    tries: u32,
    retries: Option<u32>,
    left: Duration,
    chance: f64,
) -> Option<Duration> {
    // A connection that cannot be made will not be made by haste, and an own time limit has cost the user enough.
    let usual = match failure.kind {
        FailureKind::Network => 1,
        FailureKind::Timeout if failure.status.is_none() => 0,
        _ => RETRIES,
    };
    if spoke || !failure.is_transient() || tries > retries.unwrap_or(usual) {
        return None;
    }
    let wait = match failure.retry_after {
        _ if asks_too_much(failure, left).is_some() => return None,
        // Many clients are told the same moment, so nobody comes at that moment exactly.
        Some(asked) => asked + asked.min(FIRST_WAIT).mul_f64(chance),
        None => {
            let bound = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_WAIT);
            bound.mul_f64(0.5 + chance / 2.0)
        }
    };
    // A try that the call has no time for is none: the next model may be asked in that time.
    (wait < left).then_some(wait)
}

impl<S: Service> Service for Retry<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let mut tries = 0;
        let began = time::Instant::now();
        loop {
            let mut failure = match self.inner.call(call, events).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            tries += 1;
            let left = call.limits.timeout.saturating_sub(began.elapsed());
            let Some(after) = wait(&failure, events.spoke(), tries, call.limits.retries, left, fastrand::f64()) else {
                if let Some(asked) = asks_too_much(&failure, left) {
                    failure.advice = Some(format!("the gateway asks to come back in {} s", asked.as_secs_f64().ceil()));
                }
                return Err(failure);
            };
            events.emit(Event::Retry { after, cause: failure }).await?;
            time::sleep(after).await;
        }
    }
}
