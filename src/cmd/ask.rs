//! `llm ask`: one model, its answer streamed.

use std::io::Write;

use super::conversation::{self, Conversation};
use super::request::{self, Chosen};
use super::run::{Ending, RunOptions, View, run};
use super::{Context, clipboard, dry_run, last, models};
use crate::call::{Call, RunEvent};
use crate::cli::{AskArgs, AskFormat, TakeArgs};
use crate::error::Error;
use crate::record::Record;
use crate::report::answer::{self, Answer, AnswerOptions};
use crate::report::destination::Destination;
use crate::report::term::{Output, Stderr, Text};
use crate::report::{json, markdown};
use crate::resolve::Resolver;
use crate::route::NamedRoute;
use crate::run::{Notices, Outcome, Reporter, untried};

pub(super) fn run_ask(context: &Context, mut args: AskArgs) -> Result<u8, Error> {
    prompt_behind_extract(&mut args);
    args.one.model = models::chosen(context, &args.prompt.to, args.one.model.take())?;
    let past = past(context, &mut args)?;
    let destination = request::destination(context, &args.prompt)?;
    let chosen = Chosen::of(context, &args.one.template)?;
    let asked = model(context, &args, chosen.as_ref(), past.as_ref())?;
    let prepared = request::prepare_chosen(context, &args.prompt, chosen.as_ref())?;
    let mut calls = prepared.calls.calls(&context.settings, [&asked])?;
    let turn = past.unwrap_or_default().prepend_to(&mut calls)?;
    let format = args.output.format;
    if args.prompt.dry_run {
        return dry_run::run(context, &calls, format != AskFormat::Text, destination);
    }
    let options = RunOptions::new(context, "ask", &args.prompt);
    let shows_cost = args.stats || (context.terminal.stderr.tty && !context.quiet) || format != AskFormat::Text;
    let options = RunOptions { priced: shows_cost, turn, ..options };
    let answer_options = AnswerOptions { quiet: context.quiet, stats: args.stats, reasoning: args.show_reasoning };
    if args.take.extract.is_some() && format != AskFormat::Text {
        return Err(Error::usage("-x prints a code block, so -o has no place beside it"));
    }
    let streams = format == AskFormat::Text && !destination.is_file() && args.take.extract.is_none();
    let answer = if streams {
        Answer::streamed(&context.terminal, answer_options)
    } else {
        // The answer is written when it is whole; notices appear as things happen.
        Answer::without_text(&context.terminal, answer_options)
    };
    let answer = match (context.live_terminal(), calls.first()) {
        (Some(terminal), Some(call)) => answer.with_live_line(&call.asked, terminal.stderr),
        _ => answer,
    };
    let destination = (!streams).then_some(destination);
    let mut view = AskView { context, answer, format, take: args.take, destination, record: None, untried: Vec::new() };
    run(context, calls, &options, &mut view)
}

/// Shows one answer.
struct AskView<'a> {
    context: &'a Context,
    answer: Answer<Box<dyn Write>, Stderr>,
    format: AskFormat,
    /// What is taken of the answer.
    take: TakeArgs,
    /// Where the whole answer goes; `None` where it is streamed.
    destination: Option<Destination>,
    record: Option<Record>,
    /// Why no further model is asked, if the answer is not what was wanted.
    untried: Vec<String>,
}

impl Reporter for AskView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.answer.batch(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.untried = untried(call, &record).filter_map(|event| event.message().map(str::to_owned)).collect();
        self.answer.finish(&record)?;
        self.record = Some(record);
        Ok(())
    }
}

impl View for AskView<'_> {
    fn finish(&mut self, outcome: &Outcome, ending: &mut Ending<'_>) -> Result<u8, Error> {
        let Some(record) = &self.record else { return Ok(outcome.exit_code.code()) };
        let taken = match &self.take.extract {
            None => Ok(record.text.clone()),
            Some(language) => last::block(&record.text, language),
        };
        let taken = match taken {
            Ok(taken) => taken,
            // What went wrong was said, and is why there is no block.
            Err(_) if record.error.is_some() => return Ok(outcome.exit_code.code()),
            Err(error) => {
                self.untried.iter().for_each(|message| self.context.notice(message));
                return Err(error);
            }
        };
        if self.take.extract.is_some() {
            if let Some(destination) = self.destination.take() {
                destination.write(Text::from(taken.as_str()))?;
            }
        } else if let Some(destination) = self.destination.take() {
            // An empty answer does not replace an existing file.
            let is_nothing = record.text.is_empty() && destination.is_file() && self.format == AskFormat::Text;
            if !is_nothing {
                let text = text(record, self.format, &destination.output());
                destination.write(text)?;
            }
        }
        if self.take.copy && !taken.is_empty() {
            clipboard::copy(self.context, &taken, |copying| ending.unless_signalled(move || copying.run()))?;
        }
        Ok(outcome.exit_code.code())
    }
}

fn text(record: &Record, format: AskFormat, out: &Output) -> Text {
    match format {
        AskFormat::Text => answer::whole(&record.text, out),
        AskFormat::Json => json::record(record, out),
        AskFormat::Jsonl => json::line(record),
        AskFormat::Markdown => markdown::answer(record),
    }
}

/// A text with spaces behind `-x` is no language: it is the prompt.
fn prompt_behind_extract(args: &mut AskArgs) {
    let is_prompt = |language: &&mut String| language.trim().contains(char::is_whitespace);
    if args.prompt.prompt.is_none()
        && let Some(language) = args.take.extract.as_mut().filter(|language| is_prompt(language))
    {
        args.prompt.prompt = Some(std::mem::take(language));
    }
}

/// The conversation to continue, if the flags ask for one. What follows `-c` may turn out to be the prompt.
fn past(context: &Context, args: &mut AskArgs) -> Result<Option<Conversation>, Error> {
    let Some(value) = args.one.continue_.take() else { return Ok(None) };
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
            conversation::last(&store, &["ask"])?
        }
    };
    Conversation::up_to(&store, row).map(Some)
}

/// The model to ask: that of the flags, of the template, of the conversation, or the default.
fn model(
    context: &Context,
    args: &AskArgs,
    chosen: Option<&Chosen>,
    past: Option<&Conversation>,
) -> Result<NamedRoute, Error> {
    let resolver = Resolver::new(&context.settings, args.prompt.to.gateway.as_deref());
    if let Some(model) = args.one.model.as_ref().filter(|model| model.contains(',')) {
        context.notice(&format!("-m takes one model here; `llm compare -m {model}` asks several"));
    }
    if let Some(model) = request::named_model(&resolver, &args.one, chosen)? {
        return Ok(model);
    }
    match past {
        Some(past) => match past.model() {
            Some(model) => resolver.model(&model),
            None => resolver.default_model(),
        },
        None => resolver.default_model().map_err(|error| match error {
            // A gateway without a model is the usual state after the first `llm key set`.
            Error::Usage { .. } => {
                let asks = context.terminal.stderr.tty && !args.prompt.dry_run;
                models::with_models(context, &args.prompt.to, asks, error)
            }
            other => other,
        }),
    }
}
