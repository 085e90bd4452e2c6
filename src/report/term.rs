//! What standard output and standard error are, and the only functions that write to them.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;
use console::Term;

pub use super::text::{Style, Text};
use super::{escape, wrap};
use crate::error::{Error, SIGPIPE, STDOUT};

/// The width of a page where neither a terminal nor the environment says how wide it is.
const DEFAULT_COLUMNS: usize = 80;
const DEFAULT_ROWS: usize = 24;

/// What the environment says about terminals, read by the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalEnv {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set, not empty and not `0`.
    pub clicolor_force: bool,
    /// `TERM` is `dumb`.
    pub term_dumb: bool,
    /// `CI` is set, so that a terminal is most likely a log.
    pub ci: bool,
    /// The number in `COLUMNS`, which is used for output that is no terminal.
    pub columns: Option<u16>,
}

/// Both standard streams.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub stdout: Output,
    pub stderr: Output,
    /// Whether stderr is a terminal on which lines can be drawn again.
    pub live: bool,
}

impl Terminal {
    /// Finds out what the streams of this process are. On Windows it also makes consoles obey the sequences of colours.
    pub fn detect(color: ColorChoice, env: &TerminalEnv) -> Self {
        let (stdout, stderr) = (Term::stdout(), Term::stderr());
        let output = |term: &Term| {
            // On Windows, this question makes the console obey escape sequences. The answer is no where it cannot.
            let env = TerminalEnv {
                term_dumb: env.term_dumb || (cfg!(windows) && !term.features().colors_supported()),
                ..*env
            };
            (Output::new(term.is_term(), size(term), color, &env), env)
        };
        let ((stdout, _), (stderr, env)) = (output(&stdout), output(&stderr));
        Self { stdout, stderr, live: stderr.tty && !env.term_dumb && !env.ci }
    }
}

/// What reports are made for: a stream, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Whether it is a terminal.
    pub tty: bool,
    /// The width in cells, which is never 0.
    pub columns: usize,
    /// The height in lines, which is never 0.
    pub rows: usize,
    pub style: Style,
}

impl Output {
    /// A file or a pipe of this width, which gets no colours.
    pub fn plain(columns: usize) -> Self {
        Self { tty: false, columns: columns.max(1), rows: DEFAULT_ROWS, style: Style { on: false } }
    }

    /// A terminal of this width without colours.
    #[cfg(test)]
    pub fn terminal(columns: usize) -> Self {
        Self { tty: true, ..Self::plain(columns) }
    }

    fn new(tty: bool, size: Option<(usize, usize)>, color: ColorChoice, env: &TerminalEnv) -> Self {
        let default = (env.columns.filter(|columns| *columns > 0).map_or(DEFAULT_COLUMNS, usize::from), DEFAULT_ROWS);
        let (columns, rows) = size.filter(|_| tty).unwrap_or(default);
        Self { tty, columns, rows, style: Style { on: wants_color(tty, color, env) } }
    }

    /// The text as it will be written to this output, for reports that have to measure it.
    pub fn show<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.tty { escape::terminal(text) } else { Cow::Borrowed(text) }
    }
}

/// The flag decides, else `NO_COLOR`, else `CLICOLOR_FORCE`, else whether the stream is a terminal.
fn wants_color(tty: bool, color: ColorChoice, env: &TerminalEnv) -> bool {
    match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => !env.no_color && (env.clicolor_force || (tty && !env.term_dumb)),
    }
}

/// The text broken between words, where this process writes to a terminal. It begins `margin` cells from the left.
pub fn fit(text: &str, margin: usize, widest: usize) -> String {
    match size_of_stdout().or_else(size_of_stderr) {
        Some((columns, _)) => wrap::fill(text.split(' '), " ", columns.min(widest), (margin, margin)),
        None => text.to_owned(),
    }
}

/// Columns and rows of the terminal on stdout; `None` where stdout is no terminal or does not say.
fn size_of_stdout() -> Option<(usize, usize)> {
    size(&Term::stdout())
}

