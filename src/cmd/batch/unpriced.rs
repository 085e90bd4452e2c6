//! What earlier runs of a batch may have cost, where nobody told it. `--max-cost` counts the most that it can be, as it does while
//! a run goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judging::Judging;
use super::make::CallMaker;
use super::plan::{BatchPlan, PlannedWork};
use crate::batch::Cook;
use crate::call::{Call, Choice, Target};
use crate::cmd::Context;
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::jobs::LostTries;
use crate::money::Usd;
use crate::policy::SpendingLimits;
use crate::resolve::Resolver;
use crate::run::pricing;

/// What of earlier runs has no known cost.
pub(super) struct Unknown<'a> {
    /// The names of the models by their places, with those that are not asked any more.
    pub(super) models: &'a [String],
    /// The lines with a try of unknown cost, by row and place of the model.
    pub(super) lines: Vec<(u64, usize)>,
    /// How many further tries have an unknown cost.
    pub(super) others: usize,
    /// The tries without an answer, those of lines among them, as far as the ledger has them.
    pub(super) lost: &'a [LostTries],
}

/// Takes the most that tries of unknown cost may have cost from `--max-cost`. `samples` are calls of the batch, and `judging` has
/// its judges.
///
/// # Errors
/// A limit could not be kept.
pub(super) fn reserve(
    (context, resolver): (&Context, &Resolver<'_>),
    plan: &BatchPlan,
    maker: &mut CallMaker<'_>,
    (samples, judging): (&[Call], Option<&Judging>),
    Unknown { models, lines: mut unpriced, others, lost }: Unknown<'_>,
) -> Result<(), Error> {
    let limit = samples.first().and_then(|call| call.caller.max_cost.clone());
    let (Some(limit), true) = (limit, !unpriced.is_empty() || others > 0) else { return Ok(()) };
    let PlannedWork::Models(routes) = &plan.work else {
        let message = "--max-cost cannot be kept: nobody knows what answers of earlier runs of this batch have cost";
        let failure = Failure::new(FailureKind::Refused, message);
        return Err(Error::Call(
            failure.with_advice("without --max-cost, the batch goes on; budgets of the config hold"),
        ));
    };
    // The models that are not asked any more, which have the places after the others.
    let places = unpriced.iter().map(|(_, place)| *place).filter(|place| *place >= routes.len());
    let gone = places.map(|place| Ok((place, resolver.model(&models[place])?)));
    let gone = gone.collect::<Result<BTreeMap<_, _>, Error>>()?;
    let of_gone = gone.values().flat_map(|route| route.route.targets());
    // A gateway that the config does not have any more has no price.
    let known = |lost: &&LostTries| context.settings.gateway(&lost.gateway).is_ok();
    let lost: Vec<(Target, usize)> = lost
        .iter()
        .filter(known)
        .map(|lost| (Target { gateway: lost.gateway.clone(), model: lost.model.clone() }, lost.tries))
        .collect();
    let of_lost = lost.iter().map(|(target, _)| target);
    let limits = limits(
        context,
        samples
            .iter()
            .chain(judging.iter().flat_map(|judging| judging.calls()))
            .flat_map(Call::targets)
            .chain(of_gone)
            .chain(of_lost),
    )?;
    unpriced.sort_unstable();
    let mut spent = Usd::ZERO;
    // What has no line may be of any row.
    let mut most_others: Option<Result<Usd, Error>> = None;
    let mut cook = Cook::new(&plan.recipe)?;
    let mut rows = plan.source.rows()?;
    let mut unpriced = unpriced.into_iter().peekable();
    while unpriced.peek().is_some() || others > 0 {
        let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))? else { break };
        let is_wanted = unpriced.peek().is_some_and(|(number, _)| *number == row.number);
        if !is_wanted && others == 0 {
            continue;
        }
        let (info, asked) = cook.cook(&row);
        let mut call = |place: usize| match &asked {
            Ok(asked) => {
                let route = routes.get(place).unwrap_or_else(|| &gone[&place]);
                // The call is not sent, so its key is the same as that of another one.
                let place = place.min(routes.len() - 1);
                maker.call(&info, maker.request(asked.clone()), place, route).map(Some)
            }
            Err(_) => Ok::<Option<Call>, Error>(None),
        };
        if others > 0 {
            // A row that cannot be used has no calls.
            let calls = (0..routes.len()).filter_map(|place| call(place).transpose()).collect::<Result<Vec<_>, _>>()?;
            let most = most_of_others(&limits, calls, judging, others, &lost).transpose();
            most_others = match (most_others, most) {
                (Some(Ok(a)), Some(Ok(b))) => Some(Ok(a.max(b))),
                // What cannot be priced was not sent where there was a limit.
                (Some(Ok(most)), _) | (_, Some(Ok(most))) => Some(Ok(most)),
                (unknown, also_unknown) => unknown.or(also_unknown),
            };
        }
        while let Some((_, place)) = unpriced.next_if(|(number, _)| *number == row.number) {
            spent += call(place)?.map_or(Ok(Usd::ZERO), |call| dearest_choice(&limits, &call))?;
        }
    }
    limit.settle(Usd::ZERO, spent + most_others.transpose()?.unwrap_or(Usd::ZERO));
    Ok(())
}

