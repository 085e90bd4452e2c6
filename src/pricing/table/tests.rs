use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};

use super::*;
use crate::money::Usd;
use crate::pricing::names::says_free;
use crate::rates::{Rates, Step};

/// 2026-11-20 12:00 UTC.
const NOON: u64 = 1_795_176_000;
const HOUR: u64 = 3_600;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tariff(seller: &Seller, model: &str) -> Option<Tariff> {
    find(seller, model)?.tariff(at(NOON), says_free(model))
}

fn address(url: &str) -> Seller {
    Seller::Address(url.into())
}

fn base(seller: &Seller, model: &str) -> Option<(String, String)> {
    let rates = tariff(seller, model)?.base;
    let text = |rate: Option<Usd>| rate.and_then(|rate| rate.times(1_000_000)).map_or("–".into(), Usd::to_decimal);
    Some((text(rates.input), text(rates.output)))
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
        assert_eq!(tariff(&seller, model), None, "{seller:?} {model}");
    }
}

#[test]
fn a_price_that_is_missing_is_not_zero() {
    // Sold by the hour of audio; without an output price; with a price of its own for citations; said to be free.
    let openai = Seller::Provider("openai".into());
    assert_eq!(base(&openai, "whisper-1"), None);
    assert_eq!(base(&openai, "text-embedding-3-small"), Some(("0.02".into(), "–".into())));
    assert_eq!(base(&Seller::Provider("perplexity".into()), "sonar-deep-research"), None);
    let free = tariff(&Seller::Provider("openrouter".into()), "deepseek/deepseek-r1:free");
    assert_eq!(free, Some(Rates::FREE.into()));
    assert_eq!(base(&Seller::Provider("github-copilot".into()), "gpt-4o"), None, "paid by subscription");
}

#[test]
fn the_price_of_text_is_not_that_of_pictures_sound_searches_or_haste() {
    let corp = address("https://llm.corp.example/v1");
    for (seller, model) in [
        ("google", "gemini-2.5-flash-image"),
        ("google", "gemini-3-pro-image-preview"),
        ("google", "gemini-2.5-flash-native-audio-preview-09-2025"),
        ("google", "gemini-3.8-live"),
        ("openai", "gpt-5-search-api"),
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-4o-mini-realtime-preview"),
        ("openai", "o3-deep-research"),
        ("openrouter", "openai/gpt-5-image"),
        ("openrouter", "perplexity/sonar-pro-search"),
        ("openrouter", "perplexity/sonar"),
        ("openrouter", "perplexity/sonar-pro"),
        ("openrouter", "perplexity/sonar-reasoning-pro"),
        ("openrouter", "perplexity/llama-3.1-sonar-large-128k-online"),
        ("openrouter", "sonar-reasoning"),
        ("perplexity", "llama-3.1-sonar-small-128k-online"),
        ("anthropic", "claude-opus-4-6-fast"),
    ] {
        assert_eq!(base(&Seller::Provider(seller.into()), model), None, "{seller} {model}");
    }
    assert_eq!(base(&corp, "anthropic/claude-opus-4.6-fast"), None);
    let openrouter = Seller::Provider("openrouter".into());
    assert_eq!(base(&openrouter, "anthropic/claude-opus-4.6-fast"), Some(("30".into(), "150".into())));
    assert!(base(&openrouter, "x-ai/grok-code-fast-1").is_some());
    assert!(base(&Seller::Provider("google".into()), "gemini-2.5-flash-tts").is_some(), "it writes sound alone");
    assert!(!has("a-delivery", "live"));
}

