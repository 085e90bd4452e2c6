//! The life of one call, and what was said in a conversation.

use std::fmt::Write;

use super::{cost, count, duration, end, status, when};
use crate::chat::{Message, Part, Role};
use crate::ledger::Row;
use crate::money::Usd;
use crate::report::format::{self, UNKNOWN, or_unknown};
use crate::report::grid::{Column, Grid};
use crate::report::term::Output;
use crate::report::{rates, wrap};

/// Everything about one call: what was asked of whom, each attempt, what it took, prompt and answer.
pub fn one(row: &Row, out: &Output) -> String {
    let style = out.style;
    let mut page = format!("{}\n", style.bold(out.show(&format!("{}  {}", row.id, status(row)))));
    for (name, value) in facts(row) {
        for (n, line) in wrap::wrap(&value, out.columns.saturating_sub(14).max(20)).iter().enumerate() {
            let name = wrap::pad(if n == 0 { name } else { "" }, 10);
            _ = writeln!(page, "  {}  {}", style.dim(name), out.show(line));
        }
    }
    _ = write!(page, "\n{}", attempts(row).render(out));
    let mut section = |name: &str, text: &str| {
        if !text.is_empty() {
            _ = writeln!(page, "\n{}\n{}", style.bold(name), out.show(text.trim_end()));
        }
    };
    match (row.request.request(), &row.answer) {
        (Some(request), answer) => {
            for message in &request.messages {
                section(role(message.role), &parts(message));
            }
            if let Some(answer) = answer {
                section("reasoning", &answer.reasoning);
                section("answer", &answer.text);
                for call in &answer.tool_calls {
                    section("tool call", &format!("{} {}", call.name, call.arguments));
                }
            }
        }
        (None, _) => section(
            "prompt and answer",
            &format!(
                "not kept: {} and {} characters, SHA-256 of the request {}",
                row.request.chars, row.answer_chars, row.request.hash
            ),
        ),
    }
    if let Some(message) = row.error.as_ref().and_then(|error| error.message.as_deref()) {
        section("error", message);
    }
    page
}

fn facts(row: &Row) -> Vec<(&'static str, String)> {
    let mut facts = vec![("when", format!("{} UTC", when(row.at_ms, "%Y-%m-%d %H:%M:%S%.3f")))];
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
    let tokens = &row.tokens;
    facts.push((
        "tokens",
        format!(
            "{} in ({} from the provider's cache), {} out ({} reasoning)",
            count(tokens.input),
            count(tokens.cache_read),
            count(tokens.output),
            count(tokens.reasoning),
        ),
    ));
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
            attempt.cost_picos.map_or_else(String::new, |picos| Usd::from_picos(picos).to_string()),
            what,
        ]);
    }
    grid
}

/// What was said in turn, by whom.
pub fn conversation(rows: &[Row], out: &Output) -> String {
    let mut page = String::new();
    let mut say = |who: &str, text: &str| {
        _ = writeln!(page, "{}\n{}\n", out.style.bold(out.show(who)), out.show(text.trim_end()));
    };
    for row in rows {
        let Some(request) = row.request.request() else {
            say(end(&row.id), "(not kept)");
            continue;
        };
        for message in &request.messages {
            say(role(message.role), &parts(message));
        }
        let text = row.answer.as_ref().map(|answer| answer.text.clone()).unwrap_or_default();
        say(&format!("{} ({})", row.model, end(&row.id)), &text);
    }
    page
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "prompt",
        Role::Assistant => "answer",
        Role::Tool => "tool",
    }
}

/// A message as text: what is no text is named.
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
