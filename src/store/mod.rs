//! What servers share, besides the ledger and its [budgets](crate::policy::budget::BudgetStore): keys, rates, and who changed
//! what. Each is a trait with one file for each store, and all stores pass the same tests.

#![warn(missing_docs)]

mod bucket;
mod held;
mod key;
mod memory;
mod sqlite;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub(crate) use bucket::{Bucket, Buckets, correction};
pub use held::Held;
pub use key::{ScopedKey, Secret, SecretHash};
pub use memory::MemoryRates;
pub use sqlite::SqliteStore;

use crate::ledger::StoreError;

/// A change of a key that is made while nobody else changes it.
pub type KeyChange = Box<dyn FnOnce(&mut ScopedKey) + Send>;

/// Keeps the keys of a server's clients.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// A number that is another one after every change of a key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn version(&self) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// All keys, by name; those that are revoked or have expired as well.
    ///
    /// # Errors
    /// The store cannot be read.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<ScopedKey>, StoreError>>;

    /// Adds a key. Returns `false`, and adds nothing, where there is one of this name.
    ///
    /// # Errors
    /// The store cannot be written.
    fn add(&self, key: ScopedKey, entry: Entry) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Changes the key that the entry names. Returns it as it then is; `None` where there is none of this name.
    ///
    /// # Errors
    /// The store cannot be written.
    fn change(&self, change: KeyChange, entry: Entry) -> BoxFuture<'_, Result<Option<ScopedKey>, StoreError>>;
}

/// Tells who changed what, and when.
pub trait AuditLog: fmt::Debug + Send + Sync {
    /// The newest entries first, so many at most.
    ///
    /// # Errors
    /// The store cannot be read.
    fn entries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Audited>, StoreError>>;
}

/// One entry of the audit log before it has its time. It never holds a secret or a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who does it: the user of the system, or the server.
    pub actor: String,
    /// What is done: `new`, `edit`, `rotate`, `revoke`.
    pub action: &'static str,
    /// The name of the key.
    pub key: String,
    /// What it then may do, as JSON, or what else there is to say.
    pub detail: String,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The name of the key.
    pub key: String,
    /// What it then could do.
    pub detail: String,
}

/// Keeps the rates of keys for all servers that share the store, by one clock.
pub trait RateStore: fmt::Debug + Send + Sync {
    /// Takes what a request needs from every limit, or from none.
    ///
    /// # Errors
    /// The store cannot be used.
    fn admit(&self, demand: Demand) -> BoxFuture<'_, Result<Admission, StoreError>>;

    /// Whether a request may have been admitted where [`RateStore::admit`] has failed, because the answer was lost on its way.
    fn admits_unheard(&self) -> bool {
        true
    }

    /// The request is over: it no longer runs, and has used so many tokens; `None` where nobody knows how many. Does not wait.
    fn settle(&self, demand: &Demand, used: Option<u64>);

    /// Says that this server lives. The running requests of one that has not said so for [`LEASE`] do not count any more.
    ///
    /// # Errors
    /// The store cannot be used.
    fn beat(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// How long the running requests of a server count that says nothing.
pub const LEASE: Duration = Duration::from_secs(30);

/// What a request needs. A limit that is `None` does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Unique for good.
    pub id: String,
    /// The name of the key.
    pub key: String,
    /// The requests that the key may make in a minute.
    pub requests: Option<u64>,
    /// The tokens that the key may use in a minute, and how many the request is expected to use.
    pub tokens: Option<(u64, u64)>,
    /// The requests of the key that may run at once.
    pub in_flight: Option<u64>,
}

/// Whether a request may be made, and what is left of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Admission {
    /// The limit that lacks what the request needs, and when to come back. Nothing is taken then.
    pub refused: Option<(Limit, Duration)>,
    /// Of the requests a minute.
    pub requests: Option<Level>,
    /// Of the tokens a minute.
    pub tokens: Option<Level>,
}

/// A limit of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Requests at once.
    InFlight,
}

/// How far a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The most in a minute.
    pub limit: u64,
    /// What is left now.
    pub remaining: u64,
    /// When all of it is there again.
    pub reset: Duration,
}
