//! Finding the key of a gateway: environment, command, keyring or key file, in this order.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::command::{self, COMMAND_LIMIT};
use super::job::{Job, NoResult, Timeout};
use super::key::{Cleaned, Key};
use super::keyring;
use super::store::{Slot, StoreKind, Stores, no_thread};
use crate::config::{Auth, Env, Gateway};
use crate::error::Error;
use crate::private;

/// Where a key came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Environment { name: String },
    Command { program: String },
    Keyring { service: String, user: String },
    File { path: PathBuf },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment { name } => write!(f, "environment variable {name}"),
            Self::Command { program } => write!(f, "key_command `{program}`"),
            Self::Keyring { service, user } => write!(f, "keyring (service {service}, username {user})"),
            Self::File { path } => write!(f, "key file {}", path.display()),
        }
    }
}

/// A key, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub key: Key,
    pub source: Source,
    /// What was dropped around it.
    pub cleaned: Cleaned,
    /// What the user is told if the gateway refuses it.
    pub if_refused: String,
}

impl Found {
    fn new(key: Key, source: Source, cleaned: Cleaned, slot: &Slot) -> Self {
        let (test, set) = (format!("`llm key test {}{}` checks it", slot.gateway, slot.name_flag()), slot.command());
        let if_refused = match source {
            Source::Environment { .. } | Source::Command { .. } => {
                format!("the gateway refused the key from {source}: `llm key test {}` checks it", slot.gateway)
            }
            Source::Keyring { .. } => format!("the gateway refused the key: {test}, `{set}` replaces it"),
            Source::File { .. } => format!("the gateway refused the key: {test}, `{set} --store file` replaces it"),
        };
        Self { key, source, cleaned, if_refused }
    }

    /// What the user should know of this key of a gateway: what was dropped around it, and that others could replace it.
    pub fn notices(&self, gateway: &str) -> Vec<String> {
        let exposed = match &self.source {
            Source::File { path } => private::exposed(path).map(|(place, why)| {
                let (file, place) = (path.display(), place.display());
                format!("the key of {gateway} is in {file}, and {place} {why}, who could replace it")
            }),
            Source::Environment { .. } | Source::Command { .. } | Source::Keyring { .. } => None,
        };
        self.cleaned.notice().into_iter().chain(exposed).collect()
    }
}

/// What is known of a gateway's key without asking a keyring or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtHand {
    Key(Found),
    /// A keyring holds it, or a command prints it.
    Elsewhere,
    /// There is none, and the gateway does not need one.
    NotNeeded,
    /// No source is known to have it.
    Missing,
}

/// Where a key is.
enum Place<'g> {
    /// The key; `None` where there is none and none is needed.
    Here(Option<Found>),
    Command(&'g [String]),
    Keyring {
        /// Whether the key file says that it was saved there.
        noted: bool,
    },
}

/// What a lookup needs besides the gateway.
pub struct Lookup<'a> {
    pub env: &'a Env,
    /// The variables that may hold the key of any gateway ([`crate::config::Settings::key_variables`]): no
    /// `key_command` sees them.
    pub key_variables: &'a [String],
    pub stores: &'a Stores,
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl Lookup<'_> {
    /// Starts the search for the gateway's key. A keyring or a command is asked on a thread, so that other work can go
    /// on until [`Pending::wait`]; no thread is needed for the environment and the key file.
    ///
    /// `chosen` is the name of a saved key that the user asked for in this command: then neither the environment nor a
    /// command, which stand for the usual key, are skipped.
    pub fn start(&self, gateway: &Gateway, chosen: Option<&str>) -> Pending {
        let slot = Slot::of(gateway, chosen);
        match self.place(gateway, chosen, &slot) {
            Ok(Place::Command(argv)) => self.ask_command(argv, gateway, slot),
            Ok(Place::Keyring { .. }) => self.ask_keyring(gateway, slot),
            Ok(Place::Here(found)) => Pending::ready(Ok(found), slot, gateway),
            Err(error) => Pending::ready(Err(error), slot, gateway),
        }
    }

    /// What is known of the gateway's usual key without asking a keyring or a command, which may ask the user.
    pub fn at_hand(&self, gateway: &Gateway) -> AtHand {
        match self.place(gateway, None, &Slot::of(gateway, None)) {
            Ok(Place::Here(Some(found))) => AtHand::Key(found),
            Ok(Place::Command(_) | Place::Keyring { noted: true }) => AtHand::Elsewhere,
            Ok(Place::Here(None)) => AtHand::NotNeeded,
            Ok(Place::Keyring { noted: false }) | Err(_) => AtHand::Missing,
        }
    }

    fn place<'g>(&self, gateway: &'g Gateway, chosen: Option<&str>, slot: &Slot) -> Result<Place<'g>, Error> {
        if gateway.auth == Auth::None {
            return Ok(Place::Here(None));
        }
        if chosen.is_none() {
            if let Some(found) = self.in_environment(&gateway.key.env, slot) {
                return found.map(|found| Place::Here(Some(found)));
            }
            if let Some(argv) = &gateway.key.command {
                return Ok(Place::Command(argv));
            }
        }
        let saved = self.stores.file().map(|file| Ok::<_, Error>((file.path(), file.find(slot)?))).transpose()?;
        Ok(match saved {
            Some((path, Some(saved))) if saved.store == StoreKind::File => {
                let source = Source::File { path };
                Place::Here(saved.key.map(|key| Found::new(key, source, Cleaned::default(), slot)))
            }
            // For a gateway that works without a key, mostly on this machine, the keyring is not unlocked unless a key
            // was saved in it.
            Some((_, None)) | None if gateway.auth == Auth::Optional => Place::Here(None),
            saved => Place::Keyring { noted: saved.is_some_and(|(_, saved)| saved.is_some()) },
        })
    }

    /// The first variable that is set and not empty.
    fn in_environment(&self, names: &[String], slot: &Slot) -> Option<Result<Found, Error>> {
        let (name, value) = names.iter().find_map(|name| Some((name.clone(), self.env.get(name)?)))?;
        Some(match Key::parse(value) {
            Ok((key, cleaned)) => Ok(Found::new(key, Source::Environment { name }, cleaned, slot)),
            Err(why) => Err(Error::Key {
                message: format!("the environment variable {name} holds no key"),
                cause: Some(why.to_string()),
                hint: Some(format!("set it to the key alone, or `unset {name}`")),
            }),
        })
    }

    fn ask_command(&self, argv: &[String], gateway: &Gateway, slot: Slot) -> Pending {
        let (argv, scrub) = (argv.to_vec(), self.key_variables.to_vec());
        let program = argv.first().cloned().unwrap_or_default();
        let source = Source::Command { program: program.clone() };
        let place = slot.clone();
        let job = Job::start("key_command", move || {
            let found = command::run(&argv, &scrub, COMMAND_LIMIT);
            found.map(|(key, cleaned)| Some(Found::new(key, source, cleaned, &place)))
        });
        // The command has its own limit, which has to pass first.
        let timeout = Timeout { limit: COMMAND_LIMIT + Duration::from_secs(2), ..self.stores.timeout };
        Pending::running(job, slot, gateway, timeout, Asked::Command { program })
    }

    fn ask_keyring(&self, gateway: &Gateway, slot: Slot) -> Pending {
        let keyring = Arc::clone(&self.stores.keyring);
        let place = slot.clone();
        let job = Job::start("keyring", move || {
            let source = Source::Keyring { service: place.service(), user: place.name.clone() };
            Ok(keyring.get(&place)?.map(|key| Found::new(key, source, Cleaned::default(), &place)))
        });
        Pending::running(job, slot, gateway, self.stores.timeout, Asked::Keyring)
    }
}

