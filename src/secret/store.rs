//! Where keys are kept: what every store can do, and which stores there are.

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
        let (command, others) = (self.command(), self.others());
        format!("`{command}` saves a key, `{command} --store file` in a file instead of the keyring; or use {others}")
    }

    /// An error about a keyring that is not there, with every way to have this key without one as the hint.
    pub(super) fn no_keyring(&self, message: impl Into<String>, cause: Option<String>) -> Error {
        let hint = format!("`{} --store file` keeps a key in a file instead; or use {}", self.command(), self.others());
        Error::Key { message: message.into(), cause, hint: Some(hint) }
    }

    /// What saves this key.
    pub(super) fn command(&self) -> String {
        format!("llm key set {}{}", self.gateway, self.name_flag())
    }

    /// The other ways to have it.
    fn others(&self) -> String {
        let variables = if self.variables.is_empty() { String::new() } else { self.variables.join(", ") + " or " };
        format!("{variables}key_command in the config")
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
    /// A file of mode 0600. It is used only where the user chose it.
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

/// A place where keys are kept. Calls may block without a limit; see [`Stores`].
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

/// The stores of this user. Each call to the keyring has a timeout.
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

    /// Runs `work` on a thread of its own and waits for it until the timeout.
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
    Error::system(format!("the system has no thread to look for the key of {slot}"), error)
}

#[cfg(test)]
mod tests;
