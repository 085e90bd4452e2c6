//! Tries the same model again after failures that may pass.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{self, Instant};

use crate::call::{Call, Event, Events, Service};
use crate::deadline;
use crate::error::{Failure, FailureKind};
use crate::words::limit;

/// Further tries after a failure that the gateway reported, unless the user says how many.
const RETRIES: u32 = 2;

/// Further tries after the gateway said that too many requests are running: each time half as many run at once, so this
/// leads from many to one.
const RETRIES_TOO_MANY_RUNNING: u32 = 6;

/// The shortest time between two further tries.
const SPACING: Duration = Duration::from_millis(2);

/// The first and the longest upper bound of waits, which double.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A gateway that asks for a longer wait than this is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Where everything fails, so many further tries are made in [`BUDGET_PERIOD`], or one for every [`CALLS_PER_RETRY`] calls
/// if that is more: three times the load does not help a gateway in trouble.
const RETRIES_PER_PERIOD: u32 = 4;
const CALLS_PER_RETRY: u32 = 5;

/// The time after which calls and further tries are counted anew.
const BUDGET_PERIOD: Duration = Duration::from_secs(600);

/// Tries again, within limits, what failed before the first piece of an answer.
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
    budget: Mutex<RetryBudget>,
    /// When further tries are due.
    due: Mutex<BTreeSet<Instant>>,
}

impl<S> Retry<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, budget: Mutex::new(RetryBudget::new(Instant::now())), due: Mutex::default() }
    }

    /// Reserves the first moment from `at` on at which no other try is due.
    fn reserve_moment(&self, mut at: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        due.retain(|due| *due + SPACING > now);
        while let Some(near) = due.range(..at + SPACING).next_back().filter(|near| at < **near + SPACING) {
            at = *near + SPACING;
        }
        due.insert(at);
        at
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, RetryBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The further tries that all calls together may make without being asked to by the user or the gateway.
#[derive(Debug)]
struct RetryBudget {
    began: Instant,
    calls: u32,
    retries: u32,
}

impl RetryBudget {
    fn new(now: Instant) -> Self {
        Self { began: now, calls: 0, retries: 0 }
    }

    fn count_call(&mut self, now: Instant) {
        if now.saturating_duration_since(self.began) >= BUDGET_PERIOD {
            *self = Self::new(now);
        }
        self.calls = self.calls.saturating_add(1);
    }

    /// Takes a further try from the budget; false where none is left.
    fn take(&mut self) -> bool {
        let is_left = self.retries < (self.calls / CALLS_PER_RETRY).max(RETRIES_PER_PERIOD);
        self.retries += u32::from(is_left);
        is_left
    }
}

/// How often to try again after such a failure where the user does not say. A connection that cannot be made is rarely
/// made by the third try, and a timeout of our own has cost the user enough time.
fn usual_retries(failure: &Failure) -> u32 {
    match failure.kind {
        FailureKind::Network => 1,
        FailureKind::Credits => RETRIES_TOO_MANY_RUNNING,
        FailureKind::Timeout if failure.status.is_none() => 0,
        _ => RETRIES,
    }
}

/// How long to wait before the next try; `None` where there is none. `tries` is how many were made, `random` is in 0..1.
fn wait(failure: &Failure, tries: u32, retries: Option<u32>, random: f64) -> Option<Duration> {
    if !failure.is_transient() || tries > retries.unwrap_or_else(|| usual_retries(failure)) {
        return None;
    }
    match failure.retry_after {
        Some(asked) if asked > LONGEST_RETRY_AFTER => None,
        // Many clients are told the same moment, so each waits a little longer than that.
        Some(asked) if !asked.is_zero() => Some(asked + asked.min(FIRST_WAIT).mul_f64(random)),
        _ => {
            let bound = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_WAIT);
            Some(bound.mul_f64(random))
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
        self.budget().count_call(Instant::now());
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
            // After a wait that outlasts the call, its failure would look like a timeout.
            let after = wait(&failure, tries, retries, fastrand::f64()).filter(|after| *after < left);
            // Too many running requests are our own, so fewer of them run at once.
            let is_invited = retries.is_some() || failure.retry_after.is_some() || failure.kind == FailureKind::Credits;
            let Some(after) = after.filter(|_| is_invited || self.budget().take()) else {
                return Err(advise(failure, Timestamp::now()));
            };
            let due = self.reserve_moment(Instant::now() + after);
            events.emit(Event::Retry { after, cause: failure }).await?;
            time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests;
