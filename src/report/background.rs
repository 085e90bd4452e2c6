//! Writes to a standard stream or a device by a thread of its own, so that a reader that does not read holds up nothing else.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::words::count;

/// A write waits no longer than this for a reader. It is well below the 300 ms within which a signal ends a run.
pub(super) const WRITE_LIMIT: Duration = Duration::from_millis(50);

/// So many bytes are written at once, so that a reader that is slow can be told from one that does not read.
const PIECE: usize = 64 << 10;

/// The size of the thread's stack in bytes. The usual 2 MiB count where memory is limited, and it needs next to nothing.
const STACK: usize = 128 << 10;

/// What a [`BackgroundWriter`] writes to.
pub(super) trait WriteAll: Sync {
    /// Writes all of the bytes, and blocks until the reader has room for them.
    ///
    /// # Errors
    /// The system refuses, or the reader has left.
    fn write_all(&self, bytes: &[u8]) -> io::Result<()>;
}

/// A function that does it.
pub(super) type WriteFn = fn(&[u8]) -> io::Result<()>;

impl WriteAll for WriteFn {
    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self(bytes)
    }
}

/// How long the end of the output waits for its reader.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WriteLimit {
    /// For all that is left.
    Whole(Duration),
    /// While it takes nothing.
    Pause(Duration),
}

/// Writes to one stream. What its reader has not taken yet is kept, without a limit unless [`Self::keep_at_most`] sets one: in
/// a command, nearly all of it is part of the answers, which are kept until the end of the run anyway and whose size is limited.
#[derive(Debug)]
pub(super) struct BackgroundWriter<W = WriteFn> {
    to: W,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    has_thread: bool,
    waiting: Vec<u8>,
    /// The most bytes that wait. A write that would make them more is left out as a whole.
    most: usize,
    /// How many writes were left out since the thread last took what waits.
    left_out: u64,
    /// Whether the thread is writing what it has taken from `waiting`.
    is_writing: bool,
    /// Whether a write has waited in vain. Until everything is written, later ones do not wait.
    is_late: bool,
    /// Whether nobody waits any more, because the run ends, until [`BackgroundWriter::wait_until_written`] or another run.
    is_given_up: bool,
    /// How many pieces have been written.
    pieces: u64,
    /// The error of a write, until somebody has been told.
    error: Option<io::Error>,
}

impl State {
    fn is_busy(&self) -> bool {
        self.is_writing || !self.waiting.is_empty()
    }

