//! What a running batch shows and writes: a line for each row and model as soon as its calls have ended, progress, and the
//! summary.

use std::collections::BTreeMap;
use std::sync::Arc;

use self::steps::{of_steps, unused_failures};
use self::telling::Told;
use super::judging::Judging;
use super::keeper::Keeper;
use super::lines::LineMaker;
use super::session::Lines;
use crate::batch::feed::RowInfo;
use crate::batch::line::{Ended, FellBack};
use crate::batch::rows::Position;
use crate::batch::{Control, Open, OpenRows, OutputFile, StopReason, Tally};
use crate::call::{Call, Event, Role, RunEvent};
use crate::cli::{OnError, Order, SummaryFormat};
use crate::cmd::run::{Ending, View};
use crate::cmd::{Context, process};
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::LedgerWriter;
use crate::ledger::jobs::{self, JobProgress, JobState};
use crate::record::{Attempt, Record, Status};
use crate::report::batch::{self as report, BatchProgress, Standing, Summary};
use crate::report::term::{Output, Text};
use crate::run::{Notices, Outcome, Reporter};

mod steps;
mod telling;

/// See the module.
pub(super) struct BatchView<'a> {
    pub(super) context: &'a Context,
    pub(super) lines: LineMaker<'a>,
    pub(super) job: &'a str,
    pub(super) input: &'a str,
    /// The names of the models, by place.
    pub(super) names: &'a [String],
    /// How many calls a row and model take.
    pub(super) width: usize,
    /// Who judges the answers, if anyone does.
    pub(super) judging: Option<&'a Judging>,
    pub(super) output: Lines,
    pub(super) order: Order,
    pub(super) on_error: OnError,
    pub(super) format: SummaryFormat,
    pub(super) control: Arc<Control>,
    pub(super) open: OpenRows,
    pub(super) tally: Tally,
    pub(super) progress: BatchProgress,
    pub(super) position: Position,
    /// Rows × models of this run and of earlier ones, where it is known from the beginning.
    pub(super) total: Option<u64>,
    pub(super) keeper: Keeper,
    pub(super) ledger: Option<LedgerWriter>,
    /// Whether a line is written only when the ledger has its call. Of a line that is there, nothing is collected again, so that the
    /// call of a process that was killed would never be recorded.
    pub(super) is_recorded_first: bool,
    /// How the command goes on with the batch, for the user to copy.
    pub(super) resume_command: String,
    pub(super) state: ViewState,
}

/// What changes while the batch runs.
#[derive(Debug, Default)]
pub(super) struct ViewState {
    /// Lines that this run has written.
    own: u64,
    /// Answers that are not in the output: they came after it could not be written any more.
    unwritten: u64,
    /// Calls that were dropped or refused, and will be asked when the batch goes on.
    dropped: u64,
    /// Lines that wait until the ledger has their calls.
    waiting: Vec<Waiting>,
    /// Lines for standard output that wait for those of rows before them.
    held: BTreeMap<(u64, usize), Vec<u8>>,
    told: Told,
    has_run: bool,
    /// How many calls in a row found no gateway.
    unreachable: u32,
}

/// A line, and what it says.
#[derive(Debug)]
struct Waiting {
    line: Vec<u8>,
    ended: Ended,
    info: Arc<RowInfo>,
    place: usize,
    record: Record,
}

/// How many lines wait for the ledger at most, and how many bytes they have together.
const MOST_WAITING: usize = 256;
const LARGEST_WAITING: usize = 4 << 20;

impl ViewState {
    /// At the beginning; so many requests are known to need another run.
    pub(super) fn new(dropped: u64) -> Self {
        Self { dropped, ..Self::default() }
    }
}

impl Reporter for BatchView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        for event in events {
            self.note_fallback(event);
            self.tell_step(&event.event);
        }
        if self.progress.is_due() {
            let standing = self.standing();
            self.progress.show(&standing);
        }
        Ok(())
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.note_run(&record);
        let slot = call.index / self.width;
        let whole = {
            let mut open = self.open.borrow_mut();
            let Some(row) = open.get_mut(&slot) else { return Ok(()) };
            let fell_back = self.lines.fell_back(&record).filter(|_| call.role != Role::Judge);
            // A row counts once, whatever number of its steps fell back alike.
            let is_known = |old: &FellBack| fell_back.as_ref().is_some_and(|new| old.is_like(new));
            if !row.fallbacks.iter().any(is_known) {
                row.fallbacks.extend(fell_back);
            }
            row.records.insert(call.index % self.width, record);
            let wanted = match self.judging {
                Some(judging) if row.calls > 1 => judging.wanted(row.place, row.records.get(&0)),
                _ => row.calls,
            };
            if row.records.len() < wanted { None } else { open.remove(&slot) }
        };
        match whole {
            None => Ok(()),
            Some(row) => self.row_ended(row),
        }
    }
}

