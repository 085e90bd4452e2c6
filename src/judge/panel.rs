//! Who judges which answers in which order, and what all judges say together.

use serde::Serialize;

use super::verdict::{self, Verdict};
use crate::call::Call;
use crate::pricing::Identity;
use crate::record::{Record, Status, TotalCost};
use crate::score::Part;

/// The name of the judges together among the scorers.
pub(crate) const SCORER: &str = "judge";

/// One judge with what it needs to be called.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    /// The call without its request.
    pub(super) call: Call,
    /// By model of the comparison, whether it is the judge's own.
    own: Vec<bool>,
}

/// Which judge is asked about which round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sitting {
    pub(super) judge: usize,
    pub(super) round: usize,
    /// How far the order of the round is rotated.
    rotation: usize,
}

/// All judges, and when they are asked.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(super) judges: Vec<Judge>,
    pub(super) sittings: Vec<Sitting>,
    /// For each round, the models in the order from which all orders of the round are made.
    orders: Vec<Vec<usize>>,
    models: usize,
}

/// Why these judges cannot judge these answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unjudgeable {
    /// No judge may judge the answer of this model.
    Nobody(String),
    /// Some judges judge some answers, and others the rest, so that their scores cannot be compared.
    Apart,
}

impl Plan {
    /// The plan for `rounds` rounds of these calls for answers. `judges` are calls without their requests.
    ///
    /// # Errors
    /// The answers cannot be compared, because judges leave out those of their own models.
    pub(crate) fn new(
        answers: &[Call],
        judges: Vec<Call>,
        rounds: usize,
        judge_own: bool,
        random: &mut fastrand::Rng,
    ) -> Result<Self, Unjudgeable> {
        let models = answers.len() / rounds.max(1);
        let is_own = |judge: &Call, answer: &Call| !judge_own && same_model(judge, answer);
        let judges: Vec<Judge> = judges
            .into_iter()
            .map(|call| Judge { own: answers.iter().take(models).map(|answer| is_own(&call, answer)).collect(), call })
            .collect();
        if let Some(alone) = (0..models).find(|model| judges.iter().all(|judge| judge.own[*model])) {
            return Err(Unjudgeable::Nobody(answers[alone].asked.clone()));
        }
        let scores: Vec<Vec<Option<f64>>> =
            judges.iter().map(|judge| judge.own.iter().map(|own| (!own).then_some(0.0)).collect()).collect();
        if !is_connected(&scores) {
            return Err(Unjudgeable::Apart);
        }
        let mut sittings = Vec::new();
        for round in 0..rounds {
            match judges.len() {
                1 => sittings.extend((0..models).map(|rotation| Sitting { judge: 0, round, rotation })),
                count => {
                    sittings.extend((0..count).map(|judge| Sitting { judge, round, rotation: judge * models / count }))
                }
            }
        }
        let shuffled = |_| {
            let mut order: Vec<usize> = (0..models).collect();
            random.shuffle(&mut order);
            order
        };
        Ok(Self { judges, sittings, orders: (0..rounds).map(shuffled).collect(), models })
    }

