//! Runs the calls of a command. Calls are started when their schedule returns them. When a call ends, its record is given to
//! the ledger and to a reporter. Every command that sends prompts uses this module.

mod exit_code;
mod prepare;
mod probed;
mod schedule;
mod single;
#[cfg(test)]
mod tests;

pub use exit_code::{ExitCode, exit_code};
pub(crate) use prepare::{
    Notices, Preparation, PrepareOptions, PreparedGateways, ShownWait, answer_store, halves_batch_prices, key_name,
    pricing,
};
pub(crate) use probed::{findings, tell_all_refused, tell_refused};
pub use schedule::{Calls, Schedule, Step};
pub(crate) use single::Single;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::call::{Call, Event, Role, RunEvent, Service, Target};
use crate::engine::Engine;
use crate::error::{Error, Failure, FailureKind, SIGPIPE};
use crate::ids::new_id;
use crate::ledger::{Circumstances, Records, Row, Turn};
use crate::record::{Record, Recorder, Status};

/// Shows a run while it goes on.
pub trait Reporter {
    /// Takes the events since the last call of this method, in order.
    ///
    /// # Errors
    /// The output cannot be written. The run is then stopped, and the reporter gets no more events.
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error>;

    /// Takes the record of a call that is over. The record does not change any more.
    ///
    /// # Errors
    /// As for [`Reporter::events`].
    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error>;
}

/// How the records of a run are kept in the ledger.
#[derive(Debug)]
pub struct Recording {
    /// What keeps them.
    pub ledger: Arc<dyn Records>,
    /// The command that makes the calls: `ask`, `compare`.
    pub command: &'static str,
    /// Whether prompts and answers are kept, or only their lengths and hashes.
    pub texts: bool,
    /// By gateway, the name of the key that is used there.
    pub keys: std::collections::BTreeMap<String, String>,
    /// The conversation that the run continues.
    pub turn: Option<Turn>,
}

impl Recording {
    /// Gives the record of a call that was over at this moment to the ledger. A call that was skipped is not recorded.
    async fn keep(&self, call: &Call, record: &Record, over: Timestamp) {
        if record.status != Status::Skipped {
            self.ledger.record(self.row(call, record, over)).await;
        }
    }

    /// What the ledger keeps of a call.
    fn row(&self, call: &Call, record: &Record, over: Timestamp) -> Row {
        let of_gateway = || self.keys.get(&record.gateway).map(String::as_str);
        let about = Circumstances {
            command: self.command,
            place: call.index,
            at: over - record.timing.total.unwrap_or_default(),
            key: call.caller.key.as_deref().or_else(of_gateway),
            task: call.task.as_deref(),
            request: &call.request,
            turn: self.turn.as_ref(),
            texts: self.texts,
        };
        Row::new(record.clone(), &about)
    }
}

/// The record of a call that was over at the time `at`: its schema checked, its cost found.
fn completed(call: &Call, recorder: Recorder, at: Duration, prices: Option<&PreparedGateways>) -> Record {
    let mut record = recorder.finish(at);
    check_schema(call, &mut record);
    if let Some(prices) = prices {
        prices.price(&mut record);
    }
    record
}

/// No further call begins while the different prompts of those that run have so many bytes together. Each is in the memory several
/// times: as it was made, and as it is sent.
const LARGEST_PROMPTS: usize = 64 << 20;

/// The same for all that is sent at once, where calls share a prompt.
const LARGEST_BODIES: usize = 128 << 20;

/// What to run.
pub struct RunSpec<'a> {
    /// The calls, in the order in which they can be made.
    pub schedule: &'a mut dyn Schedule,
    /// How many calls run at once; at least 1.
    pub concurrency: usize,
    /// The models that the user sees beside each other: those of all calls, and in a chat those of the turns before.
    pub models: Arc<[Target]>,
    /// Finds the prices of the calls; `None` where no cost is shown or recorded.
    pub(crate) prices: Option<&'a PreparedGateways>,
    /// How the records are kept; `None` where they are not kept.
    pub recording: Option<&'a Recording>,
}

impl std::fmt::Debug for RunSpec<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunSpec").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The id of the run.
    pub run: String,
    /// From the start of the run to the end of its last call.
    pub elapsed: Duration,
    /// The reason why the run was stopped before its end: a signal, or output that could not be written.
    pub stopped: Option<Error>,
    /// The exit code that the ends of the calls give together.
    pub exit_code: ExitCode,
}

