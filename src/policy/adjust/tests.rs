use super::super::testing::{Canned, Reply, call, run};
use super::*;
use crate::adapter::Api;
use crate::call::Limits;

fn request() -> Request {
    Request {
        messages: vec![Message::text(Role::System, "s"), Message::text(Role::User, "u")],
        max_tokens: Some(9),
        temperature: Some(0.5),
        top_p: Some(0.5),
        stop: vec!["x".into()],
        seed: Some(1),
        logprobs: Some(1),
        reasoning_effort: Some("low".into()),
        response_format: Some(ResponseFormat::JsonObject),
        stream: true,
        ..Request::default()
    }
}

/// The wire name of the parameter that is adjusted after this response.
fn adjusted_after(status: u16, body: &str) -> Option<&'static str> {
    let failure = Api::OpenaiChat.adapter().decode_error(status, body.as_bytes());
    let call = Call { request: Arc::new(request()), ..call(&["m"]) };
    adjustment(&call, None, &failure).map(|place| ADJUSTMENTS[place].wire[0])
}

#[test]
fn a_refused_parameter_is_found_however_it_is_named() {
    for (body, parameter) in [
        (
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
            "max_tokens",
        ),
        (
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.","param":"temperature","code":"unsupported_value"}}"#,
            "temperature",
        ),
        (
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","param":null}}"#,
            "stream_options",
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"temperature: Extra inputs are not permitted"}}"#,
            "temperature",
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"seed: Extra inputs are not permitted"}}"#,
            "seed",
        ),
        (
            r#"{"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: ['top_p'], for model=o3","param":"None","code":"400"}}"#,
            "top_p",
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"logprobs: Extra inputs are not permitted"}}"#,
            "logprobs",
        ),
        (
            r#"{"error":{"code":400,"message":"Logprobs is not enabled for models/m","status":"INVALID_ARGUMENT"}}"#,
            "logprobs",
        ),
        (r#"{"error":{"message":"logprobs are not supported with reasoning models.","param":"include"}}"#, "logprobs"),
        (
            r#"{"error":{"message":"Error code: 400 - Unsupported parameter: 'max_tokens' is deprecated since 2024"}}"#,
            "max_tokens",
        ),
        (
            r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"stopSequences\" at 'generation_config': Cannot find field.","status":"INVALID_ARGUMENT"}}"#,
            "stop",
        ),
        (
            r#"{"error":{"code":400,"message":"Developer instruction is not enabled for models/gemma-3-27b-it","status":"INVALID_ARGUMENT"}}"#,
            "messages[0].role",
        ),
        (
            r#"{"error":{"message":"Unsupported value: 'messages[0].role' does not support 'system' with this model.","param":"messages[0].role"}}"#,
            "messages[0].role",
        ),
        (
            r#"{"error":{"message":"This response_format type is unavailable now: not supported","param":null}}"#,
            "response_format",
        ),
        (
            r#"{"error":{"message":"Unsupported parameter: 'reasoning.effort' is not supported with this model.","param":"reasoning.effort"}}"#,
            "reasoning_effort",
        ),
    ] {
        assert_eq!(adjusted_after(400, body), Some(parameter), "{body}");
        assert_eq!(adjusted_after(422, body), Some(parameter), "{body}");
    }
}

