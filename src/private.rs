//! What only this user can enter or read.

use std::fmt;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::input::MOST_LINKS;

/// Makes the directory, and those above it that are missing, for this user alone, whatever the umask says. A
/// directory that exists keeps its mode, because it may hold more than our files, which are private by themselves.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Removes files whose names begin and end so: a process that was killed has left them before they took their place. The caller
/// holds the lock under which they are made.
pub(crate) fn remove_left_over(dir: &Path, (begins, ends): (&str, &str)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        if name.starts_with(begins) && name.ends_with(ends) && is_file() {
            // One that stays is tried again at the next change.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether other users of the system may read the file, as far as its mode says; systems without modes say nothing.
pub(crate) fn others_may_read(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::mode(file) & 0o044 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether the file belongs to this user; systems without owners say yes.
pub(crate) fn is_ours(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::uid(file) == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        true
    }
}

/// The link that stands at this path, if one does.
fn link_at(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path).ok().filter(Metadata::is_symlink)
}

/// Whether the file belongs to a user who is neither this one nor root; systems without owners say no.
fn is_foreign(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        !is_ours(file) && std::os::unix::fs::MetadataExt::uid(file) != 0
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether what stands at this path, or what a link there leads to, belongs to a user who is neither this one nor root. Nothing
/// belongs to nobody.
pub(crate) fn is_anothers(path: &Path) -> bool {
    [fs::symlink_metadata(path), fs::metadata(path)].into_iter().flatten().any(|found| is_foreign(&found))
}

/// Who besides this user and root may change a file, or what is in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Its owner.
    Owner,
    /// Every user.
    Everyone,
    /// A group that is not this user's own.
    Group,
    /// Users or groups that an access control list names.
    Listed,
}

/// In words that follow the name.
impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "belongs to another user",
            Self::Everyone => "can be written to by every user",
            Self::Group => "can be written to by a group that is not this user's own",
            Self::Listed => "can be written to by those whom its access control list names",
        })
    }
}

impl Exposure {
    /// The hint where nothing is kept in the data directory `place`.
    pub(crate) fn hint(self, place: &str) -> String {
        let remedies = self.remedy(place).into_iter().chain(["LLM_DATA_DIR names another directory".to_owned()]);
        remedies.collect::<Vec<_>>().join("; ")
    }

    /// What ends it, for the place as the user knows it; `None` where only the owner can.
    pub(crate) fn remedy(self, place: &str) -> Option<String> {
        match self {
            Self::Owner => None,
            Self::Everyone | Self::Group => Some(format!("`chmod go-w {place}`, if it is yours")),
            Self::Listed => Some(format!("`setfacl -b {place}` removes the list, if it is yours")),
        }
    }
}

/// Who besides this user and root may change the file at `path`, or what is in the directory; `None` where nobody may.
pub(crate) fn exposure(path: &Path, metadata: &Metadata) -> Option<Exposure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        const WRITABLE_BY_GROUP: u32 = 0o020;
        const WRITABLE_BY_ALL: u32 = 0o002;
        let own_group = metadata.gid() == rustix::process::getegid().as_raw();
        // Who owns a link decides what is at the path.
        let is_foreign_link = || link_at(path).is_some_and(|link| is_foreign(&link));
        match () {
            () if is_foreign(metadata) || is_foreign_link() => Some(Exposure::Owner),
            () if metadata.mode() & WRITABLE_BY_ALL != 0 => Some(Exposure::Everyone),
            () if metadata.mode() & WRITABLE_BY_GROUP == 0 => None,
            () if !own_group => Some(Exposure::Group),
            // Where there is a list, these bits say what all in it may do at most.
            () => lets_others_write(path).then_some(Exposure::Listed),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (path, metadata);
        None
    }
}

/// Whether a POSIX access control list lets another user or a group that is not this user's own write. What a mask takes away again
/// is not looked at.
#[cfg(target_os = "linux")]
fn lets_others_write(path: &Path) -> bool {
    /// As the kernel hands it out: a version, and for each entry its kind, its permissions and its user or group.
    const VERSION: usize = 4;
    const ENTRY: usize = 8;
    const USER: u16 = 2;
    const GROUP: u16 = 8;
    const WRITE: u16 = 2;
    let mut list = [0; 4096];
    let length = match rustix::fs::getxattr(path, "system.posix_acl_access", &mut list[..]) {
        Ok(length) => length,
        // Nobody has so many of one's own.
        Err(rustix::io::Errno::RANGE) => return true,
        Err(_) => return false,
    };
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    list[..length].get(VERSION..).unwrap_or_default().chunks_exact(ENTRY).any(|entry| {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let is_other = match number(0) {
            USER => id != own.0 && id != 0,
            GROUP => id != own.1,
            _ => false,
        };
        is_other && number(2) & WRITE != 0
    })
}

/// Other systems have other lists.
#[cfg(all(unix, not(target_os = "linux")))]
fn lets_others_write(_: &Path) -> bool {
    false
}

