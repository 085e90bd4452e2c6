//! `llm batch merge`: joins the outputs of shards.

use std::path::{Path, PathBuf};

use super::session::output_error;
use super::view::render;
use crate::batch::{Done, OutputError, OutputFile, Tally};
use crate::cli::SummaryFormat;
use crate::cmd::Context;
use crate::error::Error;
use crate::report::batch::Summary;
use crate::report::format::count;
use crate::report::term::print;
use crate::run::Notices;

/// The error of a file that is only read.
fn input_error(error: OutputError) -> Error {
    match error {
        OutputError::Io { path, source } => Error::Input { path, source },
        error => output_error(error),
    }
}

/// Joins the outputs, in the order of rows and models. Where two of them have the same row and model, the first counts.
pub(super) fn run(context: &Context, outputs: &[PathBuf], out: &Path, format: SummaryFormat) -> Result<u8, Error> {
    let mut merged = OutputFile::open(out, false).map_err(output_error)?;
    let mut done = Done::new(&[]);
    let mut tally = Tally::default();
    let mut plan = None;
    let mut job = String::new();
    for path in outputs {
        let Some(mut file) = OutputFile::open_to_read(path).map_err(input_error)? else {
            return Err(Error::Input { path: path.clone(), source: std::io::ErrorKind::NotFound.into() });
        };
        let mut result = Ok(());
        file.scan_lines(|line, bytes| {
            if result.is_err() {
                return;
            }
            let first = *plan.get_or_insert(line.plan);
            if first != line.plan {
                let message = format!("{} was made with another template or other parameters", path.display());
                result = Err(Error::usage_hint(message, "only outputs of shards of one batch can be joined"));
                return;
            }
            if job.is_empty() {
                job = line.job.clone().into_owned();
            }
            if done.add(line) {
                tally.add(&line.model, &line.ended());
                let place = (line.row, done.place(&line.model));
                let target = out.display().to_string();
                result = merged.append(bytes, place).map_err(|source| Error::Output { target, source });
            }
        })
        .map_err(input_error)?;
        result?;
    }
    let models = done.models().to_vec();
    if !merged.is_in_order() {
        let place_of = |model: &str| models.iter().position(|name| name == model).unwrap_or(usize::MAX);
        merged.rewrite(true, |_| true, place_of).map_err(output_error)?;
    }
    merged.sync().map_err(|source| Error::Output { target: out.display().to_string(), source })?;
    if done.repeated > 0 {
        let lines = count(done.repeated, "line", "lines");
        context.notice(&format!("{lines} were in an earlier output already, and are left out"));
    }
    let (path, input) = (out.to_string_lossy(), outputs.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>());
    let summary = Summary {
        job: &job,
        input: &input.join(", "),
        output: Some(&path),
        expected: None,
        tally: &tally,
        elapsed: None,
    };
    print(render(&summary, format, &context.terminal.stdout)?)?;
    Ok(tally.exit_code())
}
