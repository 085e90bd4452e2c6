//! The calls of a ledger, wherever it is.

use super::read::{Alike, Filter};
use super::row::Row;
use super::store::{Store, StoreError};
use super::usage::{Dimension, Maker, Usage};
use crate::score::Part;

/// The calls of a ledger, to be read. All functions block the thread, and fail where the ledger cannot be read.
#[expect(clippy::missing_errors_doc, reason = "the trait says it for all")]
pub trait Calls {
    /// Calls `each` with the calls that fit, newest first, at most `limit` of them where there is a limit, until it returns
    /// `false`. They are not in memory all at once.
    fn each(&self, filter: &Filter, limit: Option<usize>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError>;

    /// Returns how many calls fit.
    fn count(&self, filter: &Filter) -> Result<u64, StoreError>;

    /// Returns what the calls that fit used and cost, grouped. `maker` tells who made a model.
    fn usage(&self, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage, StoreError>;

    /// Returns the calls whose id begins or ends like this, or that belong to the run whose id begins like this.
    fn like(&self, part: &str) -> Result<Alike, StoreError>;

    /// Returns what was said of the answer of this call; empty where nothing was, or where it is kept elsewhere.
    fn scores(&self, _id: &str) -> Result<Vec<Part>, StoreError> {
        Ok(Vec::new())
    }

    /// Returns the last call that is `wanted`; `None` where there is none.
    fn last(&self, wanted: &dyn Fn(&Row) -> bool) -> Result<Option<Row>, StoreError> {
        let mut last = None;
        self.each(&Filter::default(), None, &mut |row| {
            last = Some(row).filter(wanted);
            last.is_none()
        })?;
        Ok(last)
    }
}

impl Calls for Store {
    fn each(&self, filter: &Filter, limit: Option<usize>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        self.read(|connection| {
            super::read::each_id(connection, filter, limit, |id| Ok(each(super::read::row(connection, id)?)))
        })
    }

    fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        super::count(self, filter)
    }

    fn usage(&self, filter: &Filter, by: &[Dimension], maker: Maker) -> Result<Usage, StoreError> {
        super::usage(self, filter, by, maker)
    }

    fn like(&self, part: &str) -> Result<Alike, StoreError> {
        super::find_like(self, part)
    }

    fn scores(&self, id: &str) -> Result<Vec<Part>, StoreError> {
        super::scores(self, id)
    }
}
