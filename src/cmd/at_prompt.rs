//! Waiting for a person at the terminal, whose modes change meanwhile.

#[cfg(unix)]
pub(super) use unix::at_prompt;

/// Asks the person. On a console, whoever asks sees to its modes.
#[cfg(not(unix))]
pub(super) fn at_prompt<T>(_last: &'static str, ask: impl FnOnce() -> T) -> T {
    ask()
}

#[cfg(unix)]
mod unix {
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use tokio::sync::oneshot;

    use crate::cmd::process;
    use crate::cmd::signals::Signals;
    use crate::error::Error;
    use crate::report::saved_modes::SavedModes;
    use crate::resources;

    /// Asks the person. A signal meanwhile ends the process, after the terminal has the modes that it has now, and `last` has been
    /// written to it. Afterwards too a signal ends the process at once.
    pub(in crate::cmd) fn at_prompt<T>(last: &'static str, ask: impl FnOnce() -> T) -> T {
        // Where the system gives no thread, whoever asks still restores the modes, unless it is a signal that ends the process.
        let watch = Watch::start(last).ok();
        let answer = ask();
        drop(watch);
        answer
    }

    /// A thread that hears signals until this is dropped.
    struct Watch {
        over: Option<oneshot::Sender<()>>,
        thread: Option<JoinHandle<()>>,
    }

    impl Watch {
        fn start(last: &'static str) -> Result<Self, Error> {
            let runtime = process::runtime()?;
            let modes = SavedModes::save();
            let (over, asked) = oneshot::channel();
            let (hears, hearing) = mpsc::channel::<()>();
            let watch = move || {
                runtime.block_on(async {
                    let mut signals = Signals::new();
                    drop(hears);
                    tokio::select! {
                        biased;
                        signal = signals.next() => {
                            modes.restore(last);
                            process::die_by(signal);
                        }
                        _ = asked => signals.end_at_once(),
                    }
                });
            };
            let thread = thread::Builder::new().name("prompt".into());
            let started = resources::check_threads(1).and_then(|()| thread.spawn(watch));
            let thread = started.map_err(|error| Error::system("the system has no thread for a prompt", &error))?;
            let _it_hears = hearing.recv();
            Ok(Self { over: Some(over), thread: Some(thread) })
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            drop(self.over.take());
            // A panic of the thread has been reported when it happened.
            _ = self.thread.take().map(JoinHandle::join);
        }
    }
}
