//! The ledger: what every call asked, answered, took and cost, in one SQLite file that is this user's alone.
//!
//! No answer depends on it: what cannot be recorded waits in a file beside it, and is recorded with the next call.

#![warn(missing_docs)]

mod calls;
mod failed_attempts;
mod files;
pub mod jobs;
mod journal;
#[cfg(test)]
mod kill_tests;
mod purge;
mod read;
mod recorder;
mod remote;
mod row;
mod scores;
mod search;
pub mod shards;
mod speed;
mod spill;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
mod votes;
mod write;
mod writer;

pub use calls::Calls;
pub use failed_attempts::FailedAttempts;
pub use journal::{Journal, LOCAL, Sink, Tell, take_over};
pub use read::{Alike, Filter};
pub use remote::{RemoteCalls, RemoteLedger, Wanted};
pub use row::{Answer, AttemptRow, Circumstances, DEMO, Fault, Row, Sent, Times, Tokens, Turn};
pub use scores::scores;
pub use speed::{median_first_token, median_total};
pub use spill::FILE_NAME as SPILL_NAME;
pub use store::{FILE_NAME, Mode, SCHEMA, Store, StoreError};
pub use usage::{Dimension, Group, Maker, Percentiles, Short, TokenSum, Usage};
pub use votes::{Preference, Preferences, Vote, preferences};
pub use writer::LedgerWriter;

use std::fmt;
use std::path::Path;
use std::time::Instant;

use futures_util::future::BoxFuture;

use self::recorder::Recorder;
use crate::score::Part;

/// Keeps the records of calls.
pub trait Records: fmt::Debug + Send + Sync {
    /// Hands over a call to record. What cannot be recorded now is kept and recorded later; no answer waits for it.
    fn record(&self, row: Row) -> BoxFuture<'_, ()>;

    /// Keeps the scores of calls that were handed over before, each with its parts. Does not wait.
    fn record_scores(&self, scores: Vec<(String, Vec<Part>)>);

    /// Keeps a vote about calls that were handed over before. Does not wait.
    fn record_vote(&self, vote: Vote);

    /// Whether no call that was handed over would be lost with this process, as far as that is promised.
    fn is_safe(&self) -> bool {
        true
    }
}

/// Records calls on the thread of the caller. A fault of the ledger is no error: what there is to say about it is returned as
/// sentences for the user.
fn record(dir: &Path, rows: &[Row]) -> Vec<String> {
    let mut recorder = Recorder::new(dir);
    let deadline = Instant::now() + Mode::RECORD.timeout;
    recorder.commit(Vec::new(), rows, &|_| deadline);
    recorder.take_notices()
}

/// Takes the calls of the spill file into the ledger, so that a reader finds all. Returns what there is to tell the user.
pub fn settle(dir: &Path) -> Vec<String> {
    let mut notices = if files::has_content(&dir.join(SPILL_NAME)) { record(dir, &[]) } else { Vec::new() };
    notices.extend(take_over(dir, LOCAL, &mut journal::Local(dir.to_owned())));
    notices
}

/// Adds calls to a ledger that is open for writing. One that is there already stays as it is.
///
/// # Errors
/// The ledger cannot be written.
pub(crate) fn insert(store: &mut Store, rows: &mut dyn Iterator<Item = Row>) -> Result<(), StoreError> {
    /// So many calls are in memory at a time.
    const GROUP: usize = 64;
    store.write(|transaction| {
        loop {
            let group: Vec<Row> = rows.take(GROUP).collect();
            if group.is_empty() {
                return Ok(());
            }
            write::insert_all(transaction, &group)?;
        }
    })
}

/// Deletes the calls before this moment, in milliseconds since 1970, or all, and overwrites what they left in the file.
/// Returns how many there were.
///
/// # Errors
///
/// Fails where the ledger cannot be written, or with [`StoreError::Undeleted`] where the log beside the file cannot be emptied.
pub fn purge(store: &mut Store, before_ms: Option<i64>) -> Result<usize, StoreError> {
    purge::purge(store, before_ms)
}

/// Calls `each` with the calls that fit, newest first, at most `limit` of them where there is a limit. One call at a time is in
/// memory. All are of the state that the ledger had at the beginning; others can write meanwhile.
///
/// # Errors
///
/// Fails with the first error of `each`, or where the ledger cannot be read.
pub fn for_each<E: From<StoreError>>(
    calls: &dyn Calls,
    filter: &Filter,
    limit: Option<usize>,
    mut each: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut done = Ok(());
    calls.each(filter, limit, &mut |row| {
        done = each(row);
        done.is_ok()
    })?;
    done
}

/// Returns the calls that fit, newest first, at most `limit` of them where there is a limit.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn find(calls: &dyn Calls, filter: &Filter, limit: Option<usize>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    calls.each(filter, limit, &mut |row| {
        rows.push(row);
        true
    })?;
    Ok(rows)
}

/// Returns how many calls fit.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn count(store: &Store, filter: &Filter) -> Result<u64, StoreError> {
    store.read(|connection| read::count_of(connection, filter))
}

/// Returns the last call of this command that was answered, whole or in part; `None` where there is none.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn last_answered(store: &Store, command: &str) -> Result<Option<Row>, StoreError> {
    store.read(|connection| read::last_answered(connection, command)?.map(|id| read::row(connection, id)).transpose())
}

/// Returns the calls whose id begins or ends like this, or that belong to the run whose id begins like this.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn find_like(store: &Store, part: &str) -> Result<Alike, StoreError> {
    store.read(|connection| {
        let rows = |ids: Vec<i64>| ids.into_iter().map(|id| read::row(connection, id)).collect::<rusqlite::Result<_>>();
        Ok(match read::ids_like(connection, part)? {
            Alike::Calls(ids) => Alike::Calls(rows(ids)?),
            Alike::Run(ids) => Alike::Run(rows(ids)?),
        })
    })
}

/// Returns the files of damaged ledgers that were set aside, and those of calls that a database has refused.
pub fn left_over(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name.starts_with("ledger") && name.contains(".corrupt")) || journal::is_refused(&name)
    };
    let mut found: Vec<_> = files.filter(is_ours).collect();
    found.sort();
    found
}

/// Returns what the calls that fit used and cost, grouped. `maker` tells who made a model.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn usage(store: &Store, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage, StoreError> {
    store.read(|connection| {
        let mut sums = usage::Sums::new(by, maker);
        sums.add(connection, filter)?;
        Ok(sums.done())
    })
}
