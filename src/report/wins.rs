//! Which models people and judges prefer: `usage --by wins`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::grid::{Column, Grid};
use super::term::{Output, Text};
use super::{choosing, csv as csv_format, escape, format, json as json_format, markdown as markdown_format};
use crate::ledger::{Preference, Preferences};
use crate::stats::bradley_terry::{Choice, ratings};
use crate::stats::{Interval, indistinguishable, wilson};

/// The columns of CSV. New columns are added at the end only.
const HEADINGS: [&str; 16] = [
    "task",
    "model",
    "votes",
    "won",
    "equal",
    "lost",
    "win_rate",
    "win_rate_low",
    "win_rate_high",
    "strength",
    "strength_low",
    "strength_high",
    "judged",
    "judge_win_rate",
    "judge_win_rate_low",
    "judge_win_rate_high",
];

/// The estimated probability that a model is preferred to another one, and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Estimate {
    win_rate: f64,
    low: f64,
    high: f64,
    strength: f64,
    strength_low: f64,
    strength_high: f64,
}

/// What is known of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Model {
    model: String,
    /// The votes among whose answers there was one of it, and how they ended for it.
    votes: usize,
    won: usize,
    equal: usize,
    lost: usize,
    /// By the votes; `None` where there is none.
    estimate: Option<Estimate>,
    /// The runs in which judges scored it, and what these give.
    judged: usize,
    judges: Option<Estimate>,
}

/// How often the answer that judges scored best was the one that a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Agreement {
    votes: usize,
    same: usize,
    low: f64,
    high: f64,
}

/// What is known of the models of one task, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Group {
    /// `None` where there is no task.
    task: Option<String>,
    votes: usize,
    verdicts: usize,
    /// Those that people prefer most come first.
    models: Vec<Model>,
    /// Groups of models whose intervals overlap.
    indistinguishable: Vec<Vec<String>>,
    /// `None` where no run has both.
    agreement: Option<Agreement>,
}

/// The preferences of people and judges, in all or by task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wins {
    groups: Vec<Group>,
    #[serde(skip)]
    by_task: bool,
}

impl Wins {
    pub fn new(found: &Preferences, by_task: bool) -> Self {
        if !by_task {
            return Self { groups: vec![Group::new(None, found)], by_task };
        }
        let mut tasks: BTreeMap<Option<String>, Preferences> = BTreeMap::new();
        for vote in &found.votes {
            tasks.entry(vote.task.clone()).or_default().votes.push(vote.clone());
        }
        for verdict in &found.verdicts {
            tasks.entry(verdict.task.clone()).or_default().verdicts.push(verdict.clone());
        }
        Self { groups: tasks.into_iter().map(|(task, found)| Group::new(task, &found)).collect(), by_task }
    }

    /// Whether there is neither a vote nor a verdict.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.models.is_empty())
    }
}

impl Group {
    fn new(task: Option<String>, found: &Preferences) -> Self {
        let mut names: Vec<&String> = Vec::new();
        for (model, _) in found.votes.iter().chain(&found.verdicts).flat_map(|preference| &preference.models) {
            if !names.contains(&model) {
                names.push(model);
            }
        }
        let people = estimates(&names, &found.votes);
        let judges = estimates(&names, &found.verdicts);
        let mut models: Vec<Model> = (0..names.len())
            .map(|i| Model::new(names[i], &found.votes, people[i], count(names[i], &found.verdicts), judges[i]))
            .collect();
        let rank = |model: &Model| model.estimate.or(model.judges).map_or(f64::NEG_INFINITY, |found| found.win_rate);
        models.sort_by(|a, b| rank(b).total_cmp(&rank(a)).then_with(|| a.model.cmp(&b.model)));
        let intervals: Vec<Option<Interval>> =
            models.iter().map(|model| model.estimate.map(|found| Interval::new(found.low, found.high))).collect();
        let named = |group: Vec<usize>| group.into_iter().map(|i| models[i].model.clone()).collect();
        Self {
            task,
            votes: found.votes.len(),
            verdicts: found.verdicts.len(),
            indistinguishable: indistinguishable(&intervals).into_iter().map(named).collect(),
            agreement: agreement(found),
            models,
        }
    }

    /// Which models cannot be told apart, and how often judges agree with people.
    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for group in &self.indistinguishable {
            findings.push(format!(
                "{} are indistinguishable after {} (their 95 % intervals overlap)",
                format::list(group),
                format::count(self.votes as u64, "vote", "votes")
            ));
        }
        if let Some(Agreement { votes, same, low, high }) = self.agreement {
            let range = range(low, high);
            findings.push(format!(
                "the judges' best answer was also the voters' in {same} of {} ({range})",
                format::count(votes as u64, "vote", "votes")
            ));
        }
        findings
    }
}

