//! How many calls of a batch run at once: a fixed number, or one that follows what the gateway bears.

use std::time::Duration;

use crate::error::FailureKind;
use crate::record::Record;

#[cfg(test)]
mod tests;

/// So many calls run at once at the beginning.
const FIRST: usize = 8;

/// So many run at once at most, unless the user says another number.
const MOST: usize = 256;

/// The limit changes after so many answers, or as many as may run at once if that is more.
const WINDOW: usize = 8;

/// Answers count as slow where their median time is this many times that of the best window, and longer by [`SLOWER_BY`].
const SLOWER: f64 = 2.0;
const SLOWER_BY: Duration = Duration::from_millis(200);

/// The number of calls that may run at once.
///
/// The number doubles as long as answers come as fast as before. When the gateway says that there are too many requests
/// (429, 503, 529), it is halved; when answers become slow, a quarter is taken away. From then on it grows by one with each
/// window of answers.
#[derive(Debug)]
pub struct Limit {
    limit: usize,
    most: usize,
    is_fixed: bool,
    doubles: bool,
    times: Vec<Duration>,
    best: Option<Duration>,
    /// How many calls had begun when the limit was last lowered. Those before say nothing about the new one.
    lowered_at: u64,
}

impl Limit {
    /// A fixed number of calls, or `None` for one that adapts itself. `connections` is what the system allows.
    pub fn new(fixed: Option<usize>, connections: usize) -> Self {
        let most = fixed.unwrap_or(MOST).min(connections).max(1);
        Self {
            limit: fixed.unwrap_or(FIRST).min(most),
            most,
            is_fixed: fixed.is_some(),
            doubles: true,
            times: Vec::new(),
            best: None,
            lowered_at: 0,
        }
    }

    /// How many calls may run at once now.
    pub fn now(&self) -> usize {
        self.limit
    }

    /// How many may ever run at once.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes the end of a call into account, which was the n-th to begin; `begun` is how many have begun by now.
    pub fn ended(&mut self, record: &Record, nth: u64, begun: u64) {
        if self.is_fixed || record.cached || nth < self.lowered_at {
            return;
        }
        let is_busy = |kind: FailureKind| matches!(kind, FailureKind::RateLimited | FailureKind::Unavailable);
        let refused = record.attempts.iter().filter_map(|attempt| attempt.error.as_ref());
        if refused.chain(&record.error).any(|error| is_busy(error.kind)) {
            self.lower(self.limit / 2, begun);
            return;
        }
        let Some(time) = record.timing.first_token.or(record.timing.total) else { return };
        self.times.push(time);
        if self.times.len() >= self.limit.max(WINDOW) {
            self.end_window(begun);
        }
    }

    fn end_window(&mut self, begun: u64) {
        self.times.sort_unstable();
        let median = self.times[self.times.len() / 2];
        self.times.clear();
        let best = *self.best.get_or_insert(median);
        if median > best.mul_f64(SLOWER) && median > best + SLOWER_BY {
            self.lower(self.limit - self.limit.div_ceil(4), begun);
            return;
        }
        self.best = Some(best.min(median));
        let more = if self.doubles { self.limit } else { 1 };
        self.limit = (self.limit + more).min(self.most);
    }

    fn lower(&mut self, to: usize, begun: u64) {
        self.limit = to.max(1);
        self.doubles = false;
        self.lowered_at = begun;
        self.times.clear();
    }
}
