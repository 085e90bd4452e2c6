//! Scores of recorded answers.

use rusqlite::{Connection, Result, Transaction, params};

use super::{LedgerWriter, Store, StoreError};
use crate::score::Part;

impl LedgerWriter {
    /// Keeps what was said of answers: for each call, by its id, the parts of its score. Whether they could be kept is told
    /// by [`LedgerWriter::close`].
    pub fn record_scores(&self, scores: Vec<(String, Vec<Part>)>) {
        self.submit(move |transaction| scores.iter().try_for_each(|(call, parts)| insert(transaction, call, parts)));
    }
}

fn insert(transaction: &Transaction<'_>, call: &str, parts: &[Part]) -> Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO scores (call, place, scorer, weight, score, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, part) in parts.iter().enumerate() {
        insert.execute(params![call, place as i64, part.scorer, part.weight, part.score, part.reason])?;
    }
    Ok(())
}

/// What was said of the answer of this call, in the order of the scorers; empty where nothing was.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn scores(store: &Store, call: &str) -> std::result::Result<Vec<Part>, StoreError> {
    store.read(|connection| parts(connection, call))
}

fn parts(connection: &Connection, call: &str) -> Result<Vec<Part>> {
    let mut select =
        connection.prepare_cached("SELECT scorer, weight, score, reason FROM scores WHERE call = ?1 ORDER BY place")?;
    let part = |row: &rusqlite::Row<'_>| {
        Ok(Part { scorer: row.get(0)?, weight: row.get(1)?, score: row.get(2)?, reason: row.get(3)? })
    };
    select.query_map([call], part)?.collect()
}
