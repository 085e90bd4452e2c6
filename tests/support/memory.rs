//! Peak memory of one process.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

/// Waits for the child's end; gives its status and the most memory it ever held, in bytes. The memory that this
/// process held when it made the child counts too.
#[expect(unsafe_code, reason = "the standard library cannot ask for the resource usage of one child")]
pub fn wait(child: &Child) -> (ExitStatus, u64) {
    let pid = i32::try_from(child.id()).expect("a process id");
    let mut status = 0;
    // SAFETY: all integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables of the types that wait4 fills, and the child is ours to wait for.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "the child could be waited for");
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    (ExitStatus::from_raw(status), u64::try_from(usage.ru_maxrss).expect("not negative") * unit)
}
