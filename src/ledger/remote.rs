//! A ledger that is not in a file of this machine. It is read in the ways of one that is, a part at a time.

use std::fmt;
use std::sync::Arc;

use super::calls::Calls;
use super::read::{Alike, Filter};
use super::row::Row;
use super::shards::ShardStore;
use super::store::{Store, StoreError};
use super::usage::{Dimension, Maker, Sums, Usage};

#[cfg(test)]
mod tests;

/// A ledger that several machines share.
pub trait RemoteLedger: Send + Sync {
    /// Calls `each` with the calls that are wanted, newest first, until it returns `false`. One call at a time is in memory. Blocks
    /// the thread.
    ///
    /// # Errors
    /// The store cannot be read.
    fn each(&self, wanted: Wanted<'_>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError>;

    /// How many calls fit this filter, as far as the store can decide it. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be read.
    fn count(&self, filter: &Filter) -> Result<u64, StoreError>;

    /// Deletes the calls before this moment, in milliseconds since 1970, or all, and the batches that have told nothing since.
    /// Returns how many calls there were. Blocks the thread.
    ///
    /// # Errors
    /// The store cannot be written.
    fn purge(&self, before_ms: Option<i64>) -> Result<u64, StoreError>;

    /// The batches that several machines do in shards. Nothing is connected yet.
    fn shards(&self) -> Box<dyn ShardStore>;
}

/// Which calls are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The newest of those that fit, as far as the store can decide that, so many at most.
    Fitting(&'a Filter, Option<usize>),
    /// Those that fit, as far as the store can decide that, without what was asked and answered.
    Figures(&'a Filter),
    /// Those that a part of an id may mean, without what was asked and answered; of very many, the newest.
    Alike(&'a str),
    /// Those with these ids.
    Ids(&'a [String]),
}

/// The calls of a remote ledger. What it cannot decide, such as words and tags, is decided by ledgers in memory, each of which
/// holds some calls for a while.
pub struct RemoteCalls {
    ledger: Arc<dyn RemoteLedger>,
    /// The most that is in memory at a time: calls, and bytes of what was asked and answered. One call may be longer.
    window: (usize, usize),
}

impl fmt::Debug for RemoteCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCalls").field("window", &self.window).finish_non_exhaustive()
    }
}

impl RemoteCalls {
    /// The calls of this ledger.
    pub fn new(ledger: Arc<dyn RemoteLedger>) -> Self {
        Self { ledger, window: (2048, 8 << 20) }
    }

    /// Calls `each` with ledgers in memory that together hold the calls that are wanted, one at a time, newest calls first, until
    /// it returns `false`.
    fn windows(
        &self,
        wanted: Wanted<'_>,
        mut each: impl FnMut(&Store) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut give = |rows: &mut Vec<Row>| {
            let mut store = Store::in_memory()?;
            // Of calls of one moment, a ledger takes the last one for the newest.
            super::insert(&mut store, &mut rows.drain(..).rev())?;
            each(&store)
        };
        let mut goes_on = Ok(true);
        self.ledger.each(wanted, &mut |row| {
            let answer = row.answer.as_ref().map_or(0, |answer| answer.text.len() + answer.reasoning.len());
            bytes += answer + row.request.body.as_ref().map_or(0, String::len);
            rows.push(row);
            if rows.len() >= self.window.0 || bytes >= self.window.1 {
                bytes = 0;
                goes_on = give(&mut rows);
            }
            matches!(goes_on, Ok(true))
        })?;
        if goes_on? && !rows.is_empty() {
            give(&mut rows)?;
        }
        Ok(())
    }
}

impl Calls for RemoteCalls {
    fn each(&self, filter: &Filter, limit: Option<usize>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        if !filter.is_about_contents() {
            return self.ledger.each(Wanted::Fitting(filter, limit), each);
        }
        let mut left = limit;
        self.windows(Wanted::Fitting(filter, None), |store| {
            let mut goes_on = true;
            store.each(filter, left, &mut |row| {
                left = left.map(|left| left - 1);
                goes_on = each(row);
                goes_on
            })?;
            Ok(goes_on && left != Some(0))
        })
    }

    fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        if !filter.is_about_contents() {
            return self.ledger.count(filter);
        }
        let mut count = 0;
        self.windows(Wanted::Fitting(filter, None), |store| {
            count += store.count(filter)?;
            Ok(true)
        })?;
        Ok(count)
    }

    fn usage(&self, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage, StoreError> {
        let mut sums = Sums::new(by, maker);
        self.windows(Wanted::Figures(filter), |store| {
            store.read(|connection| sums.add(connection, filter))?;
            Ok(true)
        })?;
        Ok(sums.done())
    }

    fn like(&self, part: &str) -> Result<Alike, StoreError> {
        let mut store = Store::in_memory()?;
        let mut rows = Vec::new();
        self.ledger.each(Wanted::Alike(part), &mut |row| {
            rows.push(row);
            true
        })?;
        super::insert(&mut store, &mut rows.into_iter().rev())?;
        Ok(match store.like(part)? {
            Alike::Calls(found) => {
                let ids: Vec<String> = found.into_iter().map(|row| row.id).collect();
                let mut rows = Vec::new();
                self.ledger.each(Wanted::Ids(&ids), &mut |row| {
                    rows.push(row);
                    true
                })?;
                rows.sort_by_key(|row: &Row| ids.iter().position(|id| *id == row.id));
                Alike::Calls(rows)
            }
            Alike::Run(found) => {
                let run = found.into_iter().next().map(|row| row.run);
                let mut rows = super::find(self, &Filter { run, ..Filter::default() }, None)?;
                rows.sort_by_key(|row| row.place);
                Alike::Run(rows)
            }
        })
    }
}
