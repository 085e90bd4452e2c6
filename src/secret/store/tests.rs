//! A key is in one store at a time, and saved only if it can be read back.

use std::sync::Mutex;

use ::keyring::Error as KeyringError;

use super::super::testing::{LONG, MockKeyring, gateway, key};
use super::*;

fn slot() -> Slot {
    Slot::of(&gateway("corp"), None)
}

fn quiet(line: &str) {
    panic!("nothing was to be said: {line}")
}

/// What a store in which `set` works gives back.
struct ReadsBack(Box<dyn Fn() -> Result<Option<Key>, Error> + Send + Sync>);

impl Store for ReadsBack {
    fn get(&self, _: &Slot) -> Result<Option<Key>, Error> {
        (self.0)()
    }
    fn set(&self, _: &Slot, _: &Key) -> Result<(), Error> {
        Ok(())
    }
    fn delete(&self, _: &Slot) -> Result<bool, Error> {
        Ok(true)
    }
}

#[test]
fn a_key_is_saved_only_if_it_can_be_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = KeyFile::in_dir(dir.path());
    let broken = || Err(slot().error("sealed", None));
    for (store, says) in [
        (ReadsBack(Box::new(|| Ok(None))), "is not there when read back"),
        (ReadsBack(Box::new(|| Ok(Some(key("sk-other"))))), "is not the one given"),
        (ReadsBack(Box::new(broken)), "could not be read back"),
    ] {
        let stores = Stores::new(Arc::new(store), Some(file.clone()), LONG);
        let error = stores.save(&slot(), &key("sk-1"), StoreKind::Keyring, &mut quiet).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
        assert!(file.list().expect("works").is_empty(), "nothing may be listed as saved");
    }
}

#[test]
fn a_key_is_removed_only_if_it_is_gone() {
    let stores = Stores::new(Arc::new(ReadsBack(Box::new(|| Ok(Some(key("sk-1")))))), None, LONG);
    assert!(stores.remove(&slot(), &mut quiet).expect_err("still there").to_string().contains("still there"));
}

#[test]
fn a_write_that_fails_leaves_the_old_key() {
    let mock = MockKeyring::new();
    let stores = mock.stores(None);
    mock.keyring().set(&slot(), &key("sk-old")).expect("kept");
    for (error, says) in [
        (KeyringError::TooLong("secret".into(), 2560), "too long"),
        (KeyringError::NoStorageAccess("denied by the user".into()), "locked, or access to it was denied"),
    ] {
        mock.fail(&slot(), error);
        let error = stores.save(&slot(), &key("sk-new"), StoreKind::Keyring, &mut quiet).expect_err("failed");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(mock.keyring().get(&slot()).expect("works"), Some(key("sk-old")));
    }
}

#[test]
fn a_key_is_in_one_store_at_a_time() {
    let (mock, dir) = (MockKeyring::new(), tempfile::tempdir().expect("a directory"));
    let stores = mock.stores(Some(dir.path()));
    let file = stores.file().expect("a file").clone();
    stores.save(&slot(), &key("sk-1"), StoreKind::Keyring, &mut quiet).expect("saved");
    stores.save(&slot(), &key("sk-2"), StoreKind::File, &mut quiet).expect("saved");
    assert_eq!(mock.keyring().get(&slot()).expect("works"), None);
    assert_eq!(file.get(&slot()).expect("works"), Some(key("sk-2")));
    stores.save(&slot(), &key("sk-3"), StoreKind::Keyring, &mut quiet).expect("saved");
    assert_eq!(mock.keyring().get(&slot()).expect("works"), Some(key("sk-3")));
    assert_eq!(file.get(&slot()).expect("works"), None);
    assert_eq!(file.list().expect("works").len(), 1);
}

#[test]
fn without_a_keyring_the_file_still_works_and_the_left_over_key_is_said() {
    let (mock, dir) = (MockKeyring::new(), tempfile::tempdir().expect("a directory"));
    let stores = mock.stores(Some(dir.path()));
    stores.save(&slot(), &key("sk-1"), StoreKind::Keyring, &mut quiet).expect("saved");
    mock.fail(&slot(), KeyringError::PlatformFailure("gone".into()));
    let said = Mutex::new(Vec::new());
    stores
        .save(&slot(), &key("sk-2"), StoreKind::File, &mut |line| said.lock().expect("mine").push(line.to_owned()))
        .expect("saved");
    assert!(said.lock().expect("mine").concat().contains("still in it"));
}

#[test]
fn the_file_is_never_used_unasked() {
    let (mock, dir) = (MockKeyring::new(), tempfile::tempdir().expect("a directory"));
    let stores = mock.stores(Some(dir.path()));
    mock.fail(&slot(), KeyringError::PlatformFailure("no secret service provider or dbus session found".into()));
    assert!(stores.save(&slot(), &key("sk-1"), StoreKind::Keyring, &mut quiet).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

#[test]
fn removing_finds_the_store_and_is_idempotent() {
    let (mock, dir) = (MockKeyring::new(), tempfile::tempdir().expect("a directory"));
    let stores = mock.stores(Some(dir.path()));
    for kind in [StoreKind::Keyring, StoreKind::File] {
        stores.save(&slot(), &key("sk-1"), kind, &mut quiet).expect("saved");
        assert_eq!(stores.remove(&slot(), &mut quiet).expect("works"), Removed::From(kind));
        assert_eq!(stores.remove(&slot(), &mut quiet).expect("works"), Removed::Nothing);
        assert!(stores.file().expect("a file").list().expect("works").is_empty());
    }
}

#[test]
fn without_a_directory_the_keyring_works_and_the_file_says_why_not() {
    let mock = MockKeyring::new();
    let stores = mock.stores(None);
    let mut said = String::new();
    stores.save(&slot(), &key("sk-1"), StoreKind::Keyring, &mut |line| said.push_str(line)).expect("saved");
    assert!(said.contains("will not show this key"), "{said}");
    assert!(stores.save(&slot(), &key("sk-1"), StoreKind::File, &mut quiet).is_err());
    assert_eq!(stores.remove(&slot(), &mut quiet).expect("works"), Removed::From(StoreKind::Keyring));
}