impl BatchView<'_> {
    /// Notes that another model is turned to for the answer of a row.
    fn note_fallback(&mut self, event: &RunEvent) {
        let is_answer = self.judging.is_none() || event.call.is_multiple_of(self.width);
        if is_answer
            && matches!(event.event, Event::Fallback { .. })
            && let Some(row) = self.open.borrow_mut().get_mut(&(event.call / self.width))
        {
            row.has_fallen_back = true;
        }
    }

    /// Tells the ledger which run belongs to the job. The id of the run is known from its first record.
    fn note_run(&mut self, record: &Record) {
        if std::mem::replace(&mut self.state.has_run, true) {
            return;
        }
        if let Some(ledger) = &self.ledger {
            let (job, run) = (self.job.to_owned(), record.run.clone());
            // So many places a row has in the run.
            let width = if self.judging.is_some() { self.width } else { 1 };
            let models = (self.names.len() * width) as u64;
            ledger.submit(move |transaction| jobs::note_run(transaction, &job, &run, models));
        }
    }

    fn row_ended(&mut self, row: Open) -> Result<(), Error> {
        let Open { info, place, mut records, fallbacks, has_fallen_back, .. } = row;
        let answer = match self.judging {
            // A row that cannot be used has its record in another place.
            Some(_) => records.remove(&0).or_else(|| Some(records.pop_last()?.1)),
            None => {
                unused_failures(&records).iter().for_each(|message| self.tell_message(message));
                of_steps(std::mem::take(&mut records), &self.names[place], self.width)
            }
        };
        let Some(record) = answer else { return Ok(()) };
        if self.is_for_later(&record, place, has_fallen_back) {
            self.state.dropped += 1;
            return self.release_held();
        }
        let judging = self.judging.filter(|_| record.status == Status::Ok);
        let judgement = judging.map(|judging| judging.judged(place, &record, records));
        if let Some(silent) = judgement.as_ref().and_then(|judgement| judgement.silent.as_ref()) {
            self.tell_judge(silent);
        }
        let (line, ended) = self.lines.line(&info, &record, judgement.as_ref(), &fallbacks)?;
        self.state.waiting.push(Waiting { line, ended, info, place, record });
        let size: usize = self.state.waiting.iter().map(|waiting| waiting.line.len()).sum();
        if self.is_recorded_first && self.state.waiting.len() < MOST_WAITING && size < LARGEST_WAITING {
            return Ok(());
        }
        self.write_waiting()
    }

    /// Writes the lines that wait, after the ledger has their calls if that is wanted.
    fn write_waiting(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.state.waiting);
        if self.is_recorded_first && !waiting.is_empty() {
            self.await_ledger();
        }
        for Waiting { line, ended, info, place, record } in waiting {
            if self.write(&line, &info, place)? {
                self.tally.add(&self.names[place], &ended);
                self.state.own += 1;
                self.tell_failure(&info, &record);
            } else {
                self.state.unwritten += 1;
            }
        }
        self.keeper.note(self.job_progress());
        Ok(())
    }

    /// Waits until the ledger has what was given to it. If it cannot have it, it says so itself.
    fn await_ledger(&self) {
        let Some(ledger) = self.ledger.clone() else { return };
        let wait = move || process::runtime().map(|runtime| runtime.block_on(ledger.transact(|_| Ok(()))).is_ok());
        // The run has a runtime on this thread, which cannot wait for another one.
        if let Ok(thread) = std::thread::Builder::new().name("recorded".into()).spawn(wait) {
            let _ = thread.join();
        }
    }

    /// Whether the row is to be asked when the batch goes on: the call was dropped, or it failed for a reason for which every
    /// further call would fail, and for which the batch stops.
    fn is_for_later(&self, record: &Record, place: usize, has_fallen_back: bool) -> bool {
        if record.status == Status::Interrupted {
            return true;
        }
        let Some(failure) = &record.error else { return false };
        // What was given for a row says nothing of the others, and all of it is taken.
        if self.is_recorded_first {
            return false;
        }
        let never_worked = self.tally.models.get(place).is_none_or(|(_, tally)| tally.ok == 0);
        // What its fallbacks are refused for stops nothing where the model itself has failed over this row alone.
        let own = if has_fallen_back { own_failure(record, failure) } else { failure };
        let stops = match own.kind {
            FailureKind::Refused | FailureKind::NoKey | FailureKind::Auth | FailureKind::Credits => true,
            FailureKind::NotFound => never_worked,
            _ => false,
        };
        if stops {
            self.control.stop(StopReason::Call(record.model.clone(), own.clone()));
        }
        stops
    }

    /// Writes a line. Returns `false` where the output cannot be written; the batch then stops.
    fn write(&mut self, line: &[u8], info: &RowInfo, place: usize) -> Result<bool, Error> {
        let key = (info.number, place);
        match self.output.file_mut() {
            Some(output) => match output.append(line, key) {
                Ok(()) => return Ok(true),
                Err(error) => {
                    self.control.stop(StopReason::Output(error));
                    return Ok(false);
                }
            },
            None if self.order == Order::Input => {
                self.state.held.insert(key, line.to_vec());
                self.control.hold(line.len());
                self.release_held()?;
            }
            None => self.print_line(line)?,
        }
        Ok(true)
    }

    /// Prints the lines that wait for no row any more.
    fn release_held(&mut self) -> Result<(), Error> {
        let first_open = self.open.borrow().values().map(|open| (open.info.number, open.place)).min();
        while let Some(entry) = self.state.held.first_entry() {
            if first_open.is_some_and(|open| *entry.key() > open) {
                break;
            }
            let line = entry.remove();
            self.control.release(line.len());
            self.print_line(&line)?;
        }
        Ok(())
    }

    fn print_line(&mut self, line: &[u8]) -> Result<(), Error> {
        self.progress.clear();
        match &mut self.output {
            Lines::Stream(stream) => stream.write_now(Text::json(String::from_utf8_lossy(line).into_owned())),
            Lines::File(_) => Ok(()),
        }
    }

    fn standing(&self) -> Standing {
        let (ok, failed, truncated) = self.tally.counts();
        Standing {
            done: ok + failed + truncated,
            total: self.total,
            fraction: self.position.fraction(),
            own: self.state.own,
            cost: self.tally.cost(),
            failures: self.tally.failures(),
            running: self.control.calls(),
        }
    }

    pub(super) fn job_progress(&self) -> JobProgress {
        let (ok, failed, truncated) = self.tally.counts();
        let (_, limit) = self.control.calls();
        JobProgress {
            total: self.total,
            ok,
            failed,
            truncated,
            picos: self.tally.cost().usd.map(|usd| usd.picos()),
            concurrency: limit as u64,
        }
    }

    /// Brings the lines into the order of rows, if that is wanted and they are not.
    fn sort(&mut self) {
        let Some(output) = self.output.file_mut() else { return };
        if self.order != Order::Input || output.is_in_order() {
            return;
        }
        let names = self.names;
        let place_of = |model: &str| names.iter().position(|name| name == model).unwrap_or(usize::MAX);
        if let Err(error) = output.sort(place_of) {
            self.context.notice(&format!("the lines are in the order in which calls ended: {error}"));
        }
    }
}

