//! One line a call.

use super::{cost, count, duration, end, status, when};
use crate::chat::{Part, Role};
use crate::ledger::Row;
use crate::report::format::{self, or_unknown};
use crate::report::grid::{Column, Grid};
use crate::report::notes;
use crate::report::term::Output;

/// From this width of the page on, the list has the beginning of each prompt.
const WIDE: usize = 120;

/// So much of it.
const PROMPT_CHARS: usize = 40;

/// One line a call. Ids are shown by their ends, which differ where their beginnings do not.
pub fn list(rows: &[Row], out: &Output) -> String {
    let wide = out.columns >= WIDE;
    let mut columns = vec![
        Column::left("when (UTC)"),
        Column::left("id"),
        Column::left("model").wraps(12),
        Column::left("status"),
        Column::right("total"),
    ];
    if wide {
        columns.extend([Column::right("first token"), Column::right("in"), Column::right("out")]);
    }
    columns.push(Column::right("cost"));
    if wide {
        columns.push(Column::left("prompt").wraps(16));
    }
    let mut grid = Grid::new(columns);
    for row in rows {
        let mut cells = vec![when(row.at_ms, "%m-%d %H:%M:%S"), end(&row.id).to_owned(), model(row)];
        cells.push(if wide { status(row) } else { row.status.as_str().to_owned() });
        cells.push(duration(row.times.total));
        if wide {
            cells.push(duration(row.times.first_token));
            cells.extend([row.tokens.input, row.tokens.output].map(count));
        }
        cells.push(or_unknown(cost(row), format::cost));
        if wide {
            cells.push(beginning(&prompt(row).unwrap_or_default()));
        }
        grid.row(cells);
    }
    grid.render(out)
}

/// What was asked for, and what answered where that is something else.
fn model(row: &Row) -> String {
    if notes::is_same_model(&row.asked, &row.model) || !row.answered {
        row.asked.clone()
    } else {
        format!("{} → {}", row.asked, row.model)
    }
}

/// The last thing that the user said, on one line.
fn prompt(row: &Row) -> Option<String> {
    let request = row.request.request()?;
    let said = request.messages.iter().rev().find(|message| message.role == Role::User)?;
    let text = said.parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        _ => None,
    });
    Some(text?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(PROMPT_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
