//! Drives a run to its end: events to recorders and reporters, until all is said, a signal comes, or output fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::process;
use super::ready::Ready;
use crate::call::{Call, Event, RunEvent};
use crate::engine;
use crate::error::{Error, SIGPIPE};
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

/// How to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) calls: Vec<Call>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) concurrency: usize,
    /// What every answer must follow.
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
    /// When each call's first request could go out.
    pub(super) began: Vec<Timestamp>,
    /// Why the run was stopped before its end: a signal, or output that failed.
    pub(super) stopped: Option<Error>,
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
    Ok(outcome)
}

async fn run(ready: &mut Ready, plan: Plan, reporter: &mut dyn Reporter) -> Outcome {
    let run_began = Timestamp::now();
    let run_id = uuid::Uuid::now_v7().to_string();
    let Plan { calls, tags, concurrency, schema, priced, trace } = plan;
    let schema = schema.as_deref();
    let mut recorders: Vec<Option<Recorder>> =
        calls.iter().map(|call| Some(Recorder::new(&run_id, call, tags.clone()))).collect();
    let mut records: Vec<Option<Record>> = calls.iter().map(|_| None).collect();
    let mut ends = vec![Duration::ZERO; calls.len()];
    let targets: Vec<_> = calls.iter().flat_map(Call::targets).cloned().collect();
    let mut signals = signals::Signals::new();
    let service = Arc::new(policy::stack(ready.service.clone(), std::mem::take(&mut ready.policies)));
    let mut run = engine::start(&service, calls, concurrency);
    let mut prices_wanted = priced;
    let mut stopped = None;
    let mut batch = Vec::new();
    'run: loop {
        tokio::select! {
            biased;
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
        for event in batch.drain(..) {
            if !matches!(event.event, Event::Done(_)) {
                continue;
            }
            let Some(recorder) = recorders[event.call].take() else { continue };
            ends[event.call] = event.at;
            let record = records[event.call].insert(finish(recorder, event.at, ready, priced, schema));
            if let Err(error) = reporter.ended(record) {
                stopped = Some(error);
                break 'run;
            }
        }
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
    for ((recorder, record), end) in recorders.into_iter().zip(&mut records).zip(&mut ends) {
        let Some(recorder) = recorder else { continue };
        *end = now;
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
    Outcome { run: run_id, records, began, stopped }
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
    let codes: Vec<u8> = records.iter().map(code).collect();
    let first = codes.first().copied().unwrap_or(0);
    if codes.iter().all(|code| *code == first) {
        first
    } else if codes.iter().any(|code| matches!(code, 0 | 8)) {
        8
    } else {
        1
    }
}

#[cfg(unix)]
mod signals {
    //! Signals that end a run: the first stops it in order, the second at once.

    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals {
        listening: Vec<(i32, Signal)>,
    }

    impl Signals {
        pub(super) fn new() -> Self {
            let stopping = Arc::new(AtomicBool::new(false));
            let mut listening = Vec::new();
            for number in [SIGINT, SIGTERM, SIGHUP] {
                // What the shell or nohup told us to ignore stays ignored.
                if is_ignored(number) {
                    continue;
                }
                // Where a handler cannot be set, the signal keeps its usual effect.
                let _ = signal_hook::flag::register_conditional_default(number, stopping.clone());
                // In this order, and by the handler itself: a second signal ends us even where a write to a reader that
                // does not read keeps us from hearing of the first.
                let _ = signal_hook::flag::register(number, stopping.clone());
                listening.extend(signal(SignalKind::from_raw(number)).ok().map(|stream| (number, stream)));
            }
            Self { listening }
        }

        /// The next signal, by number.
        pub(super) async fn next(&mut self) -> i32 {
            std::future::poll_fn(|context| {
                for (number, stream) in &mut self.listening {
                    if stream.poll_recv(context).is_ready() {
                        return std::task::Poll::Ready(*number);
                    }
                }
                std::task::Poll::Pending
            })
            .await
        }
    }

    #[cfg(target_os = "linux")]
    fn is_ignored(number: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask & (1 << (number - 1)) != 0
    }

    #[cfg(not(target_os = "linux"))]
    fn is_ignored(_: i32) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod signals {
    //! Ctrl-C, which ends a run.

    pub(super) struct Signals;

    impl Signals {
        pub(super) fn new() -> Self {
            Self
        }

        /// SIGINT's number, once Ctrl-C is pressed.
        pub(super) async fn next(&mut self) -> i32 {
            match tokio::signal::ctrl_c().await {
                Ok(()) => 2,
                Err(_) => std::future::pending().await,
            }
        }
    }
}
