//! How much two samples differ, and within which range an order statistic lies.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::bootstrap::LEAST;
use super::quantile::{finite, quantile};
use super::{CONFIDENCE, Interval};

/// How often both samples are drawn again.
const RESAMPLES: usize = 2000;

/// Fixed, so that the same values always have the same interval.
const SEED: u64 = 0x6c6c_6d20_6469_6666;

/// The interval of the difference of two quantiles, `other` less `one`, by the percentiles of the bootstrap: both samples
/// are drawn again independently. `None` where one of them has fewer than [`LEAST`] values, or one is not finite.
pub fn difference(one: &[f64], other: &[f64], share: f64) -> Option<Interval> {
    let [one, other] = [one, other].map(|values| finite(values).filter(|values| values.len() >= LEAST));
    let (one, other) = (one?, other?);
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut sample = vec![0.0; one.len().max(other.len())];
    let mut draw = |values: &[f64]| {
        let sample = &mut sample[..values.len()];
        sample.fill_with(|| values[random.usize(..values.len())]);
        quantile_of(sample, share)
    };
    let differences: Vec<f64> = (0..RESAMPLES).map(|_| draw(other) - draw(one)).collect();
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval::new(quantile(&differences, tail)?, quantile(&differences, 1.0 - tail)?))
}

/// The quantile of values that may be reordered, interpolated as by [`quantile`]. There is at least one.
fn quantile_of(values: &mut [f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (_, below, above) = values.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let above = above.iter().copied().fold(f64::INFINITY, f64::min);
    if place.fract() == 0.0 { *below } else { *below + (above - *below) * place.fract() }
}

/// The ranks, counted from 1, of the order statistics between which the quantile of a population lies, by a sample of so
/// many values. It holds for every distribution (David and Nagaraja, Order Statistics, 2003, section 7.1). `None` where the
/// sample is too small to have such values: for the 99th percentile below 368.
pub fn quantile_ranks(count: u64, share: f64) -> Option<(u64, u64)> {
    let below = Binomial::new(share, count).ok()?;
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // The interval from the l-th to the u-th value holds the quantile if at least l and fewer than u values are below it.
    let low = below.inverse_cdf(tail);
    let high = below.inverse_cdf(1.0 - tail) + 1;
    (low >= 1 && high <= count).then_some((low, high))
}
