//! Pipes and devices that `--out` names. They are written to as standard output is: a reader that does not read holds up
//! neither signals nor time limits.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use super::background::{BackgroundWriter, WriteAll, WriteLimit};
use super::term::{self, Stream};
use crate::error::Error;

/// An open pipe or device.
#[derive(Debug)]
pub(super) struct Device {
    path: PathBuf,
    is_terminal: bool,
    /// Whether nothing more will be written.
    is_ended: AtomicBool,
    writer: BackgroundWriter<Ending>,
}

/// A file that can be closed, so that its reader learns of the end.
#[derive(Debug)]
struct Ending(Mutex<Option<File>>);

impl WriteAll for Ending {
    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => (&*file).write_all(bytes),
            None => Err(io::Error::other("it is closed")),
        }
    }
}

/// The standard stream that the path leads to, as `/dev/stdout` and `/dev/fd/2` do.
#[cfg(target_os = "linux")]
pub(super) fn standard_stream(path: &Path) -> Option<Stream> {
    let descriptors = Path::new("/proc/self/fd").canonicalize().ok()?;
    let mut path = path.to_owned();
    for _ in 0..crate::input::MOST_LINKS {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (directory, name) = (parent.canonicalize().ok()?, path.file_name()?);
        if directory == descriptors {
            return match name.to_str() {
                Some("1") => Some(Stream::Output),
                Some("2") => Some(Stream::Error),
                _ => None,
            };
        }
        path = directory.join(std::fs::read_link(directory.join(name)).ok()?);
    }
    None
}

/// Elsewhere such paths are files of their own, which cannot be opened where the descriptor is closed.
#[cfg(not(target_os = "linux"))]
pub(super) fn standard_stream(_: &Path) -> Option<Stream> {
    None
}

/// The devices of this process, which opens one or a few of them.
static DEVICES: Mutex<Vec<&'static Device>> = Mutex::new(Vec::new());

impl Device {
    /// It stays in memory until the process ends, because a thread may be writing to it until then.
    pub(super) fn new(path: &Path, file: File) -> &'static Self {
        let is_terminal = file.is_terminal();
        let device: &'static Self = Box::leak(Box::new(Self {
            path: path.to_owned(),
            is_terminal,
            is_ended: AtomicBool::new(false),
            writer: BackgroundWriter::new(Ending(Mutex::new(Some(file)))),
        }));
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

impl Device {
    /// Nothing more will be written. It is closed as soon as everything is.
    pub(super) fn end(&'static self) {
        self.is_ended.store(true, Relaxed);
        if !term::is_in_background() {
            self.close();
        }
    }

    /// Closes it, where nothing waits to be written.
    fn close(&self) {
        drop(self.writer.to().0.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        devices.retain(|device| !std::ptr::eq(*device, self));
    }
}

/// Waits until everything is written to every device, or nobody waits for it any more.
pub(super) fn wait_for_turn() {
    all().iter().for_each(|device| device.writer.wait_for_turn());
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
        let is_finished = finished.map_err(cannot)?;
        if is_finished && device.is_ended.load(Relaxed) {
            device.close();
        }
        Ok(is_written & is_finished)
    })
}

fn all() -> Vec<&'static Device> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
