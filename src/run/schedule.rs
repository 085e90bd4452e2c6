//! The order in which a run makes its calls.

use std::future::{self, Future};
use std::pin::Pin;
use std::time::Duration;

use crate::call::Call;
use crate::error::Failure;
use crate::record::Record;

/// The next thing to do with a call.
#[derive(Debug)]
pub enum Step {
    /// The call is made.
    Call(Call),
    /// The call is not made, for this reason, which its record contains.
    Skip(Call, Failure),
}

/// Returns the calls of a run when they can be made: all at once, or when the calls whose answers they need are over.
pub trait Schedule {
    /// The next call. Returns `None` while every remaining call waits for another one, and at the end.
    fn next(&mut self) -> Option<Step>;

    /// How long it takes until a call becomes due, at the time `elapsed` since the run began; `None` if none waits for a
    /// time. It is asked before calls are taken from the schedule, and again when that time has come.
    fn due_in(&mut self, _elapsed: Duration) -> Option<Duration> {
        None
    }

    /// Tells the schedule that a call has ended or was skipped.
    fn ended(&mut self, _call: &Call, _record: &Record) {}

    /// Whether further calls will come although no running call makes them possible: they wait for something outside of the
    /// run, such as a pipe. The run then goes on although nothing runs.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Waits until [`Schedule::next`] may have a call that does not depend on a running one.
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(future::pending())
    }

    /// The calls that were not made because the run was stopped. Each gets a record.
    fn abandon(&mut self) -> Vec<Step> {
        Vec::new()
    }
}

/// Calls that do not depend on each other.
#[derive(Debug)]
pub struct Calls(std::vec::IntoIter<Call>);

impl From<Vec<Call>> for Calls {
    fn from(calls: Vec<Call>) -> Self {
        Self(calls.into_iter())
    }
}

impl Schedule for Calls {
    fn next(&mut self) -> Option<Step> {
        self.0.next().map(Step::Call)
    }

    fn abandon(&mut self) -> Vec<Step> {
        self.0.by_ref().map(Step::Call).collect()
    }
}
