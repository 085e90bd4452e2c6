//! Signals that end a run: the first stops it in order, the second at once. Elsewhere than on Unix, Ctrl-C.

#[cfg(not(unix))]
pub(super) use other::Signals;
#[cfg(unix)]
pub(super) use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(in crate::cmd) struct Signals {
        listening: Vec<(i32, Signal)>,
    }

    impl Signals {
        pub(in crate::cmd) fn new() -> Self {
            let stopping = Arc::new(AtomicBool::new(false));
            let mut listening = Vec::new();
            for number in [SIGINT, SIGTERM, SIGHUP] {
                // What the shell or nohup told us to ignore stays ignored.
                if is_ignored(number) {
                    continue;
                }
                // Where a handler cannot be set, the signal keeps its usual effect.
                let _ = signal_hook::flag::register_conditional_default(number, stopping.clone());
                // In this order, and by the handler itself: a second signal ends us even where a write to a reader that
                // does not read keeps us from hearing of the first.
                let _ = signal_hook::flag::register(number, stopping.clone());
                listening.extend(signal(SignalKind::from_raw(number)).ok().map(|stream| (number, stream)));
            }
            Self { listening }
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

    #[cfg(target_os = "linux")]
    fn is_ignored(number: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask & (1 << (number - 1)) != 0
    }

    #[cfg(not(target_os = "linux"))]
    fn is_ignored(_: i32) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod other {
    pub(in crate::cmd) struct Signals;

    impl Signals {
        pub(in crate::cmd) fn new() -> Self {
            Self
        }

        /// SIGINT's number, once Ctrl-C is pressed.
        pub(in crate::cmd) async fn next(&mut self) -> i32 {
            match tokio::signal::ctrl_c().await {
                Ok(()) => 2,
                Err(_) => std::future::pending().await,
            }
        }
    }
}
