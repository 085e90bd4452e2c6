//! Tests of the promises H27 to H34, under a paused clock.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::testing::{Canned, Reply, all, call, record, run, run_for};
use super::super::{Policies, stack};
use super::*;
use crate::call::Caller;

fn asks_back(status: u16, ms: u64) -> Reply {
    let failure = Failure::new(FailureKind::from_status(status), "later").with_status(status);
    Reply::failure(Failure { retry_after: Some(Duration::from_millis(ms)), ..failure })
}

/// The waits between the requests that a call made.
async fn waits(replies: Vec<Reply>, retries: Option<u32>) -> (Result<(), Failure>, Vec<Duration>) {
    let gateway = Canned::new([("m", replies)]);
    let mut call = call(&["m"]);
    call.limits.retries = retries;
    let (result, _) = run(&Retry::new(gateway.clone()), &call).await;
    (result, gateway.times().windows(2).map(|pair| pair[1] - pair[0]).collect())
}

// H27
#[tokio::test(start_paused = true)]
async fn after_a_rate_limit_the_wait_is_a_little_longer_than_asked() {
    let (result, waits) = waits(vec![asks_back(429, 1_000), Reply::answer()], None).await;
    assert_eq!((result, waits.len()), (Ok(()), 1));
    assert!((Duration::from_millis(1_000)..=Duration::from_millis(1_501)).contains(&waits[0]), "{waits:?}");
}

// H29
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_is_not_begun_and_its_end_is_in_the_hint() {
    let (result, waits) = waits(vec![asks_back(429, 86_400_000)], Some(5)).await;
    let failure = result.expect_err("no answer");
    assert_eq!((waits.len(), failure.exit_code()), (0, 6));
    let advice =
        failure.with_retry_time(FIRST_WAIT, "2026-11-20T10:00:00Z".parse().expect("a time")).advice.expect("advice");
    assert_eq!(&*advice, "the gateway asks to come back in 24 h, at 2026-11-21T10:00:00Z");
}

// H29
#[test]
fn nobody_waits_longer_than_a_minute_however_long_the_call_may_take() {
    let asks = |ms| {
        let failure = Failure::new(FailureKind::from_status(429), "later").with_status(429);
        Failure { retry_after: Some(Duration::from_millis(ms)), ..failure }
    };
    assert_eq!(wait(&asks(60_000), 1, None, 0.0), Some(Duration::from_secs(60)));
    assert_eq!(wait(&asks(60_001), 1, None, 0.0), None);
    let advice = |ms| asks(ms).with_retry_time(FIRST_WAIT, "2026-11-20T10:00:00Z".parse().expect("a time")).advice;
    assert_eq!(advice(500), None, "a wait that is as short as our own needs no words");
    assert_eq!(advice(501).as_deref(), Some("the gateway asks to come back in 1 s, at 2026-11-20T10:00:01Z"));
}

// H30
#[tokio::test(start_paused = true)]
async fn the_wait_of_the_last_response_counts() {
    let (_, waits) = waits(vec![asks_back(429, 1_000), asks_back(429, 20_000), Reply::answer()], None).await;
    assert!(waits[0] < Duration::from_secs(2) && waits[1] >= Duration::from_secs(20), "{waits:?}");
}

// H28
#[tokio::test(start_paused = true)]
async fn a_wait_of_zero_is_replaced_by_a_random_one() {
    fastrand::seed(1);
    let (_, waits) = waits(vec![asks_back(503, 0)], Some(6)).await;
    assert_eq!(waits.len(), 6);
    assert!(waits.iter().all(|wait| !wait.is_zero() && *wait <= LONGEST_WAIT), "{waits:?}");
}

// H31
#[tokio::test(start_paused = true)]
async fn if_everything_fails_few_further_tries_are_made() {
    let gateway = Canned::new([("m", vec![Reply::status(500)])]);
    let retry = Arc::new(Retry::new(gateway.clone()));
    let call = call(&["m"]);
    all((0..20).map(|_| run(&retry, &call))).await;
    let times = gateway.times();
    assert!(times.len() > 20 && times.len() <= 24, "{} requests", times.len());
}

