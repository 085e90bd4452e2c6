//! Pipes and devices that `--out` names. They are written to as standard output is: a reader that does not read holds up
//! neither signals nor time limits.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::background::{BackgroundWriter, WriteLimit};
use super::term;
use crate::error::Error;

/// An open pipe or device.
#[derive(Debug)]
pub(super) struct Device {
    path: PathBuf,
    is_terminal: bool,
    writer: BackgroundWriter<File>,
}

/// The devices of this process, which opens one or a few of them.
static DEVICES: Mutex<Vec<&'static Device>> = Mutex::new(Vec::new());

impl Device {
    /// It stays open until the process ends, because a thread may be writing to it until then.
    pub(super) fn new(path: &Path, file: File) -> &'static Self {
        let is_terminal = file.is_terminal();
        let device: &'static Self =
            Box::leak(Box::new(Self { path: path.to_owned(), is_terminal, writer: BackgroundWriter::new(file) }));
        DEVICES.lock().unwrap_or_else(PoisonError::into_inner).push(device);
        device
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes all of the bytes: by a thread while a run goes on, else here. Waits for the reader as standard output does.
    ///
    /// # Errors
    /// This or an earlier write has failed.
    pub(super) fn write_all(&'static self, bytes: &[u8]) -> io::Result<()> {
        if term::is_in_background() { self.writer.write(bytes) } else { self.writer.write_now(bytes) }
    }
}

/// How many bytes wait for the readers of devices.
pub(super) fn unread() -> usize {
    all().iter().map(|device| device.writer.waiting()).sum()
}

/// Waits until everything is written to every device, or until the limit has passed. Returns whether everything is written.
///
/// # Errors
/// A device could not be written.
pub(super) fn finish(limit: Option<WriteLimit>) -> Result<bool, Error> {
    all().iter().try_fold(true, |is_written, device| {
        let finished = device.writer.finish_within(limit);
        let cannot = |source| Error::Output { target: device.path.display().to_string(), source };
        Ok(is_written & finished.map_err(cannot)?)
    })
}

fn all() -> Vec<&'static Device> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
