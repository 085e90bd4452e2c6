//! Which model a name stands for, however a gateway spells it: who made it, and its entry in the table of list prices.

use std::time::SystemTime;

use super::names::{bare, says_free};
use super::table::{self, Entry, Seller};
use crate::rates::Tariff;

/// Parts of a name that say where a model runs, not who made it.
const HOSTS: [&str; 27] = [
    "@cf",
    "accounts",
    "amazon-bedrock",
    "azure",
    "azure_ai",
    "baseten",
    "bedrock",
    "bedrock_converse",
    "cerebras",
    "databricks",
    "deepinfra",
    "fireworks",
    "fireworks_ai",
    "github-copilot",
    "groq",
    "huggingface",
    "litellm",
    "models",
    "novita",
    "ollama",
    "openrouter",
    "sambanova",
    "together",
    "together_ai",
    "vertex",
    "vertex_ai",
    "workers-ai",
];

/// The makers of models as Bedrock writes them, before the dot.
const BEDROCK_MAKERS: [&str; 14] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "openai",
    "qwen",
    "zai",
];

/// Other names of makers that the table of list prices does not have.
const ALIASES: [(&str, &str); 6] = [
    ("amazon", "amazon"),
    ("meta-llama", "meta"),
    ("xai", "x-ai"),
    ("z-ai", "zai"),
    ("zhipuai", "zai"),
    ("alibaba", "qwen"),
];

/// The makers of models by how their names begin, for names without a maker that the table does not have.
const FAMILIES: [(&str, &str); 17] = [
    ("chatgpt", "openai"),
    ("claude", "anthropic"),
    ("codestral", "mistral"),
    ("command", "cohere"),
    ("deepseek", "deepseek"),
    ("gemini", "google"),
    ("gemma", "google"),
    ("glm", "zai"),
    ("gpt", "openai"),
    ("grok", "x-ai"),
    ("kimi", "moonshotai"),
    ("llama", "meta"),
    ("minimax", "minimax"),
    ("mistral", "mistral"),
    ("mixtral", "mistral"),
    ("nova", "amazon"),
    ("qwen", "qwen"),
];

/// What OpenRouter adds to a name to choose among the providers of the model, or the way in which it answers.
const VARIANTS: [&str; 9] =
    [":free", ":nitro", ":floor", ":exacto", ":online", ":thinking", ":extended", ":batch", ":beta"];

/// Which model a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who made it: `anthropic`, `openai`, …; `None` where neither the name nor the table tells.
    pub maker: Option<String>,
    /// Its name alone, without maker, host and punctuation.
    name: String,
    /// The words of the name that all of its releases have.
    words: Vec<String>,
    /// Its entry in the table of list prices, under its maker.
    listed: Option<Entry>,
}

impl Identity {
    /// The model that this name stands for.
    pub fn of(model: &str) -> Self {
        let parts = Parts::of(model);
        let (maker, name) = (parts.maker(), parts.name);
        let words = words(&name);
        // An entry of the table may hold for a whole family of models; it is this model's only if its name is.
        let listed = maker
            .as_deref()
            .and_then(|maker| table::find(&Seller::Provider(sold_by(maker).to_owned()), &name))
            .filter(|entry| self::words(entry.id()) == words);
        Self { maker, name: bare(&name), words, listed }
    }

    /// What its maker sells it for, without any gateway's markup.
    pub fn list_price(&self) -> Option<Tariff> {
        let entry = self.listed?;
        entry.tariff(SystemTime::now(), says_free(entry.id()))
    }

    /// Whether this name stands for the same model, as far as names tell.
    pub fn is_called(&self, model: &str) -> bool {
        // A name with other words is another model, whatever the table says. Most names end here.
        words(&Parts::of(model).name) == self.words && self.is_same(&Self::of(model))
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.listed, &other.listed) {
            (Some(one), Some(other)) => one == other,
            _ => {
                let same_maker = self.maker.is_none() || other.maker.is_none() || self.maker == other.maker;
                same_maker && self.name == other.name
            }
        }
    }
}

/// Who made the model of this name. Returns `None` where neither the name nor the table tells.
pub fn maker(model: &str) -> Option<String> {
    Parts::of(model).maker()
}

