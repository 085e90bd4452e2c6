//! Where calls that went on had failed: attempts by the target they were made at, not by the model that answered then.

use std::collections::HashMap;

use rusqlite::{Connection, Result};

use crate::money::Usd;

/// Attempts at one target that failed and were followed by another, there or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempts {
    /// The name of the gateway.
    pub gateway: String,
    /// The model as the gateway was asked for it.
    pub model: String,
    /// How many they were.
    pub count: u64,
    /// What they cost, as far as it is known.
    pub cost: Usd,
    /// How many of them may have been billed at a cost that nobody told.
    pub cost_unknown: u64,
}

/// Their number, their cost, and how many have an unknown one.
#[derive(Default, Clone, Copy)]
struct Sums {
    count: u64,
    cost: Usd,
    unknown: u64,
}

impl Sums {
    fn add(&mut self, more: Self) {
        self.count += more.count;
        self.cost += more.cost;
        self.unknown += more.unknown;
    }
}

/// The failed attempts of calls, as they are found. One that was stopped because another model spoke first has not failed.
#[derive(Default)]
pub(super) struct FailedByTarget(HashMap<(String, String), Sums>);

impl FailedByTarget {
    /// Adds those of these calls of a database.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        calls: &[i64],
        name: impl Fn(&i64) -> Option<String>,
    ) -> Result<()> {
        let mut select = connection.prepare(
            "SELECT gateway, model, coalesce(cost, 0), cost IS NULL AND coalesce(maybe_billed, 0) > 0 FROM attempts
             WHERE call = ?1 AND error ->> 'kind' <> 'interrupted'
                 AND place < (SELECT max(place) FROM attempts WHERE call = ?1)",
        )?;
        let mut targets = HashMap::<(i64, i64), Sums>::new();
        for call in calls {
            let mut rows = select.query([call])?;
            while let Some(row) = rows.next()? {
                let (cost, unknown) = (Usd::from_picos(row.get(2)?), u64::from(row.get::<_, bool>(3)?));
                targets.entry((row.get(0)?, row.get(1)?)).or_default().add(Sums { count: 1, cost, unknown });
            }
        }
        for ((gateway, model), sums) in targets {
            let Some(target) = name(&gateway).zip(name(&model)) else { continue };
            self.0.entry(target).or_default().add(sums);
        }
        Ok(())
    }

    /// By target, most first.
    pub(super) fn done(self) -> Vec<FailedAttempts> {
        let named = |((gateway, model), Sums { count, cost, unknown })| FailedAttempts {
            gateway,
            model,
            count,
            cost,
            cost_unknown: unknown,
        };
        let mut all: Vec<FailedAttempts> = self.0.into_iter().map(named).collect();
        all.sort_by(|a, b| (b.count, &a.gateway, &a.model).cmp(&(a.count, &b.gateway, &b.model)));
        all
    }
}
