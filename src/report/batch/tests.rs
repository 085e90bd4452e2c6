use super::*;
use crate::batch::line::Ended;
use crate::error::FailureKind;
use crate::money::Usd;
use crate::record::{Cost, CostOrigin, Status};
use crate::report::samples::HOSTILE;

fn tally(model: &str) -> Tally {
    let mut tally = Tally::new(&[model.to_owned(), "other".to_owned()]);
    for n in 0..40u64 {
        let is_right = n % 4 != 0;
        let ended = Ended {
            status: Status::Ok,
            failure: None,
            cached: false,
            first_token: Some(Duration::from_millis(100 + n)),
            total: Some(Duration::from_millis(200 + n)),
            input: Some(1_000),
            output: Some(5),
            cost: Some(Cost::new(Usd::from_picos(1_000_000_000), CostOrigin::Table)),
            cost_nothing: false,
            expected: Some(if n % 2 == 0 { "ham" } else { "spam" }.to_owned()),
            correct: Some(is_right),
            label: Some(if is_right == (n % 2 == 0) { "ham" } else { "spam" }.to_owned()),
            scores: Vec::new(),
            judge_cost: None,
            fallbacks: Vec::new(),
        };
        tally.add(model, &ended);
        let failed = Ended {
            status: Status::Failed,
            failure: Some(FailureKind::RateLimited),
            cost: None,
            cost_nothing: true,
            correct: None,
            label: None,
            ..ended
        };
        tally.add("other", &failed);
    }
    tally
}

fn summary(tally: &Tally) -> Summary<'_> {
    Summary {
        job: "j",
        input: "rows.csv",
        output: Some("out.jsonl"),
        expected: Some(100),
        tally,
        unwritten: 5,
        elapsed: Some(Duration::from_secs(90)),
    }
}

#[test]
fn the_summary_has_a_row_for_each_model_and_a_table_of_labels() {
    let tally = tally("gpt");
    insta::assert_snapshot!(text(&summary(&tally), &Output::terminal(120)), @r"
     model  ok  failed     p50     p95      in  out    cost               right
     gpt    40       0  219 ms  237 ms  40,000  200  ~$0.04  75.0 % (59.8–85.8)
     other   0      40       –       –  40,000  200       –
     total  40      40                               ~$0.04

    gpt: expected below, answered across
     expected  ham  spam
     ham        10    10
     spam        ·    20

     not complete: 40 rate_limited · not asked: 15 · not written: 5 · took 1 m 30 s
    ");
}

#[test]
fn a_fallback_has_its_reason_or_the_count_of_each() {
    use FailureKind::{Interrupted, Network, Timeout};
    assert_eq!(fell_back("a", "b", &[(Network, 1_200)]), "b answered for a: 1,200 (network)");
    assert_eq!(fell_back("a", "b", &[(Network, 2), (Timeout, 1)]), "b answered for a: 3 (2 network, 1 timeout)");
    assert_eq!(fell_back("a", "b\nc", &[(Interrupted, 1)]), "b ⏎ c answered for a: 1 (slow to begin)");
}

#[test]
fn every_format_has_every_model_and_none_obeys_its_name() {
    let name = format!("=m|{}<script>", HOSTILE.replace('\n', " "));
    let tally = tally(&name);
    let summary = summary(&tally);
    let json: serde_json::Value =
        serde_json::from_str(&document(&summary, &Output::plain(80)).shown(false)).expect("json");
    assert_eq!(json["models"][0]["accuracy"]["correct"], 30);
    assert_eq!(
        (json["missing"].as_u64(), json["models"][1]["failures"]["rate_limited"].as_u64()),
        (Some(15), Some(40))
    );
    let html = page(&summary).expect("a page");
    assert!(!html.shown(false).contains("<script>") && html.shown(false).contains("<polyline"));
    let csv = table(&summary).shown(false).into_owned();
    assert!(csv.lines().skip(1).all(|line| line.starts_with("j,")), "{csv}");
    let markdown = markdown(&summary).shown(false).into_owned();
    assert!(markdown.contains("### ") && !markdown.contains("<script>"), "{markdown}");
}

#[test]
fn csv_has_the_bounds_of_mean_scores_behind_all_else() {
    let mut tally = tally("gpt");
    let mut scored = |by: &str, score: f64| {
        let ended = Ended {
            status: Status::Ok,
            failure: None,
            cached: false,
            first_token: None,
            total: None,
            input: None,
            output: None,
            cost: None,
            cost_nothing: true,
            expected: None,
            correct: None,
            label: None,
            scores: vec![crate::batch::line::Scored { by: by.to_owned(), score: Some(score) }],
            judge_cost: None,
            fallbacks: Vec::new(),
        };
        tally.add("gpt", &ended);
    };
    (0..4).for_each(|n| scored("contains:x", f64::from(n % 2)));
    scored("regex:y", 7.0);
    let csv = table(&summary(&tally)).shown(false).into_owned();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let scores: Vec<&str> = rows[0][HEADINGS.len()..].to_vec();
    assert_eq!(scores, ["contains:x", "regex:y", "contains:x_low", "contains:x_high", "regex:y_low", "regex:y_high"]);
    // Wilson's interval of two of four; a score above 1 is no share.
    assert_eq!(rows[1][HEADINGS.len()..], ["0.5000", "7.0000", "0.1500", "0.8500", "", ""]);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
}
