//! `llm key`: save, list, show, test and remove the keys of gateways.

use std::io::{self, IsTerminal};

use super::at_prompt::at_prompt;
use super::{Context, count_models};
use crate::cli::{KeyArgs, KeyCommand, KeyStore, TextOrJson};
use crate::config::{Auth, Env, Gateway, KEY_NAME_RULE, is_key_name};
use crate::error::Error;
use crate::gateway::replace_key;
use crate::report::error::notice;
use crate::report::json;
use crate::report::keys::{self, Listed, Shown};
use crate::report::term::{Text, print, say};
use crate::secret::{Found, Input, KeyFile, Lookup, Removed, Slot, StoreKind, Stores, looks_like_key};

pub(super) fn run(context: &Context, args: &KeyArgs) -> Result<u8, Error> {
    let settings = &context.settings;
    let stores = context.preparation().stores;
    let key_variables = settings.key_variables();
    let lookup = Lookup { env: &settings.env, key_variables: &key_variables, stores: &stores };
    // The messages of these commands are their result, so --quiet does not hide them.
    let mut notify = |text: &str| say(notice(text, &context.terminal.stderr));
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
            set(&gateway, name.as_deref(), store, input, &settings.env, &stores, &mut notify)?;
        }
        KeyCommand::List { output } => {
            let gateways: Vec<Gateway> =
                settings.gateway_names().map(|name| settings.gateway(name)).collect::<Result<_, _>>()?;
            let listed = list(&gateways, &settings.env, &stores)?;
            tell_exposed_file(&stores, &mut notify);
            let out = &context.terminal.stdout;
            print(match output.format {
                TextOrJson::Text => keys::list(&listed, out),
                TextOrJson::Json => json::document(&listed, out),
            })?;
        }
        KeyCommand::Show { gateway, name, output } => {
            let gateway = chosen(context, gateway.as_deref())?;
            let shown = show(&gateway, name.as_deref(), &lookup, &mut notify)?;
            print(match output.format {
                TextOrJson::Text => keys::shown(&shown),
                TextOrJson::Json => json::document(&shown, &context.terminal.stdout),
            })?;
        }
        KeyCommand::Test { gateway, name } => {
            let (gateway, _running) = context.preparation().gateway(&chosen(context, gateway.as_deref())?.name)?;
            let check = |gateway: &Gateway, key: Option<Found>| count_models(context, gateway, key);
            print(test(&gateway, name.as_deref(), &lookup, check, &mut notify)?)?;
        }
        KeyCommand::Rm { gateway, name } => {
            check_gateway_argument(gateway)?;
            let known = settings.gateway(gateway).ok();
            tell_exposed_file(&stores, &mut notify);
            rm(gateway, known.as_ref(), name.as_deref(), &stores, &mut notify)?;
        }
    }
    Ok(0)
}

/// Says where others could replace the key file.
fn tell_exposed_file(stores: &Stores, notify: &mut dyn FnMut(&str)) {
    stores.file().and_then(KeyFile::exposed).iter().for_each(|text| notify(text));
}

/// The gateway that is named, or else the default one.
fn chosen(context: &Context, name: Option<&str>) -> Result<Gateway, Error> {
    if let Some(name) = name {
        check_gateway_argument(name)?;
    }
    context.settings.only_gateway(&context.resolver(name).default_gateway()?)
}

/// Refuses a key in the place of a gateway's name, before any message can contain it.
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

