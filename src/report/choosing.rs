//! What scorers and judges say of the answers of a comparison, and which is the best.

use serde::Serialize;

use super::term::{Output, Text};
use super::{Comparison, escape, format, wrap};
use crate::judge::Panel;
use crate::record::{Record, TotalCost};
use crate::score::{Part, Scored, best, mean_score};

/// What was found of the answers of one run.
#[derive(Debug, Clone)]
pub struct Choosing {
    /// One for each record of the comparison, in its order.
    pub scored: Vec<Scored>,
    /// What the judges say, where there are any. Its answers are in the order of the calls.
    pub panel: Option<Panel>,
    /// Whether the reasons are shown.
    pub shows_reasons: bool,
}

/// The answer, or the model, with the best score.
#[derive(Debug, Clone, PartialEq)]
pub struct Winner {
    /// The place of its record; of several rounds, of its first one.
    pub index: usize,
    /// Its name in the comparison.
    pub label: String,
    /// Its score; of several rounds, the mean.
    pub score: f64,
    /// The others with the same score, by place and name.
    pub tied: Vec<(usize, String)>,
}

impl Comparison<'_> {
    /// The places of the records of each model, with its name. Without `--repeat`, each record is a model of its own.
    pub fn models(&self) -> Vec<(String, Vec<usize>)> {
        if !self.is_repeated {
            return self.labels().into_iter().enumerate().map(|(place, label)| (label, vec![place])).collect();
        }
        let mut models: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, record) in self.records.iter().enumerate() {
            match models.iter_mut().find(|(name, _)| *name == record.model) {
                Some((_, places)) => places.push(place),
                None => models.push((record.model.clone(), vec![place])),
            }
        }
        models
    }

    /// The scores of the models, in the order of [`Comparison::models`].
    fn scores(&self) -> Vec<Option<f64>> {
        let Some(choosing) = self.choosing else { return Vec::new() };
        let of = |places: &Vec<usize>| mean_score(places.iter().filter_map(|place| choosing.scored.get(*place)));
        self.models().iter().map(|(_, places)| of(places)).collect()
    }

    /// The best answer; `None` where no score is known.
    pub fn winner(&self) -> Option<Winner> {
        let models = self.models();
        let best = best(&self.scores())?;
        let first = |model: usize| models[model].1[0];
        let tied = best.tied.iter().map(|model| (first(*model), models[*model].0.clone())).collect();
        Some(Winner { index: first(best.index), label: models[best.index].0.clone(), score: best.score, tied })
    }

    /// The record of the best answer; of several rounds, the best one of the best model.
    pub fn best_record(&self) -> Option<&Record> {
        let (winner, choosing) = (self.winner()?, self.choosing?);
        let models = self.models();
        let (_, places) = models.iter().find(|(_, places)| places.contains(&winner.index))?;
        let scores: Vec<Option<f64>> = places.iter().map(|place| choosing.scored.get(*place)?.score).collect();
        self.records.get(places[best(&scores)?.index])
    }

    /// Which answer is best, which have no score and why, and what the judges cost, each as a sentence.
    pub fn findings(&self) -> Vec<String> {
        let Some(choosing) = self.choosing else { return Vec::new() };
        let mut findings = vec![match self.winner() {
            None => "best: none, because no score is known".to_owned(),
            Some(winner) if winner.tied.is_empty() => {
                format!("best: {} ({})", winner.label, format::score(winner.score))
            }
            Some(winner) => {
                let mut equal = vec![winner.label.clone()];
                equal.extend(winner.tied.iter().map(|(_, label)| label.clone()));
                let score = format::score(winner.score);
                format!("best: {} are equal ({score}); the first of them is taken", format::list(&equal))
            }
        }];
        for ((label, places), score) in self.models().iter().zip(self.scores()) {
            let why = places.iter().filter_map(|place| choosing.scored.get(*place)?.why_unknown()).next();
            match (score, why) {
                (None, why) => findings.push(format!("no score: {label} ({})", why.unwrap_or("no reason given"))),
                (Some(_), Some(why)) => findings.push(format!("not in every score: {label} ({why})")),
                (Some(_), None) => {}
            }
        }
        findings.extend(choosing.panel.iter().flat_map(judges));
        findings
    }

    /// The reasons for the score of one answer, each with who gives it. Empty where reasons are not shown.
    pub(super) fn reasons(&self, place: usize) -> Vec<String> {
        let Some(choosing) = self.choosing.filter(|choosing| choosing.shows_reasons) else { return Vec::new() };
        let Some(scored) = choosing.scored.get(place) else { return Vec::new() };
        let mut reasons: Vec<String> = Vec::new();
        for part in &scored.parts {
            let judged = self.verdicts(place);
            if part.scorer == crate::judge::SCORER && !judged.is_empty() {
                reasons.extend(judged);
                continue;
            }
            let score = format::or_unknown(part.score, format::score);
            let why = part.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            reasons.push(format!("{} {score}{why}", part.scorer));
        }
        reasons
    }

    /// What each judge says of the answer at this place.
    fn verdicts(&self, place: usize) -> Vec<String> {
        let Some(panel) = self.choosing.and_then(|choosing| choosing.panel.as_ref()) else { return Vec::new() };
        let id = &self.records[place].id;
        let Some(answer) = panel.answers.iter().position(|answer| answer == id) else { return Vec::new() };
        let said = |said: &crate::judge::PanelRecord<'_>| {
            let score = format::score(said.verdict.score);
            format!("{} {score}: {}", said.judge, said.verdict.reasons.join(" / "))
        };
        panel.of(answer).iter().map(said).collect()
    }
}

