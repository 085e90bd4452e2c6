//! Makes the calls of a benchmark when they are due.

use std::sync::Arc;
use std::time::Duration;

use super::{Load, Plan};
use crate::call::Call;
use crate::record::{Record, Status};
use crate::run::{Schedule, Step};

/// So much before a call is due, the run stops sleeping and watches the clock, because a timer may ring this much late.
const TIMER: Duration = Duration::from_millis(2);

/// The warm-up of every model first, then the calls that are measured.
#[derive(Debug)]
pub struct BenchSchedule {
    plan: Plan,
    /// A call to each model, whose index, id and time are replaced.
    base: Vec<Call>,
    /// By model, how many calls were made.
    made: Vec<u64>,
    /// By model, how many of them run.
    running: Vec<u64>,
    /// The model whose turn it is.
    turn: usize,
    /// The time since the run began.
    now: Duration,
    /// When the first measured call could be made.
    began: Option<Duration>,
    /// By model, whether a budget or a list of models has refused a call to it, so that no further one is made.
    is_refused: Vec<bool>,
}

impl BenchSchedule {
    /// A schedule of calls like these, one to each model.
    pub fn new(plan: Plan, base: Vec<Call>) -> Self {
        let zeros = vec![0; base.len()];
        Self {
            plan,
            made: zeros.clone(),
            running: zeros,
            is_refused: vec![false; base.len()],
            base,
            turn: 0,
            now: Duration::ZERO,
            began: None,
        }
    }

    /// Makes the next call to a model.
    fn call(&mut self, model: usize, due: Option<Duration>) -> Call {
        let index = self.plan.index(model, self.made[model]);
        self.made[model] += 1;
        self.running[model] += 1;
        let base = &self.base[model];
        Call {
            caller: Arc::clone(&base.caller),
            role: base.role,
            schema: base.schema.clone(),
            limits: base.limits.clone(),
            due,
            ..Call::new(index, base.asked.clone(), base.choices.clone(), Arc::clone(&base.request))
        }
    }

    /// A model that still warms up.
    fn warming_up(&self) -> Option<usize> {
        (0..self.base.len()).find(|model| !self.is_refused[*model] && self.made[*model] < self.plan.warmup)
    }

    fn is_warm(&self) -> bool {
        self.began.is_some() || (self.warming_up().is_none() && self.running.iter().all(|running| *running == 0))
    }

    /// The models in the order of their turns, without those that were refused.
    fn turns(&self) -> impl Iterator<Item = usize> {
        let models = self.base.len();
        (0..models).map(move |n| (self.turn + n) % models).filter(|model| !self.is_refused[*model])
    }

    /// The model that has waited longest for a further call, of those that may have one at once.
    fn free(&self, calls: u32) -> Option<usize> {
        self.turns().find(|model| self.running[*model] < u64::from(calls) && self.has_left(*model))
    }

    fn has_left(&self, model: usize) -> bool {
        self.made[model] < self.plan.warmup + self.plan.requests
    }

    /// The next call of an open loop, and when it is due.
    fn next_due(&self) -> Option<(usize, Duration)> {
        let began = self.began?;
        let model = self.turns().next()?;
        let due = self.plan.due(self.plan.index(model, self.made[model]))?;
        self.has_left(model).then_some((model, began + due))
    }
}

impl Schedule for BenchSchedule {
    fn next(&mut self) -> Option<Step> {
        if let Some(model) = self.warming_up() {
            return Some(Step::Call(self.call(model, None)));
        }
        if !self.is_warm() {
            return None;
        }
        self.began.get_or_insert(self.now);
        let (model, due) = match self.plan.load {
            Load::Concurrency(calls) => (self.free(calls)?, None),
            Load::Rate(_) => {
                let (model, due) = self.next_due().filter(|(_, due)| *due <= self.now)?;
                (model, Some(due))
            }
        };
        self.turn = (model + 1) % self.base.len();
        Some(Step::Call(self.call(model, due)))
    }

    fn due_in(&mut self, elapsed: Duration) -> Option<Duration> {
        self.now = elapsed;
        if !self.is_warm() {
            return None;
        }
        let (_, due) = self.next_due()?;
        Some(due.saturating_sub(elapsed).saturating_sub(TIMER))
    }

    fn ended(&mut self, call: &Call, record: &Record) {
        let model = self.plan.model(call.index);
        self.running[model] -= 1;
        self.is_refused[model] |= record.status == Status::Refused;
    }
}
