//! Benchmarks with made-up times: the calls are made by the real schedule and recorded by the real recorder, but the clock
//! and the gateway are a calculation, so that the right figures are known exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compare::{between_gateways, differences};
use super::kept::{self, KeptRun};
use super::*;
use crate::call::{Call, Event, RunEvent, Target};
use crate::chat::{FinishReason, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};
use crate::record::{Record, Recorder};
use crate::run::{Schedule, Step};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn base(models: usize) -> Vec<Call> {
    let target = |n: usize| Target { gateway: format!("g{n}"), model: "m".into() };
    (0..models).map(|n| Call::new(n, format!("m{n}"), vec![target(n).into()], Default::default())).collect()
}

fn plan(models: usize, requests: u64, warmup: u64, load: Load) -> Plan {
    Plan { models, requests, warmup, load }
}

/// The record of a call that began and ended at these times since the run began, with its first token in the middle.
fn record(call: &Call, began: Duration, ended: Duration, result: Result<(), Failure>) -> Record {
    let mut recorder = Recorder::new("run", call, began);
    let mut event = |at, event| recorder.event(&RunEvent { call: call.index, at, event });
    event(began, Event::Attempt { target: call.target().clone() });
    if result.is_ok() {
        event(began.midpoint(ended), Event::Stream(StreamEvent::TextDelta("text".into())));
        let usage = Usage { input: Some(9), output: Some(11), ..Usage::default() };
        event(ended, Event::Stream(StreamEvent::Usage(usage)));
        event(ended, Event::Stream(StreamEvent::Finish(FinishReason::Stop)));
    } else if let Err(failure) = &result {
        event(ended, Event::AttemptFailed { failure: failure.clone() });
    }
    event(ended, Event::Done(result));
    recorder.finish(ended)
}

trait Midpoint {
    fn midpoint(self, other: Self) -> Self;
}

impl Midpoint for Duration {
    fn midpoint(self, other: Self) -> Self {
        (self + other) / 2
    }
}

/// Runs a benchmark against a gateway that ends a call that began at `t` at `ends(t, index)`, with at most `room` calls at
/// once. Returns what was measured of the first model, and when calls were sent.
fn simulated(
    plan: Plan,
    room: usize,
    ends: impl Fn(Duration, usize) -> Duration,
) -> (Vec<Measured>, Vec<(usize, Duration)>) {
    let mut schedule = BenchSchedule::new(plan, base(plan.models));
    let mut measured: Vec<Measured> = (0..plan.models).map(|_| Measured::new().expect("histograms")).collect();
    let mut running: BTreeMap<(Duration, usize), (Call, Duration)> = BTreeMap::new();
    let (mut now, mut sent) = (Duration::ZERO, Vec::new());
    loop {
        let mut due = schedule.due_in(now);
        while running.len() < room
            && let Some(Step::Call(call)) = schedule.next()
        {
            sent.push((call.index, now));
            running.insert((ends(now, call.index), call.index), (call, now));
            due = schedule.due_in(now);
        }
        let due = due.filter(|_| running.len() < room).map(|due| now + due.max(Duration::from_micros(50)));
        let over = running.first_key_value().map(|((ended, _), _)| *ended);
        now = match (due, over) {
            (None, None) => return (measured, sent),
            (Some(due), Some(over)) if due < over => due,
            (Some(due), None) => due,
            (_, Some(over)) => {
                let ((ended, index), (call, began)) = running.pop_first().expect("a running call");
                let record = record(&call, began, ended, Ok(()));
                if plan.place(index).is_some() {
                    measured[plan.model(index)].take(&record, false);
                }
                schedule.ended(&call, &record);
                over
            }
        };
    }
}

fn within(found: Option<f64>, expected: f64, share: f64) {
    let found = found.expect("a figure");
    assert!((found - expected).abs() <= share * expected, "{found} instead of {expected}");
}

