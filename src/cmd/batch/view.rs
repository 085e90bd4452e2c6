//! What a running batch shows and writes: a line for each row and model as soon as its calls have ended, progress, and the
//! summary.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::judging::{Judging, Silent};
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
use crate::error::{Error, FailureKind};
use crate::ledger::LedgerWriter;
use crate::ledger::jobs::{self, JobProgress, JobState};
use crate::record::{Record, Status};
use crate::report::batch::{self as report, BatchProgress, Standing, Summary};
use crate::report::error::hints;
use crate::report::format::count;
use crate::report::notice::Names;
use crate::report::term::{Output, Text, print, say};
use crate::run::{Notices, Outcome, Reporter};

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
    /// The kinds of failure of which the user has been told.
    told: BTreeSet<&'static str>,
    told_of_judges: BTreeSet<&'static str>,
    told_of_calls: BTreeSet<String>,
    /// The names of models in messages.
    names: Names,
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

/// After so many calls in a row that found no gateway, the batch stops.
const MOST_UNREACHABLE: u32 = 20;

/// So many different notices of calls are shown.
const MOST_TOLD: usize = 100;

impl Reporter for BatchView<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        for event in events {
            self.state.names.take(&event.event);
            if let Some(message) = event.event.message() {
                // What differs in an amount alone says the same, but the names of models have digits as well.
                let words = message.split(' ').filter(|word| word.contains(char::is_alphabetic));
                self.tell_once(words.collect::<Vec<_>>().join(" "), message);
            } else if let Some(message) = self.state.names.step(&event.event) {
                self.tell_once(same_step(&event.event).unwrap_or_else(|| message.clone()), &message);
            }
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
        let Open { info, place, mut records, fallbacks, .. } = row;
        let answer = match self.judging {
            // A row that cannot be used has its record in another place.
            Some(_) => records.remove(&0).or_else(|| Some(records.pop_last()?.1)),
            None => of_steps(std::mem::take(&mut records), &self.names[place], self.width),
        };
        let Some(record) = answer else { return Ok(()) };
        if self.is_for_later(&record, place) {
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
    fn is_for_later(&self, record: &Record, place: usize) -> bool {
        if record.status == Status::Interrupted {
            return true;
        }
        let Some(failure) = &record.error else { return false };
        // Answers that were given are all taken.
        let never_worked =
            !self.is_recorded_first && self.tally.models.get(place).is_none_or(|(_, tally)| tally.ok == 0);
        let stops = match failure.kind {
            FailureKind::Refused | FailureKind::NoKey | FailureKind::Auth | FailureKind::Credits => true,
            FailureKind::NotFound => never_worked,
            _ => false,
        };
        if stops {
            self.control.stop(StopReason::Call(record.model.clone(), failure.clone()));
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

    /// Tells what a call says of the models that it asks or leaves out, once for all calls that say the same.
    fn tell_once(&mut self, said: String, message: &str) {
        let told = &mut self.state.told_of_calls;
        if told.len() > MOST_TOLD || !told.insert(said) {
            return;
        }
        let is_last = told.len() > MOST_TOLD;
        self.progress.clear();
        self.context.notice(if is_last { "what further calls have to say is not shown" } else { message });
    }

    /// Tells the first failure of each kind at once, and stops if the user wants that.
    fn tell_failure(&mut self, info: &RowInfo, record: &Record) {
        let Some(failure) = &record.error else {
            self.state.unreachable = 0;
            return;
        };
        self.state.unreachable = if failure.kind == FailureKind::Network { self.state.unreachable + 1 } else { 0 };
        if self.state.unreachable >= MOST_UNREACHABLE {
            self.control.stop(StopReason::Call(record.model.clone(), failure.clone()));
        }
        // The message of a row that cannot be used has its line.
        let line = format!("line {}: ", info.line);
        let named = |what: &str| match what.strip_prefix(&line) {
            Some(_) => what.to_owned(),
            None => format!("row {} (line {}): {what}", info.number, info.line),
        };
        if self.state.told.insert(failure.kind.as_str()) {
            self.progress.clear();
            self.context.notice(&format!("{}: {}", record.model, named(&failure.message)));
            if let Some(hint) = failure.hint().filter(|_| !self.context.quiet) {
                say(hints(&[hint], &self.context.terminal.stderr));
            }
        }
        if self.on_error == OnError::Stop {
            self.control.stop(StopReason::Row(format!("{}: {}", record.model, named(&failure.message))));
        }
    }

    /// Tells the first failure of a judge of each kind, and stops where every further one would fail alike. The answer is kept.
    fn tell_judge(&mut self, silent: &Silent) {
        use FailureKind::{Auth, Credits, Interrupted, NoKey, NotFound, Refused};
        let kind = silent.failure.as_ref().map(|failure| failure.kind);
        if kind == Some(Interrupted) {
            return;
        }
        if self.state.told_of_judges.insert(kind.map_or("verdict", FailureKind::as_str)) {
            self.progress.clear();
            self.context.notice(&format!("judge {}: {}", silent.judge, silent.why));
        }
        if let Some(failure) = &silent.failure
            && matches!(failure.kind, Refused | NoKey | Auth | Credits | NotFound)
        {
            self.control.stop(StopReason::Call(format!("judge {}", silent.judge), failure.clone()));
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

    fn summary<'s>(&'s self, output: Option<&'s str>, outcome: &Outcome) -> Summary<'s> {
        Summary {
            job: self.job,
            input: self.input,
            output,
            expected: self.total,
            tally: &self.tally,
            unwritten: self.state.unwritten,
            elapsed: Some(outcome.elapsed),
        }
    }

    /// The summary goes to standard output, unless that has the lines.
    fn show_summary(&self, outcome: &Outcome) -> Result<(), Error> {
        let output = self.output.path().map(|path| path.to_string_lossy().into_owned());
        let summary = self.summary(output.as_deref(), outcome);
        if output.is_none() {
            if !self.context.quiet {
                say(report::text(&summary, &self.context.terminal.stderr));
            }
            return Ok(());
        }
        print(render(&summary, self.format, &self.context.terminal.stdout)?)
    }

    /// Says what is left to do, and how.
    fn tell_rest(&self, is_whole: bool) {
        if self.state.unwritten > 0 {
            let answers = count(self.state.unwritten, "answer", "answers");
            // Whether the ledger could be written is told when it is closed.
            let kept = match self.ledger {
                Some(_) => "--resume writes those that the ledger has",
                None => "they are lost",
            };
            self.context.urgent(&format!("{answers} could not be written: {kept}"));
        }
        if is_whole {
            return;
        }
        match &self.output {
            Lines::File(_) => self.context.urgent(&format!("to go on: {}", self.resume_command)),
            Lines::Stream(_) => {
                self.context.urgent("a batch without a file for --out cannot go on; the ledger has what it gave");
            }
        }
    }
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

/// What is the same for all calls that fall back for the same reason; `None` for another event.
fn same_step(event: &Event) -> Option<String> {
    let Event::Fallback { from, to, cause } = event else { return None };
    Some(format!("{from} {to} {}", cause.kind.as_str()))
}

/// The record of a row: that of its call, or of the last step of its pipeline with the costs of all steps.
fn of_steps(mut records: BTreeMap<usize, Record>, name: &str, width: usize) -> Option<Record> {
    let (_, mut last) = records.pop_last()?;
    if width == 1 {
        return Some(last);
    }
    let is_skipped = last.status == Status::Skipped;
    // A step that was not sent because an earlier one failed is not the reason.
    if is_skipped
        && let Some((_, failed)) =
            records.iter().find(|(_, record)| !matches!(record.status, Status::Ok | Status::Skipped))
    {
        (last.status, last.error) = (failed.status, failed.error.clone());
    }
    // A step that was not sent took nothing.
    let sent: Vec<&Record> = records.values().filter(|record| record.status != Status::Skipped).collect();
    let is_free = |record: &Record| record.cost.is_none() && record.cost_nothing();
    let mut is_first = is_skipped || is_free(&last);
    for record in sent.iter().filter(|record| !is_free(record)) {
        if std::mem::take(&mut is_first) {
            (last.cost, last.usage) = (record.cost, record.usage);
            continue;
        }
        last.cost = match (last.cost, record.cost) {
            (Some(a), Some(b)) => Some(crate::record::Cost {
                usd: crate::money::Usd::from_picos(a.usd.picos().saturating_add(b.usd.picos())),
                origin: a.origin.max(b.origin),
                partial: a.partial || b.partial,
            }),
            (a, b) => a.or(b).map(|cost| crate::record::Cost { partial: true, ..cost }),
        };
        let add = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        last.usage.input = add(last.usage.input, record.usage.input);
        last.usage.output = add(last.usage.output, record.usage.output);
    }
    for record in sent.into_iter().rev() {
        let own = last.timing.total.take();
        last.timing.total = match is_skipped && own.is_none() {
            true => record.timing.total,
            false => own.zip(record.timing.total).map(|(a, b)| a + b),
        };
        last.attempts.splice(0..0, record.attempts.iter().cloned());
    }
    last.model = name.to_owned();
    Some(last)
}
