//! What servers on several machines share, in a PostgreSQL: keys, rates, budgets, the audit log and the ledger.
//!
//! The driver blocks, so that its work is done by threads of its own: one that decides for the whole server, and that of the
//! [journal](crate::ledger::Journal), which writes calls. Nothing is connected before something is asked for.

mod calls;
mod decide;
mod keys;
mod session;
mod shards;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::decide::{Job, Write};
use self::session::{Address, Link, Session};
use crate::config::{Budget, SharedStore};
use crate::error::Error;
use crate::ids::new_id;
use crate::ledger::shards::ShardStore;
use crate::ledger::{Filter, RemoteLedger, Row, Sink, StoreError, Wanted};
use crate::policy::budget::{Balance, BudgetStore, Decision, Entry as Reserved, Spent, balances_of};
use crate::store::{
    Admission, AuditLog, Audited, Demand, Entry, KeyChange, KeyStore, RateStore, ScopedKey, correction,
};

/// What the names of the files begin with that hold calls which belong into the database.
pub(crate) const JOURNAL: &str = "shared-calls-";

/// No request waits longer for the store; and no longer than this where it has not answered an earlier one in time.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_WHILE_SILENT: Duration = Duration::from_secs(1);

/// How long the speed of a model is used.
const FRESH: Duration = Duration::from_secs(30);

/// The database, as one server or command uses it.
#[derive(Clone)]
pub(crate) struct PostgresStore {
    address: Address,
    jobs: Sender<Job>,
    /// Whether the store has left somebody without an answer, and has done nothing since.
    is_silent: Arc<AtomicBool>,
    /// How many writes that nobody waits for are not done yet.
    unwritten: Arc<AtomicUsize>,
    speeds: Arc<Mutex<Speeds>>,
}

type Speeds = HashMap<(String, String), (Instant, Option<Duration>)>;

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("address", &self.address).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// The store at this address. Nothing is connected yet.
    ///
    /// # Errors
    /// The address cannot be read.
    pub(crate) fn new(settings: &SharedStore) -> Result<Self, Error> {
        let address = Address::read(settings)?;
        let server = new_id().to_string().into();
        let unwritten = Arc::default();
        let jobs = decide::start(address.clone(), server, Arc::clone(&unwritten))
            .map_err(|error| Error::system("the system has no thread for [store]", &error))?;
        Ok(Self { address, jobs, is_silent: Arc::default(), unwritten, speeds: Arc::default() })
    }

    /// Finds mistakes in the address. Nothing is connected, and no file is read.
    ///
    /// # Errors
    /// The address cannot be read.
    pub(crate) fn check(settings: &SharedStore) -> Result<(), Error> {
        Address::check(settings)
    }

    /// What writes the calls of a journal.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(calls::Calls(Link::new(self.address.clone())))
    }

    /// What is left of each budget. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn balances(&self, budgets: &[Budget], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        let read = || {
            let mut link = Link::new(self.address.clone());
            balances_of(budgets, now, |budget, began| link.transact(|session| decide::sums(session, budget, began)))
        };
        // The driver panics on a thread that runs futures.
        thread::scope(|scope| scope.spawn(read).join())
            .unwrap_or_else(|_| Err(self.address.failed("the work on it broke off".to_owned())))
    }

    /// How fast a model has begun to answer lately, as far as this server knows. It asks the database for what it does not know,
    /// or not any more, and knows it the next time.
    pub(crate) fn first_token(&self, gateway: &str, model: &str) -> Option<Duration> {
        let target = (gateway.to_owned(), model.to_owned());
        let mut known = self.speeds.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&target).copied();
        if found.is_none_or(|(at, _)| at.elapsed() >= FRESH) {
            known.insert(target.clone(), (Instant::now(), found.and_then(|(_, speed)| speed)));
            let speeds = Arc::clone(&self.speeds);
            self.send(Job::Alone(Box::new(move |link| {
                let found = link.transact(|session| calls::median_first_token(session, &target.0, &target.1));
                if let Ok(speed) = found {
                    let mut known = speeds.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(target, (Instant::now(), speed));
                }
            })));
        }
        found.and_then(|(_, speed)| speed)
    }

    fn send(&self, job: Job) {
        // The thread lives as long as this end.
        let _ = self.jobs.send(job);
    }

    /// Hands over what nobody waits for.
    fn write(&self, write: Write) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        self.send(Job::Write(write));
    }

    /// The reply to a job, if it comes in time.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let is_silent = self.is_silent.load(Ordering::Relaxed);
        self.ask_within(if is_silent { PATIENCE_WHILE_SILENT } else { PATIENCE }, job).await
    }

    async fn ask_within<T>(
        &self,
        patience: Duration,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        self.send(job(reply));
        match timeout(patience, result).await {
            Ok(Ok(result)) => {
                if result.is_ok() {
                    self.is_silent.store(false, Ordering::Relaxed);
                }
                result
            }
            Ok(Err(_)) => Err(self.address.failed("the work on it broke off".to_owned())),
            Err(_) => {
                self.is_silent.store(true, Ordering::Relaxed);
                Err(self.address.failed(format!("it does not answer within {} s", patience.as_secs())))
            }
        }
    }

    /// Does this in a transaction.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let job = |reply: oneshot::Sender<_>| {
            Job::Alone(Box::new(move |link: &mut Link| {
                if !reply.is_closed() {
                    reply.send(link.transact(work)).ok();
                }
            }))
        };
        self.ask(job).await
    }
}

