//! The writer's thread: what is handed over to it is written, whatever happens meanwhile.

use std::pin::pin;
use std::sync::mpsc;

use rusqlite::{Connection, TransactionBehavior};

use super::super::tests::{all, id, row};
use super::super::{FILE_NAME, SPILL_NAME};
use super::*;

/// Hands over a call from outside any runtime.
fn record(writer: &LedgerWriter, row: Row) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(writer.record(row));
}

/// A runtime with one thread, as commands have it.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

#[test]
fn what_there_is_to_tell_is_told_when_it_happens_if_somebody_wants_that() {
    let dir = tempfile::tempdir().expect("a directory");
    let (heard, hear) = mpsc::channel();
    let tell: Tell = Arc::new(move |text: &str| drop(heard.send(text.to_owned())));
    let writer = LedgerWriter::new(dir.path()).telling(tell);
    record(&writer, row(&id(1), true));
    let told = hear.recv_timeout(Duration::from_secs(60)).expect("it is told while the writer goes on");
    assert!(told.starts_with("calls are recorded from now on"), "{told}");
    assert_eq!(writer.close().notices, [""; 0]);
}

fn add(name: &str) -> impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static {
    let name = name.to_owned();
    move |transaction| transaction.execute("INSERT INTO names (name) VALUES (?1)", [name]).map(drop)
}

fn names(dir: &Path) -> Vec<String> {
    let connection = Connection::open(dir.join(FILE_NAME)).expect("a database");
    let mut select = connection.prepare("SELECT name FROM names ORDER BY id").expect("a table");
    select.query_map([], |row| row.get(0)).expect("read").map(|name| name.expect("text")).collect()
}

/// Holds the thread until the sender is dropped; what is handed over meanwhile becomes one group.
fn hold(writer: &LedgerWriter) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    writer.submit(move |_| {
        begun.send(()).ok();
        held.recv().ok();
        Ok(())
    });
    begins.recv().expect("the thread runs");
    release
}

#[test]
fn a_writer_that_is_not_used_touches_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("data");
    let nothing = LedgerWriter::new(&dir).close();
    assert!(nothing.notices.is_empty() && nothing.is_whole, "{nothing:?}");
    assert!(!dir.exists());
}

#[test]
fn what_is_handed_over_by_many_is_written_when_the_writer_is_closed() {
    let home = tempfile::tempdir().expect("a directory");
    let writer = LedgerWriter::new(home.path());
    thread::scope(|scope| {
        for thread in 0..4 {
            let writer = writer.clone();
            scope.spawn(move || (0..50).for_each(|n| record(&writer, row(&id(thread * 100 + n), true))));
        }
    });
    let other = writer.clone();
    let notices = writer.close().notices;
    assert!(matches!(&notices[..], [said] if said.starts_with("calls are recorded from now on")), "{notices:?}");
    assert_eq!(all(home.path()).len(), 200);
    assert!(!home.path().join("ledger.db-wal").exists(), "the log is in the file");
    record(&other, row(&id(9_999), true));
    assert_eq!(other.close().notices, Vec::<String>::new());
    assert_eq!(all(home.path()).len(), 201, "another handle goes on");
}

#[test]
fn what_waits_is_one_group_and_a_part_of_it_that_fails_is_undone_by_itself() {
    let home = tempfile::tempdir().expect("a directory");
    let writer = LedgerWriter::new(home.path());
    let held = hold(&writer);
    let broken = |transaction: &Transaction<'_>| {
        add("half")(transaction)?;
        transaction.execute("INSERT INTO nowhere DEFAULT VALUES", []).map(drop)
    };
    let handed_over = async {
        let transactions = |writer: LedgerWriter| async move {
            let commits = |transaction: &Transaction<'_>| {
                transaction.query_row("SELECT count(*) FROM names WHERE name = 'first'", [], |row| row.get::<_, i64>(0))
            };
            writer.transact(commits).await
        };
        let release = async {
            writer.record(row(&id(1), true)).await;
            drop(held);
        };
        tokio::join!(
            biased;
            writer.transact(add("first")),
            writer.transact(broken),
            transactions(writer.clone()),
            writer.transact(|_| -> rusqlite::Result<()> { std::panic::resume_unwind(Box::new(())) }),
            release,
        )
    };
    let (first, broken, seen, panicked, ()) = runtime().block_on(handed_over);
    first.expect("committed");
    assert!(broken.expect_err("fails").sentence().contains("nowhere"));
    assert_eq!(seen.expect("committed"), 1, "work sees what was done before it");
    panicked.expect_err("a panic is an error");
    writer.close();
    let names = names(home.path());
    assert!(names.contains(&"first".to_owned()) && !names.contains(&"half".to_owned()), "{names:?}");
    assert_eq!(all(home.path()).len(), 1);
}

