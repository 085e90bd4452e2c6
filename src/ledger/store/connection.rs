//! Connections to the database file, and what they can do where it lies.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Mode;

pub(super) fn open_for_reading(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let connection = if immutable {
        // Nobody can write, so nothing changes; without the promise SQLite would want to write a log.
        let mut url = url::Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
        url.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(url.as_str(), flags)?
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(Mode::ACCOUNT.timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    // The first read is what fails if anything does.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

pub(super) fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure)
    )
}

/// Asks for a write-ahead log; whether there is one. Where it cannot be had (a network drive), which is no reason to
/// fail, SQLite names the journal that it keeps to, or fails to share the log's memory.
pub(super) fn use_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    match mode {
        Ok(mode) => Ok(mode.eq_ignore_ascii_case("wal")),
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
