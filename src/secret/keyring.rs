//! The operating system's keyring: Secret Service, macOS Keychain or Windows Credential Manager.

use std::error::Error as _;
use std::fmt;

use ::keyring::{Entry, Error as KeyringError};

use super::job::{NoResult, Timeout};
use super::key::{BadKey, Key};
use super::store::{Slot, Store};
use crate::error::Error;
use crate::resources;

/// What the user sees while a keyring may be asking for its password.
pub(super) const WAITING: &str = "waiting for your keyring to be unlocked (Ctrl-C to stop)…";

/// More threads than the libraries need.
const THREADS: usize = 5;

type OpenEntry = dyn Fn(&str, &str) -> Result<Entry, KeyringError> + Send + Sync;

/// Keys in the operating system's keyring, as UTF-8 bytes under the service `llm:ORIGIN` and the key's name as user.
///
/// Every call may block forever: a frozen daemon, an unlock prompt on another screen. [`super::Stores`] and
/// [`super::Lookup`] put a limit on it.
pub struct Keyring {
    open: Box<OpenEntry>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    /// This system's. Connects to nothing yet.
    pub fn system() -> Self {
        Self::with(Entry::new)
    }

    pub(super) fn with(open: impl Fn(&str, &str) -> Result<Entry, KeyringError> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open) }
    }

    fn entry(&self, slot: &Slot) -> Result<Entry, Error> {
        // The libraries have an event loop and threads of their own. Without files they would say that there is no keyring,
        // and without threads they panic.
        resources::check_event_loop()
            .and_then(|()| resources::check_threads(THREADS))
            .map_err(|error| Error::system("the keyring cannot be asked", &error))?;
        (self.open)(&slot.service(), &slot.name).map_err(|error| Fault::from(&error).explain(slot))
    }
}

impl Store for Keyring {
    fn get(&self, slot: &Slot) -> Result<Option<Key>, Error> {
        let bytes = match self.entry(slot)?.get_secret() {
            Ok(bytes) => bytes,
            Err(KeyringError::NoEntry) => return Ok(None),
            Err(error) => return Err(Fault::from(&error).explain(slot)),
        };
        Key::from_bytes(bytes).map(|(key, _)| Some(key)).map_err(|why| Fault::NotAKey(why).explain(slot))
    }

    fn set(&self, slot: &Slot, key: &Key) -> Result<(), Error> {
        // Bytes, not a password: Windows would store a password as UTF-16 and so halve the longest key.
        self.entry(slot)?.set_secret(key.expose().as_bytes()).map_err(|error| Fault::from(&error).explain(slot))
    }

    fn delete(&self, slot: &Slot) -> Result<bool, Error> {
        match self.entry(slot)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(KeyringError::NoEntry) => Ok(false),
            Err(error) => Err(Fault::from(&error).explain(slot)),
        }
    }
}

/// The error for a keyring that gave no result.
pub(super) fn gave_nothing(slot: &Slot, why: NoResult, timeout: Timeout) -> Error {
    match why {
        NoResult::TimedOut => Fault::Silent(timeout).explain(slot),
        NoResult::Panicked => Fault::Other("the keyring library stopped unexpectedly".into()).explain(slot),
    }
}

/// The reasons why a keyring does not work.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// There is no session bus of this user.
    NoBus(String),
    /// There is a bus, but no service on it that keeps secrets.
    NoService(String),
    /// It is locked and was not unlocked.
    Locked(String),
    /// There is no collection that keys could go to.
    NoDefaultCollection,
    /// Several entries match; their paths, where the system has such.
    Ambiguous(Vec<String>),
    /// What is kept there cannot be a key.
    NotAKey(BadKey),
    /// The system's limit for one secret, in its own measure.
    TooLong(u32),
    /// It did not answer in time.
    Silent(Timeout),
    Other(String),
}

/// Sorts the library's errors without ever formatting one with `Debug`: some carry the secret's bytes.
impl From<&KeyringError> for Fault {
    fn from(error: &KeyringError) -> Self {
        match error {
            KeyringError::NoDefaultStore => match Entry::store_status() {
                Err(error) if !matches!(error, KeyringError::NoDefaultStore) => Self::from(error),
                _ => Self::Other("there is no keyring for this system".into()),
            },
            KeyringError::PlatformFailure(_) => Self::from_platform(cause(error)),
            KeyringError::NoStorageAccess(_) => match cause(error) {
                cause if cause.contains("result not returned") => Self::NoDefaultCollection,
                cause => Self::Locked(cause),
            },
            KeyringError::BadEncoding(_) => Self::NotAKey(BadKey::NotUtf8),
            KeyringError::Ambiguous(entries) => {
                Self::Ambiguous(entries.iter().flat_map(|entry| item_paths(&format!("{entry:?}"))).collect())
            }
            KeyringError::TooLong(_, limit) => Self::TooLong(*limit),
            KeyringError::BadStoreFormat(_) | KeyringError::Invalid(..) | KeyringError::NotSupportedByStore(_) => {
                Self::Other(error.to_string())
            }
            // Also variants of later versions, of which it is not known what they print.
            _ => Self::Other("the entry cannot be read".into()),
        }
    }
}

