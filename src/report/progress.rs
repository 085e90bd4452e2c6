//! What is going on while several calls run: live lines on a terminal, plain ones elsewhere. All on stderr.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::board::Board;
use super::echo::Hushed;
use super::notice::{self, Notices};
use super::term::{self, Output, Terminal, Text};
use super::{error, escape};
use crate::call::{Event, RunEvent};

/// How often the live lines are drawn. Events alone draw nothing, so a token costs next to nothing.
const TICK: Duration = Duration::from_millis(100);

/// Follows a run on stderr. Hand it every batch of events.
pub struct Progress(Mode);

enum Mode {
    Silent,
    Lines(Lines),
    Live { bar: ProgressBar, shared: Arc<Mutex<Shared>>, _hushed: Hushed },
}

/// What the drawing thread reads.
struct Shared {
    board: Board,
    /// The instant from which the run's events count.
    began: Option<Instant>,
}

impl Progress {
    /// For calls of these names, in their order. Nothing is shown if `quiet`; live lines only where the terminal can
    /// draw them.
    pub fn new(labels: Vec<String>, terminal: &Terminal, quiet: bool) -> Self {
        if quiet {
            return Self(Mode::Silent);
        }
        if !terminal.live {
            return Self(Mode::Lines(Lines::new(labels, terminal.stderr)));
        }
        let shared = Arc::new(Mutex::new(Shared { board: Board::new(labels), began: None }));
        let stderr = terminal.stderr;
        let drawn = Arc::clone(&shared);
        let draw = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // A panic elsewhere leaves the board as it was, which can still be shown.
            let shared = drawn.lock().unwrap_or_else(PoisonError::into_inner);
            let now = shared.began.map_or(Duration::ZERO, |began| began.elapsed());
            let (columns, rows) = term::size_of_stderr().unwrap_or((stderr.columns, stderr.rows));
            // Two rows are left for what stands above, and for the cursor.
            let lines = shared.board.lines(now, columns, rows.saturating_sub(2).max(1), stderr.style);
            _ = out.write_str(&Text::join(lines, "\n").shown(true));
        };
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
        let Ok(style) = ProgressStyle::with_template("{board}") else {
            return Self(Mode::Silent);
        };
        bar.set_style(style.with_key("board", draw));
        bar.enable_steady_tick(TICK);
        Self(Mode::Live { bar, shared, _hushed: Hushed::new() })
    }

    /// For a command that says at its end what failed and why: a log is not told of it twice.
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
            Mode::Live { shared, .. } => {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                for event in events {
                    shared.began.get_or_insert_with(|| {
                        let now = Instant::now();
                        now.checked_sub(event.at).unwrap_or(now)
                    });
                    shared.board.apply(event);
                }
            }
        }
    }

    /// Does something that prints, with the live lines out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Mode::Live { bar, .. } => bar.suspend(print),
            Mode::Silent | Mode::Lines(_) => print(),
        }
    }

    /// Takes the live lines away, for good.
    pub fn clear(&mut self) {
        if let Mode::Live { bar, .. } = &self.0 {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
        self.0 = Mode::Silent;
    }
}

/// However a run ends, the terminal is left clean.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
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

/// Progress for a log: a line for what went wrong, nothing for what goes well.
struct Lines {
    labels: Vec<String>,
    notices: Notices,
    /// Whether it is for us to say that a call failed.
    failures: bool,
    stderr: Output,
}

impl Lines {
    fn new(labels: Vec<String>, stderr: Output) -> Self {
        // The failure of a single call is the command's own, and said at its end.
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
