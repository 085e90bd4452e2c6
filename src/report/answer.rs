//! One answer as it arrives: its text goes to stdout, everything else to stderr.
//!
//! A terminal gets the text escaped and a line break after it. Anything else gets it byte for byte, and one line break
//! at the end if the model left it out, as of every tool that prints lines (`$(llm ask …)` drops it again).

use std::io::{self, Write};

use super::control_echo::ControlEchoOff;
use super::drawing::Drawing;
use super::notice::Notices;
use super::render::{self, LastRow, Markdown};
use super::term::{Output, Stderr, Stdout, Terminal, Text, output_error, write_now};
use super::{error, escape, format, notes};
use crate::call::{Event, RunEvent, Target};
use crate::chat::StreamEvent;
use crate::error::Error;
use crate::money::Usd;
use crate::record::{Attempt, Record, Status};

/// What is shown besides the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerOptions {
    /// Only errors go to stderr.
    pub quiet: bool,
    /// The line of figures follows the answer even if stderr is no terminal.
    pub stats: bool,
    /// What the model thinks goes to stderr.
    pub reasoning: bool,
}

/// Prints one answer while it arrives. It takes every batch of events, and in the end the record.
#[derive(Debug)]
pub struct Answer<O, E> {
    /// Of the two streams only one holds something that is not written yet, so the order is kept.
    out: Stream<O>,
    err: Stream<E>,
    options: AnswerOptions,
    notices: Notices,
    /// The live line, until something of the answer is shown.
    live: Option<Drawing>,
    /// Whether the text of the answer is shown here.
    shows_text: bool,
}

/// One of the standard streams, and what is collected for its next write.
#[derive(Debug)]
struct Stream<W> {
    to: W,
    output: Output,
    unwritten: Text,
    /// Whether the last line lacks its line break.
    line_is_open: bool,
    /// Whether a carriage return is held back. It is half a line break if the next piece begins with the other half.
    held_return: bool,
    /// Where the answer is rendered.
    rendering: Option<Rendering>,
}

/// An answer that is rendered while it arrives.
#[derive(Debug)]
struct Rendering {
    markdown: Markdown,
    row: LastRow,
    /// Whether the terminal is this process's own, which may be resized.
    is_own: bool,
    /// Keeps `^C` out of the row that is drawn again.
    _echo: Option<ControlEchoOff>,
}

impl Answer<Box<dyn Write>, Stderr> {
    /// For this process's own streams.
    pub fn streamed(terminal: &Terminal, options: AnswerOptions) -> Self {
        let mut answer: Self =
            Self::new(Box::new(Stdout::new()), Stderr::new(), terminal.stdout, terminal.stderr, options);
        if let Some(rendering) = &mut answer.out.rendering {
            rendering.is_own = true;
            rendering._echo = terminal.stdout.redraws.then(ControlEchoOff::new);
        }
        answer
    }

    /// For an answer that is written elsewhere when it is whole. Notices, and what the model thinks, are said as they come.
    pub fn without_text(terminal: &Terminal, options: AnswerOptions) -> Self {
        let stdout = Output::plain(terminal.stderr.columns);
        let answer = Self::new(Box::new(io::sink()), Stderr::new(), stdout, terminal.stderr, options);
        Self { shows_text: false, ..answer }
    }

    /// Shows that the model of this name is waited for, in a live line on stderr, until something of the answer is shown.
    #[must_use]
    pub fn with_live_line(self, label: &str, stderr: Output) -> Self {
        Self { live: Drawing::of_one_call(label.to_owned(), stderr).ok(), ..self }
    }
}

impl<O: Write, E: Write> Answer<O, E> {
    /// `stdout` and `stderr` say what `out` and `err` are.
    pub fn new(out: O, err: E, stdout: Output, stderr: Output, options: AnswerOptions) -> Self {
        let (mut out, err) = (Stream::new(out, stdout), Stream::new(err, stderr));
        out.rendering = stdout.renders().then(|| Rendering {
            markdown: Markdown::new(stdout.columns, stdout.style),
            row: LastRow::default(),
            is_own: false,
            _echo: None,
        });
        Self { out, err, options, notices: Notices::default(), live: None, shows_text: true }
    }

