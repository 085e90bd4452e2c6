//! Errors, their exit codes, and hints for the user. No error contains a prompt or a key.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::chat::Usage;
use crate::words;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

/// The signal of a closed output pipe: no program reads our output any more. It has this number on every system that has
/// it.
pub const SIGPIPE: i32 = 13;

/// The name of standard output in messages.
pub const STDOUT: &str = "standard output";

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the input is invalid.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// The config is invalid.
    #[error("{message}")]
    Config { message: String, cause: Option<String>, hint: Option<String> },
    /// The system refuses a resource that every command needs, such as one more open file.
    #[error("{message}")]
    System { message: String, cause: String, hint: Option<String> },
    /// A key could not be read, saved or removed.
    #[error("{message}")]
    Key { message: String, cause: Option<String>, hint: Option<String> },
    /// A call failed, or another request to a gateway.
    #[error("{0}")]
    Call(#[from] Failure),
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Input { path: PathBuf, source: io::Error },
    /// The answer could not be written. A closed pipe is [`Error::Signalled`] instead.
    #[error("cannot write {target}")]
    Output { target: String, source: io::Error },
    /// What is kept between runs cannot be read or written: the system refuses it.
    #[error("{message}")]
    Storage { message: String, cause: Option<String>, hint: Option<String> },
    /// The process has to die by this signal: it was received, or (SIGPIPE) the reader of our output has closed it.
    #[error("stopped by signal {0}")]
    Signalled(i32),
}

impl Error {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    pub fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::Config { message: message.into(), cause: None, hint: None }
    }

    pub fn config_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Config { message: message.into(), cause: None, hint: Some(hint.into()) }
    }

    /// An error of the system, with a hint where it has too little of something.
    pub fn system(message: impl Into<String>, error: &io::Error) -> Self {
        Self::System { message: message.into(), cause: error.to_string(), hint: lack(error).map(Lack::hint) }
    }

    /// There is no home directory in which this is kept. The variable names another place.
    pub fn no_home(kept: &str, variable: &str) -> Self {
        let why = format!("there is no home directory; {variable} names another place");
        Self::Output { target: kept.to_owned(), source: io::Error::new(io::ErrorKind::NotFound, why) }
    }

    /// As [`Error::system`], where the system has too few files or too little memory to give; `None` where the error says
    /// something else.
    pub fn shortage(message: &str, error: &io::Error) -> Option<Self> {
        Self::is_shortage(error).then(|| Self::system(message, error))
    }

    /// A file cannot be read. Where its writer did not come within `--timeout`, that is a timeout.
    pub fn unreadable(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::TimedOut => {
                let message = format!("cannot read {}: {source}", path.display());
                Self::Call(Failure::new(FailureKind::Timeout, message).with_advice("--timeout sets another limit"))
            }
            _ => Self::Input { path: path.to_owned(), source },
        }
    }

    /// As [`Error::shortage`], of an error of a program that could not be started: there may be no process to be had as well.
    pub fn no_process(message: &str, error: &io::Error) -> Option<Self> {
        lack(error).is_some().then(|| Self::system(message, error))
    }

    /// Whether the error means that this process, or all processes together, have too many open files, or too little memory.
    pub fn is_shortage(error: &io::Error) -> bool {
        matches!(lack(error), Some(Lack::Files | Lack::Memory))
    }

    /// Whether a signal was received, rather than that the reader of our output has left.
    pub fn is_signal(&self) -> bool {
        matches!(self, Self::Signalled(signal) if *signal != SIGPIPE)
    }

    /// The exit code that scripts see. A signal has none: the process dies by it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input { source, .. } | Self::Output { source, .. } if Self::is_shortage(source) => 71,
            Self::Usage { .. } | Self::Input { .. } => 2,
            Self::Config { .. } => 3,
            Self::Key { .. } => 4,
            Self::Call(failure) => failure.exit_code(),
            Self::System { .. } => 71,
            Self::Output { .. } | Self::Storage { .. } => 74,
            Self::Signalled(signal) => 128u8.saturating_add(u8::try_from(*signal).unwrap_or(0)),
        }
    }

    /// Whether standard output cannot be written, so that there is nobody to tell anything.
    pub fn is_of_stdout(&self) -> bool {
        matches!(self, Self::Output { target, .. } if target == STDOUT)
    }

    /// The cause of the error, where it is known and not in the message.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Config { cause, .. } | Self::Key { cause, .. } | Self::Storage { cause, .. } => cause.clone(),
            Self::Call(failure) => failure.cause.clone(),
            Self::System { cause, .. } => Some(cause.clone()),
            Self::Input { source, .. } | Self::Output { source, .. } => Some(source.to_string()),
            Self::Usage { .. } | Self::Signalled(_) => None,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. }
            | Self::Config { hint, .. }
            | Self::System { hint, .. }
            | Self::Key { hint, .. }
            | Self::Storage { hint, .. } => hint.clone(),
            Self::Call(failure) => failure.hint(),
            Self::Input { source, .. } | Self::Output { source, .. } if Self::is_shortage(source) => {
                lack(source).map(Lack::hint)
            }
            Self::Output { target, .. } if target == STDOUT => {
                Some("a command that has --out FILE can write to a file instead".into())
            }
            Self::Output { source, .. } if has_no_room(source) => Some("make room there, or name another place".into()),
            Self::Output { .. } | Self::Input { .. } | Self::Signalled(_) => None,
        }
    }
}

