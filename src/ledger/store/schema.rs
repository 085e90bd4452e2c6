//! The schema, and how a ledger of an older one comes to it.

use super::{Store, StoreError};

/// The changes that lead from an empty database to the current schema, in order. One is added at the end for each
/// change of the schema; those that were released never change.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("../schema-1.sql"), include_str!("../schema-2.sql"), include_str!("../schema-3.sql")];

/// The version of the schema that this program knows: `PRAGMA user_version`.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;

impl Store {
    /// Makes what is missing, unless another process was faster.
    pub(super) fn migrate(&mut self) -> Result<(), StoreError> {
        self.created = self.write(|transaction| {
            // Another process may have been faster.
            let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let done = usize::try_from(found).unwrap_or(0);
            for migration in MIGRATIONS.iter().skip(done) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", found.max(SCHEMA))?;
            Ok(found == 0)
        })?;
        match self.version()? {
            SCHEMA => Ok(()),
            found => Err(StoreError::Newer { path: self.path.clone(), found }),
        }
    }

    /// The version of the schema that it has; 0 is none yet.
    pub(super) fn version(&self) -> Result<i64, StoreError> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.map_err(|error| StoreError::sqlite(&self.path, error))
    }
}
