//! Where a command's output goes: standard output, or a file that appears whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::report::term::{Output, print};

/// The destination of `--out`, checked before anything is sent.
#[derive(Debug)]
pub(super) struct Destination {
    file: Option<(PathBuf, Target)>,
    output: Output,
}

#[derive(Debug)]
enum Target {
    /// Takes the place of what has this name when it is whole.
    New(NamedTempFile),
    /// A pipe or a device: something that must stay what it is, so it is written to.
    Device(fs::File),
}

impl Destination {
    /// `stdout` describes standard output; a file is plain, and as wide as that.
    pub(super) fn new(out: Option<&Path>, stdout: Output) -> Result<Self, Error> {
        let Some(path) = out else { return Ok(Self { file: None, output: stdout }) };
        let fails = |source| Error::Output { target: path.display().to_string(), source };
        let file = target(path).map_err(fails)?;
        Ok(Self { file: Some(file), output: Output::plain(stdout.columns) })
    }

    /// What it is like.
    pub(super) fn output(&self) -> Output {
        self.output
    }

    /// Whether it is a file.
    pub(super) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes all of the output at once.
    pub(super) fn write(mut self, bytes: &[u8]) -> Result<(), Error> {
        self.append(bytes)?;
        self.finish()
    }

    /// Writes a part of the output. A file takes its place when the output is [finished](Self::finish).
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some((path, target)) = &mut self.file else { return print(bytes) };
        let written = match target {
            Target::New(file) => file.write_all(bytes),
            Target::Device(file) => file.write_all(bytes),
        };
        written.map_err(|source| Error::Output { target: path.display().to_string(), source })
    }

    /// The output is whole.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Some((path, Target::New(file))) = self.file else { return Ok(()) };
        let kept = file.as_file().sync_all().and_then(|()| file.persist(&path).map_err(|error| error.error));
        kept.map(drop).map_err(|source| Error::Output { target: path.display().to_string(), source })
    }
}

/// What a path leads to, and how it is written. A link stays, and what it leads to is replaced; a file that is replaced
/// keeps its permissions.
fn target(path: &Path) -> io::Result<(PathBuf, Target)> {
    let (path, existing) = match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(existing) if existing.is_file() => (fs::canonicalize(path)?, Some(existing)),
        Ok(_) => {
            let device = fs::OpenOptions::new().write(true).open(path)?;
            return Ok((path.to_owned(), Target::Device(device)));
        }
        Err(_) => (path.to_owned(), None),
    };
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    // A missing directory is told in the system's words.
    fs::metadata(directory)?;
    let mut builder = tempfile::Builder::new();
    // As if the shell had made it: what the umask leaves of 0666.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The error would name the temporary file.
    let file = builder.prefix(".llm-").tempfile_in(directory).map_err(|error| io::Error::from(error.kind()))?;
    #[cfg(unix)]
    if let Some(existing) = existing {
        file.as_file().set_permissions(existing.permissions())?;
    }
    #[cfg(not(unix))]
    drop(existing);
    Ok((path, Target::New(file)))
}
