//! The order of calls: all answers first, then the judges.

use std::sync::Arc;

use super::panel::{Plan, Sitting};
use super::request::Task;
use crate::call::{Call, Role};
use crate::record::{Record, Status};
use crate::run::{Schedule, Step};

/// The calls of a comparison with judges. The judges are asked when all answers have ended, so that they slow no answer down.
#[derive(Debug)]
pub(crate) struct JudgeSchedule {
    answers: std::vec::IntoIter<Call>,
    /// By index of its call, each answer that is complete.
    texts: Vec<Option<String>>,
    /// How many answers have not ended.
    open: usize,
    plan: Plan,
    task: Task,
    /// The sitting that comes next.
    next: usize,
}

impl JudgeSchedule {
    pub(crate) fn new(answers: Vec<Call>, plan: Plan, task: Task) -> Self {
        let count = answers.len();
        Self { answers: answers.into_iter(), texts: vec![None; count], open: count, plan, task, next: 0 }
    }

    /// The call of a sitting; `None` where there is nothing to judge.
    fn call(&self, number: usize, sitting: &Sitting) -> Option<Call> {
        let order = self.plan.order(sitting, |answer| self.texts[answer].is_some());
        let answers: Vec<&str> = order.iter().filter_map(|answer| self.texts[*answer].as_deref()).collect();
        if answers.is_empty() {
            return None;
        }
        let judge = &self.plan.judges[sitting.judge].call;
        let request = Arc::new(self.task.request(&answers));
        Some(Call {
            caller: Arc::clone(&judge.caller),
            role: Role::Judge,
            label: Some(judge.asked.clone()),
            limits: judge.limits.clone(),
            ..Call::new(self.texts.len() + number, judge.asked.clone(), judge.choices.clone(), request)
        })
    }
}

impl Schedule for JudgeSchedule {
    fn next(&mut self) -> Option<Step> {
        if let Some(answer) = self.answers.next() {
            return Some(Step::Call(answer));
        }
        if self.open > 0 {
            return None;
        }
        while let Some(sitting) = self.plan.sittings.get(self.next) {
            let call = self.call(self.next, sitting);
            self.next += 1;
            if let Some(call) = call {
                return Some(Step::Call(call));
            }
        }
        None
    }

    fn ended(&mut self, call: &Call, record: &Record) {
        if call.role == Role::Judge {
            return;
        }
        self.open -= 1;
        if record.status == Status::Ok
            && let Some(text) = self.texts.get_mut(call.index)
        {
            *text = Some(record.text.clone());
        }
    }

    fn abandon(&mut self) -> Vec<Step> {
        self.answers.by_ref().map(Step::Call).collect()
    }
}
