//! `llm chat --list`: the conversations that can be continued.

use std::collections::HashSet;

use crate::cmd::{Context, calls};
use crate::error::Error;
use crate::ledger::{self, Filter};
use crate::report::chat as report;
use crate::report::term::print;
use crate::run::Notices;

/// How many conversations are listed.
const SHOWN: usize = 20;

pub(super) fn run(context: &Context, text: &str) -> Result<u8, Error> {
    let Some(store) = calls::store(context)? else {
        context.notice("no conversation has been recorded yet");
        return Ok(0);
    };
    let search = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let mut found: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    let mut more = 0;
    ledger::for_each(&store, &Filter { search, ..Filter::default() }, None, |row| {
        let first = row.conversation.unwrap_or(row.id);
        if ["chat", "ask"].contains(&row.command.as_str()) && known.insert(first.clone()) {
            if found.len() < SHOWN { found.push(first) } else { more += 1 }
        }
        Ok::<_, Error>(())
    })?;
    let mut conversations = Vec::new();
    for first in found {
        let filter = Filter { conversation: Some(first), ..Filter::default() };
        conversations.push(ledger::find(&store, &filter, None)?);
    }
    print(report::list(&conversations, &context.terminal.stdout))?;
    match (conversations.len(), more) {
        (0, _) => context.notice("no conversation fits"),
        (_, 0) => context.notice("`llm chat -c ID` continues one of them"),
        (_, more) => context.notice(&format!("{more} more: --list TEXT finds them; `llm chat -c ID` continues one")),
    }
    Ok(0)
}
