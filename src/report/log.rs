//! Recorded calls: a list of them, all about one, a conversation; for people, as JSON and as CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::format::{self, UNKNOWN, or_unknown};
use super::grid::{self, Column, Grid};
use super::rates::{self, per_million};
use super::term::{Output, Text};
use super::{answer, columns, csv as csv_format, escape, json as json_format, wrap};
use crate::chat::{Message, Part, Role};
use crate::ledger::{Row, Tokens};
use crate::money::Usd;
use crate::record::{Cost, Record, Status};
use crate::score::Part as Score;
use crate::words::on_one_line;

/// The name of an answer, which is rendered.
const ANSWER: &str = "answer";

/// How many cells the beginning of a prompt takes at most.
const LONGEST_PROMPT: usize = 60;
/// How many cells of a prompt other columns give way to: less says too little.
const PROMPT: usize = 14;
/// The columns of a list for people, from the widest list to the narrowest. The first in which the prompts have room is shown.
const DETAIL: [&[Figure]; 5] = [
    &[Figure::Reason, Figure::Tries, Figure::Total, Figure::FirstToken, Figure::Tokens, Figure::Cost],
    &[Figure::Tries, Figure::Total, Figure::Cost],
    &[Figure::Total, Figure::Cost],
    &[Figure::Cost],
    &[],
];

/// What a list says of a call besides its time, id, model, status and prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Why it failed, beside its status.
    Reason,
    Tries,
    Total,
    FirstToken,
    Tokens,
    Cost,
}

/// The columns of CSV. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 25] = [
    "when",
    "id",
    "run",
    "command",
    "model",
    "gateway",
    "answered_by",
    "key",
    "task",
    "tags",
    "status",
    "error_kind",
    "attempts",
    "cached",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_origin",
    "first_token_ms",
    "total_ms",
    "conversation",
    "cost_partial",
];

/// A line for each call. Only the end of an id is shown, because the ids of calls that began together differ there. Where
/// `searched` holds the words that were searched for, the prompt or answer is shown from the first of them on.
fn list(rows: &[Row], searched: &[String], out: &Output) -> Text {
    let room = |grid: &Grid| out.columns.saturating_sub(grid.width() + 2).min(LONGEST_PROMPT);
    let bare = DETAIL.map(|figures| table(rows, figures, searched, None));
    let widest_text = rows.iter().map(|row| wrap::width(&shown_text(row, searched, LONGEST_PROMPT))).max().unwrap_or(0);
    let has_room = |grid: &Grid| room(grid) >= PROMPT.min(widest_text);
    match bare.iter().position(has_room) {
        Some(place) => table(rows, DETAIL[place], searched, Some(room(&bare[place]))).render(out),
        // Names that are wrapped leave room for the prompt beside them.
        None => table(rows, &[], searched, Some(PROMPT)).render(out),
    }
}

/// The list, with this many cells of each prompt.
fn table(rows: &[Row], figures: &[Figure], searched: &[String], prompts: Option<usize>) -> Grid {
    let zone = |row: &Row| format::local(row.at_ms, "%Z");
    // In summer a zone has another name than in winter.
    let zones: BTreeSet<String> = rows.iter().map(zone).collect();
    let form = if zones.len() > 1 { "%m-%d %H:%M:%S %Z" } else { "%m-%d %H:%M:%S" };
    let when = match zones.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "when (UTC)".to_owned(),
        [zone] => format!("when ({zone})"),
        _ => "when".to_owned(),
    };
    let mut columns =
        vec![Column::left(&when), Column::left("id"), Column::left("model").wraps(12), Column::left("status")];
    for figure in figures {
        match figure {
            Figure::Reason => {}
            Figure::Tries => columns.push(Column::right("tries")),
            Figure::Total => columns.push(Column::right("total")),
            Figure::FirstToken => columns.push(Column::right("first token")),
            Figure::Tokens => columns.extend([Column::right("in"), Column::right("out")]),
            Figure::Cost => columns.push(Column::right("cost")),
        }
    }
    columns.push(Column::left(if searched.is_empty() { "prompt" } else { "found" }));
    let mut grid = Grid::new(columns);
    let with_reason = figures.contains(&Figure::Reason);
    for row in rows {
        let mut cells = vec![format::local(row.at_ms, form), end(&row.id).to_owned(), model(row)];
        cells.push(if with_reason { status(row) } else { row.status.as_str().to_owned() });
        for figure in figures {
            match figure {
                Figure::Reason => {}
                Figure::Tries if row.attempts.len() > 1 => cells.push(row.attempts.len().to_string()),
                Figure::Tries => cells.push(String::new()),
                Figure::Total => cells.push(duration(row.times.total)),
                Figure::FirstToken => cells.push(duration(row.times.first_token)),
                Figure::Tokens => cells.extend([row.tokens.input, row.tokens.output].map(count)),
                Figure::Cost => cells.push(or_unknown(cost(row), format::cost)),
            }
        }
        cells.extend(prompts.map(|cells| shown_text(row, searched, cells)));
        grid.row(cells);
    }
    grid
}

