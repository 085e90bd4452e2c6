//! `llm pipeline run`: the steps in order, those that do not build on each other at once.

use std::sync::Arc;

use super::needs;
use crate::call::{Call, Caller, Role, RunEvent, STEP_TAG};
use crate::cli::{AskFormat, PipelineRunArgs};
use crate::cmd::live::{Live, progress};
use crate::cmd::request::{self, Prepared};
use crate::cmd::run::{RunOptions, View, run_schedule};
use crate::cmd::{Context, dry_run};
use crate::config::{LogLevel, nearest};
use crate::error::{Error, Failure, FailureKind};
use crate::pipeline::{self, BadStep, PipelineSchedule, Wired};
use crate::record::{Record, Status};
use crate::report::destination::Destination;
use crate::report::error::call_failed;
use crate::report::pipeline::{PipelineRun, StepName, json, line, markdown, planned, table};
use crate::report::term::{Output, Text, say};
use crate::resolve::Resolver;
use crate::route::Asked;
use crate::run::{ExitCode, Notices, Outcome, Reporter};

/// The tag that names the pipeline.
const PIPELINE_TAG: &str = "pipeline";

pub(super) fn run_pipeline(context: &Context, args: &PipelineRunArgs) -> Result<u8, Error> {
    let destination = Destination::new(args.prompt.out.path.as_deref(), context.terminal.stdout)?;
    let wired = pipeline::load(&context.settings, &args.name)?;
    let names: Vec<StepName> =
        wired.iter().map(|step| StepName { name: step.step.name.clone(), needs: needs(step, &wired) }).collect();
    let answer = answer(&names, args.step.as_deref())?;
    let asked = models(context, args, &wired)?;
    let mut prepared = prepare(context, args, &wired)?;
    tag_with_pipeline(&mut prepared, &args.name);
    let calls = prepared.calls.calls(&context.settings, &asked)?;
    let bad = |(place, error): BadStep| {
        Error::config(format!("step `{}` of pipeline `{}`: its prompt: {error}", names[place].name, args.name))
    };
    let mut schedule = PipelineSchedule::new(wired, calls, &prepared.calls.request).map_err(bad)?;
    if args.prompt.dry_run {
        let requests = dry_run::planned(context, &schedule.planned_calls().map_err(bad)?)?;
        let as_json = args.output.format != AskFormat::Text;
        let text = planned(&args.name, &names, &requests, as_json, &destination.output());
        return destination.write(text).map(|()| 0);
    }
    let calls = schedule.calls();
    if args.prompt.max_cost.is_some() {
        check_bounds(&calls, &names)?;
    }
    let options = RunOptions::new(context, "pipeline", &args.prompt);
    let input = schedule.input().to_owned();
    let keeps_texts = options.log == LogLevel::Full;
    let live = live(context, &calls, &names, args.output.format, &destination);
    let mut view =
        PipelineView { context, args, names: &names, answer, input, keeps_texts, destination: Some(destination), live };
    run_schedule(context, &calls, &mut schedule, &options, &mut view)
}

fn tag_with_pipeline(prepared: &mut Prepared, name: &str) {
    let mut caller = Caller::clone(&prepared.calls.caller);
    caller.tags.insert(PIPELINE_TAG.to_owned(), name.to_owned());
    prepared.calls.caller = Arc::new(caller);
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

/// Refuses a step whose answer has no limit before the steps in front of it are paid for.
fn check_bounds(calls: &[Call], names: &[StepName]) -> Result<(), Error> {
    let Some(call) = calls.iter().find(|call| call.request.max_tokens.is_none()) else { return Ok(()) };
    let name = &names[call.index].name;
    let message = format!("--max-cost cannot be kept: the answer of step `{name}` may be of any length");
    let advice = "--max-tokens sets a limit for all steps, max_tokens in the config for one";
    Err(Error::Call(Failure::new(FailureKind::Refused, message).with_advice(advice)))
}

/// The model of each step.
fn models(context: &Context, args: &PipelineRunArgs, steps: &[Wired]) -> Result<Vec<Asked>, Error> {
    let resolver = Resolver::new(&context.settings, args.prompt.to.gateway.as_deref());
    let model = |wired: &Wired| match (&wired.step.model, &wired.step.task) {
        (Some(model), _) => resolver.model(model),
        (None, Some(task)) => resolver.task(task),
        (None, None) => resolver.default_model(),
    };
    steps.iter().map(model).collect()
}

/// Reads the input, if any step uses it.
fn prepare(context: &Context, args: &PipelineRunArgs, steps: &[Wired]) -> Result<Prepared, Error> {
    let prompt = &args.prompt;
    let is_reserved = |tag: &&String| [PIPELINE_TAG, STEP_TAG].iter().any(|name| tag.split('=').next() == Some(name));
    if let Some(tag) = prompt.tag.iter().find(is_reserved) {
        let name = tag.split('=').next().unwrap_or(tag);
        return Err(Error::usage(format!("--tag {name} is for the pipeline itself to set")));
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

/// Progress on stderr; on stdout a line for each step as it ends, if that is the format.
fn live<'a>(
    context: &Context,
    calls: &[Call],
    names: &'a [StepName],
    format: AskFormat,
    destination: &Destination,
) -> Live<'a> {
    let labels = names.iter().zip(calls).map(|(step, call)| step.label(&call.asked)).collect();
    let writes_lines = format == AskFormat::Jsonl && !destination.is_file();
    let line_of = move |call: &Call, record: &Record| line(&names[call.index], record);
    // The failures of steps are told at the end.
    Live::new(progress(context, labels).without_failures(), writes_lines.then(|| Box::new(line_of) as Box<_>))
}

/// Shows the answer of one step, and how all of them went, when the run is over.
struct PipelineView<'a> {
    context: &'a Context,
    args: &'a PipelineRunArgs,
    names: &'a [StepName],
    /// The place of the step whose answer is asked for.
    answer: usize,
    input: String,
    /// Whether the ledger keeps texts.
    keeps_texts: bool,
    destination: Option<Destination>,
    live: Live<'a>,
}

