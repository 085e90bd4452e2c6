use super::*;
use crate::adapter::Api;
use crate::chat::FinishReason;
use crate::config::{Auth, BaseUrl, KeySource, PriceList as Shape, Timeouts};
use crate::error::{Failure, FailureKind};
use crate::rates::{CacheMark, Step};
use crate::record::{Timing, TotalCost};

fn gateway(url: &str) -> Gateway {
    Gateway {
        name: "corp".into(),
        base_url: BaseUrl::parse(url, false).expect(url),
        api: Api::OpenaiChat,
        model_api: std::collections::BTreeMap::new(),
        auth: Auth::Optional,
        key: KeySource::default(),
        headers: BTreeMap::new(),
        ca_file: None,
        timeouts: Timeouts::default(),
        rate: Default::default(),
        markup: None,
        models: Vec::new(),
        price_list: Shape::Models,
        price_provider: None,
    }
}

fn corp() -> Gateway {
    gateway("https://llm.corp.example/v1")
}

fn only(gateway: &Gateway) -> BTreeMap<String, Gateway> {
    BTreeMap::from([("corp".to_owned(), gateway.clone())])
}

fn attempt(model: &str) -> Attempt {
    Attempt {
        gateway: "corp".into(),
        model: model.into(),
        status: Some(200),
        error: None,
        start: std::time::Duration::ZERO,
        duration: std::time::Duration::ZERO,
        cost: None,
        request_id: None,
    }
}

/// A million tokens in, none out.
fn record(asked: &str, answered: &str) -> Record {
    Record {
        id: "1".into(),
        run: "1".into(),
        model: "an-alias".into(),
        gateway: "corp".into(),
        answered_by: Some(answered.into()),
        status: Status::Ok,
        text: "hello".into(),
        reasoning: String::new(),
        reasoning_signature: None,
        tool_calls: Vec::new(),
        logprobs: Vec::new(),
        finish_reason: None,
        cached: false,
        saved: None,
        usage: Usage { input: Some(1_000_000), output: Some(0), ..Usage::default() },
        cost: None,
        rates: None,
        timing: Timing::default(),
        attempts: vec![attempt(asked)],
        error: None,
        tags: BTreeMap::new(),
    }
}

fn usd(text: &str) -> Usd {
    text.parse().expect(text)
}

fn rates(input: &str) -> Rates {
    Rates { input: Some(usd(input).per_million()), output: Some(usd(input).per_million()), ..Rates::default() }
}

/// Prices of a million input tokens, by name, in the config.
fn config(prices: &[(&str, &str)]) -> BTreeMap<String, ModelPrice> {
    let price = |usd| ModelPrice { input: Some(usd), output: Some(usd), ..ModelPrice::default() };
    prices.iter().map(|(model, input)| ((*model).to_owned(), price(usd(input)))).collect()
}

fn list(prices: &[(&str, &str)]) -> Vec<(String, Tariff)> {
    prices.iter().map(|(model, input)| ((*model).to_owned(), rates(input).into())).collect()
}

/// The cost by these prices, as `origin usd`.
fn priced(pricing: &Pricing, gateway: &Gateway, mut record: Record) -> String {
    pricing.price(&mut record, &only(gateway));
    record.cost.map_or("unknown".into(), |cost| format!("{} {}", cost.origin.as_str(), cost.usd.to_decimal()))
}

fn reported(record: Record, cost: &str) -> Record {
    Record { cost: Some(Cost::new(usd(cost), CostOrigin::Reported)), ..record }
}

