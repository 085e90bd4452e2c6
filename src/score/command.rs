//! `command:PROGRAM ARGUMENTS…`: the number that a program prints.
//!
//! The program runs without a shell, once for each answer. Its standard input is the answer, the variable `LLM_RECORD`
//! is the record of the call as JSON without its texts, and `LLM_EXPECTED` is the expected text, where there is one. It must
//! print one number and exit with 0. It sees no variable that holds a key.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Answers, Score, Scorer};
use crate::child::{Output, Program, Stop, Unfinished};
use crate::record::Record;
use crate::words;

/// How long it may take for one answer.
const LIMIT: Duration = Duration::from_secs(60);
/// How many bytes it may print.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;
/// How many bytes a variable may have; Linux allows 128 KiB with its name.
const MAX_VARIABLE_BYTES: usize = 120 * 1024;
/// How many programs run at once.
const AT_ONCE: usize = 4;

/// Fields of the record that are left out: the text is the input, and others may be as long.
const TEXTS: [&str; 4] = ["text", "reasoning", "logprobs", "tool_calls"];

#[derive(Debug)]
pub(super) struct Command {
    /// The program and its arguments.
    argv: Vec<String>,
    /// The variables that hold keys.
    scrub: Vec<String>,
    limit: Duration,
    stop: Stop,
}

impl Command {
    /// # Errors
    /// The text names no program, or has a quote that does not end.
    pub(super) fn new(text: &str, scrub: &[String], stop: &Stop) -> Result<Self, String> {
        let argv = shlex::split(text).ok_or("a quotation mark is missing")?;
        if argv.first().is_none_or(String::is_empty) {
            return Err("it names no program".to_owned());
        }
        Ok(Self { argv, scrub: scrub.to_vec(), limit: LIMIT, stop: stop.clone() })
    }

    #[cfg(all(test, unix))]
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    fn score_one(&self, record: &Record, expected: Option<&str>) -> Score {
        let about = without_texts(record);
        let mut variables = vec![("LLM_RECORD", about.as_str())];
        variables.extend(expected.map(|expected| ("LLM_EXPECTED", expected)));
        if let Some((name, _)) = variables.iter().find(|(_, value)| value.len() > MAX_VARIABLE_BYTES) {
            return Score::unknown(format!("{name} would be longer than {} KiB", MAX_VARIABLE_BYTES / 1024));
        }
        // A variable cannot hold the character 0.
        if variables.iter().any(|(_, value)| value.contains('\0')) {
            return Score::unknown("the expected text has a character 0, which no variable can hold");
        }
        let (argv, scrub, limit, stop) = (&self.argv, &self.scrub, self.limit, &self.stop);
        let (variables, input) = (&variables[..], record.text.as_bytes());
        let program = Program { argv, scrub, variables, input, limit, max_output: MAX_OUTPUT_BYTES, stop };
        let name = &self.argv[0];
        match program.run() {
            Ok(output) => number(&output).unwrap_or_else(|why| Score::unknown(format!("{name} {why}"))),
            Err(Unfinished::CannotRun(error)) => Score::unknown(format!("{name} cannot be run: {error}")),
            Err(Unfinished::Late) => Score::unknown(format!("{name} gave no number in {}", words::limit(limit))),
            Err(Unfinished::TooMuch) => Score::unknown(format!("{name} printed far more than a number")),
            Err(Unfinished::Stopped) => Score::unknown(format!("{name} was stopped")),
        }
    }
}

impl Scorer for Command {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        let score = |record: &&Record| self.score_one(record, answers.expected);
        let mut scores = Vec::with_capacity(answers.records.len());
        for some in answers.records.chunks(AT_ONCE) {
            thread::scope(|scope| {
                let running: Vec<_> = some.iter().map(|record| scope.spawn(move || score(record))).collect();
                let broken = || Score::unknown("the thread that ran it broke off");
                scores.extend(running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())));
            });
        }
        scores
    }

    fn is_slow(&self) -> bool {
        true
    }
}

/// The record as JSON, without the fields that may be long.
fn without_texts(record: &Record) -> String {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        TEXTS.iter().for_each(|name| drop(fields.shift_remove(*name)));
    }
    value.to_string()
}

/// The number that it printed.
fn number(output: &Output) -> Result<Score, String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        return Err(match said {
            Some(said) => format!("failed ({}): {said}", output.status),
            None => format!("failed ({})", output.status),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Score::of(number)),
        _ if text.trim().is_empty() => Err("printed nothing".to_owned()),
        _ => Err("did not print one number".to_owned()),
    }
}
