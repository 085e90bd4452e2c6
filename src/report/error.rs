//! Errors and notices as the user reads them: `error: …`, `  caused by: …`, `hint: …`.

use super::notice::{self, Names};
use super::term::{Output, Text};
use super::{escape, format, wrap};
use crate::adapter::mask_keys;
use crate::error::{Error, Failure};
use crate::record::{Attempt, Record};
use crate::words::shortened;

/// The most characters of a message. What it repeats of a file or of a gateway may be of any length.
const LONGEST: usize = 16 * 1024;

/// Further lines are set in by this many cells.
const INDENT: usize = 4;

/// The error with its cause and its hint, each on lines of its own. It is empty for a signal, of which the shell tells.
pub fn error(error: &Error, out: &Output) -> Text {
    match error {
        Error::Signalled(_) => Text::new(),
        error => what(&error.to_string(), error.cause().as_deref(), out) + hint(error.hint().as_deref(), out),
    }
}

/// The failure of a recorded call, with the model that was asked for. Where several models were tried, the message names the
/// one that failed in this way, and a line for each attempt says what became of it.
pub fn call_failed(record: &Record, failure: &Failure, names: &Names, out: &Output) -> Text {
    let several = record.attempts.windows(2).any(|pair| pair[0].target() != pair[1].target());
    let name = |attempt: &Attempt| names.of(&attempt.target());
    let attempts = || record.attempts.iter().filter(|_| several);
    let is_its = |error: &Failure| error.kind == failure.kind && error.message == failure.message;
    let failed = attempts().rev().find(|attempt| attempt.error.as_ref().is_some_and(is_its));
    let label = failed.map_or_else(|| record.model.clone(), name);
    let mut text = what(&format!("{label}: {}", notice::with_status(failure)), failure.cause.as_deref(), out);
    for attempt in attempts() {
        if let Some(failure) = &attempt.error {
            let words = format!("{}: {}", name(attempt), notice::short(failure));
            let words = format!("{words} ({})", format::duration(attempt.duration));
            text += labelled(out.style.dim("  tried"), &words, out);
        }
    }
    text + hint(failure.hint().as_deref(), out)
}

/// A line for what the user should know and that is no error.
pub fn notice(text: &str, out: &Output) -> Text {
    out.style.dim(indented(text, 0, out)) + "\n"
}

/// A line of figures. On a terminal it is broken between two figures, never inside of one.
pub fn figures(figures: &[String], out: &Output) -> Text {
    let shown: Vec<_> = figures.iter().map(|figure| out.show(figure)).collect();
    let columns = if out.tty { out.columns } else { usize::MAX };
    let text = wrap::fill(shown.iter().map(AsRef::as_ref), " · ", columns, (0, INDENT));
    out.style.dim(text) + "\n"
}

/// What is said where `llm` itself has a bug: the message and the place of a panic, and how it came there if that is known.
/// Whatever the message quotes is one line without control characters, on a pipe too: it is nobody's data.
pub fn bug(message: &str, place: &str, backtrace: Option<&str>) -> Text {
    let out = &Output::plain(usize::MAX);
    let backtrace = backtrace.map(|frames| Text::from(frames) + "\n").unwrap_or_default();
    what(&format!("llm has a bug: {}", escape::line(message)), Some(place), out)
        + backtrace
        + hint(Some("please report this bug with the lines above"), out)
}

/// A line for what may be wrong although the command continues.
pub fn warning(text: &str, out: &Output) -> Text {
    labelled(out.style.yellow("warning:"), text, out)
}

/// What went wrong, and what lies behind it.
fn what(message: &str, cause: Option<&str>, out: &Output) -> Text {
    let style = out.style;
    let cause = cause.filter(|cause| *cause != message);
    labelled(style.red("error:"), message, out)
        + cause.map(|cause| labelled(style.dim("  caused by:"), cause, out)).unwrap_or_default()
}

/// What the user can do about several failures, in a line each.
pub fn hints(hints: &[String], out: &Output) -> Text {
    hints.iter().fold(Text::new(), |text, words| text + hint(Some(words), out))
}

/// What the user can do, which is always the last line.
fn hint(hint: Option<&str>, out: &Output) -> Text {
    hint.map(|hint| labelled(out.style.cyan("hint:"), hint, out)).unwrap_or_default()
}

fn labelled(label: Text, words: &str, out: &Output) -> Text {
    let taken = label.width() + 1;
    label + " " + indented(words, taken, out).as_str() + "\n"
}

