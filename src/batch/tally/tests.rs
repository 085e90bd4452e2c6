use super::*;
use crate::batch::line::is_correct;
use crate::record::CostOrigin;

fn ended(status: Status) -> Ended {
    Ended {
        status,
        failure: None,
        cached: false,
        first_token: None,
        total: None,
        input: Some(10),
        output: Some(2),
        cost: None,
        cost_nothing: false,
        expected: None,
        correct: None,
        label: None,
        scores: Vec::new(),
        judge_cost: None,
        fallbacks: Vec::new(),
    }
}

#[test]
fn an_answer_of_a_model_that_was_not_asked_first_is_counted_with_the_reason() {
    use crate::call::Target;
    use crate::report::samples::{attempt, ms, rate_limited, record};
    let mut answer = record("m", "yes");
    let is_none = |record: &crate::record::Record| FellBack::of(record, []).is_none();
    answer.attempts = vec![attempt("a", Some(429), Some(rate_limited())), attempt("a", Some(200), None)];
    assert!(is_none(&answer), "another try of the same model");
    answer.attempts.push(attempt("b", Some(200), None));
    answer.attempts[1].error = Some(rate_limited());
    let beside = Target { gateway: "elsewhere".into(), model: "b".into() };
    let fell_back = FellBack::of(&answer, [&beside]).expect("a fallback");
    let named = format!("{}::b", answer.attempts[0].gateway);
    assert_eq!((&*fell_back.from, fell_back.to, fell_back.kind), ("a", named, FailureKind::RateLimited));
    // Of two that were asked at once, the first may be told last.
    answer.attempts = vec![attempt("b", None, Some(rate_limited())), attempt("a", Some(200), None)];
    answer.attempts[0].start = ms(50);
    assert!(is_none(&answer));
    answer.attempts.reverse();
    answer.status = Status::Failed;
    assert!(is_none(&answer), "nothing answered");
    let mut tally = Tally::new(&["a".to_owned(), "c".to_owned()]);
    let because = |kind| FellBack { from: "a".into(), to: "b".into(), kind };
    for (model, kind) in [("a", FailureKind::Timeout), ("a", FailureKind::Network), ("c", FailureKind::Network)] {
        tally.add(model, &Ended { fallbacks: vec![because(kind)], ..ended(Status::Ok) });
    }
    let sums: Vec<_> = tally.fallbacks().into_iter().collect();
    let pair = ("a".to_owned(), "b".to_owned());
    assert_eq!(sums, [(pair, vec![(FailureKind::Network, 2), (FailureKind::Timeout, 1)])]);
}

#[test]
fn times_are_of_complete_answers_that_were_not_cached() {
    let mut model = ModelTally::default();
    for ms in 1..=100 {
        model.add(&Ended { total: Some(Duration::from_millis(ms)), ..ended(Status::Ok) });
    }
    model.add(&Ended { total: Some(Duration::from_secs(9)), cached: true, ..ended(Status::Ok) });
    model.add(&Ended { total: Some(Duration::from_secs(9)), ..ended(Status::Failed) });
    let at = |share| model.total_at(share).map(|time| time.as_millis());
    assert_eq!((at(0.5), at(0.95), at(0.99), at(1.0)), (Some(50), Some(95), Some(99), Some(100)));
    assert_eq!((model.ok, model.failed, model.cached, model.first_token_at(0.5)), (101, 1, 1, None));
}

#[test]
fn an_unknown_cost_is_counted_and_none_is_no_zero() {
    let mut model = ModelTally::default();
    model.add(&ended(Status::Ok));
    assert_eq!((model.cost.usd, model.cost.unknown), (None, 1));
    let cost = Cost { partial: true, ..Cost::new(Usd::from_picos(5), CostOrigin::Table) };
    model.add(&Ended { cost: Some(cost), ..ended(Status::Ok) });
    model.add(&Ended { cost_nothing: true, ..ended(Status::Failed) });
    assert_eq!((model.cost.usd, model.cost.unknown, model.cost.computed), (Some(Usd::from_picos(5)), 2, true));
}