/// Whether a file could not be written because there is no room for it.
fn has_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What the system has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "other systems tell less"))]
enum Lack {
    Files,
    Memory,
    /// Or memory for their stacks.
    Threads,
}

impl Lack {
    fn hint(self) -> String {
        match self {
            Self::Files => "`ulimit -n 256` lets the commands after it open more files",
            Self::Memory => "`ulimit -v` and `ulimit -d` show how much memory a process may have",
            Self::Threads => {
                "`ulimit -u` shows how many threads a user may have, and `ulimit -v` how much memory a process may have"
            }
        }
        .to_owned()
    }
}

/// What the system has too little of, if the error says that.
fn lack(error: &io::Error) -> Option<Lack> {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => return Some(Lack::Files),
            Some(Errno::AGAIN) => return Some(Lack::Threads),
            _ => {}
        }
    }
    if error.kind() == io::ErrorKind::OutOfMemory {
        return Some(Lack::Memory);
    }
    // Libraries put errors of the system into their own.
    let first = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    let inner = std::iter::successors(first, |inner| inner.source()).find_map(|inner| lack(inner.downcast_ref()?));
    // Elsewhere than where a thread is asked for, that error is no lack.
    inner.filter(|lack| *lack != Lack::Threads)
}

/// Why an attempt, and in the end a call, did not give a complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// One sentence for people, by the gateway if it sent one. Control characters are escaped only when it is shown.
    pub message: String,
    /// The cause: a chain of transport errors, or an excerpt of a response body.
    pub cause: Option<String>,
    /// The HTTP status, or the status in an error inside a stream.
    pub status: Option<u16>,
    /// The parameter that the gateway names as the reason.
    pub param: Option<String>,
    /// The time that the gateway asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// Whether to try again, by the gateway's header `x-should-retry`, which wins over the status.
    pub should_retry: Option<bool>,
    /// A hint that fits better than the one of the kind.
    pub advice: Option<Box<str>>,
    /// Whether the request was sent and its cost was not reported, so that it may be billed although it failed.
    pub maybe_billed: bool,
    /// Which key it is, where the kind is [`FailureKind::Auth`].
    pub refused_key: RefusedKey,
    /// What the answer took, where the gateway told that with the failure. Nothing more is billed for it.
    pub usage: Option<Box<Usage>>,
}

/// The key that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusedKey {
    /// The one that was sent.
    #[default]
    Sent,
    /// None was sent, nor a header that looks as if it held one.
    Missing,
    /// The gateway's own key for its upstream.
    OfUpstream,
}

