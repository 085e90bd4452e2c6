//! Sums and percentiles over recorded calls, read in one pass over small numbers.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Result, params_from_iter};

use super::read::{Condition, Filter};
use crate::money::Usd;
use crate::record::TotalCost;

const DAY_MS: i64 = 86_400_000;

/// What calls can be grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// The model that answered, or was tried last.
    Model,
    Gateway,
    /// Who made the model, as its name says.
    Provider,
    Key,
    Task,
    /// UTC.
    Day,
    Status,
    /// The value of this tag.
    Tag(String),
}

impl Dimension {
    /// The dimension of this name.
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "model" => Self::Model,
            "gateway" => Self::Gateway,
            "provider" => Self::Provider,
            "key" => Self::Key,
            "task" => Self::Task,
            "day" => Self::Day,
            "status" => Self::Status,
            _ => Self::Tag(word.strip_prefix("tag:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Model => "model",
            Self::Gateway => "gateway",
            Self::Provider => "provider",
            Self::Key => "key",
            Self::Task => "task",
            Self::Day => "day",
            Self::Status => "status",
            Self::Tag(name) => name,
        }
    }
}

/// What was used, all in all and by group.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    pub total: Group,
    /// Dearest first; by day, in order.
    pub groups: Vec<Group>,
    /// By model, whatever the groups are: for advice.
    pub models: BTreeMap<String, Group>,
}

/// The sums of some calls.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// One for each dimension; `None` where the call has none.
    pub key: Vec<Option<String>>,
    pub calls: u64,
    /// Without an answer.
    pub failed: u64,
    /// With a part of one: truncated or interrupted.
    pub partial: u64,
    /// Attempts after the first, at the same target.
    pub retries: u64,
    /// Attempts at another target than the one before.
    pub fallbacks: u64,
    /// Answered from our own cache.
    pub cached: u64,
    /// Sums of the counts that are known.
    pub input: u64,
    pub cache_read: u64,
    pub output: u64,
    pub cost: TotalCost,
    /// Part of the cost that went into failed attempts.
    pub retry_cost: Usd,
    /// What reading the provider's cache saved.
    pub saved: Usd,
    pub first_token: Option<Percentiles>,
    pub total: Option<Percentiles>,
    pub short: Short,
}

/// Calls that any model could have answered: short prompts with short answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Short {
    pub calls: u64,
    pub cost: Usd,
}

impl Short {
    /// At most so many tokens in, and out.
    pub const INPUT: u64 = 500;
    pub const OUTPUT: u64 = 150;
}

/// Microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    pub median: u64,
    pub p95: u64,
}

impl Percentiles {
    /// Of the nearest rank; `None` of nothing.
    fn of(mut values: Vec<u32>) -> Option<Self> {
        let last = values.len().checked_sub(1)?;
        let rank = |percent: usize| (values.len() * percent).div_ceil(100).saturating_sub(1).min(last);
        let (median, p95) = (rank(50), rank(95));
        let mut nth = |rank: usize| u64::from(*values.select_nth_unstable(rank).1);
        Some(Self { median: nth(median), p95: nth(p95) })
    }
}

/// A group as it grows.
#[derive(Debug, Default)]
struct Growing {
    group: Group,
    first_token: Vec<u32>,
    total: Vec<u32>,
}

/// One call's numbers.
struct Figures {
    failed: bool,
    ok: bool,
    /// Whether no model has worked for it.
    cost_nothing: bool,
    /// Whether something may have been billed that nobody told.
    maybe_billed: bool,
    cached: bool,
    attempts: u64,
    fallbacks: u64,
    input: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    cost: Option<i64>,
    computed: bool,
    retry_cost: i64,
    saved: i64,
    first_token: Option<u32>,
    total: Option<u32>,
}

