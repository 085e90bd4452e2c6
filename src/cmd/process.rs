//! The process itself: what others may see of it, and how it dies.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::num::NonZero;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::report;
use crate::report::progress::stop_live_lines;
use crate::report::term::{Output, say};
use crate::resources;
use crate::template;

/// Keeps the key out of core dumps and other processes' reach, and turns the signal for a full quota into an error that
/// can be reported.
pub(super) fn protect() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Refused only where the kernel lacks it; then nothing is lost that others have.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    {
        // A handler instead of death: the write then fails with "file too large".
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    }
    std::panic::set_hook(Box::new(say_bug));
}

/// What the standard library panics with in a new thread that got its stack and then found no memory for what it runs with when a
/// signal comes.
const NO_SIGNAL_STACK: &str = "failed to allocate an alternative stack";

/// Says where and why a thread panicked, and with `RUST_BACKTRACE` from where it came there.
#[expect(clippy::disallowed_methods, reason = "main does not learn of a thread that could not start")]
fn say_bug(panic: &PanicHookInfo<'_>) {
    if template::is_guarded() {
        return;
    }
    let payload = panic.payload();
    let message =
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    // It is no bug, and its thread ends the process in any case: it has no memory to unwind.
    if message.is_some_and(|message| message.starts_with(NO_SIGNAL_STACK)) {
        let error = Error::system("the system has no memory for another thread", &io::ErrorKind::OutOfMemory.into());
        say(report::error::error(&error, &Output::plain(usize::MAX)));
        std::process::exit(error.exit_code().into());
    }
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    stop_live_lines();
    say(report::error::bug(message.unwrap_or("unknown reason"), &place, backtrace.as_deref()));
}

/// Ends the process by this signal, so that a shell's loop stops too.
pub(super) fn die_by(signal: i32) -> ExitCode {
    // Does not return for the signals that we die by.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    ExitCode::from(128u8.saturating_add(u8::try_from(signal).unwrap_or(0)))
}

/// How many connections the process may have at once: what its limit of open files leaves.
pub(super) fn connections() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        // Standard streams, the event loop, files, and a resolver's sockets.
        const RESERVED: u64 = 20;
        let limit = getrlimit(Resource::Nofile).current;
        limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(RESERVED).max(1)).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    {
        usize::MAX
    }
}

/// Fails where the clock says a time that no calendar of the programs in use has, so that nothing could be dated.
pub(super) fn check_clock(now: SystemTime) -> Result<(), Error> {
    /// The first second of the year 9999, in seconds since 1970.
    const END: Duration = Duration::from_secs(253_370_764_800);
    if now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since < END) {
        return Ok(());
    }
    Err(Error::System {
        message: "the clock of this machine is wrong".to_owned(),
        cause: "it says a time before 1970 or after 9998".to_owned(),
        hint: Some("`date` shows it".to_owned()),
    })
}

/// One thread does it all: what takes time is waiting.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let build = |()| tokio::runtime::Builder::new_current_thread().enable_all().build();
    resources::check_event_loop()
        .and_then(build)
        .map_err(|error| Error::system("the system does not let llm wait for the network", &error))
}

/// A thread for each processor: a server has work for all of them.
pub(super) fn server_runtime() -> Result<tokio::runtime::Runtime, Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    // One more, for what may block later.
    resources::check_threads(threads + 1)
        .map_err(|error| Error::system("the system has no threads for a server", &error))?;
    let build = |()| tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    resources::check_event_loop()
        .and_then(build)
        .map_err(|error| Error::system("the system does not let llm wait for the network", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_no_calendar_has_is_an_error_and_no_crash() {
        let seconds = Duration::from_secs;
        for good in [0, 1, 1_800_000_000, 253_370_764_799] {
            check_clock(SystemTime::UNIX_EPOCH + seconds(good)).expect("a time");
        }
        for bad in [
            SystemTime::UNIX_EPOCH - seconds(1),
            SystemTime::UNIX_EPOCH - seconds(9_000_000_000),
            SystemTime::UNIX_EPOCH + seconds(253_370_764_800),
            SystemTime::UNIX_EPOCH + seconds(900_000_000_000_000),
        ] {
            let error = check_clock(bad).expect_err("no time");
            assert_eq!((error.exit_code(), error.to_string().as_str()), (71, "the clock of this machine is wrong"));
        }
    }
}
