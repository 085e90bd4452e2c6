//! Live lines that count: one for each model, however many calls it gets.

use std::time::Duration;

use super::drawing::Rows;
use super::format;
use super::live_lines::{Row, clock, frame, start};
use super::term::Style;
use super::wrap::most_cells as cells;
use super::{escape, notice};
use crate::call::{Event, RunEvent};
use crate::chat::StreamEvent;

/// The counts of a run whose calls take turns: the model of a call is its index modulo the number of models.
#[derive(Debug)]
pub(super) struct Tally {
    lanes: Vec<Lane>,
    /// How many calls each model gets, if that is known.
    of: Option<u64>,
}

#[derive(Debug, Default)]
struct Lane {
    label: String,
    done: u64,
    failed: u64,
    output_tokens: u64,
    /// When the first call began.
    began: Option<Duration>,
    /// When the last call ended, by now.
    ended: Duration,
    last_failure: Option<String>,
}

impl Tally {
    pub(super) fn new(labels: Vec<String>, of: Option<u64>) -> Self {
        Self { lanes: labels.into_iter().map(|label| Lane { label, ..Lane::default() }).collect(), of }
    }
}

impl Rows for Tally {
    fn apply(&mut self, event: &RunEvent) {
        let count = self.lanes.len().max(1);
        let Some(lane) = self.lanes.get_mut(event.call % count) else { return };
        match &event.event {
            Event::Attempt { .. } => {
                lane.began.get_or_insert(event.at);
            }
            Event::Retry { cause, .. } => lane.last_failure = Some(notice::short(cause)),
            Event::Stream(StreamEvent::Usage(usage)) => lane.output_tokens += usage.output.unwrap_or(0),
            Event::Done(result) => {
                lane.done += 1;
                lane.ended = event.at;
                if let Err(failure) = result
                    && failure.kind != crate::error::FailureKind::Truncated
                {
                    lane.failed += 1;
                    lane.last_failure = Some(notice::short(failure));
                }
            }
            _ => {}
        }
    }

    fn rows(&self, now: Duration, columns: usize, rows: usize, style: Style) -> Vec<Row> {
        let widest = self.lanes.iter().map(|lane| cells(&escape::line(&lane.label))).max().unwrap_or(0);
        let names = widest.min(columns / 2).max(8);
        let mut lines: Vec<Row> =
            self.lanes.iter().take(rows).map(|lane| lane.row(names, self.of, now, columns, style)).collect();
        if self.lanes.len() > rows && rows > 0 {
            let text = start(&format!("  and {} more", self.lanes.len() - rows + 1), columns);
            lines.truncate(rows - 1);
            lines.push(Row { cells: cells(&text), text: text.into() });
        }
        lines
    }
}

impl Lane {
    fn row(&self, names: usize, of: Option<u64>, now: Duration, columns: usize, style: Style) -> Row {
        let is_over = of.is_some_and(|of| self.done >= of);
        let mark = if is_over { "✓" } else { frame(now) };
        let name = start(&escape::line(&self.label), names);
        let gap = " ".repeat(names.saturating_sub(cells(&name)));
        let count = of.map_or_else(|| self.done.to_string(), |of| format!("{} of {of}", self.done));
        let until = if is_over { self.ended } else { now };
        let time = self.began.map_or_else(String::new, |began| clock(until.saturating_sub(began)));
        let mut text = format!("{name}{gap}  {count:>12}  {time:>8}");
        if self.failed > 0 {
            text.push_str(&format!("  {} failed", self.failed));
        }
        if let Some(failure) = &self.last_failure {
            text.push_str(&format!("  {}", escape::line(failure)));
        } else if self.output_tokens > 0 {
            text.push_str(&format!("  {}", format::count(self.output_tokens, "token", "tokens")));
        }
        // The last cell of a line stays free, since some terminals would wrap there.
        let text = start(&text, columns.saturating_sub(3));
        let cells = cells(mark) + 1 + cells(&text);
        let mark = if is_over { style.green(mark) } else { style.cyan(mark) };
        Row { text: mark + " " + text.as_str(), cells }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ms, rate_limited};
    use super::*;
    use crate::call::Target;

    fn shown(tally: &Tally, columns: usize, rows: usize) -> Vec<String> {
        let rows = tally.rows(ms(2_000), columns, rows, Style { on: false });
        rows.iter().map(|row| row.text.to_string()).collect()
    }

    #[test]
    fn the_calls_of_a_model_are_counted_in_its_line() {
        let mut tally = Tally::new(vec!["a".into(), "long-name".into()], Some(2));
        let target = || Target { gateway: "g".into(), model: "m".into() };
        for (call, event) in [
            (0, Event::Attempt { target: target() }),
            (1, Event::Attempt { target: target() }),
            (0, Event::Done(Ok(()))),
            (2, Event::Done(Ok(()))),
            (1, Event::Done(Err(rate_limited()))),
        ] {
            tally.apply(&RunEvent { call, at: ms(500), event });
        }
        let lines = shown(&tally, 80, 5);
        assert_eq!(lines[0].trim_end(), "✓ a                2 of 2     0.0 s");
        assert!(lines[1].contains("long-name        1 of 2     1.5 s  1 failed  429 rate limited"), "{lines:?}");
        assert_eq!(shown(&tally, 80, 1), ["  and 2 more"]);
        assert!(shown(&tally, 20, 5).iter().all(|line| cells(line) <= 20));
    }
}
