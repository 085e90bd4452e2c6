//! Gets the answers of a batch that was handed over.

use std::sync::Arc;
use std::time::Duration;

use super::model_routes;
use super::results::ApiResults;
use super::standing::{Open, described, standing};
use crate::batch::Done;
use crate::cli::{BatchRunArgs, SummaryFormat};
use crate::cmd::Context;
use crate::cmd::batch::jobs::{arguments, find, unreadable};
use crate::cmd::batch::plan::BatchPlan;
use crate::cmd::batch::session::Session;
use crate::cmd::batch::{Batch, short_id};
use crate::error::Error;
use crate::ledger::Store;
use crate::ledger::jobs::{self, Job, JobState, Part, PartState};
use crate::report::format::count;
use crate::run::Notices;

/// How long `--wait` waits between two questions, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Gets the answers that are ready, and writes them to the output.
pub(in crate::cmd::batch) fn collect(
    context: &Context,
    id: Option<&str>,
    (wait, give_up): (bool, bool),
    format: SummaryFormat,
) -> Result<u8, Error> {
    let job = find(context, id)?;
    if !job.via_api {
        let hint = "its answers come as calls end; `llm batch status` shows them";
        return Err(Error::usage_hint("this batch was not handed over with --via api", hint));
    }
    let mut args = arguments(&job)?;
    args.resume = true;
    args.output.format = format;
    let mut plan = BatchPlan::new(context, &args)?;
    plan.recipe.is_handed_over = true;
    let routes = model_routes(&plan)?.len();
    let session = Session::open(context, &args, &mut plan, false)?;
    let mut open = Open::of(context, &job, &args)?;
    let wanted = open.store.write(|transaction| jobs::withdraw_cancel(transaction, &job.id));
    wanted.map_err(|error| unreadable(&error))?;
    let mut results = ApiResults::new(context, routes)?;
    let Asked { mut over, failures } = fetch_all(context, &plan, &mut open, &mut results, &job.id, wait);
    let mut failure = None;
    for (part, error) in failures {
        let is_in_doubt = part.state == PartState::Submitting;
        if failure.is_some() || (give_up && is_in_doubt) {
            context.urgent(&format!("{}: {error}", part.model));
        } else {
            failure = Some(error);
        }
        if is_in_doubt { open.in_doubt.push(part) } else { open.parts.push(part) }
    }
    if give_up && !open.in_doubt.is_empty() {
        plan.draw(&args)?;
        for part in std::mem::take(&mut open.in_doubt) {
            let (first, last) = part.rows;
            let lost = "if the gateway has it, its answers will be paid and not collected";
            context.urgent(&format!("{}, rows {first} to {last}: given up; {lost}", part.model));
            results.give_up(&plan, &session.done, &part);
            over.push(part);
        }
    }
    open.tell_in_doubt(context, &job.id);
    if let Some(error) = failure.take_if(|_| over.is_empty() && results.rows().is_empty()) {
        return Err(error);
    }
    results.check_rows(&plan, &job.id)?;
    let total = match job.progress.total {
        Some(total) => total,
        None => total(&args, &mut plan, &session.done)?,
    };
    let outstanding = open.parts.iter().chain(&open.in_doubt);
    results.expect(&session.done, total, outstanding.map(|part| (part, plan.place(&part.model))));
    plan.selection.sample = Some(results.rows().into());
    plan.selection.limit = None;
    results.tell_price(context);
    results.tell_faults(context);
    let is_last = open.count() == 0;
    let batch = Batch::new(context, &args, &plan, job.command.clone());
    let code = batch.collect(session, Arc::new(results), is_last)?;
    let not_ready = open.count();
    finish(open.store, &job, over, is_last)?;
    if !is_last {
        let batches = count(not_ready, "batch is", "batches are");
        context.notice(&format!("{batches} not ready; `llm batch collect {}` asks again", short_id(&job.id)));
    }
    match failure {
        Some(error) => Err(error),
        None if is_last => Ok(code),
        None => Ok(code.max(8)),
    }
}

/// How many lines the output of a job will have whose handover did not come to its end, or was that of an earlier version: the
/// rows are counted.
fn total(args: &BatchRunArgs, plan: &mut BatchPlan, done: &Done) -> Result<u64, Error> {
    plan.draw(args)?;
    Ok(plan.lines(plan.count_all()?, done))
}

/// What has become of the parts that were asked for.
#[derive(Default)]
struct Asked {
    /// Those whose results have been fetched.
    over: Vec<Part>,
    /// Those of which that is not known or failed, and why.
    failures: Vec<(Part, Error)>,
}

/// Fetches the results of all parts that are over, or waits until all are. Those that are not over are left in `open`.
fn fetch_all(
    context: &Context,
    plan: &BatchPlan,
    open: &mut Open,
    results: &mut ApiResults,
    job: &str,
    wait: bool,
) -> Asked {
    let mut asked = Asked::default();
    let mut pause = FIRST_WAIT;
    loop {
        asked.failures.extend(open.settle(context, job));
        let mut still = Vec::new();
        for part in std::mem::take(&mut open.parts) {
            match fetch(context, plan, open, results, &part) {
                Ok(true) => asked.over.push(part),
                Ok(false) => still.push(part),
                Err(error) => asked.failures.push((part, error)),
            }
        }
        open.parts = still;
        if !wait || open.count() == 0 {
            return asked;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_WAIT);
    }
}

/// Asks how a part stands, and fetches its results if it is over. Whether it is over.
fn fetch(
    context: &Context,
    plan: &BatchPlan,
    open: &Open,
    results: &mut ApiResults,
    part: &Part,
) -> Result<bool, Error> {
    let client = open.clients.of_part(part)?;
    let standing = standing(&open.requests, client, part)?;
    context.notice(&described(part, &standing));
    if let Some(failure) = standing.failure.as_ref().filter(|_| standing.is_over) {
        context.urgent(&format!("the batch has failed: {failure}"));
    }
    if standing.is_over {
        results.add(plan, client, part, &standing, &open.requests)?;
    }
    Ok(standing.is_over)
}

/// Notes that the results of these parts are in the output, which was synced before.
fn finish(mut store: Store, job: &Job, over: Vec<Part>, is_last: bool) -> Result<(), Error> {
    let written = store.write(|transaction| {
        for part in over {
            jobs::save_part(transaction, &job.id, &Part { state: PartState::Collected, ..part })?;
        }
        if is_last { Ok(()) } else { jobs::set_state(transaction, &job.id, JobState::Submitted) }
    });
    written.map_err(|error| unreadable(&error))
}
