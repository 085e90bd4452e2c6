//! Budgets: how much may be spent on what, and how often that begins anew.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, ZonedRound};
use serde::{Deserialize, Serialize};

use super::file::dollars;
use crate::error::Error;
use crate::money::Usd;
use crate::pattern;

/// `[[budget]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars a window.
    #[serde(deserialize_with = "limit")]
    pub limit: Usd,
    pub per: Period,
    /// Which calls it is for: those that all of this holds for.
    #[serde(default, rename = "match")]
    pub matches: Match,
    #[serde(default)]
    pub action: Action,
}

fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Usd, D::Error> {
    Ok(dollars(deserializer)?.unwrap_or_default())
}

/// How often a budget begins anew, in UTC; weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
    /// Never.
    Total,
}

/// What happens to a call that would go beyond a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is not sent.
    #[default]
    Refuse,
    /// It is sent, and the user hears of it.
    Warn,
}

/// The calls that a budget is for. What is not given holds for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The name of the key.
    pub key: Option<String>,
    pub gateway: Option<String>,
    /// The model, with or without what stands before its last `/`; `*` is any text.
    pub model: Option<String>,
    pub task: Option<String>,
    #[serde(default)]
    pub tag: BTreeMap<String, String>,
}

/// What budgets look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a str,
    pub gateway: &'a str,
    pub model: &'a str,
    pub task: Option<&'a str>,
    pub tags: &'a BTreeMap<String, String>,
}

/// A stretch of time for which a budget's limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub began: Timestamp,
    /// `None` where it never ends.
    pub ends: Option<Timestamp>,
}

impl Match {
    pub fn fits(&self, subject: &Subject<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&self.key, Some(subject.key))
            && is(&self.gateway, Some(subject.gateway))
            && is(&self.task, subject.task)
            && self.model.as_deref().is_none_or(|pattern| model_fits(pattern, subject.model))
            && self.tag.iter().all(|(name, value)| subject.tags.get(name) == Some(value))
    }
}

/// Whether a pattern means this model: `claude-*` means `anthropic/claude-opus` too.
pub fn model_fits(pattern: &str, model: &str) -> bool {
    let bare = model.rsplit_once('/').map_or(model, |(_, bare)| bare);
    pattern::matches(pattern, model) || pattern::matches(pattern, bare)
}

impl Budget {
    /// What it is known by in the ledger: a changed limit is still the same budget.
    pub fn id(&self) -> String {
        serde_json::json!({ "per": self.per, "match": self.matches }).to_string()
    }

    /// For people: `$5.00 a day for key team-a, model claude-*`.
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
        format!("{}{per} for {what}", self.limit)
    }
}

impl Period {
    /// Its name in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window that `now` is in. `None` at the end of all time.
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

/// Finds budgets that cannot be meant.
pub(super) fn check<'a>(budgets: &[Budget], mut gateways: impl Iterator<Item = &'a str> + Clone) -> Result<(), Error> {
    for budget in budgets {
        if let Some(gateway) = &budget.matches.gateway
            && !gateways.any(|known| known == gateway)
        {
            return Err(Error::config(format!("budget of {}: no gateway is called `{gateway}`", budget.describe())));
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
        let subject =
            Subject { key: "team-a", gateway: "openrouter", model: "anthropic/claude-opus", task: None, tags: &tags };
        assert!(budget.matches.fits(&subject));
        assert!(!budget.matches.fits(&Subject { key: "team-b", ..subject }));
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
}
