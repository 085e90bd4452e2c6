//! The live lines of a run, as plain text: one for each call, as many as the terminal has room for.

use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;

use super::term::{Style, Text};
use super::{escape, format, notice, wrap};
use crate::call::{Event, RunEvent};
use crate::chat::StreamEvent;
use crate::error::Failure;

/// Of the end of each text, this many bytes are kept at least: more than a line ever shows.
const TAIL: usize = 1024;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// How long one frame of the spinner stays.
const FRAME_MS: u128 = 100;
/// What the state, the time and the count take beside the name.
const FIGURES: usize = 38;

/// The state of every call of a run.
#[derive(Debug)]
pub(super) struct Board {
    calls: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    label: String,
    state: State,
    /// When the first request was made; waiting for a free place in the queue is not the model's time.
    began: Option<Duration>,
    ended: Option<Duration>,
    output_tokens: Option<u64>,
    characters: usize,
    tail: String,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Queued,
    Waiting,
    Thinking,
    Writing,
    /// Until this moment of the run.
    Retrying(Duration),
    Done,
    Failed(String),
}

impl Board {
    pub(super) fn new(labels: Vec<String>) -> Self {
        let line = |label| Line {
            label,
            state: State::Queued,
            began: None,
            ended: None,
            output_tokens: None,
            characters: 0,
            tail: String::new(),
        };
        Self { calls: labels.into_iter().map(line).collect() }
    }

    pub(super) fn apply(&mut self, event: &RunEvent) {
        let Some(line) = self.calls.get_mut(event.call) else { return };
        match &event.event {
            Event::Attempt { .. } => {
                line.began.get_or_insert(event.at);
                line.state = State::Waiting;
            }
            Event::Stream(StreamEvent::TextDelta(text)) => {
                line.state = State::Writing;
                line.hear(text);
            }
            Event::Stream(StreamEvent::ReasoningDelta(text)) => {
                line.state = State::Thinking;
                line.hear(text);
            }
            Event::Stream(StreamEvent::ToolCallStart { name, .. }) => {
                line.state = State::Writing;
                line.hear(name);
            }
            Event::Stream(StreamEvent::ToolCallDelta { arguments, .. }) => line.hear(arguments),
            Event::Stream(StreamEvent::Usage(usage)) => line.output_tokens = usage.output.or(line.output_tokens),
            Event::Retry { after, cause } => {
                line.restart(State::Retrying(event.at + *after));
                line.tail = notice::short(cause);
            }
            Event::Hedge { to, .. } => line.tail = format!("slow to begin, asking {} as well", to.model),
            Event::Fallback { to, cause } => {
                line.restart(State::Waiting);
                line.tail = format!("{}, trying {}", notice::short(cause), to.model);
            }
            Event::Done(result) => {
                line.ended = Some(event.at);
                line.state = match result {
                    Ok(()) => State::Done,
                    Err(failure) => State::Failed(failure_text(failure)),
                };
            }
            Event::Cached { .. } => {
                line.began.get_or_insert(event.at);
            }
            Event::Notice { .. }
            | Event::Connected { .. }
            | Event::Headers { .. }
            | Event::Malformed { .. }
            | Event::Adjusted { .. }
            | Event::AttemptFailed { .. } => {}
            Event::Stream(_) => {}
        }
    }

    /// The lines as of `now` (since the run began), none wider than `columns`, at most `rows` of them: the calls that
    /// have no room are counted in the last line.
    pub(super) fn lines(&self, now: Duration, columns: usize, rows: usize, style: Style) -> Vec<Text> {
        let widest = self.calls.iter().map(|line| wrap::width(&escape::line(&line.label))).max().unwrap_or(0);
        let names = widest.min(columns.saturating_sub(FIGURES).max(8));
        let shown = if self.calls.len() <= rows { self.calls.len() } else { rows.saturating_sub(1) };
        // What is still going on is worth more than what is over.
        let mut order: Vec<usize> = (0..self.calls.len()).collect();
        if shown < self.calls.len() {
            order.sort_by_key(|i| (self.calls[*i].ended.is_some(), *i));
        }
        let (visible, hidden) = order.split_at(shown);
        let mut visible = visible.to_vec();
        visible.sort_unstable();
        let mut lines: Vec<Text> = visible
            .iter()
            .map(|i| {
                // Names that had to be cut could look alike: their places tell them apart.
                let line = &self.calls[*i];
                let label = escape::line(&line.label);
                let name =
                    if widest > names { start(&format!("{} {label}", i + 1), names) } else { label.into_owned() };
                line.text(&name, names, now, columns, style)
            })
            .collect();
        if !hidden.is_empty() {
            lines.push(start(&self.summary(hidden), columns).into());
        }
        lines
    }

