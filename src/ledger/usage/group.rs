//! The sums of some calls, and how they grow.

use crate::money::Usd;
use crate::record::TotalCost;

/// The sums of some calls.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// One for each dimension; `None` where the call has none.
    pub key: Vec<Option<String>>,
    pub calls: u64,
    /// Without an answer.
    pub failed: u64,
    /// With a part of one: truncated or interrupted.
    pub partial: u64,
    /// Attempts after the first, at the same target.
    pub retries: u64,
    /// Attempts at another target than the one before.
    pub fallbacks: u64,
    /// Answered from our own cache.
    pub cached: u64,
    pub input: TokenSum,
    pub cache_read: TokenSum,
    pub output: TokenSum,
    pub cost: TotalCost,
    /// Part of the cost that went into failed attempts.
    pub retry_cost: Usd,
    /// What reading the provider's cache saved.
    pub saved: Usd,
    pub first_token: Option<Percentiles>,
    pub total: Option<Percentiles>,
    pub short: Short,
}

/// A sum of counts, which not every call tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSum {
    known: Option<u64>,
    /// How many calls took some, and did not tell.
    pub unknown: u64,
}

impl TokenSum {
    /// The sum of those that are known; `None` where none is.
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
    pub calls: u64,
    pub input: u64,
    pub output: u64,
    /// Without what went into attempts that failed.
    pub cost: Usd,
}

impl Short {
    /// At most so many tokens in, and out.
    pub const INPUT: u64 = 500;
    pub const OUTPUT: u64 = 150;

    /// Whether these would have cost at most the `nth` part of what they did, at what those others did: whatever of the
    /// price is for calls, for tokens in and for tokens out.
    pub fn would_cost_a(&self, nth: i64, others: &Short) -> bool {
        let parts = [(self.calls, others.calls), (self.input, others.input), (self.output, others.output)];
        let [cost, least] = [self.cost, others.cost].map(|cost| i128::from(cost.picos()));
        parts.iter().all(|(own, other)| cost * i128::from(*other) >= i128::from(nth) * least * i128::from(*own))
    }
}

/// Microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    pub median: u64,
    pub p95: u64,
}

impl Percentiles {
    /// Of the nearest rank; `None` of nothing.
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
    pub(super) attempts: u64,
    pub(super) fallbacks: u64,
    pub(super) input: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cost: Option<i64>,
    pub(super) computed: bool,
    pub(super) retry_cost: i64,
    pub(super) saved: i64,
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
        group.saved += Usd::from_picos(call.saved);
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
        // The cache says nothing about a model, and what has no end has no length.
        if call.ok && !call.cached {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(Percentiles::of(Vec::new()), None);
        assert_eq!(Percentiles::of(vec![7]), Some(Percentiles { median: 7, p95: 7 }));
        assert_eq!(Percentiles::of((1..=100).rev().collect()), Some(Percentiles { median: 50, p95: 95 }));
        assert_eq!(Percentiles::of(vec![9, 1]), Some(Percentiles { median: 1, p95: 9 }));
    }

    /// A call of which nothing but the cost is of interest.
    fn costing(cost: Option<i64>) -> Figures {
        Figures {
            failed: false,
            ok: true,
            cost_nothing: false,
            maybe_billed: false,
            cached: false,
            attempts: 1,
            fallbacks: 0,
            input: Some(1),
            cache_read: None,
            output: Some(1),
            cost,
            computed: false,
            retry_cost: 0,
            saved: 0,
            first_token: None,
            total: None,
        }
    }

    #[test]
    fn tokens_that_no_call_told_are_unknown_and_those_of_calls_that_took_none_are_none() {
        let sums = |calls: &[(Option<u64>, bool)]| {
            let mut growing = Growing::default();
            for (output, cost_nothing) in calls {
                growing.add(&Figures { output: *output, cost_nothing: *cost_nothing, ..costing(None) });
            }
            let group = growing.done();
            (group.output.sum(), group.output.unknown)
        };
        assert_eq!(sums(&[(None, false), (None, false)]), (None, 2));
        assert_eq!(sums(&[(Some(7), false), (None, false), (None, true)]), (Some(7), 1));
        assert_eq!(sums(&[(None, true)]), (Some(0), 0));
    }

    fn short(calls: u64, input: u64, output: u64, picos: i64) -> Short {
        Short { calls, input, output, cost: Usd::from_picos(picos) }
    }

    #[test]
    fn a_model_is_five_times_dearer_by_the_same_tokens_and_not_because_its_calls_are_longer() {
        let cheap = short(100, 1_000, 100, 1_000);
        // Twice the price, for calls that are ten times as long.
        let long = short(100, 10_000, 1_000, 20_000);
        assert!(long.cost.picos() / 100 > 5 * cheap.cost.picos() / 100 && !long.would_cost_a(5, &cheap));
        assert!(short(1, 10, 1, 50).would_cost_a(5, &cheap) && !short(1, 10, 1, 49).would_cost_a(5, &cheap));
        assert!(!short(1, 10, 1, 50).would_cost_a(5, &Short { output: 0, ..cheap }), "who knows what its answers cost");
    }

    #[test]
    fn short_calls_are_those_whose_own_cost_is_known() {
        let mut growing = Growing::default();
        let call = || Figures { retry_cost: 40, ..costing(Some(100)) };
        growing.add(&call());
        growing.add(&Figures { maybe_billed: true, ..call() });
        growing.add(&Figures { cache_read: Some(1), ..call() });
        growing.add(&Figures { cached: true, ..call() });
        growing.add(&Figures { output: None, ..call() });
        assert_eq!(growing.done().short, short(1, 1, 1, 60));
    }

    #[test]
    fn l10_a_million_costs_add_up_to_the_picodollar() {
        let mut random = fastrand::Rng::with_seed(10);
        let (mut growing, mut exact) = (Growing::default(), 0i128);
        for _ in 0..1_000_000 {
            // From a picodollar to nine dollars, each length as likely: floats would lose the small ones.
            let digits = random.u32(1..=13);
            let cost = random.i64(1..10i64.pow(digits));
            exact += i128::from(cost);
            growing.add(&costing(Some(cost)));
        }
        let group = growing.done();
        assert_eq!(group.cost.usd.map(|usd| i128::from(usd.picos())), Some(exact));
        assert_eq!((group.calls, group.cost.unknown), (1_000_000, 0));
    }

    proptest! {
        #[test]
        fn what_costs_less_than_five_times_as_much_a_token_is_never_called_so(
            prices in prop::array::uniform3(1i64..1_000),
            times in 1i64..5,
            lengths in prop::array::uniform2((1u64..50, 1u64..5_000, 1u64..5_000)),
        ) {
            let [call, input, output] = prices;
            let cost = |(n, i, o): (u64, u64, u64), times: i64| {
                short(n, i, o, times * (call * n as i64 + input * i as i64 + output * o as i64))
            };
            let [cheap, dear] = [cost(lengths[0], 1), cost(lengths[1], times)];
            prop_assert!(!dear.would_cost_a(5, &cheap));
        }

        #[test]
        fn l10_sums_of_costs_are_exact(costs in prop::collection::vec(prop::option::of(0i64..1_000_000_000), 0..400)) {
            let mut growing = Growing::default();
            for cost in &costs {
                growing.add(&costing(*cost));
            }
            let group = growing.done();
            let known: Vec<i64> = costs.iter().copied().flatten().collect();
            prop_assert_eq!(group.cost.usd.map(Usd::picos), (!known.is_empty()).then(|| known.iter().sum::<i64>()));
            prop_assert_eq!(group.cost.unknown, costs.len() - known.len());
        }
    }
}