impl Reporter for PipelineView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.live.ended(call, record)
    }
}

impl View for PipelineView<'_> {
    fn finish(&mut self, outcome: &Outcome) -> Result<u8, Error> {
        let records = self.live.finish();
        let run = PipelineRun {
            run: &outcome.run,
            pipeline: &self.args.name,
            input: &self.input,
            steps: self.names,
            records: &records,
            elapsed: outcome.elapsed,
        };
        if let Some(destination) = self.destination.take() {
            let text = self.text(&run, &destination);
            // An empty answer does not replace an existing file.
            if !(text.is_empty() && destination.is_file()) {
                destination.write(text)?;
            }
        }
        self.say_how_it_went(&run);
        Ok(pipeline_exit_code(&records, self.answer))
    }
}

impl PipelineView<'_> {
    fn text(&self, run: &PipelineRun<'_>, destination: &Destination) -> Text {
        let wanted = &run.records[self.answer];
        let out: Output = destination.output();
        match self.args.output.format {
            AskFormat::Text if wanted.text.is_empty() => Text::new(),
            AskFormat::Text => Text::from(wanted.text.strip_suffix('\n').unwrap_or(&wanted.text)) + "\n",
            AskFormat::Json => json(run, &out),
            // Each line was written when its call ended.
            AskFormat::Jsonl if !destination.is_file() => Text::new(),
            AskFormat::Jsonl => run.steps.iter().zip(run.records).map(|(step, record)| line(step, record)).collect(),
            AskFormat::Markdown => markdown(run),
        }
    }

    /// Says on stderr what failed, and the figures of all steps; without the figures also what was skipped.
    fn say_how_it_went(&self, run: &PipelineRun<'_>) {
        let context = self.context;
        let stderr = &context.terminal.stderr;
        let shows_figures = !context.quiet && (self.args.stats || stderr.tty);
        for (step, record) in run.steps.iter().zip(run.records) {
            match (&record.error, record.status) {
                (None, _) | (_, Status::Ok | Status::Interrupted) => {}
                (Some(_), Status::Skipped) if shows_figures => {}
                (Some(why), Status::Skipped) => context.notice(&format!("{}: {why}", step.label(&record.model))),
                (Some(why), _) => {
                    let named = Record { model: step.label(&record.model), ..record.clone() };
                    say(call_failed(&named, why, stderr));
                }
            }
        }
        if shows_figures {
            let apart = if context.terminal.stdout.tty { "\n" } else { "" };
            say(Text::from(apart) + table(run, stderr));
        }
        // The answers of the other steps are not lost.
        let is_empty = self.args.output.format == AskFormat::Text && run.records[self.answer].text.is_empty();
        if is_empty && self.keeps_texts && run.records.iter().any(|record| record.status == Status::Ok) {
            context.notice(&format!("`llm log show {}` has what the other steps answered", run.run));
        }
    }
}

/// 0 if every step is complete; 8 if the wanted answer is complete and another step is not; else the code of the steps that
/// are not complete.
fn pipeline_exit_code(records: &[Record], answer: usize) -> u8 {
    let is_ok = |record: &Record| record.status == Status::Ok;
    if is_ok(&records[answer]) {
        return if records.iter().all(is_ok) { 0 } else { 8 };
    }
    let mut code = ExitCode::default();
    records.iter().filter(|record| !is_ok(record)).for_each(|record| code.add(Role::Step, record));
    code.code()
}
