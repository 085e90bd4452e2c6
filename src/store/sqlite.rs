//! Keys, rates and the audit log in the ledger of one user. All servers of a machine that use one data directory share it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::bucket::{Bucket, Buckets, correction};
use super::{
    Admission, AuditLog, Audited, Demand, Entry, KeyChange, KeyStore, LEASE, RateStore, ScopedKey, SecretHash,
};
use crate::config::KeyRules;
use crate::ids::new_id;
use crate::ledger::{LedgerWriter, Store, StoreError};

/// What servers share, in the file of the ledger.
#[derive(Debug)]
pub struct SqliteStore {
    writer: LedgerWriter,
    dir: PathBuf,
    /// This server among those that share the file.
    server: Arc<str>,
    /// Opened when something is first read. Reading takes microseconds, so that it is done on the caller's thread.
    reader: Mutex<Option<Store>>,
}

impl SqliteStore {
    /// The store of this data directory, written to by this writer. Nothing is opened yet.
    pub fn new(dir: &Path, writer: LedgerWriter) -> Self {
        let server = new_id().to_string().into();
        Self { writer, dir: dir.to_owned(), server, reader: Mutex::default() }
    }

    /// Reads from the file, or from nothing where there is none yet.
    fn read<T: Default>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // The file may have been set aside as damaged, or deleted.
        if reader.as_ref().is_none_or(|store| !store.is_in_place()) {
            *reader = Store::open_to_read(&self.dir)?;
        }
        reader.as_ref().map_or_else(|| Ok(T::default()), |store| store.read(work))
    }
}

impl KeyStore for SqliteStore {
    fn version(&self) -> BoxFuture<'_, Result<i64, StoreError>> {
        let version = self.read(|connection| {
            connection.prepare_cached("SELECT coalesce(max(id), 0) FROM audit")?.query_row([], |row| row.get(0))
        });
        std::future::ready(version).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<ScopedKey>, StoreError>> {
        let keys = self.read(|connection| {
            let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM scoped_keys ORDER BY name"))?;
            select.query_map([], key_of)?.collect()
        });
        std::future::ready(keys).boxed()
    }

    fn add(&self, key: ScopedKey, entry: Entry) -> BoxFuture<'_, Result<bool, StoreError>> {
        let added = self.writer.transact(move |transaction| {
            let known = transaction.prepare("SELECT 1 FROM scoped_keys WHERE name = ?1")?.exists([&key.name])?;
            if !known {
                put(transaction, &key)?;
                note(transaction, &entry)?;
            }
            Ok(!known)
        });
        added.boxed()
    }

    fn change(&self, change: KeyChange, entry: Entry) -> BoxFuture<'_, Result<Option<ScopedKey>, StoreError>> {
        let changed = self.writer.transact(move |transaction| {
            let select = format!("SELECT {COLUMNS} FROM scoped_keys WHERE name = ?1");
            let Some(mut key) = transaction.query_row(&select, [&entry.key], key_of).optional()? else {
                return Ok(None);
            };
            change(&mut key);
            put(transaction, &key)?;
            note(transaction, &entry)?;
            Ok(Some(key))
        });
        changed.boxed()
    }
}

impl AuditLog for SqliteStore {
    fn entries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Audited>, StoreError>> {
        let entries = self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT at_ms, actor, action, key, detail FROM audit ORDER BY id DESC LIMIT ?1")?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let entry = |row: &Row<'_>| {
                Ok(Audited {
                    at_ms: row.get(0)?,
                    actor: row.get(1)?,
                    action: row.get(2)?,
                    key: row.get(3)?,
                    detail: row.get(4)?,
                })
            };
            select.query_map([limit], entry)?.collect()
        });
        std::future::ready(entries).boxed()
    }
}

impl RateStore for SqliteStore {
    fn admit(&self, demand: Demand) -> BoxFuture<'_, Result<Admission, StoreError>> {
        let server = Arc::clone(&self.server);
        self.writer.transact_soon(move |transaction| admit(transaction, &demand, &server)).boxed()
    }

    /// A transaction that fails changes nothing.
    fn admits_unheard(&self) -> bool {
        false
    }

    fn settle(&self, demand: &Demand, used: Option<u64>) {
        let demand = demand.clone();
        let correction = correction(&demand, used);
        if demand.in_flight.is_none() && correction.is_none() {
            return;
        }
        self.writer.submit_soon(move |transaction| {
            if demand.in_flight.is_some() {
                let mut delete = transaction.prepare_cached("DELETE FROM key_requests WHERE key = ?1 AND id = ?2")?;
                delete.execute([&demand.key, &demand.id])?;
            }
            if let Some(correction) = correction {
                transaction
                    .prepare_cached("UPDATE key_rates SET level = level + ?2 WHERE key = ?1 AND kind = 'tokens'")?
                    .execute(params![demand.key, correction])?;
            }
            Ok(())
        });
    }

    fn beat(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let server = Arc::clone(&self.server);
        let beat = self.writer.transact_soon(move |transaction| {
            let now = now(transaction)?;
            seen(transaction, &server, now)?;
            // A time to come was told before the clock was set back.
            transaction.execute("DELETE FROM servers WHERE abs(seen - ?1) > ?2", [now, LEASE.as_secs_f64()])?;
            transaction.execute("DELETE FROM key_requests WHERE server NOT IN (SELECT id FROM servers)", [])?;
            Ok(())
        });
        beat.boxed()
    }
}

