//! The `llm` command from outside: real processes, real sockets, a fresh home for each.
//!
//! Ids in comments (`H12`) name the fault that a test provokes; `docs/architecture.md` says where they come from.

#![allow(unreachable_pub, reason = "one binary: nothing in it is for others")]
#![allow(clippy::disallowed_methods, reason = "the tests hand the environment on that `llm` itself reads")]

mod ask;
mod compare;
mod endings;
mod limits;
#[cfg(unix)]
mod output;
mod retry;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stdin;
mod stream;
mod support;
#[cfg(unix)]
mod terminal;
