//! The sums of a batch by model, which the summary and the progress show.

use std::collections::BTreeMap;
use std::time::Duration;

use super::line::{Ended, FellBack};
use crate::error::FailureKind;
use crate::money::Usd;
use crate::record::{Cost, Status, TotalCost};

#[cfg(test)]
mod tests;

/// The most labels of which a confusion table is made. With more, the expected texts are no labels.
const MOST_LABELS: usize = 24;

/// The figures of one model.
#[derive(Debug, Clone, Default)]
pub struct ModelTally {
    /// Rows with a complete answer.
    pub ok: u64,
    /// Rows without an answer.
    pub failed: u64,
    /// Rows with a part of an answer.
    pub truncated: u64,
    /// Answers from the cache.
    pub cached: u64,
    /// How often each kind of failure came.
    pub failures: Vec<(FailureKind, u64)>,
    /// Of complete answers that were not cached, in microseconds.
    first_token: Vec<u32>,
    total: Vec<u32>,
    pub input: Tokens,
    pub output: Tokens,
    /// How many answers did not say their tokens.
    pub unknown_tokens: u64,
    pub cost: TotalCost,
    /// What judging the answers cost.
    pub judge_cost: TotalCost,
    /// Answers that have an expected one, and how many of them are right.
    pub expected: u64,
    pub correct: u64,
    /// How often an answer was given where another one, or the same, was expected: `(expected, answered)`.
    confusion: BTreeMap<(String, String), u64>,
    has_too_many_labels: bool,
    /// By scorer, the scores that are known.
    pub scores: BTreeMap<String, Scores>,
    pub fallbacks: Fallbacks,
}

/// By the model that was asked first and the one that answered in its place: how often each kind of failure was the reason.
pub type Fallbacks = BTreeMap<(String, String), Vec<(FailureKind, u64)>>;

/// The tokens of all rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the rows whose count is known.
    sum: u64,
    is_known: bool,
    is_unknown: bool,
}

impl Tokens {
    fn add(&mut self, count: Option<u64>, is_nothing: bool) {
        self.sum = self.sum.saturating_add(count.unwrap_or(0));
        self.is_known |= count.is_some();
        self.is_unknown |= count.is_none() && !is_nothing;
    }

    /// The sum of the counts that are known; `None` where there are rows and none of them told its count.
    pub fn known(&self) -> Option<u64> {
        (self.is_known || !self.is_unknown).then_some(self.sum)
    }

    /// Whether there are more tokens than are known.
    pub fn is_partial(&self) -> bool {
        self.is_known && self.is_unknown
    }
}

/// The scores of one scorer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    pub sum: f64,
    pub count: u64,
    /// Whether one of them is not a share from 0 to 1.
    has_others: bool,
}

impl Scores {
    fn add(&mut self, score: f64) {
        self.sum += score;
        self.count += 1;
        self.has_others |= !(0.0..=1.0).contains(&score);
    }

    /// The mean; `None` where there is no score.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Whether all are shares from 0 to 1.
    pub fn are_shares(&self) -> bool {
        self.count > 0 && !self.has_others
    }
}

impl ModelTally {
    /// Adds the figures of one row.
    pub fn add(&mut self, ended: &Ended) {
        match ended.status {
            Status::Ok => self.ok += 1,
            Status::Truncated => self.truncated += 1,
            Status::Failed | Status::Interrupted | Status::Refused | Status::Skipped => self.failed += 1,
        }
        if let Some(kind) = ended.failure {
            add_kind(&mut self.failures, kind, 1);
        }
        self.cached += u64::from(ended.cached);
        if ended.status == Status::Ok && !ended.cached {
            let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
            self.first_token.extend(ended.first_token.map(micros));
            self.total.extend(ended.total.map(micros));
        }
        self.input.add(ended.input, ended.cost_nothing);
        self.output.add(ended.output, ended.cost_nothing);
        self.unknown_tokens += u64::from((ended.input.is_none() || ended.output.is_none()) && !ended.cost_nothing);
        add_cost(&mut self.cost, ended.cost, ended.cost_nothing);
        if let Some(cost) = ended.judge_cost {
            add_cost(&mut self.judge_cost, Some(cost), false);
        }
        if let Some(correct) = ended.correct {
            self.expected += 1;
            self.correct += u64::from(correct);
        }
        if let (Some(expected), Some(label)) = (&ended.expected, &ended.label) {
            self.confuse(super::line::label(expected), label.clone());
        }
        for FellBack { from, to, kind } in &ended.fallbacks {
            add_kind(self.fallbacks.entry((from.clone(), to.clone())).or_default(), *kind, 1);
        }
        for scored in ended.scores.iter() {
            if let Some(score) = scored.score {
                self.scores.entry(scored.by.clone()).or_default().add(score);
            }
        }
    }

