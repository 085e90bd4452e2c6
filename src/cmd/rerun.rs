//! `llm rerun`: sends a recorded prompt again, to the same model or others, and shows the answers beside the recorded one.

use super::conversation::{self, Conversation};
use super::live::{Live, progress};
use super::run::{Ending, RunOptions, View, log_level, run};
use super::{Context, compare, log, process, request};
use crate::call::{Call, RunEvent};
use crate::chat::{Part, Request};
use crate::cli::{CompareFormat, RerunArgs};
use crate::error::Error;
use crate::ledger::{Row, Store};
use crate::record::Record;
use crate::report::columns::Layout;
use crate::report::destination::Destination;
use crate::report::{self, Comparison};
use crate::resolve::Resolver;
use crate::run::{Outcome, PrepareOptions, Reporter};

pub(super) fn run_rerun(context: &Context, args: &RerunArgs) -> Result<u8, Error> {
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let store = conversation::store(context)?;
    let row = recorded(&store, args.id.as_deref())?;
    let past = conversation_before(&store, &row)?;
    drop(store);
    let request = conversation::request(&row)?;
    let prompt = last_text(&request);
    let names = if args.model.is_empty() { vec![conversation::name_to_ask_again(&row)] } else { args.model.clone() };
    // Without a default gateway, the gateway of the recorded call is used.
    let is_set = args.to.gateway.is_some() || context.settings.default_gateway_said().is_some();
    let gateway = if is_set { args.to.gateway.as_deref() } else { Some(row.gateway.as_str()) };
    let resolver = Resolver::new(&context.settings, gateway);
    let models = names.iter().map(|name| resolver.model(name)).collect::<Result<Vec<_>, _>>()?;
    let mut calls = request::again(request, row.tags.clone()).calls(&context.settings, &models)?;
    // The new calls do not become part of the conversation, but their models need its messages.
    past.map(|past| past.prepend_to(&mut calls)).transpose()?;
    let options = RunOptions {
        command: "rerun",
        gateways: PrepareOptions { key: args.to.key.clone(), cached: Some(false) },
        concurrency: process::connections(),
        priced: true,
        log: log_level(context, args.log.level),
        turn: None,
        drain: None,
        ledger: None,
        hints: true,
        results: None,
    };
    let labels = report::unique(calls.iter().map(|call| call.asked.as_str()));
    let live = Live::new(progress(context, labels), None);
    let mut view = RerunView { format: args.output.format, row, prompt, destination: Some(destination), live };
    run(context, calls, &options, &mut view)
}

/// The call that an id names.
///
/// # Errors
/// The id names no call, or several.
fn recorded(store: &Store, id: Option<&str>) -> Result<Row, Error> {
    let mut rows = log::named(store, id)?;
    match (rows.pop(), rows.as_slice()) {
        (Some(row), []) => Ok(row),
        (last, others) => {
            let ids: Vec<&str> = others.iter().chain(&last).map(|row| row.id.as_str()).collect();
            Err(Error::usage_hint("that run has several calls: which one?", ids.join(", ")))
        }
    }
}

/// The conversation before this call, if the call continued one.
fn conversation_before(store: &Store, row: &Row) -> Result<Option<Conversation>, Error> {
    let Some(parent) = &row.parent else { return Ok(None) };
    let parent = log::named(store, Some(parent))?.into_iter().next();
    parent.map(|parent| Conversation::up_to(store, parent)).transpose()
}

/// The texts of the last message, for reports.
fn last_text(request: &Request) -> String {
    let texts = request.messages.last().into_iter().flat_map(|message| &message.parts);
    let texts = texts.filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Shows the recorded answer first, then the new ones. Totals leave the recorded answer out, because this run did not pay
/// for it.
struct RerunView<'a> {
    format: CompareFormat,
    row: Row,
    prompt: String,
    destination: Option<Destination>,
    live: Live<'a>,
}

impl Reporter for RerunView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.live.ended(call, record)
    }
}

impl View for RerunView<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        let recorded = self.row.clone().into_record();
        let mut records = vec![Record { model: format!("{}{}", recorded.model, report::RECORDED), ..recorded }];
        records.append(&mut self.live.finish());
        let comparison = Comparison { recorded: 1, ..Comparison::new(&outcome.run, &self.prompt, &records) };
        if let Some(destination) = self.destination.take() {
            let text = compare::text(&comparison, self.format, Layout::Auto, &destination.output())?;
            destination.write(text)?;
        }
        Ok(outcome.exit_code.code())
    }
}
