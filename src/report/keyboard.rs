//! One key from the person at the terminal.

use std::io;

use console::{Key, Term};

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// A letter or another character, in lower case.
    Char(char),
    /// Ctrl-C.
    Interrupt,
    /// Another key.
    Other,
}

/// Waits for a key without showing it. It is read from the terminal also where stdin is a pipe. Blocks the thread, and changes
/// the mode of the terminal meanwhile: whoever does not wait for the end restores it by [`Mode`].
///
/// # Errors
/// There is no terminal to read from.
pub fn key() -> io::Result<Typed> {
    Ok(match Term::stderr().read_key_raw()? {
        Key::Char(c) => Typed::Char(c.to_lowercase().next().unwrap_or(c)),
        Key::CtrlC => Typed::Interrupt,
        _ => Typed::Other,
    })
}

/// The mode in which the terminal was. Dropping the value restores it.
#[derive(Debug)]
pub struct Mode {
    #[cfg(unix)]
    saved: Option<rustix::termios::Termios>,
}

impl Mode {
    /// The mode of the terminal that stderr is.
    pub fn save() -> Self {
        Self {
            #[cfg(unix)]
            saved: rustix::termios::tcgetattr(rustix::stdio::stderr()).ok(),
        }
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(saved) = &self.saved {
            // A terminal that is gone needs no mode.
            rustix::termios::tcsetattr(rustix::stdio::stderr(), rustix::termios::OptionalActions::Now, saved).ok();
        }
    }
}
