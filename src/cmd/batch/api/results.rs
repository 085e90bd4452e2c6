//! The results of a batch, as a service that answers its calls from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::IgnoredAny;

use super::clients::Requests;
use super::{row_of, seal, temporary_file};
use crate::adapter::{Adapter, DecodeError, stream, verdict};
use crate::batch::api::{self, BatchApi, Fate, Results, Standing};
use crate::batch::output::State;
use crate::batch::{Done, RowHash};
use crate::call::{Call, Event, Events, Meta, Service};
use crate::cmd::Context;
use crate::cmd::batch::plan::BatchPlan;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::ledger::jobs::Part;
use crate::report::format::count;
use crate::run::Notices;

/// The largest document of results, in bytes.
const LARGEST_RESULTS: u64 = 8 << 30;

/// The longest result, in bytes. No answer is that long; a document without line ends is not read as a whole.
pub(super) const LONGEST_RESULT: u64 = 64 << 20;

/// The results of a batch, as a service that answers its calls from them.
#[derive(Debug)]
pub(in crate::cmd) struct ApiResults {
    /// All results, in a file without a name.
    file: Mutex<File>,
    length: u64,
    models: usize,
    /// By row and place of the model.
    index: HashMap<(u64, usize), Found>,
    clients: BTreeMap<String, Arc<Client>>,
    /// The rows that were given up, and the places of their models: nobody knows whether they were handed over.
    given_up: BTreeSet<(u64, usize)>,
    /// How many lines the output will have when all is done.
    total: u64,
    /// How many rows have neither a line nor a result, and are not in work either.
    missing: u64,
    left_out: LeftOut,
}

/// A result.
#[derive(Debug)]
struct Found {
    /// Where it is in the file.
    offset: u64,
    length: u64,
    gateway: String,
    /// The number of the part.
    part: u64,
    /// What tells whether the row is the one that was handed over.
    seal: Option<RowHash>,
    /// Whether it is an answer. None is given up for a failure of the same request, wherever that stands.
    is_answer: bool,
}

/// How many lines of the results were left out.
#[derive(Debug, Default)]
struct LeftOut {
    /// They are no results, or belong to no request of their batch.
    foreign: u64,
    /// They are longer than [`LONGEST_RESULT`].
    long: u64,
    /// Whether the last one of a document has no end, and is no result.
    is_cut: bool,
}

impl LeftOut {
    fn add(&mut self, more: &Self) {
        self.foreign += more.foreign;
        self.long += more.long;
        self.is_cut |= more.is_cut;
    }
}

impl ApiResults {
    /// No results yet. They will be in a file without a name on the disk of the ledger, because they may be larger than memory.
    pub(super) fn new(context: &Context, models: usize) -> Result<Self, Error> {
        let dir = context.settings.dirs.data.as_deref();
        let file = dir.map_or_else(tempfile::tempfile, tempfile::tempfile_in).map_err(temporary_file)?;
        let (index, clients, given_up, left_out) = Default::default();
        Ok(Self { file: Mutex::new(file), length: 0, models, index, clients, given_up, total: 0, missing: 0, left_out })
    }

    /// The numbers of the rows that have a result or were given up, in order.
    pub(super) fn rows(&self) -> Vec<u64> {
        let rows: BTreeSet<u64> = self.index.keys().chain(&self.given_up).map(|(row, _)| *row).collect();
        rows.into_iter().collect()
    }

    /// Gives up the rows of a part that have neither a line nor a result. What they may have cost is then counted, and they can be
    /// asked again. No part of the same model and rows may be in work.
    pub(super) fn give_up(&mut self, plan: &BatchPlan, done: &Done, part: &Part) {
        let Some(place) = plan.place(&part.model) else { return };
        let (first, last) = part.rows;
        let is_open = |row: &u64| {
            plan.selection.has(*row)
                && done.state(*row, place) == State::Open
                && !self.index.contains_key(&(*row, place))
        };
        self.given_up.extend((first..=last).filter(is_open).map(|row| (row, place)));
    }

