//! The clipboard of the terminal, which also reaches the user's own machine from another one.

use std::fs::OpenOptions;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::term::{Output, Stderr};

/// The most that is handed to a terminal, in bytes of base64: many drop more without a word.
pub const LARGEST: usize = 74_994;

/// The terminal of this process, whatever its standard streams are.
#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(not(unix))]
const TERMINAL: &str = "CONOUT$";

/// Hands a text to the clipboard of the terminal (OSC 52). Terminals do not say whether they took it.
///
/// # Errors
/// There is no terminal, or the text is too long for one.
pub fn to_terminal(text: &str, stderr: &Output) -> io::Result<()> {
    let sequence = sequence(text)?;
    if stderr.tty {
        return Stderr::new().write_all(sequence.as_bytes());
    }
    let mut terminal = OpenOptions::new().write(true).open(TERMINAL)?;
    terminal.write_all(sequence.as_bytes())?;
    terminal.flush()
}

/// The text is in it as base64, so nothing of it can end the sequence or begin another.
fn sequence(text: &str) -> io::Result<String> {
    let encoded = BASE64.encode(text);
    if encoded.len() > LARGEST {
        return Err(io::Error::other(format!(
            "it is longer than the {} KiB that terminals take",
            LARGEST * 3 / 4 / 1024
        )));
    }
    Ok(format!("\x1b]52;c;{encoded}\x07"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_data_in_the_sequence() {
        assert_eq!(sequence("hi\x07\x1b[2J").expect("short"), "\x1b]52;c;aGkHG1sySg==\x07");
        assert!(sequence(&"x".repeat(60_000)).is_err());
    }
}
