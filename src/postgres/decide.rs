//! Decisions about budgets and rates. One thread makes them for the whole server, those that wait together in one transaction,
//! so that a hundred requests take no more round trips than one.
//!
//! Servers that decide about the same budget or key take turns by locks on its name. They are taken in one order, so that no two
//! servers wait for each other. What is in doubt after a lost connection is looked up later by the number of its transaction.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use postgres::Error;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::session::{Address, Link, Session};
use crate::ledger::StoreError;
use crate::money::Usd;
use crate::policy::budget::{Account, Decision, Entry, Spent};
use crate::store::{Admission, Bucket, Buckets, Demand, LEASE};

/// So many jobs at most are decided together.
const GROUP: usize = 512;

/// How often what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// So much may wait for a store that is lost. Reservations beyond that go on to count.
const MOST_WAITING: usize = 100_000;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is done on its own.
type Work = Box<dyn FnOnce(&mut Link) + Send>;

pub(super) enum Job {
    Reserve(Entry, Reply<Decision>),
    Admit(Demand, Reply<Admission>),
    Write(Write),
    Beat(Reply<()>),
    /// Replies when all writes before it are done.
    Flush(Reply<()>),
    Alone(Work),
}

/// What nobody waits for. It is kept until it is written.
#[derive(Clone)]
pub(super) enum Write {
    /// A request is over.
    Settle(Entry, Spent),
    /// A request of a key is over: whether it counted among those that run, and what its bucket of tokens gets.
    Release { key: String, id: String, ran: bool, tokens: Option<f64> },
}

/// Starts the thread. It ends when nobody holds the other end. Whoever sends a [`Job::Write`] counts it in `unwritten` before;
/// the thread takes off what is written.
pub(super) fn start(address: Address, server: Arc<str>, unwritten: Arc<AtomicUsize>) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel();
    let mut decider = Decider {
        link: Link::new(address),
        server,
        process: crate::policy::budget::owner(),
        waiting: Vec::new(),
        doubt: None,
        unwritten,
    };
    std::thread::Builder::new().name("store".into()).spawn(move || decider.run(&jobs))?;
    Ok(sender)
}

struct Decider {
    link: Link,
    server: Arc<str>,
    process: String,
    /// What is to be written before anything else.
    waiting: Vec<Write>,
    /// The number of a transaction of which nobody knows whether it was committed, and what it wrote.
    doubt: Option<(String, Vec<Write>)>,
    unwritten: Arc<AtomicUsize>,
}

/// Jobs that are decided together.
#[derive(Default)]
struct Group {
    reserves: Vec<(Entry, Reply<Decision>)>,
    admits: Vec<(Demand, Reply<Admission>)>,
    writes: Vec<Write>,
    beats: Vec<Reply<()>>,
    flushes: Vec<Reply<()>>,
    alone: Vec<Work>,
}

/// What a transaction has decided.
struct Decided {
    reserves: Vec<Decision>,
    admits: Vec<Admission>,
}

/// How a transaction has failed: in its commit, its number is known.
struct Failed(Error, Option<String>);

