//! Where a command's output goes: standard output, or a file that appears whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::device::{self, Device};
use super::term::{Output, Stream, Text, check_stream, print};
use crate::error::{Error, Failure, FailureKind};
use crate::input;

/// So many bytes are collected before they are written.
const CHUNK: usize = 64 * 1024;

/// The destination of `--out`, checked before anything is sent.
#[derive(Debug)]
pub struct Destination {
    /// `None` is standard output.
    file: Option<(PathBuf, Target)>,
    output: Output,
    unwritten: Text,
}

#[derive(Debug)]
enum Target {
    /// A file that is replaced as a whole, or created.
    File {
        directory: PathBuf,
        /// The permissions of the file that is replaced.
        permissions: Option<fs::Permissions>,
        /// The file with what has been written so far.
        temporary: Option<NamedTempFile>,
    },
    /// A pipe or a device, which must stay what it is and so is written to.
    Device(&'static Device),
}

impl Destination {
    /// `stdout` describes standard output; a file is plain, and as wide as that.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where the file cannot be written, or standard output is closed.
    pub fn new(out: Option<&Path>, stdout: Output) -> Result<Self, Error> {
        Self::within(None, out, stdout)
    }

    /// As [`Self::new`]. The reader of a named pipe is waited for no longer than this; `None` is without an end.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and a timeout where there is no reader by then.
    pub fn within(limit: Option<Duration>, out: Option<&Path>, stdout: Output) -> Result<Self, Error> {
        let unwritten = Text::new();
        let Some(path) = out else {
            check_stream(Stream::Output)?;
            return Ok(Self { file: None, output: stdout, unwritten });
        };
        if let Some(stream) = device::standard_stream(path) {
            check_stream(stream)?;
        }
        let (path, target) = target(path, limit).map_err(|source| match source.kind() {
            io::ErrorKind::TimedOut => no_reader(path),
            _ => cannot_write(path, source),
        })?;
        let tty = matches!(&target, Target::Device(device) if device.is_terminal());
        Ok(Self {
            file: Some((path, target)),
            output: Output { tty, render: stdout.render, ..Output::plain(stdout.columns) },
            unwritten,
        })
    }

    /// What reports are made for: the width at this moment, and whether there are colours.
    pub fn output(&self) -> Output {
        if self.is_file() { self.output } else { self.output.stdout_now() }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// What `--out` names; `None` is standard output.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| &**path)
    }

    /// Writes all of the output at once.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where the file cannot be written; for standard output as [`print`].
    pub fn write(mut self, text: Text) -> Result<(), Error> {
        self.unwritten = text;
        self.finish()
    }

    /// Writes a part of the output. A file takes its place when the output is [finished](Self::finish).
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn append(&mut self, text: Text) -> Result<(), Error> {
        self.unwritten += text;
        if self.unwritten.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    /// Writes a part of the output and what was appended before, so that whoever reads a pipe or a device sees it now.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn write_now(&mut self, text: Text) -> Result<(), Error> {
        self.unwritten += text;
        self.flush()
    }

    /// Ends the output, which is complete now.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let (path, file) = match self.file {
            Some((path, Target::File { temporary: Some(file), .. })) => (path, file),
            Some((_, Target::Device(device))) => {
                device.end();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let kept = file.as_file().sync_all().and_then(|()| file.persist(&path).map_err(|error| error.error));
        kept.map(drop).map_err(|source| cannot_write(&path, source))
    }

    fn flush(&mut self) -> Result<(), Error> {
        let text = std::mem::take(&mut self.unwritten);
        let Some((path, target)) = &mut self.file else { return print(text) };
        let text = text.shown(self.output.tty);
        let written = match target {
            Target::Device(device) => device.write_all(text.as_bytes()),
            Target::File { temporary: Some(file), .. } => file.write_all(text.as_bytes()),
            Target::File { directory, permissions, temporary } => {
                create(directory, permissions.take()).and_then(|file| temporary.insert(file).write_all(text.as_bytes()))
            }
        };
        written.map_err(|source| cannot_write(path, source))
    }
}

fn cannot_write(path: &Path, source: io::Error) -> Error {
    Error::Output { target: path.display().to_string(), source }
}

/// What a path leads to, and how it is written. A link stays, and what it leads to is replaced; a file that is replaced
/// keeps its permissions.
fn target(path: &Path, limit: Option<Duration>) -> io::Result<(PathBuf, Target)> {
    let (path, permissions) = match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(existing) if existing.is_file() => (fs::canonicalize(path)?, Some(existing.permissions())),
        Ok(_) => {
            let device = open_device(path, limit)?;
            return Ok((path.to_owned(), Target::Device(Device::new(path, device))));
        }
        Err(_) => (input::behind_links(path), None),
    };
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    };
    // A missing directory is reported in the system's words.
    fs::metadata(&directory)?;
    // Whether a file can be created is tried with one that has no name, because a named one would stay behind when a
    // signal ends the process during the run.
    tempfile::tempfile_in(&directory).map_err(without_path)?;
    Ok((path, Target::File { directory, permissions, temporary: None }))
}

/// Opens a pipe or a device. The system waits until a named pipe has a reader.
fn open_device(path: &Path, limit: Option<Duration>) -> io::Result<fs::File> {
    let path = path.to_owned();
    let open = move || fs::OpenOptions::new().write(true).open(path);
    let Some(limit) = limit else { return open() };
    let (sender, opened) = mpsc::sync_channel(1);
    // A thread that still waits when the time is over ends with the process.
    thread::Builder::new().name("out".into()).spawn(move || sender.send(open()))?;
    opened.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn no_reader(path: &Path) -> Error {
    let message = format!("no program has opened {} for reading within the time limit", path.display());
    Error::Call(Failure::new(FailureKind::Timeout, message).with_advice("--timeout sets another limit"))
}

/// The temporary file that is to take the place of another, so that readers see the old content or all of the new one.
fn create(directory: &Path, permissions: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // The umask takes from these permissions what it takes from those of any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(".llm-").tempfile_in(directory).map_err(without_path)?;
    #[cfg(unix)]
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    #[cfg(not(unix))]
    let _ = permissions;
    Ok(file)
}

/// The error without the path of the temporary file, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    error.kind().into()
}
