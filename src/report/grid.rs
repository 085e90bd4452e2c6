//! Tables without lines between the cells, whose columns are aligned and never exceed the page.
//!
//! The crate comfy-table pads and aligns the cells. It cannot do four things, which are done here: it has no order in which
//! columns give way, it wraps inside of a grapheme or a name, it does not move remarks below a table that is too wide, and it
//! does not write the rows of a very narrow page as names and values.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::term::{Output, Style, Text};
use super::{escape, wrap};

pub use comfy_table::CellAlignment as Align;

/// How many cells stand beside a column's text, counted on both sides.
const PADDING: usize = 2;
/// On a page of fewer cells, a value does not stand beside its name when rows are stacked.
const MIN_PAIR: usize = 32;
/// Marks the best value of a column. Mark and value have a colour of their own.
pub const BEST: &str = "▸";

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    align: Align,
    /// How narrow the column may become by wrapping its text; `None` where its text is never wrapped.
    min_width: Option<usize>,
    /// Whether its cells may stand below the table instead.
    below: bool,
}

impl Column {
    pub fn left(name: &str) -> Self {
        Self { name: name.into(), align: CellAlignment::Left, min_width: None, below: false }
    }

    /// A column of numbers.
    pub fn right(name: &str) -> Self {
        Self { align: CellAlignment::Right, ..Self::left(name) }
    }

    /// Allows the column to wrap its text where the page is too narrow, until it is this many cells wide. Of several such
    /// columns, the last one gives way first.
    pub fn wraps(mut self, min_width: usize) -> Self {
        self.min_width = Some(min_width);
        self
    }

    /// Makes it a column of remarks. Where wrapping is not enough, they stand below the table, each with the name of its row.
    pub fn remarks(mut self) -> Self {
        self.below = true;
        self
    }
}

/// A table. The text of each cell is escaped and put on one line here. Columns in which all cells are empty are left out.
#[derive(Debug, Clone)]
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        let mut cells: Vec<String> = cells.iter().map(|cell| escape::line(cell).into_owned()).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// The table, in which every line ends with a line break and none is wider than the page. Cells are wrapped where their
    /// columns allow it; where that is not enough, each row is written as names and values.
    pub fn render(&self, out: &Output) -> Text {
        if self.rows.is_empty() {
            return Text::new();
        }
        let used = self.used();
        if let Some(widths) = self.widths(&used, out.columns) {
            return self.aligned(&used, &widths, out.style);
        }
        let (below, beside): (Vec<usize>, Vec<usize>) = used.iter().partition(|i| self.columns[**i].below);
        match self.widths(&beside, out.columns) {
            Some(widths) => self.aligned(&beside, &widths, out.style) + self.remarks(&below, out),
            None => self.stacked(&used, out),
        }
    }

    /// Whether every row fits on one line.
    pub fn fits(&self, out: &Output) -> bool {
        self.width() <= out.columns
    }

    /// How wide the table is where nothing is wrapped.
    pub fn width(&self) -> usize {
        let width: usize = self.used().iter().map(|column| self.natural(*column) + PADDING).sum();
        // The padding at the end of a line is removed.
        width.saturating_sub(1)
    }

    /// The columns in which a cell is not empty.
    fn used(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|i| self.rows.iter().any(|row| !row[*i].is_empty())).collect()
    }

    /// How wide a column is where nothing is wrapped.
    fn natural(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| wrap::width(&row[column])).max().unwrap_or(0);
        cells.max(wrap::width(&self.columns[column].name)).max(1)
    }

    /// How wide each used column becomes; `None` where they do not all fit on the page.
    fn widths(&self, used: &[usize], page: usize) -> Option<Vec<usize>> {
        let mut widths: Vec<usize> = used.iter().map(|i| self.natural(*i)).collect();
        // The padding at the end of a line is removed.
        let total = widths.iter().map(|width| width + PADDING).sum::<usize>().saturating_sub(1);
        let mut excess = total.saturating_sub(page);
        for (width, i) in widths.iter_mut().zip(used).rev() {
            let Some(min) = self.columns[*i].min_width else { continue };
            let give = excess.min(width.saturating_sub(min.max(wrap::width(&self.columns[*i].name))));
            *width -= give;
            excess -= give;
        }
        (excess == 0 && widths.iter().all(|width| u16::try_from(*width).is_ok())).then_some(widths)
    }

    fn aligned(&self, used: &[usize], widths: &[usize], style: Style) -> Text {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let cell = |text: String, i: &usize| Cell::new_owned(text).set_alignment(self.columns[*i].align);
        table.set_header(used.iter().map(|i| cell(self.columns[*i].name.clone(), i)).collect::<Vec<_>>());
        for row in &self.rows {
            let wrapped = used.iter().zip(widths).map(|(i, width)| cell(wrap::wrap(&row[*i], *width).join("\n"), i));
            table.add_row(wrapped.collect::<Vec<_>>());
        }
        for (column, width) in table.column_iter_mut().zip(widths) {
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(PADDING as u16))));
        }
        let mut page = Text::new();
        for (i, line) in table.lines().enumerate() {
            let line = line.trim_end();
            if i == 0 {
                page += style.dim(line);
            } else {
                push_marked(&mut page, line, style);
            }
            page += "\n";
        }
        page
    }

    fn remarks(&self, below: &[usize], out: &Output) -> Text {
        let mut page = Text::new();
        for row in &self.rows {
            for remark in below.iter().map(|i| &row[*i]).filter(|remark| !remark.is_empty()) {
                for line in wrap::wrap(&format!("{}: {remark}", row[0]), out.columns.saturating_sub(1).max(1)) {
                    page += Text::from(" ") + out.style.dim(line) + "\n";
                }
            }
        }
        page
    }

    fn stacked(&self, used: &[usize], out: &Output) -> Text {
        let names = used.iter().skip(1).map(|i| wrap::width(&self.columns[*i].name)).max().unwrap_or(0);
        let mut page = Text::new();
        for row in &self.rows {
            for (place, i) in used.iter().enumerate() {
                let (name, value) = (&self.columns[*i].name, &row[*i]);
                if place == 0 {
                    for line in wrap::wrap(value, out.columns) {
                        page += out.style.bold(line) + "\n";
                    }
                } else if !value.is_empty() {
                    let pair = out.columns >= MIN_PAIR;
                    let room = if pair { out.columns - names - 4 } else { out.columns.saturating_sub(2).max(1) };
                    let text = if pair { value.clone() } else { format!("{name} {value}") };
                    for (n, line) in wrap::wrap(&text, room).iter().enumerate() {
                        let label = if pair && n == 0 { name.as_str() } else { "" };
                        let mut whole = String::from("  ");
                        if pair {
                            whole.push_str(&wrap::pad(label, names));
                            whole.push_str("  ");
                        }
                        whole.push_str(line);
                        push_marked(&mut page, &whole, out.style);
                        page += "\n";
                    }
                }
            }
        }
        page
    }
}

