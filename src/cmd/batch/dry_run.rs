//! `llm batch --dry-run`: the first request to each model, and what all of them may cost and take. Sends nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::make::CallMaker;
use super::plan::{BatchPlan, PlannedWork};
use crate::batch::{Cook, Maker, Work};
use crate::call::Call;
use crate::cli::{BatchRunArgs, SummaryFormat};
use crate::cmd::{Context, dry_run, process};
use crate::error::Error;
use crate::ledger::{self, Store};
use crate::money::Usd;
use crate::pricing::estimate;
use crate::report::batch::{Estimate, ModelEstimate, estimate_json, estimate_text};
use crate::report::term::print;
use crate::run::{Notices, Schedule, Step, pricing};

/// So many calls run at once in the estimate of the time, where the user does not say a number.
const USUAL_CONCURRENCY: usize = 8;

/// Prints what the batch would do.
///
/// # Errors
/// The data set cannot be read, or a gateway is not configured.
pub(super) fn run(context: &Context, args: &BatchRunArgs, plan: &BatchPlan) -> Result<u8, Error> {
    if !args.judge.is_empty() {
        context.notice("judges are asked about the answers, so their requests and costs are not shown");
    }
    let mut maker = CallMaker::new(&context.settings, &plan.base, &plan.work, &plan.names, String::new());
    let mut cook = Cook::new(&plan.recipe)?;
    let mut models = Models::new(context, plan);
    let mut first: Vec<Call> = Vec::new();
    let mut rows = plan.source.rows()?;
    let (mut count, mut bad) = (0, Vec::new());
    while let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))? {
        if !plan.selection.has(row.number) {
            continue;
        }
        if plan.selection.limit.is_some_and(|limit| count >= limit) {
            break;
        }
        count += 1;
        let (info, asked) = cook.cook(&row);
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => {
                bad.push(format!("line {}: {why}", row.line));
                continue;
            }
        };
        for place in 0..plan.names.len() {
            let call = match maker.make(&info, asked.clone(), place)? {
                Work::Call(call) => *call,
                // The prompts of later steps are not known, so the estimate is that of the first step for each of them.
                Work::Steps(mut steps) => match Schedule::next(&mut *steps) {
                    Some(Step::Call(call) | Step::Skip(call, _)) => call,
                    None => continue,
                },
            };
            models.add(place, &call);
            if first.len() <= place {
                first.push(call);
            }
        }
    }
    let requests = dry_run::planned(context, &first)?;
    let concurrency = args.concurrency.map_or(USUAL_CONCURRENCY, |calls| calls as usize).min(process::connections());
    let estimate = Estimate { rows: count, bad: &bad, models: models.estimates(plan, concurrency), concurrency };
    let out = &context.terminal.stdout;
    print(match args.output.format {
        SummaryFormat::Json => estimate_json(&requests, &estimate, out),
        _ => estimate_text(&requests, &estimate, out),
    })?;
    Ok(0)
}

/// Sums by model.
struct Models<'a> {
    context: &'a Context,
    sums: BTreeMap<usize, Sums>,
    ledger: Option<Store>,
    /// How many calls a row takes.
    steps: u64,
    pricing: crate::pricing::Pricing,
}

#[derive(Default)]
struct Sums {
    calls: u64,
    input: u64,
    /// With answers of usual length; `None` where the price is not known.
    usual: Option<Usd>,
    /// With the longest answers that are allowed.
    most: Option<Usd>,
    gateway: String,
    model: String,
}

impl<'a> Models<'a> {
    fn new(context: &'a Context, plan: &BatchPlan) -> Self {
        let dir = context.settings.dirs.data.as_deref();
        let steps = match &plan.work {
            PlannedWork::Models(_) => 1,
            PlannedWork::Pipeline(steps, _) => steps.len() as u64,
        };
        Self {
            context,
            sums: BTreeMap::new(),
            ledger: dir.and_then(|dir| Store::open_to_read(dir).ok().flatten()),
            steps,
            pricing: pricing(&context.settings, true),
        }
    }

    fn add(&mut self, place: usize, call: &Call) {
        let target = call.target();
        let usage = estimate::expected(&call.request, &target.model);
        let quote = self.context.settings.gateway(&target.gateway).ok();
        let quote = quote.and_then(|gateway| self.pricing.quote(&gateway, &target.model));
        let usual = quote.as_ref().and_then(|quote| quote.cost(&usage)).map(|cost| cost.usd);
        let most = call.request.max_tokens.and_then(|most| {
            let usage = crate::chat::Usage { output: Some(most), ..usage };
            quote.as_ref()?.most(&usage).map(|cost| cost.usd)
        });
        let is_first = !self.sums.contains_key(&place);
        let sums = self.sums.entry(place).or_default();
        let add = |sum: Option<Usd>, more: Option<Usd>| match (is_first, sum, more) {
            (true, _, more) => more,
            (false, Some(sum), Some(more)) => Some(Usd::from_picos(sum.picos().saturating_add(more.picos()))),
            _ => None,
        };
        sums.calls += 1;
        sums.input += usage.input.unwrap_or(0);
        sums.usual = add(sums.usual, usual);
        sums.most = add(sums.most, most);
        sums.gateway.clone_from(&target.gateway);
        sums.model.clone_from(&target.model);
    }

    fn estimates(self, plan: &BatchPlan, concurrency: usize) -> Vec<ModelEstimate> {
        let steps = self.steps;
        let times = |usd: Option<Usd>| usd.and_then(|usd| usd.times(steps));
        let estimate = |(place, sums): (usize, Sums)| {
            let median = |store: &Store| ledger::median_total(store, &sums.gateway, &sums.model).ok().flatten();
            let each = self.ledger.as_ref().and_then(median);
            let all = each.map(|each| each.as_secs_f64() * (sums.calls * steps) as f64 / concurrency.max(1) as f64);
            ModelEstimate {
                model: plan.names[place].clone(),
                calls: sums.calls * steps,
                input_tokens: sums.input * steps,
                usual: times(sums.usual),
                most: times(sums.most),
                time: all.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            }
        };
        self.sums.into_iter().map(estimate).collect()
    }
}