/// The beginning of the prompt, or the first place where a word that was searched for stands.
fn shown_text(row: &Row, searched: &[String], cells: usize) -> String {
    let prompt = prompt(row).unwrap_or_default();
    let answer = || row.answer.as_ref().map(|answer| on_one_line(&answer.text)).unwrap_or_default();
    let found = (!searched.is_empty())
        .then(|| found(&prompt, searched, cells / 4).or_else(|| found(&answer(), searched, cells / 4)))
        .flatten();
    wrap::beginning(&escape::line(&found.unwrap_or(prompt)), cells)
}

/// The text from at most `before` characters before the first of these words on, which are in lower case; `None` where
/// none is in it.
fn found(text: &str, words: &[String], before: usize) -> Option<String> {
    let lower = text.to_lowercase();
    // Lower case may be of another length, so places are counted in characters.
    let place = words.iter().filter_map(|word| lower.find(word)).min()?;
    let place = lower[..place].chars().count();
    if place <= before {
        return Some(text.to_owned());
    }
    let from: String = text.chars().skip(place - before).collect();
    Some(format!(
        "…{}",
        from.split_once(' ').filter(|(cut, _)| cut.len() < before).map_or(from.as_str(), |(_, rest)| rest)
    ))
}

/// The end of an id, which tells the call from others that began at the same time.
pub fn end(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

/// The name that was asked for, without the gateway's, and the model that answered where that is another one.
fn model(row: &Row) -> String {
    let gateway = format!("{}::", row.gateway);
    let asked = row.asked.strip_prefix(&gateway).unwrap_or(&row.asked);
    if super::notes::is_same_model(asked, &row.model) || !row.answered {
        asked.to_owned()
    } else {
        format!("{asked} → {}", row.model)
    }
}

fn status(row: &Row) -> String {
    match &row.error {
        Some(error) if row.status != Status::Ok => format!("{} ({})", row.status.as_str(), error.kind.as_str()),
        _ => row.status.as_str().to_owned(),
    }
}

/// The last text of the user, on one line.
pub(super) fn prompt(row: &Row) -> Option<String> {
    let request = row.request.request()?;
    let said = request.messages.iter().rev().find(|message| message.role == Role::User)?;
    let text = said.parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        _ => None,
    });
    Some(on_one_line(&text?))
}

pub(super) fn when(at_ms: i64, form: &str) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| UNKNOWN.to_owned(), |at| at.strftime(form).to_string())
}

fn duration(micros: Option<u64>) -> String {
    or_unknown(micros, |micros| format::duration(Duration::from_micros(micros)))
}

fn count(count: Option<u64>) -> String {
    or_unknown(count, |count| count.to_string())
}

fn cost(row: &Row) -> Option<Cost> {
    row.cost.map(Cost::from)
}

