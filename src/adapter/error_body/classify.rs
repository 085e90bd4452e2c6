//! The kind of a failure. Known words in the body say more than the status.

use super::key;
use super::shape::Said;
use crate::error::FailureKind;

pub(super) fn kind(status: Option<u16>, said: &Said) -> FailureKind {
    let message = said.message.as_deref().unwrap_or_default().to_lowercase();
    let words = [said.code.as_deref(), said.kind.as_deref()].map(|word| word.unwrap_or_default().to_lowercase());
    let is = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let says = |wanted: &[&str]| wanted.iter().any(|phrase| message.contains(phrase));
    // A server error is not explained by what its message quotes of the request.
    let refused = status.is_none_or(|status| status < 500);

    if is(&["context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded"])
        || refused
            && says(&[
                "contextwindowexceedederror",
                "prompt is too long",
                "maximum context length",
                "exceeds the maximum number of tokens",
                "exceeds the available context size",
                "exceed context limit",
                "maximum prompt length",
                "input is too long",
            ])
    {
        return FailureKind::ContextLength;
    }
    if said.moderated
        || is(&["content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"])
        || refused
            && says(&[
                "contentpolicyviolationerror",
                "requires moderation",
                "content management policy",
                "guardrail policy",
                "by guardrail",
            ])
    {
        return FailureKind::ContentFilter;
    }
    if is(&["insufficient_quota", "billing_error", "insufficient_credits"])
        || status == Some(403) && says(&["limit exceeded", "budget", "额度已用尽", "额度不足", "余额不足"])
        || refused && says(&["exceededtokenbudget", "exceededbudget:"])
        || status.is_none_or(|status| status == 400 || status == 429)
            && says(&["budget has been exceeded", "budgetexceedederror"])
    {
        return FailureKind::Credits;
    }
    // LiteLLM refuses a model to a key, a team or a user, and says so with the status of a wrong key.
    if words.iter().any(|word| word.ends_with("model_access_denied")) {
        return FailureKind::NotFound;
    }
    if refuses_key(status, said) {
        return FailureKind::Auth;
    }
    if is(&["model_not_found", "not_found_error", "model_not_available"])
        || matches!(status, Some(400 | 404))
            && says(&["invalid model", "is not a valid model", "unknown model", "model not found", "model not exist"])
    {
        return FailureKind::NotFound;
    }
    match status {
        Some(status) => FailureKind::from_status(status),
        None => kind_of_words(is),
    }
}

/// Whether the key is refused. Many gateways say so with another status than 401.
fn refuses_key(status: Option<u16>, said: &Said) -> bool {
    // 498 is a status of some proxies, for a token that is invalid.
    has_key_code(status, said)
        || status == Some(498)
        || matches!(status, None | Some(400 | 404 | 406 | 422)) && (said.status == Some(401) || speaks_of_key(said))
}

/// Whether a code of the error says that the key is wrong.
fn has_key_code(status: Option<u16>, said: &Said) -> bool {
    /// Those that say so with any status. LiteLLM without a database knows its master key alone, and gives the last reason for every
    /// other key.
    const CODES: [&str; 18] = [
        "apikeyinvalid",
        "apikeyrequired",
        "authenticationerror",
        "authenticationfailed",
        "authenticationfailure",
        "authenticationrequired",
        "autherror",
        "expiredkey",
        "expiredtoken",
        "invalidapikey",
        "invalidauthenticationtoken",
        "invalidauthtoken",
        "invalidtoken",
        "nodbconnection",
        "tokenexpired",
        "tokennotfoundindb",
        "unauthenticated",
        "unauthorized",
    ];
    /// What names a key in a code.
    const KEYS: [&str; 9] = [
        "accesstoken",
        "apikey",
        "authentication",
        "authheader",
        "authorizationheader",
        "authtoken",
        "bearertoken",
        "credential",
        "jwt",
    ];
    const COMPLAINTS: [&str; 16] = [
        "bad",
        "blocked",
        "disabled",
        "expired",
        "inactive",
        "incorrect",
        "invalid",
        "malformed",
        "missing",
        "notfound",
        "notvalid",
        "rejected",
        "revoked",
        "unauthorized",
        "unknown",
        "wrong",
    ];
    // What is said with other statuses may be about a key of somebody else, or about how often one is used.
    let is_refusal = status.is_none_or(|status| matches!(status, 400..=423));
    [&said.code, &said.kind].into_iter().flatten().any(|word| {
        // Written as one word, because gateways write the same code in several ways.
        let letters: String = word.chars().filter(|letter| letter.is_alphanumeric()).collect();
        let letters = letters.to_lowercase();
        let holds = |parts: &[&str]| parts.iter().any(|part| letters.contains(part));
        CODES.contains(&&*letters) || is_refusal && holds(&KEYS) && holds(&COMPLAINTS)
    })
}

