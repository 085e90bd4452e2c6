//! The one thread that writes to the ledger, and the handle by which everything else of a process writes.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rusqlite::Transaction;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::recorder::{Change, Changes, Closed, Recorder};
use super::row::Row;
use super::store::{FILE_NAME, Mode, StoreError};
use super::{Records, Sink, Tell, Vote, write};
use crate::score::Part;

#[cfg(test)]
mod tests;

/// How much of rows may wait in memory for the thread, in KiB.
const ROOM: u32 = 16 << 10;

/// So many jobs at most are committed together, so that other processes get their turn.
const GROUP: usize = 512;

/// Where so many rows wait already, more are coming, as from a batch or a server: the thread then gathers them for
/// [`GATHERING`]. The index of words is written once a group, which takes as long as several rows.
const MANY: usize = 8;

/// So long rows are gathered at most for one group. Nobody waits for rows, and a change that somebody waits for ends it.
const GATHERING: Duration = Duration::from_millis(25);

/// [`LedgerWriter::close`] waits no longer than this for a disk that does not answer. It is more than a first run may wait
/// for others that make the ledger.
const CLOSE_LIMIT: Duration = Duration::from_secs(15);

/// Writes to the ledger of one directory, by one thread that commits everything that waits as one group.
///
/// Nothing is opened, and no thread started, before the first job. All clones use the same thread; jobs are done in the
/// order in which they were handed over. The thread is detached: a process that must end at once does not wait for it.
#[derive(Debug, Clone)]
pub struct LedgerWriter {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    /// `None` inside where the system has no thread to give.
    jobs: OnceLock<Option<Sender<Job>>>,
    /// One permit for each KiB that may still wait.
    room: Arc<Semaphore>,
    /// Since when [`LedgerWriter::close`] has been waiting.
    closing: Arc<Mutex<Option<Instant>>>,
    /// How jobs went that were done without the thread.
    alone: Mutex<Closed>,
    /// Told of notices when they happen, where somebody wants to know them then.
    tell: Option<Tell>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("dir", &self.dir).finish_non_exhaustive()
    }
}

enum Job {
    Row(Box<Row>, OwnedSemaphorePermit),
    /// A change, and when it was handed over.
    Change(Box<dyn Change>, Instant),
    /// Everything before it has been written: tells how that went.
    Close(SyncSender<Closed>),
}