type Answer = Result<Option<Found>, Error>;

/// What a running lookup waits for.
#[derive(Debug)]
enum Asked {
    Keyring,
    Command { program: String },
}

impl Asked {
    fn notice(&self) -> String {
        match self {
            Self::Keyring => keyring::WAITING.into(),
            Self::Command { program } => format!("waiting for key_command `{program}` (Ctrl-C to stop)…"),
        }
    }

    fn gave_nothing(&self, slot: &Slot, why: NoResult, timeout: Timeout) -> Error {
        match self {
            Self::Keyring => keyring::gave_nothing(slot, why, timeout),
            Self::Command { program } => slot.error(format!("key_command `{program}` gave no result"), None),
        }
    }
}

/// A search that has started.
#[derive(Debug)]
pub struct Pending {
    slot: Slot,
    required: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Ready(Answer),
    Running { job: Job<Answer>, timeout: Timeout, asked: Asked },
}

impl Pending {
    fn ready(answer: Answer, slot: Slot, gateway: &Gateway) -> Self {
        Self { slot, required: gateway.auth == Auth::Required, state: State::Ready(answer) }
    }

    fn running(
        job: std::io::Result<Job<Answer>>,
        slot: Slot,
        gateway: &Gateway,
        timeout: Timeout,
        asked: Asked,
    ) -> Self {
        let state = match job {
            Ok(job) => State::Running { job, timeout, asked },
            Err(error) => State::Ready(Err(no_thread(&slot, &error))),
        };
        Self { slot, required: gateway.auth == Auth::Required, state }
    }

    /// Whether the program that is asked for the key may use the terminal, so that nothing must be drawn there meanwhile.
    pub fn may_use_terminal(&self) -> bool {
        matches!(self.state, State::Running { asked: Asked::Command { .. }, .. })
    }

    /// Waits for the key, until the timeout at most; `notice` gets a line for the user if it takes long.
    ///
    /// Returns `None` only for a gateway that does not need a key. It blocks the thread, so it must not be called from
    /// asynchronous code.
    pub fn wait(self, notice: &mut dyn FnMut(&str)) -> Result<Option<Found>, Error> {
        let Self { slot, required, state } = self;
        let found = match state {
            State::Ready(answer) => answer?,
            State::Running { job, timeout, asked } => job
                .wait(timeout, &mut || notice(&asked.notice()))
                .unwrap_or_else(|why| Err(asked.gave_nothing(&slot, why, timeout)))?,
        };
        if found.is_none() && required { Err(missing(&slot)) } else { Ok(found) }
    }
}

/// The keyring cannot tell an entry that is not there from a collection that was never made or unlocked.
fn missing(slot: &Slot) -> Error {
    slot.error(
        format!("no key for {slot}"),
        Some(format!("none is saved for {}, or your keyring has no unlocked default collection", slot.origin)),
    )
}

#[cfg(test)]
mod tests;
