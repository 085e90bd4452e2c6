//! What users write: `SPEC` or `SPEC*WEIGHT`.

use std::path::Path;
use std::time::Duration;

use super::agreement::Agreement;
use super::cheapest::Cheapest;
use super::command::Command;
use super::confidence::Confidence;
use super::contains::Contains;
use super::exact::Exact;
use super::fastest::Fastest;
use super::regex::Regex;
use super::schema::Schema;
use super::shortest::Shortest;
use super::{Part, Scorer};
use crate::child::Stop;
use crate::error::Error;
use crate::input::{self, Accept};

/// The names of all scorers, for help and hints.
pub const HELP: &str = "exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE, agreement, confidence, shortest, fastest, \
     cheapest or command:PROGRAM";

/// The size limit of a schema, in bytes.
const LARGEST_SCHEMA: u64 = 16 << 20;

/// What scorers need besides their specification.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// The variables that hold keys, which no program may see.
    pub(crate) key_variables: Vec<String>,
    /// Stops the programs that run.
    pub(crate) stop: Stop,
    /// The writer of a named pipe that holds a schema is waited for no longer than this; `None` is without an end.
    pub(crate) patience: Option<Duration>,
}

/// A scorer, and how much it counts beside others.
#[derive(Debug)]
pub struct Weighted {
    /// The scorer as the user wrote it, without its weight.
    pub spec: String,
    /// Greater than 0.
    pub weight: f64,
    /// What gives the scores.
    pub scorer: Box<dyn Scorer>,
}

impl Weighted {
    /// Reads `SPEC` or `SPEC*WEIGHT`. Files that it names are read now.
    ///
    /// # Errors
    /// There is no such scorer, what follows its colon is missing or wrong, or the weight is not a number above 0.
    pub(crate) fn parse(text: &str, environment: &Environment) -> Result<Self, Error> {
        let (spec, weight) = weight(text);
        if !(weight.is_finite() && weight > 0.0) {
            return Err(Error::usage(format!("the weight of a score is a number above 0, unlike that of `{text}`")));
        }
        let scorer = scorer(spec, environment)?;
        Ok(Self { spec: spec.to_owned(), weight, scorer })
    }

    /// The part of a score that is unknown for this reason.
    pub fn unknown(&self, reason: impl Into<String>) -> Part {
        Part { scorer: self.spec.clone(), weight: self.weight, score: None, reason: Some(reason.into()) }
    }
}

/// The specification and its weight, which is 1 where none is given. What follows the last `*` is a weight if it is a
/// number, so that patterns may have `*` in them.
fn weight(text: &str) -> (&str, f64) {
    let weight = text.rsplit_once('*').and_then(|(spec, weight)| Some((spec, weight.trim().parse::<f64>().ok()?)));
    weight.unwrap_or((text, 1.0))
}

fn scorer(spec: &str, environment: &Environment) -> Result<Box<dyn Scorer>, Error> {
    let (name, rest) = match spec.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (spec, None),
    };
    let invalid = |why: String| Error::usage(format!("score `{spec}`: {why}"));
    let after_colon = |what: &str| {
        rest.filter(|rest| !rest.is_empty()).ok_or_else(|| invalid(format!("it is written {name}:{what}")))
    };
    let text = || match rest {
        Some("") => Err(invalid(format!("it is written {name}:TEXT"))),
        text => Ok(text.map(str::to_owned)),
    };
    let takes_none = |scorer: Box<dyn Scorer>| match rest {
        None => Ok(scorer),
        Some(_) => Err(invalid(format!("nothing follows {name}"))),
    };
    match name {
        "exact" => Ok(Box::new(Exact { text: text()? })),
        "contains" => Ok(Box::new(Contains { text: text()? })),
        "regex" => Ok(Box::new(Regex::new(after_colon("PATTERN")?).map_err(invalid)?)),
        "schema" => Ok(Box::new(schema(after_colon("FILE")?, environment.patience)?)),
        "agreement" => takes_none(Box::new(Agreement)),
        "confidence" => takes_none(Box::new(Confidence)),
        "shortest" => takes_none(Box::new(Shortest)),
        "fastest" => takes_none(Box::new(Fastest)),
        "cheapest" => takes_none(Box::new(Cheapest)),
        "command" => {
            let Environment { key_variables, stop, .. } = environment;
            Ok(Box::new(Command::new(after_colon("PROGRAM")?, key_variables, stop).map_err(invalid)?))
        }
        _ => Err(Error::usage_hint(format!("there is no score `{name}`"), format!("it is one of {HELP}"))),
    }
}

fn schema(path: &str, patience: Option<Duration>) -> Result<Schema, Error> {
    let path = Path::new(path);
    let text = input::read_text(path, LARGEST_SCHEMA, Accept::FilesAndPipes(patience))
        .map_err(|source| Error::unreadable(path, source))?;
    let schema =
        crate::schema::Schema::parse(&text).map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
    Ok(Schema { schema })
}
