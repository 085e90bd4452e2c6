//! Gateways, keys and stores for tests; no keyring, no home directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::api::CredentialStoreApi;
use keyring_core::mock;

use super::{Key, KeyFile, Keyring, Slot, Stores, Timeout};
use crate::config::{Auth, BaseUrl, Gateway, KeySource, PriceList, Timeouts};

/// Long enough that only work that hangs exceeds it.
pub(crate) const LONG: Timeout = Timeout { notice_after: None, limit: Duration::from_secs(60) };

pub(crate) fn gateway(name: &str) -> Gateway {
    Gateway {
        name: name.to_owned(),
        base_url: BaseUrl::parse(&format!("https://{name}.example/v1"), false).expect("an address"),
        api: crate::adapter::Api::default(),
        model_api: std::collections::BTreeMap::new(),
        auth: Auth::Required,
        key: KeySource { env: vec![format!("{}_API_KEY", name.to_uppercase())], command: None, name: None },
        headers: std::collections::BTreeMap::new(),
        ca_file: None,
        timeouts: Timeouts::default(),
        rate: Default::default(),
        markup: None,
        models: Vec::new(),
        price_list: PriceList::default(),
        price_provider: None,
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key").0
}

/// An in-memory keyring in which each call can be made to fail.
pub(crate) struct MockKeyring(Arc<mock::Store>);

impl MockKeyring {
    pub(crate) fn new() -> Self {
        Self(mock::Store::new().expect("a store in memory"))
    }

    pub(crate) fn keyring(&self) -> Keyring {
        let store = Arc::clone(&self.0);
        Keyring::with(move |service, user| Ok(keyring::Entry { inner: store.build(service, user, None)? }))
    }

    pub(crate) fn stores(&self, dir: Option<&Path>) -> Stores {
        Stores::new(Arc::new(self.keyring()), dir.map(KeyFile::in_dir), LONG)
    }

    pub(crate) fn entry(&self, slot: &Slot) -> keyring_core::Entry {
        self.0.build(&slot.service(), &slot.name, None).expect("an entry")
    }

    /// The next call for this place fails so.
    pub(crate) fn fail(&self, slot: &Slot, error: keyring::Error) {
        self.entry(slot).as_any().downcast_ref::<mock::Cred>().expect("a mock entry").set_error(error);
    }
}
