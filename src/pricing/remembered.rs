//! What the table said, kept in a file, so that the next run with the same models need not decode the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::table::{self, Lookup, Seller};
use crate::json_file;
use crate::rates::Tariff;

/// A file of more than this is begun anew: nobody uses so many models, so most of it is stale.
const MOST_ENTRIES: usize = 1_000;

/// No lookup holds longer; one that claims to was written under a wrong clock.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// How the table is read; what was remembered of another reading is not used.
const LAYOUT: u32 = 2;

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    #[serde(default)]
    layout: u32,
    /// The version of the table; what another one said is not used.
    table: String,
    /// By seller and model.
    prices: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    /// `None` where the table does not know the model, which is worth as much.
    tariff: Option<Tariff>,
    /// Seconds since 1970.
    until: u64,
}

/// The table behind its memory.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// `None` where there is nowhere to keep it; it then lasts for this run.
    path: Option<PathBuf>,
    /// Read from the file when first needed.
    known: Mutex<Option<BTreeMap<String, Entry>>>,
}

impl Remembered {
    pub(crate) fn new(cache_dir: Option<&Path>) -> Self {
        Self { path: cache_dir.map(|dir| dir.join("prices.json")), known: Mutex::new(None) }
    }

    /// The price of a model as of `now`: from memory, else from the table.
    pub(crate) fn tariff(&self, seller: &Seller, model: &str, now: SystemTime) -> Option<Tariff> {
        let key = key(seller, model)?;
        if let Some(entry) = self.recall(&key, now) {
            return entry.tariff;
        }
        let lookup = table::look_up(seller, model, now);
        self.remember(BTreeMap::from([(key, lookup.clone())]));
        lookup.tariff
    }

    /// Whether [`Self::tariff`] will need the table.
    pub(crate) fn is_missing(&self, seller: &Seller, model: &str, now: SystemTime) -> bool {
        key(seller, model).is_some_and(|key| self.recall(&key, now).is_none())
    }

    /// Looks up several models at once, for later.
    pub(crate) fn learn(&self, models: &[(Seller, String)], now: SystemTime) {
        let found = models.iter().filter(|(seller, model)| self.is_missing(seller, model, now));
        self.remember(
            found
                .filter_map(|(seller, model)| Some((key(seller, model)?, table::look_up(seller, model, now))))
                .collect(),
        );
    }

    fn recall(&self, key: &str, now: SystemTime) -> Option<Entry> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let holds = seconds(now) + 1..=seconds(now + LONGEST);
        self.known().as_ref()?.get(key).filter(|entry| holds.contains(&entry.until)).cloned()
    }

    fn remember(&self, lookups: BTreeMap<String, Lookup>) {
        let mut new: BTreeMap<String, Entry> = lookups
            .into_iter()
            .filter_map(|(key, Lookup { tariff, until })| {
                let until = until?.duration_since(UNIX_EPOCH).ok()?.as_secs();
                Some((key, Entry { tariff, until }))
            })
            .collect();
        if new.is_empty() {
            return;
        }
        let mut known = self.known();
        if let Some(path) = &self.path {
            // Another command may have written since this one read.
            let mut prices = read(path);
            if prices.len() > MOST_ENTRIES {
                prices.clear();
            }
            prices.append(&mut new.clone());
            // Without the file, the next run takes a few milliseconds more; nobody needs to hear of it.
            let _ = json_file::write(path, &File { layout: LAYOUT, table: table::VERSION.into(), prices });
        }
        known.get_or_insert_default().append(&mut new);
    }

    /// The known prices, read from the file if that has not been done.
    fn known(&self) -> MutexGuard<'_, Option<BTreeMap<String, Entry>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(|| self.path.as_deref().map(read).unwrap_or_default());
        known
    }
}

fn read(path: &Path) -> BTreeMap<String, Entry> {
    let file: File = json_file::read(path).unwrap_or_default();
    if file.layout == LAYOUT && file.table == table::VERSION { file.prices } else { BTreeMap::new() }
}

