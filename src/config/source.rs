//! The text of a config file, and errors that name the file and line of what is wrong in it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::names::suggestion;
use super::toml_text::{self, Mistake};
use crate::error::Error;
use crate::input::{self, Accept, NotText};
use crate::words;

/// The largest config file that is read, in bytes.
pub(super) const LARGEST_CONFIG: u64 = 2 << 20;

/// The most characters that a message shows of a name or a value, and the most that it has itself.
const LONGEST_QUOTE: usize = 200;
const LONGEST_MESSAGE: usize = 8_000;

/// Something in a config file that TOML allows and this program does not. [`Source::error`] adds file and line.
#[derive(Debug)]
pub(super) struct Problem {
    key: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// `key` leads to what is wrong, as `["gateway", "corp", "markup"]`; in an array it holds the index.
    pub(super) fn at<const N: usize>(key: [&str; N], message: impl Into<String>) -> Self {
        Self { key: key.map(str::to_owned).to_vec(), message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The problem of a part of the config that stands under `key`.
    pub(super) fn below<const N: usize>(self, key: [&str; N]) -> Self {
        Self { key: key.map(str::to_owned).into_iter().chain(self.key).collect(), ..self }
    }

    /// The error with what the message is about in front of it.
    pub(super) fn about(self, subject: &str) -> Self {
        Self { message: format!("{subject}: {}", self.message), ..self }
    }
}

/// An error without file and line, for settings that come from elsewhere.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Config { message: problem.message, cause: None, hint: problem.hint }
    }
}

/// What is wrong with the link in the place of the file or of its directory that leads nowhere, if there is one: whoever made it has a
/// config, with limits that must hold.
fn broken_link(path: &Path) -> Option<String> {
    let is_broken = |part: &&Path| {
        let leads_nowhere = || fs::metadata(part).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        fs::symlink_metadata(part).is_ok_and(|at| at.is_symlink()) && leads_nowhere()
    };
    let link = [Some(path), path.parent()].into_iter().flatten().find(is_broken)?;
    let target = fs::read_link(link).ok()?;
    Some(format!("{} is a link to {}, which is not there", link.display(), target.display()))
}

/// A config file. It may hold secret headers, so there is no `Debug`.
#[derive(Default)]
pub(super) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: with_default_gateway(text) }
    }

    /// The same path, from the directory of the file on.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().map_or_else(|| path.to_owned(), |dir| dir.join(path))
    }

    /// Reads the file. One that is `required` must be there.
    pub(super) fn read(path: &Path, required: bool) -> Result<Option<Self>, Error> {
        let error = match input::read_text(path, LARGEST_CONFIG, Accept::Files) {
            Ok(text) => return Ok(Some(Self::new(path, &text))),
            Err(error) if !required && input::is_absent(path, &error) => {
                let Some(why) = broken_link(path) else { return Ok(None) };
                return Err(Error::Config {
                    message: format!("cannot read the config file {}", path.display()),
                    cause: Some(why),
                    hint: Some("make that file, or remove the link".to_owned()),
                });
            }
            Err(error) => error,
        };
        let message = format!("cannot read the config file {}", path.display());
        if let Some(shortage) = Error::shortage(&message, &error) {
            return Err(shortage);
        }
        if let Some(NotText { line }) = error.get_ref().and_then(|error| error.downcast_ref()) {
            return Err(Error::config(format!("{}:{line}: the file is not UTF-8 text", path.display())));
        }
        Err(Error::Config {
            message,
            cause: Some(error.to_string()),
            hint: required.then(|| "LLM_CONFIG names this file".to_owned()),
        })
    }

    /// The values in the file.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        toml_text::from_toml(&self.text).map_err(|mistake| self.explain(&mistake))
    }

    /// The line, from 1, in which this byte is.
    pub(super) fn line(&self, at: usize) -> usize {
        toml_text::line(&self.text, at)
    }

    /// The error that names file and line of the problem: the line of its key, or of the innermost table around it that
    /// is in the file.
    pub(super) fn error(&self, problem: Problem) -> Error {
        let Problem { key, message, hint } = problem;
        let at = DeTable::parse(&self.text).ok().and_then(|table| find(&DeValue::Table(table.into_inner()), &key));
        Error::Config { message: format!("{}: {message}", self.place(at.map(|at| self.line(at)))), cause: None, hint }
    }

    /// The text, in which the default gateway is always `default_gateway`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file as messages name it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What stands between quotes in it, and between two quoted texts.
    pub(super) fn quoted(&self) -> impl Iterator<Item = &str> {
        self.text.split(['"', '\''])
    }

    /// File and line, as messages name them.
    pub(super) fn place(&self, line: Option<usize>) -> String {
        let path = self.path.display();
        line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}"))
    }

    fn explain(&self, mistake: &Mistake) -> Error {
        let place = self.place(mistake.line);
        // The message for an unknown key reads: unknown field `x`, expected one of `a`, `b`.
        let message = mistake.message.trim();
        let what = match message {
            // It may be a secret, as in `headers = "Bearer …"`.
            _ if message.starts_with("invalid type: string ") => Some("a text cannot stand here"),
            _ if message.starts_with("invalid type: map") => Some("a table cannot stand here"),
            _ if message.starts_with("invalid type: sequence") => Some("a list cannot stand here"),
            "recursion limit" | "cannot recurse further; max recursion depth met" => Some("it is nested too deep"),
            _ => None,
        };
        if let Some(what) = what {
            return Error::config(format!("{place}: {what}"));
        }
        let mut quoted = message.split('`').skip(1).step_by(2);
        let unknown = message.starts_with("unknown").then(|| quoted.next()).flatten();
        let hint = unknown.map(|unknown| suggestion(unknown, quoted, "known here"));
        let (message, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
        let message = message.replace("unknown field", "unknown key") + &wanted(expected);
        Error::Config { message: format!("{place}: {message}"), cause: None, hint }
    }
}

