//! A terminal for `llm` to run on: a pseudo-terminal whose other end the test holds.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::process::{Gathered, PATIENCE};

/// Which of the standard streams are the terminal; the others stay pipes.
#[derive(Debug, Clone, Copy)]
pub struct Wiring {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub columns: u16,
}

impl Wiring {
    /// All three, 80 columns wide.
    pub const ALL: Self = Self { stdin: true, stdout: true, stderr: true, columns: 80 };
    /// Only what the user types comes from it.
    pub const STDIN: Self = Self { stdout: false, stderr: false, ..Self::ALL };
    /// Only stdout goes to it.
    pub const STDOUT: Self = Self { stdin: false, stderr: false, ..Self::ALL };
    /// Only stderr goes to it.
    pub const STDERR: Self = Self { stdin: false, stdout: false, ..Self::ALL };

    /// Gives the command its end of a new terminal and returns ours.
    pub(super) fn connect(self, command: &mut Command) -> OwnedFd {
        let (master, name) = open();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).expect("its other end");
        set_size(&slave, self.columns);
        let end = || Stdio::from(slave.try_clone().expect("a further descriptor"));
        if self.stdin {
            command.stdin(end());
        }
        if self.stdout {
            command.stdout(end());
        }
        if self.stderr {
            command.stderr(end());
        }
        master
    }
}

/// Our end of a new terminal, and the path of the other one.
fn open() -> (OwnedFd, CString) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    // The process must not hold our end open; not every system can say so when it opens one.
    fcntl_setfd(&master, FdFlags::CLOEXEC).expect("a descriptor");
    grantpt(&master).expect("a terminal of ours");
    unlockpt(&master).expect("a terminal of ours");
    let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
    (master, name)
}

/// Our end of a terminal that nobody reads, and the path under which a shell opens the other one.
pub fn unread() -> (OwnedFd, String) {
    let (master, name) = open();
    (master, name.into_string().expect("a path in UTF-8"))
}

fn set_size(terminal: impl AsFd, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
        .expect("a terminal has a size");
}

/// The test's end of the terminal.
#[derive(Debug)]
pub struct Terminal {
    screen: Gathered,
    keys: File,
}

impl Terminal {
    pub(super) fn new(master: OwnedFd) -> Self {
        let keys = File::from(master.try_clone().expect("a further descriptor"));
        Self { screen: Gathered::from(File::from(master)), keys }
    }

    /// Types this.
    #[track_caller]
    pub fn type_keys(&self, keys: &str) {
        self.type_bytes(keys.as_bytes());
    }

    /// Types bytes that need not be text.
    pub fn type_bytes(&self, keys: &[u8]) {
        (&self.keys).write_all(keys).expect("the terminal takes keys");
    }

    /// Waits until it is in line mode, or in another one.
    #[track_caller]
    pub fn await_line_mode(&self, is_on: bool) {
        let began = Instant::now();
        while self.is_in_line_mode() != is_on {
            assert!(began.elapsed() < PATIENCE, "the terminal's mode stays as it is");
            std::thread::yield_now();
        }
    }

    /// Whether it shows what is typed, gives whole lines, and makes signals of keys such as Ctrl-C.
    pub fn is_in_line_mode(&self) -> bool {
        let modes = tcgetattr(&self.keys).expect("a terminal has modes").local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Makes it this wide.
    pub fn resize(&self, columns: u16) {
        set_size(&self.keys, columns);
    }

    /// Waits until the screen has shown this.
    #[track_caller]
    pub fn await_screen(&self, text: &str) {
        self.screen.wait_for(text);
    }

    /// What the screen has shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.bytes()).into_owned()
    }

    /// Everything that was shown, once the process is gone.
    pub(super) fn finish(self) -> Vec<u8> {
        self.screen.wait_for_end(Duration::from_secs(5));
        self.screen.bytes()
    }
}
