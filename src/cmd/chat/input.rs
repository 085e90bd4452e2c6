//! Where the lines of a chat come from: a terminal, on which they can be edited, or a pipe.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::time::{Duration, Instant};

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Cmd, ColorMode, CompletionType, Config, Editor, KeyCode, KeyEvent, Modifiers};
#[cfg(unix)]
use rustyline::{ConditionalEventHandler, Event, EventContext, EventHandler, RepeatCount};

use super::words::Words;
use crate::cmd::at_prompt::at_prompt;
#[cfg(unix)]
use crate::cmd::at_prompt::will_be_stopped;
use crate::cmd::{Context, terminal_env};
use crate::error::Error;
use crate::input;
use crate::private;
use crate::report::chat::{PROMPT_LEFT, Prompt};
use crate::report::term::wait_until_written;
use crate::run::Notices;

/// The longest line of a pipe, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// The largest history that is read, in bytes: more than its prompts will ever take.
const LARGEST_HISTORY: u64 = 16 << 20;
/// How many prompts the history keeps.
const LONGEST_HISTORY: usize = 1000;

pub(super) enum Input {
    Terminal {
        editor: Box<Editor<Words, FileHistory>>,
        history: Option<PathBuf>,
        /// What the terminal is told when a signal ends the process at a prompt.
        last: &'static str,
    },
    Pipe,
}

/// What is said of [`Line::NotText`].
pub(super) const NOT_TEXT: &str = "what was typed or pasted is not UTF-8, and was dropped with all that came after it";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// What was typed or pasted is no UTF-8. It is dropped, with all that came after it.
    NotText,
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the end of the pipe.
    End,
}

impl Input {
    /// The input of this process. `history` names the file that keeps prompts for the next chat.
    ///
    /// # Errors
    /// Lines come from a terminal, and answers do not go to one.
    pub(super) fn open(context: &Context, history: Option<PathBuf>) -> Result<Self, Error> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Pipe);
        }
        if !context.terminal.stdout.tty {
            let hint = "`llm ask` writes an answer to a pipe or file; a chat takes its prompts from a pipe as well";
            return Err(Error::usage_hint("a chat needs a terminal for its answers", hint));
        }
        let mut editor = editor().map_err(unreadable)?;
        let history = history.filter(|path| is_usable(context, path));
        if let Some(path) = &history {
            // A history that is not there yet is empty.
            _ = editor.load_history(path);
        }
        let history = history.filter(|path| can_keep(context, path));
        let last = if terminal_env(&context.settings.env).term_dumb { "\n" } else { PROMPT_LEFT };
        Ok(Self::Terminal { editor: Box::new(editor), history, last })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// From now on, these words are completed.
    pub(super) fn offer(&mut self, words: Words) {
        if let Self::Terminal { editor, .. } = self {
            editor.set_helper(Some(words));
        }
    }

    /// Puts a prompt into the history.
    pub(super) fn remember(&mut self, text: &str) {
        let Self::Terminal { editor, history, .. } = self else { return };
        // A chat goes on without a history.
        if editor.add_history_entry(text).unwrap_or(false)
            && let Some(path) = history
        {
            _ = editor.append_history(path);
        }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// The terminal or the pipe cannot be read, or what was said before cannot be written.
    pub(super) fn next(&mut self, prompt: &Prompt) -> Result<Line, Error> {
        let line = match self {
            Self::Pipe => return next_of_pipe(),
            Self::Terminal { editor, last, .. } => {
                // The editor changes the mode of the terminal, for which the system waits until everything is written, and hears
                // no signal.
                wait_until_written()?;
                if let Some(words) = editor.helper_mut() {
                    words.prompt.clone_from(&prompt.coloured);
                }
                at_prompt(last, || editor.readline(prompt.plain.as_str()))
            }
        };
        match line {
            Ok(line) => {
                let line = line.replace("\\\n", "\n");
                if !line.trim().is_empty() && prompt.is_kept {
                    self.remember(&line);
                }
                Ok(Line::Text(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.drop_typed()?;
                Ok(Line::NotText)
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Drops what was typed and not read, also what the editor has taken in already. The rest of a text that was pasted must not be
    /// sent as prompts.
    ///
    /// # Errors
    /// The terminal does not stop sending, or cannot be read.
    fn drop_typed(&mut self) -> Result<(), Error> {
        let Self::Terminal { editor: old, .. } = self else { return Ok(()) };
        drop_unread().map_err(|source| Error::Input { path: "the terminal".into(), source })?;
        let mut new = editor().map_err(unreadable)?;
        std::mem::swap(new.history_mut(), old.history_mut());
        new.set_helper(old.helper_mut().map(std::mem::take));
        **old = new;
        Ok(())
    }
}

/// A line editor without a history.
fn editor() -> rustyline::Result<Editor<Words, FileHistory>> {
    let config = Config::builder().max_history_size(LONGEST_HISTORY)?;
    // The editor shows lines through `harmless` in this mode alone. The prompt has its colours from the style of the output.
    let config = config.color_mode(ColorMode::Forced);
    let config = config.completion_type(CompletionType::List).auto_add_history(false).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Words::default()));
    // Not Ctrl-J as well: an Enter that is typed during an answer arrives as that.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    #[cfg(unix)]
    editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Stop)));
    Ok(editor)
}