    /// A call for each judge, for the preparation of gateways.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.judges.iter().map(|judge| &judge.call)
    }

    /// How many calls judges take where every answer is complete.
    pub(crate) fn asked(&self) -> usize {
        self.sittings.iter().filter(|sitting| !self.order(sitting, |_| true).is_empty()).count()
    }

    /// The judge of each sitting as the user named it, in order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.sittings.iter().map(|sitting| self.judges[sitting.judge].call.asked.as_str())
    }

    /// The indices of the answers that the judge of this sitting sees, in its order. `is_complete` says which answers there
    /// are. Empty where the judge need not be asked.
    pub(super) fn order(&self, sitting: &Sitting, is_complete: impl Fn(usize) -> bool) -> Vec<usize> {
        let own = &self.judges[sitting.judge].own;
        let first = sitting.round * self.models;
        let mut order: Vec<usize> = self.orders[sitting.round]
            .iter()
            .filter(|model| !own[**model])
            .map(|model| first + model)
            .filter(|answer| is_complete(*answer))
            .collect();
        // Where fewer answers came, fewer rotations put each of them in each place.
        let is_needed = self.judges.len() > 1 || sitting.rotation < order.len();
        if !is_needed || order.is_empty() {
            return Vec::new();
        }
        let rotation = sitting.rotation % order.len();
        order.rotate_left(rotation);
        order
    }

    /// What the judges say of these answers. `judged` has the records of the judges' calls with the index of their sitting.
    pub(crate) fn panel(&self, answers: &[Record], judged: &[(usize, Record)], criteria: &str) -> Panel {
        let is_complete = |answer: usize| answers[answer].status == Status::Ok;
        let mut judges: Vec<Judged> = Vec::new();
        for (index, judge) in self.judges.iter().enumerate() {
            let mut sums: Vec<Vec<(f64, String)>> = vec![Vec::new(); answers.len()];
            let mut failed = None;
            for (number, sitting) in self.sittings.iter().enumerate().filter(|(_, sitting)| sitting.judge == index) {
                let order = self.order(sitting, is_complete);
                if order.is_empty() {
                    continue;
                }
                let record = judged.iter().find(|(sitting, _)| *sitting == number).map(|(_, record)| record);
                match verdict_of(record, order.len()) {
                    Ok(verdicts) => order.iter().zip(verdicts).for_each(|(answer, said)| sums[*answer].push(said)),
                    Err(why) => failed = failed.or(Some(why)),
                }
            }
            // Where one order is missing, the places of the answers do not cancel out.
            if failed.is_some() {
                sums = vec![Vec::new(); answers.len()];
            }
            let verdicts = sums.into_iter().map(verdict).collect();
            judges.push(Judged { model: judge.call.asked.clone(), verdicts, failed });
        }
        let calls = judged.iter().map(|(_, record)| record.clone()).collect();
        let answers = answers.iter().map(|answer| answer.id.clone()).collect();
        Panel { criteria: criteria.to_owned(), answers, judges, calls }
    }
}

/// What a judge said in one sitting.
fn verdict_of(record: Option<&Record>, count: usize) -> Result<Vec<(f64, String)>, String> {
    let Some(record) = record else { return Err("it was not asked, because the run was stopped".to_owned()) };
    match (record.status, &record.error) {
        (Status::Ok, _) => verdict::read(&record.text, count),
        (Status::Interrupted, _) => Err("it was stopped".to_owned()),
        (_, Some(failure)) => Err(failure.message.clone()),
        (_, None) => Err("its verdict is not complete".to_owned()),
    }
}

fn verdict(said: Vec<(f64, String)>) -> Option<Verdict> {
    let scores: Vec<f64> = said.iter().map(|(score, _)| *score).collect();
    let score = crate::stats::mean(&scores)?;
    Some(Verdict { score, reasons: said.into_iter().map(|(_, reason)| reason).collect() })
}

/// Whether two calls may be answered by the same model, whatever the gateways call it.
fn same_model(one: &Call, other: &Call) -> bool {
    one.targets().any(|target| {
        let model = Identity::of(&target.model);
        other.targets().any(|target| model.is_called(&target.model))
    })
}

/// What one judge says of all answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The judge as the user named it.
    pub model: String,
    /// By answer; `None` where the judge did not judge it.
    pub verdicts: Vec<Option<Verdict>>,
    /// Why it has no verdict at all.
    pub failed: Option<String>,
}

/// What all judges say.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What they judged by.
    pub criteria: String,
    /// The ids of the answers that they judged.
    pub answers: Vec<String>,
    /// In the order in which they were named.
    pub judges: Vec<Judged>,
    /// Their calls. What these cost is not part of what the answers cost.
    pub calls: Vec<Record>,
}

/// What the ledger and the reports keep of the judges of one answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanelRecord<'a> {
    /// The judge as the user named it.
    pub judge: &'a str,
    /// Its verdict.
    #[serde(flatten)]
    pub verdict: &'a Verdict,
}

impl Panel {
    /// The cost of all calls of judges.
    pub fn cost(&self) -> TotalCost {
        self.calls.iter().collect()
    }