impl Decider {
    fn run(&mut self, jobs: &Receiver<Job>) {
        loop {
            let has_more = !self.waiting.is_empty() || self.doubt.is_some();
            let first = match has_more {
                true => jobs.recv_timeout(RETRY),
                false => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let (held, waited) = (self.held(), self.waiting.len());
            let mut group = Group { writes: std::mem::take(&mut self.waiting), ..Group::default() };
            let is_last = match first {
                Ok(job) => {
                    group.add(job);
                    (1..GROUP).map_while(|_| jobs.try_recv().ok()).for_each(|job| group.add(job));
                    false
                }
                Err(error) => error == RecvTimeoutError::Disconnected,
            };
            for work in std::mem::take(&mut group.alone) {
                work(&mut self.link);
            }
            let received = group.writes.len() - waited;
            self.decide(group);
            self.unwritten.fetch_add(self.held(), Ordering::Relaxed);
            self.unwritten.fetch_sub(held + received, Ordering::Relaxed);
            if is_last {
                return;
            }
        }
    }

    /// How many writes wait here.
    fn held(&self) -> usize {
        self.waiting.len() + self.doubt.as_ref().map_or(0, |(_, writes)| writes.len())
    }

    /// Decides a group, and replies.
    fn decide(&mut self, mut group: Group) {
        // Whoever has gone before its turn wants nothing.
        group.reserves.retain(|(_, reply)| !reply.is_closed());
        group.admits.retain(|(_, reply)| !reply.is_closed());
        if group.is_empty() && self.doubt.is_none() {
            return group.flushed(&Ok(()));
        }
        if let Err(error) = self.resolve(&mut group) {
            return self.fail(group, &error);
        }
        if group.is_empty() {
            return group.flushed(&Ok(()));
        }
        let decided = match self.link.session() {
            Ok(session) => transaction(session, &group, &self.server, &self.process),
            Err(error) => return self.fail(group, &error),
        };
        match decided {
            Ok(Decided { reserves, admits }) => {
                for ((_, reply), decision) in std::mem::take(&mut group.reserves).into_iter().zip(reserves) {
                    reply.send(Ok(decision)).ok();
                }
                for ((_, reply), admission) in std::mem::take(&mut group.admits).into_iter().zip(admits) {
                    reply.send(Ok(admission)).ok();
                }
                group.flushed(&Ok(()));
            }
            Err(Failed(error, number)) => {
                let error = self.link.address.error(&error);
                self.link.close();
                if let Some(number) = number {
                    self.doubt = Some((number, std::mem::take(&mut group.writes)));
                }
                self.fail(group, &error);
            }
        }
    }

    /// Finds out what became of a transaction that is in doubt.
    fn resolve(&mut self, group: &mut Group) -> Result<(), StoreError> {
        let Some((number, writes)) = self.doubt.take() else { return Ok(()) };
        let address = self.link.address.clone();
        let found = self.link.session().and_then(|session| {
            let found = session.query("SELECT pg_xact_status($1::text::xid8)", &[&number]);
            found.map_err(|error| address.error(&error))
        });
        let status: Option<String> = match found {
            Ok(rows) => rows.first().and_then(|row| row.get(0)),
            Err(error) => {
                self.link.close();
                self.doubt = Some((number, writes));
                return Err(error);
            }
        };
        match status.as_deref() {
            Some("committed") => Ok(()),
            Some("in progress") => {
                self.doubt = Some((number, writes));
                Err(self.link.address.failed("an earlier transaction is still under way".to_owned()))
            }
            // It was not committed.
            _ => {
                group.writes.splice(0..0, writes);
                Ok(())
            }
        }
    }

    /// Tells everybody, and keeps what nobody waits for.
    fn fail(&mut self, mut group: Group, error: &StoreError) {
        self.waiting.append(&mut group.writes);
        for (entry, reply) in std::mem::take(&mut group.reserves) {
            // Should it have been made all the same, it is taken back.
            self.waiting.push(Write::Settle(entry, Spent::default()));
            reply.send(Err(error.clone())).ok();
        }
        for (demand, reply) in std::mem::take(&mut group.admits) {
            if demand.in_flight.is_some() {
                self.waiting.push(Write::Release { key: demand.key, id: demand.id, ran: true, tokens: None });
            }
            reply.send(Err(error.clone())).ok();
        }
        group.flushed(&Err(error.clone()));
        self.waiting.truncate(MOST_WAITING);
    }
}

impl Group {
    fn add(&mut self, job: Job) {
        match job {
            Job::Reserve(entry, reply) => self.reserves.push((entry, reply)),
            Job::Admit(demand, reply) => self.admits.push((demand, reply)),
            Job::Write(write) => self.writes.push(write),
            Job::Beat(reply) => self.beats.push(reply),
            Job::Flush(reply) => self.flushes.push(reply),
            Job::Alone(work) => self.alone.push(work),
        }
    }

    /// Replies to those who wait for the group as a whole.
    fn flushed(self, result: &Result<(), StoreError>) {
        self.beats.into_iter().chain(self.flushes).for_each(|reply| drop(reply.send(result.clone())));
    }

    /// Whether there is nothing to write.
    fn is_empty(&self) -> bool {
        self.reserves.is_empty() && self.admits.is_empty() && self.writes.is_empty() && self.beats.is_empty()
    }

