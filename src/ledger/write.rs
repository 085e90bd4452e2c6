//! Rows into the database.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{OptionalExtension, Result, Transaction, params};
use serde::Serialize;

use super::row::{Row, texts_of};

/// Adds calls, as one part of the transaction: if one of them fails, none of them may stay. One that is there already stays
/// as it is. Returns how many were added.
pub(super) fn insert_all<'r>(transaction: &Transaction<'_>, rows: impl IntoIterator<Item = &'r Row>) -> Result<usize> {
    let names = Names { transaction, known: RefCell::default() };
    let mut added = Vec::new();
    for row in rows {
        added.extend(insert(transaction, &names, row)?.map(|call| (call, row)));
    }
    // After everything else: a statement that SQLite may have to undo makes FTS5 write out its index, which would happen
    // with each call.
    added.iter().try_for_each(|(call, row)| words(transaction, *call, row))?;
    Ok(added.len())
}

/// Adds a call, without the index of its words. Returns its id; `None` where it is there already.
fn insert(transaction: &Transaction<'_>, names: &Names<'_>, row: &Row) -> Result<Option<i64>> {
    let known = transaction.prepare_cached("SELECT 1 FROM calls WHERE uuid = ?1")?.exists([&row.id])?;
    if known {
        return Ok(None);
    }
    let run = run(transaction, row)?;
    let request = request(transaction, row)?;
    let error = row.error.as_ref().map(|error| error.kind.as_str());
    let tags = (!row.tags.is_empty()).then(|| json(&row.tags));
    transaction
        .prepare_cached(
            "INSERT INTO calls (uuid, run, place, at_ms, asked, gateway, model, answered, key, task, tags, status, error,
                 finish, cached, attempts, fallbacks, input, cache_read, cache_write, output, reasoning, cost, origin,
                 retry_cost, saved, connect_us, first_byte_us, first_reasoning_us, first_token_us, total_us,
                 tokens_per_second, request, maybe_billed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34)",
        )?
        .execute(params![
            row.id,
            run,
            row.place as i64,
            row.at_ms,
            names.id(&row.asked)?,
            names.id(&row.gateway)?,
            names.id(&row.model)?,
            row.answered,
            names.id_of(row.key.as_deref())?,
            names.id_of(row.task.as_deref())?,
            names.id_of(tags.as_deref())?,
            names.id(row.status.as_str())?,
            names.id_of(error)?,
            names.id_of(row.finish.as_ref().map(|finish| finish.as_str()))?,
            row.cached,
            row.attempts.len() as i64,
            row.fallbacks() as i64,
            count(row.tokens.input),
            count(row.tokens.cache_read),
            count(row.tokens.cache_write),
            count(row.tokens.output),
            count(row.tokens.reasoning),
            row.cost.map(|cost| cost.picos),
            names.id_of(row.cost.map(|cost| cost.origin.as_str()))?,
            row.retry_cost(),
            row.saved(),
            count(row.times.connect),
            count(row.times.first_byte),
            count(row.times.first_reasoning),
            count(row.times.first_token),
            count(row.times.total),
            row.times.tokens_per_second,
            request,
            row.maybe_billed().map(|count| count as i64),
        ])?;
    let call = transaction.last_insert_rowid();
    if row.is_of_demo() {
        transaction.prepare_cached("INSERT INTO demo_calls (call) VALUES (?1)")?.execute([call])?;
    }
    details(transaction, call, row)?;
    attempts(transaction, names, call, row)?;
    Ok(Some(call))
}

fn run(transaction: &Transaction<'_>, row: &Row) -> Result<i64> {
    let mut find = transaction.prepare_cached("SELECT id FROM runs WHERE uuid = ?1")?;
    if let Some(id) = find.query_row([&row.run], |found| found.get(0)).optional()? {
        return Ok(id);
    }
    transaction.prepare_cached("INSERT INTO runs (uuid, command, at_ms) VALUES (?1, ?2, ?3)")?.execute(params![
        row.run,
        row.command,
        row.at_ms
    ])?;
    Ok(transaction.last_insert_rowid())
}

