//! Small JSON files with data that can be fetched or computed again.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::byte_serialize;

use crate::input::{self, Accept};
use crate::private;

/// The largest file that is read, in bytes: ten times the longest list of models.
const LARGEST_FILE: u64 = 64 << 20;

/// Why the file is not read, in a sentence: somebody else could have put it there or changed it. `None` where nobody could, or it is
/// not there.
pub(crate) fn refused(path: &Path) -> Option<String> {
    private::exposed(path).map(|(place, why)| format!("{} {why}", place.display()))
}

/// The content of the file; `None` where it is missing or damaged, which is no error because it is made again, and where it is
/// [`refused`].
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    if refused(path).is_some() {
        return None;
    }
    serde_json::from_slice(&input::read(path, LARGEST_FILE, Accept::Files).ok()?).ok()
}

/// A name for a file or directory, different for different texts: it leads nowhere else, and every file system takes it.
pub(crate) fn name(text: &str) -> String {
    let name: String = byte_serialize(text.as_bytes()).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name,
    }
}

/// Replaces the file as a whole, so that a reader gets the old content or the new one.
///
/// # Errors
/// It cannot be written, or others may write to its directory.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    private::create_dir(dir)?;
    if let Some((place, why)) = private::exposed_dir(dir)? {
        return Err(io::Error::other(format!("{} {why}", place.display())));
    }
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("new/file.json");
        assert_eq!(read::<Vec<u32>>(&path), None);
        write(&path, &vec![1, 2]).expect("written");
        write(&path, &vec![3]).expect("replaced");
        assert_eq!(read::<Vec<u32>>(&path), Some(vec![3]));
        assert_eq!(std::fs::read_dir(dir.path().join("new")).expect("listed").count(), 1, "no litter");
    }

    // L17
    #[cfg(unix)]
    #[test]
    fn what_others_may_have_put_there_is_not_read_and_nothing_is_written_there() {
        use std::os::unix::fs::PermissionsExt;

        let home = tempfile::tempdir().expect("a directory");
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        let (dir, path) = (home.path().join("dir"), home.path().join("dir/file.json"));
        write(&path, &vec![1]).expect("written");
        // Those who may write to a directory above could put another there, but none that is this user's own.
        set(home.path(), 0o777);
        assert_eq!((read(&path), refused(&path)), (Some(vec![1]), None));
        set(&dir, 0o777);
        assert_eq!(read::<Vec<u32>>(&path), None);
        assert!(refused(&path).is_some_and(|why| why.contains("dir can be written to by every user")));
        assert!(write(&path, &vec![2]).is_err());
        set(&dir, 0o700);
        set(&path, 0o666);
        assert_eq!(read::<Vec<u32>>(&path), None);
        write(&path, &vec![3]).expect("replaced");
        assert_eq!(read(&path), Some(vec![3]));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for (text, name) in
            [("openai", "openai"), ("a/b", "a%2Fb"), ("..", "%2E."), (".", "%2E"), ("%2E", "%252E"), ("a..b", "a..b")]
        {
            assert_eq!(super::name(text), name);
        }
    }

    #[test]
    fn a_broken_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file.json");
        std::fs::write(&path, b"[1,").expect("written");
        assert_eq!(read::<Vec<u32>>(&path), None);
    }
}
