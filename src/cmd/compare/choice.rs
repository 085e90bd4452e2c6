//! Which of the answers is the best: scorers and judges from the flags, and what they say when all answers have come.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::child::Stop;
use crate::cli::{CompareArgs, CompareFormat, SortBy};
use crate::cmd::Context;
use crate::cmd::judges;
use crate::cmd::request;
use crate::cmd::run::Ending;
use crate::error::Error;
use crate::judge::{JudgeSchedule, Plan, Task, Unjudgeable};
use crate::record::Record;
use crate::report::choosing::Choosing;
use crate::resolve::CallTemplate;
use crate::run::Outcome;
use crate::score::{self, Answers, Environment, HELP, Part, Scored, Weighted};

/// After a signal, programs that score are given this long to be killed.
const LIMIT_AFTER_SIGNAL: Duration = Duration::from_millis(150);

/// The scorers and judges of one command.
pub(super) struct Choice {
    scorers: Arc<Vec<Weighted>>,
    /// Stops the programs among them.
    stop: Stop,
    plan: Option<Plan>,
    criteria: String,
    shows_reasons: bool,
}

/// The scorers of the flags. Nothing is asked of a model by them.
///
/// # Errors
/// A scorer is not written right, or a flag needs a score and there is none.
pub(super) fn scorers(context: &Context, args: &CompareArgs) -> Result<(Vec<Weighted>, Stop), Error> {
    if args.score.is_empty() && args.judge.is_empty() {
        let flags = [
            ("--best", args.best),
            ("--reasons", args.reasons),
            ("--fail-under", args.fail_under.is_some()),
            ("--sort score", args.sort == Some(SortBy::Score)),
        ];
        if let Some((flag, _)) = flags.iter().find(|(_, is_given)| *is_given) {
            let hint = format!("--judge MODEL, or --score with {HELP}");
            return Err(Error::usage_hint(format!("{flag} needs a score"), hint));
        }
    }
    if args.best && args.output.format != CompareFormat::Text {
        return Err(Error::usage_hint("--best prints a text", "in other formats, `winner` names the best answer"));
    }
    let key_variables = context.settings.key_variables();
    let patience = request::timeout(args.prompt.timeout.as_deref())?;
    let environment = Environment { key_variables, stop: Stop::default(), patience };
    let scorers = args.score.iter().map(|spec| Weighted::parse(spec, &environment)).collect::<Result<Vec<_>, _>>()?;
    if let Some(scorer) = scorers.iter().find(|scorer| scorer.scorer.needs_expected()) {
        let name = &scorer.spec;
        return Err(Error::usage(format!("score `{name}` needs a text here: {name}:TEXT")));
    }
    Ok((scorers, environment.stop))
}

impl Choice {
    /// What chooses among the answers to these calls, of so many rounds; `None` where nothing is scored.
    ///
    /// # Errors
    /// There is no such judge, the criteria cannot be read, or the judges cannot compare the answers.
    pub(super) fn new(
        context: &Context,
        args: &CompareArgs,
        (scorers, stop): (Vec<Weighted>, Stop),
        answers: &[Call],
    ) -> Result<Option<Self>, Error> {
        if scorers.is_empty() && args.judge.is_empty() {
            return Ok(None);
        }
        let criteria = judges::criteria(args.criteria.as_deref(), args.prompt.timeout.as_deref())?;
        let plan = if args.judge.is_empty() { None } else { Some(plan(context, args, answers)?) };
        Ok(Some(Self { scorers: Arc::new(scorers), stop, plan, criteria, shows_reasons: args.reasons }))
    }

    /// The judges' names, one for each time that one may be asked.
    pub(super) fn labels(&self) -> impl Iterator<Item = String> {
        self.plan.iter().flat_map(|plan| plan.labels().map(|judge| format!("judge {judge}")))
    }