/// What belongs in the place of a wrong value, in words that follow it, by the type that the parser expected; empty where that is said
/// elsewhere.
fn wanted(expected: &str) -> String {
    let (least, type_name) = match expected.strip_prefix("a nonzero ") {
        Some(type_name) => (1, type_name),
        None => (0, expected),
    };
    let wanted = match type_name {
        "u8" => format!("a whole number from {least} to {}", u8::MAX),
        "u16" => format!("a whole number from {least} to {}", u16::MAX),
        "u32" => format!("a whole number from {least} to {}", u32::MAX),
        // TOML has no larger number.
        "u64" | "usize" => format!("a whole number, {least} or more,"),
        "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" => "a text".to_owned(),
        _ => return String::new(),
    };
    format!(", where {wanted} is wanted")
}

/// The error with the beginning alone of names and values that are very long.
pub(super) fn brief(error: Error) -> Error {
    let brief = |text: String| {
        let quote = |(index, part)| words::shortened(part, if index % 2 == 1 { LONGEST_QUOTE } else { usize::MAX });
        let parts: Vec<_> = text.split('`').enumerate().map(quote).collect();
        words::shortened(&parts.join("`"), LONGEST_MESSAGE).into_owned()
    };
    match error {
        Error::Config { message, cause, hint } => {
            Error::Config { message: brief(message), cause, hint: hint.map(brief) }
        }
        other => other,
    }
}

/// The byte at which the last part of `key` that exists begins.
fn find(value: &DeValue<'_>, key: &[String]) -> Option<usize> {
    let (first, rest) = key.split_first()?;
    let (at, inner) = match value {
        DeValue::Table(table) => {
            let (name, value) = table.iter().find(|(name, _)| name.get_ref() == first)?;
            (name.span().start, value)
        }
        DeValue::Array(values) => {
            let value = values.get(first.parse::<usize>().ok()?)?;
            (value.span().start, value)
        }
        _ => return None,
    };
    find(inner.get_ref(), rest).or(Some(at))
}

/// TOML lets a key be a string or a table, not both, yet `gateway = "corp"` above `[gateway.corp]` is what people
/// write. The former means `default_gateway`.
fn with_default_gateway(text: &str) -> String {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.trim_start();
        if key.starts_with('[') {
            break;
        }
        let value = key.strip_prefix("gateway").and_then(|rest| rest.trim_start().strip_prefix('='));
        if value.is_some_and(|value| value.trim_start().starts_with(['"', '\''])) {
            let at = start + (line.len() - key.len());
            return format!("{}default_{}", &text[..at], &text[at..]);
        }
        start += line.len();
    }
    text.to_owned()
}