impl Growing {
    fn add(&mut self, call: &Figures) {
        let group = &mut self.group;
        group.calls += 1;
        group.failed += u64::from(call.failed);
        group.partial += u64::from(!call.ok && !call.failed);
        group.cached += u64::from(call.cached);
        group.fallbacks += call.fallbacks;
        group.retries += call.attempts.saturating_sub(1 + call.fallbacks);
        group.input += call.input.unwrap_or(0);
        group.cache_read += call.cache_read.unwrap_or(0);
        group.output += call.output.unwrap_or(0);
        group.retry_cost += Usd::from_picos(call.retry_cost);
        group.saved += Usd::from_picos(call.saved);
        match call.cost {
            Some(picos) => {
                *group.cost.usd.get_or_insert(Usd::ZERO) += Usd::from_picos(picos);
                group.cost.computed |= call.computed;
                group.cost.unknown += usize::from(call.maybe_billed);
            }
            None if call.cost_nothing => {}
            None => group.cost.unknown += 1,
        }
        if call.input.is_some_and(|count| count <= Short::INPUT)
            && call.output.is_some_and(|count| count <= Short::OUTPUT)
        {
            group.short.calls += 1;
            group.short.cost += Usd::from_picos(call.cost.unwrap_or(0));
        }
        // The cache says nothing about a model, and what has no end has no length.
        if call.ok && !call.cached {
            self.first_token.extend(call.first_token);
            self.total.extend(call.total);
        }
    }

    fn done(mut self) -> Group {
        self.group.first_token = Percentiles::of(self.first_token);
        self.group.total = Percentiles::of(self.total);
        self.group
    }
}

