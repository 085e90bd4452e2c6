//! The database file: opened, created, checked and brought to the current schema, whatever state it is found in.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::Error;
use crate::private;

/// The name of the ledger in the data directory.
pub const FILE_NAME: &str = "ledger.db";

/// The changes that lead from an empty database to the current schema, in order. One is added at the end for each
/// change of the schema; those that were released never change.
const MIGRATIONS: &[&str] = &[include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// The version of the schema that this program knows: `PRAGMA user_version`.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// A log of more bytes than this is moved into the database. Every start reads the log, so it is kept short; each time
/// it is moved, somebody waits for the disk, so it is not kept shorter.
const LONG_LOG: u64 = 1 << 20;

/// How to open the ledger for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// How long to wait for other processes that write.
    pub patience: Duration,
    /// Whether what is committed survives the loss of power, not just the end of the process. Costs a few milliseconds
    /// a commit.
    pub durable: bool,
}

impl Mode {
    /// To record what has happened: nobody should wait long for that.
    pub const RECORD: Self = Self { patience: Duration::from_secs(1), durable: false };
    /// To decide by what is in it.
    pub const ACCOUNT: Self = Self { patience: Duration::from_secs(10), durable: true };
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the ledger {} is of version {found}, and this llm knows none above {SCHEMA}", path.display())]
    Newer { path: PathBuf, found: i64 },
    #[error("{} belongs to another user, or is a link to what does", path.display())]
    Foreign { path: PathBuf },
    #[error("the ledger {} is damaged", path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("the ledger {} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the ledger {} cannot be used", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl StoreError {
    fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, cause: source.to_string() }
            }
            _ => Self::Sqlite { path, source },
        }
    }

    /// What lies behind it.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Newer { .. } | Self::Foreign { .. } => None,
            Self::Damaged { cause, .. } => Some(cause.clone()),
            Self::Io { source, .. } => Some(source.to_string()),
            Self::Sqlite { source, .. } => Some(source.to_string()),
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Newer { .. } => "update llm, or set LLM_DATA_DIR to another directory".into(),
            Self::Foreign { .. } => "set LLM_DATA_DIR to a directory of your own".into(),
            Self::Damaged { .. } => "the next call sets it aside and begins a new one".into(),
            Self::Io { .. } | Self::Sqlite { .. } => return None,
        })
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Error::Config { message: error.to_string(), cause: error.cause(), hint: error.hint() }
    }
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    created: bool,
    set_aside: Option<PathBuf>,
}

