//! Errors and notices as the user reads them: `error: …`, `  caused by: …`, `hint: …`.

use std::fmt::{Display, Write};

use super::term::Output;
use super::{format, notice};
use crate::error::{Error, Failure};
use crate::record::Record;

/// The error in the house format, ending with a line break; empty for what needs no words (a signal, or what has been
/// reported already).
pub fn error(error: &Error, out: &Output) -> String {
    match error {
        Error::Signalled(_) | Error::Reported { .. } => String::new(),
        error => house_format(&error.to_string(), error.cause().as_deref(), error.hint().as_deref(), out),
    }
}

/// The failure of one call, named by the model as it was asked for.
pub fn failure(label: &str, failure: &Failure, out: &Output) -> String {
    let message = format!("{label}: {}", with_status(failure));
    house_format(&message, failure.cause.as_deref(), failure.hint().as_deref(), out)
}

/// The failure of a recorded call; where several models were tried, with what each of them said.
pub fn call_failed(record: &Record, failure: &Failure, out: &Output) -> String {
    let mut text = self::failure(&record.model, failure, out);
    let targets = record.attempts.windows(2).any(|pair| pair[0].model != pair[1].model);
    for attempt in record.attempts.iter().filter(|_| targets) {
        if let Some(failure) = &attempt.error {
            let words = format!("{}: {}", attempt.model, notice::short(failure));
            let tried = out.style.dim("  tried");
            _ = writeln!(text, "{tried} {} ({})", indented(&words, out), format::duration(attempt.duration));
        }
    }
    text
}

/// Something the user should know that is no error.
pub fn notice(text: &str, out: &Output) -> String {
    format!("{}\n", out.style.dim(indented(text, out)))
}

/// Something that may be wrong, though the command goes on.
pub fn warning(text: &str, out: &Output) -> String {
    format!("{} {}\n", out.style.yellow("warning:"), indented(text, out))
}

/// The message, with the HTTP status where it does not name it itself.
pub(super) fn with_status(failure: &Failure) -> String {
    match failure.status {
        Some(status) if !failure.message.contains(&status.to_string()) => format!("{status} {}", failure.message),
        _ => failure.message.clone(),
    }
}

fn house_format(message: &str, cause: Option<&str>, hint: Option<&str>, out: &Output) -> String {
    let mut text = String::new();
    let mut part = |label: &dyn Display, words: &str| _ = writeln!(text, "{label} {}", indented(words, out));
    part(&out.style.red("error:"), message);
    if let Some(cause) = cause.filter(|cause| *cause != message) {
        part(&out.style.dim("  caused by:"), cause);
    }
    if let Some(hint) = hint {
        part(&out.style.cyan("hint:"), hint);
    }
    text
}

/// Safe to show, with further lines set in so that none can pass for a line of ours.
fn indented(text: &str, out: &Output) -> String {
    out.show(text.trim_end()).replace('\n', "\n    ")
}
