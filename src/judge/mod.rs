//! Judges: models that score the answers of other models.
//!
//! A judge does not learn which model gave which answer. What it says must follow a schema. The place of an answer must not
//! matter: a judge who decides alone is asked once for each rotation of the answers, so that each answer stands once in each
//! place; of several judges, each is asked once, with the answers in another order. No judge sees an answer of its own model,
//! unless the user allows it.
//!
//! An answer may be judged alone, too: `batch` does that row by row.
#![warn(missing_docs)]

mod panel;
mod request;
mod schedule;
#[cfg(test)]
mod tests;
mod verdict;

pub(crate) use panel::SCORER;
pub use panel::{Judged, Panel, PanelRecord};
pub(crate) use panel::{Plan, Unjudgeable};
pub(crate) use request::{DEFAULT_CRITERIA, Task};
pub(crate) use schedule::JudgeSchedule;
pub use verdict::Verdict;