impl Store {
    /// Opens the ledger of that data directory for writing. What is missing is created, for this user's eyes alone;
    /// a damaged ledger is set aside, never deleted.
    pub fn open(dir: &Path, mode: Mode) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        private::create_dir(dir).map_err(|source| StoreError::Io { path: path.clone(), source })?;
        match Self::open_at(&path, mode) {
            Err(StoreError::Damaged { .. }) => {}
            opened => return opened,
        }
        Self::replace_damaged(dir, mode)
    }

    /// Sets a damaged ledger aside and begins a new one, unless another process has done so.
    pub fn replace_damaged(dir: &Path, mode: Mode) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let io_error = |source| StoreError::Io { path: path.clone(), source };
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

    /// Opens the ledger of that data directory for reading; `None` where there is none yet. Works where nothing can be
    /// written, too.
    pub fn open_to_read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE_NAME);
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { path, source }),
        }
        let store = match open_for_reading(&path, false) {
            Ok(connection) => connection,
            Err(error) if is_unwritable(&error) => {
                open_for_reading(&path, true).map_err(|error| StoreError::sqlite(&path, error))?
            }
            Err(error) => return Err(StoreError::sqlite(&path, error)),
        };
        let mut store = Self { path, connection: store, created: false, set_aside: None };
        match store.version()? {
            0 => Ok(None),
            SCHEMA => Ok(Some(store)),
            found if found > SCHEMA => Err(StoreError::Newer { path: store.path, found }),
            // Of an older llm: brought up to date where it can be.
            _ => {
                store = Self::open(dir, Mode::ACCOUNT)?;
                Ok(Some(store))
            }
        }
    }

    fn open_at(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let sqlite = |error| StoreError::sqlite(path, error);
        if path.is_dir() {
            return Err(StoreError::Damaged { path: path.to_owned(), cause: "it is a directory".into() });
        }
        own(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        Self::with(connection, path, mode)
    }

    fn with(connection: Connection, path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let sqlite = |error| StoreError::sqlite(path, error);
        // First of all: everything after may have to wait for other processes.
        connection.busy_timeout(mode.patience).map_err(sqlite)?;
        let has_log = use_log(&connection).map_err(sqlite)?;
        connection
            // Without the log, what is not synced could damage the database when power is lost, not just miss a call.
            .pragma_update(None, "synchronous", if mode.durable || !has_log { "full" } else { "normal" })
            .and_then(|()| connection.pragma_update(None, "foreign_keys", true))
            // Of itself SQLite would move the log, but never begin it anew: that takes a process with two writes.
            .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", 0))
            // Or the end of every process would wait for the disk.
            .and_then(|()| connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true))
            .map_err(sqlite)?;
        let mut store = Self { path: path.to_owned(), connection, created: false, set_aside: None };
        match store.version()? {
            SCHEMA => Ok(store),
            found if found > SCHEMA => Err(StoreError::Newer { path: store.path, found }),
            _ => {
                store.connection.busy_timeout(Mode::ACCOUNT.patience).map_err(sqlite)?;
                store.migrate()?;
                store.connection.busy_timeout(mode.patience).map_err(sqlite)?;
                Ok(store)
            }
        }
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        self.created = self.write(|transaction| {
            // Another process may have been faster.
            let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let done = usize::try_from(found).unwrap_or(0);
            for migration in MIGRATIONS.iter().skip(done) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", found.max(SCHEMA))?;
            Ok(found == 0)
        })?;
        match self.version()? {
            SCHEMA => Ok(()),
            found => Err(StoreError::Newer { path: self.path.clone(), found }),
        }
    }

    fn version(&self) -> Result<i64, StoreError> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Does all of the work or, if it fails, none. Never to be held while waiting for anything but this database.
    pub fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let attempt = || {
            // A transaction that reads before it writes fails beside another one, unless it announces itself.
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        attempt().map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Reads, all of it from one moment's state.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let attempt = || {
            let transaction = self.connection.unchecked_transaction()?;
            work(&transaction)
        };
        attempt().map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Does what cannot be part of a transaction, such as `VACUUM`.
    pub fn outside<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        work(&self.connection).map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Moves a long log into the database, unless somebody else is at it.
    pub fn tidy(&self) -> Result<(), StoreError> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if fs::metadata(log).map_or(0, |metadata| metadata.len()) < LONG_LOG {
            return Ok(());
        }
        self.outside(|connection| {
            connection.busy_timeout(Duration::ZERO)?;
            match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
                done => done,
            }
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made just now.
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// Where a damaged ledger that was found in its place is now.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }
}

fn open_for_reading(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let connection = if immutable {
        // Nobody can write, so nothing changes; without the promise SQLite would want to write a log.
        let mut url = url::Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
        url.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(url.as_str(), flags)?
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection
    };
    connection.busy_timeout(Mode::ACCOUNT.patience)?;
    connection.pragma_update(None, "query_only", true)?;
    // The first read is what fails if anything does.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure)
    )
}

/// Asks for a write-ahead log; whether there is one. Where it cannot be had (a network drive), which is no reason to
/// fail, SQLite names the journal that it keeps to, or fails to share the log's memory.
fn use_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    match mode {
        Ok(mode) => Ok(mode.eq_ignore_ascii_case("wal")),
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Moves a damaged ledger and its log out of the way; where it is now.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let aside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{now}{suffix}"));
        PathBuf::from(name)
    };
    for suffix in ["-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        match fs::rename(&log, aside(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, aside(""))?;
    Ok(aside(""))
}

