//! `llm pipeline run`: runs the steps of a pipeline. Steps that do not need each other run at once.

use std::sync::Arc;

use super::needs;
use crate::call::{Call, Caller, Role, RunEvent, STEP_TAG};
use crate::cli::{AskFormat, PipelineRunArgs};
use crate::cmd::live::{Live, progress};
use crate::cmd::request::{self, Prepared};
use crate::cmd::run::{Ending, RunOptions, View, run_schedule};
use crate::cmd::{Context, dry_run};
use crate::config::{LogLevel, nearest};
use crate::error::{Error, Failure, FailureKind};
use crate::pipeline::{self, BadStep, PipelineSchedule, ResolvedStep};
use crate::record::{Record, Status};
use crate::report::answer;
use crate::report::destination::Destination;
use crate::report::error::call_failed;
use crate::report::notice::Names;
use crate::report::pipeline::{PipelineRun, StepName, json, line, markdown, planned, table};
use crate::report::term::{Text, say};
use crate::resolve::{Resolver, TEMPLATE_TAG};
use crate::route::NamedRoute;
use crate::run::{ExitCode, Notices, Outcome, Reporter};

/// The name of the tag that holds the pipeline's name.
const PIPELINE_TAG: &str = "pipeline";

pub(super) fn run_pipeline(context: &Context, args: &PipelineRunArgs) -> Result<u8, Error> {
    let destination = request::destination(context, &args.prompt)?;
    let steps = pipeline::load(&context.settings, &args.name)?;
    let names: Vec<StepName> =
        steps.iter().map(|step| StepName { name: step.step.name.clone(), needs: needs(step, &steps) }).collect();
    let answer = shown_step(&names, args.step.as_deref())?;
    let asked = models(context, args, &steps)?;
    let mut prepared = prepare(context, args, &steps)?;
    tag_with_pipeline(&mut prepared, &args.name);
    let calls = prepared.calls.calls(&context.settings, &asked)?;
    let bad_step = |(index, error): BadStep| {
        Error::config(format!("step `{}` of pipeline `{}`: its prompt: {error}", names[index].name, args.name))
    };
    let mut schedule = PipelineSchedule::new(steps, calls, &prepared.calls.request).map_err(bad_step)?;
    if args.prompt.dry_run {
        let requests = dry_run::planned(context, &schedule.planned_calls().map_err(bad_step)?)?;
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
    let mut view = PipelineView {
        context,
        args,
        names: &names,
        model_names: Names::default(),
        answer,
        input,
        keeps_texts,
        destination: Some(destination),
        live,
    };
    run_schedule(context, &calls, &mut schedule, &options, &mut view)
}

/// Adds the tag with the pipeline's name to the calls.
fn tag_with_pipeline(prepared: &mut Prepared, name: &str) {
    let mut caller = Caller::clone(&prepared.calls.caller);
    caller.tags.insert(PIPELINE_TAG.to_owned(), name.to_owned());
    prepared.calls.caller = Arc::new(caller);
}

/// The index of the step whose answer is shown: the step `wanted`, or else the last.
///
/// # Errors
/// There is no such step.
fn shown_step(names: &[StepName], wanted: Option<&str>) -> Result<usize, Error> {
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

/// Refuses a pipeline with `--max-cost` in which a step has no limit of its answer. Otherwise the run would stop at that
/// step, after the steps before it have been paid for.
fn check_bounds(calls: &[Call], names: &[StepName]) -> Result<(), Error> {
    let Some(call) = calls.iter().find(|call| call.request.max_tokens.is_none()) else { return Ok(()) };
    let name = &names[call.index].name;
    let message = format!("--max-cost cannot be kept: the answer of step `{name}` may be of any length");
    let advice = "--max-tokens sets a limit for all steps, max_tokens in the config for one";
    Err(Error::Call(Failure::new(FailureKind::Refused, message).with_advice(advice)))
}

/// The model of each step.
fn models(context: &Context, args: &PipelineRunArgs, steps: &[ResolvedStep]) -> Result<Vec<NamedRoute>, Error> {
    let resolver = Resolver::new(&context.settings, args.prompt.to.gateway.as_deref());
    let model = |resolved: &ResolvedStep| match (resolved.model(), resolved.task()) {
        (Some(model), _) => resolver.model(model),
        (None, Some(task)) => resolver.task(task),
        (None, None) => resolver.default_model(),
    };
    steps.iter().map(model).collect()
}

/// Reads the arguments, and the input if any step uses it.
fn prepare(context: &Context, args: &PipelineRunArgs, steps: &[ResolvedStep]) -> Result<Prepared, Error> {
    let prompt = &args.prompt;
    let mut reserved = vec![PIPELINE_TAG, STEP_TAG];
    reserved.extend(steps.iter().any(|step| step.template.is_some()).then_some(TEMPLATE_TAG));
    let is_reserved = |tag: &&String| reserved.iter().any(|name| tag.split('=').next() == Some(name));
    if let Some(tag) = prompt.tag.iter().find(is_reserved) {
        let name = tag.split('=').next().unwrap_or(tag);
        return Err(Error::usage(format!("--tag {name} is reserved: the pipeline sets it")));
    }
    if steps.iter().any(|step| step.uses_input) {
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
    // The failures of steps are reported when all steps have ended.
    Live::new(progress(context, labels).without_failures(), writes_lines.then(|| Box::new(line_of) as Box<_>))
}

/// Shows the answer of one step, and failures and figures of all steps, when the run is over.
struct PipelineView<'a> {
    context: &'a Context,
    args: &'a PipelineRunArgs,
    names: &'a [StepName],
    /// The names of models in messages.
    model_names: Names,
    /// The index of the step whose answer is shown.
    answer: usize,
    input: String,
    /// Whether the ledger keeps texts.
    keeps_texts: bool,
    destination: Option<Destination>,
    live: Live<'a>,
}

impl Reporter for PipelineView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        events.iter().for_each(|event| self.model_names.take(&event.event));
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.live.ended(call, record)
    }
}

