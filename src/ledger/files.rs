//! The ledger's files: this user's alone, and never gone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::store::StoreError;
use crate::private::{self, is_ours};

/// The path with this at the end of its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether there is a file with anything in it.
pub(super) fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

/// Moves a damaged ledger and its log out of the way. Returns where it is then.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let aside = with_suffix(path, &format!(".corrupt-{now}"));
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// What tells a file from another one that has its name later: device and number. `None` where there is no file.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

/// Fails where other users could put files of theirs into the place of the ledger's, its log's or its spill file's, and so
/// read what is written there or change what is read. Root can do that anywhere. Neither the directories above nor
/// permission to read the directory matter: the files are private by themselves.
pub(super) fn check_dir(dir: &Path) -> Result<(), StoreError> {
    match private::exposed_dir(dir).map_err(|source| StoreError::io(dir, source))? {
        Some((dir, why)) => Err(StoreError::Unsafe { dir, why }),
        None => Ok(()),
    }
}

/// Makes the file so that only this user can read and write it, or changes its permissions so; SQLite gives its log the same
/// ones. A file that exists is not opened for that, because closing it would release the locks that this process has on it.
pub(super) fn own(path: &Path) -> Result<(), StoreError> {
    let io_error = |source| StoreError::io(path, source);
    let mut found = fs::symlink_metadata(path);
    if matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        private_file(path).map_err(io_error)?;
        found = fs::symlink_metadata(path);
    }
    let mut metadata = found.map_err(io_error)?;
    // The owner of a link decides where prompts are written, so it must be this user.
    let (ours, link) = (is_ours(&metadata), metadata.is_symlink());
    if link {
        metadata = fs::metadata(path).map_err(io_error)?;
    }
    if !ours || !is_ours(&metadata) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if !link {
        return restrict(path, &metadata).map_err(io_error);
    }
    // The user made the link, so the permissions of what it leads to are left as they are. The ledger's log is beside that.
    let target = fs::canonicalize(path).map_err(io_error)?;
    target.parent().map_or(Ok(()), check_dir)
}

/// Opens a file for reading and writing, made for this user alone if it is missing. A link is not followed, and a file of
/// another user is not used.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        options.mode(0o600).custom_flags(no_follow);
    }
    let file = options.open(path)?;
    if is_ours(&file.metadata()?) {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"))
}

#[cfg(unix)]
fn restrict(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