#[test]
fn prices_for_cached_tokens_and_requests_are_found() {
    let usd = |text: &str| Some(text.parse::<Usd>().expect(text).per_million());
    let claude = tariff(&Seller::Provider("anthropic".into()), "claude-haiku-4-5").expect("known");
    assert_eq!((claude.base.cache_read, claude.base.cache_write), (usd("0.1"), usd("1.25")));
    let deep = find(&Seller::Provider("openrouter".into()), "perplexity/sonar-deep-research").expect("known");
    assert_eq!(deep.text_tariff(at(NOON), false).expect("priced").base.reasoning, usd("3"));
    let sonar = tariff(&Seller::Provider("perplexity".into()), "sonar").expect("known");
    assert_eq!(sonar.base.request.map(Usd::to_decimal).as_deref(), Some("0.012"));
    let at_a_gateway = tariff(&address("https://llm.corp.example/v1"), "perplexity/sonar-pro").expect("known");
    assert_eq!(at_a_gateway.base.request.map(Usd::to_decimal).as_deref(), Some("0.014"));
    assert!(base(&Seller::Provider("openrouter".into()), "perplexity/r1-1776").is_some(), "it does not search");
}

#[test]
fn steps_are_found_exactly() {
    let above = |provider: &str, model: &str| -> Vec<(u64, String)> {
        let tariff = tariff(&Seller::Provider(provider.into()), model).expect("known");
        let input = |step: &Step| step.rates.input.and_then(|rate| rate.times(1_000_000)).expect("a price");
        tariff.steps.iter().map(|step| (step.above, input(step).to_decimal())).collect()
    };
    assert_eq!(above("anthropic", "claude-sonnet-4-5"), [(200_000, "6".into())]);
    assert_eq!(above("openrouter", "qwen/qwen3-coder-flash"), [(32_000, "0.325".into()), (128_000, "0.52".into())]);
    assert_eq!(above("anthropic", "claude-haiku-4-5"), []);
}

#[test]
fn prices_change_with_the_day_and_the_hour() {
    let input = |provider: &str, model: &str, seconds: u64| {
        let entry = find(&Seller::Provider(provider.into()), model).expect("known");
        let rate = entry.tariff(at(seconds), false).expect("priced").base.input;
        rate.and_then(|rate| rate.times(1_000_000)).map(Usd::to_decimal)
    };
    let december = NOON + (10 * 24 + 12) * HOUR;
    assert_eq!(input("google", "gemini-4-argon", december - 1).as_deref(), Some("2"));
    assert_eq!(input("google", "gemini-4-argon", december).as_deref(), Some("4"));
    let dear = |hour: &u64| input("deepseek", "deepseek-v4-pro", december + hour * HOUR).as_deref() == Some("1.32");
    assert_eq!((0..24).filter(dear).collect::<Vec<u64>>(), [1, 2, 3, 6, 7, 8, 9]);
}