#[test]
fn work_that_is_dropped_before_its_turn_is_not_done_and_what_is_submitted_after_it_is() {
    let home = tempfile::tempdir().expect("a directory");
    let writer = LedgerWriter::new(home.path());
    let held = hold(&writer);
    runtime().block_on(async {
        let mut transaction = pin!(writer.transact(add("dropped")));
        tokio::select! {
            biased;
            _ = &mut transaction => panic!("the thread is held"),
            () = std::future::ready(()) => {}
        }
    });
    writer.submit(add("after"));
    drop(held);
    assert_eq!(writer.close().notices, Vec::<String>::new());
    assert_eq!(names(home.path()), ["after"]);
}

#[test]
fn a_locked_ledger_blocks_no_runtime_and_holds_up_no_end_for_long() {
    let home = tempfile::tempdir().expect("a directory");
    super::super::record(home.path(), &[row(&id(1), true)]);
    let mut other = Connection::open(home.path().join(FILE_NAME)).expect("opened");
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("locked");
    let writer = LedgerWriter::new(home.path());
    let began = Instant::now();
    // A timer fires while the transaction waits: the runtime is not blocked, and Ctrl-C would be heard.
    let stopped = runtime().block_on(async {
        tokio::select! {
            ended = writer.transact(add("late")) => Some(ended),
            () = tokio::time::sleep(Duration::from_millis(5)) => None,
        }
    });
    assert!(stopped.is_none(), "the lock is held");
    record(&writer, row(&id(2), true));
    writer.submit(add("lost"));
    let Closed { notices, is_whole } = writer.close();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}, though ten seconds were allowed for work that is wanted");
    assert!(notices.iter().any(|said| said.ends_with("this call will be recorded with the next")), "{notices:?}");
    assert!(notices.iter().any(|said| said.starts_with("the ledger could not be changed: ")), "{notices:?}");
    assert!(!is_whole, "one call waits for the next");
    drop(lock);
    assert_eq!(super::super::record(home.path(), &[]), Vec::<String>::new());
    assert_eq!(all(home.path()).len(), 2);
    assert!(!names(home.path()).iter().any(|name| name == "late" || name == "lost"));
}

// Elsewhere a file that is open cannot be deleted.
#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_is_made_anew() {
    let home = tempfile::tempdir().expect("a directory");
    let writer = LedgerWriter::new(home.path());
    record(&writer, row(&id(1), true));
    runtime().block_on(writer.transact(|_| Ok(()))).expect("written");
    for name in [FILE_NAME, "ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(home.path().join(name)).expect("deleted");
    }
    record(&writer, row(&id(2), true));
    writer.close();
    assert_eq!(all(home.path()).iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [id(2)]);
}

#[test]
fn rows_beyond_the_room_wait_until_there_is_some() {
    let home = tempfile::tempdir().expect("a directory");
    let writer = LedgerWriter::new(home.path());
    let held = hold(&writer);
    let large = |n| {
        let mut row = row(&id(n), true);
        row.answer.as_mut().expect("kept").reasoning = "x".repeat(9 << 20);
        row
    };
    record(&writer, large(1));
    runtime().block_on(async {
        let mut second = pin!(writer.record(large(2)));
        tokio::select! {
            biased;
            () = &mut second => panic!("there is no room for it"),
            () = std::future::ready(()) => {}
        }
        drop(held);
        second.await;
    });
    writer.close();
    assert_eq!(all(home.path()).len(), 2);
    assert_eq!(std::fs::metadata(home.path().join(SPILL_NAME)).map_or(0, |metadata| metadata.len()), 0);
}