impl RemoteLedger for PostgresStore {
    fn each(&self, wanted: Wanted<'_>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        calls::each(&mut Link::new(self.address.clone()), wanted, each)
    }

    fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        calls::count(&mut Link::new(self.address.clone()), filter)
    }

    fn purge(&self, before_ms: Option<i64>) -> Result<u64, StoreError> {
        Link::new(self.address.clone()).transact(|session| {
            shards::purge(session, before_ms)?;
            calls::purge(session, before_ms)
        })
    }

    fn shards(&self) -> Box<dyn ShardStore> {
        Box::new(shards::Shards(Link::new(self.address.clone())))
    }
}

impl KeyStore for PostgresStore {
    fn version(&self) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.transact(keys::version).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<ScopedKey>, StoreError>> {
        self.transact(keys::all).boxed()
    }

    fn add(&self, key: ScopedKey, entry: Entry) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.transact(move |session| keys::add(session, &key, &entry)).boxed()
    }

    fn change(&self, change: KeyChange, entry: Entry) -> BoxFuture<'_, Result<Option<ScopedKey>, StoreError>> {
        self.transact(move |session| keys::change(session, change, &entry)).boxed()
    }
}

impl AuditLog for PostgresStore {
    fn entries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Audited>, StoreError>> {
        self.transact(move |session| keys::entries(session, limit)).boxed()
    }
}

impl RateStore for PostgresStore {
    fn admit(&self, demand: Demand) -> BoxFuture<'_, Result<Admission, StoreError>> {
        self.ask(|reply| Job::Admit(demand, reply)).boxed()
    }

    fn settle(&self, demand: &Demand, used: Option<u64>) {
        let (ran, tokens) = (demand.in_flight.is_some(), correction(demand, used));
        if ran || tokens.is_some() {
            let (key, id) = (demand.key.clone(), demand.id.clone());
            self.write(Write::Release { key, id, ran, tokens });
        }
    }

    /// Waits as long as it may take, so that a slow store is found to work again.
    fn beat(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask_within(PATIENCE, Job::Beat).boxed()
    }
}

impl BudgetStore for PostgresStore {
    fn reserve(&self, entry: &Reserved) -> BoxFuture<'_, Result<Decision, StoreError>> {
        let entry = entry.clone();
        async move {
            let mut undo = Undo { store: self, entry: Some(entry.clone()) };
            let decision = self.ask(|reply| Job::Reserve(entry, reply)).await;
            if decision.is_ok() {
                undo.entry = None;
            }
            decision
        }
        .boxed()
    }

    fn settle(&self, entry: &Reserved, spent: Spent) {
        self.write(Write::Settle(entry.clone(), spent));
    }

    /// A database that does not answer keeps nobody waiting who has nothing to write.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            match self.unwritten.load(Ordering::Relaxed) {
                0 => Ok(()),
                _ => self.ask(Job::Flush).await,
            }
        }
        .boxed()
    }
}

/// Takes a reservation back of which nobody knows whether it was made.
struct Undo<'a> {
    store: &'a PostgresStore,
    entry: Option<Reserved>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.store.write(Write::Settle(entry, Spent::default()));
        }
    }
}
