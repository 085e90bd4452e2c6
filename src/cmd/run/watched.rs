//! What is noted of each call while a run goes on, beside what its view does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{LIMIT_AFTER_SIGNAL, View};
use crate::call::{Call, RunEvent};
use crate::error::{Error, FailureKind};
use crate::failpoint;
use crate::record::{Record, Status};
use crate::report::error::notice;
use crate::report::term::{Output, WriteLimit, say};
use crate::report::trace;
use crate::run::{PreparedGateways, Reporter};

/// How long a reader has that may only be slow, after a call has run into its time limit. After a signal for which calls were finished,
/// it may take nothing for so long.
const SLOW_READER: Duration = Duration::from_secs(1);

/// A gateway, and the kind and the status of a failure there.
type FailureAt = (String, &'static str, Option<u16>);

/// Hands everything on to the view. Prints a line for each request and response before, if the user asked for it, and
/// notes whether a call has run into its time limit, and whether one has a whole answer.
pub(super) struct Watched<'a> {
    pub(super) view: &'a mut dyn View,
    pub(super) stderr: Option<Output>,
    pub(super) ends: Ends,
    /// What the user can do about the failures, once for all of a kind at a gateway; `None` where that is not said at the end.
    pub(super) hints: Option<BTreeMap<FailureAt, String>>,
    /// What counts the costs of calls that were handed over.
    pub(super) handed_over: Option<&'a PreparedGateways>,
}

/// How the calls of a run have ended, as far as it matters to a reader of the output.
#[derive(Default)]
pub(super) struct Ends {
    has_timed_out: bool,
    has_whole: bool,
}

impl Ends {
    fn add(&mut self, record: &Record) {
        self.has_timed_out |= record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Timeout);
        self.has_whole |= record.status == Status::Ok;
    }

    /// How long is waited for a reader that does not read, after the run `is_stopped` by a signal, or `is_drained` after one. An
    /// answer that is whole waits for its reader, whatever became of others.
    pub(super) fn write_limit(&self, is_stopped: bool, is_drained: bool) -> Option<WriteLimit> {
        match () {
            () if is_stopped => Some(WriteLimit::Whole(LIMIT_AFTER_SIGNAL)),
            () if is_drained => Some(WriteLimit::Pause(SLOW_READER)),
            () if self.has_timed_out && !self.has_whole => Some(WriteLimit::Whole(SLOW_READER)),
            () => None,
        }
    }
}

/// The hints for all failures. Where several gateways ask for something, each is named.
pub(super) fn named(hints: BTreeMap<FailureAt, String>) -> Vec<String> {
    const ANY: &str = "the gateway ";
    let asking = hints.iter().filter(|(_, hint)| hint.starts_with(ANY)).map(|((gateway, ..), _)| gateway);
    let several = asking.collect::<BTreeSet<_>>().len() > 1;
    let name = |((gateway, ..), hint): (FailureAt, String)| match hint.strip_prefix(ANY) {
        Some(rest) if several => format!("{gateway} {rest}"),
        _ => hint,
    };
    let mut all: Vec<String> = Vec::new();
    for hint in hints.into_iter().map(name) {
        if !all.contains(&hint) {
            all.push(hint);
        }
    }
    all
}

impl Reporter for Watched<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        if let Some(stderr) = &self.stderr {
            for line in events.iter().filter_map(trace::line) {
                say(notice(&line, stderr));
            }
        }
        self.view.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.ends.add(&record);
        if let (Some(hints), Some(failure)) = (&mut self.hints, &record.error)
            && let Some(hint) = failure.hint()
        {
            hints.entry((record.gateway.clone(), failure.kind.as_str(), failure.status)).or_insert(hint);
        }
        if let Some(prepared) = self.handed_over {
            prepared.count(call, &record);
        }
        failpoint::reach("ended");
        self.view.ended(call, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_gateways_ask_for_names_them_and_is_said_once() {
        let hints = |all: &[(&str, u16, &str)]| {
            let hint = |(gateway, status, hint): &(&str, u16, &str)| {
                (((*gateway).to_owned(), "rate_limited", Some(*status)), (*hint).to_owned())
            };
            named(all.iter().map(hint).collect())
        };
        const LATER: &str = "the gateway asks to come back in 2 h";
        assert_eq!(
            hints(&[("a", 429, LATER), ("b", 429, LATER)]),
            ["a asks to come back in 2 h", "b asks to come back in 2 h"]
        );
        assert_eq!(hints(&[("a", 429, LATER), ("a", 503, LATER), ("b", 401, "set a key")]), [LATER, "set a key"]);
        assert_eq!(hints(&[("a", 401, "set a key"), ("b", 401, "set a key")]), ["set a key"]);
    }

    #[test]
    fn a_whole_answer_waits_for_its_reader_whatever_became_of_others() {
        for (has_timed_out, has_whole, is_waited) in
            [(false, false, true), (false, true, true), (true, true, true), (true, false, false)]
        {
            let ends = Ends { has_timed_out, has_whole };
            assert_eq!(ends.write_limit(false, false).is_none(), is_waited, "{has_timed_out} {has_whole}");
            assert!(ends.write_limit(true, false).is_some() && ends.write_limit(false, true).is_some());
        }
    }
}
