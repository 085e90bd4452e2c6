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

/// What is known of a gateway's key before anybody is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtHand {
    Key(Found),
    /// A keyring was given it, or a command gives it.
    Elsewhere,
    /// There is none, and the gateway may do without.
    NotNeeded,
    /// Nobody is known to have it.
    Missing,
}

/// Where a key is.
enum Place<'g> {
    /// At hand; `None` where there is none, and none is needed.
    Here(Option<Found>),
    Command(&'g [String]),
    Keyring {
        /// Whether it was saved there by us.
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
    /// Begins to look for the gateway's key. What may take long runs on a thread from now on, so that other work can
    /// go on until [`Pending::wait`]; with the key in the environment or the key file there is no thread.
    ///
    /// `chosen` is the name of a saved key that the user asked for in this command: then neither the environment nor a
    /// command, which stand for the usual key, are looked at.
    pub fn start(&self, gateway: &Gateway, chosen: Option<&str>) -> Pending {
        let slot = Slot::of(gateway, chosen);
        match self.place(gateway, chosen, &slot) {
            Ok(Place::Command(argv)) => self.ask_command(argv, gateway, slot),
            Ok(Place::Keyring { .. }) => self.ask_keyring(gateway, slot),
            Ok(Place::Here(found)) => Pending::ready(Ok(found), slot, gateway),
            Err(error) => Pending::ready(Err(error), slot, gateway),
        }
    }

    /// The gateway's usual key as far as it can be told without asking a keyring or a command, which may ask the user.
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
            if let Some(found) = self.in_environment(&gateway.key.env) {
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
                Place::Here(saved.key.map(|key| Found { key, source, cleaned: Cleaned::default() }))
            }
            // A gateway that works without a key (on this machine, mostly) is no reason to unlock a keyring that was
            // never given one for it.
            Some((_, None)) | None if gateway.auth == Auth::Optional => Place::Here(None),
            saved => Place::Keyring { noted: saved.is_some_and(|(_, saved)| saved.is_some()) },
        })
    }

    /// The first variable that is set and not empty.
    fn in_environment(&self, names: &[String]) -> Option<Result<Found, Error>> {
        let (name, value) = names.iter().find_map(|name| Some((name.clone(), self.env.get(name)?)))?;
        Some(match Key::parse(value) {
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
        let timeout = Timeout { limit: COMMAND_LIMIT + Duration::from_secs(2), ..self.stores.timeout };
        Pending::running(job, slot, gateway, timeout, Asked::Command { program })
    }

    fn ask_keyring(&self, gateway: &Gateway, slot: Slot) -> Pending {
        let keyring = Arc::clone(&self.stores.keyring);
        let place = slot.clone();
        let job = Job::start("keyring", move || {
            let source = Source::Keyring { service: place.service(), user: place.name.clone() };
            Ok(keyring.get(&place)?.map(|key| Found { key, source, cleaned: Cleaned::default() }))
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

    /// Waits for the key; `notice` gets a line for the user if it takes long. No limit is exceeded, whatever hangs.
    ///
    /// `None` only for a gateway that can do without a key. It blocks, so it is for before a runtime runs.
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
mod tests {
    use std::path::Path;

    use super::super::testing::{MockKeyring, gateway, key};
    use super::super::{KeyFile, Store};
    use super::*;

    /// A keyring that must not be asked.
    struct Untouchable;

    impl Store for Untouchable {
        fn get(&self, _: &Slot) -> Result<Option<Key>, Error> {
            panic!("the keyring was asked")
        }
        fn set(&self, _: &Slot, _: &Key) -> Result<(), Error> {
            panic!("the keyring was asked")
        }
        fn delete(&self, _: &Slot) -> Result<bool, Error> {
            panic!("the keyring was asked")
        }
    }

    /// A keyring that answers when the other end of the channel is dropped.
    struct Stuck(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

    impl Store for Stuck {
        fn get(&self, _: &Slot) -> Result<Option<Key>, Error> {
            self.0.lock().expect("one user").recv().ok();
            Ok(Some(key("sk-late")))
        }
        fn set(&self, _: &Slot, _: &Key) -> Result<(), Error> {
            unreachable!("only read")
        }
        fn delete(&self, _: &Slot) -> Result<bool, Error> {
            unreachable!("only read")
        }
    }

    fn untouchable(dir: Option<&Path>) -> Stores {
        Stores::new(Arc::new(Untouchable), dir.map(KeyFile::in_dir), super::super::testing::LONG)
    }

    fn find(gateway: &Gateway, chosen: Option<&str>, env: &[(&str, &str)], stores: &Stores) -> Answer {
        let env = Env::from_pairs(env.iter().copied());
        let lookup = Lookup { env: &env, key_variables: &[], stores };
        lookup.start(gateway, chosen).wait(&mut |line| panic!("no notice was due: {line}"))
    }

    fn found(answer: Answer) -> (String, String) {
        let found = answer.expect("no error").expect("a key");
        (found.key.expose().to_owned(), found.source.to_string())
    }

    #[test]
    fn a_key_in_the_environment_comes_first_and_asks_nothing_else() {
        let mut corp = gateway("corp");
        corp.key.env = vec!["LLM_API_KEY".into(), "CORP_API_KEY".into()];
        corp.key.command = Some(vec!["/nonexistent".into()]);
        let both = [("CORP_API_KEY", "sk-2"), ("LLM_API_KEY", " sk-1")];
        let stores = untouchable(None);
        let first = find(&corp, None, &both, &stores).expect("no error").expect("a key");
        assert_eq!((first.key.expose(), first.cleaned.space), ("sk-1", true));
        assert_eq!(first.source.to_string(), "environment variable LLM_API_KEY");
        assert_eq!(found(find(&corp, None, &both[..1], &stores)).0, "sk-2");
        assert_eq!(found(find(&corp, None, &[("LLM_API_KEY", ""), both[0]], &stores)).0, "sk-2");
    }

    #[test]
    fn a_variable_that_holds_no_key_is_an_error_and_not_passed_over() {
        let error =
            find(&gateway("corp"), None, &[("CORP_API_KEY", "sk-CANARY x")], &untouchable(None)).expect_err("bad");
        assert!(error.to_string().contains("CORP_API_KEY"), "{error}");
        assert!(!format!("{error:?}").contains("CANARY"));
    }

    #[cfg(unix)]
    #[test]
    fn the_command_comes_before_the_keyring_and_instead_of_it() {
        let mut corp = gateway("corp");
        corp.key.command = Some(vec!["echo".into(), "sk-1".into()]);
        let stores = untouchable(None);
        assert_eq!(found(find(&corp, None, &[], &stores)), ("sk-1".into(), "key_command `echo`".into()));
        corp.key.command = Some(vec!["false".into()]);
        assert_eq!(find(&corp, None, &[], &stores).expect_err("failed").exit_code(), 4);
    }

    #[test]
    fn then_the_keyring_by_origin_and_name() {
        let mock = MockKeyring::new();
        let mut corp = gateway("corp");
        mock.keyring().set(&Slot::of(&corp, None), &key("sk-1")).expect("kept");
        mock.keyring().set(&Slot::of(&corp, Some("team-a")), &key("sk-2")).expect("kept");
        let stores = mock.stores(None);
        let (usual, source) = found(find(&corp, None, &[], &stores));
        assert_eq!(usual, "sk-1");
        assert_eq!(source, "keyring (service llm:https://corp.example:443, username default)");
        corp.key.name = Some("team-a".into());
        assert_eq!(found(find(&corp, None, &[], &stores)).0, "sk-2");
        // The same name at another address gets nothing.
        let mut moved = gateway("corp");
        moved.base_url = gateway("evil").base_url;
        assert_eq!(find(&moved, None, &[], &stores).expect_err("none").exit_code(), 4);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_asked_for_by_name_is_that_key_alone() {
        let mock = MockKeyring::new();
        let mut corp = gateway("corp");
        corp.key.command = Some(vec!["echo".into(), "sk-command".into()]);
        mock.keyring().set(&Slot::of(&corp, Some("team-a")), &key("sk-a")).expect("kept");
        let env = [("CORP_API_KEY", "sk-env")];
        assert_eq!(found(find(&corp, Some("team-a"), &env, &mock.stores(None))).0, "sk-a");
        assert!(find(&corp, Some("team-b"), &env, &mock.stores(None)).is_err());
    }

    #[test]
    fn a_key_in_the_file_asks_no_keyring() {
        let dir = tempfile::tempdir().expect("a directory");
        let corp = gateway("corp");
        KeyFile::in_dir(dir.path()).set(&Slot::of(&corp, None), &key("sk-1")).expect("kept");
        let (key, source) = found(find(&corp, None, &[], &untouchable(Some(dir.path()))));
        assert_eq!((key.as_str(), source.starts_with("key file ")), ("sk-1", true));
    }

    #[test]
    fn a_gateway_that_needs_no_key_asks_for_none() {
        let mut local = gateway("local");
        local.auth = Auth::None;
        let env = [("LOCAL_API_KEY", "sk-1")];
        assert_eq!(find(&local, None, &env, &untouchable(None)).expect("no error"), None);
        local.auth = Auth::Optional;
        assert_eq!(find(&local, None, &[], &untouchable(None)).expect("no error"), None);
        assert_eq!(found(find(&local, None, &env, &untouchable(None))).0, "sk-1");
    }

    #[test]
    fn a_key_saved_for_a_gateway_that_can_do_without_is_used() {
        let (mock, dir) = (MockKeyring::new(), tempfile::tempdir().expect("a directory"));
        let mut local = gateway("local");
        local.auth = Auth::Optional;
        let stores = mock.stores(Some(dir.path()));
        stores.save(&Slot::of(&local, None), &key("sk-1"), StoreKind::Keyring, &mut |_| {}).expect("kept");
        assert_eq!(found(find(&local, None, &[], &stores)).0, "sk-1");
    }

    #[test]
    fn no_key_anywhere_says_what_may_be_the_reason() {
        let error = find(&gateway("corp"), None, &[], &MockKeyring::new().stores(None)).expect_err("none");
        let (message, cause) = (error.to_string(), error.cause().expect("a cause"));
        assert!(message.contains("no key for corp") && cause.contains("default collection"), "{message}: {cause}");
        let hint = error.hint().expect("advice");
        assert!(hint.contains("llm key set corp") && hint.contains("CORP_API_KEY"), "{hint}");
    }

    #[test]
    fn a_keyring_that_never_answers_ends_at_the_limit() {
        let (hold, held) = std::sync::mpsc::channel();
        let timeout = Timeout { notice_after: Some(Duration::ZERO), limit: Duration::from_millis(50) };
        let stores = Stores::new(Arc::new(Stuck(held.into())), None, timeout);
        let env = Env::default();
        let mut notices = Vec::new();
        let pending = Lookup { env: &env, key_variables: &[], stores: &stores }.start(&gateway("corp"), None);
        let error = pending.wait(&mut |line| notices.push(line.to_owned())).expect_err("stuck");
        assert_eq!(notices, [keyring::WAITING]);
        assert!(error.to_string().contains("did not answer within 0.05 s"), "{error}");
        assert!(error.hint().expect("advice").contains("keyring_timeout"));
        drop(hold);
    }
}
