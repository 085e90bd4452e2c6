//! Sums and percentiles over recorded calls, read in one pass over small numbers.

mod dimension;
mod group;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use rusqlite::{Connection, Result, params_from_iter};

use super::failed_attempts::{FailedAttempts, FailedByTarget};
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
    c.id, c.run, CASE WHEN c.attempts > 1 THEN (SELECT count(*) FROM attempts a
        WHERE a.call = c.id AND a.cost IS NULL AND coalesce(a.maybe_billed, 0) > 0
            AND a.place < (SELECT max(place) FROM attempts WHERE call = c.id)) END";

/// What calls used, as it grows. They may be in several databases, one after the other.
pub(super) struct Sums<'a> {
    by: &'a [Dimension],
    maker: Maker,
    total: Growing,
    groups: Table<Vec<Option<String>>>,
    models: Table<String>,
    failed_attempts: FailedByTarget,
}

impl<'a> Sums<'a> {
    pub(super) fn new(by: &'a [Dimension], maker: Maker) -> Self {
        let (groups, models) = (Table::default(), Table::default());
        Self { by, maker, total: Growing::default(), groups, models, failed_attempts: FailedByTarget::default() }
    }

    /// Adds the calls of a database that fit.
    pub(super) fn add(&mut self, connection: &Connection, filter: &Filter) -> Result<()> {
        let names = names(connection)?;
        let Condition { sql, values } = filter.condition(connection)?;
        let reader = Reader::new(connection, &names)?;
        let mut derived = Derived::new(&names, self.by, self.maker);
        // Each database has numbers of its own for names.
        let (mut groups, mut models) = (HashMap::<Vec<i64>, usize>::new(), HashMap::<i64, usize>::new());
        let (mut key, mut tried_again) = (Vec::with_capacity(self.by.len()), Vec::new());
        let mut select = connection.prepare(&format!("SELECT {COLUMNS} FROM calls c{sql}"))?;
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let call = reader.figures(row)?;
            if call.attempts > 1 {
                tried_again.push(row.get(20)?);
            }
            key.clear();
            for (place, dimension) in self.by.iter().enumerate() {
                key.push(value(row, place, dimension, &mut derived)?);
            }
            self.total.add(&call);
            let group = match groups.get(&key) {
                Some(place) => *place,
                None => {
                    let place = self.groups.place(texts(&key, self.by, &derived, &names));
                    groups.insert(key.clone(), place);
                    place
                }
            };
            self.groups.sums[group].add(&call);
            let model: i64 = row.get(2)?;
            let place = *models
                .entry(model)
                .or_insert_with(|| self.models.place(names.get(&model).cloned().unwrap_or_default()));
            self.models.sums[place].add(&call);
        }
        self.failed_attempts.add(connection, &tried_again, |id| names.get(id).cloned())
    }

    pub(super) fn done(self) -> Usage {
        Usage {
            total: self.total.done(),
            groups: sorted(self.groups, self.by),
            models: self.models.done().collect(),
            failed_attempts: self.failed_attempts.done(),
        }
    }
}

/// Sums by what the calls have in common.
struct Table<K> {
    places: HashMap<K, usize>,
    sums: Vec<Growing>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { places: HashMap::new(), sums: Vec::new() }
    }
}

impl<K: Eq + Hash> Table<K> {
    /// Where the sums are for this key.
    fn place(&mut self, key: K) -> usize {
        let next = self.sums.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.sums.push(Growing::default());
        }
        place
    }

    fn done(mut self) -> impl Iterator<Item = (K, Group)> {
        self.places.into_iter().map(move |(key, place)| (key, std::mem::take(&mut self.sums[place]).done()))
    }
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
            is_retry_cost_unknown: count(22)?.is_some_and(|attempts| attempts > 0),
            saved: row.get(16)?,
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

/// The values of a key as text.
fn texts(key: &[i64], by: &[Dimension], derived: &Derived<'_>, names: &HashMap<i64, String>) -> Vec<Option<String>> {
    let part = |(dimension, id): (&Dimension, &i64)| match dimension {
        Dimension::Day => Some(day(*id)),
        Dimension::Provider | Dimension::Tag(_) => derived.text(*id),
        _ => names.get(id).cloned(),
    };
    by.iter().zip(key).map(part).collect()
}

/// The groups, the dearest first; by day, in order.
fn sorted(groups: Table<Vec<Option<String>>>, by: &[Dimension]) -> Vec<Group> {
    let mut groups: Vec<Group> = groups.done().map(|(key, group)| Group { key, ..group }).collect();
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
