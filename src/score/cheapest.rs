//! `cheapest`: 1 for the answer that cost least, 0.5 for one that cost twice as much. Beside an answer that cost nothing, all
//! that cost something have 0.

use super::{Answers, Score, Scorer, relative};
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Cheapest;

impl Scorer for Cheapest {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        relative(answers.records.iter().map(|record| cost(record)).collect())
    }
}

/// The float is only for the ratio of two costs.
fn cost(record: &Record) -> Result<f64, &'static str> {
    if record.cached {
        return Err("the answer came from the cache");
    }
    match record.cost {
        Some(cost) if cost.partial => Err("only a part of its cost is known"),
        Some(cost) => Ok(cost.usd.picos() as f64),
        None => Err("its cost is not known"),
    }
}
