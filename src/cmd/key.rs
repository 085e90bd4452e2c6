//! `llm key`: save, list, show, test and remove the keys of gateways.

use std::io::{self, IsTerminal};

use super::{Context, count_models};
use crate::cli::{KeyArgs, KeyCommand, KeyStore, TextOrJson};
use crate::config::{Auth, Env, Gateway};
use crate::error::Error;
use crate::report::error::notice;
use crate::report::json;
use crate::report::keys::{self, Listed, Shown};
use crate::report::term::{Text, print, say};
use crate::secret::{Found, Input, Lookup, Removed, Slot, StoreKind, Stores, looks_like_key};

pub(super) fn run(context: &Context, args: &KeyArgs) -> Result<u8, Error> {
    let settings = &context.settings;
    let stores = context.preparation().stores;
    let key_variables = settings.key_variables();
    let lookup = Lookup { env: &settings.env, key_variables: &key_variables, stores: &stores };
    // What these commands say is their result, so --quiet does not silence it.
    let mut talk = |text: &str| say(notice(text, &context.terminal.stderr));
    match &args.command {
        KeyCommand::Set { gateway, name, store } => {
            check_gateway_argument(gateway)?;
            let gateway = settings.gateway(gateway)?;
            let store = match store {
                KeyStore::Keyring => StoreKind::Keyring,
                KeyStore::File => StoreKind::File,
            };
            let stdin = io::stdin();
            let terminal = stdin.is_terminal();
            let mut stream = stdin.lock();
            let input = if terminal { Input::Terminal } else { Input::Stream(&mut stream) };
            set(&gateway, name.as_deref(), store, input, &settings.env, &stores, &mut talk)?;
        }
        KeyCommand::List { output } => {
            let gateways: Vec<Gateway> =
                settings.gateway_names().map(|name| settings.gateway(name)).collect::<Result<_, _>>()?;
            let listed = list(&gateways, &settings.env, &stores)?;
            let out = &context.terminal.stdout;
            print(match output.format {
                TextOrJson::Text => keys::list(&listed, out),
                TextOrJson::Json => json::document(&listed, out),
            })?;
        }
        KeyCommand::Show { gateway, name, output } => {
            let gateway = chosen(context, gateway.as_deref())?;
            let shown = show(&gateway, name.as_deref(), &lookup, &mut talk)?;
            print(match output.format {
                TextOrJson::Text => keys::shown(&shown),
                TextOrJson::Json => json::document(&shown, &context.terminal.stdout),
            })?;
        }
        KeyCommand::Test { gateway, name } => {
            let (gateway, _running) = context.preparation().gateway(&chosen(context, gateway.as_deref())?.name)?;
            let check = |gateway: &Gateway, key: Option<Found>| count_models(context, gateway, key);
            print(test(&gateway, name.as_deref(), &lookup, check, &mut talk)?)?;
        }
        KeyCommand::Rm { gateway, name } => {
            check_gateway_argument(gateway)?;
            let known = settings.gateway(gateway).ok();
            rm(gateway, known.as_ref(), name.as_deref(), &stores, &mut talk)?;
        }
    }
    Ok(0)
}

/// The gateway that is named, or else the usual one.
fn chosen(context: &Context, name: Option<&str>) -> Result<Gateway, Error> {
    if let Some(name) = name {
        check_gateway_argument(name)?;
    }
    context.settings.gateway(&context.resolver(name).default_gateway()?)
}

/// Refuses a key where a gateway's name belongs, before anything can repeat it.
fn check_gateway_argument(argument: &str) -> Result<(), Error> {
    if !looks_like_key(argument) {
        return Ok(());
    }
    Err(Error::usage_hint(
        "that looks like a key, not like the name of a gateway",
        "other users can see a command line, and the shell keeps it: if the key is real, replace it at the gateway; \
         then run `llm key set GATEWAY` and paste the new one where it asks",
    ))
}