#[test]
fn tokens_that_nobody_told_are_unknown_and_not_zero() {
    let mut model = ModelTally::default();
    assert_eq!(model.output.known(), Some(0));
    model.add(&Ended { output: None, ..ended(Status::Ok) });
    assert_eq!((model.input.known(), model.output.known(), model.unknown_tokens), (Some(10), None, 1));
    model.add(&ended(Status::Ok));
    assert_eq!((model.output.known(), model.output.is_partial(), model.input.is_partial()), (Some(2), true, false));
}

#[test]
fn labels_are_compared_without_case_space_and_full_stop() {
    for (answer, expected, same) in
        [(" Spam.\n", "spam", true), ("ham", "spam", false), ("not spam", "spam", false), ("4.5", "4.5", true)]
    {
        assert_eq!(is_correct(answer, expected), same, "{answer}");
    }
    let mut model = ModelTally::default();
    for (expected, label) in [("spam", "spam"), ("spam", "ham"), ("ham", "ham"), ("ham", "something else")] {
        let correct = Some(expected == label);
        let (expected, label) = (Some(expected.to_owned()), Some(label.to_owned()));
        model.add(&Ended { expected, label, correct, ..ended(Status::Ok) });
    }
    let confusion = model.confusion().expect("labels");
    assert_eq!(confusion.labels, ["ham", "spam"]);
    assert_eq!(confusion.counts, [[1, 0, 1], [1, 1, 0]]);
    assert_eq!((model.correct, model.expected, model.accuracy()), (2, 4, Some(0.5)));
}

#[test]
fn texts_that_are_no_labels_make_no_table() {
    let mut model = ModelTally::default();
    for n in 0..40 {
        let text = Some(format!("text {n}"));
        model.add(&Ended { expected: text.clone(), label: text, correct: Some(true), ..ended(Status::Ok) });
    }
    assert_eq!((model.confusion(), model.correct), (None, 40));
}

#[test]
fn the_exit_code_is_that_of_all_or_8() {
    let failed = |kind| Ended { failure: Some(kind), ..ended(Status::Failed) };
    let code = |all: &[Ended]| {
        let mut tally = Tally::default();
        all.iter().for_each(|ended| tally.add("m", ended));
        tally.exit_code()
    };
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&[ended(Status::Ok)]), 0);
    assert_eq!(code(&[ended(Status::Ok), failed(FailureKind::RateLimited)]), 8);
    assert_eq!(code(&[failed(FailureKind::RateLimited), failed(FailureKind::Unavailable)]), 6);
    assert_eq!(code(&[failed(FailureKind::RateLimited), failed(FailureKind::InvalidRequest)]), 1);
    assert_eq!(code(&[ended(Status::Truncated)]), 8);
}

#[test]
fn what_was_paid_for_more_than_the_lines_is_part_of_the_sum() {
    let cost = |usd: &str, unknown| TotalCost { usd: usd.parse().ok(), unknown, computed: true };
    let mut tally = Tally::new(&["m".to_owned()]);
    tally.models[0].1.cost = cost("2", 0);
    tally.models[0].1.judge_cost = cost("1", 0);
    tally.note_paid(cost("3", 0));
    assert_eq!((tally.cost(), tally.earlier), (cost("2", 0), TotalCost::default()), "nothing more");
    tally.note_paid(cost("7.5", 1));
    assert_eq!((tally.cost(), tally.paid(), tally.earlier), (cost("6.5", 1), cost("7.5", 1), cost("4.5", 1)));
    tally.note_paid(cost("7.5", 0));
    assert_eq!(tally.cost(), cost("6.5", 0), "what was noted before does not count twice");
    // The ledger was purged, or the line stands for several calls whose cost is unknown.
    tally.models[0].1.cost.unknown = 1;
    tally.note_paid(cost("1", 3));
    assert_eq!((tally.cost(), tally.earlier), (cost("2", 1), TotalCost::default()));
}