impl Fault {
    /// The Secret Service library has an error type for each failure, but the keyring library does not expose them. The
    /// failures are recognised by their words, which are stable; one that is not recognised has a less exact message.
    fn from_platform(cause: String) -> Self {
        const NO_SERVICE: [&str; 4] =
            ["ServiceUnknown", "NameHasNoOwner", "not provided by any", "org.freedesktop.DBus.Error.Spawn"];
        const NO_BUS: [&str; 8] = [
            "no secret service provider or dbus session",
            "Failed to connect to address",
            "address error",
            "I/O error",
            "handshake",
            "failed to read from socket",
            "NoServer",
            "Disconnected",
        ];
        let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
        if cfg!(any(target_os = "macos", windows)) {
            Self::Other(cause)
        } else if has(&NO_SERVICE) {
            Self::NoService(cause)
        } else if has(&NO_BUS) {
            Self::NoBus(cause)
        } else {
            Self::Other(cause)
        }
    }

    fn explain(self, slot: &Slot) -> Error {
        match self {
            Self::NoBus(cause) => {
                slot.no_keyring("there is no keyring here: no D-Bus session can be reached", Some(cause))
            }
            Self::NoService(cause) => slot.no_keyring(
                "there is no keyring here: nothing on D-Bus provides org.freedesktop.secrets \
                 (gnome-keyring, KWallet and KeePassXC do)",
                Some(cause),
            ),
            Self::Locked(cause) => slot.error("your keyring is locked, or access to it was denied", Some(cause)),
            Self::NoDefaultCollection => slot.error(
                "your keyring has no default collection to keep the key in",
                Some("no login keyring was made or unlocked in this session".into()),
            ),
            Self::Ambiguous(paths) => Error::Key {
                message: format!("more than one key is saved for {slot}"),
                cause: (!paths.is_empty()).then(|| paths.join(", ")),
                hint: Some(format!(
                    "remove all but one with your keyring's own program (service {}, username {})",
                    slot.service(),
                    slot.name
                )),
            },
            Self::NotAKey(why) => {
                slot.error(format!("what the keyring holds for {slot} is not a key"), Some(why.to_string()))
            }
            Self::TooLong(limit) => {
                slot.error("the key is too long for this system's keyring", Some(format!("it takes up to {limit}")))
            }
            Self::Silent(timeout) => Error::Key {
                message: format!("your keyring did not answer within {} s", timeout.limit.as_secs_f64()),
                cause: Some("it may be waiting, here or on another screen, for its password".into()),
                hint: Some(format!("unlock it, or raise keyring_timeout; {}", slot.advice())),
            },
            Self::Other(cause) => slot.error("the keyring failed", Some(cause)),
        }
    }
}

