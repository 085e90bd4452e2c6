//! The built-in table of list prices (the `genai-prices` crate): whose prices apply to a model, and what they are.
//!
//! The crate calculates in floats. They are turned into whole picodollars here and go no further.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};

use crate::config::{Gateway, PriceList};
use crate::money::Usd;
use crate::rates::{Rates, Step, Tariff};

/// The version of the table, for things remembered of it. A test holds it to the lock file.
pub(crate) const VERSION: &str = "0.2.1";

/// Prices are asked for this far ahead, so that a change is known before it comes.
const HORIZON_DAYS: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);
const HALF_HOUR: Duration = Duration::from_secs(1_800);

/// Longer prompts than any model takes; no step of a price lies above.
const LONGEST_PROMPT: u64 = 1 << 24;

/// Whose list prices a gateway's models are sold at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seller {
    /// The provider that the config or a preset names.
    Provider(String),
    /// The provider whose address this is; if it is nobody's, the one that the model's name points to.
    Address(String),
    /// A server without list prices.
    Nobody,
}

impl Seller {
    /// A server on this machine that nobody calls a gateway runs its models itself: `deepseek-r1` there is not sold by
    /// DeepSeek.
    pub(crate) fn of(gateway: &Gateway) -> Self {
        match gateway.price_provider.as_deref() {
            Some("none") => Self::Nobody,
            Some(provider) => Self::Provider(provider.to_owned()),
            None if gateway.base_url.is_loopback() && gateway.price_list == PriceList::Models => Self::Nobody,
            None => Self::Address(gateway.base_url.as_str().to_owned()),
        }
    }

    /// A name for it in files; `None` for nobody.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Provider(name) | Self::Address(name) => Some(name),
            Self::Nobody => None,
        }
    }
}

/// What the table says about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// `None` where the table does not know the model, or its price cannot be said per token.
    pub(crate) tariff: Option<Tariff>,
    /// Until when this holds; `None` where the price depends on the time of day.
    pub(crate) until: Option<SystemTime>,
}

/// Looks up the price of a model, as of `now`. The first lookup decodes the table, which takes some tens of
/// milliseconds, and some megabytes from then on.
pub(crate) fn look_up(seller: &Seller, model: &str, now: SystemTime) -> Lookup {
    let unknown = Lookup { tariff: None, until: now.checked_add(DAY * HORIZON_DAYS) };
    let Some(entry) = Entry::find(Calculator::bundled(), seller, model, now) else {
        return unknown;
    };
    let Some(until) = entry.holds_until(now) else {
        return Lookup { tariff: entry.tariff(now), until: None };
    };
    Lookup { tariff: entry.tariff(now), until: Some(until) }
}

/// The provider and the id by which the table knows a model: of this provider, or of the one that its name points to.
pub(crate) fn find(provider: Option<&str>, model: &str) -> Option<(String, String)> {
    let usage = Usage::new();
    let request = |model: &str| {
        let mut request = PriceRequest::new(model, &usage);
        request.provider_id = provider;
        Calculator::bundled().calculate(&request).ok().map(|found| (found.provider_id, found.model_id))
    };
    spellings(model).iter().find_map(|model| request(model))
}

/// The table's own name for a provider, of which this may be another one.
pub(crate) fn provider(name: &str) -> Option<&'static str> {
    Some(Calculator::bundled().find_provider(Some(name), None).ok()??.id())
}

/// A model that the table knows, under the provider and the spelling by which it does.
struct Entry {
    table: &'static Calculator,
    provider: Option<String>,
    model: String,
    /// The name says that it costs nothing, so that a price of zero is not just a missing one.
    free: bool,
}

impl Entry {
    fn find(table: &'static Calculator, seller: &Seller, model: &str, now: SystemTime) -> Option<Self> {
        // A matching rule that gives up (the crate's only error here) is no match.
        let provider_id =
            |id, url| table.find_provider(id, url).ok().flatten().map(|provider| provider.id().to_owned());
        let (provider, model) = match seller {
            Seller::Nobody => return None,
            Seller::Provider(name) => (Some(name.clone()), model),
            Seller::Address(url) => match provider_id(None, Some(url)) {
                Some(provider) => (Some(provider), model),
                None => match model.split_once('/') {
                    // An unknown prefix may be anybody's, so the rest of the name then says nothing.
                    Some((prefix, rest)) => match provider_id(Some(prefix), None) {
                        Some(provider) => (Some(provider), rest),
                        None => (None, model),
                    },
                    None => (None, model),
                },
            },
        };
        let free = super::says_free(model);
        spellings(model)
            .into_iter()
            .map(|model| Entry { table, provider: provider.clone(), model, free })
            .find(|entry| entry.price(&Usage::new(), now).is_some())
    }

