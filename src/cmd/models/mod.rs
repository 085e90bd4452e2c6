//! `llm models`: shows the models of gateways, with prices.

mod default;
mod known;
mod list;
mod show;
mod suggest;

use std::path::Path;
use std::time::SystemTime;

use super::{Context, waiting_for_list};
use crate::catalog::{self, Catalogue, Source};
use crate::cli::{ModelsArgs, ModelsCommand};
use crate::config::Gateway;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::report::format;

pub(super) use known::{chosen, known};
pub(super) use suggest::with_models;

pub(super) fn run(context: &Context, args: &ModelsArgs) -> Result<u8, Error> {
    match &args.command {
        Some(ModelsCommand::Show(args)) => show::run(context, args),
        Some(ModelsCommand::Default { name }) => default::run(context, name.as_deref()),
        Some(ModelsCommand::List(list)) => list::run(context, list),
        None => list::run(context, &args.list),
    }
}

/// Reads the lists of gateways from the cache, or fetches them.
pub(super) struct Lists<'a> {
    context: &'a Context,
    refresh: bool,
    /// The directory of cached lists; `None` for the demo gateway, whose list is not cached because its address changes.
    cache_dir: Option<&'a Path>,
    now: SystemTime,
}

impl<'a> Lists<'a> {
    pub(super) fn new(context: &'a Context, refresh: bool, demo: bool) -> Self {
        let cache_dir = context.settings.dirs.cache.as_deref().filter(|_| !demo);
        Self { context, refresh, cache_dir, now: SystemTime::now() }
    }

    /// The cached list, if it is at most a month old.
    fn kept(&self, gateway: &Gateway) -> Option<Catalogue> {
        catalog::cached(gateway, self.cache_dir?, self.now)
    }

    /// Whether a cached list is used instead of a new one.
    fn suffices(&self, kept: &Catalogue) -> bool {
        !self.refresh && kept.source == Source::Cache
    }

    /// The gateway's list, from the cache or from the gateway. A key is looked for only to fetch the list. Without a key the
    /// list is asked for all the same, because some gateways show theirs to everyone.
    ///
    /// # Errors
    /// The key that a flag names cannot be read, or the list cannot be fetched.
    pub(super) fn of(&self, gateway: &Gateway, key: Option<&str>) -> Result<Catalogue, Error> {
        if let Some(kept) = self.kept(gateway).filter(|kept| self.suffices(kept)) {
            return Ok(kept);
        }
        let (found, without_key) = match self.context.preparation().key(gateway, key) {
            Ok(found) => (found, None),
            Err(error) if key.is_some() => return Err(error),
            Err(error) => (None, Some(error)),
        };
        let client = Client::new(gateway.clone(), &self.context.settings.env)?;
        let client = self.context.preparation().with_key(client, Ok(found))?;
        let list = self.context.wait_for(&waiting_for_list(&gateway.name), self.fetch(&client))?;
        match (list, without_key) {
            // The request was refused because it had no key, so the error of the key's lookup is reported.
            (Err(Failure { kind: FailureKind::Auth, .. }), Some(error)) => Err(error),
            (list, _) => Ok(list?),
        }
    }

    async fn fetch(&self, client: &Client) -> Result<Catalogue, Failure> {
        catalog::load(client.config(), client, self.cache_dir, self.refresh, self.now).await
    }

    /// The age of the list, in words.
    fn age(&self, catalogue: &Catalogue) -> String {
        match (catalogue.source, self.now.duration_since(catalogue.fetched_at)) {
            (Source::Gateway, _) | (_, Err(_)) => "fetched just now".into(),
            (_, Ok(age)) => format!("fetched {} ago; --refresh asks again", format::duration(age)),
        }
    }
}
