//! The database file: opened, created, checked and brought to the current schema, whatever state it is found in.

mod connection;
mod error;
mod schema;
#[cfg(test)]
mod tests;

pub use error::StoreError;
#[cfg(test)]
pub(super) use schema::MIGRATIONS;
pub use schema::SCHEMA;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use self::connection::{is_busy, is_unwritable, open_for_reading, use_log};
use super::files::{check_dir, has_content, identity, own, private_file, set_aside, with_suffix};
use crate::input;
use crate::private;

/// The name of the ledger in the data directory.
pub const FILE_NAME: &str = "ledger.db";

/// How to open the ledger for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// How long to wait for other processes that write.
    pub timeout: Duration,
    /// Whether what is committed survives the loss of power, and not just the end of the process: each commit then waits for
    /// the disk.
    pub durable: bool,
}

impl Mode {
    /// For recording what has happened: the end of a command does not wait long for that.
    pub const RECORD: Self = Self { timeout: Duration::from_secs(1), durable: false };
    /// For deciding by what is in it.
    pub const ACCOUNT: Self = Self { timeout: Duration::from_secs(10), durable: true };
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    mode: Mode,
    has_log: bool,
    /// See [`identity`].
    file: Option<(u64, u64)>,
    created: bool,
    set_aside: Option<PathBuf>,
}

