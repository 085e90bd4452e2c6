//! Single requests to the gateways of a batch.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::batch::api::Post;
use crate::call::Target;
use crate::cmd::{Context, process};
use crate::config::{Gateway, Timeouts};
use crate::deadline;
use crate::demo::Demo;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;

/// The largest answer to an upload or a submission, and the largest standing, in bytes. A standing may have the results in it.
const LARGEST_STANDING: usize = 512 << 20;

/// The gateways of a batch, by name.
pub(super) struct Clients {
    by_name: BTreeMap<String, Arc<Client>>,
    _demo: Option<Demo>,
}

impl Clients {
    pub(super) fn new(context: &Context, names: &BTreeSet<String>, key: Option<&str>) -> Result<Self, Error> {
        let preparation = context.preparation();
        let targets: Vec<Target> =
            names.iter().map(|name| Target { gateway: name.clone(), model: String::new() }).collect();
        let (gateways, demo) = preparation.gateways(&targets)?;
        let mut by_name = BTreeMap::new();
        for (name, gateway) in gateways {
            let found = preparation.key(&gateway, key)?;
            let client = Client::new(gateway, &context.settings.env)?;
            by_name.insert(name, Arc::new(preparation.with_key(client, Ok(found))?));
        }
        Ok(Self { by_name, _demo: demo })
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

    pub(super) fn post(&self, client: &Client, post: Post, key: &str) -> Result<Vec<u8>, Failure> {
        let url = url(client.config(), &post.path);
        let sent = client.post(&url, &post.content_type, post.body, key, LARGEST_STANDING);
        self.runtime.block_on(sent).map(|fetched| fetched.body)
    }

    /// A whole document.
    pub(super) fn get(&self, client: &Client, path: &str) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        self.download(client, path, LARGEST_STANDING as u64, &mut body)?;
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
        let (began, last) = (Instant::now(), AtomicU64::new(0));
        let mut watched = Watched { to, began, last: &last };
        let downloaded = self.runtime.block_on(async {
            tokio::select! {
                downloaded = client.download(&url, most, &mut watched) => downloaded,
                failure = silence(&client.config().timeouts, began, &last) => Err(failure),
            }
        });
        downloaded.map_err(|failure| {
            let is_ours = failure.kind == FailureKind::Timeout && failure.status.is_none();
            let advice = failure.advice.clone().or_else(|| is_ours.then(|| advice("total")));
            Failure { advice, ..failure }
        })
    }
}

/// A writer that notes when something was written last.
struct Watched<'a> {
    to: &'a mut (dyn Write + Send),
    began: Instant,
    /// In milliseconds since the beginning; 0 before anything was written.
    last: &'a AtomicU64,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since.max(1), Ordering::Relaxed);
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Ends when nothing has come for too long.
async fn silence(timeouts: &Timeouts, began: Instant, last: &AtomicU64) -> Failure {
    loop {
        let last = last.load(Ordering::Relaxed);
        let (limit, setting) = if last == 0 { (timeouts.first_token, "first_token") } else { (timeouts.idle, "idle") };
        let end = deadline::since(began + Duration::from_millis(last), limit);
        if Instant::now() >= end {
            let message = format!("the document did not go on for {} s", limit.as_secs_f64());
            return Failure::new(FailureKind::Timeout, message).with_advice(advice(setting));
        }
        // What comes meanwhile moves the end.
        tokio::time::sleep_until(end.min(deadline::after(timeouts.idle))).await;
    }
}

fn advice(setting: &str) -> String {
    format!("timeouts.{setting} of the gateway in the config sets this limit")
}