    /// Takes in what has happened since, and shows it with one write.
    ///
    /// # Errors
    ///
    /// stdout cannot be written. What stderr does not take is lost without an error.
    pub fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        if let Some(live) = &self.live {
            live.apply(events);
        }
        for event in events {
            match &event.event {
                Event::Stream(StreamEvent::TextDelta(text)) => self.text(text),
                Event::Stream(StreamEvent::ReasoningDelta(text)) if self.options.reasoning => self.thought(text)?,
                Event::Stream(_) => {}
                _ => {
                    if let Some(line) = self.notices.line(event) {
                        self.notice(&line)?;
                    }
                }
            }
        }
        self.flush()
    }

    /// Ends the answer: its last line break, the error if it is not complete, and the line of figures.
    ///
    /// # Errors
    ///
    /// As [`Answer::batch`].
    pub fn finish(&mut self, record: &Record) -> Result<(), Error> {
        self.live = None;
        self.err.flush_or_lose();
        self.out.end_text()?;
        if !record.tool_calls.is_empty() {
            self.notice(&tool_calls(record))?;
        }
        let stderr = self.err.output;
        match (&record.error, record.status) {
            (None, Status::Ok) => {}
            (_, Status::Interrupted) => self.notice("[interrupted]")?,
            (Some(failure), _) => self.say(error::call_failed(record, failure, self.notices.names(), &stderr))?,
            (None, _) => self.say(error::warning(&incomplete(record), &stderr))?,
        }
        if !self.options.quiet && (self.options.stats || stderr.tty) && has_figures(record) {
            self.say(error::figures(&stats(record), &stderr))?;
        }
        self.flush()
    }

    fn text(&mut self, text: &str) {
        let Some((held, text)) = self.out.take_in(text) else { return };
        if self.shows_text {
            self.live = None;
        }
        // A blank line parts the answer from what the model thought.
        self.err.end_line("\n\n");
        self.err.flush_or_lose();
        match &mut self.out.rendering {
            Some(rendering) => {
                rendering.markdown.push(held);
                rendering.markdown.push(text);
            }
            None => {
                self.out.unwritten += held;
                self.out.unwritten += text;
            }
        }
    }

    fn thought(&mut self, text: &str) -> Result<(), Error> {
        let Some((held, text)) = self.err.take_in(text) else { return Ok(()) };
        self.live = None;
        // Even where the thought ends with a line break, the answer does not follow at once.
        self.err.line_is_open = true;
        self.begin_on_stderr()?;
        // Colour ends with each piece, so that a stop at any moment does not leave the terminal dim.
        self.err.unwritten += self.err.output.style.dim([held, text].concat());
        Ok(())
    }

    fn notice(&mut self, line: &str) -> Result<(), Error> {
        if self.options.quiet { Ok(()) } else { self.say(error::notice(line, &self.err.output)) }
    }

    /// Whole lines go to stderr.
    fn say(&mut self, lines: Text) -> Result<(), Error> {
        self.err.end_line("\n");
        self.begin_on_stderr()?;
        self.err.unwritten += lines;
        Ok(())
    }

    /// Text on stderr begins a line where a terminal shows both streams. Elsewhere the answer gets no line break by it.
    fn begin_on_stderr(&mut self) -> Result<(), Error> {
        self.out.flush()?;
        if self.out.rendering.is_some() {
            return if self.err.output.tty { self.out.hide_row() } else { Ok(()) };
        }
        if self.out.output.tty && self.err.output.tty && std::mem::take(&mut self.out.line_is_open) {
            self.err.unwritten += "\n";
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        match &self.live {
            Some(live) if !self.err.unwritten.is_empty() => live.suspend(|| self.err.flush_or_lose()),
            _ => self.err.flush_or_lose(),
        }
        self.out.flush()
    }
}

impl<W: Write> Stream<W> {
    fn new(to: W, output: Output) -> Self {
        Self { to, output, unwritten: Text::new(), line_is_open: false, held_return: false, rendering: None }
    }

