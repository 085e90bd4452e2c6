//! Tests of the promises L20 to L26.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::testing::{Canned, Reply, call, run};
use super::*;
use crate::call::{Caller, Target};
use crate::chat::{Alternative, Message, Part, Role, TokenLogprob, ToolCall, ToolChoice, Usage};
use crate::error::FailureKind;
use crate::secret::testing;

const DAY: Duration = Duration::from_secs(86_400);

fn gateway() -> Gateway {
    testing::gateway("g")
}

fn answers(dir: &std::path::Path) -> Arc<Answers> {
    let gateways = BTreeMap::from([("g".to_owned(), (gateway(), "default".to_owned()))]);
    Arc::new(Answers::new(Store::new(dir.to_owned(), DAY, 1 << 20), gateways))
}

fn key(gateway: Gateway, scope: &str, request: Request) -> Key {
    let gateways = BTreeMap::from([("g".to_owned(), (gateway, scope.to_owned()))]);
    let mut call = call(&["m"]);
    call.request = Arc::new(request);
    Answers::new(Store::new("nowhere".into(), DAY, 0), gateways).key(&call).expect("a known gateway")
}

fn response(text: &str) -> Response {
    Response {
        id: Some("r".into()),
        model: Some("m-2026".into()),
        text: text.into(),
        logprobs: vec![TokenLogprob {
            token: "t".into(),
            logprob: -0.002_632_617_950_314_283_4,
            top: vec![Alternative { token: "x".into(), logprob: -9.5 }],
        }],
        reasoning: "hm".into(),
        reasoning_signature: Some("sig".into()),
        tool_calls: vec![ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() }],
        missing: None,
        usage: Usage { input: Some(3), output: Some(2), cost: "0.01".parse().ok(), ..Usage::default() },
        finish: Some(FinishReason::ToolCalls),
    }
}

fn any_key(seed: u8) -> Key {
    Key([seed; 32])
}

#[tokio::test(start_paused = true)]
async fn the_second_time_no_request_is_sent_and_the_answer_is_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = Canned::new([("m", vec![Reply::answer(), Reply::kind(FailureKind::Network)])]);
    let cache = Cache::new(gateway.clone(), Some(answers(dir.path())));
    let fold = |events: Vec<crate::call::RunEvent>| -> Response {
        events.into_iter().filter_map(|e| if let Event::Stream(event) = e.event { Some(event) } else { None }).collect()
    };
    let (first, asked) = run(&cache, &call(&["m"])).await;
    let (second, cached) = run(&cache, &call(&["m"])).await;
    assert_eq!((first, second, gateway.asked().len()), (Ok(()), Ok(()), 1));
    assert!(matches!(cached[0].event, Event::Cached { .. }));
    assert_eq!(fold(asked), fold(cached));
}

#[tokio::test(start_paused = true)]
async fn no_caller_gets_the_answer_that_was_given_to_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let gateway = Canned::new([("m", vec![Reply::answer()])]);
    let cache = Cache::new(gateway.clone(), Some(answers(dir.path())));
    for (key, asked) in [(None, 1), (Some("bot"), 2), (Some("app"), 3), (Some("bot"), 3), (None, 3)] {
        let caller = Caller { key: key.map(str::to_owned), ..Caller::default() };
        let call = Call { caller: Arc::new(caller), ..call(&["m"]) };
        assert_eq!((run(&cache, &call).await.0, gateway.asked().len()), (Ok(()), asked), "{key:?}");
    }
}

// L21
#[tokio::test(start_paused = true)]
async fn only_whole_answers_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = Reply::kind(FailureKind::Truncated).begins();
    let mut replies = vec![broken.clone(), Reply::status(500), broken];
    for finish in [FinishReason::ContentFilter, FinishReason::Length, FinishReason::Other("odd".into())] {
        replies.push(Reply::answer().finishes(finish));
    }
    let not_whole = replies.len();
    replies.push(Reply::answer());
    let gateway = Canned::new([("m", replies)]);
    let cache = Cache::new(gateway.clone(), Some(answers(dir.path())));
    for _ in 0..not_whole + 3 {
        let _ = run(&cache, &call(&["m"])).await;
    }
    assert_eq!(gateway.asked().len(), not_whole + 1, "those that are not whole, and one that is kept");
}

