//! Why the ledger cannot be used, and what its user can do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use super::SCHEMA;
use super::connection::{is_busy, is_unwritable};
use crate::error::{Error, Failure, FailureKind};
use crate::private::Exposure;
use crate::resources;

/// Why the ledger cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says what it is")]
pub enum StoreError {
    #[error("the ledger {} is of version {found}, and this llm knows none above {SCHEMA}", path.display())]
    Newer { path: PathBuf, found: i64 },
    #[error("{} belongs to another user, or is a link to what does", path.display())]
    Foreign { path: PathBuf },
    #[error("the data directory {} {why}, who could replace the ledger", dir.display())]
    Unsafe { dir: PathBuf, why: Exposure },
    #[error("the last calls of the ledger {} are in its log, which cannot be read where nothing can be written", path.display())]
    UnreadableLog { path: PathBuf },
    #[error("{count} calls are deleted, but what they said may still be in {}-wal", path.display())]
    Undeleted { path: PathBuf, count: usize, cause: String },
    #[error("the ledger {} is damaged", path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("the ledger {} cannot be used", path.display())]
    Io { path: PathBuf, source: Arc<io::Error> },
    #[error("the ledger {} cannot be used", path.display())]
    Sqlite { path: PathBuf, source: Arc<rusqlite::Error> },
    #[error("the store at {server} cannot be used")]
    Shared { server: Arc<str>, cause: String },
    #[error("the store at {server} refuses what it is to keep")]
    Refused { server: Arc<str>, cause: String },
    #[error("the store at {server} cannot be used")]
    Shortage { server: Arc<str>, source: Arc<io::Error> },
    #[error("the store at {server} cannot be used")]
    Unreachable { server: Arc<str>, cause: String, hint: &'static str },
}

impl StoreError {
    pub(in crate::ledger) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(in crate::ledger) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let source = match source {
            // Without the statement, which says nothing to a user.
            rusqlite::Error::SqlInputError { error, msg, .. } => rusqlite::Error::SqliteFailure(error, Some(msg)),
            other => other,
        };
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, cause: source.to_string() }
            }
            _ => Self::Sqlite { path, source: Arc::new(source) },
        }
    }

    /// Returns whether the ledger could be read all the same.
    pub(super) fn is_unwritable(&self) -> bool {
        match self {
            Self::Foreign { .. } | Self::Unsafe { .. } => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
            }
            Self::Sqlite { source, .. } => is_unwritable(source),
            _ => false,
        }
    }

    /// Returns whether the system refuses to read or write the ledger, or another process holds it: nothing is wrong with what is
    /// in its place.
    fn is_of_the_system(&self) -> bool {
        match self {
            Self::UnreadableLog { .. } | Self::Undeleted { .. } => true,
            // What has no number of the system is said by this program, of something else in the place of the ledger.
            Self::Io { source, .. } => source.raw_os_error().is_some(),
            Self::Sqlite { source, .. } => is_unwritable(source) || is_busy(source),
            _ => false,
        }
    }

    /// Returns what caused it, where that says more than the message.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Newer { .. } | Self::Foreign { .. } | Self::Unsafe { .. } | Self::UnreadableLog { .. } => None,
            Self::Damaged { cause, .. }
            | Self::Undeleted { cause, .. }
            | Self::Shared { cause, .. }
            | Self::Refused { cause, .. }
            | Self::Unreachable { cause, .. } => Some(cause.clone()),
            Self::Io { source, .. } | Self::Shortage { source, .. } => Some(source.to_string()),
            Self::Sqlite { source, .. } => Some(source.to_string()),
        }
    }

    /// Returns message and cause as one sentence.
    pub(crate) fn sentence(&self) -> String {
        self.cause().map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Newer { .. } => "update llm, or set LLM_DATA_DIR to another directory".into(),
            Self::Foreign { .. } => "set LLM_DATA_DIR to a directory of your own".into(),
            Self::Damaged { .. } => "the next call sets it aside and begins a new one".into(),
            Self::Unsafe { dir, why } => why.hint(&dir.display().to_string()),
            Self::UnreadableLog { .. } => {
                "copy ledger.db and ledger.db-wal to a directory of your own, and set LLM_DATA_DIR to it".into()
            }
            Self::Undeleted { .. } => "run the command again when no other program reads the ledger".into(),
            Self::Unreachable { hint, .. } => (*hint).to_owned(),
            Self::Io { .. }
            | Self::Sqlite { .. }
            | Self::Shared { .. }
            | Self::Refused { .. }
            | Self::Shortage { .. } => return None,
        })
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (message, cause, advice) = (error.to_string(), error.cause(), error.hint());
        let of_the_system = error.is_of_the_system();
        let unusable = |message, cause, hint| match of_the_system {
            true => Error::Storage { message, cause, hint },
            false => Error::Config { message, cause, hint },
        };
        match error {
            StoreError::Unreachable { .. } => {
                Failure { cause, advice: advice.map(Into::into), ..Failure::new(FailureKind::Network, message) }.into()
            }
            StoreError::Shortage { source, .. } => Error::system(message, &source),
            StoreError::Io { source, .. } if Error::is_shortage(&source) => Error::system(message, &source),
            StoreError::Sqlite { source, .. } => match shortage(&source) {
                Some(shortage) => Error::system(message, &shortage),
                None => unusable(message, cause, advice),
            },
            _ => unusable(message, cause, advice),
        }
    }
}

