//! The scores of all answers of a run, and which of them is the best.

use super::Scored;

/// Scores that differ by less are equal: they come from sums of fractions.
const EQUAL: f64 = 1e-9;

/// The best of several scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// The first of those that are best.
    pub index: usize,
    /// Its score.
    pub score: f64,
    /// The others with the same score.
    pub tied: Vec<usize>,
}

/// The best of these scores; `None` where none is known. The first of equal ones is taken.
pub fn best(scores: &[Option<f64>]) -> Option<Best> {
    let known = || scores.iter().enumerate().filter_map(|(index, score)| Some((index, (*score)?)));
    let most = known().map(|(_, score)| score).max_by(f64::total_cmp)?;
    let mut equal = known().filter(|(_, score)| most - score <= EQUAL).map(|(index, _)| index);
    let index = equal.next()?;
    Some(Best { index, score: most, tied: equal.collect() })
}

/// The mean of the scores that are known. A model's answers to several rounds have it as their score together.
pub fn mean_score<'a>(scored: impl IntoIterator<Item = &'a Scored>) -> Option<f64> {
    let known: Vec<f64> = scored.into_iter().filter_map(|scored| scored.score).collect();
    crate::stats::mean(&known).map(without_noise)
}

/// The number with twelve significant digits: 0.4, where a sum of fractions has 0.4000000000000001.
pub(super) fn without_noise(score: f64) -> f64 {
    format!("{score:.11e}").parse().unwrap_or(score)
}
