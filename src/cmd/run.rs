//! Runs the calls of a command: prepares gateways, listens for signals, shows, records, and says how it ended.

use super::signals::Signals;
use super::{Context, process};
use crate::call::{Call, RunEvent};
use crate::cli::{self, PromptArgs};
use crate::config::LogLevel;
use crate::error::Error;
use crate::ledger::{LedgerWriter, Turn};
use crate::record::Record;
use crate::report::error::notice;
use crate::report::term::{Output, say};
use crate::report::trace;
use crate::run::{
    Calls, Notices, Outcome, PrepareOptions, PreparedGateways, Recording, Reporter, RunSpec, Schedule, execute,
};

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
        }
    }

    /// How the run is recorded, if it is.
    fn recording(
        &self,
        context: &Context,
        prepared: &PreparedGateways,
        ledger: Option<LedgerWriter>,
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
    fn finish(&mut self, outcome: &Outcome) -> Result<u8, Error>;
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
    let ledger = context.settings.dirs.data.as_deref().map(LedgerWriter::new);
    let prepared = context.preparation().prepare(like, &options.gateways, ledger.as_ref())?;
    let recording = options.recording(context, &prepared, ledger.clone());
    let spec = RunSpec {
        schedule,
        concurrency: options.concurrency.min(process::connections()),
        prices: (options.priced || recording.is_some()).then_some(&prepared),
        recording: recording.as_ref(),
    };
    let mut traced = Traced { view, stderr: context.verbose.then_some(context.terminal.stderr) };
    let runtime = process::runtime()?;
    let mut outcome = runtime.block_on(async {
        let mut signals = Signals::new();
        let stop = async { Error::Signalled(signals.next().await) };
        execute(&prepared.service, spec, &mut traced, stop).await
    });
    // What still blocks, such as a name that does not resolve, must not hold up the end.
    runtime.shutdown_background();
    let shown = match outcome.output_error() {
        Some(error) => Err(error),
        None => view.finish(&outcome),
    };
    // Policies use the ledger until they are dropped.
    drop((recording, prepared));
    for text in ledger.map(LedgerWriter::close).unwrap_or_default() {
        context.notice(&text);
    }
    let code = shown?;
    outcome.stopped.map_or(Ok(code), Err)
}

/// Prints a line for each request and response before the view gets the events, if the user asked for it.
struct Traced<'a> {
    view: &'a mut dyn View,
    stderr: Option<Output>,
}

impl Reporter for Traced<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        if let Some(stderr) = &self.stderr {
            for line in events.iter().filter_map(trace::line) {
                say(notice(&line, stderr));
            }
        }
        self.view.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.view.ended(call, record)
    }
}
