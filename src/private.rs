//! What only this user can enter or read.

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::path::Path;

/// Makes the directory, and those above it that are missing, for this user alone, whatever the umask says. A
/// directory that exists keeps its mode, because it may hold more than our files, which are private by themselves.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
}