    fn price(&self, usage: &Usage, at: SystemTime) -> Option<genai_prices::PriceCalculation> {
        let mut request = PriceRequest::new(&self.model, usage).with_timestamp(at);
        request.provider_id = self.provider.as_deref();
        self.table.calculate(&request).ok()
    }

    /// Until when the price stays what it is, looking no further than [`HORIZON_DAYS`]; `None` where it depends on the
    /// time of day.
    fn holds_until(&self, now: SystemTime) -> Option<SystemTime> {
        let since_midnight = now.duration_since(UNIX_EPOCH).ok()?.as_secs() % DAY.as_secs();
        let midnight = now.checked_sub(Duration::from_secs(since_midnight))?;
        let today = self.fingerprint(now);
        if (0..48).any(|half_hour| self.fingerprint(midnight + HALF_HOUR * half_hour) != today) {
            return None;
        }
        let mut midnights = (1..HORIZON_DAYS).map(|day| midnight + DAY * day);
        let change = midnights.find(|midnight| self.fingerprint(*midnight) != today);
        Some(change.unwrap_or(midnight + DAY * HORIZON_DAYS))
    }

    /// Something that differs when any rate does: the price of a short and of a long request.
    fn fingerprint(&self, at: SystemTime) -> [Option<f64>; 2] {
        [8.0, LONGEST_PROMPT as f64].map(|input| {
            let usage = Usage::from([
                (UsageKey::INPUT_TOKENS, input),
                (UsageKey::CACHE_READ_TOKENS, input / 2.0),
                (UsageKey::CACHE_WRITE_TOKENS, input / 8.0),
                (UsageKey::OUTPUT_TOKENS, 3.0),
                (UsageKey::OUTPUT_REASONING_TOKENS, 1.0),
            ]);
            Some(self.price(&usage, at)?.total_price)
        })
    }

    fn tariff(&self, at: SystemTime) -> Option<Tariff> {
        let mut tariff = Tariff::from(self.rates(1, at)?);
        let (mut short, mut rates) = (1, tariff.base);
        // No price in the table goes up and down again (a test makes sure), so one look tells most prices from those
        // with steps.
        if self.rates(LONGEST_PROMPT, at)? == rates {
            return Some(tariff);
        }
        let mut long = 2;
        while long <= LONGEST_PROMPT {
            let at_long = self.rates(long, at)?;
            while at_long != rates {
                let above = self.last_at(rates, short, long, at)?;
                rates = self.rates(above + 1, at)?;
                tariff.steps.push(Step { above, rates });
                short = above + 1;
            }
            short = long;
            long *= 2;
        }
        Some(tariff)
    }

    /// The longest prompt below `long` that is still sold at the rates of `short`.
    fn last_at(&self, rates: Rates, mut short: u64, mut long: u64, at: SystemTime) -> Option<u64> {
        while long - short > 1 {
            let middle = short + (long - short) / 2;
            if self.rates(middle, at)? == rates {
                short = middle;
            } else {
                long = middle;
            }
        }
        Some(short)
    }

    /// The rates of prompts of `input` tokens; `None` where the price is not one of tokens alone.
    fn rates(&self, input: u64, at: SystemTime) -> Option<Rates> {
        const MILLION: f64 = 1e6;
        let tokens = input as f64;
        let of = |key, count| self.price(&Usage::from([(UsageKey::INPUT_TOKENS, tokens), (key, count)]), at);
        let plain = self.price(&Usage::from([(UsageKey::INPUT_TOKENS, tokens)]), at)?;
        let request = picos(plain.total_price - plain.input_price - plain.output_price);
        let input = picos(plain.input_price / tokens);
        let output = picos(of(UsageKey::OUTPUT_TOKENS, MILLION)?.output_price / MILLION);
        let all_output_is = |kind: UsageKey| {
            let usage =
                Usage::from([(UsageKey::INPUT_TOKENS, tokens), (UsageKey::OUTPUT_TOKENS, MILLION), (kind, MILLION)]);
            Some(picos(self.price(&usage, at)?.output_price / MILLION))
        };
        // No gateway says how much of an answer was citations.
        if all_output_is(UsageKey::OUTPUT_CITATION_TOKENS)? != output {
            return None;
        }
        let reasoning = all_output_is(UsageKey::OUTPUT_REASONING_TOKENS)?;
        let special = |key| Some(picos(of(key, tokens)?.input_price / tokens)).filter(|rate| *rate != input);
        // The crate bills nothing for what has no price: zero is a price only where both are, and the name agrees.
        if input == Usd::ZERO && output == Usd::ZERO {
            return self.free.then_some(Rates::FREE);
        }
        Some(Rates {
            input: Some(input).filter(|rate| *rate != Usd::ZERO),
            output: Some(output).filter(|rate| *rate != Usd::ZERO),
            cache_read: special(UsageKey::CACHE_READ_TOKENS),
            cache_write: special(UsageKey::CACHE_WRITE_TOKENS),
            reasoning: Some(reasoning).filter(|rate| *rate != output),
            request: Some(request).filter(|rate| *rate != Usd::ZERO),
        })
    }
}

