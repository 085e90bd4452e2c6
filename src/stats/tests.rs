use super::*;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 5e-5, "{found} instead of {expected}");
}

fn interval(low: f64, high: f64) -> Option<Interval> {
    Some(Interval { low, high })
}

#[test]
fn quantiles_are_those_of_type_7() {
    let values = [7.0, 1.0, 4.0, 2.0];
    assert_eq!(median(&values), Some(3.0));
    assert_eq!(median(&values[..3]), Some(4.0));
    assert_eq!(quantile(&values, 0.0), Some(1.0));
    assert_eq!(quantile(&values, 1.0), Some(7.0));
    // R: quantile(c(1, 2, 4, 7), c(.25, .9))
    close(quantile(&values, 0.25).expect("one"), 1.75);
    close(quantile(&values, 0.9).expect("one"), 6.1);
    assert_eq!(mean(&values), Some(3.5));
    for broken in [&[][..], &[1.0, f64::NAN], &[f64::INFINITY]] {
        assert_eq!((median(broken), mean(broken), bootstrap(broken, Statistic::Mean)), (None, None, None));
    }
}

#[test]
fn wilsons_interval_is_the_published_one() {
    // Newcombe (1998), table I, method 3 (the score method): 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for (successes, trials, low, high) in [
        (81.0, 263.0, 0.2553, 0.3662),
        (15.0, 148.0, 0.0624, 0.1605),
        (0.0, 20.0, 0.0, 0.1611),
        (1.0, 29.0, 0.0061, 0.1718),
    ] {
        let found = wilson(successes, trials).expect("an interval");
        close(found.low, low);
        close(found.high, high);
    }
    assert_eq!(wilson(0.0, 0.0), None);
    assert_eq!(wilson(3.0, 2.0), None);
}

#[test]
fn the_interval_of_five_values_is_their_range_and_fewer_have_none() {
    let values = [5.0, 1.0, 2.0, 4.0, 3.0];
    assert_eq!(bootstrap(&values, Statistic::Median), interval(1.0, 5.0));
    assert_eq!(bootstrap(&values[..4], Statistic::Median), None);
    assert_eq!(bootstrap(&[2.0; 9], Statistic::Mean), interval(2.0, 2.0));
}

#[test]
fn the_same_values_always_have_the_same_interval() {
    let values: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
    for statistic in [Statistic::Median, Statistic::Mean] {
        let found = bootstrap(&values, statistic);
        assert_eq!(found, bootstrap(&values, statistic));
        let (found, estimate) = (found.expect("an interval"), statistic.of(&values).expect("a value"));
        assert!(found.low < estimate && estimate < found.high, "{statistic:?} {found:?}");
    }
}

/// A value of a normal distribution, by Box and Muller.
fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// The share of samples whose interval holds the true value.
fn coverage(count: usize, statistic: Statistic, truth: f64, draw: impl Fn(&mut fastrand::Rng) -> f64) -> f64 {
    let mut random = fastrand::Rng::with_seed(11);
    let rounds = 300;
    let holds = (0..rounds).filter(|_| {
        let sample: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
        let found = bootstrap(&sample, statistic).expect("an interval");
        found.low <= truth && truth <= found.high
    });
    holds.count() as f64 / f64::from(rounds)
}

#[test]
fn intervals_hold_the_true_value_about_as_often_as_they_say() {
    let skewed = |random: &mut fastrand::Rng| (0.8 * normal(random)).exp();
    for count in [5, 10, 20] {
        // The median of a skewed distribution, as times have it, and the mean of a symmetric one.
        let median = coverage(count, Statistic::Median, 1.0, skewed);
        assert!((0.92..=0.99).contains(&median), "median of {count}: {median}");
        let mean = coverage(count, Statistic::Mean, 0.0, normal);
        assert!((0.9..=0.98).contains(&mean), "mean of {count}: {mean}");
    }
}

