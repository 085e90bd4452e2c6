//! The config file and the presets: TOML to plain values, with errors that name the line and the nearest known key.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::budget::Budget;
use super::headers::some_headers;
use super::pipeline::{Pipeline, PipelineTable};
use super::routing::Alias;
use super::source::Source;
use super::store::StoreTable;
use super::template::{Template, TemplateTable};
use super::{Auth, BaseUrl, KeyRules, LogLevel, ModelPrice, Otel, PriceList, Render, Timeouts, base_url};
use crate::adapter::Api;
use crate::error::Error;
use crate::money::Usd;

/// A config file as written. Every field is optional, because a file only adds to the presets or overrides them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) default_gateway: Option<String>,
    pub(super) model: Option<String>,
    pub(super) log: Option<LogLevel>,
    pub(super) render: Option<Render>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) keyring_timeout: Option<Duration>,
    #[serde(default)]
    pub(super) gateway: BTreeMap<String, GatewayTable>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) price: BTreeMap<String, PriceTable>,
    #[serde(default)]
    pub(super) cache: CacheTable,
    #[serde(default)]
    budget: Vec<Spanned<Budget>>,
    /// What `budget` says, with the lines of the file.
    #[serde(skip)]
    pub(super) budgets: Vec<Budget>,
    #[serde(default)]
    pub(super) allow: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) key_class: BTreeMap<String, KeyRules>,
    #[serde(default)]
    pub(super) otel: Option<Otel>,
    #[serde(default)]
    pub(super) store: Option<StoreTable>,
    #[serde(default)]
    pub(super) alias: BTreeMap<String, Alias>,
    #[serde(default)]
    pub(super) task: BTreeMap<String, String>,
    #[serde(default)]
    pipeline: BTreeMap<String, PipelineTable>,
    /// What `pipeline` says, with the lines of the file.
    #[serde(skip)]
    pub(super) pipelines: BTreeMap<String, Pipeline>,
    #[serde(default)]
    template: BTreeMap<String, TemplateTable>,
    /// What `template` says, with the lines of the file.
    #[serde(skip)]
    pub(super) templates: BTreeMap<String, Template>,
}

/// `[gateway.NAME]`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayTable {
    pub(super) base_url: Option<String>,
    pub(super) api: Option<Api>,
    pub(super) model_api: Option<BTreeMap<String, Api>>,
    pub(super) auth: Option<Auth>,
    pub(super) key_env: Option<Vec<String>>,
    pub(super) key_name: Option<String>,
    pub(super) key_command: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_headers")]
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeouts: Option<TimeoutTable>,
    pub(super) max_concurrency: Option<NonZeroU32>,
    pub(super) requests_per_minute: Option<NonZeroU32>,
    pub(super) markup: Option<f64>,
    pub(super) allow_http: Option<bool>,
    pub(super) models: Option<Vec<String>>,
    pub(super) price_list: Option<PriceList>,
    pub(super) price_provider: Option<String>,
}

/// Without the values of headers and the arguments of commands, which may be secret.
impl fmt::Debug for GatewayTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayTable").field("base_url", &self.base_url).field("api", &self.api).finish_non_exhaustive()
    }
}

impl GatewayTable {
    /// Splits the URL of an endpoint into the base URL and the wire format. Fails with both formats where the table and
    /// the URL name different ones.
    pub(super) fn without_endpoint(mut self) -> Result<Self, (Api, Api)> {
        let Some((base, api)) = self.base_url.as_deref().and_then(base_url::endpoint) else { return Ok(self) };
        match self.api {
            Some(said) if said != api => return Err((said, api)),
            _ => self.api = Some(api),
        }
        self.base_url = Some(base.to_owned());
        Ok(self)
    }

    /// This table with every field that `over` gives.
    pub(super) fn overridden_by(self, over: Self) -> Self {
        // A preset's key is for the preset's server, so it is dropped where the table names another server.
        let moved = over.base_url.is_some() && origin(over.base_url.as_deref()) != origin(self.base_url.as_deref());
        Self {
            base_url: over.base_url.or(self.base_url),
            api: over.api.or(self.api),
            model_api: over.model_api.or(self.model_api),
            auth: over.auth.or(self.auth),
            key_env: over.key_env.or(if moved { None } else { self.key_env }),
            key_name: over.key_name.or(self.key_name),
            key_command: over.key_command.or(self.key_command),
            headers: over.headers.or(self.headers),
            ca_file: over.ca_file.or(self.ca_file),
            timeouts: over.timeouts.or(self.timeouts),
            max_concurrency: over.max_concurrency.or(self.max_concurrency),
            requests_per_minute: over.requests_per_minute.or(self.requests_per_minute),
            markup: over.markup.or(self.markup),
            allow_http: over.allow_http.or(self.allow_http),
            models: over.models.or(self.models),
            price_list: over.price_list.or(self.price_list),
            price_provider: over.price_provider.or(self.price_provider),
        }
    }
}

