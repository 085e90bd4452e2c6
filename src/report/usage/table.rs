//! Usage as a table for people, and below it where money leaks.

use super::{both, cached_share, leaks, percent, share};
use crate::ledger::{Dimension, Group, Usage};
use crate::report::format::{self, UNKNOWN};
use crate::report::grid::{Column, Grid};
use crate::report::term::Output;

/// From this width of the page on, the table has all of its columns.
const WIDE: usize = 130;

/// How wide a bar of the whole cost is.
const BAR: usize = 10;

/// The table, and below it where money leaks.
pub fn text(usage: &Usage, by: &[Dimension], out: &Output) -> String {
    if usage.total.calls == 0 {
        return String::new();
    }
    let wide = out.columns >= WIDE;
    let mut columns: Vec<Column> = by.iter().map(|dimension| Column::left(dimension.name()).wraps(10)).collect();
    columns.extend([Column::right("calls"), Column::right("failed"), Column::right("retries")]);
    if wide {
        columns.extend([
            Column::right("fallbacks"),
            Column::right("in"),
            Column::right("cached"),
            Column::right("out"),
        ]);
    }
    columns.extend([Column::right("cost"), Column::right("share")]);
    if out.tty {
        columns.push(Column::left(""));
    }
    if wide {
        columns.extend([Column::right("first token"), Column::right("p95")]);
    }
    columns.extend([Column::right("total"), Column::right("p95")]);
    let mut grid = Grid::new(columns);
    let mut rows: Vec<&Group> = usage.groups.iter().collect();
    let total = Group { key: vec![Some("total".into())], ..usage.total.clone() };
    if rows.len() > 1 {
        rows.push(&total);
    }
    for group in rows {
        let mut cells: Vec<String> = (0..by.len())
            .map(|place| match group.key.get(place) {
                Some(key) => key.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
                None => String::new(),
            })
            .collect();
        cells.extend([group.calls, group.failed, group.retries].map(|n| n.to_string()));
        if wide {
            cells.extend([
                group.fallbacks.to_string(),
                group.input.to_string(),
                percent(cached_share(group)),
                group.output.to_string(),
            ]);
        }
        cells.extend([format::total_cost(group.cost), percent(share(group, usage))]);
        if out.tty {
            let is_total = std::ptr::eq(group, &total);
            cells.push(if is_total { String::new() } else { bar(share(group, usage).unwrap_or(0.0)) });
        }
        if wide {
            cells.extend(both(group.first_token));
        }
        cells.extend(both(group.total));
        grid.row(cells);
    }
    let mut page = grid.render(out);
    for (n, leak) in leaks(usage).iter().enumerate() {
        let start = if n == 0 { "\n" } else { "" };
        page.push_str(&format!("{start}{} {}\n", out.style.yellow("▸"), out.show(leak)));
    }
    page
}

/// A bar of eighths of cells.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