/// A float of dollars as the nearest whole number of picodollars.
fn picos(dollars: f64) -> Usd {
    Usd::from_picos((dollars * 1e12).round() as i64)
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
mod tests {
    use super::*;

    /// 2026-11-20 12:00 UTC.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_176_000)
    }

    fn address(url: &str) -> Seller {
        Seller::Address(url.into())
    }

    fn base(seller: &Seller, model: &str) -> Option<(String, String)> {
        let rates = look_up(seller, model, now()).tariff?.base;
        let text = |rate: Option<Usd>| rate.and_then(|rate| rate.times(1_000_000)).map_or("–".into(), Usd::to_decimal);
        Some((text(rates.input), text(rates.output)))
    }

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"genai-prices\"\nversion = \"{VERSION}\"")));
    }

    #[test]
    fn well_known_models_have_their_list_price() {
        let corp = address("https://llm.corp.example/v1");
        let openrouter = address("https://openrouter.ai/api/v1");
        let openai = address("https://api.openai.com/v1");
        for (seller, model, input, output) in [
            (&openai, "gpt-4o-mini", "0.15", "0.6"),
            (&openai, "gpt-4o-mini-2024-07-18", "0.15", "0.6"),
            (&corp, "gpt-4o-mini", "0.15", "0.6"),
            (&corp, "openai/gpt-4o-mini", "0.15", "0.6"),
            (&openrouter, "openai/gpt-4o-mini", "0.15", "0.6"),
            (&openrouter, "openai/gpt-4o-mini:nitro", "0.15", "0.6"),
            (&openrouter, "anthropic/claude-sonnet-4.5", "3", "15"),
            (&corp, "anthropic/claude-sonnet-4.5", "3", "15"),
            (&corp, "claude-sonnet-4-5-20250929", "3", "15"),
            (&corp, "Claude-Sonnet-4.5", "3", "15"),
            (&corp, "openrouter/anthropic/claude-sonnet-4.5", "3", "15"),
            (&corp, "vertex_ai/claude-sonnet-4-5@20250929", "3", "15"),
            (&corp, "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5"),
            (&corp, "gemini/gemini-2.5-flash", "0.3", "2.5"),
            (&address("https://generativelanguage.googleapis.com/v1beta"), "models/gemini-2.5-flash", "0.3", "2.5"),
            (&Seller::Provider("openai".into()), "gpt-4o-mini", "0.15", "0.6"),
            (&Seller::Provider("litellm".into()), "anthropic/claude-sonnet-4-5", "3", "15"),
        ] {
            assert_eq!(base(seller, model), Some((input.into(), output.into())), "{seller:?} {model}");
        }
    }

    #[test]
    fn nobody_elses_price_is_taken() {
        for (seller, model) in [
            (address("https://llm.corp.example/v1"), "my-finetune"),
            (address("https://llm.corp.example/v1"), "TheBloke/deepseek-coder-33b"),
            (address("https://llm.corp.example/v1"), "someone/claude-sonnet-4-5"),
            (address("https://llm.corp.example/v1"), "openai/gpt-oss-my-own"),
            (address("https://api.openai.com/v1"), "claude-sonnet-4-5"),
            (Seller::Provider("no-such-provider".into()), "gpt-4o-mini"),
            (Seller::Provider("openai".into()), "claude-sonnet-4-5"),
            (Seller::Nobody, "gpt-4o-mini"),
        ] {
            let lookup = look_up(&seller, model, now());
            assert_eq!(lookup.tariff, None, "{seller:?} {model}");
            assert!(lookup.until.is_some(), "that it is unknown is worth remembering");
        }
    }

    #[test]
    fn a_price_that_is_missing_is_not_zero() {
        // Sold by the hour of audio; without an output price; with a price of its own for citations; said to be free.
        let openai = Seller::Provider("openai".into());
        assert_eq!(base(&openai, "whisper-1"), None);
        assert_eq!(base(&openai, "text-embedding-3-small"), Some(("0.02".into(), "–".into())));
        assert_eq!(base(&Seller::Provider("perplexity".into()), "sonar-deep-research"), None);
        let free = look_up(&Seller::Provider("openrouter".into()), "deepseek/deepseek-r1:free", now());
        assert_eq!(free.tariff, Some(Rates::FREE.into()));
        assert_eq!(base(&Seller::Provider("github-copilot".into()), "gpt-4o"), None, "paid by subscription");
    }

    #[test]
    fn prices_for_cached_tokens_and_requests_are_found() {
        let usd = |text: &str| Some(text.parse::<Usd>().expect(text).per_million());
        let claude = look_up(&Seller::Provider("anthropic".into()), "claude-haiku-4-5", now()).tariff.expect("known");
        assert_eq!((claude.base.cache_read, claude.base.cache_write), (usd("0.1"), usd("1.25")));
        let deep = look_up(&Seller::Provider("openrouter".into()), "perplexity/sonar-deep-research", now());
        assert_eq!(deep.tariff.expect("known").base.reasoning, usd("3"));
        let sonar = look_up(&Seller::Provider("perplexity".into()), "sonar", now()).tariff.expect("known");
        assert_eq!(sonar.base.request.map(Usd::to_decimal).as_deref(), Some("0.012"));
    }

    #[test]
    fn steps_are_found_exactly() {
        let above = |provider: &str, model: &str| -> Vec<(u64, String)> {
            let tariff = look_up(&Seller::Provider(provider.into()), model, now()).tariff.expect("known");
            let input = |step: &Step| step.rates.input.and_then(|rate| rate.times(1_000_000)).expect("a price");
            tariff.steps.iter().map(|step| (step.above, input(step).to_decimal())).collect()
        };
        assert_eq!(above("anthropic", "claude-sonnet-4-5"), [(200_000, "6".into())]);
        assert_eq!(above("openrouter", "qwen/qwen3-coder-flash"), [(32_000, "0.325".into()), (128_000, "0.52".into())]);
        assert_eq!(above("anthropic", "claude-haiku-4-5"), []);
    }

    #[test]
    fn it_is_known_how_long_a_price_holds() {
        let until = |provider: &str, model: &str, now| look_up(&Seller::Provider(provider.into()), model, now).until;
        assert_eq!(until("deepseek", "deepseek-v4-pro", now()), None, "cheaper at night");
        let midnight = UNIX_EPOCH + Duration::from_secs(1_795_132_800);
        assert_eq!(until("openai", "gpt-4o-mini", now()), Some(midnight + DAY * 30));
        let changes = UNIX_EPOCH + Duration::from_secs(1_796_083_200);
        assert_eq!(until("google", "gemini-4-argon", now()), Some(changes), "2026-12-01");
    }

    /// Our sum from the rates agrees with the crate's own, over the whole table.
    #[test]
    fn prices_agree_with_the_table() {
        let table = Calculator::bundled();
        let mut compared = 0;
        for provider in table.providers() {
            for model in provider.models() {
                let seller = Seller::Provider(provider.id().into());
                let Some(entry) = Entry::find(table, &seller, model.id(), now()) else { continue };
                let Some(tariff) = entry.tariff(now()).filter(|tariff| tariff.base.is_complete()) else { continue };
                for input in [1_000u64, 31_000, 33_000, 150_000, 230_000, 300_000, 3_000_000] {
                    let (read, written, output) = (input / 2, input / 4, 700u64);
                    let theirs = Usage::from([
                        (UsageKey::INPUT_TOKENS, input as f64),
                        (UsageKey::CACHE_READ_TOKENS, read as f64),
                        (UsageKey::CACHE_WRITE_TOKENS, written as f64),
                        (UsageKey::OUTPUT_TOKENS, output as f64),
                    ]);
                    let ours = crate::chat::Usage {
                        input: Some(input),
                        cache_read: Some(read),
                        cache_write: Some(written),
                        output: Some(output),
                        reasoning: Some(0),
                        ..Default::default()
                    };
                    let theirs = picos(entry.price(&theirs, now()).expect("priced").total_price).picos();
                    let ours = tariff.cost(&ours).expect("complete").picos();
                    // The table has rates with more than six decimals per million tokens; each is rounded once.
                    let rounding = i64::try_from(input + output).expect("small");
                    assert!((ours - theirs).abs() <= rounding, "{} {}: {ours} {theirs}", provider.id(), model.id());
                    compared += 1;
                }
            }
        }
        assert!(compared > 7_000, "{compared}");
    }
}
