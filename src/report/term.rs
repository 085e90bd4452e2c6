//! What standard output and standard error are, and the only functions that write to them.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use clap::ColorChoice;
use console::Term;

pub(crate) use super::background::WriteLimit;
use super::background::{BackgroundWriter, WRITE_LIMIT};
pub use super::text::{Style, Text};
use super::{device, escape, wrap};
use crate::config::Render;
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
            Output::new(term.is_term(), size(term), color, &env)
        };
        let (stdout, stderr) = (output(&stdout), output(&stderr));
        Self { stdout, stderr, live: stderr.redraws }
    }
}

impl Terminal {
    /// The same with answers in Markdown shown in this way.
    #[must_use]
    pub fn rendering(mut self, render: Render) -> Self {
        if render != Render::Auto {
            self.stdout.render = render;
        }
        self
    }

    /// The same with the widths of this moment: a terminal may have been resized since.
    #[must_use]
    pub fn now(self) -> Self {
        Self { stdout: self.stdout.of_size(size_of_stdout()), stderr: self.stderr.of_size(size_of_stderr()), ..self }
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
    /// How answers in Markdown are shown.
    pub render: Render,
    /// Whether it is a terminal on which a row can be drawn again.
    pub redraws: bool,
}

impl Output {
    /// A file or a pipe of this width, which gets no colours.
    pub fn plain(columns: usize) -> Self {
        let style = Style { on: false };
        let render = Render::Auto;
        Self { tty: false, columns: columns.max(1), rows: DEFAULT_ROWS, style, render, redraws: false }
    }

    /// A terminal of this width without colours, on which answers are shown as they are.
    #[cfg(test)]
    pub fn terminal(columns: usize) -> Self {
        Self { tty: true, render: Render::Plain, ..Self::plain(columns) }
    }

    /// Whether answers in Markdown are rendered.
    pub fn renders(&self) -> bool {
        match self.render {
            Render::Auto => self.tty,
            Render::Markdown => true,
            Render::Plain => false,
        }
    }

    fn new(tty: bool, size: Option<(usize, usize)>, color: ColorChoice, env: &TerminalEnv) -> Self {
        let default = (env.columns.filter(|columns| *columns > 0).map_or(DEFAULT_COLUMNS, usize::from), DEFAULT_ROWS);
        let (columns, rows) = size.filter(|_| tty).unwrap_or(default);
        // A terminal without escape sequences shows text as it comes.
        let render = if env.term_dumb { Render::Plain } else { Render::Auto };
        let redraws = tty && !env.term_dumb && !env.ci;
        Self { tty, columns, rows, style: Style { on: wants_color(tty, color, env) }, render, redraws }
    }

    /// The same with this size, where it is a terminal that has one.
    fn of_size(self, size: Option<(usize, usize)>) -> Self {
        let (columns, rows) = size.filter(|_| self.tty).unwrap_or((self.columns, self.rows));
        Self { columns, rows, ..self }
    }