/// What the system has too little of, where that is the cause. SQLite does not tell it from a file that may not be opened.
fn shortage(error: &rusqlite::Error) -> Option<io::Error> {
    /// The database, its log, their index, their directory, and what the library opens for a moment.
    const FILES: usize = 8;
    match error.sqlite_error_code()? {
        ErrorCode::OutOfMemory => Some(io::ErrorKind::OutOfMemory.into()),
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => resources::check_files(FILES).err(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: StoreError) -> u8 {
        Error::from(error).exit_code()
    }

    #[test]
    fn what_the_system_refuses_is_no_mistake_of_the_config() {
        use rusqlite::ffi;
        let path = Path::new("ledger.db");
        let of_sqlite = |number| rusqlite::Error::SqliteFailure(ffi::Error::new(number), None);
        for (number, expected) in [
            (ffi::SQLITE_FULL, 74),
            (ffi::SQLITE_IOERR_WRITE, 74),
            (ffi::SQLITE_READONLY, 74),
            (ffi::SQLITE_CANTOPEN, 74),
            (ffi::SQLITE_PERM, 74),
            (ffi::SQLITE_BUSY, 74),
            (ffi::SQLITE_NOMEM, 71),
            (ffi::SQLITE_CORRUPT, 3),
            (ffi::SQLITE_NOTADB, 3),
        ] {
            assert_eq!(code(StoreError::sqlite(path, of_sqlite(number))), expected, "{number}");
        }
        let path = path.to_owned();
        assert_eq!(code(StoreError::io(&path, io::Error::other("it is not a file"))), 3);
        assert_eq!(code(StoreError::UnreadableLog { path: path.clone() }), 74);
        assert_eq!(code(StoreError::Undeleted { path: path.clone(), count: 1, cause: String::new() }), 74);
        assert_eq!(
            [code(StoreError::Foreign { path: path.clone() }), code(StoreError::Newer { path, found: 99 })],
            [3, 3]
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_the_system_refuses_of_a_file_is_no_mistake_of_the_config() {
        use rustix::io::Errno;
        for (errno, expected) in [
            (Errno::FBIG, 74),
            (Errno::NOSPC, 74),
            (Errno::ROFS, 74),
            (Errno::NOTDIR, 74),
            (Errno::ACCESS, 74),
            (Errno::MFILE, 71),
        ] {
            assert_eq!(code(StoreError::io(Path::new("ledger.db"), errno.into())), expected, "{errno:?}");
        }
    }
}
