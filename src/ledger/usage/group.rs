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
    /// Sums of the counts that are known.
    pub input: u64,
    pub cache_read: u64,
    pub output: u64,
    pub cost: TotalCost,
    /// Part of the cost that went into failed attempts.
    pub retry_cost: Usd,
    /// What reading the provider's cache saved.
    pub saved: Usd,
    pub first_token: Option<Percentiles>,
    pub total: Option<Percentiles>,
    pub short: Short,
}

/// Calls that any model could have answered: short prompts with short answers, of known cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Short {
    pub calls: u64,
    pub cost: Usd,
}

impl Short {
    /// At most so many tokens in, and out.
    pub const INPUT: u64 = 500;
    pub const OUTPUT: u64 = 150;
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
        group.input += call.input.unwrap_or(0);
        group.cache_read += call.cache_read.unwrap_or(0);
        group.output += call.output.unwrap_or(0);
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
        // What is not known, or came from our own cache, says nothing of what such calls cost.
        if let Some(picos) = call.cost.filter(|_| !call.cached)
            && call.input.is_some_and(|count| count <= Short::INPUT)
            && call.output.is_some_and(|count| count <= Short::OUTPUT)
        {
            group.short.calls += 1;
            group.short.cost += Usd::from_picos(picos);
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
