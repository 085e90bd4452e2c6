//! Further tries at the same model, for failures that may pass.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{self, Instant};

use crate::call::Service;
use crate::call::{Call, Event, Events};
use crate::deadline;
use crate::error::{Failure, FailureKind};
use crate::words::limit;

/// Tries after a failure that the gateway reported, unless the user says otherwise.
const RETRIES: u32 = 2;

/// Tries after the gateway said that too much is in flight: each time half as many requests run at once, so that this
/// leads from many to one.
const RETRIES_IN_FLIGHT: u32 = 6;

/// No two further tries of a run go out within less than this.
const APART: Duration = Duration::from_millis(2);

/// Upper bounds of waits, which double from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A gateway that asks for more patience than this is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Where everything fails, a run makes this many further tries, or one for every [`CALLS_A_RETRY`] of its calls if
/// that is more: a gateway in trouble is not helped by thrice the load.
const RETRIES_IN_A_STORM: u32 = 4;
const CALLS_A_RETRY: u32 = 5;

/// Tries again, within bounds, what failed before the first token.
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
    allowance: Allowance,
    /// When further tries are due.
    due: Mutex<BTreeSet<Instant>>,
}

impl<S> Retry<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, allowance: Allowance::default(), due: Mutex::default() }
    }

    /// The first moment from this one on in which nobody else's try is due.
    fn moment(&self, mut at: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        due.retain(|due| *due + APART > now);
        while let Some(near) = due.range(..at + APART).next_back().filter(|near| at < **near + APART) {
            at = *near + APART;
        }
        due.insert(at);
        at
    }
}

/// What all calls together may do by themselves, without being asked to by the user or the gateway.
#[derive(Debug, Default)]
struct Allowance {
    calls: AtomicU32,
    retries: AtomicU32,
}

impl Allowance {
    fn take(&self) -> bool {
        let most = (self.calls.load(Ordering::Relaxed) / CALLS_A_RETRY).max(RETRIES_IN_A_STORM);
        let more = |retries| (retries < most).then_some(retries + 1);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// How often to try again after such a failure where nobody says: a connection that cannot be made will not be made by
/// haste, and an own time limit has cost the user enough.
fn usual(failure: &Failure) -> u32 {
    match failure.kind {
        FailureKind::Network => 1,
        FailureKind::Credits => RETRIES_IN_FLIGHT,
        FailureKind::Timeout if failure.status.is_none() => 0,
        _ => RETRIES,
    }
}

/// How long to wait before the next try; `None` ends it. `tries` is how many were made, `chance` is in 0..1.
fn wait(failure: &Failure, tries: u32, retries: Option<u32>, chance: f64) -> Option<Duration> {
    if !failure.is_transient() || tries > retries.unwrap_or_else(|| usual(failure)) {
        return None;
    }
    match failure.retry_after {
        Some(asked) if asked > LONGEST_RETRY_AFTER => None,
        // Many clients are told the same moment, so nobody comes at that moment exactly.
        Some(asked) if !asked.is_zero() => Some(asked + asked.min(FIRST_WAIT).mul_f64(chance)),
        _ => {
            let bound = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_WAIT);
            Some(bound.mul_f64(chance))
        }
    }
}

/// Says when the gateway wants to be asked again, where that is too late for this call.
fn advise(mut failure: Failure, now: Timestamp) -> Failure {
    if let Some(asked) = failure.retry_after.filter(|asked| *asked > FIRST_WAIT)
        && failure.is_transient()
    {
        let seconds = SignedDuration::from_secs(i64::try_from(asked.as_secs()).unwrap_or(i64::MAX));
        let when = now.checked_add(seconds).map(|when| format!(", at {when:.0}")).unwrap_or_default();
        failure.advice =
            Some(format!("the gateway asks to come back in {}{when}", limit(Duration::from_secs(asked.as_secs()))));
    }
    failure
}

impl<S: Service> Service for Retry<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        self.allowance.calls.fetch_add(1, Ordering::Relaxed);
        let deadline = deadline::after(call.limits.timeout);
        let retries = call.limits.retries;
        let mut tries = 0;
        loop {
            let failure = match self.inner.call(call, events).await {
                Ok(()) => return Ok(()),
                Err(failure) if events.has_output() => return Err(failure),
                Err(failure) => failure,
            };
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            // A wait that outlasts the call would only make its failure look like another.
            let after = wait(&failure, tries, retries, fastrand::f64()).filter(|after| *after < left);
            // Too much in flight is our own doing, and is met by sending less at once.
            let invited = retries.is_some() || failure.retry_after.is_some() || failure.kind == FailureKind::Credits;
            let Some(after) = after.filter(|_| invited || self.allowance.take()) else {
                return Err(advise(failure, Timestamp::now()));
            };
            let due = self.moment(Instant::now() + after);
            events.emit(Event::Retry { after, cause: failure }).await?;
            time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
