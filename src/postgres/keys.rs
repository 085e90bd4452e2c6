//! Keys of clients and the audit log in the database.

use postgres::{Error, Row};

use super::session::Session;
use crate::store::{Audited, Entry, KeyChange, ScopedKey, SecretHash};

/// Whoever changes keys takes turns.
const LOCK: &str = "LOCK TABLE scoped_keys IN SHARE ROW EXCLUSIVE MODE";

const ALL: &str = "SELECT name, hash, last_four, previous, previous_until, created, expires, revoked, rules
     FROM scoped_keys ORDER BY name";

pub(super) fn version(session: &mut Session) -> Result<i64, Error> {
    Ok(session.query("SELECT coalesce(max(id), 0) FROM audit", &[])?.first().map_or(0, |row| row.get(0)))
}

/// All keys. One whose rules cannot be read, because a newer version wrote them, may do nothing.
pub(super) fn all(session: &mut Session) -> Result<Vec<ScopedKey>, Error> {
    Ok(session.query(ALL, &[])?.iter().map(key_of).collect())
}

fn key_of(row: &Row) -> ScopedKey {
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok().map(SecretHash);
    let rules = serde_json::from_str(row.get(8));
    let revoked: Option<i64> = row.get(7);
    let previous = row.get::<_, Option<&[u8]>>(3).and_then(hash);
    ScopedKey {
        name: row.get(0),
        hash: hash(row.get(1)).unwrap_or(SecretHash([0; 32])),
        last_four: row.get(2),
        previous: previous.zip(row.get(4)),
        created: row.get(5),
        expires: row.get(6),
        revoked: if rules.is_ok() { revoked } else { revoked.or(Some(0)) },
        rules: rules.unwrap_or_default(),
    }
}

pub(super) fn add(session: &mut Session, key: &ScopedKey, entry: &Entry) -> Result<bool, Error> {
    session.client.batch_execute(LOCK)?;
    let known = !session.query("SELECT 1 FROM scoped_keys WHERE name = $1", &[&key.name])?.is_empty();
    if !known {
        put(session, key)?;
        note(session, entry)?;
    }
    Ok(!known)
}

pub(super) fn change(session: &mut Session, change: KeyChange, entry: &Entry) -> Result<Option<ScopedKey>, Error> {
    session.client.batch_execute(LOCK)?;
    let Some(mut key) = all(session)?.into_iter().find(|key| key.name == entry.key) else { return Ok(None) };
    change(&mut key);
    put(session, &key)?;
    note(session, entry)?;
    Ok(Some(key))
}

fn put(session: &mut Session, key: &ScopedKey) -> Result<(), Error> {
    let (previous, until) = key.previous.map(|(hash, until)| (hash.0, until)).unzip();
    // Rules can always be written as JSON.
    let rules = serde_json::to_string(&key.rules).unwrap_or_default();
    let ScopedKey { name, hash, last_four, created, expires, revoked, .. } = key;
    let previous = previous.as_ref().map(<[u8; 32]>::as_slice);
    let hash = hash.0.as_slice();
    let sql = "INSERT INTO scoped_keys
             (name, hash, last_four, previous, previous_until, created, expires, revoked, rules)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (name) DO UPDATE SET hash = $2, last_four = $3, previous = $4, previous_until = $5, created = $6,
             expires = $7, revoked = $8, rules = $9";
    session.execute(sql, &[name, &hash, last_four, &previous, &until, created, expires, revoked, &rules]).map(drop)
}

fn note(session: &mut Session, entry: &Entry) -> Result<(), Error> {
    let sql = "INSERT INTO audit (at_ms, actor, action, key, detail)
         VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::int8, $1, $2, $3, $4)";
    session.execute(sql, &[&entry.actor, &entry.action, &entry.key, &entry.detail]).map(drop)
}

pub(super) fn entries(session: &mut Session, limit: usize) -> Result<Vec<Audited>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT at_ms, actor, action, key, detail FROM audit ORDER BY id DESC LIMIT $1";
    let entry = |row: &Row| Audited {
        at_ms: row.get(0),
        actor: row.get(1),
        action: row.get(2),
        key: row.get(3),
        detail: row.get(4),
    };
    Ok(session.query(sql, &[&limit])?.iter().map(entry).collect())
}
