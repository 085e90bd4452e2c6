//! The texts of `llm cache`: how much is in the cache of answers.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::json;

use super::format::{count, size as bytes};
use super::json::document;
use super::term::{Output, Text};
use crate::config::CacheSettings;
use crate::policy::cache::Stats;

/// Says how much is kept, how much may be kept, and how the cache is switched on where it is off.
pub fn text(stats: &Stats, settings: &CacheSettings) -> Text {
    let off = "off unless --cache asks for it; `[cache] enabled = true` in the config turns it on\n";
    let off = if settings.enabled { "" } else { off };
    format!("{}\nroom for {}\n{off}", describe(stats), bytes(settings.max_size)).into()
}

/// The same as JSON.
pub fn json(stats: &Stats, settings: &CacheSettings, out: &Output) -> Text {
    let stats = json!({
        "answers": stats.answers, "size": stats.size, "max_size": settings.max_size,
        "oldest": stats.oldest.and_then(moment), "enabled": settings.enabled,
    });
    document(&stats, out)
}

/// Says how much was deleted.
pub fn cleared(stats: &Stats) -> Text {
    format!("forgot {}\n", describe(stats)).into()
}

fn describe(stats: &Stats) -> String {
    let mut text = format!("{}, {}", count(stats.answers, "answer", "answers"), bytes(stats.size));
    if let Some(oldest) = stats.oldest.and_then(moment) {
        text.push_str(&format!(", the oldest last used {oldest}"));
    }
    text
}

fn moment(time: SystemTime) -> Option<String> {
    Some(format!("{:.0}", Timestamp::try_from(time).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_cache_is_one_line() {
        let oldest = Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000));
        for (stats, line) in [
            (Stats::default(), "0 answers, 0 B"),
            (Stats { answers: 1, size: 1_023, oldest }, "1 answer, 1023 B, the oldest last used 2026-09-21T14:13:20Z"),
            (Stats { answers: 2, size: 1_024, oldest: None }, "2 answers, 1.0 KiB"),
            (Stats { answers: 2, size: 1_048_524, oldest: None }, "2 answers, 1023.9 KiB"),
            (Stats { answers: 2, size: 1_048_575, oldest: None }, "2 answers, 1.0 MiB"),
            (Stats { answers: 12_345, size: 268_435_456, oldest: None }, "12345 answers, 256.0 MiB"),
        ] {
            assert_eq!(describe(&stats), line);
        }
    }
}
