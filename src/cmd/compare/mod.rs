//! `llm compare`: asks several models at once, and shows their answers side by side.

mod choice;
mod vote;

use std::sync::Arc;
use std::time::Duration;

use self::choice::Choice;
use super::live::{Live, progress};
use super::request::{self, Chosen};
use super::run::{Ending, RunOptions, View, run, run_schedule};
use super::{Context, dry_run};
use crate::call::{Call, Role, RunEvent};
use crate::cli::{self, CompareArgs, CompareFormat, SortBy};
use crate::error::Error;
use crate::judge;
use crate::record::{Record, Status};
use crate::report::choosing::Choosing;
use crate::report::columns::{self, Layout};
use crate::report::destination::Destination;
use crate::report::repeats::{self, Repeats};
use crate::report::term::{Output, Text, print, say};
use crate::report::{self, Comparison, choosing, csv, diff, format, html, json, markdown, table};
use crate::resolve::Resolver;
use crate::route::NamedRoute;
use crate::run::{Notices, Outcome, Reporter};
use crate::score::{self, Part, Scored};

pub(super) fn run_compare(context: &Context, args: &CompareArgs) -> Result<u8, Error> {
    let destination = request::destination(context, &args.prompt)?;
    let chosen = Chosen::of(context, &args.template)?;
    let mut models = models(context, args, chosen.as_ref())?;
    let scorers = choice::scorers(context, args)?;
    if args.vote {
        vote::check(context, args, models.len())?;
        // So that neither the order nor the live lines tell whose an answer is.
        fastrand::shuffle(&mut models);
    }
    let base = base(args, &models)?;
    let mut prepared = request::prepare_chosen(context, &args.prompt, chosen.as_ref())?;
    if scorers.0.iter().any(|scorer| scorer.scorer.needs_logprobs()) {
        Arc::make_mut(&mut prepared.calls.request).logprobs.get_or_insert(0);
    }
    let rounds = std::iter::repeat_n(&models, args.repeat as usize);
    let calls = prepared.calls.calls(&context.settings, rounds.flatten())?;
    let format = args.output.format;
    let choice = Choice::new(context, args, scorers, &calls)?;
    if args.prompt.dry_run {
        if !args.judge.is_empty() {
            context.notice("judges are asked about the answers, so their requests are not shown");
        }
        return dry_run::run(context, &calls, format != CompareFormat::Text, destination);
    }
    let options = options(context, args, models.len());
    let mut labels = match args.vote {
        true => (0..calls.len()).map(vote::letter).collect(),
        false => report::unique(calls.iter().map(|call| call.asked.as_str())),
    };
    let judges: Vec<String> = choice.iter().flat_map(Choice::labels).collect();
    labels.extend(report::unique(judges.iter().map(String::as_str)));
    let writes_lines = format == CompareFormat::Jsonl && !destination.is_file();
    let line = writes_lines.then(|| Box::new(|_: &Call, record: &Record| json::line(record)) as Box<_>);
    let live = Live::new(progress(context, labels), line);
    let judged = choice.as_ref().and_then(|choice| choice.schedule(&calls));
    let task = calls.first().and_then(|call| call.task.clone());
    let task = task.filter(|task| calls.iter().all(|call| call.task.as_ref() == Some(task)));
    let mut view = CompareView {
        base,
        task,
        context,
        args,
        prompt: &prepared.prompt,
        destination: Some(destination),
        live,
        answers: calls.len(),
        choice,
        judged: Vec::new(),
    };
    match judged {
        Some((mut schedule, like)) => run_schedule(context, &like, &mut schedule, &options, &mut view),
        None => run(context, calls, &options, &mut view),
    }
}

/// With `--repeat`, rounds run one after the other, so that several requests to one model do not slow each other down. The
/// answer cache is then not used, because a cached answer has no latency to measure.
fn options(context: &Context, args: &CompareArgs, models: usize) -> RunOptions {
    let mut options = RunOptions::new(context, "compare", &args.prompt);
    options.hints = true;
    options.concurrency = args.concurrency.map_or(models, |calls| calls as usize);
    if args.repeat > 1 && options.gateways.cached.replace(false) == Some(true) {
        context.notice("--repeat measures, so the answer cache is not used");
    }
    options
}

