//! The sums of some calls, and how they grow.

use crate::ledger::row::saved_more;
use crate::money::Usd;
use crate::record::TotalCost;

#[cfg(test)]
mod tests;

/// The sums of some calls.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// One for each dimension; `None` where the call has none.
    pub key: Vec<Option<String>>,
    /// How many calls.
    pub calls: u64,
    /// Without an answer.
    pub failed: u64,
    /// With a part of one: truncated or interrupted.
    pub partial: u64,
    /// Attempts after the first, at the same target.
    pub retries: u64,
    /// Attempts at another target than the one before.
    pub fallbacks: u64,
    /// Answered from llm's own cache.
    pub cached: u64,
    /// Tokens of prompts, cached ones included.
    pub input: TokenSum,
    /// Part of the input that was read from the provider's cache.
    pub cache_read: TokenSum,
    /// Tokens of answers, reasoning included.
    pub output: TokenSum,
    /// What the calls cost.
    pub cost: TotalCost,
    /// Part of the cost that went into failed attempts.
    pub retry_cost: Usd,
    /// How many calls have attempts before their last that may have been billed at a cost that nobody told.
    pub retry_cost_unknown: u64,
    /// What reading the provider's cache saved, and llm's own, as far as it is known.
    pub saved: Usd,
    /// How many answers of llm's own cache saved more than is known, because they do not tell all of their tokens.
    pub saved_unknown: u64,
    /// Times until the first token, of complete answers that did not come from llm's own cache.
    pub first_token: Option<Percentiles>,
    /// Times until the end of the same answers.
    pub total: Option<Percentiles>,
    /// The short calls among them.
    pub short: Short,
}

/// A sum of counts, which not every call tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSum {
    known: Option<u64>,
    /// How many calls took tokens, and did not tell how many.
    pub unknown: u64,
}

impl TokenSum {
    /// Returns the sum of those that are known; `None` where none is.
    pub fn sum(&self) -> Option<u64> {
        self.known.or((self.unknown == 0).then_some(0))
    }

    pub(crate) fn add(&mut self, count: Option<u64>) {
        match count {
            Some(count) => *self.known.get_or_insert(0) += count,
            None => self.unknown += 1,
        }
    }
}

/// Calls that any model could have answered: short prompts with short answers, of known tokens and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Short {
    /// How many calls.
    pub calls: u64,
    /// Their tokens of prompts.
    pub input: u64,
    /// Their tokens of answers.
    pub output: u64,
    /// Without what went into attempts that failed.
    pub cost: Usd,
}

impl Short {
    /// A short call has at most so many tokens in.
    pub const INPUT: u64 = 500;
    /// A short call has at most so many tokens out.
    pub const OUTPUT: u64 = 150;

    /// Returns whether these would have cost at most the `nth` part, at what the others cost: a call, a token in and a token
    /// out, each by itself.
    pub fn would_cost_a(&self, nth: i64, others: &Short) -> bool {
        let parts = [(self.calls, others.calls), (self.input, others.input), (self.output, others.output)];
        let [cost, least] = [self.cost, others.cost].map(|cost| i128::from(cost.picos()));
        parts.iter().all(|(own, other)| cost * i128::from(*other) >= i128::from(nth) * least * i128::from(*own))
    }
}

/// Times in microseconds, each of which occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of the times are no longer.
    pub median: u64,
    /// 95 of a hundred times are no longer.
    pub p95: u64,
}

impl Percentiles {
    /// Returns percentiles of the nearest rank; `None` where there are no values.
    fn of(mut values: Vec<u32>) -> Option<Self> {
        let last = values.len().checked_sub(1)?;
        let rank = |percent: usize| (values.len() * percent).div_ceil(100).saturating_sub(1).min(last);
        let (median, p95) = (rank(50), rank(95));
        let mut nth = |rank: usize| u64::from(*values.select_nth_unstable(rank).1);
        Some(Self { median: nth(median), p95: nth(p95) })
    }
}

/// A group as it grows.
#[derive(Debug, Default)]
pub(super) struct Growing {
    group: Group,
    first_token: Vec<u32>,
    total: Vec<u32>,
}

/// One call's numbers.
pub(super) struct Figures {
    pub(super) failed: bool,
    pub(super) ok: bool,
    /// Whether no model has worked for it.
    pub(super) cost_nothing: bool,
    /// Whether something may have been billed that nobody told.
    pub(super) maybe_billed: bool,
    pub(super) cached: bool,
    /// Whether it was made to measure the model.
    pub(super) measuring: bool,
    pub(super) attempts: u64,
    pub(super) fallbacks: u64,
    pub(super) input: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cost: Option<i64>,
    pub(super) computed: bool,
    pub(super) retry_cost: i64,
    /// Whether an attempt before the last may have been billed at a cost that nobody told.
    pub(super) is_retry_cost_unknown: bool,
    pub(super) saved: Option<i64>,
    pub(super) first_token: Option<u32>,
    pub(super) total: Option<u32>,
}

impl Growing {
    pub(super) fn add(&mut self, call: &Figures) {
        let group = &mut self.group;
        group.calls += 1;
        group.failed += u64::from(call.failed);
        group.partial += u64::from(!call.ok && !call.failed);
        group.cached += u64::from(call.cached);
        group.fallbacks += call.fallbacks;
        group.retries += call.attempts.saturating_sub(1 + call.fallbacks);
        if !call.cost_nothing {
            group.input.add(call.input);
            group.cache_read.add(call.cache_read);
            group.output.add(call.output);
        }
        group.retry_cost += Usd::from_picos(call.retry_cost);
        group.retry_cost_unknown += u64::from(call.is_retry_cost_unknown);
        group.saved += Usd::from_picos(call.saved.unwrap_or(0));
        group.saved_unknown += u64::from(call.cached && saved_more(call.saved, call.input, call.output));
        match call.cost {
            Some(picos) => {
                *group.cost.usd.get_or_insert(Usd::ZERO) += Usd::from_picos(picos);
                group.cost.computed |= call.computed;
                group.cost.unknown += usize::from(call.maybe_billed);
            }
            None if call.cost_nothing => {}
            None => group.cost.unknown += 1,
        }
        // What is known in part, or came from a cache, says nothing of what such calls cost.
        let is_from_cache = call.cached || call.cache_read.is_some_and(|read| read > 0);
        if let (Some(picos), Some(input), Some(output)) = (call.cost, call.input, call.output)
            && (input <= Short::INPUT && output <= Short::OUTPUT)
            && !(call.failed || call.maybe_billed || is_from_cache)
        {
            group.short.calls += 1;
            group.short.input += input;
            group.short.output += output;
            group.short.cost += Usd::from_picos(picos - call.retry_cost);
        }
        // The cache says nothing about a model, nor does a measurement about its use, and what has no end has no length.
        if call.ok && !call.cached && !call.measuring {
            self.first_token.extend(call.first_token);
            self.total.extend(call.total);
        }
    }

    pub(super) fn done(mut self) -> Group {
        self.group.first_token = Percentiles::of(self.first_token);
        self.group.total = Percentiles::of(self.total);
        self.group
    }
}