    fn summary(&self, hidden: &[usize]) -> String {
        let count = |wanted: fn(&State) -> bool| hidden.iter().filter(|i| wanted(&self.calls[**i].state)).count();
        let done = count(|state| *state == State::Done);
        let failed = count(|state| matches!(state, State::Failed(_)));
        let queued = count(|state| *state == State::Queued);
        let running = hidden.len() - done - failed - queued;
        let parts: Vec<String> = [(running, "running"), (queued, "queued"), (done, "done"), (failed, "failed")]
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        format!("  and {} more: {}", hidden.len(), parts.join(", "))
    }
}

impl Line {
    fn hear(&mut self, text: &str) {
        if self.characters == 0 && !self.tail.is_empty() {
            // What was said of the way to the answer stands before it.
            self.tail.push(' ');
        }
        self.characters += text.chars().count();
        self.tail.push_str(text);
        if self.tail.len() > 2 * TAIL {
            let mut cut = self.tail.len() - TAIL;
            while !self.tail.is_char_boundary(cut) {
                cut += 1;
            }
            self.tail.drain(..cut);
        }
    }

    fn restart(&mut self, state: State) {
        self.state = state;
        self.characters = 0;
        self.output_tokens = None;
        self.tail.clear();
    }

    fn text(&self, name: &str, names: usize, now: Duration, columns: usize, style: Style) -> Text {
        let elapsed = self.began.map(|began| self.ended.unwrap_or(now).saturating_sub(began));
        let frame = SPINNER[(now.as_millis() / FRAME_MS) as usize % SPINNER.len()];
        let (mark, state) = match &self.state {
            State::Queued => (" ", "queued".to_owned()),
            State::Waiting => (frame, "waiting".to_owned()),
            State::Thinking => (frame, "thinking".to_owned()),
            State::Writing => (frame, "writing".to_owned()),
            State::Retrying(until) => (frame, format!("retry in {}", clock(until.saturating_sub(now)))),
            State::Done => ("✓", "done".to_owned()),
            State::Failed(_) => ("✗", "failed".to_owned()),
        };
        let time = elapsed.map_or_else(String::new, clock);
        let count = match self.output_tokens {
            Some(tokens) => format!("{tokens} tokens"),
            None if self.characters > 0 => format!("{} chars", self.characters),
            None => String::new(),
        };
        let figures = format!("{} {state:<14} {time:>8} {count:>12}", wrap::pad(name, names));
        // Two cells for the mark; the last cell of a line stays free, where some terminals would wrap.
        let figures = start(&figures, columns.saturating_sub(3));
        let room = columns.saturating_sub(3 + wrap::width(&figures) + 2);
        let tail = match &self.state {
            State::Failed(reason) => start(&escape::line(reason), room),
            State::Retrying(_) => start(&escape::line(&self.tail), room),
            _ => end(&one_line(&self.tail), room),
        };
        let mark = match self.state {
            State::Done => style.green(mark),
            State::Failed(_) => style.red(mark),
            _ => style.cyan(mark),
        };
        let line = mark + " ";
        if tail.is_empty() { line + figures.trim_end() } else { line + &figures + "  " + style.dim(tail) }
    }
}

/// A time that does not change its unit while it is watched.
fn clock(time: Duration) -> String {
    if time < Duration::from_secs(59) { format!("{:.1} s", time.as_secs_f64()) } else { format::duration(time) }
}

