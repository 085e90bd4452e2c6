//! What signals ask of a server.

use crate::error::Error;

/// What the user of the system wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGHUP: to read the config again.
    Reload,
    /// SIGTERM, SIGINT: to end.
    End,
}

#[cfg(unix)]
pub(super) use unix::Wishes;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Error, Wish};

    pub(in crate::cmd) struct Wishes {
        hangup: Signal,
        interrupt: Signal,
        terminate: Signal,
    }

    impl Wishes {
        /// Listens from now on. Must be called inside a tokio runtime.
        ///
        /// # Errors
        /// The system does not let signals be heard.
        pub(in crate::cmd) fn new() -> Result<Self, Error> {
            let listen = |kind| signal(kind).map_err(|error| Error::system("signals cannot be heard", &error));
            Ok(Self {
                hangup: listen(SignalKind::hangup())?,
                interrupt: listen(SignalKind::interrupt())?,
                terminate: listen(SignalKind::terminate())?,
            })
        }

        /// The next wish.
        pub(in crate::cmd) async fn next(&mut self) -> Wish {
            tokio::select! {
                _ = self.hangup.recv() => Wish::Reload,
                _ = self.interrupt.recv() => Wish::End,
                _ = self.terminate.recv() => Wish::End,
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Wishes;

#[cfg(not(unix))]
impl Wishes {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Wish {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Wish::End,
            Err(_) => std::future::pending().await,
        }
    }
}
