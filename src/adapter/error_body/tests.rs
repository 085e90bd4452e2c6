use super::*;
use crate::error::FailureKind;

#[track_caller]
fn check(status: u16, body: &str, kind: FailureKind, message: &str) -> Failure {
    let failure = decode(status, body.as_bytes());
    assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "{body}");
    failure
}

#[test]
fn what_a_gateway_stopped_waiting_for_may_be_billed() {
    for (status, body, may_be) in [
        (408, "", true),
        (504, "too late", true),
        (524, "<title>A timeout occurred</title>", true),
        (200, r#"{"error":{"code":504,"message":"Upstream idle timeout exceeded"}}"#, true),
        (200, r#"{"error":{"code":524,"message":"origin"}}"#, true),
        (200, r#"{"type":"error","error":{"type":"timeout_error","message":"late"}}"#, true),
        (200, r#"{"error":{"code":504,"status":"DEADLINE_EXCEEDED","message":"late"}}"#, true),
        (200, r#"{"error":{"code":503,"message":"busy"}}"#, false),
        (503, "", false),
        (400, r#"{"error":{"message":"timeout must be a number"}}"#, false),
    ] {
        assert_eq!(decode(status, body.as_bytes()).maybe_billed, may_be, "{status} {body}");
    }
}

#[test]
fn every_known_shape_gives_its_message() {
    use FailureKind::*;
    for (status, body, kind, message) in [
        (
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}"#,
            InvalidRequest,
            "bad",
        ),
        (429, r#"{"error":{"message":"slow down","type":"throttling_error","code":"429"}}"#, RateLimited, "slow down"),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            Unavailable,
            "Overloaded",
        ),
        (429, r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#, RateLimited, "quota"),
        (500, r#"{"message":"boom"}"#, ServerError, "boom"),
        (404, r#"{"detail":"Not Found"}"#, NotFound, "Not Found"),
        (
            422,
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"field required"}]}"#,
            InvalidRequest,
            "messages.0.role: field required",
        ),
        (400, r#"{"status":"failure","message":"no provider"}"#, InvalidRequest, "no provider"),
        (404, r#"{"message":"Not Found","ok":false}"#, NotFound, "Not Found"),
        (500, r#"{"html-message":"<html><title>502 Bad\n Gateway</title></html>"}"#, ServerError, "502 Bad Gateway"),
        (400, r#"{"error":"model is required"}"#, InvalidRequest, "model is required"),
        (400, r#"{"object":"error","message":"old","code":40001}"#, InvalidRequest, "old"),
        (400, r#"{"err":"a"}"#, InvalidRequest, "a"),
        (400, r#"{"error_msg":"b"}"#, InvalidRequest, "b"),
        (400, r#"{"header":{"message":"c"}}"#, InvalidRequest, "c"),
        (403, r#"{"Message":"Bearer Token has expired"}"#, Auth, "Bearer Token has expired"),
        (429, r#"{"Error":{"Code":"Throttling","Message":"slow"}}"#, RateLimited, "slow"),
        (400, r#"{"errors":[{"message":"d"}]}"#, InvalidRequest, "d"),
        (502, r#"{"response":{"error":{"message":"e"}}}"#, Unavailable, "e"),
        (400, r#"{"error":{"message":"{\"error\":{\"message\":\"inner\"}}"}}"#, InvalidRequest, "inner"),
        (
            502,
            "<!DOCTYPE html><html><head><TITLE>502 Bad Gateway</TITLE></head></html>",
            Unavailable,
            "502 Bad Gateway",
        ),
        (500, "<p>It <b>broke</b></p>", ServerError, "It broke"),
        (500, "plain words", ServerError, "plain words"),
        (503, "data: {\"error\":{\"message\":\"as a stream\"}}\n\n", Unavailable, "as a stream"),
        (503, "", Unavailable, "the gateway answered 503 Service Unavailable"),
        (529, "", Unavailable, "the gateway is overloaded (status 529)"),
        (418, "{}", InvalidRequest, "the gateway answered 418 I'm a teapot"),
        (599, "null", ServerError, "the gateway answered with status 599"),
        (400, r#"{"error":{"code":"odd_thing"}}"#, InvalidRequest, "the gateway answered 400 Bad Request: odd_thing"),
    ] {
        check(status, body, kind, message);
    }
}

#[test]
fn openrouter_passes_on_what_the_upstream_said() {
    let body = r#"{"error":{"code":400,"message":"Provider returned error","metadata":{"provider_name":"Azure",
        "raw":"{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens'\",\"param\":\"max_tokens\",\"code\":\"unsupported_parameter\"}}"}}}"#;
    let failure = check(400, body, FailureKind::InvalidRequest, "Unsupported parameter: 'max_tokens'");
    assert_eq!(failure.param.as_deref(), Some("max_tokens"));
    assert_eq!(failure.cause.as_deref(), Some("Provider returned error (Azure)"));
}

#[test]
fn the_error_in_a_long_body_is_found_beside_all_that_is_long() {
    let long = "x".repeat(LARGEST - 100);
    let error = r#""error":{"code":"context_length_exceeded","message":"too long"}"#;
    for body in [
        format!(r#"{{"type":"response.failed","response":{{"instructions":"{long}","tools":["{long}"],{error}}}}}"#),
        format!(r#"{{"choices":["{long}"],"a":"{long}",{error}}}"#),
        format!(r#"{{"error":{{"d":"{long}{long}","code":"context_length_exceeded","message":"too long"}}}}"#),
    ] {
        let failure = decode(200, body.as_bytes());
        assert_eq!((failure.kind, &*failure.message), (FailureKind::ContextLength, "too long"));
    }
}

#[test]
fn the_words_of_the_body_tell_more_than_the_status() {
    use FailureKind::*;
    for (status, body, kind) in [
        (400, r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, ContextLength),
        (400, r#"{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_ctx":512}}"#, ContextLength),
        (400, r#"{"error":{"message":"litellm.ContextWindowExceededError: x","code":"400"}}"#, ContextLength),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"error":{"message":"Authentication Error, Invalid proxy server token","type":"auth_error","code":"400"}}"#,
            Auth,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            Auth,
        ),
        (
            400,
            r#"{"error":{"message":"Authentication Error, ExceededTokenBudget: Current spend for token: 7.2e-05; Max Budget for Token: 2e-07","type":"auth_error","code":"400"}}"#,
            Credits,
        ),
        (
            400,
            r#"{"error":{"message":"Prompt contains a secret (AWS access key) and was blocked by guardrail"}}"#,
            ContentFilter,
        ),
        (400, r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#, Auth),
        (400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: sk***e."}"#, Auth),
        (400, r#"{"message":"Invalid API key","statusCode":400,"error":"Bad Request"}"#, Auth),
        (400, r#"{"statusCode":400,"message":["Invalid token"],"error":"Bad Request"}"#, Auth),
        (
            400,
            r#"{"timestamp":"2026-01-01","status":400,"error":"Bad Request","message":"Invalid API key","path":"/"}"#,
            Auth,
        ),
        (400, r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"}"#, Auth),
        (400, r#"{"error":{"message":"无效的令牌 (request id: 1)","type":"new_api_error"}}"#, Auth),
        (400, r#"{"error":{"message":"User not found.","code":401}}"#, Auth),
        (400, r#"{"error":"invalid_token","error_description":"The access token expired"}"#, Auth),
        (400, r#"{"message":"invalid x-api-key"}"#, Auth),
        (400, r#"{"statusCode":401,"message":"Access denied"}"#, Auth),
        (400, r#"{"title":"Unauthorized","status":401,"detail":"x"}"#, Auth),
        (400, r#"{"fault":{"faultstring":"Denied","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}}"#, Auth),
        (400, r#"{"detail":"Unauthorized"}"#, Auth),
        (400, r#"{"error":{"message":"no","type":"incorrect_api_key_error"}}"#, Auth),
        (400, r#"{"error":{"message":"no","type":"Missing Credentials"}}"#, Auth),
        (400, r#"{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}"#, Auth),
        (400, r#"{"code":1001,"msg":"Header中未收到Authentication参数，无法进行身份验证"}"#, Auth),
        (400, r#"{"errors":[{"code":"authentication_token_not_valid","message":"no"}]}"#, Auth),
        (400, r#"{"errors":[{"code":"no","message":"no"}],"status_code":401}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"authentication_required"}}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"token-expired"}}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"api_key_required"}}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"bad_api_key"}}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"api_key_blocked"}}"#, Auth),
        (400, r#"{"error":{"message":"no","code":"invalid_request_error"}}"#, InvalidRequest),
        (400, r#"{"error":{"type":"authentication_error","error":"denied"}}"#, Auth),
        (400, r#"{"error":{"code":401,"error":"denied"}}"#, Auth),
        (400, r#"{"error":{"code":"context_length_exceeded","error":"no"}}"#, ContextLength),
        (400, r#"{"error":"no","statusCode":401}"#, Auth),
        (503, r#"{"error":{"message":"no","code":"authentication_service_error"}}"#, Unavailable),
        (429, r#"{"error":{"message":"no","type":"api_key_rate_limit_error"}}"#, RateLimited),
        (502, r#"{"error":{"message":"no","code":"upstream_authentication_failed"}}"#, Unavailable),
        (400, r#"{"error":{"message":"no","code":"mcp_authentication_error"}}"#, InvalidRequest),
        (400, r#"{"error":{"message":"no","code":"unsupported_authentication_method"}}"#, InvalidRequest),
        (400, r#"{"error":"Authorization header is correct, but the token seems invalid"}"#, Auth),
        (
            400,
            r#"{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}]}"#,
            Auth,
        ),
        (498, r#"{"message":"Invalid token"}"#, Auth),
        (422, r#"{"detail":[{"loc":["header","authorization"],"msg":"field required"}]}"#, Auth),
        (400, r#"{"error":{"message":"Invalid token 4711 in logit_bias"}}"#, InvalidRequest),
        (
            400,
            r#"{"error":{"message":"1 validation error: 'input': 'how to fix a missing API key?'"}}"#,
            InvalidRequest,
        ),
        (
            400,
            r#"{"error":{"message":"The messages that were received make no sense: an invalid api key"}}"#,
            InvalidRequest,
        ),
        (429, r#"{"error":{"message":"too many requests with an invalid api key"}}"#, RateLimited),
        (400, r#"{"error":{"message":"x","code":"content_filter"}}"#, ContentFilter),
        (
            403,
            r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"],"flagged_input":"…"}}}"#,
            ContentFilter,
        ),
        (403, r#"{"error":{"code":403,"message":"Key limit exceeded"}}"#, Credits),
        (403, r#"{"error":{"code":403,"message":"forbidden"}}"#, Auth),
        (403, r#"{"error":{"message":"该令牌额度已用尽","code":"pre_consume_token_quota_failed"}}"#, Credits),
        (
            400,
            r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=x","code":"400"}}"#,
            NotFound,
        ),
        (400, r#"{"error":{"message":"x/y is not a valid model ID","code":400}}"#, NotFound),
        (404, r#"{"error":{"message":"m","code":"model_not_found"}}"#, NotFound),
        (
            401,
            r#"{"error":{"message":"key not allowed to access model. Tried to access m","type":"key_model_access_denied","param":"model","code":"401"}}"#,
            NotFound,
        ),
        (403, r#"{"error":{"message":"m","type":"team_model_access_denied","code":"403"}}"#, NotFound),
        (429, r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#, Credits),
    ] {
        assert_eq!(decode(status, body.as_bytes()).kind, kind, "{body}");
    }
}

#[test]
fn an_error_inside_of_an_answer_says_its_own_status_or_kind() {
    use FailureKind::*;
    for (body, kind, status) in [
        (r#"{"error":{"message":"m","code":"429"}}"#, RateLimited, Some(429)),
        (r#"{"error":{"message":"m","code":502}}"#, Unavailable, Some(502)),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, Unavailable, None),
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, RateLimited, None),
        (r#"{"error":{"message":"m"}}"#, ServerError, None),
        (r#"{"error":{"message":"m","code":200}}"#, ServerError, None),
    ] {
        let failure = decode(200, body.as_bytes());
        assert_eq!((failure.kind, failure.status), (kind, status), "{body}");
    }
}

#[test]
fn a_refused_key_is_told_in_an_answer_of_success_too() {
    for body in [
        r#"{"base_resp":{"status_code":1004,"status_msg":"login fail: Please carry the API secret key"}}"#,
        r#"{"base_resp":{"status_code":2049,"status_msg":"invalid api key"}}"#,
        r#"{"error":{"message":"invalid token","type":"new_api_error","code":"invalid_token"}}"#,
        r#"{"error_code":110,"error_msg":"Access token invalid or no longer valid"}"#,
        r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"result":null}"#,
        r#"{"error":{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}}"#,
        r#"{"error":{"error":"Invalid API key"}}"#,
        "Invalid API key\n",
        "\u{feff}Unauthorized",
        r#""Invalid API key""#,
    ] {
        assert_eq!(refusal(body.as_bytes()).map(|failure| failure.kind), Some(FailureKind::Auth), "{body}");
    }
    let answer = r#"{"choices":[{"message":{"content":"An invalid API key gives 401."},"logprobs":NaN}]}"#;
    let odd = r#"{"choices":[],"error":{"code":"invalid_api_key"}}"#;
    for body in [
        "",
        "{}",
        "null",
        "There is nothing here.",
        "<html><title>401 Unauthorized</title>Invalid API key</html>",
        r#"["Invalid API key"]"#,
        &format!("Invalid API key. {}", "This is a long story. ".repeat(50)),
        answer,
        odd,
        r#"{"choices":[]}"#,
        r#"{"base_resp":{"status_code":0,"status_msg":"success"}}"#,
    ] {
        assert_eq!(refusal(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_document_is_a_failure_if_it_holds_an_error_or_a_refusal_and_nothing_else() {
    for (body, kind) in [
        (r#"{"error":{"message":"invalid api key","code":401}}"#, FailureKind::Auth),
        (r#"{"error":"no","data":null}"#, FailureKind::ServerError),
        (r#"{"type":"error","error":{"type":"authentication_error"},"request_id":"r"}"#, FailureKind::Auth),
        (r#"{"success":false,"message":"Unauthorized, invalid access token"}"#, FailureKind::Auth),
        (r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"}"#, FailureKind::Auth),
        ("\u{feff} {\"message\":\"Invalid API key\",\"data\":null}", FailureKind::Auth),
        ("Invalid API key", FailureKind::Auth),
    ] {
        assert_eq!(failure_instead(body.as_bytes()).map(|failure| failure.kind), Some(kind), "{body}");
    }
    for body in [
        r#"{"error":null}"#,
        r#"{"error":{}}"#,
        r#"{"error":""}"#,
        r#"{"data":[],"error":{"message":"x"}}"#,
        r#"{"data":[],"message":"Invalid API key"}"#,
        r#"{"id":"batch_1","error":{"message":"x"}}"#,
        r#"{"id":"batch_1","errors":{"message":"Invalid API key"}}"#,
        r#"{"name":"batches/1","done":true,"error":{"code":3}}"#,
        r#"{"custom_id":"1","error":{"message":"Invalid API key"}}"#,
        r#"{"metadata":{"key":"1"},"error":{"code":16,"message":"Invalid API key"}}"#,
        r#"{"choices":[{"text":"a"}],"error":{"message":"x"}}"#,
        r#"[{"error":{}}]"#,
        r#"{"models":[]}"#,
        r#"{"message":"There is nothing here."}"#,
        r#"{"input_tokens":31}"#,
        "{\"custom_id\":\"1\",\"error\":{\"message\":\"Invalid API key\"}}\n{\"custom_id\":\"2\"}",
        "31",
        "",
    ] {
        assert_eq!(failure_instead(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn gemini_tells_in_the_body_when_to_come_back() {
    for (delay, wait) in [
        (r#""39s""#, Some(39_000)),
        (r#""0.250s""#, Some(250)),
        (r#""1795168830s""#, None),
        (r#""-1s""#, None),
        (r#""soon""#, None),
        ("39", None),
    ] {
        let info = format!(r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{delay}}}"#);
        let error = format!(r#"{{"error":{{"code":429,"message":"quota","details":[{{"reason":"RATE"}},{info}]}}}}"#);
        for body in [format!("[{error}]"), error] {
            let failure = decode(429, body.as_bytes());
            assert_eq!(failure.retry_after, wait.map(std::time::Duration::from_millis), "{body}");
        }
    }
}

#[test]
fn a_key_that_is_not_allowed_something_is_told_from_one_that_is_wrong() {
    for (message, is_allowed_less) in [
        ("forbidden", true),
        ("This model is not available in your region", true),
        ("Your API key was reported as leaked. Please use another API key.", false),
        ("Invalid API key provided", false),
    ] {
        let body = serde_json::json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}});
        let failure = decode(403, body.to_string().as_bytes());
        assert_eq!((failure.kind, failure.advice.is_some()), (FailureKind::Auth, is_allowed_less), "{message}");
    }
}

#[test]
fn a_refused_key_is_known_by_many_words() {
    for message in [
        "Invalid API key or insufficient permissions",
        "Unable to authenticate request",
        "Not authenticated",
        "Your authentication token has been invalidated.",
        "API Key 无效",
        "Invalid request headers; Invalid format for Authorization header",
        "Incorrect API key provided for this model",
        "API key expired or usage limit reached",
        "[401]: Invalid API key",
        "Error[1001]: Invalid API key",
        "error.401: Invalid API key",
        "Error code: 401: Invalid API key",
        "Your API key has expired.",
        "Invalid API token",
        "Malformed API key",
        "API key does not exist",
        "This API key doesn't exist.",
        "No API key provided",
        "You didn't provide an API key.",
        "This API key was deactivated: API key disabled",
        "Invalid authorization header",
        "Missing or invalid Authorization header",
        "Invalid credentials",
        "Could not validate credentials",
        "Error: the credentials you gave are no longer valid",
        "Request had invalid authentication credentials. Expected OAuth 2 access token",
        "Authentication required",
        "The security token included in the request is invalid",
        "Bearer token is missing",
        "An API key is required to access this resource",
        "Wrong Anthropic API key",
        "Unknown api_key sk-…1234, ask for another one",
        "Access denied due to invalid subscription key",
        "Your user's access token could not be verified",
        "jwt malformed",
        "litellm.AuthenticationError: Invalid API key",
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
        "Multiple authentication credentials received. Please pass only one.",
        "please provide a valid api key",
        "You must provide an API key",
        "You need to provide an API key",
        "Make sure to pass your API key",
        "Please include your API key",
        "API key must be provided",
        "The provided key is expired or revoked",
        "API key must start with sk-",
        "Authorization field missing",
        "This key is disabled",
        "token has expired, please log in again",
        "The API Key appears to be invalid or may have expired. Please verify your credentials and try again.",
        "API key rejected",
        "Deactivated API key",
        "Unauthorized: invalid token",
        "401 Unauthorized",
        "Unauthorized request. Log in first.",
        "Failed to authenticate the request due to invalid token",
        "Could not authenticate with the given API key",
        "You must be authenticated",
        "Authorization header is badly formatted",
        "Virtual key is expired",
        "User Access Token \"llm\" is expired",
        "The API key 'sk-ab…yz' is invalid",
        "Supplied credentials were rejected",
        "Token is invalid or expired",
        "Error: token is invalid",
        "The API key could not be authenticated",
        "Your credentials could not be authenticated",
    ] {
        for (status, kind) in
            [(400, FailureKind::Auth), (429, FailureKind::RateLimited), (500, FailureKind::ServerError)]
        {
            let body = serde_json::json!({"error": {"message": message, "type": "invalid_request_error"}});
            assert_eq!(decode(status, body.to_string().as_bytes()).kind, kind, "{message}");
            let is_refused = refusal(body.to_string().as_bytes()).is_some();
            assert!(is_refused, "{message}");
        }
    }
}

#[test]
fn words_about_a_key_that_is_the_right_one_refuse_none() {
    for message in [
        "Failed to download image: authentication required",
        "Missing authorization header for MCP server x",
        "No auth token for connector y",
        "API key does not have access to model m",
        "This API key is not valid for model m",
        "Missing API key for model m",
        "API key has reached its limit",
        "API key: the rate limit is invalid",
        "Your API key is missing the required scopes",
        "Your API key is missing the permission for speech",
        "API key lacks a required header",
        "Unknown parameter api_key",
        "Missing required parameter: api_key",
        "tools.0.api_key: Field required",
        "messages[0].content: invalid API key",
        "Invalid value: 'my API key is invalid'",
        "Invalid value “API key expired”",
        "Nothing is here for this API key",
        "Invalid request, use an API key with more rights",
        "Invalid token 4711 in logit_bias",
        "max_tokens is invalid: your credentials allow 4096",
        "The prompt that was received asks how to mend an expired API key",
        "key is invalid",
        "token is not allowed here",
        "The key has two parts",
        "tokens have expired",
        "Please provide an API key for the server x",
        "Please do not include API keys in your prompt",
        "Your prompt appears to include an API key",
        "Never provide an API key",
        "Your prompt appears to provide an API key",
        "api_key must be a string",
        "Unauthorized access to the model m",
        "Invalid 'tools[0].headers': Authorization header is malformed",
        "Invalid value: 'tools.authorization'. The access token is invalid",
        "Failed to authenticate MCP server 'x'",
        "You need to authenticate your GitHub connector first",
        "The image host could not be authenticated",
        "Missing project header",
        "Missing session header",
        "Invalid organization header",
        "logit_bias: token is invalid",
        "Failed to authenticate with the MCP server x",
        "Could not authenticate to the registry of images",
        "Unknown name \"api_key\": it cannot be found",
        "Invalid value 'x' for the field 'my api key is invalid'",
        "This API key seems to be for another kind of request",
    ] {
        let body = serde_json::json!({"error": {"message": message}});
        assert_eq!(decode(400, body.to_string().as_bytes()).kind, FailureKind::InvalidRequest, "{message}");
    }
}

#[test]
fn a_402_is_final_unless_the_budget_is_only_in_flight() {
    let body =
        |source: &str| format!(r#"{{"error":{{"code":402,"message":"m","metadata":{{"limit_source":"{source}"}}}}}}"#);
    assert!(decode(402, body("openrouter_in_flight_budget").as_bytes()).is_transient());
    for body in [body("openrouter_credits"), body("openrouter_key_limit"), "{}".into()] {
        let mut failure = decode(402, body.as_bytes());
        failure.retry_after = Some(std::time::Duration::from_secs(1));
        assert_eq!((failure.kind, failure.is_transient()), (FailureKind::Credits, false), "{body}");
    }
}

#[test]
fn a_bad_key_of_the_gateway_itself_is_not_blamed_on_the_user() {
    let body = r#"{"error":{"message":"litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: sk-bad-0123456789","type":"invalid_request_error","param":null,"code":"401"}}"#;
    let failure = decode(401, body.as_bytes());
    assert_eq!(failure.kind, FailureKind::Auth);
    assert!(failure.hint().is_some_and(|hint| hint.contains("gateway's own key")));
}

#[test]
fn the_parameter_in_question_is_named() {
    for (status, body, param) in [
        (400, r#"{"error":{"message":"m","param":"max_tokens"}}"#, Some("max_tokens")),
        (
            400,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported","param":null}}"#,
            Some("max_tokens"),
        ),
        (
            400,
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#,
            Some("stream_options"),
        ),
        (400, r#"{"error":{"message":"temperature: Extra inputs are not permitted"}}"#, Some("temperature")),
        (
            422,
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            Some("stream_options"),
        ),
        (400, r#"{"error":{"message":"A parameter is wrong"}}"#, None),
        (400, r#"{"error":{"message":"Note: this failed"}}"#, None),
    ] {
        assert_eq!(decode(status, body.as_bytes()).param.as_deref(), param, "{body}");
    }
}

#[test]
fn long_messages_are_cut_between_characters_and_say_so() {
    let failure = decode(500, "é".repeat(2000).as_bytes());
    assert_eq!(failure.message, format!("{}…", "é".repeat(MAX_MESSAGE)));
}

#[test]
fn a_request_that_is_too_large_is_told_to_be_smaller() {
    let failure = decode(413, b"<html><title>413 Request Entity Too Large</title></html>");
    assert_eq!(failure.kind, FailureKind::InvalidRequest);
    assert!(failure.hint().is_some_and(|hint| hint.contains("smaller attachments")), "{:?}", failure.hint());
}