/// The data is that of the crate, and what is made of it costs what the crate calculates: every model, at lengths on both
/// sides of every step, by day and by night.
#[test]
fn every_price_is_what_the_crate_of_the_table_calculates() {
    let table = Calculator::bundled();
    let price = |provider: &str, model: &str, usage: &Usage, now| {
        table.calculate(&PriceRequest::new(model, usage).with_timestamp(now).with_provider_id(provider)).ok()
    };
    let theirs = table.providers().flat_map(|provider| provider.models().map(move |model| (provider.id(), model.id())));
    let ours = TABLE.iter().flat_map(|provider| provider.models().iter().map(|model| (provider.id, model.id)));
    assert!(theirs.eq(ours.clone()), "the crate has been updated: run src/pricing/table/update");
    let mut compared = 0;
    for (provider, model) in ours {
        let found = price(provider, model, &Usage::new(), at(NOON)).map(|found| (found.provider_id, found.model_id));
        let entry = find(&Seller::Provider(provider.into()), model);
        let names = entry.map(|entry| (entry.provider.to_owned(), entry.id().to_owned()));
        assert_eq!(names, found, "{provider} {model}");
        let Some(entry) = entry else { continue };
        for now in [NOON, NOON + 8 * HOUR, NOON + 14 * HOUR, NOON + 19 * HOUR, NOON + 60 * 24 * HOUR].map(at) {
            let tariff = entry
                .text_tariff(now, says_free(model))
                .filter(|tariff| tariff.base.input.is_some() && tariff.base.output.is_some());
            let Some(tariff) = tariff else { continue };
            let steps = tariff.steps.iter().flat_map(|step| [step.above, step.above + 1]);
            for input in steps.chain([1_000, 3_000_000]) {
                let (read, written, output) = (input / 2, input / 4, 700);
                let theirs = Usage::from([
                    (UsageKey::INPUT_TOKENS, input as f64),
                    (UsageKey::CACHE_READ_TOKENS, read as f64),
                    (UsageKey::CACHE_WRITE_TOKENS, written as f64),
                    (UsageKey::OUTPUT_TOKENS, output as f64),
                    (UsageKey::OUTPUT_REASONING_TOKENS, 300.0),
                ]);
                let ours = crate::chat::Usage {
                    input: Some(input),
                    cache_read: Some(read),
                    cache_write: Some(written),
                    output: Some(output),
                    reasoning: Some(300),
                    ..Default::default()
                };
                let theirs = price(provider, model, &theirs, now).expect("priced").total_price;
                let theirs = (theirs * 1e12).round() as i64;
                let ours = tariff.cost(&ours).expect("complete").picos();
                // Some rates have more than six decimals per million tokens; each is rounded once.
                let rounding = i64::try_from(input + output).expect("small");
                assert!((ours - theirs).abs() <= rounding, "{provider} {model}: {ours} {theirs}");
                compared += 1;
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
}

#[test]
fn dates_of_releases_are_found_however_they_are_written() {
    for (name, dashed) in [
        ("gpt-5.2-20251211", Some("gpt-5.2-2025-12-11")),
        ("claude-20251211-v1:0", Some("claude-2025-12-11-v1:0")),
        ("m-20251211:free", Some("m-2025-12-11:free")),
        ("m-20250230", None),
        ("m-202512110", None),
        ("m-2025-12-11", None),
        ("20251211", None),
    ] {
        assert_eq!(with_dashes_in_date(name).as_deref(), dashed, "{name}");
    }
}

#[test]
fn every_pattern_compiles() {
    fn patterns(rule: &Rule) -> Vec<&Pattern> {
        match rule {
            Rule::And(rules) | Rule::Or(rules) => rules.iter().flat_map(patterns).collect(),
            Rule::Regex(pattern) => vec![pattern],
            Rule::Equals(_) | Rule::StartsWith(_) | Rule::EndsWith(_) | Rule::Contains(_) => Vec::new(),
        }
    }
    for provider in TABLE.iter() {
        let own = [&provider.provider_match, &provider.model_match].into_iter().flatten();
        let rules = own.chain(provider.models().iter().map(|model| &model.rule));
        for pattern in rules.flat_map(patterns).chain([&provider.api_pattern]) {
            pattern.matches("gpt-4o-mini");
        }
    }
}

#[test]
fn a_family_has_no_price_for_members_that_the_table_does_not_know() {
    for (provider, model, is_known) in [
        ("anthropic", "claude-opus-4-6-20260205", true),
        ("anthropic", "claude-opus-4-6-xyz", false),
        ("aws", "amazon.nova-lite-v1:0", true),
        ("aws", "us.amazon.nova-lite-v1:0", true),
        ("aws", "eu.amazon.nova-lite-v1:0", false),
        ("aws", "us-gov-east-1/amazon.nova-lite-v1:0", false),
        ("aws", "eu.anthropic.claude-3-5-haiku-20241022-v1:0", true),
        ("azure", "o4-mini-2025-04-16", true),
        ("azure", "eu/o4-mini-2025-04-16", false),
        ("google", "claude-opus-5@default", true),
        ("google", "gemini-2.5-flash-lite-preview-09-2025", true),
        ("google", "gemini-2.5-flash-lite-preview-09", false),
        ("google", "gemini-2.5-pro-001", true),
        ("google", "gemini-2.5-pro-1", false),
        ("google", "gemini-3.8-flash", true),
        ("google", "gemini-3.8-flash-cyber", false),
        ("openai", "ft:gpt-4o-2024-08-06", true),
        ("openai", "gpt-5-nano-2025-08-07", true),
    ] {
        assert_eq!(base(&Seller::Provider(provider.into()), model).is_some(), is_known, "{provider} {model}");
    }
}
