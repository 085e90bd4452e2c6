//! `llm batch merge`: joins the outputs of shards.

use std::path::{Path, PathBuf};

use super::session::output_error;
use super::view::render;
use crate::batch::output::State;
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

/// Joins the outputs, in the order of rows and models. Where several have the same row and model, the first answer counts, or
/// else the first line.
pub(super) fn run(context: &Context, outputs: &[PathBuf], out: &Path, format: SummaryFormat) -> Result<u8, Error> {
    context.check_output(out)?;
    // Nothing is written before all are known to belong together.
    let Known { job, answered, .. } = read(outputs)?;
    let mut merged = OutputFile::open(out, false).map_err(output_error)?;
    let joined = join(context, outputs, &answered, &mut merged);
    // A part of the rows would look like all of them, and stand in the way of another try.
    let Joined { tally, left_out, is_cut } = joined.inspect_err(|_| merged.discard())?;
    if left_out > 0 {
        let lines = count(left_out, "line", "lines");
        context.notice(&format!("{lines} of rows and models that another output has, too: left out"));
    }
    let (path, input) = (out.to_string_lossy(), outputs.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>());
    let summary = Summary {
        job: &job,
        input: &input.join(", "),
        output: Some(&path),
        expected: None,
        tally: &tally,
        unwritten: 0,
        elapsed: None,
    };
    print(render(&summary, format, &context.terminal.stdout)?)?;
    Ok(if is_cut { tally.exit_code().max(8) } else { tally.exit_code() })
}

/// What became of the outputs.
struct Joined {
    tally: Tally,
    /// How many lines are left out because another one has the same row and model.
    left_out: u64,
    /// Whether the last line of one is cut off.
    is_cut: bool,
}

/// Writes the lines of all outputs in their order.
fn join(context: &Context, outputs: &[PathBuf], answered: &Done, merged: &mut OutputFile) -> Result<Joined, Error> {
    let out = merged.path().to_owned();
    let mut done = Done::new(answered.models());
    let mut joined = Joined { tally: Tally::new(answered.models()), left_out: 0, is_cut: false };
    for path in outputs {
        let mut result = Ok(());
        let target = || out.display().to_string();
        let scanned = open(path)?.scan_lines(|line, bytes| {
            if result.is_err() {
                return;
            }
            let place = done.place(&line.model);
            let has_better = !line.has_answer() && answered.state(line.row, place) == State::Answered;
            if has_better || !done.add(line.row, line.row_hash, &line.model, line.status) {
                joined.left_out += 1;
                return;
            }
            joined.tally.add(&line.model, &line.ended());
            let written = merged.append(bytes, (line.row, place));
            result = written.map_err(|source| Error::Output { target: target(), source });
        });
        if scanned.map_err(input_error)? {
            let file = path.display();
            context.urgent(&format!(
                "the last line of {file} is cut off and left out; its batch with --resume asks that row again"
            ));
            joined.is_cut = true;
        }
        result?;
    }
    let models = done.models().to_vec();
    if !merged.is_in_order() {
        let place_of = |model: &str| models.iter().position(|name| name == model).unwrap_or(usize::MAX);
        merged.sort(place_of).map_err(output_error)?;
    }
    merged.sync().map_err(|source| Error::Output { target: out.display().to_string(), source })?;
    Ok(joined)
}

fn open(path: &Path) -> Result<OutputFile, Error> {
    let file = OutputFile::open_to_read(path).map_err(input_error)?;
    file.ok_or_else(|| Error::Input { path: path.to_owned(), source: std::io::ErrorKind::NotFound.into() })
}

/// What is known of outputs that are to be joined.
#[derive(Default)]
struct Known {
    /// The id of the job of the first line.
    job: String,
    /// All rows.
    all: Done,
    /// Those that have an answer.
    answered: Done,
}

/// Reads all outputs.
///
/// # Errors
/// They are not of one batch, or cannot be read.
fn read(outputs: &[PathBuf]) -> Result<Known, Error> {
    let mut known = Known::default();
    let mut plan = None;
    for path in outputs {
        let mut other = None;
        open(path)?
            .scan_lines(|line, _| {
                let Known { job, all, answered } = &mut known;
                if *plan.get_or_insert(line.plan) != line.plan {
                    other.get_or_insert_with(|| "another template or other parameters".to_owned());
                }
                if all.hash(line.row).is_some_and(|hash| hash != line.row_hash) {
                    other.get_or_insert_with(|| format!("another row {} than an earlier output", line.row));
                }
                if job.is_empty() {
                    *job = line.job.clone().into_owned();
                }
                all.add(line.row, line.row_hash, &line.model, line.status);
                // Both know the models by the same places.
                answered.place(&line.model);
                if line.has_answer() {
                    answered.add(line.row, line.row_hash, &line.model, line.status);
                }
            })
            .map_err(input_error)?;
        if let Some(other) = other {
            let message = format!("{} was made with {other}", path.display());
            return Err(Error::usage_hint(message, "only outputs of shards of one batch can be joined"));
        }
    }
    Ok(known)
}
