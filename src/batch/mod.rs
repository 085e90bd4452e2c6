//! Batches: the rows of a data set through models, with an output that survives the end of the process.
//!
//! A thread reads rows and makes prompts ([`feed`]), a [`BatchSchedule`] turns them into calls within a window, and each
//! record becomes a line of the [`OutputFile`] as soon as its call has ended. The output says what is done; the ledger says
//! which job it belongs to, and holds what could not be written.

pub mod api;
mod backlog;
pub mod feed;
pub mod limit;
pub mod line;
pub mod output;
pub mod rows;
mod schedule;
pub mod tally;

pub use feed::{Cook, Feed, Recipe, RowInfo, Selection};
pub use output::{Done, OutputError, OutputFile, Repaired};
pub use rows::{RowFormat, RowHash, Rows};
pub use schedule::{BatchSchedule, Control, Maker, Open, OpenRows, StopReason, Work};
pub use tally::Tally;
