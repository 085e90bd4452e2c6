//! Files that the user names, read whole: within a limit. Only where a pipe may be read, its writer is waited for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::time::Duration;

/// What a file that is read may be. A device with nothing in it, such as `/dev/null`, is an empty file in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    Files,
    /// Also pipes, such as the shell's `<(command)`. A program that opens a named pipe for writing is waited for, so long at
    /// most; `None` is without an end.
    FilesAndPipes(Option<Duration>),
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
    let file = open(path)?;
    #[cfg(unix)]
    if let Accept::FilesAndPipes(patience) = accept
        && is_pipe(file.metadata().map(|metadata| metadata.file_type()).ok())
        && !is_descriptor(path)
    {
        await_writer(&file, patience)?;
    }
    content(&file, limit, accept)
}

/// Whether the path names what this process got open, and not something in a directory. Its writers opened it before, so that
/// one that has none any more is at its end.
#[cfg(unix)]
fn is_descriptor(path: &Path) -> bool {
    path.starts_with("/dev/fd") || path.starts_with("/proc") || path == Path::new("/dev/stdin")
}

/// Waits until a program has written to a named pipe or has closed it again. Until then a read without a wait would find the
/// end of the file.
#[cfg(unix)]
fn await_writer(file: &File, patience: Option<Duration>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let began = std::time::Instant::now();
    loop {
        let left = patience.map(|patience| patience.saturating_sub(began.elapsed()));
        // A time that the system cannot count to is no limit.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(file, PollFlags::IN)], left.as_ref()) {
            Ok(0) => {
                let message = "no program has written to this pipe within the time limit";
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Ok(_) => return Ok(()),
            // A signal that is to end this process does so.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// As [`read`], as text without a byte order mark.
pub(crate) fn read_text(path: &Path, limit: u64, accept: Accept) -> io::Result<String> {
    String::from_utf8(read_unmarked(path, limit, accept)?).map_err(|error| {
        let not_text = NotText::new(error.as_bytes(), error.utf8_error());
        io::Error::new(io::ErrorKind::InvalidData, not_text)
    })
}

/// As [`read`], without a byte order mark.
pub(crate) fn read_unmarked(path: &Path, limit: u64, accept: Accept) -> io::Result<Vec<u8>> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let mut bytes = read(path, limit, accept)?;
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    Ok(bytes)
}

/// What is in a file that is not text.
#[derive(Debug, thiserror::Error)]
#[error("it is not UTF-8 text: there is a bad byte in line {line}")]
pub(crate) struct NotText {
    /// Counted from 1.
    pub(crate) line: usize,
}

impl NotText {
    /// What is wrong with these bytes.
    pub(crate) fn new(bytes: &[u8], error: Utf8Error) -> Self {
        let valid = &bytes[..error.valid_up_to()];
        Self { line: valid.iter().filter(|byte| **byte == b'\n').count() + 1 }
    }
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
            return Err(io::Error::other(PIPE));
        }
        #[cfg(unix)]
        rustix::fs::fcntl_setfl(file, rustix::fs::OFlags::empty())?;
    } else if !kind.is_some_and(|kind| kind.is_file()) {
        // A terminal has nothing to read yet, which is an error without a wait.
        let mut device = file;
        return match device.read(&mut [0]) {
            Ok(0) => Ok(Vec::new()),
            _ => Err(io::Error::other(DEVICE)),
        };
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// Whether the file at `path`, which a library reads as a whole by itself, has at most `limit` bytes. One that is not there, or
/// cannot be looked at, is the library's own concern.
///
/// # Errors
/// It is no file, or it is larger.
pub(crate) fn check(path: &Path, limit: u64) -> io::Result<()> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    check_kind(&metadata)?;
    match metadata.len() {
        // The system's own files, such as those of `/proc`, do not tell their size.
        0 => match read(path, limit, Accept::Files) {
            Err(error) if is_absent(path, &error) || error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            read => read.map(drop),
        },
        size if size > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// Whether this is a file, rather than something that may never end.
///
/// # Errors
/// It is a directory, a pipe or a device.
pub(crate) fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        kind if is_pipe(Some(kind)) => Err(io::Error::other(PIPE)),
        _ => Err(io::Error::other(DEVICE)),
    }
}

const PIPE: &str = "it is a pipe, not a file";

/// What is said of a device that may never end.
pub(crate) const DEVICE: &str = "it is a device, not a file";

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {}", amount(limit)))
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
    // A directory above it cannot be entered, or is a link to itself, unless the file itself is what cannot be read.
    let is_out_of_reach = || fs::symlink_metadata(path).is_err();
    is_missing(error) || ((error.kind() == io::ErrorKind::PermissionDenied || is_loop(error)) && is_out_of_reach())
}

/// Whether this error means that there is nothing at a path. The part of it that should be a directory may be a file, as with
/// HOME=/dev/null.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

fn amount(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

/// Systems follow no more links.
pub(crate) const MOST_LINKS: usize = 40;

/// The file itself, where the path is a link or leads over several; the file may not be there yet.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    if let Ok(whole) = path.canonicalize() {
        return whole;
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = path.read_link() else { break };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
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
        for accept in [Accept::Files, Accept::FilesAndPipes(None)] {
            assert_eq!(error(Path::new("/dev/zero"), accept), "it is a device, not a file");
            assert_eq!(read(Path::new("/dev/null"), LIMIT, accept).expect("empty"), b"");
        }
    }

    #[test]
    fn a_pipe_is_read_where_one_may_be_and_its_writer_is_waited_for() {
        use std::io::Write;
        const PIPES: Accept = Accept::FilesAndPipes(None);
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        assert_eq!(error(&fifo, Accept::Files), "it is a pipe, not a file");
        let nobody =
            read(&fifo, LIMIT, Accept::FilesAndPipes(Some(Duration::from_millis(1)))).expect_err("nobody writes");
        assert_eq!(nobody.kind(), io::ErrorKind::TimedOut);
        for text in [&b"late"[..], b""] {
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| read(&fifo, LIMIT, PIPES).expect("its content"));
                // This opens only when there is a reader.
                let mut writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("a reader");
                writer.write_all(text).expect("a reader");
                drop(writer);
                assert_eq!(reader.join().expect("no panic"), text);
            });
        }
        // What was opened before is at its end without a writer, whatever it is.
        let opened = open(&fifo).expect("a pipe");
        let path = format!("/dev/fd/{}", opened.as_raw_fd());
        assert_eq!(read(Path::new(&path), LIMIT, PIPES).expect("nobody writes"), b"");
        let (reader, writer) = io::pipe().expect("a pipe");
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        drop(writer);
        assert_eq!(read(Path::new(&path), LIMIT, PIPES).expect("nobody writes any more"), b"");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        writer.write_all(b"text").expect("room in the pipe");
        drop(writer);
        assert_eq!(read(Path::new(&path), LIMIT, PIPES).expect("its content"), b"text");
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
