//! The view that `compare`, `rerun` and `pipeline run` share while their calls run: live lines, and all records.

use super::Context;
use crate::call::{Call, RunEvent};
use crate::error::Error;
use crate::record::Record;
use crate::report::progress::Progress;
use crate::report::term::{Terminal, Text, print};
use crate::run::Reporter;

/// Writes a record as a line.
type LineOf<'a> = Box<dyn Fn(&Call, &Record) -> Text + 'a>;

/// Shows progress on stderr, writes a line for each record as it ends if that is the format, and collects the records.
pub(super) struct Live<'a> {
    progress: Progress,
    line: Option<LineOf<'a>>,
    /// With the index of the call.
    records: Vec<(usize, Record)>,
}

impl<'a> Live<'a> {
    /// `line` gives what is written to stdout when a call has ended.
    pub(super) fn new(progress: Progress, line: Option<LineOf<'a>>) -> Self {
        Self { progress, line, records: Vec::new() }
    }

    /// Removes the live lines, and returns the records in the order of their calls.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        self.progress.clear();
        self.records.sort_by_key(|(index, _)| *index);
        self.records.drain(..).map(|(_, record)| record).collect()
    }
}

/// Progress with a label for each call. Lines that are drawn over and traces that stay do not go together, so with
/// traces there are no live lines.
pub(super) fn progress(context: &Context, labels: Vec<String>) -> Progress {
    let terminal = Terminal { live: context.terminal.live && !context.verbose, ..context.terminal };
    Progress::new(labels, &terminal, context.quiet)
}

impl Reporter for Live<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.progress.batch(events);
        Ok(())
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        if let Some(line) = &self.line {
            let line = line(call, &record);
            self.progress.suspend(|| print(line))?;
        }
        self.records.push((call.index, record));
        Ok(())
    }
}
