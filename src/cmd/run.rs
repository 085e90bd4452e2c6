//! Runs the calls of a command: prepares gateways, listens for signals, shows, records, and says how it ended.

mod waits;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::batch::ApiResults;
use super::shared::{SharedCalls, SharedRecords};
use super::{Context, process};
use crate::batch::{Control, StopReason};
use crate::call::{Call, RunEvent, Target};
use crate::cli::{self, PromptArgs};
use crate::config::LogLevel;
use crate::error::{Error, FailureKind};
use crate::failpoint;
use crate::ledger::{LedgerWriter, Records, Turn};
use crate::policy::budget::{BudgetStore, SqliteBudgets};
use crate::record::{Record, Status};
use crate::report::error::{hints, notice};
use crate::report::format::count;
use crate::report::term::{self, Output, WriteLimit, say};
use crate::report::trace;
use crate::run::{Calls, Notices, Outcome, PrepareOptions, PreparedGateways, Recording, Reporter, RunSpec, Schedule};
use waits::Waits;

/// After a signal, what is not written yet is given this long to be written. With it a run ends within 300 ms.
pub(super) const LIMIT_AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// The same after a call has run into its time limit: a reader that is only slow may get all in this time. After a signal for which
/// calls were finished, a reader may take nothing for so long.
const SLOW_READER: Duration = Duration::from_secs(1);

/// The database that servers share is waited for so long when the run is over. Its calls are in a file by then.
pub(super) const SHARE_LIMIT: Duration = Duration::from_secs(2);

/// How the calls of a command are run and recorded.
#[derive(Debug, Clone)]
pub(super) struct RunOptions {
    /// The command's name in the ledger.
    pub(super) command: &'static str,
    pub(super) gateways: PrepareOptions,
    /// How many calls run at once.
    pub(super) concurrency: usize,
    /// Whether costs are shown; for the ledger they are found anyway.
    pub(super) priced: bool,
    pub(super) log: LogLevel,
    /// The conversation that the run continues.
    pub(super) turn: Option<Turn>,
    /// Where the first signal does not stop the calls that run, but only keeps further ones from being made.
    pub(super) drain: Option<Arc<Control>>,
    /// The writer of the ledger, where the command writes to it too.
    pub(super) ledger: Option<LedgerWriter>,
    /// Whether what the user can do about failures is said at the end, for views that do not say it themselves.
    pub(super) hints: bool,
    /// The answers of calls that were handed over earlier, which are taken instead of asking the gateway.
    pub(super) results: Option<Arc<ApiResults>>,
}

impl RunOptions {
    /// The options of a command that sends a prompt: as many calls at once as the system allows, with their costs.
    pub(super) fn new(context: &Context, command: &'static str, args: &PromptArgs) -> Self {
        Self {
            command,
            gateways: PrepareOptions { key: args.to.key.clone(), cached: args.cached() },
            concurrency: process::connections(),
            priced: true,
            log: log_level(context, args.log.level),
            turn: None,
            drain: None,
            ledger: None,
            hints: false,
            results: None,
        }
    }

    /// How the run is recorded, if it is.
    fn recording(
        &self,
        context: &Context,
        prepared: &PreparedGateways,
        ledger: Option<Arc<dyn Records>>,
    ) -> Option<Recording> {
        if self.log == LogLevel::Off {
            return None;
        }
        let Some(ledger) = ledger else {
            context.notice("calls are not recorded, for lack of a home directory; LLM_DATA_DIR names another place");
            return None;
        };
        Some(Recording {
            ledger,
            command: self.command,
            texts: self.log == LogLevel::Full,
            keys: prepared.keys.clone(),
            turn: self.turn.clone(),
        })
    }
}

/// What of a run is recorded: what the flag says, else the settings.
pub(super) fn log_level(context: &Context, flag: Option<cli::LogLevel>) -> LogLevel {
    match flag {
        None => context.settings.log,
        Some(cli::LogLevel::Full) => LogLevel::Full,
        Some(cli::LogLevel::Metadata) => LogLevel::Metadata,
        Some(cli::LogLevel::Off) => LogLevel::Off,
    }
}

/// Shows a run while it goes on, and its result when it is over.
pub(super) trait View: Reporter {
    /// Shows what is left to show, and returns the exit code. Not called where the output has failed.
    fn finish(&mut self, outcome: &Outcome, ending: &mut Ending<'_>) -> Result<u8, Error>;
}

/// What a view may use when all calls have ended.
pub(super) struct Ending<'a> {
    waits: &'a mut Waits,
    recording: Option<&'a Recording>,
}