#[test]
fn the_percentiles_of_a_known_distribution_are_within_two_percent() {
    // Exponential above 50 ms: the quantile at p is 50 − 100 ln(1 − p) ms.
    let quantile = |share: f64| 50.0 - 100.0 * (1.0 - share).ln();
    let n = 10_000;
    // The values at the middle of each step, in an order without pattern.
    let latency = |index: usize| {
        let place = (index * 7_919) % n;
        Duration::from_secs_f64(quantile((place as f64 + 0.5) / n as f64) / 1_000.0)
    };
    for load in [Load::Concurrency(1), Load::Concurrency(50), Load::Rate(100.0)] {
        let (measured, _) = simulated(plan(1, n as u64, 0, load), 1_000, |began, index| began + latency(index));
        let times = Times::of(&measured[0].total);
        assert_eq!(times.count, n as u64);
        for (found, share) in [(times.p50, 0.5), (times.p90, 0.9), (times.p99, 0.99)] {
            within(found, quantile(share), 0.02);
        }
        within(Times::of(&measured[0].first_token).p99, quantile(0.99) / 2.0, 0.02);
        let interval = times.p99_interval.expect("enough values");
        assert!(interval.low < quantile(0.99) && quantile(0.99) < interval.high, "{interval:?}");
    }
}

/// A gateway that takes 10 ms, and answers nothing from second 5 to second 15.
fn stalls(began: Duration, _: usize) -> Duration {
    let ended = began + ms(10);
    if ended > ms(5_000) && began < ms(15_000) { ended.max(ms(15_010)) } else { ended }
}

#[test]
fn an_open_loop_counts_the_waiting_while_the_gateway_stalls() {
    // 100 a second for 100 s. Of these, 1,000 were due during the stall, and waited for 0 to 10 s, evenly spread. So one
    // of ten waited, and the 99th percentile is that of nine tenths of the stall.
    let expected = 9_000.0;
    for room in [usize::MAX, 8] {
        let gateway = |began, index| stalls(began, index);
        let (measured, _) = simulated(plan(1, 10_000, 0, Load::Rate(100.0)), room, gateway);
        let times = Times::of(&measured[0].total);
        assert_eq!(times.count, 10_000);
        within(times.p99, expected, if room == 8 { 0.1 } else { 0.02 });
        within(times.max, 10_010.0, 0.02);
        within(times.p50, 10.0, 0.1);
    }
    // With as few places, calls are sent late: what they wait for a place is in their times, and a closed loop hides it.
    let (measured, _) = simulated(plan(1, 10_000, 0, Load::Concurrency(1)), 8, stalls);
    within(Times::of(&measured[0].total).p99, 10.0, 0.02);
}

#[test]
fn calls_of_an_open_loop_are_due_evenly_and_never_early() {
    let plan = plan(2, 50, 1, Load::Rate(10.0));
    let (measured, sent) = simulated(plan, usize::MAX, |began, _| began + ms(300));
    assert_eq!(measured.iter().map(|measured| measured.answered).collect::<Vec<_>>(), [50, 50]);
    let first = ms(300);
    assert!(sent[..2].iter().all(|(_, at)| *at == Duration::ZERO), "warm-up comes first");
    for (index, at) in &sent[2..] {
        let due = first + plan.due(*index).expect("due");
        assert!(*at >= due && *at <= due + ms(3), "call {index} was due at {due:?} and sent at {at:?}");
    }
    assert_eq!(plan.due(2), Some(Duration::ZERO));
    assert_eq!(plan.due(3), Some(ms(50)), "the models take turns");
    assert_eq!(plan.due(4), Some(ms(100)));
}

#[test]
fn a_closed_loop_keeps_as_many_calls_running_as_asked() {
    let plan = plan(2, 30, 2, Load::Concurrency(3));
    let (measured, sent) = simulated(plan, plan.concurrency().expect("a limit"), |began, index| {
        began + ms(if index % 2 == 0 { 10 } else { 50 })
    });
    assert_eq!(sent.len(), 64);
    assert!(measured.iter().all(|measured| measured.answered == 30));
    let at_once = |model: usize, time: u64, at: Duration| {
        let of_model = sent[4..].iter().filter(|(index, _)| plan.model(*index) == model);
        of_model.filter(|(_, began)| *began <= at && at < *began + ms(time)).count()
    };
    for at in (0..60).map(|n| ms(50) + ms(n)) {
        assert!(at_once(0, 10, at) <= 3 && at_once(1, 50, at) <= 3);
    }
    assert_eq!((at_once(0, 10, ms(55)), at_once(1, 50, ms(55))), (3, 3));
}

