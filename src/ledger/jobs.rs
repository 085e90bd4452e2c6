//! Batches in the ledger: which there were, how far they have come, and which runs belong to them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row as SqlRow, Transaction, named_params, params};
use serde::Serialize;

use super::store::{Store, StoreError};
use super::{Row, read};

mod paid;
mod parts;

use paid::{CALLS_OF_JOB, IS_JUDGE, ROW};
pub use paid::{UnknownTries, cost, runs, unknown_tries};
pub use parts::{Part, PartState, is_remote_known, parts, remove_part, save_part};

/// A batch as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// A UUID.
    pub id: String,
    /// In milliseconds since 1970.
    pub began_ms: i64,
    /// When its process last told how far it is, in milliseconds since 1970.
    pub seen_ms: i64,
    /// How it stands.
    pub state: JobState,
    /// Whether it goes through the gateway's own batches.
    pub via_api: bool,
    /// The path of the data set; `-` is stdin.
    pub input: String,
    /// The path of the output; `None` is standard output.
    pub output: Option<String>,
    /// The directory in which the command was given.
    pub directory: String,
    /// The arguments of the command.
    pub command: Vec<String>,
    /// The hashes of what shapes the requests, by what it is: `template`, `system` …
    pub plan: BTreeMap<String, String>,
    /// The models by their names, in order.
    pub models: Vec<String>,
    /// How far it is.
    pub progress: JobProgress,
}

/// A job that does not tell how far it is for this long, in milliseconds, has no process any more, as far as anybody can tell.
pub const SILENT_MS: i64 = 10_000;

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobProgress {
    /// Rows × models; `None` until all rows were read.
    pub total: Option<u64>,
    /// Complete answers.
    pub ok: u64,
    /// Calls without an answer.
    pub failed: u64,
    /// Answers that were cut short.
    pub truncated: u64,
    /// What it has cost in picodollars, as far as it is known.
    pub picos: Option<i64>,
    /// How many calls may be running: no more than these can be lost when the process is killed.
    pub concurrency: u64,
}

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its process runs, or was killed.
    Running,
    /// It stopped before its end and can go on.
    Stopped,
    /// Every row was asked.
    Finished,
    /// The user has cancelled it.
    Cancelled,
    /// The gateway has it.
    Submitted,
}

impl JobState {
    /// The word in the ledger and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Submitted => "submitted",
        }
    }

    /// The state of a word.
    pub fn parse(text: &str) -> Self {
        let all = [Self::Running, Self::Stopped, Self::Finished, Self::Cancelled, Self::Submitted];
        all.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Stopped)
    }
}

impl Job {
    /// Adds the job, or replaces what is known of it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn save(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let progress = &self.progress;
        transaction.execute(
            "INSERT INTO jobs (uuid, began_ms, seen_ms, state, via, input, output, directory, command, plan, models, total,
                 ok, failed, truncated, picos, concurrency, is_cancelled)
             VALUES (:uuid, :began, :seen, :state, :via, :input, :output, :directory, :command, :plan, :models, :total,
                 :ok, :failed, :truncated, :picos, :concurrency, 0)
             ON CONFLICT (uuid) DO UPDATE SET seen_ms = :seen, state = :state, via = :via, command = :command, directory = :directory,
                 output = :output,
                 plan = :plan, models = :models, total = :total, ok = :ok, failed = :failed, truncated = :truncated,
                 picos = :picos, concurrency = :concurrency, is_cancelled = 0",
            named_params! {
                ":uuid": self.id, ":began": self.began_ms, ":seen": self.seen_ms, ":state": self.state.as_str(),
                ":via": if self.via_api { "api" } else { "calls" }, ":input": self.input, ":output": self.output,
                ":directory": self.directory, ":command": json(&self.command), ":plan": json(&self.plan),
                ":models": json(&self.models), ":total": progress.total.map(u64::cast_signed),
                ":ok": progress.ok.cast_signed(), ":failed": progress.failed.cast_signed(),
                ":truncated": progress.truncated.cast_signed(), ":picos": progress.picos,
                ":concurrency": progress.concurrency.cast_signed(),
            },
        )?;
        Ok(())
    }
}

/// Lists and maps of texts, whose JSON cannot fail.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Notes how far a job is. Returns whether another process has asked for its end.
///
/// # Errors
/// The ledger cannot be written.
pub fn note_progress(
    transaction: &Transaction<'_>,
    id: &str,
    now_ms: i64,
    state: JobState,
    progress: &JobProgress,
) -> rusqlite::Result<bool> {
    transaction.execute(
        "UPDATE jobs SET seen_ms = ?2, state = ?3, total = ?4, ok = ?5, failed = ?6, truncated = ?7, picos = ?8,
             concurrency = ?9
         WHERE uuid = ?1",
        params![
            id,
            now_ms,
            state.as_str(),
            progress.total.map(u64::cast_signed),
            progress.ok.cast_signed(),
            progress.failed.cast_signed(),
            progress.truncated.cast_signed(),
            progress.picos,
            progress.concurrency.cast_signed(),
        ],
    )?;
    let cancelled = transaction.query_row("SELECT is_cancelled FROM jobs WHERE uuid = ?1", [id], |row| row.get(0));
    Ok(cancelled.optional()?.unwrap_or(false))
}