impl Model {
    fn new(
        name: &str,
        votes: &[Preference],
        estimate: Option<Estimate>,
        judged: usize,
        judges: Option<Estimate>,
    ) -> Self {
        let mut model = Self { model: name.to_owned(), votes: 0, won: 0, equal: 0, lost: 0, estimate, judged, judges };
        for vote in votes {
            let chosen = vote.models.iter().filter(|(_, chosen)| *chosen).count();
            let mut own = vote.models.iter().filter(|(model, _)| model == name).map(|(_, chosen)| *chosen).peekable();
            if own.peek().is_none() {
                continue;
            }
            model.votes += 1;
            match (own.any(|chosen| chosen), chosen) {
                (true, 1) => model.won += 1,
                (true, _) => model.equal += 1,
                (false, _) => model.lost += 1,
            }
        }
        model
    }
}

fn count(model: &str, preferences: &[Preference]) -> usize {
    preferences.iter().filter(|preference| preference.models.iter().any(|(other, _)| other == model)).count()
}

/// The estimate of each model; `None` for one that is in no choice.
fn estimates(names: &[&String], preferences: &[Preference]) -> Vec<Option<Estimate>> {
    // Models that were never compared here are left out, so that they do not count as rivals.
    let known: Vec<usize> = (0..names.len()).filter(|i| count(names[*i], preferences) > 0).collect();
    let place = |model: &String| known.iter().position(|i| names[*i] == model);
    let choice = |preference: &Preference| Choice {
        among: preference.models.iter().filter_map(|(model, _)| place(model)).collect(),
        chosen: preference.models.iter().filter(|(_, chosen)| *chosen).filter_map(|(model, _)| place(model)).collect(),
    };
    let choices: Vec<Choice> = preferences.iter().map(choice).collect();
    let rated = ratings(known.len(), &choices);
    let estimate = |i: usize| {
        let rating = rated.get(known.iter().position(|known| *known == i)?)?;
        Some(Estimate {
            win_rate: rating.win_rate,
            low: rating.win_rate_interval.low,
            high: rating.win_rate_interval.high,
            strength: rating.strength,
            strength_low: rating.strength_interval.low,
            strength_high: rating.strength_interval.high,
        })
    };
    (0..names.len()).map(estimate).collect()
}