#[test]
fn nothing_is_sent_after_a_limit_of_cost_has_refused() {
    let mut schedule = BenchSchedule::new(plan(1, 10, 0, Load::Concurrency(1)), base(1));
    schedule.due_in(ms(1));
    let Some(Step::Call(call)) = schedule.next() else { panic!("a call") };
    let refused = Err(Failure::new(FailureKind::Refused, "too much"));
    schedule.ended(&call, &record(&call, ms(1), ms(2), refused));
    assert!(schedule.next().is_none());
    assert_eq!(schedule.due_in(ms(3)), None);
}

#[test]
fn a_model_that_is_refused_leaves_the_others_their_calls() {
    for load in [Load::Concurrency(1), Load::Rate(1_000.0)] {
        for warmup in [0, 2] {
            let mut schedule = BenchSchedule::new(plan(3, 4, warmup, load), base(3));
            let mut sent = [0; 3];
            for now in 1..100 {
                schedule.due_in(ms(now));
                while let Some(Step::Call(call)) = schedule.next() {
                    let model = call.index % 3;
                    sent[model] += 1;
                    let result = match model {
                        1 => Err(Failure::new(FailureKind::Refused, "not allowed")),
                        _ => Ok(()),
                    };
                    schedule.ended(&call, &record(&call, ms(now), ms(now), result));
                }
            }
            assert_eq!(sent, [4 + warmup, 1, 4 + warmup], "{load:?}, {warmup} to warm up");
            assert_eq!(schedule.due_in(ms(100)), None);
        }
    }
}

#[test]
fn failures_are_counted_by_kind_and_are_not_in_the_times() {
    let mut measured = Measured::new().expect("histograms");
    let call = &base(1)[0];
    for kind in [FailureKind::Timeout, FailureKind::RateLimited, FailureKind::Timeout] {
        measured.take(&record(call, ms(0), ms(9_000), Err(Failure::new(kind, "no"))), false);
    }
    measured.take(&record(call, ms(0), ms(9_000), Err(Failure::new(FailureKind::Interrupted, "stopped"))), false);
    measured.take(&record(call, ms(0), ms(100), Ok(())), false);
    let mut cut = record(call, ms(0), ms(100), Ok(()));
    cut.error = Some(Failure::new(FailureKind::Truncated, "cut"));
    (cut.status, cut.finish_reason) = (crate::record::Status::Truncated, Some(FinishReason::Length));
    measured.take(&cut, true);
    measured.take(&cut, false);
    [ms(0), ms(4_000), ms(2_000)].into_iter().for_each(|at| measured.saw(at));
    let figures = Figures::new("m", "g", "m", &measured);
    let failed: Vec<(&str, u64)> = figures.failed.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(failed, [("rate_limited", 1), ("timeout", 2), ("truncated", 1)]);
    assert_eq!((figures.answered, figures.interrupted, figures.failures()), (2, 1, 4));
    assert_eq!(figures.total_ms.max.map(|max| max.round()), Some(100.0));
    assert_eq!((figures.output_tokens, figures.answers_per_second), (Some(22), Some(0.5)));
    // Ten tokens after the first in 50 ms.
    within(figures.tokens_per_second, 200.0, 0.01);
    assert_eq!(Figures::new("m", "g", "m", &Measured::new().expect("histograms")).first_token_ms, Times::default());
}

/// Figures of a model whose total times are these in ms.
fn figures(gateway: &str, model: &str, totals: impl Iterator<Item = u64>) -> Figures {
    let mut measured = Measured::new().expect("histograms");
    totals.for_each(|total| measured.take(&record(&base(1)[0], ms(0), ms(total), Ok(())), false));
    Figures::new(&format!("{gateway}::{model}"), gateway, model, &measured)
}

