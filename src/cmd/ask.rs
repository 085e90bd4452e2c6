//! `llm ask`: one model, its answer streamed.

use std::io;

use super::conversation::{self, Conversation};
use super::drive::{self, Outcome, Plan, Reporter, drive};
use super::journal::{self, Journal};
use super::ready::{Wishes, ready};
use super::{Context, dry_run, request};
use crate::call::RunEvent;
use crate::cli::{AskArgs, AskFormat};
use crate::config::LogLevel;
use crate::error::Error;
use crate::record::Record;
use crate::report::answer::{Answer, AnswerOptions};
use crate::report::destination::Destination;
use crate::report::term::Text;
use crate::report::{json, markdown};
use crate::route::Asked;

pub(super) fn run(context: &Context, mut args: AskArgs) -> Result<u8, Error> {
    let past = past(context, &mut args)?;
    let args = &args;
    let destination = Destination::new(args.prompt.out.path.as_deref(), context.terminal.stdout)?;
    let asked = model(context, args, past.as_ref())?;
    let prepared = request::prepare(context, &args.prompt)?;
    let mut calls = prepared.calls(context, &[&asked])?;
    let turn = past.map(|past| past.recall(&mut calls)).transpose()?;
    if args.prompt.dry_run {
        return dry_run::run(context, &calls, args.output.format != AskFormat::Text, destination);
    }
    let options = AnswerOptions { quiet: context.quiet, stats: args.stats, reasoning: args.show_reasoning };
    let shows_stats = args.stats || (context.terminal.stderr.tty && !context.quiet);
    let streams = args.output.format == AskFormat::Text && !destination.is_file();
    let level = journal::level(context, args.prompt.log.level);
    let plan = Plan {
        priced: shows_stats || level != LogLevel::Off || args.output.format != AskFormat::Text,
        concurrency: 1,
        schema: prepared.schema.clone(),
        trace: context.trace(),
        tags: prepared.tags.clone(),
        calls,
        course: None,
    };
    let ready = ready(context, &plan.calls, Wishes::new(&args.prompt)?)?;
    let journal = Journal::new(context, level, "ask", &ready).continuing(turn);
    let mut outcome = if streams {
        let mut answer = Answer::streamed(&context.terminal, options);
        drive(ready, plan, &mut answer)?
    } else {
        let mut answer = Answer::aside(&context.terminal, options);
        drive(ready, plan, &mut answer)?
    };
    let shown = show(args, destination, streams, &mut outcome);
    journal.write(context, outcome);
    shown
}

/// Puts the answer where it belongs, if it is not there yet; the exit code.
fn show(args: &AskArgs, destination: Destination, streams: bool, outcome: &mut Outcome) -> Result<u8, Error> {
    outcome.writable()?;
    // There is one call, so there is one record.
    let Some(record) = outcome.records.first() else { return Ok(1) };
    // A file that is there is not replaced by nothing.
    let nothing = record.text.is_empty() && destination.is_file() && args.output.format == AskFormat::Text;
    if !(streams || nothing) {
        let out = destination.output();
        let text = match args.output.format {
            AskFormat::Text if record.text.ends_with('\n') => Text::from(record.text.as_str()),
            AskFormat::Text => Text::from(record.text.as_str()) + "\n",
            AskFormat::Json => json::record(record, &out),
            AskFormat::Jsonl => json::line(record),
            AskFormat::Markdown => markdown::answer(record),
        };
        destination.write(text)?;
    }
    match outcome.stopped.take() {
        Some(error) => Err(error),
        None => Ok(drive::exit_code(&outcome.records)),
    }
}

impl<O: io::Write, E: io::Write> Reporter for Answer<O, E> {
    fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        Answer::batch(self, events)
    }

    fn ended(&mut self, record: &Record) -> Result<(), Error> {
        self.finish(record)
    }
}

/// The conversation to continue, if the flags ask for one. What follows `-c` may turn out to be the prompt.
fn past(context: &Context, args: &mut AskArgs) -> Result<Option<Conversation>, Error> {
    let Some(value) = args.continue_.take() else { return Ok(None) };
    let store = conversation::store(context)?;
    let named = match value.as_str() {
        "" => None,
        value => conversation::named(&store, value, args.prompt.prompt.is_some())?,
    };
    let row = match named {
        Some(row) => row,
        None => {
            if !value.is_empty() {
                args.prompt.prompt = Some(value);
            }
            conversation::last(&store)?
        }
    };
    Conversation::up_to(&store, row).map(Some)
}

/// The model to ask: the flags, the conversation, the settings, or the gateway's first.
fn model(context: &Context, args: &AskArgs, past: Option<&Conversation>) -> Result<Asked, Error> {
    let gateway = args.prompt.to.gateway.as_deref();
    request::with_names(context, gateway, |names| {
        if let Some(model) = &args.model {
            if model.contains(',') {
                context.notice(&format!("-m takes one model here; `llm compare -m {model}` asks several"));
            }
            return names.model(model);
        }
        if let Some(task) = &args.task {
            return names.task(task);
        }
        if let Some(past) = past {
            return names.model(&past.model());
        }
        request::usual_model(context, names, gateway)
    })
}
