//! The keys of clients as a server knows them: by the hash of their secret, and read again when one has changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use crate::call::Caller;
use crate::config::{KeyRules, MissingClass};
use crate::ledger::StoreError;
use crate::store::{KeyStore, ScopedKey, SecretHash};

/// The client that a key stands for.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: String,
    /// The rules of the key and its class.
    pub(super) rules: KeyRules,
    pub(super) caller: Arc<Caller>,
}

impl Client {
    fn new(key: &ScopedKey, classes: &BTreeMap<String, KeyRules>) -> Result<Self, MissingClass> {
        let rules = key.rules.in_class(classes)?;
        let caller = Caller {
            key: Some(key.name.clone()),
            tags: rules.tags.clone(),
            allow: rules.models.clone(),
            refuse: rules.refuse.clone(),
            budgets: rules.budgets.iter().map(|budget| budget.of_key(&key.name)).collect(),
            allow_unpriced: rules.allow_unpriced,
            ..Caller::default()
        };
        Ok(Self { name: key.name.clone(), caller: Arc::new(caller), rules })
    }
}

/// The client of a key whose limits are known.
type Known = Result<Arc<Client>, MissingClass>;

/// A secret that is good, and until when, in seconds since 1970.
struct Good {
    client: Known,
    until: Option<i64>,
}

/// All keys that have not ended.
#[derive(Default)]
pub(super) struct Keys {
    by_hash: RwLock<HashMap<SecretHash, Good>>,
    /// The version of the store that was read; `None` before.
    version: Mutex<Option<i64>>,
    /// The keys whose limits are not known, by name.
    without_class: Mutex<BTreeMap<String, MissingClass>>,
}

impl Keys {
    /// The client of a secret; `None` where it is not good.
    pub(super) fn find(&self, secret: &str) -> Option<Known> {
        let now = Timestamp::now().as_second();
        let keys = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let good = keys.get(&SecretHash::of(secret))?;
        good.until.is_none_or(|until| now < until).then(|| good.client.clone())
    }

    /// Reads all keys, and returns how many there are, ended ones among them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn read(
        &self,
        store: &dyn KeyStore,
        classes: &BTreeMap<String, KeyRules>,
    ) -> Result<usize, StoreError> {
        // The version comes first: a change between the two reads is then read once more.
        let version = store.version().await?;
        let keys = store.keys().await?;
        let now = Timestamp::now().as_second();
        let (mut by_hash, mut without_class) = (HashMap::new(), BTreeMap::new());
        for key in keys.iter().filter(|key| !key.has_ended(now)) {
            let client = Client::new(key, classes).map(Arc::new);
            if let Err(missing) = &client {
                without_class.insert(key.name.clone(), missing.clone());
            }
            by_hash.insert(key.hash, Good { client: client.clone(), until: key.expires });
            if let Some((previous, until)) = key.previous {
                let until = Some(key.expires.map_or(until, |expires| expires.min(until)));
                by_hash.insert(previous, Good { client, until });
            }
        }
        *self.by_hash.write().unwrap_or_else(PoisonError::into_inner) = by_hash;
        *self.without_class.lock().unwrap_or_else(PoisonError::into_inner) = without_class;
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        Ok(keys.len())
    }

    /// Reads the keys again if one has changed. Where the store cannot be read, the keys stay as they are.
    pub(super) async fn refresh(&self, store: &dyn KeyStore, classes: &BTreeMap<String, KeyRules>) {
        let Ok(version) = store.version().await else { return };
        let known = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if known != Some(version) {
            let _ = self.read(store, classes).await;
        }
    }

    /// The keys whose class the config does not have.
    pub(super) fn without_class(&self) -> BTreeMap<String, MissingClass> {
        self.without_class.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the keys read again at the next time, although none has changed.
    pub(super) fn forget(&self) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
