//! The progress of a running batch on stderr: one line that is drawn again on a terminal, and a line now and then elsewhere.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::error::FailureKind;
use crate::record::TotalCost;
use crate::report::error::notice;
use crate::report::term::{Output, Stderr, Terminal, Text, say};
use crate::report::{escape, format, wrap};

/// How often the line is drawn on a terminal, and how often a line is written elsewhere.
const DRAWN_EVERY: Duration = Duration::from_millis(100);
const WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// The rate is that of the answers of so long at least, as far as the run has lasted that long.
const RATE_OVER: Duration = Duration::from_secs(15);

/// How far a batch is.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Lines in the output, those of earlier runs included.
    pub done: u64,
    /// Rows × models; `None` while it is not known.
    pub total: Option<u64>,
    /// The part of this run's work that is done, from 0 to 1, where it is known.
    pub fraction: Option<f64>,
    /// Lines that this run has written.
    pub own: u64,
    pub cost: TotalCost,
    /// The kinds of failure with their numbers, the most frequent first.
    pub failures: Vec<(FailureKind, u64)>,
    /// How many calls run, and how many may run.
    pub running: (usize, usize),
}

/// Shows how far a batch is.
#[derive(Debug)]
pub struct BatchProgress {
    stderr: Output,
    is_live: bool,
    is_quiet: bool,
    began: Instant,
    shown: Option<Instant>,
    is_drawn: bool,
    /// When the window of the rate began, and how many lines there were then.
    window: (Instant, u64),
    /// The window before, which is long enough.
    before: (Instant, u64),
}

impl BatchProgress {
    /// Nothing is shown if `quiet`. A line is drawn again and again only where the terminal can do that.
    pub fn new(terminal: &Terminal, live: bool, quiet: bool) -> Self {
        let now = Instant::now();
        Self {
            stderr: terminal.stderr,
            is_live: live && terminal.live,
            is_quiet: quiet,
            began: now,
            shown: None,
            is_drawn: false,
            window: (now, 0),
            before: (now, 0),
        }
    }

    /// Whether it is time to show how far the batch is.
    pub fn is_due(&self) -> bool {
        let every = if self.is_live { DRAWN_EVERY } else { WRITTEN_EVERY };
        !self.is_quiet && self.shown.unwrap_or(self.began).elapsed() >= every
    }

    /// Shows how far the batch is.
    pub fn show(&mut self, standing: &Standing) {
        let now = Instant::now();
        self.shown = Some(now);
        if now.duration_since(self.window.0) >= RATE_OVER {
            self.before = self.window;
            self.window = (now, standing.own);
        }
        let rate = rate(self.before, now, standing.own);
        let left = time_left(standing, rate, now.duration_since(self.began));
        let figures = figures(standing, rate, left);
        if self.is_live {
            let line = fitting(&figures, self.stderr.columns.saturating_sub(1).max(20));
            draw(&self.stderr.style.dim(line));
            self.is_drawn = true;
        } else {
            say(notice(&figures.join(" · "), &self.stderr));
        }
    }

    /// Removes the line, so that something else can be printed.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            draw(&Text::new());
        }
    }
}

/// Writes the text over the line in which the cursor stands. What the terminal does not take is not drawn.
fn draw(text: &Text) {
    const ERASE_LINE: &str = "\x1b[K";
    _ = Stderr::new().write_all(format!("\r{ERASE_LINE}{}\r", text.shown(true)).as_bytes());
}

/// The lines a second since the beginning of the window; `None` where there is none yet.
fn rate(window: (Instant, u64), now: Instant, own: u64) -> Option<f64> {
    let seconds = now.duration_since(window.0).as_secs_f64();
    let lines = own.saturating_sub(window.1);
    (lines > 0 && seconds > 0.0).then(|| lines as f64 / seconds)
}

/// How long the rest will take: by the lines that are left and their rate, or by the part of the file that was read.
fn time_left(standing: &Standing, rate: Option<f64>, elapsed: Duration) -> Option<Duration> {
    let seconds = match (standing.total, standing.fraction) {
        (Some(total), _) => total.saturating_sub(standing.done) as f64 / rate?,
        (None, Some(fraction)) if fraction > 0.0 => elapsed.as_secs_f64() * (1.0 - fraction) / fraction,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The figures of the line, the most important first.
fn figures(standing: &Standing, rate: Option<f64>, left: Option<Duration>) -> Vec<String> {
    let mut figures = Vec::new();
    let done = format::thousands(standing.done);
    figures.push(match (standing.total, standing.fraction) {
        (Some(total), _) => {
            let percent = standing.done * 100 / total.max(1);
            format!("{done}/{}, {percent} %", format::thousands(total))
        }
        (None, Some(fraction)) => format!("{done}, {:.0} %", fraction * 100.0),
        (None, None) => format!("{done} done"),
    });
    figures.extend(rate.map(|rate| format!("{}/s", format::rate(rate))));
    figures.extend(left.map(|left| format!("{} left", format::duration(left))));
    figures.push(format::total_cost(standing.cost));
    if !standing.failures.is_empty() {
        let all: u64 = standing.failures.iter().map(|(_, count)| count).sum();
        let kinds: Vec<String> =
            standing.failures.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
        figures.push(format!("{} failed ({})", format::thousands(all), kinds.join(", ")));
    }
    let (running, limit) = standing.running;
    figures.push(format!("{running} of {limit} at once"));
    figures
}

/// As many of the figures as fit into a line of so many cells.
fn fitting(figures: &[String], columns: usize) -> String {
    let mut line = String::new();
    for figure in figures {
        let figure = escape::line(figure);
        let more = if line.is_empty() { figure.into_owned() } else { format!("{line} · {figure}") };
        if wrap::width(&more) > columns {
            break;
        }
        line = more;
    }
    line
}
