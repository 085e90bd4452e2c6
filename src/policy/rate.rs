//! Limits the number of requests that a gateway gets at once and in a minute.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::call::{Call, Events, Service};
use crate::config::Rate;
use crate::error::{Failure, FailureKind};

const MINUTE: Duration = Duration::from_secs(60);

/// After the gateway refused so many requests at once, as many are sent to it again only after this time. Without it, every
/// raise of the limit would fail a request, and one call could use up its tries.
const REFUSAL_HOLDS: Duration = MINUTE;

/// Sends requests to their gateways no faster than the rates of the config allow.
#[derive(Debug)]
pub struct Throttle<S> {
    inner: S,
    limiters: Limiters,
}

impl<S> Throttle<S> {
    pub fn new(inner: S, limiters: impl Into<Limiters>) -> Self {
        Self { inner, limiters: limiters.into() }
    }
}

/// The limits of gateways, with what runs there. A server keeps them when its settings change.
#[derive(Debug, Clone, Default)]
pub struct Limiters {
    /// By gateway. A gateway without an entry has no limit.
    by_name: BTreeMap<String, Arc<Limiter>>,
}

impl From<BTreeMap<String, Rate>> for Limiters {
    fn from(rates: BTreeMap<String, Rate>) -> Self {
        Self { by_name: rates.into_iter().map(|(name, rate)| (name, Arc::new(Limiter::new(rate)))).collect() }
    }
}

impl Limiters {
    /// These limits, with what was known before of gateways whose rates are the same.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        for (name, limiter) in &mut self.by_name {
            if let Some(known) = before.by_name.get(name).filter(|known| known.rate == limiter.rate) {
                *limiter = Arc::clone(known);
            }
        }
        self
    }
}

impl<S: Service> Service for Throttle<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let Some(limiter) = self.limiters.by_name.get(&call.target().gateway) else {
            return self.inner.call(call, events).await;
        };
        let permit = limiter.acquire().await;
        let result = self.inner.call(call, events).await;
        limiter.adapt(&permit, &result);
        result
    }
}

/// The limits of one gateway, and its running requests.
#[derive(Debug)]
struct Limiter {
    rate: Rate,
    state: Mutex<State>,
    /// Is notified when one more request may run.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    /// The number of running requests.
    running: usize,
    /// The number of requests that may run at once: the limit of the config, or a lower one after the gateway reported that
    /// too many run.
    limit: usize,
    /// The last refusal for which the limit was lowered.
    refused: Option<Refusal>,
    /// The number of answers since the limit was last changed.
    answers: usize,
    /// When the requests of the last minute began. It is empty if the config does not limit them.
    recent: VecDeque<Instant>,
}

/// The gateway said that too many requests run.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Instant,
    /// How many ran.
    running: usize,
}

