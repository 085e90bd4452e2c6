//! The note beside a row of figures: retries, fallbacks, which model answered, how the answer ended.

use super::{RECORDED, columns, format, notice};
use crate::record::{Attempt, Record, Status};

/// The note of a record. It is empty where nothing unusual happened.
pub(super) fn of(record: &Record) -> String {
    let mut notes = without_name(record);
    let other = other_name(record).filter(|_| fell_back(record).is_none());
    notes.extend(other.map(|model| format!("answered by {model}")));
    notes.join("; ")
}

/// The parts of the note, without the name of the model that answered, for tables with a column for that name.
pub(super) fn without_name(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    match record.status {
        Status::Ok => {}
        Status::Truncated => notes.push(format!("truncated: {}", columns::reason(record))),
        Status::Failed | Status::Refused | Status::Skipped => notes.push(columns::reason(record)),
        Status::Interrupted => notes.push("interrupted".into()),
    }
    if record.cached {
        notes.push(cached(record));
    }
    notes.extend(retried(record));
    notes.extend(fell_back(record));
    notes
}

/// Says that the answer comes from the cache, and how much that saved.
pub(super) fn cached(record: &Record) -> String {
    record.saved.map_or_else(|| "cached".to_owned(), |saved| format!("cached, saved {}", format::cost(saved)))
}

fn retried(record: &Record) -> Option<String> {
    let again: Vec<&Attempt> =
        record.attempts.windows(2).filter(|pair| same_target(&pair[0], &pair[1])).map(|pair| &pair[0]).collect();
    let times = match again.len() {
        0 => return None,
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    };
    let mut causes: Vec<String> = Vec::new();
    for attempt in again {
        let cause = match (&attempt.error, attempt.status) {
            (_, Some(status)) if status >= 400 => status.to_string(),
            (Some(failure), _) => notice::short(failure),
            (None, _) => continue,
        };
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    if causes.is_empty() {
        Some(format!("retried {times}"))
    } else {
        Some(format!("retried {times} ({})", causes.join(", ")))
    }
}

fn same_target(a: &Attempt, b: &Attempt) -> bool {
    a.model == b.model && a.gateway == b.gateway
}

/// Says which model answered, or was tried last, after the first one did not answer.
fn fell_back(record: &Record) -> Option<String> {
    let (first, last) = (record.first_attempt()?, record.attempts.last()?);
    let model = record.answered_by.as_deref().unwrap_or(&last.model);
    // The same model may be at both.
    let gateway = if first.gateway == last.gateway { String::new() } else { format!("{}::", last.gateway) };
    (!same_target(first, last)).then(|| format!("fell back to {gateway}{model}"))
}

/// The model that answered, where it is not the one that was asked for.
pub(super) fn other_name(record: &Record) -> Option<&str> {
    record.answered_by.as_deref().filter(|model| !is_same_model(&record.model, model))
}

/// Whether two names mean the same model. They may differ by the gateway or vendor before the name (`openai/gpt-5.4`) and
/// by the date or number of a version after it (`gpt-5.4-2026-03-01`).
pub(super) fn is_same_model(asked: &str, answered: &str) -> bool {
    fn bare(name: &str) -> &str {
        let name = name.strip_suffix(RECORDED).unwrap_or(name);
        let name = name.split_once("::").map_or(name, |(_, model)| model);
        name.rsplit_once('/').map_or(name, |(_, model)| model)
    }
    let (asked, answered) = (bare(asked).to_lowercase(), bare(answered).to_lowercase());
    let is_snapshot = |suffix: &str| {
        let digits = suffix.bytes().filter(u8::is_ascii_digit).count();
        suffix.starts_with(['-', '@']) && digits >= 3 && digits + suffix.matches(['-', '@']).count() == suffix.len()
    };
    asked == answered || answered.strip_prefix(&asked).is_some_and(is_snapshot)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{attempt, failed, ms, rate_limited, record, three, truncated};
    use super::*;

    #[test]
    fn a_plain_answer_needs_no_note() {
        assert_eq!(of(&record("gpt-5.4-mini", "x")), "");
    }

    #[test]
    fn retries_are_counted_with_their_causes() {
        let mut deepseek = three().remove(2);
        assert_eq!(of(&deepseek), "retried once (429)");
        deepseek.attempts.insert(0, attempt("deepseek-v4", Some(429), Some(rate_limited())));
        deepseek.attempts.insert(0, attempt("deepseek-v4", Some(503), None));
        assert_eq!(of(&deepseek), "retried 3 times (503, 429)");
    }

    #[test]
    fn a_fallback_names_who_answered() {
        let mut answer = record("reasoner", "x");
        answer.attempts = vec![
            attempt("deepseek", Some(429), Some(rate_limited())),
            attempt("deepseek", Some(429), Some(rate_limited())),
            attempt("qwen", Some(200), None),
        ];
        answer.answered_by = Some("qwen".into());
        assert_eq!(of(&answer), "retried once (429); fell back to qwen");
        assert_eq!(other_name(&answer), Some("qwen"), "a column of its own says so, too");
        // It was asked as well, and left when the first one began.
        answer.attempts = vec![attempt("qwen", None, Some(rate_limited())), attempt("deepseek", Some(200), None)];
        answer.attempts[0].start = ms(50);
        assert_eq!(fell_back(&answer), None);
    }

    #[test]
    fn a_model_by_another_name_is_no_other_model() {
        for (asked, answered) in [
            ("gpt-5.4", "gpt-5.4-2026-03-01"),
            ("openai/gpt-5.4", "gpt-5.4"),
            ("openrouter::openai/gpt-5.4", "openai/GPT-5.4"),
            ("gemini-3.1-pro", "gemini-3.1-pro-002"),
            ("openai/gpt-5.4 (recorded)", "gpt-5.4"),
        ] {
            assert!(is_same_model(asked, answered), "{asked} {answered}");
        }
        for (asked, answered) in [("gpt-5.4", "gpt-5.4-mini"), ("claude-3", "claude-3-5"), ("gpt-5.4-mini", "gpt-5.4")]
        {
            assert!(!is_same_model(asked, answered), "{asked} {answered}");
        }
    }

    #[test]
    fn another_model_is_named() {
        let mut answer = record("fast-chat", "x");
        answer.answered_by = Some("gpt-5.4-mini".into());
        answer.cached = true;
        assert_eq!(of(&answer), "cached; answered by gpt-5.4-mini");
    }

    #[test]
    fn what_is_not_whole_says_why() {
        assert_eq!(of(&truncated("m")), "truncated: length");
        assert_eq!(of(&failed("m")), "503 no provider is available for this model");
    }
}
