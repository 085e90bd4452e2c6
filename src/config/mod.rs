//! The settings of the environment, the config file and the presets. Only this module reads the environment.

mod base_url;
mod budget;
mod edit;
mod env;
mod file;
mod headers;
mod key_rules;
mod key_source;
mod model_pattern;
mod names;
mod own_files;
mod pipeline;
mod routing;
mod settings;
mod source;
mod store;
mod strict;
mod template;
mod toml_text;

pub use base_url::{BaseUrl, is_this_machine};
pub use budget::{Action, Budget, Match, Period, Subject, Window};
pub use edit::{ConfigEdit, parse_key, write_config};
pub use env::Env;
pub use file::parse_duration;
pub use key_rules::{KeyBudget, KeyRules, MissingClass};
pub use key_source::{KEY_NAME_RULE, KeySource, is_key_name};
pub use model_pattern::{check_spelling, model_fits, model_may_fit, name_fits, name_may_fit, unknown_gateway};
pub use names::nearest;
pub use pipeline::{INPUT, Pipeline, Step, find as find_pipeline};
pub use routing::{Alias, Strategy};
pub use settings::{LLM_API_KEY, Said, Settings, TEMPLATE};
pub use store::SharedStore;
pub use template::{SchemaSource, Template, find as find_template, is_reserved};
pub use toml_text::{Mistake, from_toml, line_without_place};

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::adapter::Api;
use crate::money::Usd;
use crate::pattern;

/// One gateway, with everything that the config and the presets say about it.
#[derive(Clone)]
pub struct Gateway {
    pub name: String,
    pub base_url: BaseUrl,
    /// The wire format of models for which [`Gateway::model_api`] has none.
    pub api: Api,
    /// The wire format by model; `*` in a name stands for any text.
    pub model_api: BTreeMap<String, Api>,
    pub auth: Auth,
    pub key: KeySource,
    /// Sent with every request; values may be secret and are never shown.
    pub headers: BTreeMap<String, String>,
    /// PEM file of the certificate authority to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    pub timeouts: Timeouts,
    pub rate: Rate,
    /// The share that is added to list prices, in millionths (0.055 is 55,000). Costs that the gateway reports stay as
    /// they are.
    pub markup: Option<u32>,
    /// Models to use where none is named: the first by `ask`, all of them by `compare`.
    pub models: Vec<String>,
    /// Where the gateway lists its models' prices, if it does.
    pub price_list: PriceList,
    /// The provider in the built-in price table whose prices apply (`openai`); `None` guesses from the model's name.
    pub price_provider: Option<String>,
}

impl Gateway {
    /// The wire format in which this gateway is asked for this model: the closest name of `model_api`, else `api`.
    pub fn api_of(&self, model: &str) -> Api {
        let named = self.model_api.iter().filter(|(name, _)| pattern::matches(name, model));
        named.max_by_key(|(name, _)| pattern::precision(name)).map_or(self.api, |(_, api)| *api)
    }

    /// The form of the endpoints that say what was spent; `None` where the gateway has none. A server whose list of
    /// prices has the form of LiteLLM or one-api has such endpoints in that form.
    pub fn accounts(&self) -> Option<Accounts> {
        match self.price_list {
            PriceList::LiteLlm => Some(Accounts::LiteLlm),
            PriceList::OneApi => Some(Accounts::OneApi),
            PriceList::Models => {
                let by_price = self.price_provider.as_deref() == Some("openrouter");
                (by_price || self.base_url.origin() == "https://openrouter.ai:443").then_some(Accounts::OpenRouter)
            }
        }
    }
}

/// Without the values of headers, which may be secret.
impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .field("api", &self.api)
            .field("headers", &self.headers.keys())
            .finish_non_exhaustive()
    }
}

/// Whether a gateway wants a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Nothing is sent without a key.
    Required,
    /// A key is sent if one is found.
    Optional,
    /// No key is looked for.
    None,
}

/// The forms of price lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceList {
    /// Prices are in the list of models, if anywhere.
    #[default]
    Models,
    /// LiteLLM's `/model/info`.
    #[serde(rename = "litellm")]
    LiteLlm,
    /// one-api's and new-api's `/api/pricing`.
    OneApi,
}

impl PriceList {
    /// The word used in configs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::LiteLlm => "litellm",
            Self::OneApi => "one-api",
        }
    }
}

/// The forms of endpoints that say what was spent with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// `/key`.
    OpenRouter,
    /// `/key/info`.
    LiteLlm,
    /// `/dashboard/billing/usage` and `/dashboard/billing/subscription`.
    OneApi,
}

/// Limits on the requests to a gateway; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    pub max_concurrency: Option<NonZeroU32>,
    pub requests_per_minute: Option<NonZeroU32>,
}

/// Time limits of one attempt (`total`: of one call).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// From the request to the first piece of the answer.
    pub first_token: Duration,
    /// Between two pieces of the answer; comments do not count.
    pub idle: Duration,
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// A model's price as the config gives it: US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelPrice {
    pub input: Option<Usd>,
    pub output: Option<Usd>,
    pub cache_read: Option<Usd>,
    pub cache_write: Option<Usd>,
    pub reasoning: Option<Usd>,
    /// Per request, in US dollars.
    pub request: Option<Usd>,
}

/// Settings of the answer cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    pub enabled: bool,
    pub ttl: Duration,
    /// In bytes.
    pub max_size: u64,
}

/// What the ledger keeps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Everything, prompt and answer included.
    #[default]
    Full,
    /// No text: hashes, lengths and figures.
    Metadata,
    /// Nothing.
    Off,
}

impl LogLevel {
    /// The word used in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Metadata => "metadata",
            Self::Off => "off",
        }
    }
}

/// `[otel]`: the collector that gets the traces of `llm serve`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otel {
    /// Its address, to which `/v1/traces` is added where it has no path.
    #[serde(deserialize_with = "collector")]
    pub endpoint: url::Url,
    /// Sent with every request; values may be secret and are never shown.
    #[serde(default, deserialize_with = "headers::headers")]
    pub headers: BTreeMap<String, String>,
}

/// Without the values of headers, which may be secret.
impl std::fmt::Debug for Otel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Otel").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

fn collector<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<url::Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    // It may hold a password, so it is not repeated.
    let wrong = || serde::de::Error::custom("endpoint is not an address such as http://localhost:4318");
    let mut url = url::Url::parse(&text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong());
    }
    if matches!(url.path(), "" | "/") {
        url.set_path("/v1/traces");
    }
    Ok(url)
}

/// How answers in Markdown are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Render {
    /// Rendered on a terminal, and as they are elsewhere.
    #[default]
    Auto,
    /// Rendered everywhere.
    Markdown,
    /// As they are.
    Plain,
}

impl Render {
    /// The word used in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Markdown => "markdown",
            Self::Plain => "plain",
        }
    }
}

/// The directories in which this program keeps files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Key file and ledger; `None` where there is no home directory.
    pub data: Option<PathBuf>,
    /// Files that can be fetched or computed again; `None` where there is no home directory.
    pub cache: Option<PathBuf>,
}
