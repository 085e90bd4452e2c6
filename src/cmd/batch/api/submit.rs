//! Hands a batch over.

use std::time::Duration;

use jiff::Timestamp;

use super::clients::Clients;
use super::handover::Handovers;
use super::{ledger, model_routes, tell_unkept};
use crate::batch::output::State;
use crate::batch::{Cook, Done, Maker, OutputFile, RowInfo, Tally, Work};
use crate::call::{Call, Event, RunEvent};
use crate::cli::BatchRunArgs;
use crate::cmd::Context;
use crate::cmd::batch::jobs::unreadable;
use crate::cmd::batch::lines::LineMaker;
use crate::cmd::batch::make::CallMaker;
use crate::cmd::batch::session::{Lines, Session};
use crate::cmd::batch::{Batch, JobAccount, progress_of, short_id};
use crate::cmd::run::SHARE_LIMIT;
use crate::config::{Action, Budget};
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::jobs::{self, JobProgress, JobState};
use crate::record::{Record, Recorder};
use crate::report::format::count;
use crate::report::term::print;
use crate::run::Notices;

/// Hands over the rows that are not done, in parts that the gateway takes.
pub(in crate::cmd::batch) fn submit(batch: &Batch<'_>, output: Lines, session: Session) -> Result<u8, Error> {
    let (context, args, plan) = (batch.context, batch.args, batch.plan);
    let Session { done, mut tally, job, .. } = session;
    let Lines::File(mut output) = output else {
        return Err(Error::usage_hint("--via api needs --out", "the answers come later, and are written there"));
    };
    model_routes(plan)?;
    if !batch.keeps_texts {
        let hint = "its command is kept in the ledger until the answers are collected";
        return Err(Error::usage_hint("--via api needs --log full", hint));
    }
    if !args.judge.is_empty() {
        let hint = "without --via api, judges score each answer when it has come";
        return Err(Error::usage_hint("--judge needs the answers, which a batch that is handed over has later", hint));
    }
    if plan.source.is_pipe() {
        let hint = "the rows are read again when the answers are collected; write them to a file";
        return Err(Error::usage_hint("--via api needs a data set in a file", hint));
    }
    check_limits(context, args)?;
    let base = batch.base(&job, &JobAccount::new(&job));
    let mut maker = CallMaker::new(&context.settings, &base, &plan.work, &plan.names, job.clone());
    let samples = maker.samples()?;
    let gateways = samples.iter().map(|call| call.target().gateway.clone()).collect();
    let clients = Clients::new(context, &gateways, args.prompt.to.key.as_deref())?;
    samples.iter().try_for_each(|call| clients.check_model(call))?;
    tell_unkept(context, &samples);
    let mut store = ledger(context)?;
    let mut row = batch.job(&job, 0, &tally);
    (row.via_api, row.state) = (true, JobState::Submitted);
    store.write(|transaction| row.save(transaction)).map_err(|error| unreadable(&error))?;
    let teller = batch.teller(&job, true, JobState::Submitted, row.progress);
    let handovers = Handovers::new(context, &clients, store, &job, plan);
    let written = (&mut output, &mut tally);
    let handed_over = handovers.and_then(|handovers| hand_over(batch, handovers, maker, written, &done, &job));
    // All rows were read, and the answers that are collected are compared with their number.
    let total = handed_over.as_ref().ok().map(|handed_over| plan.lines(handed_over.rows, &done));
    let progress = JobProgress { total, ..progress_of(&tally, 0) };
    if let Some(teller) = teller {
        teller.end(JobState::Submitted, progress);
        teller.close(SHARE_LIMIT).iter().for_each(|text| context.notice(text));
    }
    let noted = ledger(context).and_then(|mut store| {
        let written = store.write(|transaction| {
            jobs::note_progress(transaction, &job, Timestamp::now().as_millisecond(), JobState::Submitted, &progress)
        });
        written.map_err(|error| unreadable(&error))
    });
    if let (Err(_), Err(error)) = (&handed_over, &noted) {
        context.urgent(&error.to_string());
    }
    let HandedOver { rows, unusable, requests, parts } = handed_over?;
    noted?;
    let id = short_id(&job);
    if rows == 0 {
        context.urgent(&format!("{} has no row that is asked", plan.source.path.display()));
        return Ok(0);
    }
    if unusable > 0 {
        let lines = count(unusable, "line", "lines");
        context.urgent(&format!("{lines} in the output: rows that cannot be used were not handed over"));
    }
    if parts == 0 && unusable == 0 {
        context.notice("every row is done or handed over already");
        return Ok(0);
    }
    if parts == 0 {
        return Ok(tally.exit_code());
    }
    let (requests, parts) = (count(requests, "request", "requests"), count(parts, "batch", "batches"));
    context.notice(&format!("{requests} handed over in {parts}; `llm batch collect {id}` gets the answers"));
    print(format!("{job}\n").into())?;
    Ok(if unusable > 0 { 8 } else { 0 })
}

