//! `llm serve key`: the keys of the server's clients. A running server need not be asked: it reads what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::super::shared::{self, Balances, Shared};
use super::super::{Context, calls, process};
use crate::cli::{KeyRulesArgs, ServeKeyCommand, TextOrJson};
use crate::config::{KeyRules, MissingClass, check_spelling, parse_duration, unknown_gateway};
use crate::error::Error;
use crate::ledger::{LedgerWriter, StoreError};
use crate::report::destination::Destination;
use crate::report::json;
use crate::report::scoped_keys::{self, Made, time};
use crate::report::term::print;
use crate::run::Notices;
use crate::store::{Entry, KeyStore, ScopedKey, Secret};

/// The word that removes a limit.
const NONE: &str = "none";

pub(super) fn run(context: &Context, command: &ServeKeyCommand) -> Result<u8, Error> {
    let Shared { keys, writer, balances, .. } = Shared::new(&context.settings, LedgerWriter::new)?;
    let done = process::runtime()?.block_on(act(context, &*keys, &balances, command));
    drop(keys);
    for text in writer.map(|writer| writer.close().notices).unwrap_or_default() {
        Notices::notice(context, &text);
    }
    done.map(|()| 0)
}

/// Shows a secret, which is kept nowhere.
fn show(context: &Context, page: Destination, made: Made) -> Result<(), Error> {
    let name = made.name.clone();
    page.write(scoped_keys::made(&made)).inspect_err(|_| tell_unseen(context, &name))
}

/// Says what can be done about a secret that could not be shown.
pub(super) fn tell_unseen(notices: &dyn Notices, name: &str) {
    notices.urgent(&format!("nobody has seen the secret of `{name}`; `llm serve key rotate {name}` makes another"));
}

async fn act(
    context: &Context,
    store: &dyn KeyStore,
    balances: &Balances,
    command: &ServeKeyCommand,
) -> Result<(), Error> {
    let actor = actor(context.settings.env.get("USER"));
    let entry = |action, key: &str, detail: String| Entry { actor: actor.clone(), action, key: key.to_owned(), detail };
    let now = Timestamp::now().as_second();
    let out = &context.terminal.stdout;
    match command {
        ServeKeyCommand::New { name, rules } => {
            let page = Destination::new(None, *out)?;
            check_name(name)?;
            let changes = Changes::read(context, rules)?;
            let mut given = KeyRules::default();
            changes.apply(&mut given);
            let secret = random()?;
            let key = ScopedKey::new(name, &secret, changes.expires.flatten(), given);
            let detail = detail(&key);
            if !store.add(key, entry("new", name, detail)).await.map_err(|error| failed(&error))? {
                let message = format!("there is a key `{name}` already");
                return Err(Error::usage_hint(message, "`llm serve key list` shows all; names are not used again"));
            }
            show(context, page, Made { name: name.clone(), secret })
        }
        ServeKeyCommand::List { output } => {
            let keys = store.keys().await.map_err(|error| failed(&error))?;
            tell_of_missing_classes(context, &keys, now);
            let shown: Vec<_> = keys.iter().map(|key| scoped_keys::Shown::new(key, now)).collect();
            print(match output.format {
                TextOrJson::Text => scoped_keys::list(&shown, out),
                TextOrJson::Json => json::document(&shown, out),
            })
        }
        ServeKeyCommand::Show { name, output } => {
            let key = named(store, name).await?;
            let settings = &context.settings;
            tell_of_missing_classes(context, [&key], now);
            let balances = balances(&shared::budgets_of_key(settings, &key), Timestamp::now());
            let balances = balances.map_err(|error| failed(&error))?;
            let shown = scoped_keys::Shown::new(&key, now).with_budgets(&balances);
            print(match output.format {
                TextOrJson::Text => scoped_keys::one(&shown),
                TextOrJson::Json => json::document(&shown, out),
            })
        }
        ServeKeyCommand::Edit { name, rules } => {
            let changes = Changes::read(context, rules)?;
            let mut after = named(store, name).await?;
            check_not_revoked(&after)?;
            changes.change(&mut after);
            let detail = detail(&after);
            let change = Box::new(move |key: &mut ScopedKey| changes.change(key));
            changed(store.change(change, entry("edit", name, detail)).await, name)?;
            print(scoped_keys::done("changed", name))
        }
        ServeKeyCommand::Rotate { name, grace } => {
            let grace = match grace.as_str() {
                NONE => Duration::ZERO,
                grace => parse_duration(grace).map_err(|error| Error::usage(format!("--grace: {error}")))?,
            };
            let page = Destination::new(None, *out)?;
            check_rotation(&named(store, name).await?, grace, now)?;
            let until = now.saturating_add(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
            let secret = random()?;
            let (hash, last_four) = (secret.hash(), secret.last_four());
            let detail = serde_json::json!({"last_four": last_four, "old_until": until}).to_string();
            let change = Box::new(move |key: &mut ScopedKey| {
                key.previous = Some((key.hash, until));
                (key.hash, key.last_four) = (hash, last_four);
            });
            changed(store.change(change, entry("rotate", name, detail)).await, name)?;
            show(context, page, Made { name: name.clone(), secret })
        }
        ServeKeyCommand::Revoke { name } => {
            let change = Box::new(move |key: &mut ScopedKey| key.revoked = key.revoked.or(Some(now)));
            changed(store.change(change, entry("revoke", name, "{}".to_owned())).await, name)?;
            print(scoped_keys::done("revoked", name))
        }
    }
}

/// Who runs the command. The variable may say anything, and services have none: it stands for a name that the file of users does
/// not have, with the number by which the system knows the user.
#[cfg(unix)]
fn actor(variable: Option<&str>) -> String {
    let id = rustix::process::getuid().as_raw();
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    actor_of(id, &String::from_utf8_lossy(&users), variable)
}

#[cfg(unix)]
fn actor_of(id: u32, users: &str, variable: Option<&str>) -> String {
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    };
    let unlisted = || variable.map_or_else(|| format!("uid {id}"), |name| format!("{name} (uid {id})"));
    users.lines().find_map(name).unwrap_or_else(unlisted)
}

