//! What earlier runs of a batch may have cost, where nobody told it. `--max-cost` counts the most that it can be, as it does while
//! a run goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::make::CallMaker;
use super::plan::{BatchPlan, PlannedWork};
use crate::batch::Cook;
use crate::call::{Call, Choice, Target};
use crate::cmd::Context;
use crate::error::{Error, Failure, FailureKind};
use crate::money::Usd;
use crate::policy::SpendingLimits;
use crate::resolve::Resolver;
use crate::run::pricing;

/// Takes the most that calls of unknown cost may have cost from `--max-cost`. They are known by row and place of the model,
/// and `others` of them have no line. `models` are the names by their places, with those that are not asked any more. `samples` are
/// calls of the batch.
///
/// # Errors
/// A limit could not be kept.
pub(super) fn reserve(
    (context, resolver): (&Context, &Resolver<'_>),
    plan: &BatchPlan,
    maker: &mut CallMaker<'_>,
    samples: &[Call],
    (models, mut unpriced, others): (&[String], Vec<(u64, usize)>, usize),
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
    let limits = limits(context, samples.iter().flat_map(Call::targets).chain(of_gone))?;
    unpriced.sort_unstable();
    let mut spent = Usd::ZERO;
    // What has no line is as dear as the first row.
    let mut usual = (others == 0).then_some(Usd::ZERO);
    let mut cook = Cook::new(&plan.recipe)?;
    let mut rows = plan.source.rows()?;
    let mut unpriced = unpriced.into_iter().peekable();
    while unpriced.peek().is_some() || usual.is_none() {
        let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))? else { break };
        let is_wanted = unpriced.peek().is_some_and(|(number, _)| *number == row.number);
        if !is_wanted && usual.is_some() {
            continue;
        }
        let (info, asked) = cook.cook(&row);
        let mut most = |place: usize| match &asked {
            Ok(asked) => {
                let route = routes.get(place).unwrap_or_else(|| &gone[&place]);
                // The call is not sent, so its key is the same as that of another one.
                let place = place.min(routes.len() - 1);
                most_of_all(&limits, maker.call(&info, maker.request(asked.clone()), place, route)?)
            }
            Err(_) => Ok::<Usd, Error>(Usd::ZERO),
        };
        if usual.is_none() {
            usual = (0..routes.len()).map(&mut most).collect::<Result<Vec<_>, _>>()?.into_iter().max();
        }
        while let Some((_, place)) = unpriced.next_if(|(number, _)| *number == row.number) {
            spent += most(place)?;
        }
    }
    spent += usual.map_or(Usd::ZERO, |most| all_of(most, others));
    limit.settle(Usd::ZERO, spent);
    Ok(())
}

/// The most that this call may have cost with any of its models. A fallback of unknown price was not asked: the limit forbade it.
///
/// # Errors
/// What it may cost with the first one is not known.
fn most_of_all(limits: &SpendingLimits, call: Call) -> Result<Usd, Error> {
    let first = limits.most(&call)?;
    let alone = |choice: &Choice| Call { choices: vec![choice.clone()], ..call.clone() };
    let others = call.choices.iter().skip(1).filter_map(|choice| limits.most(&alone(choice)).ok());
    Ok(others.fold(first, Usd::max))
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
    fn what_calls_may_have_cost_is_never_nothing_because_it_is_too_much() {
        let most = Usd::from_picos(i64::MAX / 2);
        assert_eq!(all_of(most, 0), Usd::ZERO);
        assert_eq!(all_of(most, 2), Usd::from_picos(i64::MAX - 1));
        assert_eq!(all_of(most, 3), Usd::from_picos(i64::MAX));
    }
}
