//! Tells the database of `[store]` how far a shard is, on a thread of its own: calls never wait for the database, and a database
//! that is lost loses nothing of the batch.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::plan::BatchPlan;
use super::short_id;
use crate::batch::RowHash;
use crate::cli::BatchRunArgs;
use crate::ledger::StoreError;
use crate::ledger::jobs::{JobProgress, JobState};
use crate::ledger::shards::{Joined, ShardStart, ShardStore};

#[cfg(test)]
mod tests;

/// How long is waited after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// At the end of the batch, a database that fails is tried again for so long.
const TRIED_AT_END: Duration = Duration::from_secs(1);

/// So much of a data set is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// What is known of a shard before the store is asked.
#[derive(Debug, Clone)]
pub(super) struct Told {
    start: ShardStart,
    /// What shards of one batch have in common, besides the data set.
    common: Vec<String>,
    /// The data set; `None` is one that can be read only once, so that nobody knows what is in it.
    rows: Option<PathBuf>,
}

impl Told {
    /// What is told of this job; `None` where the batch is not a shard.
    pub(super) fn new(id: &str, args: &BatchRunArgs, plan: &BatchPlan) -> Option<Self> {
        let (shard, of) = args.shard?;
        let name = plan.source.path.file_name().unwrap_or(plan.source.path.as_os_str());
        let start = ShardStart {
            id: id.to_owned(),
            fingerprint: String::new(),
            shard,
            of,
            input: name.to_string_lossy().into_owned(),
            models: plan.names.clone(),
            via_api: false,
        };
        // In which order models are asked makes no difference.
        let mut names = plan.names.clone();
        names.sort();
        let mut common: Vec<String> = plan.parts.iter().flat_map(|(name, hash)| [name.clone(), hash.clone()]).collect();
        common.push(format!("{of} {:?} {:?} {}", args.limit, args.sample, args.sample_seed));
        common.extend(names);
        Some(Self { start, common, rows: plan.source.file() })
    }

    /// The same of a shard that goes through the gateway's own batches.
    pub(super) fn via_api(mut self, via_api: bool) -> Self {
        self.start.via_api = via_api;
        self
    }

    /// Completes it by the hash of the data set. A shard of which that is not known is a job of its own.
    fn start(mut self) -> ShardStart {
        let rows = self.rows.as_deref().and_then(|path| hash(path).ok());
        self.common.push(rows.unwrap_or_else(|| self.start.id.clone()));
        self.start.fingerprint = RowHash::of(self.common.iter().map(String::as_bytes)).to_string();
        self.start
    }
}

/// The SHA-256 of a file.
fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hasher.update(&buffer[..length]),
        }
    }
}

/// The thread, and what it is to tell. All clones use the same one.
#[derive(Debug, Clone)]
pub(super) struct ShardTeller {
    shared: Arc<Shared>,
    /// How the shard stands when this process has ended, whatever it has reached.
    ends_as: Option<JobState>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What the store is to know next.
    next: Option<(JobState, JobProgress)>,
    /// Since when nothing follows.
    ended: Option<Instant>,
    is_closed: bool,
    /// Why the store does not know the last that it was told.
    failed: Option<StoreError>,
    notices: Vec<String>,
}

impl ShardTeller {
    /// A teller to this store.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(told: Told, store: Box<dyn ShardStore>, ends_as: Option<JobState>) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("shard".into());
        thread.spawn(move || Work { shared: &of_thread, store, start: told.start(), is_joined: false }.run())?;
        Ok(Self { shared, ends_as })
    }

    /// Tells how far the shard is. Does not wait: what could not be told yet is replaced.
    pub(super) fn note(&self, state: JobState, progress: JobProgress) {
        self.shared.state().next = Some((state, progress));
        self.shared.changed.notify_all();
    }

    /// The same, and nothing follows.
    pub(super) fn end(&self, state: JobState, progress: JobProgress) {
        let mut held = self.shared.state();
        held.next = Some((self.ends_as.unwrap_or(state), progress));
        held.ended.get_or_insert_with(Instant::now);
        drop(held);
        self.shared.changed.notify_all();
    }

    /// Waits until the store knows the end, but no longer than this, counted from the end. Returns what there is to tell the
    /// user. Blocks the thread.
    pub(super) fn close(&self, limit: Duration) -> Vec<String> {
        let mut state = self.shared.state();
        let end = *state.ended.get_or_insert_with(Instant::now) + limit;
        self.shared.changed.notify_all();
        while !state.is_closed
            && let Some(left) = end.checked_duration_since(Instant::now())
        {
            let waited = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        let mut notices = std::mem::take(&mut state.notices);
        let lost = "[store] does not know how this shard stands; the ledger of this machine does";
        match (&state.failed, state.is_closed) {
            (Some(error), _) => notices.push(format!("{lost}: {}", error.sentence())),
            (None, false) => notices.push(format!("{lost}: it does not answer in time")),
            (None, true) => {}
        }
        notices
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of the thread.
struct Work<'a> {
    shared: &'a Shared,
    store: Box<dyn ShardStore>,
    start: ShardStart,
    is_joined: bool,
}

impl Work<'_> {
    fn run(mut self) {
        while let Some((state, progress)) = self.next() {
            let told = self.tell(state, &progress);
            let mut held = self.shared.state();
            match told {
                Ok(notice) => {
                    held.failed = None;
                    held.notices.extend(notice);
                }
                Err(error) => {
                    held.failed = Some(error);
                    held.next.get_or_insert((state, progress));
                    if held.ended.is_some_and(|ended| ended.elapsed() >= TRIED_AT_END) {
                        held.next = None;
                    } else {
                        let unchanged = |_: &mut State| true;
                        drop(self.shared.changed.wait_timeout_while(held, RETRY, unchanged));
                    }
                }
            }
        }
        self.shared.state().is_closed = true;
        self.shared.changed.notify_all();
    }

    /// What is to be told next; `None` at the end.
    fn next(&self) -> Option<(JobState, JobProgress)> {
        let mut state = self.shared.state();
        loop {
            if let Some(next) = state.next.take() {
                return Some(next);
            }
            if state.ended.is_some() {
                return None;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the store. Returns what the user should know.
    fn tell(&mut self, state: JobState, progress: &JobProgress) -> Result<Option<String>, StoreError> {
        // A job that somebody has deleted begins again.
        if self.is_joined && self.store.note(&self.start.id, state, progress)? {
            return Ok(None);
        }
        let joined = self.store.join(&self.start, state, progress)?;
        self.is_joined = true;
        Ok(joined.resting_since_ms.map(|ms| self.resting(&joined, ms)))
    }

    /// That the shard belongs to a job on which nobody worked when it began.
    fn resting(&self, joined: &Joined, began_ms: i64) -> String {
        let ShardStart { shard, of, .. } = &self.start;
        let began = Timestamp::from_millisecond(began_ms)
            .map_or_else(|_| String::new(), |at| at.strftime(", which began %Y-%m-%d %H:%M UTC").to_string());
        format!("in [store], this is shard {shard} of {of} of batch {}{began}", short_id(&joined.job))
    }
}
