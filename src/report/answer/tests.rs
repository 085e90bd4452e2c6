use super::*;
use crate::chat::ToolCall;
use crate::report::samples::{HOSTILE, attempt, failed, ms, rate_limited, record, truncated};

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
    (utf8(answer.out.to), utf8(answer.err.to))
}

const NOTHING: AnswerOptions = AnswerOptions { quiet: false, stats: false, reasoning: false };

#[test]
fn a_pipe_gets_every_byte_and_one_line_break_at_the_end() {
    let pipe = Output::plain(80);
    for (pieces, wanted) in [
        (vec!["a\r", "\nb"], "a\r\nb\n"),
        (vec!["line\n"], "line\n"),
        (vec!["line\n", ""], "line\n"),
        (vec![""], ""),
        (vec!["line\n\n"], "line\n\n"),
        (vec![HOSTILE], &*format!("{HOSTILE}\n")),
        (vec![], ""),
    ] {
        let events: Vec<RunEvent> = pieces.iter().map(|piece| text(piece)).collect();
        let (out, err) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
        assert_eq!((out.as_str(), err.as_str()), (wanted, ""));
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
    let (out, _) = print(&[&[text("a\r")], &[text("")], &[text("\nb")]], &record("m", ""), tty, tty, NOTHING);
    assert_eq!(out, "a\nb\n");
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
    assert_eq!(answer.out.to.0, 1);
}

#[test]
fn thoughts_go_to_stderr_apart_from_the_answer() {
    let pipe = Output::plain(80);
    let options = AnswerOptions { reasoning: true, ..NOTHING };
    let events = [thought("let me "), thought("see"), text("42")];
    let (out, err) = print(&[&events], &record("m", ""), pipe, pipe, options);
    assert_eq!((out.as_str(), err.as_str()), ("42\n", "let me see\n\n"));
    let (_, err) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
    assert_eq!(err, "");
}

#[test]
fn colour_ends_with_every_piece_of_thought() {
    let mut tty = Output::terminal(80);
    tty.style.on = true;
    let options = AnswerOptions { quiet: true, reasoning: true, stats: false };
    let (_, err) = print(&[&[thought("a\x1b[31m")]], &record("m", ""), tty, tty, options);
    assert_eq!(err, "\x1b[2ma␛[31m\x1b[0m");
}

#[test]
fn retries_and_fallbacks_are_said_as_they_happen() {
    let pipe = Output::plain(80);
    let overloaded = failed("x").error.expect("a failure");
    let events = [
        at(Event::Attempt { target: target("gpt-x") }),
        at(Event::Retry { after: ms(1200), cause: rate_limited() }),
        at(Event::Attempt { target: target("gpt-x") }),
        at(Event::Fallback { from: target("gpt-x"), to: target("gpt-5.4-mini"), cause: overloaded }),
        at(Event::Attempt { target: target("gpt-5.4-mini") }),
        text("hi"),
        at(Event::Malformed { message: "not JSON".into() }),
    ];
    let (_, err) = print(&[&events], &record("m", ""), pipe, pipe, NOTHING);
    assert_eq!(
        err,
        "gpt-x: 429 rate limited, trying again in 1.2 s\n\
         gpt-x: 503 overloaded, trying gpt-5.4-mini\n\
         gpt-5.4-mini: skipped a piece that could not be read: not JSON\n"
    );
    let quiet = AnswerOptions { quiet: true, ..NOTHING };
    assert_eq!(print(&[&events], &record("m", ""), pipe, pipe, quiet).1, "");
}

#[test]
fn a_notice_on_the_same_terminal_begins_a_line() {
    let tty = Output::terminal(80);
    let (out, err) =
        print(&[&[text("half"), at(Event::Malformed { message: "x".into() })]], &record("m", ""), tty, tty, NOTHING);
    assert_eq!(out, "half");
    assert!(err.starts_with("\n?: skipped"), "{err:?}");
}

#[test]
fn an_answer_that_broke_off_is_kept_and_explained() {
    let pipe = Output::plain(80);
    let mut broken = truncated("gpt");
    broken.error = Some(rate_limited());
    let (out, err) = print(&[&[text("Once upon a")]], &broken, pipe, pipe, NOTHING);
    assert_eq!(out, "Once upon a\n");
    assert!(err.starts_with("error: gpt: 429 Rate limit exceeded\n"), "{err}");
    let (_, err) = print(&[&[text("Once upon a")]], &truncated("gpt"), pipe, pipe, NOTHING);
    assert_eq!(err, "warning: the answer is truncated: length\n");
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
    // Another gateway was asked for the same model before.
    let own = attempt("m", None, None);
    answer.gateway = own.gateway.clone();
    answer.attempts = vec![Attempt { gateway: "other".into(), ..own.clone() }, own];
    assert_eq!(stats(&answer)[0], "openrouter::openai/gpt-5.4-mini (asked fast-chat)");
}

#[test]
fn a_call_that_failed_at_once_has_no_figures_and_one_that_was_paid_for_has() {
    let tty = Output::terminal(80);
    let mut answer = failed("m");
    let (_, err) = print(&[], &answer, tty, tty, NOTHING);
    assert!(err.starts_with("error: m: ") && !err.contains('–'), "{err}");
    answer.usage.input = Some(3);
    let (_, err) = print(&[], &answer, tty, tty, NOTHING);
    assert!(err.contains("3 in, – out"), "{err}");
}

#[test]
fn tool_calls_are_not_silent() {
    let pipe = Output::plain(80);
    let mut answer = record("m", "");
    answer.tool_calls = vec![ToolCall { id: "1".into(), name: "weather".into(), arguments: "{}".into() }];
    let (out, err) = print(&[], &answer, pipe, pipe, NOTHING);
    assert_eq!((out.as_str(), err.as_str()), ("", "the model calls weather; -o json shows the arguments\n"));
    let long = ToolCall { name: "é".repeat(65), ..answer.tool_calls[0].clone() };
    answer.tool_calls = [vec![long], vec![answer.tool_calls[0].clone(); 9]].concat();
    let (_, err) = print(&[], &answer, pipe, pipe, NOTHING);
    let expected = format!(
        "the model calls {}…{} and 2 more; -o json shows the arguments\n",
        "é".repeat(64),
        ", weather".repeat(7)
    );
    assert_eq!(err, expected, "a gateway that names calls without end fills no terminal");
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_stdout_ends_the_answer_and_a_closed_stderr_does_not() {
    let pipe = Output::plain(80);
    let mut answer = Answer::new(Closed, Vec::new(), pipe, pipe, NOTHING);
    assert!(matches!(answer.batch(&[text("a")]), Err(Error::Signalled(13))));
    let mut answer = Answer::new(Vec::new(), Closed, pipe, pipe, NOTHING);
    answer
        .batch(&[at(Event::Retry { after: ms(1), cause: rate_limited() }), text("a")])
        .expect("only a notice is lost");
}