/// What was handed over.
struct HandedOver {
    /// How many rows the batch has.
    rows: u64,
    /// How many lines were written for rows that cannot be used.
    unusable: u64,
    requests: u64,
    parts: u64,
}

/// So many rows that cannot be used are told one by one.
const TOLD: u64 = 3;

/// Hands over the rows that are not done.
fn hand_over(
    batch: &Batch<'_>,
    mut handover: Handovers<'_>,
    mut maker: CallMaker<'_>,
    (output, tally): (&mut OutputFile, &mut Tally),
    done: &Done,
    job: &str,
) -> Result<HandedOver, Error> {
    let mut unusable = 0;
    let plan = batch.plan;
    let lines = LineMaker::new(plan, job);
    let mut cook = Cook::new(&plan.recipe)?;
    let mut rows = plan.source.rows()?;
    let most = plan.selection.limit.unwrap_or(u64::MAX);
    let mut selected = 0;
    while selected < most
        && let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))?
    {
        if !plan.selection.has(row.number) {
            continue;
        }
        selected += 1;
        let (info, asked) = cook.cook(&row);
        for place in 0..plan.names.len() {
            if done.state(row.number, place) != State::Open || handover.has(row.number, place) {
                continue;
            }
            match &asked {
                Ok(asked) => match maker.make(&info, asked.clone(), place)? {
                    Work::Call(call) => handover.add(&info, place, &call)?,
                    Work::Steps(_) => {}
                },
                Err(why) => {
                    unusable += 1;
                    if unusable <= TOLD {
                        let (row, line) = (info.number, info.line);
                        batch.context.urgent(&format!("row {row} (line {line}) cannot be used: {why}"));
                    }
                    let record = record_of_unusable(&info, why, maker.unusable(place));
                    let (line, ended) = lines.line(&info, &record, None, &[])?;
                    let target = output.path().display().to_string();
                    let written = output.append(&line, (info.number, place));
                    written.map_err(|source| Error::Output { target, source })?;
                    tally.add(&plan.names[place], &ended);
                }
            }
        }
    }
    let (requests, parts) = handover.finish()?;
    Ok(HandedOver { rows: selected, unusable, requests, parts })
}

/// Refuses what could not be kept: the requests are paid when the gateway comes to them, which nothing here can stop.
fn check_limits(context: &Context, args: &BatchRunArgs) -> Result<(), Error> {
    let refused = |what: &str| {
        let failure =
            Failure::new(FailureKind::Refused, format!("{what} cannot be kept by a batch that is handed over"));
        Err(Error::Call(failure.with_advice("`--dry-run` estimates the cost; without --via api, limits of cost hold")))
    };
    if args.prompt.max_cost.is_some() {
        return refused("--max-cost");
    }
    let is_strict = |budget: &Budget| budget.action == Action::Refuse;
    if context.settings.budgets.iter().any(is_strict) { refused("a budget of the config") } else { Ok(()) }
}

/// The record of a row that cannot be used.
fn record_of_unusable(info: &RowInfo, why: &str, call: Call) -> Record {
    let mut recorder = Recorder::new("", &call, Duration::ZERO);
    let failure = Failure::new(FailureKind::InvalidRequest, format!("line {}: {why}", info.line));
    recorder.event(&RunEvent { call: 0, at: Duration::ZERO, event: Event::Done(Err(failure)) });
    recorder.finish(Duration::ZERO)
}