#[test]
fn an_answer_that_does_not_follow_its_schema_is_neither_stored_nor_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let answers = answers(dir.path());
    let schema = json!({"type": "object", "required": ["city"]});
    let form = crate::chat::ResponseFormat::JsonSchema { name: "answer".into(), schema, strict: None };
    let request = Request { response_format: Some(form), ..Request::default() };
    let asking = Call { request: Arc::new(request.clone()), ..call(&["m"]) };
    let answer = |text: &str, tool_calls: Vec<ToolCall>| Response { tool_calls, ..response(text) };
    let calls = response("").tool_calls;
    let good = answer(r#"{"city":"Oslo"}"#, Vec::new());
    for (answer, kept) in [
        (answer("Oslo", Vec::new()), false),
        (answer("{}", Vec::new()), false),
        (good, true),
        (answer("", calls), true),
    ] {
        let key = any_key(answer.text.len() as u8);
        answers.keep(&key, &request, &(answer.clone(), None));
        assert_eq!(answers.store.get(&key, SystemTime::now()).is_some(), kept, "{answer:?}");
        answers.store.put(&key, &answer, None, SystemTime::now()).expect("kept by an older program");
        assert_eq!(answers.get(&key, &asking).is_some(), kept, "{answer:?}");
    }
}

// L20, L25
#[test]
fn every_difference_of_the_request_makes_another_key() {
    let base = || Request { messages: vec![Message::text(Role::User, "hi")], stream: true, ..Request::default() };
    // If a field is added to `Request`, this does not compile until the field is added here and below.
    let Request {
        messages: _,
        tools: _,
        tool_choice: _,
        parallel_tool_calls: _,
        max_tokens: _,
        temperature: _,
        top_p: _,
        stop: _,
        seed: _,
        logprobs: _,
        reasoning_effort: _,
        response_format: _,
        extra: _,
        stream: _,
    } = base();
    let tools =
        || vec![crate::chat::Tool { name: "f".into(), description: None, parameters: Some(json!({})), strict: None }];
    let mut keys = vec![key(gateway(), "default", base())];
    let mut extra = base();
    extra.extra.insert("top_k".into(), json!(1));
    let mut file = base();
    file.messages[0].parts.push(Part::File(crate::chat::File {
        name: None,
        media_type: "application/pdf".into(),
        base64: "AA==".into(),
    }));
    for request in [
        Request { messages: vec![Message::text(Role::System, "hi")], ..base() },
        Request { messages: vec![Message::text(Role::User, "ho")], ..base() },
        Request { max_tokens: Some(1), ..base() },
        Request { parallel_tool_calls: Some(false), ..base() },
        Request { temperature: Some(0.0), ..base() },
        Request { top_p: Some(0.5), ..base() },
        Request { stop: vec!["x".into()], ..base() },
        Request { seed: Some(1), ..base() },
        Request { logprobs: Some(0), ..base() },
        Request { logprobs: Some(1), ..base() },
        Request { reasoning_effort: Some("low".into()), ..base() },
        Request { response_format: Some(crate::chat::ResponseFormat::JsonObject), ..base() },
        Request { stream: false, ..base() },
        Request { tools: tools(), ..base() },
        Request { tools: tools(), tool_choice: Some(ToolChoice::None), ..base() },
        extra,
        file,
    ] {
        keys.push(key(gateway(), "default", request));
    }
    keys.push(key(gateway(), "team-b", base()));
    keys.push(key(Gateway { base_url: testing::gateway("h").base_url, ..gateway() }, "default", base()));
    keys.push(key(Gateway { api: crate::adapter::Api::OpenaiResponses, ..gateway() }, "default", base()));
    keys.push(key(Gateway { name: "other".into(), ..gateway() }, "default", base()));
    let headers = BTreeMap::from([("X-Team".to_owned(), "a".to_owned())]);
    keys.push(key(Gateway { headers, ..gateway() }, "default", base()));
    for (place, key) in keys.iter().enumerate() {
        assert!(!keys[..place].contains(key), "the {place}th is like another");
    }
    assert_eq!(keys[0], key(gateway(), "default", base()));
}

#[test]
fn another_model_makes_another_key() {
    let answers = answers(std::path::Path::new("nowhere"));
    let mut other = call(&["m"]);
    other.choices[0].target = Target { gateway: "g".into(), model: "n".into() };
    assert_ne!(answers.key(&call(&["m"])), answers.key(&other));
}

#[test]
fn an_answer_is_kept_whole_and_for_its_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::new(dir.path().join("answers"), DAY, 1 << 20);
    let now = SystemTime::now();
    store.put(&any_key(1), &response("x"), None, now).expect("kept");
    assert_eq!(store.get(&any_key(1), now), Some((response("x"), None)));
    assert_eq!(store.get(&any_key(2), now), None);
    assert_eq!(store.get(&any_key(1), now + DAY * 2), None);
}

