//! `llm compare`: asks several models at once, and shows their answers side by side.

use std::time::Duration;

use super::live::{Live, progress};
use super::request::{self, Chosen};
use super::run::{RunOptions, View, run};
use super::{Context, dry_run};
use crate::call::{Call, RunEvent};
use crate::cli::{self, CompareArgs, CompareFormat, SortBy};
use crate::error::Error;
use crate::record::{Record, Status};
use crate::report::columns::{self, Layout};
use crate::report::destination::Destination;
use crate::report::term::{Output, Text};
use crate::report::{self, Comparison, csv, html, json, markdown, table};
use crate::resolve::Resolver;
use crate::route::NamedRoute;
use crate::run::{Notices, Outcome, Reporter};

pub(super) fn run_compare(context: &Context, args: &CompareArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.prompt.out.path.as_deref(), context.terminal.stdout)?;
    let chosen = Chosen::of(context, &args.template)?;
    let models = models(context, args, chosen.as_ref())?;
    let prepared = request::prepare_chosen(context, &args.prompt, chosen.as_ref())?;
    let rounds = std::iter::repeat_n(&models, args.repeat as usize);
    let calls = prepared.calls.calls(&context.settings, rounds.flatten())?;
    let format = args.output.format;
    if args.prompt.dry_run {
        return dry_run::run(context, &calls, format != CompareFormat::Text, destination);
    }
    let options = options(context, args, models.len());
    let labels = report::unique(calls.iter().map(|call| call.asked.as_str()));
    let writes_lines = format == CompareFormat::Jsonl && !destination.is_file();
    let line = writes_lines.then(|| Box::new(|_: &Call, record: &Record| json::line(record)) as Box<_>);
    let live = Live::new(progress(context, labels), line);
    let mut view = CompareView { context, args, prompt: &prepared.prompt, destination: Some(destination), live };
    run(context, calls, &options, &mut view)
}

/// With `--repeat`, rounds run one after the other, so that several requests to one model do not slow each other down. The
/// answer cache is then not used, because a cached answer has no latency to measure.
fn options(context: &Context, args: &CompareArgs, models: usize) -> RunOptions {
    let mut options = RunOptions::new(context, "compare", &args.prompt);
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

/// Shows the answers when all calls have ended.
struct CompareView<'a> {
    context: &'a Context,
    args: &'a CompareArgs,
    prompt: &'a str,
    destination: Option<Destination>,
    live: Live<'a>,
}

impl Reporter for CompareView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.live.ended(call, record)
    }
}

impl View for CompareView<'_> {
    fn finish(&mut self, outcome: &Outcome) -> Result<u8, Error> {
        let mut records = self.live.finish();
        let Some(destination) = self.destination.take() else { return Ok(outcome.exit_code.code()) };
        let format = self.args.output.format;
        let shows_rounds = self.args.repeat > 1 && format == CompareFormat::Text;
        if let Some(by) = self.args.sort.filter(|_| !shows_rounds) {
            records.sort_by_key(|record| rank(record, by));
        }
        let comparison = Comparison::new(&outcome.run, self.prompt, &records);
        let out = destination.output();
        let layout = match self.args.layout {
            None => Layout::Auto,
            Some(cli::Layout::Columns) => Layout::Columns,
            Some(cli::Layout::Stacked) => Layout::Stacked,
        };
        let text = match format {
            CompareFormat::Text if shows_rounds => repeated(&comparison, self.args.sort, layout, &out),
            // Each line was written when its call ended.
            CompareFormat::Jsonl if !destination.is_file() => Text::new(),
            _ => text(&comparison, format, layout, &out)?,
        };
        destination.write(text)?;
        if shows_rounds {
            self.context.notice("answers shown are those of the first round; -o json has all of them");
        }
        Ok(outcome.exit_code.code())
    }
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
        CompareFormat::Text => columns::answers(comparison, layout, out) + "\n" + table::comparison(comparison, out),
        CompareFormat::Json => json::comparison(comparison, out),
        CompareFormat::Jsonl => comparison.records.iter().map(json::line).collect(),
        CompareFormat::Markdown => markdown::comparison(comparison),
        CompareFormat::Csv => csv::comparison(comparison),
        CompareFormat::Html => html::comparison(comparison)?,
    })
}

/// The answers of the first round, and a table with one row for each model.
fn repeated(comparison: &Comparison<'_>, sort: Option<SortBy>, layout: Layout, out: &Output) -> Text {
    let mut groups: Vec<(String, Vec<&Record>)> = Vec::new();
    for record in comparison.records {
        match groups.iter_mut().find(|(name, _)| *name == record.model) {
            Some((_, group)) => group.push(record),
            None => groups.push((record.model.clone(), vec![record])),
        }
    }
    if let Some(by) = sort {
        groups.sort_by_key(|(_, group)| median_rank(group, by));
    }
    let first: Vec<Record> = groups.iter().filter_map(|(_, group)| group.first().copied().cloned()).collect();
    let first = Comparison::new(comparison.run, comparison.prompt, &first);
    columns::answers(&first, layout, out) + "\n" + table::repeated(&groups, out)
}

/// The key by which a record is sorted: the best comes first; failed calls and unknown figures come last.
fn rank(record: &Record, by: SortBy) -> (bool, u128) {
    let time = |time: Option<Duration>| time.map_or(u128::MAX, |time| time.as_nanos());
    let figure = match by {
        SortBy::Latency => time(record.timing.total),
        SortBy::FirstToken => time(record.timing.first_token),
        SortBy::Cost => record.cost.and_then(|cost| u128::try_from(cost.usd.picos()).ok()).unwrap_or(u128::MAX),
    };
    (record.status == Status::Failed, figure)
}

/// The sorting key of a model that was asked several times: the median of the keys of its answers.
fn median_rank(records: &[&Record], by: SortBy) -> (bool, u128) {
    let mut ranks: Vec<_> = records.iter().map(|record| rank(record, by)).filter(|(failed, _)| !failed).collect();
    ranks.sort_unstable();
    ranks.get(ranks.len().saturating_sub(1) / 2).copied().unwrap_or((true, u128::MAX))
}
