//! `llm compare`: several models at once, their answers side by side.

use std::time::Duration;

use super::drive::{self, Outcome, Plan, Reporter, drive};
use super::journal::{self, Journal};
use super::ready::{Wishes, ready};
use super::{Context, dry_run, process, request};
use crate::call::RunEvent;
use crate::cli::{self, CompareArgs, CompareFormat, SortBy};
use crate::error::Error;
use crate::record::{Record, Status};
use crate::report::columns::{self, Layout};
use crate::report::destination::Destination;
use crate::report::progress::Progress;
use crate::report::term::{Output, Terminal, Text, print};
use crate::report::{self, Comparison, csv, html, json, markdown, table};
use crate::route::{self, Asked};

pub(super) fn run(context: &Context, args: &CompareArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.prompt.out.path.as_deref(), context.terminal.stdout)?;
    let models = models(context, args)?;
    let prepared = request::prepare(context, &args.prompt)?;
    let rounds = args.repeat as usize;
    let calls: Vec<&Asked> = std::iter::repeat_n(&models, rounds).flatten().collect();
    let calls = prepared.calls(context, &calls)?;
    if args.prompt.dry_run {
        return dry_run::run(context, &calls, args.output.format != CompareFormat::Text, destination);
    }
    // One round after the other, so that a model is not measured against its own crowd.
    let at_once = args.concurrency.map_or(models.len(), |calls| calls as usize);
    let plan = Plan {
        concurrency: at_once.min(process::connections()),
        priced: true,
        schema: prepared.schema.clone(),
        trace: context.trace(),
        tags: prepared.tags.clone(),
        calls,
        course: None,
    };
    let ready = ready(context, &plan.calls, wishes(context, args)?)?;
    let level = journal::level(context, args.prompt.log.level);
    let journal = Journal::new(context, level, "compare", &ready);
    let labels = report::unique(plan.calls.iter().map(|call| call.asked.as_str()));
    let lines = (args.output.format == CompareFormat::Jsonl && !destination.is_file()).then_some(destination.output());
    // Lines that are drawn over and lines that stay do not go together.
    let terminal = Terminal { live: context.terminal.live && !context.verbose, ..context.terminal };
    let mut reporter = Live { progress: Progress::new(labels, &terminal, context.quiet), lines };
    let mut outcome = drive(ready, plan, &mut reporter)?;
    reporter.progress.clear();
    let shown = show(context, args, destination, (&prepared.prompt, models.len()), &mut outcome);
    journal.write(context, outcome);
    shown
}

/// Who repeats wants to measure: an answer from the cache, or the same one again, measures nothing.
fn wishes(context: &Context, args: &CompareArgs) -> Result<Wishes, Error> {
    let wishes = Wishes::new(&args.prompt)?;
    if args.repeat == 1 {
        return Ok(wishes);
    }
    if wishes.cached == Some(true) {
        context.notice("--repeat measures, so the answer cache is not used");
    }
    Ok(Wishes { cached: Some(false), ..wishes })
}

/// Puts the answers where they belong; the exit code.
fn show(
    context: &Context,
    args: &CompareArgs,
    destination: Destination,
    (prompt, models): (&str, usize),
    outcome: &mut Outcome,
) -> Result<u8, Error> {
    let rounds = args.repeat as usize;
    // Lines for each record have been written as it ended.
    let told = args.output.format == CompareFormat::Jsonl && !destination.is_file();
    outcome.writable()?;
    let rounds_in_one = rounds > 1 && args.output.format == CompareFormat::Text;
    let mut sorted = Vec::new();
    if let Some(by) = args.sort.filter(|_| !rounds_in_one) {
        sorted.clone_from(&outcome.records);
        sorted.sort_by_key(|record| rank(record, by));
    }
    let records = if sorted.is_empty() { &outcome.records } else { &sorted };
    let comparison = Comparison::new(&outcome.run, prompt, records);
    let out = destination.output();
    let text = match args.output.format {
        CompareFormat::Text => text(&comparison, models, rounds, args, &out),
        CompareFormat::Json => json::comparison(&comparison, &out),
        CompareFormat::Jsonl if told => Text::new(),
        CompareFormat::Jsonl => records.iter().map(json::line).collect(),
        CompareFormat::Markdown => markdown::comparison(&comparison),
        CompareFormat::Csv => csv::comparison(&comparison),
        CompareFormat::Html => html::comparison(&comparison)?,
    };
    destination.write(text)?;
    if rounds_in_one {
        context.notice("answers shown are those of the first round; -o json has all of them");
    }
    match outcome.stopped.take() {
        Some(error) => Err(error),
        None => Ok(drive::exit_code(records)),
    }
}

