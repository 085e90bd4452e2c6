use std::collections::BTreeMap;

use super::context::Search;
use super::kept::{Findings, Kept};
use super::*;
use crate::chat::{Image, ImageSource, Part, Tool};

/// A complete answer.
fn said(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        usage: Usage { input: Some(10), output: Some(5), ..Usage::default() },
        finish: Some(FinishReason::Stop),
        pieces: 3,
        ..Answer::default()
    }
}

fn failed(kind: FailureKind) -> Answer {
    Answer { failure: Some(Failure::new(kind, "it says so")), ..Answer::default() }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: "1".into(), name: name.into(), arguments: arguments.into() }
}

/// What these answers prove about one feature, after a plain answer.
fn found(feature: Feature, answers: &[(Question, Answer)]) -> Finding {
    let mut all = Answers::from([(Question::Plain, said("Pelican January"))]);
    all.extend(answers.iter().cloned());
    findings(&[feature], &all).remove(&feature).expect("a finding")
}

fn value(feature: Feature, answers: &[(Question, Answer)]) -> Value {
    found(feature, answers).value
}

#[test]
fn the_plain_answer_shows_stream_system_usage_and_cost() {
    let plain = |answer: Answer| {
        let features = [Feature::Stream, Feature::System, Feature::Usage, Feature::Cost];
        let found = findings(&features, &Answers::from([(Question::Plain, answer)]));
        features.map(|feature| found[&feature].value)
    };
    let long = "Pelican January February March April May June July";
    use Value::{No, Unknown, Yes};
    assert_eq!(plain(Answer { reports_cost: true, ..said(long) }), [Yes, Yes, Yes, Yes]);
    assert_eq!(plain(Answer { pieces: 1, usage: Usage::default(), ..said(long) }), [No, Yes, No, No]);
    assert_eq!(plain(Answer { pieces: 1, ..said("**pelican** yes") }), [Unknown, Yes, Yes, No]);
    assert_eq!(plain(said("January, February")), [Yes, No, Yes, No]);
    assert_eq!(plain(Answer { pieces: 0, ..said("") }), [Unknown, Unknown, Yes, No]);
    assert_eq!(plain(Answer { refused: vec!["a system message"], ..said(long) })[1], No);
}

#[test]
fn a_stop_text_shows_in_words_that_are_missing() {
    let stop = |text: &str| value(Feature::Stop, &[(Question::Stop, said(text))]);
    assert_eq!(stop("Alpha bravo charlie delta "), Value::Yes);
    assert_eq!(stop("alpha bravo charlie delta echo foxtrot golf"), Value::No);
    assert_eq!(stop("A cat sat on a mat."), Value::Unknown);
}

#[test]
fn a_seed_counts_only_if_another_seed_gives_another_answer() {
    let seed = |texts: [&str; 3]| {
        let questions = [Question::Seed, Question::SeedAgain, Question::OtherSeed];
        value(Feature::Seed, &questions.into_iter().zip(texts.map(said)).collect::<Vec<_>>())
    };
    assert_eq!(seed(["a b", "a b", "c d"]), Value::Yes);
    assert_eq!(seed(["a b", "c d", "e f"]), Value::No);
    assert_eq!(seed(["a b", "a b", "a b"]), Value::Unknown);
}

#[test]
fn a_limit_is_kept_where_it_cuts() {
    let limit = |output: Option<u64>, finish: FinishReason| {
        let usage = Usage { output, ..Usage::default() };
        value(Feature::MaxTokens, &[(Question::Limit, Answer { usage, finish: Some(finish), ..said("one two") })])
    };
    assert_eq!(limit(Some(24), FinishReason::Length), Value::Yes);
    assert_eq!(limit(Some(60), FinishReason::Length), Value::No);
    assert_eq!(limit(Some(60), FinishReason::Stop), Value::No);
    assert_eq!(limit(Some(5), FinishReason::Stop), Value::Unknown);
    assert_eq!(limit(Some(5), FinishReason::Length), Value::Unknown, "this model always ends early");
    assert_eq!(limit(None, FinishReason::Length), Value::Yes);
    assert_eq!(limit(None, FinishReason::Stop), Value::Unknown);
}