fn key(seller: &Seller, model: &str) -> Option<String> {
    Some(format!("{} {model}", seller.key()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Usd;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_176_000)
    }

    fn openai() -> Seller {
        Seller::Provider("openai".into())
    }

    fn input(tariff: Option<Tariff>) -> Option<i64> {
        tariff?.base.input.map(Usd::picos)
    }

    #[test]
    fn the_next_run_does_not_need_the_table() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Remembered::new(Some(dir.path()));
        assert!(first.is_missing(&openai(), "gpt-4o-mini", now()));
        let tariff = first.tariff(&openai(), "gpt-4o-mini", now());
        assert_eq!(input(tariff.clone()), Some(150_000));
        assert_eq!(first.tariff(&openai(), "my-finetune", now()), None);

        let next = Remembered::new(Some(dir.path()));
        assert!(!next.is_missing(&openai(), "gpt-4o-mini", now()));
        assert!(!next.is_missing(&openai(), "my-finetune", now()), "that it is unknown is known");
        assert_eq!(next.tariff(&openai(), "gpt-4o-mini", now()), tariff);
        assert!(next.is_missing(&Seller::Provider("azure".into()), "gpt-4o-mini", now()), "another seller");
    }

    #[test]
    fn steps_are_remembered_with_the_rates() {
        let dir = tempfile::tempdir().expect("a directory");
        let claude = Seller::Provider("anthropic".into());
        let told = Remembered::new(Some(dir.path())).tariff(&claude, "claude-sonnet-4-5", now()).expect("known");
        let next = Remembered::new(Some(dir.path()));
        assert!(!next.is_missing(&claude, "claude-sonnet-4-5", now()));
        assert_eq!(next.tariff(&claude, "claude-sonnet-4-5", now()).expect("known"), told);
        assert_eq!(told.steps.len(), 1);
    }

    #[test]
    fn what_no_longer_holds_is_looked_up_again() {
        let dir = tempfile::tempdir().expect("a directory");
        Remembered::new(Some(dir.path())).tariff(&openai(), "gpt-4o-mini", now());
        let next = Remembered::new(Some(dir.path()));
        assert!(next.is_missing(&openai(), "gpt-4o-mini", now() + LONGEST), "too old");
        assert!(next.is_missing(&openai(), "gpt-4o-mini", now() - LONGEST), "from the future");
        let deepseek = Seller::Provider("deepseek".into());
        assert!(next.tariff(&deepseek, "deepseek-v4-pro", now()).is_some());
        assert!(next.is_missing(&deepseek, "deepseek-v4-pro", now()), "its price depends on the hour");
    }

    #[test]
    fn a_broken_or_older_file_is_ignored_and_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("prices.json");
        let wrong = r#""openai gpt-4o-mini":{"tariff":{"base":{"input":9}},"until":1795186000}"#;
        for content in ["{", "[]", "", &format!(r#"{{"table":"0.0.1","prices":{{{wrong}}}}}"#)] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(input(Remembered::new(Some(dir.path())).tariff(&openai(), "gpt-4o-mini", now())), Some(150_000));
            assert!(!Remembered::new(Some(dir.path())).is_missing(&openai(), "gpt-4o-mini", now()));
        }
    }

    #[test]
    fn two_commands_at_once_lose_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, two) = (Remembered::new(Some(dir.path())), Remembered::new(Some(dir.path())));
        assert!(one.is_missing(&openai(), "gpt-4o", now()) && two.is_missing(&openai(), "gpt-4o", now()));
        one.learn(&[(openai(), "gpt-4o-mini".into()), (Seller::Nobody, "llama".into())], now());
        two.learn(&[(openai(), "gpt-4o".into())], now());
        let next = Remembered::new(Some(dir.path()));
        assert!(!next.is_missing(&openai(), "gpt-4o-mini", now()) && !next.is_missing(&openai(), "gpt-4o", now()));
    }

    #[test]
    fn nowhere_to_write_is_no_obstacle() {
        let memory = Remembered::new(None);
        assert_eq!(input(memory.tariff(&openai(), "gpt-4o-mini", now())), Some(150_000));
        assert!(!memory.is_missing(&openai(), "gpt-4o-mini", now()), "remembered for this run");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let blocked = Remembered::new(Some(file.path()));
        assert_eq!(input(blocked.tariff(&openai(), "gpt-4o-mini", now())), Some(150_000));
    }
}
