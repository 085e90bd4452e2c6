//! What is going on while several calls run: live lines on a terminal, plain ones elsewhere. All on stderr.

use std::fmt;

use super::drawing::{self, Drawing};
use super::live_lines::LiveLines;
use super::notice::{self, Notices};
use super::tally::Tally;
use super::term::{self, Output, Terminal, Text};
use super::{error, escape};
use crate::call::{Event, RunEvent};

/// Removes live lines for good, whoever draws them: what is printed next is the last of this process.
pub fn stop_live_lines() {
    drawing::stop();
}

/// Follows a run on stderr. It takes every batch of events.
pub struct Progress(Mode);

enum Mode {
    Silent,
    Lines(Lines),
    Live {
        drawing: Drawing,
        /// Where notices are written, above the lines; `None` where the command tells them itself.
        stderr: Option<Output>,
    },
}

impl Progress {
    /// For calls of these names, in their order. Nothing is shown if `quiet`; lines are live only where the terminal can
    /// draw them.
    pub fn new(labels: Vec<String>, terminal: &Terminal, quiet: bool) -> Self {
        if quiet {
            return Self(Mode::Silent);
        }
        let lines = || Box::new(LiveLines::new(labels.clone()));
        let live = if terminal.live { Drawing::start(lines(), terminal.stderr).ok() } else { None };
        let stderr = Some(terminal.stderr);
        Self(
            live.map_or_else(
                || Mode::Lines(Lines::new(labels, terminal.stderr)),
                |drawing| Mode::Live { drawing, stderr },
            ),
        )
    }

    /// Counts the calls of each of these models, of which each gets `of`, if that is known. A log gets nothing, since the
    /// command itself says at its end what failed.
    pub fn tally(labels: Vec<String>, of: Option<u64>, terminal: &Terminal, quiet: bool) -> Self {
        if quiet || !terminal.live {
            return Self(Mode::Silent);
        }
        let drawing = Drawing::start(Box::new(Tally::new(labels, of)), terminal.stderr);
        Self(drawing.map_or(Mode::Silent, |drawing| Mode::Live { drawing, stderr: None }))
    }

    /// For a command that names the calls that failed at its end, so that a log does not name them twice.
    pub fn without_failures(mut self) -> Self {
        if let Mode::Lines(lines) = &mut self.0 {
            lines.failures = false;
        }
        self
    }

    /// Takes in what has happened since.
    pub fn batch(&mut self, events: &[RunEvent]) {
        match &mut self.0 {
            Mode::Silent => {}
            Mode::Lines(lines) => {
                let text = lines.batch(events);
                if !text.is_empty() {
                    term::say(text);
                }
            }
            Mode::Live { drawing, stderr } => {
                if let Some(stderr) = stderr {
                    let told = events.iter().filter_map(|event| event.event.message());
                    let text: Text = told.fold(Text::new(), |text, message| text + error::notice(message, stderr));
                    if !text.is_empty() {
                        drawing.suspend(|| term::say(text));
                    }
                }
                drawing.apply(events);
            }
        }
    }

    /// Does something that prints while the live lines are removed.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Mode::Live { drawing, .. } => drawing.suspend(print),
            Mode::Silent | Mode::Lines(_) => print(),
        }
    }

    /// Removes the live lines for good. Dropping does the same, so the terminal is left clean however a run ends.
    pub fn clear(&mut self) {
        self.0 = Mode::Silent;
    }
}

/// A live line on stderr that says what is waited for and how long already. It is drawn from the first tick on, until this
/// is dropped, and leaves nothing behind.
#[derive(Debug)]
pub struct Waiting {
    _drawing: Drawing,
}

impl Waiting {
    /// Begins; `None` where the terminal cannot draw lines.
    pub fn start(text: &str, terminal: &Terminal) -> Option<Self> {
        let drawing = terminal.live.then(|| Drawing::of_wait(text.to_owned(), terminal.stderr).ok()).flatten()?;
        Some(Self { _drawing: drawing })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.0 {
            Mode::Silent => "silent",
            Mode::Lines(_) => "lines",
            Mode::Live { .. } => "live",
        };
        f.debug_tuple("Progress").field(&mode).finish()
    }
}

/// Progress for a log: a line for what went wrong, and nothing for what goes well.
struct Lines {
    labels: Vec<String>,
    notices: Notices,
    /// Whether a line names each call that failed.
    failures: bool,
    stderr: Output,
}

impl Lines {
    fn new(labels: Vec<String>, stderr: Output) -> Self {
        // The command itself says at its end that its only call failed.
        Self { failures: labels.len() > 1, labels, notices: Notices::default(), stderr }
    }

    fn batch(&mut self, events: &[RunEvent]) -> Text {
        let mut text = Text::new();
        for event in events {
            if let Some(line) = self.notices.line(event) {
                text += error::notice(&line, &self.stderr);
            }
            if let Event::Done(Err(failure)) = &event.event
                && self.failures
                && let Some(label) = self.labels.get(event.call)
            {
                let line = format!("{}: {}", escape::line(label), notice::short(failure));
                text += error::notice(&line, &self.stderr);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ms, rate_limited};
    use super::*;
    use crate::call::Target;
    use crate::chat::StreamEvent;

    fn events() -> Vec<RunEvent> {
        let target = || Target { gateway: "g".into(), model: "gpt".into() };
        [
            Event::Attempt { target: target() },
            Event::Retry { after: ms(500), cause: rate_limited() },
            Event::Attempt { target: target() },
            Event::Stream(StreamEvent::TextDelta("text".into())),
            Event::Done(Err(rate_limited())),
        ]
        .into_iter()
        .map(|event| RunEvent { call: 0, at: ms(5), event })
        .collect()
    }

    #[test]
    fn a_log_gets_lines_for_what_went_wrong_alone() {
        let labels = vec!["gpt".to_owned(), "other".to_owned()];
        let text = Lines::new(labels, Output::plain(80)).batch(&events()).to_string();
        assert_eq!(text, "gpt: 429 rate limited, trying again in 500 ms\ngpt: 429 rate limited\n");
    }

    #[test]
    fn the_failure_of_a_single_call_is_left_to_the_command() {
        let text = Lines::new(vec!["gpt".to_owned()], Output::plain(80)).batch(&events()).to_string();
        assert_eq!(text, "gpt: 429 rate limited, trying again in 500 ms\n");
    }

    #[test]
    fn live_lines_are_drawn_only_where_they_can_be() {
        let terminal = |live| Terminal { stdout: Output::plain(80), stderr: Output::plain(80), live };
        let mode = |live, quiet| format!("{:?}", Progress::new(vec!["m".into()], &terminal(live), quiet));
        assert_eq!(mode(false, false), "Progress(\"lines\")");
        assert_eq!(mode(true, true), "Progress(\"silent\")");
        assert_eq!(mode(false, true), "Progress(\"silent\")");
    }
}
