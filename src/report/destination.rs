//! Where a command's output goes: standard output, or a file that appears whole or not at all.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::term::{Output, Text, print};
use crate::error::Error;

/// The destination of `--out`, checked before anything is sent.
#[derive(Debug)]
pub struct Destination {
    file: Option<(PathBuf, Target)>,
    output: Output,
}

#[derive(Debug)]
enum Target {
    /// A file that is replaced as a whole, or created.
    File {
        directory: PathBuf,
        /// Those of the file that is replaced.
        permissions: Option<fs::Permissions>,
    },
    /// The new content of that file, until it is whole.
    Temporary(NamedTempFile),
    /// A pipe or a device, which must stay what it is and so is written to.
    Device(fs::File),
}

impl Destination {
    /// `stdout` describes standard output; a file is plain, and as wide as that.
    pub fn new(out: Option<&Path>, stdout: Output) -> Result<Self, Error> {
        let Some(path) = out else { return Ok(Self { file: None, output: stdout }) };
        let fails = |source| Error::Output { target: path.display().to_string(), source };
        let (path, target) = target(path).map_err(fails)?;
        let tty = matches!(&target, Target::Device(device) if device.is_terminal());
        Ok(Self { file: Some((path, target)), output: Output { tty, ..Output::plain(stdout.columns) } })
    }

    /// What it is like.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes all of the output at once.
    ///
    /// # Errors
    /// [`Error::Output`] where the file cannot be written; for standard output see [`print`].
    pub fn write(mut self, text: Text) -> Result<(), Error> {
        self.append(text)?;
        self.finish()
    }

    /// Writes a part of the output. A file takes its place when the output is [finished](Self::finish).
    ///
    /// # Errors
    /// As for [`Destination::write`].
    pub fn append(&mut self, text: Text) -> Result<(), Error> {
        let Some((path, target)) = &mut self.file else { return print(text) };
        let bytes = text.shown(self.output.tty);
        target.write(bytes.as_bytes()).map_err(|source| Error::Output { target: path.display().to_string(), source })
    }

    /// Puts the file in its place, now that the output is whole.
    ///
    /// # Errors
    /// As for [`Destination::write`].
    pub fn finish(self) -> Result<(), Error> {
        let Some((path, target)) = self.file else { return Ok(()) };
        target.finish(&path).map_err(|source| Error::Output { target: path.display().to_string(), source })
    }
}

/// What a path leads to, and how it is written. A link stays, and what it leads to is replaced; a file that is replaced
/// keeps its permissions.
fn target(path: &Path) -> io::Result<(PathBuf, Target)> {
    let (path, permissions) = match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(existing) if existing.is_file() => (fs::canonicalize(path)?, Some(existing.permissions())),
        Ok(_) => {
            let device = fs::OpenOptions::new().write(true).open(path)?;
            return Ok((path.to_owned(), Target::Device(device)));
        }
        Err(_) => (path.to_owned(), None),
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
    Ok((path, Target::File { directory, permissions }))
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Self::File { directory, permissions } = self {
            *self = Self::Temporary(temporary_file(directory, permissions.take())?);
        }
        match self {
            Self::File { .. } => Ok(()),
            Self::Temporary(file) => file.write_all(bytes),
            Self::Device(file) => file.write_all(bytes),
        }
    }

    /// Renames the temporary file to `path`, so that readers see the old content or all of the new one.
    fn finish(mut self, path: &Path) -> io::Result<()> {
        self.write(&[])?;
        let Self::Temporary(file) = self else { return Ok(()) };
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn temporary_file(directory: &Path, permissions: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
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
    drop(permissions);
    Ok(file)
}

/// The error without the path of the temporary file, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    error.kind().into()
}