/// Runs all calls of the schedule to their end, or until `stop` is ready or the reporter fails. Calls that are then running
/// are stopped, and get records like all others.
///
/// Must be called inside a tokio runtime.
pub async fn execute<'a, S: Service + 'static>(
    service: &'a Arc<S>,
    spec: RunSpec<'a>,
    reporter: &'a mut dyn Reporter,
    stop: impl Future<Output = Error>,
) -> Outcome {
    let mut run = Run::new(service, spec, reporter);
    let mut stop = pin!(stop);
    let mut batch = Vec::new();
    let mut stopped = run.start_calls().await.err();
    while stopped.is_none() {
        let due = run.due_in();
        // A schedule that has calls while none may begin would be asked without end.
        let is_waiting = run.has_room() && run.spec.schedule.is_waiting();
        // Further calls will come although none runs now.
        let more_to_come = due.is_some() || is_waiting;
        tokio::select! {
            biased;
            error = &mut stop => {
                stopped = Some(error);
                // Events that arrived before the stop are still shown.
                run.engine.take_ready(&mut batch);
            }
            more = run.engine.next(&mut batch), if !more_to_come || !run.open.is_empty() => {
                if !more && !more_to_come {
                    break;
                }
            }
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {}
            () = run.spec.schedule.changed(), if is_waiting => {}
        }
        let taken = run.take(&mut batch).await;
        // If the output fails as well, the signal stays the reason for the end.
        stopped = stopped.or(taken.err());
        if stopped.is_none() {
            stopped = run.start_calls().await.err();
        }
    }
    if let Some(error) = stopped.take() {
        stopped = Some(run.stop(error).await);
    }
    Outcome { run: run.id, elapsed: run.elapsed, stopped, exit_code: run.exit_code }
}

/// The prompts of the calls that run.
#[derive(Default)]
struct Prompts {
    /// By address, how many calls share each.
    shared: HashMap<usize, usize>,
    /// How long the different ones are together, in bytes.
    different: usize,
    /// How long they are with each of their copies.
    all: usize,
}

impl Prompts {
    fn add(&mut self, call: &Call) {
        if let Some((address, size)) = Self::counted(call) {
            let sharing = self.shared.entry(address).or_default();
            self.different += if *sharing == 0 { size } else { 0 };
            *sharing += 1;
            self.all += size;
        }
    }

    fn remove(&mut self, call: &Call) {
        let Some((address, size)) = Self::counted(call) else { return };
        if let Entry::Occupied(mut sharing) = self.shared.entry(address) {
            *sharing.get_mut() -= 1;
            if *sharing.get() == 0 {
                sharing.remove();
                self.different -= size;
            }
            self.all -= size;
        }
    }

    fn are_many(&self) -> bool {
        self.different >= LARGEST_PROMPTS || self.all >= LARGEST_BODIES
    }

    /// A measurement begins each call when it is due, whatever that takes.
    fn counted(call: &Call) -> Option<(usize, usize)> {
        (call.role != Role::Measurement).then(|| (Arc::as_ptr(&call.request).addr(), call.request.size()))
    }
}

/// The state of a run.
struct Run<'a, S> {
    id: String,
    /// The time of day at the start. The engine's clock is monotonic and counts from there.
    began: Timestamp,
    service: &'a Arc<S>,
    spec: RunSpec<'a>,
    reporter: &'a mut dyn Reporter,
    engine: Engine,
    /// The running calls, by index.
    open: BTreeMap<usize, (Arc<Call>, Recorder)>,
    prompts: Prompts,
    /// The models whose prices have been looked up.
    looked_up: HashSet<Target>,
    elapsed: Duration,
    exit_code: ExitCode,
}