/// The models to compare: those of the flags and of a set of the config, or else the template's, or else all that the
/// gateway's settings name.
fn models(context: &Context, args: &CompareArgs, chosen: Option<&Chosen>) -> Result<Vec<NamedRoute>, Error> {
    let resolver = Resolver::new(&context.settings, args.prompt.to.gateway.as_deref());
    let mut models = args.model.iter().map(|name| resolver.model(name)).collect::<Result<Vec<_>, _>>()?;
    for task in &args.task {
        models.push(resolver.task(task)?);
    }
    if let Some(set) = &args.set {
        models.extend(resolver.set(set)?);
    }
    if models.is_empty() {
        models.extend(chosen.map(|chosen| chosen.model(&resolver)).transpose()?.flatten());
    }
    if models.is_empty() {
        models = resolver.models_of_gateway()?;
    }
    if models.is_empty() {
        let hint = "name them with -m A,B,C, or --set NAME of a list in the config file";
        return Err(Error::usage_hint("which models?", hint));
    }
    Ok(models)
}

/// The place of the model with which the others are compared word by word, if they are.
///
/// # Errors
/// The flag names a model that is not compared, or a format that has no diff.
fn base(args: &CompareArgs, models: &[NamedRoute]) -> Result<Option<usize>, Error> {
    if !args.diff {
        return Ok(None);
    }
    if !matches!(args.output.format, CompareFormat::Text | CompareFormat::Markdown | CompareFormat::Html) {
        return Err(Error::usage_hint("--diff has no such form", "it can be text, markdown or html"));
    }
    let Some(name) = &args.against else { return Ok(Some(0)) };
    let labels = report::unique(models.iter().map(|model| model.name.as_str()));
    let found = labels.iter().position(|label| label == name);
    found.map(Some).ok_or_else(|| {
        Error::usage_hint(format!("--against: {name} is not compared"), format!("it is one of {}", labels.join(", ")))
    })
}

/// Shows the answers when all calls have ended.
struct CompareView<'a> {
    /// The index of the model with which the others are compared word by word, if they are.
    base: Option<usize>,
    /// The task of all calls, if they have one.
    task: Option<String>,
    context: &'a Context,
    args: &'a CompareArgs,
    prompt: &'a str,
    destination: Option<Destination>,
    live: Live<'a>,
    /// How many calls are for answers; the others are for judges.
    answers: usize,
    choice: Option<Choice>,
    /// The records of the judges, each with its index after the answers.
    judged: Vec<(usize, Record)>,
}

impl Reporter for CompareView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        if call.role == Role::Judge {
            self.judged.push((call.index.saturating_sub(self.answers), record));
            return Ok(());
        }
        self.live.ended(call, record)
    }
}

impl View for CompareView<'_> {
    fn finish(&mut self, outcome: &Outcome, ending: &mut Ending<'_>) -> Result<u8, Error> {
        let mut records = self.live.finish();
        let rounds = self.args.repeat as usize;
        self.judged.sort_by_key(|(index, _)| *index);
        let choose = |choice: &Choice| choice.choose(&records, &self.judged, rounds, outcome, ending);
        let mut choosing = self.choice.as_ref().map(choose).transpose()?;
        if let (Some(choosing), Some(recording)) = (&choosing, ending.recording()) {
            recording.ledger.record_scores(scores_to_keep(&records, choosing, recording.texts));
        }
        let base = self.base.and_then(|base| Some(records.get(base)?.id.clone()));
        if self.args.vote && outcome.stopped.is_none() {
            let chosen = vote::ask(self.context, &records, self.layout(), ending)?;
            vote::keep(self.context, &outcome.run, self.task.clone(), &records, &chosen, ending);
            print(vote::revealed(&records, &chosen, &self.context.terminal.stdout))?;
        }
        if let Some(by) = self.args.sort.filter(|_| !self.shows_rounds()) {
            sort(&mut records, choosing.as_mut(), by);
        }
        let comparison = Comparison {
            is_repeated: rounds > 1,
            choosing: choosing.as_ref(),
            diff_against: base.and_then(|id| records.iter().position(|record| record.id == id)),
            ..Comparison::new(&outcome.run, self.prompt, &records)
        };
        self.show(&comparison)?;
        Ok(self.exit_code(&comparison, outcome))
    }
}

