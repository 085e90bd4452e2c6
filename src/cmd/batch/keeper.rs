//! What a running batch does now and then, on a thread of its own: makes the output durable, and tells the ledger how far the
//! batch is.

use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;

use super::share::ShardTeller;
use crate::batch::{Control, StopReason};
use crate::ledger::LedgerWriter;
use crate::ledger::jobs::{self, JobProgress, JobState};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// The thread, until it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    over: Condvar,
    /// The ledger, and the id of the job in it.
    job: Option<(LedgerWriter, String)>,
    /// What tells the store that machines share, where the batch is a shard.
    teller: Option<ShardTeller>,
    control: Arc<Control>,
    /// Whether the batch stops where another process cancels the job. Answers that the gateway has given are all taken.
    obeys_cancel: bool,
}

#[derive(Debug, Default)]
struct State {
    progress: JobProgress,
    /// The most calls at once of which the ledger was told.
    most: u64,
    is_over: bool,
}

impl Keeper {
    /// Begins to keep this output, and this job of the ledger, which is so far.
    pub(super) fn start(
        output: Option<File>,
        job: Option<(LedgerWriter, String)>,
        teller: Option<ShardTeller>,
        progress: JobProgress,
        (control, obeys_cancel): (Arc<Control>, bool),
    ) -> Self {
        let state = Mutex::new(State { progress, most: progress.concurrency, is_over: false });
        let shared = Arc::new(Shared { state, over: Condvar::new(), job, teller, control, obeys_cancel });
        let kept = Arc::clone(&shared);
        // Without a thread, the output is made durable at the end alone.
        let thread = thread::Builder::new()
            .name("batch".into())
            .stack_size(256 << 10)
            .spawn(move || kept.work(output.as_ref()))
            .ok();
        Self { shared, thread }
    }

    /// Tells how far the batch is. That more calls may be running than ever before, the ledger is told at once: the next run says how
    /// many may be paid twice.
    pub(super) fn note(&self, progress: JobProgress) {
        let grows = {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.progress = progress;
            let before = state.most;
            state.most = before.max(progress.concurrency);
            progress.concurrency > before
        };
        if grows {
            self.shared.tell(JobState::Running);
        }
    }

    /// Ends the thread, and notes how the job stands now.
    pub(super) fn finish(&mut self, state: JobState) {
        self.rest();
        let progress = self.shared.tell(state);
        if let Some(teller) = &self.shared.teller {
            teller.end(state, progress);
        }
    }

    /// Ends the thread, which closes its file.
    pub(super) fn rest(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.shared.over.notify_all();
        // A panic of the thread has been reported when it happened.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Shared {
    fn work(&self, output: Option<&File>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let waited = self.over.wait_timeout_while(state, EVERY, |state| !state.is_over);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.is_over {
                return;
            }
            drop(state);
            if let Some(output) = output
                && let Err(error) = output.sync_data()
            {
                self.control.stop(StopReason::Output(error));
            }
            let progress = self.tell(JobState::Running);
            if let Some(teller) = &self.teller {
                teller.note(JobState::Running, progress);
            }
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the ledger. Returns how far the batch is.
    fn tell(&self, state: JobState) -> JobProgress {
        let progress = self.state.lock().unwrap_or_else(PoisonError::into_inner).progress;
        let Some((ledger, id)) = &self.job else { return progress };
        let (id, control, obeys_cancel) = (id.clone(), Arc::clone(&self.control), self.obeys_cancel);
        ledger.submit(move |transaction| {
            let now = Timestamp::now().as_millisecond();
            if jobs::note_progress(transaction, &id, now, state, &progress)? && obeys_cancel {
                control.stop(StopReason::Cancelled);
            }
            Ok(())
        });
        progress
    }
}
