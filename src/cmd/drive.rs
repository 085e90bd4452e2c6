//! Drives a run to its end: events to recorders and reporters, until all is said, a signal comes, or output fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::process;
use super::ready::Ready;
use super::signals::Signals;
use crate::call::{Call, Event, RunEvent};
use crate::engine;
use crate::error::{Error, Failure, FailureKind, SIGPIPE};
use crate::ledger::LedgerWriter;
use crate::policy;
use crate::record::{Record, Recorder, Status};
use crate::report::error::notice;
use crate::report::term::{Output, say};
use crate::report::trace;
use crate::schema::Schema;

/// Who is told what happens.
pub(super) trait Reporter {
    /// What has happened since the last time.
    fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error>;
    /// A call is over; its cost is known as far as it ever will be.
    fn ended(&mut self, record: &Record) -> Result<(), Error>;
}

/// How the calls of a run follow from each other, where some can only be made when others are over.
pub(super) trait Course: std::fmt::Debug {
    /// Whether this call has to wait for another.
    fn waits(&self, call: usize) -> bool;
    /// A call is over: what that decides. Each call that waits is decided on once.
    fn after(&mut self, call: usize, record: &Record) -> Vec<Next>;
    /// A tag that tells this call's record from the others of its run.
    fn tag(&self, call: usize) -> (String, String);
}

/// What becomes of a call that waited.
#[derive(Debug)]
pub(super) enum Next {
    /// It is made, with all that its request lacked.
    Make(Call),
    /// It is not made, and this is why.
    Drop(usize, Failure),
}

/// How to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) calls: Vec<Call>,
    /// `None` where no call waits for another.
    pub(super) course: Option<Box<dyn Course>>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) concurrency: usize,
    /// What every answer must follow whose request says so.
    pub(super) schema: Option<Arc<Schema>>,
    /// Whether costs will be shown, so that prices must be known.
    pub(super) priced: bool,
    /// How requests and responses are told of as they happen, if they are.
    pub(super) trace: Option<Output>,
}

/// What a run gave.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) run: String,
    /// One for each call, in order.
    pub(super) records: Vec<Record>,
    /// The calls as they were made.
    pub(super) calls: Vec<Call>,
    /// When each call's first request could go out.
    pub(super) began: Vec<Timestamp>,
    /// Until the last call was over.
    pub(super) elapsed: Duration,
    /// Why the run was stopped before its end: a signal, or output that failed.
    pub(super) stopped: Option<Error>,
    /// What the user should read about the budgets of the run.
    pub(super) notices: Vec<String>,
}

impl Outcome {
    /// Fails with why output could not be written, where that is what stopped the run: there is nobody to write for.
    pub(super) fn writable(&mut self) -> Result<(), Error> {
        match self.stopped.take() {
            Some(error @ (Error::Output { .. } | Error::Signalled(SIGPIPE))) => Err(error),
            other => {
                self.stopped = other;
                Ok(())
            }
        }
    }
}

/// Runs the calls.
pub(super) fn drive(mut ready: Ready, plan: Plan, reporter: &mut dyn Reporter) -> Result<Outcome, Error> {
    let runtime = process::runtime()?;
    let outcome = runtime.block_on(run(&mut ready, plan, reporter));
    // Whatever still blocks, such as a name that does not resolve, must not hold up the end.
    runtime.shutdown_background();
    Ok(Outcome { notices: ready.ledger.take().map(LedgerWriter::close).unwrap_or_default(), ..outcome })
}