impl<'a, S: Service + 'static> Run<'a, S> {
    fn new(service: &'a Arc<S>, spec: RunSpec<'a>, reporter: &'a mut dyn Reporter) -> Self {
        Self {
            id: new_id().to_string(),
            began: Timestamp::now(),
            service,
            spec,
            reporter,
            engine: Engine::new(),
            open: BTreeMap::new(),
            prompts: Prompts::default(),
            looked_up: HashSet::new(),
            elapsed: Duration::ZERO,
            exit_code: ExitCode::default(),
        }
    }

    /// Starts calls until as many run as may run at once, or no further call can be made now.
    async fn start_calls(&mut self) -> Result<(), Error> {
        let mut new_models = Vec::new();
        self.due_in();
        while self.has_room() {
            let Some(step) = self.spec.schedule.next() else { break };
            match step {
                Step::Call(call) => {
                    let call = Arc::new(Call { beside: Arc::clone(&self.spec.models), ..call });
                    new_models
                        .extend(call.targets().filter(|target| self.looked_up.insert((*target).clone())).cloned());
                    self.prompts.add(&call);
                    self.open.insert(call.index, (Arc::clone(&call), self.recorder(&call)));
                    self.engine.start(self.service, call);
                }
                Step::Skip(call, failure) => {
                    let at = self.engine.elapsed();
                    let recorder = self.skipped(&call, failure, at);
                    self.end(&call, recorder, at).await?;
                }
            }
        }
        if let Some(prices) = self.spec.prices.filter(|_| !new_models.is_empty()) {
            // Prices are looked up on another thread while the requests run.
            prices.prepare_prices(&new_models);
        }
        Ok(())
    }

    /// How long it takes until a call is to be made, if one waits for a time and may then run.
    fn due_in(&mut self) -> Option<Duration> {
        let elapsed = self.engine.elapsed();
        self.spec.schedule.due_in(elapsed).filter(|_| self.has_room())
    }

    /// Whether another call may run: so many run at once, and fewer where their prompts would fill the memory.
    fn has_room(&self) -> bool {
        self.open.len() < self.spec.concurrency.max(1) && (self.open.is_empty() || !self.prompts.are_many())
    }

    fn recorder(&self, call: &Call) -> Recorder {
        Recorder::new(&self.id, call, self.engine.elapsed())
    }

    /// The recorder of a call that is not made, for this reason.
    fn skipped(&self, call: &Call, why: Failure, at: Duration) -> Recorder {
        let mut recorder = Recorder::new(&self.id, call, at);
        recorder.event(&RunEvent { call: call.index, at, event: Event::Done(Err(why)) });
        recorder
    }

    /// Records the events, shows them, and ends the calls that are over.
    async fn take(&mut self, batch: &mut Vec<RunEvent>) -> Result<(), Error> {
        self.record(batch);
        self.reporter.events(batch)?;
        for event in &*batch {
            if matches!(event.event, Event::Done(_))
                && let Some((call, recorder)) = self.open.remove(&event.call)
            {
                self.prompts.remove(&call);
                self.end(&call, recorder, event.at).await?;
            }
        }
        batch.clear();
        Ok(())
    }

    fn record(&mut self, events: &[RunEvent]) {
        for event in events {
            if let Some((_, recorder)) = self.open.get_mut(&event.call) {
                recorder.event(event);
            }
        }
    }

    /// Finishes the record of a call that was over at the time `at`, and gives it to the reporter.
    async fn end(&mut self, call: &Call, recorder: Recorder, at: Duration) -> Result<(), Error> {
        let record = self.finish(call, recorder, at).await;
        // It does not follow its schema.
        let is_wrong = record.error.as_ref().is_some_and(|failure| failure.kind == FailureKind::Schema);
        let untried: Vec<RunEvent> =
            untried(call, &record).map(|event| RunEvent { call: call.index, at, event }).collect();
        if is_wrong && !untried.is_empty() {
            self.reporter.events(&untried)?;
        }
        self.reporter.ended(call, record)
    }

    /// Finishes the record of a call: checks the schema, adds the cost, and gives it to the schedule and the ledger.
    async fn finish(&mut self, call: &Call, recorder: Recorder, at: Duration) -> Record {
        let record = completed(call, recorder, at, self.spec.prices);
        self.elapsed = self.elapsed.max(at);
        self.exit_code.add(call.role, &record);
        self.spec.schedule.ended(call, &record);
        if let Some(recording) = self.spec.recording {
            recording.keep(call, &record, self.began + at).await;
        }
        record
    }

    /// Stops every running call. The reporter gets their records only if a signal stopped the run: if the output failed,
    /// they cannot be shown. Returns the reason for the end of the run.
    async fn stop(&mut self, why: Error) -> Error {
        let now = self.engine.elapsed();
        let mut batch = Vec::new();
        self.engine.stop(&mut batch).await;
        self.record(&batch);
        let mut open = std::mem::take(&mut self.open);
        for step in self.spec.schedule.abandon() {
            let (call, recorder) = match step {
                Step::Call(call) => {
                    let recorder = Recorder::new(&self.id, &call, now);
                    (call, recorder)
                }
                Step::Skip(call, failure) => {
                    let recorder = self.skipped(&call, failure, now);
                    (call, recorder)
                }
            };
            open.insert(call.index, (Arc::new(call), recorder));
        }
        let is_shown = why.is_signal();
        let mut why = why;
        for (call, recorder) in open.into_values() {
            let record = self.finish(&call, recorder, now).await;
            if is_shown && let Err(error) = self.reporter.ended(&call, record) {
                why = error;
            }
        }
        why
    }
}

/// Says that no further model is asked after an answer that is whole, and is not what was asked for.
pub(crate) fn untried(call: &Call, record: &Record) -> impl Iterator<Item = Event> {
    let is_asked = |target: &&Target| {
        // The cache makes no attempt.
        (&target.gateway, &target.model) == (&record.gateway, &record.model)
            || record.attempts.iter().any(|attempt| attempt.gateway == target.gateway && attempt.model == target.model)
    };
    let left = call.targets().collect::<Vec<_>>().iter().rposition(is_asked).unwrap_or(0) + 1;
    call.targets().skip(left).map(move |next| Event::not_tried(call, next, "an answer that is whole is not replaced"))
}

/// Marks a complete answer as failed if it does not follow its schema. An answer with tool calls is not checked, because it
/// is not the final one.
fn check_schema(call: &Call, record: &mut Record) {
    if let Some(schema) = &call.schema
        && record.status == Status::Ok
        && record.tool_calls.is_empty()
        && let Err(failure) = schema.check(&record.text)
    {
        record.status = Status::Failed;
        // What it cost is told nowhere else.
        if record.usage.is_unknown()
            && record.cost.is_none()
            && let Some(last) = record.attempts.last_mut()
        {
            last.error = Some(failure.clone().maybe_billed());
        }
        record.error = Some(failure);
    }
}

impl Outcome {
    /// Takes the error if the run was stopped because its output failed. Then nothing more can be shown.
    pub fn output_error(&mut self) -> Option<Error> {
        self.stopped.take_if(|error| matches!(error, Error::Output { .. } | Error::Signalled(SIGPIPE)))
    }
}
