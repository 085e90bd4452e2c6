//! The `llm` command from outside: real processes, real sockets, a fresh home for each.

#![allow(unreachable_pub, reason = "one binary: nothing in it is for others")]
#![allow(clippy::disallowed_methods, reason = "the tests hand the environment on that `llm` itself reads")]

#[allow(dead_code, unused_imports, reason = "what each feature needs is used as its tests arrive")]
mod support;
