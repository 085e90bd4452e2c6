//! `keys.toml`: which keys are saved and where, and the keys themselves for users who chose a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::store::{Slot, Store, StoreKind};
use crate::config::from_toml;
use crate::error::Error;
use crate::input::{self, Accept, NotText};
use crate::private;

/// The largest key file that is read: far more than keys can need.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// How the names of files begin and end that are about to become the key file.
const NEW: (&str, &str) = (".keys-", "");

/// The key file in a data directory. It is written anew each time, under a lock, and put in place in one step.
#[derive(Debug, Clone)]
pub struct KeyFile {
    directory: PathBuf,
}

/// What the key file knows of a saved key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The gateway it was saved for; more than one may have this origin.
    pub gateway: String,
    pub origin: String,
    pub name: String,
    pub store: StoreKind,
    /// RFC 3339, UTC.
    pub saved_at: String,
    /// Where `store` is the file.
    pub key: Option<Key>,
}

/// The file's form.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "key")]
    rows: Vec<Row>,
}

/// One `[[key]]`. No `Debug`: it may hold a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    gateway: String,
    origin: String,
    name: String,
    store: StoreKind,
    saved_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Row {
    fn new(slot: &Slot, store: StoreKind, key: Option<&Key>) -> Self {
        Self {
            gateway: slot.gateway.clone(),
            origin: slot.origin.clone(),
            name: slot.name.clone(),
            store,
            saved_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            key: key.map(|key| key.expose().to_owned()),
        }
    }

    fn is_for(&self, slot: &Slot) -> bool {
        self.origin == slot.origin && self.name == slot.name
    }
}

impl KeyFile {
    /// The file `keys.toml` in that directory; neither need exist.
    pub fn in_dir(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.join("keys.toml")
    }

    /// Where and how others could replace the file, in a sentence; `None` where nobody could, or it is not there.
    pub fn exposed(&self) -> Option<String> {
        let (place, why) = private::exposed(&self.path())?;
        Some(format!("{} {why}, who could replace {}", place.display(), self.path().display()))
    }

    /// Every saved key, in the order of their gateways and names.
    pub fn list(&self) -> Result<Vec<Saved>, Error> {
        let mut list = self.read()?.rows.into_iter().map(|row| self.saved(row)).collect::<Result<Vec<_>, _>>()?;
        list.sort_by(|a, b| (&a.gateway, &a.name).cmp(&(&b.gateway, &b.name)));
        Ok(list)
    }

    /// The saved key of that place.
    pub fn find(&self, slot: &Slot) -> Result<Option<Saved>, Error> {
        self.read()?.rows.into_iter().find(|row| row.is_for(slot)).map(|row| self.saved(row)).transpose()
    }

    /// Notes that the keyring has the key of that place; one that this file holds for it is dropped.
    pub fn note_in_keyring(&self, slot: &Slot) -> Result<(), Error> {
        self.replace(slot, Some(Row::new(slot, StoreKind::Keyring, None))).map(|_| ())
    }

    /// Forgets the place; whether it was known.
    pub fn forget(&self, slot: &Slot) -> Result<bool, Error> {
        if self.find(slot)?.is_none() {
            return Ok(false);
        }
        self.replace(slot, None)
    }

    fn saved(&self, row: Row) -> Result<Saved, Error> {
        let Row { gateway, origin, name, store, saved_at, key } = row;
        let key = match (store, key) {
            (StoreKind::File, Some(text)) => {
                let (key, _) = Key::parse(&text).map_err(|why| self.broken(&format!("{gateway}: {why}")))?;
                Some(key)
            }
            (StoreKind::Keyring, None) => None,
            (StoreKind::File, None) => return Err(self.broken(&format!("{gateway}: the key is missing"))),
            (StoreKind::Keyring, Some(_)) => {
                return Err(self.broken(&format!("{gateway}: there is a key that belongs in the keyring")));
            }
        };
        Ok(Saved { gateway, origin, name, store, saved_at, key })
    }

