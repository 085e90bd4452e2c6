//! The modes of this process's terminal, kept while something else changes them.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use super::control_echo::in_foreground;

/// How long a prompt takes at most from its beginning until it changes the modes.
const LONGEST_START: Duration = Duration::from_millis(50);

/// The modes of the terminals that stdin and stderr are, as they were when this was made.
#[derive(Debug)]
pub struct SavedModes(Vec<(BorrowedFd<'static>, Termios)>);

impl SavedModes {
    /// Keeps the modes of this moment.
    pub fn save() -> Self {
        let modes = |stream| Some((stream, tcgetattr(stream).ok()?));
        Self([stdin(), stderr()].into_iter().filter_map(modes).collect())
    }

    /// Waits until something has changed the modes, if it does so within a moment: a prompt that has just begun would change them
    /// after [`Self::restore`].
    pub fn await_change(&self) {
        let end = Instant::now() + LONGEST_START;
        while self.is_used_here() && !self.are_changed() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sets the modes as they were, and writes `last` to the terminal if it takes it at once. Nothing is done for a process in the
    /// background, which would be stopped for it, and whose terminal is used by another.
    pub fn restore(&self, last: &str) {
        for (stream, modes) in self.0.iter().filter(|(stream, _)| in_foreground(stream)) {
            // A terminal that is gone needs no modes.
            _ = tcsetattr(stream, OptionalActions::Now, modes);
        }
        let terminal = [stderr(), stdout()].into_iter().find(|stream| isatty(stream));
        if let Some(terminal) = terminal.filter(|stream| in_foreground(stream)) {
            const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
            let mut room = [PollFd::new(&terminal, PollFlags::OUT)];
            if poll(&mut room, Some(&AT_ONCE)) == Ok(1) && room[0].revents().contains(PollFlags::OUT) {
                _ = rustix::io::write(terminal, last.as_bytes());
            }
        }
    }

    /// Whether this process is in the foreground of the terminals, or of those that tell.
    pub fn is_used_here(&self) -> bool {
        self.0.iter().all(|(stream, _)| in_foreground(stream))
    }

    fn are_changed(&self) -> bool {
        // All that waits for keys changes the local modes.
        let is_changed =
            |stream, before: &Termios| tcgetattr(stream).is_ok_and(|now| now.local_modes != before.local_modes);
        self.0.iter().any(|(stream, before)| is_changed(stream, before))
    }
}
