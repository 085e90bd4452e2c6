//! The ledger's files: this user's alone, and never gone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::store::StoreError;

/// Moves a damaged ledger and its log out of the way; where it is now.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let aside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{now}{suffix}"));
        PathBuf::from(name)
    };
    for suffix in ["-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        match fs::rename(&log, aside(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, aside(""))?;
    Ok(aside(""))
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

/// Makes the file for this user alone, or sees to it that it is: SQLite gives its log the same permissions. One that
/// exists is not opened for that: closing it again would let go of the locks that this process has on it.
pub(super) fn own(path: &Path) -> Result<(), StoreError> {
    let io_error = |source| StoreError::io(path, source);
    let mut found = fs::symlink_metadata(path);
    if matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        private_file(path).map_err(io_error)?;
        found = fs::symlink_metadata(path);
    }
    let mut metadata = found.map_err(io_error)?;
    // Whoever put a link there decides where prompts are written, so it must be this user.
    let (ours, link) = (is_ours(&metadata), metadata.is_symlink());
    if link {
        metadata = fs::metadata(path).map_err(io_error)?;
    }
    if !ours || !is_ours(&metadata) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    // The permissions of what a link leads to are its owner's affair.
    if link { Ok(()) } else { restrict(path, &metadata).map_err(io_error) }
}

/// Opens a file for reading and writing, made for this user alone if it is missing. A link is not followed.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        options.mode(0o600).custom_flags(no_follow);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_ours(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata) -> bool {
    true
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
