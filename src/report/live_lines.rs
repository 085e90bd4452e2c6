//! The live lines of a run: one for each call, as many as the terminal has room for. Where and when they are drawn is
//! the business of `progress`.

use std::collections::HashSet;
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;

use super::drawing::Rows;
use super::notice::{self, Names};
use super::term::{Style, Text};
use super::wrap::{most_cells as cells, most_cells_of as cells_of};
use super::{escape, format};
use crate::call::{Event, RunEvent};
use crate::chat::StreamEvent;
use crate::words::on_one_line;

/// At least this many bytes are kept of the end of each text. No line shows more.
const TAIL: usize = 1024;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// How long one frame of the spinner stays.
const FRAME_MS: u128 = 100;
/// How many cells the mark, the state and the time take beside the name, with the gaps and the free cell at the end.
const FIGURES: usize = 27;
/// How many cells the count takes, with the gap before it.
const COUNT: usize = 13;
/// How many cells of text stand behind the figures at least, with the gap before them, before names are cut for it.
const TEXT: usize = 18;
/// Names are cut to this at most.
const NAME: usize = 10;
/// On a terminal of fewer cells there is no count.
const WITH_COUNT: usize = 72;

/// The state of every call of a run.
#[derive(Debug)]
pub(super) struct LiveLines {
    calls: Vec<Call>,
    names: Names,
}

/// A line that is ready to be drawn.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) text: Text,
    /// The most cells that a terminal takes for it.
    pub(super) cells: usize,
}

#[derive(Debug)]
struct Call {
    label: String,
    state: State,
    /// When the first request was made. The time in the queue is not the model's time.
    began: Option<Duration>,
    ended: Option<Duration>,
    output_tokens: Option<u64>,
    characters: u64,
    tail: String,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Queued,
    Waiting,
    Thinking,
    Writing,
    /// The next request is made at this moment of the run.
    Retrying(Duration),
    Done,
    Failed(String),
}

impl LiveLines {
    pub(super) fn new(labels: Vec<String>) -> Self {
        let call = |label| Call {
            label,
            state: State::Queued,
            began: None,
            ended: None,
            output_tokens: None,
            characters: 0,
            tail: String::new(),
        };
        Self { calls: labels.into_iter().map(call).collect(), names: Names::default() }
    }

    /// The line of one call whose time begins with the run, so that waits before its first request count.
    pub(super) fn of_one(label: String) -> Self {
        let mut lines = Self::new(vec![label]);
        lines.calls[0].began = Some(Duration::ZERO);
        lines
    }
}

impl Rows for LiveLines {
    fn apply(&mut self, event: &RunEvent) {
        self.names.take(&event.event);
        let Some(call) = self.calls.get_mut(event.call) else { return };
        match &event.event {
            Event::Attempt { .. } => {
                call.began.get_or_insert(event.at);
                call.state = State::Waiting;
            }
            Event::Stream(StreamEvent::TextDelta(text)) => {
                call.state = State::Writing;
                call.append(text);
            }
            Event::Stream(StreamEvent::ReasoningDelta(text)) => {
                call.state = State::Thinking;
                call.append(text);
            }
            Event::Stream(StreamEvent::ToolCallStart { name, .. }) => {
                call.state = State::Writing;
                call.append(name);
            }
            Event::Stream(StreamEvent::ToolCallDelta { arguments, .. }) => call.append(arguments),
            Event::Stream(StreamEvent::Usage(usage)) => call.output_tokens = usage.output.or(call.output_tokens),
            Event::Retry { after, cause } => {
                call.restart(State::Retrying(event.at + *after));
                call.tail = notice::short(cause);
            }
            Event::Hedge { slow, to } => {
                let why = if slow.is_some() { "slow to begin, " } else { "" };
                call.tail = format!("{why}asking {} as well", self.names.of(to));
            }
            Event::Fallback { to, cause, .. } => {
                call.restart(State::Waiting);
                call.tail = format!("{}, trying {}", notice::short(cause), self.names.of(to));
            }
            Event::Done(result) => {
                call.ended = Some(event.at);
                call.state = match result {
                    Ok(()) => State::Done,
                    Err(failure) => State::Failed(notice::short(failure)),
                };
            }
            Event::Cached { .. } => {
                call.began.get_or_insert(event.at);
            }
            Event::Notice { .. }
            | Event::NotTried { .. }
            | Event::SeveralGateways { .. }
            | Event::Connected { .. }
            | Event::Headers { .. }
            | Event::Bytes { .. }
            | Event::Malformed { .. }
            | Event::Adjusted { .. }
            | Event::AttemptFailed { .. } => {}
            Event::Stream(_) => {}
        }
    }

