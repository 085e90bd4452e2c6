//! `llm cache`: shows how much the answer cache holds, or empties it.

use super::Context;
use crate::cli::{CacheCommand, TextOrJson};
use crate::error::Error;
use crate::report::cache;
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
            print(match output.format {
                TextOrJson::Text => cache::text(&stats, settings),
                TextOrJson::Json => cache::json(&stats, settings, &context.terminal.stdout),
            })?;
        }
        CacheCommand::Clear => print(cache::cleared(&store.clear().map_err(fails)?))?,
    }
    Ok(0)
}