/// The text with what looks like a key masked, which people write where names belong, and with all lines but the first set in,
/// so that no line of a gateway's message looks like a line of ours. For a terminal, lines are broken between words; on the
/// first line, `taken` cells are not free.
fn indented(text: &str, taken: usize, out: &Output) -> String {
    let masked = mask_keys(text.trim_end());
    let short = shortened(&masked, LONGEST);
    let shown = out.show(&short);
    let margin = " ".repeat(INDENT);
    if !out.tty {
        return shown.replace('\n', &format!("\n{margin}"));
    }
    let starts = std::iter::once(taken).chain(std::iter::repeat(INDENT));
    let lines = shown.split('\n').zip(starts);
    let lines = lines.map(|(line, taken)| wrap::fill(line.split(' '), " ", out.columns, (taken, INDENT)));
    lines.collect::<Vec<_>>().join(&format!("\n{margin}"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, attempt, failed, rate_limited};
    use super::*;
    use crate::error::FailureKind;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let failure =
            Failure::new(FailureKind::Network, "cannot reach host.invalid").with_cause("dns error: no such host");
        assert_eq!(
            error(&Error::Call(failure), &Output::plain(80)),
            "error: cannot reach host.invalid\n  caused by: dns error: no such host\n\
             hint: `llm doctor` shows whether the gateway can be reached\n"
        );
    }

    #[test]
    fn the_status_is_named_once() {
        let text =
            |failure: &Failure| call_failed(&failed("m"), failure, &Names::default(), &Output::plain(80)).to_string();
        assert!(text(&rate_limited()).starts_with("error: m: 429 Rate limit exceeded\n"));
        let named = Failure::new(FailureKind::ServerError, "HTTP 500 from upstream").with_status(500);
        assert!(text(&named).starts_with("error: m: HTTP 500 from upstream\n"));
    }

    #[test]
    fn a_bug_is_said_on_lines_of_its_own_whatever_its_message_quotes() {
        assert_eq!(
            bug("quoted: \x1b[2J\nhint: run rm -rf", "src/run/mod.rs:9:5", None),
            "error: llm has a bug: quoted: ␛[2J ⏎ hint: run rm -rf\n  caused by: src/run/mod.rs:9:5\n\
             hint: please report this bug with the lines above\n"
        );
        let text = bug("", "x", Some("0: onekey::run")).to_string();
        assert!(text.contains("\n0: onekey::run\nhint: "), "{text}");
    }

    #[test]
    fn what_needs_no_words_gets_none() {
        assert_eq!(error(&Error::Signalled(2), &Output::plain(80)), "");
    }

    #[test]
    fn no_gateway_can_forge_a_line_or_a_colour() {
        let failure = Failure::new(FailureKind::ServerError, format!("{HOSTILE}\nhint: run rm -rf"));
        let text = error(&Error::Call(failure), &Output::terminal(80)).to_string();
        assert!(!text.contains(['\x1b', '\u{9b}', '\r', '\u{202e}']), "{text:?}");
        assert!(text.lines().all(|line| !line.starts_with("hint:")), "{text}");
    }

    #[test]
    fn a_terminal_breaks_lines_between_words_and_a_pipe_breaks_none() {
        let failure = Failure::new(FailureKind::Network, "cannot reach the gateway that litellm.example is");
        let text = |out| error(&Error::Call(failure.clone()), &out).to_string();
        let whole = "error: cannot reach the gateway that litellm.example is\n";
        assert!(text(Output::plain(40)).starts_with(whole));
        assert!(
            text(Output::terminal(40)).starts_with("error: cannot reach the gateway that\n    litellm.example is\n")
        );
        let figures = ["openai/gpt", "first token 9 ms", "total 434 ms"].map(str::to_owned);
        assert_eq!(
            super::figures(&figures, &Output::terminal(40)),
            "openai/gpt · first token 9 ms\n    total 434 ms\n"
        );
        assert_eq!(super::figures(&figures, &Output::plain(40)), "openai/gpt · first token 9 ms · total 434 ms\n");
    }

    #[test]
    fn a_chain_of_models_says_what_each_answered() {
        let mut record = failed("qwen");
        record.model = "reasoner".into();
        record.attempts.insert(0, attempt("deepseek", Some(429), Some(rate_limited())));
        assert_eq!(
            call_failed(&record, &rate_limited(), &Names::default(), &Output::plain(80)),
            "error: deepseek: 429 Rate limit exceeded\n  tried deepseek: 429 rate limited (900 ms)\n  \
             tried qwen: 503 overloaded (900 ms)\nhint: wait a moment, or allow more tries with --retries\n"
        );
    }

    #[test]
    fn a_message_without_measure_is_cut() {
        let message = "name ".repeat(1 << 20);
        for out in [Output::plain(80), Output::terminal(80)] {
            let text = error(&Error::usage_hint(message.as_str(), message.as_str()), &out).to_string();
            assert!(text.len() < 3 * LONGEST && text.trim_end().ends_with('…'), "{} bytes", text.len());
        }
    }

    #[test]
    fn the_model_that_is_named_is_the_one_whose_failure_it_is() {
        let mut record = failed("qwen");
        record.model = "reasoner".into();
        record.attempts.insert(0, attempt("deepseek", Some(429), Some(rate_limited())));
        let last = record.error.clone().expect("failed");
        let text = call_failed(&record, &last, &Names::default(), &Output::plain(80)).to_string();
        assert!(text.starts_with("error: qwen: 503 "), "{text}");
        let none_of_them = Failure::new(FailureKind::Refused, "the budget is spent");
        let text = call_failed(&record, &none_of_them, &Names::default(), &Output::plain(80)).to_string();
        assert!(text.starts_with("error: reasoner: the budget is spent\n"), "{text}");
    }

    #[test]
    fn colour_marks_the_label_alone() {
        let mut out = Output::terminal(80);
        out.style.on = true;
        assert_eq!(warning("careful", &out), "\x1b[33mwarning:\x1b[0m careful\n");
        assert_eq!(notice("by the way", &out), "\x1b[2mby the way\x1b[0m\n");
    }
}
