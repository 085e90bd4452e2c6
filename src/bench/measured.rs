//! What came of the calls to one model.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::chat::FinishReason;
use crate::record::{Record, Status, TotalCost};

/// The longest time that is told from longer ones, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Values are kept with this many significant digits.
const DIGITS: u8 = 3;

/// Counts, sums and histograms.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Times until the first token of an answer, in microseconds.
    pub first_token: Histogram<u64>,
    /// Times until its end, in microseconds.
    pub total: Histogram<u64>,
    /// Output tokens in a thousand seconds.
    pub speed: Histogram<u64>,
    /// Answers that came to their end or to the token limit. Only these are in the histograms.
    pub answered: u64,
    /// By kind, the calls that failed.
    pub failed: BTreeMap<String, u64>,
    /// Calls that were stopped.
    pub interrupted: u64,
    /// Output tokens of the answers.
    pub output_tokens: u64,
    /// Answers whose output tokens nobody told.
    pub uncounted: u64,
    /// What all calls cost, warm-up included.
    pub cost: TotalCost,
    /// When the first call began and the last one ended, since the run began.
    pub span: Option<(Duration, Duration)>,
}

impl Measured {
    /// Nothing yet. `None` cannot happen with the bounds above.
    pub fn new() -> Option<Self> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, DIGITS).ok();
        Some(Self {
            first_token: histogram()?,
            total: histogram()?,
            speed: histogram()?,
            answered: 0,
            failed: BTreeMap::new(),
            interrupted: 0,
            output_tokens: 0,
            uncounted: 0,
            cost: TotalCost::default(),
            span: None,
        })
    }

    /// Whether a call gave what was asked for: also an answer that is cut, if its request `has_limit` of tokens.
    pub fn is_answer(record: &Record, has_limit: bool) -> bool {
        record.status == Status::Ok || has_limit && record.finish_reason == Some(FinishReason::Length)
    }

    /// Takes in a call that is over, whose request `has_limit` of tokens or not.
    pub fn take(&mut self, record: &Record, has_limit: bool) {
        match (&record.error, record.status) {
            _ if Self::is_answer(record, has_limit) => self.answer(record),
            (_, Status::Interrupted) => self.interrupted += 1,
            (error, status) => {
                let kind = error.as_ref().map_or(status.as_str(), |error| error.kind.as_str());
                *self.failed.entry(kind.to_owned()).or_default() += 1;
            }
        }
        self.pay(record);
    }

    fn answer(&mut self, record: &Record) {
        self.answered += 1;
        let timing = &record.timing;
        // An answer without a token has its end alone.
        if let Some(first) = timing.first_token {
            self.first_token.saturating_record(micros(first));
        }
        if let Some(total) = timing.total {
            self.total.saturating_record(micros(total));
        }
        if let Some(speed) = timing.tokens_per_second {
            self.speed.saturating_record((speed * 1_000.0).round() as u64);
        }
        match record.usage.output {
            Some(tokens) => self.output_tokens += tokens,
            None => self.uncounted += 1,
        }
    }

    /// Adds what a call cost.
    pub fn pay(&mut self, record: &Record) {
        self.cost = self.cost + std::iter::once(record).collect();
    }

    /// Extends the time of the measurement to this moment, since the run began.
    pub fn saw(&mut self, at: Duration) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// All calls that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST)
}
