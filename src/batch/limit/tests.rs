use std::sync::Arc;

use super::*;
use crate::call::{Call, Target};
use crate::error::Failure;
use crate::record::{Attempt, Recorder};

fn record(first_token_ms: u64, refused: Option<FailureKind>) -> Record {
    let target = Target { gateway: "g".into(), model: "m".into() };
    let call = Call::new(0, "m", vec![target.into()], Arc::default());
    let mut record = Recorder::new("run", &call, Duration::ZERO).finish(Duration::ZERO);
    record.error = None;
    record.timing.first_token = Some(Duration::from_millis(first_token_ms));
    record.attempts.extend(refused.map(|kind| Attempt {
        gateway: "g".into(),
        model: "m".into(),
        status: Some(429),
        error: Some(Failure::new(kind, "too many")),
        start: Duration::ZERO,
        duration: Duration::ZERO,
        cost: None,
        request_id: None,
    }));
    record
}

/// Ends so many calls, each of which began when it was its turn.
fn end(limit: &mut Limit, calls: usize, record: &Record, begun: &mut u64) {
    for _ in 0..calls {
        limit.ended(record, *begun, *begun + 1);
        *begun += 1;
    }
}

#[test]
fn the_number_doubles_while_answers_come_as_fast_as_before() {
    let (mut limit, mut begun) = (Limit::new(None, 1_000), 0);
    let good = record(100, None);
    let mut seen = vec![limit.now()];
    for _ in 0..6 {
        let window = limit.now();
        end(&mut limit, window, &good, &mut begun);
        seen.push(limit.now());
    }
    assert_eq!(seen, [8, 16, 32, 64, 128, 256, 256]);
}

#[test]
fn it_is_halved_once_when_the_gateway_refuses_and_then_grows_by_one() {
    let (mut limit, mut begun) = (Limit::new(None, 1_000), 0);
    let good = record(100, None);
    end(&mut limit, 8 + 16, &good, &mut begun);
    assert_eq!(limit.now(), 32);
    let refused = record(100, Some(FailureKind::RateLimited));
    // All that were in flight are refused; they say the same once.
    for nth in begun - 10..begun {
        limit.ended(&refused, nth, begun);
    }
    assert_eq!(limit.now(), 16);
    end(&mut limit, 16, &good, &mut begun);
    assert_eq!(limit.now(), 17);
}

#[test]
fn it_is_lowered_when_answers_become_slow() {
    let (mut limit, mut begun) = (Limit::new(None, 1_000), 0);
    end(&mut limit, 8, &record(300, None), &mut begun);
    assert_eq!(limit.now(), 16);
    end(&mut limit, 16, &record(900, None), &mut begun);
    assert_eq!(limit.now(), 12);
    // A little slower is no reason.
    end(&mut limit, 12, &record(450, None), &mut begun);
    assert_eq!(limit.now(), 13);
}

#[test]
fn a_fixed_number_stays_and_the_system_has_the_last_word() {
    let (mut limit, mut begun) = (Limit::new(Some(3), 1_000), 0);
    end(&mut limit, 50, &record(100, Some(FailureKind::RateLimited)), &mut begun);
    end(&mut limit, 50, &record(100, None), &mut begun);
    assert_eq!((limit.now(), limit.most()), (3, 3));
    assert_eq!(Limit::new(Some(500), 40).now(), 40);
    let (mut few, mut begun) = (Limit::new(None, 10), 0);
    end(&mut few, 100, &record(100, None), &mut begun);
    assert_eq!(few.now(), 10);
}

#[test]
fn it_never_reaches_zero() {
    let mut limit = Limit::new(None, 1_000);
    for nth in 0..20 {
        limit.ended(&record(100, Some(FailureKind::Unavailable)), nth, nth);
    }
    assert_eq!(limit.now(), 1);
}
