//! `llm bench`: measures how fast models and gateways are.

use sha2::{Digest, Sha256};

use super::estimate::Estimate;
use super::run::{Ending, RunOptions, View, run_schedule};
use super::{Context, dry_run, live, process, request};
use crate::bench::compare::{Difference, between_gateways, differences};
use crate::bench::kept::{self, KeptRun};
use crate::bench::{BenchSchedule, Figures, Load, Measured, Plan};
use crate::call::{Call, Event, Role, RunEvent};
use crate::cli::{BenchArgs, BenchFormat};
use crate::error::Error;
use crate::pricing::Identity;
use crate::prompt;
use crate::record::{Record, Status};
use crate::report::bench::{Before, Report, csv, html, json, markdown, text};
use crate::report::destination::Destination;
use crate::report::format::count;
use crate::report::progress::Progress;
use crate::route::NamedRoute;
use crate::run::{ExitCode, Notices, Outcome, Reporter};

/// The prompt if none is given, and the output tokens of its answer.
const PROMPT: &str = "Write one short paragraph about the sea.";
const PROMPT_TOKENS: u64 = 64;

pub(super) fn run_bench(context: &Context, args: &BenchArgs) -> Result<u8, Error> {
    let destination = request::destination(context, &args.prompt)?;
    check(context, args)?;
    let base = calls(context, args)?;
    let load = args.rate.map_or(Load::Concurrency(args.concurrency), Load::Rate);
    let plan = Plan { models: base.len(), requests: args.requests, warmup: args.warmup, load };
    if args.prompt.dry_run {
        return dry_run::run(context, &base, args.output.format != BenchFormat::Text, destination);
    }
    let before = args.compare_with.as_deref().map(|id| earlier(context, id)).transpose()?;
    let each = plan.requests.saturating_add(plan.warmup);
    let estimate = Estimate::new(context, base.iter().map(|call| (call, each)))?;
    estimate.say(context, base[0].caller.max_cost.as_deref())?;
    let mut options = RunOptions::new(context, "bench", &args.prompt);
    options.hints = true;
    options.gateways.cached = Some(false);
    options.concurrency = concurrency(context, &plan);
    let nothing = Measured::new().ok_or_else(|| Error::usage("the times cannot be counted"))?;
    let names: Vec<String> = base.iter().map(|call| call.asked.clone()).collect();
    let mut view = BenchView {
        context,
        args,
        plan,
        progress: Progress::tally(names, Some(each), &live::terminal(context), context.quiet),
        base: base.clone(),
        before,
        measured: vec![nothing; base.len()],
        failures: ExitCode::default(),
        refused: vec![None; base.len()],
        failed: vec![None; base.len()],
        destination: Some(destination),
    };
    run_schedule(context, &base, &mut BenchSchedule::new(plan, base.clone()), &options, &mut view)
}

/// Refuses flags with which a figure would not be that of one model.
fn check(context: &Context, args: &BenchArgs) -> Result<(), Error> {
    if !args.prompt.fallback.is_empty() {
        return Err(Error::usage("--fallback would measure two models as one; -m A,B measures both"));
    }
    if args.prompt.cache {
        context.notice("bench measures, so the answer cache is not used");
    }
    Ok(())
}

/// One call to each model.
fn calls(context: &Context, args: &BenchArgs) -> Result<Vec<Call>, Error> {
    let resolver = context.resolver(args.prompt.to.gateway.as_deref());
    let mut models = args.model.iter().map(|name| resolver.model(name)).collect::<Result<Vec<NamedRoute>, _>>()?;
    if models.is_empty() {
        models = resolver.models_of_gateway()?;
    }
    if models.is_empty() {
        return Err(Error::usage_hint("which models?", "name them with -m A,B,C; `llm models` lists them"));
    }
    let is_default = args.prompt.prompt.is_none();
    let mut prepared = request::prepare_with(context, &args.prompt, || match &args.prompt.prompt {
        None => Ok(PROMPT.to_owned()),
        prompt => prompt::read(prompt.as_deref(), args.prompt.no_stdin, |text| context.urgent(text)),
    })?;
    let template = &mut prepared.calls;
    if is_default && template.request.max_tokens.is_none() {
        std::sync::Arc::make_mut(&mut template.request).max_tokens = Some(PROMPT_TOKENS);
    }
    template.role = Role::Measurement;
    // A second try would hide a failure, and count its time to the answer.
    template.retries = template.retries.or(Some(0));
    template.calls(&context.settings, &models)
}

/// How many calls may run at once, as far as the system has connections.
fn concurrency(context: &Context, plan: &Plan) -> usize {
    let most = process::connections();
    let Some(wanted) = plan.concurrency() else { return most };
    if wanted > most {
        let connections = count(most as u64, "connection", "connections");
        let text = format!("{wanted} requests cannot run at once: this process may have {connections}");
        context.notice(&text);
    }
    wanted.min(most)
}

/// The run to compare with.
fn earlier(context: &Context, id: &str) -> Result<KeptRun, Error> {
    let none = || Error::usage("there is no directory for earlier runs; LLM_DATA_DIR names one");
    kept::find(context.settings.dirs.data.as_deref().ok_or_else(none)?, id)
}