/// Names and values, a pair a line; a value that is too long continues below its beginning. `widest` is the width of the
/// names.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>, widest: usize, out: &Output) -> Text {
    let mut page = Text::new();
    let room = out.columns.saturating_sub(widest + 4).max(20);
    for (name, value) in pairs {
        for (n, line) in wrap::wrap(&value, room).iter().enumerate() {
            let name = wrap::pad(if n == 0 { name } else { "" }, widest);
            page += Text::from("  ") + out.style.dim(name) + "  " + line + "\n";
        }
    }
    page
}

/// A remark below a table, whose further lines are set in.
pub(super) fn remark(text: &str, out: &Output) -> String {
    let lines = wrap::wrap(&escape::line(text), out.columns.saturating_sub(3).max(20));
    lines.iter().enumerate().map(|(n, line)| format!("{}{line}\n", if n == 0 { " " } else { "   " })).collect()
}

/// The line, with every marked value in its colour.
fn push_marked(page: &mut Text, line: &str, style: Style) {
    let mut rest = line;
    while style.on
        && let Some(at) = rest.find(BEST)
    {
        let end = rest[at..].find("  ").map_or(rest.len(), |length| at + length);
        *page += &rest[..at];
        *page += style.green(&rest[at..end]);
        rest = &rest[end..];
    }
    *page += rest;
}

#[cfg(test)]
mod tests {
    use super::super::samples::HOSTILE;
    use super::*;

    fn grid(rows: &[[&str; 3]]) -> Grid {
        let mut grid = Grid::new(vec![
            Column::left("name").wraps(8),
            Column::right("count"),
            Column::left("note").wraps(10).remarks(),
        ]);
        for row in rows {
            grid.row(row.iter().map(|cell| (*cell).to_owned()).collect());
        }
        grid
    }

    #[test]
    fn numbers_align_and_empty_columns_are_left_out() {
        let out = Output::terminal(80);
        insta::assert_snapshot!(grid(&[["alpha", "1", ""], ["b", "12345", ""]]).render(&out), @r"
         name   count
         alpha      1
         b      12345
        ");
        assert!(grid(&[]).render(&out).is_empty());
    }

    #[test]
    fn the_last_column_wraps_first_and_then_goes_below() {
        let grid = grid(&[["a-rather-long-name", "1", "some words to wrap"], ["b", "22", ""]]);
        insta::assert_snapshot!(grid.render(&Output::terminal(44)), @r"
         name                count  note
         a-rather-long-name      1  some words to
                                    wrap
         b                      22
        ");
        insta::assert_snapshot!(grid.render(&Output::terminal(24)), @r"
         name              count
         a-rather-long-        1
         name
         b                    22
         a-rather-long-name:
         some words to wrap
        ");
        insta::assert_snapshot!(grid.render(&Output::terminal(14)), @r"
        a-rather-long-
        name
          count 1
          note some
          words to
          wrap
        b
          count 22
        ");
    }

    #[test]
    fn no_cell_breaks_the_table() {
        let long = "long ".repeat(20_000);
        let marks = format!("a{}", "\u{301}".repeat(10_000));
        let wide = "日本語".repeat(50);
        let hostile = format!("{HOSTILE}\n\t{HOSTILE}");
        let grid = grid(&[[&hostile, "1", &long], [&wide, "2", &marks], [&marks, &hostile, &wide], ["", "", "x"]]);
        for columns in [1, 2, 20, 40, 80, 200] {
            for line in grid.render(&Output::terminal(columns)).shown(false).lines() {
                assert!(wrap::width(line) <= columns.max(4), "at {columns}: {line:?}");
                assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
            }
        }
    }

    #[test]
    fn colour_changes_no_width() {
        let mut out = Output::terminal(80);
        let grid = grid(&[["a", "▸ 1", "x"], ["b", "22", "▸ y"]]);
        let plain = grid.render(&out).to_string();
        out.style.on = true;
        let colored = grid.render(&out).to_string();
        assert!(colored.contains("\x1b[32m▸ 1\x1b[0m  x\n") && colored.contains("\x1b[32m▸ y\x1b[0m\n"), "{colored:?}");
        assert_eq!(colored.replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", ""), plain);
    }
}
