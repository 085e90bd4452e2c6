//! Where keys are kept: what every store can do, and the stores there are.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::KeyFile;
use super::job::{Job, Timeout};
use super::key::Key;
use super::keyring::{self, Keyring};
use crate::config::{Dirs, Gateway};
use crate::error::Error;

/// The place of one key: a gateway's origin and a name. A key saved for one origin is never sent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The gateway's name, for messages and lists alone.
    pub gateway: String,
    /// `scheme://host:port`.
    pub origin: String,
    /// `default` unless the user named it.
    pub name: String,
    /// Environment variables that would serve instead, for advice alone.
    pub variables: Vec<String>,
}

impl Slot {
    /// The place of the gateway's key of that name; `None` is the one that the config names, else `default`.
    pub fn of(gateway: &Gateway, name: Option<&str>) -> Self {
        Self {
            gateway: gateway.name.clone(),
            origin: gateway.base_url.origin(),
            name: name.or(gateway.key.name.as_deref()).unwrap_or("default").to_owned(),
            variables: gateway.key.env.clone(),
        }
    }

    /// What the keyring files the key under.
    pub fn service(&self) -> String {
        format!("llm:{}", self.origin)
    }

    /// An error about this key, with every other way to have one as the hint.
    pub(super) fn error(&self, message: impl Into<String>, cause: Option<String>) -> Error {
        Error::Key { message: message.into(), cause, hint: Some(self.advice()) }
    }

    /// Every way to have a key for this gateway.
    pub(super) fn advice(&self) -> String {
        let others = if self.variables.is_empty() { String::new() } else { self.variables.join(", ") + " or " };
        format!(
            "`llm key set {}{}` saves a key, with `--store file` in a file instead of the keyring; or use \
             {others}key_command in the config",
            self.gateway,
            self.name_flag(),
        )
    }

    /// ` --name NAME`, where the name is not the usual one.
    pub fn name_flag(&self) -> String {
        if self.name == "default" { String::new() } else { format!(" --name {}", self.name) }
    }
}

/// `openrouter`, or `openrouter (team-a)` for a named key.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.gateway)?;
        if self.name != "default" {
            write!(f, " ({})", self.name)?;
        }
        Ok(())
    }
}

/// The kinds of store a user can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The operating system's keyring.
    Keyring,
    /// A file of mode 0600; never chosen but by the user.
    File,
}

impl StoreKind {
    /// The word used on the command line and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

/// Somewhere keys are kept. Calls may block for as long as they like: see [`Stores`].
pub trait Store: Send + Sync {
    /// `None` if there is no key in this place.
    fn get(&self, slot: &Slot) -> Result<Option<Key>, Error>;
    /// Replaces the key in this place.
    fn set(&self, slot: &Slot, key: &Key) -> Result<(), Error>;
    /// Whether there was a key to remove.
    fn delete(&self, slot: &Slot) -> Result<bool, Error>;
}

/// Writes the key and reads it back. A store that says it kept the key but gives back another is an error.
fn save(store: &dyn Store, slot: &Slot, key: &Key) -> Result<(), Error> {
    store.set(slot, key)?;
    let kept = store.get(slot).map_err(|error| {
        let cause = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        slot.error(format!("the key for {slot} was written, but could not be read back to make sure"), Some(cause))
    })?;
    match kept {
        Some(kept) if kept == *key => Ok(()),
        Some(_) => Err(slot.error(format!("the key that is kept for {slot} is not the one given"), None)),
        None => Err(slot.error(format!("the key for {slot} was taken, but is not there when read back"), None)),
    }
}

/// Deletes the key and makes sure that it is gone.
fn remove(store: &dyn Store, slot: &Slot) -> Result<bool, Error> {
    let existed = store.delete(slot)?;
    match store.get(slot)? {
        None => Ok(existed),
        Some(_) => Err(slot.error(format!("the key for {slot} was removed, but is still there"), None)),
    }
}

/// What [`Stores::remove`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    From(StoreKind),
    /// There was none.
    Nothing,
}

