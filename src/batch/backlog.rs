//! Bounds the memory of rows that were read ahead.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The most bytes of what is asked that wait. One row may be larger.
const MOST_WAITING: usize = 64 << 20;

/// How many bytes of what is asked wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Mutex<usize>,
    is_less: Condvar,
}

impl Backlog {
    /// Adds so many when there is room, or when nobody takes rows any more.
    pub(super) fn add(&self, bytes: usize, is_over: impl Fn() -> bool) {
        /// Whether the taker is still there is looked at so often.
        const LOOK: Duration = Duration::from_millis(50);
        let mut waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > 0 && *waiting + bytes > MOST_WAITING && !is_over() {
            waiting = self.is_less.wait_timeout(waiting, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        *waiting += bytes;
    }

    /// So many are taken.
    pub(super) fn remove(&self, bytes: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.is_less.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_too_much_waits_for_room_and_one_row_alone_may_be_large() {
        let backlog = Arc::new(Backlog::default());
        backlog.add(MOST_WAITING + 1, || panic!("nothing waits before it"));
        let other = Arc::clone(&backlog);
        let (sender, looks) = std::sync::mpsc::channel();
        let adding = thread::Builder::new().spawn(move || other.add(1, || sender.send(()).is_err()));
        let adding = adding.expect("a thread");
        looks.recv().expect("it waits");
        assert_eq!(*backlog.bytes.lock().expect("no panic"), MOST_WAITING + 1);
        backlog.remove(MOST_WAITING + 1);
        adding.join().expect("no panic");
        assert_eq!(*backlog.bytes.lock().expect("no panic"), 1);
        // Nobody takes rows any more.
        backlog.add(MOST_WAITING, || true);
    }
}