    fn confuse(&mut self, expected: String, answered: String) {
        if self.has_too_many_labels {
            return;
        }
        *self.confusion.entry((expected, answered)).or_default() += 1;
        let mut labels: Vec<&str> = self.confusion.keys().map(|(expected, _)| expected.as_str()).collect();
        labels.dedup();
        if labels.len() > MOST_LABELS {
            self.has_too_many_labels = true;
            self.confusion.clear();
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.ok + self.failed + self.truncated
    }

    /// The time below which this share of the complete answers had come whole; `None` where there is none.
    pub fn total_at(&self, share: f64) -> Option<Duration> {
        quantile(&self.total, share)
    }

    /// The time below which this share of the complete answers had begun.
    pub fn first_token_at(&self, share: f64) -> Option<Duration> {
        quantile(&self.first_token, share)
    }

    /// The times of all complete answers, in ascending order, for a plot.
    pub fn times(&self) -> Vec<Duration> {
        let mut times = self.total.clone();
        times.sort_unstable();
        times.into_iter().map(|micros| Duration::from_micros(micros.into())).collect()
    }

    /// The share of right answers; `None` where none is expected.
    pub fn accuracy(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.correct as f64 / self.expected as f64)
    }

    /// The table of expected labels and answers; `None` where nothing is expected or the expected texts are no labels.
    pub fn confusion(&self) -> Option<Confusion> {
        if self.confusion.is_empty() {
            return None;
        }
        let mut labels: Vec<String> = self.confusion.keys().map(|(expected, _)| expected.clone()).collect();
        labels.dedup();
        let mut counts = vec![vec![0; labels.len() + 1]; labels.len()];
        for ((expected, answered), count) in &self.confusion {
            if let Ok(row) = labels.binary_search(expected) {
                let column = labels.binary_search(answered).unwrap_or(labels.len());
                counts[row][column] += count;
            }
        }
        Some(Confusion { labels, counts })
    }
}

/// How often each label was answered where another one, or itself, was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The expected labels, in order.
    pub labels: Vec<String>,
    /// A row for each expected label; a column for each label that was answered, and a last one for everything else.
    pub counts: Vec<Vec<u64>>,
}

fn add_cost(total: &mut TotalCost, cost: Option<Cost>, is_nothing: bool) {
    match cost {
        Some(cost) => {
            *total.usd.get_or_insert(Usd::ZERO) += cost.usd;
            total.computed |= cost.origin.is_computed();
            total.unknown += usize::from(cost.partial);
        }
        None if is_nothing => {}
        None => total.unknown += 1,
    }
}

/// The value at this share of the values in ascending order (nearest rank).
fn quantile(micros: &[u32], share: f64) -> Option<Duration> {
    let mut sorted = micros.to_vec();
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    let (_, value, _) = (rank < sorted.len()).then(|| sorted.select_nth_unstable(rank))?;
    Some(Duration::from_micros(u64::from(*value)))
}

/// The figures of all models of a batch.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// In the order in which they were named.
    pub models: Vec<(String, ModelTally)>,
    /// What calls have cost that have no line any more, because their rows were asked again, or never had one.
    pub earlier: TotalCost,
}

impl Tally {
    /// Nothing yet for these models.
    pub fn new(models: &[String]) -> Self {
        let models = models.iter().map(|model| (model.clone(), ModelTally::default())).collect();
        Self { models, ..Self::default() }
    }

