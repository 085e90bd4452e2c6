//! One answer as it arrives: text to stdout, talk to stderr.
//!
//! A terminal gets the text escaped and a line break after it. Anything else gets it byte for byte, and one line break
//! at the end if the model left it out, as of every tool that prints lines (`$(llm ask …)` drops it again).

use std::io::Write;

use super::notice::Notices;
use super::term::{Output, Stderr, Stdout, Terminal, Text, write_now};
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
    out_buffer: Text,
    talk_buffer: Text,
    /// Room to escape in.
    escaped: String,
    escape: escape::Stream,
    thought_escape: escape::Stream,
    notices: Notices,
    /// Whether the last line on each stream still lacks its end.
    out_open: bool,
    talk_open: bool,
}

impl Answer<Box<dyn Write>, Stderr> {
    /// For this process's own streams.
    pub fn streamed(terminal: &Terminal, options: AnswerOptions) -> Self {
        Self::new(Box::new(Stdout::new()), Stderr::new(), terminal.stdout, terminal.stderr, options)
    }

    /// For an answer that is written elsewhere when it is whole: only what goes to stderr is shown as it happens.
    pub fn without_text(terminal: &Terminal, options: AnswerOptions) -> Self {
        let stdout = Output::plain(terminal.stderr.columns);
        Self::new(Box::new(std::io::sink()), Stderr::new(), stdout, terminal.stderr, options)
    }
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
            out_buffer: Text::new(),
            talk_buffer: Text::new(),
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
                        self.say(error::notice(&line, &self.stderr))?;
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
        self.out_buffer += self.escaped.as_str();
        if self.out_open {
            self.flush_talk();
            self.out_buffer += "\n";
            self.out_open = false;
        }
        if !record.tool_calls.is_empty() && !self.options.quiet {
            self.say(error::notice(&tool_calls(record), &self.stderr))?;
        }
        match (&record.error, record.status) {
            (None, Status::Ok) => {}
            (_, Status::Interrupted) => {
                if !self.options.quiet {
                    self.say(error::notice("[interrupted]", &self.stderr))?;
                }
            }
            (Some(failure), _) => self.say(error::call_failed(record, failure, &self.stderr))?,
            (None, _) => self.say(error::warning(&incomplete(record), &self.stderr))?,
        }
        if !self.options.quiet && (self.options.stats || self.stderr.tty) {
            self.say(error::figures(&stats(record), &self.stderr))?;
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
            self.out_buffer += self.escaped.as_str();
        } else {
            self.out_buffer += text;
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
        self.talk_buffer += self.stderr.style.dim(&self.escaped);
        self.talk_open = true;
        Ok(())
    }

    /// Whole lines to stderr.
    fn say(&mut self, lines: Text) -> Result<(), Error> {
        self.flush_out()?;
        self.end_thought("\n");
        self.leave_answer_line();
        self.talk_buffer += lines;
        Ok(())
    }

    fn end_thought(&mut self, end: &str) {
        if std::mem::take(&mut self.talk_open) {
            self.escaped.clear();
            self.thought_escape.finish(&mut self.escaped);
            self.talk_buffer += self.escaped.as_str();
            self.talk_buffer += end;
        }
    }

