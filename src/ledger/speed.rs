//! How fast models have answered lately.

use std::time::Duration;

use rusqlite::params;

use super::{Store, StoreError};

/// Only so many of the last calls are searched, so that a large ledger takes no longer than a small one.
const RECENT: i64 = 5_000;

/// The median is of so many answers at most.
const ANSWERS: i64 = 51;

/// The commands that measure models, as a list of SQL. The times of their calls say nothing of how fast answers are in use: many
/// run at once, and count from when they were due; or a request asks for one token alone.
pub(super) const MEASURING: &str = "('bench', 'probe')";

/// Returns the median time to the first token of a model's last answers; `None` where there is none. Only answers to the first
/// request of a call count: the times of others include the requests before them. Calls of `llm bench` and `llm probe` do not
/// count.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn median_first_token(store: &Store, gateway: &str, model: &str) -> Result<Option<Duration>, StoreError> {
    median(store, "first_token_us", gateway, model)
}

/// The same of the time until the answer was whole.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn median_total(store: &Store, gateway: &str, model: &str) -> Result<Option<Duration>, StoreError> {
    median(store, "total_us", gateway, model)
}

fn median(store: &Store, column: &str, gateway: &str, model: &str) -> Result<Option<Duration>, StoreError> {
    let mut times = store.read(|connection| {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT c.{column} FROM calls c JOIN attempts a ON a.call = c.id JOIN runs r ON r.id = c.run
             WHERE r.command NOT IN {MEASURING} AND c.id > (SELECT coalesce(max(id), 0) FROM calls) - ?1
               AND c.attempts = 1 AND c.cached = 0 AND c.{column} IS NOT NULL AND a.error IS NULL
               AND a.gateway = (SELECT id FROM names WHERE name = ?2) AND a.model = (SELECT id FROM names WHERE name = ?3)
             ORDER BY c.id DESC LIMIT ?4"
        ))?;
        let rows = statement.query_map(params![RECENT, gateway, model, ANSWERS], |row| row.get::<_, i64>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    times.sort_unstable();
    let median = times.get(times.len() / 2).and_then(|us| u64::try_from(*us).ok());
    Ok(median.map(Duration::from_micros))
}
