//! The exit code of a run.

use crate::call::Role;
use crate::record::{Record, Status};

/// Folds the ends of calls into one exit code: the code that all have in common, else 8 if some are complete or begun,
/// else 1. Judges do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExitCode {
    first: Option<u8>,
    differs: bool,
    /// Whether any call gave an answer, complete or not.
    answered: bool,
}

impl ExitCode {
    /// Adds the end of one call. A call that was never made has no end of its own.
    pub fn add(&mut self, role: Role, record: &Record) {
        if role == Role::Judge || record.status == Status::Skipped {
            return;
        }
        let code = exit_code(record);
        self.differs |= *self.first.get_or_insert(code) != code;
        self.answered |= matches!(code, 0 | 8);
    }

    /// The exit code; 0 where there was no call.
    pub fn code(self) -> u8 {
        match (self.differs, self.answered) {
            (false, _) => self.first.unwrap_or(0),
            (true, true) => 8,
            (true, false) => 1,
        }
    }
}

/// The exit code of one call.
pub fn exit_code(record: &Record) -> u8 {
    match (record.status, &record.error) {
        (Status::Ok, _) => 0,
        (Status::Truncated, _) => 8,
        (_, Some(failure)) => failure.exit_code(),
        (_, None) => 1,
    }
}
