//! Rows L07, L08 and L11 of the faults that budgets must meet, and what else limits a run.

use std::time::Duration;

use serde_json::json;

use super::super::testing::{Canned, Reply, call, run, run_for};
use super::super::{Adjust, Retry};
use super::store::memory::MemoryBudgets;
use super::*;
use crate::adapter::Api;
use crate::call::{Caller, CostLimit};
use crate::chat::{FinishReason, Surcharge, Usage};
use crate::config::ModelPrice;
use crate::ledger::LedgerWriter;
use crate::secret::testing;

/// Limits for the gateway `g`, at which a token of an answer costs a dollar for every model with an `m` in front.
fn limits(budgets: &str) -> SpendingLimits {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        budget: Vec<Budget>,
    }
    let price = ModelPrice { input: Some(Usd::ZERO), output: "1000000".parse().ok(), ..ModelPrice::default() };
    let prices = BTreeMap::from([("m*".to_owned(), price)]);
    SpendingLimits {
        budgets: toml::from_str::<File>(budgets).expect("budgets").budget,
        allow: BTreeMap::new(),
        gateways: BTreeMap::from([("g".to_owned(), testing::gateway("g"))]),
        keys: BTreeMap::from([("g".to_owned(), "team-a".to_owned())]),
        pricing: Arc::new(Pricing::new(&prices, None)),
        store: Some(Arc::new(MemoryBudgets::default())),
    }
}

/// The policies of this module around a gateway.
fn spend(gateway: Arc<Canned>, limits: SpendingLimits) -> Admit<Spend<Arc<Canned>>> {
    let limits = Some(Arc::new(limits));
    Admit::new(Spend::new(gateway, limits.clone()), limits)
}

/// A call whose answer has at most this many tokens.
fn short_call(model: &str, max_tokens: u64) -> Call {
    let mut call = call(&[model]);
    Arc::make_mut(&mut call.request).max_tokens = Some(max_tokens);
    call
}

/// The caller of a command with `--max-cost`.
fn caller(max_cost: Option<&str>) -> Arc<Caller> {
    let max_cost = max_cost.map(|most| Arc::new(CostLimit::new(most.parse().expect("an amount"))));
    Arc::new(Caller { max_cost, ..Caller::default() })
}

async fn kind(service: &impl Service, call: &Call) -> Option<FailureKind> {
    run(service, call).await.0.err().map(|failure| failure.kind)
}

/// The reply with a usage that costs eleven dollars.
fn dear(reply: Reply) -> Reply {
    Reply { usage: Usage { input: Some(10), output: Some(11), ..Usage::default() }, ..reply }
}

/// Answers that cost eleven dollars.
fn answers(model: &'static str) -> Arc<Canned> {
    Canned::new([(model, vec![dear(Reply::answer())])])
}

