//! Gets the answers of a batch that was handed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::Store;
use crate::ledger::jobs::{self, Job, JobState, Part, PartState};
use crate::report::format::count;
use crate::run::Notices;

/// How long `--wait` waits between two questions, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long `--wait` bears failures that may pass.
const PATIENCE: Duration = Duration::from_secs(600);

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
    let (output, session) = Session::open(context, &args, &mut plan, false)?;
    let mut open = Open::of(context, &job, &args)?;
    let wanted = open.store.write(|transaction| jobs::withdraw_cancel(transaction, &job.id));
    wanted.map_err(|error| unreadable(&error))?;
    let mut results = ApiResults::new(context, routes)?;
    let Asked { mut over, failures } = fetch_all(context, &plan, &mut open, &mut results, &job.id, wait);
    let mut failure = None;
    for Failed { part, error, is_over } in failures {
        let is_in_doubt = part.state == PartState::Submitting || (give_up && is_over);
        if failure.is_some() || (give_up && is_in_doubt) {
            context.urgent(&format!("{}: {error}", part.model));
        } else {
            failure = Some(error);
        }
        if is_in_doubt { open.in_doubt.push(part) } else { open.parts.push(part) }
    }
    if give_up && !open.in_doubt.is_empty() {
        plan.draw(&args)?;
        let mut kept = Vec::new();
        for part in std::mem::take(&mut open.in_doubt) {
            let (first, last) = part.rows;
            // A model that several gateways take in turn has parts of the same rows, and nobody knows which row is in which.
            let is_of_them = |other: &Part| other.model == part.model && other.rows.0 <= last && first <= other.rows.1;
            if open.parts.iter().any(is_of_them) {
                let why = "not given up while another batch has some of these rows in work";
                context.urgent(&format!("{}, rows {first} to {last}: {why}", part.model));
                kept.push(part);
                continue;
            }
            let lost = "if the gateway has it, its answers will be paid and not collected";
            context.urgent(&format!("{}, rows {first} to {last}: given up; {lost}", part.model));
            results.give_up(&plan, &session.done, &part);
            over.push(part);
        }
        open.in_doubt = kept;
    }
    open.tell_in_doubt(context, &job.id);
    if let Some(error) = failure.take_if(|_| over.is_empty() && results.rows().is_empty()) {
        return Err(advised(error));
    }
    results.check_rows(&plan, &job.id)?;
    let total = match job.progress.total {
        Some(total) => total,
        None => total(&args, &mut plan, &session.done)?,
    };
    let outstanding = open.parts.iter().chain(&open.in_doubt);
    results.expect(&session.done, total, outstanding);
    plan.selection.sample = Some(results.rows().into());
    plan.selection.limit = None;
    results.tell_price(context);
    results.tell_faults(context);
    let is_last = open.count() == 0;
    let batch = Batch::new(context, &args, &plan, job.command.clone());
    let code = batch.collect(output, session, Arc::new(results), is_last)?;
    let not_ready = open.count();
    finish(open.store, &job, over, is_last)?;
    if !is_last {
        let batches = count(not_ready, "batch is", "batches are");
        context.notice(&format!("{batches} not ready; `llm batch collect {}` asks again", short_id(&job.id)));
    }
    match failure {
        Some(error) => Err(advised(error)),
        None if is_last => Ok(code),
        None => Ok(code.max(8)),
    }
}

/// The error with advice that holds for this command, which has no flag for further tries.
fn advised(error: Error) -> Error {
    match error {
        Error::Call(failure) if failure.is_transient() && is_unadvised(&failure) => Error::Call(
            failure.with_advice("`llm batch collect` again gets the rest; with --wait, it asks until it can"),
        ),
        error => error,
    }
}

/// Whether the failure says no more than that it may pass: not when, and not by what.
fn is_unadvised(failure: &Failure) -> bool {
    failure.advice.is_none() || (failure.kind == FailureKind::RateLimited && failure.retry_after.is_none())
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
    failures: Vec<Failed>,
}

/// A part whose results could not be fetched.
struct Failed {
    part: Part,
    error: Error,
    /// Whether the gateway has ended it.
    is_over: bool,
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
    // Since when every question has failed.
    let mut failing: Option<Instant> = None;
    loop {
        let unsettled = open.settle(context, job).into_iter();
        let mut failures: Vec<Failed> = unsettled.map(|(part, error)| Failed { part, error, is_over: false }).collect();
        let mut still = Vec::new();
        for part in std::mem::take(&mut open.parts) {
            match fetch(context, plan, open, results, &part) {
                (true, Ok(())) => asked.over.push(part),
                (false, Ok(())) => still.push(part),
                (is_over, Err(error)) => failures.push(Failed { part, error, is_over }),
            }
        }
        open.parts = still;
        // What may pass is waited for, too. A time limit of ours is none: it was waited for already.
        let is_passing = |failed: &Failed| match &failed.error {
            Error::Call(failure) => {
                failure.is_transient() && (failure.kind != FailureKind::Timeout || failure.status.is_some())
            }
            _ => false,
        };
        let is_patient = failing.is_none_or(|since| since.elapsed() < PATIENCE);
        let (passing, lasting): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|failed| wait && is_patient && is_passing(failed));
        asked.failures.extend(lasting);
        if passing.is_empty() {
            failing = None;
        } else if failing.is_none() {
            failing = Some(Instant::now());
            passing.iter().for_each(|failed| context.notice(&format!("{}; asked again until it passes", failed.error)));
        }
        for Failed { part, .. } in passing {
            let to = if part.state == PartState::Submitting { &mut open.in_doubt } else { &mut open.parts };
            to.push(part);
        }
        if !wait || open.count() == 0 {
            return asked;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_WAIT);
    }
}

/// Asks how a part stands, and fetches its results if it is over. Returns whether it is over, and whether all of that worked.
fn fetch(
    context: &Context,
    plan: &BatchPlan,
    open: &Open,
    results: &mut ApiResults,
    part: &Part,
) -> (bool, Result<(), Error>) {
    let asked = open.clients.of_part(part).and_then(|client| Ok((client, standing(&open.requests, client, part)?)));
    let (client, standing) = match asked {
        Ok(asked) => asked,
        Err(error) => return (false, Err(error)),
    };
    context.notice(&described(part, &standing));
    if let Some(failure) = standing.failure.as_ref().filter(|_| standing.is_over) {
        context.urgent(&format!("the batch has failed: {failure}"));
    }
    let added = if standing.is_over { results.add(plan, client, part, &standing, &open.requests) } else { Ok(()) };
    (standing.is_over, added)
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