/// The words of a name in alphabetical order (`gemini-flash-1.5` is `gemini-1.5-flash`), without the parts at its end that
/// tell the release: dates, numbers of builds, `latest`, `preview`.
fn words(name: &str) -> Vec<String> {
    const RELEASES: [&str; 6] = ["latest", "preview", "exp", "beta", "v1", "0"];
    let bare = bare(name);
    let mut words: Vec<&str> = bare.split('-').collect();
    let is_number = |word: &str, digits: usize| word.len() >= digits && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut after_year = false;
    while let Some(last) = words.last().filter(|_| words.len() > 1) {
        if !(RELEASES.contains(last) || is_number(last, 3) || (after_year && is_number(last, 2))) {
            break;
        }
        after_year = is_number(last, 4);
        words.pop();
    }
    words.sort_unstable();
    words.into_iter().map(str::to_owned).collect()
}

/// The parts of a name.
struct Parts {
    /// Who made it, as written in the name.
    vendor: Option<String>,
    /// Without host, vendor and variant.
    name: String,
}

impl Parts {
    fn of(model: &str) -> Self {
        let lower = model.trim().to_lowercase();
        let plain = VARIANTS.iter().find_map(|variant| lower.strip_suffix(variant)).unwrap_or(&lower);
        let mut path: Vec<&str> = plain.split('/').filter(|part| !part.is_empty()).collect();
        let name = path.pop().unwrap_or_default();
        let vendor = path.into_iter().find(|part| !HOSTS.contains(part)).map(str::to_owned);
        let (bedrock_vendor, name) = without_bedrock(name);
        Self { vendor: bedrock_vendor.map(str::to_owned).or(vendor), name: name.replace('@', "-") }
    }

    fn maker(&self) -> Option<String> {
        match &self.vendor {
            Some(vendor) => Some(known_as(vendor)),
            None => {
                let listed = table::find_by_name(&self.name).map(|entry| known_as(entry.provider));
                listed.or_else(|| family(&self.name))
            }
        }
    }
}

/// `us.anthropic.claude-sonnet-4-5-20250929-v1:0` is `anthropic` and `claude-sonnet-4-5-20250929`.
fn without_bedrock(name: &str) -> (Option<&str>, &str) {
    let local = match name.split_once('.') {
        Some((region, rest)) if region == "global" || table::REGIONS.contains(&region) => rest,
        _ => name,
    };
    match local.split_once('.') {
        Some((maker, rest)) if BEDROCK_MAKERS.contains(&maker) => (Some(maker), without_version(rest)),
        _ => (None, name),
    }
}

/// Without `-v1:0` or `-v1` at its end.
fn without_version(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let major = name.split_once(':').map_or(name, |(major, _)| major);
    match major.rsplit_once("-v") {
        Some((rest, version)) if is_number(version) => rest,
        _ => major,
    }
}

/// The one name under which a maker is shown.
fn known_as(vendor: &str) -> String {
    let alias = |name: &str| ALIASES.iter().find(|(other, _)| *other == name).map(|(_, maker)| (*maker).to_owned());
    alias(vendor).unwrap_or_else(|| {
        let provider = table::provider(vendor).unwrap_or(vendor);
        alias(provider).unwrap_or_else(|| provider.to_owned())
    })
}

/// The provider of the table that sells a maker's models at the maker's price.
fn sold_by(maker: &str) -> &str {
    if maker == "amazon" { "aws" } else { maker }
}