    /// Compares the rows with those that were handed over.
    ///
    /// # Errors
    /// One of them differs, or is not there.
    pub(super) fn check_rows(&self, plan: &BatchPlan, job: &str) -> Result<(), Error> {
        let last = self.index.keys().map(|(row, _)| *row).max().unwrap_or(0);
        let mut rows = plan.source.rows()?;
        let mut number = 0;
        while number < last {
            let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))? else {
                return Err(changed(plan, format!("it has {number} rows, and row {last} was handed over")));
            };
            number = row.number;
            let found = (0..self.models).filter_map(|place| self.index.get(&(number, place)));
            if found.filter_map(|found| found.seal).any(|sealed| sealed != seal(job, number, row.hash())) {
                return Err(changed(
                    plan,
                    format!("row {number} (line {}) is not the row that was handed over", row.line),
                ));
            }
        }
        Ok(())
    }

    /// Finds out how many rows are missing of `total`, by what is done and by the parts that are in work.
    pub(super) fn expect<'p>(&mut self, done: &Done, total: u64, outstanding: impl Iterator<Item = &'p Part>) {
        let lines: u64 = (0..done.models().len()).map(|place| done.lines(place)).sum();
        let is_new = |(row, place): &&(u64, usize)| done.state(*row, *place) == State::Open;
        let fresh = self.index.keys().filter(is_new).count() as u64;
        // What came before a document of results broke off is not in work.
        let in_work: u64 = outstanding.map(|part| part.count.saturating_sub(self.come(part))).sum();
        let known = lines + fresh + in_work;
        // Earlier versions counted only what they had collected. What was given up has a call of its own, which tells that it is missing.
        let missing = total.saturating_sub(known).saturating_sub(self.given_up.len() as u64);
        (self.total, self.missing) = (total.max(known), missing);
    }

    /// How many lines the output will have, and how many of them come only if the batch goes on: the gateway has nothing of them.
    pub(in crate::cmd::batch) fn total_and_missing(&self) -> (u64, u64) {
        (self.total, self.missing)
    }

    /// Says which requests have no result, and which lines were left out.
    pub(super) fn tell_faults(&self, context: &Context) {
        let LeftOut { foreign, long, .. } = self.left_out;
        if long > 0 {
            let results = count(long, "result is", "results are");
            context.urgent(&format!("{results} longer than {} MiB and left out", LONGEST_RESULT >> 20));
        }
        if foreign > 0 {
            let lines = count(foreign, "line", "lines");
            context.urgent(&format!("{lines} of the results: no result of a request of this batch, and left out"));
        }
        if self.missing > 0 {
            let requests = count(self.missing, "request has", "requests have");
            context.urgent(&format!(
                "{requests} neither an answer nor a failure, and the gateway has nothing of them in work"
            ));
        }
    }

    /// Fetches the results of a part that is over. Where that fails, what has come until then counts.
    pub(super) fn add(
        &mut self,
        plan: &BatchPlan,
        client: &Arc<Client>,
        part: &Part,
        standing: &Standing,
        requests: &Requests,
    ) -> Result<(), Error> {
        let Some(place) = plan.place(&part.model) else { return Ok(()) };
        let form = api::of(client.config().api_of(&part.model));
        let mut left_out = LeftOut::default();
        self.clients.insert(part.gateway.clone(), Arc::clone(client));
        for results in &standing.results {
            let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(self.length)).map_err(temporary_file)?;
            let mut lines = CutLines { to: BufWriter::new(file), length: 0 };
            let fetched = match results {
                Results::At(path) => requests.download(client, path, largest(part.count), &mut lines),
                Results::Inline(document) => {
                    lines.write_all(document).map_err(temporary_file)?;
                    Ok(())
                }
            };
            lines.flush().map_err(temporary_file)?;
            drop(lines);
            let found = self.index_from(form, place, part).map_err(temporary_file)?;
            fetched?;
            left_out.add(&found);
        }
        let come = left_out.foreign + left_out.long + self.come(part);
        self.left_out.add(&left_out);
        let message = match standing.done {
            // They are not where they should be, for now.
            Some((done, total)) if standing.answered > come && done >= total && standing.failure.is_none() => {
                let results = match come {
                    0 => "no result has come".to_owned(),
                    1 => "one result has come".to_owned(),
                    come => format!("{come} results have come"),
                };
                format!("the gateway says that it came to {done} of {total} requests, and {results}")
            }
            _ if left_out.is_cut && standing.failure.is_none() => {
                "the results broke off in the midst of a line".to_owned()
            }
            _ => return Ok(()),
        };
        let advice = "the batch is kept: collect it again later, or give it up with --give-up";
        Err(Failure::new(FailureKind::Protocol, message).with_advice(advice).into())
    }

    /// How many results of a part have come.
    fn come(&self, part: &Part) -> u64 {
        self.index.values().filter(|found| found.part == part.part).count() as u64
    }

    /// Notes where each result is from the end of those that are known. A line that is no result of this part is left out: its
    /// row has no answer then, and is asked again.
    fn index_from(&mut self, form: &dyn BatchApi, place: usize, part: &Part) -> io::Result<LeftOut> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.length))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        let mut left_out = LeftOut::default();
        loop {
            let length = next_line(&mut reader, &mut line)?;
            if length == 0 {
                return Ok(left_out);
            }
            let result = form.result(&line).ok().map(|(id, fate)| (id, matches!(fate, Fate::Answer(_))));
            match result.and_then(|(id, is_answer)| Some((row_of(&id, part)?, is_answer))) {
                Some(((row, seal), is_answer)) => {
                    let gateway = part.gateway.clone();
                    let found = Found { offset: self.length, length, gateway, part: part.part, seal, is_answer };
                    let is_answered = self.index.get(&(row, place)).is_some_and(|known| known.is_answer);
                    if is_answer || !is_answered {
                        self.index.insert((row, place), found);
                    }
                }
                None if length > LONGEST_RESULT => left_out.long += 1,
                None if line.trim_ascii().is_empty() => {}
                None if line.ends_with(b"\n") || is_json(&line) => left_out.foreign += 1,
                None => left_out.is_cut = true,
            }
            self.length += length;
        }
    }

    /// Says where the price of a batch is not known.
    pub(super) fn tell_price(&self, context: &Context) {
        for client in self.clients.values().filter(|client| !crate::run::halves_batch_prices(client.config())) {
            let name = &client.config().name;
            context.notice(&format!("the price of batches at {name} is not known: costs are those of single calls"));
        }
    }

    fn line(&self, row: u64, place: usize) -> Option<(Vec<u8>, &str)> {
        let Found { offset, length, gateway, .. } = self.index.get(&(row, place))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = vec![0; usize::try_from(*length).ok()?];
        file.seek(SeekFrom::Start(*offset)).and_then(|_| file.read_exact(&mut line)).ok()?;
        Some((line, gateway))
    }
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

