//! Whether an answer is complete: what its finish reason, its calls of tools and what came of it say together.

use crate::chat::{Calls, FinishReason};
use crate::error::{Failure, FailureKind};
use crate::words::{on_one_line, shortened};

/// The longest reason that a message repeats, in characters.
const LONGEST_REASON: usize = 100;

const ENDED_EARLY: &str = "the answer ended early";

pub(super) const CALL_CUT: &str = "the arguments of a function call break off";

const NO_ANSWER: &str = "the gateway ended the answer before it began";

const MODEL_FAILED: &str = "the gateway says that the model failed, but not why";

const CALLS_MISSING: &str = "the model calls functions, as the gateway says, and no call has come";

/// Whether an answer with this finish reason and these calls of tools is complete. Streams and whole answers share this rule.
///
/// # Errors
/// `Truncated` where the gateway gave no reason, or one that means that the answer was cut short, or that calls came with it;
/// also where a call breaks off, although the gateway says that the answer is complete, as some do at the token limit;
/// `ContentFilter` where a filter or a refusal ended it; `Protocol` where nothing came but a reason that nobody knows, and
/// `ServerError` where that says no more than that there was an error.
pub fn complete(finish: Option<&FinishReason>, calls: Calls) -> Result<(), Failure> {
    let truncated = |message: String| Err(Failure::new(FailureKind::Truncated, message));
    match finish {
        Some(FinishReason::ToolCalls) if matches!(calls, Calls::None | Calls::Nothing) => {
            truncated(CALLS_MISSING.to_owned())
        }
        Some(FinishReason::Stop | FinishReason::ToolCalls) if calls == Calls::Cut => truncated(CALL_CUT.to_owned()),
        Some(FinishReason::Stop | FinishReason::ToolCalls) => Ok(()),
        Some(FinishReason::Length) => truncated("the answer was cut at the token limit".into()),
        Some(FinishReason::ContentFilter) => {
            Err(Failure::new(FailureKind::ContentFilter, "a content filter or a refusal ended the answer"))
        }
        // A word that nobody knows, after calls that are whole, means no failure.
        Some(FinishReason::Other(reason)) if calls == Calls::Whole && !sounds_cut(reason) => Ok(()),
        Some(FinishReason::Other(reason)) => {
            if calls == Calls::Nothing && is_error(reason) {
                return Err(Failure::new(FailureKind::ServerError, MODEL_FAILED));
            }
            let reason = on_one_line(reason);
            let reason = shortened(&reason, LONGEST_REASON);
            if calls == Calls::Nothing {
                let failure = Failure::new(FailureKind::Protocol, format!("{NO_ANSWER}: {reason}"));
                return Err(failure.with_advice("ask again, or ask another model").maybe_billed());
            }
            truncated(format!("{ENDED_EARLY}: {reason}"))
        }
        // The model may have worked although nothing of that has come.
        None => truncated("the stream ended before the answer was complete".into()).map_err(Failure::maybe_billed),
    }
}

/// Whether nothing was cut from the answer, as far as its finish reason tells.
pub(super) fn sounds_whole(finish: &FinishReason) -> bool {
    match finish {
        FinishReason::Stop | FinishReason::ToolCalls => true,
        FinishReason::Other(reason) => !sounds_cut(reason),
        FinishReason::Length | FinishReason::ContentFilter => false,
    }
}

/// Whether an answer that has ended for this reason is not whole, whatever the gateway says later.
pub(super) fn is_for_good(finish: &FinishReason) -> bool {
    match finish {
        FinishReason::Length | FinishReason::ContentFilter => true,
        FinishReason::Other(reason) => sounds_cut(reason) && !is_still_going_on(reason),
        FinishReason::Stop | FinishReason::ToolCalls => false,
    }
}

/// Whether a finish reason says that the model failed, and no more.
fn is_error(reason: &str) -> bool {
    reason.eq_ignore_ascii_case("error")
}

/// Whether a finish reason says that more follows, as some gateways say with each part of an answer.
fn is_still_going_on(reason: &str) -> bool {
    has_any(reason, &["progress", "queue", "incomplete", "not_complete", "partial", "unfinished", "not_finished"])
}

