//! The `llm` command from outside: real processes, real sockets, a fresh home for each.
//!
//! A comment such as `H12` above a test names the promise of `docs/promises.md` that the test holds.

#![allow(unreachable_pub, reason = "one binary: nothing in it is for others")]
#![allow(clippy::disallowed_methods, reason = "the tests hand the environment on that `llm` itself reads")]

mod adjust;
mod architecture;
mod ask;
mod batch;
mod batch_api;
mod bench;
mod budget;
#[cfg(all(unix, debug_assertions))]
mod bugs;
mod cache;
mod change;
#[cfg(unix)]
mod chat;
mod choose;
mod compare;
mod completion;
mod costs;
mod dependencies;
mod endings;
mod fuzz;
#[cfg(unix)]
mod hints;
#[cfg(target_os = "linux")]
mod http2;
mod ledger;
mod ledger_faults;
mod limits;
mod models;
mod otel;
#[cfg(unix)]
mod output;
mod pipeline;
mod probe;
mod promises;
#[cfg(unix)]
mod readme;
mod reconcile;
mod retry;
mod routing;
mod schema;
#[cfg(unix)]
mod secrets;
mod serve;
mod set_up;
mod show;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stdin;
mod stream;
#[cfg_attr(not(unix), allow(dead_code, reason = "what only the tests for Unix need"))]
mod support;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(unix)]
mod take;
mod template;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod terminal_forms;
#[cfg(unix)]
mod three_days;
#[cfg(target_os = "linux")]
mod tls;
mod wires;
