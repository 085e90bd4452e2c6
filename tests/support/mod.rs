//! What every test stands on: a fresh home to run `llm` in, and a gateway that does as it is told.

pub mod canary;
pub mod gateway;
pub mod home;
pub mod outcome;
pub mod process;
pub mod reply;
#[cfg(unix)]
pub mod terminal;

pub use canary::KEY;
pub use gateway::Gateway;
pub use home::Home;
pub use outcome::Outcome;
pub use reply::Reply;