/// The source of an error, which must be one that holds no secret.
fn cause(error: &KeyringError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// The D-Bus paths in the debug form of an entry, and nothing else of it: the only place where the library says them.
fn item_paths(debug: &str) -> Vec<String> {
    debug
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '/'))
        .filter(|word| word.starts_with("/org/freedesktop/secrets/"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MockKeyring, gateway, key};
    use super::*;

    fn slot() -> Slot {
        Slot::of(&gateway("corp"), None)
    }

    #[test]
    fn a_key_comes_back_until_it_is_deleted() {
        let keyring = MockKeyring::new().keyring();
        assert_eq!(keyring.get(&slot()).expect("works"), None);
        keyring.set(&slot(), &key("sk-1")).expect("works");
        keyring.set(&slot(), &key("sk-2")).expect("works");
        assert_eq!(keyring.get(&slot()).expect("works"), Some(key("sk-2")));
        assert!(keyring.delete(&slot()).expect("works"));
        assert!(!keyring.delete(&slot()).expect("works"));
        assert_eq!(keyring.get(&slot()).expect("works"), None);
    }

    /// Windows takes 2,560 bytes. As a password, which it keeps in UTF-16, a key could have only half as many letters.
    #[test]
    fn a_long_key_takes_a_byte_for_each_letter() {
        let mock = MockKeyring::new();
        let long = "k".repeat(2560);
        mock.keyring().set(&slot(), &key(&long)).expect("works");
        assert_eq!(mock.entry(&slot()).get_secret().expect("there"), long.as_bytes());
        assert_eq!(mock.keyring().get(&slot()).expect("works"), Some(key(&long)));
    }

    #[test]
    fn a_key_that_is_too_long_is_not_saved_and_not_repeated() {
        let mock = MockKeyring::new();
        mock.fail(&slot(), KeyringError::TooLong("password".into(), 2560));
        let error = mock.keyring().set(&slot(), &key("sk-CANARY-too-long")).expect_err("too long");
        assert_eq!(error.to_string(), "the key is too long for this system's keyring");
        assert_eq!(error.cause().as_deref(), Some("it takes up to 2560"));
        assert!(!format!("{error:?}{:?}", error.hint()).contains("CANARY"));
        assert_eq!(mock.keyring().get(&slot()).expect("works"), None);
    }

    #[test]
    fn keys_are_filed_under_the_origin_and_their_name() {
        let mock = MockKeyring::new();
        let named = Slot::of(&gateway("corp"), Some("team-a"));
        mock.keyring().set(&named, &key("sk-1")).expect("works");
        let entry = mock.entry(&named);
        assert_eq!(entry.get_specifiers(), Some(("llm:https://corp.example:443".into(), "team-a".into())));
        assert_eq!(entry.get_secret().expect("there"), b"sk-1");
        assert_eq!(mock.keyring().get(&slot()).expect("works"), None);
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    fn platform(text: &str) -> KeyringError {
        KeyringError::PlatformFailure(text.into())
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    fn no_access(text: &str) -> KeyringError {
        KeyringError::NoStorageAccess(text.into())
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    #[test]
    fn every_state_of_the_secret_service_is_said_apart() {
        let ambiguous = || KeyringError::Ambiguous(Vec::new());
        for (error, message) in [
            (platform("no secret service provider or dbus session found"), "no D-Bus session"),
            (platform("zbus error: Failed to connect to address `unix:path=/x`: No such file"), "no D-Bus session"),
            (platform("zbus error: I/O error: failed to read from socket"), "no D-Bus session"),
            (platform("zbus error: D-Bus handshake failed: rejected"), "no D-Bus session"),
            (platform("zbus error: org.freedesktop.DBus.Error.ServiceUnknown: x"), "provides org.freedesktop.secrets"),
            (platform("zbus error: something else"), "the keyring failed"),
            (no_access("SS error: prompt dismissed"), "locked"),
            (no_access("SS Error: object locked"), "locked"),
            (no_access("SS error: result not returned from SS API"), "no default collection"),
            (ambiguous(), "more than one key"),
            (KeyringError::TooLong("password".into(), 2560), "too long"),
            (KeyringError::BadStoreFormat("x".into()), "the keyring failed"),
        ] {
            let text = error.to_string();
            let error = Fault::from(&error).explain(&slot());
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert_eq!(error.exit_code(), 4);
            let hint = error.hint().expect("advice");
            assert!(message.contains("more than") || hint.contains("`llm key set corp"), "{hint}");
        }
    }

    /// With it, any call from inside a runtime would panic; a dependency could turn it on for all.
    #[test]
    fn the_bus_library_does_not_use_our_runtime() {
        let lock: toml::Value = toml::from_str(include_str!("../../Cargo.lock")).expect("TOML");
        let packages = lock["package"].as_array().expect("a list");
        let zbus: Vec<_> = packages.iter().filter(|package| package["name"].as_str() == Some("zbus")).collect();
        assert_eq!(zbus.len(), 1);
        let uses = zbus[0]["dependencies"].as_array().expect("a list");
        assert!(uses.iter().any(|name| name.as_str() == Some("async-io")));
        assert!(!uses.iter().any(|name| name.as_str().is_some_and(|name| name.starts_with("tokio"))));
    }

    #[test]
    fn without_a_keyring_every_other_way_is_named() {
        let error = Fault::NoBus(String::new()).explain(&slot());
        let hint = error.hint().expect("advice");
        for way in ["llm key set corp", "--store file", "CORP_API_KEY", "key_command"] {
            assert!(hint.contains(way), "{way}: {hint}");
        }
    }

    #[test]
    fn bytes_of_a_secret_are_in_no_error() {
        let mock = MockKeyring::new();
        let canary = || b"sk-CANARY\xff".to_vec();
        mock.entry(&slot()).set_secret(&canary()).expect("kept");
        let mut errors = vec![mock.keyring().get(&slot()).expect_err("not UTF-8")];
        for error in [KeyringError::BadEncoding(canary()), KeyringError::BadDataFormat(canary(), "sk-CANARY".into())] {
            mock.fail(&slot(), error);
            errors.push(mock.keyring().get(&slot()).expect_err("injected"));
        }
        mock.entry(&slot()).set_secret(b"sk-CANARY two").expect("kept");
        errors.push(mock.keyring().get(&slot()).expect_err("not a key"));
        for error in errors {
            let shown = format!("{error} {error:?} {:?} {:?}", error.cause(), error.hint());
            assert!(!shown.contains("CANARY") && !shown.contains("67, 65, 78"), "{shown}");
        }
    }

    #[test]
    fn of_an_ambiguous_entry_only_the_paths_are_shown() {
        let debug = "Entry { inner: Wrapper { path: OwnedObjectPath(ObjectPath(\"/org/freedesktop/secrets/collection/login/3\")), \
                     secret: \"sk-CANARY\" } }";
        assert_eq!(item_paths(debug), ["/org/freedesktop/secrets/collection/login/3"]);
        let error = Fault::Ambiguous(vec!["/a".into(), "/b".into()]).explain(&slot());
        assert_eq!(error.cause().as_deref(), Some("/a, /b"));
        assert!(error.hint().expect("advice").contains("llm:https://corp.example:443"));
    }
}
