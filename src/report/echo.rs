//! Keeps a terminal from writing `^C` between live lines, which would then no longer be where they were drawn.

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// While this lives, the terminal on stderr shows no control characters that are typed.
#[derive(Debug)]
pub(super) struct Hushed {
    /// As the terminal was, if it had to be changed.
    #[cfg(unix)]
    before: Option<Termios>,
}

impl Hushed {
    #[cfg(unix)]
    pub(super) fn new() -> Self {
        Self { before: hush() }
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> Self {
        Self {}
    }
}

/// A terminal that cannot be changed is left as it is: what it shows is less tidy, that is all.
#[cfg(unix)]
fn hush() -> Option<Termios> {
    let stderr = rustix::stdio::stderr();
    // In the background, to change it would stop this process.
    if tcgetpgrp(stderr).is_ok_and(|foreground| foreground != rustix::process::getpgrp()) {
        return None;
    }
    let before = tcgetattr(stderr).ok().filter(|modes| modes.local_modes.contains(LocalModes::ECHOCTL))?;
    let mut hushed = before.clone();
    hushed.local_modes.remove(LocalModes::ECHOCTL);
    tcsetattr(stderr, OptionalActions::Now, &hushed).ok()?;
    Some(before)
}

#[cfg(unix)]
impl Drop for Hushed {
    fn drop(&mut self) {
        let stderr = rustix::stdio::stderr();
        let foreground = tcgetpgrp(stderr).map_or(true, |foreground| foreground == rustix::process::getpgrp());
        if let Some(before) = self.before.take().filter(|_| foreground) {
            _ = tcsetattr(stderr, OptionalActions::Now, &before);
        }
    }
}