#[test]
fn wilsons_interval_holds_the_true_share_about_as_often_as_it_says() {
    for (truth, trials) in [(0.5_f64, 10), (0.9, 20), (0.1, 50), (0.3, 100)] {
        // The probability of each count of successes, from that of the count before.
        let mut probability = (1.0 - truth).powi(trials);
        let mut coverage = 0.0;
        for successes in 0..=trials {
            let found = wilson(f64::from(successes), f64::from(trials)).expect("an interval");
            if found.low <= truth && truth <= found.high {
                coverage += probability;
            }
            probability *= f64::from(trials - successes) / f64::from(successes + 1) * truth / (1.0 - truth);
        }
        assert!((0.93..=0.98).contains(&coverage), "{truth} of {trials}: {coverage}");
    }
}

#[test]
fn overlapping_intervals_form_the_largest_groups() {
    let all = [interval(0.0, 2.0), interval(1.0, 4.0), None, interval(3.0, 5.0), interval(9.0, 9.5)];
    assert_eq!(indistinguishable(&all), [vec![0, 1], vec![1, 3]]);
    let nested = [interval(0.0, 9.0), interval(1.0, 2.0), interval(1.5, 3.0)];
    assert_eq!(indistinguishable(&nested), [vec![0, 1, 2]]);
    assert!(indistinguishable(&[interval(0.0, 1.0), interval(2.0, 3.0), None]).is_empty());
    // Intervals that only touch have a point in common.
    assert_eq!(indistinguishable(&[interval(0.0, 1.0), interval(1.0, 3.0)]), [vec![0, 1]]);
    assert!(Interval::new(2.0, 1.0).overlaps(&Interval::new(2.0, 5.0)));
}

#[test]
fn ranks_of_quantiles_are_the_published_ones() {
    // Conover, Practical Nonparametric Statistics (1999): for the median, n = 10 gives 2 and 9, n = 20 gives 6 and 15.
    assert_eq!(quantile_ranks(10, 0.5), Some((2, 9)));
    assert_eq!(quantile_ranks(20, 0.5), Some((6, 15)));
    assert_eq!(quantile_ranks(5, 0.5), None);
    // 0.99^368 is the first below 2.5 %.
    assert_eq!(quantile_ranks(367, 0.99), None);
    assert_eq!(quantile_ranks(368, 0.99).map(|(_, high)| high), Some(368));
}

#[test]
fn a_difference_is_found_where_there_is_one() {
    let shifted = |by: f64, seed: u64| -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..100).map(|_| 100.0 + by + 20.0 * random.f64()).collect()
    };
    let found = difference(&shifted(0.0, 1), &shifted(30.0, 2), 0.5).expect("an interval");
    assert!(found.low < 30.0 && 30.0 < found.high && found.low > 20.0, "{found:?}");
    let none = difference(&shifted(0.0, 1), &shifted(0.0, 2), 0.5).expect("an interval");
    assert!(none.low < 0.0 && 0.0 < none.high, "{none:?}");
    assert_eq!(difference(&[1.0; 4], &shifted(0.0, 1), 0.5), None);
}

#[test]
fn the_interval_of_a_difference_holds_it_as_often_as_it_says() {
    let mut random = fastrand::Rng::with_seed(11);
    let held = (0..60).filter(|_| {
        // Exponential, which is as skewed as latencies are; the medians differ by ln 2.
        let mut sample = |scale: f64| -> Vec<f64> { (0..30).map(|_| -scale * (1.0 - random.f64()).ln()).collect() };
        let (one, other) = (sample(1.0), sample(2.0));
        let interval = difference(&one, &other, 0.5).expect("an interval");
        interval.low <= std::f64::consts::LN_2 && std::f64::consts::LN_2 <= interval.high
    });
    let held = held.count();
    // Of 60, 57 are expected; fewer than 53 have a chance of 1 %.
    assert!((53..=60).contains(&held), "{held} of 60");
}
