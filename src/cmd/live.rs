//! What `compare`, `rerun` and `pipeline run` share while their calls run: live lines, and the collected records.

use super::Context;
use crate::call::{Call, RunEvent};
use crate::error::Error;
use crate::record::Record;
use crate::report::progress::Progress;
use crate::report::term::{Terminal, Text, print};
use crate::run::Reporter;

/// Makes the output line of a record.
type LineOf<'a> = Box<dyn Fn(&Call, &Record) -> Text + 'a>;

/// Shows progress on stderr and collects the records. For a format with a line for each record, it also prints each line
/// when its call ends.
pub(super) struct Live<'a> {
    progress: Progress,
    line: Option<LineOf<'a>>,
    /// With the index of the call.
    records: Vec<(usize, Record)>,
}

impl<'a> Live<'a> {
    /// `line` makes the line that is printed on stdout when a call has ended; `None` prints nothing.
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

/// Progress with a label for each call.
pub(super) fn progress(context: &Context, labels: Vec<String>) -> Progress {
    Progress::new(labels, &terminal(context), context.quiet)
}

/// The terminal, without live lines where `--verbose` prints traces.
pub(super) fn terminal(context: &Context) -> Terminal {
    Terminal { live: context.live_terminal().is_some(), ..context.terminal }
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