/// The server of an address; `None` where the address is not valid, which is reported when its gateway is completed.
fn origin(base_url: Option<&str>) -> Option<String> {
    base_url.and_then(|url| BaseUrl::parse(url, true).ok()).map(|url| url.origin())
}

/// `timeouts = { … }`, each a duration such as `"10s"` or `"2m"`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutTable {
    #[serde(default, deserialize_with = "duration")]
    pub(super) connect: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) first_token: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) idle: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) total: Option<Duration>,
}

impl From<TimeoutTable> for Timeouts {
    fn from(table: TimeoutTable) -> Self {
        let usual = Self::default();
        Self {
            connect: table.connect.unwrap_or(usual.connect),
            first_token: table.first_token.unwrap_or(usual.first_token),
            idle: table.idle.unwrap_or(usual.idle),
            total: table.total.unwrap_or(usual.total),
        }
    }
}

/// `[price."MODEL"]`: US dollars per million tokens, and `request` per request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceTable {
    #[serde(default, deserialize_with = "dollars")]
    input: Option<Usd>,
    #[serde(default, deserialize_with = "dollars")]
    output: Option<Usd>,
    #[serde(default, deserialize_with = "dollars")]
    cache_read: Option<Usd>,
    #[serde(default, deserialize_with = "dollars")]
    cache_write: Option<Usd>,
    #[serde(default, deserialize_with = "dollars")]
    reasoning: Option<Usd>,
    #[serde(default, deserialize_with = "dollars")]
    request: Option<Usd>,
}

impl From<PriceTable> for ModelPrice {
    fn from(table: PriceTable) -> Self {
        let PriceTable { input, output, cache_read, cache_write, reasoning, request } = table;
        Self { input, output, cache_read, cache_write, reasoning, request }
    }
}

/// `[cache]`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheTable {
    pub(super) enabled: Option<bool>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) ttl: Option<Duration>,
    #[serde(default, deserialize_with = "size")]
    pub(super) max_size: Option<u64>,
}

/// An amount of memory as people write it: `256MiB`, `1 GB`, or plain bytes.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_size(&text).map(Some).ok_or_else(|| de::Error::custom(format!("`{text}` is not a size such as `256MiB`")))
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim().to_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// A span of time as people write it: `30s`, `2m`, `1m 30s`, `800ms`, or plain seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let duration = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        // A day is 24 hours here, whatever the clocks do.
        None => text
            .parse::<jiff::Span>()
            .ok()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok())
            .and_then(|duration| Duration::try_from(duration).ok()),
    };
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("`{text}` is not a span of time such as `30s` or `2m`"))
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(Some).map_err(de::Error::custom)
}

/// TOML has floats and no decimals; the shortest decimal form of a float is what the user wrote.
pub(super) fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Usd>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "that is not an amount of dollars such as 0.25")]
    enum Number {
        Whole(i64),
        Decimal(f64),
        Text(String),
    }
    let text = match Number::deserialize(deserializer)? {
        Number::Whole(number) => number.to_string(),
        Number::Decimal(number) => number.to_string(),
        Number::Text(text) => text,
    };
    let usd: Usd = text.parse().map_err(de::Error::custom)?;
    if usd < Usd::ZERO { Err(de::Error::custom("an amount of dollars is not negative")) } else { Ok(Some(usd)) }
}