impl Store {
    /// Opens the ledger of that data directory for writing. What is missing is created, so that only this user can read it.
    /// A damaged ledger is set aside, never deleted.
    ///
    /// # Errors
    ///
    /// Fails where the ledger is of a newer version, where the directory or the file could be another user's, and where
    /// nothing can be written.
    pub fn open(dir: &Path, mode: Mode) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        private::create_dir(dir).map_err(|source| StoreError::io(&path, source))?;
        check_dir(dir)?;
        match Self::open_at(&path, mode) {
            Err(StoreError::Damaged { .. }) => {}
            opened => return opened,
        }
        Self::replace_damaged(dir, mode)
    }

    /// Sets a damaged ledger aside and begins a new one, unless another process has done so.
    pub(in crate::ledger) fn replace_damaged(dir: &Path, mode: Mode) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let io_error = |source| StoreError::io(&path, source);
        let lock = private_file(&dir.join("ledger.lock")).map_err(io_error)?;
        lock.lock().map_err(io_error)?;
        match Self::open_at(&path, mode).and_then(|store| store.check().map(|()| store)) {
            Err(StoreError::Damaged { .. }) => {}
            opened => return opened,
        }
        let aside = set_aside(&path).map_err(io_error)?;
        let mut store = Self::open_at(&path, mode)?;
        store.set_aside = Some(aside);
        Ok(store)
    }

    fn check(&self) -> Result<(), StoreError> {
        let found = self
            .outside(|connection| connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0)))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: self.path.clone(), cause: found }) }
    }

    /// Opens the ledger of that data directory for reading, also where nothing can be written. Returns `None` where there is
    /// none yet.
    ///
    /// # Errors
    ///
    /// Fails where the ledger is damaged, of a newer version or another user's, unless that is root, and with
    /// [`StoreError::UnreadableLog`].
    pub fn open_to_read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE_NAME);
        check_files(&path)?;
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if input::is_missing(&error) => return Ok(None),
            Err(source) => return Err(StoreError::io(&path, source)),
        }
        let sqlite = |error| StoreError::sqlite(&path, error);
        let connection = match open_for_reading(&path, false) {
            // The file without its log would lack its last calls, and nobody would notice.
            Err(error) if is_unwritable(&error) && has_content(&with_suffix(&real(&path), "-wal")) => {
                return Err(StoreError::UnreadableLog { path });
            }
            Err(error) if is_unwritable(&error) => open_for_reading(&path, true).map_err(sqlite)?,
            opened => opened.map_err(sqlite)?,
        };
        let store = Self::of(connection, path, Mode::ACCOUNT, false);
        match store.version()? {
            0 => Ok(None),
            SCHEMA => Ok(Some(store)),
            found if found > SCHEMA => Err(StoreError::Newer { path: store.path, found }),
            // An older llm made it: it is brought up to date where it can be written to.
            found => match Self::open(dir, Mode::ACCOUNT) {
                Err(error) if error.is_unwritable() => store.read_as_current(found).map(Some),
                opened => opened.map(Some),
            },
        }
    }

    /// An empty ledger in memory, to read what another store holds in the ways of this one.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| StoreError::sqlite(path, error))?;
        Self::with(connection, path, Mode::RECORD)
    }

    fn open_at(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let sqlite = |error| StoreError::sqlite(path, error);
        if path.is_dir() {
            return Err(StoreError::Damaged { path: path.to_owned(), cause: "it is a directory".into() });
        }
        own(path)?;
        check_files(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        Self::with(connection, path, mode)
    }

    fn with(connection: Connection, path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let sqlite = |error| StoreError::sqlite(path, error);
        // This comes first, because everything after it may have to wait for other processes.
        connection.busy_timeout(mode.timeout).map_err(sqlite)?;
        let has_log = use_log(&connection, Instant::now() + mode.timeout).map_err(sqlite)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
        let mut store = Self::of(connection, path.to_owned(), mode, has_log);
        match store.version()? {
            SCHEMA => Ok(store),
            found if found > SCHEMA => Err(StoreError::Newer { path: store.path, found }),
            _ => {
                store.migrate()?;
                Ok(store)
            }
        }
    }

    fn of(connection: Connection, path: PathBuf, mode: Mode, has_log: bool) -> Self {
        let file = identity(&path);
        Self { path, connection, mode, has_log, file, created: false, set_aside: None }
    }

    /// Does all of the work or, if it fails, none. Waits for other writers as long as the [`Mode`] of this store says.
    ///
    /// # Errors
    ///
    /// Fails with the error of `work`, or where the ledger cannot be written.
    pub fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.mode.timeout;
        self.write_until(|| deadline, self.mode.durable, work)
    }

    /// As [`Store::write`], with a limit and a durability of its own.
    fn write_until<T>(
        &self,
        deadline: impl Fn() -> Instant,
        durable: bool,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let transaction = self.begin_until(deadline, durable)?;
        let done = work(&transaction).and_then(|result| transaction.commit().map(|()| result));
        done.map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Begins a transaction that may write, which is `durable` or not whatever the [`Mode`] says. Waits for other writers
    /// until the moment that `deadline` returns: it is asked again while this waits, so that it may move.
    pub(in crate::ledger) fn begin_until(
        &self,
        deadline: impl Fn() -> Instant,
        durable: bool,
    ) -> Result<Transaction<'_>, StoreError> {
        /// SQLite waits so long before the deadline is asked for again.
        const STEP: Duration = Duration::from_millis(50);
        let connection = &self.connection;
        // Without a write-ahead log, what is not synced could damage the database when power is lost, not just lose a call.
        let synchronous = if durable || !self.has_log { "full" } else { "normal" };
        let attempt = || {
            connection.pragma_update(None, "synchronous", synchronous)?;
            let transaction = loop {
                connection.busy_timeout(STEP.min(deadline().saturating_duration_since(Instant::now())))?;
                // A transaction that reads before it writes fails beside another one, unless it takes the lock now.
                match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
                    Err(error) if is_busy(&error) && Instant::now() < deadline() => {}
                    begun => break begun?,
                }
            };
            connection.busy_timeout(self.mode.timeout)?;
            Ok(transaction)
        };
        attempt().map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Reads; all that `work` reads is of one moment's state.
    ///
    /// # Errors
    ///
    /// Fails with the error of `work`, or where the ledger cannot be read.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let attempt = || {
            let transaction = self.connection.unchecked_transaction()?;
            work(&transaction)
        };
        attempt().map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Does what cannot be part of a transaction, such as `VACUUM`.
    pub(in crate::ledger) fn outside<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.connection).map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Returns the path of the file.
    pub(in crate::ledger) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the file at its path is still the one that is open.
    pub(crate) fn is_in_place(&self) -> bool {
        identity(&self.path) == self.file
    }

    /// Returns whether this process has made it.
    pub(in crate::ledger) fn is_new(&self) -> bool {
        self.created
    }

    /// Returns where a damaged ledger is now that was found in its place.
    pub(in crate::ledger) fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }
}

/// What a link at this path leads to: SQLite keeps its files beside that.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Fails where the ledger, or a file that SQLite keeps beside it, is neither a file nor missing: SQLite would wait for the other end
/// of a pipe, and a device is no database. Fails too where another user has put one of them there, who would decide what is read.
fn check_files(path: &Path) -> Result<(), StoreError> {
    let real = real(path);
    let beside = ["-journal", "-wal", "-shm"].map(|suffix| with_suffix(&real, suffix));
    for file in beside.iter().map(PathBuf::as_path).chain([path]) {
        if fs::metadata(file).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(StoreError::io(file, io::Error::other("it is not a file")));
        }
        if private::is_anothers(file) {
            return Err(StoreError::Foreign { path: file.to_owned() });
        }
    }
    Ok(())
}
