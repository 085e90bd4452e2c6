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

/// The content of the file; `None` where it is missing or damaged, which is no error because it is made again.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
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
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    private::create_dir(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
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
