//! The ledger in the database: calls written by the journal of each server, and read for reports.

use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::ToSql;
use postgres::{Error, Row as Found};

use super::session::{Link, Session};
use crate::ledger::{Answer, Filter, Row, Sink, StoreError, Wanted};

/// Takes the calls of a journal.
pub(super) struct Calls(pub(super) Link);

impl Sink for Calls {
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        self.0.transact(|session| insert(session, rows))
    }
}

/// A text that PostgreSQL can hold: it has no character 0. What is written as JSON has it escaped.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The name of a model as its column holds it. An index of PostgreSQL has no more than 2,704 bytes for a row, and clients may send
/// names of any length; the record has them whole.
fn name(name: &str) -> String {
    text(&name.chars().take(512).collect::<String>())
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    // What is kept as JSON can always be written as JSON.
    serde_json::to_string(value).unwrap_or_default()
}

/// The time to the first token, of calls whose first request was answered by a model.
fn first_token(row: &Row) -> Option<i64> {
    let [attempt] = row.attempts.as_slice() else { return None };
    let us = row.times.first_token.filter(|_| attempt.error.is_none() && !row.cached)?;
    i64::try_from(us).ok()
}

fn insert(session: &mut Session, rows: &[Row]) -> Result<(), Error> {
    let column = |value: &dyn Fn(&Row) -> String| -> Vec<String> { rows.iter().map(value).collect() };
    let option = |value: &dyn Fn(&Row) -> Option<String>| -> Vec<Option<String>> { rows.iter().map(value).collect() };
    let number = |value: &dyn Fn(&Row) -> Option<i64>| -> Vec<Option<i64>> { rows.iter().map(value).collect() };
    let record = |row: &Row| {
        let mut bare = Row { answer: None, ..row.clone() };
        bare.request.body = None;
        json(&bare)
    };
    let values: [&(dyn ToSql + Sync); 15] = [
        &column(&|row| text(&row.id)),
        &column(&|row| text(&row.run)),
        &rows.iter().map(|row| row.at_ms).collect::<Vec<i64>>(),
        &column(&|row| text(&row.asked)),
        &column(&|row| text(&row.gateway)),
        &column(&|row| name(&row.model)),
        &option(&|row| row.key.as_deref().map(text)),
        &option(&|row| row.task.as_deref().map(text)),
        &column(&|row| row.status.as_str().to_owned()),
        &rows.iter().map(Row::is_of_demo).collect::<Vec<bool>>(),
        &number(&|row| row.cost.map(|cost| cost.picos)),
        &number(&first_token),
        &column(&record),
        &option(&|row| row.request.body.as_deref().map(text)),
        &option(&|row| row.answer.as_ref().map(json)),
    ];
    let sql = "INSERT INTO calls (uuid, run, at_ms, asked, gateway, model, key, task, status, is_demo, cost, first_token_us,
             record, request, answer)
         SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[], $10::bool[], $11::int8[], $12::int8[], $13::text[], $14::text[], $15::text[])
         ON CONFLICT (uuid) DO NOTHING";
    session.execute(sql, &values).map(drop)
}

/// A condition, and what it is about.
#[derive(Default)]
struct Condition {
    sql: String,
    values: Vec<Box<dyn ToSql + Sync>>,
}

impl Condition {
    fn and(&mut self, sql: &str, value: impl ToSql + Sync + 'static) {
        self.values.push(Box::new(value));
        let place = format!("${}", self.values.len());
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(&sql.replace('?', &place));
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value).collect()
    }

    fn of(filter: &Filter) -> Self {
        let mut condition = Self::default();
        // What a server has done is told by the record alone.
        let key = if filter.or_served { "(key = ? OR strpos(record, '\"command\":\"serve\"') > 0)" } else { "key = ?" };
        let equal = [
            ("gateway = ?", &filter.gateway),
            (key, &filter.key),
            ("task = ?", &filter.task),
            ("status = ?", &filter.status),
            ("run = ?", &filter.run),
        ];
        for (sql, value) in equal {
            if let Some(value) = value {
                condition.and(sql, text(value));
            }
        }
        if let Some(model) = &filter.model {
            condition.and("(strpos(lower(model), lower(?)) > 0 OR strpos(lower(asked), lower(?)) > 0)", text(model));
        }
        if let Some(since) = filter.since_ms {
            condition.and("at_ms >= ?", since);
        }
        if let Some(before) = filter.before_ms {
            condition.and("at_ms < ?", before);
        }
        if filter.without_demo {
            condition.and("is_demo = ?", false);
        }
        // Few calls hold the words by which a record names a tag or a conversation, and no others can fit.
        for (key, value) in &filter.tags {
            let key = json(key);
            condition.and(
                "strpos(record, ?) > 0",
                value.as_ref().map_or(format!("{key}:"), |value| format!("{key}:{}", json(value))),
            );
        }
        if let Some(id) = &filter.conversation {
            let named = "(uuid = ? OR strpos(record, '\"conversation\":' || to_json(?::text)::text) > 0)";
            condition.and(named, text(id));
        }
        condition
    }
}

