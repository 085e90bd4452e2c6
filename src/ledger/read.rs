//! Rows out of the database: found by filter or id, and whole.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, params, params_from_iter};
use serde::de::DeserializeOwned;

use super::row::{Amount, Answer, AttemptRow, Row, Sent, Times, Tokens, saved_more};
use super::search;

/// Which calls; everything that is given must fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A part of the name of the model that was asked for or that answered.
    pub model: Option<String>,
    /// The name of the gateway.
    pub gateway: Option<String>,
    /// The name of the user's key, or the variable it was in.
    pub key: Option<String>,
    /// Whether calls of `llm serve` fit whatever their key: that of a client, who uses the server's key for the gateway.
    pub or_served: bool,
    /// The task by which they were routed.
    pub task: Option<String>,
    /// How they ended, as a word.
    pub status: Option<String>,
    /// Keys of tags, each with its value; without one, any value fits.
    pub tags: Vec<(String, Option<String>)>,
    /// Not before this moment, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Before this moment, in milliseconds since 1970.
    pub before_ms: Option<i64>,
    /// A text whose words all stand in prompt and answer together.
    pub search: Option<String>,
    /// Whether calls of the demo gateway are left out, for which nothing was paid.
    pub without_demo: bool,
    /// The id of its first call.
    pub conversation: Option<String>,
    /// The id of the run.
    pub run: Option<String>,
}

/// The calls that a part of an id may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alike<T = Row> {
    /// The calls whose id begins so, else those whose end that lists show ends or begins so, newest first; of more than eleven,
    /// eleven.
    Calls(Vec<T>),
    /// All calls of the one run whose id begins so, in order.
    Run(Vec<T>),
}

impl<T> Alike<T> {
    /// Returns the calls, whichever way they were found.
    pub fn calls(self) -> Vec<T> {
        match self {
            Self::Calls(calls) | Self::Run(calls) => calls,
        }
    }
}

/// A condition in SQL, and the values of its question marks.
#[derive(Debug, Default)]
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Condition {
    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// One of the columns is one of these ids. For a single id SQLite finds the calls in order by its index; for several it is
    /// kept from sorting them all (`+`), and goes through the calls in order.
    fn one_of(&mut self, columns: &[&str], ids: &[i64]) {
        match (columns, ids) {
            ([column], [id]) => self.and(&format!("{column} = ?"), [Value::Integer(*id)]),
            _ => {
                let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                let any: Vec<String> = columns.iter().map(|column| format!("+{column} IN ({list})")).collect();
                self.and(&format!("({})", any.join(" OR ")), []);
            }
        }
    }
}

impl Filter {
    /// Whether it asks for what a database of several machines has no columns for.
    pub(crate) fn is_about_contents(&self) -> bool {
        let searches = self.search.as_deref().is_some_and(|search| !search.trim().is_empty());
        searches || !self.tags.is_empty() || self.conversation.is_some()
    }

