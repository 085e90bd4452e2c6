//! The last row of the screen, whose text may still change: it is drawn again until it is final.

use super::super::text::Text;

/// From the first row of what was drawn to the end of the screen.
const ERASE: &str = "\x1b[J";

/// Most frames have no more bytes.
const ROOM: usize = 64;

/// What stands on the screen behind the last line break.
#[derive(Debug, Default)]
pub(in super::super) struct LastRow {
    shown: Text,
}

impl LastRow {
    /// What a terminal of `columns` gets so that it shows these final lines, each with its line break, and below them a row
    /// that may still change. What stands there already is not written again.
    pub(in super::super) fn update(&mut self, done: &Text, row: Text, columns: usize) -> String {
        let known = self.shown.len();
        let mut bytes = String::with_capacity(ROOM);
        match done.is_empty() {
            true if row.starts_with(&self.shown) => row.show_from(known, &mut bytes),
            false if done.starts_with(&self.shown) => {
                done.show_from(known, &mut bytes);
                row.show_from(0, &mut bytes);
            }
            _ => {
                bytes = self.erase(columns);
                done.show_from(0, &mut bytes);
                row.show_from(0, &mut bytes);
            }
        }
        self.shown = row;
        bytes
    }

    /// What removes the row, so that something else can be written.
    pub(in super::super) fn erase(&mut self, columns: usize) -> String {
        let cells = std::mem::take(&mut self.shown).width();
        if cells == 0 {
            return String::new();
        }
        // A terminal that has become narrower since has broken the row.
        match cells.saturating_sub(1) / columns.max(1) {
            0 => format!("\r{ERASE}"),
            rows => format!("\r\x1b[{rows}A{ERASE}"),
        }
    }

    /// As much of a row as a terminal of so many columns shows in one row, whatever it makes of joined emoji.
    pub(in super::super) fn fits(row: &Text, columns: usize) -> bool {
        // No character takes more cells than bytes.
        row.len() <= columns || row.most_cells() <= columns
    }
}
