//! Sentences about costs that can be avoided, each with the rule by which it was found.

use super::format::count;
use super::usage::{percent, share};
use crate::ledger::{FailedAttempts, Group, Short, Usage};
use crate::money::Usd;

/// All sentences that the usage gives reason for.
pub(super) fn leaks(usage: &Usage) -> Vec<String> {
    let mut leaks = Vec::new();
    let total = &usage.total;
    if total.retry_cost > Usd::ZERO {
        let worst =
            usage.failed_attempts.iter().max_by_key(|failed| failed.cost).filter(|failed| failed.cost > Usd::ZERO);
        let worst = worst.map(|worst| format!(", most of it at {} ({})", target(worst), worst.cost));
        let least = if total.retry_cost_unknown > 0 { "≥" } else { "" };
        let worst = worst.unwrap_or_default();
        leaks.push(format!("{least}{} went into attempts that gave no answer{worst}", total.retry_cost));
    }
    leaks.extend(dear(usage));
    leaks.extend(premium(usage));
    let failed: u64 = usage.failed_attempts.iter().map(|failed| failed.count).sum();
    if failed > 0 && failed * 20 >= total.calls {
        let at = |failed: &FailedAttempts| format!("{} at {}", failed.count, target(failed));
        let worst: Vec<String> = usage.failed_attempts.iter().take(3).map(at).collect();
        leaks.push(format!(
            "{} failed and had to be made again or elsewhere (one for every twenty calls or more): {}",
            count(failed, "attempt", "attempts"),
            worst.join(", ")
        ));
    }
    if total.saved > Usd::ZERO {
        let own = if total.cached > 0 {
            format!("; llm's own answered {}", count(total.cached, "call", "calls"))
        } else {
            String::new()
        };
        let least = if total.saved_unknown > 0 { "≥" } else { "" };
        leaks.push(format!("caches saved {least}{}{own}", total.saved));
    }
    leaks
}

/// A sentence about the models that took far more of the cost than of the calls.
fn dear(usage: &Usage) -> Option<String> {
    let models = usage.models.iter().filter_map(|(model, group)| {
        let (cost, work) = (share(group, usage).unwrap_or(0.0), group.calls as f64 / usage.total.calls.max(1) as f64);
        let (cost_share, work_share) = (percent(Some(cost)), percent(Some(work)));
        (cost >= 0.3 && cost >= 3.0 * work)
            .then(|| format!("{model} took {cost_share} of the cost for {work_share} of the calls"))
    });
    let models: Vec<String> = models.collect();
    (!models.is_empty()).then(|| format!("{} (three times its share or more)", models.join(", ")))
}

/// A sentence about short tasks that were answered by models which cost far more than others that are used.
fn premium(usage: &Usage) -> Option<String> {
    // What a short call costs in picodollars, of models that had such calls and cost something.
    let each = |group: &Group| {
        let calls = i64::try_from(group.short.calls).ok().filter(|calls| *calls > 0)?;
        Some(group.short.cost.picos() / calls).filter(|picos| *picos > 0)
    };
    let mut priced: Vec<_> =
        usage.models.iter().filter_map(|(model, group)| Some((each(group)?, model, group))).collect();
    priced.sort_by_key(|(picos, model, _)| (*picos, *model));
    let mut dear: Vec<_> = usage
        .models
        .iter()
        .filter(|(_, group)| each(group).is_some())
        .filter_map(|(model, group)| {
            let (_, cheap, _) = priced.iter().find(|(_, _, other)| group.short.would_cost_a(5, &other.short))?;
            Some((model, &group.short, cheap.as_str()))
        })
        .collect();
    dear.sort_by_key(|(_, short, _)| std::cmp::Reverse(short.cost));
    let (_, _, cheap) = dear.first()?;
    let calls: u64 = dear.iter().map(|(_, short, _)| short.calls).sum();
    let cost: Usd = dear.iter().map(|(_, short, _)| short.cost).sum();
    let names: Vec<String> = dear
        .iter()
        .take(3)
        .map(|(model, short, _)| match dear.len() {
            1 => (*model).clone(),
            _ => format!("{model} ({})", short.cost),
        })
        .collect();
    let more = if dear.len() > 3 { format!(" and {} more", dear.len() - 3) } else { String::new() };
    Some(format!(
        "{} (at most {} tokens in and {} out) went to {}{more} for {cost}; at {cheap} the same tokens cost a \
         fifth of that or less",
        count(calls, "short call", "short calls"),
        Short::INPUT,
        Short::OUTPUT,
        names.join(", "),
    ))
}

fn target(failed: &FailedAttempts) -> String {
    format!("{}::{}", failed.gateway, failed.model)
}
