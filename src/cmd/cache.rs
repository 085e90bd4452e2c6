//! `llm cache`: how much is in the answer cache, and emptying it; what a run needs to use it.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::json;

use super::Context;
use crate::cli::{CacheCommand, TextOrJson};
use crate::error::Error;
use crate::policy::cache::Stats;
use crate::report;
use crate::report::term::print;
use crate::run::answer_store;

pub(super) fn run(context: &Context, command: CacheCommand) -> Result<u8, Error> {
    let Some(store) = answer_store(&context.settings) else {
        return Err(Error::config_hint("there is no home directory to keep answers in", "LLM_DATA_DIR names one"));
    };
    let fails = |source| Error::Output { target: "the answer cache".into(), source };
    match command {
        CacheCommand::Stats { output } => {
            let stats = store.stats().map_err(fails)?;
            let settings = &context.settings.cache;
            let text = match output.format {
                TextOrJson::Text => {
                    let off = "off unless --cache asks for it; `[cache] enabled = true` in the config turns it on\n";
                    let off = if settings.enabled { "" } else { off };
                    format!("{}\nroom for {}\n{off}", describe(&stats), bytes(settings.max_size)).into()
                }
                TextOrJson::Json => {
                    let document = json!({
                        "answers": stats.answers, "size": stats.size, "max_size": settings.max_size,
                        "oldest": stats.oldest.and_then(moment), "enabled": settings.enabled,
                    });
                    report::json::document(&document, &context.terminal.stdout)
                }
            };
            print(text)?;
        }
        CacheCommand::Clear => print(format!("forgot {}\n", describe(&store.clear().map_err(fails)?)).into())?,
    }
    Ok(0)
}

fn describe(stats: &Stats) -> String {
    let answers = if stats.answers == 1 { "answer" } else { "answers" };
    let mut text = format!("{} {answers}, {}", stats.answers, bytes(stats.size));
    if let Some(oldest) = stats.oldest.and_then(moment) {
        text.push_str(&format!(", the oldest last used {oldest}"));
    }
    text
}

fn moment(time: SystemTime) -> Option<String> {
    Some(format!("{:.0}", Timestamp::try_from(time).ok()?))
}

fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        // What would round to 1024.0 is of the next unit.
        1_024..1_048_525 => format!("{:.1} KiB", count as f64 / 1_024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
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
