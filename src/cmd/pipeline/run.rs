//! `llm pipeline run`: the steps in order, those that do not build on each other at once.

use super::course::Steps;
use super::needs;
use crate::call::{Call, RunEvent};
use crate::cli::{AskFormat, PipelineRunArgs};
use crate::cmd::drive::{self, Outcome, Plan, Reporter, drive};
use crate::cmd::journal::{self, Journal};
use crate::cmd::ready::{Wishes, ready};
use crate::cmd::request::{self, Prepared};
use crate::cmd::{Context, dry_run, process};
use crate::config::{LogLevel, nearest};
use crate::error::{Error, Failure, FailureKind};
use crate::pipeline::{self, Wired};
use crate::record::{Record, Status};
use crate::report::destination::Destination;
use crate::report::error::call_failed;
use crate::report::pipeline::{PipelineRun, StepName, json, line, markdown, planned, table};
use crate::report::progress::Progress;
use crate::report::term::{Output, Terminal, Text, print, say};
use crate::route::Asked;
use crate::template::BadTemplate;

/// The tags by which records say where they belong.
const PIPELINE: &str = "pipeline";
pub(super) const STEP: &str = "step";

pub(super) fn run(context: &Context, args: &PipelineRunArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.prompt.out.path.as_deref(), context.terminal.stdout)?;
    let wired = pipeline::load(&context.settings, &args.name)?;
    let names: Vec<StepName> =
        wired.iter().map(|step| StepName { name: step.step.name.clone(), needs: needs(step, &wired) }).collect();
    let answer = answer(&names, args.step.as_deref())?;
    let asked = models(context, args, &wired)?;
    let prepared = prepare(context, args, &wired)?;
    let mut calls = prepared.calls(context, &asked.iter().collect::<Vec<_>>())?;
    let mut steps = Steps::new(wired, prepared.request.clone());
    let input = steps.input().to_owned();
    let bad = |(place, error): (usize, BadTemplate)| {
        Error::config(format!("step `{}` of pipeline `{}`: its prompt: {error}", names[place].name, args.name))
    };
    if args.prompt.dry_run {
        steps.sketch(&mut calls).map_err(bad)?;
        let as_json = args.output.format != AskFormat::Text;
        let text = planned(&args.name, &names, &dry_run::planned(context, &calls)?, as_json, &destination.output());
        return destination.write(text).map(|()| 0);
    }
    steps.give(&mut calls).map_err(bad)?;
    if args.prompt.max_cost.is_some() {
        bounded(&calls, &names)?;
    }
    let mut tags = prepared.tags.clone();
    tags.insert(PIPELINE.to_owned(), args.name.clone());
    let wishes = Wishes { tags: tags.clone(), ..Wishes::new(&args.prompt)? };
    let plan = Plan {
        calls,
        course: Some(Box::new(steps)),
        tags,
        concurrency: process::connections(),
        schema: prepared.schema.clone(),
        priced: true,
        trace: context.trace(),
    };
    let ready = ready(context, &plan.calls, wishes)?;
    let level = journal::level(context, args.prompt.log.level);
    let journal = Journal::new(context, level, "pipeline", &ready);
    let mut reporter = Live::new(context, &plan.calls, names, args.output.format, &destination);
    let mut outcome = drive(ready, plan, &mut reporter)?;
    reporter.progress.clear();
    let page = Page { args, names: &reporter.names, answer, input: &input, is_kept: level == LogLevel::Full };
    let shown = page.show(context, destination, &mut outcome);
    journal.write(context, outcome);
    shown
}

/// The place of the step whose answer is asked for.
fn answer(names: &[StepName], wanted: Option<&str>) -> Result<usize, Error> {
    let Some(wanted) = wanted else { return Ok(names.len() - 1) };
    names.iter().position(|step| step.name == wanted).ok_or_else(|| {
        let known = || names.iter().map(|step| step.name.as_str());
        let hint = match nearest(wanted, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its steps: {}", known().collect::<Vec<_>>().join(", ")),
        };
        Error::usage_hint(format!("no step is called `{wanted}`"), hint)
    })
}

/// Refuses at once what the policies would refuse when the steps before it are paid for: a step without a bound.
fn bounded(calls: &[Call], names: &[StepName]) -> Result<(), Error> {
    let Some(call) = calls.iter().find(|call| call.request.max_tokens.is_none()) else { return Ok(()) };
    let name = &names[call.index].name;
    let message = format!("--max-cost cannot be kept: the answer of step `{name}` may be of any length");
    let advice = "--max-tokens sets a limit for all steps, max_tokens in the config for one";
    Err(Error::Call(Failure::new(FailureKind::Refused, message).with_advice(advice)))
}

/// Where each step goes.
fn models(context: &Context, args: &PipelineRunArgs, steps: &[Wired]) -> Result<Vec<Asked>, Error> {
    let gateway = args.prompt.to.gateway.as_deref();
    request::with_names(context, gateway, |names| {
        let model = |wired: &Wired| match (&wired.step.model, &wired.step.task) {
            (Some(model), _) => names.model(model),
            (None, Some(task)) => names.task(task),
            (None, None) => request::usual_model(context, names, gateway),
        };
        steps.iter().map(model).collect()
    })
}

