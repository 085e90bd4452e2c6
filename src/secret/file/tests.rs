//! The key file keeps what it is given, for this user alone, and never shows it.

use std::fs;

use super::super::testing::{gateway, key};
use super::*;

fn file() -> (tempfile::TempDir, KeyFile) {
    let home = tempfile::tempdir().expect("a directory");
    let file = KeyFile::in_dir(&home.path().join("data/llm"));
    (home, file)
}

fn slot(name: &str) -> Slot {
    Slot::of(&gateway("corp"), Some(name))
}

#[test]
fn a_key_comes_back_until_it_is_deleted() {
    let (_home, file) = file();
    assert_eq!(file.get(&slot("a")).expect("works"), None);
    file.set(&slot("a"), &key("sk-1")).expect("works");
    file.set(&slot("b"), &key("sk-2")).expect("works");
    file.set(&slot("a"), &key("sk-3")).expect("works");
    assert_eq!(file.get(&slot("a")).expect("works"), Some(key("sk-3")));
    assert_eq!(file.get(&slot("b")).expect("works"), Some(key("sk-2")));
    assert!(file.delete(&slot("a")).expect("works"));
    assert!(!file.delete(&slot("a")).expect("works"));
    assert_eq!(file.list().expect("works").len(), 1);
    assert_eq!(file.get(&slot("b")).expect("works"), Some(key("sk-2")));
}

#[test]
fn a_note_of_the_keyring_drops_the_key_of_the_file() {
    let (_home, file) = file();
    file.set(&slot("a"), &key("sk-CANARY")).expect("works");
    file.note_in_keyring(&slot("a")).expect("works");
    let saved = file.find(&slot("a")).expect("works").expect("noted");
    assert_eq!((saved.store, saved.key), (StoreKind::Keyring, None));
    assert!(!fs::read_to_string(file.path()).expect("a file").contains("CANARY"));
}

#[test]
fn reading_creates_nothing() {
    let (home, file) = file();
    assert!(file.list().expect("works").is_empty());
    assert!(!file.delete(&slot("a")).expect("works"));
    assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 0);
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, file) = file();
    file.set(&slot("a"), &key("sk-1")).expect("works");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&file.directory), 0o700);
    for entry in fs::read_dir(&file.directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, file) = file();
    file.set(&slot("a"), &key("sk-1")).expect("works");
    for mode in [0o644, 0o640, 0o660, 0o604, 0o610] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("changed");
        let error = file.get(&slot("a")).expect_err("refused");
        assert!(error.to_string().contains(&format!("mode {mode:03o}")), "{error}");
        assert!(error.hint().expect("advice").contains("chmod 600"));
        assert!(file.set(&slot("b"), &key("sk-2")).is_err(), "mode {mode:o} must not be mended in silence");
    }
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).expect("changed");
    assert!(file.get(&slot("a")).expect("works").is_some());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_file_is_not_followed() {
    let (home, file) = file();
    file.set(&slot("a"), &key("sk-1")).expect("works");
    let elsewhere = home.path().join("elsewhere");
    fs::rename(file.path(), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, file.path()).expect("linked");
    assert!(file.get(&slot("a")).is_err());
    assert!(file.set(&slot("a"), &key("sk-2")).is_err());
    assert!(fs::read_to_string(&elsewhere).expect("untouched").contains("sk-1"));
}

#[test]
fn a_broken_file_is_named_by_line_and_never_quoted() {
    let (_home, file) = file();
    file.set(&slot("a"), &key("sk-1")).expect("works");
    let good = fs::read_to_string(file.path()).expect("a file");
    for (broken, line) in [
        (format!("{good}key = sk-CANARY"), Some("line 8")),
        (good.replace("store = \"file\"", "store = \"sk-CANARY\""), Some("line 5")),
        (format!("{good}other = \"sk-CANARY\"\n"), None),
        (format!("{good}{}x = \"sk-CANARY\"", "a.".repeat(300)), Some("line 8")),
        ("\nkey = [[\"g\", \"o\", \"n\", \"file\", \"t\", \"sk-CANARY\"]]".to_owned(), Some("line 2")),
        (good.replace("sk-1", "sk-CANARY two"), None),
        (good.replace("key = \"sk-1\"\n", ""), None),
        (good.replace("store = \"file\"", "store = \"keyring\""), None),
    ] {
        fs::write(file.path(), &broken).expect("written");
        let error = file.list().expect_err(&broken);
        let cause = error.cause().expect("a cause");
        assert!(line.is_none_or(|line| cause.contains(line)), "{cause}");
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("CANARY"), "{shown}");
    }
    fs::write(file.path(), [good.as_bytes(), b"# caf\xe9\n"].concat()).expect("written");
    let cause = file.list().expect_err("not UTF-8").cause().expect("a cause").to_owned();
    assert_eq!(cause, "it is not UTF-8 text: there is a bad byte in line 8");
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_home, file) = file();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let file = &file;
            scope.spawn(move || file.set(&slot(&format!("k{n}")), &key(&format!("sk-{n}"))).expect("works"));
        }
    });
    assert_eq!(file.list().expect("works").len(), 16);
}

#[test]
fn nothing_prints_a_saved_key() {
    let (_home, file) = file();
    file.set(&slot("a"), &key("sk-CANARY-1234567890")).expect("works");
    let shown = format!("{:?} {file:?}", file.list().expect("works"));
    assert!(!shown.contains("CANARY"), "{shown}");
}
