//! How fast models and gateways are, under a load that is chosen: `llm bench`.
//!
//! [`Plan`] says which call is made when, [`BenchSchedule`] makes them, [`Measured`] counts and sums what came of those to one
//! model, in memory that does not grow with the number of calls. [`compare`] tells differences from chance.

pub mod compare;
mod figures;
pub mod kept;
mod measured;
mod plan;
mod schedule;

pub use figures::{Figures, Times, ranges};
pub use measured::Measured;
pub use plan::{Load, Plan};
pub use schedule::BenchSchedule;
#[cfg(test)]
mod tests;
