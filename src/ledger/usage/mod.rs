//! Sums and percentiles over recorded calls, read in one pass over small numbers.

mod dimension;
mod group;

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Result, params_from_iter};

use super::failed_attempts::{FailedAttempts, failed_attempts};
use super::read::{Condition, Filter};
use dimension::{Derived, NONE};
use group::{Figures, Growing};

pub use dimension::{Dimension, Maker};
pub use group::{Group, Percentiles, Short, TokenSum};

const DAY_MS: i64 = 86_400_000;

/// What was used, all in all and by group.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    pub total: Group,
    /// Dearest first; by day, in order.
    pub groups: Vec<Group>,
    /// By model, whatever the groups are: for advice.
    pub models: BTreeMap<String, Group>,
    /// By target, most first.
    pub failed_attempts: Vec<FailedAttempts>,
}

pub(super) fn usage(connection: &Connection, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage> {
    let names = names(connection)?;
    let Condition { sql, values } = filter.condition(connection)?;
    let sql = format!(
        "SELECT c.at_ms, c.gateway, c.model, c.key, c.task, c.tags, c.status, c.cached, c.attempts, c.fallbacks, c.input,
             c.cache_read, c.output, c.cost, c.origin, c.retry_cost, c.saved, c.first_token_us, c.total_us,
             c.maybe_billed, c.id
         FROM calls c{sql}"
    );
    let id_of = |word: &str| names.iter().find(|(_, name)| *name == word).map_or(NONE, |(id, _)| *id);
    let (ok, failed, refused, interrupted) = (id_of("ok"), id_of("failed"), id_of("refused"), id_of("interrupted"));
    let reported = id_of("reported");
    let mut derived = Derived::new(&names, by, maker);
    let (mut total, mut groups, mut models) =
        (Growing::default(), HashMap::<Vec<i64>, Growing>::new(), HashMap::<i64, Growing>::new());
    let (mut key, mut tried_again) = (Vec::with_capacity(by.len()), Vec::new());
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let id = |column: usize| row.get::<_, Option<i64>>(column).map(|id| id.unwrap_or(NONE));
        let count = |column: usize| {
            row.get::<_, Option<i64>>(column).map(|count| count.and_then(|count| u64::try_from(count).ok()))
        };
        let micros = |column: usize| count(column).map(|us| us.map(|us| u32::try_from(us).unwrap_or(u32::MAX)));
        let (at_ms, model, status): (i64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(6)?);
        let (input, output, maybe_billed) = (count(10)?, count(12)?, count(19)?);
        let is_failed = status == failed || status == refused;
        // What was interrupted before attempts were marked may have been at work.
        let is_idle = is_failed || (status == interrupted && maybe_billed.is_some());
        let maybe_billed = maybe_billed.is_some_and(|attempts| attempts > 0);
        let call = Figures {
            failed: is_failed,
            ok: status == ok,
            cost_nothing: is_idle && !maybe_billed && input.is_none() && output.is_none(),
            maybe_billed,
            cached: row.get(7)?,
            attempts: count(8)?.unwrap_or(0),
            fallbacks: count(9)?.unwrap_or(0),
            input,
            cache_read: count(11)?,
            output,
            cost: row.get(13)?,
            computed: id(14)? != reported,
            retry_cost: row.get::<_, Option<i64>>(15)?.unwrap_or(0),
            saved: row.get::<_, Option<i64>>(16)?.unwrap_or(0),
            first_token: micros(17)?,
            total: micros(18)?,
        };
        if call.attempts > 1 {
            tried_again.push(row.get(20)?);
        }
        key.clear();
        for (place, dimension) in by.iter().enumerate() {
            key.push(match dimension {
                Dimension::Day => at_ms.div_euclid(DAY_MS),
                Dimension::Gateway => id(1)?,
                Dimension::Model => model,
                Dimension::Provider => derived.maker(model),
                Dimension::Key => id(3)?,
                Dimension::Task => id(4)?,
                Dimension::Status => status,
                Dimension::Tag(_) => derived.tag(place, id(5)?),
            });
        }
        total.add(&call);
        match groups.get_mut(&key) {
            Some(group) => group.add(&call),
            None => groups.entry(key.clone()).or_default().add(&call),
        }
        models.entry(model).or_default().add(&call);
    }
    let name = |id: &i64| names.get(id).cloned();
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(key, group)| {
            let part = |(dimension, id): (&Dimension, &i64)| match dimension {
                Dimension::Day => Some(day(*id)),
                Dimension::Provider | Dimension::Tag(_) => derived.text(*id),
                _ => name(id),
            };
            Group { key: by.iter().zip(&key).map(part).collect(), ..group.done() }
        })
        .collect();
    let cost = |group: &Group| std::cmp::Reverse(group.cost.usd);
    match by.iter().position(|dimension| *dimension == Dimension::Day) {
        Some(place) => groups.sort_by(|a, b| (&a.key[place], cost(a), &a.key).cmp(&(&b.key[place], cost(b), &b.key))),
        None => groups.sort_by(|a, b| (cost(a), b.calls, &a.key).cmp(&(cost(b), a.calls, &b.key))),
    }
    let models = models.into_iter().filter_map(|(id, group)| Some((name(&id)?, group.done()))).collect();
    let failed_attempts = failed_attempts(connection, &tried_again, name)?;
    Ok(Usage { total: total.done(), groups, models, failed_attempts })
}

fn names(connection: &Connection) -> Result<HashMap<i64, String>> {
    connection.prepare("SELECT id, name FROM names")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn day(number: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(number.saturating_mul(DAY_MS));
    at.map_or_else(|_| number.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}
