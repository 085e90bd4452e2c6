//! Sums that are exact, and what is not known of them.

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
        measuring: false,
        attempts: 1,
        fallbacks: 0,
        input: Some(1),
        cache_read: None,
        output: Some(1),
        cost,
        computed: false,
        retry_cost: 0,
        is_retry_cost_unknown: false,
        saved: None,
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
fn what_a_cached_answer_saved_is_a_lower_bound_where_its_tokens_are_not_known() {
    let mut growing = Growing::default();
    let cached = || Figures { cached: true, saved: Some(7), ..costing(Some(0)) };
    growing.add(&cached());
    growing.add(&Figures { output: None, ..cached() });
    growing.add(&Figures { output: None, ..costing(None) });
    // Without the input, no amount can be computed: the gateway has reported it.
    growing.add(&Figures { input: None, output: None, ..cached() });
    let group = growing.done();
    assert_eq!((group.saved.picos(), group.saved_unknown), (21, 1));
    growing = Growing::default();
    growing.add(&Figures { input: None, output: None, saved: None, ..cached() });
    assert_eq!(growing.done().saved_unknown, 1);
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
