//! Batches that several machines do in shards, as one job of the store that the machines share.

use super::jobs::{JobProgress, JobState};
use super::store::StoreError;

#[cfg(test)]
mod tests;

/// A shard that begins, or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStart {
    /// The id of its job in the ledger of its machine.
    pub id: String,
    /// Shards of one job have the same.
    pub fingerprint: String,
    /// Its number, from 1.
    pub shard: u64,
    /// How many shards the job has.
    pub of: u64,
    /// The name of the data set, without its directory.
    pub input: String,
    /// The models by their names, in order.
    pub models: Vec<String>,
    /// Whether it goes through the gateway's own batches.
    pub via_api: bool,
}

/// A shard, as it has told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The id of its job in the ledger of its machine.
    pub id: String,
    /// Its number, from 1.
    pub shard: u64,
    /// In milliseconds since 1970, by the clock of the store.
    pub began_ms: i64,
    /// When it last told how far it is, in milliseconds since 1970, by the clock of the store.
    pub seen_ms: i64,
    /// How it stands.
    pub state: JobState,
    /// Whether its process may have ended without a word: it is said to run, and has told nothing for a while.
    pub is_silent: bool,
    /// Whether another process has begun it anew. What it has cost still counts.
    pub is_replaced: bool,
    /// Whether it goes through the gateway's own batches.
    pub via_api: bool,
    /// The models by their names, in order.
    pub models: Vec<String>,
    /// How far it is.
    pub progress: JobProgress,
}

/// A batch that several machines do in shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedJob {
    /// A UUID.
    pub id: String,
    /// In milliseconds since 1970, by the clock of the store.
    pub began_ms: i64,
    /// How many shards it has.
    pub of: u64,
    /// The name of the data set, without its directory.
    pub input: String,
    /// Those that have begun, in order; of one number, the one that counts is the last.
    pub shards: Vec<Shard>,
}

/// What becomes of a shard that begins, with the last job that it could be a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is a part of that job.
    Joins,
    /// Likewise, and takes the place of a shard that came to no end.
    Replaces,
    /// That job has this shard already: the batch is done once more, as another job.
    Anew,
}

/// Where a shard belongs that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The id of the job.
    pub job: String,
    /// When the job began, where the shard has joined one that was there, and of which no other shard runs.
    pub resting_since_ms: Option<i64>,
}

/// The jobs of a store that several machines share.
pub trait ShardStore: Send {
    /// Notes that a shard begins or goes on, in the job that it belongs to. Doing it twice changes nothing. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be written.
    fn join(&mut self, start: &ShardStart, state: JobState, progress: &JobProgress) -> Result<Joined, StoreError>;

    /// Notes how far the shard with this id is. Returns `false` where the store does not have it. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be written.
    fn note(&mut self, id: &str, state: JobState, progress: &JobProgress) -> Result<bool, StoreError>;

    /// All jobs, the newest first. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be read.
    fn jobs(&mut self) -> Result<Vec<SharedJob>, StoreError>;
}

impl Shard {
    /// Whether a process, or a gateway, works on it as far as anybody knows.
    fn is_open(&self) -> bool {
        match self.state {
            JobState::Running => !self.is_silent,
            JobState::Submitted => true,
            JobState::Stopped | JobState::Finished | JobState::Cancelled => false,
        }
    }
}

impl SharedJob {
    /// The shards that count: of each number one.
    pub fn current(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter(|shard| !shard.is_replaced)
    }

    /// How many shards have begun.
    pub fn begun(&self) -> u64 {
        self.current().count() as u64
    }

    /// What becomes of a shard of this number that begins now and fits to the job.
    pub fn place(&self, number: u64) -> Place {
        match self.current().find(|shard| shard.shard == number) {
            None => Place::Joins,
            Some(shard) if shard.is_open() || shard.state == JobState::Finished => Place::Anew,
            Some(_) => Place::Replaces,
        }
    }

    /// Whether a process or a gateway works on any shard.
    pub fn is_open(&self) -> bool {
        self.current().any(Shard::is_open)
    }

    /// When a shard last told how far it is, in milliseconds since 1970.
    pub fn seen_ms(&self) -> i64 {
        self.shards.iter().map(|shard| shard.seen_ms).max().unwrap_or(self.began_ms)
    }

    /// How it stands, and whether that is because a shard is silent. A job of which not all shards have begun, and none is open,
    /// is stopped.
    pub fn state(&self) -> (JobState, bool) {
        let has = |state: JobState| self.current().any(|shard| shard.state == state && !shard.is_silent);
        let first = [JobState::Running, JobState::Submitted].into_iter().find(|state| has(*state));
        match first {
            Some(state) => (state, false),
            None if self.current().any(|shard| shard.is_silent) => (JobState::Running, true),
            None if has(JobState::Stopped) => (JobState::Stopped, false),
            None if has(JobState::Cancelled) => (JobState::Cancelled, false),
            None if self.begun() >= self.of => (JobState::Finished, false),
            None => (JobState::Stopped, false),
        }
    }

    /// The sums of the shards. The total is known when every shard has begun and knows its own. The cost has what shards took that
    /// were begun anew.
    pub fn progress(&self) -> JobProgress {
        let sum = |of: fn(&JobProgress) -> u64| self.current().map(|shard| of(&shard.progress)).sum();
        let total = self.current().map(|shard| shard.progress.total).sum::<Option<u64>>();
        let costs = self.shards.iter().filter_map(|shard| shard.progress.picos);
        JobProgress {
            total: total.filter(|_| self.begun() >= self.of),
            ok: sum(|progress| progress.ok),
            failed: sum(|progress| progress.failed),
            truncated: sum(|progress| progress.truncated),
            picos: costs.reduce(i64::saturating_add),
            concurrency: sum(|progress| progress.concurrency),
        }
    }

    /// The models of all shards, in order.
    pub fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for model in self.current().flat_map(|shard| &shard.models) {
            if !models.contains(&model.as_str()) {
                models.push(model);
            }
        }
        models
    }

    /// Whether the shards go through the gateway's own batches.
    pub fn is_via_api(&self) -> bool {
        self.current().any(|shard| shard.via_api)
    }
}
