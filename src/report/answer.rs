//! One answer as it arrives: text to stdout, talk to stderr.
//!
//! A terminal gets the text escaped and a line break after it. Anything else gets it byte for byte, and one line break
//! at the end if the model left it out, as of every tool that prints lines (`$(llm ask …)` drops it again).

use std::io::Write;

use super::notice::Notices;
use super::term::{Output, write_now};
use super::{error, escape, format, notes};
use crate::call::{Event, RunEvent};
use crate::chat::StreamEvent;
use crate::error::Error;
use crate::record::{Record, Status};

/// What is shown besides the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerOptions {
    /// Nothing but errors on stderr.
    pub quiet: bool,
    /// The line of figures after the answer even if stderr is no terminal.
    pub stats: bool,
    /// What the model thinks, to stderr.
    pub reasoning: bool,
}

/// Prints one answer while it arrives. Hand it every batch of events, and in the end the record.
#[derive(Debug)]
pub struct Answer<O, E> {
    out: O,
    talk: E,
    stdout: Output,
    stderr: Output,
    options: AnswerOptions,
    /// Collected for one write; at any time only one of the two holds something, so the order is kept.
    out_buffer: Vec<u8>,
    talk_buffer: String,
    /// Room to escape in.
    escaped: String,
    escape: escape::Stream,
    thought_escape: escape::Stream,
    notices: Notices,
    /// Whether the last line on each stream still lacks its end.
    out_open: bool,
    talk_open: bool,
}

impl<O: Write, E: Write> Answer<O, E> {
    /// `stdout` and `stderr` say what `out` and `talk` are.
    pub fn new(out: O, talk: E, stdout: Output, stderr: Output, options: AnswerOptions) -> Self {
        Self {
            out,
            talk,
            stdout,
            stderr,
            options,
            out_buffer: Vec::new(),
            talk_buffer: String::new(),
            escaped: String::new(),
            escape: escape::Stream::default(),
            thought_escape: escape::Stream::default(),
            notices: Notices::default(),
            out_open: false,
            talk_open: false,
        }
    }

    /// Takes in what has happened since, and shows it with one write.
    pub fn batch(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        for event in events {
            match &event.event {
                Event::Stream(StreamEvent::TextDelta(text)) => self.text(text)?,
                Event::Stream(StreamEvent::ReasoningDelta(text)) if self.options.reasoning => self.thought(text)?,
                Event::Stream(_) => {}
                _ => {
                    if let Some(line) = self.notices.line(event)
                        && !self.options.quiet
                    {
                        self.say(&error::notice(&line, &self.stderr))?;
                    }
                }
            }
        }
        self.flush()
    }

    /// Ends the answer: its last line break, the line of figures, and the error if it is not complete.
    pub fn finish(&mut self, record: &Record) -> Result<(), Error> {
        self.escaped.clear();
        self.escape.finish(&mut self.escaped);
        if !self.escaped.is_empty() {
            self.out_buffer.extend_from_slice(self.escaped.as_bytes());
        }
        if self.out_open {
            self.flush_talk();
            self.out_buffer.push(b'\n');
            self.out_open = false;
        }
        if !record.tool_calls.is_empty() && !self.options.quiet {
            self.say(&error::notice(&tool_calls(record), &self.stderr))?;
        }
        match (&record.error, record.status) {
            // Who stopped it knows.
            (_, Status::Interrupted) | (None, Status::Ok) => {}
            (Some(failure), _) => self.say(&error::call_failed(record, failure, &self.stderr))?,
            (None, _) => self.say(&error::warning(&incomplete(record), &self.stderr))?,
        }
        if !self.options.quiet && (self.options.stats || self.stderr.tty) {
            self.say(&error::notice(&stats(record), &self.stderr))?;
        }
        self.flush()
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        // A blank line between what the model thought and what it says.
        self.end_thought("\n\n");
        self.flush_talk();
        if self.stdout.tty {
            self.escaped.clear();
            self.escape.push(text, &mut self.escaped);
            self.out_buffer.extend_from_slice(self.escaped.as_bytes());
        } else {
            self.out_buffer.extend_from_slice(text.as_bytes());
        }
        self.out_open = !text.ends_with('\n');
        Ok(())
    }

    fn thought(&mut self, text: &str) -> Result<(), Error> {
        self.flush_out()?;
        self.leave_answer_line();
        self.escaped.clear();
        if self.stderr.tty {
            self.thought_escape.push(text, &mut self.escaped);
        } else {
            self.escaped.push_str(text);
        }
        // Colour ends with each piece: a stop at any moment must not leave the terminal dim.
        _ = std::fmt::Write::write_fmt(&mut self.talk_buffer, format_args!("{}", self.stderr.style.dim(&self.escaped)));
        self.talk_open = true;
        Ok(())
    }

    /// Whole lines to stderr.
    fn say(&mut self, lines: &str) -> Result<(), Error> {
        self.flush_out()?;
        self.end_thought("\n");
        self.leave_answer_line();
        self.talk_buffer.push_str(lines);
        Ok(())
    }

    fn end_thought(&mut self, end: &str) {
        if std::mem::take(&mut self.talk_open) {
            self.thought_escape.finish(&mut self.talk_buffer);
            self.talk_buffer.push_str(end);
        }
    }

    /// On a terminal that shows both streams, talk begins on a line of its own; the answer itself gets no line break.
    fn leave_answer_line(&mut self) {
        if self.out_open && self.stdout.tty && self.stderr.tty {
            self.talk_buffer.push('\n');
            self.out_open = false;
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.flush_talk();
        self.flush_out()
    }

    fn flush_out(&mut self) -> Result<(), Error> {
        if self.out_buffer.is_empty() {
            return Ok(());
        }
        let written = write_now(&mut self.out, &self.out_buffer);
        self.out_buffer.clear();
        written
    }

    fn flush_talk(&mut self) {
        if !self.talk_buffer.is_empty() {
            // Talk that nobody can hear is no failure.
            _ = self.talk.write_all(self.talk_buffer.as_bytes());
            self.talk_buffer.clear();
        }
    }
}

/// `openai/gpt-5.4-mini · first token 412 ms · total 1.9 s · 14 in, 9 out · 61 tok/s · $0.000177`
pub fn stats(record: &Record) -> String {
    let timing = &record.timing;
    let mut parts = vec![answered_by(record)];
    if record.cached {
        parts.push("cached".into());
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
    parts.join(" · ")
}

/// The model that answered, and what was asked for where that is another name.
fn answered_by(record: &Record) -> String {
    match &record.answered_by {
        Some(model) if !notes::is_same_model(&record.model, model) => format!("{model} (asked {})", record.model),
        Some(model) => model.clone(),
        None => record.model.clone(),
    }
}

fn incomplete(record: &Record) -> String {
    let reason = record.finish_reason.as_ref().map_or("no reason given", |reason| reason.as_str());
    format!("the answer is {}: {reason}", record.status.as_str())
}

fn tool_calls(record: &Record) -> String {
    let names: Vec<&str> = record.tool_calls.iter().map(|call| call.name.as_str()).collect();
    format!("the model calls {}; -o json shows the arguments", names.join(", "))
}
