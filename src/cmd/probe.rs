//! `llm probe`: finds out what models can really do.

mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::schedule::{Numbering, ProbeSchedule};
use super::estimate::Estimate;
use super::models::Lists;
use super::run::{Ending, RunOptions, View, log_level, run_schedule};
use super::{Context, dry_run, process, request};
use crate::call::{Call, Caller, CostLimit, Event, Role, RunEvent, Target};
use crate::chat::StreamEvent;
use crate::cli::{MeasureLimits, ProbeArgs, ProbeFormat};
use crate::config::{Gateway, nearest};
use crate::demo;
use crate::error::{Error, Failure};
use crate::probe::context::Search;
use crate::probe::{self, Answer, Answers, Feature, Question};
use crate::record::Record;
use crate::report::destination::Destination;
use crate::report::probe::{Probed, Report, csv, json, markdown, text};
use crate::report::progress::Progress;
use crate::resolve::CallTemplate;
use crate::route::{NamedRoute, Route};
use crate::run::{ExitCode, Notices, Outcome, PrepareOptions, Reporter, findings};

pub(super) fn run_probe(context: &Context, args: &ProbeArgs) -> Result<u8, Error> {
    let limit = request::timeout(args.limits.timeout.as_deref())?;
    let destination = context.destination(args.out.path.as_deref(), limit)?;
    let features = features(args)?;
    let caller = Arc::new(caller(&args.limits)?);
    let base = base_calls(context, args, &caller)?;
    let searches = searches(context, args, &base)?;
    let mut schedule = ProbeSchedule::new(base.clone(), probe::questions(&features), searches.clone());
    let planned = schedule.planned();
    if args.dry_run {
        return dry_run::run(context, &planned, args.output.format == ProbeFormat::Json, destination);
    }
    let estimate = Estimate::new(context, planned.iter().map(|call| (call, 1)))?;
    estimate.say(context, caller.max_cost.as_deref())?;
    let options = RunOptions {
        command: "probe",
        gateways: PrepareOptions { key: args.to.key.clone(), cached: Some(false) },
        concurrency: (args.concurrency as usize).min(process::connections()),
        priced: true,
        log: log_level(context, args.log.level),
        turn: None,
        drain: None,
        ledger: None,
        hints: false,
        results: None,
    };
    let labels: Vec<String> = base.iter().map(|call| call.asked.clone()).collect();
    let requests = schedule.numbering().questions.len() as u64;
    let mut view = ProbeView {
        context,
        args,
        features,
        targets: base.iter().map(|call| call.target().clone()).collect(),
        numbering: schedule.numbering(),
        answers: vec![Answers::new(); base.len()],
        searches,
        arriving: BTreeMap::new(),
        records: Vec::new(),
        exit_code: ExitCode::default(),
        failures: vec![None; base.len()],
        destination: Some(destination),
        progress: Progress::tally(labels, Some(requests), &super::live::terminal(context), context.quiet),
    };
    run_schedule(context, &base, &mut schedule, &options, &mut view)
}

/// The features to find out; the context is one of them with `--deep`.
fn features(args: &ProbeArgs) -> Result<Vec<Feature>, Error> {
    let named = args.only.iter().map(|word| feature(word)).collect::<Result<Vec<_>, _>>()?;
    if named.contains(&Feature::Context) && args.deep.is_none() {
        return Err(Error::usage_hint("the context is found out by long prompts alone", "--deep sends them"));
    }
    let is_wanted = |feature: &Feature| match feature {
        Feature::Context => args.deep.is_some(),
        feature => named.is_empty() || named.contains(feature),
    };
    Ok(Feature::ALL.into_iter().filter(is_wanted).collect())
}

/// The feature of this name.
///
/// # Errors
/// There is none.
fn feature(word: &str) -> Result<Feature, Error> {
    Feature::named(word).ok_or_else(|| {
        let known = Feature::ALL.map(Feature::as_str);
        let hint = match nearest(word, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        Error::usage_hint(format!("--only: no feature is called {word}"), hint)
    })
}

fn caller(limits: &MeasureLimits) -> Result<Caller, Error> {
    let max_cost = limits.max_cost.as_deref().map(request::max_cost).transpose()?;
    Ok(Caller {
        max_cost: max_cost.map(|most| Arc::new(CostLimit::new(most))),
        allow_unpriced: limits.allow_unpriced,
        ..Caller::default()
    })
}

/// A call to each model, without its request: all models of the names, each once.
fn base_calls(context: &Context, args: &ProbeArgs, caller: &Arc<Caller>) -> Result<Vec<Call>, Error> {
    let resolver = context.resolver(args.to.gateway.as_deref());
    let mut named = args.model.iter().map(|name| resolver.model(name)).collect::<Result<Vec<_>, _>>()?;
    if named.is_empty() {
        named = resolver.models_of_gateway()?;
    }
    let mut targets: Vec<&Target> = Vec::new();
    for target in named.iter().flat_map(|named| named.route.targets()) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        return Err(Error::usage_hint("which models?", "name them with -m A,B,C; `llm models` lists them"));
    }
    let several_gateways = targets.iter().any(|target| target.gateway != targets[0].gateway);
    let route = |target: &Target| NamedRoute {
        name: if several_gateways { target.to_string() } else { target.model.clone() },
        task: None,
        route: Route::Model(target.clone()),
    };
    let routes: Vec<NamedRoute> = targets.into_iter().map(route).collect();
    let template = CallTemplate {
        caller: Arc::clone(caller),
        role: Role::Measurement,
        retries: args.limits.retries,
        timeout: request::timeout(args.limits.timeout.as_deref())?,
        ..CallTemplate::default()
    };
    template.calls(&context.settings, &routes)
}