/// The most that a call may have cost, whichever of its models has answered it.
///
/// # Errors
/// What one of them may cost is not known.
fn dearest_choice(limits: &SpendingLimits, call: &Call) -> Result<Usd, Error> {
    let alone = |choice: &Choice| limits.most(&Call { choices: vec![choice.clone()], ..call.clone() });
    let prices = call.choices.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
    Ok(prices.into_iter().max().unwrap_or(Usd::ZERO))
}

/// The most that so many tries may have cost that are like these `calls` of a row, or verdicts on their answers. `None` where the row has
/// no calls.
///
/// # Errors
/// What one of them may cost is not known.
fn most_of_others(
    limits: &SpendingLimits,
    mut calls: Vec<Call>,
    judging: Option<&Judging>,
    others: usize,
    lost: &[(Target, usize)],
) -> Result<Option<Usd>, Error> {
    let Some(sample) = calls.first().cloned() else { return Ok(None) };
    let judges = judging.map(|judging| judging.calls_about(&sample.request)).unwrap_or_default();
    calls.extend_from_slice(&judges);
    let prices = calls.iter().map(|call| limits.most(call)).collect::<Result<Vec<_>, _>>()?;
    let dearest = prices.into_iter().max().unwrap_or(Usd::ZERO);
    let of_lost = lost.iter().map(|(target, tries)| {
        let alone = |call: &Call| Call { choices: vec![Choice::from(target.clone())], ..call.clone() };
        let is_judge = |judge: &&Call| judge.targets().any(|other| other == target);
        let asked = std::iter::once(&sample).chain(judges.iter().filter(is_judge)).map(alone);
        let prices = asked.map(|call| limits.most(&call)).collect::<Result<Vec<_>, _>>().ok();
        (prices.and_then(|prices| prices.into_iter().max()).unwrap_or(dearest), *tries)
    });
    Ok(Some(dearest_of(others, of_lost.collect(), dearest)))
}

/// The most that so many tries may have cost, of which those in `lost` have these prices, and all others the usual one. Which of those in
/// `lost` they are is not known.
fn dearest_of(tries: usize, mut lost: Vec<(Usd, usize)>, usual: Usd) -> Usd {
    lost.sort_unstable_by_key(|(price, _)| std::cmp::Reverse(*price));
    let (mut left, mut sum) = (tries, Usd::ZERO);
    for (price, tries) in lost {
        let tries = tries.min(left);
        left -= tries;
        sum += all_of(price, tries);
    }
    sum + all_of(usual, left)
}

/// What so many calls may have cost, of which each may have cost `most`. What is too large is the largest amount.
fn all_of(most: Usd, calls: usize) -> Usd {
    most.times(calls as u64).unwrap_or(Usd::from_picos(i64::MAX))
}

/// What knows the prices of these models.
fn limits<'t>(context: &Context, targets: impl Iterator<Item = &'t Target>) -> Result<SpendingLimits, Error> {
    let names = targets.map(|target| &target.gateway);
    let gateways = names.map(|name| Ok((name.clone(), context.settings.gateway(name)?)));
    let gateways = gateways.collect::<Result<BTreeMap<_, _>, Error>>()?;
    let pricing = Arc::new(pricing(&context.settings, gateways.contains_key("demo")));
    let (budgets, allow, keys) = Default::default();
    Ok(SpendingLimits { budgets, allow, gateways, keys, pricing, store: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_have_the_prices_of_the_models_that_may_have_been_billed() {
        let usd = Usd::from_picos;
        let lost = || vec![(usd(1), 3), (usd(50), 1)];
        assert_eq!(dearest_of(0, lost(), usd(7)), Usd::ZERO);
        assert_eq!(dearest_of(1, lost(), usd(7)), usd(50));
        assert_eq!(dearest_of(3, lost(), usd(7)), usd(52));
        assert_eq!(dearest_of(6, lost(), usd(7)), usd(53 + 2 * 7));
    }

    #[test]
    fn what_calls_may_have_cost_is_never_nothing_because_it_is_too_much() {
        let most = Usd::from_picos(i64::MAX / 2);
        assert_eq!(all_of(most, 0), Usd::ZERO);
        assert_eq!(all_of(most, 2), Usd::from_picos(i64::MAX - 1));
        assert_eq!(all_of(most, 3), Usd::from_picos(i64::MAX));
    }
}