/// `llm key set`: reads a key, saves it and says where it is. Everything it says goes to `talk`.
fn set(
    gateway: &Gateway,
    name: Option<&str>,
    store: StoreKind,
    input: Input<'_>,
    env: &Env,
    stores: &Stores,
    talk: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    if gateway.auth == Auth::None {
        // A saved key would make it the usual gateway.
        return Err(Error::usage_hint(
            format!("{} takes no key", gateway.name),
            if gateway.name == "demo" {
                "`llm ask -g demo` works without one".to_owned()
            } else {
                format!("auth = \"required\" below [gateway.{}] in the config makes it take one", gateway.name)
            },
        ));
    }
    let slot = Slot::of(gateway, name);
    check_key_name(&slot.name)?;
    let (key, cleaned) = input.read(&format!("Key for {slot} at {} (not shown): ", slot.origin))?;
    if let Some(notice) = cleaned.notice() {
        talk(&notice);
    }
    stores.save(&slot, &key, store, talk)?;
    let place = match (store, stores.file()) {
        (StoreKind::File, Some(file)) => format!("{}, unencrypted, for your eyes only", file.path().display()),
        _ => format!("the keyring (service {}, username {})", slot.service(), slot.name),
    };
    talk(&format!("saved the key {} for {slot} in {place}", key.hint()));
    if let Some(first) = comes_first(gateway, env) {
        talk(&format!("note: {first} comes before saved keys"));
    }
    Ok(())
}

/// Names become part of messages and of commands to copy: no white space, nothing that a shell would take apart.
fn check_key_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    if !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with('-') {
        check_gateway_argument(name)
    } else {
        Err(Error::usage("the name of a key is made of letters, digits and - _ . @ +, and at most 100 bytes long"))
    }
}

/// What would be used in spite of a saved key.
fn comes_first(gateway: &Gateway, env: &Env) -> Option<String> {
    if let Some(name) = gateway.key.env.iter().find(|name| env.get(name).is_some()) {
        return Some(format!("the environment variable {name}, which is set,"));
    }
    gateway.key.command.as_ref().map(|_| format!("the key_command of {}", gateway.name))
}

/// `llm key list`: the saved keys, and those in the environment for these gateways. It asks no keyring.
fn list(gateways: &[Gateway], env: &Env, stores: &Stores) -> Result<Vec<Listed>, Error> {
    let mut rows = Vec::new();
    for gateway in gateways {
        // The first that is set is the one in use.
        let variable = gateway.key.env.iter().find(|name| env.get(name).is_some());
        rows.extend(variable.map(|variable| Listed {
            gateway: gateway.name.clone(),
            origin: gateway.base_url.origin(),
            name: None,
            store: "environment",
            variable: Some(variable.clone()),
            saved_at: None,
        }));
    }
    let saved = stores.file().map(|file| file.list()).transpose()?.unwrap_or_default();
    rows.extend(saved.into_iter().map(|saved| Listed {
        gateway: saved.gateway,
        origin: saved.origin,
        name: Some(saved.name),
        store: saved.store.as_str(),
        variable: None,
        saved_at: Some(saved.saved_at),
    }));
    rows.sort_by(|a, b| a.gateway.cmp(&b.gateway));
    Ok(rows)
}

/// `llm key show`: where the gateway's key comes from, and enough of it to tell it from others.
fn show(
    gateway: &Gateway,
    name: Option<&str>,
    lookup: &Lookup<'_>,
    talk: &mut dyn FnMut(&str),
) -> Result<Shown, Error> {
    let found = look_up(gateway, name, lookup, talk)?;
    Ok(Shown {
        gateway: gateway.name.clone(),
        origin: (gateway.auth != Auth::None).then(|| gateway.base_url.origin()),
        hint: found.as_ref().map(|found| found.key.hint()),
        last_four: found.as_ref().and_then(|found| found.key.last_four().map(str::to_owned)),
        source: found.map(|found| found.source),
    })
}

/// `llm key test`: whether the gateway takes the key. `check` lists the gateway's models, and says how many there are.
fn test(
    gateway: &Gateway,
    name: Option<&str>,
    lookup: &Lookup<'_>,
    check: impl FnOnce(&Gateway, Option<Found>) -> Result<usize, Error>,
    talk: &mut dyn FnMut(&str),
) -> Result<Text, Error> {
    let found = look_up(gateway, name, lookup, talk)?;
    let models = check(gateway, found.clone())?;
    let key = found.as_ref().map(|found| (found.key.hint(), found.source.to_string()));
    Ok(keys::tested(gateway, key, models))
}

fn look_up(
    gateway: &Gateway,
    name: Option<&str>,
    lookup: &Lookup<'_>,
    talk: &mut dyn FnMut(&str),
) -> Result<Option<Found>, Error> {
    let found = lookup.start(gateway, name).wait(talk)?;
    if let Some(notice) = found.as_ref().and_then(|found| found.cleaned.notice()) {
        talk(&notice);
    }
    Ok(found)
}