    /// Whether it must survive the loss of power.
    fn is_durable(&self) -> bool {
        !self.reserves.is_empty() || self.writes.iter().any(|write| matches!(write, Write::Settle(..)))
    }

    /// The names of what is decided about, as numbers in order.
    fn locks(&self) -> Vec<i64> {
        let number = |kind: &str, name: &str| {
            let hash = Sha256::new().chain_update(kind).chain_update("\0").chain_update(name).finalize();
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hash[..8]);
            i64::from_be_bytes(bytes)
        };
        let accounts = self.reserves.iter().flat_map(|(entry, _)| &entry.accounts);
        let of_writes = self.writes.iter().flat_map(|write| match write {
            Write::Settle(entry, _) => entry.accounts.as_slice(),
            Write::Release { .. } => &[],
        });
        let released = self.writes.iter().filter_map(|write| match write {
            Write::Release { key, .. } => Some(key),
            Write::Settle(..) => None,
        });
        let keys = self.admits.iter().map(|(demand, _)| &demand.key).chain(released);
        let mut all: BTreeSet<i64> = keys.map(|key| number("key", key)).collect();
        all.extend(accounts.chain(of_writes).map(|account| number("budget", &account.budget)));
        if !self.beats.is_empty() || self.admits.iter().any(|(demand, _)| demand.in_flight.is_some()) {
            all.insert(number("servers", ""));
        }
        all.into_iter().collect()
    }
}

/// Decides a group in one transaction.
fn transaction(session: &mut Session, group: &Group, server: &str, process: &str) -> Result<Decided, Failed> {
    let mut number = None;
    let mut work = || {
        if group.is_durable() {
            session.begin()?
        } else {
            session.begin_soon()?
        }
        let lock = "SELECT pg_advisory_xact_lock(name), pg_current_xact_id()::text FROM unnest($1::int8[]) AS name";
        let locked = session.query(lock, &[&group.locks()])?;
        // What is reserved in this group and taken back in it is written in this order; all else is settled first.
        let new: HashSet<&str> = group.reserves.iter().map(|(entry, _)| &*entry.id).collect();
        let (late, early): (Vec<&Write>, Vec<&Write>) =
            group.writes.iter().partition(|write| matches!(write, Write::Settle(entry, _) if new.contains(&*entry.id)));
        settle(session, &early)?;
        let reserves = reserve(session, group, process)?;
        settle(session, &late)?;
        release(session, &group.writes)?;
        let admits = admit(session, group, server)?;
        number = locked.first().map(|row| row.get::<_, String>(1));
        Ok(Decided { reserves, admits })
    };
    let decided = work();
    let decided = decided.map_err(|error| Failed(error, None))?;
    session.commit().map_err(|error| Failed(error, number))?;
    Ok(decided)
}

fn settle(session: &mut Session, writes: &[&Write]) -> Result<(), Error> {
    let settled = writes.iter().filter_map(|write| match write {
        Write::Settle(entry, spent) => Some((entry, spent)),
        Write::Release { .. } => None,
    });
    let (mut budgets, mut began, mut ids, mut picos, mut estimated) = (vec![], vec![], vec![], vec![], vec![]);
    for (entry, spent) in settled {
        for account in &entry.accounts {
            budgets.push(&*account.budget);
            began.push(account.began);
            ids.push(&*entry.id);
            picos.push(spent.cost.picos());
            estimated.push(spent.estimated.picos());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "WITH settled AS (
             SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[], $5::int8[])
                 AS settled (budget, began, reservation, picos, estimated)
         ), gone AS (
             DELETE FROM budget_reservations AS r USING settled AS s
             WHERE r.budget = s.budget AND r.began = s.began AND r.reservation = s.reservation
         )
         INSERT INTO budget_windows AS w (budget, began, picos, estimated)
         SELECT budget, began, least(sum(picos), $6::int8)::int8, least(sum(estimated), $6::int8)::int8
         FROM settled WHERE picos <> 0 GROUP BY 1, 2
         ON CONFLICT (budget, began) DO UPDATE SET
             picos = least(w.picos::numeric + excluded.picos, $6::int8)::int8,
             estimated = least(w.estimated::numeric + excluded.estimated, $6::int8)::int8";
    session.execute(sql, &[&budgets, &began, &ids, &picos, &estimated, &i64::MAX]).map(drop)
}

