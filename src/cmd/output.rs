//! Where a command's output goes: standard output, or a file that appears whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::report::term::{Output, print};

/// The destination of `--out`, checked before anything is sent.
#[derive(Debug)]
pub(super) struct Destination {
    file: Option<(PathBuf, tempfile::NamedTempFile)>,
    output: Output,
}

impl Destination {
    /// `stdout` describes standard output; a file is plain, and as wide as that.
    pub(super) fn new(out: Option<&Path>, stdout: Output) -> Result<Self, Error> {
        let Some(path) = out else { return Ok(Self { file: None, output: stdout }) };
        let directory = match path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        let fails = |source| Error::Output { target: path.display().to_string(), source };
        if path.is_dir() {
            return Err(fails(io::ErrorKind::IsADirectory.into()));
        }
        let mut builder = tempfile::Builder::new();
        // As if the shell had made it: what the umask leaves of 0666.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // The error would name the temporary file.
        let file = builder.prefix(".llm-").tempfile_in(directory).map_err(|error| fails(error.kind().into()))?;
        Ok(Self { file: Some((path.to_owned(), file)), output: Output::plain(stdout.columns) })
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
    pub(super) fn write(self, bytes: &[u8]) -> Result<(), Error> {
        let Some((path, mut file)) = self.file else { return print(bytes) };
        let fails = |source| Error::Output { target: path.display().to_string(), source };
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(fails)?;
        file.persist(&path).map_err(|error| fails(error.error))?;
        Ok(())
    }
}
