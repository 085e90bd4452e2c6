//! Tables: columns as wide as their cells where there is room, else narrower with lines broken in them.

use super::super::text::{Look, Style, Text};
use super::flow::{BREAK, Flow, Margin, Span};
use super::inline;
use super::line::Side;

const GAP: usize = 3;
/// No column is made narrower than this, or than its widest cell.
const NARROW: usize = 6;

/// Every row has as many cells as there are columns. The first row is the head.
pub(super) fn lines(rows: &[Vec<String>], sides: &[Side], columns: usize, style: Style) -> Vec<Text> {
    let read = |(n, row): (usize, &Vec<String>)| -> Vec<Cell> {
        let look = if n == 0 { Look::BOLD } else { Look::PLAIN };
        row.iter().map(|text| Cell { spans: inline::spans(text, style), look }).collect()
    };
    let cells: Vec<Vec<Cell>> = rows.iter().enumerate().map(read).collect();
    let widest = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width(style)).max();
    let mut widths: Vec<usize> = (0..sides.len()).map(|column| widest(column).unwrap_or(0).max(1)).collect();
    let room = columns.saturating_sub(GAP * sides.len().saturating_sub(1));
    if widths.iter().map(|width| *width.min(&NARROW)).sum::<usize>() > room {
        return records(&cells, columns, style);
    }
    shrink(&mut widths, room);
    let mut lines = Vec::new();
    for (n, row) in cells.iter().enumerate() {
        lines.extend(row_lines(row, &widths, sides, style));
        if n == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            lines.push(style.dim(rule.join("─┼─")));
        }
    }
    lines
}

/// Takes from the widest columns until all fit.
fn shrink(widths: &mut [usize], room: usize) {
    let mut excess = widths.iter().sum::<usize>().saturating_sub(room);
    while excess > 0 {
        let widest = widths.iter().copied().max().unwrap_or(0);
        let next = widths.iter().copied().filter(|width| *width < widest).max().unwrap_or(1).max(1);
        let count = widths.iter().filter(|width| **width == widest).count();
        let each = (widest - next).min(excess.div_ceil(count)).max(1);
        for width in widths.iter_mut().filter(|width| **width == widest) {
            let less = each.min(excess);
            *width -= less;
            excess -= less;
        }
    }
}

fn row_lines(row: &[Cell], widths: &[usize], sides: &[Side], style: Style) -> Vec<Text> {
    let cells: Vec<Vec<Text>> = row.iter().zip(widths).map(|(cell, width)| cell.lines(*width, style)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |n: usize| {
        let mut line = Text::new();
        for (column, ((lines, width), side)) in cells.iter().zip(widths).zip(sides).enumerate() {
            if column > 0 {
                line += style.dim(" │ ");
            }
            let text = lines.get(n).cloned().unwrap_or_default();
            let free = width.saturating_sub(text.width());
            let before = match side {
                Side::Left => 0,
                Side::Middle => free / 2,
                Side::Right => free,
            };
            line += " ".repeat(before).as_str();
            line += text;
            line += " ".repeat(free - before).as_str();
        }
        line.trim_end();
        line
    };
    (0..height).map(line).collect()
}

/// For a page on which the columns have no room: a line for each cell, with the head of its column.
fn records(cells: &[Vec<Cell>], columns: usize, style: Style) -> Vec<Text> {
    let Some((head, rows)) = cells.split_first() else { return Vec::new() };
    let mut lines = Vec::new();
    if rows.is_empty() {
        head.iter().for_each(|cell| lines.extend(cell.lines(columns, style)));
    }
    for (n, row) in rows.iter().enumerate() {
        if n > 0 {
            lines.push(Text::new());
        }
        for (name, cell) in head.iter().zip(row) {
            let margin = Margin { first: Text::new(), rest: if columns > 8 { "  ".into() } else { Text::new() } };
            let mut flow = Flow::new(columns, margin, Look::PLAIN, style);
            name.put(&mut flow);
            flow.push(": ", name.look);
            cell.put(&mut flow);
            flow.end();
            lines.extend(flow.take_done());
        }
    }
    lines
}

struct Cell {
    spans: Vec<Span>,
    look: Look,
}

impl Cell {
    fn put(&self, flow: &mut Flow) {
        self.spans.iter().for_each(|span| flow.push(&span.text, span.look.and(self.look)));
    }

    fn lines(&self, columns: usize, style: Style) -> Vec<Text> {
        let mut flow = Flow::new(columns, Margin::default(), Look::PLAIN, style);
        self.put(&mut flow);
        flow.end();
        flow.take_done().collect()
    }

    /// How wide its widest line is, if none is broken.
    fn width(&self, style: Style) -> usize {
        if self.spans.iter().any(|span| span.text.contains(BREAK)) {
            return self.lines(usize::MAX / 2, style).iter().map(Text::width).max().unwrap_or(0);
        }
        self.spans.iter().map(|span| super::super::wrap::width(&span.text)).sum()
    }
}
