//! Rates of one process, in memory: for a server that has lost its store.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::future::{BoxFuture, FutureExt as _};

use super::bucket::{Buckets, correction};
use super::{Admission, Demand, RateStore};
use crate::ledger::StoreError;

/// The rates of the keys of one process.
#[derive(Debug)]
pub struct MemoryRates {
    began: Instant,
    keys: Mutex<HashMap<String, Key>>,
}

#[derive(Debug, Default)]
struct Key {
    buckets: Buckets,
    running: HashSet<String>,
}

impl Default for MemoryRates {
    fn default() -> Self {
        Self { began: Instant::now(), keys: Mutex::default() }
    }
}

impl RateStore for MemoryRates {
    fn admit(&self, demand: Demand) -> BoxFuture<'_, Result<Admission, StoreError>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let key = keys.entry(demand.key.clone()).or_default();
        let admission = key.buckets.admit(&demand, key.running.len() as u64, self.began.elapsed().as_secs_f64());
        if admission.refused.is_none() && demand.in_flight.is_some() {
            key.running.insert(demand.id);
        }
        std::future::ready(Ok(admission)).boxed()
    }

    fn settle(&self, demand: &Demand, used: Option<u64>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = keys.get_mut(&demand.key) else { return };
        key.running.remove(&demand.id);
        if let (Some(bucket), Some(correction)) = (&mut key.buckets.tokens, correction(demand, used)) {
            bucket.level += correction;
        }
    }

    fn beat(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        std::future::ready(Ok(())).boxed()
    }
}
