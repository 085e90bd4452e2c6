//! The built-in table of list prices: whose prices apply to a model, and what they are.
//!
//! `prices.json` is the data of the crate `genai-prices`. The crate itself tells what a usage costs, in floats, but not
//! the prices and the lengths of prompt at which they change, so its data is read here instead; the script `update` takes
//! it over, and a test compares every price with what the crate calculates. At first only the providers are read, then
//! the models of those that are asked for.

mod price;
mod rule;

use std::sync::{LazyLock, OnceLock};
use std::time::SystemTime;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::price::Dated;
use self::rule::{Pattern, Rule};
use crate::catalog::searches;
use crate::config::{Gateway, PriceList};
use crate::rates::Tariff;

/// The providers, in the order in which they are tried.
static TABLE: LazyLock<Vec<Provider<'static>>> = LazyLock::new(|| read(include_str!("prices.json")));

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> T {
    serde_json::from_str(json).expect("a test reads the whole table")
}

/// Whose list prices a gateway's models are sold at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seller {
    /// The provider that the config or a preset names.
    Provider(String),
    /// The provider that this base URL belongs to; if it belongs to none, the one that the model's name points to.
    Address(String),
    /// A server without list prices.
    Nobody,
}

impl Seller {
    /// A server on this machine runs its models itself unless the config calls it a gateway: `deepseek-r1` there is not
    /// sold by DeepSeek.
    pub(super) fn of(gateway: &Gateway) -> Self {
        match gateway.price_provider.as_deref() {
            Some("none") => Self::Nobody,
            Some(provider) => Self::Provider(provider.to_owned()),
            None if gateway.base_url.is_loopback() && gateway.price_list == PriceList::Models => Self::Nobody,
            None => Self::Address(gateway.base_url.as_str().to_owned()),
        }
    }
}

/// A model of the table, and the provider that sells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The provider's id.
    pub(super) provider: &'static str,
    model: &'static Model<'static>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.provider, self.id()) == (other.provider, other.id())
    }
}

impl Eq for Entry {}

impl Entry {
    /// The model's id.
    pub(super) fn id(&self) -> &'static str {
        self.model.id
    }

    /// The price at this moment. Returns `None` where it is not one of tokens and requests alone. A price of zero is
    /// taken for a missing one unless the model is known to be `free`.
    pub(super) fn tariff(&self, now: SystemTime, free: bool) -> Option<Tariff> {
        let tariff = self.text_tariff(now, free)?;
        let is_text = || !searches(self.id()) && !MORE_THAN_TEXT.iter().any(|word| has(self.id(), word));
        let is_whole = free || tariff.base.request.is_some() || is_text();
        is_whole.then_some(tariff)
    }

    /// The price of text at this moment, whatever else is billed.
    fn text_tariff(&self, now: SystemTime, free: bool) -> Option<Tariff> {
        price::at(&self.model.prices, now)?.tariff(free)
    }
}

/// Words in the names of models that write pictures or sound. These have prices of their own, which the table does not have.
const MORE_THAN_TEXT: [&str; 4] = ["audio", "image", "live", "realtime"];

/// Words in the names of models that are sold beside others of their family at other prices, though some entries of the
/// table name both.
const OTHER_PRICE: [&str; 4] = ["fast", "transcribe", "tts", "video"];

/// Words in names that do not change the price.
const SAME_PRICE: [&str; 6] = ["beta", "customtools", "default", "instruct", "latest", "preview"];

/// The regions that Bedrock writes before the names of models.
pub(super) const REGIONS: [&str; 6] = ["apac", "au", "ca", "eu", "jp", "us"];

fn is_another_service(word: &str) -> bool {
    searches(word) || MORE_THAN_TEXT.contains(&word) || OTHER_PRICE.contains(&word)
}

/// The parts of a name between signs that are no letters or digits.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether the name has the word, in letters of any case.
fn has(name: &str, word: &str) -> bool {
    words(name).any(|part| part.eq_ignore_ascii_case(word))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The entry of a model that this seller sells.
pub(super) fn find(seller: &Seller, model: &str) -> Option<Entry> {
    spellings(model).iter().find_map(|model| match seller {
        Seller::Nobody => None,
        // LiteLLM is a proxy, which puts the provider in front of the model's name.
        Seller::Provider(name) if name.eq_ignore_ascii_case("litellm") => find_by_prefix(model),
        Seller::Provider(name) => named(name)?.entry(model),
        Seller::Address(url) => match TABLE.iter().find(|provider| provider.api_pattern.matches(url)) {
            Some(provider) => provider.entry(model),
            None => find_by_prefix(model),
        },
    })
}

/// The entry that a model's name alone points to.
pub(super) fn find_by_name(model: &str) -> Option<Entry> {
    spellings(model).iter().find_map(|model| maker(model)?.entry(model))
}

/// The table's own name for a provider, of which `name` may be another one.
pub(super) fn provider(name: &str) -> Option<&'static str> {
    named(name).map(|provider| provider.id)
}

