//! `llm usage`: what was used and what it cost, and where money leaks.

use super::output::Destination;
use super::{Context, calls};
use crate::cli::{UsageArgs, UsageFormat};
use crate::config::nearest;
use crate::error::Error;
use crate::ledger::{self, Dimension, Usage};
use crate::report::usage;

pub(super) fn run(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    let by = args.by.iter().map(|word| dimension(word.trim())).collect::<Result<Vec<_>, _>>()?;
    let filter = calls::filter(&args.filter)?;
    let destination = Destination::new(args.out.path.as_deref(), context.terminal.stdout)?;
    let found = match calls::store(context)? {
        Some(store) => {
            let found = ledger::usage(&store, &filter, &by)?;
            if found.total.calls == 0 {
                context.notice("no recorded call fits");
            }
            found
        }
        None => Usage::default(),
    };
    let out = destination.output();
    let text = match args.output.format {
        UsageFormat::Text => usage::text(&found, &by, &out),
        UsageFormat::Json => usage::json(&found, &by, &out),
        UsageFormat::Csv => out.show(&usage::csv(&found, &by)).into_owned(),
        UsageFormat::Markdown => out.show(&usage::markdown(&found, &by)).into_owned(),
        UsageFormat::Html => usage::page(&found, &by),
    };
    destination.write(text.as_bytes())?;
    Ok(0)
}

fn dimension(word: &str) -> Result<Dimension, Error> {
    const KNOWN: [&str; 7] = ["model", "gateway", "provider", "key", "task", "day", "status"];
    Dimension::named(word).ok_or_else(|| {
        let hint = match nearest(word, KNOWN) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}, tag:NAME", KNOWN.join(", ")),
        };
        Error::usage_hint(format!("--by: there is no {word} to group by"), hint)
    })
}
