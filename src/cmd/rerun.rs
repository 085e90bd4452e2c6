//! `llm rerun`: a recorded prompt again, elsewhere, beside the recorded answer.

use super::compare::Live;
use super::conversation::{self, Conversation};
use super::drive::{self, Plan, drive};
use super::journal::{self, Journal};
use super::ready::{Wishes, ready};
use super::request::{self, Prepared};
use super::{Context, log, process};
use crate::cli::{CompareFormat, RerunArgs};
use crate::error::Error;
use crate::ledger::Row;
use crate::record::Record;
use crate::report::columns::{self, Layout};
use crate::report::destination::Destination;
use crate::report::progress::Progress;
use crate::report::term::Terminal;
use crate::report::{self, Comparison, csv, html, json, markdown, table};

pub(super) fn run(context: &Context, args: &RerunArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.out.path.as_deref(), context.terminal.stdout)?;
    let store = conversation::store(context)?;
    let rows = log::named(&store, args.id.as_deref())?;
    let [row] = rows.as_slice() else {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        return Err(Error::usage_hint("that run has several calls: which one?", ids.join(", ")));
    };
    let past = match &row.parent {
        Some(parent) => {
            let parent = log::named(&store, Some(parent))?.into_iter().next();
            parent.map(|parent| Conversation::up_to(&store, parent)).transpose()?
        }
        None => None,
    };
    drop(store);
    let again = conversation::request(row)?;
    let models = if args.model.is_empty() { vec![same(row)] } else { args.model.clone() };
    // Where nobody says which gateway, it is that of the recorded call.
    let said = args.to.gateway.is_some() || context.settings.default_gateway_said().is_some();
    let gateway = if said { args.to.gateway.as_deref() } else { Some(row.gateway.as_str()) };
    let models = request::with_names(context, gateway, |names| {
        models.iter().map(|name| names.model(name.trim())).collect::<Result<Vec<_>, _>>()
    })?;
    let prepared = Prepared::again(prompt(&again), again, row.tags.clone());
    let mut calls = prepared.calls(context, &models.iter().collect::<Vec<_>>())?;
    // They are no part of the conversation, but need what was said in it.
    past.map(|past| past.recall(&mut calls)).transpose()?;
    let plan = Plan {
        concurrency: calls.len().min(process::connections()),
        priced: true,
        trace: context.trace(),
        tags: row.tags.clone(),
        schema: prepared.schema.clone(),
        calls,
        course: None,
    };
    let wishes = Wishes { key: args.to.key.clone(), cached: Some(false), tags: row.tags.clone(), ..Wishes::default() };
    let ready = ready(context, &plan.calls, wishes)?;
    let journal = Journal::new(context, journal::level(context, args.log.level), "rerun", &ready);
    let labels = report::unique(plan.calls.iter().map(|call| call.asked.as_str()));
    let terminal = Terminal { live: context.terminal.live && !context.verbose, ..context.terminal };
    let mut reporter = Live { progress: Progress::new(labels, &terminal, context.quiet), lines: None };
    let mut outcome = drive(ready, plan, &mut reporter)?;
    reporter.progress.clear();
    let recorded = row.clone().into_record();
    let mut records = vec![Record { model: format!("{}{}", recorded.model, report::RECORDED), ..recorded }];
    records.extend(outcome.records.iter().cloned());
    let shown = outcome
        .writable()
        .and_then(|()| show(args, destination, &comparison(&outcome.run, &prepared.prompt, &records)))
        .and_then(|()| outcome.stopped.take().map_or(Ok(()), Err));
    let code = drive::exit_code(&outcome.records);
    journal.write(context, outcome);
    shown.map(|()| code)
}

/// The recorded answer comes first, and cost this run nothing.
fn comparison<'a>(run: &'a str, prompt: &'a str, records: &'a [Record]) -> Comparison<'a> {
    Comparison { recorded: 1, ..Comparison::new(run, prompt, records) }
}

fn show(args: &RerunArgs, destination: Destination, comparison: &Comparison<'_>) -> Result<(), Error> {
    let out = destination.output();
    let text = match args.output.format {
        CompareFormat::Text => {
            columns::answers(comparison, Layout::Auto, &out) + "\n" + table::comparison(comparison, &out)
        }
        CompareFormat::Json => json::comparison(comparison, &out),
        CompareFormat::Jsonl => comparison.records.iter().map(json::line).collect(),
        CompareFormat::Markdown => markdown::comparison(comparison),
        CompareFormat::Csv => csv::comparison(comparison),
        CompareFormat::Html => html::comparison(comparison)?,
    };
    destination.write(text)
}

/// What was asked for, where it was.
fn same(row: &Row) -> String {
    match row.attempts.last() {
        Some(tried) if tried.model == row.asked => format!("{}::{}", tried.gateway, tried.model),
        _ => row.asked.clone(),
    }
}

/// The last text that was sent, for reports.
fn prompt(request: &crate::chat::Request) -> String {
    let texts = request.messages.last().into_iter().flat_map(|message| &message.parts);
    let texts = texts.filter_map(|part| match part {
        crate::chat::Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}
