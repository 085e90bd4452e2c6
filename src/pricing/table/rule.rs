//! How the table recognizes the names of models and providers.

use std::sync::OnceLock;

use fancy_regex::Regex;
use serde::Deserialize;

/// What names have in common. Its texts are in lower case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(Pattern),
}

impl Rule {
    /// Whether this is such a name; it must be in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::And(rules) => rules.iter().all(|rule| rule.matches(name)),
            Self::Or(rules) => rules.iter().any(|rule| rule.matches(name)),
            Self::Equals(text) => name == text,
            Self::StartsWith(text) => name.starts_with(text),
            Self::EndsWith(text) => name.ends_with(text),
            Self::Contains(text) => name.contains(text),
            Self::Regex(pattern) => pattern.matches(name),
        }
    }

    /// The texts that it compares names with. Those of regular expressions are left out.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::texts).collect(),
            Self::Equals(text) | Self::StartsWith(text) | Self::EndsWith(text) | Self::Contains(text) => vec![text],
            Self::Regex(_) => Vec::new(),
        }
    }
}

/// A regular expression, compiled when it is first needed: most never are.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// Whether it matches somewhere in this text. An expression that takes too long to match does not.
    pub(super) fn matches(&self, text: &str) -> bool {
        let compile = || Regex::new(&self.text).expect("a test compiles every pattern of the table");
        self.compiled.get_or_init(compile).is_match(text).unwrap_or(false)
    }
}