impl CompareView<'_> {
    /// Whether the text shows the answers of one round, and the figures of all.
    fn shows_rounds(&self) -> bool {
        self.args.repeat > 1 && self.args.output.format == CompareFormat::Text
    }

    fn layout(&self) -> Layout {
        match self.args.layout {
            None => Layout::Auto,
            Some(cli::Layout::Columns) => Layout::Columns,
            Some(cli::Layout::Stacked) => Layout::Stacked,
        }
    }

    fn show(&mut self, comparison: &Comparison<'_>) -> Result<(), Error> {
        let Some(destination) = self.destination.take() else { return Ok(()) };
        let out = destination.output();
        if self.args.best {
            return self.show_best(comparison, destination);
        }
        let layout = self.layout();
        let text = match self.args.output.format {
            // The answers have been shown.
            CompareFormat::Text if self.args.vote => table::comparison(comparison, &out) + findings(comparison, &out),
            CompareFormat::Text if self.shows_rounds() => repeated(comparison, self.args.sort, layout, &out),
            // Each line was written when its call ended.
            CompareFormat::Jsonl if !destination.is_file() => choosing_line(comparison),
            format => text(comparison, format, layout, &out)?,
        };
        destination.write(text)?;
        if self.shows_rounds() {
            self.context.notice("answers shown are those of the first round; -o json has all of them");
        }
        Ok(())
    }

    /// Prints the best answer alone, and on stderr what was found. Without a best answer, nothing is written.
    fn show_best(&self, comparison: &Comparison<'_>, destination: Destination) -> Result<(), Error> {
        let stderr = &self.context.terminal.stderr;
        if stderr.tty && !self.context.quiet {
            let figures = match comparison.is_repeated {
                true => repeats::text(&Repeats::new(comparison), stderr),
                false => table::comparison(comparison, stderr),
            };
            say(figures + "\n" + choosing::text(comparison, stderr));
        } else {
            comparison.findings().iter().for_each(|finding| self.context.notice(finding));
        }
        let Some(record) = comparison.best_record() else { return Ok(()) };
        let line_break = if record.text.ends_with('\n') { "" } else { "\n" };
        destination.write(Text::from(record.text.as_str()) + line_break)
    }

    /// 9 where the best score is too low or there is none, unless the calls failed in another way.
    fn exit_code(&self, comparison: &Comparison<'_>, outcome: &Outcome) -> u8 {
        /// Of an answer that fails its check.
        const FAILED_CHECK: u8 = 9;
        let code = outcome.exit_code.code();
        let winner = comparison.winner();
        let too_low = self.args.fail_under.and_then(|least| match &winner {
            Some(winner) if winner.score >= least => None,
            Some(winner) => Some(format!("the best score, {}, is below {least}", format::score(winner.score))),
            None => Some(format!("no score is known, so none reaches {least}")),
        });
        let is_missing = self.args.best && winner.is_none();
        if !matches!(code, 0 | 8) || !(too_low.is_some() || is_missing) {
            return code;
        }
        self.context.urgent(&too_low.unwrap_or_else(|| "no answer is printed, because no score is known".to_owned()));
        FAILED_CHECK
    }
}

/// What the ledger keeps of the scores: by call, each part, and each judge's verdict as a part that does not count again.
fn scores_to_keep(records: &[Record], choosing: &Choosing, texts: bool) -> Vec<(String, Vec<Part>)> {
    let verdicts = |place: usize| {
        let said = choosing.panel.iter().flat_map(move |panel| panel.of(place));
        said.map(|said| Part {
            scorer: format!("{}:{}", judge::SCORER, said.judge),
            weight: 0.0,
            score: Some(said.verdict.score),
            reason: Some(said.verdict.reasons.join(" / ")),
        })
    };
    let of = |(place, (record, scored)): (usize, (&Record, &Scored))| {
        let scored = scored.parts.iter().map(|part| if texts { part.clone() } else { part.without_text() });
        // A reason may quote the answer.
        let verdicts = verdicts(place).map(|part| Part { reason: part.reason.filter(|_| texts), ..part });
        (record.id.clone(), scored.chain(verdicts).collect())
    };
    records.iter().zip(&choosing.scored).enumerate().map(of).collect()
}

/// Sorts the answers, each with its score.
fn sort(records: &mut Vec<Record>, choosing: Option<&mut Choosing>, by: SortBy) {
    let scored = |place: usize| choosing.as_ref().and_then(|choosing| choosing.scored.get(place)?.score);
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|place| rank(&records[*place], scored(*place), by));
    *records = order.iter().map(|place| records[*place].clone()).collect();
    if let Some(choosing) = choosing {
        choosing.scored = order.iter().map(|place| choosing.scored[*place].clone()).collect();
    }
}