/// How often judges and people chose the same answer in the same run. Equal answers agree with any of them.
fn agreement(found: &Preferences) -> Option<Agreement> {
    let chosen = |preference: &Preference| -> Vec<String> {
        preference.models.iter().filter(|(_, chosen)| *chosen).map(|(model, _)| model.clone()).collect()
    };
    let both = found.votes.iter().filter_map(|vote| {
        let verdict = found.verdicts.iter().find(|verdict| verdict.run == vote.run)?;
        let (people, judges) = (chosen(vote), chosen(verdict));
        Some(people.iter().any(|model| judges.contains(model)))
    });
    let both: Vec<bool> = both.collect();
    let same = both.iter().filter(|same| **same).count();
    let interval = wilson(same as f64, both.len() as f64)?;
    Some(Agreement { votes: both.len(), same, low: interval.low, high: interval.high })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn range(low: f64, high: f64) -> String {
    format!("{:.0}–{:.0} %", 100.0 * low, 100.0 * high)
}

const COLUMNS: [(&str, bool); 9] = [
    ("model", false),
    ("votes", true),
    ("won", true),
    ("equal", true),
    ("lost", true),
    ("win rate", true),
    ("95 %", true),
    ("judges", true),
    ("judges 95 %", true),
];

fn row(model: &Model) -> Vec<String> {
    let votes = |count: usize| if model.votes == 0 { String::new() } else { count.to_string() };
    let rate = |found: Option<Estimate>| found.map_or_else(String::new, |found| percent(found.win_rate));
    let of = |found: Option<Estimate>| found.map_or_else(String::new, |found| range(found.low, found.high));
    let people = model.estimate.filter(|_| model.votes > 0);
    vec![
        model.model.clone(),
        votes(model.votes),
        votes(model.won),
        votes(model.equal),
        votes(model.lost),
        rate(people),
        of(people),
        rate(model.judges),
        of(model.judges),
    ]
}

/// A table for each task, or one, with what was found below it.
pub fn text(wins: &Wins, out: &Output) -> Text {
    let mut page = Text::new();
    for group in &wins.groups {
        if !page.is_empty() {
            page += "\n";
        }
        if wins.by_task {
            page += out.style.bold(escape::line(&title(group))) + "\n";
        }
        let column = |(name, is_number): &(&str, bool)| match is_number {
            true => Column::right(name),
            false => Column::left(name).wraps(16),
        };
        let mut grid = Grid::new(COLUMNS.iter().map(column).collect());
        group.models.iter().for_each(|model| grid.row(row(model)));
        page += grid.render(out);
        let findings = group.findings();
        page += if findings.is_empty() { "" } else { "\n" };
        page += choosing::sentences(&findings, out);
    }
    page
}

fn title(group: &Group) -> String {
    group.task.as_ref().map_or_else(|| "no task".to_owned(), |task| format!("task {task}"))
}

/// The same as Markdown.
pub fn markdown(wins: &Wins) -> Text {
    let mut page = String::new();
    for group in &wins.groups {
        if wins.by_task {
            page.push_str(&format!("## {}\n\n", escape::markdown_line(&title(group))));
        }
        markdown_format::table(&mut page, &COLUMNS, &group.models.iter().map(row).collect::<Vec<_>>());
        markdown_format::list(&mut page, &group.findings());
        page.push('\n');
    }
    page.into()
}

/// `{"groups": […]}`.
pub fn json(wins: &Wins, out: &Output) -> Text {
    json_format::document(wins, out)
}

/// A row for each model of each task.
pub fn csv(wins: &Wins) -> Text {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
    let rows = wins.groups.iter().flat_map(|group| {
        group.models.iter().map(move |model| {
            let (people, judges) = (model.estimate, model.judges);
            vec![
                group.task.clone().unwrap_or_default(),
                model.model.clone(),
                model.votes.to_string(),
                model.won.to_string(),
                model.equal.to_string(),
                model.lost.to_string(),
                number(people.map(|found| found.win_rate)),
                number(people.map(|found| found.low)),
                number(people.map(|found| found.high)),
                number(people.map(|found| found.strength)),
                number(people.map(|found| found.strength_low)),
                number(people.map(|found| found.strength_high)),
                model.judged.to_string(),
                number(judges.map(|found| found.win_rate)),
                number(judges.map(|found| found.low)),
                number(judges.map(|found| found.high)),
            ]
        })
    });
    csv_format::table(&HEADINGS, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preference(run: usize, task: Option<&str>, models: &[(&str, bool)]) -> Preference {
        let models = models.iter().map(|(model, chosen)| ((*model).to_owned(), *chosen)).collect();
        Preference { run: run.to_string(), task: task.map(str::to_owned), models }
    }

    fn sample() -> Preferences {
        let mut found = Preferences::default();
        for run in 0..20 {
            let (a, b) = (run < 15, run >= 17);
            let tie = !a && !b;
            let task = if run < 12 { Some("coding") } else { None };
            found.votes.push(preference(run, task, &[("a", a || tie), ("b", b || tie), ("c", false)]));
            if run % 2 == 0 {
                found.verdicts.push(preference(run, task, &[("a", true), ("b", false), ("c", false)]));
            }
        }
        found
    }

    #[test]
    fn votes_give_win_rates_with_intervals() {
        let wins = Wins::new(&sample(), false);
        insta::assert_snapshot!(text(&wins, &Output::terminal(100)), @r"
         model  votes  won  equal  lost  win rate     95 %  judges  judges 95 %
         a         20   15      2     3      89 %  75–95 %    98 %     73–100 %
         b         20    3      2    15      55 %  39–71 %    26 %       2–87 %
         c         20    0      0    20       6 %   0–51 %    26 %       2–87 %

         b and c are indistinguishable after 20 votes (their 95 % intervals overlap)
         the judges' best answer was also the voters' in 9 of 10 votes (60–98 %)
        ");
        let json = serde_json::to_value(&wins).expect("JSON");
        let first = &json["groups"][0]["models"][0];
        assert_eq!(
            (&first["model"], &first["won"], &first["equal"], &first["lost"]),
            (&"a".into(), &15.into(), &2.into(), &3.into())
        );
        assert_eq!(json["groups"][0]["agreement"]["same"], 9);
        assert_eq!(json["groups"][0]["agreement"]["votes"], 10);
    }

    #[test]
    fn tasks_have_tables_of_their_own() {
        let wins = Wins::new(&sample(), true);
        let page = text(&wins, &Output::terminal(100)).to_string();
        assert!(page.contains("no task\n") && page.contains("task coding\n"), "{page}");
        assert_eq!(csv(&wins).to_string().lines().count(), 7);
        assert!(markdown(&wins).to_string().contains("## task coding\n\n| model | votes |"));
        assert!(Wins::new(&Preferences::default(), true).is_empty());
        assert!(Wins::new(&Preferences::default(), false).is_empty());
    }
}
