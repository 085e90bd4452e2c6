//! One gateway key, many models: the library behind the `llm` command.
//!
//! The modules in the order data flows: see `docs/architecture.md`.

pub mod adapter;
pub mod call;
pub mod chat;
pub mod cmd;
pub mod config;
pub mod error;
pub mod money;
pub mod record;
pub mod secret;
