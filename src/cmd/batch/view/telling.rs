//! What the user of a running batch is told, each thing once, and what is said at its end.

use std::collections::BTreeSet;

use super::{BatchView, own_failure, render};
use crate::batch::StopReason;
use crate::batch::feed::RowInfo;
use crate::call::Event;
use crate::cli::OnError;
use crate::cmd::batch::judging::Silent;
use crate::cmd::batch::session::Lines;
use crate::error::{Error, FailureKind};
use crate::record::Record;
use crate::report::batch::{self as report, Summary};
use crate::report::error::hints;
use crate::report::format::count;
use crate::report::notice::Names;
use crate::report::term::{print, say};
use crate::run::{Notices, Outcome};

/// After so many calls in a row that found no gateway, the batch stops.
const MOST_UNREACHABLE: u32 = 20;

/// So many different notices of calls are shown.
const MOST_TOLD: usize = 100;

/// What the user has been told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The kinds of failure.
    failures: BTreeSet<&'static str>,
    /// The kinds of failure of judges.
    judges: BTreeSet<&'static str>,
    /// What calls said of the models that they ask or leave out.
    calls: BTreeSet<String>,
    /// The names of models in messages.
    names: Names,
}

impl BatchView<'_> {
    /// Tells what an event says of the models that its call asks or leaves out.
    pub(super) fn tell_step(&mut self, event: &Event) {
        self.state.told.names.take(event);
        if let Some(message) = event.message() {
            self.tell_message(message);
        } else if let Some(message) = self.state.told.names.step(event) {
            self.tell_once(same_step(event).unwrap_or_else(|| message.clone()), &message);
        }
    }

    /// Tells what a call says, once for all calls that say the same.
    pub(super) fn tell_message(&mut self, message: &str) {
        // What differs in an amount alone says the same, but the names of models have digits as well.
        let words = message.split(' ').filter(|word| word.contains(char::is_alphabetic));
        self.tell_once(words.collect::<Vec<_>>().join(" "), message);
    }

    fn tell_once(&mut self, said: String, message: &str) {
        let told = &mut self.state.told.calls;
        if told.len() > MOST_TOLD || !told.insert(said) {
            return;
        }
        let is_last = told.len() > MOST_TOLD;
        self.progress.clear();
        self.context.notice(if is_last { "what further calls have to say is not shown" } else { message });
    }

    /// Tells the first failure of each kind at once, and stops if the user wants that.
    pub(super) fn tell_failure(&mut self, info: &RowInfo, record: &Record) {
        let Some(failure) = &record.error else {
            self.state.unreachable = 0;
            return;
        };
        let own = own_failure(record, failure);
        self.state.unreachable = if own.kind == FailureKind::Network { self.state.unreachable + 1 } else { 0 };
        if self.state.unreachable >= MOST_UNREACHABLE {
            self.control.stop(StopReason::Call(record.model.clone(), own.clone()));
        }
        // The message of a row that cannot be used has its line.
        let line = format!("line {}: ", info.line);
        let named = |what: &str| match what.strip_prefix(&line) {
            Some(_) => what.to_owned(),
            None => format!("row {} (line {}): {what}", info.number, info.line),
        };
        if self.state.told.failures.insert(failure.kind.as_str()) {
            self.progress.clear();
            self.context.notice(&format!("{}: {}", record.model, named(&failure.message)));
            if let Some(hint) = failure.hint().filter(|_| !self.context.quiet) {
                say(hints(&[hint], &self.context.terminal.stderr));
            }
        }
        if self.on_error == OnError::Stop {
            self.control.stop(StopReason::Row(format!("{}: {}", record.model, named(&failure.message))));
        }
    }

    /// Tells the first failure of a judge of each kind, and stops where every further one would fail alike. The answer is kept.
    pub(super) fn tell_judge(&mut self, silent: &Silent) {
        use FailureKind::{Auth, Credits, Interrupted, NoKey, NotFound, Refused};
        let kind = silent.failure.as_ref().map(|failure| failure.kind);
        if kind == Some(Interrupted) {
            return;
        }
        if self.state.told.judges.insert(kind.map_or("verdict", FailureKind::as_str)) {
            self.progress.clear();
            self.context.notice(&format!("judge {}: {}", silent.judge, silent.why));
        }
        if let Some(failure) = &silent.failure
            && matches!(failure.kind, Refused | NoKey | Auth | Credits | NotFound)
        {
            self.control.stop(StopReason::Call(format!("judge {}", silent.judge), failure.clone()));
        }
    }

    fn summary<'s>(&'s self, output: Option<&'s str>, outcome: &Outcome) -> Summary<'s> {
        Summary {
            job: self.job,
            input: self.input,
            output,
            expected: self.total,
            tally: &self.tally,
            unwritten: self.state.unwritten,
            elapsed: Some(outcome.elapsed),
        }
    }

    /// The summary goes to standard output, unless that has the lines.
    pub(super) fn show_summary(&self, outcome: &Outcome) -> Result<(), Error> {
        let output = self.output.path().map(|path| path.to_string_lossy().into_owned());
        let summary = self.summary(output.as_deref(), outcome);
        if output.is_none() {
            if !self.context.quiet {
                say(report::text(&summary, &self.context.terminal.stderr));
            }
            return Ok(());
        }
        print(render(&summary, self.format, &self.context.terminal.stdout)?)
    }

    /// Says what is left to do, and how.
    pub(super) fn tell_rest(&self, is_whole: bool) {
        if self.state.unwritten > 0 {
            let answers = count(self.state.unwritten, "answer", "answers");
            // Whether the ledger could be written is told when it is closed.
            let kept = match self.ledger {
                Some(_) => "--resume writes those that the ledger has",
                None => "they are lost",
            };
            self.context.urgent(&format!("{answers} could not be written: {kept}"));
        }
        if is_whole {
            return;
        }
        match &self.output {
            Lines::File(_) => self.context.urgent(&format!("to go on: {}", self.resume_command)),
            Lines::Stream(_) => {
                self.context.urgent("a batch without a file for --out cannot go on; the ledger has what it gave");
            }
        }
    }
}

/// What is the same for all calls that fall back for the same reason; `None` for another event.
fn same_step(event: &Event) -> Option<String> {
    let Event::Fallback { from, to, cause } = event else { return None };
    Some(format!("{from} {to} {}", cause.kind.as_str()))
}
