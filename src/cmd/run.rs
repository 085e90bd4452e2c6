//! Runs the calls of a command: prepares gateways, listens for signals, shows, records, and says how it ended.

mod waits;
mod watched;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::batch::ApiResults;
use super::shared::{SharedCalls, SharedRecords};
use super::{Context, process};
use crate::batch::{Control, StopReason};
use crate::call::{Call, Target};
use crate::cli::{self, PromptArgs};
use crate::config::LogLevel;
use crate::error::Error;
use crate::failpoint;
use crate::ledger::{LedgerWriter, Records, Turn};
use crate::policy::budget::{BudgetStore, SqliteBudgets};
use crate::report::error::hints;
use crate::report::format::count;
use crate::report::term::{self, say};
use crate::run::{Calls, Notices, Outcome, PrepareOptions, PreparedGateways, Recording, Reporter, RunSpec, Schedule};
use waits::Waits;
use watched::{Ends, Watched, named};

/// After a signal, what is not written yet is given this long to be written. With it a run ends within 300 ms.
pub(super) const LIMIT_AFTER_SIGNAL: Duration = Duration::from_millis(50);

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

    /// Waits until what has been shown is written. What is shown later holds up nobody either.
    ///
    /// # Errors
    /// The signal, or standard output could not be written.
    pub(super) fn wait_until_written(&mut self) -> Result<(), Error> {
        self.waits.unless_signalled(term::wait_until_written)??;
        term::write_in_background();
        Ok(())
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
        let is_whole = outcome.stopped.is_none();
        let shown = match outcome.output_error() {
            Some(error) => Err(error),
            None => watched.view.finish(&outcome, &mut Ending { waits: &mut waits, recording: recording.as_ref() }),
        };
        // A signal may also come while the view asks something or works.
        let is_stopped = outcome.stopped.is_some() || shown.as_ref().is_err_and(Error::is_signal);
        let write_limit = watched.ends.write_limit(is_stopped, is_drained);
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
        let share_limit = if is_stopped { LIMIT_AFTER_SIGNAL } else { SHARE_LIMIT };
        if let Some(shared) = &self.shared {
            waits.share(context, &*shared.budgets, shared_records, share_limit);
        }
        let written = closed.and_then(|recorded| waits.finish_writing(context, write_limit).map(|()| recorded));
        let runtime = waits.end();
        if self.is_last {
            // What still blocks, such as a name that does not resolve, must not hold up the end.
            runtime.shutdown_background();
        } else {
            self.runtime = Some(runtime);
        }
        if is_whole && has_texts && matches!(written, Ok(true)) && matches!(shown, Err(Error::Output { .. })) {
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
            ledger.close().notices.iter().for_each(|text| self.context.notice(text));
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
