//! Runs a command and prints the most memory it ever held, in KiB; fails if the command fails.
//!
//! A program of its own because Linux counts the memory of the process that started the command as the command's:
//! this one holds little. Compiled with `rustc` alone by `benches/run`.

use std::process::{Command, ExitCode, Stdio};

/// `struct rusage` of 64-bit Linux and macOS: two `timeval`s, then `ru_maxrss`, then thirteen more counters.
type Usage = [i64; 18];
const MAXRSS: usize = 4;

unsafe extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Usage) -> i32;
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().expect("a command to run");
    let child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn().expect("the command starts");
    let (mut status, mut usage) = (0, [0; 18]);
    // SAFETY: both pointers are to live variables at least as large as what wait4 fills.
    let waited = unsafe { wait4(child.id() as i32, &mut status, 0, &mut usage) };
    if waited < 0 || status != 0 {
        return ExitCode::FAILURE;
    }
    let unit = if cfg!(target_os = "macos") { 1024 } else { 1 };
    println!("{}", usage[MAXRSS] / unit);
    ExitCode::SUCCESS
}
