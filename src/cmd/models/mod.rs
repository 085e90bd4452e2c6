//! `llm models`: what gateways offer, with prices.

mod list;
mod show;

use std::path::Path;
use std::time::SystemTime;

use super::{Context, process};
use crate::catalog::{self, Catalogue, Source};
use crate::cli::{ModelsArgs, ModelsCommand};
use crate::config::Gateway;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::report::format;

pub(super) fn run(context: &Context, args: &ModelsArgs) -> Result<u8, Error> {
    match &args.command {
        Some(ModelsCommand::Show(args)) => show::run(context, args),
        Some(ModelsCommand::List(list)) => list::run(context, list),
        None => list::run(context, &args.list),
    }
}

/// The lists of gateways, kept or fetched.
struct Lists<'a> {
    context: &'a Context,
    refresh: bool,
    /// Where lists are kept; the demo's is not worth it.
    cache_dir: Option<&'a Path>,
    now: SystemTime,
}

impl<'a> Lists<'a> {
    fn new(context: &'a Context, refresh: bool, demo: bool) -> Self {
        let cache_dir = context.settings.dirs.cache.as_deref().filter(|_| !demo);
        Self { context, refresh, cache_dir, now: SystemTime::now() }
    }

    /// The list as it is kept, if it is at most a month old.
    fn kept(&self, gateway: &Gateway) -> Option<Catalogue> {
        catalog::cached(gateway, self.cache_dir?, self.now)
    }

    /// Whether a kept list will do.
    fn suffices(&self, kept: &Catalogue) -> bool {
        !self.refresh && kept.source == Source::Cache
    }

    /// The gateway's list. No key is looked for where a kept list will do, and some gateways show theirs without one.
    fn of(&self, gateway: &Gateway, key: Option<&str>) -> Result<Catalogue, Error> {
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
        match (process::runtime()?.block_on(self.fetch(&client)), without_key) {
            // That there was no key explains more than that it was refused.
            (Err(Failure { kind: FailureKind::Auth, .. }), Some(error)) => Err(error),
            (list, _) => Ok(list?),
        }
    }

    async fn fetch(&self, client: &Client) -> Result<Catalogue, Failure> {
        catalog::load(client.config(), client, self.cache_dir, self.refresh, self.now).await
    }

    /// How old the list is, for people.
    fn age(&self, catalogue: &Catalogue) -> String {
        match (catalogue.source, self.now.duration_since(catalogue.fetched_at)) {
            (Source::Gateway, _) | (_, Err(_)) => "fetched just now".into(),
            (_, Ok(age)) => format!("fetched {} ago; --refresh asks again", format::duration(age)),
        }
    }
}
