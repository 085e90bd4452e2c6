//! What an event loop needs of the system.

use std::io;

#[cfg(unix)]
use crate::error::Error;

/// Fails where the process may not have as many files open as an event loop needs: tokio would panic.
#[cfg(unix)]
pub(crate) fn check_room() -> io::Result<()> {
    const NEEDED: usize = 12;
    let files: io::Result<Vec<_>> = (0..NEEDED).map(|_| std::fs::File::open("/dev/null")).collect();
    room(files)
}

/// Whether there was room for these files. That there is no such file says nothing of it.
#[cfg(unix)]
fn room(opened: io::Result<Vec<std::fs::File>>) -> io::Result<()> {
    match opened {
        Err(error) if Error::is_shortage(&error) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn check_room() -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_a_full_table_of_files_keeps_the_event_loop_from_starting() {
        for full in [Errno::MFILE, Errno::NFILE] {
            room(Err(full.into())).expect_err("no room");
        }
        for missing in [Errno::NOENT, Errno::ACCESS] {
            room(Err(missing.into())).expect("a missing /dev/null is no reason");
        }
    }
}