/// Where and how other users could change a file, or put one of theirs in its place; `None` where they cannot. What cannot be
/// looked at says nothing.
pub(crate) fn exposed(path: &Path) -> Option<(PathBuf, Exposure)> {
    // A device, such as `/dev/null`, holds nothing.
    let file = fs::metadata(path).ok().filter(Metadata::is_file)?;
    if is_read_only(path) {
        return None;
    }
    exposure(path, &file).map(|why| (path.to_owned(), why)).or_else(|| exposed_holder(path))
}

/// The same of a directory, in which files are made.
///
/// # Errors
/// It cannot be looked at.
pub(crate) fn exposed_dir(dir: &Path) -> io::Result<Option<(PathBuf, Exposure)>> {
    let of_dir = exposure(dir, &fs::metadata(dir)?);
    // Of what is in it, the directory decides, and each link on the way to it.
    Ok(of_dir.map(|why| (dir.to_owned(), why)).or_else(|| exposed_holder(&dir.join("file"))))
}

/// The first of those that decide which file this is that others could change.
fn exposed_holder(path: &Path) -> Option<(PathBuf, Exposure)> {
    holders(path).into_iter().find_map(|holder| {
        // Who owns a link decides where it leads, also where nobody else can replace it.
        if let Some(link) = link_at(&holder) {
            return is_foreign(&link).then_some((holder, Exposure::Owner));
        }
        let metadata = fs::metadata(&holder).ok().filter(|metadata| !keeps_files(metadata))?;
        let why = exposure(&holder, &metadata)?;
        Some((holder, why))
    })
}

/// What decides which file this is: its directory, and each link on the way to it with the directory of that.
fn holders(path: &Path) -> Vec<PathBuf> {
    let mut holders = Vec::new();
    let Ok(mut path) = std::path::absolute(path) else { return holders };
    for _ in 0..MOST_LINKS {
        let link = path.ancestors().filter_map(|part| Some((part, fs::read_link(part).ok()?))).last();
        let Some((link, target)) = link else { break };
        let Some(directory) = link.parent() else { break };
        holders.extend([link.to_owned(), directory.to_owned()]);
        let rest = path.strip_prefix(link).map(Path::to_owned).unwrap_or_default();
        let target = directory.join(target);
        path = if rest.as_os_str().is_empty() { target } else { target.join(rest) };
    }
    holders.extend(path.parent().map(Path::to_owned));
    holders
}

/// Whether nobody can write where this is, as in a volume that a container reads alone.
fn is_read_only(path: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::statvfs(path).is_ok_and(|system| system.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether only the owner of a file in this directory can put another in its place, whoever may write to it, as in `/tmp`.
fn keeps_files(directory: &Metadata) -> bool {
    #[cfg(unix)]
    {
        const STICKY: u32 = 0o1000;
        std::os::unix::fs::MetadataExt::mode(directory) & STICKY != 0
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_left_over_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in [".a-1.new", ".a-1.old", "b.new"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        fs::create_dir(dir.path().join(".a-2.new")).expect("made");
        remove_left_over(dir.path(), (".a-", ".new"));
        let left = fs::read_dir(dir.path()).expect("there").map(|entry| entry.expect("there").file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".a-1.old", ".a-2.new", "b.new"]);
    }

    // L16
    #[test]
    fn what_is_made_is_private_and_what_was_there_keeps_its_mode() {
        let home = tempfile::tempdir().expect("a directory");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let old = home.path().join("old");
        fs::create_dir(&old).expect("made");
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).expect("ours");
        create_dir(&old.join("new/newer")).expect("made");
        create_dir(&old).expect("there");
        assert_eq!([mode(&old), mode(&old.join("new")), mode(&old.join("new/newer"))], [0o755, 0o700, 0o700]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_access_control_list_that_lets_others_write_is_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        let entry = |kind: u16, permissions: u16, id: u32| {
            [&kind.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let (nobody, none) = (65_534, u32::MAX);
        for (kind, permissions, expected) in
            [(2, 7, Some(Exposure::Listed)), (8, 6, Some(Exposure::Listed)), (2, 5, None), (8, 4, None)]
        {
            // The owner, one more, the group, the most for both, and all others.
            let list = [
                2_u32.to_le_bytes().to_vec(),
                entry(1, 7, none),
                if kind == 2 { entry(2, permissions, nobody) } else { Vec::new() },
                entry(4, 0, none),
                if kind == 8 { entry(8, permissions, nobody) } else { Vec::new() },
                entry(16, 7, none),
                entry(32, 0, none),
            ];
            let set = rustix::fs::XattrFlags::empty();
            if rustix::fs::setxattr(dir.path(), "system.posix_acl_access", &list.concat(), set).is_err() {
                // A file system without lists.
                return;
            }
            let metadata = fs::metadata(dir.path()).expect("there");
            assert_eq!(exposure(dir.path(), &metadata), expected, "{kind} {permissions}");
        }
    }
}