/// Ctrl-Z.
#[cfg(unix)]
struct Stop;

#[cfg(unix)]
impl ConditionalEventHandler for Stop {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        will_be_stopped();
        Some(Cmd::Suspend)
    }
}

fn unreadable(error: ReadlineError) -> Error {
    Error::system("the terminal cannot be read", &io::Error::other(error))
}

/// Drops what comes from the terminal until nothing has come for a moment. Nothing of it acts meanwhile, as Ctrl-C would.
///
/// # Errors
/// It does not stop, or cannot be read.
#[cfg(unix)]
fn drop_unread() -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    /// A paste over a slow connection has gaps.
    const MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 150_000_000 };
    /// No paste takes longer.
    const LONGEST: Duration = Duration::from_secs(10);
    let stdin = rustix::stdio::stdin();
    let before = tcgetattr(stdin)?;
    let mut raw = before.clone();
    raw.make_raw();
    tcsetattr(stdin, OptionalActions::Now, &raw)?;
    let end = Instant::now() + LONGEST;
    let mut dropped = [0; 4096];
    let outcome = loop {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&MOMENT)) {
            Ok(0) => break Ok(()),
            Ok(_) if Instant::now() > end => {
                let message = "what comes is not UTF-8, and does not stop";
                break Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Ok(_) => match rustix::io::read(stdin, &mut dropped) {
                Ok(0) => break Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => break Err(error.into()),
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => break Err(error.into()),
        }
    };
    tcsetattr(stdin, OptionalActions::Now, &before)?;
    outcome
}

/// The console gives UTF-16, and what does not make sense of it is rare.
#[cfg(not(unix))]
fn drop_unread() -> io::Result<()> {
    Ok(())
}

fn next_of_pipe() -> Result<Line, Error> {
    let fails = |source| Error::Input { path: "standard input".into(), source };
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes).map_err(fails)?;
    if read as u64 > LONGEST_LINE {
        return Err(Error::usage(format!("a line of stdin is longer than {} MiB", LONGEST_LINE >> 20)));
    }
    if read == 0 {
        return Ok(Line::End);
    }
    let text = String::from_utf8(bytes).map_err(|error| fails(io::Error::other(error)))?;
    Ok(Line::Text(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Whether the history in this file may be read and added to: nobody else can have put it there or can read it, and it is a file
/// that fits into memory.
fn is_usable(context: &Context, path: &Path) -> bool {
    let of_dir = path.parent().and_then(|dir| private::exposed_dir(dir).ok()?);
    let exposed = of_dir.or_else(|| private::exposed(path));
    let why_not = match exposed {
        Some((place, why)) => Some(format!("{} {why}", place.display())),
        None => input::check(path, LARGEST_HISTORY).err().map(|error| format!("{}: {error}", path.display())),
    };
    if let Some(why) = &why_not {
        not_kept(context, why);
    }
    why_not.is_none()
}

/// Whether the history can be kept in this file: it is made for this user alone.
fn can_keep(context: &Context, path: &Path) -> bool {
    let make = || -> io::Result<()> {
        if let Some(dir) = path.parent() {
            private::create_dir(dir)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(drop)
    };
    make().inspect_err(|error| not_kept(context, &error.to_string())).is_ok()
}

fn not_kept(context: &Context, why: &str) {
    context.notice(&format!("prompts are not kept for the next chat: {why}"));
}
