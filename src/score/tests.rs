use std::time::Duration;

use super::*;
use crate::chat::TokenLogprob;
use crate::record::{Cost, CostOrigin};
use crate::report::samples::{failed, record};

fn answers(texts: &[&str]) -> Vec<Record> {
    texts.iter().enumerate().map(|(i, text)| record(&format!("m{i}"), text)).collect()
}

fn parse(spec: &str) -> Weighted {
    Weighted::parse(spec, &Environment::default()).expect(spec)
}

/// The scores of these records by one scorer.
fn scores(spec: &str, records: &[Record], expected: Option<&str>) -> Vec<Score> {
    let records: Vec<&Record> = records.iter().collect();
    parse(spec).scorer.score(&Answers { records: &records, expected })
}

fn values(spec: &str, records: &[Record]) -> Vec<Option<f64>> {
    scores(spec, records, None).into_iter().map(|score| score.value).collect()
}

#[test]
fn a_specification_has_a_name_an_argument_and_a_weight() {
    for (text, spec, weight) in [
        ("agreement", "agreement", 1.0),
        ("agreement*0.5", "agreement", 0.5),
        ("exact:Oslo*2", "exact:Oslo", 2.0),
        ("exact:2*3*1", "exact:2*3", 1.0),
        ("regex:a.*", "regex:a.*", 1.0),
        ("regex:a.*b*3", "regex:a.*b", 3.0),
        ("contains:a:b", "contains:a:b", 1.0),
        ("exact", "exact", 1.0),
    ] {
        let parsed = parse(text);
        assert_eq!((parsed.spec.as_str(), parsed.weight), (spec, weight), "{text}");
    }
    assert!(parse("exact").scorer.needs_expected() && !parse("exact:a").scorer.needs_expected());
    assert!(parse("confidence").scorer.needs_logprobs() && parse("command:true").scorer.is_slow());
    for (text, said) in [
        ("speed", "there is no score `speed`"),
        ("fastest:5", "nothing follows fastest"),
        ("exact:", "exact:TEXT"),
        ("regex", "regex:PATTERN"),
        ("regex:(", "score `regex:(`"),
        ("schema", "schema:FILE"),
        ("schema:/nonexistent.json", "/nonexistent.json"),
        ("command:", "command:PROGRAM"),
        ("command:'a", "quotation mark"),
        ("agreement*0", "above 0"),
        ("agreement*-1", "above 0"),
        ("agreement*inf", "above 0"),
    ] {
        let error = Weighted::parse(text, &Environment::default()).expect_err(text);
        assert!(error.to_string().contains(said) && error.exit_code() == 2, "{text}: {error}");
    }
}

#[test]
fn texts_are_compared() {
    let records = answers(&["Oslo\n", "oslo", "It is Oslo."]);
    assert_eq!(values("exact:Oslo", &records), [Some(1.0), Some(0.0), Some(0.0)]);
    assert_eq!(values("contains:Oslo", &records), [Some(1.0), Some(0.0), Some(1.0)]);
    assert_eq!(values("regex:(?i)^oslo$", &records), [Some(1.0), Some(1.0), Some(0.0)]);
    // A text that is expected of this prompt.
    let found = scores("exact", &records, Some("oslo"));
    assert_eq!(found.iter().map(|score| score.value).collect::<Vec<_>>(), [Some(0.0), Some(1.0), Some(0.0)]);
    assert_eq!(scores("contains", &records, None)[0], Score::unknown("no text is expected of it"));
    // A pattern that goes back for ever.
    let record = answers(&[&"a".repeat(60)]);
    assert_eq!(values(r"regex:^(a|a|b(?=c))*\1$", &record).len(), 1);
}