#[cfg(not(unix))]
fn actor(variable: Option<&str>) -> String {
    variable.unwrap_or("unknown").to_owned()
}

/// What a key's owner is told whose class is not in the config.
pub(super) fn without_class(key: &str, missing: &MissingClass) -> String {
    format!("all requests of the key `{key}` are refused: {missing}")
}

/// Says of which of these keys all requests are refused.
fn tell_of_missing_classes<'a>(context: &Context, keys: impl IntoIterator<Item = &'a ScopedKey>, now: i64) {
    for key in keys.into_iter().filter(|key| !key.has_ended(now)) {
        if let Err(missing) = key.rules.in_class(&context.settings.key_classes) {
            Notices::notice(context, &without_class(&key.name, &missing));
        }
    }
}

/// Makes the first key, with which the server can be administered.
pub(super) async fn first(store: &dyn KeyStore) -> Result<Made, Error> {
    let secret = random()?;
    let rules = KeyRules { admin: true, ..KeyRules::default() };
    let key = ScopedKey::new("admin", &secret, None, rules);
    let entry = Entry { actor: "llm serve".to_owned(), action: "new", key: "admin".to_owned(), detail: detail(&key) };
    store.add(key, entry).await.map_err(|error| failed(&error))?;
    Ok(Made { name: "admin".to_owned(), secret })
}

pub(super) fn failed(error: &StoreError) -> Error {
    error.clone().into()
}

async fn named(store: &dyn KeyStore, name: &str) -> Result<ScopedKey, Error> {
    let keys = store.keys().await.map_err(|error| failed(&error))?;
    keys.into_iter().find(|key| key.name == name).ok_or_else(|| unknown(name))
}

fn check_not_revoked(key: &ScopedKey) -> Result<(), Error> {
    if key.revoked.is_none() {
        return Ok(());
    }
    let hint = "that is for good; `llm serve key new` makes another one";
    Err(Error::usage_hint(format!("the key `{}` is revoked", key.name), hint))
}