/// The longest wait that is told. Whatever is longer is as good as never.
pub const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A wait of so many seconds, as a gateway asks for it; `None` where that is no possible time to wait. Some gateways send the time
/// of an epoch, which is none.
pub fn asked_wait(seconds: f64) -> Option<Duration> {
    /// So many seconds have passed since 1970 in 2001.
    const EPOCH: Duration = Duration::from_secs(1_000_000_000);
    let wait = Duration::try_from_secs_f64(seconds).ok().filter(|wait| *wait < EPOCH)?;
    Some(wait.min(LONGEST_WAIT))
}

/// The kinds of failure. Each has one exit code. Records contain the name in snake_case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No key could be found for the gateway.
    NoKey,
    /// The gateway refused the key (401, 403).
    Auth,
    /// The account cannot pay (402).
    Credits,
    /// The gateway does not know the model or the path (404).
    NotFound,
    /// The gateway refused the request because of its content (400, 413, 422).
    InvalidRequest,
    /// The prompt is longer than the model's context window.
    ContextLength,
    /// A filter or the model itself refused to answer.
    ContentFilter,
    /// Too many requests (429).
    RateLimited,
    /// The gateway or model is overloaded or down (502, 503, 529).
    Unavailable,
    /// The gateway or the model failed (other 5xx).
    ServerError,
    /// A time limit has passed, one of ours or the gateway's (408, 504).
    Timeout,
    /// DNS, connection, TLS or transport failed.
    Network,
    /// The response does not have the wire format that was expected.
    Protocol,
    /// The stream or the model ended before the answer was complete.
    Truncated,
    /// The answer is complete but does not follow its schema.
    Schema,
    /// A budget, an allow-list or `--max-cost` forbids the request, which was not sent.
    Refused,
    /// A call whose answer is needed has failed. The request was not sent.
    Skipped,
    /// The user stopped the call.
    Interrupted,
}

impl FailureKind {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::Auth => "auth",
            Self::Credits => "credits",
            Self::NotFound => "not_found",
            Self::InvalidRequest => "invalid_request",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Protocol => "protocol",
            Self::Truncated => "truncated",
            Self::Schema => "schema",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }

    /// The kind of a failure of which only the HTTP status is known.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Auth,
            402 => Self::Credits,
            404 | 405 => Self::NotFound,
            408 | 504 => Self::Timeout,
            429 => Self::RateLimited,
            502 | 503 | 529 => Self::Unavailable,
            500.. => Self::ServerError,
            400..=499 => Self::InvalidRequest,
            _ => Self::Protocol,
        }
    }

    /// The exit code of a call that failed like this. See `docs/exit-codes.md`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NoKey | Self::Auth => 4,
            Self::Refused => 5,
            Self::RateLimited | Self::Unavailable => 6,
            Self::Timeout | Self::Network => 7,
            Self::Truncated => 8,
            Self::Schema => 9,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
            status: None,
            param: None,
            retry_after: None,
            should_retry: None,
            advice: None,
            maybe_billed: false,
            refused_key: RefusedKey::Sent,
            usage: None,
        }
    }

    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub fn with_advice(mut self, advice: impl Into<Box<str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Marks the failure: the request was sent, and may be billed.
    pub fn maybe_billed(mut self) -> Self {
        self.maybe_billed = true;
        self
    }

    /// Adds what the gateway told with the failure of what the answer took, if it told anything.
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage).filter(|usage| !usage.is_unknown()).map(Box::new);
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }

    /// Whether the same request may succeed if it is sent again.
    pub fn is_transient(&self) -> bool {
        self.should_retry.unwrap_or(match self.kind {
            FailureKind::RateLimited
            | FailureKind::Unavailable
            | FailureKind::ServerError
            | FailureKind::Timeout
            | FailureKind::Network => true,
            FailureKind::InvalidRequest => self.status == Some(409),
            _ => false,
        })
    }

    /// Adds the time at which the gateway accepts the request again as advice, if it asks for a longer wait than this.
    #[must_use]
    pub fn with_retry_time(mut self, longer_than: Duration, now: Timestamp) -> Self {
        if let Some(asked) = self.retry_after.filter(|asked| *asked > longer_than)
            && self.is_transient()
        {
            let seconds = asked.as_secs().saturating_add(u64::from(asked.subsec_nanos() > 0));
            let later = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            let when = now.checked_add(later).map(|when| format!(", at {when:.0}")).unwrap_or_default();
            let wait = words::limit(Duration::from_secs(seconds));
            self.advice = Some(match asked < LONGEST_WAIT {
                true => format!("the gateway asks to come back in {wait}{when}").into(),
                false => "the gateway asks to come back in a year or later".into(),
            });
        }
        self
    }

    /// The failure of a request that is not tried again, of which no flag makes more tries.
    #[must_use]
    pub fn without_retries(mut self, now: Timestamp) -> Self {
        if self.kind == FailureKind::RateLimited && self.advice.is_none() {
            self.advice = Some("wait a moment, and try again".into());
        }
        self.with_retry_time(Duration::ZERO, now)
    }

    /// The message, with the advice behind it if it has one of its own. For lines that are followed by no hint.
    pub fn with_its_advice(&self) -> String {
        let advice = self.advice.as_ref().map_or_else(String::new, |advice| format!("; {advice}"));
        format!("{}{advice}", self.message)
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        if self.advice.is_some() {
            return self.advice.as_deref().map(str::to_owned);
        }
        let hint = match self.kind {
            FailureKind::Auth => "the gateway refused the key: `llm key test` checks it, `llm key set` replaces it",
            FailureKind::NotFound => "`llm models` lists what the gateway offers; `llm doctor` checks its base URL",
            FailureKind::RateLimited if self.should_retry == Some(false) => "wait a while before the next try",
            FailureKind::RateLimited => "wait a moment, or allow more tries with --retries",
            FailureKind::Timeout => "--timeout sets how long a call may take",
            FailureKind::Network => "`llm doctor` shows whether the gateway can be reached",
            FailureKind::Protocol => "is the gateway's base_url right? `llm doctor` checks it",
            _ => return None,
        };
        Some(hint.into())
    }
}

