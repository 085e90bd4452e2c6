//! What the system must have left before a library is used that would panic without it, and threads for what may block.

use std::io;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use tokio::sync::oneshot;

#[cfg(unix)]
use crate::error::Error;

/// Fails where the process may not have as many files open as an event loop needs: tokio would panic.
pub(crate) fn check_event_loop() -> io::Result<()> {
    check_files(12)
}

/// Fails where the process may not open so many files more.
#[cfg(unix)]
pub(crate) fn check_files(needed: usize) -> io::Result<()> {
    room((0..needed).map(|_| std::fs::File::open("/dev/null")).collect())
}

#[cfg(not(unix))]
pub(crate) fn check_files(_needed: usize) -> io::Result<()> {
    Ok(())
}

/// Whether there was room for these files. That there is no such file says nothing of it.
#[cfg(unix)]
fn room(opened: io::Result<Vec<std::fs::File>>) -> io::Result<()> {
    match opened {
        Err(error) if Error::is_shortage(&error) => Err(error),
        _ => Ok(()),
    }
}

/// What a thread may take as it starts, in bytes: the usual stack, and far more than what it runs with when a signal comes and its
/// first pieces of memory. The standard library ends the process where it gets the one and not the other.
const THREAD: usize = 3 << 20;

/// Fails where the process may not have so much memory more in one piece.
fn check_memory(bytes: usize) -> io::Result<()> {
    let mut memory = Vec::<u8>::new();
    let reserved = memory.try_reserve_exact(bytes);
    // The compiler leaves out memory that nobody uses.
    std::hint::black_box(&memory);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Fails where the process may not have so many threads more at once: tokio would panic.
pub(crate) fn check_threads(needed: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        let wait = |runs: mpsc::Sender<()>| {
            drop(runs);
            drop(gate.lock());
        };
        // One after the other, so that none takes the memory with which another starts.
        let start = |_| {
            check_memory(THREAD)?;
            let (runs, running) = mpsc::channel();
            let thread = thread::Builder::new().spawn_scoped(scope, move || wait(runs))?;
            let _ended = running.recv();
            Ok(thread)
        };
        let started: Vec<io::Result<_>> = (0..needed).map(start).collect();
        drop(closed);
        // Until a thread is joined, its place may be taken.
        let joined = started.into_iter().map(|thread| thread.map(|thread| drop(thread.join())));
        joined.fold(Ok(()), Result::and)
    })
}

/// Does work that may block on a thread of its own, which is left alone when nobody waits for its result. tokio's threads for such
/// work are not used: where the system gives none, it panics, and it waits for them at its end.
///
/// # Errors
/// The system has no thread to give.
pub(crate) fn on_thread<T: Send + 'static>(
    thread: thread::Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    check_memory(THREAD)?;
    let (sender, done) = oneshot::channel();
    thread.spawn(move || sender.send(work()).ok())?;
    Ok(done)
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

    #[test]
    fn threads_that_are_only_looked_for_end() {
        check_threads(20).expect("twenty threads");
        check_threads(0).expect("none");
    }
}
