//! What a journal promises.

use std::collections::BTreeMap;

use super::super::tests::row;
use super::super::{Filter, LedgerWriter, find};
use super::*;

/// Keeps calls in memory, once it is not broken any more.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(BTreeMap<String, Row>, bool)>>);

impl Sink for Memory {
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let mut state = self.0.lock().expect("no test panics here");
        if state.1 {
            return Err(StoreError::Shared { server: "memory".into(), cause: "it is broken".into() });
        }
        if rows.iter().any(|row| row.id.starts_with("bad")) {
            return Err(StoreError::Refused { server: "memory".into(), cause: "it is bad".into() });
        }
        state.0.extend(rows.iter().map(|row| (row.id.clone(), row.clone())));
        Ok(())
    }
}

fn start(dir: &Path, sink: impl Sink + 'static) -> (Journal, Told) {
    let told = Told::default();
    let hear = Arc::clone(&told);
    let tell: Tell = Arc::new(move |text| hear.lock().expect("no test panics here").push(text.to_owned()));
    (Journal::start(dir, LOCAL, Box::new(sink), tell).expect("a thread"), told)
}

type Told = Arc<Mutex<Vec<String>>>;

/// A journal that can make no file, with a sink that takes nothing yet.
fn without_a_place() -> (tempfile::TempDir, Memory, (Journal, Told)) {
    let dir = tempfile::tempdir().expect("a directory");
    // Nothing can be made in what is no directory.
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    let memory = Memory::default();
    memory.0.lock().expect("no panic").1 = true;
    let journal = start(&file, memory.clone());
    (dir, memory, journal)
}

/// More than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a directory").count()
}

#[test]
fn calls_reach_the_sink_and_no_file_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let memory = Memory::default();
    let (journal, told) = start(dir.path(), memory.clone());
    let rows: Vec<Row> = (0..1_000).map(|id| row(&id.to_string(), true)).collect();
    thread::scope(|scope| {
        for rows in rows.chunks(250) {
            let journal = journal.clone();
            scope.spawn(move || rows.iter().for_each(|row| journal.add(row.clone())));
        }
    });
    journal.close(PATIENCE);
    let kept = memory.0.lock().expect("no test panics here");
    assert_eq!(kept.0.len(), 1_000);
    assert!(rows.iter().all(|row| kept.0[&row.id] == *row));
    assert_eq!((files(dir.path()), told.lock().expect("no panic").len()), (0, 0));
}

#[test]
fn what_cannot_be_kept_waits_and_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let memory = Memory::default();
    memory.0.lock().expect("no panic").1 = true;
    let (journal, told) = start(dir.path(), memory.clone());
    for id in 0..10 {
        journal.add(row(&id.to_string(), true));
    }
    while told.lock().expect("no panic").is_empty() {
        thread::yield_now();
    }
    memory.0.lock().expect("no panic").1 = false;
    journal.add(row("last", true));
    journal.close(PATIENCE);
    assert_eq!(memory.0.lock().expect("no panic").0.len(), 11);
    let told = told.lock().expect("no panic");
    assert!(
        told[0].contains("it is broken; calls wait in") && told[1].starts_with("calls are recorded again"),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
}

#[test]
fn what_no_file_takes_waits_in_memory_with_no_more_than_so_many_bytes_of_texts() {
    let (_dir, memory, (journal, told)) = without_a_place();
    let mut long = row("", true);
    long.answer.as_mut().expect("an answer").text = "long ".repeat(MOST_UNWRITTEN / 50);
    for id in 0..20 {
        journal.add(Row { id: format!("{id:02}"), ..long.clone() });
    }
    assert!(!journal.is_safe(), "the end of the process would lose them");
    memory.0.lock().expect("no panic").1 = false;
    journal.close(PATIENCE);
    assert!(journal.is_safe());
    let kept = memory.0.lock().expect("no panic");
    let with_texts = kept.0.values().take_while(|row| row.answer.is_some()).count();
    assert_eq!((kept.0.len(), with_texts), (20, 9));
    assert!(kept.0.values().skip(9).all(|row| row.answer.is_none() && row.request.body.is_none()));
    assert!(kept.0.values().all(|row| row.cost == long.cost));
    let told = told.lock().expect("no panic");
    let in_memory = told.iter().filter(|text| text.starts_with("calls wait in memory")).count();
    assert_eq!(in_memory, 1, "{told:?}");
}

