//! The findings about each model at each gateway, kept in a file for each model below the data directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Feature, Finding, Value};
use crate::json_file;

/// How old a finding may be for routing and `models --supports` to go by it. Gateways change what they offer.
const HOLDS: Duration = Duration::from_secs(90 * 24 * 3600);

/// The layout of the files. A file of another layout is as good as none.
const LAYOUT: u32 = 1;

/// What is known of one model at one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    layout: u32,
    /// Where the gateway was: after a change of the config, the findings about another one must not be used.
    base_url: String,
    pub model: String,
    pub findings: BTreeMap<Feature, Dated>,
    /// The longest prompt that was accepted and read, in tokens.
    pub context: Option<u64>,
}

/// A finding with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    #[serde(flatten)]
    pub finding: Finding,
    /// In UTC, in the form of RFC 3339.
    pub at: String,
}

impl Dated {
    /// The day of the finding: `2026-11-20`.
    pub fn date(&self) -> &str {
        self.at.get(..10).unwrap_or(&self.at)
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        self.at.parse::<Timestamp>().is_ok_and(|at| now.duration_since(at).unsigned_abs() < HOLDS)
    }
}

impl Kept {
    /// The day of the latest finding.
    pub fn date(&self) -> &str {
        self.findings.values().map(Dated::date).max().unwrap_or_default()
    }

    /// The features with this value, in order.
    pub fn with(&self, value: Value) -> impl Iterator<Item = Feature> + '_ {
        self.findings.iter().filter(move |(_, found)| found.finding.value == value).map(|(feature, _)| *feature)
    }

    /// Whether the model has the feature; `None` where that is not known.
    pub fn has(&self, feature: Feature) -> Option<bool> {
        match self.findings.get(&feature)?.finding.value {
            Value::Yes => Some(true),
            Value::No => Some(false),
            Value::Unknown => None,
        }
    }

    /// Without the findings that are too old to go by.
    fn recent(mut self, now: Timestamp) -> Self {
        self.findings.retain(|_, found| found.is_recent(now));
        self.context = self.context.filter(|_| self.findings.contains_key(&Feature::Context));
        self
    }
}

/// The findings about the models of one gateway.
#[derive(Debug, Clone)]
pub struct Findings {
    dir: PathBuf,
    base_url: String,
    now: Timestamp,
}

impl Findings {
    /// Those of the gateway of this name and address, below this data directory.
    pub fn new(data: &Path, gateway: &str, base_url: &str) -> Self {
        let dir = data.join("probes").join(json_file::name(gateway));
        Self { dir, base_url: base_url.to_owned(), now: Timestamp::now() }
    }

    /// What is known of a model, as far as it is not too old.
    pub fn of(&self, model: &str) -> Option<Kept> {
        let kept = self.read(&self.path(model))?.recent(self.now);
        (!kept.findings.is_empty() && kept.model == model).then_some(kept)
    }

    /// Why what is known of a model is not read, in a sentence, where somebody else could have put it there.
    pub fn refused(&self, model: &str) -> Option<String> {
        json_file::refused(&self.path(model))
    }

    /// Why what is known of models is not read, as [`Findings::refused`] says it, each sentence once.
    pub fn all_refused(&self) -> BTreeSet<String> {
        let Ok(files) = fs::read_dir(&self.dir) else { return BTreeSet::new() };
        files.flatten().filter_map(|file| json_file::refused(&file.path())).collect()
    }

    fn path(&self, model: &str) -> PathBuf {
        self.dir.join(format!("{}.json", json_file::name(model)))
    }

    fn read(&self, path: &Path) -> Option<Kept> {
        json_file::read(path).filter(|kept: &Kept| kept.layout == LAYOUT && kept.base_url == self.base_url)
    }

    /// Keeps new findings about a model. What was known before stays where the new finding is unknown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, model: &str, new: &BTreeMap<Feature, Finding>, context: Option<u64>) -> io::Result<()> {
        let path = self.path(model);
        let mut kept = self.read(&path).filter(|kept| kept.model == model).unwrap_or_else(|| Kept {
            layout: LAYOUT,
            base_url: self.base_url.clone(),
            model: model.to_owned(),
            findings: BTreeMap::new(),
            context: None,
        });
        for (feature, finding) in new {
            if finding.value == Value::Unknown && kept.has(*feature).is_some() {
                continue;
            }
            kept.findings.insert(*feature, Dated { finding: finding.clone(), at: seconds(self.now) });
        }
        if context.is_some() || new.get(&Feature::Context).is_some_and(|found| found.value != Value::Unknown) {
            kept.context = context;
        }
        json_file::write(&path, &kept)
    }
}

/// The moment, without parts of a second.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
