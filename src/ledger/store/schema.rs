//! The schema, and how a ledger of an older one comes to it.

use std::time::Instant;

use super::{Mode, Store, StoreError};

/// A change of the schema.
#[derive(Debug)]
pub(in crate::ledger) struct Migration {
    pub(in crate::ledger) sql: &'static str,
    /// What passes for its work where nothing can be written: views that only this connection sees, and that hide what they
    /// are made of. Empty where nothing reads what the change adds.
    stand_in: &'static str,
}

/// The changes that lead from an empty database to the current schema, in order. One is added at the end for each change of
/// the schema; those that were released never change.
pub(in crate::ledger) const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("../schema-1.sql"), stand_in: "" },
    Migration {
        sql: include_str!("../schema-2.sql"),
        stand_in: "CREATE TEMP VIEW budget_spent AS
                 SELECT NULL AS budget, NULL AS began, NULL AS picos, NULL AS estimated WHERE false;
             CREATE TEMP VIEW budget_leases AS
                 SELECT NULL AS lease, NULL AS budget, NULL AS began, NULL AS picos, NULL AS expires, NULL AS process
                 WHERE false;",
    },
    Migration {
        sql: include_str!("../schema-3.sql"),
        stand_in: "CREATE TEMP VIEW attempts AS SELECT *, NULL AS maybe_billed FROM main.attempts;
             CREATE TEMP VIEW calls AS SELECT *, NULL AS maybe_billed FROM main.calls;",
    },
    Migration { sql: include_str!("../schema-4.sql"), stand_in: "" },
    Migration {
        sql: concat!(include_str!("../budget-names.sql"), include_str!("../schema-5.sql")),
        stand_in: concat!(
            include_str!("../budget-names.sql"),
            "CREATE TEMP VIEW budget_windows AS
                 SELECT name AS budget, began, picos, estimated FROM budget_spent JOIN budget_names USING (budget);
             CREATE TEMP VIEW budget_reservations AS
                 SELECT name AS budget, began, lease AS reservation, picos, expires, process
                 FROM budget_leases JOIN budget_names USING (budget) WHERE expires >= unixepoch();"
        ),
    },
    Migration {
        sql: include_str!("../schema-6.sql"),
        stand_in: "CREATE TEMP VIEW scores AS SELECT NULL AS call, NULL AS place, NULL AS scorer, NULL AS weight,
                 NULL AS score, NULL AS reason WHERE false;
             CREATE TEMP VIEW votes AS SELECT NULL AS id, NULL AS run, NULL AS at_ms, NULL AS task WHERE false;
             CREATE TEMP VIEW ballots AS SELECT NULL AS vote, NULL AS place, NULL AS call, NULL AS chosen WHERE false;",
    },
    Migration {
        sql: include_str!("../schema-7.sql"),
        stand_in: "CREATE TEMP VIEW scoped_keys AS
                 SELECT NULL AS name, NULL AS hash, NULL AS last_four, NULL AS previous, NULL AS previous_until,
                     NULL AS created, NULL AS expires, NULL AS revoked, NULL AS rules WHERE false;
             CREATE TEMP VIEW audit AS
                 SELECT NULL AS id, NULL AS at_ms, NULL AS actor, NULL AS action, NULL AS key, NULL AS detail WHERE false;",
    },
    Migration {
        sql: include_str!("../schema-8.sql"),
        stand_in: "CREATE TEMP VIEW jobs AS
                 SELECT NULL AS id, NULL AS uuid, NULL AS began_ms, NULL AS seen_ms, NULL AS state, NULL AS via, NULL AS input,
                     NULL AS output, NULL AS directory, NULL AS command, NULL AS plan, NULL AS models, NULL AS total,
                     NULL AS ok, NULL AS failed, NULL AS truncated, NULL AS picos, NULL AS concurrency, NULL AS is_cancelled
                 WHERE false;
             CREATE TEMP VIEW job_runs AS SELECT NULL AS job, NULL AS run, NULL AS models WHERE false;
             CREATE TEMP VIEW job_parts AS
                 SELECT NULL AS job, NULL AS part, NULL AS gateway, NULL AS model, NULL AS first, NULL AS last, NULL AS rows,
                     NULL AS remote, NULL AS state, NULL AS detail
                 WHERE false;",
    },
    Migration {
        sql: include_str!("../schema-9.sql"),
        stand_in: "CREATE TEMP VIEW demo_calls AS
             SELECT id AS call FROM main.calls WHERE gateway = (SELECT id FROM names WHERE name = 'demo');",
    },
];

/// The version of the schema that this program knows: `PRAGMA user_version`.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;

impl Store {
    /// Lets a ledger of an older schema be read as if it were of the current one.
    pub(super) fn read_as_current(self, found: i64) -> Result<Self, StoreError> {
        let missing = MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0));
        self.outside(|connection| {
            // These views belong to this connection alone and do not change the ledger, but `query_only` forbids them too.
            connection.pragma_update(None, "query_only", false)?;
            missing.into_iter().try_for_each(|migration| connection.execute_batch(migration.stand_in))?;
            connection.pragma_update(None, "query_only", true)
        })?;
        Ok(self)
    }

    /// Applies the migrations that are missing, unless another process has done so meanwhile.
    pub(super) fn migrate(&mut self) -> Result<(), StoreError> {
        // Many first runs at once wait for each other here, so the short timeout of recording would be too short.
        let deadline = Instant::now() + self.mode.timeout.max(Mode::ACCOUNT.timeout);
        self.created = self.write_until(
            || deadline,
            true,
            |transaction| {
                let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
                let done = usize::try_from(found).unwrap_or(0);
                for migration in MIGRATIONS.iter().skip(done) {
                    transaction.execute_batch(migration.sql)?;
                }
                transaction.pragma_update(None, "user_version", found.max(SCHEMA))?;
                Ok(found == 0)
            },
        )?;
        match self.version()? {
            SCHEMA => Ok(()),
            found => Err(StoreError::Newer { path: self.path.clone(), found }),
        }
    }

    /// Returns the version of the schema that the file has; 0 is none yet.
    pub(super) fn version(&self) -> Result<i64, StoreError> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.map_err(|error| StoreError::sqlite(&self.path, error))
    }
}