    fn take_error(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

impl BackgroundWriter {
    /// Writes by this function.
    pub(super) const fn by(write: WriteFn) -> Self {
        Self::new(write)
    }
}

impl<W: WriteAll> BackgroundWriter<W> {
    pub(super) const fn new(to: W) -> Self {
        let state = State {
            has_thread: false,
            waiting: Vec::new(),
            most: usize::MAX,
            left_out: 0,
            is_writing: false,
            is_late: false,
            is_given_up: false,
            pieces: 0,
            error: None,
        };
        Self { to, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// What it writes to.
    pub(super) fn to(&self) -> &W {
        &self.to
    }

    /// Sets the most bytes that wait for the reader. What is left out is counted, and a line says so in its place.
    pub(super) fn keep_at_most(&self, most: usize) {
        self.lock().most = most;
    }

    /// Hands over these bytes, and waits until they are written, but for a short time only where the reader does not read.
    ///
    /// # Errors
    /// This or an earlier write has failed.
    pub(super) fn write(&'static self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.take_error()?;
        if !state.has_thread {
            let thread = thread::Builder::new().name("output".into()).stack_size(STACK);
            let thread = thread.spawn(|| self.write_what_waits());
            if thread.is_err() {
                return self.to.write_all(bytes);
            }
            state.has_thread = true;
        }
        if state.waiting.len().saturating_add(bytes.len()) > state.most {
            state.left_out += 1;
            return Ok(());
        }
        state.waiting.extend_from_slice(bytes);
        self.changed.notify_all();
        if !state.is_late {
            state = self.wait(state, Some(Instant::now() + WRITE_LIMIT));
            state.is_late = state.is_busy();
        }
        state.take_error()
    }

    /// Writes these bytes without the thread, which has nothing to write, and waits for the reader.
    ///
    /// # Errors
    /// The write has failed.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    /// How many bytes wait for the reader, besides those that are being written.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until everything is written, or until the limit has passed. Returns whether everything is written.
    ///
    /// # Errors
    /// A write has failed.
    pub(super) fn finish_within(&self, limit: Option<WriteLimit>) -> io::Result<bool> {
        match limit {
            None => self.finish(None),
            Some(WriteLimit::Whole(limit)) => self.finish(Some(Instant::now() + limit)),
            Some(WriteLimit::Pause(limit)) => self.finish_while_read(limit),
        }
    }

    /// Waits until everything is written, or until the deadline has passed: then nobody waits for it any more. Returns
    /// whether everything is written.
    ///
    /// # Errors
    /// A write has failed.
    pub(super) fn finish(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let mut state = self.wait(self.lock(), deadline);
        state.is_given_up |= state.is_busy();
        self.changed.notify_all();
        state.take_error()?;
        Ok(!state.is_busy())
    }

    /// The same for a reader that may be slow: waits until it has taken nothing for so long.
    ///
    /// # Errors
    /// A write has failed.
    fn finish_while_read(&self, patience: Duration) -> io::Result<bool> {
        loop {
            let before = self.lock().pieces;
            let deadline = Instant::now() + patience;
            let is_same = |state: &mut State| state.is_busy() && !state.is_given_up && state.pieces == before;
            let state = self
                .changed
                .wait_timeout_while(self.lock(), patience, is_same)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if !state.is_busy() || state.pieces == before {
                drop(state);
                return self.finish(Some(deadline));
            }
        }
    }

    /// Another run begins, at whose end is waited for everything.
    pub(super) fn take_up(&self) {
        self.lock().is_given_up = false;
    }

    /// Waits until everything is written, or nobody waits for it any more.
    pub(super) fn wait_for_turn(&self) {
        drop(self.wait(self.lock(), None));
    }

    /// Waits until everything is written, also where others do not wait for it any more.
    pub(super) fn wait_until_written(&self) {
        let waited = self.changed.wait_while(self.lock(), |state| state.is_busy());
        waited.unwrap_or_else(PoisonError::into_inner).is_given_up = false;
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, deadline: Option<Instant>) -> MutexGuard<'a, State> {
        let is_worth_it = |state: &mut State| state.is_busy() && !state.is_given_up;
        match deadline {
            None => self.changed.wait_while(state, is_worth_it).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let limit = deadline.saturating_duration_since(Instant::now());
                self.changed.wait_timeout_while(state, limit, is_worth_it).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// What the thread does. It is never joined: it may be blocked when the process ends.
    fn write_what_waits(&self) {
        let mut state = self.lock();
        loop {
            let is_idle = |state: &mut State| state.waiting.is_empty();
            state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
            let mut bytes = std::mem::take(&mut state.waiting);
            let left_out = std::mem::take(&mut state.left_out);
            if left_out > 0 {
                let messages = count(left_out, "message is", "messages are");
                bytes.extend_from_slice(
                    format!("{messages} missing here, because nobody read them in time\n").as_bytes(),
                );
            }
            state.is_writing = true;
            drop(state);
            let written = bytes.chunks(PIECE).try_for_each(|piece| {
                self.to.write_all(piece)?;
                self.lock().pieces += 1;
                self.changed.notify_all();
                Ok(())
            });
            state = self.lock();
            state.is_writing = false;
            if let Err(error) = written {
                state.error = Some(error);
                // Output never goes on after a gap.
                state.waiting.clear();
            }
            state.is_late &= state.is_busy();
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;

    #[test]
    fn a_write_waits_for_a_reader_that_reads_and_not_for_one_that_does_not() {
        /// How many more writes the reader has room for.
        static ROOM: Mutex<usize> = Mutex::new(1);
        static READ: Condvar = Condvar::new();
        static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        static WRITER: BackgroundWriter = BackgroundWriter::by(|bytes| {
            let room = ROOM.lock().expect("no panic");
            *READ.wait_while(room, |room| *room == 0).expect("no panic") -= 1;
            SEEN.lock().expect("no panic").extend_from_slice(bytes);
            Ok(())
        });
        WRITER.write(b"read, ").expect("written");
        assert_eq!(*SEEN.lock().expect("no panic"), b"read, ", "the write has waited");
        WRITER.write(b"unread, ").expect("handed over");
        let began = Instant::now();
        for _ in 0..100 {
            WRITER.write(b"x").expect("handed over");
        }
        assert!(began.elapsed() < 50 * WRITE_LIMIT, "a reader that is late is not waited for at each write");
        *ROOM.lock().expect("no panic") += 2;
        READ.notify_all();
        assert!(WRITER.finish(None).expect("no failure"));
        assert_eq!(SEEN.lock().expect("no panic").len(), b"read, unread, ".len() + 100);
    }

    /// Has room for nothing until it reads, and then for everything.
    struct Reader {
        reads: OnceLock<()>,
        seen: Mutex<Vec<u8>>,
    }

    impl Reader {
        const fn new() -> Self {
            Self { reads: OnceLock::new(), seen: Mutex::new(Vec::new()) }
        }

        fn read(&self) {
            self.reads.set(()).expect("set once");
        }

        fn seen(&self) -> String {
            String::from_utf8(self.seen.lock().expect("no panic").clone()).expect("text")
        }
    }

    impl WriteAll for Reader {
        fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
            self.reads.wait();
            self.seen.lock().expect("no panic").extend_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn what_nobody_waited_for_can_be_waited_for_later() {
        static WRITER: BackgroundWriter<Reader> = BackgroundWriter::new(Reader::new());
        WRITER.write(b"unread").expect("handed over");
        assert!(!WRITER.finish(Some(Instant::now())).expect("no failure"), "given up");
        WRITER.wait_for_turn();
        WRITER.take_up();
        assert!(!WRITER.finish(Some(Instant::now())).expect("no failure"), "waited for once more, and given up");
        WRITER.wait_for_turn();
        thread::scope(|scope| {
            scope.spawn(|| WRITER.to().read());
            WRITER.wait_until_written();
        });
        assert_eq!(WRITER.to().seen(), "unread");
    }

    #[test]
    fn what_waits_has_a_limit_and_a_line_says_how_much_is_missing() {
        static WRITER: BackgroundWriter<Reader> = BackgroundWriter::new(Reader::new());
        WRITER.keep_at_most(8);
        WRITER.write(b"taken\n").expect("handed over");
        // The thread has taken it, or else it waits still and leaves less room.
        drop(WRITER.changed.wait_while(WRITER.lock(), |state| !state.is_writing).expect("no panic"));
        for text in ["waits\n", "left out\n", "a\n", "b\n"] {
            WRITER.write(text.as_bytes()).expect("handed over");
        }
        WRITER.to().read();
        assert!(WRITER.finish(None).expect("no failure"));
        WRITER.write(b"later\n").expect("written");
        assert!(WRITER.finish(None).expect("no failure"));
        let seen = WRITER.to().seen();
        assert_eq!(seen, "taken\nwaits\na\n2 messages are missing here, because nobody read them in time\nlater\n");
    }

    #[test]
    fn a_slow_reader_is_waited_for_as_long_as_it_reads() {
        static ROOM: Mutex<usize> = Mutex::new(0);
        static READ: Condvar = Condvar::new();
        static WRITER: BackgroundWriter = BackgroundWriter::by(|_| {
            let room = ROOM.lock().expect("no panic");
            *READ.wait_while(room, |room| *room == 0).expect("no panic") -= 1;
            Ok(())
        });
        WRITER.write(&vec![b'x'; 4 * PIECE]).expect("handed over");
        let patience = Duration::from_secs(60);
        let read = || {
            for _ in 0..4 {
                *ROOM.lock().expect("no panic") += 1;
                READ.notify_all();
                thread::yield_now();
            }
        };
        let reading = thread::Builder::new().spawn(read).expect("a thread");
        assert!(WRITER.finish_while_read(patience).expect("no failure"), "all is taken");
        reading.join().expect("no panic");
        WRITER.write(b"more").expect("handed over");
        assert!(!WRITER.finish_while_read(Duration::from_millis(1)).expect("no failure"), "nothing is taken");
    }

    #[test]
    fn nobody_waits_for_what_was_given_up() {
        static NEVER: OnceLock<()> = OnceLock::new();
        static WRITER: BackgroundWriter = BackgroundWriter::by(|_| {
            NEVER.wait();
            Ok(())
        });
        WRITER.write(b"one").expect("handed over");
        let waiting = thread::Builder::new().spawn(|| WRITER.wait_for_turn()).expect("a thread");
        assert!(!WRITER.finish(Some(Instant::now())).expect("no failure"));
        waiting.join().expect("no panic");
    }

    #[test]
    fn a_failure_is_told_once_at_the_latest_at_the_end() {
        static BLOCKED: OnceLock<()> = OnceLock::new();
        static WRITER: BackgroundWriter = BackgroundWriter::by(|_| {
            BLOCKED.wait();
            Err(io::ErrorKind::StorageFull.into())
        });
        WRITER.write(b"one").expect("handed over");
        BLOCKED.set(()).expect("set once");
        assert_eq!(WRITER.finish(None).expect_err("it failed").kind(), io::ErrorKind::StorageFull);
        assert!(WRITER.finish(None).expect("it was told"));
        assert_eq!(WRITER.write(b"two").expect_err("it fails at once").kind(), io::ErrorKind::StorageFull);
    }
}
