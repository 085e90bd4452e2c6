use super::*;
use crate::report::term::Output;
use crate::secret::testing::{MockKeyring, gateway};

const CANARY: &str = "sk-CANARY-0123456789";

/// A user with an empty keyring and an empty home.
struct User {
    mock: MockKeyring,
    home: tempfile::TempDir,
    env: Env,
    notices: Vec<String>,
}

impl User {
    fn new(env: &[(&str, &str)]) -> Self {
        Self {
            mock: MockKeyring::new(),
            home: tempfile::tempdir().expect("a directory"),
            env: Env::from_pairs(env.iter().copied()),
            notices: Vec::new(),
        }
    }

    fn stores(&self) -> Stores {
        self.mock.stores(Some(self.home.path()))
    }

    fn set(&mut self, gateway: &Gateway, name: Option<&str>, store: StoreKind, typed: &str) -> Result<(), Error> {
        let (stores, notices) = (self.stores(), &mut self.notices);
        let mut stdin = typed.as_bytes();
        let notify = &mut |line: &str| notices.push(line.to_owned());
        set(gateway, name, store, Input::Stream(&mut stdin), &self.env, &stores, notify)
    }

    fn show(&self, gateway: &Gateway, name: Option<&str>, form: TextOrJson) -> Result<String, Error> {
        let stores = self.stores();
        let lookup = Lookup { env: &self.env, key_variables: &[], stores: &stores };
        let shown = show(gateway, name, &lookup, &mut |_| {})?;
        Ok(match form {
            TextOrJson::Text => keys::shown(&shown),
            TextOrJson::Json => json::document(&shown, &Output::plain(100)),
        }
        .to_string())
    }

    fn list(&self, gateways: &[Gateway], form: TextOrJson) -> String {
        let listed = list(gateways, &self.env, &self.stores()).expect("works");
        match form {
            TextOrJson::Text => keys::list(&listed, &Output::plain(100)),
            TextOrJson::Json => json::document(&listed, &Output::plain(100)),
        }
        .to_string()
    }

    fn rm(&mut self, gateway: &str, known: Option<&Gateway>) -> Result<(), Error> {
        let (stores, notices) = (self.stores(), &mut self.notices);
        rm(gateway, known, None, &stores, &mut |line| notices.push(line.to_owned()))
    }
}

#[test]
fn set_says_where_the_key_is_and_shows_four_characters_of_it() {
    let mut user = User::new(&[]);
    user.set(&gateway("corp"), None, StoreKind::Keyring, &format!(" {CANARY}\n")).expect("saved");
    user.set(&gateway("corp"), Some("team-a"), StoreKind::File, CANARY).expect("saved");
    let path = user.home.path().join("keys.toml");
    assert_eq!(
        user.notices,
        [
            "dropped white space around the key".to_owned(),
            "saved the key …6789 for corp in the keyring (service llm:https://corp.example:443, username default)"
                .into(),
            format!("saved the key …6789 for corp (team-a) in {}, unencrypted, for your eyes only", path.display()),
        ]
    );
}

#[test]
fn set_reports_a_key_that_is_used_instead() {
    let mut user = User::new(&[("CORP_API_KEY", "sk-env")]);
    user.set(&gateway("corp"), None, StoreKind::Keyring, CANARY).expect("saved");
    assert!(user.notices.concat().contains("environment variable CORP_API_KEY, which is set, comes before saved keys"));
}

#[test]
fn a_name_that_would_break_a_command_line_is_refused() {
    let mut user = User::new(&[]);
    for name in ["", "a b", "$(x)", "-f", "a\nb", "sk-CANARY", &"n".repeat(101)] {
        let error = user.set(&gateway("corp"), Some(name), StoreKind::Keyring, CANARY).expect_err(name);
        assert_eq!(error.exit_code(), 2);
        assert!(!format!("{error:?}").contains("CANARY"));
    }
}

#[test]
fn a_key_in_the_place_of_a_gateway_is_refused_and_not_repeated() {
    let error = check_gateway_argument(CANARY).expect_err("a key");
    assert_eq!(error.exit_code(), 2);
    assert!(!format!("{error:?}").contains("CANARY"));
    check_gateway_argument("openrouter").expect("a name");
}

#[test]
fn list_shows_every_key_and_none_of_their_text() {
    let mut user = User::new(&[("OTHER_API_KEY", CANARY)]);
    assert_eq!(
        User::new(&[]).list(&[gateway("corp")], TextOrJson::Text),
        "no keys yet; `llm key set GATEWAY` saves one\n"
    );
    user.set(&gateway("corp"), Some("team-a"), StoreKind::File, CANARY).expect("saved");
    user.set(&gateway("corp"), None, StoreKind::Keyring, CANARY).expect("saved");
    let gateways = [gateway("corp"), gateway("other")];
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let text = user.list(&gateways, TextOrJson::Text);
    assert_eq!(
        text.replace(&today, "YYYY-MM-DD"),
        concat!(
            " gateway  name     where                       saved       sent to\n",
            " corp     default  keyring                     YYYY-MM-DD  https://corp.example:443\n",
            " corp     team-a   file                        YYYY-MM-DD  https://corp.example:443\n",
            " other    –        environment: OTHER_API_KEY  –           https://other.example:443\n",
        )
    );
    let json = user.list(&gateways, TextOrJson::Json);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(rows[2]["variable"], "OTHER_API_KEY");
    assert_eq!((&rows[1]["name"], &rows[1]["store"]), (&"team-a".into(), &"file".into()));
    assert!(!text.contains("CANARY") && !json.contains("CANARY"));
}

