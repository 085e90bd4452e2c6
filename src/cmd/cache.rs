//! `llm cache`: how much is in the answer cache, and emptying it; what a run needs to use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Context;
use crate::cli::{CacheCommand, TextOrJson};
use crate::config::Gateway;
use crate::error::Error;
use crate::policy::cache::{Answers, Stats, Store};
use crate::report;
use crate::report::term::print;

pub(super) fn run(context: &Context, command: CacheCommand) -> Result<u8, Error> {
    let Some(store) = store(context) else {
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

/// The answers for a run at these gateways, if it is to use any.
pub(super) fn answers(
    context: &Context,
    cached: Option<bool>,
    chosen_key: Option<&str>,
    gateways: &BTreeMap<String, Gateway>,
) -> Option<Arc<Answers>> {
    let wanted = cached.unwrap_or(context.settings.cache.enabled);
    let store = wanted.then(|| store(context)).flatten()?;
    let scoped = |gateway: &Gateway| (gateway.clone(), scope(context, gateway, chosen_key));
    Some(Arc::new(Answers::new(
        store,
        gateways.iter().map(|(name, gateway)| (name.clone(), scoped(gateway))).collect(),
    )))
}

fn store(context: &Context) -> Option<Store> {
    let settings = &context.settings.cache;
    let dir = context.settings.dirs.cache.as_ref()?.join("answers");
    Some(Store::new(dir, settings.ttl, settings.max_size))
}

/// What tells the keys of a gateway apart, found without asking anybody for a key: the name of a saved key, the command
/// that prints it, or the hash of one in the environment.
fn scope(context: &Context, gateway: &Gateway, chosen: Option<&str>) -> String {
    let in_env = || gateway.key.env.iter().find_map(|name| context.settings.env.get(name));
    match (chosen, in_env(), &gateway.key.command) {
        (Some(name), _, _) => format!("name {name}"),
        (None, Some(key), _) => format!("env {:x?}", Sha256::digest(key)),
        (None, None, Some(command)) => format!("command {command:?}"),
        (None, None, None) => format!("name {}", gateway.key.name.as_deref().unwrap_or("default")),
    }
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