/// Notes that a run belongs to a job.
///
/// # Errors
/// The ledger cannot be written.
pub fn note_run(transaction: &Transaction<'_>, id: &str, run: &str, models: u64) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO job_runs (job, run, models) SELECT id, ?2, ?3 FROM jobs WHERE uuid = ?1",
            params![id, run, models.cast_signed()],
        )
        .map(drop)
}

/// Asks the process of a job to end it. Returns whether there is such a job.
///
/// # Errors
/// The ledger cannot be written.
pub fn request_cancel(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<bool> {
    Ok(transaction.execute("UPDATE jobs SET is_cancelled = 1 WHERE uuid = ?1", [id])? > 0)
}

/// Sets the state of a job.
///
/// # Errors
/// The ledger cannot be written.
pub fn set_state(transaction: &Transaction<'_>, id: &str, state: JobState) -> rusqlite::Result<()> {
    transaction.execute("UPDATE jobs SET state = ?2 WHERE uuid = ?1", params![id, state.as_str()]).map(drop)
}

const COLUMNS: &str =
    "uuid, began_ms, seen_ms, state, via, input, output, directory, command, plan, models, total, ok, failed,
    truncated, picos, concurrency";

fn job(row: &SqlRow<'_>) -> rusqlite::Result<Job> {
    let text = |at: usize| row.get::<_, String>(at);
    let count = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(Job {
        id: row.get(0)?,
        began_ms: row.get(1)?,
        seen_ms: row.get(2)?,
        state: JobState::parse(&text(3)?),
        via_api: text(4)? == "api",
        input: row.get(5)?,
        output: row.get(6)?,
        directory: row.get(7)?,
        command: serde_json::from_str(&text(8)?).unwrap_or_default(),
        plan: serde_json::from_str(&text(9)?).unwrap_or_default(),
        models: serde_json::from_str(&text(10)?).unwrap_or_default(),
        progress: JobProgress {
            total: row.get::<_, Option<i64>>(11)?.map(i64::cast_unsigned),
            ok: count(12)?,
            failed: count(13)?,
            truncated: count(14)?,
            picos: row.get(15)?,
            concurrency: count(16)?,
        },
    })
}

/// The jobs, newest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(store: &Store) -> Result<Vec<Job>, StoreError> {
    store.read(|connection| {
        let mut statement =
            connection.prepare(&format!("SELECT {COLUMNS} FROM jobs ORDER BY began_ms DESC, id DESC"))?;
        statement.query_map([], job)?.collect()
    })
}

/// The jobs whose id begins or ends like this, newest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn find(store: &Store, part: &str) -> Result<Vec<Job>, StoreError> {
    let all = list(store)?;
    Ok(all.into_iter().filter(|job| job.id.starts_with(part) || job.id.ends_with(part)).collect())
}

/// The last job that writes to this path; `None` where there is none.
///
/// # Errors
/// The ledger cannot be read.
pub fn of_output(store: &Store, output: &str) -> Result<Option<Job>, StoreError> {
    store.read(|connection| {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE output = ?1 ORDER BY began_ms DESC, id DESC LIMIT 1");
        connection.query_row(&sql, [output], job).optional()
    })
}

/// The last job whose answers go to this path and that a gateway has batches of, or may have; `None` where there is none.
///
/// # Errors
/// The ledger cannot be read.
pub fn handed_over_for(store: &Store, output: &str) -> Result<Option<String>, StoreError> {
    store.read(|connection| {
        let sql = "SELECT uuid FROM jobs WHERE output = ?1
                 AND EXISTS (SELECT 1 FROM job_parts AS p WHERE p.job = jobs.id AND p.state <> 'collected')
             ORDER BY began_ms DESC, id DESC LIMIT 1";
        connection.query_row(sql, [output], |row| row.get(0)).optional()
    })
}

/// Whether the end of a job was asked for since it began.
///
/// # Errors
/// The ledger cannot be read.
pub fn is_cancelled(store: &Store, id: &str) -> Result<bool, StoreError> {
    store.read(|connection| {
        let found = connection.query_row("SELECT is_cancelled FROM jobs WHERE uuid = ?1", [id], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(false))
    })
}

/// Takes back that the end of a job was asked for.
///
/// # Errors
/// The ledger cannot be written.
pub fn withdraw_cancel(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<()> {
    transaction.execute("UPDATE jobs SET is_cancelled = 0 WHERE uuid = ?1", [id]).map(drop)
}

/// What the name of the account begins with that a job with a limit of cost has among the budgets. Its id follows.
pub const ACCOUNT: &str = "batch ";

/// The answers of a job that the ledger has: row, model, and the id by which [`answer`] finds it.
///
/// # Errors
/// The ledger cannot be read.
pub fn answers(store: &Store, id: &str) -> Result<Vec<(u64, String, i64)>, StoreError> {
    store.read(|connection| {
        let mut statement = connection.prepare(&format!(
            "SELECT {ROW}, (SELECT name FROM names WHERE id = c.asked), c.id
             FROM {CALLS_OF_JOB} JOIN details AS d ON d.call = c.id
             WHERE j.uuid = ?1 AND d.answer IS NOT NULL AND (SELECT name FROM names WHERE id = c.status) IN ('ok', 'truncated')
                 AND NOT {IS_JUDGE}"
        ))?;
        let found = |row: &SqlRow<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, row.get(2)?));
        statement.query_map([id], found)?.collect()
    })
}

/// The call that [`answers`] has found.
///
/// # Errors
/// The ledger cannot be read.
pub fn answer(store: &Store, call: i64) -> Result<Row, StoreError> {
    store.read(|connection| read::row(connection, call))
}
