//! What was handed over to the Batch APIs of gateways.

use rusqlite::{Row as SqlRow, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::store::{Store, StoreError};

/// What was handed over to the Batch API of a gateway as one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number in the job, from 0.
    pub part: u64,
    /// The name of the gateway.
    pub gateway: String,
    /// The model as it was asked for.
    pub model: String,
    /// The numbers of its first and its last row.
    pub rows: (u64, u64),
    /// How many rows it has.
    pub count: u64,
    /// The gateway's id of it; `None` until that was received.
    pub remote: Option<String>,
    /// How it stands.
    pub state: PartState,
    /// What the ids of its requests have besides the rows, where the gateway keeps no tag of a batch: by it, its results are
    /// known from those of another batch. `None` in parts of earlier versions, too.
    pub mark: Option<String>,
    /// The base URL of the gateway to which it was handed over. `None` in parts of earlier versions.
    pub address: Option<String>,
}

/// What the column `detail` has of a part, as JSON. Earlier versions left it empty, or had the mark alone in it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct PartDetail {
    mark: Option<String>,
    address: Option<String>,
}

impl PartDetail {
    fn read(text: Option<String>) -> Self {
        let read = |text: String| serde_json::from_str(&text).unwrap_or(Self { mark: Some(text), address: None });
        text.map(read).unwrap_or_default()
    }
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartState {
    /// It is being handed over, or was when the process ended: whether the gateway has it is not known.
    Submitting,
    /// The gateway has it.
    Submitted,
    /// Its results are in the output.
    Collected,
}

impl PartState {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Collected => "collected",
        }
    }
}

/// Adds a part to a job, or replaces what is known of it.
///
/// # Errors
/// The ledger cannot be written.
pub fn save_part(transaction: &Transaction<'_>, id: &str, part: &Part) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO job_parts (job, part, gateway, model, first, last, rows, remote, state, detail)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM jobs WHERE uuid = ?1",
            params![
                id,
                part.part.cast_signed(),
                part.gateway,
                part.model,
                part.rows.0.cast_signed(),
                part.rows.1.cast_signed(),
                part.count.cast_signed(),
                part.remote,
                part.state.as_str(),
                serde_json::to_string(&PartDetail { mark: part.mark.clone(), address: part.address.clone() }).ok(),
            ],
        )
        .map(drop)
}

/// Removes a part that the gateway never got.
///
/// # Errors
/// The ledger cannot be written.
pub fn remove_part(transaction: &Transaction<'_>, id: &str, part: u64) -> rusqlite::Result<()> {
    transaction
        .execute(
            "DELETE FROM job_parts WHERE job = (SELECT id FROM jobs WHERE uuid = ?1) AND part = ?2",
            params![id, part.cast_signed()],
        )
        .map(drop)
}

/// Whether a part of any job has this id at its gateway.
///
/// # Errors
/// The ledger cannot be read.
pub fn is_remote_known(store: &Store, remote: &str) -> Result<bool, StoreError> {
    store.read(|connection| {
        connection.query_row("SELECT EXISTS (SELECT 1 FROM job_parts WHERE remote = ?1)", [remote], |row| row.get(0))
    })
}

/// The parts of a job, in order.
///
/// # Errors
/// The ledger cannot be read.
pub fn parts(store: &Store, id: &str) -> Result<Vec<Part>, StoreError> {
    store.read(|connection| {
        let mut statement = connection.prepare(
            "SELECT part, gateway, model, first, last, rows, remote, p.state, detail
             FROM job_parts AS p JOIN jobs ON jobs.id = p.job WHERE uuid = ?1 ORDER BY part",
        )?;
        let part = |row: &SqlRow<'_>| {
            let PartDetail { mark, address } = PartDetail::read(row.get(8)?);
            let count = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
            Ok(Part {
                part: count(0)?,
                gateway: row.get(1)?,
                model: row.get(2)?,
                rows: (count(3)?, count(4)?),
                count: count(5)?,
                remote: row.get(6)?,
                state: match row.get::<_, String>(7)?.as_str() {
                    "collected" => PartState::Collected,
                    "submitted" => PartState::Submitted,
                    _ => PartState::Submitting,
                },
                mark,
                address,
            })
        };
        statement.query_map([id], part)?.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_versions_kept_of_a_part_is_its_mark() {
        let read = |text: &str| {
            let PartDetail { mark, address } = PartDetail::read(Some(text.to_owned()));
            (mark, address)
        };
        assert_eq!(read("00ff00ff00ff00ff"), (Some("00ff00ff00ff00ff".into()), None));
        assert_eq!(read("1234567890123456"), (Some("1234567890123456".into()), None));
        assert_eq!(read(r#"{"mark":null,"address":"https://a/v1"}"#), (None, Some("https://a/v1".into())));
    }
}