#[test]
fn a_wrong_value_and_other_failures_are_not_adjusted() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"max_tokens is too large: 100000. This model allows at most 4096.","param":"max_tokens"}}"#,
        ),
        (400, r#"{"error":{"message":"temperature: range: 0..1","param":"temperature"}}"#),
        (400, r#"{"error":{"message":"max_tokens 100000 is not supported by this model; the maximum is 4096"}}"#),
        (
            400,
            r#"{"error":{"message":"temperature 3 is not allowed: it must be between 0 and 2","param":"temperature"}}"#,
        ),
        (400, r#"{"error":{"message":"'top_k' is not supported","param":"top_k"}}"#),
        (401, r#"{"error":{"message":"temperature is not supported","param":"temperature"}}"#),
        (500, r#"{"error":{"message":"temperature is not supported","param":"temperature"}}"#),
    ] {
        assert_eq!(adjusted_after(status, body), None, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_an_answer_is_removed_but_not_where_a_cost_limit_depends_on_it() {
    for parameter in ["max_output_tokens", "maxOutputTokens"] {
        let message = format!("Unsupported parameter: {parameter}");
        let refusal = Failure::new(FailureKind::InvalidRequest, message).with_status(400);
        let replies = || vec![Reply::failure(refusal.clone()), Reply::answer(), Reply::failure(refusal.clone())];
        let gateway = Canned::new([("m", replies())]);
        let adjust = Adjust::new(gateway.clone());
        let free = Call { request: Arc::new(request()), ..call(&["m"]) };
        let bounded = Call { limits: Limits { bounded: true, ..free.limits.clone() }, ..free.clone() };
        assert_eq!((run(&adjust, &free).await.0, gateway.asked().len()), (Ok(()), 2));
        // An adjustment that another call has learned is not applied either.
        assert_eq!((run(&adjust, &bounded).await.0, gateway.asked().len()), (Err(refusal), 3));
    }
}

#[test]
fn a_limit_has_another_name_in_one_format_alone() {
    let body = br#"{"error":{"message":"max_tokens: Extra inputs are not permitted"}}"#;
    let failure = Api::OpenaiChat.adapter().decode_error(400, body);
    let call = Call { request: Arc::new(request()), ..call(&["m"]) };
    for (api, place) in [
        (None, Some(0)),
        (Some(Api::OpenaiChat), Some(0)),
        (Some(Api::Anthropic), None),
        (Some(Api::OpenaiResponses), None),
        (Some(Api::Gemini), None),
    ] {
        assert_eq!(adjustment(&call, api, &failure), place, "{api:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_helped_is_not_done_to_other_requests() {
    let refused = |parameter: &str| {
        let message = format!("Unsupported parameter: {parameter}");
        Reply::failure(Failure::new(FailureKind::InvalidRequest, message).with_status(400))
    };
    let gateway = Canned::new([("m", vec![refused("max_tokens"), refused("messages"), Reply::answer()])]);
    let adjust = Adjust::new(gateway.clone());
    let call = Call { request: Arc::new(request()), ..call(&["m"]) };
    assert!(run(&adjust, &call).await.0.is_err());
    assert_eq!((gateway.asked().len(), adjust.known(&call, None)), (2, Vec::new()));
    assert_eq!(run(&adjust, &call).await.0, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_was_adjusted_stays_so_while_the_gateway_has_no_time() {
    let refused = Failure::new(FailureKind::InvalidRequest, "Unsupported parameter: seed").with_status(400);
    let gateway = Canned::new([("m", vec![Reply::failure(refused), Reply::status(503), Reply::answer()])]);
    let adjust = Adjust::new(gateway.clone());
    let call = Call { request: Arc::new(request()), ..call(&["m"]) };
    assert!(run(&adjust, &call).await.0.is_err_and(|failure| failure.is_transient()));
    assert_eq!((run(&adjust, &call).await.0, gateway.asked().len()), (Ok(()), 3));
}

#[test]
fn an_adjustment_removes_its_parameter_from_the_request() {
    for adjustment in &ADJUSTMENTS {
        let mut request = request();
        if adjustment.parameter == "max_completion_tokens" {
            request.max_tokens = None;
            request.extra.insert("max_completion_tokens".into(), 9.into());
        }
        assert!((adjustment.is_in)(&request), "{}", adjustment.parameter);
        (adjustment.apply)(&mut request);
        assert!(!(adjustment.is_in)(&request), "{}", adjustment.parameter);
    }
}

#[test]
fn a_system_message_that_is_refused_goes_before_the_prompt() {
    let mut request = request();
    system_in_prompt(&mut request);
    assert_eq!(request.messages, [Message::text(Role::User, "s\n\nu")]);
}
