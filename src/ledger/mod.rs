//! The ledger: what every call asked, answered, took and cost, in one SQLite file that is this user's alone.
//!
//! No answer depends on it: what cannot be recorded waits in a file beside it, and is recorded with the next call.

mod failed_attempts;
mod files;
#[cfg(test)]
mod kill_tests;
mod purge;
mod read;
mod row;
mod speed;
mod spill;
mod store;
#[cfg(test)]
mod tests;
mod usage;
mod write;

pub use failed_attempts::FailedAttempts;
pub use read::{Alike, Filter};
pub use row::{Answer, AttemptRow, Circumstances, Fault, Row, Sent, Times, Tokens, Turn};
pub use speed::median_first_token;
pub use spill::FILE_NAME as SPILL_NAME;
pub use store::{FILE_NAME, Mode, SCHEMA, Store, StoreError};
pub use usage::{Dimension, Group, Percentiles, Short, Usage};

use std::path::Path;

/// Records calls. Whatever happens to the ledger, this is no failure: what there is to say about it comes back as
/// sentences for the user.
pub fn record(dir: &Path, rows: &[Row]) -> Vec<String> {
    let mut notices = Vec::new();
    if let Err(error) = try_record(dir, rows, &mut notices) {
        let why = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        notices.push(match spill::append(dir, rows) {
            Ok(()) => format!("{why}; this call will be recorded with the next"),
            Err(spill) => format!("{why}, and {} cannot be written ({spill}): this call is not recorded", SPILL_NAME),
        });
    }
    notices
}

fn try_record(dir: &Path, rows: &[Row], notices: &mut Vec<String>) -> Result<(), StoreError> {
    let mut store = Store::open(dir, Mode::RECORD)?;
    match insert(&mut store, rows) {
        Err(StoreError::Damaged { .. }) => {
            drop(store);
            store = Store::replace_damaged(dir, Mode::RECORD)?;
            insert(&mut store, rows)?;
        }
        inserted => inserted?,
    }
    if let Some(aside) = store.set_aside() {
        notices.push(format!("the ledger was damaged; it is now {}, and a new one was begun", aside.display()));
    } else if store.is_new() {
        notices.push(format!(
            "calls are recorded from now on, prompts and answers included, in {}; `log = \"metadata\"` or \"off\" in \
             the config, or --log, keeps less",
            store.path().display()
        ));
    }
    // The rows are in; what waits in the spill file may go on waiting.
    if let Err(why) = merge(&mut store, dir) {
        notices.push(format!("{SPILL_NAME} could not be taken into the ledger: {why}"));
    }
    if let Err(error) = store.tidy() {
        notices.push(error.cause().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")));
    }
    Ok(())
}

fn insert(store: &mut Store, rows: &[Row]) -> Result<(), StoreError> {
    store.write(|transaction| rows.iter().try_for_each(|row| write::insert(transaction, row).map(drop)))
}

/// Takes what could not be recorded earlier into the ledger.
fn merge(store: &mut Store, dir: &Path) -> Result<(), String> {
    let say = |error: &dyn std::error::Error| error.to_string();
    let Some(spilled) = spill::take(dir).map_err(|error| say(&error))? else { return Ok(()) };
    insert(store, &spilled.rows).map_err(|error| error.cause().unwrap_or_else(|| say(&error)))?;
    match spilled.done() {
        Ok(None) => Ok(()),
        Ok(Some(aside)) => Err(format!("some lines cannot be read, and are in {} now", aside.display())),
        Err(error) => Err(say(&error)),
    }
}

/// Takes what waits beside the ledger into it, so that it is all there is; what there is to say about that.
pub fn settle(dir: &Path) -> Vec<String> {
    let waits = std::fs::metadata(dir.join(SPILL_NAME)).is_ok_and(|metadata| metadata.len() > 0);
    if waits { record(dir, &[]) } else { Vec::new() }
}

/// Deletes the calls before this moment, in milliseconds since 1970, or all; how many there were. Nothing of them is
/// left in the file.
pub fn purge(store: &mut Store, before_ms: Option<i64>) -> Result<usize, StoreError> {
    purge::purge(store, before_ms)
}

/// The calls that fit, newest first; at most `limit` where there is one.
pub fn find(store: &Store, filter: &Filter, limit: Option<usize>) -> Result<Vec<Row>, StoreError> {
    store.read(|connection| {
        read::ids(connection, filter, limit)?.into_iter().map(|id| read::row(connection, id)).collect()
    })
}

/// The calls whose id begins or ends like this, or that belong to the run whose id begins like this.
pub fn find_like(store: &Store, part: &str) -> Result<Alike, StoreError> {
    store.read(|connection| {
        let rows = |ids: Vec<i64>| ids.into_iter().map(|id| read::row(connection, id)).collect::<rusqlite::Result<_>>();
        Ok(match read::ids_like(connection, part)? {
            Alike::Calls(ids) => Alike::Calls(rows(ids)?),
            Alike::Run(ids) => Alike::Run(rows(ids)?),
        })
    })
}

/// Files of damaged ledgers that were set aside.
pub fn left_over(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("ledger") && name.contains(".corrupt")
    };
    let mut found: Vec<_> = files.filter(is_ours).collect();
    found.sort();
    found
}

/// What the calls that fit used and cost, grouped.
pub fn usage(store: &Store, filter: &Filter, by: &[Dimension]) -> Result<Usage, StoreError> {
    store.read(|connection| usage::usage(connection, filter, by))
}