#[test]
fn a_schema_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("schema.json");
    std::fs::write(&path, r#"{"type": "object", "required": ["city"]}"#).expect("written");
    let found = scores(&format!("schema:{}", path.display()), &answers(&[r#"{"city": 1}"#, "{}", "x"]), None);
    assert_eq!(found.iter().map(|score| score.value).collect::<Vec<_>>(), [Some(1.0), Some(0.0), Some(0.0)]);
    assert!(found[1].reason.as_ref().expect("a reason").contains("city"), "{found:?}");
}

#[test]
fn agreement_is_the_mean_f1_of_words() {
    let records = answers(&["The cat sat.", "the cat sat", "the dog ran"]);
    // Words in common: 3 of 3 and 1 of 3, so (1 + 1/3) / 2; the last has (1/3 + 1/3) / 2.
    let found = values("agreement", &records);
    for (found, expected) in found.into_iter().zip([2.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0]) {
        assert!((found.expect("a score") - expected).abs() < 1e-12);
    }
    // A word counts as often as both have it: 2 · 2 / (3 + 2).
    assert_eq!(values("agreement", &answers(&["no no no", "no no"])), [Some(0.8), Some(0.8)]);
    assert_eq!(values("agreement", &answers(&["", "!"])), [Some(1.0), Some(1.0)]);
    assert_eq!(values("agreement", &answers(&["alone"])), [None]);
}

#[test]
fn confidence_is_the_geometric_mean_of_probabilities() {
    let mut records = answers(&["a b", "c"]);
    let token = |probability: f64| TokenLogprob { token: "t".into(), logprob: probability.ln(), top: Vec::new() };
    records[0].logprobs = vec![token(0.9), token(0.4)];
    let found = scores("confidence", &records, None);
    assert!((found[0].value.expect("a score") - 0.6).abs() < 1e-12);
    assert_eq!(found[0].reason.as_deref(), Some("mean log-probability -0.511 of 2 tokens"));
    assert_eq!(found[1], Score::unknown("the gateway gave no log-probabilities"));
    records[0].logprobs = vec![token(0.0)];
    assert_eq!(values("confidence", &records), [None, None]);
}

#[test]
fn figures_are_relative_to_the_best() {
    let mut records = answers(&["ab", "abcd", "  "]);
    assert_eq!(values("shortest", &records), [Some(1.0), Some(0.5), None]);
    records[1].timing.total = Some(Duration::from_millis(950));
    records[2].timing.total = None;
    assert_eq!(values("fastest", &records), [Some(0.5), Some(1.0), None]);
    let cost = |usd: &str| Some(Cost::new(usd.parse().expect("dollars"), CostOrigin::Table));
    records[0].cost = cost("0.004");
    records[1].cost = cost("0.001");
    records[2].cost = None;
    assert_eq!(values("cheapest", &records), [Some(0.25), Some(1.0), None]);
    records[1].cost = cost("0");
    assert_eq!(values("cheapest", &records), [Some(0.0), Some(1.0), None]);
    // A lower bound and a cached answer cannot be compared.
    records[0].cost = records[0].cost.map(|cost| Cost { partial: true, ..cost });
    records[1].cached = true;
    assert_eq!(values("cheapest", &records), [None, None, None]);
    assert_eq!(values("fastest", &records), [Some(1.0), None, None]);
}

#[test]
fn scores_add_up_by_weight_and_unknown_stays_unknown() {
    let part = |weight, score| Part { scorer: "s".into(), weight, score, reason: Some("why".into()) };
    assert_eq!(Scored::new(vec![part(1.0, Some(1.0)), part(3.0, Some(0.5))]).score, Some(0.625));
    let unknown = Scored::new(vec![part(1.0, Some(1.0)), part(3.0, None)]);
    assert_eq!((unknown.score, unknown.why_unknown()), (None, Some("why")));
    assert_eq!(Scored::new(Vec::new()).score, None);
}

#[test]
fn only_complete_answers_are_scored() {
    let mut records = answers(&["ab", "abcd"]);
    records.insert(0, failed("down"));
    let records: Vec<&Record> = records.iter().collect();
    let found = score(&[parse("shortest"), parse("agreement*2")], &Answers { records: &records, expected: None });
    let scores: Vec<Vec<Option<f64>>> =
        found.iter().map(|parts| parts.iter().map(|part| part.score).collect()).collect();
    assert_eq!(scores, [[None, None], [Some(1.0), Some(0.0)], [Some(0.5), Some(0.0)]]);
    assert_eq!(found[0][0].reason.as_deref(), Some("there is no complete answer"));
    assert_eq!((found[1][1].scorer.as_str(), found[1][1].weight), ("agreement", 2.0));
}

#[cfg(unix)]
mod commands {
    use super::*;
    use crate::child::Stop;
    use crate::score::command::Command;

    fn run(script: &str, expected: Option<&str>) -> Score {
        let record = record("m", "four");
        let command = Command::new(script, &["CARGO_MANIFEST_DIR".to_owned()], &Stop::default()).expect(script);
        let command = command.within(Duration::from_secs(60));
        command.score(&Answers { records: &[&record], expected }).remove(0)
    }

    #[test]
    fn a_program_gets_the_answer_and_its_record_and_prints_a_number() {
        assert_eq!(run("wc -c", None), Score::of(4.0));
        assert_eq!(run("echo ' -0.5 '", None), Score::of(-0.5));
        let script = r#"sh -c 'case "$LLM_RECORD" in *"\"text\""*) echo 9;; *"\"model\":\"m\""*) echo 1;; esac'"#;
        assert_eq!(run(script, None), Score::of(1.0));
        assert_eq!(run("sh -c 'test \"$LLM_EXPECTED\" = \"a b\" && echo 1'", Some("a b")), Score::of(1.0));
        // A variable that is surely there stands for one that holds a key.
        assert_eq!(run("sh -c 'test -z \"$CARGO_MANIFEST_DIR\" && echo 1'", None), Score::of(1.0));
        // No shell: this is a file name.
        assert!(run("'echo 1'", None).reason.expect("why").starts_with("echo 1 cannot be run"));
    }

    #[test]
    fn what_is_no_number_is_unknown() {
        for (script, said) in [
            ("true", "true printed nothing"),
            ("echo one", "echo did not print one number"),
            ("echo 1 2", "echo did not print one number"),
            ("echo NaN", "echo did not print one number"),
            ("sh -c 'echo bad >&2; exit 3'", "sh failed (exit status: 3): bad"),
            ("yes", "yes printed far more than a number"),
            ("/nonexistent/scorer", "/nonexistent/scorer cannot be run"),
        ] {
            let score = run(script, None);
            assert!(score.value.is_none() && score.reason.as_ref().is_some_and(|why| why.contains(said)), "{score:?}");
        }
        let long = "x".repeat(200 * 1024);
        assert!(run("wc -c", Some(&long)).reason.expect("why").contains("LLM_EXPECTED would be longer than 120 KiB"));
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let record = record("m", "four");
        let command = Command::new("sleep 100", &[], &Stop::default()).expect("good");
        let begun = std::time::Instant::now();
        let scores =
            command.within(Duration::from_millis(200)).score(&Answers { records: &[&record, &record], expected: None });
        assert_eq!(scores, vec![Score::unknown("sleep gave no number in 0.2 s"); 2]);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn the_best_score_may_be_shared_or_unknown() {
    assert_eq!(best(&[None, Some(0.5), Some(0.2)]), Some(Best { index: 1, score: 0.5, tied: vec![] }));
    assert_eq!(best(&[Some(0.3), Some(0.1 + 0.2), None]).expect("one").tied, [1]);
    assert_eq!(best(&[None, None]), None);
    assert_eq!(best(&[Some(-2.0), Some(-1.0)]).expect("one").index, 1);
}

#[test]
fn a_score_that_is_a_sum_of_fractions_is_printed_as_people_write_it() {
    let part = |score, weight| Part { scorer: "s".into(), weight, score: Some(score), reason: None };
    let scored = Scored::new(vec![part(0.1, 1.0), part(0.7, 1.0)]);
    assert_eq!(serde_json::to_string(&scored.score).expect("JSON"), "0.4");
    let large = Scored::new(vec![part(12_345_678_901.5, 1.0)]);
    assert_eq!(large.score, Some(12_345_678_901.5));
    let mean = mean_score(&[Scored::new(vec![part(0.1, 1.0)]), Scored::new(vec![part(0.2, 1.0)]), scored]);
    assert_eq!(mean, Some(0.233_333_333_333));
}
