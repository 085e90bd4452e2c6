//! Where a command keeps what servers share: in the data directory, or in the database of `[store]`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::process;
use crate::call::Target;
use crate::config::{Budget, Settings, SharedStore};
use crate::error::Error;
use crate::ledger::{self, Journal, LedgerWriter, Records, RemoteLedger, Row, Sink, StoreError, Vote};
use crate::policy::budget::{self, Balance, BudgetStore, SqliteBudgets};
use crate::report::format::count;
use crate::score::Part;
use crate::serve::{FirstToken, Speeds};
use crate::store::{AuditLog, KeyStore, RateStore, ScopedKey, SqliteStore};

/// Makes what takes the calls of a journal.
type Sinks = Box<dyn Fn() -> Box<dyn Sink>>;

pub(super) type Balances = Box<dyn Fn(&[Budget], Timestamp) -> Result<Vec<Balance>, StoreError>>;

/// What servers share.
pub(super) struct Shared {
    pub(super) keys: Arc<dyn KeyStore>,
    pub(super) rates: Arc<dyn RateStore>,
    pub(super) audit: Arc<dyn AuditLog>,
    pub(super) budgets: Arc<dyn BudgetStore>,
    pub(super) balances: Balances,
    pub(super) first_token: FirstToken,
    /// What takes the calls of a journal, and what the names of the journal's files begin with.
    pub(super) sinks: Sinks,
    pub(super) journal: &'static str,
    /// The ledger, if it is not in the data directory.
    pub(super) remote: Option<Arc<dyn RemoteLedger>>,
    /// To be closed at the end, if it is.
    pub(super) writer: Option<LedgerWriter>,
}

impl Shared {
    /// What the settings say. Nothing is opened yet.
    ///
    /// # Errors
    /// There is no data directory, or the address of the database cannot be read.
    pub(super) fn new(settings: &Settings, writer: impl FnOnce(&Path) -> LedgerWriter) -> Result<Self, Error> {
        if let Some(shared) = &settings.store {
            return remote(shared);
        }
        let missing = || Error::no_home("keys", "LLM_DATA_DIR");
        let dir = settings.dirs.data.clone().ok_or_else(missing)?;
        let writer = writer(&dir);
        let store = Arc::new(SqliteStore::new(&dir, writer.clone()));
        let speeds = Speeds::new(Some(dir.clone()));
        Ok(Self {
            keys: store.clone(),
            rates: store.clone(),
            audit: store,
            budgets: Arc::new(SqliteBudgets::new(writer.clone())),
            balances: Box::new(move |budgets, now| budget::balances(Some(&dir), budgets, now)),
            first_token: Arc::new(move |target: &Target| speeds.of(target)),
            sinks: Box::new({
                let writer = writer.clone();
                move || Box::new(writer.clone())
            }),
            journal: ledger::LOCAL,
            remote: None,
            writer: Some(writer),
        })
    }
}

/// The ledger that several machines share; `None` where it is in the data directory.
///
/// # Errors
/// The address of the database cannot be read.
pub(super) fn remote_ledger(settings: &Settings) -> Result<Option<Arc<dyn RemoteLedger>>, Error> {
    Ok(settings.store.as_ref().map(remote).transpose()?.and_then(|shared| shared.remote))
}

/// Takes the calls of this machine into the database that wait for it. Returns what there is to tell the user.
///
/// # Errors
/// The address of the database cannot be read.
pub(super) fn take_in(settings: &Settings) -> Result<Vec<String>, Error> {
    let (Some(shared), Some(dir)) = (&settings.store, &settings.dirs.data) else { return Ok(Vec::new()) };
    let Shared { sinks, journal, .. } = remote(shared)?;
    Ok(ledger::take_over(dir, journal, &mut *sinks()))
}

/// Finds mistakes in the address of the database. Nothing is connected.
///
/// # Errors
/// It cannot be read.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    settings.store.as_ref().map_or(Ok(()), check_address)
}

/// What is left of each of these budgets.
///
/// # Errors
/// The store cannot be read.
pub(super) fn balances(settings: &Settings, budgets: &[Budget], now: Timestamp) -> Result<Vec<Balance>, Error> {
    Ok(match &settings.store {
        Some(shared) => (remote(shared)?.balances)(budgets, now)?,
        None => budget::balances(settings.dirs.data.as_deref(), budgets, now)?,
    })
}

/// The budgets of the keys of `llm serve` that have not ended, in the order of their names.
///
/// # Errors
/// The store cannot be read.
pub(super) fn budgets_of_keys(settings: &Settings, now: Timestamp) -> Result<Vec<Budget>, Error> {
    if settings.store.is_none() && settings.dirs.data.is_none() {
        return Ok(Vec::new());
    }
    let keys = Shared::new(settings, LedgerWriter::new)?.keys;
    let keys = process::runtime()?.block_on(keys.keys())?;
    let good = keys.iter().filter(|key| !key.has_ended(now.as_second()));
    Ok(good.flat_map(|key| budgets_of_key(settings, key)).collect())
}

