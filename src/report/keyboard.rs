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

/// A key that edits a line or moves in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    Char(char),
    Backspace,
    Enter,
    Up,
    Down,
    /// Escape, Ctrl-C or Ctrl-D.
    Leave,
    Other,
}

/// Waits for a key as [`key`] does.
///
/// # Errors
/// There is no terminal to read from.
pub(super) fn press() -> io::Result<Pressed> {
    Ok(match Term::stderr().read_key_raw()? {
        Key::CtrlC | Key::Escape | Key::Char('\u{4}') => Pressed::Leave,
        Key::Enter => Pressed::Enter,
        Key::Backspace => Pressed::Backspace,
        Key::ArrowUp | Key::Char('\u{10}') => Pressed::Up,
        Key::ArrowDown | Key::Char('\u{e}') => Pressed::Down,
        Key::Char(c) if !c.is_control() => Pressed::Char(c),
        _ => Pressed::Other,
    })
}

/// Waits for a key without showing it. It is read from the terminal also where stdin is a pipe. Blocks the thread.
/// While a [`Mode`] lives, no key is lost between two calls.
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

/// A terminal that gives each key at once, without showing it, Ctrl-C included. Dropping the value restores the mode in
/// which the terminal was.
#[derive(Debug)]
pub struct Mode {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Mode {
    /// Changes the mode of the terminal that stderr is. A key that is typed from now on is not lost.
    pub fn keys() -> Self {
        Self {
            #[cfg(unix)]
            before: unix::give_keys(),
        }
    }
}

#[cfg(unix)]
mod unix {
    use rustix::stdio::stderr;
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// Returns the mode before; `None` where it could not be changed.
    pub(super) fn give_keys() -> Option<Termios> {
        let before = tcgetattr(stderr()).ok()?;
        let mut keys = before.clone();
        keys.make_raw();
        // Line breaks are still written as usual.
        keys.output_modes = before.output_modes;
        tcsetattr(stderr(), OptionalActions::Now, &keys).ok().map(|()| before)
    }

    pub(super) fn restore(mode: &Termios) {
        // A terminal that is gone needs no mode.
        tcsetattr(stderr(), OptionalActions::Now, mode).ok();
    }
}

#[cfg(unix)]
impl Drop for Mode {
    fn drop(&mut self) {
        self.before.iter().for_each(unix::restore);
    }
}