/// All about one call: what was asked for, who answered, each attempt, the figures, the prompt and the answer.
pub fn one(row: &Row, scores: &[Score], out: &Output) -> Text {
    let style = out.style;
    let mut page = style.bold(format!("{}  {}", row.id, status(row))) + "\n";
    let shown = facts(row).into_iter().map(|(name, value)| (name, out.show(&value).into_owned()));
    page += grid::pairs(shown, "tried last".len(), out);
    page += Text::from("\n") + attempts(row).render(out);
    let mut section = |name: &str, text: &str| {
        if !text.is_empty() {
            page += Text::from("\n") + style.bold(name) + "\n";
            page += if name == ANSWER { answer::whole(text.trim_end(), out) } else { plain(text, out) };
        }
    };
    match (row.request.request(), &row.answer) {
        (Some(request), answer) => {
            for message in &request.messages {
                section(role(message.role), &parts(message));
            }
            if let Some(answer) = answer {
                section("reasoning", &answer.reasoning);
                section(ANSWER, &answer.text);
                for call in &answer.tool_calls {
                    section("tool call", &format!("{} {}", call.name, call.arguments));
                }
            }
        }
        (None, _) => section(
            "prompt and answer",
            &format!(
                "not kept: {} and {}\nSHA-256 of the request:\n{}",
                row.request.chars,
                format::count(row.answer_chars, "character", "characters"),
                row.request.hash
            ),
        ),
    }
    if let Some(message) = row.error.as_ref().and_then(|error| error.message.as_deref()) {
        section("error", message);
    }
    section("scores", &scores.iter().map(score).collect::<Vec<_>>().join("\n"));
    page
}

/// `exact:Oslo*2 1.00`, `judge:demo/judge 0.80: the reason`.
fn score(part: &Score) -> String {
    let weight = if matches!(part.weight, 0.0 | 1.0) { String::new() } else { format!("*{}", part.weight) };
    let reason = part.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{weight} {}{reason}", part.scorer, or_unknown(part.score, format::score))
}

fn facts(row: &Row) -> Vec<(&'static str, String)> {
    let mut facts = vec![("when", format::local(row.at_ms, "%Y-%m-%d %H:%M:%S%.3f %Z"))];
    facts.push(("run", format!("{} ({})", row.run, row.command)));
    let task = row.task.as_ref().map(|task| format!(", task {task}")).unwrap_or_default();
    facts.push(("asked", format!("{}{task}", row.asked)));
    let who = if row.answered { "answered" } else { "tried last" };
    let key = row.key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
    let cached = if row.cached { ", from the cache" } else { "" };
    facts.push((who, format!("{} at {}{key}{cached}", row.model, row.gateway)));
    if !row.tags.is_empty() {
        let tags = row.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        facts.push(("tags", tags.join(" ")));
    }
    if let Some(first) = &row.conversation {
        facts
            .push(("continues", format!("{} (conversation {})", row.parent.as_deref().unwrap_or(UNKNOWN), end(first))));
    }
    let rate = or_unknown(row.times.tokens_per_second, format::rate);
    facts.push((
        "time",
        format!(
            "first token {}, total {}, connect {}, {rate} tok/s",
            duration(row.times.first_token),
            duration(row.times.total),
            duration(row.times.connect),
        ),
    ));
    facts.push(("tokens", tokens(&row.tokens)));
    let earlier: i64 = row.attempts.iter().rev().skip(1).filter_map(|attempt| attempt.cost_picos).sum();
    let wasted =
        if earlier > 0 { format!(", of it {} for failed attempts", Usd::from_picos(earlier)) } else { String::new() };
    let origin = row.cost.map(|cost| format!(" ({})", cost.origin.as_str())).unwrap_or_default();
    facts.push(("cost", format!("{}{origin}{wasted}", or_unknown(cost(row), format::cost))));
    if let Some(rates) = &row.rates {
        facts.push(("price", rates::sentence(rates)));
    }
    facts
}

/// The counts of tokens. A part that is unknown is left out.
fn tokens(tokens: &Tokens) -> String {
    let part = |count: Option<u64>, what: &str| count.map(|count| format!("{count} {what}"));
    let whole = |whole: Option<u64>, name: &str, parts: [Option<String>; 2]| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("{} {name}{parts}", count(whole))
    };
    let read = [part(tokens.cache_read, "from the provider's cache"), part(tokens.cache_write, "written to it")];
    let input = whole(tokens.input, "in", read);
    format!("{input}, {}", whole(tokens.output, "out", [part(tokens.reasoning, "reasoning"), None]))
}

