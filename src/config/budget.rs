//! Budgets: how much may be spent on which calls, and in which windows of time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, ZonedRound};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::dollars;
use super::model_pattern::{is_possible_key, model_may_fit, name_may_fit};
use super::routing::Alias;
use crate::error::Error;
use crate::money::Usd;

/// `[[budget]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The name that the user gave it, by which the ledger knows it.
    pub name: Option<String>,
    /// The most that may be spent in one window.
    #[serde(deserialize_with = "limit")]
    pub limit: Usd,
    /// The length of a window.
    pub per: Period,
    /// The calls that it limits.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What happens to a call that does not fit.
    #[serde(default)]
    pub action: Action,
    /// The line of the config file in which it stands, from 1.
    #[serde(skip)]
    pub line: usize,
}

fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Usd, D::Error> {
    Ok(dollars(deserializer)?.unwrap_or_default())
}

/// The length of a budget's windows, which begin and end in UTC; weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Sixty minutes, from a full hour on.
    Hour,
    /// 24 hours, from midnight on.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
    /// One window without an end.
    Total,
}

/// What happens to a call that would go beyond a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The call is not sent.
    #[default]
    Refuse,
    /// The call is sent, and a notice says that it goes beyond the budget.
    Warn,
}

/// The calls that a budget limits: those for which everything holds that is given here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The name of the key.
    pub key: Option<String>,
    /// The name of the gateway.
    pub gateway: Option<String>,
    /// The model, with or without what stands before its last `/`; `*` is any text.
    pub model: Option<String>,
    /// The task that the user named.
    pub task: Option<String>,
    /// Tags that the call has, with their values.
    #[serde(default)]
    pub tag: BTreeMap<String, String>,
}

/// What a budget's `match` is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The names of the keys that the call is made with: that of a server's client, and that of the key for the gateway, or of
    /// the environment variable that holds it.
    pub keys: &'a [&'a str],
    /// The name of the gateway.
    pub gateway: &'a str,
    /// The model as the gateway calls it.
    pub model: &'a str,
    /// The task that the user named.
    pub task: Option<&'a str>,
    /// The tags of the call.
    pub tags: &'a BTreeMap<String, String>,
}

/// A span of time for which a budget's limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment of it.
    pub began: Timestamp,
    /// The first moment after it; `None` where it never ends.
    pub ends: Option<Timestamp>,
}

impl Match {
    /// Whether everything that is given holds for this call.
    pub fn fits(&self, subject: &Subject<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        self.key.as_deref().is_none_or(|key| subject.keys.contains(&key))
            && is(&self.gateway, Some(subject.gateway))
            && is(&self.task, subject.task)
            && self.model.as_deref().is_none_or(|pattern| model_may_fit(pattern, subject.gateway, subject.model))
            && self.tag.iter().all(|(name, value)| subject.tags.get(name) == Some(value))
    }
}

impl Budget {
    /// The text by which the ledger knows the budget, such as `day key="team-a" tag."app"="bot"`. It holds the period
    /// and the name, or else the period and what is given of the match, so that a budget keeps what it has spent when
    /// its limit changes and when a later version of this program knows more kinds of matches.
    ///
    /// The ledger holds such texts for good: a new field of [`Match`] is added in alphabetical order, and the form of
    /// the others must not change.
    pub fn id(&self) -> String {
        let per = self.per.as_str();
        let quoted = |text: &str| Value::from(text).to_string();
        if let Some(name) = &self.name {
            return format!("{per} name={}", quoted(name));
        }
        let Match { key, gateway, model, task, tag } = &self.matches;
        let mut id = per.to_owned();
        let mut add = |field: &str, value: &Option<String>| {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = write!(id, " {field}={}", quoted(value));
            }
        };
        add("gateway", gateway);
        add("key", key);
        add("model", model);
        for (name, value) in tag {
            add(&format!("tag.{}", quoted(name)), &Some(value.clone()));
        }
        add("task", task);
        id
    }

    /// The budget in words: `$5.00 a day for key team-a, model claude-*`, with its name in parentheses.
    pub fn describe(&self) -> String {
        let Match { key, gateway, model, task, tag } = &self.matches;
        let given = [("key", key), ("gateway", gateway), ("model", model), ("task", task)];
        let mut what: Vec<String> =
            given.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
        what.extend(tag.iter().map(|(name, value)| format!("{name} {value}")));
        let per = match self.per {
            Period::Hour => " an hour",
            Period::Day => " a day",
            Period::Week => " a week",
            Period::Month => " a month",
            Period::Total => " in total",
        };
        let what = if what.is_empty() { "everything".to_owned() } else { what.join(", ") };
        let name = self.name.as_ref().filter(|name| **name != what);
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{}{per} for {what}{name}", self.limit)
    }
}