/// Whether the message says that the key is wrong or missing.
fn speaks_of_key(said: &Said) -> bool {
    said.message.as_deref().is_some_and(key::is_refused_by)
}

/// The kind of an error inside of an answer, which may have no status.
fn kind_of_words(is: impl Fn(&[&str]) -> bool) -> FailureKind {
    let table: [(&[&str], FailureKind); 6] = [
        (&["overloaded_error", "unavailable", "server_overloaded", "engine_overloaded"], FailureKind::Unavailable),
        (
            &["rate_limit_error", "rate_limit_exceeded", "throttling_error", "resource_exhausted", "too_many_requests"],
            FailureKind::RateLimited,
        ),
        (&["timeout_error", "timeout", "deadline_exceeded", "request_timeout"], FailureKind::Timeout),
        (&["permission_error", "permission_denied"], FailureKind::Auth),
        (&["not_found"], FailureKind::NotFound),
        (&["invalid_request_error", "invalid_argument", "invalid_prompt"], FailureKind::InvalidRequest),
    ];
    table.into_iter().find(|(words, _)| is(words)).map_or(FailureKind::ServerError, |(_, kind)| kind)
}

/// Whether a retry is known to help, or to be useless. An account stays without credit, but OpenRouter's limit for
/// requests in flight passes by itself.
pub(super) fn should_retry(kind: FailureKind, said: &Said) -> Option<bool> {
    let passes = said.limit_source.as_deref() == Some("openrouter_in_flight_budget");
    (kind == FailureKind::Credits).then_some(passes)
}

/// Whether LiteLLM passes on the refusal of its own key by its upstream: `AuthenticationError: OpenAIException - …`.
pub(super) fn is_of_upstream(kind: FailureKind, said: &Said) -> bool {
    let message = said.message.as_deref().unwrap_or_default();
    kind == FailureKind::Auth && message.contains("AuthenticationError") && message.contains("Exception")
}

/// Advice, where that of the kind would mislead.
pub(super) fn advice(kind: FailureKind, status: Option<u16>, said: &Said) -> Option<String> {
    if is_of_upstream(kind, said) {
        return Some(
            "your key is fine: the gateway's own key for its upstream was refused, so tell whoever runs the gateway"
                .into(),
        );
    }
    if kind == FailureKind::Auth && status == Some(403) && !has_key_code(status, said) && !speaks_of_key(said) {
        return Some("the key is not allowed to do this: the account, its region or its permissions forbid it".into());
    }
    if status == Some(413) {
        return Some(
            "the request is larger than the gateway, or a proxy before it, takes: send less, or smaller attachments"
                .into(),
        );
    }
    match (kind, said.limit_source.as_deref()) {
        (FailureKind::Credits, Some("openrouter_key_limit")) => {
            Some("the key's own spending limit is reached: raise it at the gateway, or use another key".into())
        }
        (FailureKind::Credits, Some("openrouter_in_flight_budget")) => {
            Some("too much is in flight for the account's balance: wait a little, or lower --concurrency".into())
        }
        _ => None,
    }
}

/// The parameter that a message names, for bodies that have no field for it.
pub(super) fn param(message: &str) -> Option<String> {
    // `temperature: Extra inputs are not permitted`
    if let Some((name, complaint)) = message.split_once(": ")
        && is_field(name)
        && (complaint.starts_with("Extra inputs")
            || complaint.starts_with("Field required")
            || complaint.starts_with("Input should"))
    {
        return Some(name.to_owned());
    }
    // `Unsupported parameter: 'max_tokens' is not …`, `Unrecognized request argument supplied: stream_options`
    for marker in ["parameter", "argument supplied"] {
        let Some((_, rest)) = message.split_once(marker) else { continue };
        let rest = rest.strip_prefix("(s)").or_else(|| rest.strip_prefix('s')).unwrap_or(rest);
        let rest = rest.trim_start_matches([':', ' ']);
        let bare = rest.trim_start_matches(QUOTES);
        let end = bare.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(bare.len());
        let name = bare[..end].trim_end_matches('.');
        // A word without quotes may be part of the sentence.
        let is_quoted = rest.starts_with(QUOTES) && bare[end..].starts_with(QUOTES);
        if is_field(name) && (is_quoted || name.contains('_')) {
            return Some(name.to_owned());
        }
    }
    None
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

fn is_field(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'))
}