/// The error object of a record: kind, message, status, and whether a retry may succeed.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Failure", 4)?;
        object.serialize_field("kind", &self.kind)?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("status", &self.status)?;
        object.serialize_field("retryable", &self.is_transient())?;
        object.end()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn more_tries_are_no_advice_where_the_gateway_wants_none() {
        let limited = |should_retry| Failure { should_retry, ..Failure::new(FailureKind::RateLimited, "slow") };
        for (should_retry, names_retries) in [(None, true), (Some(true), true), (Some(false), false)] {
            let hint = limited(should_retry).hint().expect("a hint");
            assert_eq!(hint.contains("--retries"), names_retries, "{hint}");
        }
    }

    #[test]
    fn a_file_is_no_mistake_of_the_user_where_the_system_has_too_little() {
        let system = |errno: Errno| io::Error::from(errno);
        let nested = |errno: Errno| io::Error::other(io::Error::from(errno));
        for (errno, codes) in [
            (Errno::MFILE, [71, 71]),
            (Errno::NFILE, [71, 71]),
            (Errno::NOMEM, [71, 71]),
            (Errno::NOENT, [2, 74]),
            (Errno::AGAIN, [2, 74]),
        ] {
            for error in [system, nested] {
                let read = Error::unreadable(Path::new("x"), error(errno));
                let written = Error::Output { target: "x".into(), source: error(errno) };
                assert_eq!([read.exit_code(), written.exit_code()], codes, "{errno:?}");
                assert_eq!([read.hint().is_some(), written.hint().is_some()], codes.map(|code| code == 71));
            }
        }
    }

    #[test]
    fn a_thread_that_cannot_be_had_has_a_hint_only_where_it_was_asked_for() {
        let hint = |error: io::Error| Error::system("x", &error).hint();
        assert!(hint(Errno::AGAIN.into()).is_some_and(|hint| hint.contains("ulimit -u")));
        assert_eq!(hint(io::Error::other(io::Error::from(Errno::AGAIN))), None);
    }
}
