//! Which of the URLs at which an endpoint may be is the right one, remembered while the program runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::adapter::Api;
use crate::config::BaseUrl;
use crate::error::{Failure, FailureKind};

/// The URL that was right last, by its index in the list of candidates. Most gateways have one candidate.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    known: AtomicUsize,
    /// The URLs of the last call, since most calls of a gateway go to one path.
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    api: Api,
    path: String,
    urls: Arc<[Url]>,
}

impl Endpoints {
    /// The URLs at which the endpoint of this path may be; see [`BaseUrl::endpoints`].
    ///
    /// # Errors
    /// The path makes no URL.
    pub(super) fn urls(&self, base: &BaseUrl, api: Api, path: &str) -> Result<Arc<[Url]>, Failure> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.api == api && last.path == path) {
            return Ok(Arc::clone(&last.urls));
        }
        let parsed = base.endpoints(api, path).map(|url| Url::parse(&url)).collect::<Result<Vec<_>, _>>();
        let urls: Arc<[Url]> = parsed
            .map_err(|error| {
                Failure::new(FailureKind::InvalidRequest, "the model's name makes no address")
                    .with_cause(error.to_string())
            })?
            .into();
        *last = Some(Last { api, path: path.to_owned(), urls: Arc::clone(&urls) });
        Ok(urls)
    }

    /// The indices of `count` candidates in the order in which they are tried: first the one that was right before.
    pub(super) fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let known = Some(self.known.load(Ordering::Relaxed)).filter(|known| *known < count);
        known.into_iter().chain((0..count).filter(move |index| Some(*index) != known))
    }

    /// Remembers that the gateway has its endpoints at this candidate.
    pub(super) fn found(&self, index: usize) {
        self.known.store(index, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_that_was_right_is_tried_first() {
        let endpoints = Endpoints::default();
        let order = |count| endpoints.order(count).collect::<Vec<_>>();
        assert_eq!(order(3), [0, 1, 2]);
        endpoints.found(2);
        assert_eq!((order(3), order(1)), (vec![2, 0, 1], vec![0]));
        endpoints.found(0);
        assert_eq!((order(3), order(0)), (vec![0, 1, 2], vec![]));
    }
}
