//! The user's clipboard.

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::Context;
use crate::child::without_keys;
use crate::error::Error;
use crate::report::clipboard;
use crate::report::format::count;
use crate::run::Notices;

/// How long a program may take to receive a text.
const PATIENCE: Duration = Duration::from_secs(3);

/// A program with its arguments.
pub(super) type Program = &'static [&'static str];

/// What takes a text into the clipboard of this system.
#[derive(Debug, Clone)]
pub(super) struct Copying {
    programs: Vec<Program>,
    /// The variables that hold keys.
    keys: Vec<String>,
    text: String,
}

impl Copying {
    /// Gives the text to the first program that takes it, and returns that. Blocks for some seconds for each that does not end.
    pub(super) fn run(self) -> Option<Program> {
        self.programs.into_iter().find(|program| run(program, &self.keys, &self.text))
    }
}

/// Copies a text: by a program of this system where the user sits at it, since programs say whether they succeeded, else
/// through the terminal, which also works over SSH. `wait` does the work of programs.
///
/// # Errors
/// There is neither a program for it nor a terminal; that of `wait`.
pub(super) fn copy(
    context: &Context,
    text: &str,
    mut wait: impl FnMut(Copying) -> Result<Option<Program>, Error>,
) -> Result<(), Error> {
    let size = count(text.lines().count() as u64, "line", "lines");
    let is_remote = ["SSH_TTY", "SSH_CONNECTION"].iter().any(|name| context.settings.env.get(name).is_some());
    let mut by_program = || {
        let (programs, keys) = (programs(context), context.settings.key_variables());
        wait(Copying { programs, keys, text: text.to_owned() })
    };
    let copied = |program: Program| context.notice(&format!("copied {size} ({})", program[0]));
    if !is_remote && let Some(program) = by_program()? {
        copied(program);
        return Ok(());
    }
    let Err(error) = clipboard::to_terminal(text, &context.terminal.stderr) else {
        context.notice(&format!("handed {size} to the terminal's clipboard (OSC 52)"));
        return Ok(());
    };
    match if is_remote { by_program()? } else { None } {
        Some(program) => copied(program),
        None => return Err(Error::Output { target: "the clipboard".to_owned(), source: error }),
    }
    Ok(())
}

/// The programs that may be there, the most likely first.
fn programs(context: &Context) -> Vec<Program> {
    let is_set = |name: &str| context.settings.env.get(name).is_some();
    let mut programs: Vec<Program> = Vec::new();
    if cfg!(target_os = "macos") {
        programs.push(&["pbcopy"]);
    }
    if is_set("WAYLAND_DISPLAY") {
        programs.push(&["wl-copy"]);
    }
    if is_set("DISPLAY") {
        programs.extend([&["xclip", "-selection", "clipboard"][..], &["xsel", "--clipboard", "--input"]]);
    }
    if cfg!(windows) || is_set("WSL_DISTRO_NAME") {
        programs.push(&["clip.exe"]);
    }
    programs
}

/// Gives the program the text, and returns whether it succeeded. Programs that stay to hold the clipboard have other
/// processes for it.
fn run(program: Program, keys: &[String], text: &str) -> bool {
    let Some((program, arguments)) = program.split_first() else { return false };
    let mut process = without_keys(program, keys);
    process.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = process.spawn() else { return false };
    let Some(mut input) = child.stdin.take() else { return false };
    let bytes = text.as_bytes().to_vec();
    // A program that does not read would otherwise be waited for without an end.
    let writing = thread::Builder::new().name("clipboard".into()).spawn(move || input.write_all(&bytes));
    // Without a thread, the program has nothing to read and ends.
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success() && writing.is_ok(),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}