/// The permission to run one request. It ends when it is dropped.
struct Permit<'a> {
    limiter: &'a Limiter,
    began: Instant,
    /// The number of running requests when it began, this one included.
    running: usize,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.state().running -= 1;
        self.limiter.freed.notify_one();
    }
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let limit = rate.max_concurrency.map_or(usize::MAX, |most| most.get() as usize);
        let state = State { running: 0, limit, refused: None, answers: 0, recent: VecDeque::new() };
        Self { rate, state: Mutex::new(state), freed: Notify::new() }
    }

    /// A poisoned lock is used all the same: no change of the state can panic halfway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request may run.
    async fn acquire(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            match self.try_acquire(Instant::now()) {
                Ok(permit) => {
                    // A notification wakes one waiter only, and another one may be able to run as well.
                    self.freed.notify_one();
                    return permit;
                }
                Err(Some(later)) => time::sleep_until(later).await,
                Err(None) => freed.await,
            }
        }
    }

    /// Counts the request as running.
    ///
    /// # Errors
    /// The request may not run yet. The value is the time to try again; `None` means when another request has ended.
    fn try_acquire(&self, now: Instant) -> Result<Permit<'_>, Option<Instant>> {
        let mut state = self.state();
        if state.running >= state.limit {
            return Err(None);
        }
        if let Some(most) = self.rate.requests_per_minute {
            while state.recent.front().is_some_and(|began| now.duration_since(*began) >= MINUTE) {
                state.recent.pop_front();
            }
            if state.recent.len() >= most.get() as usize {
                return Err(state.recent.front().map(|began| *began + MINUTE));
            }
            state.recent.push_back(now);
        }
        state.running += 1;
        Ok(Permit { limiter: self, began: now, running: state.running })
    }

    /// Lowers the limit to half of the running requests if the gateway reports that too many run. After that, raises it by
    /// one whenever as many answers have come as requests may run at once, up to what the gateway refused.
    fn adapt(&self, permit: &Permit<'_>, result: &Result<(), Failure>) {
        let now = Instant::now();
        let mut state = self.state();
        match (result, state.refused) {
            // A request that began before the limit was lowered does not show whether the new limit is low enough.
            (Err(failure), before)
                if failure.kind == FailureKind::Credits
                    && failure.is_transient()
                    && before.is_none_or(|before| permit.began >= before.at) =>
            {
                // Others may have begun or ended since, and the gateway may have counted either.
                let running = state.running.max(permit.running);
                state.limit = (running / 2).max(1);
                state.refused = Some(Refusal { at: now, running });
                state.answers = 0;
            }
            (Ok(()), Some(refused)) => {
                state.answers += 1;
                let most = self.rate.max_concurrency.map_or(usize::MAX, |most| most.get() as usize);
                let is_refused = state.limit + 1 >= refused.running && now.duration_since(refused.at) < REFUSAL_HOLDS;
                if state.answers >= state.limit && state.limit < most && !is_refused {
                    state.limit += 1;
                    state.answers = 0;
                    self.freed.notify_one();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Retry;
    use super::super::testing::{Canned, Reply, all, call, run};
    use super::*;

    fn throttle(gateway: &Arc<Canned>, rate: Rate) -> Throttle<Arc<Canned>> {
        Throttle::new(gateway.clone(), BTreeMap::from([("g".to_owned(), rate)]))
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_the_gateway_allows() {
        let gateway = Canned::new([("m", vec![Reply::answer().after(1_000)])]);
        let service = throttle(&gateway, Rate { max_concurrency: NonZeroU32::new(3), requests_per_minute: None });
        let (call, began) = (call(&["m"]), Instant::now());
        let results = all((0..9).map(|_| run(&service, &call))).await;
        assert!(results.iter().all(|(result, _)| result.is_ok()));
        assert_eq!((gateway.most_at_once(), began.elapsed().as_secs()), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_requests_than_the_gateway_allows() {
        let gateway = Canned::new([("m", vec![Reply::answer()])]);
        let service = throttle(&gateway, Rate { max_concurrency: None, requests_per_minute: NonZeroU32::new(4) });
        let call = call(&["m"]);
        all((0..10).map(|_| run(&service, &call))).await;
        let times = gateway.times();
        let seconds: Vec<u64> = times.iter().map(|at| (*at - times[0]).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 60, 60, 60, 60, 120, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_frees_its_permit() {
        let gateway = Canned::new([("m", vec![Reply::answer().after(5_000)])]);
        let service = throttle(&gateway, Rate { max_concurrency: NonZeroU32::new(1), requests_per_minute: None });
        let call = call(&["m"]);
        time::timeout(Duration::from_secs(1), run(&service, &call)).await.expect_err("too slow");
        assert_eq!(gateway.running(), 0);
        assert_eq!(run(&service, &call).await.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn changed_settings_forget_no_request_of_a_rate_that_is_the_same() {
        let rates = |rate| Limiters::from(BTreeMap::from([("g".to_owned(), rate)]));
        let two = Rate { max_concurrency: None, requests_per_minute: NonZeroU32::new(2) };
        let three = Rate { max_concurrency: None, requests_per_minute: NonZeroU32::new(3) };
        let gateway = Canned::new([("m", vec![Reply::answer()])]);
        let before = rates(two);
        let service = Throttle::new(gateway.clone(), before.clone());
        run(&service, &call(&["m"])).await.0.expect("an answer");
        run(&service, &call(&["m"])).await.0.expect("an answer");
        let answer = |limiters| {
            let service = Throttle::new(gateway.clone(), limiters);
            async move { time::timeout(Duration::from_secs(30), run(&service, &call(&["m"]))).await.is_ok() }
        };
        assert!(!answer(rates(two).after(&before)).await, "two have run in this minute");
        assert!(answer(rates(three).after(&before)).await, "another rate begins anew");
    }

    fn too_much() -> Failure {
        let failure = Failure::new(FailureKind::Credits, "too much in flight").with_status(402);
        Failure { should_retry: Some(true), ..failure }
    }

    /// Accepts `width` requests at once and refuses others.
    struct Narrow {
        width: usize,
        running: AtomicUsize,
    }

    impl Service for Narrow {
        async fn call(&self, _: &Call, _: &Events) -> Result<(), Failure> {
            let before = self.running.fetch_add(1, Ordering::Relaxed);
            time::sleep(Duration::from_millis(if before < self.width { 1_000 } else { 20 })).await;
            self.running.fetch_sub(1, Ordering::Relaxed);
            if before < self.width { Ok(()) } else { Err(too_much()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_takes_few_requests_at_once_answers_all_of_a_large_run() {
        // Waits are random, so one run would prove little.
        for width in [1, 2, 5].repeat(30) {
            let gateway = Narrow { width, running: AtomicUsize::new(0) };
            let throttle = Throttle::new(gateway, BTreeMap::from([("g".to_owned(), Rate::default())]));
            let service = Retry::new(throttle);
            let call = call(&["m"]);
            let results = all((0..20).map(|_| run(&service, &call))).await;
            let failed = results.iter().filter(|(result, _)| result.is_err()).count();
            assert_eq!(failed, 0, "of 20, where {width} are taken at once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_lowered_when_too_many_run_and_raised_after_answers() {
        let too_much = || Reply::failure(too_much()).after(20);
        let answer = Reply::answer().after(1_000);
        let script = [vec![too_much(); 4], vec![answer]].concat();
        let gateway = Canned::new([("m", script)]);
        let throttle = Arc::new(throttle(&gateway, Rate::default()));
        let service = Retry::new(throttle.clone());
        let mut call = call(&["m"]);
        call.limits.retries = Some(9);
        let results = all((0..8).map(|_| run(&service, &call))).await;
        assert!(results.iter().all(|(result, _)| result.is_ok()));
        let limiter = &throttle.limiters.by_name["g"];
        let refused = limiter.state().refused.expect("four were refused").running;
        assert_eq!((limiter.state().limit, refused), (5, 8), "four at once, and one more after four answers");
        for _ in 0..20 {
            run(&service, &call).await.0.expect("an answer");
        }
        assert_eq!(limiter.state().limit, refused - 1, "what was refused is not tried so soon");
        for _ in 0..80 {
            run(&service, &call).await.0.expect("an answer");
        }
        assert!(limiter.state().limit >= refused);
    }
}
