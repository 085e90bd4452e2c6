//! What the calls of a job have cost, also those that have no line in its output.

use rusqlite::Row as SqlRow;

use crate::ledger::store::{Store, StoreError};
use crate::money::Usd;
use crate::record::TotalCost;

/// What the calls of a job have cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Paid {
    /// All of it, as far as it is known.
    pub cost: TotalCost,
    /// How many tries of its calls may have cost something that nobody told. One call may have several.
    pub unknown_tries: usize,
    /// Those of them that gave no answer, by model.
    pub lost: Vec<LostTries>,
}

/// Tries of a model that may have been billed, and gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostTries {
    /// The name of the gateway.
    pub gateway: String,
    /// The model as the gateway names it.
    pub model: String,
    /// How many there are.
    pub tries: usize,
}

/// What all calls of a job have cost, also those that have no line in the output.
///
/// # Errors
/// The ledger cannot be read.
pub fn cost(store: &Store, id: &str) -> Result<Paid, StoreError> {
    store.read(|connection| {
        // As `llm usage` counts: nothing was paid for a call that failed before any model worked for it.
        let sql = "SELECT sum(cost), coalesce(max(cost IS NOT NULL AND origin <> 'reported'), 0), coalesce(sum(unknown > 0), 0),
                 coalesce(sum(unknown), 0)
             FROM (SELECT cost, origin, maybe_billed + (cost IS NULL AND NOT is_last_counted
                 AND (status NOT IN ('failed', 'refused', 'interrupted', 'skipped') OR input IS NOT NULL OR output IS NOT NULL))
                 AS unknown
             FROM (SELECT c.cost, c.input, c.output, coalesce(c.maybe_billed, 0) AS maybe_billed,
                     coalesce((SELECT a.cost IS NULL AND a.maybe_billed > 0 FROM attempts AS a
                         WHERE a.call = c.id ORDER BY a.place DESC LIMIT 1), 0) AS is_last_counted,
                     (SELECT name FROM names WHERE id = c.origin) AS origin,
                     (SELECT name FROM names WHERE id = c.status) AS status
                 FROM jobs AS j JOIN job_runs AS r ON r.job = j.id JOIN runs ON runs.uuid = r.run
                     JOIN calls AS c ON c.run = runs.id
                 WHERE j.uuid = ?1))";
        let count = |row: &SqlRow<'_>, column| row.get(column).map(|count: i64| usize::try_from(count).unwrap_or_default());
        let (cost, unknown_tries) = connection.query_row(sql, [id], |row| {
            let usd = row.get::<_, Option<i64>>(0)?.map(Usd::from_picos);
            Ok((TotalCost { usd, computed: row.get(1)?, unknown: count(row, 2)? }, count(row, 3)?))
        })?;
        let mut lost = connection.prepare(
            "SELECT (SELECT name FROM names WHERE id = a.gateway), (SELECT name FROM names WHERE id = a.model), count(*)
             FROM jobs AS j JOIN job_runs AS r ON r.job = j.id JOIN runs ON runs.uuid = r.run
                 JOIN calls AS c ON c.run = runs.id JOIN attempts AS a ON a.call = c.id
             WHERE j.uuid = ?1 AND a.cost IS NULL AND a.maybe_billed > 0 GROUP BY a.gateway, a.model",
        )?;
        let of_model = |row: &SqlRow<'_>| {
            Ok(LostTries { gateway: row.get(0)?, model: row.get(1)?, tries: count(row, 2)? })
        };
        let lost = lost.query_map([id], of_model)?.collect::<Result<_, _>>()?;
        Ok(Paid { cost, unknown_tries, lost })
    })
}
