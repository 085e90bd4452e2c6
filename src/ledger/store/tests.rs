//! The ledger's file in every state that it may be found in.

use std::fs::OpenOptions;

use super::schema::MIGRATIONS;
use super::*;

fn put(store: &mut Store, name: &str) {
    store.write(|t| t.execute("INSERT INTO names (name) VALUES (?1)", [name]).map(drop)).expect("written");
}

fn count(store: &Store) -> i64 {
    store.read(|c| c.query_row("SELECT count(*) FROM names", [], |row| row.get(0))).expect("read")
}

#[cfg(unix)]
fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn l01_many_first_runs_at_once_make_one_ledger() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("data");
    // Each of them waits for the disk many times, one after the other: a slow disk alone must not fail this.
    let patient = Mode { timeout: Duration::from_secs(300), durable: true };
    let made: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..32)
            .map(|n| {
                let dir = &dir;
                scope.spawn(move || {
                    let mut store = Store::open(dir, patient).expect("opened");
                    put(&mut store, &n.to_string());
                    usize::from(store.is_new())
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).sum()
    });
    assert_eq!(made, 1);
    let store = Store::open_to_read(&dir).expect("readable").expect("there");
    assert_eq!(count(&store), 32);
}

#[cfg(unix)]
#[test]
fn l16_the_ledger_is_its_users_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("new/data");
    let mut store = Store::open(&dir, Mode::RECORD).expect("opened");
    put(&mut store, "x");
    assert_eq!(mode_of(&dir), 0o700);
    for file in fs::read_dir(&dir).expect("listed") {
        let path = file.expect("an entry").path();
        assert_eq!(mode_of(&path), 0o600, "{}", path.display());
    }
    drop(store);
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(FILE_NAME);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    drop(Store::open(&dir, Mode::RECORD).expect("opened"));
    assert_eq!(mode_of(&path), 0o600, "one that others could read is made private");
}

#[test]
fn l14_a_damaged_ledger_is_set_aside_and_never_deleted() {
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 4] = [
        ("no database", |path| fs::write(path, "no database at all, ".repeat(400)).expect("written")),
        ("cut off", |path| {
            let bytes = fs::read(path).expect("read");
            fs::write(path, &bytes[..bytes.len() / 3]).expect("written");
        }),
        ("pages gone bad", |path| {
            let mut bytes = fs::read(path).expect("read");
            bytes[100..].fill(0xa5);
            fs::write(path, bytes).expect("written");
        }),
        ("a directory", |path| {
            fs::remove_file(path).expect("removed");
            fs::create_dir(path).expect("made");
        }),
    ];
    for (what, damage) in damage {
        let home = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
        put(&mut store, "x");
        store.outside(|c| c.pragma_update(None, "wal_checkpoint", "truncate")).expect("all in one file");
        drop(store);
        let path = home.path().join(FILE_NAME);
        damage(&path);
        let before = if path.is_file() { fs::read(&path).expect("read") } else { Vec::new() };
        let mut store = Store::open(home.path(), Mode::RECORD).expect(what);
        put(&mut store, "y");
        assert_eq!(count(&store), 1, "{what}");
        let aside = store.set_aside().expect(what);
        assert!(aside.to_string_lossy().contains("ledger.db.corrupt-2"), "{}", aside.display());
        if aside.is_file() {
            assert_eq!(fs::read(aside).expect("kept"), before, "{what}");
        }
    }
}

#[test]
fn an_empty_file_is_a_new_ledger() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join(FILE_NAME), "").expect("written");
    let store = Store::open(home.path(), Mode::RECORD).expect("opened");
    assert!(store.is_new() && store.set_aside().is_none());
}

#[test]
fn l15_a_newer_ledger_is_refused_and_left_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::open(home.path(), Mode::RECORD).expect("opened");
    store.outside(|c| c.pragma_update(None, "user_version", 99)).expect("set");
    drop(store);
    for opened in [Store::open(home.path(), Mode::RECORD).map(drop), Store::open_to_read(home.path()).map(drop)] {
        let error = opened.expect_err("newer");
        assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}

/// A directory with a ledger of this version, with one call in it.
fn of_version(version: usize) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let old = Connection::open(home.path().join(FILE_NAME)).expect("a database");
    MIGRATIONS[..version].iter().for_each(|migration| old.execute_batch(migration.sql).expect("a schema"));
    old.execute_batch(
        "INSERT INTO names VALUES (1, 'm'), (2, 'g'), (3, 'failed'), (4, 'reported');
         INSERT INTO runs VALUES (1, 'run', 'ask', 0);
         INSERT INTO requests VALUES (1, 'hash', 3, NULL);
         INSERT INTO calls (uuid, run, place, at_ms, asked, gateway, model, answered, status, cached, attempts,
             fallbacks, cost, origin, request) VALUES ('id', 1, 0, 5, 1, 2, 1, 0, 3, 0, 1, 0, 7, 4, 1);
         INSERT INTO details (call, answer_chars) VALUES (1, 0);
         INSERT INTO attempts (call, place, gateway, model, status, start_us, duration_us) VALUES (1, 0, 2, 1, 503, 0, 9);",
    )
    .and_then(|()| old.pragma_update(None, "user_version", version as i64))
    .expect("filled");
    home
}