impl View for PipelineView<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
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
        self.report_failures_and_figures(&run);
        Ok(pipeline_exit_code(&records, self.answer))
    }
}

impl PipelineView<'_> {
    fn text(&self, run: &PipelineRun<'_>, destination: &Destination) -> Text {
        let wanted = &run.records[self.answer];
        let out = destination.output();
        match self.args.output.format {
            AskFormat::Text if wanted.text.is_empty() => Text::new(),
            AskFormat::Text => answer::whole(&wanted.text, &out),
            AskFormat::Json => json(run, &out),
            // Each line was written when its call ended.
            AskFormat::Jsonl if !destination.is_file() => Text::new(),
            AskFormat::Jsonl => run.steps.iter().zip(run.records).map(|(step, record)| line(step, record)).collect(),
            AskFormat::Markdown => markdown(run),
        }
    }

    /// Writes to stderr what failed, and the figures of all steps. The figures show skipped steps; without figures, these
    /// are reported as well.
    fn report_failures_and_figures(&self, run: &PipelineRun<'_>) {
        let context = self.context;
        let stderr = &context.terminal.now().stderr;
        let shows_figures = !context.quiet && (self.args.stats || stderr.tty);
        for (step, record) in run.steps.iter().zip(run.records) {
            match (&record.error, record.status) {
                (None, _) | (_, Status::Ok | Status::Interrupted) => {}
                (Some(_), Status::Skipped) if shows_figures => {}
                (Some(error), Status::Skipped) => context.notice(&format!("{}: {error}", step.label(&record.model))),
                (Some(error), _) => {
                    let named = Record { model: step.label(&record.model), ..record.clone() };
                    say(call_failed(&named, error, &self.model_names, stderr));
                }
            }
        }
        if shows_figures {
            let separator = if context.terminal.stdout.tty { "\n" } else { "" };
            say(Text::from(separator) + table(run, stderr));
        }
        // The ledger has the answers of the other steps, which are not shown.
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