#[test]
fn what_is_said_of_calls_without_a_file_is_true_and_those_that_are_lost_are_counted() {
    let (dir, memory, (journal, told)) = without_a_place();
    journal.check();
    assert!(told.lock().expect("no panic")[0].starts_with("calls wait in memory"), "before there is a call");
    journal.add(row("1", true));
    journal.add(row("2", true));
    journal.close(Duration::from_millis(10));
    assert_eq!(journal.losses(), 2);
    while told.lock().expect("no panic").len() < 2 {
        thread::yield_now();
    }
    let told = told.lock().expect("no panic").clone();
    assert!(told.len() == 2 && told[1].contains("it is broken; calls wait in memory until"), "{told:?}");
    // What is in a file is not lost.
    let (journal, told) = start(dir.path(), memory);
    journal.check();
    assert_eq!((files(dir.path()), told.lock().expect("no panic").len()), (1, 0));
    journal.add(row("3", true));
    journal.close(Duration::from_millis(10));
    assert_eq!(journal.losses(), 0);
}

#[test]
fn a_call_that_the_sink_refuses_holds_up_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let memory = Memory::default();
    memory.0.lock().expect("no panic").1 = true;
    let (journal, told) = start(dir.path(), memory.clone());
    // All come in one group: it waits until nothing is broken any more.
    for id in ["1", "bad 1", "2", "3", "bad 2", "4"] {
        journal.add(row(id, true));
    }
    memory.0.lock().expect("no panic").1 = false;
    journal.close(PATIENCE);
    let kept: Vec<String> = memory.0.lock().expect("no panic").0.keys().cloned().collect();
    assert_eq!(kept, ["1", "2", "3", "4"]);
    let aside = dir.path().join("refused-calls.jsonl");
    let lines = fs::read_to_string(&aside).expect("a file");
    let refused: Vec<Row> = lines.lines().map(|line| serde_json::from_str(line).expect("a call")).collect();
    assert_eq!(refused, [row("bad 1", true), row("bad 2", true)]);
    assert_eq!(files(dir.path()), 1);
    let told = told.lock().expect("no panic");
    let about: Vec<_> = told.iter().filter(|text| text.contains(&*aside.display().to_string())).collect();
    assert!(about.len() == 2 && about[0].contains("it is bad; a call is not recorded"), "{told:?}");
}

#[test]
fn calls_of_a_process_that_was_killed_are_taken_in_by_whoever_comes_next() {
    let dir = tempfile::tempdir().expect("a directory");
    // As a process leaves it that was killed in the middle of a line.
    let killed = |name: &str, ids: &[&str]| {
        let mut text: Vec<u8> = Vec::new();
        for id in ids {
            text.extend(serde_json::to_vec(&row(id, true)).expect("JSON"));
            text.push(b'\n');
        }
        text.extend_from_slice(b"{\"id\":\"cut");
        fs::write(dir.path().join(format!("{LOCAL}{name}.jsonl")), text).expect("a file");
    };
    killed("a", &["1", "2"]);
    let (journal, _) = start(dir.path(), LedgerWriter::new(dir.path()));
    journal.add(row("3", true));
    let ids = || -> Vec<String> {
        let store = Store::open_to_read(dir.path()).expect("readable");
        let found = store.map(|store| find(&store, &Filter::default(), None).expect("readable")).unwrap_or_default();
        let mut ids: Vec<String> = found.into_iter().map(|row| row.id).collect();
        ids.sort();
        ids
    };
    while ids() != ["1", "2", "3"] {
        thread::yield_now();
    }
    journal.close(PATIENCE);
    // Or by a command that reads the ledger; what is there already is not there twice.
    killed("b", &["3", "4"]);
    assert_eq!(crate::ledger::settle(dir.path()), [""; 0]);
    assert_eq!(ids(), ["1", "2", "3", "4"]);
}

