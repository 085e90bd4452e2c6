//! What earlier runs of a batch may have cost, where the account of its job does not say it. `--max-cost` counts the most that it can
//! be, as it does while a run goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judging::Judging;
use super::make::CallMaker;
use super::plan::{BatchPlan, PlannedWork};
use crate::batch::Cook;
use crate::call::{Call, Choice, Target};
use crate::cmd::Context;
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::jobs::UnknownTries;
use crate::money::Usd;
use crate::policy::SpendingLimits;
use crate::resolve::Resolver;
use crate::route::NamedRoute;
use crate::run::pricing;

/// What earlier runs have cost.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// What is known of the calls that the ledger has.
    pub(super) recorded: Usd,
    /// Those of their tries whose cost is not known.
    pub(super) tries: Vec<UnknownTries>,
    /// What is known of the lines whose calls the ledger does not have.
    pub(super) elsewhere: Usd,
    /// Those of these lines whose cost is not known.
    pub(super) lines: Vec<UnknownLine>,
}

/// A line whose cost is not known.
#[derive(Debug)]
pub(super) struct UnknownLine {
    /// The number of the row.
    pub(super) row: u64,
    /// The place of the model.
    pub(super) place: usize,
    /// The models that were tried at a cost that is not known, once for each try.
    pub(super) tries: Vec<Target>,
    /// Whether the cost of the answer is not known, and neither which model has given it.
    pub(super) answer: bool,
    /// Whether the cost of its verdicts is not known.
    pub(super) verdicts: bool,
}

/// The most that earlier runs may have cost.
#[derive(Debug, Default)]
pub(super) struct Most {
    /// The calls that the ledger has.
    pub(super) recorded: Usd,
    /// The lines of other calls.
    pub(super) elsewhere: Usd,
}

/// What may be needed to price a call of an earlier run: calls of the batch, and its judges.
pub(super) struct Pricing<'a> {
    pub(super) context: &'a Context,
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) plan: &'a BatchPlan,
    /// The names of the models by their places, with those that are not asked any more.
    pub(super) models: &'a [String],
    pub(super) samples: &'a [Call],
    pub(super) judging: Option<&'a Judging>,
}

