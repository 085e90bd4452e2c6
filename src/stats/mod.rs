//! Statistics for samples of a few to a thousand values: quantiles, intervals, and ratings from pairwise votes.
//!
//! Everything here is a pure function. Where random numbers are needed, their seed is fixed, so that the same values
//! always give the same result.
#![warn(missing_docs)]

mod bootstrap;
pub mod bradley_terry;
mod difference;
mod interval;
mod proportion;
mod quantile;
#[cfg(test)]
mod tests;

pub use bootstrap::{LEAST, Statistic, bootstrap};
pub use difference::{difference, quantile_ranks};
pub use interval::{Interval, indistinguishable};
pub use proportion::wilson;
pub use quantile::{mean, median, quantile};

/// The confidence level of all intervals.
pub const CONFIDENCE: f64 = 0.95;

/// The 97.5 % quantile of the standard normal distribution, which belongs to [`CONFIDENCE`].
const Z: f64 = 1.959_963_984_540_054;
