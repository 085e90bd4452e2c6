//! Rows L07, L08 and L11 of the faults that budgets must meet, and what else limits a run.

use std::time::Duration;

use super::super::testing::{Canned, Reply, call, run, run_for};
use super::*;
use crate::call::RunEvent;
use crate::chat::FinishReason;
use crate::config::ModelPrice;
use crate::secret::testing;

/// A purse for the gateway `g`, at which a token of any model costs a dollar.
fn purse(dir: &tempfile::TempDir, budgets: &str) -> Purse {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        budget: Vec<Budget>,
    }
    let million = "1000000".parse().ok();
    let price = ModelPrice { input: million, output: million, ..ModelPrice::default() };
    let prices = BTreeMap::from([("m*".to_owned(), price)]);
    Purse {
        budgets: toml::from_str::<File>(budgets).expect("budgets").budget,
        allow: BTreeMap::new(),
        max_cost: None,
        allow_unpriced: false,
        tags: BTreeMap::new(),
        keys: BTreeMap::from([("g".to_owned(), "team-a".to_owned())]),
        gateways: BTreeMap::from([("g".to_owned(), testing::gateway("g"))]),
        pricing: Arc::new(Pricing::new(&prices, None)),
        data: Some(dir.path().to_owned()),
        spent: Mutex::default(),
    }
}

/// A call whose answer has at most this many tokens.
fn short_call(model: &str, max_tokens: u64) -> Call {
    let mut call = call(&[model]);
    Arc::make_mut(&mut call.request).max_tokens = Some(max_tokens);
    call
}

async fn kind(spend: &Spend<Arc<Canned>>, call: &Call) -> Option<FailureKind> {
    run(spend, call).await.0.err().map(|failure| failure.kind)
}

/// Answers of 11 tokens.
fn answers(model: &'static str) -> Arc<Canned> {
    Canned::new([(model, vec![Reply::answer()])])
}

const THIRTY: &str = "[[budget]]\nlimit = 30\nper = \"total\"\n";

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_by_what_calls_cost_and_then_refuses() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = answers("m");
    let spend = Spend::new(gateway.clone(), Some(Arc::new(purse(&dir, THIRTY))));
    let call = short_call("m", 10);
    assert_eq!(kind(&spend, &call).await, None);
    assert_eq!(kind(&spend, &call).await, None);
    let failure = run(&spend, &call).await.0.expect_err("22 of 30 are spent, and 10 may be needed");
    assert_eq!((failure.kind, failure.exit_code()), (FailureKind::Refused, 5));
    assert_eq!(
        failure.message,
        "budget of $30.00 in total for everything: $8.00 left, and this call may cost up to $10.00"
    );
    assert!(failure.hint().expect("a hint").contains("raise its limit"));
    assert_eq!(gateway.asked().len(), 2);
}

// L07
#[tokio::test(start_paused = true)]
async fn what_cost_more_than_was_set_aside_is_told_and_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let spend = Spend::new(answers("m"), Some(Arc::new(purse(&dir, "[[budget]]\nlimit = 5\nper = \"day\"\n"))));
    let (result, events) = run(&spend, &short_call("m", 1)).await;
    assert_eq!(result, Ok(()));
    let told =
        events.iter().any(|event| matches!(&event.event, Event::Notice { message } if message.contains("$11.00")));
    assert!(told, "{events:?}");
    assert_eq!(kind(&spend, &short_call("m", 1)).await, Some(FailureKind::Refused));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_money_is_limited_for_is_never_asked_for_without_its_own_limit() {
    let refusal = Failure::new(FailureKind::InvalidRequest, "unsupported: max_output_tokens").with_status(400);
    let warning = format!("{THIRTY}action = \"warn\"\n");
    for (budgets, max_cost, asked) in [(THIRTY, None, 1), ("", "30".parse().ok(), 1), (warning.as_str(), None, 2)] {
        let dir = tempfile::tempdir().expect("a directory");
        let gateway = Canned::new([("m", vec![Reply::failure(refusal.clone()), Reply::answer()])]);
        let purse = Purse { max_cost, ..purse(&dir, budgets) };
        let spend = Spend::new(super::super::Adjust::new(gateway.clone()), Some(Arc::new(purse)));
        let failed = run(&spend, &short_call("m", 10)).await.0.err();
        assert_eq!((failed, gateway.asked().len()), ((asked == 1).then(|| refusal.clone()), asked));
    }
}

// L08
#[tokio::test(start_paused = true)]
async fn a_price_that_nobody_knows_is_refused_where_a_budget_applies() {
    let dir = tempfile::tempdir().expect("a directory");
    let unpriced = |allow_unpriced, budgets: &str| {
        let purse = Purse { allow_unpriced, ..purse(&dir, budgets) };
        Spend::new(answers("unheard-of"), Some(Arc::new(purse)))
    };
    let call = short_call("unheard-of", 1);
    assert_eq!(kind(&unpriced(false, THIRTY), &call).await, Some(FailureKind::Refused));
    assert_eq!(kind(&unpriced(true, THIRTY), &call).await, None);
    let elsewhere = "[[budget]]\nlimit = 1\nper = \"day\"\nmatch = { model = \"claude-*\" }\n";
    assert_eq!(kind(&unpriced(false, elsewhere), &call).await, None);
}

