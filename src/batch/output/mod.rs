//! The output file of a batch. A line in it is an answer that counts as done; the file alone says what is left to do.
//!
//! A line is written by one system call as soon as its call has ended, so the end of this process loses none that was written.
//! A process that is killed in the middle of a write leaves a part of a line at the end, which is removed. The file is locked
//! while a batch writes to it; the system releases the lock when the process ends, however it ends.

mod done;
mod lines;
mod repair;
mod rewrite;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

pub use done::{Done, State};
pub use lines::Noted;
pub use repair::Repaired;

use crate::input;

/// The size of the buffers through which files are read and copied, in bytes.
const BUFFER: usize = 256 << 10;

/// The most bytes of a line. No answer is that long; a file without line ends is no output, and is not read as a whole.
const LONGEST_LINE: u64 = 256 << 20;

/// Reads the next line with its end into the buffer, which is empty at the end of the file.
fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<u64> {
    buffer.clear();
    let length = reader.take(LONGEST_LINE + 1).read_until(b'\n', buffer)? as u64;
    if length > LONGEST_LINE { Err(too_long()) } else { Ok(length) }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a line is longer than {} MiB", LONGEST_LINE >> 20))
}

/// The file, locked and open for appending.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// The length up to the end of the last whole line.
    length: u64,
    /// Whether every line so far belongs to a later row than the one before it.
    is_in_order: bool,
    last: (u64, usize),
}

/// Why a file cannot be the output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Another batch writes to it.
    #[error("another batch is writing to {}", .0.display())]
    Locked(PathBuf),
    /// It has lines, and the batch is not one that goes on.
    #[error("{} already has content", .0.display())]
    NotEmpty(PathBuf),
    /// A line of it was not written by a batch.
    #[error("line {line} of {} is not a line of a batch: {why}", path.display())]
    Foreign { path: PathBuf, line: u64, why: String },
    /// The system refuses to read or write it.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl OutputFile {
    /// Opens the file and locks it. It is created where it is missing.
    ///
    /// # Errors
    /// It is a pipe or a device, which keeps no lines; another batch has locked it; it has content although the batch is new
    /// (`resume` is false); or the system refuses.
    pub fn open(path: &Path, resume: bool) -> Result<Self, OutputError> {
        let io = |source| OutputError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        input::check_kind(&metadata).map_err(io)?;
        lock(&file, path)?;
        if metadata.len() > 0 && !resume {
            return Err(OutputError::NotEmpty(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), file, length: metadata.len(), is_in_order: true, last: (0, 0) })
    }

    /// Opens a file to read its lines, whether a batch writes to it or not. `None` where there is none.
    ///
    /// # Errors
    /// It is no file, or the system refuses.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, OutputError> {
        let io = |source| OutputError::Io { path: path.to_owned(), source };
        let file = match input::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        // A device may never end, and a pipe may have no writer.
        file.metadata().and_then(|metadata| input::check_kind(&metadata)).map_err(io)?;
        Ok(Some(Self { path: path.to_owned(), file, length: 0, is_in_order: true, last: (0, 0) }))
    }

    /// The path as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file, to be synced by another thread.
    ///
    /// # Errors
    /// The system has no further descriptor.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Takes back all that was written, as far as that is possible: the file is gone unless a link led to it, or another one is at
    /// its path by now.
    pub fn discard(&self) {
        let is_file = || fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_file());
        let is_gone = self.is_in_place() && is_file() && fs::remove_file(&self.path).is_ok();
        if !is_gone {
            // There is nothing else to be done.
            let _ = self.file.set_len(0);
        }
    }

    /// Appends a line, which counts as written when this returns. `place` is the row and the place of its model.
    ///
    /// # Errors
    /// The line cannot be written, or the file is no longer at its path. The file then ends with the last whole line.
    pub fn append(&mut self, line: &[u8], place: (u64, usize)) -> io::Result<()> {
        if !self.is_in_place() {
            return Err(io::Error::other("the file was deleted, renamed or replaced"));
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return self.undo(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.undo(error),
            }
        }
        self.length += line.len() as u64;
        self.note_place(place);
        Ok(())
    }

    /// Notes a line that is in the file, to know whether the lines are in order.
    pub fn note_place(&mut self, place: (u64, usize)) {
        self.is_in_order &= place > self.last;
        self.last = place;
    }

    /// Removes the part of a line that could be written. Where that fails too, the next run does it.
    fn undo(&self, error: io::Error) -> io::Result<()> {
        let _ = self.file.set_len(self.length);
        Err(error)
    }

    /// Whether the file at the path is the one that is open.
    fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            match (fs::metadata(&self.path), self.file.metadata()) {
                (Ok(there), Ok(open)) => identity(there) == identity(open),
                _ => false,
            }
        }
        // Elsewhere a file that is open is neither deleted nor replaced.
        #[cfg(not(unix))]
        {
            self.path.exists()
        }
    }

    /// Whether the lines are in the order of rows and models.
    pub fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The disk has failed to keep it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Locks the file for this batch. File systems without locks have none.
fn lock(file: &File, path: &Path) -> Result<(), OutputError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::Locked(path.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a batch is writing to the file at this path.
pub fn is_locked(path: &Path) -> bool {
    let is_file = |file: &File| file.metadata().is_ok_and(|metadata| metadata.is_file());
    input::open(path).is_ok_and(|file| is_file(&file) && matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
