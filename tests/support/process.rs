//! Runs a process with chosen standard streams, watches what it writes, and never waits for ever.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Outcome;
use super::home::Directory;

/// How long anything may take before the test fails. Nothing waits this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process to be.
#[derive(Debug)]
pub struct Run {
    command: Command,
    home: Arc<Directory>,
    may_show_the_key: bool,
    stdin: Stdin,
    stderr: Stdio,
    #[cfg(unix)]
    terminal: Option<super::terminal::Wiring>,
}

#[derive(Debug)]
enum Stdin {
    Null,
    /// A pipe that holds these bytes and then ends.
    Bytes(Vec<u8>),
    /// A pipe whose writer stays and is silent, until the test writes or closes it.
    Open,
    /// A file, read from wherever its offset is.
    File(File),
}

impl Run {
    pub fn new(command: Command, home: Arc<Directory>) -> Self {
        Self {
            command,
            home,
            may_show_the_key: false,
            stdin: Stdin::Null,
            stderr: Stdio::piped(),
            #[cfg(unix)]
            terminal: None,
        }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// stdin is a pipe that holds these bytes.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// stdin is a pipe with a silent writer.
    pub fn stdin_open(mut self) -> Self {
        self.stdin = Stdin::Open;
        self
    }

    /// stdin is this file at its present offset.
    pub fn stdin_file(mut self, file: File) -> Self {
        self.stdin = Stdin::File(file);
        self
    }

    /// stderr is this, which the test reads or leaves.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = stderr.into();
        self
    }

    /// Exempts what the process writes from the search for the key: the test itself has it shown.
    pub fn may_show_the_key(mut self) -> Self {
        self.may_show_the_key = true;
        self
    }

    /// The streams named are a terminal, a capable one unless `TERM` has been set; see [`super::terminal`].
    #[cfg(unix)]
    pub fn terminal(mut self, wiring: super::terminal::Wiring) -> Self {
        if !self.command.get_envs().any(|(name, _)| name == "TERM") {
            self.command.env("TERM", "xterm-256color");
        }
        self.terminal = Some(wiring);
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn output(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it; what it writes is gathered from now on.
    #[track_caller]
    pub fn start(mut self) -> Running {
        let command = &mut self.command;
        command.stdout(Stdio::piped()).stderr(self.stderr);
        let mut bytes = None;
        match self.stdin {
            Stdin::Null => command.stdin(Stdio::null()),
            Stdin::Open => command.stdin(Stdio::piped()),
            Stdin::File(file) => command.stdin(file),
            Stdin::Bytes(given) => {
                bytes = Some(given);
                command.stdin(Stdio::piped())
            }
        };
        #[cfg(unix)]
        let master = self.terminal.map(|wiring| wiring.connect(command));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        // The command holds the terminal's other end open; without this its end is never seen.
        drop(self.command);
        let stdout = child.stdout.take().map(Gathered::from);
        let stderr = child.stderr.take().map(Gathered::from);
        let mut stdin = child.stdin.take();
        if let Some(bytes) = bytes {
            let mut pipe = stdin.take().expect("stdin is a pipe");
            // A process that does not read all of its input is no fault of the test's.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        Running {
            stdin,
            stdout,
            stderr,
            #[cfg(unix)]
            terminal: master.map(super::terminal::Terminal::new),
            child,
            finished: false,
            may_show_the_key: self.may_show_the_key,
            _home: self.home,
        }
    }
}

/// A process at work; killed when dropped before its end.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// It has been waited for, so its id may belong to another process by now.
    finished: bool,
    pub stdin: Option<ChildStdin>,
    stdout: Option<Gathered>,
    stderr: Option<Gathered>,
    #[cfg(unix)]
    pub terminal: Option<super::terminal::Terminal>,
    may_show_the_key: bool,
    /// The process writes here until it ends.
    _home: Arc<Directory>,
}

impl Running {
    #[cfg(target_os = "linux")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until stdout holds this.
    #[track_caller]
    pub fn await_stdout(&self, text: &str) {
        self.stdout.as_ref().expect("stdout is a pipe").wait_for(text);
    }

    /// What stdout holds so far.
    pub fn stdout(&self) -> String {
        let bytes = self.stdout.as_ref().map(Gathered::bytes).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until stderr holds this.
    #[track_caller]
    pub fn await_stderr(&self, text: &str) {
        self.stderr.as_ref().expect("stderr is a pipe").wait_for(text);
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the process lives");
    }

    /// Waits until the process is gone.
    #[cfg(unix)]
    pub fn await_end(&self) {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("a child can be waited for");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        drop(self.stdin.take());
        let began = Instant::now();
        let mut late = false;
        for gathered in [&self.stdout, &self.stderr].into_iter().flatten() {
            late |= !gathered.wait_for_end(PATIENCE.saturating_sub(began.elapsed()));
        }
        if late {
            self.child.kill().expect("a process that does not end can be killed");
        }
        let status = self.child.wait().expect("a child can be waited for");
        self.finished = true;
        let bytes = |gathered: &Option<Gathered>| gathered.as_ref().map(Gathered::bytes).unwrap_or_default();
        let outcome = Outcome {
            status,
            stdout: bytes(&self.stdout),
            stderr: bytes(&self.stderr),
            #[cfg(unix)]
            terminal: self.terminal.take().map(super::terminal::Terminal::finish).unwrap_or_default(),
            #[cfg(not(unix))]
            terminal: Vec::new(),
        };
        assert!(!late, "still running after {PATIENCE:?}\n{outcome}");
        if !self.may_show_the_key {
            outcome.holds_no_key();
        }
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            // A failed test leaves no process behind; one that ended meanwhile is as good.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// What one stream has carried so far, gathered by a thread of its own.
#[derive(Debug)]
pub struct Gathered(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl<R: Read + Send + 'static> From<R> for Gathered {
    fn from(mut stream: R) -> Self {
        let shared = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let gathered = Self(Arc::clone(&shared));
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                // A terminal whose other end is closed is an error (EIO), not an end; both end it here.
                let count = stream.read(&mut buffer).unwrap_or(0);
                let mut seen = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.bytes.extend_from_slice(&buffer[..count]);
                seen.ended = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        gathered
    }
}

impl Gathered {
    /// A failed assertion elsewhere is no reason not to look.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.seen().bytes.clone()
    }

    /// Waits until this text has come.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let found = |seen: &Seen| seen.bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let guard = self.seen();
        let (seen, _) = self
            .0
            .1
            .wait_timeout_while(guard, PATIENCE, |seen| !found(seen) && !seen.ended)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(found(&seen), "{text:?} never came, but only:\n{}", String::from_utf8_lossy(&seen.bytes));
    }

    /// Waits until the stream ends; false where it does not in time.
    pub fn wait_for_end(&self, patience: Duration) -> bool {
        let guard = self.seen();
        let (seen, _) =
            self.0.1.wait_timeout_while(guard, patience, |seen| !seen.ended).unwrap_or_else(PoisonError::into_inner);
        seen.ended
    }
}