/// Measures, and shows the figures when all calls have ended.
struct BenchView<'a> {
    context: &'a Context,
    args: &'a BenchArgs,
    plan: Plan,
    base: Vec<Call>,
    before: Option<KeptRun>,
    measured: Vec<Measured>,
    /// Of the measured calls that failed.
    failures: ExitCode,
    /// By model, why a budget or a list of models has refused a call, so that no further one was sent.
    refused: Vec<Option<String>>,
    /// By model, why the first call failed that was sent.
    failed: Vec<Option<String>>,
    destination: Option<Destination>,
    progress: Progress,
}

impl Reporter for BenchView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        for event in events.iter().filter(|event| self.plan.place(event.call).is_some()) {
            if matches!(event.event, Event::Attempt { .. } | Event::Done(_)) {
                self.measured[self.plan.model(event.call)].saw(event.at);
            }
        }
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        let model = self.plan.model(call.index);
        let measured = &mut self.measured[model];
        let is_refused = record.status == Status::Refused;
        let has_limit = call.request.max_tokens.is_some();
        if let Some(failure) = record.error.as_ref().filter(|_| !Measured::is_answer(&record, has_limit)) {
            let first = if is_refused { &mut self.refused[model] } else { &mut self.failed[model] };
            first.get_or_insert_with(|| failure.message.clone());
        }
        // A refusal while a model warms up is the end of its measurement, so it counts.
        if self.plan.place(call.index).is_none() && !is_refused {
            measured.pay(&record);
            return Ok(());
        }
        let answered = measured.answered;
        measured.take(&record, has_limit);
        if measured.answered == answered {
            self.failures.add(Role::Answer, &record);
        }
        Ok(())
    }
}

impl View for BenchView<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        self.progress.clear();
        let figures: Vec<Figures> = self.base.iter().zip(&self.measured).map(figures).collect();
        for (call, why) in self.base.iter().zip(&self.refused) {
            if let Some(why) = why {
                let name = &call.asked;
                self.context.notice(&format!("a request to {name} was refused, so no further one was sent: {why}"));
            }
        }
        for (call, why) in self.base.iter().zip(&self.failed) {
            if let Some(why) = why {
                self.context.notice(&format!("the first failure of {}: {why}", call.asked));
            }
        }
        let before = self.before(&figures);
        let request = self.request();
        let report = Report {
            run: &outcome.run,
            plan: self.plan,
            figures: &figures,
            gateways: &between_gateways(&figures, is_same_model, is_makers),
            before: before.as_ref(),
        };
        let Some(destination) = self.destination.take() else { return Ok(0) };
        let out = destination.output();
        destination.write(match self.args.output.format {
            BenchFormat::Text => text(&report, &out),
            BenchFormat::Json => json(&report, &out),
            BenchFormat::Csv => csv(&report),
            BenchFormat::Markdown => markdown(&report),
            BenchFormat::Html => html(&report)?,
        })?;
        self.keep(&outcome.run, request, &figures);
        Ok(self.exit_code(&figures))
    }
}

fn figures((call, measured): (&Call, &Measured)) -> Figures {
    let target = call.target();
    Figures::new(&call.asked, &target.gateway, &target.model, measured)
}

/// Whether both are one model at two gateways, as far as their names tell.
fn is_same_model(one: &Figures, other: &Figures) -> bool {
    one.model == other.model || Identity::of(&one.model).is_called(&other.model)
}

/// Whether a gateway is that of the model's maker.
fn is_makers(figures: &Figures) -> bool {
    Identity::of(&figures.model).maker.is_some_and(|maker| maker == figures.gateway)
}

impl BenchView<'_> {
    /// A hash of what was sent, whichever model it went to.
    fn request(&self) -> String {
        let request = serde_json::to_vec(&*self.base[0].request).unwrap_or_default();
        Sha256::digest(request).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What has changed since the earlier run.
    fn before(&self, figures: &[Figures]) -> Option<Before> {
        let earlier = self.before.as_ref()?;
        if earlier.request != self.request() {
            self.context.notice("the earlier run sent another request, so its times say little about these");
        }
        if earlier.load != self.plan.load {
            self.context.notice("the earlier run had another load, so its times say little about these");
        }
        let mut found: Vec<Difference> = Vec::new();
        for now in figures {
            match earlier.figures(&now.gateway, &now.model) {
                Some(then) => found.extend(differences((&now.name, now), ("before", &then))),
                None => self.context.notice(&format!("the earlier run did not measure {}", now.name)),
            }
        }
        Some(Before { run: earlier.run.clone(), at: earlier.at.clone(), differences: found })
    }

    /// Keeps the run for later ones to compare with, unless it was stopped before it measured anything.
    fn keep(&self, run: &str, request: String, figures: &[Figures]) {
        let Some(data) = self.context.settings.dirs.data.as_deref() else { return };
        if figures.iter().all(|figures| figures.answered == 0) {
            return;
        }
        let now = jiff::Timestamp::now();
        let at = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let kept = KeptRun::new(run, at, self.plan.load, request, figures);
        match kept::keep(data, &kept) {
            Ok(()) => self.context.notice(&format!("kept as {run}; --compare-with takes this id, or `last`")),
            Err(error) => self.context.notice(&format!("the run could not be kept for later: {error}")),
        }
    }

    /// 0 if every call was answered, 8 if some were, else the code of the failures.
    fn exit_code(&self, figures: &[Figures]) -> u8 {
        let answered = figures.iter().any(|figures| figures.answered > 0);
        match self.failures.code() {
            0 => 0,
            _ if answered => 8,
            code => code,
        }
    }
}