/// Returns the id of the request, which is kept once however often it is sent.
fn request(transaction: &Transaction<'_>, row: &Row) -> Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO requests (hash, chars, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (hash) DO UPDATE SET body = coalesce(body, excluded.body) RETURNING id",
        )?
        .query_row(params![row.request.hash, count(Some(row.request.chars)), row.request.body], |found| found.get(0))
}

fn details(transaction: &Transaction<'_>, call: i64, row: &Row) -> Result<()> {
    let answer = row.answer.as_ref();
    let calls = answer.filter(|answer| !answer.tool_calls.is_empty());
    transaction
        .prepare_cached(
            "INSERT INTO details (call, conversation, parent, price, error, answer_chars, answer, reasoning, signature,
                 tool_calls)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            call,
            row.conversation,
            row.parent,
            row.rates.as_ref().map(json),
            row.error.as_ref().map(json),
            count(Some(row.answer_chars)),
            answer.map(|answer| &answer.text),
            answer.map(|answer| &answer.reasoning).filter(|text| !text.is_empty()),
            answer.and_then(|answer| answer.signature.as_ref()),
            calls.map(|answer| json(&answer.tool_calls)),
        ])?;
    Ok(())
}

fn attempts(transaction: &Transaction<'_>, names: &Names<'_>, call: i64, row: &Row) -> Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO attempts (call, place, gateway, model, status, error, start_us, duration_us, cost, request_id,
             maybe_billed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for (place, attempt) in row.attempts.iter().enumerate() {
        insert.execute(params![
            call,
            place as i64,
            names.id(&attempt.gateway)?,
            names.id(&attempt.model)?,
            attempt.status,
            attempt.error.as_ref().map(json),
            count(Some(attempt.start_us)),
            count(Some(attempt.duration_us)),
            attempt.cost_picos,
            attempt.request_id,
            attempt.maybe_billed,
        ])?;
    }
    Ok(())
}

/// How much of a prompt, and of an answer, is indexed by its words, in bytes: the index of a huge attachment would take longer
/// than all the rest.
const INDEXED: usize = 1 << 20;

fn words(transaction: &Transaction<'_>, call: i64, row: &Row) -> Result<()> {
    let (Some(request), Some(answer)) = (row.request.request(), &row.answer) else { return Ok(()) };
    let prompt: Vec<&str> = request.messages.iter().flat_map(texts_of).map(beginning).collect();
    transaction.prepare_cached("INSERT INTO words (rowid, prompt, answer) VALUES (?1, ?2, ?3)")?.execute(params![
        call,
        beginning(&prompt.join("\n")),
        beginning(&answer.text)
    ])?;
    Ok(())
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(INDEXED);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The ids of names, which are made as they are needed.
struct Names<'t> {
    transaction: &'t Transaction<'t>,
    /// Those that were looked up for earlier calls of the same part of the transaction: calls that are written together have
    /// most names in common.
    known: RefCell<HashMap<String, i64>>,
}

/// So many names are remembered. A name may be as long as a set of tags.
const REMEMBERED: usize = 256;

impl Names<'_> {
    fn id(&self, name: &str) -> Result<i64> {
        if let Some(id) = self.known.borrow().get(name) {
            return Ok(*id);
        }
        let id = self.found_or_made(name)?;
        let mut known = self.known.borrow_mut();
        if known.len() < REMEMBERED {
            known.insert(name.to_owned(), id);
        }
        Ok(id)
    }

    fn found_or_made(&self, name: &str) -> Result<i64> {
        let mut find = self.transaction.prepare_cached("SELECT id FROM names WHERE name = ?1")?;
        if let Some(id) = find.query_row([name], |found| found.get(0)).optional()? {
            return Ok(id);
        }
        self.transaction.prepare_cached("INSERT INTO names (name) VALUES (?1)")?.execute([name])?;
        Ok(self.transaction.last_insert_rowid())
    }

    fn id_of(&self, name: Option<&str>) -> Result<Option<i64>> {
        name.map(|name| self.id(name)).transpose()
    }
}

/// A count that SQLite cannot hold is stored as the largest number that it can; no call has so many tokens.
fn count(count: Option<u64>) -> Option<i64> {
    count.map(|count| i64::try_from(count).unwrap_or(i64::MAX))
}

/// What is kept as JSON can always be written as JSON, so there is no error to tell.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
