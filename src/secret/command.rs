//! `key_command`: a program of the user's that prints the key.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::key::{BadKey, Cleaned, Key};
use crate::error::Error;

/// How long a `key_command` may take; password managers ask for fingerprints.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// More than the longest key with everything that is cleaned from around it.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// How much of what it says when it fails is shown.
const MAX_COMPLAINT_BYTES: u64 = 4 * 1024;

/// Runs the program without a shell and takes the one line it prints as the key.
///
/// It gets no input, and none of the variables in `scrub` (those that hold keys). It runs in a process group of its own,
/// which is killed as a whole at the limit. What it writes to stderr is shown only if it fails, and then without the words
/// that might be keys.
pub(super) fn run(argv: &[String], scrub: &[String], limit: Duration) -> Result<(Key, Cleaned), Error> {
    let (program, arguments) = argv.split_first().ok_or_else(|| failed("", "names no program", None))?;
    let fail = |what: &str, cause: Option<String>| failed(program, what, cause);
    let deadline = Instant::now() + limit;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in scrub {
        command.env_remove(name);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| fail("cannot be run", Some(error.to_string())))?;

    let io_error = |error: io::Error| fail("cannot be read", Some(error.to_string()));
    let ends = match (
        child.stdout.take().map(|end| read(end, MAX_OUTPUT_BYTES)),
        child.stderr.take().map(|end| read(end, MAX_COMPLAINT_BYTES)),
    ) {
        (Some(Ok(output)), Some(Ok(complaint))) => Ok((output, complaint)),
        (Some(Err(error)), _) | (_, Some(Err(error))) => Err(error),
        _ => Err(io::Error::other("no pipe")),
    };
    let (output, complaint) = match ends {
        Ok(ends) => ends,
        Err(error) => {
            kill(&mut child);
            return Err(io_error(error));
        }
    };
    let late = || fail(&format!("gave no key within {} s", limit.as_secs_f64()), None);
    let Ok(output) = output.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
        kill(&mut child);
        return Err(late());
    };
    let output = match output {
        Ok(output) if output.len() as u64 > MAX_OUTPUT_BYTES => {
            kill(&mut child);
            return Err(fail("printed far more than a key", None));
        }
        Ok(output) => output,
        Err(error) => {
            kill(&mut child);
            return Err(io_error(error));
        }
    };
    let Some(status) = wait_until(&mut child, deadline).map_err(io_error)? else {
        kill(&mut child);
        return Err(late());
    };
    if !status.success() {
        // A grandchild may keep the other end open for ever, but what the program itself wrote is there at once.
        let said = complaint.recv_timeout(Duration::from_millis(200)).ok().and_then(Result::ok).unwrap_or_default();
        return Err(fail(&format!("failed ({status})"), last_words(&said, &output)));
    }
    let text = String::from_utf8(output).map_err(|_| fail("printed no key", Some(BadKey::NotUtf8.to_string())))?;
    Key::parse(&text).map_err(|why| fail("printed no key", Some(why.to_string())))
}

type Output = io::Result<Vec<u8>>;

/// Reads up to one byte more than `limit`, on a thread because a pipe has no time limit. Beyond it the pipe is closed.
fn read(end: impl Read + Send + 'static, limit: u64) -> io::Result<Receiver<Output>> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("key_command".into()).spawn(move || {
        let mut bytes = Vec::new();
        let result = end.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody waits for the complaints of a program that did its work.
        sender.send(result).ok();
    })?;
    Ok(receiver)
}

/// `None` if it still runs at the deadline. It has closed its output, so it is about to end: looking often costs little.
fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Ends the program and everything it started that stayed in its group.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone already, which is as good.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.kill().ok();
    child.wait().ok();
}

/// The last lines of what it wrote to stderr, without any word that could be a key or that it printed as one.
fn last_words(said: &[u8], output: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let output = String::from_utf8_lossy(output);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let masked: Vec<String> = lines
        .get(lines.len().saturating_sub(3)..)?
        .iter()
        .map(|line| line.split_whitespace().map(|word| mask(word, &output)).collect::<Vec<_>>().join(" "))
        .collect();
    (!masked.is_empty()).then(|| masked.join("; "))
}

fn mask<'a>(word: &'a str, output: &str) -> &'a str {
    let printed = output.split_whitespace().any(|secret| secret.len() >= 8 && word.contains(secret));
    // Prose and paths have short words or slashes; keys are long runs without any.
    let like_a_key = word.contains("sk-") || word.split(['/', '.', ':', '=', '"', '\'']).any(|run| run.len() >= 20);
    if printed || like_a_key { "[masked]" } else { word }
}

fn failed(program: &str, what: &str, cause: Option<String>) -> Error {
    Error::Key {
        message: format!("key_command `{program}` {what}"),
        cause,
        hint: Some("it must print the key, and nothing else, as one line; try it in your shell".into()),
    }
}