fn changed(plan: &BatchPlan, message: String) -> Error {
    Error::usage_hint(
        format!("{} was changed since it was handed over: {message}", plan.source.path.display()),
        "the answers are those to its rows as they were: put them back, and collect again; rows may only be added at the end",
    )
}

/// The largest document of the results of so many requests, in bytes. One of them may be too long and is left out then.
fn largest(requests: u64) -> u64 {
    LONGEST_RESULT.saturating_mul(requests.saturating_add(1)).min(LARGEST_RESULTS)
}

/// Writes lines, of each only so much that it is seen whether it is too long, and none that is empty.
struct CutLines<W: Write> {
    to: W,
    /// How much of the last line there was.
    length: u64,
}

impl<W: Write> Write for CutLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = usize::try_from((LONGEST_RESULT + 1).saturating_sub(self.length)).unwrap_or(usize::MAX);
            self.to.write_all(&text[..text.len().min(room)])?;
            self.length += text.len() as u64;
            if text.len() < piece.len() && std::mem::take(&mut self.length) > 0 {
                self.to.write_all(b"\n")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads the next line with its end into `line`, which stays empty where the line is too long. Returns the length of the line,
/// which is 0 at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    let length = reader.take(LONGEST_RESULT + 1).read_until(b'\n', line)? as u64;
    if length <= LONGEST_RESULT {
        return Ok(length);
    }
    let rest = if line.ends_with(b"\n") { 0 } else { reader.skip_until(b'\n')? as u64 };
    *line = Vec::new();
    Ok(length + rest)
}