    /// Takes in a piece of text that may be cut anywhere. Returns what of it can be written now, and before it what was
    /// held back; None for an empty piece.
    fn take_in<'a>(&mut self, piece: &'a str) -> Option<(&'static str, &'a str)> {
        if piece.is_empty() {
            return None;
        }
        self.line_is_open = !piece.ends_with('\n');
        let held = if std::mem::take(&mut self.held_return) { "\r" } else { "" };
        self.held_return = self.output.tty && piece.ends_with('\r');
        Some((held, if self.held_return { &piece[..piece.len() - 1] } else { piece }))
    }

    /// Ends the line, if one is open.
    fn end_line(&mut self, end: &str) {
        if std::mem::take(&mut self.held_return) {
            // Together with a line break of ours it would be shown as one.
            self.unwritten += &*escape::terminal("\r");
        }
        if std::mem::take(&mut self.line_is_open) {
            self.unwritten += end;
        }
    }

    /// Ends the answer with a line break.
    fn end_text(&mut self) -> Result<(), Error> {
        if let Some(rendering) = &mut self.rendering {
            if std::mem::take(&mut self.held_return) {
                rendering.markdown.push("\r");
            }
            rendering.markdown.finish();
            self.line_is_open = false;
            return self.draw(false);
        }
        self.end_line("\n");
        Ok(())
    }

    /// Writes the lines that are final, and the row that may still change.
    fn draw(&mut self, with_row: bool) -> Result<(), Error> {
        let Some(rendering) = &mut self.rendering else { return Ok(()) };
        let columns = rendering.columns(&self.output);
        let done = rendering.markdown.take_done();
        let mut row = if with_row && self.output.redraws { rendering.markdown.preview() } else { Text::new() };
        if !LastRow::fits(&row, columns) {
            row = Text::new();
        }
        let frame = rendering.row.update(&done, row, columns);
        rendering.markdown.resize(columns);
        self.write(&frame)
    }

    /// Removes the row that may still change, so that other text can stand there. The next write shows it again.
    fn hide_row(&mut self) -> Result<(), Error> {
        let Some(rendering) = &mut self.rendering else { return Ok(()) };
        let columns = rendering.columns(&self.output);
        let erasing = rendering.row.erase(columns);
        self.write(&erasing)
    }

    /// Writes bytes that are safe for a terminal.
    fn write(&mut self, frame: &str) -> Result<(), Error> {
        if frame.is_empty() {
            return Ok(());
        }
        self.to.write_all(frame.as_bytes()).and_then(|()| self.to.flush()).map_err(output_error)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.rendering.is_some() {
            return self.draw(true);
        }
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let written = write_now(&mut self.to, &self.unwritten, self.output.tty);
        self.unwritten.clear();
        written
    }

    /// For stderr, which has no character that a terminal obeys, as [`say`](super::term::say) writes it. A command does not fail
    /// because its notices cannot be written.
    fn flush_or_lose(&mut self) {
        if !self.unwritten.is_empty() {
            _ = write_now(&mut self.to, &self.unwritten, true);
            self.unwritten.clear();
        }
    }
}

impl Rendering {
    /// The width of the terminal now.
    fn columns(&self, output: &Output) -> usize {
        if self.is_own && output.tty { output.stdout_now().columns } else { output.columns }
    }
}

/// A whole answer, ending with a line break.
pub fn whole(text: &str, out: &Output) -> Text {
    if out.renders() {
        return render::lines(text, out.columns, out.style).into_iter().map(|line| line + "\n").collect();
    }
    Text::from(text.strip_suffix('\n').unwrap_or(text)) + "\n"
}

/// Whether there is more to say of the call than that it failed.
fn has_figures(record: &Record) -> bool {
    let is_paid = record.cost.is_some_and(|cost| cost.usd > Usd::ZERO);
    let counts = [record.usage.input, record.usage.output];
    record.status == Status::Ok || record.timing.first_token.is_some() || is_paid || counts.iter().any(Option::is_some)
}

/// The parts of the line of figures: `openai/gpt-5.4-mini · first token 412 ms · total 1.9 s · 14 in, 9 out · 61 tok/s · $0.000177`
pub fn stats(record: &Record) -> Vec<String> {
    let timing = &record.timing;
    let mut parts = vec![answered_by(record)];
    if record.cached {
        parts.push(notes::cached(record));
    }
    let mut time = |label: &str, time| parts.extend(Option::map(time, |t| format!("{label} {}", format::duration(t))));
    time("connect", timing.connect);
    time("first thought", timing.first_reasoning);
    time("first token", timing.first_token);
    time("total", timing.total);
    let tokens = |count: Option<u64>| format::or_unknown(count, |n| n.to_string());
    parts.push(format!("{} in, {} out", tokens(record.usage.input), tokens(record.usage.output)));
    parts.extend(timing.tokens_per_second.map(|rate| format!("{} tok/s", format::rate(rate))));
    parts.push(record.cost.map_or_else(|| "cost unknown".into(), format::cost));
    parts
}

/// The model that answered, and the one that was asked for where that is another. It has its gateway where another one was asked
/// for the same model.
fn answered_by(record: &Record) -> String {
    let tried: Vec<Target> = record.attempts.iter().map(Attempt::target).collect();
    let is_twice = tried.iter().any(|target| target.gateway == record.gateway && target.is_twice(&tried));
    let gateway = if is_twice { format!("{}::", record.gateway) } else { String::new() };
    match &record.answered_by {
        Some(model) if !notes::is_same_model(&record.model, model) => {
            format!("{gateway}{model} (asked {})", record.model)
        }
        Some(model) => gateway + model,
        None => gateway + &record.model,
    }
}

fn incomplete(record: &Record) -> String {
    let reason = record.finish_reason.as_ref().map_or("no reason given", |reason| reason.as_str());
    format!("the answer is {}: {reason}", record.status.as_str())
}

/// Names the functions that the model calls: the first few of them, and of each as much as a line can hold.
fn tool_calls(record: &Record) -> String {
    const MOST: usize = 8;
    const LONGEST: usize = 64;
    let short = |name: &str| match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    };
    let names: Vec<String> = record.tool_calls.iter().take(MOST).map(|call| short(&call.name)).collect();
    let more = match record.tool_calls.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the model calls {}{more}; -o json shows the arguments", names.join(", "))
}

#[cfg(test)]
mod tests;