fn reserve(session: &mut Session, group: &Group, process: &str) -> Result<Vec<Decision>, Error> {
    let accounts: HashSet<(&str, i64)> = group
        .reserves
        .iter()
        .flat_map(|(entry, _)| &entry.accounts)
        .map(|account| (&*account.budget, account.began))
        .collect();
    if accounts.is_empty() {
        return Ok(vec![Decision::default(); group.reserves.len()]);
    }
    let (budgets, began): (Vec<&str>, Vec<i64>) = accounts.into_iter().unzip();
    let sql = "SELECT a.budget, a.began, least(coalesce(w.picos, 0) + coalesce((
             SELECT sum(r.picos) FROM budget_reservations AS r WHERE r.budget = a.budget AND r.began = a.began
         ), 0), $3::int8)::int8
         FROM unnest($1::text[], $2::int8[]) AS a (budget, began) LEFT JOIN budget_windows AS w USING (budget, began)";
    let found = session.query(sql, &[&budgets, &began, &i64::MAX])?;
    let mut used: HashMap<(String, i64), i64> =
        found.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    let key = |account: &Account| (account.budget.clone(), account.began);
    let (mut decisions, mut rows) = (Vec::new(), (vec![], vec![], vec![], vec![], vec![]));
    for (entry, _) in &group.reserves {
        let decided = entry.decide(|account| Ok::<_, Error>(used.get(&key(account)).copied().unwrap_or(0)))?;
        if decided.refused.is_none() {
            for account in &entry.accounts {
                let sum = used.entry(key(account)).or_default();
                *sum = sum.saturating_add(entry.amount.picos());
                rows.0.push(&*account.budget);
                rows.1.push(account.began);
                rows.2.push(&*entry.id);
                rows.3.push(entry.amount.picos());
                rows.4.push(entry.expires);
            }
        }
        decisions.push(decided);
    }
    if !rows.0.is_empty() {
        let insert = "INSERT INTO budget_reservations (budget, began, reservation, picos, expires, process)
             SELECT *, $6 FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[], $5::int8[])";
        session.execute(insert, &[&rows.0, &rows.1, &rows.2, &rows.3, &rows.4, &process])?;
    }
    Ok(decisions)
}

/// Gives back what requests held that are over.
fn release(session: &mut Session, writes: &[Write]) -> Result<(), Error> {
    let (mut keys, mut ids, mut given, mut tokens) = (vec![], vec![], vec![], vec![]);
    for write in writes {
        let Write::Release { key, id, ran, tokens: gets } = write else { continue };
        if *ran {
            keys.push(&**key);
            ids.push(&**id);
        }
        if let Some(gets) = gets {
            given.push(&**key);
            tokens.push(*gets);
        }
    }
    if !keys.is_empty() {
        let sql = "DELETE FROM key_requests AS r USING unnest($1::text[], $2::text[]) AS over (key, id)
             WHERE r.key = over.key AND r.id = over.id";
        session.execute(sql, &[&keys, &ids])?;
    }
    if !given.is_empty() {
        let sql = "UPDATE key_rates AS r SET level = r.level + given.tokens
             FROM (SELECT key, sum(tokens) AS tokens FROM unnest($1::text[], $2::float8[]) AS g (key, tokens) GROUP BY key)
                 AS given
             WHERE r.key = given.key AND r.kind = 'tokens'";
        session.execute(sql, &[&given, &tokens])?;
    }
    Ok(())
}

