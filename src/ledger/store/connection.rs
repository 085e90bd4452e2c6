//! Connections to the database file, and what they can do where it lies.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Mode;

pub(super) fn open_for_reading(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let connection = if immutable {
        // Nothing can be written, so nothing changes. Without this promise SQLite would fail to make the log's index.
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
    // SQLite opens the file when it is first read, so this read fails if the file cannot be used.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

pub(super) fn is_unwritable(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    matches!(code, Some(ReadOnly | CannotOpen | PermissionDenied | SystemIoFailure | DiskFull))
}

/// Asks SQLite for a write-ahead log, and returns whether it has one. A network drive has none: SQLite then names the journal
/// that it uses instead, or fails because processes cannot share the memory of the log's index. Neither is an error here.
///
/// Where several processes begin the same log, each may hold what another waits for. SQLite then fails at once, whatever its
/// timeout, so this tries again until the deadline.
pub(super) fn use_log(connection: &Connection, deadline: Instant) -> rusqlite::Result<bool> {
    /// The longest wait before the next try. It is random, so that two processes do not meet each time.
    const LONGEST_WAIT: Duration = Duration::from_millis(20);
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        return match mode {
            Ok(mode) => Ok(mode.eq_ignore_ascii_case("wal")),
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                thread::sleep(LONGEST_WAIT.mul_f64(fastrand::f64()));
                continue;
            }
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        };
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}