    /// Notes what all calls of the batch have cost, of which the lines are a part.
    pub fn note_paid(&mut self, paid: TotalCost) {
        self.earlier = TotalCost::default();
        let lines = self.paid();
        let picos = |cost: TotalCost| cost.usd.map_or(0, Usd::picos);
        let usd = Some(picos(paid).saturating_sub(picos(lines))).filter(|more| *more > 0).map(Usd::from_picos);
        // One line may be that of several calls. Where the cost of any is unknown, that is told already.
        let unknown = if lines.unknown == 0 { paid.unknown } else { 0 };
        self.earlier = TotalCost { usd, unknown, computed: usd.is_some() && paid.computed };
    }

    /// What answers and judges have cost.
    pub fn paid(&self) -> TotalCost {
        self.cost() + self.judge_cost()
    }

    /// What judging the answers has cost.
    pub fn judge_cost(&self) -> TotalCost {
        sum_of_costs(self.models.iter().map(|(_, tally)| tally.judge_cost))
    }

    /// Adds the figures of one row.
    pub fn add(&mut self, model: &str, ended: &Ended) {
        let place = self.models.iter().position(|(known, _)| known == model).unwrap_or_else(|| {
            self.models.push((model.to_owned(), ModelTally::default()));
            self.models.len() - 1
        });
        self.models[place].1.add(ended);
    }

    fn sum(&self, of: impl Fn(&ModelTally) -> u64) -> u64 {
        self.models.iter().map(|(_, tally)| of(tally)).sum()
    }

    /// Complete answers, failures and truncated answers.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.sum(|tally| tally.ok), self.sum(|tally| tally.failed), self.sum(|tally| tally.truncated))
    }

    /// The cost of all answers and of earlier tries, without that of judging them.
    pub fn cost(&self) -> TotalCost {
        sum_of_costs(self.models.iter().map(|(_, tally)| tally.cost)) + self.earlier
    }

    /// How often each kind of failure came, the most frequent first.
    pub fn failures(&self) -> Vec<(FailureKind, u64)> {
        sum_of_kinds(self.models.iter().flat_map(|(_, tally)| &tally.failures))
    }

    /// Which models answered in the place of others, with the reasons, the most frequent first.
    pub fn fallbacks(&self) -> Fallbacks {
        let mut sums = Fallbacks::new();
        for (pair, kinds) in self.models.iter().flat_map(|(_, tally)| &tally.fallbacks) {
            let sum = sums.entry(pair.clone()).or_default();
            *sum = sum_of_kinds(sum.iter().chain(kinds));
        }
        sums
    }

    /// The exit code: 0 where all answers are complete, 8 where some are, else that of the failures if they are of one kind,
    /// and 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        let (ok, failed, truncated) = self.counts();
        match (ok, failed, truncated) {
            (_, 0, 0) => 0,
            (0, _, 0) => {
                let codes: Vec<u8> = self.failures().iter().map(|(kind, _)| kind.exit_code()).collect();
                match codes.split_first() {
                    Some((first, others)) if others.iter().all(|code| code == first) => *first,
                    _ => 1,
                }
            }
            _ => 8,
        }
    }
}

/// The most frequent first.
fn sum_of_kinds<'a>(counts: impl Iterator<Item = &'a (FailureKind, u64)>) -> Vec<(FailureKind, u64)> {
    let mut kinds = Vec::new();
    counts.for_each(|(kind, count)| add_kind(&mut kinds, *kind, *count));
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), kind.as_str()));
    kinds
}

fn add_kind(kinds: &mut Vec<(FailureKind, u64)>, kind: FailureKind, by: u64) {
    match kinds.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, count)) => *count += by,
        None => kinds.push((kind, by)),
    }
}

/// The sum of sums.
pub fn sum_of_costs(costs: impl Iterator<Item = TotalCost>) -> TotalCost {
    costs.fold(TotalCost::default(), |sum, cost| TotalCost {
        usd: match (sum.usd, cost.usd) {
            (Some(a), Some(b)) => Some(Usd::from_picos(a.picos().saturating_add(b.picos()))),
            (a, b) => a.or(b),
        },
        unknown: sum.unknown + cost.unknown,
        computed: sum.computed || cost.computed,
    })
}
