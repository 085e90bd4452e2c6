//! Where the lines of a chat come from: a terminal, on which they can be edited, or a pipe.

use std::borrow::Cow;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{self, Path, PathBuf};
#[cfg(unix)]
use std::time::{Duration, Instant};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, ColorMode, CompletionType, Config, Editor, Helper, KeyCode, KeyEvent, Modifiers};

use unicode_width::UnicodeWidthStr;

use super::command::{self, QUOTES};
use crate::cmd::Context;
use crate::error::Error;
use crate::input;
use crate::private;
use crate::report::chat::Prompt;
use crate::report::escape;
use crate::report::term::wait_until_written;
use crate::run::Notices;

/// The longest line of a pipe, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// The largest history that is read, in bytes: more than its prompts will ever take.
const LARGEST_HISTORY: u64 = 16 << 20;
/// How many prompts the history keeps.
const LONGEST_HISTORY: usize = 1000;

pub(super) enum Input {
    Terminal { editor: Box<Editor<Words, FileHistory>>, history: Option<PathBuf> },
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
        Ok(Self::Terminal { editor: Box::new(editor), history: history.filter(|path| can_keep(context, path)) })
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
        let Self::Terminal { editor, history } = self else { return };
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
            Self::Terminal { editor, .. } => {
                // The editor changes the mode of the terminal, for which the system waits until everything is written, and hears
                // no signal.
                wait_until_written()?;
                if let Some(words) = editor.helper_mut() {
                    words.prompt.clone_from(&prompt.coloured);
                }
                editor.readline(prompt.plain.as_str())
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
    Ok(editor)
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

/// What the line editor knows: the words to complete, and how the prompt looks.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) models: Vec<String>,
    pub(super) prompt: String,
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some((name, argument)) = line[..at].split_once(' ') else {
            return Ok((0, beginning_with(&line[..at], command::names())));
        };
        let start = at - argument.rsplit([',', ' ']).next().unwrap_or_default().len();
        match name {
            "/file" | "/save" | "/save!" => Ok(paths(argument.trim_start(), at)),
            "/system" => Ok(argument.trim_start().strip_prefix('@').map_or((at, Vec::new()), |path| paths(path, at))),
            "/model" | "/retry" | "/compare" => {
                Ok((start, beginning_with(&line[start..at], self.models.iter().cloned())))
            }
            _ => Ok((at, Vec::new())),
        }
    }
}

fn beginning_with(start: &str, words: impl Iterator<Item = String>) -> Vec<Pair> {
    let fitting = words.filter(|word| word.starts_with(start));
    // A list of the gateway may hold any characters.
    let safe = fitting.filter(|word| !word.contains(char::is_control));
    safe.map(|word| Pair { display: escape::terminal(word.trim_end()).into_owned(), replacement: word }).collect()
}

/// The files and directories whose path begins like this, and where in the line their names begin: `typed` ends `at` there.
/// Commands take a path as it stands, with its spaces, so nothing is escaped.
fn paths(typed: &str, at: usize) -> (usize, Vec<Pair>) {
    let (dir, name) = typed.split_at(typed.rfind(path::is_separator).map_or(0, |separator| separator + 1));
    let entries = fs::read_dir(if dir.is_empty() { "." } else { dir }).into_iter().flatten().flatten();
    let written = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        // A line has no spaces at its end, and goes on behind a backslash.
        let can_be_typed = name.trim() == name && !name.ends_with('\\');
        can_be_typed.then(|| if entry.path().is_dir() { format!("{name}{}", path::MAIN_SEPARATOR) } else { name })
    };
    let mut found = beginning_with(name, entries.filter_map(written));
    found.sort_by(|a, b| a.replacement.cmp(&b.replacement));
    (at - name.len(), found)
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let quotes = text.matches(QUOTES).count();
        let is_open = text.trim_start().starts_with(QUOTES) && quotes % 2 == 1;
        Ok(if is_open || text.ends_with('\\') { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// The line without what would act on the terminal, as wide as the editor takes it for: what has no width is left out. The
/// prompt that is sent has it all.
fn harmless(line: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| escape::is_unsafe(c) && c != '\n';
    if !line.contains(is_unsafe) {
        return line.into();
    }
    let shown = line.chars().filter_map(|c| match c {
        _ if !is_unsafe(c) => Some(c),
        _ if c.to_string().width() == 0 => None,
        _ => Some('\u{fffd}'),
    });
    shown.collect::<String>().into()
}

impl Highlighter for Words {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        harmless(line)
    }

    /// Whether the line is shown anew after a key. Otherwise the editor writes a character as it is.
    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        matches!(harmless(line), Cow::Owned(_))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        if default && !self.prompt.is_empty() { self.prompt.as_str().into() } else { prompt.into() }
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_completed_as_commands_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["my report.txt", "my (other) & 'last' one.txt", "my \u{1b}[31mred", "my end ", "my slash\\"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        fs::create_dir(dir.path().join("my own")).expect("made");
        let history = FileHistory::new();
        let context = rustyline::Context::new(&history);
        for command in ["/file ", "/file   ", "/save ", "/save! ", "/system @"] {
            let line = format!("{command}{}/my ", dir.path().display());
            let (start, found) = Words::default().complete(&line, line.len(), &context).expect("completed");
            let found: Vec<&str> = found.iter().map(|pair| pair.replacement.as_str()).collect();
            assert_eq!(found, ["my (other) & 'last' one.txt", "my own/", "my report.txt"], "{line}");
            assert_eq!(&line[start..], "my ");
        }
        for line in ["/system my", "/cost ", "/file /no/such/directory/a"] {
            assert!(Words::default().complete(line, line.len(), &context).expect("completed").1.is_empty(), "{line}");
        }
    }

    #[test]
    fn what_is_offered_shows_no_signs_of_direction() {
        let words = Words { models: vec!["a-\u{202e}b".into(), "a-\u{1b}[31m".into()], prompt: String::new() };
        let history = FileHistory::new();
        let found = words.complete("/model a", 8, &rustyline::Context::new(&history)).expect("completed").1;
        let found: Vec<_> = found.iter().map(|pair| (pair.display.as_str(), pair.replacement.as_str())).collect();
        assert_eq!(found, [(r"a-\u{202e}b", "a-\u{202e}b")]);
    }

    #[test]
    fn what_is_pasted_cannot_command_the_terminal_and_keeps_its_width() {
        for (line, shown) in
            [("plain ü 漢\nnext", "plain ü 漢\nnext"), ("a\u{202e}b\u{2066}c", "abc"), ("a\u{9b}31mb", "a\u{fffd}31mb")]
        {
            assert_eq!(harmless(line), shown);
            assert_eq!(harmless(line).width(), line.width());
            let words = Words::default();
            assert_eq!(words.highlight(line, 0), shown);
            assert_eq!(words.highlight_char(line, 0, CmdKind::Other), line != shown);
        }
    }
}