#[test]
fn a_ledger_of_any_earlier_version_is_brought_up_to_date_and_keeps_what_is_in_it() {
    for version in 1..MIGRATIONS.len() {
        let home = of_version(version);
        let store = Store::open(home.path(), Mode::RECORD).expect("brought up to date");
        assert!(!store.is_new() && store.set_aside().is_none());
        assert_eq!(store.version().expect("readable"), SCHEMA);
        let rows = super::super::find(&store, &super::super::Filter::default(), None).expect("readable");
        let cost = rows[0].cost.expect("kept");
        assert_eq!((rows[0].id.as_str(), cost.picos, cost.partial), ("id", 7, false));
        assert_eq!((rows[0].attempts[0].status, rows[0].attempts[0].maybe_billed), (Some(503), None));
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_of_an_earlier_version_is_read_where_it_cannot_be_written_to() {
    use crate::ledger::{Dimension, Filter, find, usage};
    for version in 1..MIGRATIONS.len() {
        let home = of_version(version);
        let path = home.path().join(FILE_NAME);
        let before = fs::read(&path).expect("readable");
        let permit = |path: &Path, mode| {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("permitted");
        };
        if rustix::process::geteuid().is_root() {
            // Nothing else keeps root from writing than that others may write there.
            permit(home.path(), 0o777);
        } else {
            permit(&path, 0o400);
            permit(home.path(), 0o500);
        }
        let store = Store::open_to_read(home.path()).expect("readable").expect("there");
        let filter = Filter { status: Some("failed".into()), ..Filter::default() };
        let rows = find(&store, &filter, None).expect("found");
        assert_eq!((rows[0].id.as_str(), rows[0].cost.map(|cost| cost.partial)), ("id", Some(false)));
        assert_eq!((rows[0].attempts[0].status, rows[0].attempts[0].maybe_billed), (Some(503), None));
        let used = usage(&store, &Filter::default(), &[Dimension::Model], |_| None).expect("summed up");
        assert_eq!(used.groups.len(), 1, "version {version}");
        for table in ["budget_windows", "budget_reservations"] {
            let sql = format!("SELECT count(*) FROM {table}");
            let count = store.read(|connection| connection.query_row(&sql, [], |row| row.get::<_, i64>(0)));
            assert_eq!(count.expect("there"), 0);
        }
        store.outside(|c| c.execute_batch("DELETE FROM names")).expect_err("still for reading alone");
        drop(store);
        permit(home.path(), 0o700);
        assert_eq!(fs::read(&path).expect("readable"), before, "version {version}");
    }
}

#[cfg(unix)]
#[test]
fn l17_a_link_is_followed_only_within_what_is_ours() {
    let home = tempfile::tempdir().expect("a directory");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let target = elsewhere.path().join("my.db");
    fs::write(&target, "").expect("written");
    std::os::unix::fs::symlink(&target, home.path().join(FILE_NAME)).expect("linked");
    let mut store = Store::open(home.path(), Mode::RECORD).expect("the user's own link");
    put(&mut store, "x");
    drop(store);
    let count = rusqlite::Connection::open(&target)
        .and_then(|c| c.query_row("SELECT count(*) FROM names", [], |row| row.get::<_, i64>(0)));
    assert_eq!(count.expect("a ledger"), 1);
}

#[cfg(unix)]
#[test]
fn l17_what_is_anothers_is_refused_and_left_alone() {
    const NOBODY: u32 = 65_534;
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join(FILE_NAME);
    let refuses = || {
        let refused = Store::open(home.path(), Mode::RECORD).expect_err("not ours");
        assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
    };
    let theirs = if rustix::process::geteuid().is_root() {
        let theirs = home.path().join("theirs.db");
        fs::write(&theirs, "theirs").expect("written");
        std::os::unix::fs::chown(&theirs, Some(NOBODY), None).expect("given away");
        theirs
    } else {
        "/etc/passwd".into()
    };
    let before = fs::read(&theirs).expect("readable");
    std::os::unix::fs::symlink(&theirs, &path).expect("linked");
    refuses();
    if rustix::process::geteuid().is_root() {
        fs::remove_file(&path).expect("removed");
        fs::rename(&theirs, &path).expect("moved");
        refuses();
        assert_eq!(fs::read(&path).expect("still there"), before);
    } else {
        assert_eq!(fs::read(&theirs).expect("still there"), before);
    }
    let left: Vec<_> = crate::ledger::left_over(home.path());
    assert!(left.is_empty(), "another's file is not set aside either: {left:?}");
}

#[cfg(unix)]
#[test]
fn l17_what_another_user_has_put_there_is_not_read_either() {
    const NOBODY: u32 = 65_534;
    // Only root can give files away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().expect("a directory");
    put(&mut Store::open(home.path(), Mode::RECORD).expect("opened"), "x");
    let path = home.path().join(FILE_NAME);
    let is_refused = || matches!(Store::open_to_read(home.path()), Err(StoreError::Foreign { .. }));
    for suffix in ["", "-wal", "-journal", "-shm"] {
        let file = with_suffix(&path, suffix);
        let was_there = file.exists();
        OpenOptions::new().append(true).create(true).open(&file).expect("made");
        std::os::unix::fs::chown(&file, Some(NOBODY), None).expect("given away");
        assert!(is_refused(), "{suffix}");
        std::os::unix::fs::chown(&file, Some(0), None).expect("taken back");
        if !was_there {
            fs::remove_file(&file).expect("removed");
        }
        assert!(!is_refused(), "{suffix}");
    }
    let real = home.path().join("real.db");
    fs::rename(&path, &real).expect("moved");
    std::os::unix::fs::symlink(&real, &path).expect("linked");
    assert!(!is_refused());
    fs::write(with_suffix(&real, "-wal"), "").expect("written");
    std::os::unix::fs::chown(with_suffix(&real, "-wal"), Some(NOBODY), None).expect("given away");
    assert!(is_refused(), "the log beside what the link leads to");
    fs::remove_file(with_suffix(&real, "-wal")).expect("removed");
    std::os::unix::fs::lchown(&path, Some(NOBODY), None).expect("given away");
    assert!(is_refused(), "the link");
}

#[cfg(unix)]
#[test]
fn l17_a_directory_that_others_may_write_to_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let root = rustix::process::geteuid().is_root();
    let owned = |user, group| std::os::unix::fs::chown(home.path(), user, group).expect("given away");
    let permit = |mode| {
        fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("permitted");
    };
    let refused = || match Store::open(home.path(), Mode::RECORD) {
        Err(StoreError::Unsafe { why, .. }) => Some(why.to_string()),
        opened => opened.map(|_| None).expect("opened"),
    };
    for (mode, why) in [(0o755, None), (0o775, None), (0o777, Some("every user")), (0o1777, Some("every user"))] {
        permit(mode);
        assert_eq!(refused().is_some(), why.is_some(), "{mode:o}");
        assert!(refused().is_none_or(|said| why.is_some_and(|why| said.ends_with(why))), "{mode:o}");
    }
    assert!(crate::ledger::spill::append(home.path(), &[]).is_err(), "nor is anything spilled there");
    assert!(Store::open_to_read(home.path()).expect("readable").is_some(), "what is there can be read");
    if root {
        permit(0o775);
        owned(None, Some(65_534));
        assert!(refused().is_some_and(|why| why.contains("group")));
        permit(0o755);
        assert_eq!(refused(), None);
        owned(Some(65_534), None);
        assert_eq!(refused(), Some("belongs to another user".to_owned()));
        // Whose directory it is not cannot change its mode.
        let hint = Store::open(home.path(), Mode::RECORD).expect_err("another's").hint().expect("a hint");
        assert!(!hint.contains("chmod") && hint.contains("LLM_DATA_DIR"), "{hint}");
        owned(Some(0), None);
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).expect("linked");
        std::os::unix::fs::lchown(&link, Some(65_534), None).expect("given away");
        let error = Store::open(&link, Mode::RECORD).expect_err("another's link");
        assert!(error.to_string().contains("belongs to another user"), "{error}");
        let spill = home.path().join(crate::ledger::SPILL_NAME);
        fs::write(&spill, "").expect("written");
        std::os::unix::fs::chown(&spill, Some(65_534), None).expect("given away");
        private_file(&spill).expect_err("another's");
    }
}