    /// What standard output is, with its width of this moment.
    pub(super) fn stdout_now(self) -> Self {
        self.of_size(size_of_stdout())
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
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if IN_BACKGROUND.load(Relaxed) { STDOUT_WRITER.write(bytes) } else { write_stdout(bytes) };
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        let written = if IN_BACKGROUND.load(Relaxed) { STDERR_WRITER.write(bytes) } else { write_stderr(bytes) };
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether threads write to the standard streams.
static IN_BACKGROUND: AtomicBool = AtomicBool::new(false);
static STDOUT_WRITER: BackgroundWriter = BackgroundWriter::by(|bytes| {
    // What `--out` names may be the same pipe.
    device::wait_for_turn();
    write_stdout(bytes)
});
static STDERR_WRITER: BackgroundWriter = BackgroundWriter::by(|bytes| {
    // Both may be the same terminal, or the same pipe: a notice must not stand in the middle of an answer.
    STDOUT_WRITER.wait_for_turn();
    write_stderr(bytes)
});

/// From now on a reader that does not read does not block whoever writes, so that signals and time limits are heard.
/// An error may then be told by a later write, or by [`finish_writing`]. What nobody waited for at the end of a run before is
/// waited for again.
pub(crate) fn write_in_background() {
    IN_BACKGROUND.store(true, Relaxed);
    STDOUT_WRITER.take_up();
    STDERR_WRITER.take_up();
}

/// Whether threads write, so that nobody is held up.
pub(super) fn is_in_background() -> bool {
    IN_BACKGROUND.load(Relaxed)
}

/// How many bytes of standard output, or of a device that `--out` names, wait for a reader, which does not read or is slower
/// than what is written.
pub(crate) fn unread() -> usize {
    STDOUT_WRITER.waiting() + device::unread()
}

/// The same for a server, which may run for months: of its messages that nobody reads, it keeps this many bytes at most.
pub(crate) fn write_in_background_at_most(bytes: usize) {
    STDERR_WRITER.keep_at_most(bytes);
    write_in_background();
}

/// Waits until everything is written to both streams and to devices, or until the limit has passed; then only what stands on
/// standard error is given a moment more. Returns whether everything is written. If so, later writes block again.
///
/// # Errors
/// Standard output or a device could not be written.
pub(crate) fn finish_writing(limit: Option<WriteLimit>) -> Result<bool, Error> {
    let devices = device::finish(limit);
    // Both may have the same reader, which has had its time.
    let limit = if matches!(devices, Ok(false)) { limit.map(|_| WriteLimit::Whole(WRITE_LIMIT)) } else { limit };
    let stdout =
        STDOUT_WRITER.finish_within(limit).map_err(output_error).and_then(|is_written| Ok(is_written && devices?));
    // Talk that nobody can hear is no failure.
    let stderr = STDERR_WRITER.finish(limit.map(|_| Instant::now() + WRITE_LIMIT)).unwrap_or(true);
    let is_written = stderr && *stdout.as_ref().unwrap_or(&true);
    IN_BACKGROUND.store(!is_written, Relaxed);
    stdout.map(|_| is_written)
}

/// Waits until everything is written to both streams, also what nobody waited for at the end of a run.
///
/// # Errors
/// Standard output could not be written.
pub(crate) fn wait_until_written() -> Result<(), Error> {
    STDOUT_WRITER.wait_until_written();
    STDERR_WRITER.wait_until_written();
    finish_writing(None).map(drop)
}

/// A stream that every process is given.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Whether the stream was closed when the process began.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);
static STDERR_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
ctor::declarative::ctor! {
    #[ctor(unsafe)]
    /// Finds out which streams are closed. It runs before `main`, because there Rust's runtime opens `/dev/null` in place of
    /// them, which cannot be told from a `/dev/null` that the caller chose: many programs open it in the same way for a child
    /// whose output they do not want.
    fn look_for_streams() {
        let is_closed = |stream| rustix::io::fcntl_getfd(stream) == Err(rustix::io::Errno::BADF);
        STDOUT_WAS_CLOSED.store(is_closed(rustix::stdio::stdout()), Relaxed);
        STDERR_WAS_CLOSED.store(is_closed(rustix::stdio::stderr()), Relaxed);
    }
}

/// Checks, before there is something to write, that a stream is open.
///
/// # Errors
/// It was closed when the process began.
pub(super) fn check_stream(stream: Stream) -> Result<(), Error> {
    is_open(stream).map_err(|error| match stream {
        Stream::Output => output_error(error),
        Stream::Error => Error::Output { target: "standard error".into(), source: error },
    })
}

fn is_open(stream: Stream) -> io::Result<()> {
    let was_closed = match stream {
        Stream::Output => &STDOUT_WAS_CLOSED,
        Stream::Error => &STDERR_WAS_CLOSED,
    };
    if was_closed.load(Relaxed) { Err(io::Error::other("it is closed")) } else { Ok(()) }
}

/// Writes all of it, and waits for the reader.
fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    is_open(Stream::Output)?;
    // Not `io::stdout()`: it cuts every write at the last line break, which makes two system calls of one.
    #[cfg(unix)]
    return write_to(rustix::stdio::stdout(), bytes);
    #[cfg(not(unix))]
    return stdout().write_all(bytes).and_then(|()| stdout().flush());
}

/// Writes all of it, and waits for the reader.
fn write_stderr(bytes: &[u8]) -> io::Result<()> {
    // Not `io::stderr()`: its lock would be held by a thread that is blocked.
    #[cfg(unix)]
    return write_to(rustix::stdio::stderr(), bytes);
    #[cfg(not(unix))]
    return stderr().write_all(bytes);
}

#[cfg(unix)]
fn write_to(stream: std::os::fd::BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            // Another program that shares the terminal may have made it non-blocking.
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&stream, PollFlags::OUT)], None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is where text is written that has been escaped")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[cfg(not(unix))]
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

/// Writes the text to standard error. What is said there is for people, who may read it on a terminal later, so it has no
/// character that a terminal obeys, also in a file. Errors are ignored, because there is no other place to report them.
pub fn say(text: Text) {
    _ = write_now(&mut Stderr(()), &text, true);
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
