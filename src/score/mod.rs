//! Scores: how good the answers to one prompt are, each by a number.
//!
//! A [`Scorer`] sees all answers to one prompt, because some compare them with each other. Its file says what its numbers
//! mean. [`Weighted`] is a scorer as a user writes it: `SPEC*WEIGHT`. A score that cannot be found is unknown, never zero.
#![warn(missing_docs)]

mod agreement;
mod cheapest;
mod command;
mod confidence;
mod contains;
mod exact;
mod fastest;
mod regex;
mod schema;
mod scores;
mod shortest;
mod spec;
#[cfg(test)]
mod tests;

pub use scores::{Best, best, mean_score};
pub(crate) use spec::Environment;
pub use spec::{HELP, Weighted};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::{Record, Status};

/// The answers to one prompt.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// One for each model. Scorers get complete answers only.
    pub records: &'a [&'a Record],
    /// The text that a right answer has, where it is known: the column of a batch.
    pub expected: Option<&'a str>,
}

/// Scores answers by one criterion.
pub trait Scorer: fmt::Debug + Send + Sync {
    /// The scores of the answers, in their order. It may take long: see [`Scorer::is_slow`].
    fn score(&self, answers: &Answers<'_>) -> Vec<Score>;

    /// Whether it needs [`Answers::expected`].
    fn needs_expected(&self) -> bool {
        false
    }

    /// Whether it needs the log-probabilities of the answers' tokens, which must be asked for.
    fn needs_logprobs(&self) -> bool {
        false
    }

    /// Whether it may take longer than a moment, so that it must not run where a signal is waited for.
    fn is_slow(&self) -> bool {
        false
    }
}

/// The score of one answer by one scorer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    /// Higher is better; most scorers give 0 to 1. `None` where it is unknown.
    pub value: Option<f64>,
    /// The reason for the value, or for there being none.
    pub reason: Option<String>,
}

impl Score {
    /// A score that needs no reason.
    pub fn of(value: f64) -> Self {
        Self { value: Some(value), reason: None }
    }

    /// 1 for yes, 0 for no.
    pub fn passes(yes: bool) -> Self {
        Self::of(if yes { 1.0 } else { 0.0 })
    }

    /// The score is not known, for this reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { value: None, reason: Some(reason.into()) }
    }

    /// The score with this reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

/// What one scorer, or judge, says of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The scorer as the user wrote it, without its weight.
    pub scorer: String,
    /// How much it counts beside others.
    pub weight: f64,
    /// `None` is unknown.
    pub score: Option<f64>,
    /// The reason for the score, or for there being none.
    pub reason: Option<String>,
}

impl Part {
    /// This part with the kind of its scorer alone. What follows the kind may be the right answer, and a reason may quote the
    /// answer.
    #[must_use]
    pub(crate) fn without_text(&self) -> Self {
        let kind = self.scorer.split(':').next().unwrap_or_default().to_owned();
        Self { scorer: kind, reason: None, ..self.clone() }
    }
}

/// The score of one answer, and what it is made of.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Scored {
    /// The weighted mean of all parts; unknown where a part is.
    pub score: Option<f64>,
    /// By each scorer, in the order in which they were given.
    pub parts: Vec<Part>,
}

impl Scored {
    /// The score that these parts make together.
    pub fn new(parts: Vec<Part>) -> Self {
        let weights: f64 = parts.iter().map(|part| part.weight).sum();
        let sum: Option<f64> = parts.iter().map(|part| part.score.map(|score| score * part.weight)).sum();
        let score = sum.map(|sum| scores::without_noise(sum / weights)).filter(|score| score.is_finite());
        Self { score, parts }
    }

    /// Why the score is not known: the reason of the first part that is not.
    pub fn why_unknown(&self) -> Option<&str> {
        self.parts.iter().find(|part| part.score.is_none())?.reason.as_deref()
    }
}

/// What these scorers say of each answer, in the order of the answers. Only complete answers are scored.
pub fn score(scorers: &[Weighted], answers: &Answers<'_>) -> Vec<Vec<Part>> {
    let complete: Vec<&Record> = answers.records.iter().copied().filter(|record| record.status == Status::Ok).collect();
    let mut parts = vec![Vec::with_capacity(scorers.len()); answers.records.len()];
    for weighted in scorers {
        let mut scores = weighted.scorer.score(&Answers { records: &complete, ..*answers }).into_iter();
        for (record, parts) in answers.records.iter().zip(&mut parts) {
            let score = match record.status {
                Status::Ok => scores.next().unwrap_or_default(),
                _ => Score::unknown("there is no complete answer"),
            };
            // A number that is none, such as 0/0, is not known.
            let value = score.value.filter(|value| value.is_finite());
            let (scorer, weight) = (weighted.spec.clone(), weighted.weight);
            parts.push(Part { scorer, weight, score: value, reason: score.reason });
        }
    }
    parts
}

/// The score of each answer where the least figure is the best: the best has 1, one with twice the figure 0.5. An answer
/// without a figure has the reason for that instead.
fn relative(figures: Vec<Result<f64, &'static str>>) -> Vec<Score> {
    let least = figures.iter().filter_map(|figure| figure.as_ref().ok()).copied().fold(f64::INFINITY, f64::min);
    let score = |figure| match figure {
        Ok(figure) if figure == least => Score::of(1.0),
        Ok(figure) => Score::of(least / figure),
        Err(why) => Score::unknown(why),
    };
    figures.into_iter().map(score).collect()
}
