//! What a request holds of the rates of its key.

use std::sync::Arc;

use super::{Admission, Demand, RateStore};
use crate::ledger::StoreError;

/// What a request holds until it is over. It is given back where this value is dropped: a client may leave at any time, also
/// while the store is asked, and then nobody knows whether the store has said yes.
#[derive(Debug)]
pub struct Held {
    store: Arc<dyn RateStore>,
    /// `None` where nothing is held (any more).
    demand: Option<Demand>,
}

impl Held {
    /// Asks the store. Nothing is held where the answer is no.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn admit(store: Arc<dyn RateStore>, demand: Demand) -> Result<(Self, Admission), StoreError> {
        let mut held = Self { store, demand: Some(demand.clone()) };
        let admission = held.store.admit(demand).await;
        let holds_nothing = match &admission {
            Ok(admission) => admission.refused.is_some(),
            Err(_) => !held.store.admits_unheard(),
        };
        if holds_nothing {
            held.demand = None;
        }
        admission.map(|admission| (held, admission))
    }

    /// The request is over. Puts the tokens that it has used, where they are known, in the place of those that were expected.
    pub fn settle(&mut self, used: Option<u64>) {
        if let Some(demand) = self.demand.take() {
            self.store.settle(&demand, used);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.settle(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{BoxFuture, FutureExt as _};

    use super::*;
    use crate::store::Limit;

    /// Says what it is told to, or nothing at all, and keeps what is given back.
    #[derive(Debug, Default)]
    struct Scripted {
        admission: Option<Admission>,
        /// Whether it fails, and then whether it may have admitted the request all the same.
        fails: Option<bool>,
        settled: Mutex<Vec<(String, Option<u64>)>>,
    }

    impl RateStore for Scripted {
        fn admit(&self, _: Demand) -> BoxFuture<'_, Result<Admission, StoreError>> {
            if self.fails.is_some() {
                let error = StoreError::Unreachable { server: "db".into(), cause: "no answer".into(), hint: "" };
                return std::future::ready(Err(error)).boxed();
            }
            match &self.admission {
                Some(admission) => std::future::ready(Ok(*admission)).boxed(),
                None => std::future::pending().boxed(),
            }
        }

        fn admits_unheard(&self) -> bool {
            self.fails == Some(true)
        }

        fn settle(&self, demand: &Demand, used: Option<u64>) {
            self.settled.lock().expect("no test panics here").push((demand.id.clone(), used));
        }

        fn beat(&self) -> BoxFuture<'_, Result<(), StoreError>> {
            std::future::ready(Ok(())).boxed()
        }
    }

    fn demand() -> Demand {
        Demand { id: "a".into(), key: "bot".into(), requests: None, tokens: None, in_flight: Some(1) }
    }

    fn settled(store: &Scripted) -> Vec<(String, Option<u64>)> {
        store.settled.lock().expect("no test panics here").clone()
    }

    #[tokio::test]
    async fn what_a_client_holds_that_leaves_is_given_back() {
        let silent = Arc::new(Scripted::default());
        let asked = Held::admit(Arc::clone(&silent) as Arc<dyn RateStore>, demand());
        assert!(asked.now_or_never().is_none(), "the store does not answer, and the client leaves");
        assert_eq!(settled(&silent), [("a".to_owned(), None)]);

        let store = Arc::new(Scripted { admission: Some(Admission::default()), ..Scripted::default() });
        let (held, _) = Held::admit(Arc::clone(&store) as Arc<dyn RateStore>, demand()).await.expect("it works");
        assert_eq!(settled(&store), []);
        drop(held);
        assert_eq!(settled(&store), [("a".to_owned(), None)]);
    }

    #[tokio::test]
    async fn what_is_over_is_given_back_once_and_a_refusal_holds_nothing() {
        let store = Arc::new(Scripted { admission: Some(Admission::default()), ..Scripted::default() });
        let (mut held, _) = Held::admit(Arc::clone(&store) as Arc<dyn RateStore>, demand()).await.expect("it works");
        held.settle(Some(7));
        drop(held);
        assert_eq!(settled(&store), [("a".to_owned(), Some(7))]);

        let refused = Some((Limit::InFlight, std::time::Duration::ZERO));
        let store = Arc::new(Scripted {
            admission: Some(Admission { refused, ..Admission::default() }),
            ..Scripted::default()
        });
        drop(Held::admit(Arc::clone(&store) as Arc<dyn RateStore>, demand()).await.expect("it works"));
        assert_eq!(settled(&store), []);
    }

    #[tokio::test]
    async fn what_a_store_that_failed_may_hold_is_given_back_and_nothing_else() {
        for (may_hold, given_back) in [(true, 1), (false, 0)] {
            let store = Arc::new(Scripted { fails: Some(may_hold), ..Scripted::default() });
            drop(Held::admit(Arc::clone(&store) as Arc<dyn RateStore>, demand()).await.expect_err("it fails"));
            assert_eq!(settled(&store).len(), given_back);
        }
    }
}
