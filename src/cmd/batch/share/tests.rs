use std::collections::VecDeque;

use super::*;
use crate::ledger::shards::SharedJob;

const PATIENCE: Duration = Duration::from_secs(120);

/// A store that keeps what it is told, and fails as often as it is to.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    joined: Vec<(ShardStart, JobState, u64)>,
    noted: Vec<(JobState, u64)>,
    failures: VecDeque<StoreError>,
    /// Whether it says that it does not have the shard.
    forgets: bool,
    resting_since_ms: Option<i64>,
}

impl Kept {
    fn held(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic")
    }
}

fn lost() -> StoreError {
    StoreError::Shared { server: "postgres://db/llm".into(), cause: "it is away".to_owned() }
}

impl ShardStore for Kept {
    fn join(&mut self, start: &ShardStart, state: JobState, progress: &JobProgress) -> Result<Joined, StoreError> {
        let mut held = self.held();
        if let Some(error) = held.failures.pop_front() {
            return Err(error);
        }
        held.joined.push((start.clone(), state, progress.ok));
        Ok(Joined { job: "the-job-12345678".to_owned(), resting_since_ms: held.resting_since_ms })
    }

    fn note(&mut self, _: &str, state: JobState, progress: &JobProgress) -> Result<bool, StoreError> {
        let mut held = self.held();
        if let Some(error) = held.failures.pop_front() {
            return Err(error);
        }
        held.noted.push((state, progress.ok));
        Ok(!std::mem::take(&mut held.forgets))
    }

    fn jobs(&mut self) -> Result<Vec<SharedJob>, StoreError> {
        Ok(Vec::new())
    }
}

fn told(rows: Option<&Path>) -> Told {
    let start = ShardStart {
        id: "an-id".to_owned(),
        fingerprint: String::new(),
        shard: 2,
        of: 3,
        input: "rows.jsonl".to_owned(),
        models: vec!["m".to_owned()],
        via_api: false,
    };
    Told { start, common: vec!["template".to_owned()], rows: rows.map(Path::to_owned) }
}

fn done(ok: u64) -> JobProgress {
    JobProgress { ok, ..JobProgress::default() }
}

fn start(store: &Kept) -> ShardTeller {
    ShardTeller::start(told(None), Box::new(store.clone()), None).expect("a thread")
}

#[test]
fn the_store_knows_how_a_shard_ended() {
    let store = Kept::default();
    let teller = start(&store);
    teller.note(JobState::Running, done(1));
    teller.end(JobState::Finished, done(5));
    assert_eq!(teller.close(PATIENCE), Vec::<String>::new());
    let held = store.held();
    let (start, state, ok) = &held.joined[0];
    assert_eq!((start.shard, start.of, held.joined.len()), (2, 3, 1));
    // The first may have been replaced before the thread came to it.
    let last = held.noted.last().copied().unwrap_or((*state, *ok));
    assert_eq!(last, (JobState::Finished, 5));
}

#[test]
fn a_store_that_comes_back_gets_the_last_and_nobody_is_told() {
    let store = Kept::default();
    store.held().failures.extend([lost(), lost()]);
    let teller = start(&store);
    teller.note(JobState::Running, done(1));
    while !store.held().failures.is_empty() {
        thread::yield_now();
    }
    teller.end(JobState::Stopped, done(7));
    assert_eq!(teller.close(PATIENCE), Vec::<String>::new());
    let held = store.held();
    let last = held.noted.last().copied().unwrap_or((held.joined[0].1, held.joined[0].2));
    assert_eq!(last, (JobState::Stopped, 7));
}

#[test]
fn a_store_that_stays_away_is_told_once() {
    let store = Kept::default();
    store.held().failures.extend(std::iter::repeat_n(lost(), 100));
    let teller = start(&store);
    teller.note(JobState::Running, done(1));
    teller.end(JobState::Finished, done(2));
    let notices = teller.close(PATIENCE);
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("it is away") && notices[0].contains("the ledger of this machine does"), "{notices:?}");
    assert!(store.held().joined.is_empty());
}

#[test]
fn a_job_that_was_deleted_begins_again() {
    let store = Kept::default();
    let teller = start(&store);
    teller.note(JobState::Running, done(1));
    while store.held().joined.is_empty() {
        thread::yield_now();
    }
    store.held().forgets = true;
    teller.end(JobState::Finished, done(2));
    teller.close(PATIENCE);
    let held = store.held();
    assert_eq!((held.joined.len(), held.joined[1].1, held.joined[1].2), (2, JobState::Finished, 2));
}

#[test]
fn a_shard_that_joins_a_job_at_rest_says_which() {
    let store = Kept::default();
    store.held().resting_since_ms = Some(0);
    let teller = start(&store);
    teller.end(JobState::Finished, done(1));
    let notices = teller.close(PATIENCE);
    assert_eq!(notices, ["in [store], this is shard 2 of 3 of batch 12345678, which began 1970-01-01 00:00 UTC"]);
}

#[test]
fn what_is_collected_in_parts_stays_handed_over() {
    let store = Kept::default();
    let ends_as = Some(JobState::Submitted);
    let teller = ShardTeller::start(told(None), Box::new(store.clone()), ends_as).expect("a thread");
    teller.end(JobState::Stopped, done(1));
    teller.close(PATIENCE);
    assert_eq!(store.held().joined[0].1, JobState::Submitted);
}

#[test]
fn shards_of_the_same_rows_have_one_fingerprint_wherever_the_file_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let (a, b, other) = (file("a.jsonl", "{}\n"), file("b.jsonl", "{}\n"), file("c.jsonl", "{}\n{}\n"));
    let of = |told: Told| told.start().fingerprint;
    assert_eq!(of(told(Some(&a))), of(told(Some(&b))));
    assert_ne!(of(told(Some(&a))), of(told(Some(&other))));
    let another_plan = Told { common: vec!["another template".to_owned()], ..told(Some(&a)) };
    assert_ne!(of(told(Some(&a))), of(another_plan));
    // Nobody knows what comes from a pipe.
    let mut piped = told(None);
    piped.start.id = "another-id".to_owned();
    assert_ne!(of(told(None)), of(piped));
}