const THIRTY: &str = "[[budget]]\nlimit = 30\nper = \"total\"\n";

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_by_what_calls_cost_and_then_refuses() {
    let gateway = answers("m");
    let service = spend(gateway.clone(), limits(THIRTY));
    let call = short_call("m", 10);
    assert_eq!(kind(&service, &call).await, None);
    assert_eq!(kind(&service, &call).await, None);
    let failure = run(&service, &call).await.0.expect_err("22 of 30 are spent, and 10 may be needed");
    assert_eq!((failure.kind, failure.exit_code()), (FailureKind::Refused, 5));
    assert_eq!(
        failure.message,
        "budget of $30.00 in total for everything: $8.00 left, and this call may cost up to $10.00"
    );
    assert!(failure.hint().expect("a hint").contains("raise its limit"));
    assert_eq!(gateway.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_cache_takes_for_input_is_set_aside_where_it_is_more() {
    for marked in [false, true] {
        let price = ModelPrice {
            cache_write: "40".parse().ok(),
            input: Some(Usd::ZERO),
            output: Some(Usd::ZERO),
            ..ModelPrice::default()
        };
        let pricing = Arc::new(Pricing::new(&BTreeMap::from([("m".to_owned(), price)]), None));
        let service =
            spend(answers("m"), SpendingLimits { pricing, ..limits("[[budget]]\nlimit = 0.1\nper = \"day\"\n") });
        let mut call = short_call("m", 1);
        let request = Arc::make_mut(&mut call.request);
        request.messages = vec![crate::chat::Message::text(crate::chat::Role::User, "word ".repeat(600))];
        if marked {
            request.extra.insert("cache_control".into(), json!({"type": "ephemeral"}));
        }
        let failure = run(&service, &call).await.0.expect_err("3,000 bytes at $40 a million");
        assert!(failure.message.contains("this call may cost up to $0.12"), "{failure}");
    }
}

// L07
#[tokio::test(start_paused = true)]
async fn what_cost_more_than_was_set_aside_is_told_and_counts() {
    let service = spend(answers("m"), limits("[[budget]]\nlimit = 5\nper = \"day\"\n"));
    let (result, events) = run(&service, &short_call("m", 1)).await;
    assert_eq!(result, Ok(()));
    let told =
        events.iter().any(|event| matches!(&event.event, Event::Notice { message } if message.contains("$11.00")));
    assert!(told, "{events:?}");
    assert_eq!(kind(&service, &short_call("m", 1)).await, Some(FailureKind::Refused));
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_has_cost_counts_although_nothing_was_reserved() {
    use crate::record::CostOrigin::Config;
    let cost = |usd: &str, partial| Some(Cost { usd: usd.parse().expect("an amount"), origin: Config, partial });
    for (cost, left) in [(cost("25", false), "$5.00"), (cost("25", true), "$2.00"), (None, "$2.00")] {
        let limits = Arc::new(limits(THIRTY));
        limits.count(&short_call("m", 28), cost);
        limits.count(&short_call("m", 28), Some(Cost { usd: Usd::ZERO, origin: Config, partial: false }));
        let service = Spend::new(answers("m"), Some(limits));
        let failure = run(&service, &short_call("m", 10)).await.0.expect_err("too little is left");
        assert!(failure.message.contains(&format!("{left} left")), "{}", failure.message);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_money_is_limited_for_is_never_asked_for_without_its_own_limit() {
    let refusal = Failure::new(FailureKind::InvalidRequest, "unsupported: max_output_tokens").with_status(400);
    let warning = format!("{THIRTY}action = \"warn\"\n");
    for (budgets, max_cost, asked) in [(THIRTY, None, 1), ("", Some("30"), 1), (warning.as_str(), None, 2)] {
        let gateway = Canned::new([("m", vec![Reply::failure(refusal.clone()), Reply::answer()])]);
        let limits = Some(Arc::new(limits(budgets)));
        let service = Admit::new(Adjust::new(Spend::new(gateway.clone(), limits.clone())), limits);
        let call = Call { caller: caller(max_cost), ..short_call("m", 10) };
        let failed = run(&service, &call).await.0.err();
        assert_eq!((failed, gateway.asked().len()), ((asked == 1).then(|| refusal.clone()), asked));
    }
}

// L08
#[tokio::test(start_paused = true)]
async fn a_price_that_nobody_knows_is_refused_where_a_budget_applies() {
    let elsewhere = "[[budget]]\nlimit = 1\nper = \"day\"\nmatch = { model = \"claude-*\" }\n";
    for (allow_unpriced, budgets, expected) in
        [(false, THIRTY, Some(FailureKind::Refused)), (true, THIRTY, None), (false, elsewhere, None)]
    {
        let caller = Arc::new(Caller { allow_unpriced, ..Caller::default() });
        let call = Call { caller, ..short_call("unheard-of", 1) };
        assert_eq!(kind(&spend(answers("unheard-of"), limits(budgets)), &call).await, expected);
    }
}

// L11
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_counts_as_all_that_was_set_aside() {
    let gateway = Canned::new([("m", vec![Reply::answer().after(60_000)])]);
    let service = spend(gateway.clone(), limits(THIRTY));
    let call = short_call("m", 20);
    tokio::time::timeout(Duration::from_secs(1), run(&service, &call)).await.expect_err("stopped");
    assert_eq!(kind(&service, &call).await, Some(FailureKind::Refused), "20 of 30 are as good as spent");
    assert_eq!(gateway.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lower_bound_counts_as_all_that_was_set_aside_unless_it_is_more() {
    let with = |surcharge, cost| {
        let mut reply = dear(Reply::answer());
        (reply.usage.surcharge, reply.usage.cost) = (surcharge, cost);
        Canned::new([("m", vec![reply])])
    };
    let (tier, parts) = (Some(Surcharge::Tier), Some(Surcharge::Parts));
    for (surcharge, cost, most, left) in [
        (None, None, 20, "$29.00"),
        (parts, None, 20, "$20.00"),
        (parts, None, 5, "$29.00"),
        (parts, "11".parse().ok(), 20, "$29.00"),
        // The price of these limits is that of a config, which is what is paid in every tier.
        (tier, None, 20, "$29.00"),
    ] {
        for (budgets, max_cost) in [("[[budget]]\nlimit = 40\nper = \"total\"\n", None), ("", Some("40"))] {
            let service = spend(with(surcharge, cost), limits(budgets));
            let caller = caller(max_cost);
            let call = |tokens| Call { caller: Arc::clone(&caller), ..short_call("m", tokens) };
            assert_eq!(kind(&service, &call(most)).await, None);
            let failure = run(&service, &call(40)).await.0.expect_err("something is spent");
            assert!(failure.message.contains(&format!("{left} left")), "{surcharge:?}, {cost:?}, {most}: {failure}");
        }
    }
}

// L11, H33
#[tokio::test(start_paused = true)]
async fn every_lost_reply_counts_as_all_that_was_set_aside_beside_the_answer() {
    let lost = || Reply::failure(Failure::new(FailureKind::Network, "lost").maybe_billed());
    let gateway = Canned::new([("m", vec![lost(), lost(), dear(Reply::answer())])]);
    let limits = Some(Arc::new(limits("[[budget]]\nlimit = 60\nper = \"total\"\n")));
    let service = Retry::new(Spend::new(gateway.clone(), limits));
    let mut call = short_call("m", 20);
    call.limits.retries = Some(2);
    let (result, _) = run(&service, &call).await;
    assert_eq!((result, gateway.asked().len()), (Ok(()), 3));
    let failure = run(&service, &call).await.0.expect_err("51 of 60 are as good as spent");
    assert!(failure.message.contains("$9.00 left"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_further_try_is_sent_only_if_it_fits_as_well() {
    for (budgets, max_cost) in [(THIRTY, None), ("", Some("30"))] {
        let lost = || Reply::failure(Failure::new(FailureKind::Network, "lost").maybe_billed());
        let gateway = Canned::new([("m", vec![lost(), lost(), Reply::answer()])]);
        let service = Retry::new(Spend::new(gateway.clone(), Some(Arc::new(limits(budgets)))));
        let mut call = Call { caller: caller(max_cost), ..short_call("m", 20) };
        call.limits.retries = Some(2);
        let failure = run(&service, &call).await.0.expect_err("20 of 30 may be spent");
        assert_eq!((failure.kind, gateway.asked().len()), (FailureKind::Refused, 1));
        assert!(failure.message.contains("$10.00 left"), "{failure}");
    }
}

/// However the length or number of answers is asked for, the body says it.
#[tokio::test(start_paused = true)]
async fn what_the_final_body_asks_for_is_checked() {
    let gateway_of = |api| BTreeMap::from([("g".to_owned(), Gateway { api, ..testing::gateway("g") })]);
    for (api, extra) in [
        (Api::OpenaiChat, json!({"max_tokens": 31})),
        (Api::OpenaiChat, json!({"max_completion_tokens": 31})),
        (Api::OpenaiChat, json!({"n": 4})),
        // Python reads this as 10.
        (Api::OpenaiChat, json!({"n": "1_0"})),
        (Api::OpenaiChat, json!({"n": true})),
        (Api::OpenaiResponses, json!({"max_output_tokens": 31})),
        (Api::Anthropic, json!({"max_tokens": 31})),
        (Api::Gemini, json!({"generationConfig": {"maxOutputTokens": 31}})),
        (Api::Gemini, json!({"generationConfig": {"candidateCount": 4}})),
    ] {
        for (budgets, max_cost) in [(THIRTY, None), ("", Some("30"))] {
            let gateway = answers("m");
            let service = spend(gateway.clone(), SpendingLimits { gateways: gateway_of(api), ..limits(budgets) });
            let mut call = Call { caller: caller(max_cost), ..short_call("m", 10) };
            Arc::make_mut(&mut call.request).extra = extra.as_object().expect("an object").clone();
            assert_eq!(kind(&service, &call).await, Some(FailureKind::Refused), "{api:?} {extra}");
            assert!(gateway.asked().is_empty(), "{api:?} {extra}");
            assert_eq!(kind(&service, &Call { caller: call.caller, ..short_call("m", 10) }).await, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_adapter_asks_for_by_itself_is_reserved() {
    let anthropic = Gateway { api: Api::Anthropic, ..testing::gateway("g") };
    let gateways = || BTreeMap::from([("g".to_owned(), anthropic.clone())]);
    let service = spend(answers("m"), SpendingLimits { gateways: gateways(), ..limits(THIRTY) });
    let failure = run(&service, &call(&["m"])).await.0.expect_err("no small amount");
    assert!(failure.message.ends_with("this call may cost up to $32000.00"), "{failure}");
    let service = spend(answers("m"), SpendingLimits { gateways: gateways(), ..limits("") });
    let call = Call { caller: caller(Some("32000")), ..call(&["m"]) };
    assert_eq!(kind(&service, &call).await, None, "the format itself limits the answer");
}

// L11
#[tokio::test(start_paused = true)]
async fn only_an_answer_that_ended_and_told_its_usage_counts_as_less_than_was_set_aside() {
    let truncated = || dear(Reply::kind(FailureKind::Truncated).begins());
    let cut = || truncated().finishes(FinishReason::Length);
    let stopped = || dear(Reply::answer()).reports_input_early().lasts(60_000);
    // A failure that comes with what the answer took.
    let told = |output| {
        let usage = Usage { input: Some(10), output: Some(output), ..Usage::default() };
        Reply::failure(Failure::new(FailureKind::ServerError, "boom").with_usage(usage))
    };
    for (reply, left) in [
        (truncated(), "$10.00"),
        (truncated().reports_input_early(), "$10.00"),
        (Reply::status(500).reports_input_early(), "$10.00"),
        (stopped(), "$10.00"),
        (cut().reports_no_usage(), "$10.00"),
        (Reply::answer().reports_no_usage(), "$10.00"),
        (cut(), "$19.00"),
        (cut().reports_input_early(), "$19.00"),
        (Reply::status(500), "$30.00"),
        (told(5), "$25.00"),
        (told(0), "$30.00"),
    ] {
        let told = format!("{reply:?}");
        for max_cost in [None, Some("30")] {
            let budgets = if max_cost.is_none() { THIRTY } else { "" };
            let gateway = Canned::new([("m", vec![reply.clone()])]);
            let service = spend(gateway, limits(budgets));
            let caller = caller(max_cost);
            let call = |tokens| Call { caller: Arc::clone(&caller), ..short_call("m", tokens) };
            run_for(&service, &call(20), Duration::from_secs(1)).await;
            let failure = run(&service, &call(31)).await.0.expect_err("more than the whole of it");
            assert!(failure.message.contains(&format!("{left} left")), "{failure}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gateway_costs_nothing() {
    let gateway = Canned::new([("m", vec![Reply::status(500)])]);
    let service = spend(gateway.clone(), limits(THIRTY));
    for _ in 0..5 {
        assert_eq!(kind(&service, &short_call("m", 20)).await, Some(FailureKind::ServerError));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_costs_no_more_than_it_may() {
    let gateway = answers("m");
    let service = spend(gateway.clone(), SpendingLimits { store: None, ..limits("") });
    let caller = caller(Some("25"));
    let endless = Call { caller: Arc::clone(&caller), ..call(&["m"]) };
    assert_eq!(kind(&service, &endless).await, Some(FailureKind::Refused), "an answer of any length");
    for expected in [None, None, Some(FailureKind::Refused)] {
        let call = Call { caller: Arc::clone(&caller), ..short_call("m", 11) };
        assert_eq!(kind(&service, &call).await, expected);
    }
    assert_eq!(gateway.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_used_for_what_it_is_allowed_to() {
    let allow = BTreeMap::from([("team-a".to_owned(), vec!["m-*".to_owned()])]);
    let gateway = Canned::new([("vendor/m-1", vec![Reply::answer()]), ("other", vec![Reply::answer()])]);
    let service = spend(gateway.clone(), SpendingLimits { allow, ..limits("") });
    assert_eq!(kind(&service, &call(&["vendor/m-1"])).await, None);
    assert_eq!(kind(&service, &call(&["other"])).await, Some(FailureKind::Refused));
    assert_eq!(gateway.asked(), ["vendor/m-1"]);
}

/// A call that a server's client makes with a key of its own.
fn of_client(model: &str, allow: Option<&[&str]>) -> Call {
    let allow = allow.map(|allow| allow.iter().map(ToString::to_string).collect());
    Call { caller: Arc::new(Caller { key: Some("app".into()), allow, ..Caller::default() }), ..short_call(model, 10) }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_gateways_key_and_of_the_clients_key_both_hold() {
    let refused = Some(FailureKind::Refused);
    let allow = BTreeMap::from([("team-a".to_owned(), vec!["m-*".to_owned()])]);
    let models = ["m-1", "m-2", "other"];
    let gateway = || Canned::new(models.map(|model| (model, vec![Reply::answer()])));
    let service = spend(gateway(), SpendingLimits { allow, ..limits("") });
    for (model, of_client_alone, expected) in
        [("m-1", None, None), ("other", None, refused), ("m-2", Some(&["m-1"][..]), refused)]
    {
        assert_eq!(kind(&service, &of_client(model, of_client_alone)).await, expected, "{model}");
    }
    for (key, expected) in [("team-a", refused), ("app", refused), ("team-b", None)] {
        let budget = format!("[[budget]]\nlimit = 0\nper = \"total\"\nmatch = {{ key = \"{key}\" }}\n");
        let service = spend(gateway(), limits(&budget));
        assert_eq!(kind(&service, &of_client("m-1", None)).await, expected, "{key}");
    }
}

// L12
#[tokio::test]
async fn without_an_account_nothing_is_sent() {
    let gateway = answers("m");
    let unusable = SqliteBudgets::new(LedgerWriter::new(std::path::Path::new("/dev/null/nowhere")));
    for store in [None, Some(Arc::new(unusable) as Arc<dyn BudgetStore>)] {
        let service = spend(gateway.clone(), SpendingLimits { store, ..limits(THIRTY) });
        assert_eq!(kind(&service, &short_call("m", 1)).await, Some(FailureKind::Refused));
    }
    assert!(gateway.asked().is_empty());
    let unusable = LedgerWriter::new(std::path::Path::new("/dev/null/nowhere"));
    let error = unusable.transact(|_| Ok(())).await.expect_err("no ledger");
    let failure = super::unknown_balance(&error);
    assert!(failure.message.starts_with("a budget applies, and "), "{failure}");
    assert_eq!((&failure.cause, failure.hint()), (&error.cause(), error.hint()), "the user learns why, and what helps");
}

#[test]
fn what_is_spent_of_a_limit_ends_at_the_largest_amount() {
    let limit = CostLimit::new(Usd::from_picos(10));
    for _ in 0..2 {
        limit.settle(Usd::ZERO, Usd::from_picos(i64::MAX));
        assert_eq!(limit.reserve(Usd::from_picos(1)), Err(Usd::ZERO));
    }
}
