//! `llm cache`: shows how much the answer cache holds, or empties it.

use super::Context;
use crate::cli::{CacheCommand, TextOrJson};
use crate::error::Error;
use crate::report::cache;
use crate::report::term::print;
use crate::run::answer_store;

pub(super) fn run(context: &Context, command: CacheCommand) -> Result<u8, Error> {
    // Where there is no home directory, there is no answer either.
    let store = answer_store(&context.settings);
    let fails = |source| Error::Output { target: "the answer cache".into(), source };
    match command {
        CacheCommand::Stats { output } => {
            let stats = store.map(|store| store.stats()).transpose().map_err(fails)?.unwrap_or_default();
            let settings = &context.settings.cache;
            print(match output.format {
                TextOrJson::Text => cache::text(&stats, settings),
                TextOrJson::Json => cache::json(&stats, settings, &context.terminal.stdout),
            })?;
        }
        CacheCommand::Clear => {
            let cleared = store.map(|store| store.clear()).transpose().map_err(fails)?.unwrap_or_default();
            print(cache::cleared(&cleared))?;
        }
    }
    Ok(0)
}