/// Columns and rows of the terminal on stderr; `None` where stderr is no terminal or does not say. They may change while a
/// command runs.
pub(super) fn size_of_stderr() -> Option<(usize, usize)> {
    size(&Term::stderr())
}

fn size(term: &Term) -> Option<(usize, usize)> {
    term.size_checked().map(|(rows, columns)| (columns.into(), rows.into()))
}

/// Standard output without a buffer, so that each write is one system call.
#[derive(Debug)]
pub(super) struct Stdout(());

impl Stdout {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Write for Stdout {
    // `io::stdout()` would divide each write at its last line break, which makes two system calls of one.
    #[cfg(unix)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        let stdout = rustix::stdio::stdout();
        loop {
            match rustix::io::write(stdout, bytes) {
                // Another program that uses the same terminal may have made it non-blocking.
                Err(rustix::io::Errno::AGAIN) => _ = poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None)?,
                written => return Ok(written?),
            }
        }
    }

    #[cfg(not(unix))]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        stdout().flush()
    }
}

/// Standard error.
#[derive(Debug)]
pub struct Stderr(());

impl Stderr {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where text is written that has been escaped")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "this is where text is written that has been escaped")]
fn stderr() -> io::Stderr {
    io::stderr()
}

/// Writes the text to standard output, and flushes it.
///
/// # Errors
///
/// As [`output_error`] says.
pub fn print(text: Text) -> Result<(), Error> {
    write_now(&mut Stdout(()), &text, stdout().is_terminal())
}

/// Writes the text to standard error. Errors are ignored, because there is no other place to report them.
pub fn say(text: Text) {
    _ = stderr().write_all(text.shown(stderr().is_terminal()).as_bytes());
}

/// Writes the text and flushes it. Errors are those of standard output.
pub(super) fn write_now(out: &mut impl Write, text: &Text, is_terminal: bool) -> Result<(), Error> {
    out.write_all(text.shown(is_terminal).as_bytes()).and_then(|()| out.flush()).map_err(output_error)
}

/// What a failed write to standard output means. Where the reader has closed the pipe (`| head`), the command ends as if
/// SIGPIPE had ended it.
pub fn output_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::Signalled(SIGPIPE),
        _ => Error::Output { target: STDOUT.into(), source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_environment_then_the_stream() {
        let env = TerminalEnv::default();
        let no_color = TerminalEnv { no_color: true, clicolor_force: true, ..env };
        let force = TerminalEnv { clicolor_force: true, ..env };
        let dumb = TerminalEnv { term_dumb: true, ..env };
        for (tty, color, env, wanted) in [
            (true, ColorChoice::Auto, env, true),
            (false, ColorChoice::Auto, env, false),
            (true, ColorChoice::Auto, no_color, false),
            (false, ColorChoice::Auto, force, true),
            (true, ColorChoice::Auto, dumb, false),
            (false, ColorChoice::Always, no_color, true),
            (true, ColorChoice::Never, force, false),
        ] {
            assert_eq!(wants_color(tty, color, &env), wanted, "{tty} {color:?} {env:?}");
        }
    }

    #[test]
    fn a_page_has_a_width_whatever_happens() {
        let env = TerminalEnv { columns: Some(132), ..TerminalEnv::default() };
        let columns = |tty, size, env: &TerminalEnv| Output::new(tty, size, ColorChoice::Auto, env).columns;
        assert_eq!(columns(true, Some((100, 30)), &env), 100);
        assert_eq!(columns(false, None, &env), 132);
        assert_eq!(columns(true, None, &TerminalEnv::default()), 80);
        assert_eq!(columns(false, None, &TerminalEnv { columns: Some(0), ..env }), 80);
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
        let left = write_now(&mut Failing(io::ErrorKind::BrokenPipe), &"x".into(), false);
        assert!(matches!(left, Err(Error::Signalled(SIGPIPE))));
        let full =
            write_now(&mut Failing(io::ErrorKind::StorageFull), &"x".into(), false).expect_err("the disk is full");
        assert_eq!(full.exit_code(), 74);
    }
}
