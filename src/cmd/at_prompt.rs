//! Waiting for a person at the terminal, whose modes change meanwhile.

#[cfg(unix)]
pub(super) use unix::{at_prompt, will_be_stopped};

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

    /// To be called before the prompt restores the modes and stops this process, as Ctrl-Z asks for. A signal then ends it at once, until
    /// it goes on in the foreground: the shell's `kill` lets it go on in the background, where it is stopped again.
    pub(in crate::cmd) fn will_be_stopped() {
        Signals::next_ends_at_once();
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
                    let mut continued = Signals::continued();
                    drop(hears);
                    tokio::pin!(asked);
                    loop {
                        let is_continued = async {
                            match &mut continued {
                                Some(signal) => signal.recv().await,
                                None => std::future::pending().await,
                            }
                        };
                        tokio::select! {
                            biased;
                            signal = signals.next() => {
                                modes.await_change();
                                modes.restore(last);
                                process::die_by(signal);
                            }
                            // In the background, where `bg` and `kill` of a shell let it go on, it is stopped again as soon as it
                            // uses the terminal, so that nothing would be heard.
                            _ = is_continued => if modes.is_used_here() {
                                signals.hear_another();
                            },
                            _ = &mut asked => break signals.end_at_once(),
                        }
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
