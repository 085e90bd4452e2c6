//! What a scoped key may do: written as `[key_class.NAME]` in the config, and kept with each key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Action, Budget, Match, Period};
use crate::money::Usd;

/// What a key of `llm serve` may do. What is left out is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRules {
    /// The class in the config whose rules hold where this key has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The models and aliases that it may be used for, as patterns; `None` is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Those that it may not be used for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refuse: Vec<String>,
    /// The most that it may spend, in one or several spans of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<KeyBudget>,
    /// Whether it may send requests of unknown price although a budget applies.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_unpriced: bool,
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, of prompts and answers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests that run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// The tags of every call.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it may administer the server.
    #[serde(skip_serializing_if = "is_false")]
    pub admin: bool,
    /// What the owner wants to remember.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl KeyRules {
    /// These rules, with those of their class where they say nothing.
    ///
    /// # Errors
    /// The config does not have the class, so that its limits are not known.
    pub fn in_class(&self, classes: &BTreeMap<String, KeyRules>) -> Result<Self, MissingClass> {
        let Some(name) = &self.class else { return Ok(self.clone()) };
        let class = classes.get(name).ok_or_else(|| MissingClass(name.clone()))?;
        let list = |own: &Vec<String>, of_class: &Vec<String>| if own.is_empty() { of_class } else { own }.clone();
        let mut tags = class.tags.clone();
        tags.extend(self.tags.clone());
        Ok(Self {
            class: self.class.clone(),
            models: self.models.clone().or_else(|| class.models.clone()),
            refuse: list(&self.refuse, &class.refuse),
            budgets: if self.budgets.is_empty() { &class.budgets } else { &self.budgets }.clone(),
            allow_unpriced: self.allow_unpriced || class.allow_unpriced,
            requests_per_minute: self.requests_per_minute.or(class.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(class.tokens_per_minute),
            in_flight: self.in_flight.or(class.in_flight),
            tags,
            admin: self.admin,
            note: self.note.clone(),
        })
    }
}

/// A key has a class that the config does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the config has no [key_class.{0}]")]
pub struct MissingClass(String);

/// An amount that a key may spend in a span of time: `5/day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyBudget {
    /// The most.
    pub limit: Usd,
    /// The span.
    pub per: Period,
}

impl KeyBudget {
    /// The budget that limits the calls of the key with this name. It has a name of its own, so that a budget of the config
    /// for the same key has another sum.
    pub fn of_key(&self, key: &str) -> Budget {
        Budget {
            name: Some(format!("key {key}")),
            limit: self.limit,
            per: self.per,
            matches: Match { key: Some(key.to_owned()), ..Match::default() },
            action: Action::Refuse,
            line: 0,
        }
    }
}

impl FromStr for KeyBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a budget such as `5/day`; spans are hour, day, week, month and total");
        let (limit, named) = text.split_once('/').unwrap_or((text, "total"));
        let limit: Usd = limit.trim().trim_start_matches('$').parse().map_err(|_| wrong())?;
        let per = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Total];
        let per = per.into_iter().find(|per| per.as_str() == named.trim()).ok_or_else(wrong)?;
        if limit < Usd::ZERO {
            return Err(wrong());
        }
        Ok(Self { limit, per })
    }
}

/// As it is written.
impl fmt::Display for KeyBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit.to_decimal(), self.per.as_str())
    }
}

impl Serialize for KeyBudget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyBudget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_an_amount_and_a_span() {
        for (text, written) in [("5/day", "5/day"), ("$0.50 / hour", "0.5/hour"), ("12", "12/total")] {
            assert_eq!(text.parse::<KeyBudget>().expect(text).to_string(), written);
        }
        for wrong in ["", "five/day", "5/year", "-1/day", "5/"] {
            wrong.parse::<KeyBudget>().expect_err(wrong);
        }
    }

    #[test]
    fn rules_of_a_key_come_before_those_of_its_class() {
        let class = KeyRules {
            models: Some(vec!["gpt-*".into()]),
            requests_per_minute: Some(10),
            tags: BTreeMap::from([("plan".into(), "free".into()), ("a".into(), "1".into())]),
            ..KeyRules::default()
        };
        let classes = BTreeMap::from([("free".to_owned(), class)]);
        let key = KeyRules {
            class: Some("free".into()),
            requests_per_minute: Some(99),
            tags: BTreeMap::from([("a".into(), "2".into())]),
            ..KeyRules::default()
        };
        let rules = key.in_class(&classes).expect("the class is there");
        assert_eq!((rules.models, rules.requests_per_minute), (Some(vec!["gpt-*".into()]), Some(99)));
        assert_eq!(rules.tags, BTreeMap::from([("plan".into(), "free".into()), ("a".into(), "2".into())]));
        assert_eq!(key.in_class(&BTreeMap::new()), Err(MissingClass("free".into())), "its limits are not known");
        let alone = KeyRules { class: None, ..key };
        assert_eq!(alone.in_class(&classes), Ok(alone));
    }

    #[test]
    fn what_is_kept_reads_back_and_says_nothing_of_what_is_not_limited() {
        assert_eq!(serde_json::to_string(&KeyRules::default()).expect("JSON"), "{}");
        let rules = KeyRules {
            budgets: vec!["5/day".parse().expect("a budget")],
            models: Some(Vec::new()),
            admin: true,
            ..KeyRules::default()
        };
        let kept = serde_json::to_string(&rules).expect("JSON");
        assert_eq!(kept, r#"{"models":[],"budgets":["5/day"],"admin":true}"#);
        assert_eq!(serde_json::from_str::<KeyRules>(&kept).expect("rules"), rules);
    }
}