    /// An absent file is an empty one.
    fn read(&self) -> Result<Document, Error> {
        let file = match open_itself(&self.path()) {
            Ok(file) => file,
            Err(error) if input::is_absent(&self.path(), &error) && !self.is_closed(&error) => {
                return Ok(Document::default());
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        let bytes = input::content(&file, MAX_FILE_BYTES, Accept::Files).map(Zeroizing::new);
        let bytes = bytes.map_err(|error| self.unreadable(&error))?;
        let text =
            std::str::from_utf8(&bytes).map_err(|error| self.broken(&NotText::new(&bytes, error).to_string()))?;
        // The parser's own words would repeat the line at fault, which may hold a key.
        let document: Document = from_toml(text).map_err(|mistake| {
            let line = mistake.line.unwrap_or(1);
            self.broken(&format!("line {line} does not make sense"))
        })?;
        if document.rows.iter().any(|row| row.key.is_some()) {
            self.check_private(&file)?;
        }
        Ok(document)
    }

    /// Whether the directory is there, and this user may not enter it.
    fn is_closed(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::PermissionDenied && self.directory.symlink_metadata().is_ok()
    }

    /// Keys that others can read, or could have put there, are not used.
    #[cfg(unix)]
    fn check_private(&self, file: &File) -> Result<(), Error> {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata().map_err(|error| self.unreadable(&error))?;
        let mode = metadata.mode() & 0o777;
        let path = self.path();
        if mode & 0o077 != 0 {
            return Err(Error::Key {
                message: format!("{} holds keys, and others than you may use it (mode {mode:03o})", path.display()),
                cause: None,
                hint: Some(format!("`chmod 600 {}`; and replace the keys if others had access", path.display())),
            });
        }
        let owner = metadata.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(Error::Key {
                message: format!("{} holds keys, and belongs to another user", path.display()),
                cause: None,
                hint: None,
            });
        }
        Ok(())
    }

    /// The data directory is in the user's profile, which Windows keeps from others.
    #[cfg(not(unix))]
    fn check_private(&self, _file: &File) -> Result<(), Error> {
        Ok(())
    }

    /// Puts `row` in the place of what was there for `slot`; whether there was something.
    fn replace(&self, slot: &Slot, row: Option<Row>) -> Result<bool, Error> {
        let failed = |source| Error::Output { target: self.path().display().to_string(), source };
        private::create_dir(&self.directory).map_err(failed)?;
        let exposed = private::exposed_dir(&self.directory).map_err(failed)?;
        if let Some((place, why)) = exposed.filter(|_| row.is_some()) {
            let (dir, place) = (self.directory.display(), place.display().to_string());
            let message = match place == dir.to_string() {
                true => format!("no key is kept in {dir}, which {why}"),
                false => format!("no key is kept in {dir}: {place}, on the way to it, {why}"),
            };
            return Err(Error::Key { message, cause: None, hint: Some(why.hint(&place)) });
        }
        let lock = private(OpenOptions::new().create(true).write(true).truncate(false))
            .open(self.directory.join("keys.lock"))
            .map_err(failed)?;
        match lock.lock() {
            Ok(()) => private::remove_left_over(&self.directory, NEW),
            // Some network file systems have no locks; then two `key set` at once may lose one of the two.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(failed(error)),
        }
        let mut document = self.read()?;
        let before = document.rows.len();
        document.rows.retain(|row| !row.is_for(slot));
        let existed = document.rows.len() != before;
        document.rows.extend(row);
        let text = toml::to_string(&document)
            .map(Zeroizing::new)
            .map_err(|_| self.broken("the new content cannot be written as TOML"))?;
        // Created with mode 0600, so that no moment exists in which others can read it.
        let mut new = tempfile::Builder::new().prefix(NEW.0).tempfile_in(&self.directory).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        new.persist(self.path()).map_err(|error| failed(error.error))?;
        Ok(existed)
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        let message = format!("cannot read {}", self.path().display());
        Error::shortage(&message, error).unwrap_or_else(|| Error::Key {
            message,
            cause: Some(error.to_string()),
            hint: None,
        })
    }

    fn broken(&self, cause: &str) -> Error {
        Error::Key {
            message: format!("{} is not as `llm key set` writes it", self.path().display()),
            cause: Some(cause.to_owned()),
            hint: Some("mend the line, or move the file away and save the keys again".into()),
        }
    }
}

impl Store for KeyFile {
    fn get(&self, slot: &Slot) -> Result<Option<Key>, Error> {
        Ok(self.find(slot)?.and_then(|saved| saved.key))
    }

    fn set(&self, slot: &Slot, key: &Key) -> Result<(), Error> {
        self.replace(slot, Some(Row::new(slot, StoreKind::File, Some(key)))).map(|_| ())
    }

    fn delete(&self, slot: &Slot) -> Result<bool, Error> {
        self.forget(slot)
    }
}

/// Opens the file, and not what a link in its place points to.
fn open_itself(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // NONBLOCK keeps a named pipe in its place from being waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// For this user alone, from the moment it is created.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // NONBLOCK is for a named pipe in its place: it is an error, and its other end is not waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options
}

#[cfg(test)]
mod tests;