/// The text on one line, safe to show, with all white space made single spaces.
fn one_line(text: &str) -> String {
    escape::terminal(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

fn failure_text(failure: &Failure) -> String {
    notice::short(failure)
}

/// As much of the start as fits, with `…` where something is missing. For live lines alone: results are never cut.
fn start(text: &str, columns: usize) -> String {
    if wrap::width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += wrap::width(grapheme);
        if used > columns {
            break;
        }
        out.push_str(grapheme);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// As much of the end as fits.
fn end(text: &str, columns: usize) -> String {
    if wrap::width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += wrap::width(grapheme);
        if used > columns {
            break;
        }
        from = at;
    }
    if columns > 0 { format!("…{}", &text[from..]) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, ms, rate_limited};
    use super::*;
    use crate::call::Target;
    use crate::chat::Usage;

    const PLAIN: Style = Style { on: false };

    fn board(count: usize) -> Board {
        Board::new((0..count).map(|i| format!("model-{i}")).collect())
    }

    fn tell(board: &mut Board, call: usize, at: u64, event: Event) {
        board.apply(&RunEvent { call, at: ms(at), event });
    }

    /// The lines without colour.
    fn lines(board: &Board, now: u64, columns: usize, rows: usize) -> Vec<String> {
        board.lines(ms(now), columns, rows, PLAIN).iter().map(|line| line.shown(false).into_owned()).collect()
    }

    fn attempt() -> Event {
        Event::Attempt { target: Target { gateway: "g".into(), model: "m".into() } }
    }

    fn text(text: &str) -> Event {
        Event::Stream(StreamEvent::TextDelta(text.into()))
    }

    #[test]
    fn each_call_has_a_line_that_says_where_it_is() {
        let mut board = board(6);
        for call in 1..6 {
            tell(&mut board, call, 100, attempt());
        }
        tell(&mut board, 2, 200, Event::Stream(StreamEvent::ReasoningDelta("hm, let\nme".into())));
        tell(&mut board, 3, 300, text("Hello  there"));
        tell(&mut board, 3, 300, Event::Stream(StreamEvent::Usage(Usage { output: Some(12), ..Usage::default() })));
        tell(&mut board, 3, 400, Event::Done(Ok(())));
        tell(&mut board, 4, 300, Event::Retry { after: ms(1500), cause: rate_limited() });
        tell(&mut board, 5, 300, Event::Done(Err(rate_limited())));
        let lines = lines(&board, 800, 80, 20);
        assert_eq!(
            lines,
            [
                "  model-0 queued",
                "⠼ model-1 waiting           0.7 s",
                "⠼ model-2 thinking          0.7 s     10 chars  hm, let me",
                "✓ model-3 done              0.3 s    12 tokens  Hello there",
                "⠼ model-4 retry in 1.0 s    0.7 s               429 rate limited",
                "✗ model-5 failed            0.2 s               429 rate limited",
            ]
            .map(|line| line.replace('⠼', SPINNER[8]))
        );
    }

    #[test]
    fn a_fallback_starts_the_text_anew() {
        let mut board = board(1);
        tell(&mut board, 0, 0, attempt());
        tell(&mut board, 0, 0, text("lost"));
        let to = Target { gateway: "g".into(), model: "other".into() };
        tell(&mut board, 0, 100, Event::Fallback { to, cause: rate_limited() });
        assert!(lines(&board, 100, 80, 20)[0].ends_with("429 rate limited, trying other"));
    }

    #[test]
    fn calls_without_room_are_counted_and_running_ones_come_first() {
        let mut board = board(10);
        for call in 0..5 {
            tell(&mut board, call, 0, attempt());
            tell(&mut board, call, 10, Event::Done(if call == 0 { Err(rate_limited()) } else { Ok(()) }));
        }
        for call in 5..8 {
            tell(&mut board, call, 0, attempt());
        }
        let four = lines(&board, 20, 80, 4);
        assert_eq!(four.len(), 4);
        assert!(four[0].contains("model-5") && four[2].contains("model-7"), "{four:?}");
        assert_eq!(four[3], "  and 7 more: 2 queued, 4 done, 1 failed");
        assert_eq!(lines(&board, 20, 80, 1), ["  and 10 more: 3 running, 2 queued, 4 done, 1 failed"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_or_acts_on_it() {
        let mut board = Board::new(vec![HOSTILE.to_owned(), "日本語".repeat(30), "m".into(), "m".repeat(200)]);
        for call in 0..4 {
            tell(&mut board, call, 0, attempt());
            tell(&mut board, call, 1, text(&format!("{HOSTILE}\n\t日本語👩‍👩‍👧{}", "e\u{301}".repeat(2000))));
        }
        for columns in [1, 2, 5, 10, 20, 40, 80, 200] {
            for line in lines(&board, 100, columns, 10) {
                assert!(wrap::width(&line) <= columns.max(2), "{columns}: {line:?}");
                assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
            }
        }
    }

    #[test]
    fn long_names_that_must_be_cut_stay_apart() {
        let board = Board::new(vec![format!("{}-a", "m".repeat(90)), format!("{}-b", "m".repeat(90))]);
        let lines = lines(&board, 0, 60, 10);
        assert_ne!(lines[0], lines[1]);
    }

    #[test]
    fn memory_does_not_grow_with_the_answer() {
        let mut board = board(1);
        for _ in 0..10_000 {
            tell(&mut board, 0, 0, text("日本語 and more "));
        }
        assert!(board.calls[0].tail.capacity() < 8 * TAIL);
        assert_eq!(board.calls[0].characters, 130_000);
    }
}
