//! Calls out of the database, for good.

use rusqlite::{Connection, Result};

use super::jobs::ACCOUNT;
use super::store::{Store, StoreError};

/// Deletes the calls before this moment, or all, and what only they needed. Returns how many they were.
pub(super) fn purge(store: &mut Store, before_ms: Option<i64>) -> Result<usize, StoreError> {
    // What is deleted is overwritten.
    store.outside(|connection| connection.pragma_update(None, "secure_delete", true))?;
    let count = store.write(|transaction| delete(transaction, before_ms.unwrap_or(i64::MAX)))?;
    let left = |cause| StoreError::Undeleted { path: store.path().to_owned(), count, cause };
    match store.outside(empty_log) {
        Ok(true) => Ok(count),
        Ok(false) => Err(left("another process reads the ledger".to_owned())),
        Err(error) => Err(left(error.cause().unwrap_or_else(|| error.to_string()))),
    }
}

fn delete(connection: &Connection, before: i64) -> Result<usize> {
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM calls WHERE at_ms < ?1)", [before])?;
    // The command of a batch has its template. One that the gateway still has is kept, or its answers would be lost.
    const ENDED: &str = "FROM jobs WHERE seen_ms < ?1 AND state NOT IN ('running', 'submitted')";
    // The account of a job goes with it: its lines count by themselves then.
    for table in ["budget_windows", "budget_reservations"] {
        let name = format!("'total name=\"{ACCOUNT}' || uuid || '\"'");
        let sql = format!("DELETE FROM {table} WHERE budget IN (SELECT {name} {ENDED})");
        connection.execute(&sql, [before])?;
    }
    connection.execute(&format!("DELETE {ENDED}"), [before])?;
    // Their details and attempts go with them.
    let count = connection.execute("DELETE FROM calls WHERE at_ms < ?1", [before])?;
    connection.execute_batch(
        "DELETE FROM runs WHERE id NOT IN (SELECT run FROM calls);
         DELETE FROM requests WHERE id NOT IN (SELECT request FROM calls);
         DELETE FROM names WHERE id NOT IN (
             SELECT asked FROM calls UNION SELECT gateway FROM calls UNION SELECT model FROM calls
             UNION SELECT key FROM calls WHERE key IS NOT NULL UNION SELECT task FROM calls WHERE task IS NOT NULL
             UNION SELECT tags FROM calls WHERE tags IS NOT NULL UNION SELECT status FROM calls
             UNION SELECT error FROM calls WHERE error IS NOT NULL
             UNION SELECT finish FROM calls WHERE finish IS NOT NULL
             UNION SELECT origin FROM calls WHERE origin IS NOT NULL
             UNION SELECT gateway FROM attempts UNION SELECT model FROM attempts);
         INSERT INTO words (words) VALUES ('optimize');",
    )?;
    Ok(count)
}

/// Gives back the space, and empties the log, which still holds what was deleted. Returns whether the log could be emptied:
/// it cannot while another process reads what is in it, for which this waits as long as the store's mode says.
fn empty_log(connection: &Connection) -> Result<bool> {
    let shrunk = connection.execute_batch("VACUUM");
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
    shrunk.map(|()| !is_busy)
}