/// Makes the file for this user alone, or sees to it that it is: SQLite gives its log the same permissions. One that
/// exists is not opened for that: closing it again would let go of the locks that this process has on it.
fn own(path: &Path) -> Result<(), StoreError> {
    let io_error = |source| StoreError::Io { path: path.to_owned(), source };
    let mut found = fs::symlink_metadata(path);
    if matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        private_file(path).map_err(io_error)?;
        found = fs::symlink_metadata(path);
    }
    let mut metadata = found.map_err(io_error)?;
    // Whoever put a link there decides where prompts are written, so it must be this user.
    let (ours, link) = (is_ours(&metadata), metadata.is_symlink());
    if link {
        metadata = fs::metadata(path).map_err(io_error)?;
    }
    if !ours || !is_ours(&metadata) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    // The permissions of what a link leads to are its owner's affair.
    if link { Ok(()) } else { restrict(path, &metadata).map_err(io_error) }
}

/// Opens a file for reading and writing, made for this user alone if it is missing. A link is not followed.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        options.mode(0o600).custom_flags(no_follow);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_ours(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn restrict(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &mut Store, name: &str) {
        store.write(|t| t.execute("INSERT INTO names (name) VALUES (?1)", [name]).map(drop)).expect("written");
    }

    fn count(store: &Store) -> i64 {
        store.read(|c| c.query_row("SELECT count(*) FROM names", [], |row| row.get(0))).expect("read")
    }

    #[cfg(unix)]
    fn mode_of(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn l01_many_first_runs_at_once_make_one_ledger() {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path().join("data");
        let made: usize = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..32)
                .map(|n| {
                    let dir = &dir;
                    scope.spawn(move || {
                        let mut store = Store::open(dir, Mode::ACCOUNT).expect("opened");
                        put(&mut store, &n.to_string());
                        usize::from(store.is_new())
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().expect("no panic")).sum()
        });
        assert_eq!(made, 1);
        let store = Store::open_to_read(&dir).expect("readable").expect("there");
        assert_eq!(count(&store), 32);
    }

    #[cfg(unix)]
    #[test]
    fn l16_the_ledger_is_its_users_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path().join("new/data");
        let mut store = Store::open(&dir, Mode::RECORD).expect("opened");
        put(&mut store, "x");
        assert_eq!(mode_of(&dir), 0o700);
        for file in fs::read_dir(&dir).expect("listed") {
            let path = file.expect("an entry").path();
            assert_eq!(mode_of(&path), 0o600, "{}", path.display());
        }
        drop(store);
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join(FILE_NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        drop(Store::open(&dir, Mode::RECORD).expect("opened"));
        assert_eq!(mode_of(&path), 0o600, "one that others could read is made private");
    }

    #[test]
    fn l14_a_damaged_ledger_is_set_aside_and_never_deleted() {
        type Damage = fn(&Path);
        let damage: [(&str, Damage); 4] = [
            ("no database", |path| fs::write(path, "no database at all, ".repeat(400)).expect("written")),
            ("cut off", |path| {
                let bytes = fs::read(path).expect("read");
                fs::write(path, &bytes[..bytes.len() / 3]).expect("written");
            }),
            ("pages gone bad", |path| {
                let mut bytes = fs::read(path).expect("read");
                bytes[100..].fill(0xa5);
                fs::write(path, bytes).expect("written");
            }),
            ("a directory", |path| {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("made");
            }),
        ];
        for (what, damage) in damage {
            let home = tempfile::tempdir().expect("a directory");
            let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
            put(&mut store, "x");
            store.outside(|c| c.pragma_update(None, "wal_checkpoint", "truncate")).expect("all in one file");
            drop(store);
            let path = home.path().join(FILE_NAME);
            damage(&path);
            let before = if path.is_file() { fs::read(&path).expect("read") } else { Vec::new() };
            let mut store = Store::open(home.path(), Mode::RECORD).expect(what);
            put(&mut store, "y");
            assert_eq!(count(&store), 1, "{what}");
            let aside = store.set_aside().expect(what);
            assert!(aside.to_string_lossy().contains("ledger.db.corrupt-2"), "{}", aside.display());
            if aside.is_file() {
                assert_eq!(fs::read(aside).expect("kept"), before, "{what}");
            }
        }
    }

    #[test]
    fn an_empty_file_is_a_new_ledger() {
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join(FILE_NAME), "").expect("written");
        let store = Store::open(home.path(), Mode::RECORD).expect("opened");
        assert!(store.is_new() && store.set_aside().is_none());
    }

    #[test]
    fn l15_a_newer_ledger_is_refused_and_left_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(home.path(), Mode::RECORD).expect("opened");
        store.outside(|c| c.pragma_update(None, "user_version", 99)).expect("set");
        drop(store);
        for opened in [Store::open(home.path(), Mode::RECORD).map(drop), Store::open_to_read(home.path()).map(drop)] {
            let error = opened.expect_err("newer");
            assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
            assert!(error.to_string().contains("version 99"), "{error}");
        }
    }

    #[test]
    fn a_ledger_of_any_earlier_version_is_brought_up_to_date_and_keeps_what_is_in_it() {
        for version in 1..MIGRATIONS.len() {
            let home = tempfile::tempdir().expect("a directory");
            let old = Connection::open(home.path().join(FILE_NAME)).expect("a database");
            MIGRATIONS[..version].iter().for_each(|migration| old.execute_batch(migration).expect("a schema"));
            old.execute_batch(
                "INSERT INTO names VALUES (1, 'm'), (2, 'g'), (3, 'failed'), (4, 'reported');
                 INSERT INTO runs VALUES (1, 'run', 'ask', 0);
                 INSERT INTO requests VALUES (1, 'hash', 3, NULL);
                 INSERT INTO calls (uuid, run, place, at_ms, asked, gateway, model, answered, status, cached, attempts,
                     fallbacks, cost, origin, request) VALUES ('id', 1, 0, 5, 1, 2, 1, 0, 3, 0, 1, 0, 7, 4, 1);
                 INSERT INTO details (call, answer_chars) VALUES (1, 0);
                 INSERT INTO attempts VALUES (1, 0, 2, 1, 503, NULL, 0, 9, NULL, NULL);",
            )
            .and_then(|()| old.pragma_update(None, "user_version", version as i64))
            .expect("filled");
            drop(old);
            let store = Store::open(home.path(), Mode::RECORD).expect("brought up to date");
            assert!(!store.is_new() && store.set_aside().is_none());
            assert_eq!(store.version().expect("readable"), SCHEMA);
            let rows = super::super::find(&store, &super::super::Filter::default(), None).expect("readable");
            let cost = rows[0].cost.expect("kept");
            assert_eq!((rows[0].id.as_str(), cost.picos, cost.partial), ("id", 7, false));
            assert_eq!((rows[0].attempts[0].status, rows[0].attempts[0].maybe_billed), (Some(503), None));
        }
    }

    #[cfg(unix)]
    #[test]
    fn l17_a_link_is_followed_only_within_what_is_ours() {
        let home = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("a directory");
        let target = elsewhere.path().join("my.db");
        fs::write(&target, "").expect("written");
        std::os::unix::fs::symlink(&target, home.path().join(FILE_NAME)).expect("linked");
        let mut store = Store::open(home.path(), Mode::RECORD).expect("the user's own link");
        put(&mut store, "x");
        drop(store);
        let count = rusqlite::Connection::open(&target)
            .and_then(|c| c.query_row("SELECT count(*) FROM names", [], |row| row.get::<_, i64>(0)));
        assert_eq!(count.expect("a ledger"), 1);
    }

    #[cfg(unix)]
    #[test]
    fn l17_what_is_anothers_is_refused_and_left_alone() {
        const NOBODY: u32 = 65_534;
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join(FILE_NAME);
        let refuses = || {
            let refused = Store::open(home.path(), Mode::RECORD).expect_err("not ours");
            assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
        };
        let theirs = if rustix::process::geteuid().is_root() {
            let theirs = home.path().join("theirs.db");
            fs::write(&theirs, "theirs").expect("written");
            std::os::unix::fs::chown(&theirs, Some(NOBODY), None).expect("given away");
            theirs
        } else {
            "/etc/passwd".into()
        };
        let before = fs::read(&theirs).expect("readable");
        std::os::unix::fs::symlink(&theirs, &path).expect("linked");
        refuses();
        if rustix::process::geteuid().is_root() {
            fs::remove_file(&path).expect("removed");
            fs::rename(&theirs, &path).expect("moved");
            refuses();
            assert_eq!(fs::read(&path).expect("still there"), before);
        } else {
            assert_eq!(fs::read(&theirs).expect("still there"), before);
        }
        let left: Vec<_> = crate::ledger::left_over(home.path());
        assert!(left.is_empty(), "another's file is not set aside either: {left:?}");
    }

    #[cfg(unix)]
    #[test]
    fn l17_no_link_is_followed_where_a_lock_or_spill_file_belongs() {
        let home = tempfile::tempdir().expect("a directory");
        for name in ["ledger.lock", crate::ledger::SPILL_NAME] {
            let target = home.path().join("target");
            std::os::unix::fs::symlink(&target, home.path().join(name)).expect("linked");
            private_file(&home.path().join(name)).expect_err("a link");
            assert!(!target.exists(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn l18_where_no_log_can_be_had_a_journal_serves() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join(FILE_NAME);
        // Locks with files beside the database, and has no memory to share, as on a network drive.
        let open = || {
            own(&path).expect("ours");
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags_and_vfs(&path, flags, c"unix-dotfile").expect("opened");
            Store::with(connection, &path, Mode::RECORD).expect("usable")
        };
        let mut store = open();
        let pragma = |name| store.outside(|c| c.pragma_query_value(None, name, |row| row.get::<_, String>(0)));
        assert_eq!(pragma("journal_mode").expect("told"), "delete");
        let synced: i64 = store.outside(|c| c.pragma_query_value(None, "synchronous", |row| row.get(0))).expect("told");
        assert_eq!(synced, 2, "full");
        put(&mut store, "x");
        store.tidy().expect("nothing to tidy");
        drop(store);
        let mut store = open();
        put(&mut store, "y");
        assert_eq!(count(&store), 2);
        let names: Vec<_> = fs::read_dir(home.path()).expect("listed").map(|e| e.expect("one").file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("-wal")), "{names:?}");
        drop(store);
        // Where it lies on a disk of this machine again, it gets its log.
        let store = Store::open(home.path(), Mode::RECORD).expect("opened");
        assert_eq!(count(&store), 2);
        let mode = store.outside(|c| c.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)));
        assert_eq!(mode.expect("told"), "wal");
    }

    #[test]
    fn the_log_does_not_grow_for_ever() {
        let home = tempfile::tempdir().expect("a directory");
        let log = home.path().join("ledger.db-wal");
        let long = "x".repeat(400 << 10);
        let mut longest = 0;
        for n in 0..12 {
            let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
            put(&mut store, &format!("{n} {long}"));
            store.tidy().expect("tidied");
            longest = longest.max(fs::metadata(&log).expect("there").len());
        }
        assert!(longest < 2 * LONG_LOG, "{longest} bytes");
        let store = Store::open_to_read(home.path()).expect("readable").expect("there");
        assert_eq!(count(&store), 12);
    }

    #[test]
    fn there_need_not_be_a_ledger_to_read() {
        let home = tempfile::tempdir().expect("a directory");
        assert!(Store::open_to_read(home.path()).expect("no error").is_none());
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 0, "nothing is made");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let home = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
        let failed = store.write(|t| {
            t.execute("INSERT INTO names (name) VALUES ('x')", [])?;
            t.execute("INSERT INTO nowhere DEFAULT VALUES", [])
        });
        assert!(failed.is_err());
        assert_eq!(count(&store), 0);
    }
}