#[test]
fn functions_have_to_be_called_as_they_were_offered() {
    let both = |calls: &[ToolCall]| {
        let answer = Answer { tool_calls: calls.to_vec(), ..said("") };
        [Feature::Tools, Feature::ParallelTools].map(|feature| value(feature, &[(Question::Tools, answer.clone())]))
    };
    let (weather, time) = (call("get_weather", r#"{"city":"Paris"}"#), call("get_time", r#"{"city":"Paris"}"#));
    use Value::{No, Unknown, Yes};
    assert_eq!(both(&[weather.clone(), time]), [Yes, Yes]);
    assert_eq!(both(std::slice::from_ref(&weather)), [Yes, No]);
    assert_eq!(both(&[]), [Unknown, Unknown], "an empty answer");
    let text = [(Question::Tools, said("It rains."))];
    assert_eq!((value(Feature::Tools, &text), value(Feature::ParallelTools, &text)), (No, No));
    assert_eq!(both(&[weather, call("get_time", "{\"city\":")]), [No, No]);
    assert_eq!(both(&[call("get_moon", r#"{"city":"Paris"}"#)]), [No, No]);
}

#[test]
fn what_is_asked_for_has_to_come_back() {
    use Value::{No, Unknown, Yes};
    let one = |feature: Feature, question, answer| value(feature, &[(question, answer)]);
    for (text, expected) in [
        (r#"{"kestrels": 2, "shade": "teal"}"#, Yes),
        (r#"{"kestrels": 2, "shade": "red"}"#, No),
        ("I saw a kestrel.", No),
        ("", Unknown),
    ] {
        assert_eq!(one(Feature::JsonSchema, Question::Schema, said(text)), expected, "{text}");
    }
    for (text, expected) in [
        ("Yellow, blue, red and green.", Yes),
        ("Red, green, blue, yellow.", No),
        ("I see no picture.", No),
        ("", Unknown),
    ] {
        assert_eq!(one(Feature::Image, Question::Image, said(text)), expected, "{text}");
    }
    for (text, expected) in [("Marmalade", Yes), ("I cannot open files.", No), ("", Unknown)] {
        assert_eq!(one(Feature::Pdf, Question::Pdf, said(text)), expected, "{text}");
    }
    let with = |logprobs| Answer { logprobs, ..said("Red") };
    assert_eq!(one(Feature::Logprobs, Question::Logprobs, with(1)), Yes);
    assert_eq!(one(Feature::Logprobs, Question::Logprobs, with(0)), No);
    let thought = |reasoning: &str, tokens| Answer {
        reasoning: reasoning.into(),
        usage: Usage { reasoning: tokens, ..Usage::default() },
        ..said("Half a coin")
    };
    for (answer, expected) in [
        (thought("Let me see.", None), Yes),
        (thought("", Some(40)), Yes),
        (thought("", Some(0)), No),
        (thought("", None), No),
    ] {
        assert_eq!(one(Feature::Reasoning, Question::Reasoning, answer), expected);
    }
}

#[test]
fn a_failure_of_the_network_proves_nothing_and_a_refusal_does() {
    let image = |answer| value(Feature::Image, &[(Question::Image, answer)]);
    for kind in [FailureKind::Network, FailureKind::Timeout, FailureKind::RateLimited, FailureKind::ServerError] {
        assert_eq!(image(failed(kind)), Value::Unknown, "{kind:?}");
    }
    assert_eq!(image(failed(FailureKind::InvalidRequest)), Value::No);
    assert_eq!(image(failed(FailureKind::NotFound)), Value::No, "no endpoint takes images");
    let cut = Answer { finish: None, ..failed(FailureKind::Truncated) };
    assert_eq!(image(Answer { text: "yellow, blue, red, green".into(), ..cut }), Value::Unknown);
    assert_eq!(found(Feature::Image, &[]).received, "not asked");
}

#[test]
fn where_the_plain_request_fails_all_is_unknown() {
    let answers = Answers::from([
        (Question::Plain, failed(FailureKind::InvalidRequest)),
        (Question::Image, said("yellow blue red green")),
    ]);
    let found = findings(&Feature::ALL, &answers);
    assert_eq!(found.len(), 14, "the context is searched elsewhere");
    assert!(found.values().all(|finding| finding.value == Value::Unknown && finding.received == "it says so"));
}

#[test]
fn a_refused_parameter_is_a_feature_that_is_missing() {
    let refused = Answer { refused: vec!["seed"], ..said("words") };
    let all = [(Question::Seed, refused), (Question::SeedAgain, said("words")), (Question::OtherSeed, said("other"))];
    assert_eq!(value(Feature::Seed, &all), Value::No);
    assert_eq!(value(Feature::Stop, &[(Question::Stop, said("charlie delta"))]), Value::Yes);
}

#[test]
fn questions_are_asked_once_and_evidence_is_one_line() {
    let all = questions(&Feature::ALL);
    assert_eq!((all.len(), all[0]), (12, Question::Plain));
    assert_eq!(questions(&[Feature::ParallelTools, Feature::Tools]), [Question::Plain, Question::Tools]);
    let finding = found(Feature::Pdf, &[(Question::Pdf, said(&format!("first\nsecond {}", "long ".repeat(100))))]);
    assert!(!finding.received.contains('\n') && finding.received.chars().count() < 80, "{finding:?}");
}

/// A gateway that accepts prompts of so many tokens, and reads so many of their end.
fn searched(mut search: Search, accepts: u64, reads: u64) -> (Finding, Option<u64>, u32) {
    let mut steps = 0;
    while let Some(asked) = search.next() {
        steps += 1;
        let answer = match asked {
            _ if asked > accepts => failed(FailureKind::ContextLength),
            _ if asked > reads => said("I was not told."),
            _ => Answer { usage: Usage { input: Some(asked), ..Usage::default() }, ..said("Marigold.") },
        };
        search.take(asked, &answer);
        assert!(steps < 20, "the search ends");
    }
    let (finding, context) = search.finding();
    (finding, context, steps)
}

#[test]
fn the_context_is_searched_from_what_is_listed_down() {
    let listed = || Search::new(Some(100_000), None);
    let (finding, context, steps) = searched(listed(), 100_000, 100_000);
    assert_eq!((finding.value, context, steps), (Value::Yes, Some(94_744), 1));
    for (accepts, reads) in [(40_000, 100_000), (100_000, 40_000)] {
        let (finding, context, _) = searched(listed(), accepts, reads);
        assert_eq!(finding.value, Value::No, "{finding:?}");
        assert!((33_000..=40_000).contains(&context.expect("found")), "{context:?}");
    }
    let (finding, context, _) = searched(Search::new(None, None), 20_000, 20_000);
    assert_eq!(finding.value, Value::Yes, "nothing is listed that it would fall short of");
    assert!((11_000..=20_000).contains(&context.expect("found")), "{context:?}");
    let (finding, context, _) = searched(Search::new(Some(100_000), Some(5_000)), 100_000, 100_000);
    assert_eq!((finding.value, context), (Value::Unknown, Some(4_494)), "{finding:?}");
    assert_eq!(searched(listed(), 0, 0).0.value, Value::No);
    let mut broken = listed();
    broken.take(94_744, &failed(FailureKind::Network));
    assert_eq!((broken.next(), broken.finding().0.value), (None, Value::Unknown));
}

#[test]
fn what_was_known_stays_where_a_new_finding_is_unknown() {
    let home = tempfile::tempdir().expect("a directory");
    let kept = Findings::new(home.path(), "corp/x", "https://corp/v1");
    let finding = |value| Finding { value, sent: "s".into(), received: "r".into() };
    let all = |values: &[(Feature, Value)]| -> BTreeMap<Feature, Finding> {
        values.iter().map(|(feature, value)| (*feature, finding(*value))).collect()
    };
    assert_eq!(kept.of("a/b"), None);
    kept.keep("a/b", &all(&[(Feature::Stop, Value::Yes), (Feature::Context, Value::Yes)]), Some(7)).expect("kept");
    kept.keep("a/b", &all(&[(Feature::Stop, Value::Unknown), (Feature::Seed, Value::No)]), None).expect("kept");
    let read = kept.of("a/b").expect("there");
    assert_eq!((read.has(Feature::Stop), read.has(Feature::Seed), read.context), (Some(true), Some(false), Some(7)));
    assert_eq!(read.has(Feature::Tools), None);
    assert_eq!(kept.of("a/c"), None);
    assert_eq!(Findings::new(home.path(), "corp/x", "https://other/v1").of("a/b"), None, "another gateway now");
}

// L17
#[cfg(unix)]
#[test]
fn findings_that_others_could_have_put_there_are_told_once_for_all_models() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = tempfile::tempdir().expect("a directory");
    let kept = Findings::new(home.path(), "corp", "https://corp/v1");
    assert_eq!(kept.all_refused().len(), 0, "there are none");
    for model in ["a", "b", "c"] {
        kept.keep(model, &BTreeMap::new(), None).expect("kept");
    }
    assert_eq!(kept.all_refused().len(), 0);
    let permit = |place: &str, mode| {
        let place = home.path().join("probes/corp").join(place);
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    permit("", 0o777);
    let told = kept.all_refused();
    assert_eq!((told.len(), told.first()), (1, kept.refused("a").as_ref()));
    permit("", 0o700);
    permit("b.json", 0o666);
    assert_eq!(kept.all_refused().first(), kept.refused("b").as_ref());
}

#[test]
fn a_request_needs_what_it_cannot_be_answered_without() {
    let image = Part::Image(Image { source: ImageSource::Url("https://x/y.png".into()), detail: None });
    let tool = Tool { name: "t".into(), description: None, parameters: None, strict: None };
    let request = Request {
        messages: vec![Message { role: Role::User, parts: vec![image] }],
        tools: vec![tool],
        max_tokens: Some(3),
        ..Request::default()
    };
    assert_eq!(needed(&request), [Feature::Tools, Feature::Image]);
    assert_eq!(needed(&prompt("hi")), []);
    let found = |value: &str, at: &str| format!(r#"{{"value":"{value}","sent":"","received":"","at":"{at}"}}"#);
    let kept = format!(
        r#"{{"layout":1,"base_url":"u","model":"m","context":null,"findings":{{"tools":{},"image":{}}}}}"#,
        found("yes", "2026-11-20T00:00:00Z"),
        found("no", "2026-11-20T00:00:00Z")
    );
    let kept: Kept = serde_json::from_str(&kept).expect("kept");
    assert_eq!(lacking(&request, &kept), [(Feature::Image, "2026-11-20")]);
}
