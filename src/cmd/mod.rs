//! One file a command: from arguments to output.

pub mod key;
