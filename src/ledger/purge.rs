//! Calls out of the database, for good.

use super::store::{Store, StoreError};

/// Deletes the calls before this moment, and what only they needed; how many they were.
pub(super) fn purge(store: &mut Store, before_ms: Option<i64>) -> Result<usize, StoreError> {
    // What is deleted is overwritten; what the log still held of it goes with the log.
    store.outside(|connection| connection.pragma_update(None, "secure_delete", true))?;
    let before = before_ms.unwrap_or(i64::MAX);
    let count = store.write(|transaction| {
        let words = "DELETE FROM words WHERE rowid IN (SELECT id FROM calls WHERE at_ms < ?1)";
        transaction.execute(words, [before])?;
        // Their details and attempts go with them.
        let count = transaction.execute("DELETE FROM calls WHERE at_ms < ?1", [before])?;
        transaction.execute_batch(
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
    })?;
    store.outside(|connection| {
        connection.execute_batch("VACUUM")?;
        connection.pragma_update_and_check(None, "wal_checkpoint", "truncate", |_| Ok(()))
    })?;
    Ok(count)
}
