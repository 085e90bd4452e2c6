//! Taking a key from the user: typed without echo, or through a pipe.

use std::io::{self, Read};

use super::key::{BadKey, Cleaned, Key};
use crate::error::Error;

/// The most that is read, in bytes: more than the longest key and all that is removed around it.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Where a key that is to be saved comes from.
pub enum Input<'a> {
    /// The user types or pastes it at the terminal.
    Terminal,
    /// All of a stream is the key.
    Stream(&'a mut dyn Read),
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Terminal => "Terminal",
            Self::Stream(_) => "Stream",
        })
    }
}

impl Input<'_> {
    /// Reads the key; at a terminal, `question` asks for it.
    pub fn read(self, question: &str) -> Result<(Key, Cleaned), Error> {
        let bytes = match self {
            Self::Terminal => ask(question)?.into_bytes(),
            Self::Stream(stream) => {
                let mut bytes = Vec::new();
                stream.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| Error::Key {
                    message: "cannot read the key from stdin".into(),
                    cause: Some(error.to_string()),
                    hint: None,
                })?;
                if bytes.len() as u64 > MAX_INPUT_BYTES {
                    return Err(refused(BadKey::TooLong));
                }
                bytes
            }
        };
        Key::from_bytes(bytes).map_err(refused)
    }
}

fn refused(why: BadKey) -> Error {
    Error::usage_hint(why.to_string(), "paste the key alone, as the gateway's site shows it")
}

/// Reads a line from the terminal without echo; Ctrl-C leaves the terminal as it was.
fn ask(question: &str) -> Result<String, Error> {
    let answer = {
        let _guard = InterruptGuard::new().map_err(|error| cannot_ask(&error))?;
        rpassword::prompt_password(question)
    };
    answer.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Error::Signalled(signal_hook::consts::SIGINT),
        io::ErrorKind::UnexpectedEof => refused(BadKey::Empty),
        _ => cannot_ask(&error),
    })
}

fn cannot_ask(error: &io::Error) -> Error {
    Error::Key {
        message: "cannot ask for the key at the terminal".into(),
        cause: Some(error.to_string()),
        hint: Some("pipe it in: `llm key set GATEWAY < FILE`".into()),
    }
}

/// Keeps SIGINT from ending the process while the echo of the terminal is off.
///
/// At Ctrl-C the prompt raises the signal before it restores the terminal, and an end at that moment would leave the
/// user's shell without echo. Afterwards the signal ends the process as usual.
struct InterruptGuard {
    #[cfg(unix)]
    deadly: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[cfg(unix)]
impl InterruptGuard {
    fn new() -> io::Result<Self> {
        let deadly = std::sync::Arc::default();
        signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, std::sync::Arc::clone(&deadly))?;
        Ok(Self { deadly })
    }
}

#[cfg(unix)]
impl Drop for InterruptGuard {
    fn drop(&mut self) {
        self.deadly.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(not(unix))]
impl InterruptGuard {
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piped(mut bytes: &[u8]) -> Result<(Key, Cleaned), Error> {
        Input::Stream(&mut bytes).read("never asked")
    }

    #[test]
    fn a_piped_key_is_taken_and_cleaned() {
        let (key, cleaned) = piped(b" sk-abc\r\n").expect("a key");
        assert_eq!((key.expose(), cleaned.space), ("sk-abc", true));
    }

    #[test]
    fn piped_nonsense_is_a_usage_error_that_does_not_repeat_it() {
        let megabyte = vec![b'k'; 1 << 20];
        for (bytes, says) in [
            (b"".as_slice(), "empty"),
            (b"sk-CANARY\nsk-CANARY", "more than one line"),
            (b"sk-CANARY\xff", "not text"),
            (&megabyte, "longer than 8192 bytes"),
        ] {
            let error = piped(bytes).expect_err("refused");
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.exit_code(), 2);
            assert!(!format!("{error:?}").contains("CANARY"));
        }
    }
}
