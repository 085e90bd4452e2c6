//! Calls on their way into the ledger of a server, kept in a file until they are there. What was handed over survives the end of
//! the process, however it ends; a call whose record is in the file can be answered.
//!
//! There are two files: calls are added to one of them while the other is taken into the ledger and emptied. Both are locked as
//! long as their process lives. Those of a process that was killed are taken in by another one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};

use super::files::{check_dir, private_file};
use super::row::Row;
use super::store::{Mode, Store, StoreError};
use super::{Records, Vote, spill, write};
use crate::ids::new_id;
use crate::private;
use crate::score::Part;

#[cfg(test)]
mod tests;

/// What keeps calls for good.
pub trait Sink: Send {
    /// Keeps these calls, all or none. A call that is kept already stays as it is. Blocks the thread.
    ///
    /// # Errors
    /// They cannot be kept now, or, with [`StoreError::Refused`], one of them never.
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError>;
}

/// Told to whoever runs the server, when it happens.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What the names of the files begin with whose calls belong into the ledger of their directory.
pub const LOCAL: &str = "calls-";
const SUFFIX: &str = ".jsonl";
/// What the name of the file begins with whose calls the sink refuses; the rest is `LOCAL` or its like.
const REFUSED: &str = "refused-";

/// So many calls, or so many bytes of them, are taken in together.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;

/// So many bytes of calls at most are kept in memory with their texts while their file cannot be written, and twice as many with
/// those that have none.
const MOST_UNWRITTEN: usize = 64 << 20;

/// How long is waited after a failure, and how often the files of others are looked for.
const RETRY: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_secs(5);

/// The end of the process waits no longer than this for a sink that takes nothing, where all calls are in files.
const SILENCE: Duration = Duration::from_secs(3);

/// Hands calls to a [`Sink`] by a thread of its own. All clones use the same files.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    /// What the names of the files begin with: it tells into which store they belong.
    prefix: &'static str,
    state: Mutex<State>,
    /// Something has changed in `state`.
    changed: Condvar,
    tell: Tell,
}

#[derive(Default)]
struct State {
    /// The file that calls are added to.
    current: Option<Segment>,
    /// A file that holds nothing.
    spare: Option<Segment>,
    /// Calls that could not be written to a file, and how much they and those hold that the thread has taken of them, in bytes.
    unwritten: Vec<Row>,
    unwritten_bytes: usize,
    /// How many calls found no place in memory.
    lost: u64,
    /// How many calls these are.
    only_in_memory: usize,
    /// Whether somebody was told of them, since a call was last written.
    is_told: bool,
    /// Since it is to be closed: until when calls that cannot be kept are tried again.
    closing: Option<Instant>,
    is_closed: bool,
    /// When the sink has last taken calls.
    taken: Option<Instant>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

/// One file, locked while it is open.
#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    /// What is in it, in bytes.
    length: u64,
}

impl Segment {
    fn create(dir: &Path, prefix: &str) -> io::Result<Self> {
        private::create_dir(dir)?;
        check_dir(dir).map_err(io::Error::other)?;
        let path = dir.join(format!("{prefix}{}{SUFFIX}", new_id()));
        let file = private_file(&path)?;
        file.try_lock().map_err(io::Error::other)?;
        Ok(Self { file, path, length: 0 })
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(line);
        match written {
            Ok(()) => self.length += line.len() as u64,
            // On a full disk at least what was there before stays whole.
            Err(_) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::End(0))?;
            }
        }
        written
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        Ok(())
    }
}