const COLUMNS: &str = "name, hash, last_four, previous, previous_until, created, expires, revoked, rules";

fn key_of(row: &Row<'_>) -> rusqlite::Result<ScopedKey> {
    let previous: Option<[u8; 32]> = row.get(3)?;
    let until: Option<i64> = row.get(4)?;
    let rules: String = row.get(8)?;
    let unread = |error| rusqlite::Error::FromSqlConversionFailure(8, rusqlite::types::Type::Text, Box::new(error));
    Ok(ScopedKey {
        name: row.get(0)?,
        hash: SecretHash(row.get(1)?),
        last_four: row.get(2)?,
        previous: previous.map(SecretHash).zip(until),
        created: row.get(5)?,
        expires: row.get(6)?,
        revoked: row.get(7)?,
        rules: serde_json::from_str::<KeyRules>(&rules).map_err(unread)?,
    })
}

fn put(transaction: &Transaction<'_>, key: &ScopedKey) -> rusqlite::Result<()> {
    let (previous, until) = key.previous.map(|(hash, until)| (hash.0, until)).unzip();
    // Rules can always be written as JSON, so there is no error to tell.
    let rules = serde_json::to_string(&key.rules).unwrap_or_default();
    let insert = format!("INSERT OR REPLACE INTO scoped_keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let ScopedKey { name, hash, last_four, created, expires, revoked, .. } = key;
    transaction
        .execute(&insert, params![name, hash.0, last_four, previous, until, created, expires, revoked, rules])
        .map(drop)
}

fn note(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let insert = "INSERT INTO audit (at_ms, actor, action, key, detail)
         VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER), ?1, ?2, ?3, ?4)";
    transaction.execute(insert, params![entry.actor, entry.action, entry.key, entry.detail]).map(drop)
}

/// The clock of all servers that share the file.
fn now(transaction: &Transaction<'_>) -> rusqlite::Result<f64> {
    transaction.prepare_cached("SELECT unixepoch('subsec')")?.query_row([], |row| row.get(0))
}

fn seen(transaction: &Transaction<'_>, server: &str, now: f64) -> rusqlite::Result<()> {
    let mut upsert = transaction
        .prepare_cached("INSERT INTO servers (id, seen) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET seen = ?2")?;
    upsert.execute(params![server, now]).map(drop)
}

fn admit(transaction: &Transaction<'_>, demand: &Demand, server: &str) -> rusqlite::Result<Admission> {
    let now = now(transaction)?;
    let bucket = |kind: &str| -> rusqlite::Result<Option<Bucket>> {
        let mut select = transaction.prepare_cached("SELECT level, at FROM key_rates WHERE key = ?1 AND kind = ?2")?;
        let bucket = |row: &Row<'_>| Ok(Bucket { level: row.get(0)?, at: row.get(1)? });
        select.query_row([&*demand.key, kind], bucket).optional()
    };
    let mut buckets = Buckets {
        requests: if demand.requests.is_some() { bucket("requests")? } else { None },
        tokens: if demand.tokens.is_some() { bucket("tokens")? } else { None },
    };
    let running = if demand.in_flight.is_some() { running(transaction, &demand.key, now)? } else { 0 };
    // Where the clock was set back, a bucket fills up from this moment on, also if this request is refused.
    let is_ahead = [buckets.requests, buckets.tokens].into_iter().flatten().any(|bucket| bucket.at > now);
    let admission = buckets.admit(demand, running, now);
    if admission.refused.is_some() && !is_ahead {
        return Ok(admission);
    }
    let mut keep = transaction.prepare_cached(
        "INSERT INTO key_rates (key, kind, level, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key, kind) DO UPDATE SET level = ?3, at = ?4",
    )?;
    for (kind, bucket) in [("requests", buckets.requests), ("tokens", buckets.tokens)] {
        if let Some(Bucket { level, at }) = bucket {
            keep.execute(params![demand.key, kind, level, at])?;
        }
    }
    if demand.in_flight.is_some() && admission.refused.is_none() {
        seen(transaction, server, now)?;
        let mut insert =
            transaction.prepare_cached("INSERT INTO key_requests (key, id, server) VALUES (?1, ?2, ?3)")?;
        insert.execute([&*demand.key, &demand.id, server])?;
    }
    Ok(admission)
}

/// The running requests of a key on servers that live.
fn running(transaction: &Transaction<'_>, key: &str, now: f64) -> rusqlite::Result<u64> {
    let mut count = transaction.prepare_cached(
        "SELECT count(*) FROM key_requests JOIN servers ON servers.id = server WHERE key = ?1 AND abs(seen - ?2) <= ?3",
    )?;
    let running: i64 = count.query_row(params![key, now, LEASE.as_secs_f64()], |row| row.get(0))?;
    Ok(u64::try_from(running).unwrap_or(0))
}
