//! Records as JSON: an object, a whole comparison, or an object on each line.

use serde::Serialize;

use super::Comparison;
use super::choosing::{ChoosingJson, JudgeJson, ScoreJson, WinnerJson};
use super::repeats::{Repeats, RepeatsJson};
use super::term::{Output, Text};
use crate::record::{Record, TotalCost};

/// One record. For a terminal it is indented, for everything else it is one line.
pub fn record(record: &Record, out: &Output) -> Text {
    document(record, out)
}

/// One record, or what contains one, on one line everywhere, because programs read such a stream line by line.
pub fn line<T: Serialize + ?Sized>(record: &T) -> Text {
    finished(to_string(record))
}

/// A comparison: `{"run", "prompt", "answers": […], "winner", "total_cost", "scores", "judge", "repeated"}`.
pub fn comparison(comparison: &Comparison<'_>, out: &Output) -> Text {
    let ChoosingJson { winner, scores, judge } = ChoosingJson::new(comparison);
    let repeats = comparison.is_repeated.then(|| Repeats::new(comparison));
    document(
        &ComparisonJson {
            run: comparison.run,
            prompt: comparison.prompt,
            answers: comparison.records,
            winner,
            total_cost: comparison.own().iter().collect(),
            scores,
            judge,
            repeated: repeats.as_ref().map(Repeats::json),
        },
        out,
    )
}

#[derive(Serialize)]
struct ComparisonJson<'a> {
    run: &'a str,
    prompt: &'a str,
    answers: &'a [Record],
    winner: Option<WinnerJson<'a>>,
    total_cost: TotalCost,
    scores: Option<Vec<ScoreJson<'a>>>,
    judge: Option<JudgeJson<'a>>,
    repeated: Option<RepeatsJson<'a>>,
}

/// What is said of the answers of a run when all have ended, on one line: `{"run", "winner", "scores", "judge"}`.
pub fn choosing_line(comparison: &Comparison<'_>) -> Text {
    #[derive(Serialize)]
    struct Line<'a> {
        run: &'a str,
        winner: Option<WinnerJson<'a>>,
        scores: Option<Vec<ScoreJson<'a>>>,
        judge: Option<JudgeJson<'a>>,
    }
    let ChoosingJson { winner, scores, judge } = ChoosingJson::new(comparison);
    line(&Line { run: comparison.run, winner, scores, judge })
}

/// Any value as a JSON document with a line break at its end.
pub fn document<T: Serialize + ?Sized>(value: &T, out: &Output) -> Text {
    finished(if out.tty { to_string_pretty(value) } else { to_string(value) })
}

/// A JSON array that is written element by element.
#[derive(Debug)]
pub struct Array {
    is_indented: bool,
    is_empty: bool,
}

impl Array {
    pub fn new(out: &Output) -> Self {
        Self { is_indented: out.tty, is_empty: true }
    }

    /// The next element, after a comma or the beginning of the array.
    pub fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Text {
        let before = if std::mem::take(&mut self.is_empty) { "[" } else { "," };
        Text::json(match self.is_indented {
            true => format!("{before}\n  {}", to_string_pretty(value).replace('\n', "\n  ")),
            false => format!("{before}{}", to_string(value)),
        })
    }

    /// The end of the array, and the line break after it.
    pub fn end(&self) -> Text {
        match (self.is_empty, self.is_indented) {
            (true, _) => "[]\n".into(),
            (false, true) => "\n]\n".into(),
            (false, false) => "]\n".into(),
        }
    }
}

fn finished(mut document: String) -> Text {
    document.push('\n');
    Text::json(document)
}

fn to_string<T: Serialize + ?Sized>(value: &T) -> String {
    // It does not fail: records have no map whose keys are not strings, and no `Serialize` that fails.
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
    fn an_array_in_parts_is_that_in_one_piece() {
        for out in [Output::plain(80), Output::terminal(80)] {
            for values in [&[][..], &["a"], &["a", HOSTILE, "c"]] {
                let mut array = Array::new(&out);
                let parts: Text = values.iter().map(|value| array.element(value)).collect();
                assert_eq!((parts + array.end()).shown(out.tty), document(values, &out).shown(out.tty));
            }
        }
    }

    #[test]
    fn a_line_is_a_line_everywhere() {
        let text = line(&sample("m", "a\nb")).to_string();
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1, "{text}");
    }
}
