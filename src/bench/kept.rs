//! The runs of benchmarks, kept in a file for each below the data directory, to compare later runs with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::figures::KeptTimes;
use super::{Figures, Load, Times};
use crate::error::Error;
use crate::json_file;
use crate::record::TotalCost;

/// The layout of the files. A file of another layout cannot be compared with.
const LAYOUT: u32 = 1;

/// The word that stands for the latest run.
pub const LAST: &str = "last";

/// A run as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptRun {
    layout: u32,
    /// The id of the run.
    pub run: String,
    /// When it ended, in UTC, in the form of RFC 3339.
    pub at: String,
    pub load: Load,
    /// A hash of what was sent, by which runs with another prompt are known.
    pub request: String,
    models: Vec<KeptFigures>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptFigures {
    name: String,
    gateway: String,
    model: String,
    answered: u64,
    failed: BTreeMap<String, u64>,
    first_token: KeptTimes,
    total: KeptTimes,
    tokens_per_second: Option<f64>,
}

impl KeptRun {
    pub fn new(run: &str, at: String, load: Load, request: String, figures: &[Figures]) -> Self {
        let kept = |figures: &Figures| KeptFigures {
            name: figures.name.clone(),
            gateway: figures.gateway.clone(),
            model: figures.model.clone(),
            answered: figures.answered,
            failed: figures.failed.clone(),
            first_token: KeptTimes(figures.first_token_ms.buckets.clone()),
            total: KeptTimes(figures.total_ms.buckets.clone()),
            tokens_per_second: figures.tokens_per_second,
        };
        Self { layout: LAYOUT, run: run.to_owned(), at, load, request, models: figures.iter().map(kept).collect() }
    }

    /// The figures of the model that has this gateway and name.
    pub fn figures(&self, gateway: &str, model: &str) -> Option<Figures> {
        let kept = self.models.iter().find(|kept| kept.gateway == gateway && kept.model == model)?;
        Some(Figures {
            name: kept.name.clone(),
            gateway: kept.gateway.clone(),
            model: kept.model.clone(),
            answered: kept.answered,
            failed: kept.failed.clone(),
            interrupted: 0,
            first_token_ms: Times::of_buckets(&kept.first_token.0),
            total_ms: Times::of_buckets(&kept.total.0),
            tokens_per_second: kept.tokens_per_second,
            answers_per_second: None,
            output_tokens_per_second: None,
            output_tokens: None,
            seconds: None,
            cost: TotalCost::default(),
        })
    }
}

fn dir(data: &Path) -> PathBuf {
    data.join("bench")
}

/// Keeps a run.
///
/// # Errors
/// The file cannot be written.
pub fn keep(data: &Path, run: &KeptRun) -> io::Result<()> {
    json_file::write(&dir(data).join(format!("{}.json", run.run)), run)
}

/// The run whose id begins or ends like this, or the latest one.
///
/// # Errors
/// There is none, or there are several.
pub fn find(data: &Path, id: &str) -> Result<KeptRun, Error> {
    let mut ids = ids(data);
    // Ids of runs begin with their time.
    ids.sort_unstable();
    if id == LAST {
        ids = ids.split_off(ids.len().saturating_sub(1));
    } else {
        ids.retain(|kept| kept.starts_with(id) || kept.ends_with(id));
    }
    let missing = |message: String| {
        Error::usage_hint(message, "`llm bench` says the id of a run at its end; `last` is the latest one")
    };
    match ids.as_slice() {
        [] => Err(missing(format!("no benchmark is kept that is called {id}"))),
        [found] => {
            let path = dir(data).join(format!("{found}.json"));
            if let Some(why) = json_file::refused(&path) {
                return Err(missing(format!("the benchmark {found} is not read: {why}")));
            }
            let run = json_file::read(&path);
            run.filter(|run: &KeptRun| run.layout == LAYOUT)
                .ok_or_else(|| missing(format!("the benchmark {found} cannot be read")))
        }
        several => Err(missing(format!("{} benchmarks begin or end with {id}", several.len()))),
    }
}

fn ids(data: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir(data)).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned())).collect()
}
