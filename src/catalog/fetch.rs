//! Fetches a gateway's list, page by page, and the prices that some gateways have in a second document.

use std::collections::BTreeSet;
use std::future::Future;

use super::list::{self, MOST_MODELS};
use super::{ModelInfo, litellm, one_api};
use crate::config::{Gateway, PriceList};
use crate::error::{Failure, FailureKind};
use crate::gateway::{Client, Fetched};

/// The largest list that is read, in bytes, on all its pages. OpenRouter's is about 1 MiB.
const LARGEST_LIST: usize = 64 * 1024 * 1024;

/// The most pages of a list that are fetched. A gateway that tells of more repeats itself.
const MOST_PAGES: usize = 100;

/// Fetches documents from a gateway: a real one, or one of a test.
pub trait Fetch {
    /// The document at `url`, or status 304 if it is still the one that `etag` stands for.
    ///
    /// # Errors
    /// The gateway cannot be reached, or its status is one of failure.
    fn get(&self, url: &str, etag: Option<&str>) -> impl Future<Output = Result<Fetched, Failure>> + Send;
}

impl Fetch for Client {
    async fn get(&self, url: &str, etag: Option<&str>) -> Result<Fetched, Failure> {
        Client::get(self, url, etag, LARGEST_LIST).await
    }
}

/// A list as the gateway gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) models: Vec<ModelInfo>,
    /// Sent when the list is fetched again, to learn whether it has changed.
    pub(super) etag: Option<String>,
    pub(super) notes: Vec<String>,
    /// Whether all of it could be fetched. Otherwise it is not kept, so that it is fetched again next time.
    pub(super) complete: bool,
}

/// The whole list with its prices. Returns `None` where it has not changed since `etag`.
pub(super) async fn list(gateway: &Gateway, fetch: &impl Fetch, etag: Option<&str>) -> Result<Option<List>, Failure> {
    let mut places = gateway.base_url.endpoints(gateway.api, "models").peekable();
    let (url, first) = loop {
        let url = places.next().unwrap_or_default();
        match fetch.get(&url, etag).await {
            Err(failure) if failure.kind == FailureKind::NotFound && places.peek().is_some() => {}
            first => break (url, first.map_err(without_list)?),
        }
    };
    if first.status == 304 {
        return Ok(None);
    }
    let mut page = list::parse(&first.body)?;
    let mut list =
        List { models: std::mem::take(&mut page.models), etag: first.etag, notes: Vec::new(), complete: true };
    let (mut skipped, mut beyond) = (page.skipped, page.beyond);
    let mut bytes = first.body.len();
    let mut queries = Vec::new();
    while let Some(query) = page.next.filter(|_| beyond == 0) {
        if queries.contains(&query) || queries.len() == MOST_PAGES {
            list.notes.push("the gateway's list of models has no end; what follows was not fetched".into());
            break;
        }
        let body = fetch.get(&format!("{url}?{query}"), None).await?.body;
        bytes += body.len();
        if bytes > LARGEST_LIST {
            list.notes.push(format!(
                "the gateway's list of models is larger than {} MiB; the rest was left out",
                LARGEST_LIST >> 20
            ));
            break;
        }
        page = list::parse(&body)?;
        skipped += page.skipped;
        let known: BTreeSet<String> = list.models.iter().map(|model| model.id.clone()).collect();
        list.models.extend(page.models.drain(..).filter(|model| !known.contains(&model.id)));
        beyond += page.beyond + list.models.len().saturating_sub(MOST_MODELS);
        list.models.truncate(MOST_MODELS);
        queries.push(query);
    }
    if beyond > 0 {
        let text = format!("the gateway's list has more than {MOST_MODELS} models; what follows was left out");
        list.notes.push(text);
    }
    if skipped > 0 {
        list.notes.push(format!("{skipped} entries of the gateway's list name no model and were left out"));
    }
    if !queries.is_empty() || gateway.price_list != PriceList::Models {
        // The list is made of several documents, and the etag is of the first one.
        list.etag = None;
    }
    if let Err(failure) = add_prices(gateway, fetch, &mut list.models).await {
        list.notes.push(format!("the gateway's prices could not be fetched: {failure}"));
        list.complete = false;
    }
    Ok(Some(list))
}

/// The failure to fetch a list, with advice that leads to no list.
fn without_list(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::NotFound => {
            failure.with_advice("some gateways have no list of models; is the gateway's base_url right?")
        }
        _ => failure,
    }
}

/// Adds the prices of a second document, where this kind of gateway has one.
async fn add_prices(gateway: &Gateway, fetch: &impl Fetch, models: &mut [ModelInfo]) -> Result<(), Failure> {
    match gateway.price_list {
        PriceList::Models => {}
        PriceList::LiteLlm => {
            let groups = litellm::parse(&fetch.get(&gateway.base_url.join("model/info"), None).await?.body)?;
            for model in models {
                if let Some(group) = groups.get(&model.id) {
                    group.complete(model);
                }
            }
        }
        PriceList::OneApi => {
            let mut prices = one_api::parse(&fetch.get(&gateway.base_url.at_root("/api/pricing"), None).await?.body)?;
            for model in models {
                model.price = prices.remove(&model.id).or(model.price.take());
            }
        }
    }
    Ok(())
}
