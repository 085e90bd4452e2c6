//! Recorded calls as people see them, made by hand, at the widths that pages have.

use super::super::samples;
use super::*;
use crate::chat::{FinishReason, Request, ToolCall};
use crate::error::{Failure, FailureKind};
use crate::ledger::{Circumstances, Turn};
use crate::rates::Rates;

/// The call with this many seconds past noon, asked with this prompt.
fn row(mut record: Record, second: i64, prompt: &str) -> Row {
    record.id = format!("019a9f10-0000-7000-8000-0000000000{second:02}");
    record.run = "019a9f10-0000-7000-9000-0000000000ff".into();
    record.timing.total = record.timing.total.map(|total| total + Duration::from_millis(second.unsigned_abs()));
    let request = Request {
        messages: vec![Message::text(Role::System, "Be brief."), Message::text(Role::User, prompt)],
        ..Request::default()
    };
    let at = "2026-11-20T12:00:00Z".parse::<Timestamp>().expect("a time") + jiff::SignedDuration::from_secs(second);
    Row::new(
        record,
        &Circumstances {
            command: "ask",
            place: 0,
            at,
            key: Some("team-a"),
            task: Some("coding"),
            request: &request,
            turn: None,
            texts: true,
        },
    )
}

fn attempt(
    target: &str,
    [start, took]: [u64; 2],
    status: Option<u16>,
    error: Option<Failure>,
) -> crate::record::Attempt {
    let (gateway, model) = target.split_once("::").expect("a target");
    crate::record::Attempt {
        gateway: gateway.into(),
        start: samples::ms(start),
        duration: samples::ms(took),
        ..samples::attempt(model, status, error)
    }
}

/// Tried twice at one model, then at another, which was too slow, so that a third was asked and spoke first.
fn eventful() -> Row {
    let overloaded =
        || Some(Failure::new(FailureKind::Unavailable, "deepseek-v4 is overloaded, try again later").with_status(503));
    let stopped = Failure::new(FailureKind::Interrupted, "stopped: another model spoke first");
    let mut record = samples::record("careful", "Read it line by line.\nThen stop.");
    record.gateway = "corp".into();
    record.answered_by = Some("qwen3-coder-480b".into());
    record.reasoning = "The user wants a parser.".into();
    record.tool_calls =
        vec![ToolCall { id: "call_0".into(), name: "open".into(), arguments: "{\"path\":\"a.txt\"}".into() }];
    record.rates = Some(Rates {
        input: "0.000003".parse().ok(),
        output: "0.000015".parse().ok(),
        cache_read: "0.0000003".parse().ok(),
        ..Rates::default()
    });
    record.usage.cache_read = Some(8);
    record.usage.reasoning = Some(4);
    record.tags = BTreeMap::from([("app".into(), "bot".into()), ("team".into(), "blue".into())]);
    record.attempts = vec![
        attempt("openrouter::deepseek-v4", [0, 57], Some(503), overloaded()),
        attempt("openrouter::deepseek-v4", [343, 30], Some(503), overloaded()),
        attempt("openrouter::claude-sonnet-4-6", [373, 905], None, Some(stopped)),
        attempt("corp::qwen3-coder-480b", [1_173, 820], Some(200), None),
    ];
    row(record, 3, "Write a parser for lines of text.")
}

/// Answered, cut short, failed, from the cache, of a wide name, and the eventful one.
fn several() -> Vec<Row> {
    let cached = Record { cached: true, attempts: Vec::new(), ..samples::record("gpt-5.4-mini", "Hello.") };
    let mut answered =
        row(samples::record("gpt-5.4-mini", "Hello."), 5, "Say hello.\nAnd nothing else, please, at all.");
    answered.tags = BTreeMap::from([("app".into(), "bot".into())]);
    let mut dateless = row(samples::record("gpt-5.4", "Hello."), 0, "Who?");
    dateless.model = "gpt-5.4-2026-03-05".into();
    vec![
        answered,
        row(
            samples::truncated("模型/通义千问-plus"),
            4,
            "讲一个故事，越长越好，从前有一座山，山里有一座庙，庙里有一个老和尚在讲故事",
        ),
        eventful(),
        row(samples::failed("vendor/a-model-with-a-rather-long-name-preview"), 2, ""),
        row(cached, 1, "Say hello."),
        dateless,
    ]
}

