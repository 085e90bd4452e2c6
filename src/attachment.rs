//! Files that go with a prompt: text, images, documents and audio, recognised by their content.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ignore::{DirEntry, WalkBuilder};
use url::Url;

use crate::chat::{Audio, File, Image, ImageSource, Part, picture_type};
use crate::error::Error;
use crate::input::{self, Accept};

/// The largest file that can be attached, in bytes.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// The largest sum of what is attached to one request, in bytes as it is sent. No gateway takes as much.
const LARGEST_SUM: usize = 128 << 20;

/// The largest sum of the files of a directory, in bytes, and the most files.
const LARGEST_DIRECTORY: u64 = 4 << 20;
const MOST_FILES: usize = 1_000;

/// Reads a file, or a pipe whose writer is waited for so long; `None` is without an end.
///
/// # Errors
/// It cannot be read, is too large, or is of no kind that can be attached.
pub fn read(path: &Path, patience: Option<Duration>) -> Result<Part, Error> {
    read_as(path, Accept::FilesAndPipes(patience))
}

fn read_as(path: &Path, accept: Accept) -> Result<Part, Error> {
    let bytes = input::read(path, LARGEST_FILE, accept).map_err(|source| Error::unreadable(path, source))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    part(&name, bytes)
}

/// What a part takes of the largest sum, in bytes as it is sent.
pub fn size(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Image(Image { source: ImageSource::Data { base64, .. }, .. }) => base64.len(),
        Part::File(file) => file.base64.len(),
        Part::Audio(audio) => audio.base64.len(),
        _ => 0,
    }
}

/// Checks that so many bytes are not too many for one request.
///
/// # Errors
/// They are.
pub fn check_sum(bytes: usize) -> Result<(), Error> {
    if bytes <= LARGEST_SUM {
        return Ok(());
    }
    let message = format!("what is attached is larger than {} MiB together", LARGEST_SUM >> 20);
    Err(Error::usage_hint(message, "several requests can take it"))
}

/// An image that the model's provider fetches from this URL.
pub fn image_at(url: &str) -> Part {
    Part::Image(Image { source: ImageSource::Url(url.to_owned()), detail: None })
}