    /// What each judge says of one answer, as far as it does.
    pub fn of(&self, answer: usize) -> Vec<PanelRecord<'_>> {
        let verdicts = self.judges.iter().filter_map(|judged| {
            let verdict = judged.verdicts.get(answer)?.as_ref()?;
            Some(PanelRecord { judge: &judged.model, verdict })
        });
        verdicts.collect()
    }

    /// The score of each answer by all judges together, with the reason where it is unknown.
    pub fn parts(&self, answers: &[Record]) -> Vec<Part> {
        let heard: Vec<Vec<Option<f64>>> = self
            .judges
            .iter()
            .filter(|judged| judged.failed.is_none())
            .map(|judged| judged.verdicts.iter().map(|verdict| verdict.as_ref().map(|verdict| verdict.score)).collect())
            .collect();
        let scores = if is_connected(&heard) { together(&heard) } else { vec![None; answers.len()] };
        let part = |(answer, record): (usize, &Record)| {
            let score = scores.get(answer).copied().flatten();
            let reason = match score {
                Some(_) => self.reason(answer),
                None if record.status != Status::Ok => Some("there is no complete answer".to_owned()),
                None => Some(self.why_unknown()),
            };
            Part { scorer: SCORER.to_owned(), weight: 1.0, score, reason }
        };
        answers.iter().enumerate().map(part).collect()
    }

    /// The first reason of each judge.
    fn reason(&self, answer: usize) -> Option<String> {
        let said = self.of(answer);
        let reasons: Vec<&str> = said.iter().filter_map(|said| Some(said.verdict.reasons.first()?.as_str())).collect();
        (!reasons.is_empty()).then(|| reasons.join(" "))
    }

    fn why_unknown(&self) -> String {
        let all_failed = self.judges.iter().all(|judged| judged.failed.is_some());
        let why = if all_failed { "there is no verdict" } else { "no judge judged it beside the others" };
        why.to_owned()
    }
}

/// Whether every answer that has a score can be compared with every other one, because judges link them.
pub(super) fn is_connected(scores: &[Vec<Option<f64>>]) -> bool {
    let count = scores.iter().map(Vec::len).max().unwrap_or(0);
    let judged = |answer: usize| scores.iter().any(|judge| judge[answer].is_some());
    let Some(first) = (0..count).find(|answer| judged(*answer)) else { return true };
    let mut reached = vec![false; count];
    reached[first] = true;
    // Each pass reaches at least one answer more, or ends.
    for _ in 0..count {
        for judge in scores {
            if judge.iter().zip(&reached).any(|(score, reached)| score.is_some() && *reached) {
                reached.iter_mut().zip(judge).for_each(|(reached, score)| *reached |= score.is_some());
            }
        }
    }
    (0..count).all(|answer| reached[answer] || !judged(answer))
}

/// The score of each answer by all judges. Where each judge scores each answer, it is the mean. Where a judge leaves out
/// answers, the mean would depend on how strict that judge is with the others; so the scores are the least-squares estimates of
/// a model in which each judge is stricter or milder than the others by a constant.
pub(super) fn together(scores: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    /// The differences shrink by a constant factor in each step; far fewer steps are needed.
    const STEPS: usize = 10_000;
    const PRECISION: f64 = 1e-12;
    let count = scores.iter().map(Vec::len).max().unwrap_or(0);
    let mean = |values: &mut dyn Iterator<Item = f64>| crate::stats::mean(&values.collect::<Vec<f64>>());
    let mut mildness = vec![0.0; scores.len()];
    let mut estimates: Vec<Option<f64>> = Vec::new();
    for _ in 0..STEPS {
        let of_answer = |answer: usize| {
            let said = scores.iter().zip(&mildness).filter_map(|(judge, mild)| Some(judge[answer]? - mild));
            mean(&mut said.into_iter())
        };
        estimates = (0..count).map(of_answer).collect();
        let of_judge = |judge: &Vec<Option<f64>>| {
            let excess = judge.iter().zip(&estimates).filter_map(|(score, estimate)| Some((*score)? - (*estimate)?));
            mean(&mut excess.into_iter()).unwrap_or(0.0)
        };
        let next: Vec<f64> = scores.iter().map(of_judge).collect();
        let average = next.iter().sum::<f64>() / next.len().max(1) as f64;
        let next: Vec<f64> = next.iter().map(|mild| mild - average).collect();
        let change = next.iter().zip(&mildness).map(|(next, mild)| (next - mild).abs()).fold(0.0, f64::max);
        mildness = next;
        if change < PRECISION {
            break;
        }
    }
    estimates.into_iter().map(|estimate| estimate.map(|score| score.clamp(0.0, 1.0))).collect()
}