/// The entry of a model before whose name a provider may stand. Returns `None` where another prefix stands there: the
/// model may then be anybody's, unless the provider knows it by its whole name.
fn find_by_prefix(model: &str) -> Option<Entry> {
    match model.split_once('/').and_then(|(prefix, rest)| Some((named(prefix)?, rest))) {
        Some((provider, rest)) => provider.entry(rest),
        None => maker(model)?.entry(model),
    }
}

fn named(name: &str) -> Option<&'static Provider<'static>> {
    let name = name.trim().to_lowercase();
    let is_called = |provider: &&Provider<'_>| provider.provider_match.as_ref().is_some_and(|rule| rule.matches(&name));
    TABLE.iter().find(|provider| provider.id == name).or_else(|| TABLE.iter().find(is_called))
}

/// The provider whose models have names like this.
fn maker(model: &str) -> Option<&'static Provider<'static>> {
    let model = model.to_lowercase();
    TABLE.iter().find(|provider| provider.model_match.as_ref().is_some_and(|rule| rule.matches(&model)))
}

#[derive(Debug, Deserialize)]
struct Provider<'a> {
    id: &'a str,
    /// How its base URLs begin.
    api_pattern: Pattern,
    /// Its other names.
    provider_match: Option<Rule>,
    /// The names of the models that are its own, wherever they run.
    model_match: Option<Rule>,
    /// Providers whose prices hold for the models that it has no price for.
    #[serde(default, borrow)]
    fallback_model_providers: Vec<&'a str>,
    #[serde(borrow)]
    models: &'a RawValue,
    /// The models, once they have been read.
    #[serde(skip)]
    read: OnceLock<Vec<Model<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Model<'a> {
    id: &'a str,
    /// Its names.
    #[serde(rename = "match")]
    rule: Rule,
    #[serde(borrow)]
    prices: Vec<Dated<'a>>,
}

impl Model<'_> {
    /// Whether its price is that of the model of this name, which its rule matches. Rules match whole families by how
    /// names begin, and the members of a family that the table does not know (`-cyber`, `-turbo`, `eu.`) often have other
    /// prices. So each word of the name has to be one that the entry knows, or one that does not change the price.
    fn is_priced_as(&self, name: &str, provider: &str) -> bool {
        let known: Vec<&str> = self.rule.texts().into_iter().flat_map(words).collect();
        let has_year = words(name).any(|word| word.len() == 4 && word.starts_with("20") && is_number(word));
        let is_release = |word: &str| is_number(word) && (word.len() > 2 || (word.len() == 2 && has_year));
        let is_region =
            |word: &str| provider == "aws" && (word == "us" || (has(self.id, "regional") && REGIONS.contains(&word)));
        words(name).all(|word| {
            has(self.id, word)
                || (!is_another_service(word) && known.contains(&word))
                || SAME_PRICE.contains(&word)
                || is_release(word)
                || is_region(word)
        })
    }
}

impl Provider<'static> {
    fn models(&'static self) -> &'static [Model<'static>] {
        self.read.get_or_init(|| read(self.models.get()))
    }

    fn entry(&'static self, model: &str) -> Option<Entry> {
        let name = model.to_lowercase();
        let found = self.model(&name).or_else(|| self.model(&with_dashes_in_date(&name)?))?;
        found.is_priced_as(&name, self.id).then_some(Entry { provider: self.id, model: found })
    }

    /// Its own model of this name, else that of a provider whose prices it takes over.
    fn model(&'static self, name: &str) -> Option<&'static Model<'static>> {
        let others = self.fallback_model_providers.iter().filter_map(|id| TABLE.iter().find(|other| other.id == *id));
        std::iter::once(self)
            .chain(others)
            .find_map(|seller| seller.models().iter().find(|model| model.rule.matches(name)))
    }
}

/// The name with its date as the table writes dates: `-2025-09-29` for `-20250929`. Returns `None` where there is none.
fn with_dashes_in_date(name: &str) -> Option<String> {
    name.match_indices("-20").find_map(|(dash, _)| {
        let (before, rest) = name.split_at(dash + 1);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (date, after) = rest.split_at(digits);
        let ends = digits == 8 && (after.is_empty() || after.starts_with(['-', ':']));
        let date = Date::strptime("%Y%m%d", date).ok().filter(|_| ends)?;
        Some(format!("{before}{date}{after}"))
    })
}

/// How the table may spell a model, as given first.
fn spellings(model: &str) -> Vec<String> {
    let mut spellings = vec![model.to_owned()];
    // Gemini lists its models this way.
    if let Some(name) = model.strip_prefix("models/") {
        spellings.push(name.to_owned());
    }
    // Vertex AI marks versions this way.
    if model.contains('@') {
        spellings.push(model.replace('@', "-"));
    }
    // OpenRouter's ways to choose among the providers of one model.
    for suffix in [":nitro", ":floor", ":exacto"] {
        if let Some(name) = model.strip_suffix(suffix) {
            spellings.push(name.to_owned());
        }
    }
    spellings
}

#[cfg(test)]
mod tests;
