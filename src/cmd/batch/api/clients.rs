//! Single requests to the gateways of a batch.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use crate::batch::api::{BatchApi, Gathered, Post};
use crate::call::{Call, Target};
use crate::cmd::{Context, process};
use crate::config::Gateway;
use crate::demo::Demo;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::{Client, Content, check_document};
use crate::ledger::DEMO;
use crate::ledger::jobs::Part;
use crate::policy::SpendingLimits;
use crate::run::{key_name, pricing};

/// The largest answer to an upload or a submission, and the largest standing, in bytes.
const LARGEST_REPLY: usize = 16 << 20;

/// The largest standing that has the results in it, in bytes.
const LARGEST_STANDING: u64 = 512 << 20;

/// The gateways of a batch, by name.
pub(super) struct Clients {
    by_name: BTreeMap<String, Arc<Client>>,
    limits: SpendingLimits,
    _demo: Option<Demo>,
}

impl Clients {
    pub(super) fn new(context: &Context, names: &BTreeSet<String>, key: Option<&str>) -> Result<Self, Error> {
        let preparation = context.preparation();
        let targets: Vec<Target> =
            names.iter().map(|name| Target { gateway: name.clone(), model: String::new() }).collect();
        let (gateways, demo) = preparation.gateways(&targets)?;
        let (mut by_name, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for (name, gateway) in gateways {
            let found = preparation.key(&gateway, key)?;
            keys.extend(found.iter().map(|found| (name.clone(), key_name(&gateway, key, &found.source))));
            let client = Client::new(gateway, &context.settings.env)?;
            by_name.insert(name, Arc::new(preparation.with_key(client, Ok(found))?));
        }
        // Budgets are not asked here: those that refuse do not let a batch through, and the others count what is collected.
        let limits = SpendingLimits {
            budgets: Vec::new(),
            allow: context.settings.allow.clone(),
            gateways: BTreeMap::new(),
            keys,
            pricing: Arc::new(pricing(&context.settings, demo.is_some())),
            store: None,
        };
        Ok(Self { by_name, limits, _demo: demo })
    }

    /// Whether the key of its gateway may be used for the model of a call that is to be handed over.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn check_model(&self, call: &Call) -> Result<(), Failure> {
        self.limits.check_model(call)
    }

    /// The gateway that was given this part.
    ///
    /// # Errors
    /// The gateway of that name is at another address now, which knows nothing of the part.
    pub(super) fn of_part(&self, part: &Part) -> Result<&Arc<Client>, Error> {
        let client = self.of(&part.gateway)?;
        let now = client.config().base_url.as_str();
        match part.address.as_deref().filter(|address| *address != now && part.gateway != DEMO) {
            None => Ok(client),
            Some(address) => {
                let message =
                    format!("this batch was handed over to {} at {address}, and that is at {now} now", part.gateway);
                Err(Error::usage_hint(message, format!("give {} the address {address} again", part.gateway)))
            }
        }
    }

    pub(super) fn of(&self, gateway: &str) -> Result<&Arc<Client>, Error> {
        self.by_name.get(gateway).ok_or_else(|| Error::config(format!("no gateway is called {gateway}")))
    }
}

/// The URL of a path at a gateway.
fn url(gateway: &Gateway, path: &str) -> String {
    gateway.base_url.endpoints(gateway.api, path).next().unwrap_or_default()
}

/// A runtime for single requests to gateways.
pub(super) struct Requests {
    runtime: tokio::runtime::Runtime,
}

impl Requests {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { runtime: process::runtime()? })
    }

    /// Sends a post, with the entries of a part where it has them.
    pub(super) fn post(
        &self,
        client: &Client,
        post: Post,
        entries: Option<&Gathered>,
        key: &str,
    ) -> Result<Vec<u8>, Failure> {
        let url = url(client.config(), &post.path);
        let content = match (entries, post.after_entries) {
            (Some(entries), Some(after)) => {
                let content = Content::around(post.body, &entries.entries, entries.bytes, after);
                content.map_err(|error| {
                    let failure = Failure::new(FailureKind::Protocol, "the requests cannot be read again");
                    failure.with_cause(error.to_string())
                })?
            }
            _ => post.body.into(),
        };
        let sent = client.post(&url, &post.content_type, content, key, LARGEST_REPLY);
        self.runtime.block_on(sent).map(|fetched| fetched.body)
    }

    /// A whole document.
    pub(super) fn get(&self, client: &Client, form: &dyn BatchApi, path: &str) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        if form.holds_results() {
            self.download(client, path, LARGEST_STANDING, &mut body)?;
            return Ok(body);
        }
        self.download(client, path, LARGEST_REPLY as u64, &mut body)?;
        check_document(&url(client.config(), path), &body)?;
        Ok(body)
    }

    /// Writes a document of at most `most` bytes to `to`, as it comes. A gateway that falls silent is not waited for.
    pub(super) fn download(
        &self,
        client: &Client,
        path: &str,
        most: u64,
        to: &mut (dyn Write + Send),
    ) -> Result<(), Failure> {
        let url = url(client.config(), path);
        self.runtime.block_on(client.download(&url, most, to))
    }
}