/// What finds the calls that are wanted.
fn select(wanted: Wanted<'_>) -> (String, Condition) {
    /// How many calls may be meant by a part of an id.
    const MEANT: usize = 200;
    let (condition, limit, texts) = match wanted {
        Wanted::Fitting(filter, limit) => (Condition::of(filter), limit.filter(|_| !filter.is_about_contents()), true),
        Wanted::Figures(filter) => (Condition::of(filter), None, false),
        Wanted::Alike(part) => {
            let mut condition = Condition::default();
            let part = part.trim().trim_start_matches('…').to_lowercase();
            // The end that lists show has eight characters.
            let like = "(starts_with(uuid, ?) OR right(uuid, length(?)) = ? OR starts_with(right(uuid, 8), ?) \
                        OR starts_with(run, ?))";
            condition.and(like, text(&part));
            (condition, Some(MEANT), false)
        }
        Wanted::Ids(ids) => {
            let mut condition = Condition::default();
            condition.and("uuid = ANY(?)", ids.iter().map(|id| text(id)).collect::<Vec<String>>());
            (condition, None, true)
        }
    };
    let columns = if texts { "record, request, answer" } else { "record, NULL, NULL" };
    let limit = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    (format!("SELECT {columns} FROM calls{} ORDER BY at_ms DESC, uuid DESC{limit}", condition.sql), condition)
}

/// Calls `each` with the calls that are wanted, newest first, until it returns `false`.
pub(super) fn each(link: &mut Link, wanted: Wanted<'_>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
    /// The database sends so many calls at a time, and finds no others until they are asked for.
    const STEP: i32 = 64;
    let (sql, condition) = select(wanted);
    link.read(|session| {
        let mut transaction = session.client.transaction()?;
        let cursor = transaction.bind(&sql, &condition.values())?;
        loop {
            let (mut rows, mut count) = (transaction.query_portal_raw(&cursor, STEP)?, 0);
            while let Some(found) = rows.next()? {
                count += 1;
                if decode(&found).is_some_and(|row| !each(row)) {
                    return Ok(());
                }
            }
            if count < STEP {
                return Ok(());
            }
        }
    })
}

/// How many calls fit, as far as the columns say.
pub(super) fn count(link: &mut Link, filter: &Filter) -> Result<u64, StoreError> {
    let condition = Condition::of(filter);
    let sql = format!("SELECT count(*) FROM calls{}", condition.sql);
    let count: i64 = link.read(|session| Ok(session.client.query_one(&sql, &condition.values())?.get(0)))?;
    Ok(count.cast_unsigned())
}

/// The call of a row; `None` where a newer version has written it in a way that this one does not know.
fn decode(found: &Found) -> Option<Row> {
    let mut row: Row = serde_json::from_str(found.get(0)).ok()?;
    row.request.body = found.get(1);
    row.answer = found.get::<_, Option<&str>>(2).and_then(|answer| serde_json::from_str::<Answer>(answer).ok());
    Some(row)
}

/// Deletes the calls before this moment, or all. Returns how many there were.
pub(super) fn purge(session: &mut Session, before_ms: Option<i64>) -> Result<u64, Error> {
    session.execute("DELETE FROM calls WHERE at_ms < $1", &[&before_ms.unwrap_or(i64::MAX)])
}

/// The median time to the first token of a model's last answers.
pub(super) fn median_first_token(session: &mut Session, gateway: &str, model: &str) -> Result<Option<Duration>, Error> {
    let sql = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY first_token_us) FROM (
             SELECT first_token_us FROM calls WHERE gateway = $1 AND model = $2 AND first_token_us IS NOT NULL
             ORDER BY at_ms DESC LIMIT 51
         ) AS last";
    let found = session.query(sql, &[&text(gateway), &name(model)])?;
    let us: Option<i64> = found.first().and_then(|row| row.get(0));
    Ok(us.and_then(|us| u64::try_from(us).ok()).map(Duration::from_micros))
}