/// Reads the input, if any step uses it.
fn prepare(context: &Context, args: &PipelineRunArgs, steps: &[Wired]) -> Result<Prepared, Error> {
    let prompt = &args.prompt;
    let tags = request::tags(prompt)?;
    if let Some(tag) = tags.keys().find(|tag| [PIPELINE, STEP].contains(&tag.as_str())) {
        return Err(Error::usage(format!("--tag {tag} is for the pipeline itself to set")));
    }
    if steps.iter().any(|step| step.input) {
        return request::prepare(context, prompt);
    }
    if prompt.prompt.is_some() || !prompt.file.is_empty() {
        let message = format!("no step of pipeline `{}` uses its input", args.name);
        return Err(Error::usage_hint(message, "{{ input }} in a prompt is where it goes"));
    }
    request::prepare_with(context, prompt, || Ok(String::new()))
}

/// Progress on stderr; on stdout a line for each step as it ends, if that is the form.
#[derive(Debug)]
struct Live {
    progress: Progress,
    names: Vec<StepName>,
    /// The ids of the calls, by step.
    ids: Vec<String>,
    lines: Option<Output>,
}

impl Live {
    fn new(
        context: &Context,
        calls: &[Call],
        names: Vec<StepName>,
        form: AskFormat,
        destination: &Destination,
    ) -> Self {
        let labels = names.iter().zip(calls).map(|(step, call)| step.label(&call.asked)).collect();
        // Lines that are drawn over and lines that stay do not go together.
        let terminal = Terminal { live: context.terminal.live && !context.verbose, ..context.terminal };
        Self {
            progress: Progress::new(labels, &terminal, context.quiet).without_failures(),
            names,
            ids: calls.iter().map(|call| call.id.clone()).collect(),
            lines: (form == AskFormat::Jsonl && !destination.is_file()).then_some(destination.output()),
        }
    }
}

impl Reporter for Live {
    fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, record: &Record) -> Result<(), Error> {
        let step = self.ids.iter().position(|id| *id == record.id).map(|place| &self.names[place]);
        match (&self.lines, step) {
            (Some(_), Some(step)) => self.progress.suspend(|| print(line(step, record))),
            _ => Ok(()),
        }
    }
}

/// What is shown when all is over.
struct Page<'a> {
    args: &'a PipelineRunArgs,
    names: &'a [StepName],
    /// The place of the step whose answer is asked for.
    answer: usize,
    input: &'a str,
    /// Whether the ledger keeps texts.
    is_kept: bool,
}

impl Page<'_> {
    /// Puts the answer where it belongs, and says how the steps went; the exit code.
    fn show(&self, context: &Context, destination: Destination, outcome: &mut Outcome) -> Result<u8, Error> {
        outcome.writable()?;
        let run = PipelineRun {
            run: &outcome.run,
            pipeline: &self.args.name,
            input: self.input,
            steps: self.names,
            records: &outcome.records,
            elapsed: outcome.elapsed,
        };
        let wanted = &outcome.records[self.answer];
        let out = destination.output();
        let text = match self.args.output.format {
            AskFormat::Text if wanted.text.is_empty() => Text::new(),
            AskFormat::Text => Text::from(wanted.text.strip_suffix('\n').unwrap_or(&wanted.text)) + "\n",
            AskFormat::Json => json(&run, &out),
            // Lines for each record have been written as it ended.
            AskFormat::Jsonl if !destination.is_file() => Text::new(),
            AskFormat::Jsonl => run.steps.iter().zip(run.records).map(|(step, record)| line(step, record)).collect(),
            AskFormat::Markdown => markdown(&run),
        };
        // A file that is there is not replaced by nothing.
        if !(text.is_empty() && destination.is_file()) {
            destination.write(text)?;
        }
        self.tell(context, &run);
        match outcome.stopped.take() {
            Some(error) => Err(error),
            None => Ok(exit_code(&outcome.records, self.answer)),
        }
    }

    /// What failed, and the figures of all steps; without those, what could not be done.
    fn tell(&self, context: &Context, run: &PipelineRun<'_>) {
        let stderr = &context.terminal.stderr;
        let is_figured = !context.quiet && (self.args.stats || stderr.tty);
        for (step, record) in run.steps.iter().zip(run.records) {
            match (&record.error, record.status) {
                // Who stopped it knows.
                (None, _) | (_, Status::Ok | Status::Interrupted) => {}
                (Some(_), Status::Skipped) if is_figured => {}
                (Some(why), Status::Skipped) => context.notice(&format!("{}: {why}", step.label(&record.model))),
                (Some(why), _) => {
                    let named = Record { model: step.label(&record.model), ..record.clone() };
                    say(call_failed(&named, why, stderr));
                }
            }
        }
        if is_figured {
            let apart = if context.terminal.stdout.tty { "\n" } else { "" };
            say(Text::from(apart) + table(run, stderr));
        }
        // What the other steps cost is not lost.
        let nothing = self.args.output.format == AskFormat::Text && run.records[self.answer].text.is_empty();
        if nothing && self.is_kept && run.records.iter().any(|record| record.status == Status::Ok) {
            context.notice(&format!("`llm log show {}` has what the other steps answered", run.run));
        }
    }
}

/// 0 if every step is complete; 8 if the answer that was asked for is, and another step is not; else the code of what kept
/// it from being complete.
fn exit_code(records: &[Record], answer: usize) -> u8 {
    let is_ok = |record: &&Record| record.status == Status::Ok;
    if is_ok(&&records[answer]) {
        return if records.iter().all(|record| is_ok(&record)) { 0 } else { 8 };
    }
    let broken: Vec<Record> = records.iter().filter(|record| !is_ok(record)).cloned().collect();
    drive::exit_code(&broken)
}