/// The stores of this user, each call to the keyring with a limit.
///
/// The key file also notes which keys are in the keyring, because a keyring cannot be listed the same way everywhere;
/// for each place it says one store, so that an old key never shadows a new one.
#[derive(Clone)]
pub struct Stores {
    pub(super) keyring: Arc<dyn Store>,
    pub(super) file: Option<KeyFile>,
    pub(super) timeout: Timeout,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("file", &self.file).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Stores {
    /// The operating system's keyring, and the key file in the data directory.
    pub fn system(dirs: &Dirs, timeout: Timeout) -> Self {
        Self::new(Arc::new(Keyring::system()), dirs.data.as_deref().map(KeyFile::in_dir), timeout)
    }

    /// `file` is `None` where there is no directory for it.
    pub fn new(keyring: Arc<dyn Store>, file: Option<KeyFile>, timeout: Timeout) -> Self {
        Self { keyring, file, timeout }
    }

    /// The key file, if there is a directory for it.
    pub fn file(&self) -> Option<&KeyFile> {
        self.file.as_ref()
    }

    /// Keeps the key in that store and nowhere else, having read it back. `notice` is told what the user should know.
    pub fn save(&self, slot: &Slot, key: &Key, kind: StoreKind, notice: &mut dyn FnMut(&str)) -> Result<(), Error> {
        match kind {
            StoreKind::Keyring => {
                let (place, given) = (slot.clone(), key.clone());
                self.in_keyring(slot, notice, move |keyring| save(keyring, &place, &given))?;
                match self.file.as_ref().map(|file| file.note_in_keyring(slot)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => notice(&format!("`llm key list` will not show this key: {error}")),
                    None => notice("`llm key list` will not show this key: there is no data directory"),
                }
                Ok(())
            }
            StoreKind::File => {
                let file = self.file.as_ref().ok_or_else(|| no_directory(slot))?;
                let was = file.find(slot)?.map(|saved| saved.store);
                save(file, slot, key)?;
                if was == Some(StoreKind::Keyring) {
                    let place = slot.clone();
                    if let Err(error) = self.in_keyring(slot, notice, move |keyring| remove(keyring, &place)) {
                        notice(&format!("the key that the keyring had before is still in it: {error}"));
                    }
                }
                Ok(())
            }
        }
    }

    /// Removes the key from wherever it is kept.
    pub fn remove(&self, slot: &Slot, notice: &mut dyn FnMut(&str)) -> Result<Removed, Error> {
        let noted = self.file.as_ref().map(|file| file.find(slot)).transpose()?.flatten();
        if let (Some(file), Some(StoreKind::File)) = (&self.file, noted.map(|saved| saved.store)) {
            return remove(file, slot).map(|_| Removed::From(StoreKind::File));
        }
        let place = slot.clone();
        let existed = self.in_keyring(slot, notice, move |keyring| remove(keyring, &place))?;
        if let Some(file) = &self.file {
            file.forget(slot)?;
        }
        Ok(if existed { Removed::From(StoreKind::Keyring) } else { Removed::Nothing })
    }

    /// Runs `work` on a thread of its own and waits for it until its timeout.
    fn in_keyring<T: Send + 'static>(
        &self,
        slot: &Slot,
        notice: &mut dyn FnMut(&str),
        work: impl FnOnce(&dyn Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let keyring = Arc::clone(&self.keyring);
        let job = Job::start("keyring", move || work(&*keyring)).map_err(|error| no_thread(slot, &error))?;
        job.wait(self.timeout, &mut || notice(keyring::WAITING))
            .unwrap_or_else(|why| Err(keyring::gave_nothing(slot, why, self.timeout)))
    }
}

fn no_directory(slot: &Slot) -> Error {
    slot.error(
        "there is no directory to keep the key file in",
        Some("neither LLM_DATA_DIR nor a home directory is set".into()),
    )
}

pub(super) fn no_thread(slot: &Slot, error: &std::io::Error) -> Error {
    slot.error(format!("cannot look for the key of {slot}"), Some(format!("no thread could be started: {error}")))
}

#[cfg(test)]
mod tests {
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
}