    pub(super) fn condition(&self, connection: &Connection) -> Result<Condition> {
        let mut condition = Condition::default();
        if let Some(model) = &self.model {
            let ids = names(connection, |name| name.to_lowercase().contains(&model.to_lowercase()))?;
            condition.one_of(&["c.model", "c.asked"], &ids);
        }
        if let Some(key) = self.key.as_ref().filter(|_| self.or_served) {
            let ids = names(connection, |name| name == key)?;
            let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let served = "c.run IN (SELECT id FROM runs WHERE command = 'serve')";
            condition.and(&format!("(+c.key IN ({list}) OR {served})"), []);
        }
        let key = self.key.as_ref().filter(|_| !self.or_served).cloned();
        for (column, name) in
            [("c.gateway", &self.gateway), ("c.key", &key), ("c.task", &self.task), ("c.status", &self.status)]
        {
            if let Some(wanted) = name {
                condition.one_of(&[column], &names(connection, |name| name == wanted)?);
            }
        }
        for (key, value) in &self.tags {
            let fits = |name: &str| {
                let tags: Option<std::collections::BTreeMap<String, String>> = serde_json::from_str(name).ok();
                let found = tags.and_then(|tags| tags.get(key).cloned());
                found.is_some_and(|found| value.as_ref().is_none_or(|value| *value == found))
            };
            condition.one_of(&["c.tags"], &names(connection, |name| name.starts_with('{') && fits(name))?);
        }
        if let Some(since) = self.since_ms {
            condition.and("c.at_ms >= ?", [Value::Integer(since)]);
        }
        if let Some(before) = self.before_ms {
            condition.and("c.at_ms < ?", [Value::Integer(before)]);
        }
        if let Some(search) = self.search.as_deref().filter(|search| !search.trim().is_empty()) {
            match search::query(search)? {
                Some(query) => {
                    condition.and("c.id IN (SELECT rowid FROM words WHERE words MATCH ?)", [Value::Text(query)]);
                }
                // What holds no word is in no index.
                None => condition.and("false", []),
            }
        }
        if self.without_demo {
            condition.and("c.id NOT IN (SELECT call FROM demo_calls)", []);
        }
        if let Some(conversation) = &self.conversation {
            // The first call is recorded before there is a conversation, so it is known by its own id.
            let is_in = "(c.uuid = ? OR c.id IN (SELECT call FROM details WHERE conversation = ?))";
            condition.and(is_in, [Value::Text(conversation.clone()), Value::Text(conversation.clone())]);
        }
        if let Some(run) = &self.run {
            condition.and("c.run = (SELECT id FROM runs WHERE uuid = ?)", [Value::Text(run.clone())]);
        }
        Ok(condition)
    }
}

fn names(connection: &Connection, fits: impl Fn(&str) -> bool) -> Result<Vec<i64>> {
    let mut all = connection.prepare("SELECT id, name FROM names")?;
    let mut rows = all.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        if fits(row.get_ref(1)?.as_str()?) {
            ids.push(row.get(0)?);
        }
    }
    Ok(ids)
}

