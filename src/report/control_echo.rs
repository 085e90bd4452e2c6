//! Keeps a terminal from writing `^C` between live lines, which would move them from where they were drawn.

#[cfg(unix)]
use std::os::fd::AsFd;

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// While this lives, the terminal on stderr does not show the control characters that are typed.
#[derive(Debug)]
pub(super) struct ControlEchoOff {
    /// The terminal's modes before, where they were changed.
    #[cfg(unix)]
    before: Option<Termios>,
}

impl ControlEchoOff {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            before: turn_off(),
        }
    }
}

/// Returns the modes before, or None where they were not changed: live lines are less tidy then, but nothing fails.
#[cfg(unix)]
fn turn_off() -> Option<Termios> {
    let stderr = rustix::stdio::stderr();
    // A process in the background would be stopped for changing its terminal.
    if !in_foreground(stderr) {
        return None;
    }
    let before = tcgetattr(stderr).ok().filter(|modes| modes.local_modes.contains(LocalModes::ECHOCTL))?;
    let mut without = before.clone();
    without.local_modes.remove(LocalModes::ECHOCTL);
    tcsetattr(stderr, OptionalActions::Now, &without).ok()?;
    Some(before)
}

/// Also true where this is not the terminal that controls this process, which nothing is stopped for changing.
#[cfg(unix)]
pub(super) fn in_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == rustix::process::getpgrp())
}

#[cfg(unix)]
impl Drop for ControlEchoOff {
    fn drop(&mut self) {
        if let Some(before) = self.before.take().filter(|_| in_foreground(rustix::stdio::stderr())) {
            _ = tcsetattr(rustix::stdio::stderr(), OptionalActions::Now, &before);
        }
    }
}