#[test]
fn show_gives_the_source_and_four_characters() {
    let mut user = User::new(&[("OTHER_API_KEY", CANARY)]);
    user.set(&gateway("corp"), None, StoreKind::Keyring, CANARY).expect("saved");
    assert_eq!(
        user.show(&gateway("corp"), None, TextOrJson::Text).expect("a key"),
        "gateway  corp\n\
         key      …6789\n\
         source   keyring (service llm:https://corp.example:443, username default)\n\
         sent to  https://corp.example:443\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&user.show(&gateway("other"), None, TextOrJson::Json).expect("a key")).expect("JSON");
    let source = serde_json::json!({"kind": "environment", "variable": "OTHER_API_KEY"});
    let expected = serde_json::json!({
        "gateway": "other", "origin": "https://other.example:443", "source": source, "last_four": "6789"
    });
    assert_eq!(json, expected);
    assert_eq!(user.show(&gateway("corp"), Some("team-b"), TextOrJson::Text).expect_err("none").exit_code(), 4);
}

#[test]
fn show_says_when_no_key_is_needed() {
    let mut local = gateway("local");
    local.auth = Auth::Optional;
    let text = User::new(&[]).show(&local, None, TextOrJson::Text).expect("no error");
    assert!(text.contains("none is needed"), "{text}");
}

#[test]
fn a_gateway_that_takes_no_key_says_so_and_gets_none() {
    let mut open = gateway("open");
    open.auth = Auth::None;
    let mut user = User::new(&[]);
    assert_eq!(user.show(&open, None, TextOrJson::Text).expect("no error"), "open needs no key\n");
    let json: serde_json::Value =
        serde_json::from_str(&user.show(&open, None, TextOrJson::Json).expect("no error")).expect("JSON");
    let expected = serde_json::json!({"gateway": "open", "origin": null, "source": null, "last_four": null});
    assert_eq!(json, expected);
    let error = user.set(&open, None, StoreKind::File, CANARY).expect_err("takes none");
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("open takes no key", 2));
    assert!(error.hint().expect("a way out").contains("[gateway.open]"));
    assert_eq!(user.list(&[open], TextOrJson::Text), "no keys yet; `llm key set GATEWAY` saves one\n");
}

#[test]
fn test_gives_the_key_to_the_gateway_and_reports_the_result() {
    let user = User::new(&[("CORP_API_KEY", CANARY)]);
    let stores = user.stores();
    let lookup = Lookup { env: &user.env, key_variables: &[], stores: &stores };
    let takes = |_: &Gateway, key: Option<Found>| {
        assert_eq!(key.as_ref().map(|found| found.key.expose()), Some(CANARY));
        Ok(341)
    };
    let text = test(&gateway("corp"), None, &lookup, takes, &mut |_| {}).expect("taken").to_string();
    assert_eq!(text, "corp takes the key …6789 from environment variable CORP_API_KEY, and lists 341 models\n");
    let refuses = |_: &Gateway, _: Option<Found>| Err(Error::usage("refused"));
    assert!(test(&gateway("corp"), None, &lookup, refuses, &mut |_| {}).is_err());
}

#[test]
fn rm_is_idempotent_and_says_which() {
    let mut user = User::new(&[]);
    let corp = gateway("corp");
    user.set(&corp, None, StoreKind::Keyring, CANARY).expect("saved");
    user.notices.clear();
    user.rm("corp", Some(&corp)).expect("removed");
    user.rm("corp", Some(&corp)).expect("nothing to remove");
    assert_eq!(
        user.notices,
        ["removed the key for corp at https://corp.example:443 from the keyring", "no key was saved for corp"]
    );
    assert_eq!(user.list(&[], TextOrJson::Text), "no keys yet; `llm key set GATEWAY` saves one\n");
}

#[test]
fn rm_finds_the_key_of_a_gateway_that_moved_or_is_gone() {
    let mut user = User::new(&[]);
    user.set(&gateway("corp"), None, StoreKind::Keyring, CANARY).expect("saved");
    let mut moved = gateway("corp");
    moved.base_url = gateway("elsewhere").base_url;
    user.rm("corp", Some(&moved)).expect("removed");
    assert!(user.notices.concat().contains("removed the key for corp at https://corp.example:443"));
    user.set(&gateway("corp"), None, StoreKind::File, CANARY).expect("saved");
    user.rm("corp", None).expect("removed");
    assert_eq!(user.rm("corp", None).expect_err("unknown").exit_code(), 2);
}
