//! Which calls a run makes, and when.

use crate::call::Call;
use crate::error::Failure;
use crate::record::Record;

/// The next thing to do with a call.
#[derive(Debug)]
pub enum Step {
    /// It is made.
    Call(Call),
    /// It is not made, for this reason; it gets a record that says so.
    Skip(Call, Failure),
}

/// Gives the calls of a run as they can be made: all at once, one for each row of a file, or when the calls that they
/// build on are over.
pub trait Schedule {
    /// The next call; `None` while none can be made before another is over, and at the end.
    fn next(&mut self) -> Option<Step>;

    /// A call is over, made or not.
    fn ended(&mut self, _call: &Call, _record: &Record) {}

    /// The calls that are not made because the run was stopped, where they get a record of their own.
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