impl LedgerWriter {
    /// A writer for the ledger of this data directory.
    pub fn new(dir: &Path) -> Self {
        let shared = Shared {
            dir: dir.to_owned(),
            jobs: OnceLock::new(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            closing: Arc::default(),
            alone: Mutex::default(),
            tell: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has what there is to tell the user said when it happens, and not by [`LedgerWriter::close`]. For a writer that nothing was
    /// handed to yet.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        let shared = Shared {
            dir: self.shared.dir.clone(),
            jobs: OnceLock::new(),
            room: Arc::clone(&self.shared.room),
            closing: Arc::default(),
            alone: Mutex::default(),
            tell: Some(tell),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hands over a call to record, and returns at once unless more than 16 MiB wait already: then it waits for room, without
    /// blocking the thread. If the future is dropped while it waits, the call is not recorded. Whether the call could be
    /// recorded is told by [`LedgerWriter::close`].
    pub async fn record(&self, row: Row) {
        let room = self.shared.room.clone().acquire_many_owned(size(&row)).await;
        // The semaphore is never closed.
        if let Ok(room) = room {
            self.send(Job::Row(Box::new(row), room));
        }
    }

    /// Does this work in a transaction that is on the disk when the result is there. The transaction takes the lock for
    /// writing at its beginning; other processes that write are waited for up to ten seconds, without blocking the caller's
    /// thread; where that was in vain for others before, up to one second. The work may share a transaction with that of others, but is undone by itself where it fails.
    ///
    /// If the future is dropped before the thread begins with the work, nothing is changed. If it is dropped later, the work
    /// is completed and its result is lost. Whoever must not leave something behind then [submits](Self::submit) the
    /// opposite in a `Drop` implementation: it is done after this work, whether this was done or not.
    ///
    /// # Errors
    ///
    /// Fails with the error of `work`, or where the ledger cannot be written in time.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.change(work, true).await
    }

    /// As [`LedgerWriter::transact`], but what is changed may be lost with the power of the machine. Nobody waits for the disk
    /// then.
    ///
    /// # Errors
    ///
    /// As for [`LedgerWriter::transact`].
    pub async fn transact_soon<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.change(work, false).await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        durable: bool,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        self.change_by(Task { work: Some(work), value: None, reply: Some(reply), durable });
        result.await.unwrap_or_else(|_| Err(self.broken()))
    }

    fn change_by(&self, change: impl Change + 'static) {
        self.send(Job::Change(Box::new(change), Instant::now()));
    }

    fn broken(&self) -> StoreError {
        let broken = std::io::Error::other("the work on it broke off");
        StoreError::io(&self.shared.dir.join(FILE_NAME), broken)
    }

    /// As [`LedgerWriter::transact`], but does not wait; an error is told by [`LedgerWriter::close`]. For `Drop`
    /// implementations.
    pub fn submit(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static) {
        self.change_by(Task { work: Some(work), value: None, reply: None, durable: true });
    }

    /// As [`LedgerWriter::submit`], but what is changed may be lost with the power of the machine.
    pub fn submit_soon(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static) {
        self.change_by(Task { work: Some(work), value: None, reply: None, durable: false });
    }

    /// Waits until everything that was handed over is written, and closes the file. Returns how that went.
    ///
    /// Blocks the thread. Where other processes keep the ledger locked, it takes one second: calls that cannot be recorded
    /// by then are in the spill file, other changes are lost, as the notices say. Other handles may go on: the file is
    /// opened again for them.
    pub fn close(self) -> Closed {
        let shared = &self.shared;
        let mut end = Closed::default();
        if let Some(Some(jobs)) = shared.jobs.get() {
            *lock(&shared.closing) = Some(Instant::now());
            let (reply, closed) = sync_channel(1);
            // The thread ends when there is no handle any more, so it takes this.
            let sent = jobs.send(Job::Close(reply)).is_ok();
            end = closed.recv_timeout(CLOSE_LIMIT).unwrap_or_else(|_| {
                let slow = format!("the ledger is not written after {} s: calls may be missing", CLOSE_LIMIT.as_secs());
                Closed { notices: if sent { vec![slow] } else { Vec::new() }, is_whole: false }
            });
        }
        let mut alone = lock(&shared.alone);
        end.notices.append(&mut alone.notices);
        Closed { is_whole: end.is_whole && alone.is_whole, ..end }
    }

    fn send(&self, job: Job) {
        let shared = &self.shared;
        let start = || {
            let (sender, jobs) = channel();
            let recorder = Recorder::new(&shared.dir);
            let closing = shared.closing.clone();
            let thread = thread::Builder::new().name("ledger".into());
            let mut told = Told::new(shared.tell.clone());
            thread.spawn(move || run(&jobs, recorder, &closing, &mut told)).ok().map(|_| sender)
        };
        let unsent = match shared.jobs.get_or_init(start) {
            Some(jobs) => jobs.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        // Where there is no thread, the work is done by the caller's.
        if let Some(job) = unsent {
            let mut recorder = Recorder::new(&shared.dir);
            let mut group = Group::default();
            group.add(job);
            group.commit(&mut recorder, &shared.closing, &mut false);
            let mut closed = recorder.closed();
            let mut alone = lock(&shared.alone);
            alone.notices.append(&mut closed.notices);
            alone.is_whole &= closed.is_whole;
        }
    }
}

impl Sink for LedgerWriter {
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        let (reply, result) = oneshot::channel();
        let work = move |transaction: &Transaction<'_>| write::insert_all(transaction, &rows).map(drop);
        self.change_by(Task { work: Some(work), value: None, reply: Some(reply), durable: false });
        result.blocking_recv().unwrap_or_else(|_| Err(self.broken()))
    }
}

impl Records for LedgerWriter {
    fn record(&self, row: Row) -> BoxFuture<'_, ()> {
        Box::pin(LedgerWriter::record(self, row))
    }

    fn record_scores(&self, scores: Vec<(String, Vec<Part>)>) {
        LedgerWriter::record_scores(self, scores);
    }

    fn record_vote(&self, vote: Vote) {
        LedgerWriter::record_vote(self, vote);
    }
}

/// What the thread does: takes what waits, and commits it.
fn run(jobs: &Receiver<Job>, mut recorder: Recorder, closing: &Mutex<Option<Instant>>, told: &mut Told) {
    let mut is_lost = false;
    while let Ok(first) = jobs.recv() {
        let began = Instant::now();
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(job) = next {
            group.add(job);
            next = if group.is_full() { None } else { jobs.try_recv().ok() };
            if next.is_none() && group.may_wait() {
                next = jobs.recv_timeout(GATHERING.saturating_sub(began.elapsed())).ok();
            }
        }
        let close = group.close.take();
        group.commit(&mut recorder, closing, &mut is_lost);
        told.tell(&mut recorder);
        if let Some(close) = close {
            recorder.close();
            *lock(closing) = None;
            // Whoever gave up waiting hears nothing more.
            close.send(recorder.closed()).ok();
        }
    }
}

/// Says what there is to tell when it happens; the same thing not again within a minute.
struct Told {
    tell: Option<Tell>,
    last: Option<(String, Instant)>,
}