fn attempts(row: &Row) -> Grid {
    let mut grid = Grid::new(vec![
        Column::right("#"),
        Column::right("at"),
        Column::left("model").wraps(16),
        Column::right("took"),
        Column::right("status"),
        Column::right("cost"),
        Column::left("what happened").wraps(20).remarks(),
    ]);
    let mut ended = None;
    let computed = if row.cost.is_some_and(|cost| cost.origin.is_computed()) { "~" } else { "" };
    for (place, attempt) in row.attempts.iter().enumerate() {
        let waited = ended.map_or(0, |ended| attempt.start_us.saturating_sub(ended));
        ended = Some(attempt.start_us.saturating_add(attempt.duration_us));
        let mut what = match &attempt.error {
            None => "answered".to_owned(),
            Some(error) => match &error.message {
                Some(message) => format!("{}: {message}", error.kind.as_str()),
                None => error.kind.as_str().to_owned(),
            },
        };
        if attempt.maybe_billed == Some(true) {
            what.push_str(" (may be billed all the same)");
        }
        if waited > 1_000 {
            what = format!("after a wait of {}: {what}", duration(Some(waited)));
        }
        grid.row(vec![
            (place + 1).to_string(),
            duration(Some(attempt.start_us)),
            format!("{}::{}", attempt.gateway, attempt.model),
            duration(Some(attempt.duration_us)),
            attempt.status.map_or_else(|| UNKNOWN.to_owned(), |status| status.to_string()),
            attempt.cost_picos.map_or_else(String::new, |picos| format!("{computed}{}", Usd::from_picos(picos))),
            what,
        ]);
    }
    grid
}

/// A text that is not rendered. On a terminal, its lines are broken between words.
fn plain(text: &str, out: &Output) -> Text {
    let text = text.trim_end();
    if !out.tty {
        return Text::from(text) + "\n";
    }
    wrap::wrap(&out.show(text), out.columns).into_iter().map(|line| Text::from(line) + "\n").collect()
}

/// The messages of a conversation in their order, each with who said it.
pub fn conversation(rows: &[Row], out: &Output) -> Text {
    let mut page = Text::new();
    let mut say = |who: &str, text: Text| page += out.style.bold(who) + "\n" + text + "\n";
    for row in rows {
        let Some(request) = row.request.request() else {
            say(end(&row.id), plain("(not kept)", out));
            continue;
        };
        for message in &request.messages {
            say(role(message.role), plain(&parts(message), out));
        }
        let answer = columns::body(&row.clone().into_record());
        say(&format!("{} ({})", row.model, end(&row.id)), answer::whole(answer.trim_end(), out));
    }
    page
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "prompt",
        Role::Assistant => ANSWER,
        Role::Tool => "tool",
    }
}

/// A message as text. A part that is no text is named in brackets.
fn parts(message: &Message) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) | Part::ToolResult { content: text, .. } => text.clone(),
        Part::Image(_) => "[image]".to_owned(),
        Part::File(file) => format!("[file {}]", file.name.as_deref().unwrap_or(&file.media_type)),
        Part::Audio(audio) => format!("[{}]", audio.media_type),
        Part::Reasoning { text, .. } => format!("[reasoning] {text}"),
        Part::ToolCall(call) => format!("[calls {}] {}", call.name, call.arguments),
    };
    message.parts.iter().map(part).collect::<Vec<_>>().join("\n")
}

/// A record, with what only the ledger knows of it.
#[derive(Serialize)]
struct Entry {
    when: String,
    command: String,
    key: Option<String>,
    task: Option<String>,
    conversation: Option<String>,
    parent: Option<String>,
    /// `null` where only metadata is kept.
    messages: Option<Vec<Message>>,
    request_sha256: String,
    request_chars: u64,
    answer_chars: u64,
    /// US dollars per million tokens, by which the cost was computed.
    price: Option<BTreeMap<&'static str, Usd>>,
    #[serde(flatten)]
    record: Record,
    /// Lists leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<Score>>,
}