/// The search for the context of each of these models, if it is wanted.
///
/// # Errors
/// A gateway is not configured.
fn searches(context: &Context, args: &ProbeArgs, base: &[Call]) -> Result<Vec<Option<Search>>, Error> {
    let Some(limit) = args.deep else { return Ok(vec![None; base.len()]) };
    let targets = base.iter().map(Call::target);
    let (gateways, _) = context.preparation().gateways(targets.clone().filter(|target| target.gateway != "demo"))?;
    let search = |target: &Target| {
        let listed = match gateways.get(&target.gateway) {
            None => Some(demo::CONTEXT),
            Some(gateway) => listed_context(context, args, gateway, target)?,
        };
        Ok(Some(Search::new(listed, (limit > 0).then_some(limit))))
    };
    targets.map(search).collect()
}

/// The context that the gateway lists for a model, in tokens; `None` where it does not say.
///
/// # Errors
/// A signal came.
fn listed_context(
    context: &Context,
    args: &ProbeArgs,
    gateway: &Gateway,
    target: &Target,
) -> Result<Option<u64>, Error> {
    match Lists::new(context, false, false).of(gateway, args.to.key.as_deref()) {
        Ok(list) => Ok(list.find(&target.model).and_then(|model| model.context)),
        Err(error @ Error::Signalled(_)) => Err(error),
        Err(error) => {
            context.notice(&format!("{}: its list of models could not be fetched: {error}", target.gateway));
            Ok(None)
        }
    }
}

/// Collects the answers, and shows what they prove when all calls have ended.
struct ProbeView<'a> {
    context: &'a Context,
    args: &'a ProbeArgs,
    features: Vec<Feature>,
    targets: Vec<Target>,
    numbering: Numbering,
    /// By model.
    answers: Vec<Answers>,
    /// By model; they take the same answers as those of the schedule.
    searches: Vec<Option<Search>>,
    /// By index of the call, what has arrived and is not in its record: the number of pieces, and the refused parameters.
    arriving: BTreeMap<usize, (usize, Vec<&'static str>)>,
    records: Vec<Record>,
    /// Of the plain requests: whether a model lacks a feature does not matter.
    exit_code: ExitCode,
    /// By model, why the plain request failed.
    failures: Vec<Option<Failure>>,
    destination: Option<Destination>,
    progress: Progress,
}

impl Reporter for ProbeView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        for event in events {
            let (pieces, refused) = self.arriving.entry(event.call).or_default();
            match &event.event {
                Event::Attempt { .. } => *pieces = 0,
                Event::Stream(StreamEvent::TextDelta(text)) => *pieces += usize::from(!text.is_empty()),
                Event::Stream(StreamEvent::ToolCallStart { .. } | StreamEvent::ToolCallDelta { .. }) => *pieces += 1,
                // A limit of output tokens that goes by another name is kept.
                Event::Adjusted { parameter, instead, .. }
                    if !instead.is_some_and(|other| other.starts_with("max_")) =>
                {
                    refused.push(parameter);
                }
                _ => {}
            }
        }
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        let (pieces, refused) = self.arriving.remove(&call.index).unwrap_or_default();
        let answer = Answer::of(&record, pieces, refused);
        let model = self.numbering.model(call.index);
        match self.numbering.question(call.index) {
            Some(question) => {
                if question == Question::Plain {
                    self.exit_code.add(Role::Answer, &record);
                    self.failures[model] = record.error.clone();
                }
                self.answers[model].insert(question, answer);
            }
            None => {
                if let Some(search) = &mut self.searches[model]
                    && let Some(asked) = search.next()
                {
                    search.take(asked, &answer);
                }
            }
        }
        self.records.push(record);
        Ok(())
    }
}

impl View for ProbeView<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        self.progress.clear();
        let models: Vec<Probed> = (0..self.targets.len()).map(|model| self.probed(model)).collect();
        for probed in &models {
            self.keep(probed);
        }
        for (target, failure) in self.targets.iter().zip(&self.failures) {
            let Some(failure) = failure else { continue };
            self.context.notice(&format!("{}: {}", target.name_among(&self.targets), failure.with_its_advice()));
        }
        let Some(destination) = self.destination.take() else { return Ok(self.exit_code.code()) };
        let out = destination.output();
        let report = Report {
            run: &outcome.run,
            features: &self.features,
            models: &models,
            total_cost: self.records.iter().collect(),
            evidence: self.args.evidence,
        };
        destination.write(match self.args.output.format {
            ProbeFormat::Text => text(&report, &out),
            ProbeFormat::Json => json(&report, &out),
            ProbeFormat::Csv => csv(&report),
            ProbeFormat::Markdown => markdown(&report),
        })?;
        Ok(self.exit_code.code())
    }
}

impl ProbeView<'_> {
    fn probed(&self, model: usize) -> Probed {
        let Target { gateway, model: name } = self.targets[model].clone();
        let mut found = probe::findings(&self.features, &self.answers[model]);
        let mut context = None;
        if let Some(search) = &self.searches[model] {
            let (finding, accepted) = search.finding();
            context = accepted;
            found.insert(Feature::Context, finding);
        }
        Probed { gateway, model: name, findings: found, context }
    }

    /// Keeps the findings for later commands.
    fn keep(&self, probed: &Probed) {
        let Some(kept) = findings(&self.context.settings, &probed.gateway) else { return };
        if let Err(error) = kept.keep(&probed.model, &probed.findings, probed.context) {
            self.context.notice(&format!("{}: the findings could not be kept for later: {error}", probed.model));
        }
    }
}