impl Told {
    const SILENCE: Duration = Duration::from_secs(60);

    fn new(tell: Option<Tell>) -> Self {
        Self { tell, last: None }
    }

    fn tell(&mut self, recorder: &mut Recorder) {
        let Some(tell) = &self.tell else { return };
        for notice in recorder.take_notices() {
            let is_known = |(last, at): &(String, Instant)| *last == notice && at.elapsed() < Self::SILENCE;
            if !self.last.as_ref().is_some_and(is_known) {
                tell(&notice);
                self.last = Some((notice, Instant::now()));
            }
        }
    }
}

/// Jobs that are committed together.
#[derive(Default)]
struct Group {
    changes: Changes,
    rows: Vec<Row>,
    room: Vec<OwnedSemaphorePermit>,
    /// When the first change that somebody waits for was handed over.
    awaited_since: Option<Instant>,
    /// Whether there is a change that nobody waits for, and that is lost where it cannot be done.
    has_submitted: bool,
    close: Option<SyncSender<Closed>>,
}

impl Group {
    /// Whether it takes no more.
    fn is_full(&self) -> bool {
        self.close.is_some() || self.rows.len() + self.changes.len() >= GROUP
    }

    /// Whether it is of rows alone, of which more are coming.
    fn may_wait(&self) -> bool {
        self.changes.is_empty() && self.rows.len() >= MANY && !self.is_full()
    }

    fn add(&mut self, job: Job) {
        match job {
            Job::Row(row, room) => {
                self.rows.push(*row);
                self.room.push(room);
            }
            Job::Change(change, since) => {
                if change.is_awaited() {
                    self.awaited_since = Some(self.awaited_since.map_or(since, |first| first.min(since)));
                } else {
                    self.has_submitted = true;
                }
                self.changes.push(change);
            }
            Job::Close(reply) => self.close = Some(reply),
        }
    }

    /// Commits the jobs. `is_lost` says that the ledger could not be written in the whole time for changes, and not since: who
    /// waits for a change is then told soon that it is still so.
    fn commit(self, recorder: &mut Recorder, closing: &Mutex<Option<Instant>>, is_lost: &mut bool) {
        if self.rows.is_empty() && self.changes.is_empty() {
            return;
        }
        let began = Instant::now();
        let limit = if *is_lost && !self.has_submitted { Mode::RECORD.timeout } else { Mode::ACCOUNT.timeout };
        let for_changes = self.awaited_since.map_or(began + limit, |since| {
            // The time in which it waited for others counts.
            (since + Mode::ACCOUNT.timeout).min(began + limit).max(began)
        });
        let deadline = |changes: &Changes| {
            let own = match changes.iter().any(|change| change.is_wanted()) {
                true => for_changes,
                false if self.rows.is_empty() => began,
                false => began + Mode::RECORD.timeout,
            };
            lock(closing).map_or(own, |since| own.min(since + Mode::RECORD.timeout))
        };
        let is_written = recorder.commit(self.changes, &self.rows, &deadline);
        *is_lost = !is_written && (*is_lost || Instant::now() >= began + Mode::ACCOUNT.timeout);
    }
}

/// A change that somebody waits for, or that was submitted: then there is no `reply`.
struct Task<T, F> {
    work: Option<F>,
    value: Option<T>,
    reply: Option<oneshot::Sender<Result<T, StoreError>>>,
    durable: bool,
}

impl<T, F> Change for Task<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send,
{
    fn is_durable(&self) -> bool {
        self.durable
    }

    fn is_wanted(&self) -> bool {
        self.reply.as_ref().is_none_or(|reply| !reply.is_closed())
    }

    fn is_awaited(&self) -> bool {
        self.reply.is_some()
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // A panic is an error of this work alone; what others handed over must not be lost for it.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| work(transaction)));
        self.value = Some(result.unwrap_or(Err(rusqlite::Error::UnwindingPanic))?);
        Ok(())
    }

    fn end(self: Box<Self>, ended: Result<(), StoreError>) -> Option<StoreError> {
        let Some(reply) = self.reply else { return ended.err() };
        let result = match (ended, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Err(error), _) => Err(error),
            // It was not wanted any more.
            (Ok(()), None) => return None,
        };
        // Whoever has gone meanwhile does not want to know.
        reply.send(result).ok();
        None
    }
}

/// How much of the room a row takes.
fn size(row: &Row) -> u32 {
    let answer = row.answer.as_ref();
    let texts = answer.map_or(0, |answer| answer.text.len() + answer.reasoning.len());
    let bytes = row.request.body.as_ref().map_or(0, String::len) + texts;
    u32::try_from(bytes >> 10).unwrap_or(ROOM).saturating_add(1).min(ROOM)
}

/// A panic while the lock was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
