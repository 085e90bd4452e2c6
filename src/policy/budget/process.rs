//! Which process a reservation belongs to, so that one that is gone can be told from one that has its number now.

use std::fmt;
use std::fs;

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    id: u32,
    /// When it and the system started, in the system's own terms; empty where the system does not say.
    started: String,
}

impl Process {
    pub(super) fn this() -> Self {
        let id = std::process::id();
        Self { id, started: started(id).unwrap_or_default() }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, started) = text.split_once(' ')?;
        Some(Self { id: id.parse().ok()?, started: started.to_owned() })
    }

    /// False only where it is certain that the process is gone.
    pub(super) fn may_live(&self) -> bool {
        self.started.is_empty() || boot().is_none() || started(self.id).as_ref() == Some(&self.started)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.started)
    }
}

/// Names the system's present run; Linux alone tells.
fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// The 22nd field of `stat`; the second may hold anything, but ends with the last parenthesis.
fn started(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
    Some(format!("{}/{ticks}", boot()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_is_told_from_another_with_its_number() {
        let this = Process::this();
        assert_eq!(Process::parse(&this.to_string()), Some(this.clone()));
        assert!(this.may_live());
        if !this.started.is_empty() {
            let earlier = Process { started: "another-boot/1".into(), ..this };
            assert!(!earlier.may_live());
        }
    }
}
