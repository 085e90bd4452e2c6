//! `confidence`: how likely the model found its own words: the geometric mean of the probabilities of its tokens, from 0 to
//! 1. It is e to the power of the mean log-probability, which stands in the reason.

use super::{Answers, Score, Scorer};
use crate::record::Record;
use crate::stats;

#[derive(Debug)]
pub(super) struct Confidence;

impl Scorer for Confidence {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        answers.records.iter().map(|record| confidence(record)).collect()
    }

    fn needs_logprobs(&self) -> bool {
        true
    }
}

fn confidence(record: &Record) -> Score {
    let logprobs: Vec<f64> = record.logprobs.iter().map(|token| token.logprob).collect();
    match stats::mean(&logprobs) {
        Some(mean) => {
            let reason = format!("mean log-probability {mean:.3} of {} tokens", logprobs.len());
            Score::of(mean.exp()).because(reason)
        }
        None if logprobs.is_empty() => Score::unknown("the gateway gave no log-probabilities"),
        None => Score::unknown("a log-probability is not a number"),
    }
}