impl Service for ApiResults {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let (row, place) = ((call.index / self.models) as u64 + 1, call.index % self.models);
        let not_asked = |why: &str| Err(Failure::new(FailureKind::Interrupted, why));
        let Some((line, gateway)) = self.line(row, place) else {
            if !self.given_up.contains(&(row, place)) {
                return not_asked("there is no result yet");
            }
            events.emit(Event::Attempt { target: call.target().clone() }).await?;
            let failure = Failure::new(FailureKind::Interrupted, "the batch with this row was given up").maybe_billed();
            events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
            return Err(failure);
        };
        let Some(client) = self.clients.get(gateway) else { return not_asked("its gateway is not there") };
        let target = call.target().clone();
        let wire_format = client.config().api_of(&target.model);
        let (_, fate) = api::of(wire_format).result(&line)?;
        let body = match fate {
            Fate::NotAsked(why) => return not_asked(why),
            Fate::Failed(failure) => {
                let failure = client.reported(failure);
                events.emit(Event::Attempt { target }).await?;
                events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
                return Err(failure);
            }
            Fate::Answer(body) => body,
        };
        events.emit(Event::Attempt { target }).await?;
        events.emit(Event::Headers { status: 200, meta: Meta::default() }).await?;
        answered((client, wire_format.adapter()), &body, events).await.map_err(|failure| client.reported(failure))
    }
}

/// Sends the events of a whole answer, as those of a single call are sent.
async fn answered((client, adapter): (&Client, &dyn Adapter), body: &[u8], events: &Events) -> Result<(), Failure> {
    let answer = match adapter.decode_response(body) {
        Ok(answer) => answer,
        Err(DecodeError::Failed(failure)) => return Err(failure),
        Err(why) => {
            let failure = Failure::new(FailureKind::Protocol, "the result cannot be read");
            return Err(failure.with_cause(why.to_string()));
        }
    };
    let complete = answer.complete();
    let answer = answer.response;
    let outcome = complete.and_then(|()| verdict::told_whole(answer.missing));
    for event in answer.into_events() {
        events.emit(Event::Stream(stream::with_id(client.masked_event(event)))).await?;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_results_no_more_is_written_than_is_read_again() {
        let mut lines = CutLines { to: Vec::new(), length: 0 };
        // However it is cut into pieces.
        for bytes in [&b"one\n\n\nt"[..], b"wo", b"\n", b"\n", b"three"] {
            lines.write_all(bytes).expect("memory");
        }
        assert_eq!(lines.to, b"one\ntwo\nthree");
        let mut lines = CutLines { to: Vec::new(), length: LONGEST_RESULT - 1 };
        for bytes in [&b"ab"[..], b"cd", b"ef\ng"] {
            lines.write_all(bytes).expect("memory");
        }
        assert_eq!(lines.to, b"ab\ng", "the line is too long, and seen to be");
        assert_eq!((largest(0), largest(3)), (LONGEST_RESULT, LONGEST_RESULT * 4));
        assert_eq!((largest(50_000), largest(u64::MAX)), (LARGEST_RESULTS, LARGEST_RESULTS));
    }
}
