//! The bootstrap: how much a statistic would vary if the sample were drawn again.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::quantile::{finite, mean, median, quantile};
use super::{CONFIDENCE, Interval};

/// A sample of fewer values has no interval: even its whole range would hold the median in 88 of 100 cases only.
pub const LEAST: usize = 5;

/// How often the sample is drawn again.
const RESAMPLES: usize = 2000;

/// Fixed, so that the same values always have the same interval.
const SEED: u64 = 0x6c6c_6d20_636f_6d70;

/// What is estimated from a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// For times and sizes, of which a few may be very large.
    Median,
    /// For scores and shares.
    Mean,
}

impl Statistic {
    /// The statistic of these values. `None` where there are none, or one is not finite.
    pub fn of(self, values: &[f64]) -> Option<f64> {
        match self {
            Self::Median => median(values),
            Self::Mean => mean(values),
        }
    }
}

/// The percentile interval of the bootstrap, with the ends expanded for small samples. `None` where there are fewer than
/// [`LEAST`] values, or one is not finite.
///
/// The plain percentile interval of a mean is too narrow by about the factor √((n−1)/n) and by using the normal instead
/// of Student's distribution; taking the percentiles Φ(±√(n/(n−1)) · t) mends both (Hesterberg, T. C. (2015): What
/// teachers should know about the bootstrap. The American Statistician 69, 371–386).
pub fn bootstrap(values: &[f64], statistic: Statistic) -> Option<Interval> {
    let values = finite(values).filter(|values| values.len() >= LEAST)?;
    let tail = expanded_tail(values.len())?;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut sample = vec![0.0; values.len()];
    let mut draw = || {
        sample.fill_with(|| values[random.usize(..values.len())]);
        match statistic {
            Statistic::Median => median_of(&mut sample),
            Statistic::Mean => sample.iter().sum::<f64>() / sample.len() as f64,
        }
    };
    let estimates: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
    Some(Interval::new(quantile(&estimates, tail)?, quantile(&estimates, 1.0 - tail)?))
}

/// The share of estimates below the lower end.
fn expanded_tail(count: usize) -> Option<f64> {
    let freedom = (count - 1) as f64;
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf((1.0 - CONFIDENCE) / 2.0);
    Some(Normal::standard().cdf(t * (count as f64 / freedom).sqrt()))
}

/// The median of values that may be reordered. There is at least one.
fn median_of(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, *upper)
}