impl Pricing<'_> {
    /// The most that earlier runs may have cost.
    ///
    /// # Errors
    /// That is not known.
    pub(super) fn most(&self, maker: &mut CallMaker<'_>, earlier: &Earlier) -> Result<Most, Error> {
        let mut most = Most { recorded: earlier.recorded, elsewhere: earlier.elsewhere };
        if earlier.tries.is_empty() && earlier.lines.is_empty() {
            return Ok(most);
        }
        let PlannedWork::Models(routes) = &self.plan.work else {
            let message =
                "--max-cost cannot be kept: nobody knows what answers of earlier runs of this batch have cost";
            let failure = Failure::new(FailureKind::Refused, message);
            return Err(Error::Call(
                failure.with_advice("without --max-cost, the batch goes on; budgets of the config hold"),
            ));
        };
        let gone = self.gone(routes.len(), &earlier.lines)?;
        let limits = self.limits(gone.values(), earlier)?;
        let mut tries: BTreeMap<u64, Vec<&UnknownTries>> = BTreeMap::new();
        earlier.tries.iter().for_each(|unknown| tries.entry(unknown.row).or_default().push(unknown));
        let mut lines: BTreeMap<u64, Vec<&UnknownLine>> = BTreeMap::new();
        earlier.lines.iter().for_each(|line| lines.entry(line.row).or_default().push(line));
        let mut cook = Cook::new(&self.plan.recipe)?;
        let mut rows = self.plan.source.rows()?;
        while !(tries.is_empty() && lines.is_empty()) {
            let Some(row) = rows.read().map_err(|source| self.plan.source.unreadable(source))? else { break };
            let (tries, lines) = (tries.remove(&row.number), lines.remove(&row.number));
            if tries.is_none() && lines.is_none() {
                continue;
            }
            // A row that cannot be used has no calls.
            let (info, Ok(asked)) = cook.cook(&row) else { continue };
            let mut call = |place: usize| {
                let route = routes.get(place).unwrap_or_else(|| &gone[&place]);
                // The call is not sent, so its key is the same as that of another one.
                let place = place.min(routes.len() - 1);
                maker.call(&info, maker.request(asked.clone()), place, route)
            };
            let answer = call(0)?;
            let is_judged = |tried: &&UnknownTries| tried.is_judge;
            let needs_verdicts =
                tries.iter().flatten().any(is_judged) || lines.iter().flatten().any(|line| line.verdicts);
            let judging = self.judging.filter(|_| needs_verdicts);
            let verdicts = judging.map(|judging| judging.calls_about(&answer.request)).unwrap_or_default();
            for unknown in tries.into_iter().flatten() {
                let target = Target { gateway: unknown.gateway.clone(), model: unknown.model.clone() };
                // Judges that are asked no more were asked as any of these.
                let is_asked = |call: &&Call| call.targets().any(|other| *other == target);
                let verdict = verdicts.iter().find(is_asked).or(verdicts.first()).filter(|_| unknown.is_judge);
                let each = of_try(&limits, target, verdict.unwrap_or(&answer))?;
                most.recorded += each.times(unknown.tries).unwrap_or(Usd::from_picos(i64::MAX));
            }
            for line in lines.into_iter().flatten() {
                let asked = call(line.place)?;
                for target in &line.tries {
                    most.elsewhere += of_try(&limits, target.clone(), &asked)?;
                }
                if line.answer {
                    most.elsewhere += dearest(&limits, &asked)?;
                }
                for verdict in verdicts.iter().filter(|_| line.verdicts) {
                    most.elsewhere += dearest(&limits, verdict)?;
                }
            }
        }
        Ok(most)
    }

    /// The models of lines that are not asked any more, which have the places after the others.
    fn gone(&self, asked: usize, lines: &[UnknownLine]) -> Result<BTreeMap<usize, NamedRoute>, Error> {
        let places = lines.iter().map(|line| line.place).filter(|place| *place >= asked);
        places.map(|place| Ok((place, self.resolver.model(&self.models[place])?))).collect()
    }

    /// What knows the prices of the models.
    fn limits<'t>(
        &self,
        gone: impl Iterator<Item = &'t NamedRoute>,
        earlier: &Earlier,
    ) -> Result<SpendingLimits, Error> {
        let settings = &self.context.settings;
        let judges = self.judging.iter().flat_map(|judging| judging.calls());
        let targets = self.samples.iter().chain(judges).flat_map(Call::targets);
        let targets = targets.chain(gone.flat_map(|route| route.route.targets())).map(|target| &target.gateway);
        let gateways = targets.map(|name| Ok((name.clone(), settings.gateway(name)?)));
        let mut gateways = gateways.collect::<Result<BTreeMap<_, _>, Error>>()?;
        let of_lines = earlier.lines.iter().flat_map(|line| &line.tries).map(|target| &target.gateway);
        let tried = earlier.tries.iter().map(|tried| &tried.gateway).chain(of_lines);
        // A gateway that the config does not have any more has no price.
        gateways.extend(tried.filter_map(|name| Some((name.clone(), settings.gateway(name).ok()?))));
        let pricing = Arc::new(pricing(settings, gateways.contains_key("demo")));
        let (budgets, allow, keys) = Default::default();
        Ok(SpendingLimits { budgets, allow, gateways, keys, pricing, store: None })
    }
}

/// The most that a try of this model may have cost, in a call like the one that was `asked`.
///
/// # Errors
/// That is not known.
fn of_try(limits: &SpendingLimits, target: Target, asked: &Call) -> Result<Usd, Error> {
    let alone = Call { choices: vec![Choice::from(target)], ..asked.clone() };
    limits.most(&alone).map_or_else(|_| dearest(limits, asked), Ok)
}

/// The most that a call may have cost, whichever of its models has answered it.
///
/// # Errors
/// What one of them may cost is not known.
fn dearest(limits: &SpendingLimits, call: &Call) -> Result<Usd, Error> {
    let alone = |choice: &Choice| limits.most(&Call { choices: vec![choice.clone()], ..call.clone() });
    let prices = call.choices.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
    Ok(prices.into_iter().max().unwrap_or(Usd::ZERO))
}
