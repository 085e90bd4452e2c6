//! One gateway key, many models: the library behind the `llm` command.
//!
//! The modules in the order data flows: see `docs/architecture.md`.

#![cfg_attr(not(feature = "postgres"), allow(dead_code, unused_imports, reason = "some of it is for PostgreSQL alone"))]

pub mod adapter;
pub mod attachment;
pub mod batch;
pub mod bench;
pub mod call;
pub mod catalog;
mod certificates;
pub mod chat;
mod child;
pub mod cli;
pub mod cmd;
pub mod config;
mod deadline;
pub mod demo;
pub mod engine;
pub mod error;
pub mod extract;
mod failpoint;
pub mod gateway;
mod http;
mod ids;
mod input;
mod json_file;
pub mod judge;
pub mod ledger;
pub mod money;
pub mod pattern;
pub mod pipeline;
pub mod policy;
#[cfg(feature = "postgres")]
mod postgres;
pub mod pricing;
mod private;
pub mod probe;
pub mod prompt;
pub mod rates;
pub mod record;
pub mod report;
mod resolve;
mod resources;
pub mod route;
pub mod run;
pub mod schema;
pub mod score;
pub mod secret;
pub mod serve;
pub mod stats;
pub mod store;
pub mod template;
pub mod tool_file;
mod words;