/// `llm key set`: reads a key, saves it, and reports where it is saved. Messages go to `notify`.
fn set(
    gateway: &Gateway,
    name: Option<&str>,
    store: StoreKind,
    input: Input<'_>,
    env: &Env,
    stores: &Stores,
    notify: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    if gateway.auth == Auth::None {
        // A saved key would make this gateway the default one.
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
    let question = format!("Key for {slot} at {} (not shown): ", slot.origin);
    let (key, cleaned) = match input {
        Input::Terminal => at_prompt("\n", || input.read(&question)),
        Input::Stream(_) => input.read(&question),
    }?;
    if let Some(notice) = cleaned.notice() {
        notify(&notice);
    }
    stores.save(&slot, &key, store, notify)?;
    let location = match (store, stores.file()) {
        (StoreKind::File, Some(file)) => format!("{}, unencrypted, for your eyes only", file.path().display()),
        _ => format!("the keyring (service {}, username {})", slot.service(), slot.name),
    };
    notify(&format!("saved the key {} for {slot} in {location}", key.hint()));
    if let Some(first) = source_before_saved_keys(gateway, env) {
        notify(&format!("note: {first} comes before saved keys"));
    }
    Ok(())
}

/// Refuses what cannot name a key, and a key in the place of its name.
fn check_key_name(name: &str) -> Result<(), Error> {
    if is_key_name(name) { check_gateway_argument(name) } else { Err(Error::usage(KEY_NAME_RULE)) }
}

/// The source of a key that is used instead of a saved key, if there is one.
fn source_before_saved_keys(gateway: &Gateway, env: &Env) -> Option<String> {
    if let Some(name) = gateway.key.env.iter().find(|name| env.get(name).is_some()) {
        return Some(format!("the environment variable {name}, which is set,"));
    }
    gateway.key.command.as_ref().map(|_| format!("the key_command of {}", gateway.name))
}

/// `llm key list`: the saved keys, and the keys of these gateways in the environment. The keyring is not read, since the
/// key file lists what it holds.
fn list(gateways: &[Gateway], env: &Env, stores: &Stores) -> Result<Vec<Listed>, Error> {
    let mut rows = Vec::new();
    for gateway in gateways {
        // Of several variables, the first that is set is used.
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

/// `llm key show`: the source of the gateway's key, and its last characters, by which users recognize it.
fn show(
    gateway: &Gateway,
    name: Option<&str>,
    lookup: &Lookup<'_>,
    notify: &mut dyn FnMut(&str),
) -> Result<Shown, Error> {
    let found = lookup.start(gateway, name).wait(notify)?;
    let notices = found.as_ref().map(|found| found.notices(&gateway.name));
    notices.iter().flatten().for_each(|text| notify(text));
    Ok(Shown {
        gateway: gateway.name.clone(),
        origin: (gateway.auth != Auth::None).then(|| gateway.base_url.origin()),
        hint: found.as_ref().map(|found| found.key.hint()),
        last_four: found.as_ref().and_then(|found| found.key.last_four().map(str::to_owned)),
        source: found.map(|found| found.source),
    })
}

/// `llm key test`: whether the gateway accepts the key. `check` asks for the gateway's models and returns their number, and says
/// what the user should know of the key.
fn test(
    gateway: &Gateway,
    name: Option<&str>,
    lookup: &Lookup<'_>,
    check: impl FnOnce(&Gateway, Option<Found>) -> Result<usize, Error>,
    notify: &mut dyn FnMut(&str),
) -> Result<Text, Error> {
    let found = lookup.start(gateway, name).wait(notify)?;
    let models = check(gateway, found.clone())?;
    let key = found.as_ref().map(|found| (found.key.hint(), found.source.to_string()));
    Ok(keys::tested(gateway, key, replace_key(gateway), models))
}

/// `llm key rm`: removes the saved keys of that gateway and name, including keys that were saved for an earlier address of
/// the gateway. `known` is `None` for a gateway that is no longer in the config. That no key is saved is not an error.
fn rm(
    gateway: &str,
    known: Option<&Gateway>,
    name: Option<&str>,
    stores: &Stores,
    notify: &mut dyn FnMut(&str),
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
        if let Removed::From(store) = stores.remove(slot, notify)? {
            removed = true;
            notify(&format!("removed the key for {slot} at {} from the {}", slot.origin, store_name(store)));
        }
    }
    if !removed {
        notify(&format!("no key was saved for {}", slots.first().map(Slot::to_string).unwrap_or_default()));
    }
    Ok(())
}

fn store_name(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Keyring => "keyring",
        StoreKind::File => "key file",
    }
}

#[cfg(test)]
mod tests;