#[test]
fn a_command_takes_in_what_waits_for_its_sink_and_no_other_calls() {
    let dir = tempfile::tempdir().expect("a directory");
    let waiting = |prefix: &str, id: &str| {
        let path = dir.path().join(format!("{prefix}{id}.jsonl"));
        let mut line = serde_json::to_vec(&row(id, true)).expect("JSON");
        line.push(b'\n');
        fs::write(&path, line).expect("a file");
        path
    };
    let (mine, other) = (waiting("shared-calls-", "1"), waiting(LOCAL, "2"));
    let mut memory = Memory::default();
    memory.0.lock().expect("no panic").1 = true;
    let told = take_over(dir.path(), "shared-calls-", &mut memory);
    assert!(told.len() == 1 && told[0].contains("it is broken") && told[0].contains("wait"), "{told:?}");
    memory.0.lock().expect("no panic").1 = false;
    assert_eq!(take_over(dir.path(), "shared-calls-", &mut memory), [""; 0]);
    assert_eq!(memory.0.lock().expect("no panic").0.keys().collect::<Vec<_>>(), ["1"]);
    assert_eq!((mine.exists(), other.exists()), (false, true));
    // What a store has refused may hold prompts, too.
    assert_eq!(crate::ledger::left_over(dir.path()), [""; 0].map(PathBuf::from));
    let refused = dir.path().join("refused-shared-calls.jsonl");
    fs::write(&refused, "{}").expect("a file");
    assert_eq!(crate::ledger::left_over(dir.path()), [refused]);
}

#[test]
fn a_file_of_a_process_that_lives_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let memory = Memory::default();
    memory.0.lock().expect("no panic").1 = true;
    let (journal, _) = start(dir.path(), memory.clone());
    journal.add(row("1", true));
    assert_eq!(crate::ledger::settle(dir.path()), [""; 0]);
    assert!(Store::open_to_read(dir.path()).expect("readable").is_none());
    memory.0.lock().expect("no panic").1 = false;
    journal.close(PATIENCE);
    assert_eq!(memory.0.lock().expect("no panic").0.len(), 1);
}

/// Takes calls only after so long, or when the other end of this channel is dropped.
struct Hanging(std::sync::mpsc::Receiver<()>, Duration, Memory);

impl Sink for Hanging {
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let _ = self.0.recv_timeout(self.1);
        self.2.insert(rows)
    }
}

#[test]
fn a_sink_that_takes_nothing_does_not_hold_up_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let (answer, silence) = std::sync::mpsc::channel();
    let memory = Memory::default();
    let (journal, _) = start(dir.path(), Hanging(silence, 10 * PATIENCE, memory.clone()));
    journal.add(row("1", true));
    let began = Instant::now();
    journal.close(PATIENCE);
    assert!(began.elapsed() < PATIENCE / 2, "it was waited for");
    let path = fs::read_dir(dir.path()).expect("a directory").next().expect("a file").expect("readable").path();
    let line = fs::read_to_string(path).expect("readable");
    assert_eq!(serde_json::from_str::<Row>(&line).expect("a call"), row("1", true), "another process finds it");
    drop(answer);
    journal.close(PATIENCE);
    assert_eq!(memory.0.lock().expect("no panic").0.len(), 1);
}

#[test]
fn calls_that_are_in_memory_alone_are_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    let (_answer, silence) = std::sync::mpsc::channel();
    let memory = Memory::default();
    let (journal, _) = start(&file, Hanging(silence, SILENCE + Duration::from_millis(200), memory.clone()));
    journal.add(row("1", true));
    journal.close(PATIENCE);
    assert_eq!(memory.0.lock().expect("no panic").0.len(), 1);
}
