//! Files that the user names, read whole: within a limit, and without waiting for a writer that may never come.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// What a file that is read may be. A device with nothing in it, such as `/dev/null`, is an empty file in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    Files,
    /// Also pipes, such as the shell's `<(command)`.
    FilesAndPipes,
}

/// Opens the file at `path` for reading, and does not wait for the writer of a named pipe.
///
/// # Errors
/// The system refuses.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    options.open(path)
}

/// The content of the file at `path`, of at most `limit` bytes.
///
/// # Errors
/// Fails where the file cannot be opened, is larger than `limit`, or is something else than `accept` says.
pub(crate) fn read(path: &Path, limit: u64, accept: Accept) -> io::Result<Vec<u8>> {
    content(&open(path)?, limit, accept)
}

/// As [`read`], as text without a byte order mark.
pub(crate) fn read_text(path: &Path, limit: u64, accept: Accept) -> io::Result<String> {
    let text = String::from_utf8(read(path, limit, accept)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, NotText { line })
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What is in a file that is not text.
#[derive(Debug, thiserror::Error)]
#[error("it is not UTF-8 text: there is a bad byte in line {line}")]
pub(crate) struct NotText {
    /// Counted from 1.
    pub(crate) line: usize,
}

/// As [`read`], of a file that was opened with `O_NONBLOCK`.
pub(crate) fn content(file: &File, limit: u64, accept: Accept) -> io::Result<Vec<u8>> {
    // Windows has no metadata of its devices.
    let kind = file.metadata().map(|metadata| metadata.file_type()).ok();
    if kind.is_some_and(|kind| kind.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_pipe(kind) {
        if accept == Accept::Files {
            return Err(io::Error::other("it is a pipe, not a file"));
        }
        #[cfg(unix)]
        rustix::fs::fcntl_setfl(file, rustix::fs::OFlags::empty())?;
    } else if !kind.is_some_and(|kind| kind.is_file()) {
        // A terminal has nothing to read yet, which is an error without a wait.
        let mut device = file;
        return match device.read(&mut [0]) {
            Ok(0) => Ok(Vec::new()),
            _ => Err(io::Error::other("it is a device, not a file")),
        };
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {}", amount(limit))));
    }
    Ok(bytes)
}

/// Whether this is a named pipe or another one.
#[cfg(unix)]
pub(crate) fn is_pipe(kind: Option<fs::FileType>) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_some_and(|kind| kind.is_fifo())
}

#[cfg(not(unix))]
pub(crate) fn is_pipe(_: Option<fs::FileType>) -> bool {
    false
}

/// Whether this error in opening the file at `path` means that there is none, as far as this user can tell.
pub(crate) fn is_absent(path: &Path, error: &io::Error) -> bool {
    match error.kind() {
        // A part of the path is a file: HOME=/dev/null.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        // A directory above it cannot be entered, unless the file itself is what cannot be read.
        io::ErrorKind::PermissionDenied => fs::symlink_metadata(path).is_err(),
        _ => false,
    }
}

fn amount(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: u64 = 2 << 10;

    fn error(path: &Path, accept: Accept) -> String {
        read(path, LIMIT, accept).expect_err("refused").to_string()
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        for (length, good) in [(0, true), (2048, true), (2049, false)] {
            std::fs::write(&path, vec![b'x'; length]).expect("written");
            assert_eq!(read(&path, LIMIT, Accept::Files).map(|bytes| bytes.len()).ok(), good.then_some(length));
        }
        assert_eq!(error(&path, Accept::Files), "it is larger than 2 KiB");
        assert_eq!(read(dir.path(), LIMIT, Accept::Files).expect_err("refused").kind(), io::ErrorKind::IsADirectory);
        assert!(read(&dir.path().join("none"), LIMIT, Accept::Files).is_err());
    }

    #[test]
    fn a_device_is_refused_unless_it_is_empty() {
        for accept in [Accept::Files, Accept::FilesAndPipes] {
            assert_eq!(error(Path::new("/dev/zero"), accept), "it is a device, not a file");
            assert_eq!(read(Path::new("/dev/null"), LIMIT, accept).expect("empty"), b"");
        }
    }

    #[test]
    fn a_pipe_is_read_where_one_may_be_and_never_waited_for_without_a_writer() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        assert_eq!(error(&fifo, Accept::Files), "it is a pipe, not a file");
        assert_eq!(read(&fifo, LIMIT, Accept::FilesAndPipes).expect("nobody writes"), b"");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        writer.write_all(b"text").expect("room in the pipe");
        drop(writer);
        assert_eq!(read(Path::new(&path), LIMIT, Accept::FilesAndPipes).expect("its content"), b"text");
    }

    #[test]
    fn text_has_no_byte_order_mark_and_what_is_none_is_named_by_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, b"\xef\xbb\xbfa\xc3\xa4\n").expect("written");
        assert_eq!(read_text(&path, LIMIT, Accept::Files).expect("text"), "aä\n");
        std::fs::write(&path, b"a\nb\xff\n").expect("written");
        let error = read_text(&path, LIMIT, Accept::Files).expect_err("not text").to_string();
        assert_eq!(error, "it is not UTF-8 text: there is a bad byte in line 2");
    }
}
