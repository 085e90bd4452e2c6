//! Tries the same model again after temporary failures.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{self, Instant};

use crate::call::{Call, Event, Events, Service};
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// The number of further tries after a failure that the gateway reported, unless the user sets it.
const RETRIES: u32 = 2;

/// The number of further tries after the gateway reported that too many requests are running. After each failure half as many
/// run at once, so this number reduces 64 requests to one.
const RETRIES_TOO_MANY_RUNNING: u32 = 6;

/// The shortest time between two further tries.
const SPACING: Duration = Duration::from_millis(2);

/// The upper bound of the first wait. It doubles with each try, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// If a gateway asks for a longer wait than this, the call fails at once.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The most further tries in [`BUDGET_PERIOD`], or one for every [`CALLS_PER_RETRY`] calls if that is more. Without this limit,
/// a gateway at which everything fails would get three times its usual load.
const RETRIES_PER_PERIOD: u32 = 4;
const CALLS_PER_RETRY: u32 = 5;

/// The time after which the counts of calls and further tries start again at zero.
const BUDGET_PERIOD: Duration = Duration::from_secs(600);

/// Sends a request again, within limits, if it failed before the first piece of an answer.
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
    /// By the name of the key that a server's client has: one client's failures take nothing from the others. A run has one.
    budgets: Mutex<HashMap<Option<String>, RetryBudget>>,
    /// The times at which further tries are due.
    due: Mutex<BTreeSet<Instant>>,
}

impl<S> Retry<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, budgets: Mutex::default(), due: Mutex::default() }
    }

    /// Reserves the first time from `at` on that has the distance [`SPACING`] to all other tries.
    fn reserve_time(&self, mut at: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        due.retain(|due| *due + SPACING > now);
        while let Some(near) = due.range(..at + SPACING).next_back().filter(|near| at < **near + SPACING) {
            at = *near + SPACING;
        }
        due.insert(at);
        at
    }

    /// Does this with the budget of whoever makes the call.
    fn with_budget<T>(&self, call: &Call, work: impl FnOnce(&mut RetryBudget) -> T) -> T {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || RetryBudget::new(Instant::now());
        work(budgets.entry(call.caller.key.clone()).or_insert_with(new))
    }
}

/// Counts the further tries of all calls of a run or of a client. Tries that the user or the gateway asks for are not counted.
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

    /// Takes a further try from the budget. Returns `false` where none is left.
    fn take(&mut self) -> bool {
        let is_left = self.retries < (self.calls / CALLS_PER_RETRY).max(RETRIES_PER_PERIOD);
        self.retries += u32::from(is_left);
        is_left
    }
}

/// The number of further tries after this failure, unless the user sets it. A connection that failed twice rarely succeeds the
/// third time. A timeout of our own is not tried again, because the user has already waited for it.
fn usual_retries(failure: &Failure) -> u32 {
    match failure.kind {
        FailureKind::Network => 1,
        FailureKind::Credits => RETRIES_TOO_MANY_RUNNING,
        FailureKind::Timeout if failure.status.is_none() => 0,
        _ => RETRIES,
    }
}

/// The wait before the next try; `None` where no try follows. `tries` is the number of tries so far, `random` is in 0..1.
fn wait(failure: &Failure, tries: u32, retries: Option<u32>, random: f64) -> Option<Duration> {
    if !failure.is_transient() || tries > retries.unwrap_or_else(|| usual_retries(failure)) {
        return None;
    }
    match failure.retry_after {
        Some(asked) if asked > LONGEST_RETRY_AFTER => None,
        // The gateway may have sent the same time to many clients, so a random part is added.
        Some(asked) if !asked.is_zero() => Some(asked + asked.min(FIRST_WAIT).mul_f64(random)),
        _ => {
            let bound = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_WAIT);
            Some(bound.mul_f64(random))
        }
    }
}

impl<S: Service> Service for Retry<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        self.with_budget(call, |budget| budget.count_call(Instant::now()));
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
            // A wait past the call's deadline is not begun: the call would end with a timeout instead of this failure.
            let after = wait(&failure, tries, retries, fastrand::f64()).filter(|after| *after < left);
            // After `Credits`, further tries do not add load, because fewer requests run at once.
            let is_unlimited =
                retries.is_some() || failure.retry_after.is_some() || failure.kind == FailureKind::Credits;
            let Some(after) = after.filter(|_| is_unlimited || self.with_budget(call, RetryBudget::take)) else {
                return Err(failure.with_retry_time(FIRST_WAIT, Timestamp::now()));
            };
            let due = self.reserve_time(Instant::now() + after);
            events.emit(Event::Retry { after, cause: failure }).await?;
            time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests;