/// Whether this names something on the web, not a file.
pub fn is_url(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

/// Reads the URL of something on the web.
///
/// # Errors
/// It is none, or has a user name or a password, which are not repeated: they would get to the model and into the ledger.
pub fn address(url: &str) -> Result<Url, Error> {
    let scheme = url.split(':').next().unwrap_or_default();
    let wrong = |error| Error::usage(format!("an address ({scheme}://…) cannot be read: {error}"));
    let address = Url::parse(url).map_err(wrong)?;
    if address.username().is_empty() && address.password().is_none() {
        return Ok(address);
    }
    let host = address.host_str().unwrap_or_default();
    let message = format!("the address of {host} has a user name or a password, which a model would get to know");
    Err(Error::usage_hint(message, "download it, and attach the file"))
}

/// Reads a file that is no pipe; a URL is that of an image.
///
/// # Errors
/// As [`read`].
pub fn file_or_image(name: &str) -> Result<Part, Error> {
    if is_url(name) { address(name).map(|_| image_at(name)) } else { read_as(Path::new(name), Accept::Files) }
}

/// The text files of a directory.
#[derive(Debug)]
pub struct Directory {
    /// Each with its path.
    pub texts: Vec<Part>,
    /// In bytes.
    pub size: u64,
    /// How many files were left out because they are no text.
    pub left_out: usize,
    /// The files that nobody is to have.
    pub kept_out: Vec<PathBuf>,
}

/// Reads the text files below a directory, in the order of their paths. Files that are hidden, that `.gitignore` or
/// `.ignore` names, or that are private, are no part of it, and links are not followed.
///
/// # Errors
/// A file cannot be read, or together they are too many or too large.
pub fn directory(path: &Path, is_private: &dyn Fn(&Path) -> bool) -> Result<Directory, Error> {
    let mut directory = Directory { texts: Vec::new(), size: 0, left_out: 0, kept_out: Vec::new() };
    let too_much = |what: String| {
        let message = format!("{} holds more than {what} of text", path.display());
        Error::usage_hint(message, "attach a directory below it, or files; a file .ignore in it leaves others out")
    };
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let exclusions = Arc::new(Exclusions::default());
    whole.ancestors().try_for_each(|directory| exclusions.check_directory(directory))?;
    let home = dirs::home_dir();
    let of_git = home.iter().flat_map(|home| [home.join(".gitconfig"), home.join(".config/git/config")]);
    let configured = dirs::config_dir().map(|config| config.join("git/config"));
    of_git.chain(configured).try_for_each(|path| exclusions.check(&path))?;
    if let Some(global) = ignore::gitignore::gitconfig_excludes_path() {
        exclusions.check(&global)?;
    }
    let wrong = Arc::new(Mutex::new(None));
    let found = Arc::clone(&wrong);
    let is_readable = move |entry: &DirEntry| {
        let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
        let checked = if is_directory { exclusions.check_directory(entry.path()) } else { Ok(()) };
        let is_right = checked.is_ok();
        if let Err(error) = checked {
            found.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        is_right
    };
    let walk = WalkBuilder::new(path).require_git(false).sort_by_file_path(Path::cmp).filter_entry(is_readable).build();
    for entry in walk {
        let failed = |error: ignore::Error| Error::Input {
            path: path.to_owned(),
            source: error.into_io_error().unwrap_or_else(|| std::io::Error::other("a directory cannot be read")),
        };
        let entry = entry.map_err(failed)?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        if is_private(entry.path()) {
            directory.kept_out.push(entry.path().to_owned());
            continue;
        }
        let size = entry.metadata().map_err(failed)?.len();
        if size > LARGEST_DIRECTORY {
            directory.left_out += 1;
            continue;
        }
        let bytes = input::read(entry.path(), LARGEST_DIRECTORY, Accept::Files)
            .map_err(|source| Error::Input { path: entry.path().to_owned(), source })?;
        let size = bytes.len() as u64;
        match part(&entry.path().to_string_lossy(), bytes) {
            Ok(text @ Part::Text(_)) => directory.texts.push(text),
            _ => {
                directory.left_out += 1;
                continue;
            }
        }
        directory.size += size;
        if directory.size > LARGEST_DIRECTORY {
            return Err(too_much(format!("{} MiB", LARGEST_DIRECTORY >> 20)));
        }
        if directory.texts.len() > MOST_FILES {
            return Err(too_much(format!("{MOST_FILES} files")));
        }
    }
    let wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner).take();
    wrong.map_or(Ok(directory), Err)
}

/// The largest file of names to leave out that is read, in bytes. What is made of a pattern takes hundreds of times its memory.
const LARGEST_EXCLUSIONS: u64 = 256 << 10;

/// All files of names to leave out together are at most this large, in bytes: what is made of one goes on to count below it.
const MOST_EXCLUSIONS: u64 = 1 << 20;

/// The files that say what of a directory is left out. They are read as wholes, so that they must not be endless.
#[derive(Default)]
struct Exclusions {
    /// How large those are together that were found, in bytes.
    together: AtomicU64,
}

impl Exclusions {
    /// Checks those of a directory.
    fn check_directory(&self, directory: &Path) -> Result<(), Error> {
        let own = [".gitignore", ".ignore", ".git/info/exclude", ".git"];
        own.iter().try_for_each(|name| self.check(&directory.join(name)))?;
        // A further working tree of a repository has a file in the place of the directory, which leads to that.
        let Some(repository) = pointer(&directory.join(".git")) else { return Ok(()) };
        let Some(repository) = repository.strip_prefix("gitdir: ").map(Path::new) else { return Ok(()) };
        self.check(&repository.join("commondir"))?;
        match pointer(&repository.join("commondir")) {
            // As the library reads it: without a dot in front, the path begins where the process is.
            Some(common) if common.starts_with('.') => self.check(&repository.join(common).join("info/exclude")),
            Some(common) => self.check(&Path::new(&common).join("info/exclude")),
            None => Ok(()),
        }
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        let wrong = |source| Err(Error::Input { path: path.to_owned(), source });
        match input::check(path, LARGEST_EXCLUSIONS) {
            // A directory of this name says nothing.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
            Err(error) => return wrong(error),
            Ok(()) => {}
        }
        let length = fs::metadata(path).map_or(0, |file| file.len());
        if self.together.fetch_add(length, Relaxed) + length > MOST_EXCLUSIONS {
            let message = format!("with those above it, it is larger than {} MiB", MOST_EXCLUSIONS >> 20);
            return wrong(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(())
    }
}

/// The first line of a file of git that names a directory.
fn pointer(path: &Path) -> Option<String> {
    let bytes = input::read(path, LARGEST_EXCLUSIONS, Accept::Files).ok()?;
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    Some(str::from_utf8(first).ok()?.trim_end_matches('\r').to_owned())
}

/// What these bytes are, by their beginning. The name goes with a text or a document.
///
/// # Errors
/// They are neither text nor of a kind that can be attached.
pub fn part(name: &str, bytes: Vec<u8>) -> Result<Part, Error> {
    if let Some(media_type) = media_type(&bytes) {
        let (media_type, base64) = (media_type.to_owned(), BASE64.encode(&bytes));
        return Ok(match media_type.split('/').next() {
            Some("image") => Part::Image(Image { source: ImageSource::Data { media_type, base64 }, detail: None }),
            Some("audio") => Part::Audio(Audio { media_type, base64 }),
            _ => Part::File(File { name: Some(name.to_owned()), media_type, base64 }),
        });
    }
    let unknown = |offset: usize| {
        Error::usage_hint(
            format!("{name} is neither UTF-8 text (bad byte at offset {offset}) nor a file of a known kind"),
            "known: PNG, JPEG, GIF, WebP, PDF, WAV, MP3, FLAC, Ogg",
        )
    };
    // No text has a NUL, and most other files do.
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        return Err(unknown(offset));
    }
    let text = String::from_utf8(bytes).map_err(|error| unknown(error.utf8_error().valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    Ok(Part::Text(format!("<file name=\"{}\">\n{text}{newline}</file>", name.replace('"', "'"))))
}

/// The media type of a file by its first bytes, because its name may be wrong.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let is = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    picture_type(bytes).or_else(|| {
        Some(match bytes {
            _ if is(0, b"%PDF-") => "application/pdf",
            _ if is(0, b"RIFF") && is(8, b"WAVE") => "audio/wav",
            _ if is(0, b"ID3") || is(0, b"\xff\xfb") || is(0, b"\xff\xf3") || is(0, b"\xff\xf2") => "audio/mpeg",
            _ if is(0, b"fLaC") => "audio/flac",
            _ if is(0, b"OggS") => "audio/ogg",
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_to_one_request_has_a_largest_sum() {
        assert_eq!(size(&Part::Text("four".into())), 4);
        check_sum(LARGEST_SUM).expect("no more than that");
        let error = check_sum(LARGEST_SUM + 1).expect_err("too much");
        assert_eq!((error.exit_code(), error.to_string().contains("128 MiB together")), (2, true));
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        assert_eq!(address("https://a.example/x?y").expect("an address").path(), "/x");
        for with_secret in ["https://user:SECRET@a.example/x", "https://SECRET@a.example", "https://user:SECRET@a b/"] {
            let error = address(with_secret).expect_err(with_secret);
            assert!(!format!("{error:?}").contains("SECRET") && error.exit_code() == 2, "{error:?}");
            assert!(file_or_image(with_secret).is_err());
        }
    }

    #[test]
    fn files_are_told_apart_by_what_is_in_them() {
        let kind = |bytes: &[u8]| part("x.txt", bytes.to_vec()).expect("a part");
        assert_eq!(kind(b"plain"), Part::Text("<file name=\"x.txt\">\nplain\n</file>".into()));
        assert!(matches!(kind(b"\x89PNG\r\n\x1a\n..."), Part::Image(_)));
        assert!(matches!(kind(b"RIFF....WAVEfmt "), Part::Audio(_)));
        assert!(matches!(kind(b"%PDF-1.7"), Part::File(File { media_type, .. }) if media_type == "application/pdf"));
        for binary in [&b"a\xff"[..], b"\0\0\0\0", b"h\0i\0"] {
            assert_eq!(part("x", binary.to_vec()).expect_err("binary").exit_code(), 2);
        }
    }
}
