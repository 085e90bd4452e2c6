//! Finding, keeping and removing keys, without ever showing one.
//!
//! A key comes from the environment, a command of the user's, the operating system's keyring, or a key file, in this
//! order. This is the only user of the `keyring` crate, which can wait forever: every call to it runs on a plain
//! thread of its own that nothing joins, so neither a time limit nor the end of the process is ever held up by it.

mod command;
mod file;
mod job;
mod key;
mod keyring;
mod lookup;
mod prompt;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use command::COMMAND_LIMIT;
pub use file::{KeyFile, Saved};
pub use job::Timeout;
pub use key::{BadKey, Cleaned, Key, MAX_KEY_BYTES, looks_like_key};
pub use keyring::Keyring;
pub use lookup::{AtHand, Found, Lookup, Pending, Source};
pub use prompt::Input;
pub use store::{Removed, Slot, Store, StoreKind, Stores};