/// The models to compare: the flags, a set of the config, or all that the gateway's settings name.
fn models(context: &Context, args: &CompareArgs) -> Result<Vec<Asked>, Error> {
    let gateway = args.prompt.to.gateway.as_deref();
    request::with_names(context, gateway, |names| {
        let mut models = args.model.iter().map(|name| names.model(name.trim())).collect::<Result<Vec<_>, _>>()?;
        for task in &args.task {
            models.push(names.task(task.trim())?);
        }
        if let Some(set) = &args.set {
            for name in route::set(set, &context.settings.sets)? {
                models.push(names.model(name)?);
            }
        }
        if models.is_empty() {
            let gateway = context.settings.gateway(&request::default_gateway(context, gateway)?)?;
            models = gateway.models.iter().map(|name| names.model(name)).collect::<Result<_, _>>()?;
        }
        if models.is_empty() {
            return Err(Error::usage_hint(
                "which models?",
                "name them with -m A,B,C, or --set NAME of a list in the config file",
            ));
        }
        Ok(models)
    })
}

/// Progress on stderr; on stdout a line for each record as it ends, if that is the form.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) progress: Progress,
    pub(super) lines: Option<Output>,
}

impl Reporter for Live {
    fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, record: &Record) -> Result<(), Error> {
        match &self.lines {
            Some(_) => self.progress.suspend(|| print(json::line(record))),
            None => Ok(()),
        }
    }
}

fn text(comparison: &Comparison<'_>, models: usize, rounds: usize, args: &CompareArgs, out: &Output) -> Text {
    let layout = match args.layout {
        None => Layout::Auto,
        Some(cli::Layout::Columns) => Layout::Columns,
        Some(cli::Layout::Stacked) => Layout::Stacked,
    };
    if rounds == 1 {
        return columns::answers(comparison, layout, out) + "\n" + table::comparison(comparison, out);
    }
    let mut groups: Vec<(String, Vec<&Record>)> = Vec::with_capacity(models);
    for record in comparison.records {
        match groups.iter_mut().find(|(name, _)| *name == record.model) {
            Some((_, group)) => group.push(record),
            None => groups.push((record.model.clone(), vec![record])),
        }
    }
    if let Some(by) = args.sort {
        groups.sort_by_key(|(_, group)| median_rank(group, by));
    }
    let first: Vec<Record> = groups.iter().filter_map(|(_, group)| group.first().copied().cloned()).collect();
    let first = Comparison::new(comparison.run, comparison.prompt, &first);
    columns::answers(&first, layout, out) + "\n" + table::repeated(&groups, out)
}

/// Where a record stands in this order: best first; what failed, or has no such figure, last.
fn rank(record: &Record, by: SortBy) -> (bool, u128) {
    let time = |time: Option<Duration>| time.map_or(u128::MAX, |time| time.as_nanos());
    let figure = match by {
        SortBy::Latency => time(record.timing.total),
        SortBy::FirstToken => time(record.timing.first_token),
        SortBy::Cost => record.cost.and_then(|cost| u128::try_from(cost.usd.picos()).ok()).unwrap_or(u128::MAX),
    };
    (record.status == Status::Failed, figure)
}

/// Where a model that was asked several times stands: its median answer does.
fn median_rank(records: &[&Record], by: SortBy) -> (bool, u128) {
    let mut ranks: Vec<_> = records.iter().map(|record| rank(record, by)).filter(|(failed, _)| !failed).collect();
    ranks.sort_unstable();
    ranks.get(ranks.len().saturating_sub(1) / 2).copied().unwrap_or((true, u128::MAX))
}