impl Journal {
    /// A journal in this directory, whose thread gives calls to this sink. The names of its files begin with `prefix`; those of
    /// other processes that begin so belong to the same sink. `tell` is called where there is something that whoever
    /// runs the server should know.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(dir: &Path, prefix: &'static str, sink: Box<dyn Sink>, tell: Tell) -> io::Result<Self> {
        let dir = dir.to_owned();
        let shared = Arc::new(Shared { dir, prefix, state: Mutex::default(), changed: Condvar::new(), tell });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("journal".into());
        thread.spawn(move || Drain { shared: of_thread, sink, waiting: 0, is_failing: false }.run())?;
        Ok(Self { shared })
    }

    /// Tells where no file can be made, before there is a call to lose.
    pub fn check(&self) {
        let made = Segment::create(&self.shared.dir, self.shared.prefix);
        match made.and_then(|segment| fs::remove_file(&segment.path)) {
            Ok(()) => {}
            Err(error) => self.shared.state().tell_unwritable(&self.shared, &error),
        }
    }

    /// Keeps a call. When this returns, the end of the process does not lose it any more.
    pub fn add(&self, mut row: Row) {
        let mut line = serde_json::to_vec(&row).unwrap_or_default();
        line.push(b'\n');
        let mut state = self.shared.state();
        if let Err(error) = state.add(&self.shared, &line) {
            state.tell_unwritable(&self.shared, &error);
            let mut size = line.len();
            if state.unwritten_bytes.saturating_add(size) > MOST_UNWRITTEN {
                (row.answer, row.request.body) = (None, None);
                size = serde_json::to_vec(&row).map_or(0, |line| line.len());
            }
            if state.unwritten_bytes.saturating_add(size) > 2 * MOST_UNWRITTEN {
                if state.lost == 0 {
                    (self.shared.tell)("calls are lost: no more of them can wait in memory");
                }
                state.lost += 1;
            } else {
                state.unwritten_bytes += size;
                state.unwritten.push(row);
                state.only_in_memory += 1;
            }
        } else {
            state.is_told = false;
            if state.lost > 0 {
                (self.shared.tell)(&format!("{} calls were lost while their file could not be written", state.lost));
                state.lost = 0;
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until every call has reached the sink, but no longer than this, and not for a sink that takes nothing for three
    /// seconds: what has not reached it is in a file, and another process takes it in. For calls that are in no file the whole
    /// time is waited; where the sink fails, half of it is for trying again. Blocks the thread.
    pub fn close(&self, limit: Duration) {
        let began = Instant::now();
        let end = began + limit;
        let mut state = self.shared.state();
        state.closing = Some(began + limit / 2);
        self.shared.changed.notify_all();
        while !state.is_closed {
            let silent = state.taken.map_or(began, |at| at.max(began)) + SILENCE;
            let until = if state.only_in_memory == 0 { end.min(silent) } else { end };
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let waited = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }

    /// How many calls the end of the process would lose now, or has lost already where nobody was told how many.
    pub fn losses(&self) -> u64 {
        let state = self.shared.state();
        state.lost + state.only_in_memory as u64
    }
}

impl Records for Journal {
    fn record(&self, row: Row) -> BoxFuture<'_, ()> {
        self.add(row);
        std::future::ready(()).boxed()
    }

    /// A server has no scores.
    fn record_scores(&self, _: Vec<(String, Vec<Part>)>) {}

    /// A server takes no votes.
    fn record_vote(&self, _: Vote) {}

    fn is_safe(&self) -> bool {
        self.shared.state().only_in_memory == 0
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, shared: &Shared, line: &[u8]) -> io::Result<()> {
        let segment = match &mut self.current {
            Some(segment) => segment,
            place => place.insert(match self.spare.take() {
                Some(spare) => spare,
                None => Segment::create(&shared.dir, shared.prefix)?,
            }),
        };
        segment.add(line)
    }

    /// Says that calls have no file, unless that was said since one was last written.
    fn tell_unwritable(&mut self, shared: &Shared, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            let how = "calls wait in memory, after 64 MiB without their texts, because their file cannot be written";
            (shared.tell)(&format!("{how}: {error}"));
        }
    }
}

/// Where calls are that the sink does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    InFile,
    InMemory,
}

/// What the thread does.
struct Drain {
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    /// How many calls waited for the sink since it failed.
    waiting: usize,
    is_failing: bool,
}