/// The line of JSON that follows those of the records where answers are scored.
fn choosing_line(comparison: &Comparison<'_>) -> Text {
    comparison.choosing.map(|_| json::choosing_line(comparison)).unwrap_or_default()
}

/// The text of a comparison in this format.
///
/// # Errors
/// The page cannot be rendered.
pub(super) fn text(
    comparison: &Comparison<'_>,
    format: CompareFormat,
    layout: Layout,
    out: &Output,
) -> Result<Text, Error> {
    Ok(match format {
        CompareFormat::Text => {
            answers(comparison, layout, out) + "\n" + table::comparison(comparison, out) + findings(comparison, out)
        }
        CompareFormat::Json => json::comparison(comparison, out),
        CompareFormat::Jsonl => comparison.records.iter().map(json::line).collect::<Text>() + choosing_line(comparison),
        CompareFormat::Markdown => markdown::comparison(comparison),
        CompareFormat::Csv => csv::comparison(comparison),
        CompareFormat::Html => html::comparison(comparison)?,
    })
}

/// The answers, or how they differ.
fn answers(comparison: &Comparison<'_>, layout: Layout, out: &Output) -> Text {
    match comparison.diff_against {
        Some(base) => diff::text(comparison, base, out),
        None => columns::answers(comparison, layout, out),
    }
}

/// What was found of the answers, after an empty line; nothing where nothing is scored.
fn findings(comparison: &Comparison<'_>, out: &Output) -> Text {
    let text = choosing::text(comparison, out);
    if text.is_empty() { text } else { Text::from("\n") + text }
}

/// The answers of the first round, and a table with the figures of each model.
fn repeated(comparison: &Comparison<'_>, sort: Option<SortBy>, layout: Layout, out: &Output) -> Text {
    let mut models = comparison.models();
    if let Some(by) = sort {
        models.sort_by_key(|(_, places)| median_rank(comparison, places, by));
    }
    // The records of each model stand together, in the order in which the models are shown.
    let order: Vec<usize> = models.iter().flat_map(|(_, places)| places.iter().copied()).collect();
    let records: Vec<Record> = order.iter().map(|place| comparison.records[*place].clone()).collect();
    let choosing = comparison.choosing.map(|choosing| Choosing {
        scored: order.iter().map(|place| choosing.scored[*place].clone()).collect(),
        ..choosing.clone()
    });
    let sorted = Comparison { records: &records, choosing: choosing.as_ref(), ..*comparison };
    let base = comparison.diff_against.and_then(|base| models.iter().position(|(_, places)| places.contains(&base)));
    let first: Vec<Record> = models.iter().map(|(_, places)| comparison.records[places[0]].clone()).collect();
    let first = Comparison { diff_against: base, ..Comparison::new(comparison.run, comparison.prompt, &first) };
    let figures = repeats::text(&Repeats::new(&sorted), out);
    answers(&first, layout, out) + "\n" + figures + findings(&sorted, out)
}

/// The key by which a record is sorted: the best comes first; failed calls and unknown figures come last.
fn rank(record: &Record, score: Option<f64>, by: SortBy) -> (bool, u128) {
    let time = |time: Option<Duration>| time.map_or(u128::MAX, |time| time.as_nanos());
    let figure = match by {
        SortBy::Latency => time(record.timing.total),
        SortBy::FirstToken => time(record.timing.first_token),
        SortBy::Cost => record.cost.and_then(|cost| u128::try_from(cost.usd.picos()).ok()).unwrap_or(u128::MAX),
        SortBy::Score => score.map_or(u128::MAX, |score| u128::from(descending(score))),
    };
    (record.status == Status::Failed, figure)
}

/// A number that is the smaller the greater the score is.
fn descending(score: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = score.to_bits();
    // The bits of floats are in order, those of negative ones in reverse order.
    let ascending = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    !ascending
}

/// The sorting key of a model that was asked several times: of its score the mean, else the median of the keys of its
/// answers.
fn median_rank(comparison: &Comparison<'_>, places: &[usize], by: SortBy) -> (bool, u128) {
    let scored = |place: &usize| comparison.choosing.and_then(|choosing| choosing.scored.get(*place));
    let score = score::mean_score(places.iter().filter_map(scored));
    let ranks = places.iter().map(|place| rank(&comparison.records[*place], score, by));
    let mut ranks: Vec<_> = ranks.filter(|(failed, _)| !failed).collect();
    ranks.sort_unstable();
    ranks.get(ranks.len().saturating_sub(1) / 2).copied().unwrap_or((true, u128::MAX))
}