/// Fails where the new secret would be good for nothing, or would end one whose time is not over.
fn check_rotation(key: &ScopedKey, grace: Duration, now: i64) -> Result<(), Error> {
    check_not_revoked(key)?;
    let name = &key.name;
    if key.has_ended(now) {
        let hint = format!("`llm serve key edit {name} --expires 30d` lets it go on");
        return Err(Error::usage_hint(format!("the key `{name}` has expired"), hint));
    }
    match key.previous {
        Some((_, until)) if until > now && !grace.is_zero() => Err(Error::usage_hint(
            format!("the key `{name}` is being rotated: its secret before this one is good until {}", time(until)),
            "rotate it after that; with `--grace none`, no secret but the new one is good from now on",
        )),
        _ => Ok(()),
    }
}

fn unknown(name: &str) -> Error {
    Error::usage_hint(format!("there is no key `{name}`"), "`llm serve key list` shows all")
}

fn changed(result: Result<Option<ScopedKey>, StoreError>, name: &str) -> Result<(), Error> {
    result.map_err(|error| failed(&error))?.map(drop).ok_or_else(|| unknown(name))
}

fn random() -> Result<Secret, Error> {
    Secret::random().map_err(|error| Error::system("the system gives no random numbers for a key", &error))
}

/// What the audit log says of a key.
fn detail(key: &ScopedKey) -> String {
    serde_json::json!({"last_four": key.last_four, "expires": key.expires, "rules": key.rules}).to_string()
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || name.len() > 100 || !name.chars().all(is_good) {
        return Err(Error::usage("the name of a key has letters, digits and `-_.@`, and at most 100 of them"));
    }
    Ok(())
}

/// The rules that a command line gives; `Some(None)` removes one.
struct Changes {
    models: Option<Option<Vec<String>>>,
    refuse: Option<Vec<String>>,
    budgets: Option<Vec<crate::config::KeyBudget>>,
    allow_unpriced: Option<bool>,
    requests_per_minute: Option<Option<u64>>,
    tokens_per_minute: Option<Option<u64>>,
    in_flight: Option<Option<u64>>,
    expires: Option<Option<i64>>,
    tags: Option<BTreeMap<String, String>>,
    class: Option<Option<String>>,
    admin: Option<bool>,
    note: Option<Option<String>>,
}

