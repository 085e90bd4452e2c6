//! L04: a process that records calls is killed at any moment, and what it had acknowledged is there.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::tests::{all, id, problems, row};
use super::{find, record};
use crate::ledger::{Filter, Store};

/// Tells the process to be killed where its ledger is.
const DIR: &str = "KILL_TEST_LEDGER";
/// It is killed so often in all, in this many ledgers at once.
const KILLS: u32 = 100;
const LEDGERS: u32 = 4;

/// The process to be killed: records calls without end and says so of each.
#[test]
#[ignore = "it is the process that the test below kills"]
fn writer() {
    #[expect(clippy::disallowed_methods, reason = "set by the test below, for nobody else")]
    let Some(dir) = std::env::var_os(DIR) else { return };
    #[expect(clippy::disallowed_methods, reason = "the test below reads it")]
    let mut out = std::io::stdout();
    for n in 0.. {
        let id = format!("01900000-0000-7000-8000-{:06x}{n:06x}", std::process::id() & 0xff_ffff);
        assert_eq!(record(Path::new(&dir), &[row(&id, true)]).iter().find(|said| !said.contains("from now on")), None);
        if writeln!(out, "recorded {id}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Lets a process record some calls, and kills it; those that it said were recorded.
fn killed(dir: &Path, random: &mut fastrand::Rng) -> Vec<String> {
    let mut writer = Command::new(std::env::current_exe().expect("this program"))
        .args(["ledger::kill_tests::writer", "--exact", "--ignored", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let said = BufReader::new(writer.stdout.take().expect("a pipe"));
    let said = said.lines().map_while(Result::ok);
    let mut recorded = said.filter_map(|line| Some(line.split_once("recorded ")?.1.to_owned()));
    let mut acknowledged: Vec<String> = recorded.by_ref().take(random.usize(0..4)).collect();
    // Then it is at some point of the next ones.
    let end = Instant::now() + Duration::from_micros(random.u64(0..3_000));
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    writer.kill().expect("killed");
    writer.wait().expect("gone");
    // What was in the pipe was said as well; the last line may be cut off.
    acknowledged.extend(recorded.filter(|id| id.len() == 36));
    acknowledged
}

#[test]
fn l04_a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    std::thread::scope(|scope| {
        for seed in 0..LEDGERS {
            scope.spawn(move || {
                let home = tempfile::tempdir().expect("a directory");
                let mut random = fastrand::Rng::with_seed(seed.into());
                let mut acknowledged = HashSet::new();
                for _ in 0..KILLS / LEDGERS {
                    acknowledged.extend(killed(home.path(), &mut random));
                    let Some(store) = Store::open_to_read(home.path()).expect("readable") else { continue };
                    let rows = find(&store, &Filter::default(), None).expect("found");
                    let found: HashSet<String> = rows.into_iter().map(|row| row.id).collect();
                    let lost: Vec<_> = acknowledged.difference(&found).collect();
                    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
                }
                assert!(acknowledged.len() > 20, "only {} were recorded at all", acknowledged.len());
                assert_eq!(record(home.path(), &[row(&id(1), true)]), Vec::<String>::new(), "and it goes on");
                assert!(all(home.path()).len() > acknowledged.len());
                assert_eq!(problems(home.path()), "ok");
                assert!(super::left_over(home.path()).is_empty(), "nothing was taken for damaged");
            });
        }
    });
}
