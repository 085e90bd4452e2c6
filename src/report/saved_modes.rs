//! The modes of this process's terminal, kept while something else changes them.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use super::control_echo::in_foreground;

/// The modes of the terminals that stdin and stderr are, as they were when this was made.
#[derive(Debug)]
pub struct SavedModes(Vec<(BorrowedFd<'static>, Termios)>);

impl SavedModes {
    /// Keeps the modes of this moment.
    pub fn save() -> Self {
        let modes = |stream| Some((stream, tcgetattr(stream).ok()?));
        Self([stdin(), stderr()].into_iter().filter_map(modes).collect())
    }

    /// Sets the modes as they were, and writes `last` to the terminal if it takes it at once. Nothing is done for a process in the
    /// background, which would be stopped for it, and whose terminal is used by another.
    pub fn restore(&self, last: &str) {
        if !in_foreground() {
            return;
        }
        for (stream, modes) in &self.0 {
            // A terminal that is gone needs no modes.
            _ = tcsetattr(stream, OptionalActions::Now, modes);
        }
        if let Some(terminal) = [stderr(), stdout()].into_iter().find(|stream| isatty(stream)) {
            const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
            let has_room = poll(&mut [PollFd::new(&terminal, PollFlags::OUT)], Some(&AT_ONCE)) == Ok(1);
            if has_room {
                _ = rustix::io::write(terminal, last.as_bytes());
            }
        }
    }
}