    /// The last line counts the calls for which there is no room.
    fn rows(&self, now: Duration, columns: usize, rows: usize, style: Style) -> Vec<Row> {
        let count = if columns < WITH_COUNT { 0 } else { COUNT };
        let labels: Vec<_> = self.calls.iter().map(|call| escape::line(&call.label)).collect();
        let names = short_names(&labels, columns.saturating_sub(FIGURES + count + TEXT).max(NAME));
        let widest = names.iter().map(|name| cells(name)).max().unwrap_or(0);
        let (visible, hidden) = self.visible(rows);
        let row = |i: &usize| self.calls[*i].row(&names[*i], Widths { columns, name: widest, count }, now, style);
        let mut lines: Vec<Row> = visible.iter().map(row).collect();
        if !hidden.is_empty() {
            let text = start(&self.summary(&hidden), columns);
            lines.push(Row { cells: cells(&text), text: text.into() });
        }
        lines
    }
}

impl LiveLines {
    /// The calls that are shown in so many rows, in order, and the others. What still runs is shown first.
    fn visible(&self, rows: usize) -> (Vec<usize>, Vec<usize>) {
        let mut visible: Vec<usize> = (0..self.calls.len()).collect();
        if self.calls.len() <= rows {
            return (visible, Vec::new());
        }
        visible.sort_by_key(|i| (self.calls[*i].ended.is_some(), *i));
        let hidden = visible.split_off(rows.saturating_sub(1));
        visible.sort_unstable();
        (visible, hidden)
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

impl Call {
    fn append(&mut self, text: &str) {
        if self.characters == 0 && !self.tail.is_empty() {
            // A retry, a fallback or a further model has been named in the line. The answer follows it.
            self.tail.push(' ');
        }
        self.characters += text.chars().count() as u64;
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

    fn row(&self, name: &str, widths: Widths, now: Duration, style: Style) -> Row {
        let mark = match self.state {
            State::Queued => " ",
            State::Done => "✓",
            State::Failed(_) => "✗",
            _ => frame(now),
        };
        // Two cells for the mark. The last cell of a line stays free, since some terminals would wrap there.
        let room = widths.columns.saturating_sub(3);
        let mut figures = start(&self.figures(name, widths, now), room);
        let tail = match &self.state {
            State::Failed(reason) => escape::line(reason).into_owned(),
            State::Retrying(_) => escape::line(&self.tail).into_owned(),
            _ => one_line(&self.tail),
        };
        // Where there is no count, what went wrong may take its place.
        if cells(&figures) + 2 + cells(&tail) > room {
            figures.truncate(figures.trim_end().len());
        }
        let left = room.saturating_sub(cells(&figures) + 2);
        let tail = match &self.state {
            State::Failed(_) | State::Retrying(_) => start(&tail, left),
            _ => end(&tail, left),
        };
        let colored = match self.state {
            State::Done => style.green(mark),
            State::Failed(_) => style.red(mark),
            _ => style.cyan(mark),
        };
        let line = colored + " ";
        if tail.is_empty() {
            let figures = figures.trim_end();
            return Row { text: line + figures, cells: cells(mark) + 1 + cells(figures) };
        }
        let taken = cells(mark) + 1 + cells(&figures) + 2 + cells(&tail);
        Row { text: line + figures.as_str() + "  " + style.dim(tail), cells: taken }
    }

    /// The name, the state, the time and the count, in columns.
    fn figures(&self, name: &str, widths: Widths, now: Duration) -> String {
        let state = match &self.state {
            State::Queued => "queued".to_owned(),
            State::Waiting => "waiting".to_owned(),
            State::Thinking => "thinking".to_owned(),
            State::Writing => "writing".to_owned(),
            State::Retrying(until) => format!("retry in {}", clock(until.saturating_sub(now))),
            State::Done => "done".to_owned(),
            State::Failed(_) => "failed".to_owned(),
        };
        let elapsed = self.began.map(|began| self.ended.unwrap_or(now).saturating_sub(began));
        let time = elapsed.map_or_else(String::new, clock);
        let gap = " ".repeat(widths.name.saturating_sub(cells(name)));
        let figures = format!("{name}{gap} {state:<14} {time:>8}");
        if widths.count == 0 { figures } else { format!("{figures} {:>1$}", self.count(), widths.count - 1) }
    }

    fn count(&self) -> String {
        match self.output_tokens {
            Some(tokens) => format::count(tokens, "token", "tokens"),
            None if self.characters > 0 => format::count(self.characters, "char", "chars"),
            None => String::new(),
        }
    }
}

/// The line of a wait that is no call: what is waited for.
#[derive(Debug)]
pub(super) struct Wait(pub String);

impl Rows for Wait {
    fn apply(&mut self, _: &RunEvent) {}

    fn rows(&self, now: Duration, columns: usize, _: usize, style: Style) -> Vec<Row> {
        let time = format!(" {}", clock(now));
        // Two cells for the mark, and one that stays free.
        let text = start(&escape::line(&self.0), columns.saturating_sub(3 + cells(&time)));
        let words = start(&(text + &time), columns.saturating_sub(3));
        vec![Row { cells: 2 + cells(&words), text: style.cyan(frame(now)) + " " + words.as_str() }]
    }
}

/// The frame of the spinner that is shown now.
pub(super) fn frame(now: Duration) -> &'static str {
    SPINNER[(now.as_millis() / FRAME_MS) as usize % SPINNER.len()]
}

/// How many cells there are for a line and for its parts.
#[derive(Debug, Clone, Copy)]
struct Widths {
    columns: usize,
    name: usize,
    /// With the gap before it; 0 where there is no room for counts.
    count: usize,
}

/// The names in at most so many cells. What is too long loses its middle, since names of models differ at the end and
/// begin with their maker. No two names look alike: where they would, more is kept of one end, and if that does not part
/// them either, each gets its number.
pub(super) fn short_names(names: &[impl AsRef<str>], columns: usize) -> Vec<String> {
    let shares = [(1, 2), (1, 4), (3, 4)];
    let cut = shares.into_iter().map(|share| names.iter().map(|name| middle(name.as_ref(), columns, share)).collect());
    let are_apart = |short: &Vec<String>| short.iter().collect::<HashSet<_>>().len() == short.len();
    cut.into_iter().find(are_apart).unwrap_or_else(|| {
        let numbered = |(n, name): (usize, &_)| start(&format!("{} {}", n + 1, AsRef::<str>::as_ref(name)), columns);
        names.iter().enumerate().map(numbered).collect()
    })
}

/// The text without its middle where it does not fit; of the cells that are left, `share` are for its start.
fn middle(text: &str, columns: usize, share: (usize, usize)) -> String {
    if cells(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let first = room * share.0 / share.1;
    let head = fitting(text.graphemes(true), first);
    let tail = fitting(text[head..].graphemes(true).rev(), room - first);
    format!("{}…{}", &text[..head], &text[text.len() - tail..])
}

/// A time in seconds, however short, since a unit that changes while one watches is hard to read.
pub(super) fn clock(time: Duration) -> String {
    if time < Duration::from_secs(59) { format!("{:.1} s", time.as_secs_f64()) } else { format::duration(time) }
}

/// The text on one line, escaped, with single spaces for all white space.
fn one_line(text: &str) -> String {
    escape::terminal(&on_one_line(text)).into_owned()
}

/// As much of the start as fits, with `…` where something is missing. Only live lines are cut, never results.
pub(super) fn start(text: &str, columns: usize) -> String {
    if cells(text) <= columns {
        return text.to_owned();
    }
    let kept = fitting(text.graphemes(true), columns.saturating_sub(1));
    if columns > 0 { format!("{}…", &text[..kept]) } else { String::new() }
}

/// As much of the end as fits, with `…` where something is missing.
fn end(text: &str, columns: usize) -> String {
    if cells(text) <= columns {
        return text.to_owned();
    }
    let kept = fitting(text.graphemes(true).rev(), columns.saturating_sub(1));
    if columns > 0 { format!("…{}", &text[text.len() - kept..]) } else { String::new() }
}

/// How many bytes the first graphemes have that fit.
fn fitting<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> usize {
    let mut used = 0;
    let fits = |grapheme: &&str| {
        used += cells_of(grapheme);
        used <= columns
    };
    graphemes.take_while(fits).map(str::len).sum()
}

#[cfg(test)]
mod tests;
