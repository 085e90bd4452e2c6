//! Sums and percentiles over recorded calls, read in one pass over small numbers.

mod dimension;
mod group;

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, Result, params_from_iter};

use super::failed_attempts::{FailedAttempts, failed_attempts};
use super::read::{Condition, Filter};
use super::speed::MEASURING;
use dimension::{Derived, NONE};
use group::{Figures, Growing};

pub use dimension::{Dimension, Maker};
pub use group::{Group, Percentiles, Short, TokenSum};

const DAY_MS: i64 = 86_400_000;

/// What was used, all in all and by group.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// The sums of all calls.
    pub total: Group,
    /// The dearest first; by day, in order.
    pub groups: Vec<Group>,
    /// The sums of each model, whatever the groups are: for advice.
    pub models: BTreeMap<String, Group>,
    /// By target, the most first.
    pub failed_attempts: Vec<FailedAttempts>,
}

/// What is read of each call; [`Reader`] knows the places.
const COLUMNS: &str = "c.at_ms, c.gateway, c.model, c.key, c.task, c.tags, c.status, c.cached, c.attempts, c.fallbacks,
    c.input, c.cache_read, c.output, c.cost, c.origin, c.retry_cost, c.saved, c.first_token_us, c.total_us, c.maybe_billed,
    c.id, c.run";

pub(super) fn usage(connection: &Connection, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage> {
    let names = names(connection)?;
    let Condition { sql, values } = filter.condition(connection)?;
    let reader = Reader::new(connection, &names)?;
    let mut derived = Derived::new(&names, by, maker);
    let (mut total, mut groups, mut models) =
        (Growing::default(), HashMap::<Vec<i64>, Growing>::new(), HashMap::<i64, Growing>::new());
    let (mut key, mut tried_again) = (Vec::with_capacity(by.len()), Vec::new());
    let mut select = connection.prepare(&format!("SELECT {COLUMNS} FROM calls c{sql}"))?;
    let mut rows = select.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let call = reader.figures(row)?;
        if call.attempts > 1 {
            tried_again.push(row.get(20)?);
        }
        key.clear();
        for (place, dimension) in by.iter().enumerate() {
            key.push(value(row, place, dimension, &mut derived)?);
        }
        total.add(&call);
        match groups.get_mut(&key) {
            Some(group) => group.add(&call),
            None => groups.entry(key.clone()).or_default().add(&call),
        }
        models.entry(row.get(2)?).or_default().add(&call);
    }
    let name = |id: &i64| names.get(id).cloned();
    let models = models.into_iter().filter_map(|(id, group)| Some((name(&id)?, group.done()))).collect();
    let failed_attempts = failed_attempts(connection, &tried_again, name)?;
    Ok(Usage { total: total.done(), groups: sorted(groups, by, &derived, name), models, failed_attempts })
}

/// The ids of the words by which calls are told apart.
struct Reader {
    /// The runs of commands that measure models.
    measuring: HashSet<i64>,
    ok: i64,
    failed: i64,
    refused: i64,
    interrupted: i64,
    reported: i64,
}

impl Reader {
    fn new(connection: &Connection, names: &HashMap<i64, String>) -> Result<Self> {
        let mut select = connection.prepare(&format!("SELECT id FROM runs WHERE command IN {MEASURING}"))?;
        let measuring = select.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
        let id_of = |word: &str| names.iter().find(|(_, name)| *name == word).map_or(NONE, |(id, _)| *id);
        Ok(Self {
            measuring,
            ok: id_of("ok"),
            failed: id_of("failed"),
            refused: id_of("refused"),
            interrupted: id_of("interrupted"),
            reported: id_of("reported"),
        })
    }

    /// The numbers of a call, of a row with [`COLUMNS`].
    fn figures(&self, row: &rusqlite::Row<'_>) -> Result<Figures> {
        let count = |column: usize| {
            row.get::<_, Option<i64>>(column).map(|count| count.and_then(|count| u64::try_from(count).ok()))
        };
        let micros = |column: usize| count(column).map(|us| us.map(|us| u32::try_from(us).unwrap_or(u32::MAX)));
        let status: i64 = row.get(6)?;
        let (input, output, maybe_billed) = (count(10)?, count(12)?, count(19)?);
        let is_failed = status == self.failed || status == self.refused;
        // A call that was interrupted before attempts were marked may have made a model work.
        let is_idle = is_failed || (status == self.interrupted && maybe_billed.is_some());
        let maybe_billed = maybe_billed.is_some_and(|attempts| attempts > 0);
        Ok(Figures {
            failed: is_failed,
            ok: status == self.ok,
            cost_nothing: is_idle && !maybe_billed && input.is_none() && output.is_none(),
            maybe_billed,
            cached: row.get(7)?,
            measuring: self.measuring.contains(&row.get(21)?),
            attempts: count(8)?.unwrap_or(0),
            fallbacks: count(9)?.unwrap_or(0),
            input,
            cache_read: count(11)?,
            output,
            cost: row.get(13)?,
            computed: id(row, 14)? != self.reported,
            retry_cost: row.get::<_, Option<i64>>(15)?.unwrap_or(0),
            saved: row.get::<_, Option<i64>>(16)?.unwrap_or(0),
            first_token: micros(17)?,
            total: micros(18)?,
        })
    }
}

fn id(row: &rusqlite::Row<'_>, column: usize) -> Result<i64> {
    row.get::<_, Option<i64>>(column).map(|id| id.unwrap_or(NONE))
}

/// What a call is grouped under by this dimension, which is the one at `place`.
fn value(row: &rusqlite::Row<'_>, place: usize, dimension: &Dimension, derived: &mut Derived<'_>) -> Result<i64> {
    Ok(match dimension {
        Dimension::Day => row.get::<_, i64>(0)?.div_euclid(DAY_MS),
        Dimension::Gateway => id(row, 1)?,
        Dimension::Model => id(row, 2)?,
        Dimension::Provider => derived.maker(id(row, 2)?),
        Dimension::Key => id(row, 3)?,
        Dimension::Task => id(row, 4)?,
        Dimension::Status => id(row, 6)?,
        Dimension::Tag(_) => derived.tag(place, id(row, 5)?),
    })
}

/// The groups with their values as text, the dearest first; by day, in order.
fn sorted(
    groups: HashMap<Vec<i64>, Growing>,
    by: &[Dimension],
    derived: &Derived<'_>,
    name: impl Fn(&i64) -> Option<String>,
) -> Vec<Group> {
    let part = |(dimension, id): (&Dimension, &i64)| match dimension {
        Dimension::Day => Some(day(*id)),
        Dimension::Provider | Dimension::Tag(_) => derived.text(*id),
        _ => name(id),
    };
    let named =
        |(key, group): (Vec<i64>, Growing)| Group { key: by.iter().zip(&key).map(part).collect(), ..group.done() };
    let mut groups: Vec<Group> = groups.into_iter().map(named).collect();
    let cost = |group: &Group| std::cmp::Reverse(group.cost.usd);
    match by.iter().position(|dimension| *dimension == Dimension::Day) {
        Some(place) => groups.sort_by(|a, b| (&a.key[place], cost(a), &a.key).cmp(&(&b.key[place], cost(b), &b.key))),
        None => groups.sort_by(|a, b| (cost(a), b.calls, &a.key).cmp(&(cost(b), a.calls, &b.key))),
    }
    groups
}

fn names(connection: &Connection) -> Result<HashMap<i64, String>> {
    connection.prepare("SELECT id, name FROM names")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn day(number: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(number.saturating_mul(DAY_MS));
    at.map_or_else(|_| number.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}
