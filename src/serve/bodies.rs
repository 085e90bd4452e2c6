//! The memory of requests that do not run yet: bounded, and fair by key. Whoever sends bodies slowly, or more of them than may
//! run, keeps others from nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::line::Full;

/// Lets bodies hold so many bytes at once. A key may hold as much as it leaves free, or else one body. So each further key that
/// takes all that it gets leaves room for others.
#[derive(Debug)]
pub(super) struct Bodies {
    most: usize,
    most_waiting: usize,
    longest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    /// What each key holds, of those that hold something.
    keys: HashMap<String, usize>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    key: String,
    bytes: usize,
    sender: oneshot::Sender<Room>,
}

/// The permission to keep so many bytes, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    /// `None` where it was given to nobody.
    bodies: Option<Arc<Bodies>>,
    key: String,
    bytes: usize,
}

impl Bodies {
    /// Room for `most` bytes. So many requests may wait for it, for so long.
    pub(super) fn new(most: usize, most_waiting: usize, longest: Duration) -> Arc<Self> {
        Arc::new(Self { most, most_waiting, longest, state: Mutex::default() })
    }

    /// Waits for room for so many bytes.
    ///
    /// # Errors
    /// Too many wait already, or there was no room in time.
    pub(super) async fn enter(self: &Arc<Self>, key: &str, bytes: usize) -> Result<Room, Full> {
        let wait = {
            let mut state = self.state();
            // Those of a key get room in the order in which they came.
            let is_first = state.waiting.iter().all(|waiting| waiting.key != key || waiting.sender.is_closed());
            if is_first && state.take(self.most, key, bytes) {
                return Ok(self.room(key, bytes));
            }
            state.waiting.retain(|waiting| !waiting.sender.is_closed());
            if state.waiting.len() >= self.most_waiting {
                return Err(Full);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(Waiting { key: key.to_owned(), bytes, sender });
            receiver
        };
        timeout(self.longest, wait).await.ok().and_then(Result::ok).ok_or(Full)
    }

    /// How many requests wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.iter().filter(|waiting| !waiting.sender.is_closed()).count()
    }

    fn room(self: &Arc<Self>, key: &str, bytes: usize) -> Room {
        Room { bodies: Some(Arc::clone(self)), key: key.to_owned(), bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives room that has become free to those who wait, in the order in which they came; whoever needs more than there is for its
    /// key holds up that key alone.
    fn pass_on(self: &Arc<Self>, state: &mut State) {
        let mut held_up = HashSet::new();
        for waiting in std::mem::take(&mut state.waiting) {
            if waiting.sender.is_closed() {
                continue;
            }
            if held_up.contains(&waiting.key) || !state.take(self.most, &waiting.key, waiting.bytes) {
                held_up.insert(waiting.key.clone());
                state.waiting.push_back(waiting);
            } else if let Err(mut room) = waiting.sender.send(self.room(&waiting.key, waiting.bytes)) {
                // Who waited has left.
                state.give_back(&room.key, room.bytes);
                room.bodies = None;
            }
        }
    }
}

impl State {
    /// Takes room for a key, where there is enough.
    fn take(&mut self, most: usize, key: &str, bytes: usize) -> bool {
        let Some(free) = most.checked_sub(self.held).and_then(|free| free.checked_sub(bytes)) else { return false };
        let own = self.keys.get(key).copied().unwrap_or(0);
        if own > 0 && own.saturating_add(bytes) > free {
            return false;
        }
        self.held += bytes;
        *self.keys.entry(key.to_owned()).or_default() += bytes;
        true
    }

    fn give_back(&mut self, key: &str, bytes: usize) {
        self.held -= bytes;
        if let Some(own) = self.keys.get_mut(key) {
            *own -= bytes;
            if *own == 0 {
                self.keys.remove(key);
            }
        }
    }
}

impl Room {
    /// How many bytes there is room for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it room for so many bytes, if there is more. Does not wait: two that hold something and wait for more could wait for
    /// each other.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let Some(bodies) = &self.bodies else { return false };
        let is_taken = more == 0 || bodies.state().take(bodies.most, &self.key, more);
        self.bytes += if is_taken { more } else { 0 };
        is_taken
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(bodies) = self.bodies.take() {
            let mut state = bodies.state();
            state.give_back(&self.key, self.bytes);
            bodies.pass_on(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn now(bodies: &Arc<Bodies>, key: &str, bytes: usize) -> Option<Room> {
        bodies.enter(key, bytes).now_or_never().and_then(Result::ok)
    }

    /// The bytes, and the keys that hold some.
    fn held_by(bodies: &Bodies) -> (usize, usize) {
        let state = bodies.state();
        (state.held, state.keys.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_takes_all_it_gets_leaves_room_for_others() {
        let bodies = Bodies::new(80, 1_000, LONG);
        let mut held: Vec<Room> = Vec::new();
        let mut of_key = |key: &str| {
            let before = held.len();
            held.extend(std::iter::from_fn(|| now(&bodies, key, 1)));
            held.len() - before
        };
        // Each has as much as it leaves.
        assert_eq!(["a", "b", "c", "d"].map(&mut of_key), [40, 20, 10, 5]);
        // One that holds nothing gets a body while there is any room.
        let large = now(&bodies, "e", 5).expect("room");
        assert!(now(&bodies, "f", 1).is_none());
        drop((held, large));
        assert_eq!(held_by(&bodies), (0, 0));
        assert!(now(&bodies, "a", 80).is_some() && now(&bodies, "a", 81).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn room_goes_to_those_who_wait_and_a_large_body_holds_up_its_own_key_alone() {
        let bodies = Bodies::new(10, 3, LONG);
        let first = now(&bodies, "a", 4).expect("room");
        let second = now(&bodies, "b", 3).expect("room");
        let (large, small, other) = (bodies.enter("a", 6), bodies.enter("a", 1), bodies.enter("b", 4));
        let (mut large, mut small, mut other) = (Box::pin(large), Box::pin(small), Box::pin(other));
        for waits in [&mut large, &mut small, &mut other] {
            assert!(waits.as_mut().now_or_never().is_none());
        }
        assert_eq!(bodies.waiting(), 3);
        assert!(matches!(bodies.enter("c", 9).now_or_never(), Some(Err(Full))), "so many may wait");
        drop(second);
        let other = other.now_or_never().expect("its turn").expect("room");
        assert!(small.as_mut().now_or_never().is_none(), "it came after the large one of its key");
        drop((first, other));
        let large = large.now_or_never().expect("its turn").expect("room");
        // Who leaves while it waits keeps nothing.
        drop(small);
        drop(large);
        assert_eq!((held_by(&bodies), bodies.waiting()), ((0, 0), 0));
        let all = now(&bodies, "a", 10).expect("room");
        assert!(matches!(bodies.enter("b", 1).await, Err(Full)), "nobody waits for ever");
        drop(all);
        assert_eq!(held_by(&bodies), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn room_grows_where_there_is_more() {
        let bodies = Bodies::new(10, 3, LONG);
        let mut room = now(&bodies, "a", 2).expect("room");
        assert!(room.grow(5) && room.grow(4));
        assert_eq!((room.bytes(), held_by(&bodies)), (5, (5, 1)));
        assert!(!room.grow(11));
        drop(room);
        assert_eq!(held_by(&bodies), (0, 0));
    }
}
