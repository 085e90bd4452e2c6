//! How long it takes to render each token of an answer on a terminal, drawn after every one.
//!
//! `cargo bench --bench render`; with `-- --check`, it fails where a token takes longer than the limit.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::io::sink;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use onekey::call::{Event, RunEvent};
use onekey::chat::StreamEvent;
use onekey::config::Render;
use onekey::report::answer::{Answer, AnswerOptions};
use onekey::report::term::{Output, Style};

/// The most time that a token may take.
const LIMIT: Duration = Duration::from_micros(2);
const ROUNDS: usize = 15;
/// How many times an answer has all blocks.
const BLOCKS: usize = 50;
const TOUR: &str = include_str!("../src/report/render/tests/tour.md");

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut kept = true;
    let prose =
        "The **sky** is blue, as `I ~ 1/λ^4` says: short waves are scattered more than long ones.\n\n".repeat(200);
    let code =
        format!("```rust\n{}```\n", "    let words: Vec<&str> = text.split(' ').collect(); // of a line\n".repeat(200));
    for (name, answer) in [("prose", prose), ("code", code), ("all blocks", TOUR.repeat(BLOCKS))] {
        let tokens = tokens(&answer);
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| render(&tokens)).collect();
        times.sort_unstable();
        let token = times[ROUNDS / 2] / u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let within = token <= LIMIT;
        kept &= within;
        let mark = if within { "ok  " } else { "OVER" };
        println!("{mark}  render {name:<18} {:>4} ns (limit {}) a token", token.as_nanos(), LIMIT.as_nanos());
    }
    if kept || !check { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The answer in events of four characters each.
fn tokens(answer: &str) -> Vec<RunEvent> {
    let chars: Vec<char> = answer.chars().collect();
    let event = |text: &[char]| Event::Stream(StreamEvent::TextDelta(text.iter().collect()));
    chars.chunks(4).map(|text| RunEvent { call: 0, at: Duration::ZERO, event: event(text) }).collect()
}

fn render(tokens: &[RunEvent]) -> Duration {
    let pipe = Output::plain(100);
    let terminal = Output { tty: true, style: Style { on: true }, render: Render::Auto, redraws: true, ..pipe };
    let mut answer = Answer::new(sink(), sink(), terminal, pipe, AnswerOptions::default());
    let began = Instant::now();
    for token in tokens {
        answer.batch(std::slice::from_ref(token)).expect("a sink takes everything");
    }
    began.elapsed()
}
