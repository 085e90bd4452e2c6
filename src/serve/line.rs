//! The line of requests that wait for a place: bounded, and fair by key.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Lets so many requests run at once. The keys of those that wait get the next place in turn, however many requests each has.
#[derive(Debug)]
pub(super) struct Line {
    most: usize,
    most_waiting: usize,
    longest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    /// By key, in the order in which they get places.
    keys: VecDeque<(String, VecDeque<oneshot::Sender<Place>>)>,
}

/// The permission to run a request, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Line>>);

/// There was no place, and none came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Line {
    pub(super) fn new(most: usize, most_waiting: usize, longest: Duration) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), most_waiting, longest, state: Mutex::default() })
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Too many wait already, or none came in time.
    pub(super) async fn enter(self: &Arc<Self>, key: &str) -> Result<Place, Full> {
        let wait = {
            let mut state = self.state();
            if state.running < self.most {
                state.running += 1;
                return Ok(Place(Some(Arc::clone(self))));
            }
            state.forget_those_who_left();
            if state.waiting >= self.most_waiting {
                return Err(Full);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting += 1;
            match state.keys.iter_mut().find(|(name, _)| name == key) {
                Some((_, waiting)) => waiting.push_back(sender),
                None => state.keys.push_back((key.to_owned(), VecDeque::from([sender]))),
            }
            receiver
        };
        timeout(self.longest, wait).await.ok().and_then(Result::ok).ok_or(Full)
    }

    /// How many requests run, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place that has become free to the next who waits.
    fn pass_on(self: &Arc<Self>) {
        let mut state = self.state();
        while let Some(next) = state.next() {
            match next.send(Place(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // Who waited has left. The place is not given back a second time.
                Err(mut place) => place.0 = None,
            }
        }
        state.running -= 1;
    }
}

impl State {
    /// Takes the next who waits out of the line. Its key goes to the end.
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let (key, mut waiting) = self.keys.pop_front()?;
        let next = waiting.pop_front();
        if !waiting.is_empty() {
            self.keys.push_back((key, waiting));
        }
        self.waiting -= usize::from(next.is_some());
        next
    }

    fn forget_those_who_left(&mut self) {
        for (_, waiting) in &mut self.keys {
            waiting.retain(|sender| !sender.is_closed());
        }
        self.keys.retain(|(_, waiting)| !waiting.is_empty());
        self.waiting = self.keys.iter().map(|(_, waiting)| waiting.len()).sum();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn keys_get_places_in_turn_however_many_requests_each_has() {
        let line = Line::new(1, 10, LONG);
        let first = line.enter("a").await.expect("a place");
        let names = ["a1", "a2", "a3", "b1", "c1"];
        let mut waiting: Vec<_> = names
            .iter()
            .map(|name| {
                let line = Arc::clone(&line);
                let wait: std::pin::Pin<Box<dyn Future<Output = Result<Place, Full>>>> =
                    Box::pin(async move { line.enter(&name[..1]).await });
                (*name, wait)
            })
            .collect();
        for (_, wait) in &mut waiting {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        assert_eq!(line.counts(), (1, 5));
        let mut order = Vec::new();
        let mut place = Some(first);
        while !waiting.is_empty() {
            drop(place.take());
            let ready =
                waiting.iter_mut().enumerate().find_map(|(at, (_, wait))| Some((at, wait.as_mut().now_or_never()?)));
            let (at, got) = ready.expect("somebody gets the place");
            order.push(waiting.remove(at).0);
            place = Some(got.expect("a place"));
        }
        assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
        drop(place);
        assert_eq!(line.counts(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_is_bounded_and_nobody_waits_for_ever() {
        let line = Line::new(1, 1, Duration::from_secs(5));
        let place = line.enter("a").await.expect("a place");
        let (one, other) = tokio::join!(line.enter("a"), line.enter("b"));
        assert!(matches!((one, other), (Err(Full), Err(Full))));
        drop(place);
        let place = line.enter("b").await.expect("those who left hold no place");
        // One that leaves while it waits does not keep the place that it is given.
        let mut left = Box::pin(line.enter("c"));
        assert!((&mut left).now_or_never().is_none());
        drop(place);
        drop(left);
        assert_eq!(line.counts(), (0, 0));
        line.enter("d").await.expect("a place");
    }
}
