//! The ledger: what every call asked, answered, took and cost, in one SQLite file that is this user's alone.

mod store;

pub use store::{FILE_NAME, Mode, SCHEMA, Store, StoreError};