/// The budgets of this key, or else those of its class.
pub(super) fn budgets_of_key(settings: &Settings, key: &ScopedKey) -> Vec<Budget> {
    let in_class = key.rules.in_class(&settings.key_classes);
    let rules = in_class.as_ref().unwrap_or(&key.rules);
    rules.budgets.iter().map(|budget| budget.of_key(&key.name)).collect()
}

/// The part of the database of `[store]` that the calls of a command have.
pub(super) struct SharedCalls {
    pub(super) budgets: Arc<dyn BudgetStore>,
    sinks: Sinks,
    prefix: &'static str,
}

impl SharedCalls {
    /// `None` where the config names no database. Nothing is connected yet.
    ///
    /// # Errors
    /// The address of the database cannot be read.
    pub(super) fn new(settings: &Settings) -> Result<Option<Self>, Error> {
        let shared = settings.store.as_ref().map(remote).transpose()?;
        Ok(shared.map(|Shared { budgets, sinks, journal, .. }| Self { budgets, sinks, prefix: journal }))
    }

    /// A ledger that keeps calls in `own`, and in the database too. What cannot be written there waits in a file of that
    /// data directory.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn records(&self, dir: &Path, own: LedgerWriter) -> std::io::Result<SharedRecords> {
        let notices = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&notices);
        let tell = move |text: &str| told.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        let journal = Journal::start(dir, self.prefix, (self.sinks)(), Arc::new(tell))?;
        Ok(SharedRecords { own, journal, notices })
    }
}

/// Keeps the calls of a command in the ledger of its user, where it finds conversations, and in the one that servers share.
#[derive(Debug, Clone)]
pub(super) struct SharedRecords {
    own: LedgerWriter,
    journal: Journal,
    notices: Arc<Mutex<Vec<String>>>,
}

impl SharedRecords {
    /// Waits until the database has every call, but no longer than this. Returns what there is to tell the user. Blocks the
    /// thread.
    pub(super) fn close(&self, limit: Duration) -> Vec<String> {
        self.journal.close(limit);
        let mut notices = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
        let losses = self.journal.losses();
        let (one, many) =
            ("call is not recorded in the database, and is", "calls are not recorded in the database, and are");
        notices.extend((losses > 0).then(|| format!("{} in no file", count(losses, one, many))));
        notices
    }
}

impl Records for SharedRecords {
    fn record(&self, row: Row) -> BoxFuture<'_, ()> {
        self.journal.add(row.clone());
        Records::record(&self.own, row)
    }

    fn record_scores(&self, scores: Vec<(String, Vec<Part>)>) {
        self.own.record_scores(scores);
    }

    fn record_vote(&self, vote: Vote) {
        self.own.record_vote(vote);
    }
}

#[cfg(feature = "postgres")]
fn remote(settings: &SharedStore) -> Result<Shared, Error> {
    use crate::postgres::{JOURNAL, PostgresStore};
    let store = PostgresStore::new(settings)?;
    let (of_balances, of_speeds, of_sinks) = (store.clone(), store.clone(), store.clone());
    let store = Arc::new(store);
    Ok(Shared {
        keys: store.clone(),
        rates: store.clone(),
        audit: store.clone(),
        budgets: store.clone(),
        balances: Box::new(move |budgets, now| of_balances.balances(budgets, now)),
        first_token: Arc::new(move |target: &Target| -> Option<Duration> {
            of_speeds.first_token(&target.gateway, &target.model)
        }),
        sinks: Box::new(move || of_sinks.sink()),
        journal: JOURNAL,
        remote: Some(store),
        writer: None,
    })
}

#[cfg(feature = "postgres")]
fn check_address(settings: &SharedStore) -> Result<(), Error> {
    crate::postgres::PostgresStore::check(settings)
}

#[cfg(not(feature = "postgres"))]
fn remote(settings: &SharedStore) -> Result<Shared, Error> {
    Err(without_postgres(settings))
}

#[cfg(not(feature = "postgres"))]
fn check_address(settings: &SharedStore) -> Result<(), Error> {
    Err(without_postgres(settings))
}

#[cfg(not(feature = "postgres"))]
fn without_postgres(settings: &SharedStore) -> Error {
    Error::config_hint(
        format!("{}: [store] needs PostgreSQL, which this llm was built without", settings.said),
        "`cargo install onekey` builds one with it; without [store], servers share the data directory",
    )
}
