//! A ledger that is not in a file of this machine. It is read in the ways of one that is.

use super::read::Filter;
use super::shards::ShardStore;
use super::store::{Store, StoreError};

/// A ledger that several machines share.
pub trait RemoteLedger: Send + Sync {
    /// A ledger in memory that holds the calls that are wanted, and may hold more. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be read.
    fn read(&self, wanted: Wanted<'_>) -> Result<Store, StoreError>;

    /// Deletes the calls before this moment, in milliseconds since 1970, or all, and the batches that have told nothing since.
    /// Returns how many calls there were. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be written.
    fn purge(&self, before_ms: Option<i64>) -> Result<u64, StoreError>;

    /// The batches that several machines do in shards. Nothing is connected yet.
    fn shards(&self) -> Box<dyn ShardStore>;
}

/// Which calls are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The newest of those that fit, so many at most.
    Fitting(&'a Filter, Option<usize>),
    /// Those that fit, without what was asked and answered.
    Figures(&'a Filter),
    /// Those that a part of an id may mean; without one, the newest ones.
    Named(Option<&'a str>),
}