impl Entry {
    fn new(row: &Row) -> Self {
        let price = row.rates.map(|rates| {
            let per_million = [
                ("input", per_million(rates.input)),
                ("output", per_million(rates.output)),
                ("cache_read", per_million(rates.cache_read)),
                ("cache_write", per_million(rates.cache_write)),
                ("reasoning", per_million(rates.reasoning)),
                ("request", rates.request),
            ];
            per_million.into_iter().filter_map(|(name, usd)| Some((name, usd?))).collect()
        });
        Self {
            when: when(row.at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            command: row.command.clone(),
            key: row.key.clone(),
            task: row.task.clone(),
            conversation: row.conversation.clone(),
            parent: row.parent.clone(),
            messages: row.request.request().map(|request| request.messages),
            request_sha256: row.request.hash.clone(),
            request_chars: row.request.chars,
            answer_chars: row.answer_chars,
            price,
            record: row.clone().into_record(),
            scores: None,
        }
    }

    fn with_scores((row, scores): (&Row, &Vec<Score>)) -> Self {
        Self { scores: Some(scores.clone()), ..Self::new(row) }
    }
}

/// A JSON array of calls, each with its scores.
pub fn json(rows: &[Row], scores: &[Vec<Score>], out: &Output) -> Text {
    json_format::document(&rows.iter().zip(scores).map(Entry::with_scores).collect::<Vec<_>>(), out)
}

/// A JSON object.
pub fn one_json(row: &Row, scores: &Vec<Score>, out: &Output) -> Text {
    json_format::document(&Entry::with_scores((row, scores)), out)
}

/// The form of a list of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    /// An array.
    Json,
    /// An object a line.
    Jsonl,
    /// A table in the format of RFC 4180, with a heading. A cell is empty where its value is unknown.
    Csv,
}

/// A list of calls that is written call by call.
#[derive(Debug)]
pub struct Calls {
    form: Form,
    out: Output,
    array: json_format::Array,
    /// The widths of the columns for people are those of all rows, so they are kept until the end.
    rows: Vec<Row>,
    /// The words that were searched for, in lower case.
    searched: Vec<String>,
    /// How many there were so far.
    pub count: usize,
}

impl Calls {
    pub fn new(form: Form, searched: Option<&str>, out: &Output) -> Self {
        let words = searched.unwrap_or_default().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let searched = words.map(str::to_lowercase).collect();
        Self { form, out: *out, array: json_format::Array::new(out), rows: Vec::new(), searched, count: 0 }
    }

    /// What is written of the next call.
    pub fn call(&mut self, row: Row) -> Text {
        self.count += 1;
        match self.form {
            Form::Text => {
                let keeps_answer = !self.searched.is_empty();
                self.rows.push(if keeps_answer { row } else { row.brief() });
                Text::new()
            }
            Form::Json => self.array.element(&Entry::new(&row)),
            Form::Jsonl => json_format::line(&Entry::new(&row)),
            Form::Csv if self.count == 1 => csv_format::table(&HEADINGS, [cells(&row)]),
            Form::Csv => csv_format::rows([cells(&row)]),
        }
    }

    /// What is written when there are no more.
    pub fn end(self) -> Text {
        match self.form {
            Form::Text => list(&self.rows, &self.searched, &self.out),
            Form::Json => self.array.end(),
            Form::Csv if self.count == 0 => csv_format::table(&HEADINGS, [[]; 0]),
            Form::Jsonl | Form::Csv => Text::new(),
        }
    }
}

/// A row of CSV, by [`HEADINGS`].
fn cells(row: &Row) -> [String; HEADINGS.len()] {
    let number = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
    let ms = |micros: Option<u64>| micros.map_or_else(String::new, |micros| (micros as f64 / 1000.0).to_string());
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        when(row.at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        row.id.clone(),
        row.run.clone(),
        row.command.clone(),
        row.asked.clone(),
        row.gateway.clone(),
        if row.answered { row.model.clone() } else { String::new() },
        word(&row.key),
        word(&row.task),
        row.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
        row.status.as_str().to_owned(),
        row.error.as_ref().map_or_else(String::new, |error| error.kind.as_str().to_owned()),
        row.attempts.len().to_string(),
        row.cached.to_string(),
        number(row.tokens.input),
        number(row.tokens.cache_read),
        number(row.tokens.cache_write),
        number(row.tokens.output),
        number(row.tokens.reasoning),
        row.cost.map_or_else(String::new, |cost| Usd::from_picos(cost.picos).to_decimal()),
        row.cost.map_or("unknown", |cost| cost.origin.as_str()).to_owned(),
        ms(row.times.first_token),
        ms(row.times.total),
        word(&row.conversation),
        row.cost.is_some_and(|cost| cost.partial).to_string(),
    ]
}

#[cfg(test)]
mod tests;
