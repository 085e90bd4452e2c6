//! Where a key is found, in which order, and what is said where none is.

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
    let error = find(&gateway("corp"), None, &[("CORP_API_KEY", "sk-CANARY x")], &untouchable(None)).expect_err("bad");
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

#[cfg(unix)]
#[test]
fn what_to_do_about_a_key_that_is_refused_depends_on_where_it_came_from() {
    let mock = MockKeyring::new();
    let mut corp = gateway("corp");
    for name in [None, Some("team-a")] {
        mock.keyring().set(&Slot::of(&corp, name), &key("sk-1")).expect("kept");
    }
    let stores = mock.stores(None);
    let advice = |gateway: &Gateway, chosen, env: &[(&str, &str)], stores: &Stores| {
        let advice = find(gateway, chosen, env, stores).expect("no error").expect("a key").if_refused;
        advice.strip_prefix("the gateway refused the key").expect("what happened").to_owned()
    };
    let variable = [("CORP_API_KEY", "sk-1")];
    assert_eq!(
        advice(&corp, None, &variable, &stores),
        " from environment variable CORP_API_KEY: `llm key test corp` checks it"
    );
    let saved = |flag: &str| format!(": `llm key test corp{flag}` checks it, `llm key set corp{flag}` replaces it");
    assert_eq!(advice(&corp, None, &[], &stores), saved(""));
    assert_eq!(advice(&corp, Some("team-a"), &variable, &stores), saved(" --name team-a"));
    let dir = tempfile::tempdir().expect("a directory");
    KeyFile::in_dir(dir.path()).set(&Slot::of(&corp, None), &key("sk-1")).expect("kept");
    assert!(advice(&corp, None, &[], &untouchable(Some(dir.path()))).ends_with("corp --store file` replaces it"));
    corp.key.command = Some(vec!["echo".into(), "sk-1".into()]);
    assert_eq!(advice(&corp, None, &[], &stores), " from key_command `echo`: `llm key test corp` checks it");
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