fn admit(session: &mut Session, group: &Group, server: &str) -> Result<Vec<Admission>, Error> {
    if group.admits.is_empty() && group.beats.is_empty() {
        return Ok(Vec::new());
    }
    let clock = session.query("SELECT extract(epoch FROM clock_timestamp())::float8", &[])?;
    let now: f64 = clock.first().map_or(0.0, |row| row.get(0));
    let lease = LEASE.as_secs_f64();
    if !group.beats.is_empty() || group.admits.iter().any(|(demand, _)| demand.in_flight.is_some()) {
        let seen = "INSERT INTO servers (id, seen) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
        session.execute(seen, &[&server, &now])?;
    }
    if !group.beats.is_empty() {
        // A time to come was told before the clock was set back.
        session.execute("DELETE FROM servers WHERE abs(seen - $1) > $2", &[&now, &lease])?;
        session.execute("DELETE FROM key_requests WHERE server NOT IN (SELECT id FROM servers)", &[])?;
    }
    if group.admits.is_empty() {
        return Ok(Vec::new());
    }
    let keys: HashSet<&str> = group.admits.iter().map(|(demand, _)| &*demand.key).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let mut buckets = HashMap::<String, Buckets>::new();
    for row in session.query("SELECT key, kind, level, at FROM key_rates WHERE key = ANY ($1)", &[&keys])? {
        let of_key = buckets.entry(row.get(0)).or_default();
        let bucket = Some(Bucket { level: row.get(2), at: row.get(3) });
        if row.get::<_, &str>(1) == "tokens" { of_key.tokens = bucket } else { of_key.requests = bucket }
    }
    let count = "SELECT r.key, count(*) FROM key_requests AS r JOIN servers AS s ON s.id = r.server
         WHERE r.key = ANY ($1) AND abs(s.seen - $2) <= $3 GROUP BY r.key";
    let counted = session.query(count, &[&keys, &now, &lease])?;
    let mut running: HashMap<String, u64> =
        counted.iter().map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0))).collect();

    let (mut admissions, mut begun) = (Vec::new(), (vec![], vec![]));
    for (demand, _) in &group.admits {
        let known = buckets.entry(demand.key.clone()).or_default();
        // A limit that this request does not have is left as it is.
        let mut of_key = Buckets {
            requests: known.requests.filter(|_| demand.requests.is_some()),
            tokens: known.tokens.filter(|_| demand.tokens.is_some()),
        };
        let runs = running.entry(demand.key.clone()).or_default();
        let admission = of_key.admit(demand, *runs, now);
        // Also where it is refused: if the clock was set back, a bucket fills up from this moment on.
        known.requests = of_key.requests.or(known.requests);
        known.tokens = of_key.tokens.or(known.tokens);
        if admission.refused.is_none() && demand.in_flight.is_some() {
            *runs += 1;
            begun.0.push(&*demand.key);
            begun.1.push(&*demand.id);
        }
        admissions.push(admission);
    }
    if !begun.0.is_empty() {
        let insert = "INSERT INTO key_requests (key, id, server) SELECT *, $3 FROM unnest($1::text[], $2::text[])
             ON CONFLICT DO NOTHING";
        session.execute(insert, &[&begun.0, &begun.1, &server])?;
    }
    let (mut names, mut kinds, mut levels, mut times) = (vec![], vec![], vec![], vec![]);
    for (key, of_key) in &buckets {
        for (kind, bucket) in [("requests", of_key.requests), ("tokens", of_key.tokens)] {
            if let Some(Bucket { level, at }) = bucket {
                names.push(&**key);
                kinds.push(kind);
                levels.push(level);
                times.push(at);
            }
        }
    }
    if !names.is_empty() {
        let keep = "INSERT INTO key_rates (key, kind, level, at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[])
             ON CONFLICT (key, kind) DO UPDATE SET level = excluded.level, at = excluded.at";
        session.execute(keep, &[&names, &kinds, &levels, &times])?;
    }
    Ok(admissions)
}

/// What a window of a budget holds.
pub(super) fn sums(session: &mut Session, budget: &str, began: i64) -> Result<crate::policy::budget::Sums, Error> {
    let spent = session
        .query("SELECT picos, estimated FROM budget_windows WHERE budget = $1 AND began = $2", &[&budget, &began])?
        .first()
        .map(|row| Spent { cost: Usd::from_picos(row.get(0)), estimated: Usd::from_picos(row.get(1)) });
    let select = "SELECT picos, expires, process FROM budget_reservations WHERE budget = $1 AND began = $2";
    let reservations = session.query(select, &[&budget, &began])?;
    let reserved = |row: &postgres::Row| crate::policy::budget::Reserved {
        amount: Usd::from_picos(row.get(0)),
        expires: row.get(1),
        process: row.get(2),
    };
    Ok(crate::policy::budget::Sums {
        spent: spent.unwrap_or_default(),
        reservations: reservations.iter().map(reserved).collect(),
    })
}