impl Ending<'_> {
    /// Does work that may block. A signal ends the wait, and the work goes on alone.
    ///
    /// # Errors
    /// The signal.
    pub(super) fn unless_signalled<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Clone + Send + 'static,
    ) -> Result<T, Error> {
        self.waits.unless_signalled(work)
    }

    /// How the run is recorded; `None` where it is not.
    pub(super) fn recording(&self) -> Option<&Recording> {
        self.recording
    }
}

/// Runs calls that do not depend on each other, and returns the exit code.
pub(super) fn run(context: &Context, calls: Vec<Call>, options: &RunOptions, view: &mut dyn View) -> Result<u8, Error> {
    let prepared_for = calls.clone();
    run_schedule(context, &prepared_for, &mut Calls::from(calls), options, view)
}

/// Runs the calls of a schedule, which are `like` these as far as gateways are concerned, and returns the exit code.
pub(super) fn run_schedule(
    context: &Context,
    like: &[Call],
    schedule: &mut dyn Schedule,
    options: &RunOptions,
    view: &mut dyn View,
) -> Result<u8, Error> {
    let ledger = options.ledger.clone().or_else(|| ledger_of(context));
    let mut session = Session { ledger, is_last: true, ..Session::new(context) };
    session.run(like, schedule, options, view)
}

/// Runs one after the other. The later ones use the gateways, keys and connections of the earlier ones.
pub(super) struct Session<'a> {
    context: &'a Context,
    ledger: Option<LedgerWriter>,
    /// What the calls have of the database that servers share, if the config names one.
    shared: Option<SharedCalls>,
    /// Whether no run follows, so that nothing is kept for it.
    is_last: bool,
    /// What was prepared, with the models for which it was.
    prepared: Option<(HashSet<Target>, PreparedGateways)>,
    /// The models of the runs so far.
    models: HashSet<Target>,
    runtime: Option<Runtime>,
}