impl Changes {
    fn read(context: &Context, args: &KeyRulesArgs) -> Result<Self, Error> {
        let list = |given: &Option<Vec<String>>| given.as_ref().map(|list| (*list != [NONE]).then(|| list.clone()));
        let wrong = |flag: &str, error: String| Error::usage(format!("{flag}: {error}"));
        let patterns = |flag: &str, given: &Option<Vec<String>>| match given {
            // As where a variable of the shell is not set.
            Some(list) if list.iter().any(|pattern| pattern.trim().is_empty()) => {
                Err(wrong(flag, "a pattern is empty; `none` removes the limit".to_owned()))
            }
            given => {
                for pattern in given.iter().flatten() {
                    check_spelling(pattern).map_err(|why| wrong(flag, why))?;
                    if let Some(unknown) = unknown_gateway(pattern, context.settings.gateway_names()) {
                        context.notice(&format!("{flag} {pattern}: no gateway is called `{unknown}` now"));
                    }
                }
                Ok(list(given))
            }
        };
        let count =
            |flag: &str, given: &Option<String>| {
                given
                    .as_deref()
                    .map(|text| {
                        if text == NONE { Ok(None) } else { number(text).map(Some).map_err(|error| wrong(flag, error)) }
                    })
                    .transpose()
            };
        let budgets = list(&args.budget).map(|list| {
            list.unwrap_or_default()
                .iter()
                .map(|text| text.parse())
                .collect::<Result<Vec<crate::config::KeyBudget>, _>>()
        });
        let budgets = budgets.transpose().map_err(|error| wrong("--budget", error))?;
        if let Some(budgets) = &budgets
            && let Some((_, budget)) = budgets
                .iter()
                .enumerate()
                .find(|(at, budget)| budgets[..*at].iter().any(|other| other.per == budget.per))
        {
            return Err(Error::usage(format!("--budget: there are two for each {}", budget.per.as_str())));
        }
        let tags = list(&args.tags).map(|list| {
            let pair = |text: &String| {
                let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
                Some((name.to_owned(), value.to_owned()))
            };
            list.unwrap_or_default()
                .iter()
                .map(|text| pair(text).ok_or_else(|| Error::usage(format!("--tag: `{text}` is not NAME=VALUE"))))
                .collect::<Result<BTreeMap<_, _>, _>>()
        });
        let class = args.class.as_ref().map(|name| (name != NONE).then(|| name.clone()));
        if let Some(Some(name)) = &class
            && !context.settings.key_classes.contains_key(name)
        {
            return Err(Error::usage_hint(
                format!("--class: the config has no [key_class.{name}]"),
                format!("`[key_class.{name}]` with lines such as `requests_per_minute = 60` makes one"),
            ));
        }
        Ok(Self {
            models: patterns("--models", &args.models)?,
            refuse: patterns("--refuse", &args.refuse)?.map(Option::unwrap_or_default),
            budgets,
            allow_unpriced: args.allow_unpriced,
            requests_per_minute: count("--rpm", &args.rpm)?,
            tokens_per_minute: count("--tpm", &args.tpm)?,
            in_flight: count("--in-flight", &args.in_flight)?,
            expires: args.expires.as_deref().map(expiry).transpose()?,
            tags: tags.transpose()?,
            class,
            admin: args.admin,
            note: args.note.as_ref().map(|note| (note != NONE).then(|| note.clone())),
        })
    }

    fn apply(&self, rules: &mut KeyRules) {
        fn set<T: Clone>(place: &mut T, given: &Option<T>) {
            if let Some(given) = given {
                place.clone_from(given);
            }
        }
        set(&mut rules.models, &self.models);
        set(&mut rules.refuse, &self.refuse);
        set(&mut rules.budgets, &self.budgets);
        set(&mut rules.allow_unpriced, &self.allow_unpriced);
        set(&mut rules.requests_per_minute, &self.requests_per_minute);
        set(&mut rules.tokens_per_minute, &self.tokens_per_minute);
        set(&mut rules.in_flight, &self.in_flight);
        set(&mut rules.tags, &self.tags);
        set(&mut rules.class, &self.class);
        set(&mut rules.admin, &self.admin);
        set(&mut rules.note, &self.note);
    }

    fn change(&self, key: &mut ScopedKey) {
        self.apply(&mut key.rules);
        if let Some(expires) = self.expires {
            key.expires = expires;
        }
    }
}

/// A whole number; `200k` and `2M` are thousands and millions.
fn number(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    let number: Option<u64> = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{text}` is not a number such as 60 or 200k, nor `none`"))
}

/// The end of a key: a span from now, or a moment.
fn expiry(text: &str) -> Result<Option<i64>, Error> {
    if text == NONE {
        return Ok(None);
    }
    let now = Timestamp::now();
    if let Ok(span) = parse_duration(text) {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        return Ok(Some(now.as_second().saturating_add(seconds)));
    }
    let at = calls::moment(text, "--expires", now)?;
    if at <= now {
        return Err(Error::usage("--expires: that is over already"));
    }
    Ok(Some(at.as_second()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_names_the_user_that_the_system_knows() {
        let users = "root:x:0:0::/root:/bin/sh\nodd\n::7:\nann:x:1000:100:Ann:/home/ann:/bin/sh\n";
        assert_eq!(actor_of(1000, users, Some("bob")), "ann");
        assert_eq!(actor_of(1000, users, None), "ann");
        // Users of a directory in the network, and of macOS, are not in the file.
        assert_eq!(actor_of(501, users, Some("bob")), "bob (uid 501)");
        assert_eq!(actor_of(7, users, None), "uid 7");
    }
}
