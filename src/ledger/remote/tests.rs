use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::find;
use super::super::tests::row;
use super::*;
use crate::record::Status;

/// A ledger elsewhere, which knows of a call what a database has columns for.
struct Elsewhere {
    rows: Vec<Row>,
    /// How many calls it has given away.
    given: AtomicUsize,
}

// SQLite's connections stay in one thread, so that one is made for each question.
impl Elsewhere {
    fn store(&self) -> Store {
        let mut store = Store::in_memory().expect("memory");
        crate::ledger::insert(&mut store, &mut self.rows.iter().cloned()).expect("written");
        store
    }
}

impl RemoteLedger for Elsewhere {
    fn each(&self, wanted: Wanted<'_>, each: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        let columns = |filter: &Filter| Filter { search: None, tags: Vec::new(), conversation: None, ..filter.clone() };
        let (filter, limit, has_texts) = match wanted {
            Wanted::Fitting(filter, limit) => (columns(filter), limit, true),
            Wanted::Figures(filter) => (columns(filter), None, false),
            Wanted::Alike(_) => (Filter::default(), None, false),
            Wanted::Ids(_) => (Filter::default(), None, true),
        };
        self.store().each(&filter, limit, &mut |mut row| {
            if matches!(wanted, Wanted::Ids(ids) if !ids.contains(&row.id)) {
                return true;
            }
            self.given.fetch_add(1, Ordering::Relaxed);
            if !has_texts {
                (row.answer, row.request.body) = (None, None);
            }
            each(row)
        })
    }

    fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.store().count(filter)
    }

    fn purge(&self, _: Option<i64>) -> Result<u64, StoreError> {
        unreachable!("nothing is deleted here")
    }

    fn shards(&self) -> Box<dyn ShardStore> {
        unreachable!("there are no batches here")
    }
}

const CALLS: usize = 30;

/// The same calls here, and elsewhere with windows of this many.
fn both(window: usize) -> (Store, RemoteCalls, Arc<Elsewhere>) {
    let rows = (0..CALLS).map(|n| {
        let mut row = row(&format!("01900000-0000-7000-8000-{n:012x}"), true);
        row.run = format!("02900000-0000-7000-8000-{:012x}", n / 7);
        row.place = n % 7;
        row.command = if n % 11 == 0 { "bench" } else { "ask" }.to_owned();
        row.at_ms += (n / 4) as i64 * 20_000_000;
        row.model = format!("vendor/model-{}", n % 5);
        row.status = if n % 9 == 0 { Status::Failed } else { Status::Ok };
        row.tags = [("team".to_owned(), format!("{}", n % 3))].into_iter().filter(|_| n % 4 > 0).collect();
        row.conversation = (n % 6 == 0).then(|| "01900000-0000-7000-8000-000000000007".to_owned());
        row.request.hash = format!("hash of {n}");
        row.times.first_token = Some(n as u64 * 1000);
        let answer = row.answer.as_mut().expect("an answer");
        answer.text = format!("the {} answer", if n % 2 == 0 { "even" } else { "odd" });
        row
    });
    let elsewhere = Arc::new(Elsewhere { rows: rows.collect(), given: AtomicUsize::new(0) });
    let remote = RemoteCalls { ledger: elsewhere.clone(), window: (window, 1 << 20) };
    (elsewhere.store(), remote, elsewhere)
}

fn filters() -> Vec<Filter> {
    let any = Filter::default;
    vec![
        any(),
        Filter { model: Some("model-3".into()), ..any() },
        Filter { search: Some("even answer".into()), ..any() },
        Filter { search: Some("  ".into()), ..any() },
        Filter { search: Some("nowhere".into()), ..any() },
        Filter { tags: vec![("team".into(), Some("1".into()))], status: Some("failed".into()), ..any() },
        Filter { tags: vec![("team".into(), None)], search: Some("odd".into()), ..any() },
        Filter { conversation: Some("01900000-0000-7000-8000-000000000007".into()), ..any() },
    ]
}

#[test]
fn windows_of_any_size_show_what_one_ledger_shows() {
    for window in [3, 7, CALLS] {
        let (here, remote, _) = both(window);
        for filter in filters() {
            assert_eq!(
                find(&remote, &filter, None).expect("found"),
                find(&here, &filter, None).expect("found"),
                "{window} {filter:?}"
            );
            assert_eq!(remote.count(&filter).expect("counted"), here.count(&filter).expect("counted"), "{filter:?}");
            for limit in [1, 8] {
                let limited = |calls: &dyn Calls| {
                    let mut ids = Vec::new();
                    let mut keep = |row: Row| {
                        ids.push(row.id);
                        true
                    };
                    calls.each(&filter, Some(limit), &mut keep).expect("found");
                    ids
                };
                assert_eq!(limited(&remote), limited(&here), "{limit} {filter:?}");
            }
        }
    }
}

#[test]
fn sums_over_windows_are_those_of_one_ledger() {
    let by = ["model", "tag:team", "day", "status", "provider"].map(|name| Dimension::named(name).expect("a name"));
    let maker = |model: &str| model.ends_with('3').then(|| "three".to_owned());
    for window in [3, 7, 1000] {
        let (here, remote, _) = both(window);
        for filter in filters().into_iter().filter(|filter| filter.search.is_none()) {
            for by in [&by[..], &by[..1], &by[2..3], &[]] {
                let sums = |calls: &dyn Calls| format!("{:?}", calls.usage(&filter, by, maker).expect("summed"));
                assert_eq!(sums(&remote), sums(&here), "{window} {by:?} {filter:?}");
            }
        }
    }
}

#[test]
fn a_reader_that_has_enough_is_given_no_more() {
    let (_, remote, elsewhere) = both(7);
    let search = Filter { search: Some("even".into()), ..Filter::default() };
    remote.each(&search, Some(3), &mut |_| true).expect("found");
    assert_eq!(elsewhere.given.swap(0, Ordering::Relaxed), 7);
    remote.each(&search, None, &mut |_| false).expect("found");
    assert_eq!(elsewhere.given.swap(0, Ordering::Relaxed), 7);
    remote.each(&Filter::default(), None, &mut |_| false).expect("found");
    assert_eq!(elsewhere.given.load(Ordering::Relaxed), 1);
}

#[test]
fn a_part_of_an_id_means_the_same_calls_and_runs() {
    let (here, remote, _) = both(7);
    for part in ["00000011", "01900000-0000-7000-8000-00000000000a", "029", "0290", "x", "0190"] {
        assert_eq!(remote.like(part).expect("found"), here.like(part).expect("found"), "{part}");
    }
    let run = "02900000-0000-7000-8000-000000000003";
    let Alike::Run(rows) = remote.like(run).expect("found") else { panic!("it is a run") };
    assert_eq!(rows.iter().map(|row| row.place).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    assert!(rows[0].answer.is_some());
    assert_eq!(
        remote.last(&|row| row.command == "bench").expect("found"),
        here.last(&|row| row.command == "bench").expect("found")
    );
}