/// Reads a config.
pub(super) fn parse(source: &Source) -> Result<ConfigFile, Error> {
    let mut file: ConfigFile = source.parse()?;
    let tables = std::mem::take(&mut file.pipeline).into_iter();
    file.pipelines = tables.map(|(name, table)| (name, table.placed(|at| source.line(at)))).collect();
    let tables = std::mem::take(&mut file.template).into_iter();
    file.templates = tables.map(|(name, table)| (name, table.placed(|at| source.line(at)))).collect();
    let placed = |table: Spanned<Budget>| Budget { line: source.line(table.span().start), ..table.into_inner() };
    file.budgets = std::mem::take(&mut file.budget).into_iter().map(placed).collect();
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<ConfigFile, Error> {
        parse(&Source::new(Path::new("c.toml"), text))
    }

    fn fails(text: &str) -> (String, Option<String>) {
        let error = read(text).expect_err("a bad config");
        assert_eq!(error.exit_code(), 3);
        (error.to_string(), error.hint())
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let (message, hint) = fails("model = \"m\"\n\n[gateway.corp]\nbase_ulr = \"https://x\"\n");
        assert_eq!(message, "c.toml:4: unknown key `base_ulr`");
        assert_eq!(hint.as_deref(), Some("did you mean `base_url`?"));
        assert_eq!(fails("\"a, expected u8\" = 3").0, "c.toml:1: unknown key `a, expected u8`");
        let (message, hint) = fails("zzz = 1");
        assert_eq!(message, "c.toml:1: unknown key `zzz`");
        assert!(hint.expect("what is known").starts_with("known here: default_gateway"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        assert_eq!(fails("a\n").0.split(": ").next(), Some("c.toml:1"));
        assert!(fails("[gateway.x]\napi = \"soap\"").0.starts_with("c.toml:2: unknown variant `soap`"));
        assert!(fails("[gateway.x]\ntimeouts = { total = \"soon\" }").0.contains("`soon` is not a span of time"));
        assert!(fails("[price.x]\ninput = -1").0.contains("an amount of dollars is not negative"));
        assert_eq!(fails("[price.x]\ninput = true").0, "c.toml:2: that is not an amount of dollars such as 0.25");
        assert!(fails("keyring_timeout = \"0s\"").0.contains("span of time"));
        for (line, wanted) in [
            ("requests_per_minute = 7.5", "floating point `7.5`, where a whole number from 1 to 4294967295 is wanted"),
            ("max_concurrency = 0", "integer `0`, where a whole number from 1 to 4294967295 is wanted"),
            ("requests_per_minute = 4294967296", "where a whole number from 1 to 4294967295 is wanted"),
            ("allow_http = 1", "integer `1`, where `true` or `false` is wanted"),
        ] {
            let (message, _) = fails(&format!("[gateway.x]\n{line}"));
            assert!(message.starts_with("c.toml:2: ") && message.ends_with(wanted), "{message}");
        }
    }

    #[test]
    fn the_default_gateway_may_be_called_gateway_above_the_tables() {
        let file = read("gateway = \"corp\"\n[gateway.corp]\nbase_url = \"https://c\"\n").expect("good");
        assert_eq!(file.default_gateway.as_deref(), Some("corp"));
        assert!(file.gateway.contains_key("corp"));
        let inline = read("gateway = { corp = { base_url = \"https://c\" } }\n").expect("good");
        assert!(inline.gateway.contains_key("corp"));
        let (message, _) = fails("gateway = \"corp\"\nmodel = 3\n");
        assert!(message.starts_with("c.toml:2:"), "{message}");
    }

    #[test]
    fn each_budget_knows_its_line() {
        let text = "model = \"m\"\n[[budget]]\nlimit = 1\nper = \"day\"\n\n[[budget]]\nlimit = 2\nper = \"hour\"\n";
        let file = read(text).expect("good");
        assert_eq!(file.budgets.iter().map(|budget| budget.line).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(fails("[[budget]]\nlimit = 1\nperr = 1").0, "c.toml:3: unknown key `perr`");
    }

    #[test]
    fn prices_are_read_digit_for_digit() {
        let file = read("[price.\"x\"]\ninput = 0.1\noutput = 3\ncache_read = \"0.025\"\n").expect("good");
        let price = ModelPrice::from(file.price["x"]);
        assert_eq!(price.input.map(Usd::to_decimal).as_deref(), Some("0.1"));
        assert_eq!(price.output.map(Usd::to_decimal).as_deref(), Some("3"));
        assert_eq!(price.cache_read.map(Usd::to_decimal).as_deref(), Some("0.025"));
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [("256MiB", 256 << 20), ("1 GB", 1_000_000_000), ("64k", 64 << 10), ("7", 7), ("0", 0)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "1 TiBble", "99999999999 GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn spans_of_time_read_as_people_write_them() {
        for (text, ms) in [
            ("7d", 604_800_000),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1m 30s", 90_000),
            ("800ms", 800),
            ("5", 5_000),
            ("0.5", 500),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "soon", "-1s", "0", "NaN", "inf", "1e30"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