#[test]
fn a_list_at_80_columns() {
    insta::assert_snapshot!(list(&several(), &[], &Output::terminal(80)), @r"
    when (UTC)      id        model                       status     prompt
    11-20 12:00:05  00000005  gpt-5.4-mini                ok         Say hello. An…
    11-20 12:00:04  00000004  模型/通义千问-plus          truncated  讲一个故事，…
    11-20 12:00:03  00000003  careful → qwen3-coder-480b  ok         Write a parse…
    11-20 12:00:02  00000002  vendor/a-model-with-a-      failed
                              rather-long-name-preview
    11-20 12:00:01  00000001  gpt-5.4-mini                ok         Say hello.
    11-20 12:00:00  00000000  gpt-5.4                     ok         Who?
    ");
}

#[test]
fn a_list_at_160_columns() {
    insta::assert_snapshot!(list(&several(), &[], &Output::terminal(160)), @r"
    when (UTC)      id        model                                           status                tries   total  first token  in  out       cost  prompt
    11-20 12:00:05  00000005  gpt-5.4-mini                                    ok                            1.9 s       412 ms  14    9  $0.000177  Say hello. And…
    11-20 12:00:04  00000004  模型/通义千问-plus                              truncated                     1.9 s       412 ms  14    9  $0.000177  讲一个故事，越…
    11-20 12:00:03  00000003  careful → qwen3-coder-480b                      ok                        4   1.9 s       412 ms  14    9  $0.000177  Write a parser…
    11-20 12:00:02  00000002  vendor/a-model-with-a-rather-long-name-preview  failed (unavailable)         312 ms            –   –    –          –
    11-20 12:00:01  00000001  gpt-5.4-mini                                    ok                            1.9 s       412 ms  14    9  $0.000177  Say hello.
    11-20 12:00:00  00000000  gpt-5.4                                         ok                            1.9 s       412 ms  14    9  $0.000177  Who?
    ");
}

#[test]
fn the_life_of_an_eventful_call_at_80_columns() {
    insta::assert_snapshot!(one(&eventful(), &[], &Output::terminal(80)), @r#"
    019a9f10-0000-7000-8000-000000000003  ok
      when        2026-11-20 12:00:03.000 UTC
      run         019a9f10-0000-7000-9000-0000000000ff (ask)
      asked       careful, task coding
      answered    qwen3-coder-480b at corp, key team-a
      tags        app=bot team=blue
      time        first token 412 ms, total 1.9 s, connect 31 ms, 61 tok/s
      tokens      14 in (8 from the provider's cache), 9 out (4 reasoning)
      cost        $0.000177 (reported)
      price       $3.00 in, $15.00 out, $0.30 read from cache per million tokens

     #      at  model                            took  status  what happened
     1  0.0 ms  openrouter::deepseek-v4         57 ms     503  unavailable:
                                                               deepseek-v4 is
                                                               overloaded, try again
                                                               later
     2  343 ms  openrouter::deepseek-v4         30 ms     503  after a wait of 286
                                                               ms: unavailable:
                                                               deepseek-v4 is
                                                               overloaded, try again
                                                               later
     3  373 ms  openrouter::claude-sonnet-4-6  905 ms       –  interrupted: stopped:
                                                               another model spoke
                                                               first
     4   1.2 s  corp::qwen3-coder-480b         820 ms     200  answered

    system
    Be brief.

    prompt
    Write a parser for lines of text.

    reasoning
    The user wants a parser.

    answer
    Read it line by line.
    Then stop.

    tool call
    open {"path":"a.txt"}
    "#);
}

#[test]
fn the_life_of_an_eventful_call_at_160_columns() {
    insta::assert_snapshot!(one(&eventful(), &[], &Output::terminal(160)), @r#"
    019a9f10-0000-7000-8000-000000000003  ok
      when        2026-11-20 12:00:03.000 UTC
      run         019a9f10-0000-7000-9000-0000000000ff (ask)
      asked       careful, task coding
      answered    qwen3-coder-480b at corp, key team-a
      tags        app=bot team=blue
      time        first token 412 ms, total 1.9 s, connect 31 ms, 61 tok/s
      tokens      14 in (8 from the provider's cache), 9 out (4 reasoning)
      cost        $0.000177 (reported)
      price       $3.00 in, $15.00 out, $0.30 read from cache per million tokens

     #      at  model                            took  status  what happened
     1  0.0 ms  openrouter::deepseek-v4         57 ms     503  unavailable: deepseek-v4 is overloaded, try again later
     2  343 ms  openrouter::deepseek-v4         30 ms     503  after a wait of 286 ms: unavailable: deepseek-v4 is overloaded, try again later
     3  373 ms  openrouter::claude-sonnet-4-6  905 ms       –  interrupted: stopped: another model spoke first
     4   1.2 s  corp::qwen3-coder-480b         820 ms     200  answered

    system
    Be brief.

    prompt
    Write a parser for lines of text.

    reasoning
    The user wants a parser.

    answer
    Read it line by line.
    Then stop.

    tool call
    open {"path":"a.txt"}
    "#);
}

#[test]
fn the_life_of_a_call_of_which_nothing_is_known_but_that_it_failed() {
    let mut failed = row(samples::failed("gpt-5.4"), 2, "Who?");
    failed.answer = None;
    failed.request.body = None;
    failed.error.as_mut().expect("failed").message = None;
    failed.attempts[0].error.as_mut().expect("failed").message = None;
    insta::assert_snapshot!(one(&failed, &[], &Output::terminal(80)), @r"
    019a9f10-0000-7000-8000-000000000002  failed (unavailable)
      when        2026-11-20 12:00:02.000 UTC
      run         019a9f10-0000-7000-9000-0000000000ff (ask)
      asked       gpt-5.4, task coding
      tried last  gpt-5.4 at openrouter, key team-a
      time        first token –, total 312 ms, connect –, – tok/s
      tokens      – in, – out
      cost        –

     #      at  model                  took  status  what happened
     1  0.0 ms  openrouter::gpt-5.4  900 ms     503  unavailable

    prompt and answer
    not kept: 13 and 0 characters
    SHA-256 of the request:
    fe29e413e4585388e0dadcbb97996d9fe5eb6c66e186a4b5e08338067426ceca
    ");
}

#[test]
fn a_conversation_at_80_columns() {
    let first = row(samples::record("gpt-5.4-mini", "Paris."), 1, "What is the capital of France?");
    let mut second = row(samples::truncated("claude-sonnet-4-6"), 2, "And its history?");
    second.finish = Some(FinishReason::Length);
    let mut third = row(samples::failed("gpt-5.4-mini"), 3, "And of Spain?");
    let turn = Turn { conversation: first.id.clone(), parent: first.id.clone(), inherited: 3 };
    for later in [&mut second, &mut third] {
        (later.conversation, later.parent) = (Some(turn.conversation.clone()), Some(turn.parent.clone()));
        let mut request = later.request.request().expect("kept");
        request.messages.remove(0);
        later.request.body = serde_json::to_string(&request).ok();
    }
    insta::assert_snapshot!(conversation(&[first, second, third], &Output::terminal(80)), @r"
    system
    Be brief.

    prompt
    What is the capital of France?

    gpt-5.4-mini (00000001)
    Paris.

    prompt
    And its history?

    claude-sonnet-4-6 (00000002)
    Once upon a

    [truncated: length]

    prompt
    And of Spain?

    gpt-5.4-mini (00000003)
    [failed: 503 no provider is available for this model]
    ");
}

#[test]
fn no_name_is_cut_so_that_two_become_one() {
    let long = "a-gateway/a-model-with-a-name-that-goes-on-for-longer-than-any-page-is-wide-2026-11-20-preview";
    let rows: Vec<Row> = ["-a", "-b"]
        .iter()
        .zip(1..)
        .map(|(end, n)| row(samples::record(&format!("{long}{end}"), "x"), n, "x"))
        .collect();
    for columns in [20, 40, 80, 160] {
        let page = list(&rows, &[], &Output::terminal(columns)).shown(false).into_owned();
        for end in ["-a", "-b"] {
            assert!(page.contains(end), "at {columns}:\n{page}");
        }
        for line in page.lines() {
            assert!(wrap::width(line) <= columns, "at {columns}: {line}");
        }
    }
}

#[test]
fn what_a_call_holds_commands_no_terminal() {
    let hostile = Record { answered_by: Some(samples::HOSTILE.into()), ..samples::record("m", samples::HOSTILE) };
    let rows = [row(hostile, 1, samples::HOSTILE)];
    let out = Output::terminal(80);
    let whole = |form| {
        let mut calls = Calls::new(form, None, &out);
        calls.call(rows[0].clone()) + calls.end()
    };
    let lists = [Form::Text, Form::Json, Form::Jsonl, Form::Csv].map(whole);
    for page in
        [one(&rows[0], &[], &out), conversation(&rows, &out), json(&rows, &[Vec::new()], &out)].iter().chain(&lists)
    {
        assert!(!page.to_string().contains(|c: char| c.is_control() && c != '\n'), "{page:?}");
    }
}