#[test]
fn what_a_gateway_adds_is_told_from_chance() {
    let direct = || figures("openai", "gpt", (0..100).map(|n| 400 + n));
    let all = [
        figures("proxy", "gpt", (0..100).map(|n| 440 + n * 7 % 100)),
        figures("twin", "gpt", (0..98).map(|n| 401 + n * 13 % 98)),
        direct(),
        figures("proxy", "other", (0..100).map(|n| 100 + n)),
    ];
    let same = |one: &Figures, other: &Figures| one.model == other.model;
    let found = between_gateways(&all, same, |figures| figures.gateway == "openai");
    let totals: Vec<_> = found.iter().filter(|difference| difference.figure == "total_ms").collect();
    assert_eq!(totals.len(), 2, "the same model at other gateways: {totals:#?}");
    let added = totals[0];
    assert_eq!((added.of.as_str(), added.with.as_str()), ("proxy::gpt", "openai::gpt"));
    assert!((added.difference_ms - 40.0).abs() < 2.0 && !added.indistinguishable, "{added:?}");
    let interval = added.interval.expect("enough values");
    assert!(interval.low > 20.0 && interval.low < 40.0 && interval.high > 40.0 && interval.high < 60.0, "{interval:?}");
    assert!(totals[1].indistinguishable, "{totals:?}");
    // Where no gateway is the maker's, the first one is what others are compared with.
    let found = between_gateways(&all, same, |_| false);
    assert!(found.iter().all(|difference| difference.with == "proxy::gpt"), "{found:?}");
    let few = figures("few", "gpt", [1, 2].into_iter());
    assert!(differences(("few", &few), ("direct", &direct())).iter().all(|found| found.indistinguishable));
    assert_eq!(differences(("none", &figures("n", "m", std::iter::empty())), ("direct", &direct())), []);
}

#[test]
fn many_values_are_compared_by_some_that_have_their_distribution() {
    let times = figures("g", "m", (0..50_000).map(|n| 100 + n % 1_000)).total_ms;
    let values = times.values();
    assert_eq!(values.len(), 2_000);
    assert!(values.is_sorted());
    within(Some(values[1_000]), 600.0, 0.01);
    within(Some(values[1_980]), 1_090.0, 0.01);
    assert_eq!(figures("g", "m", (0..7).map(|n| 100 + n)).total_ms.values().len(), 7);
    let found = ranges(&times, 100.0, 1_100.0, 10);
    assert_eq!(found.iter().sum::<u64>(), 50_000);
    assert!(found.is_sorted(), "the ranges become wider: {found:?}");
}

#[test]
fn a_run_that_was_kept_has_the_same_times() {
    let home = tempfile::tempdir().expect("a directory");
    let now = [figures("g", "m", (0..100).map(|n| 100 + 5 * n))];
    let run = |id: &str| KeptRun::new(id, "2026-11-21T10:00:00Z".into(), Load::Rate(2.5), "abc".into(), &now);
    for id in ["01a1-x7", "01a2-x7", "01a2-x8"] {
        kept::keep(home.path(), &run(id)).expect("kept");
    }
    assert_eq!(kept::find(home.path(), "last").expect("there").run, "01a2-x8");
    let read = kept::find(home.path(), "01a1").expect("there");
    assert_eq!((read.run.as_str(), read.load, read.request.as_str()), ("01a1-x7", Load::Rate(2.5), "abc"));
    let then = read.figures("g", "m").expect("measured");
    assert_eq!(then.total_ms, now[0].total_ms);
    assert!(differences(("now", &now[0]), ("before", &then)).iter().all(|found| found.indistinguishable));
    assert!(read.figures("other", "m").is_none());
    for id in ["01a2", "x7", "nothing"] {
        assert_eq!(kept::find(home.path(), id).expect_err(id).exit_code(), 2);
    }
    assert!(kept::find(&home.path().join("none"), "last").is_err());
}
