//! One gateway key, many models: the library behind the `llm` command.
//!
//! The modules in the order data flows: see `docs/architecture.md`.

pub mod adapter;
pub mod call;
pub mod chat;
pub mod config;
pub mod error;
pub mod json_file;
pub mod money;
pub mod pattern;
pub mod pricing;
pub mod rates;
pub mod record;
