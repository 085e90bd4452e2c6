//! The exit code of a run.

use crate::call::Role;
use crate::record::{Record, Status};

/// Computes one exit code from the ends of calls: the code of all calls if they have the same one, else 8 if any call gave an
/// answer or a part of one, else 1. Calls of judges and
/// measurements do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExitCode {
    first: Option<u8>,
    differs: bool,
    /// Whether any call gave an answer, complete or not.
    answered: bool,
}

impl ExitCode {
    /// Adds the end of one call. Calls of judges, measurements and skipped calls are not counted.
    pub fn add(&mut self, role: Role, record: &Record) {
        if matches!(role, Role::Judge | Role::Measurement) || record.status == Status::Skipped {
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