impl Drain {
    fn run(mut self) {
        let mut looked = None::<Instant>;
        loop {
            let (segment, unwritten, bytes) = self.next();
            if let Some(mut segment) = segment
                && self.drain(&mut segment)
                && segment.empty().is_ok()
            {
                let mut state = self.shared.state();
                match state.spare {
                    None => state.spare = Some(segment),
                    Some(_) => drop(fs::remove_file(&segment.path)),
                }
            }
            if !unwritten.is_empty() {
                let is_done = self.insert(&unwritten, Waiting::InMemory);
                let mut state = self.shared.state();
                match is_done {
                    true => {
                        state.unwritten_bytes -= bytes;
                        state.only_in_memory -= unwritten.len();
                    }
                    // More may have come meanwhile.
                    false => drop(state.unwritten.splice(0..0, unwritten)),
                }
            }
            let mut state = self.shared.state();
            if state.closing.is_some() {
                if state.current.is_some() {
                    continue;
                }
                if looked.is_none() && !self.is_failing {
                    looked = Some(Instant::now());
                    drop(state);
                    self.take_over();
                    continue;
                }
                if let Some(spare) = state.spare.take() {
                    // An empty file that stays is deleted by whoever finds it.
                    let _ = fs::remove_file(&spare.path);
                }
                state.is_closed = true;
                self.shared.changed.notify_all();
                return;
            }
            drop(state);
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                self.take_over();
            }
        }
    }

    /// Waits for the next file to be taken in.
    fn next(&self) -> (Option<Segment>, Vec<Row>, usize) {
        let mut state = self.shared.state();
        if state.current.is_none() && state.unwritten.is_empty() && state.closing.is_none() {
            let waited = self.shared.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        (state.current.take(), std::mem::take(&mut state.unwritten), state.unwritten_bytes)
    }

    /// Takes a file in. Returns `false` where that was given up.
    fn drain(&mut self, segment: &mut Segment) -> bool {
        let path = segment.path.clone();
        let shared = Arc::clone(&self.shared);
        let taken = each_group(&mut segment.file, &mut |rows| self.insert(rows, Waiting::InFile));
        taken.unwrap_or_else(|error| {
            (shared.tell)(&format!("the calls in {} cannot be read: {error}", path.display()));
            false
        })
    }

    /// Gives calls to the sink until it has them. Returns `false` where the journal is closed first. A call that the sink refuses
    /// is put aside, so that it holds up no other.
    fn insert(&mut self, rows: &[Row], waiting: Waiting) -> bool {
        let count = rows.len();
        loop {
            let mut failed = match self.sink.insert(rows) {
                Ok(()) => {
                    self.shared.state().taken = Some(Instant::now());
                    self.waiting += if self.is_failing { count } else { 0 };
                    if std::mem::take(&mut self.is_failing) {
                        let had_waited = std::mem::take(&mut self.waiting);
                        (self.shared.tell)(&format!(
                            "calls are recorded again; {had_waited} and those after them had waited"
                        ));
                    }
                    return true;
                }
                Err(error) => error,
            };
            if matches!(failed, StoreError::Refused { .. }) {
                if count > 1 {
                    let (first, second) = rows.split_at(count / 2);
                    return self.insert(first, waiting) && self.insert(second, waiting);
                }
                match self.put_aside(rows, &failed) {
                    Ok(()) => return true,
                    Err(error) => failed = error,
                }
            }
            if !std::mem::replace(&mut self.is_failing, true) {
                let place = match waiting {
                    Waiting::InFile => self.shared.dir.display().to_string(),
                    Waiting::InMemory => "memory".to_owned(),
                };
                (self.shared.tell)(&format!("{}; calls wait in {place} until they can be recorded", failed.sentence()));
            }
            if self.shared.state().closing.is_some_and(|end| Instant::now() >= end) {
                return false;
            }
            thread::sleep(RETRY);
        }
    }

    /// Keeps calls that the sink refuses in a file of their own.
    fn put_aside(&self, rows: &[Row], why: &StoreError) -> Result<(), StoreError> {
        let Shared { dir, prefix, tell, .. } = &*self.shared;
        let name = format!("{REFUSED}{}{SUFFIX}", prefix.trim_end_matches('-'));
        spill::append_to(dir, &name, rows).map_err(|error| StoreError::io(&dir.join(&name), error))?;
        tell(&format!("{}; a call is not recorded, and is in {} now", why.sentence(), dir.join(&name).display()));
        Ok(())
    }

    /// Takes in the files of processes that were killed.
    fn take_over(&mut self) {
        for mut segment in abandoned(&self.shared.dir, self.shared.prefix) {
            if self.drain(&mut segment) {
                let _ = fs::remove_file(&segment.path);
            }
        }
    }
}

/// Calls `take` with the calls of a file, group by group, until it returns `false`. Lines that are no calls are left out: the last
/// one may have been cut when its process was killed, before its answer ended.
fn each_group(file: &mut File, take: &mut dyn FnMut(&[Row]) -> bool) -> io::Result<bool> {
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let (mut line, mut rows, mut bytes) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        rows.extend(serde_json::from_slice::<Row>(&line).ok());
        bytes += read;
        if rows.len() >= GROUP || bytes >= GROUP_BYTES || read == 0 {
            if !rows.is_empty() && !take(&rows) {
                return Ok(false);
            }
            rows.clear();
            bytes = 0;
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// The files of processes that have ended, each locked by this one now.
fn abandoned(dir: &Path, prefix: &str) -> Vec<Segment> {
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(prefix) && name.ends_with(SUFFIX)
    };
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_journal);
    let locked = |path: PathBuf| {
        let file = private_file(&path).ok()?;
        file.try_lock().ok()?;
        // Another process may have taken it in, and deleted it, before it could be locked here.
        let length = fs::metadata(&path).ok()?.len();
        Some(Segment { file, path, length })
    };
    paths.filter_map(locked).collect()
}

/// The ledger of this directory, for a command that takes calls in.
pub(super) struct Local(pub(super) PathBuf);

impl Sink for Local {
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let mut store = Store::open(&self.0, Mode::RECORD)?;
        store.write(|transaction| write::insert_all(transaction, rows).map(drop))
    }
}

/// Whether a file of this name holds calls that a sink has refused.
pub(super) fn is_refused(name: &str) -> bool {
    name.starts_with(REFUSED) && name.ends_with(SUFFIX)
}

/// Gives this sink the calls of processes that have ended, which wait in files of this directory whose names begin with `prefix`.
/// Returns what there is to tell the user.
pub fn take_over(dir: &Path, prefix: &str, sink: &mut dyn Sink) -> Vec<String> {
    let mut notices = Vec::new();
    for mut segment in abandoned(dir, prefix) {
        let path = segment.path.display();
        let mut failed = None;
        let taken = each_group(&mut segment.file, &mut |rows| {
            failed = sink.insert(rows).err();
            failed.is_none()
        });
        match (taken, failed) {
            (Ok(true), _) => drop(fs::remove_file(&segment.path)),
            (Ok(false), Some(error)) => notices.push(format!("{}; the calls in {path} wait", error.sentence())),
            (Ok(false), None) => {}
            (Err(error), _) => notices.push(format!("the calls in {path} cannot be read: {error}")),
        }
    }
    notices
}
