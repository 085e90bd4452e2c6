//! `llm demo-gateway`: runs the demo gateway alone, for tests with other clients.

use std::io;

use crate::demo::Demo;
use crate::error::Error;
use crate::report::term::print;

pub(super) fn run() -> Result<u8, Error> {
    let demo = Demo::start()?;
    print(format!("{}\n", demo.base_url()).into())?;
    // The gateway serves until stdin is closed, so it ends when the program that started it ends.
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map_err(|source| Error::Input { path: "-".into(), source })?;
    Ok(0)
}