#[test]
fn the_best_source_wins() {
    let record = || record("gpt-4o-mini", "gpt-4o-mini");
    let none = Pricing::new(&config(&[]), None);
    let in_config = || Pricing::new(&config(&[("gpt-4o-mini", "7")]), None);
    let listed = Pricing::new(&config(&[]), None).with_list("corp", list(&[("gpt-4o-mini", "8")]));
    let both = in_config().with_list("corp", list(&[("gpt-4o-mini", "8")]));
    assert_eq!(priced(&both, &corp(), reported(record(), "0.01")), "reported 0.01");
    assert_eq!(priced(&both, &corp(), record()), "config 7");
    assert_eq!(priced(&listed, &corp(), record()), "gateway 8");
    assert_eq!(priced(&none, &corp(), record()), "table 0.15");
    assert_eq!(priced(&none, &corp(), self::record("my-own", "my-own")), "unknown");
    let other = Gateway { name: "other".into(), ..corp() };
    assert_eq!(priced(&listed, &other, record()), "table 0.15", "another gateway's list is not this one's");
}

#[test]
fn what_answered_is_priced() {
    let pricing = |prices: &[(&str, &str)], listed: &[(&str, &str)]| {
        Pricing::new(&config(prices), None).with_list("corp", list(listed))
    };
    for (prices, listed, asked, answered, cost) in [
        // Both names are in the list: the gateway put one in the place of the other.
        (&[][..], &[("big", "9"), ("small", "1")][..], "big", "small", "gateway 1"),
        (&[("big", "9"), ("small", "1")], &[], "big", "small", "config 1"),
        (&[("big", "9")], &[("small", "1")], "big", "small", "gateway 1"),
        // An alias, of which the answer tells the upstream's name.
        (&[], &[("fast", "3")], "fast", "gpt-4o-mini-2024-07-18", "gateway 3"),
        (&[("fast", "3")], &[], "fast", "gpt-4o-mini-2024-07-18", "config 3"),
        // A release of what was asked for.
        (
            &[("gpt-4o-mini", "5")],
            &[("gpt-4o-mini-2024-07-18", "4")],
            "gpt-4o-mini",
            "gpt-4o-mini-2024-07-18",
            "config 5",
        ),
        (&[("gpt-4o-mini", "5"), ("*", "4")], &[], "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "config 5"),
        (&[], &[], "gpt-4o", "gpt-4o-mini-2024-07-18", "table 0.15"),
        (&[], &[], "gpt-4o", "something-else", "unknown"),
        // A variant.
        (&[], &[("m", "2"), ("m:batch", "1")], "m:batch", "m", "gateway 1"),
    ] {
        assert_eq!(priced(&pricing(prices, listed), &corp(), record(asked, answered)), cost, "{asked} → {answered}");
    }
}

#[test]
fn the_closest_pattern_of_the_config_is_used() {
    let prices = config(&[("*", "1"), ("claude-*", "2"), ("claude-opus*", "3"), ("claude-opus-4-1", "4")]);
    let pricing = Pricing::new(&prices, None);
    for (model, cost) in [
        ("gpt-5", "config 1"),
        ("claude-haiku", "config 2"),
        ("claude-opus-4-5", "config 3"),
        ("claude-opus-4-1", "config 4"),
    ] {
        assert_eq!(priced(&pricing, &corp(), record(model, model)), cost, "{model}");
    }
}

#[test]
fn a_reported_zero_is_only_believed_of_free_models() {
    let pricing = |prices: &[(&str, &str)]| Pricing::new(&config(prices), None);
    let zero = |model: &str| reported(record(model, model), "0");
    assert_eq!(priced(&pricing(&[]), &corp(), zero("my-own")), "unknown");
    assert_eq!(priced(&pricing(&[]), &corp(), zero("gpt-4o-mini")), "table 0.15");
    assert_eq!(priced(&pricing(&[("my-own", "2")]), &corp(), zero("my-own")), "config 2");
    assert_eq!(priced(&pricing(&[("my-own", "0")]), &corp(), zero("my-own")), "reported 0");
    assert_eq!(priced(&pricing(&[]), &corp(), zero("a/b:free")), "reported 0");
    assert_eq!(priced(&pricing(&[]), &corp(), reported(record("a/b:free", "a/b"), "0")), "reported 0");
    assert_eq!(priced(&pricing(&[]), &corp(), reported(record("my-own", "my-own"), "-1")), "unknown");
    let listed = pricing(&[]).with_list("corp", list(&[("my-own", "0")]));
    assert_eq!(priced(&listed, &corp(), zero("my-own")), "reported 0");
}

#[test]
fn unknown_usage_gives_an_unknown_cost() {
    let pricing = Pricing::new(&config(&[("*", "2")]), None);
    let silent = Record { usage: Usage::default(), ..record("m", "m") };
    assert_eq!(priced(&pricing, &corp(), silent), "unknown");
    let silent = Record { usage: Usage::default(), ..record("m", "m") };
    assert_eq!(priced(&pricing, &corp(), reported(silent, "0.5")), "reported 0.5");
}

#[test]
fn the_bound_is_the_most_that_the_prices_let_a_gateway_bill() {
    let rates = |input: &str, cache_write: Option<&str>| Rates {
        input: Some(usd(input)),
        output: Some(usd("1")),
        cache_write: cache_write.map(usd),
        ..Rates::default()
    };
    let bound = |tariff: Tariff, tokens, mark| {
        Quote { tariff, origin: CostOrigin::Table }.bound(estimate::MostInput { tokens, mark }, 5)
    };
    let plain = |tokens| bound(rates("1", None).into(), tokens, CacheMark::None);
    assert_eq!((plain(100), plain(0)), (Some(usd("105")), Some(usd("5"))));
    assert_eq!(bound(rates("1", Some("40")).into(), 100, CacheMark::Hour), Some(usd("4005")));
    assert_eq!(bound(rates("1", Some("1.25")).into(), 100, CacheMark::Hour), Some(usd("205")));
    assert_eq!(bound(rates("0", Some("3")).into(), 100, CacheMark::None), Some(usd("305")));
    assert_eq!(bound(Rates { output: None, ..rates("1", None) }.into(), 100, CacheMark::None), None);
    assert_eq!(plain(u64::MAX), Some(Usd::from_picos(i64::MAX)), "what is too large is no unknown price");
    // A mark makes no prompt longer, and a shorter one may be the dearest.
    let steps = |above| Tariff { base: rates("3", None), steps: vec![Step { above, rates: rates("1", None) }] };
    assert_eq!(bound(steps(150), 100, CacheMark::Hour), Some(usd("605")));
    assert_eq!(bound(steps(99), 100, CacheMark::None), Some(usd("302")), "99 tokens, at 3 each");
}

#[test]
fn a_price_of_thinking_leaves_estimates_known_and_the_most_is_the_dearer_of_all_thought_and_none() {
    let price = |output: &str, reasoning: &str| ModelPrice {
        input: Some(Usd::ZERO),
        output: Some(usd(output)),
        reasoning: Some(usd(reasoning)),
        ..ModelPrice::default()
    };
    let prices = [("deep".to_owned(), price("1", "3")), ("shallow".to_owned(), price("3", "1"))];
    let pricing = Pricing::new(&prices.into(), None);
    let quote = |model: &str| pricing.quote(&corp(), model).expect("in the config");
    let usage = Usage { input: Some(1), output: Some(1_000_000), ..Usage::default() };
    let most = |model: &str| quote(model).most(&usage).map(|cost| cost.usd);
    assert_eq!((most("deep"), most("shallow")), (Some(usd("3")), Some(usd("3"))));
    let expected = estimate::expected(&crate::chat::Request { max_tokens: Some(100), ..Default::default() }, "");
    assert_eq!(quote("deep").cost(&expected).map(|cost| cost.usd), Some(usd("0.0001")));
}

#[test]
fn markup_is_on_list_prices_alone() {
    let corp = Gateway { markup: Some(55_000), ..corp() };
    let pricing = Pricing::new(&config(&[("mine", "2")]), None).with_list("corp", list(&[("listed", "2")]));
    assert_eq!(priced(&pricing, &corp, record("mine", "mine")), "config 2");
    assert_eq!(priced(&pricing, &corp, record("listed", "listed")), "gateway 2.11");
    assert_eq!(priced(&pricing, &corp, record("gpt-4o-mini", "gpt-4o-mini")), "table 0.15825");
    assert_eq!(priced(&pricing, &corp, reported(record("listed", "listed"), "2")), "reported 2");
}

#[test]
fn a_server_of_ones_own_sells_nothing() {
    let pricing = Pricing::new(&config(&[]), None);
    let local = gateway("http://localhost:11434/v1");
    let model = || record("deepseek-r1:7b", "deepseek-r1:7b");
    assert_eq!(priced(&pricing, &local, model()), "unknown");
    let litellm = Gateway { price_list: Shape::LiteLlm, ..local.clone() };
    assert_eq!(priced(&pricing, &litellm, record("gpt-4o-mini", "gpt-4o-mini")), "table 0.15");
    let told = Gateway { price_provider: Some("openai".into()), ..local };
    assert_eq!(priced(&pricing, &told, record("gpt-4o-mini", "gpt-4o-mini")), "table 0.15");
    let refused = Gateway { price_provider: Some("none".into()), ..corp() };
    assert_eq!(priced(&pricing, &refused, record("gpt-4o-mini", "gpt-4o-mini")), "unknown");
}

#[test]
fn all_attempts_that_cost_money_are_in_the_cost() {
    let pricing = Pricing::new(&config(&[("*", "2")]), None);
    let mut record = record("m", "m");
    record.attempts.insert(0, Attempt { cost: Some(usd("0.25")), ..attempt("m") });
    record.attempts.insert(0, attempt("m"));
    pricing.price(&mut record, &only(&corp()));
    assert_eq!(record.cost.map(|cost| cost.usd), Some(usd("2.25")));
    assert_eq!(record.attempts.last().and_then(|attempt| attempt.cost), Some(usd("2")));

    let failed = Record { status: Status::Failed, usage: Usage::default(), ..record };
    assert_eq!(priced(&pricing, &corp(), Record { cost: None, ..failed }), "reported 0.25");
}

#[test]
fn what_failed_and_told_no_usage_has_no_cost_and_not_a_cost_of_zero() {
    let pricing = Pricing::new(&config(&[("*", "2")]), None);
    let untold = Record { usage: Usage::default(), ..record("m", "m") };
    assert_eq!(priced(&pricing, &corp(), Record { status: Status::Failed, ..untold.clone() }), "unknown");
    // An answer that broke off has cost something besides what came before it.
    let attempts = vec![Attempt { cost: Some(usd("0.25")), ..attempt("m") }, attempt("m")];
    assert_eq!(priced(&pricing, &corp(), Record { status: Status::Truncated, attempts, ..untold }), "unknown");
}

// H33
#[test]
fn an_attempt_that_may_be_billed_makes_the_cost_a_lower_bound() {
    let lost = Failure::new(FailureKind::Network, "the reply was lost").maybe_billed();
    let lost = Attempt { error: Some(lost), ..attempt("m") };
    let pricing = Pricing::new(&config(&[("m", "2")]), None);
    let mut record = record("m", "m");
    record.attempts.insert(0, lost.clone());
    pricing.price(&mut record, &only(&corp()));
    let cost = record.cost.expect("known in part");
    assert_eq!((cost.usd, cost.partial), (usd("2"), true));
    let total: TotalCost = [&record].into_iter().collect();
    assert_eq!((total.usd, total.unknown), (Some(usd("2")), 1));

    // Where nothing answered, what was lost is not known to have cost nothing.
    let usage = Usage::default();
    let failed = |attempts| Record { status: Status::Failed, usage, cost: None, attempts, ..record.clone() };
    let unknown = |record: Record| [&record].into_iter().collect::<TotalCost>().unknown;
    assert_eq!((unknown(failed(vec![attempt("m")])), unknown(failed(vec![lost]))), (0, 1));
}

#[test]
fn what_the_prices_do_not_cover_makes_the_cost_a_lower_bound() {
    let mine = Pricing::new(&config(&[("gpt-4o-mini", "2")]), None);
    let listed = Pricing::new(&config(&[]), None).with_list("corp", list(&[("gpt-4o-mini", "8")]));
    let table = Pricing::new(&config(&[]), None);
    let answer = |surcharge, told: bool| {
        let record = record("gpt-4o-mini", "gpt-4o-mini");
        let record = Record { usage: Usage { surcharge, ..record.usage }, ..record };
        if told { reported(record, "3") } else { record }
    };
    let cost = |pricing: &Pricing, mut record: Record| {
        pricing.price(&mut record, &only(&corp()));
        record.cost.map(|cost| (cost.usd.to_decimal(), cost.partial))
    };
    let (tier, parts) = (Some(Surcharge::Tier), Some(Surcharge::Parts));
    for (pricing, surcharge, told, usd, partial) in [
        (&table, None, false, "0.15", false),
        (&table, tier, false, "0.15", true),
        (&table, parts, false, "0.15", true),
        (&listed, tier, false, "8", true),
        // The user has said what a token costs, but not what a search does.
        (&mine, tier, false, "2", false),
        (&mine, parts, false, "2", true),
        (&table, parts, true, "3", false),
    ] {
        let found = cost(pricing, answer(surcharge, told));
        assert_eq!(found, Some((usd.to_owned(), partial)), "{surcharge:?}, reported: {told}");
    }
    let mut cached = Record { cached: true, ..answer(parts, false) };
    table.price(&mut cached, &only(&corp()));
    let costs = (cached.cost.map(|cost| cost.partial), cached.saved.map(|saved| saved.partial));
    assert_eq!(costs, (Some(false), Some(true)), "nothing is paid, and what was saved is a lower bound");
    // Nor is a cost of zero believed that the gateway reported the first time.
    let zero = Some(Cost::new(Usd::ZERO, CostOrigin::Reported));
    let mut cached = Record { cached: true, saved: zero, ..answer(None, false) };
    table.price(&mut cached, &only(&corp()));
    assert!(cached.saved.is_some_and(|saved| saved.usd > Usd::ZERO), "{:?}", cached.saved);
    // Of an answer whose prompt is free and whose length nobody told, nothing is known.
    let free = Pricing::new(&config(&[("gpt-4o-mini", "0")]), None);
    let mut cached = Record { cached: true, ..answer(None, false) };
    cached.usage.output = None;
    free.price(&mut cached, &only(&corp()));
    assert_eq!(cached.saved, None);
}

// L11
#[test]
fn what_was_told_before_an_answer_broke_off_is_a_lower_bound_and_a_whole_answers_is_exact() {
    let pricing = Pricing::new(&config(&[("m", "2")]), None);
    let ended = |finish_reason, kind| {
        let error = Some(Failure::new(kind, "over").maybe_billed());
        let attempts = vec![Attempt { error, ..attempt("m") }];
        let mut record = Record { status: Status::Truncated, finish_reason, attempts, ..record("m", "m") };
        pricing.price(&mut record, &only(&corp()));
        let cost = record.cost.expect("the input is known");
        (cost.usd, cost.partial, record.maybe_billed())
    };
    assert_eq!(ended(None, FailureKind::Interrupted), (usd("2"), true, 1));
    assert_eq!(ended(Some(FinishReason::Length), FailureKind::Truncated), (usd("2"), false, 0));
    assert_eq!(ended(Some(FinishReason::Stop), FailureKind::Interrupted), (usd("2"), false, 0));
}

#[test]
fn an_answer_of_unknown_length_costs_at_least_what_its_prompt_does() {
    let price = ModelPrice {
        input: Some(usd("2")),
        output: Some(usd("4")),
        reasoning: Some(usd("3")),
        ..ModelPrice::default()
    };
    let pricing = Pricing::new(&BTreeMap::from([("m".to_owned(), price)]), None);
    let cost = |output, reasoning, reported: Option<Usd>| {
        let usage = Usage { input: Some(1_000_000), output, reasoning, ..Usage::default() };
        let record =
            Record { usage, cost: reported.map(|usd| Cost::new(usd, CostOrigin::Reported)), ..record("m", "m") };
        let mut record = record;
        pricing.price(&mut record, &only(&corp()));
        record.cost.map(|cost| (cost.usd.to_decimal(), cost.partial))
    };
    let known = |text: &str, partial| Some((text.to_owned(), partial));
    assert_eq!(cost(Some(1_000_000), Some(0), None), known("6", false));
    assert_eq!(cost(None, None, None), known("2", true));
    assert_eq!(cost(Some(1_000_000), None, None), known("5", true), "all of it may be reasoning, which costs less");

    // What is certain being nothing does not say that the model is free.
    let free = ModelPrice { input: Some(Usd::ZERO), output: Some(usd("4")), ..ModelPrice::default() };
    let pricing = Pricing::new(&BTreeMap::from([("m".to_owned(), free)]), None);
    let usage = Usage { input: Some(9), ..Usage::default() };
    let cost = pricing.of_answer(&corp(), "m", None, &usage, Some(Usd::ZERO)).expect("a lower bound");
    assert_eq!((cost.usd, cost.origin, cost.partial), (Usd::ZERO, CostOrigin::Config, true));
    let mut record = Record { usage, ..record("m", "m") };
    pricing.price(&mut record, &only(&corp()));
    assert_eq!(record.cost, None, "it is unknown");
}

#[test]
fn what_a_failed_attempt_told_that_it_took_is_in_the_cost() {
    let pricing = Pricing::new(&config(&[("m", "2")]), None);
    let usage = Usage { input: Some(1_000_000), output: Some(0), ..Usage::default() };
    let failed = |model: &str, usage| {
        let error = Failure::new(FailureKind::ServerError, "boom").with_usage(usage);
        Attempt { error: Some(error), ..attempt(model) }
    };
    let cost = |attempts: Vec<Attempt>, status, answered: Usage| {
        let mut record = Record { attempts, status, usage: answered, ..record("m", "m") };
        pricing.price(&mut record, &only(&corp()));
        record.cost.map(|cost| (cost.usd.to_decimal(), cost.origin, cost.partial))
    };
    let config = |text: &str, partial| Some((text.to_owned(), CostOrigin::Config, partial));
    let answer = attempt("m");
    assert_eq!(cost(vec![failed("m", usage), answer.clone()], Status::Ok, usage), config("4", false));
    let elsewhere = Attempt { gateway: "gone".into(), ..failed("m", usage) };
    assert_eq!(cost(vec![elsewhere, answer.clone()], Status::Ok, usage), config("2", true));
    assert_eq!(cost(vec![failed("nobody-knows", usage), answer], Status::Ok, usage), config("2", true));
    // The last attempt told it, or told nothing after one that did.
    assert_eq!(cost(vec![failed("m", usage)], Status::Failed, usage), config("2", false));
    let silent = failed("m", Usage::default());
    assert_eq!(cost(vec![failed("m", usage), silent], Status::Failed, Usage::default()), config("2", false));
}

#[test]
fn an_answer_from_the_cache_costs_nothing() {
    let pricing = Pricing::new(&config(&[("*", "2")]), None);
    let cached = Record { cached: true, attempts: Vec::new(), ..record("m", "m") };
    assert_eq!(priced(&pricing, &corp(), cached), "reported 0");
}

#[test]
fn the_table_is_read_while_the_answer_is_awaited_and_only_where_it_is_needed() {
    let pricing = Pricing::new(&config(&[("mine", "2")]), None).with_list("corp", list(&[("listed", "3")]));
    let local = gateway("http://localhost:11434/v1");
    assert!(pricing.prepare([(&corp(), "mine"), (&corp(), "listed"), (&local, "llama")]).is_none(), "it is not needed");
    let thread = pricing.prepare([(&corp(), "gpt-4o-mini"), (&corp(), "mine")]).expect("it is needed");
    thread.join().expect("looked up");
    assert_eq!(priced(&pricing, &corp(), record("gpt-4o-mini", "gpt-4o-mini-2024-07-18")), "table 0.15");
    assert_eq!(pricing.quote(&corp(), "mine").map(|quote| quote.origin), Some(CostOrigin::Config));
}
