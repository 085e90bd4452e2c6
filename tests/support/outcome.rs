//! What a finished process left behind.

use std::fmt;
use std::process::ExitStatus;

use super::canary;

/// Exit status and everything that was written; `Display` is meant for snapshots and failed assertions.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What arrived at the terminal, where the process had one.
    pub terminal: Vec<u8>,
}

impl Outcome {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    pub fn terminal(&self) -> String {
        String::from_utf8_lossy(&self.terminal).into_owned()
    }

    /// The exit code; `None` where a signal ended the process.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended the process.
    #[cfg(unix)]
    pub fn signal(&self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.status)
    }

    /// stdout as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"))
    }

    /// Fails the test unless the process ended with this code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code(), Some(code), "exit code\n{self}");
        self
    }

    /// Fails the test unless this signal ended the process.
    #[cfg(unix)]
    #[track_caller]
    pub fn dies_by(&self, signal: i32) -> &Self {
        assert_eq!(self.signal(), Some(signal), "signal\n{self}");
        self
    }

    /// Fails the test unless stdout is exactly this.
    #[track_caller]
    pub fn prints(&self, expected: &str) -> &Self {
        assert_eq!(self.stdout(), expected, "stdout\n{self}");
        self
    }

    /// Fails the test unless stderr holds this.
    #[track_caller]
    pub fn says(&self, expected: &str) -> &Self {
        assert!(self.stderr().contains(expected), "stderr lacks {expected:?}\n{self}");
        self
    }

    /// Fails the test if stderr holds this.
    #[track_caller]
    pub fn never_says(&self, unwanted: &str) -> &Self {
        assert!(!self.stderr().contains(unwanted), "stderr holds {unwanted:?}\n{self}");
        self
    }

    /// Fails the test if anything that was written holds the key of the tests in any form.
    #[track_caller]
    pub(super) fn holds_no_key(&self) {
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr), ("the terminal", &self.terminal)] {
            if let Some(form) = canary::found_in(bytes) {
                panic!("the key stands {form} in {name}\n{self}");
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, text) in [("stdout", self.stdout()), ("stderr", self.stderr()), ("terminal", self.terminal())] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
                if !text.ends_with('\n') {
                    writeln!(f, "⏎ missing")?;
                }
            }
        }
        Ok(())
    }
}