#[cfg(unix)]
#[test]
fn an_answer_that_others_could_have_written_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::new(dir.path().join("answers"), DAY, 1 << 20);
    let now = SystemTime::now();
    store.put(&any_key(1), &response("x"), None, now).expect("kept");
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path().join("answers").join("0"), permissions).expect("ours");
    };
    set(0o777);
    assert_eq!(store.get(&any_key(1), now), None);
    set(0o700);
    assert_eq!(store.get(&any_key(1), now), Some((response("x"), None)));
}

// L22
#[test]
fn a_damaged_answer_or_one_for_another_key_is_not_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::new(dir.path().to_owned(), DAY, 1 << 20);
    let now = SystemTime::now();
    store.put(&any_key(1), &response("x"), None, now).expect("kept");
    let path = dir.path().join("0").join(any_key(1).to_string());
    let good = std::fs::read(&path).expect("there");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).expect("written");
        assert_eq!(store.get(&any_key(1), now), None, "byte {at}");
        std::fs::write(&path, &good[..at]).expect("written");
        assert_eq!(store.get(&any_key(1), now), None, "cut at {at}");
    }
    std::fs::write(dir.path().join("0").join(any_key(2).to_string()), &good).expect("written");
    assert_eq!(store.get(&any_key(2), now), None);
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).expect("removed");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        assert_eq!(store.get(&any_key(1), now), None, "a pipe without a writer is not waited for");
    }
    store.put(&any_key(1), &response("y"), None, now).expect("kept anew");
    assert_eq!(store.get(&any_key(1), now), Some((response("y"), None)));
}

// L26
#[test]
fn the_least_recently_used_answer_is_removed_for_space() {
    let dir = tempfile::tempdir().expect("a directory");
    // The share of one directory holds about two of these answers.
    let store = Store::new(dir.path().to_owned(), DAY, 16 * 1_900);
    let now = SystemTime::now();
    let at = |seconds| now - DAY / 2 + Duration::from_secs(seconds);
    store.put(&any_key(1), &response(&"x".repeat(300)), None, at(0)).expect("kept");
    filetime(dir.path(), 1, at(0));
    store.put(&any_key(2), &response(&"x".repeat(300)), None, at(0)).expect("kept");
    filetime(dir.path(), 2, at(1));
    store.get(&any_key(1), at(2)).expect("used again");
    store.put(&any_key(3), &response(&"x".repeat(300)), None, at(0)).expect("kept");
    filetime(dir.path(), 3, at(3));
    assert!(store.get(&any_key(2), now).is_none(), "the one that was not used");
    assert!(store.get(&any_key(1), now).is_some() && store.get(&any_key(3), now).is_some());
    store.put(&any_key(4), &response(&"x".repeat(9_000)), None, now).expect("no failure");
    assert!(store.get(&any_key(4), now).is_none(), "larger than the share of a directory");
    assert!(store.stats().expect("counted").size <= 16 * 1_900);
}

fn filetime(dir: &std::path::Path, seed: u8, time: SystemTime) {
    let path = dir.join("0").join(any_key(seed).to_string());
    std::fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("there");
}

#[test]
fn an_answer_that_was_stored_while_the_clock_was_ahead_is_not_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::new(dir.path().to_owned(), DAY, 1 << 20);
    let now = SystemTime::now();
    store.put(&any_key(1), &response("x"), None, now + 400 * DAY).expect("kept");
    assert!(store.get(&any_key(1), now).is_none(), "nobody knows how old it is");
    store.put(&any_key(1), &response("x"), None, now).expect("kept");
    assert!(store.get(&any_key(1), now).is_some());
}

#[test]
fn clear_removes_all_answers_and_counts_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::new(dir.path().join("answers"), DAY, 1 << 20);
    assert_eq!(store.clear().expect("nothing there"), Stats::default());
    for seed in [1, 2, 0xab] {
        store.put(&any_key(seed), &response("x"), None, SystemTime::now()).expect("kept");
    }
    assert_eq!(store.clear().expect("cleared").answers, 3);
    assert_eq!(store.stats().expect("counted"), Stats::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    // L26
    #[test]
    fn the_cache_never_exceeds_its_size(sizes in prop::collection::vec((any::<u8>(), 0usize..3_000), 1..40)) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path().to_owned(), DAY, 64 << 10);
        for (seed, size) in sizes {
            store.put(&any_key(seed), &response(&"x".repeat(size)), None, SystemTime::now()).expect("kept");
            prop_assert!(store.stats().expect("counted").size <= 64 << 10);
        }
    }
}
