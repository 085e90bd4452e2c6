//! `llm last`: the answer of a recorded call, or a code block of it.

use super::{Context, clipboard, conversation, log};
use crate::cli::LastArgs;
use crate::error::{Error, Failure, FailureKind};
use crate::extract;
use crate::ledger::{self, Filter, Row, Store};
use crate::record::Status;
use crate::report::term::Text;
use crate::run::Notices;

/// How many of the newest calls are looked at for an answer.
const LOOKED_AT: usize = 100;

pub(super) fn run(context: &Context, args: &LastArgs) -> Result<u8, Error> {
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let store = conversation::store(context)?;
    let row = match &args.id {
        Some(id) => one(log::named(&store, Some(id))?)?,
        None => last(&store)?,
    };
    let answer = row.answer.as_ref().ok_or_else(|| {
        Error::usage_hint(
            format!("the answer of call {} was not kept", row.id),
            "--log full, or `log = \"full\"` in the config, keeps prompts and answers",
        )
    })?;
    let is_cut = matches!(row.status, Status::Truncated | Status::Interrupted);
    let text = match &args.take.extract {
        None => answer.text.clone(),
        Some(language) => block(&answer.text, language).map_err(|error| match error {
            Error::Call(failure) if is_cut => Error::Call(Failure { kind: FailureKind::Truncated, ..failure }),
            error => error,
        })?,
    };
    if is_cut {
        context.notice("this answer is not complete: it was cut");
    }
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    destination.write(Text::from(text.as_str()) + newline)?;
    if args.take.copy {
        clipboard::copy(context, &text, |copying| Ok(copying.run()))?;
    }
    // A script that takes a block must not run a part of one.
    Ok(if is_cut && args.take.extract.is_some() { FailureKind::Truncated.exit_code() } else { 0 })
}

/// The last code block of a text in this language, or in any if it is empty.
///
/// # Errors
/// There is none.
pub(super) fn block(text: &str, language: &str) -> Result<String, Error> {
    let wanted = Some(language).filter(|language| !language.is_empty());
    extract::last_block(text, wanted).ok_or_else(|| {
        let known = extract::languages(text);
        let message = match wanted {
            Some(language) => format!("the answer has no code block in {language}"),
            None => "the answer has no code block".to_owned(),
        };
        let failure = Failure::new(FailureKind::Schema, message);
        Error::Call(match known.as_slice() {
            [] => failure.with_advice("`llm last` prints the whole answer"),
            known => failure.with_advice(format!("it has blocks in {}; `llm last` prints all of it", known.join(", "))),
        })
    })
}

fn one(mut rows: Vec<Row>) -> Result<Row, Error> {
    match (rows.pop(), rows.as_slice()) {
        (Some(row), []) => Ok(row),
        (last, others) => {
            let ids: Vec<&str> = others.iter().chain(&last).map(|row| row.id.as_str()).collect();
            Err(Error::usage_hint("that run has several calls: which one?", ids.join(", ")))
        }
    }
}

/// The newest call that has an answer.
fn last(store: &Store) -> Result<Row, Error> {
    let rows = ledger::find(store, &Filter::default(), Some(LOOKED_AT))?;
    let has_answer = |row: &Row| row.answer.as_ref().is_some_and(|answer| !answer.text.is_empty());
    let was_not_kept = rows.iter().any(|row| row.answered && row.answer.is_none());
    rows.into_iter().find(has_answer).ok_or_else(|| match was_not_kept {
        true => Error::usage_hint(
            "the last answers were not kept",
            "--log full, or `log = \"full\"` in the config, keeps prompts and answers",
        ),
        false => Error::usage_hint("there is no recorded answer yet", "`llm log` lists the recorded calls"),
    })
}