impl Period {
    /// The word used in configs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window that `now` is in. Returns None where it would reach beyond the last moment that can be told.
    pub fn window(self, now: Timestamp) -> Option<Window> {
        let now = now.to_zoned(TimeZone::UTC);
        let floor = |unit| now.round(ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor)).ok();
        let (began, length) = match self {
            Self::Hour => (floor(Unit::Hour)?, 1.hour()),
            Self::Day => (floor(Unit::Day)?, 1.day()),
            Self::Week => {
                let day = floor(Unit::Day)?;
                let since = now.weekday().since(Weekday::Monday);
                (day.checked_sub(i64::from(since).days()).ok()?, 1.week())
            }
            Self::Month => (floor(Unit::Day)?.first_of_month().ok()?, 1.month()),
            Self::Total => return Some(Window { began: Timestamp::UNIX_EPOCH, ends: None }),
        };
        let ends = began.checked_add(length).ok()?;
        Some(Window { began: began.timestamp(), ends: Some(ends.timestamp()) })
    }
}

/// Finds budgets that limit no call at all because they name what there is not, and those that are the same as another one;
/// `file` names the config in messages.
pub(super) fn check<'a>(
    budgets: &[Budget],
    gateways: impl Iterator<Item = &'a str> + Clone,
    aliases: &BTreeMap<String, Alias>,
    tasks: &BTreeMap<String, String>,
    file: &str,
) -> Result<(), Error> {
    for (index, budget) in budgets.iter().enumerate() {
        let message = |what: String| format!("{file}:{}: budget of {}: {what}", budget.line, budget.describe());
        let Match { key, gateway, model, task, tag } = &budget.matches;
        let (of_model, model) = match model.as_deref().map(|model| model.split_once("::").ok_or(model)) {
            Some(Ok((gateway, model))) => (Some(gateway).filter(|gateway| !gateway.contains('*')), Some(model)),
            Some(Err(model)) => (None, Some(model)),
            None => (None, None),
        };
        for gateway in gateway.as_deref().into_iter().chain(of_model) {
            if !gateways.clone().any(|known| known == gateway) {
                return Err(Error::config(message(format!("no gateway is called `{gateway}`"))));
            }
        }
        if [key.as_deref(), model, task.as_deref()].contains(&Some("")) || tag.contains_key("") {
            return Err(Error::config(message("a part of its `match` is empty, so it limits no call".into())));
        }
        if let Some(name) = tag.keys().find(|name| name.contains('=')) {
            return Err(Error::config(message(format!("no tag can be called `{}`", name.escape_debug()))));
        }
        if let Some(key) = key.as_deref().filter(|key| !is_possible_key(key)) {
            return Err(Error::config(message(format!("no key can be called `{}`", key.escape_debug()))));
        }
        if let Some(task) = task.as_ref().filter(|task| !tasks.contains_key(*task)) {
            return Err(Error::config(message(format!("there is no task `{task}`, so it limits no call"))));
        }
        // An alias may have the name of a model.
        let is_other = |models: &[String], name: &str| !models.iter().any(|model| name_may_fit(name, model));
        if let Some((name, alias)) = model.and_then(|name| aliases.get_key_value(name))
            && is_other(&alias.models, name)
        {
            let what = format!("`{name}` is an alias, so it limits no call");
            let hint = format!("model names one of its models: {}", alias.models.join(", "));
            return Err(Error::config_hint(message(what), hint));
        }
        match &budget.name {
            Some(name) if name.trim().is_empty() => return Err(Error::config(message("its name is empty".into()))),
            Some(name) => {
                if let Some(other) = budgets[..index].iter().find(|other| other.name.as_ref() == Some(name)) {
                    return Err(Error::config(message(format!("the budget in line {} has the same name", other.line))));
                }
            }
            None => {
                let id = budget.id();
                if let Some(other) = budgets[..index].iter().find(|other| other.id() == id) {
                    let what = format!("the budget in line {} has the same `per` and `match`", other.line);
                    return Err(Error::config_hint(message(what), "name = \"…\" tells them apart"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> Budget {
        toml::from_str(text).expect("a budget")
    }

    // L09
    #[test]
    fn windows_begin_and_end_in_utc() {
        for (per, now, began, ends) in [
            (Period::Hour, "2026-11-20T23:59:59.999Z", "2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z"),
            (Period::Day, "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            (Period::Day, "2026-11-19T23:59:59.999Z", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"),
            // The days on which Europe and America change their clocks are days like others.
            (Period::Day, "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z"),
            (Period::Day, "2026-03-08T07:30:00Z", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
            (Period::Week, "2026-11-22T23:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            (Period::Week, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Period::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Period::Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().expect("a time");
            let window = Window { began: at(began), ends: Some(at(ends)) };
            assert_eq!(per.window(at(now)), Some(window), "{per:?} {now}");
        }
        assert_eq!(Period::Total.window(Timestamp::UNIX_EPOCH).expect("always").ends, None);
    }

    #[test]
    fn all_that_is_given_must_match() {
        let budget = budget(
            "limit = 5.00\nper = \"day\"\nmatch = { key = \"team-a\", model = \"claude-*\", tag.app = \"bot\" }",
        );
        let tags = BTreeMap::from([("app".to_owned(), "bot".to_owned()), ("x".to_owned(), "y".to_owned())]);
        let subject = Subject {
            keys: &["bot", "team-a"],
            gateway: "openrouter",
            model: "anthropic/claude-opus",
            task: None,
            tags: &tags,
        };
        assert!(budget.matches.fits(&subject));
        assert!(!budget.matches.fits(&Subject { keys: &["team-b"], ..subject }));
        assert!(!budget.matches.fits(&Subject { model: "gpt-5.4", ..subject }));
        assert!(!budget.matches.fits(&Subject { tags: &BTreeMap::new(), ..subject }));
        assert_eq!(budget.describe(), "$5.00 a day for key team-a, model claude-*, app bot");
    }

    #[test]
    fn a_changed_limit_is_the_same_budget_and_another_match_is_not() {
        let id = |text: &str| budget(text).id();
        assert_eq!(id("limit = 1\nper = \"day\""), id("limit = 2\nper = \"day\"\naction = \"warn\""));
        assert_ne!(id("limit = 1\nper = \"day\""), id("limit = 1\nper = \"week\""));
        assert_ne!(id("limit = 1\nper = \"day\""), id("limit = 1\nper = \"day\"\nmatch = { task = \"x\" }"));
    }

    // The ledgers of users hold these texts, so they stay as they are.
    #[test]
    fn the_id_holds_what_is_given_and_nothing_else() {
        for (text, id) in [
            ("limit = 1\nper = \"day\"", "day"),
            (
                "limit = 1\nper = \"total\"\nmatch = { key = \"a b\", gateway = \"g\" }",
                r#"total gateway="g" key="a b""#,
            ),
            (
                "limit = 1\nper = \"hour\"\nmatch = { task = 't', model = 'm-*', tag = { b = 'x\"\\', a = 'ü' } }",
                r#"hour model="m-*" tag."a"="ü" tag."b"="x\"\\" task="t""#,
            ),
            ("name = \"n\"\nlimit = 1\nper = \"week\"\nmatch = { key = \"k\" }", r#"week name="n""#),
        ] {
            assert_eq!(budget(text).id(), id);
        }
    }

    fn checked(budgets: &[&str]) -> Result<(), Error> {
        let line = |(index, text): (usize, &&str)| Budget { line: 10 * (index + 1), ..budget(text) };
        let budgets: Vec<Budget> = budgets.iter().enumerate().map(line).collect();
        let aliases = "fast.models = [\"corp::m\"]\nlarge.models = [\"corp::vendor/large\"]";
        let aliases = toml::from_str(aliases).expect("aliases");
        let tasks = BTreeMap::from([("coding".to_owned(), "fast".to_owned())]);
        check(&budgets, ["openrouter", "corp"].into_iter(), &aliases, &tasks, "c.toml")
    }

    #[test]
    fn budgets_that_limit_no_call_are_refused() {
        let of = |matches: &str| checked(&[&format!("limit = 1\nper = \"day\"\nmatch = {{ {matches} }}")]);
        for good in [
            "model = \"m\"",
            "model = \"corp::m\"",
            "model = \"*::m\"",
            "model = \"large\"",
            "task = \"coding\"",
            "key = \"any\"",
        ] {
            of(good).expect(good);
        }
        for (bad, why) in [
            ("model = \"corq::m\"", "no gateway is called `corq`"),
            ("model = \"fast\"", "`fast` is an alias, so it limits no call"),
            ("model = \"\"", "a part of its `match` is empty"),
            ("model = \"corp::\"", "a part of its `match` is empty"),
            ("key = \"\"", "a part of its `match` is empty"),
            ("tag = { \"\" = \"bot\" }", "a part of its `match` is empty"),
            ("tag = { \"a=b\" = \"bot\" }", "no tag can be called `a=b`"),
            ("task = \"codign\"", "there is no task `codign`"),
        ] {
            let error = of(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn several_budgets_may_be_for_one_gateway() {
        let corp = |per: &str| format!("limit = 1\nper = \"{per}\"\nmatch = {{ gateway = \"corp\" }}");
        checked(&[&corp("hour"), &corp("day"), &corp("week")]).expect("every one of them names a known gateway");
        let error = checked(&[&corp("hour"), "limit = 1\nper = \"day\"\nmatch = { gateway = \"crop\" }"]);
        let message = error.expect_err("unknown").to_string();
        assert_eq!(message, "c.toml:20: budget of $1.00 a day for gateway crop: no gateway is called `crop`");
    }

    #[test]
    fn budgets_that_cannot_be_told_apart_are_refused_with_both_lines() {
        let same = ["limit = 1\nper = \"day\"\naction = \"warn\"", "limit = 2\nper = \"day\""];
        let error = checked(&same).expect_err("the same");
        let message = "c.toml:20: budget of $2.00 a day for everything: \
                       the budget in line 10 has the same `per` and `match`";
        assert_eq!((error.to_string().as_str(), error.exit_code()), (message, 3));
        let named = format!("name = \"soft\"\n{}", same[0]);
        checked(&[&named, same[1]]).expect("a name tells them apart");
        let message =
            checked(&[&named, &format!("name = \"soft\"\n{}", same[1])]).expect_err("a name is one").to_string();
        assert!(message.ends_with("(soft): the budget in line 10 has the same name"), "{message}");
        assert!(checked(&["name = \"\"\nlimit = 1\nper = \"day\""]).is_err());
    }
}