/// Whether a finish reason that is not known sounds as if something were missing.
pub(super) fn sounds_cut(reason: &str) -> bool {
    const PARTS: [&str; 119] = [
        "err",
        "fail",
        "cancel",
        "abort",
        "incomplete",
        "partial",
        "time",
        "interrupt",
        "limit",
        "length",
        "max",
        "malformed",
        "filter",
        "blacklist",
        "safety",
        "block",
        "invalid",
        "exceed",
        "pause",
        "trunc",
        "overload",
        "overflow",
        "insufficient",
        "throttl",
        "progress",
        "queue",
        "unfinished",
        "not_finished",
        "context",
        "drop",
        "kill",
        "lost",
        "policy",
        "violat",
        "deni",
        "budget",
        "quota",
        "repetition",
        "many",
        "missing",
        "unexpected",
        "other",
        "language",
        "no_image",
        "prohibit",
        "recitation",
        "spii",
        "except",
        "unavail",
        "too_long",
        "exhaust",
        "deadline",
        "unsafe",
        "memory",
        "crash",
        "moderat",
        "guard",
        "reject",
        "disconnect",
        "unsupported",
        "preempt",
        "cut_off",
        "cutoff",
        "refus",
        "expir",
        "forbid",
        "disallow",
        "not_allowed",
        "unauthor",
        "terminated",
        "halted",
        "evict",
        "unload",
        "shut",
        "suspend",
        "revok",
        "connection",
        "network",
        "busy",
        "maintenance",
        "corrupt",
        "stall",
        "premature",
        "early",
        "unable",
        "out_of",
        "harm",
        "flagged",
        "_full",
        "censor",
        "pii",
        "jailbreak",
        "reset",
        "user_stop",
        "userstop",
        "by_user",
        "by_client",
        "by_server",
        "by_system",
        "declin",
        "broken",
        "not_complete",
        "toxic",
        "sensitiv",
        "nsfw",
        "abus",
        "illegal",
        "copyright",
        "banned",
        "restrict",
        "violen",
        "sexual",
        "panic",
        "fatal",
        "problem",
        "disrupt",
        "unsuccess",
        "loop",
        "payment",
    ];
    /// These hold parts of those, and say nothing of what is missing.
    const HARMLESS: [&str; 7] =
        ["harmony", "loop_done", "loop_end", "loop_complete", "unrestricted", "no_problem", "no_error"];
    let reason = reason.to_lowercase();
    let reason = HARMLESS.iter().fold(reason, |reason, word| reason.replace(word, ""));
    // Out of memory; a part of other words.
    has_any(&reason, &PARTS) || reason.split(|c: char| !c.is_alphanumeric()).any(|word| word == "oom")
}

fn has_any(reason: &str, parts: &[&str]) -> bool {
    let reason = reason.to_lowercase();
    parts.iter().any(|part| reason.contains(part))
}

/// Whether an answer is complete for whoever does not get its bytes.
///
/// # Errors
/// `Truncated` where this came of it that has no form here.
pub fn told_whole(missing: Option<&str>) -> Result<(), Failure> {
    missing.map_or(Ok(()), |what| {
        let message = format!("the answer holds {what}, which can neither be shown nor translated here");
        Err(Failure::new(FailureKind::Truncated, message))
    })
}

/// Whether a failure says no more of an answer than its finish reason.
pub fn is_told_by(finish: &FinishReason, failure: &Failure) -> bool {
    match (finish, complete(Some(finish), Calls::None)) {
        (_, Ok(())) => false,
        // Long reasons are shortened on their way.
        (FinishReason::Other(_), Err(told)) => failure.kind == told.kind && failure.message.starts_with(ENDED_EARLY),
        (_, Err(told)) => (failure.kind, &failure.message) == (told.kind, &told.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_hold_a_part_of_another_are_no_sign_of_a_failure() {
        for good in [
            "harmony_tool_call",
            "agent_loop_done",
            "no_problem",
            "unrestricted",
            "completed_successfully",
            "chat_room",
        ] {
            assert!(!sounds_cut(good), "{good}");
        }
        for cut in
            ["harmful", "HARM_CATEGORY", "in_loop", "loop_detected", "gpu_oom", "OOM", "unsuccessful", "buffer_full"]
        {
            assert!(sounds_cut(cut), "{cut}");
        }
    }

    #[test]
    fn what_says_with_each_part_that_more_follows_is_not_for_good() {
        for reason in ["incomplete", "not_complete", "not_completed", "in_progress"] {
            assert!(sounds_cut(reason) && !is_for_good(&FinishReason::other(reason)), "{reason}");
        }
        assert!(is_for_good(&FinishReason::other("crashed")));
    }
}
