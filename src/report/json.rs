//! Records as JSON: one object, a whole comparison, or one line each.

use serde::Serialize;

use super::Comparison;
use super::term::{Output, Text};
use crate::record::{Record, TotalCost};

/// One record, indented for a terminal and on one line for everything else.
pub fn record(record: &Record, out: &Output) -> Text {
    document(record, out)
}

/// One record, or what has one in it, on one line: a stream of them is read line by line.
pub fn line<T: Serialize + ?Sized>(record: &T) -> Text {
    finished(to_string(record))
}

/// A comparison: `{"run", "prompt", "answers": […], "winner", "total_cost"}`. The winner is an index into the answers;
/// `scores` are there only if answers were scored.
pub fn comparison(comparison: &Comparison<'_>, out: &Output) -> Text {
    document(
        &ComparisonJson {
            run: comparison.run,
            prompt: comparison.prompt,
            answers: comparison.records,
            scores: comparison.scores,
            winner: comparison.winner,
            total_cost: comparison.own().iter().collect(),
        },
        out,
    )
}

#[derive(Serialize)]
struct ComparisonJson<'a> {
    run: &'a str,
    prompt: &'a str,
    answers: &'a [Record],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scores: &'a [Option<f64>],
    winner: Option<usize>,
    total_cost: TotalCost,
}

/// Any value as a JSON document with a line break at its end.
pub fn document<T: Serialize + ?Sized>(value: &T, out: &Output) -> Text {
    finished(if out.tty { to_string_pretty(value) } else { to_string(value) })
}

fn finished(mut document: String) -> Text {
    document.push('\n');
    Text::json(document)
}

fn to_string<T: Serialize + ?Sized>(value: &T) -> String {
    // Records hold nothing that JSON cannot: no map with other keys than strings, no failing `Serialize`.
    serde_json::to_string(value).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}

fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string_pretty(value)
        .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, failed, record as sample, three};
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_comparison_has_its_answers_and_what_they_cost() {
        let mut records = three();
        records.push(failed("down"));
        let text = comparison(&Comparison::new("r1", "hi", &records), &Output::plain(80)).to_string();
        assert_eq!(text.matches('\n').count(), 1, "one line for a pipe");
        let json: Value = serde_json::from_str(&text).expect("json");
        assert_eq!((json["run"].as_str(), json["prompt"].as_str()), (Some("r1"), Some("hi")));
        assert_eq!(json["answers"].as_array().map(Vec::len), Some(4));
        assert_eq!(json["winner"], Value::Null);
        assert_eq!(json.get("scores"), None);
        assert!(text.contains("\"total_cost\":{\"usd\":0.000205,\"unknown\":0,"), "{text}");
    }

    #[test]
    fn a_terminal_gets_the_same_document_without_control_characters() {
        let answer = sample("m", HOSTILE);
        let (shown, raw) = (record(&answer, &Output::terminal(80)).to_string(), record(&answer, &Output::plain(80)));
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("json");
        assert_eq!(value(&shown), value(&raw.shown(false)));
        assert_eq!(value(&raw.shown(false))["text"], HOSTILE);
        assert!(!shown.contains(|c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c)));
    }

    #[test]
    fn a_line_is_a_line_everywhere() {
        let text = line(&sample("m", "a\nb")).to_string();
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1, "{text}");
    }
}
