//! What a gateway says of itself: its list of models and their prices, fetched and kept for a day, and what was spent.

mod fetch;
mod lenient;
mod list;
mod litellm;
mod model;
mod one_api;
mod price;
mod row;
mod searching;
mod spend;

pub use fetch::Fetch;
pub use model::{Feature, ModelInfo};
pub use searching::searches;
pub use spend::{Spent, Statement, statement};

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use fetch::List;

use crate::config::{Gateway, PriceList};
use crate::error::{Failure, FailureKind};
use crate::json_file;
use crate::rates::Tariff;

/// How old a list may be before it is fetched again.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// How old a list may be for its prices to be used.
const PRICES_HOLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// The layout of the files. A list in a file of another layout is fetched again.
const LAYOUT: u32 = 2;

/// Where a list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the gateway, just now.
    Gateway,
    /// From a file younger than [`MAX_AGE`].
    Cache,
    /// From an older file, because the gateway could not be asked.
    StaleCache,
}

/// The list of a gateway's models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    pub models: Vec<ModelInfo>,
    pub fetched_at: SystemTime,
    pub source: Source,
    /// What went wrong while it was fetched, in sentences for people.
    pub notes: Vec<String>,
}

impl Catalogue {
    /// The gateway's own prices, by model.
    pub fn prices(&self) -> impl Iterator<Item = (String, Tariff)> + '_ {
        self.models.iter().filter_map(ModelInfo::priced)
    }

    /// Those of models that write text alone. Lists have no prices of the pictures and sound that others write.
    pub fn prices_of_text(&self) -> impl Iterator<Item = (String, Tariff)> + '_ {
        let writes_text = |model: &&ModelInfo| model.output_modalities.iter().all(|medium| medium == "text");
        self.models.iter().filter(writes_text).filter_map(ModelInfo::priced)
    }

    /// The model of this id.
    pub fn find(&self, id: &str) -> Option<&ModelInfo> {
        self.models.iter().find(|model| model.id == id)
    }
}

/// A list as it is kept. The fields are written in this order.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    layout: u32,
    /// Where the list came from: after a change of the config, the list of another gateway must not be used.
    base_url: String,
    price_list: String,
    /// Seconds since 1970.
    fetched_at: u64,
    etag: Option<String>,
    notes: Vec<String>,
    models: Vec<ModelInfo>,
}

/// The gateway's list: from its file if that is younger than [`MAX_AGE`], else from the gateway. Where the gateway cannot
/// be asked, an older list is used. With `refresh`, only the gateway's own answer is.
///
/// # Errors
/// The gateway could not be asked or its answer could not be read, and there is no list that may be used instead.
pub async fn load(
    gateway: &Gateway,
    fetch: &impl Fetch,
    cache_dir: Option<&Path>,
    refresh: bool,
    now: SystemTime,
) -> Result<Catalogue, Failure> {
    let kept = cache_dir.and_then(|dir| read(dir, gateway));
    let age = kept.as_ref().and_then(|file| now.duration_since(file.fetched_at()).ok());
    if let Some(file) = &kept
        && !refresh
        && age.is_some_and(|age| age < MAX_AGE)
    {
        return Ok(file.catalogue(Source::Cache));
    }
    let etag = kept.as_ref().and_then(|file| file.etag.as_deref());
    let list = match (fetch::list(gateway, fetch, etag).await, kept) {
        (Ok(Some(list)), _) => list,
        (Ok(None), Some(file)) => List { models: file.models, etag: file.etag, notes: file.notes, complete: true },
        (Ok(None), None) => {
            let message = "the gateway says that its list of models has not changed, but none was known";
            return Err(Failure::new(FailureKind::Protocol, message));
        }
        (Err(failure), Some(file)) if !refresh => {
            let mut catalogue = file.catalogue(Source::StaleCache);
            catalogue.notes.insert(0, format!("the list of models could not be fetched again: {failure}"));
            return Ok(catalogue);
        }
        (Err(failure), _) => return Err(failure),
    };
    let complete = list.complete;
    let file = File::new(gateway, list, now);
    let mut catalogue = file.catalogue(Source::Gateway);
    if let Some(dir) = cache_dir
        && complete
        && let Err(error) = json_file::write(&path(dir, gateway), &file)
    {
        catalogue.notes.push(format!("the list of models could not be kept for later: {error}"));
    }
    Ok(catalogue)
}

/// The gateway's list as it was last fetched, for its prices. Returns `None` where there is none younger than 30 days.
pub fn cached(gateway: &Gateway, cache_dir: &Path, now: SystemTime) -> Option<Catalogue> {
    let file = read(cache_dir, gateway)?;
    let age = now.duration_since(file.fetched_at()).ok()?;
    (age < PRICES_HOLD).then(|| file.catalogue(if age < MAX_AGE { Source::Cache } else { Source::StaleCache }))
}

/// Why the gateway's list is not read, in a sentence, where somebody else could have put it there.
pub fn refused(gateway: &Gateway, cache_dir: &Path) -> Option<String> {
    json_file::refused(&path(cache_dir, gateway))
}

impl File {
    fn new(gateway: &Gateway, list: List, now: SystemTime) -> Self {
        Self {
            layout: LAYOUT,
            base_url: gateway.base_url.as_str().to_owned(),
            price_list: shape(gateway.price_list).to_owned(),
            fetched_at: now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            etag: list.etag,
            notes: list.notes,
            models: list.models,
        }
    }

    fn fetched_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.fetched_at)
    }

    fn catalogue(&self, source: Source) -> Catalogue {
        let (models, notes) = (self.models.clone(), self.notes.clone());
        Catalogue { models, fetched_at: self.fetched_at(), source, notes }
    }
}

/// The file of a gateway's list. It is named after the gateway, not its address, since the keys of two gateways with one
/// address may see different models.
fn path(dir: &Path, gateway: &Gateway) -> PathBuf {
    dir.join("models").join(format!("{}.json", json_file::name(&gateway.name)))
}

fn read(dir: &Path, gateway: &Gateway) -> Option<File> {
    let file: File = json_file::read(&path(dir, gateway))?;
    let same = file.layout == LAYOUT
        && file.base_url == gateway.base_url.as_str()
        && file.price_list == shape(gateway.price_list);
    same.then_some(file)
}

fn shape(price_list: PriceList) -> &'static str {
    match price_list {
        PriceList::Models => "models",
        PriceList::LiteLlm => "litellm",
        PriceList::OneApi => "one-api",
    }
}

#[cfg(test)]
mod tests;