/// How many calls fit.
pub(super) fn count_of(connection: &Connection, filter: &Filter) -> Result<u64> {
    let Condition { sql, values } = filter.condition(connection)?;
    let count: i64 =
        connection
            .query_row(&format!("SELECT count(*) FROM calls c{sql}"), params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Calls `each` with the ids of the calls that fit, newest first, until it returns `false` or there were `limit`.
pub(super) fn each_id(
    connection: &Connection,
    filter: &Filter,
    limit: Option<usize>,
    mut each: impl FnMut(i64) -> Result<bool>,
) -> Result<()> {
    let Condition { sql, values } = filter.condition(connection)?;
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
    let sql = format!("SELECT c.id FROM calls c{sql} ORDER BY c.at_ms DESC, c.id DESC LIMIT {limit}");
    let mut select = connection.prepare(&sql)?;
    let mut ids = select.query(params_from_iter(values))?;
    while let Some(row) = ids.next()? {
        if !each(row.get(0)?)? {
            break;
        }
    }
    Ok(())
}

/// Returns the last call of this command that was answered, whole or in part.
pub(super) fn last_answered(connection: &Connection, command: &str) -> Result<Option<i64>> {
    // `+` keeps SQLite from sorting all calls of these states: the last one is found from the end.
    let last = "SELECT c.id FROM calls c JOIN runs r ON r.id = c.run
         WHERE r.command = ?1 AND +c.status IN (SELECT id FROM names WHERE name IN ('ok', 'truncated'))
         ORDER BY c.at_ms DESC, c.id DESC LIMIT 1";
    connection.query_row(last, [command], |row| row.get(0)).optional()
}

/// Returns the calls that a part of an id may mean. It may be the end, of which lists show eight characters, or the
/// beginning of what they show: ids that are made at the same moment begin alike.
pub(super) fn ids_like(connection: &Connection, part: &str) -> Result<Alike<i64>> {
    let part: String = part.trim().trim_start_matches('…').to_lowercase();
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Ok(Alike::Calls(Vec::new()));
    }
    // Of all texts that do not begin with the part, this is the first after those that do.
    let after = format!("{part}g");
    let find = |sql: &str| -> Result<Vec<i64>> {
        connection.prepare(sql)?.query_map([&part, &after], |row| row.get(0))?.collect()
    };
    // The newest are found by the index of ids, and then ordered as in every list.
    let begin = find(
        "SELECT id FROM (SELECT id, at_ms FROM calls WHERE uuid >= ?1 AND uuid < ?2 ORDER BY uuid DESC LIMIT 11)
         ORDER BY at_ms DESC, id DESC",
    )?;
    if let [_] = begin[..] {
        return Ok(Alike::Calls(begin));
    }
    if begin.is_empty() {
        let end = find(
            "SELECT id FROM calls
             WHERE ?2 IS NOT NULL AND (substr(uuid, -length(?1)) = ?1 OR substr(uuid, -8, length(?1)) = ?1)
             ORDER BY at_ms DESC, id DESC LIMIT 11",
        )?;
        if !end.is_empty() {
            return Ok(Alike::Calls(end));
        }
    }
    // If one run begins so, all of it is meant, unless a call of another run begins so too.
    if let [run] = find("SELECT id FROM runs WHERE uuid >= ?1 AND uuid < ?2 LIMIT 2")?[..] {
        let others = "SELECT EXISTS (SELECT 1 FROM calls WHERE uuid >= ?1 AND uuid < ?2 AND run <> ?3)";
        if !connection.query_row(others, params![part, after, run], |row| row.get::<_, bool>(0))? {
            let mut calls = connection.prepare("SELECT id FROM calls WHERE run = ?1 ORDER BY place")?;
            return Ok(Alike::Run(calls.query_map([run], |row| row.get(0))?.collect::<Result<_>>()?));
        }
    }
    if begin.is_empty() {
        let runs = "SELECT id FROM calls WHERE run IN (SELECT id FROM runs WHERE uuid >= ?1 AND uuid < ?2)
             ORDER BY at_ms DESC, id DESC LIMIT 11";
        return find(runs).map(Alike::Calls);
    }
    Ok(Alike::Calls(begin))
}

/// All that is kept of a call but its attempts.
const WHOLE: &str = "SELECT c.*, r.uuid AS run_uuid, r.command, q.hash, q.chars, q.body, d.*,
         (SELECT name FROM names WHERE id = c.asked) AS asked_name,
         (SELECT name FROM names WHERE id = c.gateway) AS gateway_name,
         (SELECT name FROM names WHERE id = c.model) AS model_name,
         (SELECT name FROM names WHERE id = c.key) AS key_name,
         (SELECT name FROM names WHERE id = c.task) AS task_name,
         (SELECT name FROM names WHERE id = c.tags) AS tags_name,
         (SELECT name FROM names WHERE id = c.status) AS status_name,
         (SELECT name FROM names WHERE id = c.finish) AS finish_name,
         (SELECT name FROM names WHERE id = c.origin) AS origin_name,
         c.reasoning AS reasoning_tokens, d.error AS fault, d.reasoning AS thoughts
     FROM calls c JOIN runs r ON r.id = c.run JOIN requests q ON q.id = c.request JOIN details d ON d.call = c.id
     WHERE c.id = ?1";

/// Returns the whole of one call.
pub(super) fn row(connection: &Connection, call: i64) -> Result<Row> {
    let attempts = attempts(connection, call)?;
    connection.prepare_cached(WHOLE)?.query_row([call], |row| decode(row, attempts))
}

/// Returns the call of a row of [`WHOLE`].
fn decode(row: &rusqlite::Row<'_>, attempts: Vec<AttemptRow>) -> Result<Row> {
    let number = |name: &str| row.get::<_, Option<i64>>(name).map(count);
    let text = |name: &str| row.get::<_, Option<String>>(name);
    let cost = row.get::<_, Option<i64>>("cost")?.zip(word(text("origin_name")?));
    let answer = text("answer")?.map(|answer| {
        Ok::<_, rusqlite::Error>(Answer {
            text: answer,
            reasoning: text("thoughts")?.unwrap_or_default(),
            signature: text("signature")?,
            tool_calls: json(text("tool_calls")?).unwrap_or_default(),
        })
    });
    let answer = answer.transpose()?;
    let maybe_billed = number("maybe_billed")?.unwrap_or(0);
    let cached: bool = row.get("cached")?;
    let saved = row.get::<_, Option<i64>>("saved")?.filter(|_| cached);
    let tokens = Tokens {
        input: number("input")?,
        cache_read: number("cache_read")?,
        cache_write: number("cache_write")?,
        output: number("output")?,
        reasoning: number("reasoning_tokens")?,
    };
    let saves_more = saved_more(saved, tokens.input, tokens.output);
    Ok(Row {
        id: row.get("uuid")?,
        run: row.get("run_uuid")?,
        command: row.get("command")?,
        place: row.get::<_, i64>("place")?.try_into().unwrap_or(0),
        at_ms: row.get("at_ms")?,
        asked: row.get("asked_name")?,
        gateway: row.get("gateway_name")?,
        model: row.get("model_name")?,
        answered: row.get("answered")?,
        key: text("key_name")?,
        task: text("task_name")?,
        tags: json(text("tags_name")?).unwrap_or_default(),
        status: word(text("status_name")?).ok_or(rusqlite::Error::InvalidQuery)?,
        finish: word(text("finish_name")?),
        cached,
        tokens,
        cost: cost.map(|(picos, origin)| Amount { picos, origin, partial: maybe_billed > 0 }),
        rates: json(text("price")?),
        saved: saved.zip(cost).map(|(picos, (_, origin))| Amount { picos, origin, partial: saves_more }),
        times: Times {
            connect: number("connect_us")?,
            first_byte: number("first_byte_us")?,
            first_reasoning: number("first_reasoning_us")?,
            first_token: number("first_token_us")?,
            total: number("total_us")?,
            tokens_per_second: row.get("tokens_per_second")?,
        },
        attempts,
        error: json(text("fault")?),
        request: Sent { hash: row.get("hash")?, chars: number("chars")?.unwrap_or(0), body: text("body")? },
        conversation: text("conversation")?,
        parent: text("parent")?,
        answer_chars: number("answer_chars")?.unwrap_or(0),
        answer,
    })
}

fn attempts(connection: &Connection, call: i64) -> Result<Vec<AttemptRow>> {
    let mut select = connection.prepare_cached(
        "SELECT (SELECT name FROM names WHERE id = a.gateway), (SELECT name FROM names WHERE id = a.model), status, error,
             start_us, duration_us, cost, request_id, maybe_billed
         FROM attempts a WHERE call = ?1 ORDER BY place",
    )?;
    select
        .query_map(params![call], |row| {
            Ok(AttemptRow {
                gateway: row.get(0)?,
                model: row.get(1)?,
                status: row.get(2)?,
                error: json(row.get(3)?),
                start_us: count(row.get(4)?).unwrap_or(0),
                duration_us: count(row.get(5)?).unwrap_or(0),
                cost_picos: row.get(6)?,
                request_id: row.get(7)?,
                maybe_billed: row.get(8)?,
            })
        })?
        .collect()
}

fn count(count: Option<i64>) -> Option<u64> {
    count.and_then(|count| u64::try_from(count).ok())
}

/// The value of an enum that stands for this word.
fn word<T: DeserializeOwned>(word: Option<String>) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word?)).ok()
}

fn json<T: DeserializeOwned>(text: Option<String>) -> Option<T> {
    serde_json::from_str(&text?).ok()
}