impl<'a> Session<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let ledger = ledger_of(context);
        Self { context, ledger, shared: None, is_last: false, prepared: None, models: HashSet::new(), runtime: None }
    }

    /// Where the sums of budgets are kept: in the database that servers share, else in the ledger of this user.
    fn budgets(&self) -> Option<Arc<dyn BudgetStore>> {
        match (&self.shared, &self.ledger) {
            (Some(shared), _) => Some(Arc::clone(&shared.budgets)),
            (None, Some(ledger)) => Some(Arc::new(SqliteBudgets::new(ledger.clone()))),
            (None, None) => None,
        }
    }

    /// What keeps the calls of a run in the database that servers share, and in the ledger of this user.
    fn shared_records(&self, options: &RunOptions) -> Option<SharedRecords> {
        let (shared, own) = (self.shared.as_ref()?, self.ledger.as_ref()?);
        let dir = self.context.settings.dirs.data.as_deref().filter(|_| options.log != LogLevel::Off)?;
        let records = shared.records(dir, own.clone());
        let told = |error| self.context.notice(&format!("calls are not recorded in [store]: {error}"));
        records.map_err(told).ok()
    }

    /// Prepares the gateways of these calls, unless those of earlier calls are theirs.
    fn prepare(&mut self, like: &[Call], options: &PrepareOptions) -> Result<PreparedGateways, Error> {
        match self.prepared.take() {
            Some((targets, prepared)) if like.iter().flat_map(Call::targets).all(|target| targets.contains(target)) => {
                Ok(prepared)
            }
            _ => self.context.preparation().prepare(like, options, self.budgets()),
        }
    }

    /// Runs the calls of a schedule, as [`run_schedule`] does.
    pub(super) fn run(
        &mut self,
        like: &[Call],
        schedule: &mut dyn Schedule,
        options: &RunOptions,
        view: &mut dyn View,
    ) -> Result<u8, Error> {
        let context = self.context;
        let _kept = KeptInPanic(self.ledger.clone());
        if self.shared.is_none() {
            self.shared = SharedCalls::new(&context.settings)?;
        }
        let mut prepared = self.prepare(like, &options.gateways)?;
        prepared.are_batches = options.results.is_some();
        failpoint::reach("prepared");
        let shared_records = self.shared_records(options);
        let records = match &shared_records {
            Some(shared) => Some(Arc::new(shared.clone()) as Arc<dyn Records>),
            None => self.ledger.clone().map(|ledger| Arc::new(ledger) as Arc<dyn Records>),
        };
        let recording = options.recording(context, &prepared, records);
        self.models.extend(like.iter().flat_map(Call::targets).cloned());
        let spec = RunSpec {
            schedule,
            concurrency: options.concurrency.min(process::connections()),
            models: self.models.iter().cloned().collect(),
            prices: (options.priced || recording.is_some()).then_some(&prepared),
            recording: recording.as_ref(),
        };
        let mut watched = Watched {
            view,
            stderr: context.verbose.then_some(context.terminal.stderr),
            ends: Ends::default(),
            hints: options.hints.then(BTreeMap::new),
            handed_over: prepared.are_batches.then_some(&prepared),
        };
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => process::runtime()?,
        };
        let mut waits = Waits::new(runtime);
        term::write_in_background();
        let drain = options.drain.as_ref().map(|control| move |signal| take_no_more(context, control, signal));
        let drain = drain.as_ref().map(|drain| drain as &dyn Fn(i32));
        let mut outcome = match &options.results {
            Some(results) => waits.execute(results, spec, &mut watched, drain),
            None => waits.execute(&prepared.service, spec, &mut watched, drain),
        };
        let is_drained = options.drain.as_ref().is_some_and(|control| control.is_signalled());
        let write_limit = watched.ends.write_limit(outcome.stopped.is_some(), is_drained);
        let is_whole = outcome.stopped.is_none();
        let shown = match outcome.output_error() {
            Some(error) => Err(error),
            None => watched.view.finish(&outcome, &mut Ending { waits: &mut waits, recording: recording.as_ref() }),
        };
        if outcome.stopped.is_none() && shown.is_ok() && !context.quiet {
            say(hints(&named(watched.hints.unwrap_or_default()), &context.terminal.stderr));
        }
        let has_texts = recording.as_ref().is_some_and(|recording| recording.texts);
        drop(recording);
        if self.is_last || !prepared.is_whole {
            // Policies use the ledger until they are dropped.
            drop(prepared);
        } else {
            self.prepared = Some((like.iter().flat_map(Call::targets).cloned().collect(), prepared));
        }
        let closed = waits.close(context, self.ledger.clone());
        let share_limit = if outcome.stopped.is_some() { LIMIT_AFTER_SIGNAL } else { SHARE_LIMIT };
        if let Some(shared) = &self.shared {
            waits.share(context, &*shared.budgets, shared_records, share_limit);
        }
        let written = closed.and_then(|()| waits.finish_writing(context, write_limit));
        let runtime = waits.end();
        if self.is_last {
            // What still blocks, such as a name that does not resolve, must not hold up the end.
            runtime.shutdown_background();
        } else {
            self.runtime = Some(runtime);
        }
        if is_whole && has_texts && written.is_ok() && matches!(shown, Err(Error::Output { .. })) {
            context.notice("`llm log` lists what the ledger has of the answers, and `llm last` prints the last answer");
        }
        let code = shown?;
        written?;
        outcome.stopped.map_or(Ok(code), Err)
    }

    /// No run follows.
    pub(super) fn end(self) {
        drop(self.prepared);
        if let Some(runtime) = self.runtime {
            let mut waits = Waits::new(runtime);
            if let Some(shared) = &self.shared {
                waits.share(self.context, &*shared.budgets, None, SHARE_LIMIT);
            }
            waits.end().shutdown_background();
        }
        // What policies hand over when they are dropped.
        if let Some(ledger) = self.ledger {
            ledger.close().iter().for_each(|text| self.context.notice(text));
        }
    }
}

/// The writer of the ledger; `None` where there is no directory for it.
fn ledger_of(context: &Context) -> Option<LedgerWriter> {
    context.settings.dirs.data.as_deref().map(LedgerWriter::new)
}

/// After the first signal, the calls that run go on, and no further rows are taken.
fn take_no_more(context: &Context, control: &Control, signal: i32) {
    let (running, _) = control.calls();
    control.stop(StopReason::Signal(signal));
    let calls = count(running as u64, "call", "calls");
    context.urgent(&format!("no further rows are taken; {calls} in flight will be finished, Ctrl-C drops them"));
}

/// Writes the ledger to its end if a bug ends the command, so that calls which were over and budgets are right all the same.
struct KeptInPanic(Option<LedgerWriter>);

impl Drop for KeptInPanic {
    fn drop(&mut self) {
        if let Some(ledger) = self.0.take().filter(|_| thread::panicking()) {
            // What there would be to tell is less than what the bug has told.
            drop(ledger.close());
        }
    }
}

