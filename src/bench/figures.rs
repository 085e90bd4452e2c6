//! The figures of a measurement: percentiles with their intervals, rates, and the values by which samples are compared.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Measured;
use crate::record::TotalCost;
use crate::stats::{Interval, quantile_ranks};

/// The most values of a histogram that are compared, so that a comparison takes no longer with more calls.
const MOST_VALUES: u64 = 2_000;

/// Times in milliseconds. `None` where nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many times there are.
    pub count: u64,
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    /// `None` where there are too few values.
    pub p50_interval: Option<Interval>,
    pub p90: Option<f64>,
    pub p90_interval: Option<Interval>,
    pub p99: Option<f64>,
    pub p99_interval: Option<Interval>,
    pub max: Option<f64>,
    /// The buckets of the histogram: the highest time of each in microseconds, and how many times are in it.
    #[serde(skip)]
    pub buckets: Vec<(u64, u64)>,
}

impl Times {
    /// The times of a histogram in microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let count = histogram.len();
        if count == 0 {
            return Self::default();
        }
        let ms = |micros: u64| round(micros as f64 / 1_000.0);
        let at = |share: f64| Some(ms(histogram.value_at_quantile(share)));
        let interval = |share: f64| {
            let (low, high) = quantile_ranks(count, share)?;
            let value = |rank: u64| ms(histogram.value_at_quantile(rank as f64 / count as f64));
            Some(Interval::new(value(low), value(high)))
        };
        Self {
            count,
            min: Some(ms(histogram.min())),
            mean: Some(round(histogram.mean() / 1_000.0)),
            p50: at(0.5),
            p50_interval: interval(0.5),
            p90: at(0.9),
            p90_interval: interval(0.9),
            p99: at(0.99),
            p99_interval: interval(0.99),
            max: Some(ms(histogram.max())),
            buckets: buckets(histogram),
        }
    }

    /// The times of these buckets, which an earlier run has kept.
    pub fn of_buckets(buckets: &[(u64, u64)]) -> Self {
        let Some(measured) = Measured::new() else { return Self::default() };
        let mut histogram = measured.total;
        buckets.iter().for_each(|(micros, count)| histogram.saturating_record_n(*micros, *count));
        Self::of(&histogram)
    }

    /// The times in milliseconds, ascending. Of many, some that are spread evenly over their ranks.
    pub fn values(&self) -> Vec<f64> {
        let kept = self.count.min(MOST_VALUES);
        let mut values = Vec::new();
        let mut seen = 0;
        for (micros, count) in &self.buckets {
            seen += count;
            // The values with the ranks up to here, as far as they are kept.
            let upto = (u128::from(seen) * u128::from(kept) / u128::from(self.count.max(1))) as usize;
            values.resize(upto, *micros as f64 / 1_000.0);
        }
        values
    }
}

fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
}

/// Three decimals: a microsecond.
fn round(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}

/// The figures of one model.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The name as it was asked for.
    pub name: String,
    pub gateway: String,
    pub model: String,
    pub answered: u64,
    /// By kind, the calls that failed.
    pub failed: BTreeMap<String, u64>,
    pub interrupted: u64,
    pub first_token_ms: Times,
    pub total_ms: Times,
    /// The median over the answers.
    pub tokens_per_second: Option<f64>,
    /// Answers a second, over the whole measurement.
    pub answers_per_second: Option<f64>,
    /// Output tokens of all answers a second; `None` if nobody told them.
    pub output_tokens_per_second: Option<f64>,
    pub output_tokens: Option<u64>,
    pub seconds: Option<f64>,
    pub cost: TotalCost,
}

impl Figures {
    /// The figures of what was measured of a model.
    pub fn new(name: &str, gateway: &str, model: &str, measured: &Measured) -> Self {
        let seconds = measured.span.map(|(first, last)| (last.saturating_sub(first)).as_secs_f64());
        let a_second = |count: u64| seconds.filter(|seconds| *seconds > 0.0).map(|seconds| count as f64 / seconds);
        let tokens = (measured.answered > 0 && measured.uncounted == 0).then_some(measured.output_tokens);
        Self {
            name: name.to_owned(),
            gateway: gateway.to_owned(),
            model: model.to_owned(),
            answered: measured.answered,
            failed: measured.failed.clone(),
            interrupted: measured.interrupted,
            first_token_ms: Times::of(&measured.first_token),
            total_ms: Times::of(&measured.total),
            tokens_per_second: (!measured.speed.is_empty())
                .then(|| round(measured.speed.value_at_quantile(0.5) as f64 / 1_000.0)),
            answers_per_second: a_second(measured.answered).map(round),
            output_tokens_per_second: tokens.and_then(a_second).map(round),
            output_tokens: tokens,
            seconds: seconds.map(round),
            cost: measured.cost,
        }
    }

    /// All calls that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// How many of the times lie in each of `count` ranges between `low` and `high` milliseconds, which grow by the same factor.
/// Times outside count to the first and the last one.
pub fn ranges(times: &Times, low: f64, high: f64, count: usize) -> Vec<u64> {
    let mut found = vec![0; count];
    let width = (high / low).ln() / count as f64;
    for (micros, number) in &times.buckets {
        let place = ((*micros as f64 / 1_000.0 / low).ln() / width).floor();
        let place = if place.is_finite() { (place.max(0.0) as usize).min(count - 1) } else { 0 };
        found[place] += number;
    }
    found
}

/// Records what a bucket of an earlier run says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptTimes(pub(super) Vec<(u64, u64)>);
