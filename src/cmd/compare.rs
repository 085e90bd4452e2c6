//! `llm compare`: several models at once, their answers side by side.

use std::cmp::Ordering;
use std::time::Duration;

use super::drive::{self, Plan, Reporter, drive};
use super::output::Destination;
use super::ready::ready;
use super::{Context, dry_run, process, request};
use crate::call::RunEvent;
use crate::cli::{self, CompareArgs, CompareFormat, SortBy};
use crate::error::{Error, SIGPIPE};
use crate::record::{Record, Status};
use crate::report::columns::{self, Layout};
use crate::report::progress::Progress;
use crate::report::term::{Output, Terminal, print};
use crate::report::{self, Comparison, csv, html, json, markdown, table};
use crate::route::{self, Asked};

pub(super) fn run(context: &Context, args: &CompareArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.prompt.out.as_deref(), context.terminal.stdout)?;
    let models = models(context, args)?;
    let prepared = request::prepare(context, &args.prompt)?;
    let rounds = args.repeat as usize;
    let calls: Vec<&Asked> = std::iter::repeat_n(&models, rounds).flatten().collect();
    let calls = prepared.calls(context, &calls)?;
    if args.prompt.dry_run {
        return dry_run::run(context, &calls, args.output != CompareFormat::Text, destination);
    }
    // One round after the other, so that a model is not measured against its own crowd.
    let at_once = args.concurrency.map_or(models.len(), |calls| calls as usize);
    let plan = Plan {
        concurrency: at_once.min(process::connections()),
        priced: true,
        trace: context.trace(),
        tags: prepared.tags.clone(),
        calls,
    };
    let ready = ready(context, &plan.calls, &args.prompt)?;
    let labels = report::unique(plan.calls.iter().map(|call| call.asked.as_str()));
    let lines = (args.output == CompareFormat::Jsonl && !destination.is_file()).then_some(destination.output());
    // Lines that are drawn over and lines that stay do not go together.
    let terminal = Terminal { live: context.terminal.live && !context.verbose, ..context.terminal };
    let mut reporter = Live { progress: Progress::new(labels, &terminal, context.quiet), lines };
    let outcome = drive(ready, plan, &mut reporter)?;
    reporter.progress.clear();
    if matches!(outcome.stopped, Some(Error::Output { .. } | Error::Signalled(SIGPIPE))) {
        return Err(outcome.stopped.unwrap_or(Error::Reported { exit_code: 74 }));
    }
    let mut records = outcome.records;
    if let Some(by) = args.sort {
        sort(&mut records, by);
    }
    let comparison = Comparison::new(&outcome.run, &prepared.prompt, &records);
    let out = destination.output();
    let text = match args.output {
        CompareFormat::Text => text(&comparison, models.len(), rounds, args, &out),
        CompareFormat::Json => json::comparison(&comparison, &out),
        CompareFormat::Jsonl if lines.is_some() => String::new(),
        CompareFormat::Jsonl => records.iter().map(|record| json::line(record, &out)).collect(),
        CompareFormat::Markdown => markdown::comparison(&comparison),
        CompareFormat::Csv => csv::comparison(&comparison),
        CompareFormat::Html => html::comparison(&comparison),
    };
    destination.write(text.as_bytes())?;
    if rounds > 1 && args.output == CompareFormat::Text {
        context.notice("answers shown are those of the first round; -o json has all of them");
    }
    match outcome.stopped {
        Some(error) => Err(error),
        None => Ok(drive::exit_code(&records)),
    }
}

/// The models to compare: the flags, a set of the config, or all that the gateway's settings name.
fn models(context: &Context, args: &CompareArgs) -> Result<Vec<Asked>, Error> {
    let gateway = args.prompt.gateway.as_deref();
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
struct Live {
    progress: Progress,
    lines: Option<Output>,
}

impl Reporter for Live {
    fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, record: &Record) -> Result<(), Error> {
        match &self.lines {
            Some(out) => self.progress.suspend(|| print(json::line(record, out))),
            None => Ok(()),
        }
    }
}

fn text(comparison: &Comparison<'_>, models: usize, rounds: usize, args: &CompareArgs, out: &Output) -> String {
    let layout = match args.layout {
        None => Layout::Auto,
        Some(cli::Layout::Columns) => Layout::Columns,
        Some(cli::Layout::Stacked) => Layout::Stacked,
    };
    if rounds == 1 {
        return format!("{}\n{}", columns::answers(comparison, layout, out), table::comparison(comparison, out));
    }
    // Sorting is over all rounds, so a model's first answer is found by its place among those of its name.
    let mut groups: Vec<(String, Vec<&Record>)> = Vec::with_capacity(models);
    for record in comparison.records {
        match groups.iter_mut().find(|(name, _)| *name == record.model) {
            Some((_, group)) => group.push(record),
            None => groups.push((record.model.clone(), vec![record])),
        }
    }
    let first: Vec<Record> = groups.iter().filter_map(|(_, group)| group.first().copied().cloned()).collect();
    let first = Comparison::new(comparison.run, comparison.prompt, &first);
    format!("{}\n{}", columns::answers(&first, layout, out), table::repeated(&groups, out))
}

/// Best first; what failed, or has no such figure, last.
fn sort(records: &mut [Record], by: SortBy) {
    let time = |time: Option<Duration>| time.map_or(u128::MAX, |time| time.as_nanos());
    let figure = |record: &Record| match by {
        SortBy::Latency => time(record.timing.total),
        SortBy::FirstToken => time(record.timing.first_token),
        SortBy::Cost => record.cost.and_then(|cost| u128::try_from(cost.usd.picos()).ok()).unwrap_or(u128::MAX),
    };
    let failed = |record: &Record| record.status == Status::Failed;
    records.sort_by(|a, b| match failed(a).cmp(&failed(b)) {
        Ordering::Equal => figure(a).cmp(&figure(b)),
        order => order,
    });
}