pub(super) fn usage(connection: &Connection, filter: &Filter, by: &[Dimension]) -> Result<Usage> {
    let names = names(connection)?;
    let Condition { sql, values } = filter.condition(connection)?;
    let sql = format!(
        "SELECT c.at_ms, c.gateway, c.model, c.key, c.task, c.tags, c.status, c.cached, c.attempts, c.fallbacks, c.input,
             c.cache_read, c.output, c.cost, c.origin, c.retry_cost, c.saved, c.first_token_us, c.total_us,
             c.maybe_billed
         FROM calls c{sql}"
    );
    let id_of = |word: &str| names.iter().find(|(_, name)| *name == word).map_or(-1, |(id, _)| *id);
    let (ok, failed, refused, interrupted) = (id_of("ok"), id_of("failed"), id_of("refused"), id_of("interrupted"));
    let reported = id_of("reported");
    let tag_values = TagValues::new(&names, by);
    let (mut total, mut groups, mut models) =
        (Growing::default(), HashMap::<Vec<i64>, Growing>::new(), HashMap::<i64, Growing>::new());
    let mut key = Vec::with_capacity(by.len());
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let id = |column: usize| row.get::<_, Option<i64>>(column).map(|id| id.unwrap_or(-1));
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
        key.clear();
        for (place, dimension) in by.iter().enumerate() {
            key.push(match dimension {
                Dimension::Day => at_ms.div_euclid(DAY_MS),
                Dimension::Gateway => id(1)?,
                Dimension::Model => model,
                Dimension::Provider => tag_values.maker(model),
                Dimension::Key => id(3)?,
                Dimension::Task => id(4)?,
                Dimension::Status => status,
                Dimension::Tag(_) => tag_values.of(place, id(5)?),
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
                Dimension::Provider | Dimension::Tag(_) => tag_values.text(*id),
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
    Ok(Usage { total: total.done(), groups, models })
}

fn names(connection: &Connection) -> Result<HashMap<i64, String>> {
    connection.prepare("SELECT id, name FROM names")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn day(number: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(number.saturating_mul(DAY_MS));
    at.map_or_else(|_| number.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// Values that are no names themselves: of tags by their sets, of makers by their models.
struct TagValues {
    texts: Vec<String>,
    /// For each dimension, by the id of the set of tags.
    tags: Vec<HashMap<i64, i64>>,
    makers: HashMap<i64, i64>,
}

impl TagValues {
    fn new(names: &HashMap<i64, String>, by: &[Dimension]) -> Self {
        let mut all = Self { texts: Vec::new(), tags: vec![HashMap::new(); by.len()], makers: HashMap::new() };
        for (place, dimension) in by.iter().enumerate() {
            for (id, name) in names {
                match dimension {
                    Dimension::Tag(tag) if name.starts_with('{') => {
                        let tags: BTreeMap<String, String> = serde_json::from_str(name).unwrap_or_default();
                        if let Some(value) = tags.get(tag) {
                            let value = all.intern(value);
                            all.tags[place].insert(*id, value);
                        }
                    }
                    Dimension::Provider => {
                        if let Some(maker) = maker(name) {
                            let maker = all.intern(maker);
                            all.makers.insert(*id, maker);
                        }
                    }
                    _ => {}
                }
            }
        }
        all
    }

    fn intern(&mut self, text: &str) -> i64 {
        let known = self.texts.iter().position(|known| known == text);
        let place = known.unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        });
        place as i64
    }

    fn of(&self, place: usize, set: i64) -> i64 {
        self.tags[place].get(&set).copied().unwrap_or(-1)
    }

    fn maker(&self, model: i64) -> i64 {
        self.makers.get(&model).copied().unwrap_or(-1)
    }

    fn text(&self, id: i64) -> Option<String> {
        self.texts.get(usize::try_from(id).ok()?).cloned()
    }
}

/// Who made a model, as far as its name says: `anthropic/claude-…`, `claude-…`.
pub fn maker(model: &str) -> Option<&str> {
    const FAMILIES: [(&str, &str); 16] = [
        ("claude", "anthropic"),
        ("chatgpt", "openai"),
        ("gpt", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("gemini", "google"),
        ("gemma", "google"),
        ("deepseek", "deepseek"),
        ("qwen", "qwen"),
        ("llama", "meta-llama"),
        ("mistral", "mistralai"),
        ("mixtral", "mistralai"),
        ("codestral", "mistralai"),
        ("grok", "x-ai"),
        ("command", "cohere"),
    ];
    if let Some((maker, _)) = model.split_once('/') {
        return Some(maker);
    }
    let lower = model.to_ascii_lowercase();
    FAMILIES.iter().find(|(family, _)| lower.starts_with(family)).map(|(_, maker)| *maker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(Percentiles::of(Vec::new()), None);
        assert_eq!(Percentiles::of(vec![7]), Some(Percentiles { median: 7, p95: 7 }));
        assert_eq!(Percentiles::of((1..=100).rev().collect()), Some(Percentiles { median: 50, p95: 95 }));
        assert_eq!(Percentiles::of(vec![9, 1]), Some(Percentiles { median: 1, p95: 9 }));
    }

    #[test]
    fn models_have_makers() {
        assert_eq!(maker("anthropic/claude-opus-4"), Some("anthropic"));
        assert_eq!(maker("Claude-sonnet-4-6"), Some("anthropic"));
        assert_eq!(maker("gpt-5.4-mini"), Some("openai"));
        assert_eq!(maker("my-own"), None);
    }

    /// A call of which nothing but the cost is of interest.
    fn costing(cost: Option<i64>) -> Figures {
        Figures {
            failed: false,
            ok: true,
            cost_nothing: false,
            maybe_billed: false,
            cached: false,
            attempts: 1,
            fallbacks: 0,
            input: Some(1),
            cache_read: None,
            output: Some(1),
            cost,
            computed: false,
            retry_cost: 0,
            saved: 0,
            first_token: None,
            total: None,
        }
    }

    #[test]
    fn l10_a_million_costs_add_up_to_the_picodollar() {
        let mut random = fastrand::Rng::with_seed(10);
        let (mut growing, mut exact) = (Growing::default(), 0i128);
        for _ in 0..1_000_000 {
            // From a picodollar to nine dollars, each length as likely: floats would lose the small ones.
            let digits = random.u32(1..=13);
            let cost = random.i64(1..10i64.pow(digits));
            exact += i128::from(cost);
            growing.add(&costing(Some(cost)));
        }
        let group = growing.done();
        assert_eq!(group.cost.usd.map(|usd| i128::from(usd.picos())), Some(exact));
        assert_eq!((group.calls, group.cost.unknown), (1_000_000, 0));
    }

    proptest! {
        #[test]
        fn l10_sums_of_costs_are_exact(costs in prop::collection::vec(prop::option::of(0i64..1_000_000_000), 0..400)) {
            let mut growing = Growing::default();
            for cost in &costs {
                growing.add(&costing(*cost));
            }
            let group = growing.done();
            let known: Vec<i64> = costs.iter().copied().flatten().collect();
            prop_assert_eq!(group.cost.usd.map(Usd::picos), (!known.is_empty()).then(|| known.iter().sum::<i64>()));
            prop_assert_eq!(group.cost.unknown, costs.len() - known.len());
        }
    }
}
