//! `--judge`: models that score the answer to each row when it has come. Each answer is judged by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::line::Scored;
use crate::call::Call;
use crate::chat::Request;
use crate::cli::BatchRunArgs;
use crate::cmd::{Context, judges};
use crate::error::{Error, Failure};
use crate::judge::{JudgeSchedule, Plan, SCORER, Task, Unjudgeable};
use crate::money::Usd;
use crate::record::{Cost, CostOrigin, Record, Status};
use crate::resolve::CallTemplate;

/// The judges of a batch.
pub(super) struct Judging {
    /// By place of the model, who judges its answers.
    plans: Vec<Plan>,
    criteria: String,
}

/// What the judges of one answer say together.
pub(super) struct Judgement {
    pub(super) score: Scored,
    /// What their calls cost; `None` where none of it is known.
    pub(super) cost: Option<Cost>,
    /// The first judge that gave no verdict.
    pub(super) silent: Option<Silent>,
}

/// A judge that gave no verdict.
pub(super) struct Silent {
    pub(super) judge: String,
    /// Why, in words.
    pub(super) why: String,
    /// The failure of its call; `None` where it said something else than a verdict.
    pub(super) failure: Option<Failure>,
}

impl Judging {
    /// The judges of the flags; `None` where there are none. `base` says who calls, and `answers` has a call like those of each
    /// model.
    ///
    /// # Errors
    /// There is no such judge, the criteria cannot be read, or a model would have to judge itself.
    pub(super) fn new(
        context: &Context,
        args: &BatchRunArgs,
        base: &CallTemplate,
        answers: &[Call],
    ) -> Result<Option<Self>, Error> {
        if args.judge.is_empty() {
            return Ok(None);
        }
        let criteria = judges::criteria(args.criteria.as_deref(), args.prompt.timeout.as_deref())?;
        let template = CallTemplate {
            caller: Arc::clone(&base.caller),
            retries: base.retries,
            timeout: base.timeout,
            ..CallTemplate::default()
        };
        let calls = judges::calls(context, &args.prompt.to, &args.judge, template)?;
        let plan = |answer: &Call| {
            let plan = Plan::new(
                std::slice::from_ref(answer),
                calls.clone(),
                1,
                args.judge_own,
                &mut fastrand::Rng::with_seed(0),
            );
            plan.map_err(|why| {
                let model = match why {
                    Unjudgeable::Nobody(model) => model,
                    // One answer is always comparable with itself.
                    Unjudgeable::Apart => answer.asked.clone(),
                };
                judges::none_for(&model, "name another judge, or let judges score their own model with --judge-own")
            })
        };
        let plans = answers.iter().map(plan).collect::<Result<_, _>>()?;
        Ok(Some(Self { plans, criteria }))
    }

    /// A call like those of each judge.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.plans.iter().take(1).flat_map(Plan::calls)
    }

    /// The call of each judge for a verdict on an answer to this request, which is as long as it may be.
    pub(super) fn calls_about(&self, request: &Arc<Request>) -> Vec<Call> {
        /// What a token of an answer has, in bytes.
        const BYTES: u64 = 4;
        /// Answers without a limit are taken to be no longer, in bytes.
        const LONGEST: u64 = 64 << 10;
        let length = request.max_tokens.map_or(LONGEST, |tokens| tokens.saturating_mul(BYTES).min(LONGEST));
        let answer = "x".repeat(usize::try_from(length).unwrap_or_default());
        let task = Task { criteria: self.criteria.clone(), prompt: Arc::clone(request), reference: None, nonce: 0 };
        let request = Arc::new(task.request(&[&answer]));
        self.calls().map(|call| Call { request: Arc::clone(&request), ..call.clone() }).collect()
    }

    /// So many calls a row and model take at most.
    pub(super) fn width(&self) -> usize {
        1 + self.plans.iter().map(|plan| plan.labels().count()).max().unwrap_or(0)
    }

    /// So many records a row has when this is its answer.
    pub(super) fn wanted(&self, place: usize, answer: Option<&Record>) -> usize {
        match answer {
            None => usize::MAX,
            Some(answer) if answer.status == Status::Ok => 1 + self.plans[place].asked(),
            Some(_) => 1,
        }
    }

    /// The call of a row, and after it those of its judges. They see the reference answer, where there is one.
    pub(super) fn schedule(&self, place: usize, call: Call, reference: Option<&str>) -> JudgeSchedule {
        let task = Task {
            criteria: self.criteria.clone(),
            prompt: Arc::clone(&call.request),
            reference: reference.map(str::to_owned),
            nonce: fastrand::u64(..),
        };
        JudgeSchedule::new(vec![call], self.plans[place].clone(), task)
    }

    /// What the judges say of an answer. `records` are those of their calls, by step.
    pub(super) fn judged(&self, place: usize, answer: &Record, records: BTreeMap<usize, Record>) -> Judgement {
        let judged: Vec<(usize, Record)> = records.into_iter().map(|(step, record)| (step - 1, record)).collect();
        let cost = judged.iter().map(|(_, record)| record).fold(None, added);
        let answers = std::slice::from_ref(answer);
        let panel = self.plans[place].panel(answers, &judged, &self.criteria);
        let score = panel.parts(answers).first().and_then(|part| part.score);
        let silent = panel.judges.iter().find_map(|judged| Some((judged.model.clone(), judged.failed.clone()?)));
        let silent = silent.map(|(judge, why)| {
            let failure = panel.calls.iter().filter(|call| call.model == judge).find_map(|call| call.error.clone());
            Silent { judge, why, failure }
        });
        Judgement { score: Scored { by: SCORER.to_owned(), score }, cost, silent }
    }
}

/// The sum with the cost of one more call. A cost that is not known makes the sum partial, also where no other is known.
fn added(sum: Option<Cost>, record: &Record) -> Option<Cost> {
    let unknown = || Cost { usd: Usd::ZERO, origin: CostOrigin::Reported, partial: true };
    let cost = record.cost.or_else(|| (!record.cost_nothing()).then(unknown));
    match (sum, cost) {
        (Some(sum), Some(cost)) => Some(sum + cost),
        (sum, cost) => sum.or(cost),
    }
}