    /// The schedule that asks the judges when these calls have ended, and calls like all of its own; `None` without judges.
    pub(super) fn schedule(&self, answers: &[Call]) -> Option<(JudgeSchedule, Vec<Call>)> {
        let (plan, first) = (self.plan.as_ref()?, answers.first()?);
        let task = Task {
            criteria: self.criteria.clone(),
            prompt: Arc::clone(&first.request),
            reference: None,
            nonce: fastrand::u64(..),
        };
        let like = answers.iter().chain(plan.calls()).cloned().collect();
        Some((JudgeSchedule::new(answers.to_vec(), plan.clone(), task), like))
    }

    /// What scorers and judges say of the answers, which are those of `rounds` rounds in the order of their calls. `judged` are
    /// the records of the judges, each with the index of its call after the answers.
    ///
    /// # Errors
    /// A signal arrived while a scorer was running.
    pub(super) fn choose(
        &self,
        records: &[Record],
        judged: &[(usize, Record)],
        rounds: usize,
        outcome: &Outcome,
        ending: &mut Ending<'_>,
    ) -> Result<Choosing, Error> {
        let mut parts = self.score(records, rounds, outcome, ending)?;
        let panel = self.plan.as_ref().map(|plan| plan.panel(records, judged, &self.criteria));
        if let Some(panel) = &panel {
            parts.iter_mut().zip(panel.parts(records)).for_each(|(parts, part)| parts.push(part));
        }
        let scored = parts.into_iter().map(Scored::new).collect();
        Ok(Choosing { scored, panel, shows_reasons: self.shows_reasons })
    }

    /// What the scorers say. Programs are run where a signal ends the wait for them.
    fn score(
        &self,
        records: &[Record],
        rounds: usize,
        outcome: &Outcome,
        ending: &mut Ending<'_>,
    ) -> Result<Vec<Vec<Part>>, Error> {
        if !self.scorers.iter().any(|scorer| scorer.scorer.is_slow()) {
            return Ok(score_rounds(&self.scorers, records, rounds));
        }
        if outcome.stopped.is_some() {
            let unknown = || self.scorers.iter().map(|scorer| scorer.unknown("the run was stopped")).collect();
            return Ok(records.iter().map(|_| unknown()).collect());
        }
        let (scorers, records) = (Arc::clone(&self.scorers), Arc::new(records.to_vec()));
        let scored = ending.unless_signalled(move || score_rounds(&scorers, &records, rounds));
        if scored.is_err() {
            self.stop.set();
            let deadline = Instant::now() + LIMIT_AFTER_SIGNAL;
            // The thread that scores holds them until it has killed its programs.
            while Arc::strong_count(&self.scorers) > 1 && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
        scored
    }
}

/// The scores of each round by itself: its answers compete with each other.
fn score_rounds(scorers: &[Weighted], records: &[Record], rounds: usize) -> Vec<Vec<Part>> {
    let models = (records.len() / rounds.max(1)).max(1);
    let of_round = |records: &[Record]| {
        let records: Vec<&Record> = records.iter().collect();
        score::score(scorers, &Answers { records: &records, expected: None })
    };
    records.chunks(models).flat_map(of_round).collect()
}

/// Who judges the answers to these calls.
fn plan(context: &Context, args: &CompareArgs, answers: &[Call]) -> Result<Plan, Error> {
    let first = answers.first();
    let template = CallTemplate {
        caller: first.map(|call| Arc::clone(&call.caller)).unwrap_or_default(),
        retries: args.prompt.retries,
        timeout: first.map(|call| call.limits.timeout).filter(|_| args.prompt.timeout.is_some()),
        ..CallTemplate::default()
    };
    let calls = judges::calls(context, &args.prompt.to, &args.judge, template)?;
    let rounds = args.repeat as usize;
    Plan::new(answers, calls, rounds, args.judge_own, &mut fastrand::Rng::new()).map_err(|why| {
        let hint = "name a judge that is not compared, or let judges score their own model with --judge-own";
        match why {
            Unjudgeable::Nobody(model) => judges::none_for(&model, hint),
            Unjudgeable::Apart => {
                Error::usage_hint("without their own models, the judges have no answers in common to compare", hint)
            }
        }
    })
}