/// A gateway, and the kind and the status of a failure there.
type FailureAt = (String, &'static str, Option<u16>);

/// Hands everything on to the view. Prints a line for each request and response before, if the user asked for it, and
/// notes whether a call has run into its time limit, and whether one has a whole answer.
struct Watched<'a> {
    view: &'a mut dyn View,
    stderr: Option<Output>,
    ends: Ends,
    /// What the user can do about the failures, once for all of a kind at a gateway; `None` where that is not said at the end.
    hints: Option<BTreeMap<FailureAt, String>>,
    /// What counts the costs of calls that were handed over.
    handed_over: Option<&'a PreparedGateways>,
}

/// How the calls of a run have ended, as far as it matters to a reader of the output.
#[derive(Default)]
struct Ends {
    has_timed_out: bool,
    has_whole: bool,
}

impl Ends {
    fn add(&mut self, record: &Record) {
        self.has_timed_out |= record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Timeout);
        self.has_whole |= record.status == Status::Ok;
    }

    /// How long is waited for a reader that does not read, after the run `is_stopped` by a signal, or `is_drained` after one. An
    /// answer that is whole waits for its reader, whatever became of others.
    fn write_limit(&self, is_stopped: bool, is_drained: bool) -> Option<WriteLimit> {
        match () {
            () if is_stopped => Some(WriteLimit::Whole(LIMIT_AFTER_SIGNAL)),
            () if is_drained => Some(WriteLimit::Pause(SLOW_READER)),
            () if self.has_timed_out && !self.has_whole => Some(WriteLimit::Whole(SLOW_READER)),
            () => None,
        }
    }
}

/// The hints for all failures. Where several gateways ask for something, each is named.
fn named(hints: BTreeMap<FailureAt, String>) -> Vec<String> {
    const ANY: &str = "the gateway ";
    let asking = hints.iter().filter(|(_, hint)| hint.starts_with(ANY)).map(|((gateway, ..), _)| gateway);
    let several = asking.collect::<BTreeSet<_>>().len() > 1;
    let name = |((gateway, ..), hint): (FailureAt, String)| match hint.strip_prefix(ANY) {
        Some(rest) if several => format!("{gateway} {rest}"),
        _ => hint,
    };
    let mut all: Vec<String> = Vec::new();
    for hint in hints.into_iter().map(name) {
        if !all.contains(&hint) {
            all.push(hint);
        }
    }
    all
}

impl Reporter for Watched<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        if let Some(stderr) = &self.stderr {
            for line in events.iter().filter_map(trace::line) {
                say(notice(&line, stderr));
            }
        }
        self.view.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.ends.add(&record);
        if let (Some(hints), Some(failure)) = (&mut self.hints, &record.error)
            && let Some(hint) = failure.hint()
        {
            hints.entry((record.gateway.clone(), failure.kind.as_str(), failure.status)).or_insert(hint);
        }
        if let Some(prepared) = self.handed_over {
            prepared.count(call, &record);
        }
        failpoint::reach("ended");
        self.view.ended(call, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_gateways_ask_for_names_them_and_is_said_once() {
        let hints = |all: &[(&str, u16, &str)]| {
            let hint = |(gateway, status, hint): &(&str, u16, &str)| {
                (((*gateway).to_owned(), "rate_limited", Some(*status)), (*hint).to_owned())
            };
            named(all.iter().map(hint).collect())
        };
        const LATER: &str = "the gateway asks to come back in 2 h";
        assert_eq!(
            hints(&[("a", 429, LATER), ("b", 429, LATER)]),
            ["a asks to come back in 2 h", "b asks to come back in 2 h"]
        );
        assert_eq!(hints(&[("a", 429, LATER), ("a", 503, LATER), ("b", 401, "set a key")]), [LATER, "set a key"]);
        assert_eq!(hints(&[("a", 401, "set a key"), ("b", 401, "set a key")]), ["set a key"]);
    }

    #[test]
    fn a_whole_answer_waits_for_its_reader_whatever_became_of_others() {
        for (has_timed_out, has_whole, is_waited) in
            [(false, false, true), (false, true, true), (true, true, true), (true, false, false)]
        {
            let ends = Ends { has_timed_out, has_whole };
            assert_eq!(ends.write_limit(false, false).is_none(), is_waited, "{has_timed_out} {has_whole}");
            assert!(ends.write_limit(true, false).is_some() && ends.write_limit(false, true).is_some());
        }
    }
}
