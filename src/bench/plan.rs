//! Which call is made when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How calls follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// To each model, so many calls run at once: the next is made when one is over (a closed loop).
    Concurrency(u32),
    /// To each model, so many calls a second are made, whether or not earlier ones are over (an open loop).
    Rate(f64),
}

/// The calls of a benchmark. Models take turns: the call with index `i` is to model `i % models`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub models: usize,
    /// How many calls each model gets that are measured.
    pub requests: u64,
    /// How many calls each model gets before, which are not.
    pub warmup: u64,
    pub load: Load,
}

impl Plan {
    /// The model of the call with this index.
    pub fn model(&self, index: usize) -> usize {
        index % self.models
    }

    /// The place of a call among those to its model that are measured; `None` while the model warms up.
    pub fn place(&self, index: usize) -> Option<u64> {
        ((index / self.models) as u64).checked_sub(self.warmup)
    }

    /// The index of a call.
    pub(super) fn index(&self, model: usize, count: u64) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX / self.models - 1) * self.models + model
    }

    /// When a measured call is due, since the measurement began; `None` in a closed loop. The calls to several models are
    /// spread evenly, so that they do not come in bursts.
    pub fn due(&self, index: usize) -> Option<Duration> {
        let Load::Rate(rate) = self.load else { return None };
        let turns = self.place(index)? as f64 + self.model(index) as f64 / self.models as f64;
        Duration::try_from_secs_f64(turns / rate).ok()
    }

    /// How many calls may run at once, for all models together; `None` where the plan sets no limit.
    pub fn concurrency(&self) -> Option<usize> {
        match self.load {
            Load::Concurrency(calls) => Some((calls as usize).saturating_mul(self.models)),
            Load::Rate(_) => None,
        }
    }
}
