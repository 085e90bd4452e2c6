//! How the events of streams are read, and what of them is a failure.

use super::*;
use crate::adapter::Api;

fn stream(text: &str) -> (Stream, Result<Flow, Failure>, Vec<Decoded>) {
    let mut stream = Stream::new(Api::OpenaiChat.adapter());
    let mut out = Vec::new();
    let result = stream.push(text.as_bytes(), &mut out);
    (stream, result, out)
}

const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\n";

#[test]
fn it_is_known_when_nothing_of_worth_can_follow() {
    for (text, finished, has_usage) in [
        (TEXT.to_owned(), false, false),
        ([TEXT, USAGE].concat(), false, false),
        ([TEXT, USAGE, FINISH].concat(), true, false),
        ([TEXT, FINISH, USAGE].concat(), true, true),
    ] {
        let (stream, ..) = stream(&text);
        assert_eq!((stream.finished(), stream.has_usage()), (finished, has_usage), "{text}");
    }
}

#[test]
fn a_count_of_no_tokens_is_believed_of_an_empty_answer_alone() {
    let usage = USAGE.replace("}}", ",\"completion_tokens\":0}}");
    for (text, output) in [
        ([TEXT, FINISH, &usage].concat(), None),
        ([TEXT, &usage, FINISH].concat(), None),
        ([&usage, TEXT, FINISH].concat(), None),
        ([FINISH, &usage].concat(), Some(0)),
    ] {
        let (_, _, out) = stream(&text);
        let told = out.iter().find_map(|decoded| match decoded {
            Decoded::Event(StreamEvent::Usage(usage)) => Some((usage.input, usage.output)),
            _ => None,
        });
        assert_eq!(told, Some((Some(5), output)), "{text}");
    }
}

#[test]
fn a_response_without_an_answer_and_without_a_status_is_none() {
    for (fields, is_answer) in [
        (r#""status":null,"output":[]"#, false),
        (r#""output":[]"#, false),
        (r#""status":"completed","output":[]"#, true),
        (r#""status":null,"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]"#, true),
    ] {
        let body = format!(r#"{{"id":"r","object":"response",{fields}}}"#);
        let mut stream = Stream::new(Api::OpenaiResponses.adapter());
        stream.push(format!("data: {body}\n\n").as_bytes(), &mut Vec::new()).expect("events");
        assert_eq!(stream.end(&mut Vec::new()).is_ok(), is_answer, "{body}");
        assert_eq!(Api::OpenaiResponses.adapter().decode_response(body.as_bytes()).is_ok(), is_answer, "{body}");
    }
}

#[test]
fn a_whole_answer_of_gemini_without_a_reason_has_not_come_to_its_end() {
    for (reason, is_whole) in [("", false), (r#","finishReason":null"#, false), (r#","finishReason":"STOP""#, true)] {
        let body = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}}{reason}}}]}}"#);
        let answer = Api::Gemini.adapter().decode_response(body.as_bytes()).expect("an answer");
        let failure = answer.complete().err().map(|failure| failure.kind);
        assert_eq!(failure, (!is_whole).then_some(FailureKind::Truncated), "{body}");
        assert_eq!(answer.response.text, "a");
    }
    let body = r#"{"choices":[{"message":{"content":"a"}}]}"#;
    let answer = Api::OpenaiChat.adapter().decode_response(body.as_bytes()).expect("an answer");
    answer.complete().expect("its JSON is closed");
}

#[test]
fn a_call_that_gemini_gives_as_a_text_may_break_off_too() {
    for (arguments, is_cut) in
        [(r#""{\"a\":1}""#, false), (r#""{\"a\":""#, true), (r#"{"a":1}"#, false), ("null", false)]
    {
        let part = format!(r#"{{"functionCall":{{"name":"f","args":{arguments}}}}}"#);
        let event = format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"STOP"}}]}}"#);
        let mut stream = Stream::new(Api::Gemini.adapter());
        stream.push(format!("data: {event}\n\n").as_bytes(), &mut Vec::new()).expect("events");
        assert_eq!(stream.end(&mut Vec::new()).is_err(), is_cut, "{arguments}");
    }
}