#[cfg(unix)]
#[test]
fn l17_a_link_on_the_way_that_others_could_replace_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = tempfile::tempdir().expect("a directory");
    let (real, shared, data) = (home.path().join("real"), home.path().join("shared"), home.path().join("data"));
    fs::create_dir(&real).and_then(|()| fs::create_dir(&shared)).expect("made");
    symlink(&real, shared.join("link")).and_then(|()| symlink(shared.join("link"), &data)).expect("linked");
    let permit = |mode| fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).expect("permitted");
    for (mode, is_open) in [(0o755, true), (0o777, false), (0o1777, true)] {
        permit(mode);
        assert_eq!(Store::open(&data, Mode::RECORD).is_ok(), is_open, "{mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn l17_no_link_is_followed_where_a_lock_or_spill_file_belongs() {
    let home = tempfile::tempdir().expect("a directory");
    for name in ["ledger.lock", crate::ledger::SPILL_NAME] {
        let target = home.path().join("target");
        std::os::unix::fs::symlink(&target, home.path().join(name)).expect("linked");
        private_file(&home.path().join(name)).expect_err("a link");
        assert!(!target.exists(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn l18_where_no_log_can_be_had_a_journal_serves() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join(FILE_NAME);
    // Locks with files beside the database, and has no memory to share, as on a network drive.
    let open = || {
        own(&path).expect("ours");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(&path, flags, c"unix-dotfile").expect("opened");
        Store::with(connection, &path, Mode::RECORD).expect("usable")
    };
    let mut store = open();
    let pragma = |name| store.outside(|c| c.pragma_query_value(None, name, |row| row.get::<_, String>(0)));
    assert_eq!(pragma("journal_mode").expect("told"), "delete");
    let synced: i64 = store.outside(|c| c.pragma_query_value(None, "synchronous", |row| row.get(0))).expect("told");
    assert_eq!(synced, 2, "full");
    put(&mut store, "x");
    drop(store);
    let mut store = open();
    put(&mut store, "y");
    assert_eq!(count(&store), 2);
    let names: Vec<_> = fs::read_dir(home.path()).expect("listed").map(|e| e.expect("one").file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("-wal")), "{names:?}");
    drop(store);
    // Where it lies on a disk of this machine again, it gets its log.
    let store = Store::open(home.path(), Mode::RECORD).expect("opened");
    assert_eq!(count(&store), 2);
    let mode = store.outside(|c| c.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)));
    assert_eq!(mode.expect("told"), "wal");
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let home = tempfile::tempdir().expect("a directory");
    let log = home.path().join("ledger.db-wal");
    let long = "x".repeat(400 << 10);
    let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
    let mut longest = 0;
    for n in 0..60 {
        put(&mut store, &format!("{n} {long}"));
        longest = longest.max(fs::metadata(&log).expect("there").len());
    }
    assert!(longest < 6 << 20, "{longest} bytes");
    drop(store);
    assert!(!log.exists(), "what is closed is one file");
}

#[cfg(unix)]
#[test]
fn what_is_closed_can_be_read_where_nothing_can_be_written() {
    let home = tempfile::tempdir().expect("a directory");
    put(&mut Store::open(home.path(), Mode::RECORD).expect("opened"), "x");
    let path = home.path().join(FILE_NAME);
    let permit = |mode| {
        fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("permitted");
    };
    // Nothing keeps root from writing, so that only the way of reading can be tested.
    let connection = open_for_reading(&path, true).expect("readable");
    let read = Store::of(connection, path.clone(), Mode::ACCOUNT, false);
    assert_eq!(count(&read), 1);
    if !rustix::process::geteuid().is_root() {
        permit(0o500);
        let read = Store::open_to_read(home.path()).map(|store| store.map(|store| count(&store)));
        fs::write(home.path().join("ledger.db-wal"), "x").expect_err("for reading alone");
        permit(0o700);
        assert_eq!(read.expect("readable"), Some(1));
        fs::write(home.path().join("ledger.db-wal"), "left by a process that was killed").expect("written");
        permit(0o500);
        let refused = Store::open_to_read(home.path());
        let linked = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::symlink(&path, linked.path().join(FILE_NAME)).expect("linked");
        let refused_too = Store::open_to_read(linked.path());
        permit(0o700);
        assert!(matches!(refused, Err(StoreError::UnreadableLog { .. })));
        assert!(matches!(refused_too, Err(StoreError::UnreadableLog { .. })), "the log beside what the link leads to");
    }
}

#[test]
fn there_need_not_be_a_ledger_to_read() {
    let home = tempfile::tempdir().expect("a directory");
    assert!(Store::open_to_read(home.path()).expect("no error").is_none());
    assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 0, "nothing is made");
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(home.path(), Mode::RECORD).expect("opened");
    let failed = store.write(|t| {
        t.execute("INSERT INTO names (name) VALUES ('x')", [])?;
        t.execute("INSERT INTO nowhere DEFAULT VALUES", [])
    });
    assert!(failed.is_err());
    assert_eq!(count(&store), 0);
}
