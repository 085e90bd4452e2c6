//! Work that may never end, on a thread of its own, and waiting for it with a timeout.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for the user's keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// When to tell the user that something is being waited for; `None`: never.
    pub notice_after: Option<Duration>,
    /// When to give up.
    pub limit: Duration,
}

impl Timeout {
    /// The limit is 5 seconds without a terminal, where nobody can type a password, and 60 seconds with one, where a
    /// notice comes after 1 second. `setting`, the user's `keyring_timeout`, replaces the limit in both cases.
    pub fn new(terminal: bool, setting: Option<Duration>) -> Self {
        let usual = Duration::from_secs(if terminal { 60 } else { 5 });
        Self { notice_after: terminal.then_some(Duration::from_secs(1)), limit: setting.unwrap_or(usual) }
    }
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoResult {
    /// The limit passed; the thread is left behind.
    TimedOut,
    /// The work panicked.
    Panicked,
}

/// Work that has begun.
///
/// The thread is detached: a keyring daemon that never answers keeps it forever, and the process ends without it.
/// (A runtime's blocking pool would be joined when the runtime is dropped, and so hang the process.)
#[derive(Debug)]
pub(super) struct Job<T> {
    result: Receiver<T>,
    started: Instant,
}

impl<T: Send + 'static> Job<T> {
    /// Fails where the system has no thread to give.
    pub(super) fn start(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, result) = sync_channel(1);
        let started = Instant::now();
        thread::Builder::new().name(name.into()).spawn(move || {
            // There is no receiver once the timeout has passed, and then the result is not needed.
            sender.send(work()).ok();
        })?;
        Ok(Self { result, started })
    }

    /// Waits until `timeout` ends, counted from the start; calls `notice` once if its time comes before the result.
    pub(super) fn wait(self, timeout: Timeout, notice: &mut dyn FnMut()) -> Result<T, NoResult> {
        let until = |moment: Duration| moment.saturating_sub(self.started.elapsed());
        if let Some(after) = timeout.notice_after.filter(|after| *after < timeout.limit) {
            match self.result.recv_timeout(until(after)) {
                Err(RecvTimeoutError::Timeout) => notice(),
                ended => return ended.map_err(NoResult::from),
            }
        }
        self.result.recv_timeout(until(timeout.limit)).map_err(NoResult::from)
    }
}

impl From<RecvTimeoutError> for NoResult {
    fn from(error: RecvTimeoutError) -> Self {
        match error {
            RecvTimeoutError::Timeout => Self::TimedOut,
            RecvTimeoutError::Disconnected => Self::Panicked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Timeout = Timeout { notice_after: None, limit: Duration::from_millis(20) };
    const LATE: Timeout = Timeout { notice_after: Some(Duration::ZERO), limit: Duration::from_secs(60) };

    #[test]
    fn stuck_work_is_left_behind_at_the_limit() {
        let (hold, held) = sync_channel::<()>(0);
        let job = Job::start("stuck", move || held.recv().is_ok()).expect("a thread");
        assert_eq!(job.wait(SOON, &mut || panic!("no notice was asked for")), Err(NoResult::TimedOut));
        drop(hold);
    }

    #[test]
    fn the_notice_comes_once_and_the_result_still_counts() {
        let (hold, held) = sync_channel::<()>(0);
        let job = Job::start("slow", move || held.recv().is_ok()).expect("a thread");
        let mut notices = 0;
        let mut hold = Some(hold);
        let result = job.wait(LATE, &mut || {
            notices += 1;
            hold.take().expect("one notice").send(()).expect("the job waits");
        });
        assert_eq!((result, notices), (Ok(true), 1));
    }

    #[test]
    fn work_that_panics_is_no_result() {
        let job = Job::start("broken", || -> () { std::panic::resume_unwind(Box::new(())) }).expect("a thread");
        assert_eq!(job.wait(LATE, &mut || {}), Err(NoResult::Panicked));
    }

    #[test]
    fn the_timeout_is_shorter_where_nobody_can_type_a_password() {
        let seconds = Duration::from_secs;
        assert_eq!(Timeout::new(false, None), Timeout { notice_after: None, limit: seconds(5) });
        assert_eq!(Timeout::new(true, None), Timeout { notice_after: Some(seconds(1)), limit: seconds(60) });
        assert_eq!(Timeout::new(true, Some(seconds(9))).limit, seconds(9));
        assert_eq!(Timeout::new(false, Some(seconds(9))).limit, seconds(9));
    }
}
