//! What the line editor of a chat knows: the words that Tab completes, how the prompt and the line look, and where a line ends.

use std::borrow::Cow;
use std::fs;
use std::path;

use rustyline::Helper;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use unicode_width::UnicodeWidthStr;

use super::command::{self, QUOTES};
use crate::report::escape;

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
    use rustyline::history::FileHistory;

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
