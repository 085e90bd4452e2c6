//! The process that made a reservation: whether it has certainly ended.

use std::fmt;
use std::fs;

/// What stands for a part that the system does not tell.
const UNKNOWN: &str = "-";

/// A process, with what tells it from another process of the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    id: u32,
    /// The boot of the system and the PID namespace in which the number counts.
    namespace: String,
    /// When it started, in ticks since the boot.
    started: String,
}

/// How this process is named where it owns a reservation.
pub(crate) fn owner() -> String {
    Process::this().to_string()
}

impl Process {
    /// The process that runs this code.
    pub(super) fn this() -> Self {
        let known = |part: Option<String>| part.unwrap_or_else(|| UNKNOWN.to_owned());
        Self { id: std::process::id(), namespace: known(namespace()), started: known(started("self")) }
    }

    /// Reads what `Display` writes. Returns None for what older versions of this program wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (id, namespace, started) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        Some(Self { id, namespace: namespace.to_owned(), started: started.to_owned() })
    }

    /// Whether the process has certainly ended. That is known only where the system itself says that there is no
    /// process of this number, or that another one has it now; a process of another boot, machine or PID namespace
    /// may run unseen.
    pub(super) fn has_ended(&self) -> bool {
        if self.namespace == UNKNOWN || namespace().as_ref() != Some(&self.namespace) {
            return false;
        }
        if !exists(self.id) {
            return true;
        }
        // A directory of /proc may be hidden from this user.
        let known = if proc_shows_this_namespace() { started(&self.id.to_string()) } else { None };
        self.started != UNKNOWN && known.is_some_and(|known| known != self.started)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id, self.namespace, self.started)
    }
}

/// The boot and the PID namespace of this process, such as `BOOT/pid:[4026531836]`. Only Linux tells both.
fn namespace() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.to_str()?))
}

/// Whether the numbers in /proc are those of this process's PID namespace. In a container that sees the /proc of its
/// host they are not.
fn proc_shows_this_namespace() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.to_str() == Some(&std::process::id().to_string()))
}

/// The start of a process: the 22nd field of `stat`. The second field may hold anything, but ends with the last
/// parenthesis.
fn started(id: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned())
}

/// Whether there is a process of this number, of whatever user.
#[cfg(unix)]
fn exists(id: u32) -> bool {
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    id.is_none_or(|id| rustix::process::test_kill_process(id) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn exists(_: u32) -> bool {
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The number of a process that has ended and been waited for.
    fn ended() -> u32 {
        let mut child = std::process::Command::new("true").spawn().expect("a process");
        child.wait().expect("it ends");
        child.id()
    }

    #[test]
    fn this_process_runs_and_is_told_from_another_with_its_number() {
        let this = Process::this();
        assert_eq!(Process::parse(&this.to_string()), Some(this.clone()));
        assert!(!this.has_ended());
        assert!(Process { started: "1".into(), ..this.clone() }.has_ended(), "its number belongs to another process");
        assert!(!Process { started: UNKNOWN.into(), ..this }.has_ended());
    }

    #[test]
    fn processes_that_begin_at_different_times_are_told_apart() {
        // The parent began before this process, by more than the clock's smallest step.
        let [ours, theirs] = ["self", &std::os::unix::process::parent_id().to_string()].map(started);
        assert!(ours.is_some() && theirs.is_some() && ours != theirs, "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_process_has_ended_only_if_this_system_can_say_so() {
        let gone = Process { id: ended(), ..Process::this() };
        assert!(gone.has_ended());
        let (boot, namespace) = gone.namespace.split_once('/').expect("both");
        let container = format!("{boot}/pid:[1]");
        let other_boot = format!("another-boot/{namespace}");
        for elsewhere in [container, other_boot, UNKNOWN.to_owned()] {
            assert!(!Process { namespace: elsewhere.clone(), ..gone.clone() }.has_ended(), "{elsewhere}");
        }
        let of_another_user = Process { id: 1, started: UNKNOWN.into(), ..gone };
        assert!(!of_another_user.has_ended());
    }

    #[test]
    fn what_an_older_version_wrote_says_nothing() {
        assert_eq!(Process::parse("4711 6b1d2c2e-b1c5/123456"), None);
        assert_eq!(Process::parse(""), None);
    }
}
