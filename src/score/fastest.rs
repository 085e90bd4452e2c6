//! `fastest`: 1 for the answer that was complete first, 0.5 for one that took twice as long.

use super::{Answers, Score, Scorer, relative};
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Fastest;

impl Scorer for Fastest {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        relative(answers.records.iter().map(|record| seconds(record)).collect())
    }
}

fn seconds(record: &Record) -> Result<f64, &'static str> {
    if record.cached {
        return Err("the answer came from the cache");
    }
    record.timing.total.map(|total| total.as_secs_f64()).ok_or("its time is not known")
}
