//! Groups of changes committed to the ledger, and what becomes of calls that cannot be recorded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Transaction;

use super::row::Row;
use super::store::{FILE_NAME, Mode, Store, StoreError};
use super::{SPILL_NAME, spill, write};

/// A change of the ledger that is more than a row to record.
pub(super) trait Change: Send {
    /// Whether it must survive the loss of power.
    fn is_durable(&self) -> bool;
    /// Whether anybody still wants it.
    fn is_wanted(&self) -> bool;
    /// Whether somebody waits for its end.
    fn is_awaited(&self) -> bool;
    /// Does the work. It is called once at most.
    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()>;
    /// Tells whoever waits for the change how it ended. Returns an error of which nobody was told.
    fn end(self: Box<Self>, ended: Result<(), StoreError>) -> Option<StoreError>;
}

pub(super) type Changes = Vec<Box<dyn Change>>;

/// Writes to the ledger of one directory, and holds it open between groups.
#[derive(Debug)]
pub(super) struct Recorder {
    dir: PathBuf,
    store: Option<Store>,
    /// Whether the spill file may hold rows that can be taken in.
    may_be_spilled: bool,
    /// Whether the user is still to be told that calls are recorded.
    is_new: bool,
    notices: Vec<Notice>,
    /// Whether no row had to be kept for the next call, or was lost.
    is_whole: bool,
}

/// What [`super::LedgerWriter::close`] knows of the rows that were handed over.
#[derive(Debug)]
pub struct Closed {
    /// What there is to tell the user.
    pub notices: Vec<String>,
    /// Whether each of the rows went into the ledger at once: none was lost, and none was kept for the next call.
    pub is_whole: bool,
}

/// Nothing was handed over.
impl Default for Closed {
    fn default() -> Self {
        Self { notices: Vec::new(), is_whole: true }
    }
}

/// What there is to tell the user.
#[derive(Debug)]
enum Notice {
    Sentence(String),
    /// So many calls could not be recorded, for one reason.
    Calls {
        why: String,
        is_lost: bool,
        count: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sentence(sentence) => f.write_str(sentence),
            Self::Calls { why, is_lost: true, count: 1 } => write!(f, "{why}: this call is not recorded"),
            Self::Calls { why, is_lost: true, count } => write!(f, "{why}: {count} calls are not recorded"),
            Self::Calls { why, is_lost: false, count: 1 } => {
                write!(f, "{why}; this call will be recorded with the next")
            }
            Self::Calls { why, is_lost: false, count } => {
                write!(f, "{why}; {count} calls will be recorded with the next")
            }
        }
    }
}

