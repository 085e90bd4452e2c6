//! Finding the key of a gateway: environment, command, keyring or key file, in this order.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::command::{self, COMMAND_LIMIT};
use super::job::{Job, NoResult, Patience};
use super::key::{Cleaned, Key};
use super::keyring;
use super::store::{Slot, StoreKind, Stores, no_thread};
use crate::config::{Auth, Gateway};
use crate::error::Error;

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
}

/// What a lookup needs besides the gateway.
pub struct Lookup<'a> {
    /// The environment as the config sees it.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The variables that hold the keys of any gateway; a `key_command` does not see them.
    pub key_variables: &'a [String],
    pub stores: &'a Stores,
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl Lookup<'_> {
    /// Begins to look for the gateway's key. What may take long runs on a thread from now on, so that other work can
    /// go on until [`Pending::wait`]; with the key in the environment or the key file there is no thread.
    ///
    /// `chosen` is the name of a saved key that the user asked for in this command: then neither the environment nor a
    /// command, which stand for the usual key, are looked at.
    pub fn start(&self, gateway: &Gateway, chosen: Option<&str>) -> Pending {
        let slot = Slot::of(gateway, chosen);
        let ready = |result| Pending {
            slot: slot.clone(),
            required: gateway.auth == Auth::Required,
            state: State::Ready(result),
        };
        if gateway.auth == Auth::None {
            return ready(Ok(None));
        }
        if chosen.is_none() {
            if let Some(found) = self.in_environment(&gateway.key.env) {
                return ready(found.map(Some));
            }
            if let Some(argv) = &gateway.key.command {
                return self.ask_command(argv, gateway, slot);
            }
        }
        let saved = match self.stores.file().map(|file| Ok((file.path(), file.find(&slot)?))).transpose() {
            Ok(saved) => saved,
            Err(error) => return ready(Err(error)),
        };
        match saved {
            Some((path, Some(saved))) if saved.store == StoreKind::File => {
                let found =
                    saved.key.map(|key| Found { key, source: Source::File { path }, cleaned: Cleaned::default() });
                ready(Ok(found))
            }
            // A gateway that works without a key (on this machine, mostly) is no reason to unlock a keyring that was
            // never given one for it.
            Some((_, None)) | None if gateway.auth == Auth::Optional => ready(Ok(None)),
            _ => self.ask_keyring(gateway, slot),
        }
    }

    /// The first variable that is set and not empty.
    fn in_environment(&self, names: &[String]) -> Option<Result<Found, Error>> {
        let (name, value) = names.iter().find_map(|name| {
            let value = (self.env)(name).filter(|value| !value.is_empty())?;
            Some((name.clone(), value))
        })?;
        Some(match Key::parse(&value) {
            Ok((key, cleaned)) => Ok(Found { key, source: Source::Environment { name }, cleaned }),
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
        let job = Job::start("key_command", move || {
            command::run(&argv, &scrub, COMMAND_LIMIT).map(|(key, cleaned)| Some(Found { key, source, cleaned }))
        });
        // It keeps its own limit; this one only has to be later.
        let patience = Patience { limit: COMMAND_LIMIT + Duration::from_secs(2), ..self.stores.patience };
        Pending::running(job, slot, gateway, patience, Asked::Command { program })
    }

    fn ask_keyring(&self, gateway: &Gateway, slot: Slot) -> Pending {
        let keyring = Arc::clone(&self.stores.keyring);
        let place = slot.clone();
        let job = Job::start("keyring", move || {
            let source = Source::Keyring { service: place.service(), user: place.name.clone() };
            Ok(keyring.get(&place)?.map(|key| Found { key, source, cleaned: Cleaned::default() }))
        });
        Pending::running(job, slot, gateway, self.stores.patience, Asked::Keyring)
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

    fn gave_nothing(&self, slot: &Slot, why: NoResult, patience: Patience) -> Error {
        match self {
            Self::Keyring => keyring::gave_nothing(slot, why, patience),
            Self::Command { program } => slot.error(format!("key_command `{program}` gave no result"), None),
        }
    }
}

/// A lookup that has begun.
#[derive(Debug)]
pub struct Pending {
    slot: Slot,
    required: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Ready(Answer),
    Running { job: Job<Answer>, patience: Patience, asked: Asked },
}

impl Pending {
    fn running(
        job: std::io::Result<Job<Answer>>,
        slot: Slot,
        gateway: &Gateway,
        patience: Patience,
        asked: Asked,
    ) -> Self {
        let state = match job {
            Ok(job) => State::Running { job, patience, asked },
            Err(error) => State::Ready(Err(no_thread(&slot, &error))),
        };
        Self { slot, required: gateway.auth == Auth::Required, state }
    }

    /// Waits for the key; `notice` gets a line for the user if it takes long. No limit is exceeded, whatever hangs.
    ///
    /// `None` only for a gateway that can do without a key. It blocks: from async code, use [`Pending::wait_async`].
    pub fn wait(self, notice: &mut dyn FnMut(&str)) -> Result<Option<Found>, Error> {
        let Self { slot, required, state } = self;
        let found = match state {
            State::Ready(answer) => answer?,
            State::Running { job, patience, asked } => job
                .wait(patience, &mut || notice(&asked.notice()))
                .unwrap_or_else(|why| Err(asked.gave_nothing(&slot, why, patience)))?,
        };
        if found.is_none() && required { Err(missing(&slot)) } else { Ok(found) }
    }

    /// As [`Pending::wait`], without blocking the runtime. Dropping the future gives up.
    pub async fn wait_async(self, mut notice: impl FnMut(&str) + Send + 'static) -> Result<Option<Found>, Error> {
        if let State::Ready(_) = self.state {
            return self.wait(&mut notice);
        }
        let slot = self.slot.clone();
        let (sender, answer) = tokio::sync::oneshot::channel();
        Job::start("key", move || sender.send(self.wait(&mut notice)).is_ok())
            .map_err(|error| no_thread(&slot, &error))?;
        answer.await.unwrap_or_else(|_| Err(slot.error(format!("looking for the key of {slot} failed"), None)))
    }
}

/// The keyring cannot tell an entry that is not there from a collection that was never made or unlocked.
fn missing(slot: &Slot) -> Error {
    slot.error(
        format!("no key for {slot}"),
        Some(format!("none is saved for {}, or your keyring has no unlocked default collection", slot.origin)),
    )
}
