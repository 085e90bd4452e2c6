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
}

/// The failed attempts of calls, as they are found. One that was stopped because another model spoke first has not failed.
#[derive(Default)]
pub(super) struct FailedByTarget(HashMap<(String, String), (u64, Usd)>);

impl FailedByTarget {
    /// Adds those of these calls of a database.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        calls: &[i64],
        name: impl Fn(&i64) -> Option<String>,
    ) -> Result<()> {
        let mut select = connection.prepare(
            "SELECT gateway, model, coalesce(cost, 0) FROM attempts
             WHERE call = ?1 AND error ->> 'kind' <> 'interrupted'
                 AND place < (SELECT max(place) FROM attempts WHERE call = ?1)",
        )?;
        let mut targets = HashMap::<(i64, i64), (u64, Usd)>::new();
        for call in calls {
            let mut rows = select.query([call])?;
            while let Some(row) = rows.next()? {
                let (count, cost) = targets.entry((row.get(0)?, row.get(1)?)).or_default();
                *count += 1;
                *cost += Usd::from_picos(row.get(2)?);
            }
        }
        for ((gateway, model), (count, cost)) in targets {
            let Some(target) = name(&gateway).zip(name(&model)) else { continue };
            let sums = self.0.entry(target).or_default();
            sums.0 += count;
            sums.1 += cost;
        }
        Ok(())
    }

    /// By target, most first.
    pub(super) fn done(self) -> Vec<FailedAttempts> {
        let named = |((gateway, model), (count, cost))| FailedAttempts { gateway, model, count, cost };
        let mut all: Vec<FailedAttempts> = self.0.into_iter().map(named).collect();
        all.sort_by(|a, b| (b.count, &a.gateway, &a.model).cmp(&(a.count, &b.gateway, &b.model)));
        all
    }
}
