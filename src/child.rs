//! Programs that the user names: run without a shell, without keys, and within limits of time and output.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it was stopped.
const STEP: Duration = Duration::from_millis(20);

/// The most that is read of the error messages, in bytes.
const MAX_MESSAGE_BYTES: u64 = 4 * 1024;

/// Stops programs that run: set by the thread that no longer wants their output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends all programs that run with this value, and lets no further one start.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What to run, and within which limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [String],
    /// The variables that it does not see, because they hold keys.
    pub(crate) scrub: &'a [String],
    /// Further variables.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// What it reads from its standard input.
    pub(crate) input: &'a [u8],
    /// How long it may take.
    pub(crate) limit: Duration,
    /// How many bytes it may print.
    pub(crate) max_output: u64,
    pub(crate) stop: &'a Stop,
}

/// What a program printed until it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    /// The beginning of its error messages. Empty where it succeeded.
    pub(crate) stderr: Vec<u8>,
}

/// Why a program gave no output.
#[derive(Debug)]
pub(crate) enum Unfinished {
    CannotRun(io::Error),
    /// It took longer than its limit, and was killed.
    Late,
    /// It printed more than it may, and was killed.
    TooMuch,
    /// It was killed because its output is no longer wanted.
    Stopped,
}

impl Program<'_> {
    /// Runs the program in a process group of its own, which is killed as a whole if the program does not end by itself.
    ///
    /// # Errors
    /// See [`Unfinished`].
    pub(crate) fn run(&self) -> Result<Output, Unfinished> {
        let cannot = Unfinished::CannotRun;
        if self.stop.is_set() {
            return Err(Unfinished::Stopped);
        }
        let empty = || io::Error::new(io::ErrorKind::InvalidInput, "no program is named");
        let (program, arguments) = self.argv.split_first().ok_or_else(|| cannot(empty()))?;
        let deadline = Instant::now() + self.limit;
        let mut command = without_keys(program, self.scrub);
        command.args(arguments).envs(self.variables.iter().copied());
        command.stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut group = Group { leader: command.spawn().map_err(cannot)?, ended: false };

        write(group.leader.stdin.take(), self.input).map_err(cannot)?;
        let output = read(group.leader.stdout.take(), self.max_output).map_err(cannot)?;
        let messages = read(group.leader.stderr.take(), MAX_MESSAGE_BYTES).map_err(cannot)?;
        let stdout = self.wait(&output, deadline)?.map_err(cannot)?;
        if stdout.len() as u64 > self.max_output {
            return Err(Unfinished::TooMuch);
        }
        let status = group.wait_until(deadline, self.stop)?;
        // A process that the program started may keep the pipe open, but what the program wrote is in it already.
        let said = || messages.recv_timeout(Duration::from_millis(200)).ok().and_then(Result::ok).unwrap_or_default();
        let stderr = if status.success() { Vec::new() } else { said() };
        Ok(Output { status, stdout, stderr })
    }

    fn wait(&self, output: &Receiver<Bytes>, deadline: Instant) -> Result<Bytes, Unfinished> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match output.recv_timeout(left.min(STEP)) {
                Ok(bytes) => return Ok(bytes),
                Err(RecvTimeoutError::Timeout) if self.stop.is_set() => return Err(Unfinished::Stopped),
                Err(RecvTimeoutError::Timeout) if left > STEP => {}
                Err(_) => return Err(Unfinished::Late),
            }
        }
    }
}

/// A program to run that sees none of the variables in `scrub`, which hold keys
/// ([`crate::config::Settings::key_variables`]).
pub(crate) fn without_keys(program: &str, scrub: &[String]) -> Command {
    let mut command = Command::new(program);
    for name in scrub {
        command.env_remove(name);
    }
    command
}

type Bytes = io::Result<Vec<u8>>;

/// Reads up to one byte more than `limit`, on a thread because a pipe has no time limit. Beyond it the pipe is closed.
fn read(end: Option<impl Read + Send + 'static>, limit: u64) -> io::Result<Receiver<Bytes>> {
    let end = end.ok_or_else(|| io::Error::other("it has no output"))?;
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("child output".into()).spawn(move || {
        let mut bytes = Vec::new();
        let result = end.take(limit.saturating_add(1)).read_to_end(&mut bytes).map(|_| bytes);
        // There is no receiver where the program succeeded, and then its error messages are not needed.
        sender.send(result).ok();
    })?;
    Ok(receiver)
}

/// Writes the input, on a thread because a pipe has no time limit. Without input there is no pipe.
fn write(end: Option<impl Write + Send + 'static>, input: &[u8]) -> io::Result<()> {
    let Some(mut end) = end else { return Ok(()) };
    let input = input.to_vec();
    let write = move || {
        // A program need not read its input.
        end.write_all(&input).ok();
    };
    thread::Builder::new().name("child input".into()).spawn(write).map(drop)
}

/// The program and all processes in its group. They are killed when this is dropped, unless the program has ended by
/// itself.
struct Group {
    leader: Child,
    ended: bool,
}

impl Group {
    /// Waits for the end of the program. It has closed its output and is about to end, so it is polled often.
    fn wait_until(&mut self, deadline: Instant, stop: &Stop) -> Result<ExitStatus, Unfinished> {
        loop {
            if let Some(status) = self.leader.try_wait().map_err(Unfinished::CannotRun)? {
                self.ended = true;
                return Ok(status);
            }
            if stop.is_set() {
                return Err(Unfinished::Stopped);
            }
            if Instant::now() >= deadline {
                return Err(Unfinished::Late);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Once it has been waited for, another process may have its id.
        if self.ended {
            return;
        }
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.leader.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // An error means that no process is left.
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        self.leader.kill().ok();
        self.leader.wait().ok();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(script: &str, input: &str, stop: &Stop) -> Result<Output, Unfinished> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let limit = Duration::from_secs(60);
        let (scrub, variables) = (["CARGO_MANIFEST_DIR".to_owned()], [("LLM_TEST", "a b")]);
        let input = input.as_bytes();
        Program { argv: &argv, scrub: &scrub, variables: &variables, input, limit, max_output: 100, stop }.run()
    }

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let output =
            run("cat; echo \":$LLM_TEST:${CARGO_MANIFEST_DIR-gone}\"", "text", &Stop::default()).expect("ends");
        assert_eq!((output.status.success(), output.stdout.as_slice()), (true, &b"text:a b:gone\n"[..]));
        // More than a pipe holds, and nobody reads it.
        let output = run("echo done", &"x".repeat(1 << 20), &Stop::default()).expect("ends");
        assert_eq!(output.stdout, b"done\n");
        let output = run("echo why >&2; exit 3", "", &Stop::default()).expect("ends");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &b"why\n"[..]));
    }

    #[test]
    fn a_stop_kills_what_runs_and_lets_nothing_start() {
        let stop = Stop::default();
        let setter = stop.clone();
        let thread = thread::Builder::new().spawn(move || setter.set()).expect("a thread");
        let begun = Instant::now();
        assert!(matches!(run("sleep 100", "", &stop), Err(Unfinished::Stopped)));
        thread.join().expect("set");
        assert!(matches!(run("exec >&-; sleep 100", "", &stop), Err(Unfinished::Stopped)));
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert!(matches!(run("yes", "", &Stop::default()), Err(Unfinished::TooMuch)));
    }
}