/// Why the model that was asked first did not give the answer of a call that failed so, if it was asked and did not.
fn own_failure<'r>(record: &'r Record, failure: &'r Failure) -> &'r Failure {
    let first = record.attempts.first().map(Attempt::target);
    let last = record.attempts.iter().rev().find(|attempt| Some(attempt.target()) == first);
    last.and_then(|attempt| attempt.error.as_ref()).unwrap_or(failure)
}

/// The summary in this format.
///
/// # Errors
/// The page cannot be made.
pub(super) fn render(summary: &Summary<'_>, format: SummaryFormat, out: &Output) -> Result<Text, Error> {
    Ok(match format {
        SummaryFormat::Text => report::text(summary, out),
        SummaryFormat::Json => report::document(summary, out),
        SummaryFormat::Markdown => report::markdown(summary),
        SummaryFormat::Csv => report::table(summary),
        SummaryFormat::Html => report::page(summary)?,
    })
}

impl View for BatchView<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        self.progress.clear();
        self.write_waiting()?;
        let held = std::mem::take(&mut self.state.held);
        held.into_values().try_for_each(|line| self.print_line(&line))?;
        let is_stopped = self.control.is_stopping() || outcome.stopped.is_some();
        let is_whole = !is_stopped && self.state.dropped == 0;
        if is_whole {
            // Not every system replaces a file that is still open somewhere.
            self.keeper.rest();
            self.sort();
            let (ok, failed, truncated) = self.tally.counts();
            self.total.get_or_insert(ok + failed + truncated);
        }
        let synced = self.output.file().map_or(Ok(()), OutputFile::sync);
        self.keeper.note(self.job_progress());
        self.keeper.finish(match (is_whole, self.control.is_cancelled()) {
            (true, _) => JobState::Finished,
            (false, true) => JobState::Cancelled,
            (false, false) => JobState::Stopped,
        });
        self.show_summary(outcome)?;
        if is_whole && self.total == Some(0) {
            self.context.urgent(&format!("{} has no row that is asked", self.input));
        }
        self.tell_rest(is_whole);
        if let (Err(source), Some(output)) = (synced, self.output.file()) {
            return Err(Error::Output { target: output.path().display().to_string(), source });
        }
        Ok(if is_whole { self.tally.exit_code() } else { self.tally.exit_code().max(8) })
    }
}