// H31
#[tokio::test(start_paused = true)]
async fn no_two_further_tries_go_out_in_the_same_moment() {
    // All calls get the same wait. 200 random waits within half a second would not all have the distance by chance.
    for reply in [asks_back(429, 1), Reply::status(500)] {
        let gateway = Canned::new([("m", vec![reply])]);
        let retry = Arc::new(Retry::new(gateway.clone()));
        let mut call = call(&["m"]);
        call.limits.retries = Some(1);
        all((0..200).map(|_| run(&retry, &call))).await;
        let times = gateway.times();
        assert_eq!(times.len(), 400);
        assert!(times[200..].windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(1)), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_that_the_user_sets_are_made_even_if_everything_fails() {
    let gateway = Canned::new([("m", vec![Reply::status(500)])]);
    let retry = Retry::new(gateway.clone());
    let mut call = call(&["m"]);
    call.limits.retries = Some(3);
    for _ in 0..4 {
        run(&retry, &call).await.0.expect_err("no answer");
    }
    assert_eq!(gateway.asked().len(), 16);
}

// H32
#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_tried_again() {
    for status in [400, 401, 402, 403, 404, 413, 422] {
        let (result, waits) = waits(vec![Reply::status(status)], Some(5)).await;
        assert_eq!(result.expect_err("no answer").status, Some(status));
        assert!(waits.is_empty(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_temporary_failure_is_tried_again_twice() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let (_, waits) = waits(vec![Reply::status(status)], None).await;
        assert_eq!(waits.len(), 2, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_header_x_should_retry_wins_over_the_status() {
    let reply = |status: u16, should_retry| {
        let failure = Failure::new(FailureKind::from_status(status), "no").with_status(status);
        Reply::failure(Failure { should_retry: Some(should_retry), ..failure })
    };
    assert_eq!(waits(vec![reply(503, false)], Some(5)).await.1.len(), 0);
    assert_eq!(waits(vec![reply(400, true)], None).await.1.len(), 2);
    assert_eq!(waits(vec![reply(402, true)], None).await.1.len(), 6, "half as many at once each time");
}

// H33
#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_tried_again_once_and_a_timeout_of_ours_is_not() {
    assert_eq!(waits(vec![Reply::kind(FailureKind::Network)], None).await.1.len(), 1);
    assert_eq!(waits(vec![Reply::kind(FailureKind::Timeout)], None).await.1.len(), 0);
    assert_eq!(waits(vec![Reply::kind(FailureKind::Timeout)], Some(1)).await.1.len(), 1);
}

// H34
#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_after_a_token() {
    let (result, waits) = waits(vec![Reply::status(503).begins()], Some(5)).await;
    assert!(result.is_err() && waits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_past_the_deadline_is_not_begun() {
    let gateway = Canned::new([("m", vec![asks_back(429, 30_000)])]);
    let mut call = call(&["m"]);
    call.limits.timeout = Duration::from_secs(10);
    let began = Instant::now();
    let (result, _) = run(&Retry::new(gateway.clone()), &call).await;
    assert_eq!(result.expect_err("no answer").kind, FailureKind::RateLimited);
    assert_eq!((gateway.asked().len(), began.elapsed()), (1, Duration::ZERO));
}

#[test]
fn waits_grow_to_their_bound_and_spread_over_all_of_it() {
    let failure = Failure::new(FailureKind::ServerError, "no");
    let waits = |chance| -> Vec<_> { (1..8).filter_map(|tries| wait(&failure, tries, Some(9), chance)).collect() };
    let ms = |waits: Vec<Duration>| -> Vec<_> { waits.iter().map(Duration::as_millis).collect() };
    assert_eq!(ms(waits(1.0)), [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    assert_eq!(ms(waits(0.0)), [0; 7]);
}

/// What may happen to one request.
fn reply() -> impl Strategy<Value = Reply> {
    let statuses = prop::sample::select(vec![400u16, 401, 404, 408, 429, 500, 502, 503, 529]);
    prop_oneof![
        3 => (statuses, 0u64..3_000).prop_map(|(status, ms)| Reply::status(status).after(ms)),
        2 => (1u64..90_000).prop_map(|ms| asks_back(429, ms)),
        1 => Just(Reply::kind(FailureKind::Network)),
        1 => Just(Reply::kind(FailureKind::Timeout)),
        1 => Just(Reply::kind(FailureKind::Truncated)),
        1 => Just(Reply::status(500).begins().lasts(50)),
        1 => (0u64..3_000).prop_map(|ms| Reply::answer().after(ms).lasts(20)),
    ]
}

proptest! {
    /// With all policies, with hedging, and stopped at any time, the record has exactly the requests that the gateway got.
    #[test]
    fn attempts_are_bounded_end_with_the_first_token_and_are_all_recorded(
        scripts in prop::collection::vec(prop::collection::vec(reply(), 1..6), 1..4),
        hedges in prop::collection::vec(prop::option::of(0u64..2_000), 3),
        retries in 0u32..4,
        timeout in 1u64..120,
        stopped in prop::option::of(0u64..10_000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let models = &["a", "b", "c"][..scripts.len()];
            let gateway = Canned::new(models.iter().copied().zip(scripts));
            let mut call = call(models);
            call.limits.retries = Some(retries);
            call.limits.timeout = Duration::from_secs(timeout);
            for (choice, hedge) in call.choices.iter_mut().zip(&hedges) {
                choice.hedge = hedge.map(Duration::from_millis);
            }
            let policies = stack(gateway.clone(), Policies::default());
            let began = Instant::now();
            let limit = stopped.map_or(Duration::MAX, Duration::from_millis);
            let (result, events) = run_for(&policies, &call, limit).await;

            let asked = gateway.asked();
            let bound = models.len() * (retries as usize + 1);
            prop_assert!((1..=bound).contains(&asked.len()), "{} of {bound}", asked.len());
            for model in models {
                prop_assert!(asked.iter().filter(|asked| asked == model).count() <= retries as usize + 1);
            }
            // No wait ends after the deadline; only the requests themselves may (3 s each here).
            prop_assert!(began.elapsed() <= Duration::from_secs(timeout + 4 * asked.len() as u64));
            prop_assert!(!gateway.asked_after_output(), "nothing is asked after a token");
            prop_assert_eq!(gateway.running(), 0);

            let answered = result.as_ref().is_some_and(Result::is_ok);
            let record = record(&call, &events, result);
            let mut recorded: Vec<_> = record.attempts.iter().map(|attempt| attempt.model.clone()).collect();
            let mut seen = asked;
            if call.choices.iter().any(|choice| choice.hedge.is_some()) {
                // Of several requests at once, the events of each come together.
                recorded.sort_unstable();
                seen.sort_unstable();
            }
            prop_assert_eq!(recorded, seen);
            let without_error = record.attempts.iter().filter(|attempt| attempt.error.is_none()).count();
            prop_assert_eq!(without_error, usize::from(answered), "one answers, if any does");
            Ok(())
        })?;
    }
}

#[test]
fn the_budget_of_further_tries_begins_again_after_its_period() {
    let began = Instant::now();
    let mut budget = RetryBudget::new(began);
    let mut taken = |calls, at| {
        (0..calls).for_each(|_| budget.count_call(at));
        std::iter::repeat_with(|| budget.take()).take_while(|taken| *taken).count()
    };
    assert_eq!(taken(10, began), 4, "few calls");
    assert_eq!(taken(90, began), 16, "a fifth of a hundred calls, less those four");
    assert_eq!(taken(1, began + BUDGET_PERIOD), 4, "counted anew");
}

#[test]
fn the_failures_of_one_client_take_no_tries_from_another() {
    let retry = Retry::new(());
    let of = |key: Option<&str>| Call {
        caller: Arc::new(Caller { key: key.map(str::to_owned), ..Caller::default() }),
        ..call(&["m"])
    };
    let taken = |call: &Call| {
        std::iter::repeat_with(|| retry.with_budget(call, RetryBudget::take)).take_while(|taken| *taken).count()
    };
    for key in [Some("a"), Some("b"), None] {
        assert_eq!((taken(&of(key)), taken(&of(key))), (4, 0), "{key:?}");
    }
}
