//! Signals that end a run: the first stops it in order, the second at once. Elsewhere than on Unix, Ctrl-C.

#[cfg(not(unix))]
pub(super) use other::Signals;
#[cfg(unix)]
pub(super) use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(in crate::cmd) struct Signals {
        listening: Vec<(i32, Signal)>,
    }

    /// The handlers of this process. They are set once, and stay.
    struct Handlers {
        /// The signals that are heard.
        heard: Vec<i32>,
        /// Whether the next signal ends the process at once.
        stopping: Arc<AtomicBool>,
    }

    static HANDLERS: OnceLock<Handlers> = OnceLock::new();

    impl Handlers {
        fn set() -> Self {
            let stopping = Arc::new(AtomicBool::new(false));
            let numbers = [SIGINT, SIGTERM, SIGHUP];
            // What the shell or nohup set to be ignored stays ignored.
            let ignored = ignored(&numbers);
            let heard: Vec<i32> = numbers.into_iter().filter(|number| !ignored.contains(number)).collect();
            for number in &heard {
                // Where a handler cannot be set, the signal keeps its usual effect.
                let _ = signal_hook::flag::register_conditional_default(*number, stopping.clone());
                // In this order, and by the handler itself: a second signal ends the process even where it is blocked and
                // so does not hear of the first.
                let _ = signal_hook::flag::register(*number, stopping.clone());
            }
            Self { heard, stopping }
        }
    }

    impl Signals {
        /// Listens from now on. Must be called inside a tokio runtime.
        pub(in crate::cmd) fn new() -> Self {
            let handlers = HANDLERS.get_or_init(Handlers::set);
            handlers.stopping.store(false, Relaxed);
            let listen = |number: &i32| Some((*number, signal(SignalKind::from_raw(*number)).ok()?));
            Self { listening: handlers.heard.iter().filter_map(listen).collect() }
        }

        /// From now on a signal has its usual effect: nothing is left that needs an orderly end.
        pub(in crate::cmd) fn end_at_once(&self) {
            Self::next_ends(true);
        }

        /// The next signal is to be heard again, before one ends the process at once.
        pub(in crate::cmd) fn hear_another(&self) {
            Self::next_ends(false);
        }

        /// From now on, until [`Self::hear_another`], a signal ends the process at once. For whoever has no `Signals`.
        pub(in crate::cmd) fn next_ends_at_once() {
            Self::next_ends(true);
        }

        /// Hears when this process goes on after it was stopped. `None` where the system does not tell. Must be called inside a tokio
        /// runtime.
        pub(in crate::cmd) fn continued() -> Option<Signal> {
            signal(SignalKind::from_raw(SIGCONT)).ok()
        }

        /// Whether the next signal ends the process at once.
        fn next_ends(at_once: bool) {
            if let Some(handlers) = HANDLERS.get() {
                handlers.stopping.store(at_once, Relaxed);
            }
        }

        /// The next signal, by number.
        pub(in crate::cmd) async fn next(&mut self) -> i32 {
            std::future::poll_fn(|context| {
                for (number, stream) in &mut self.listening {
                    if stream.poll_recv(context).is_ready() {
                        return std::task::Poll::Ready(*number);
                    }
                }
                std::task::Poll::Pending
            })
            .await
        }
    }

    /// Which of these signals were ignored when the process began.
    #[cfg(target_os = "linux")]
    fn ignored(numbers: &[i32]) -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        numbers.iter().copied().filter(|number| mask & (1 << (number - 1)) != 0).collect()
    }

    /// Which of these signals were ignored when the process began. A shell is asked, because `sigaction` has no safe
    /// interface: a child process inherits that a signal is ignored, and a shell cannot trap one that is.
    #[cfg(not(target_os = "linux"))]
    fn ignored(numbers: &[i32]) -> Vec<i32> {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", TRAPPED, "sh"]).args(numbers.iter().map(i32::to_string)).env_clear();
        let output = shell.stdin(std::process::Stdio::null()).output();
        // Without a shell, no signal counts as ignored.
        let Ok(output) = output else { return Vec::new() };
        let trapped = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_trapped = |number: &i32| trapped.split_whitespace().any(|word| word == number.to_string());
        numbers.iter().copied().filter(|number| output.status.success() && !is_trapped(number)).collect()
    }

    /// Sends each of its arguments to itself as a signal, and prints those that it could trap.
    #[cfg(any(test, not(target_os = "linux")))]
    const TRAPPED: &str = r#"for s; do trap "heard=\"\$heard $s\"" "$s"; kill -s "$s" $$ || exit; done; echo $heard"#;

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_shell_tells_which_signals_are_ignored() {
            for (ignored, trapped) in [("", "15 1"), ("trap '' HUP;", "15"), ("trap '' HUP TERM;", "")] {
                let script = format!("{ignored} exec /bin/sh -c \"$0\" sh 15 1");
                let output = std::process::Command::new("/bin/sh").args(["-c", &script, TRAPPED]).output();
                let output = output.expect("a shell");
                assert!(output.status.success(), "{output:?}");
                assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), trapped, "{ignored}");
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    pub(in crate::cmd) struct Signals;

    impl Signals {
        pub(in crate::cmd) fn new() -> Self {
            Self
        }

        pub(in crate::cmd) fn end_at_once(&self) {}

        pub(in crate::cmd) fn hear_another(&self) {}

        /// SIGINT's number, once Ctrl-C is pressed.
        pub(in crate::cmd) async fn next(&mut self) -> i32 {
            match tokio::signal::ctrl_c().await {
                Ok(()) => 2,
                Err(_) => std::future::pending().await,
            }
        }
    }
}