    /// On a terminal that shows both streams, talk begins on a line of its own; the answer itself gets no line break.
    fn leave_answer_line(&mut self) {
        if self.out_open && self.stdout.tty && self.stderr.tty {
            self.talk_buffer += "\n";
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
        let written = write_now(&mut self.out, &self.out_buffer, self.stdout.tty);
        self.out_buffer.clear();
        written
    }

    fn flush_talk(&mut self) {
        if !self.talk_buffer.is_empty() {
            // Talk that nobody can hear is no failure.
            _ = write_now(&mut self.talk, &self.talk_buffer, self.stderr.tty);
            self.talk_buffer.clear();
        }
    }
}

/// `openai/gpt-5.4-mini · first token 412 ms · total 1.9 s · 14 in, 9 out · 61 tok/s · $0.000177`
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

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, failed, ms, rate_limited, record, truncated};
    use super::*;
    use crate::call::Target;
    use crate::chat::ToolCall;

    fn at(event: Event) -> RunEvent {
        RunEvent { call: 0, at: ms(0), event }
    }

    fn text(text: &str) -> RunEvent {
        at(Event::Stream(StreamEvent::TextDelta(text.into())))
    }

    fn thought(text: &str) -> RunEvent {
        at(Event::Stream(StreamEvent::ReasoningDelta(text.into())))
    }

    fn target(model: &str) -> Target {
        Target { gateway: "g".into(), model: model.into() }
    }

    /// What both streams get. Batches are printed one after the other; the record ends the answer.
    fn print(
        batches: &[&[RunEvent]],
        record: &Record,
        stdout: Output,
        stderr: Output,
        options: AnswerOptions,
    ) -> (String, String) {
        let mut answer = Answer::new(Vec::new(), Vec::new(), stdout, stderr, options);
        for batch in batches {
            answer.batch(batch).expect("a Vec takes everything");
        }
        answer.finish(record).expect("a Vec takes everything");
        let utf8 = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (utf8(answer.out), utf8(answer.talk))
    }

    const NOTHING: AnswerOptions = AnswerOptions { quiet: false, stats: false, reasoning: false };

    #[test]
    fn a_pipe_gets_every_byte_and_one_line_break_at_the_end() {
        let pipe = Output::plain(80);
        for (pieces, wanted) in [
            (vec!["a\r", "\nb"], "a\r\nb\n"),
            (vec!["line\n"], "line\n"),
            (vec!["line\n\n"], "line\n\n"),
            (vec![HOSTILE], &*format!("{HOSTILE}\n")),
            (vec![], ""),
        ] {
            let events: Vec<RunEvent> = pieces.iter().map(|piece| text(piece)).collect();
            let (out, talk) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
            assert_eq!((out.as_str(), talk.as_str()), (wanted, ""));
        }
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let tty = Output::terminal(80);
        let events: Vec<RunEvent> = HOSTILE.chars().map(|c| text(&c.to_string())).collect();
        let (out, _) = print(&[&events, &[text("end\r")]], &record("m", ""), tty, tty, NOTHING);
        assert_eq!(out, format!("{}end␍\n", escape::terminal(HOSTILE)));
    }

    #[test]
    fn a_line_break_cut_in_two_is_one() {
        let tty = Output::terminal(80);
        let (out, _) = print(&[&[text("a\r")], &[text("\nb\r\n")]], &record("m", ""), tty, tty, NOTHING);
        assert_eq!(out, "a\nb\n");
    }

    /// Counts writes; each is a system call.
    struct Counted(usize);

    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_batch_is_one_write() {
        let pipe = Output::plain(80);
        let mut answer = Answer::new(Counted(0), Vec::new(), pipe, pipe, NOTHING);
        answer.batch(&[text("a\n"), thought("not shown"), text("b\nc"), text("d")]).expect("written");
        answer.batch(&[]).expect("nothing to write");
        assert_eq!(answer.out.0, 1);
    }

    #[test]
    fn thoughts_go_to_stderr_apart_from_the_answer() {
        let pipe = Output::plain(80);
        let options = AnswerOptions { reasoning: true, ..NOTHING };
        let events = [thought("let me "), thought("see"), text("42")];
        let (out, talk) = print(&[&events], &record("m", ""), pipe, pipe, options);
        assert_eq!((out.as_str(), talk.as_str()), ("42\n", "let me see\n\n"));
        let (_, talk) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
        assert_eq!(talk, "");
    }

    #[test]
    fn colour_ends_with_every_piece_of_thought() {
        let mut tty = Output::terminal(80);
        tty.style.on = true;
        let options = AnswerOptions { quiet: true, reasoning: true, stats: false };
        let (_, talk) = print(&[&[thought("a\x1b[31m")]], &record("m", ""), tty, tty, options);
        assert_eq!(talk, "\x1b[2ma␛[31m\x1b[0m");
    }

    #[test]
    fn retries_and_fallbacks_are_said_as_they_happen() {
        let pipe = Output::plain(80);
        let overloaded = failed("x").error.expect("a failure");
        let events = [
            at(Event::Attempt { target: target("gpt-x") }),
            at(Event::Retry { after: ms(1200), cause: rate_limited() }),
            at(Event::Attempt { target: target("gpt-x") }),
            at(Event::Fallback { to: target("gpt-5.4-mini"), cause: overloaded }),
            at(Event::Attempt { target: target("gpt-5.4-mini") }),
            text("hi"),
            at(Event::Malformed { message: "not JSON".into() }),
        ];
        let (_, talk) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
        assert_eq!(
            talk,
            "gpt-x: 429 rate limited, trying again in 1.2 s\n\
             gpt-x: 503 overloaded, trying gpt-5.4-mini\n\
             gpt-5.4-mini: skipped a piece that could not be read: not JSON\n"
        );
        let quiet = AnswerOptions { quiet: true, ..NOTHING };
        assert_eq!(print(&[&events], &record("m", ""), pipe, pipe, quiet).1, "");
    }

    #[test]
    fn talk_on_the_same_terminal_begins_a_line() {
        let tty = Output::terminal(80);
        let (out, talk) = print(
            &[&[text("half"), at(Event::Malformed { message: "x".into() })]],
            &record("m", ""),
            tty,
            tty,
            NOTHING,
        );
        assert_eq!(out, "half");
        assert!(talk.starts_with("\n?: skipped"), "{talk:?}");
    }

    #[test]
    fn an_answer_that_broke_off_is_kept_and_explained() {
        let pipe = Output::plain(80);
        let mut broken = truncated("gpt");
        broken.error = Some(rate_limited());
        let (out, talk) = print(&[&[text("Once upon a")]], &broken, pipe, pipe, NOTHING);
        assert_eq!(out, "Once upon a\n");
        assert!(talk.starts_with("error: gpt: 429 Rate limit exceeded\n"), "{talk}");
        let (_, talk) = print(&[&[text("Once upon a")]], &truncated("gpt"), pipe, pipe, NOTHING);
        assert_eq!(talk, "warning: the answer is truncated: length\n");
    }

    #[test]
    fn the_figures_are_one_line() {
        let pipe = Output::plain(80);
        let options = AnswerOptions { stats: true, ..NOTHING };
        let mut answer = record("gpt-5.4-mini", "x");
        answer.answered_by = Some("openai/gpt-5.4-mini".into());
        assert_eq!(
            print(&[], &answer, pipe, pipe, options).1,
            "openai/gpt-5.4-mini · connect 31 ms · first token 412 ms · total 1.9 s · 14 in, 9 out · 61 tok/s · $0.000177\n"
        );
        answer.model = "fast-chat".into();
        answer.cached = true;
        answer.usage.output = None;
        answer.cost = None;
        answer.timing = crate::record::Timing { total: Some(ms(2)), ..Default::default() };
        assert_eq!(
            stats(&answer).join(" · "),
            "openai/gpt-5.4-mini (asked fast-chat) · cached · total 2.0 ms · 14 in, – out · cost unknown"
        );
    }

    #[test]
    fn tool_calls_are_not_silent() {
        let pipe = Output::plain(80);
        let mut answer = record("m", "");
        answer.tool_calls = vec![ToolCall { id: "1".into(), name: "weather".into(), arguments: "{}".into() }];
        let (out, talk) = print(&[], &answer, pipe, pipe, NOTHING);
        assert_eq!((out.as_str(), talk.as_str()), ("", "the model calls weather; -o json shows the arguments\n"));
    }

    struct Left;

    impl Write for Left {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_lost_reader_ends_the_answer_and_lost_talk_does_not() {
        let pipe = Output::plain(80);
        let mut answer = Answer::new(Left, Vec::new(), pipe, pipe, NOTHING);
        assert!(matches!(answer.batch(&[text("a")]), Err(Error::Signalled(13))));
        let mut answer = Answer::new(Vec::new(), Left, pipe, pipe, NOTHING);
        answer
            .batch(&[at(Event::Retry { after: ms(1), cause: rate_limited() }), text("a")])
            .expect("only talk is lost");
    }
}