async fn run(ready: &mut Ready, plan: Plan, reporter: &mut dyn Reporter) -> Outcome {
    let run_began = Timestamp::now();
    let run_id = uuid::Uuid::now_v7().to_string();
    let Plan { mut calls, mut course, tags, concurrency, schema, priced, trace } = plan;
    calls.iter_mut().for_each(|call| call.caller = Arc::clone(&ready.caller));
    let recorder = |call: &Call| {
        let mut tags = tags.clone();
        tags.extend(course.as_ref().map(|course| course.tag(call.index)));
        Some(Recorder::new(&run_id, call, tags))
    };
    let mut recorders: Vec<Option<Recorder>> = calls.iter().map(recorder).collect();
    let mut records: Vec<Option<Record>> = calls.iter().map(|_| None).collect();
    let mut ends = vec![Duration::ZERO; calls.len()];
    let targets: Vec<_> = calls.iter().flat_map(Call::targets).cloned().collect();
    let mut signals = Signals::new();
    let service = Arc::new(policy::stack(ready.service.clone(), std::mem::take(&mut ready.policies)));
    let waits = |call: &Call| course.as_ref().is_some_and(|course| course.waits(call.index));
    let mut made: Vec<bool> = calls.iter().map(|call| !waits(call)).collect();
    let first = calls.iter().filter(|call| made[call.index]).cloned().collect();
    let mut run = engine::start(&service, first, concurrency);
    let mut prices_wanted = priced;
    let mut stopped = None;
    let mut batch = Vec::new();
    'run: loop {
        tokio::select! {
            biased;
            // What was decided on goes before what comes.
            () = std::future::ready(()), if !batch.is_empty() => {}
            signal = signals.next() => {
                stopped = Some(Error::Signalled(signal));
                // What has arrived by now is still told.
                run.arrived(&mut batch);
            }
            more = run.next(&mut batch) => if !more { break },
        }
        for event in &batch {
            let Some(recorder) = &mut recorders[event.call] else { continue };
            recorder.event(event);
        }
        if let Some(stderr) = &trace {
            for line in batch.iter().filter_map(trace::line) {
                say(notice(&line, stderr));
            }
        }
        if let Err(error) = reporter.batch(&batch) {
            stopped = Some(error);
            break;
        }
        let mut decided = Vec::new();
        for event in batch.drain(..) {
            if !matches!(event.event, Event::Done(_)) {
                continue;
            }
            let Some(recorder) = recorders[event.call].take() else { continue };
            ends[event.call] = event.at;
            let schema = schema_of(&calls[event.call], schema.as_deref());
            let record = records[event.call].insert(finish(recorder, event.at, ready, priced, schema));
            if let Err(error) = reporter.ended(record) {
                stopped = Some(error);
                break 'run;
            }
            let Some(course) = course.as_mut().filter(|_| stopped.is_none()) else { continue };
            for next in course.after(event.call, record) {
                let at = run.elapsed();
                let (call, result) = match next {
                    Next::Make(call) => (call.index, Ok(Call { caller: Arc::clone(&ready.caller), ..call })),
                    Next::Drop(call, why) => (call, Err(why)),
                };
                if let Some(recorder) = &mut recorders[call] {
                    recorder.begin(at);
                }
                match result {
                    Ok(call) => {
                        made[call.index] = true;
                        calls[call.index] = call.clone();
                        run.start(&service, call);
                    }
                    Err(why) => decided.push(RunEvent { call, at, event: Event::Done(Err(why)) }),
                }
            }
        }
        batch = decided;
        if stopped.is_some() {
            break;
        }
        if prices_wanted {
            // The requests are on their way: time to find prices.
            prices_wanted = false;
            let models =
                targets.iter().filter_map(|target| Some((ready.gateways.get(&target.gateway)?, &*target.model)));
            ready.pricing.prepare(models);
        }
    }
    let now = run.elapsed();
    run.stop(&mut batch).await;
    for event in batch.drain(..) {
        if let Some(recorder) = &mut recorders[event.call] {
            recorder.event(&event);
        }
    }
    let calls_made = calls.iter().zip(made);
    for (((recorder, record), end), (call, made)) in
        recorders.into_iter().zip(&mut records).zip(&mut ends).zip(calls_made)
    {
        let Some(mut recorder) = recorder else { continue };
        *end = now;
        if !made {
            recorder.begin(now);
            let why = Failure::new(FailureKind::Skipped, "not sent: the run was stopped before");
            recorder.event(&RunEvent { call: call.index, at: now, event: Event::Done(Err(why)) });
        }
        let schema = schema_of(call, schema.as_deref());
        let record = record.insert(finish(recorder, now, ready, priced, schema));
        // What a signal cut short has an end like any other; where output failed there is nobody to tell.
        if matches!(stopped, Some(Error::Signalled(signal)) if signal != SIGPIPE)
            && let Err(error) = reporter.ended(record)
        {
            stopped = Some(error);
        }
    }
    let records: Vec<Record> = records.into_iter().flatten().collect();
    let began = |(record, end): (&Record, &Duration)| {
        // The run's clock is monotonic; the time of day is asked for once.
        run_began + end.saturating_sub(record.timing.total.unwrap_or_default())
    };
    let began = records.iter().zip(&ends).map(began).collect();
    let elapsed = ends.into_iter().max().unwrap_or_default();
    Outcome { run: run_id, records, calls, began, elapsed, stopped, notices: Vec::new() }
}

/// What the answer to this call must follow.
fn schema_of<'a>(call: &Call, schema: Option<&'a Schema>) -> Option<&'a Schema> {
    schema.filter(|_| call.request.response_format.is_some())
}

fn finish(recorder: Recorder, now: Duration, ready: &Ready, priced: bool, schema: Option<&Schema>) -> Record {
    let mut record = recorder.finish(now);
    // A call of a tool is not the answer yet.
    if let Some(schema) = schema
        && record.status == Status::Ok
        && record.tool_calls.is_empty()
        && let Err(failure) = schema.check(&record.text)
    {
        record.status = Status::Failed;
        record.error = Some(failure);
    }
    if priced && let Some(gateway) = ready.gateways.get(&record.gateway) {
        ready.pricing.price(&mut record, gateway);
    }
    record
}

/// The exit code of a run: what its calls have in common, else that it is in part complete.
pub(super) fn exit_code(records: &[Record]) -> u8 {
    let code = |record: &Record| match (record.status, &record.error) {
        (Status::Ok, _) => 0,
        (Status::Truncated, _) => 8,
        (_, Some(failure)) => failure.exit_code(),
        (_, None) => 1,
    };
    // What was never sent has no end of its own.
    let codes: Vec<u8> = records.iter().filter(|record| record.status != Status::Skipped).map(code).collect();
    let first = codes.first().copied().unwrap_or(0);
    if codes.iter().all(|code| *code == first) {
        first
    } else if codes.iter().any(|code| matches!(code, 0 | 8)) {
        8
    } else {
        1
    }
}
