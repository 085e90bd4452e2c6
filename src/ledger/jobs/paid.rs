//! What the calls of a job have cost, also those that have no line in its output.

use std::collections::HashSet;

use rusqlite::Row as SqlRow;

use crate::ledger::store::{Store, StoreError};
use crate::money::Usd;
use crate::record::TotalCost;

/// The calls of a job, as `c`, with its runs, as `r`.
pub(super) const CALLS_OF_JOB: &str =
    "jobs AS j JOIN job_runs AS r ON r.job = j.id JOIN runs ON runs.uuid = r.run JOIN calls AS c ON c.run = runs.id";

/// The number of the row of a call.
pub(super) const ROW: &str = "c.place / r.models + 1";

/// Whether a call is that of a judge.
pub(super) const IS_JUDGE: &str =
    "coalesce((SELECT name FROM names WHERE id = c.tags), '') LIKE '%\"role\":\"judge\"%'";

/// Calls that gave no answer and used nothing have cost nothing.
const HAS_USED: &str =
    "((SELECT name FROM names WHERE id = c.status) NOT IN ('failed', 'refused', 'interrupted', 'skipped')
    OR c.input IS NOT NULL OR c.output IS NOT NULL)";

/// What all calls of a job have cost, also those that have no line in the output.
///
/// # Errors
/// The ledger cannot be read.
pub fn cost(store: &Store, id: &str) -> Result<TotalCost, StoreError> {
    let sql = format!(
        "SELECT sum(c.cost),
             coalesce(max(c.cost IS NOT NULL AND (SELECT name FROM names WHERE id = c.origin) <> 'reported'), 0),
             coalesce(sum(coalesce(c.maybe_billed, 0) > 0 OR c.cost IS NULL AND {HAS_USED}), 0)
         FROM {CALLS_OF_JOB} WHERE j.uuid = ?1"
    );
    store.read(|connection| {
        connection.query_row(&sql, [id], |row| {
            let usd = row.get::<_, Option<i64>>(0)?.map(Usd::from_picos);
            Ok(TotalCost { usd, computed: row.get(1)?, unknown: count(row, 2)? })
        })
    })
}

/// Tries of a model for one row that may have cost something that nobody told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTries {
    /// The number of the row.
    pub row: u64,
    /// The name of the gateway.
    pub gateway: String,
    /// The model as the gateway names it.
    pub model: String,
    /// Whether a judge was asked for a verdict, rather than a model for an answer.
    pub is_judge: bool,
    /// How many there are.
    pub tries: u64,
}

/// The tries of a job whose cost is not known, with those that gave the answer.
///
/// # Errors
/// The ledger cannot be read.
pub fn unknown_tries(store: &Store, id: &str) -> Result<Vec<UnknownTries>, StoreError> {
    let sql = format!(
        "SELECT {ROW}, (SELECT name FROM names WHERE id = a.gateway), (SELECT name FROM names WHERE id = a.model), {IS_JUDGE},
             count(*)
         FROM {CALLS_OF_JOB} JOIN attempts AS a ON a.call = c.id
         WHERE j.uuid = ?1 AND a.cost IS NULL
             AND (a.maybe_billed > 0
                 OR a.place = (SELECT max(place) FROM attempts WHERE call = c.id)
                     AND (c.maybe_billed > 0 OR c.cost IS NULL) AND {HAS_USED})
         GROUP BY 1, 2, 3, 4"
    );
    let of_row = |row: &SqlRow<'_>| {
        let [number, tries] = [0, 4].map(|column| row.get::<_, i64>(column).map(i64::cast_unsigned));
        Ok(UnknownTries {
            row: number?,
            gateway: row.get(1)?,
            model: row.get(2)?,
            is_judge: row.get(3)?,
            tries: tries?,
        })
    };
    store.read(|connection| connection.prepare(&sql)?.query_map([id], of_row)?.collect())
}

/// The runs of a job that the ledger knows, by their ids.
///
/// # Errors
/// The ledger cannot be read.
pub fn runs(store: &Store, id: &str) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT r.run FROM jobs AS j JOIN job_runs AS r ON r.job = j.id WHERE j.uuid = ?1";
    store.read(|connection| connection.prepare(sql)?.query_map([id], |row| row.get(0))?.collect())
}

fn count(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<usize> {
    row.get(column).map(|count: i64| usize::try_from(count).unwrap_or_default())
}