#[test]
fn a_call_whose_arguments_break_off_is_cut_whatever_the_gateway_says() {
    let call = |arguments: &str| {
        let call = serde_json::json!([{"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}]);
        TEXT.replace(r#""content":"a""#, &format!(r#""tool_calls":{call}"#))
    };
    let done = "data: [DONE]\n\n";
    for (arguments, is_cut) in [(r#"{"a":"b"}"#, false), (r#"{"a":"b"#, true), (r#"{"a":["#, true), ("", false)] {
        for end in [FINISH.replace("stop", "tool_calls"), FINISH.to_owned(), done.to_owned()] {
            let failure = stream(&[&*call(arguments), &end].concat()).0.end(&mut Vec::new()).err();
            let is_told = failure.is_some_and(|failure| failure.message == verdict::CALL_CUT);
            assert_eq!(is_told, is_cut, "{arguments} {end}");
        }
    }
}

#[test]
fn what_was_cut_is_not_whole_again_and_unknown_words_after_whole_calls_are_no_failure() {
    for (first, said) in [("length", "token limit"), ("error", "error"), ("abort", "abort"), ("cancelled", "cancelled")]
    {
        for later in ["stop", "function_called"] {
            let cut = [TEXT, &FINISH.replace("stop", first), &FINISH.replace("stop", later)].concat();
            let failure = stream(&cut).0.end(&mut Vec::new()).expect_err(later);
            assert!(failure.message.contains(said), "{failure:?}");
        }
    }
    for going_on in ["in_progress", "incomplete", "NOT_FINISHED"] {
        let whole =
            [&TEXT.replace("\"delta\"", &format!(r#""finish_reason":"{going_on}","delta""#)), TEXT, FINISH].concat();
        stream(&whole).0.end(&mut Vec::new()).expect(going_on);
    }
    let call = TEXT
        .replace(r#""content":"a""#, r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]"#);
    for (word, is_whole) in [
        ("function_called", true),
        ("tools_requested", true),
        ("stopped_by_stop_sequence", true),
        ("stop_token", true),
        ("requires_action", true),
        ("grammar_closed", true),
        ("refused", false),
        ("expired", false),
        ("denied", false),
        ("declined", false),
        ("not_complete", false),
        ("OOM", false),
        ("sensitive_words", false),
        ("killed", false),
        ("stopped_by_user", false),
        ("quota_reached", false),
        ("Forbidden", false),
        ("not_allowed", false),
        ("shutdown", false),
        ("terminated", false),
        ("connection_closed", false),
        ("ended_early", false),
        ("out_of_credits", false),
        ("cancelled", false),
        ("max_output", false),
        ("insufficient_system_resource", false),
        ("repetition_truncation", false),
        ("overloaded", false),
        ("in_progress", false),
        ("sensitive", false),
        ("guardrail_intervened", false),
        ("PROHIBITED_CONTENT", false),
        ("TOO_MANY_TOOL_CALLS", false),
        ("LANGUAGE", false),
        ("deadline", false),
        ("out_of_memory", false),
        ("exception", false),
        ("blacklist", false),
        ("not_finished", false),
        ("userStopped", false),
        ("modelUnloaded", false),
        ("context", false),
    ] {
        let text = [&*call, &FINISH.replace("stop", word)].concat();
        assert_eq!(stream(&text).0.end(&mut Vec::new()).is_ok(), is_whole, "{word}");
    }
    let nothing = stream("data: [DONE]\n\n").0.end(&mut Vec::new()).expect_err("nothing");
    assert_eq!(nothing.kind, FailureKind::Protocol);
}

#[test]
fn a_message_of_which_nothing_has_come_is_none_unless_the_gateway_says_why_it_ended() {
    const START: &str = r#"{"type":"message_start","message":{"id":"x","model":"m","content":[]}}"#;
    const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#;
    const UNSAID: &str = r#"{"type":"message_delta","delta":{"stop_reason":null}}"#;
    const SAID: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    const STOP: &str = r#"{"type":"message_stop"}"#;
    const CALL: &str =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f"}}"#;
    for (events, end) in [
        ([START, STOP, STOP], None),
        ([START, UNSAID, STOP], None),
        ([START, SAID, STOP], Some(FinishReason::Stop)),
        ([START, BLOCK, STOP], Some(FinishReason::Stop)),
        ([START, CALL, STOP], Some(FinishReason::ToolCalls)),
    ] {
        let mut stream = Stream::new(Api::Anthropic.adapter());
        let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let mut told = Vec::new();
        stream.push(text.as_bytes(), &mut told).expect("events");
        let failure = stream.end(&mut told).err().map(|failure| failure.kind);
        assert_eq!(failure, end.is_none().then_some(FailureKind::Protocol), "{events:?}");
        let said = told.into_iter().find_map(|decoded| match decoded {
            Decoded::Event(StreamEvent::Finish(reason)) => Some(reason),
            _ => None,
        });
        assert_eq!(said, end, "{events:?}");
    }
}

#[test]
fn a_whole_call_without_arguments_gets_an_empty_object_whatever_word_the_gateway_ends_with() {
    let call = r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]"#;
    for (word, arguments) in [("tool_calls", "{}"), ("function_called", "{}"), ("length", "")] {
        let text = [&*TEXT.replace(r#""content":"a""#, call), &FINISH.replace("stop", word)].concat();
        let pieces = stream(&text).2.into_iter().filter_map(|decoded| match decoded {
            Decoded::Event(StreamEvent::ToolCallDelta { arguments, .. }) => Some(arguments),
            _ => None,
        });
        assert_eq!(pieces.collect::<String>(), arguments, "{word}");
        let body = format!(r#"{{"choices":[{{"message":{{{call}}},"finish_reason":"{word}"}}]}}"#);
        let answer = Api::OpenaiChat.adapter().decode_response(body.as_bytes()).expect("an answer").response;
        assert_eq!(answer.tool_calls[0].arguments, arguments, "{word}");
    }
}

#[test]
fn a_reason_that_is_too_long_for_one_is_cut() {
    let long = "A b\n".repeat(1000);
    let finish = FINISH.replace("\"stop\"", &serde_json::json!(long).to_string());
    let (mut stream, _, out) = stream(&[TEXT, &finish].concat());
    let Some(Decoded::Event(StreamEvent::Finish(reason))) = out.last() else { panic!("{out:?}") };
    assert_eq!(reason.as_str(), format!("{}…", &long[..256]));
    let failure = stream.end(&mut Vec::new()).expect_err("an unknown end");
    assert_eq!(failure.message, format!("the answer ended early: {}…", &"A b ".repeat(25)[..100]));
}

#[test]
fn an_answer_that_ends_with_calls_has_some() {
    let finish = FINISH.replace("stop", "tool_calls");
    let call = TEXT.replace(r#""content":"a""#, r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]"#);
    for (text, told) in [(finish.clone(), true), ([TEXT, &finish].concat(), true), ([&*call, &finish].concat(), false)]
    {
        let failure = stream(&text).0.end(&mut Vec::new()).err();
        let told_by_finish = failure.as_ref().map(|failure| verdict::is_told_by(&FinishReason::ToolCalls, failure));
        assert_eq!(told_by_finish, told.then_some(true), "{text}");
        assert!(failure.is_none_or(|failure| failure.kind == FailureKind::Truncated));
    }
}

#[test]
fn a_stream_that_only_refuses_the_key_says_so_in_every_format() {
    for body in [
        r#"{"code":401,"message":"Invalid token","data":null}"#,
        r#"{"base_resp":{"status_code":1004,"status_msg":"login fail: Please carry the API secret key"}}"#,
        r#"{"success":false,"message":"Invalid API key"}"#,
        r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"f"}"#,
        r#"{"detail":"Unauthorized"}"#,
        r#"{"message":"Invalid Authentication","type":"authentication_error"}"#,
    ] {
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
            for text in [
                format!("data: {body}\n\ndata: [DONE]\n\n"),
                format!(": hello\n\ndata: {{}}\n\nevent: error\ndata: {body}\n\n"),
                format!("data: {body}"),
                format!("[{body}]"),
            ] {
                let mut stream = Stream::new(api.adapter());
                let flow = stream.push(text.as_bytes(), &mut Vec::new());
                let failure = flow.map(drop).and_then(|()| stream.end(&mut Vec::new())).expect_err("no answer");
                assert_eq!(failure.kind, FailureKind::Auth, "{api:?} {text}");
            }
        }
        let begun = [TEXT, &format!("data: {body}\n\n"), FINISH].concat();
        let outcome = stream(&begun).0.end(&mut Vec::new());
        assert_ne!(outcome.map_err(|failure| failure.kind), Err(FailureKind::Auth));
        let followed = [&format!("data: {body}\n\n"), TEXT, FINISH].concat();
        // What is certainly an error is the end of the stream.
        if let (mut stream, Ok(_), _) = stream(&followed) {
            let outcome = stream.end(&mut Vec::new());
            assert_ne!(outcome.map_err(|failure| failure.kind), Err(FailureKind::Auth));
        }
    }
}

#[test]
fn a_stream_of_which_nothing_can_be_read_is_no_part_of_an_answer() {
    for (before, kind) in [("", FailureKind::Protocol), (TEXT, FailureKind::Truncated)] {
        let (stream, ..) = stream(&[before, "data: upstream unavailable\n\ndata: [DONE]\n\n"].concat());
        let failure = { stream }.end(&mut Vec::new()).expect_err("no answer");
        assert_eq!((failure.kind, failure.maybe_billed), (kind, true), "{failure:?}");
    }
}

#[test]
fn an_error_without_that_name_after_a_part_of_the_answer_cuts_it() {
    const DONE: &str = "data: [DONE]\n\n";
    for (error, said) in [
        (r#"{"text":"**NETWORK ERROR**","error_code":50002}"#, "**NETWORK ERROR**"),
        (r#"{"object":"error","message":"Service unavailable.","code":500}"#, "Service unavailable."),
        (r#"{"code":"InternalError","message":"try later","request_id":"x"}"#, "try later"),
        (
            r#"{"id":"x","choices":null,"base_resp":{"status_code":1027,"status_msg":"output new_sensitive"}}"#,
            "output new",
        ),
    ] {
        let (_, result, _) = stream(&[TEXT, "data: ", error, "\n\n", DONE].concat());
        let failure = result.expect_err(error);
        assert!(failure.kind == FailureKind::Truncated && failure.message.contains(said), "{failure:?}");
    }
    for harmless in [
        r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}"#,
        r#"{"object":"chat.completion.chunk","choices":[],"error_code":0}"#,
        r#"{"type":"ping"}"#,
        r#"{"code":200,"message":"success"}"#,
        r#"{"code":"x","message":null}"#,
        r#"{"choices":[{"delta":{"content":"b"}}],"base_resp":{"status_code":1,"status_msg":"b"}}"#,
    ] {
        let (_, result, _) = stream(&[TEXT, "data: ", harmless, "\n\n", FINISH, DONE].concat());
        assert_eq!(result, Ok(Flow::Done), "{harmless}");
    }
}

#[test]
fn a_refusal_is_looked_for_in_the_first_words_alone_and_events_without_words_are_none() {
    const REFUSAL: &str = "data: {\"error\":{\"code\":401,\"message\":\"Invalid API key\"}}\n\n";
    for (before, is_refusal) in [("data:\n\n".repeat(100_000), true), ("data: {}\n\n".repeat(100_000), false)] {
        let (mut stream, ..) = stream(&before);
        assert!(stream.progress.searched <= OPENING);
        let _ = stream.push(REFUSAL.as_bytes(), &mut Vec::new());
        assert_eq!(stream.is_refusal(), is_refusal);
    }
}

#[test]
fn a_failure_comes_with_what_the_gateway_tells_in_it() {
    let failed = |text: &str, counts: &str| {
        let error = "\"error\":{\"message\":\"boom\"}";
        let text = [text, &format!("data: {{\"choices\":[],\"usage\":{counts},{error}}}\n\n")].concat();
        let usage = stream(&text).1.expect_err("failed").usage;
        usage.map(|usage| (usage.input, usage.output))
    };
    let counts = r#"{"prompt_tokens":5,"completion_tokens":0}"#;
    assert_eq!(failed("", counts), Some((Some(5), Some(0))));
    assert_eq!(failed(TEXT, counts), Some((Some(5), None)), "something was answered");
    assert_eq!(failed(TEXT, r#"{"prompt_tokens":5,"completion_tokens":2}"#), Some((Some(5), Some(2))));
    assert_eq!(failed(USAGE, "null"), None, "what was told before is not what was told in the end");
}

#[test]
fn nothing_is_read_after_the_terminal_event() {
    let (mut stream, flow, mut out) = stream(&[TEXT, FINISH, "data: [DONE]\n\n", TEXT].concat());
    assert_eq!((flow, out.len()), (Ok(Flow::Done), 2));
    assert_eq!(stream.push(TEXT.as_bytes(), &mut out), Ok(Flow::Done));
    assert_eq!((stream.end(&mut out), out.len()), (Ok(()), 2));
}

#[test]
fn an_answer_without_bounds_is_stopped() {
    let long = "x".repeat(1 << 20);
    // What is beside the token counts as well.
    let token = &long[size_of::<TokenLogprob>()..];
    for choice in [
        format!(r#"{{"delta":{{"content":"{long}"}}}}"#),
        format!(r#"{{"logprobs":{{"content":[{{"token":"{token}","logprob":0}}]}}}}"#),
    ] {
        let piece = format!("data: {{\"choices\":[{choice}]}}\n\n");
        let mut stream = Stream::new(Api::OpenaiChat.adapter());
        let results: Vec<_> = (0..17).map(|_| stream.push(piece.as_bytes(), &mut Vec::new())).collect();
        assert!(results[..16].iter().all(Result::is_ok));
        assert_eq!(results[16].as_ref().map_err(|failure| failure.kind), Err(FailureKind::Truncated));
    }
}

#[test]
fn an_answer_with_tool_calls_without_end_is_stopped() {
    let call = |n: usize| format!(r#"{{"index":{n},"id":"c{n}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
    let frame = |calls: &[String]| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{}]}}}}]}}\n\n", calls.join(","))
    };
    let calls: Vec<String> = (0..=tool_calls::MOST).map(call).collect();
    let one_by_one: String = calls.iter().map(|call| frame(std::slice::from_ref(call))).collect();
    for (text, most) in [(one_by_one, tool_calls::MOST), (frame(&calls), 0)] {
        let (_, flow, out) = stream(&text);
        let failure = flow.expect_err("too many");
        assert_eq!(
            (failure.kind, &*failure.message, failure.maybe_billed),
            (FailureKind::Truncated, "the answer has more than 1024 tool calls", true)
        );
        let is_start = |decoded: &&Decoded| matches!(decoded, Decoded::Event(StreamEvent::ToolCallStart { .. }));
        assert_eq!(out.iter().filter(is_start).count(), most);
    }
    let (_, flow, _) = stream(&frame(&calls[..tool_calls::MOST]));
    assert_eq!(flow, Ok(Flow::Continue));
}

#[test]
fn a_failure_after_a_part_of_the_answer_leaves_it_truncated() {
    let timeout = || Failure::new(FailureKind::Timeout, "too slow").with_status(504);
    assert_eq!(stream(FINISH).0.broken_by(timeout()), timeout());
    let broken = stream(TEXT).0.broken_by(timeout());
    assert_eq!((broken.kind, &*broken.message, broken.status), (FailureKind::Truncated, "too slow", Some(504)));
    assert!(!broken.is_transient());
}

#[test]
fn events_that_cannot_be_read_are_told_of_three_times_and_end_the_stream_in_the_end() {
    let (mut few, flow, mut out) = stream(&["data: x\n\n".repeat(MOST_MALFORMED - 1).as_str(), FINISH].concat());
    let told = |out: &[Decoded]| out.iter().filter(|decoded| matches!(decoded, Decoded::Malformed(_))).count();
    assert_eq!((flow, told(&out)), (Ok(Flow::Continue), TOLD));
    let failure = few.end(&mut out).expect_err("incomplete");
    assert_eq!(failure.message, "999 events of the answer could not be read: some of it may be missing");

    for (start, kind) in [("", FailureKind::Protocol), (TEXT, FailureKind::Truncated)] {
        let (_, flow, out) = stream(&[start, &"data: x\n\n".repeat(MOST_MALFORMED), FINISH].concat());
        let failure = flow.expect_err("given up");
        assert_eq!((failure.kind, told(&out)), (kind, TOLD));
        assert_eq!(failure.message, "1000 events of the stream could not be read");
    }
}

#[test]
fn only_a_failure_that_the_gateway_told_counts_as_reported() {
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    for (text, has_reported) in [
        ([TEXT, error].concat(), true),
        ([TEXT, &"data: x\n\n".repeat(MOST_MALFORMED)].concat(), false),
        ([TEXT, &"x".repeat(super::super::sse::MAX_EVENT + 1)].concat(), false),
    ] {
        let (stream, flow, _) = stream(&text);
        assert_eq!((flow.is_err(), stream.has_reported_failure()), (true, has_reported));
    }
    let (mut cut, ..) = stream(&[TEXT, error.trim_end()].concat());
    assert!(!cut.has_reported_failure() && cut.end(&mut Vec::new()).is_err() && cut.has_reported_failure());
}

#[test]
fn an_event_without_end_breaks_the_stream() {
    let mut stream = Stream::new(Api::OpenaiChat.adapter());
    let result = stream.push(&vec![b'x'; super::super::sse::MAX_EVENT + 1], &mut Vec::new());
    assert_eq!(result.map_err(|failure| failure.kind), Err(FailureKind::Protocol));
}