/// `llm key rm`: removes the saved key of that gateway and name, also one that was saved when the gateway had another
/// address, or is not in the config any more (`known` is `None`). To have none is no error.
fn rm(
    gateway: &str,
    known: Option<&Gateway>,
    name: Option<&str>,
    stores: &Stores,
    talk: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let mut slots: Vec<Slot> = known.map(|known| Slot::of(known, name)).into_iter().collect();
    let name = slots.first().map_or(name.unwrap_or("default"), |slot| &slot.name).to_owned();
    for saved in stores.file().map(|file| file.list()).transpose()?.unwrap_or_default() {
        if saved.gateway == gateway && saved.name == name && slots.iter().all(|slot| slot.origin != saved.origin) {
            slots.push(Slot { gateway: saved.gateway, origin: saved.origin, name: saved.name, variables: Vec::new() });
        }
    }
    if slots.is_empty() {
        return Err(Error::usage_hint(
            format!("there is no gateway `{gateway}`, and no saved key of one"),
            "`llm key list` shows the saved keys",
        ));
    }
    let mut removed = false;
    for slot in &slots {
        if let Removed::From(store) = stores.remove(slot, talk)? {
            removed = true;
            talk(&format!("removed the key for {slot} at {} from the {}", slot.origin, place(store)));
        }
    }
    if !removed {
        talk(&format!("no key was saved for {}", slots.first().map(Slot::to_string).unwrap_or_default()));
    }
    Ok(())
}

fn place(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Keyring => "keyring",
        StoreKind::File => "key file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::term::Output;
    use crate::secret::testing::{MockKeyring, gateway};

    const CANARY: &str = "sk-CANARY-0123456789";

    /// A user with an empty keyring and an empty home.
    struct User {
        mock: MockKeyring,
        home: tempfile::TempDir,
        env: Env,
        said: Vec<String>,
    }

    impl User {
        fn new(env: &[(&str, &str)]) -> Self {
            Self {
                mock: MockKeyring::new(),
                home: tempfile::tempdir().expect("a directory"),
                env: Env::from_pairs(env.iter().copied()),
                said: Vec::new(),
            }
        }

        fn stores(&self) -> Stores {
            self.mock.stores(Some(self.home.path()))
        }

        fn set(&mut self, gateway: &Gateway, name: Option<&str>, store: StoreKind, typed: &str) -> Result<(), Error> {
            let (stores, said) = (self.stores(), &mut self.said);
            let mut stdin = typed.as_bytes();
            let talk = &mut |line: &str| said.push(line.to_owned());
            set(gateway, name, store, Input::Stream(&mut stdin), &self.env, &stores, talk)
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
            let (stores, said) = (self.stores(), &mut self.said);
            rm(gateway, known, None, &stores, &mut |line| said.push(line.to_owned()))
        }
    }

    #[test]
    fn set_says_where_the_key_is_and_shows_four_characters_of_it() {
        let mut user = User::new(&[]);
        user.set(&gateway("corp"), None, StoreKind::Keyring, &format!(" {CANARY}\n")).expect("saved");
        user.set(&gateway("corp"), Some("team-a"), StoreKind::File, CANARY).expect("saved");
        let path = user.home.path().join("keys.toml");
        assert_eq!(
            user.said,
            [
                "dropped white space around the key".to_owned(),
                "saved the key …6789 for corp in the keyring (service llm:https://corp.example:443, username default)"
                    .into(),
                format!("saved the key …6789 for corp (team-a) in {}, unencrypted, for your eyes only", path.display()),
            ]
        );
    }

    #[test]
    fn set_tells_when_another_key_comes_first() {
        let mut user = User::new(&[("CORP_API_KEY", "sk-env")]);
        user.set(&gateway("corp"), None, StoreKind::Keyring, CANARY).expect("saved");
        assert!(
            user.said.concat().contains("environment variable CORP_API_KEY, which is set, comes before saved keys")
        );
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
    fn show_tells_the_source_and_four_characters() {
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
    fn test_gives_the_key_to_the_gateway_and_reports_its_word() {
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
        user.said.clear();
        user.rm("corp", Some(&corp)).expect("removed");
        user.rm("corp", Some(&corp)).expect("nothing to remove");
        assert_eq!(
            user.said,
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
        assert!(user.said.concat().contains("removed the key for corp at https://corp.example:443"));
        user.set(&gateway("corp"), None, StoreKind::File, CANARY).expect("saved");
        user.rm("corp", None).expect("removed");
        assert_eq!(user.rm("corp", None).expect_err("unknown").exit_code(), 2);
    }
}