/// What the judges cost, and which of them failed.
fn judges(panel: &Panel) -> Vec<String> {
    let names: Vec<&str> = panel.judges.iter().map(|judged| judged.model.as_str()).collect();
    let calls = panel.calls.len();
    let mut sentences = Vec::new();
    if calls > 0 {
        let time = panel.calls.iter().filter_map(|call| call.timing.total).sum();
        let (calls, time) = (format::count(calls as u64, "call", "calls"), format::duration(time));
        let cost = format::total_cost(panel.cost());
        sentences.push(format!("judged by {}: {calls}, {time}, {cost} beside the total", format::list(&names)));
    }
    let failed = panel.judges.iter().filter_map(|judged| Some((&judged.model, judged.failed.as_ref()?)));
    sentences.extend(failed.map(|(model, why)| format!("no verdict: {model} ({why})")));
    sentences
}

/// The findings, and the reasons where they are shown, as lines below the table. Empty where nothing is scored.
pub fn text(comparison: &Comparison<'_>, out: &Output) -> Text {
    let mut page = sentences(&comparison.findings(), out);
    for (place, label) in comparison.labels().iter().enumerate() {
        let reasons = comparison.reasons(place);
        if !reasons.is_empty() {
            page += Text::from("\n") + out.style.bold(escape::line(label)) + "\n";
            page += sentences(&reasons, out);
        }
    }
    page
}

/// Each sentence on lines of its own, wrapped to the page.
pub(super) fn sentences(sentences: &[String], out: &Output) -> Text {
    let mut page = Text::new();
    for sentence in sentences {
        for (n, line) in wrap::wrap(&escape::line(sentence), out.columns.saturating_sub(3).max(1)).iter().enumerate() {
            page += if n == 0 { " " } else { "   " };
            page += line.as_str();
            page += "\n";
        }
    }
    page
}

/// The score of one answer in JSON.
#[derive(Debug, Serialize)]
pub(super) struct ScoreJson<'a> {
    id: &'a str,
    model: &'a str,
    score: Option<f64>,
    parts: &'a [Part],
}

/// The best answer in JSON.
#[derive(Debug, Serialize)]
pub(super) struct WinnerJson<'a> {
    id: &'a str,
    model: &'a str,
    score: f64,
    tied: Vec<Tied<'a>>,
}

#[derive(Debug, Serialize)]
struct Tied<'a> {
    id: &'a str,
    model: &'a str,
}

/// The judges in JSON.
#[derive(Debug, Serialize)]
pub(super) struct JudgeJson<'a> {
    criteria: &'a str,
    verdicts: Vec<VerdictJson<'a>>,
    failed: Vec<FailedJson<'a>>,
    calls: &'a [Record],
    total_cost: TotalCost,
}

#[derive(Debug, Serialize)]
struct VerdictJson<'a> {
    id: &'a str,
    judge: &'a str,
    score: f64,
    reasons: &'a [String],
}

#[derive(Debug, Serialize)]
struct FailedJson<'a> {
    judge: &'a str,
    reason: &'a str,
}

/// The parts of the JSON of a comparison that scoring adds.
#[derive(Debug, Serialize)]
pub(super) struct ChoosingJson<'a> {
    pub(super) winner: Option<WinnerJson<'a>>,
    pub(super) scores: Option<Vec<ScoreJson<'a>>>,
    pub(super) judge: Option<JudgeJson<'a>>,
}

impl<'a> ChoosingJson<'a> {
    pub(super) fn new(comparison: &Comparison<'a>) -> Self {
        let Some(choosing) = comparison.choosing else { return Self { winner: None, scores: None, judge: None } };
        let records = comparison.records;
        let score = |(record, scored): (&'a Record, &'a Scored)| ScoreJson {
            id: &record.id,
            model: &record.model,
            score: scored.score,
            parts: &scored.parts,
        };
        let winner = comparison.winner().map(|winner| WinnerJson {
            id: &records[winner.index].id,
            model: &records[winner.index].model,
            score: winner.score,
            tied: winner
                .tied
                .iter()
                .map(|(place, _)| Tied { id: &records[*place].id, model: &records[*place].model })
                .collect(),
        });
        let scores = records.iter().zip(&choosing.scored).map(score).collect();
        Self { winner, scores: Some(scores), judge: choosing.panel.as_ref().map(judge) }
    }
}

fn judge(panel: &Panel) -> JudgeJson<'_> {
    let verdicts = panel.answers.iter().enumerate().flat_map(|(answer, id)| {
        let said = panel.of(answer).into_iter();
        said.map(move |said| VerdictJson {
            id,
            judge: said.judge,
            score: said.verdict.score,
            reasons: &said.verdict.reasons,
        })
    });
    let failed = panel.judges.iter().filter_map(|judged| {
        let reason = judged.failed.as_deref()?;
        Some(FailedJson { judge: &judged.model, reason })
    });
    JudgeJson {
        criteria: &panel.criteria,
        verdicts: verdicts.collect(),
        failed: failed.collect(),
        calls: &panel.calls,
        total_cost: panel.cost(),
    }
}