fn family(name: &str) -> Option<String> {
    FAMILIES.iter().find(|(family, _)| name.starts_with(family)).map(|(_, maker)| (*maker).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_known_by_one_name_however_models_are_spelled() {
        for (model, expected) in [
            ("anthropic/claude-opus-4", Some("anthropic")),
            ("Claude-sonnet-4-6", Some("anthropic")),
            ("vertex_ai/claude-sonnet-4-5@20250929", Some("anthropic")),
            ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some("anthropic")),
            ("openrouter/openai/gpt-5.4-mini", Some("openai")),
            ("gpt-5.4-mini", Some("openai")),
            ("o3", Some("openai")),
            ("azure/gpt-4o", Some("openai")),
            ("models/gemini-2.5-flash", Some("google")),
            ("gemini/gemini-2.5-flash", Some("google")),
            ("google/gemma-3-27b-it:free", Some("google")),
            ("mistralai/mistral-large", Some("mistral")),
            ("mistral-large-latest", Some("mistral")),
            ("meta-llama/llama-3.3-70b-instruct", Some("meta")),
            ("llama3.2:3b", Some("meta")),
            ("groq/llama-3.3-70b-versatile", Some("meta")),
            ("accounts/fireworks/models/deepseek-v3", Some("deepseek")),
            ("amazon.nova-lite-v1:0", Some("amazon")),
            ("amazon/nova-lite-v1", Some("amazon")),
            ("x-ai/grok-4", Some("x-ai")),
            ("demo/quick", Some("demo")),
            ("someone/claude-like", Some("someone")),
            ("my-own", None),
            ("", None),
        ] {
            assert_eq!(maker(model).as_deref(), expected, "{model}");
        }
    }

    #[test]
    fn one_model_is_recognized_in_all_its_spellings() {
        let sonnet = Identity::of("anthropic/claude-sonnet-4.5");
        assert!(sonnet.listed.is_some());
        for same in [
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5",
            "anthropic/claude-sonnet-4.5:nitro",
            "openrouter/anthropic/claude-sonnet-4.5",
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "vertex_ai/claude-sonnet-4-5@20250929",
        ] {
            assert!(sonnet.is_called(same), "{same}: {:?} {sonnet:?}", Identity::of(same));
        }
        let flash = Identity::of("google/gemini-2.5-flash");
        assert!(flash.listed.is_some());
        assert!(Identity::of("anthropic/claude-sonnet-4").is_called("claude-sonnet-4-20250514"));
        assert!(Identity::of("claude-sonnet-4").listed.is_some(), "the table calls it claude-sonnet-4-0");
        assert!(flash.is_called("gemini-2.5-flash-preview-09-2025"));
        for other in ["claude-sonnet-4", "anthropic/claude-opus-4.5", "someone/claude-sonnet-4.5", "gpt-4o", "my-own"] {
            assert!(!sonnet.is_called(other), "{other}");
        }
    }

    #[test]
    fn what_a_maker_asks_is_known_however_its_model_is_spelled() {
        let input = |model: &str| {
            let rate = Identity::of(model).list_price()?.base.input?;
            rate.times(1_000_000).map(crate::money::Usd::to_decimal)
        };
        for model in
            ["claude-sonnet-4.5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-v1"]
        {
            assert_eq!(input(model).as_deref(), Some("3"), "{model}");
        }
        assert_eq!(input("my-own"), None);
    }

    #[test]
    fn only_what_tells_the_release_is_left_out_of_a_name() {
        let texts = |name: &str| words(name).join(" ");
        for (name, expected) in [
            ("gemini-2.5-flash-preview-09-2025", "2 5 flash gemini"),
            ("gemma-09", "09 gemma"),
            ("model-0125", "model"),
            ("latest", "latest"),
            ("claude-latest", "claude"),
        ] {
            assert_eq!(texts(name), expected, "{name}");
        }
        for (name, expected) in
            [("a-v1:0", "a"), ("a-v12", "a"), ("a-v1b", "a-v1b"), ("a-v", "a-v"), ("a-v1b:0", "a-v1b")]
        {
            assert_eq!(without_version(name), expected, "{name}");
        }
    }

    #[test]
    fn a_family_that_is_priced_alike_is_not_one_model() {
        for (one, other) in [
            ("deepseek/deepseek-r1", "deepseek/deepseek-r1-distill-llama-70b"),
            ("google/gemma-3-4b-it", "google/gemma-3-27b-it"),
            ("minimax/minimax-m2", "minimax/minimax-m2.5"),
            ("openai/gpt-4o-mini", "openai/gpt-4o-mini-search-preview"),
            ("openai/gpt-4o", "openai/gpt-4o-2024-05-13"),
        ] {
            assert!(!Identity::of(one).is_called(other), "{one} {other}");
        }
        assert_eq!(Identity::of("deepseek/deepseek-r1-distill-llama-70b").listed, None, "it is not sold by DeepSeek");
    }

    #[test]
    fn models_without_a_list_price_are_told_apart_by_name() {
        let llama = Identity::of("meta-llama/llama-3.3-70b-instruct");
        assert!(llama.is_called("meta-llama/llama-3.3-70b-instruct:free"));
        assert!(llama.is_called("llama-3.3-70b-instruct"));
        assert!(!llama.is_called("meta-llama/llama-3.1-70b-instruct"));
        let own = Identity::of("my-own");
        assert!(own.is_called("corp/my-own"), "nothing says that it is another one");
        assert!(!Identity::of("demo/quick").is_called("demo/steady"));
    }
}
