//! `llm demo-gateway`: the demo gateway by itself, for tests with other clients.

use std::io;

use crate::error::Error;
use crate::report::term::print;
use crate::serve::demo::Demo;

pub(super) fn run() -> Result<u8, Error> {
    let demo = Demo::start()?;
    print(format!("{}\n", demo.base_url()).into())?;
    // Whoever started it keeps its stdin open for as long as it is needed.
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map_err(|source| Error::Input { path: "-".into(), source })?;
    Ok(0)
}
