//! The texts of `llm serve` and `llm serve key`. A secret is shown once, when it is made, and its hash never.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::budgets::Entry as BudgetEntry;
use super::grid::{Column, Grid};
use super::term::{Output, Text};
use crate::config::{KeyRules, Period};
use crate::policy::budget::Balance;
use crate::store::{Audited, ScopedKey, Secret};

/// A key that was just made.
#[derive(Debug)]
pub struct Made {
    pub name: String,
    pub secret: Secret,
}

/// The address of a server that has started, and the first key, where it has made one.
pub fn started(address: SocketAddr, first: Option<&Made>) -> Text {
    let mut text = format!("http://{address}\n");
    if let Some(first) = first {
        text.push_str(&format!("{} {}\n", first.name, first.secret.expose()));
    }
    text.into()
}

/// The secret of a key, and nothing else, so that a script can read it.
pub fn made(key: &Made) -> Text {
    format!("{}\n", key.secret.expose()).into()
}

/// Says what was done with a key.
pub fn done(what: &str, name: &str) -> Text {
    format!("{what} {name}\n").into()
}

/// A key as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    name: String,
    last_four: String,
    /// `active`, `revoked` or `expired`.
    state: &'static str,
    created: String,
    expires: Option<String>,
    revoked: Option<String>,
    /// Until when the secret before the last one is good.
    old_secret_until: Option<String>,
    rules: KeyRules,
    /// What is left of its budgets; `None` in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    budgets: Option<Vec<BudgetEntry<'a>>>,
}

impl<'a> Shown<'a> {
    /// A key at this time, in seconds since 1970.
    pub fn new(key: &ScopedKey, now: i64) -> Self {
        let old = key.previous.map(|(_, until)| until).filter(|until| *until > now);
        Self {
            name: key.name.clone(),
            last_four: key.last_four.clone(),
            state: key.state(now),
            created: time(key.created),
            expires: key.expires.map(time),
            revoked: key.revoked.map(time),
            old_secret_until: old.map(time),
            rules: key.rules.clone(),
            budgets: None,
        }
    }

    /// The same with what is left of its budgets, and of those of its class where it has none.
    #[must_use]
    pub fn with_budgets(mut self, balances: &'a [Balance]) -> Self {
        self.budgets = Some(balances.iter().map(BudgetEntry::of_key).collect());
        self
    }
}

/// A moment in seconds since 1970, as it is shown.
pub fn time(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}

/// A line for each key.
pub fn list(keys: &[Shown<'_>], out: &Output) -> Text {
    if keys.is_empty() {
        return "no keys yet; `llm serve key new NAME` makes one\n".into();
    }
    let mut grid = Grid::new(vec![
        Column::left("name"),
        Column::left("key"),
        Column::left("state"),
        Column::left("may").wraps(20),
        Column::left("expires"),
    ]);
    for key in keys {
        let day =
            |time: &Option<String>| time.as_deref().map_or("never", |time| time.get(..10).unwrap_or(time)).to_owned();
        let may = lines(&key.rules).into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>();
        let may = if may.is_empty() { "everything".to_owned() } else { may.join("; ") };
        grid.row(vec![key.name.clone(), format!("…{}", key.last_four), key.state.to_owned(), may, day(&key.expires)]);
    }
    grid.render(out)
}

/// One key, a line for each of its rules.
pub fn one(key: &Shown<'_>) -> Text {
    let mut all = vec![
        ("name", key.name.clone()),
        ("key", format!("…{}", key.last_four)),
        ("state", key.state.to_owned()),
        ("created", key.created.clone()),
    ];
    let times = [("expires", &key.expires), ("revoked", &key.revoked), ("old secret until", &key.old_secret_until)];
    all.extend(times.into_iter().filter_map(|(name, time)| Some((name, time.clone()?))));
    all.extend(lines(&key.rules));
    for budget in key.budgets.iter().flatten() {
        let BudgetEntry { spent_usd, reserved_usd, left_usd, limit_usd, per, .. } = budget;
        let sums = format!("{spent_usd} spent, {reserved_usd} reserved, {left_usd} left of {limit_usd}");
        all.push((this_window(*per), sums));
    }
    all.into_iter().map(|(name, value)| format!("{name:<17} {value}\n")).collect::<String>().into()
}

fn this_window(per: Period) -> &'static str {
    match per {
        Period::Hour => "in this hour",
        Period::Day => "in this day",
        Period::Week => "in this week",
        Period::Month => "in this month",
        Period::Total => "in total",
    }
}

/// What a key may do, by name.
fn lines(rules: &KeyRules) -> Vec<(&'static str, String)> {
    let KeyRules {
        class,
        models,
        refuse,
        budgets,
        allow_unpriced,
        requests_per_minute,
        tokens_per_minute,
        in_flight,
        tags,
        admin,
        note,
    } = rules;
    let filled = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
    let pairs = |tags: &BTreeMap<String, String>| {
        filled(&tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
    };
    let number = |count: &Option<u64>| count.map(|count| count.to_string());
    let all = [
        ("class", class.clone()),
        ("models", models.as_ref().map(|models| filled(models).unwrap_or_else(|| "none".to_owned()))),
        ("refused models", filled(refuse)),
        ("budget", filled(&budgets.iter().map(ToString::to_string).collect::<Vec<_>>())),
        ("unknown prices", allow_unpriced.then(|| "yes".to_owned())),
        ("requests a minute", number(requests_per_minute)),
        ("tokens a minute", number(tokens_per_minute)),
        ("at once", number(in_flight)),
        ("tags", pairs(tags)),
        ("admin", admin.then(|| "yes".to_owned())),
        ("note", note.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// An entry of the audit log as JSON has it.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    at: String,
    actor: &'a str,
    action: &'a str,
    key: &'a str,
    detail: serde_json::Value,
}

/// The audit log as a JSON list, newest first.
pub fn audit_json(entries: &[Audited], out: &Output) -> Text {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| Entry {
            at: moment(entry.at_ms),
            actor: &entry.actor,
            action: &entry.action,
            key: &entry.key,
            detail: serde_json::from_str(&entry.detail).unwrap_or_default(),
        })
        .collect();
    super::json::document(&entries, out)
}

/// A line for each entry of the audit log, newest first.
pub fn audit(entries: &[Audited], out: &Output) -> Text {
    if entries.is_empty() {
        return "no key was made or changed yet\n".into();
    }
    let mut grid = Grid::new(vec![
        Column::left("time"),
        Column::left("who"),
        Column::left("did"),
        Column::left("key"),
        Column::left("now").wraps(20),
    ]);
    for entry in entries {
        let Audited { at_ms, actor, action, key, detail } = entry;
        grid.row(vec![moment(*at_ms), actor.clone(), action.clone(), key.clone(), detail.clone()]);
    }
    grid.render(out)
}

fn moment(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |time| format!("{time:.0}"))
}