impl Recorder {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            store: None,
            may_be_spilled: true,
            is_new: false,
            notices: Vec::new(),
            is_whole: true,
        }
    }

    /// Commits the changes and the rows in one transaction, which is durable where a change has to be. A change that fails
    /// is undone by itself. Rows that cannot be recorded go to the spill file. Other writers are waited for until the
    /// moment that `deadline` returns, which may depend on who still wants the changes. Returns whether it could be committed.
    pub(super) fn commit(
        &mut self,
        mut changes: Changes,
        rows: &[Row],
        deadline: &dyn Fn(&Changes) -> Instant,
    ) -> bool {
        let mut results = Vec::new();
        let mut recorded = self.transaction(&mut changes, rows, deadline, &mut results);
        let is_damaged = |result: &Result<(), StoreError>| matches!(result, Err(StoreError::Damaged { .. }));
        let damaged = is_damaged(&recorded) || results.iter().any(is_damaged);
        for (nth, change) in changes.into_iter().enumerate() {
            // A change that was not reached ends as the transaction did.
            let own = results.get(nth).cloned().unwrap_or_else(|| recorded.clone());
            if let Some(error) = change.end(own) {
                self.note(format!("the ledger could not be changed: {}", error.sentence()));
            }
        }
        if damaged {
            self.store = None;
            let replaced = Store::replace_damaged(&self.dir, Mode::RECORD);
            recorded = replaced.map(|store| self.adopt(store)).and_then(|()| {
                let none = Vec::new();
                self.transaction(&mut Vec::new(), rows, &|_| deadline(&none), &mut Vec::new())
            });
        }
        match &recorded {
            Ok(()) => self.merge(!rows.is_empty()),
            Err(error) => self.spill(rows, error),
        }
        recorded.is_ok()
    }

    /// Closes the file, by which SQLite moves its log into it.
    pub(super) fn close(&mut self) {
        self.store = None;
    }

    /// What there is to tell at the end.
    pub(super) fn closed(&mut self) -> Closed {
        Closed { notices: self.take_notices(), is_whole: self.is_whole }
    }

    /// What there is to tell the user since the last time.
    pub(super) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices).iter().map(ToString::to_string).collect()
    }

    /// Returns whether the rows were recorded. The results of the changes that were run are put into `results`, where the
    /// transaction as a whole succeeds.
    fn transaction(
        &mut self,
        changes: &mut Changes,
        rows: &[Row],
        deadline: &dyn Fn(&Changes) -> Instant,
        results: &mut Vec<Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        self.open()?;
        let Some(store) = &self.store else { return Ok(()) };
        if changes.is_empty() && rows.is_empty() {
            return Ok(());
        }
        let failed = |error| StoreError::sqlite(store.path(), error);
        let transaction = store.begin_until(|| deadline(changes), changes.iter().any(|change| change.is_durable()))?;
        let mut done = Vec::new();
        for change in changes {
            // A caller that has gone before its turn wants nothing to be changed.
            let wanted = change.is_wanted();
            let result = if wanted { apart(&transaction, |transaction| change.run(transaction)) } else { Ok(Ok(())) };
            done.push(result.map_err(failed)?.map_err(failed));
        }
        let inserted = apart(&transaction, |transaction| write::insert_all(transaction, rows).map(drop));
        let inserted = inserted.map_err(failed)?.map_err(failed);
        transaction.commit().map_err(failed)?;
        *results = done;
        inserted
    }

    fn open(&mut self) -> Result<(), StoreError> {
        // Another process may have set a damaged file aside, or the user may have deleted it.
        if self.store.as_ref().is_some_and(|store| !store.is_in_place()) {
            self.store = None;
        }
        if self.store.is_none() {
            let store = Store::open(&self.dir, Mode::RECORD)?;
            self.adopt(store);
        }
        Ok(())
    }

    fn adopt(&mut self, store: Store) {
        if let Some(aside) = store.set_aside() {
            self.note(format!("the ledger was damaged; it is now {}, and a new one was begun", aside.display()));
        } else if store.is_new() {
            self.is_new = true;
        }
        self.may_be_spilled = true;
        self.store = Some(store);
    }

    /// Takes what could not be recorded earlier into the ledger. What cannot be taken in goes on waiting.
    fn merge(&mut self, mut recorded: bool) {
        if std::mem::take(&mut self.may_be_spilled) {
            match self.take_in() {
                Ok(merged) => recorded |= merged,
                Err(why) => self.note(format!("{SPILL_NAME} could not be taken into the ledger: {why}")),
            }
        }
        if recorded && std::mem::take(&mut self.is_new) {
            self.note(format!(
                "calls are recorded from now on, prompts and answers included, in {}; `log = \"metadata\"` or \"off\" in \
                 the config, or --log, keeps less",
                self.dir.join(FILE_NAME).display()
            ));
        }
    }

    /// Returns whether there was anything to take in.
    fn take_in(&mut self) -> Result<bool, String> {
        let Some(store) = &mut self.store else { return Ok(false) };
        let Some(mut spilled) = spill::take(&self.dir).map_err(|error| error.to_string())? else { return Ok(false) };
        loop {
            let rows = spilled.rows().map_err(|error| error.to_string())?;
            if rows.is_empty() {
                break;
            }
            // What a process that ends here has taken in is known when it comes again.
            store
                .write(|transaction| write::insert_all(transaction, &rows).map(drop))
                .map_err(|error| error.cause().unwrap_or_else(|| error.to_string()))?;
        }
        match spilled.done() {
            Ok(None) => Ok(true),
            Ok(Some(aside)) => Err(format!("some lines cannot be read, and are in {} now", aside.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn spill(&mut self, rows: &[Row], error: &StoreError) {
        if rows.is_empty() {
            return;
        }
        self.may_be_spilled = true;
        self.is_whole = false;
        let why = error.sentence();
        let (why, is_lost) = match spill::append(&self.dir, rows) {
            Ok(()) => (why, false),
            Err(spill) => (format!("{why}, and {SPILL_NAME} cannot be written ({spill})"), true),
        };
        for notice in &mut self.notices {
            if let Notice::Calls { why: known, is_lost: was_lost, count } = notice
                && *known == why
                && *was_lost == is_lost
            {
                *count += rows.len();
                return;
            }
        }
        self.notices.push(Notice::Calls { why, is_lost, count: rows.len() });
    }

    /// Keeps a sentence for the user; a second one that says the same adds nothing.
    fn note(&mut self, sentence: String) {
        if !self.notices.iter().any(|notice| matches!(notice, Notice::Sentence(known) if *known == sentence)) {
            self.notices.push(Notice::Sentence(sentence));
        }
    }
}

/// Does this part of a transaction or, if it fails, nothing of it. The outer error is one that ended the whole transaction.
fn apart(
    transaction: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<rusqlite::Result<()>> {
    transaction.execute_batch("SAVEPOINT part")?;
    let done = work(transaction);
    match &done {
        Ok(()) => transaction.execute_batch("RELEASE part")?,
        // A full disk, for example, ends the whole of a transaction.
        Err(_) if transaction.is_autocommit() => return done.map(Ok),
        Err(_) => transaction.execute_batch("ROLLBACK TO part; RELEASE part")?,
    }
    Ok(done)
}