// L11
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_counts_as_all_that_was_set_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = Canned::new([("m", vec![Reply::answer().after(60_000)])]);
    let spend = Spend::new(gateway.clone(), Some(Arc::new(purse(&dir, THIRTY))));
    let call = short_call("m", 20);
    tokio::time::timeout(Duration::from_secs(1), run(&spend, &call)).await.expect_err("stopped");
    assert_eq!(kind(&spend, &call).await, Some(FailureKind::Refused), "20 of 30 are as good as spent");
    assert_eq!(gateway.asked().len(), 1);
}

// L11, H33
#[tokio::test(start_paused = true)]
async fn every_lost_reply_counts_as_all_that_was_set_aside_beside_the_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let lost = || Reply::failure(Failure::new(FailureKind::Network, "lost").maybe_billed());
    let gateway = Canned::new([("m", vec![lost(), lost(), Reply::answer()])]);
    let budget = "[[budget]]\nlimit = 60\nper = \"total\"\n";
    let spend = Spend::new(super::super::Retry::new(gateway.clone()), Some(Arc::new(purse(&dir, budget))));
    let mut call = short_call("m", 20);
    call.limits.retries = Some(2);
    let (result, events) = run(&spend, &call).await;
    assert_eq!((result, gateway.asked().len()), (Ok(()), 3));
    let told = |event: &RunEvent| matches!(&event.event, Event::Notice { message } if message.contains("cost $51.00"));
    assert!(events.iter().any(told), "{events:?}");
    let failure = run(&spend, &call).await.0.expect_err("51 of 60 are as good as spent");
    assert!(failure.message.contains("$9.00 left"), "{failure}");
}

// L11
#[tokio::test(start_paused = true)]
async fn only_an_answer_that_ended_and_told_its_usage_counts_as_less_than_was_set_aside() {
    let truncated = || Reply::kind(FailureKind::Truncated).speaks();
    let cut = || truncated().finishes(FinishReason::Length);
    let stopped = || Reply::answer().counts_early().lasts(60_000);
    for (reply, left) in [
        (truncated(), "$10.00"),
        (truncated().counts_early(), "$10.00"),
        (Reply::status(500).counts_early(), "$10.00"),
        (stopped(), "$10.00"),
        (cut().counts_nothing(), "$10.00"),
        (Reply::answer().counts_nothing(), "$10.00"),
        (cut(), "$19.00"),
        (cut().counts_early(), "$19.00"),
        (Reply::status(500), "$30.00"),
    ] {
        let told = format!("{reply:?}");
        for max_cost in [None, "30".parse().ok()] {
            let dir = tempfile::tempdir().expect("a directory");
            let budgets = if max_cost.is_none() { THIRTY } else { "" };
            let gateway = Canned::new([("m", vec![reply.clone()])]);
            let spend = Spend::new(gateway, Some(Arc::new(Purse { max_cost, ..purse(&dir, budgets) })));
            run_for(&spend, &short_call("m", 20), Duration::from_secs(1)).await;
            let failure = run(&spend, &short_call("m", 31)).await.0.expect_err("more than the whole of it");
            assert!(failure.message.contains(&format!("{left} left")), "{failure}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gateway_costs_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = Canned::new([("m", vec![Reply::status(500)])]);
    let spend = Spend::new(gateway.clone(), Some(Arc::new(purse(&dir, THIRTY))));
    for _ in 0..5 {
        assert_eq!(kind(&spend, &short_call("m", 20)).await, Some(FailureKind::ServerError));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_costs_no_more_than_it_may() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = answers("m");
    let purse = Purse { max_cost: "25".parse().ok(), ..purse(&dir, "") };
    let spend = Spend::new(gateway.clone(), Some(Arc::new(purse)));
    assert_eq!(kind(&spend, &call(&["m"])).await, Some(FailureKind::Refused), "an answer of any length");
    for expected in [None, None, Some(FailureKind::Refused)] {
        assert_eq!(kind(&spend, &short_call("m", 11)).await, expected);
    }
    assert_eq!(gateway.asked().len(), 2);
    assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0, "no ledger is opened for that");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_used_for_what_it_is_allowed_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let allow = BTreeMap::from([("team-a".to_owned(), vec!["m-*".to_owned()])]);
    let gateway = Canned::new([("vendor/m-1", vec![Reply::answer()]), ("other", vec![Reply::answer()])]);
    let spend = Spend::new(gateway.clone(), Some(Arc::new(Purse { allow, ..purse(&dir, "") })));
    assert_eq!(kind(&spend, &call(&["vendor/m-1"])).await, None);
    assert_eq!(kind(&spend, &call(&["other"])).await, Some(FailureKind::Refused));
    assert_eq!(gateway.asked(), ["vendor/m-1"]);
}

// L12
#[tokio::test(start_paused = true)]
async fn without_an_account_nothing_is_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = answers("m");
    for data in [None, Some(PathBuf::from("/dev/null/nowhere"))] {
        let spend = Spend::new(gateway.clone(), Some(Arc::new(Purse { data, ..purse(&dir, THIRTY) })));
        assert_eq!(kind(&spend, &short_call("m", 1)).await, Some(FailureKind::Refused));
    }
    assert!(gateway.asked().is_empty());
}
