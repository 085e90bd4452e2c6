//! `--vote`: a person chooses the best answer without knowing whose it is.

use std::io::ErrorKind;

use crate::cli::{CompareArgs, CompareFormat};
use crate::cmd::Context;
use crate::cmd::run::Ending;
use crate::error::Error;
use crate::ledger::Vote;
use crate::record::{Record, Status};
use crate::report::columns::{self, Layout};
use crate::report::keyboard::{self, Mode, Typed};
use crate::report::term::{Output, Text, print, say};
use crate::report::{Comparison, format};
use crate::run::Notices;

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// How many answers have a key of their own.
const MOST: usize = 26;

/// Checks, before anything is sent, that a person can vote.
///
/// # Errors
/// There is no terminal, or there are too many answers or too few.
pub(super) fn check(context: &Context, args: &CompareArgs, answers: usize) -> Result<(), Error> {
    let terminal = &context.terminal;
    if !(terminal.stdout.tty && terminal.stderr.tty) || args.prompt.out.path.is_some() {
        let hint = "--judge MODEL chooses without a person";
        return Err(Error::usage_hint("--vote shows the answers on a terminal, and asks there", hint));
    }
    if args.output.format != CompareFormat::Text {
        return Err(Error::usage("--vote has no other format than text"));
    }
    match answers {
        0 | 1 => Err(Error::usage("--vote takes two models or more")),
        2..=MOST => Ok(()),
        _ => Err(Error::usage(format!("--vote takes up to {MOST} models"))),
    }
}

/// The name under which an answer is shown: A, B, C.
pub(super) fn letter(place: usize) -> String {
    char::from(b'A'.saturating_add(u8::try_from(place).unwrap_or(u8::MAX))).to_string()
}

/// Shows the answers under letters, and asks which is best. Returns the places of those that were chosen: all of them where
/// they are equal, none where the person does not choose.
///
/// # Errors
/// The answers cannot be shown, or a signal arrived.
pub(super) fn ask(
    context: &Context,
    records: &[Record],
    layout: Layout,
    ending: &mut Ending<'_>,
) -> Result<Vec<usize>, Error> {
    let places: Vec<usize> = (0..records.len()).filter(|place| records[*place].status == Status::Ok).collect();
    if places.len() < 2 {
        context.notice("there are no two complete answers to choose from");
        return Ok(Vec::new());
    }
    let anonymous = |place: &usize| Record { model: letter(*place), ..records[*place].clone() };
    let shown: Vec<Record> = places.iter().map(anonymous).collect();
    print(columns::answers(&Comparison::new("", "", &shown), layout, &context.terminal.stdout))?;
    let keys: Vec<String> = places.iter().map(|place| letter(*place).to_lowercase()).collect();
    // While a terminal that nobody reads holds up the answers, its mode still makes a signal of Ctrl-C.
    ending.wait_until_written()?;
    let _mode = Mode::keys();
    say(question(&keys, &context.terminal.stderr));
    loop {
        match key(ending)? {
            Typed::Interrupt => return Err(Error::Signalled(SIGINT)),
            Typed::Char('=') => return Ok(places),
            Typed::Char('-') => return Ok(Vec::new()),
            Typed::Char(typed) => {
                if let Some(chosen) = keys.iter().position(|key| key.starts_with(typed)) {
                    return Ok(vec![places[chosen]]);
                }
            }
            Typed::Other => {}
        }
    }
}

/// `Which is best? a, b or c; = all are equal; - none`.
fn question(keys: &[String], stderr: &Output) -> Text {
    let (last, others) = keys.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    let keys = format!("{} or {last}", others.join(", "));
    Text::from("\n") + stderr.style.bold("Which is best?") + format!(" {keys}; = all are equal; - no vote\n").as_str()
}

/// Waits for a key, or for a signal.
fn key(ending: &mut Ending<'_>) -> Result<Typed, Error> {
    loop {
        match ending.unless_signalled(keyboard::key)? {
            // The thread that reads was told of a signal.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            typed => {
                return typed.map_err(|error| {
                    Error::usage_hint(format!("no key can be read: {error}"), "--vote needs a terminal")
                });
            }
        }
    }
}

/// Whose answers they were, and which of them were chosen.
pub(super) fn revealed(records: &[Record], chosen: &[usize], stdout: &Output) -> Text {
    let mut page = Text::from("\n");
    for (place, record) in records.iter().enumerate() {
        let mark = if chosen.contains(&place) { "▸" } else { " " };
        let name = crate::report::escape::line(&record.model).into_owned();
        page += Text::from(format!(" {mark} {}  ", letter(place))) + stdout.style.bold(name) + "\n";
    }
    page + "\n"
}

/// Keeps the vote in the ledger, where the run is recorded.
pub(super) fn keep(
    context: &Context,
    run: &str,
    task: Option<String>,
    records: &[Record],
    chosen: &[usize],
    ending: &Ending<'_>,
) {
    if chosen.is_empty() {
        return;
    }
    let Some(recording) = ending.recording() else {
        context.notice("the vote is not counted, because the run is not recorded");
        return;
    };
    let complete = records.iter().enumerate().filter(|(_, record)| record.status == Status::Ok);
    let ballots = complete.map(|(place, record)| (record.id.clone(), chosen.contains(&place))).collect();
    let at_ms = jiff::Timestamp::now().as_millisecond();
    recording.ledger.record_vote(Vote { run: run.to_owned(), at_ms, task, ballots });
    context.detail(&format!("the vote among {} is kept", format::count(records.len() as u64, "answer", "answers")));
}
