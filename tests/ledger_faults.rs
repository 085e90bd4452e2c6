//! The ledger's faults: whatever happens to it, no answer depends on it, and nothing that was kept is lost.

use std::fs;

use crate::support::{Gateway, Home, Reply};

fn hello() -> Gateway {
    Gateway::always(Reply::sse().role().text("Hello.").finish("stop").usage(12, 5).done().end())
}

// L01, L02
#[test]
fn many_runs_at_once_lose_no_call() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let running: Vec<_> = (0..32).map(|_| home.llm(["ask", "hi"]).start()).collect();
    for run in running {
        run.finish().exits(0).prints("Hello.\n");
    }
    home.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(home.log().len(), 33);
}

// L03
#[test]
fn a_writer_that_does_not_end_costs_no_answer_and_no_call() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let mut other = rusqlite::Connection::open(home.ledger()).expect("a database");
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("locked");
    let outcome = home.llm(["ask", "meanwhile"]).output();
    outcome.exits(0).prints("Hello.\n").says("this call will be recorded with the next");
    assert_eq!(home.log().len(), 1, "reading needs no lock");
    drop(lock);
    home.llm(["ask", "hi"]).output().exits(0).never_says("record");
    assert_eq!(home.log().len(), 3);
}

#[test]
fn a_copy_of_the_one_file_holds_every_call() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm(["ask", "again"]).output().exits(0);
    let copy = Home::with(&gateway);
    fs::create_dir_all(copy.path().join("data")).expect("a directory");
    fs::copy(home.ledger(), copy.ledger()).expect("copied");
    assert_eq!(copy.log().len(), 2);
}

// L04; a hundred kills in the midst of writing are beside the code.
#[cfg(unix)]
#[test]
fn a_command_that_is_killed_damages_nothing() {
    use std::time::{Duration, Instant};
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "slow" => Reply::sse().role().text("Half").hold(),
        _ => Reply::stream(&["Hello."]),
    });
    let home = Home::with(&gateway);
    let mut random = fastrand::Rng::with_seed(4);
    for n in 1..=10 {
        home.llm(["ask", "hi"]).output().exits(0);
        let running = home.llm(["ask", "hi"]).start();
        // The answer is out, so that now, soon or already the call is recorded.
        running.await_stdout("Hello.");
        let end = Instant::now() + Duration::from_micros(random.u64(0..12_000));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        running.signal(rustix::process::Signal::KILL);
        running.finish();
        assert!(home.log().len() >= n, "what was acknowledged is there");
    }
    let running = home.llm(["ask", "-m", "slow", "hi"]).start();
    running.await_stdout("Half");
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    assert!(home.log().iter().all(|call| call["status"] == "ok"));
    assert!(!home.files().iter().any(|path| path.to_string_lossy().contains("corrupt")));
}

// L12
#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_answer_and_with_a_budget_nothing_is_sent() {
    let gateway = hello();
    let home = Home::with(&gateway);
    // No file may grow beyond 16 KiB, which is less than an empty ledger.
    let ask = |home: &Home| home.shell("ulimit -f 16; exec \"$llm\" ask --max-tokens 10 hi").output();
    ask(&home).exits(0).prints("Hello.\n").says("the ledger").says("cannot be used");
    home.llm(["ask", "hi"]).output().exits(0);
    assert!(!home.log().is_empty());
    assert_eq!(gateway.requests().len(), 2);
    let home =
        Home::with(&gateway).config("[[budget]]\nlimit = 5\nper = \"day\"\n[price.\"*\"]\ninput = 1\noutput = 1\n");
    ask(&home).exits(5).prints("").says("the ledger");
    assert_eq!(gateway.requests().len(), 2, "nothing is sent that cannot be accounted");
}

// L13, P17
#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_costs_no_answer() {
    let gateway = hello();
    // Not even root can write there.
    let home = Home::with(&gateway).env("LLM_DATA_DIR", "/proc/nowhere/data");
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(0).prints("Hello.\n").says("this call is not recorded");
    assert_eq!(outcome.stderr().lines().count(), 1, "said once: {outcome}");
    home.llm(["ask", "-q", "hi"]).output().exits(0).prints("Hello.\n").never_says("recorded");
    home.llm(["usage"]).output().exits(0).says("no calls have been recorded yet");
    let home = home.config("[[budget]]\nlimit = 5\nper = \"day\"\n[price.\"*\"]\ninput = 1\noutput = 1\n");
    home.llm(["ask", "--max-tokens", "10", "hi"]).output().exits(5).prints("");
    assert_eq!(gateway.requests().len(), 2, "nothing is sent that cannot be accounted");
}

// L13
#[cfg(unix)]
#[test]
fn what_the_system_refuses_to_write_is_74_and_no_fault_of_the_config() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let run = |command: &str| {
        home.shell(&format!("ulimit -f 0; exec \"$llm\" {command}")).stdin("sk-0123456789abcdef").output()
    };
    for command in ["log purge --all", "serve key new bot", "serve key revoke bot"] {
        run(command).exits(74).says("ledger.db cannot be used").says("disk I/O error");
    }
    for command in ["log", "usage", "last", "batch list", "serve key list", "cache clear"] {
        run(command).exits(0);
    }
    run("key set openai --store file").exits(74).says("cannot write").says("keys.toml").says("make room there");
    // A process that was killed has left its log, which takes a file to read.
    home.file("data/ledger.db-wal", "the log of a process that was killed");
    for command in ["log", "usage", "last", "batch list", "ask -c -- hi", "chat -c", "rerun", "serve key list"] {
        run(command).exits(74).says("which cannot be read where nothing can be written");
    }
    home.llm(["log"]).output().exits(0);
    assert_eq!(home.log().len(), 1);
}

#[cfg(unix)]
#[test]
fn where_nothing_can_be_kept_there_is_nothing_to_read_or_to_delete() {
    let gateway = hello();
    // A file is where the directories should be.
    let home = Home::with(&gateway).env("HOME", "/dev/null").without_env("LLM_DATA_DIR");
    let home = ["XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"].into_iter().fold(home, Home::without_env);
    for command in ["log", "usage", "log purge --all", "log purge --before 1d"] {
        home.llm(command.split(' ')).output().exits(0).says("no calls have been recorded yet");
    }
    home.llm(["log", "purge", "--all"]).output().says("0 calls deleted");
    home.llm(["cache", "clear"]).output().exits(0).prints("forgot 0 answers, 0 B\n");
    assert_eq!(home.llm(["cache", "stats", "-o", "json"]).output().exits(0).json()["answers"], 0);
    for command in ["key list", "serve key list", "template list", "chat --list", "batch list"] {
        home.llm(command.split(' ')).output().exits(0);
    }
    home.llm(["serve", "key", "new", "bot"]).output().exits(74).says("ledger.db cannot be used");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
    // A link to itself leads nowhere, either.
    let endless = home.path().join("endless");
    std::os::unix::fs::symlink("endless", &endless).expect("made");
    home.llm(["ask", "hi"]).env("HOME", &endless).output().exits(0).prints("Hello.\n");
}

// L14
#[test]
fn a_damaged_ledger_costs_no_answer_and_is_kept() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.file("data/ledger.db", "this is no database. ".repeat(500));
    home.llm(["log"]).output().exits(3).says("is damaged").says("the next call sets it aside");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("the ledger was damaged; it is now ");
    assert_eq!(home.log().len(), 1);
    let aside = home.files().into_iter().find(|path| path.to_string_lossy().contains("ledger.db.corrupt-"));
    assert_eq!(fs::read_to_string(aside.expect("kept")).expect("text"), "this is no database. ".repeat(500));
}

// L15
#[test]
fn a_newer_ledger_costs_no_answer_and_is_left_alone() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let open = || rusqlite::Connection::open(home.ledger()).expect("a database");
    let set = |version: i64| open().pragma_update(None, "user_version", version).expect("set");
    let ours: i64 = open().pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    set(99);
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("version 99");
    home.llm(["usage"]).output().exits(3).says("version 99").says("update llm");
    set(ours);
    home.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(home.log().len(), 3, "what could not be recorded then is recorded now");
}

// L16
#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_is_kept_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    let home = Home::with(&gateway);
    let data = home.path().join("new/data");
    let home = home.env("LLM_DATA_DIR", &data);
    let ask = || home.shell("umask 000; exec \"$llm\" ask --cache hi").output();
    ask().exits(0);
    // While another process holds the ledger, a call goes to the spill file.
    let mut other = rusqlite::Connection::open(data.join("ledger.db")).expect("a database");
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("locked");
    ask().exits(0).says("with the next");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let kept: Vec<_> = home.files().into_iter().filter(|path| path.starts_with(home.path().join("new"))).collect();
    for path in &kept {
        assert_eq!(mode(path), 0o600, "{}", path.display());
        let directory = path.parent().expect("a directory");
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    let names: Vec<_> =
        kept.iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger-spill.jsonl"] {
        assert!(names.iter().any(|kept| kept == name), "{name} is not in {names:?}");
    }
    drop(lock);
    assert!(kept.iter().any(|path| path.starts_with(data.join("cache/answers"))), "no cached answer in {kept:?}");
}

// L17
#[cfg(unix)]
#[test]
fn a_link_where_others_could_have_put_it_is_not_followed() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let victim = home.file("victim", "precious");
    fs::create_dir_all(home.path().join("data")).expect("a directory");
    std::os::unix::fs::symlink(&victim, home.path().join("data/ledger-spill.jsonl")).expect("linked");
    let lock = home.path().join("data/ledger.db");
    fs::create_dir(&lock).expect("a directory");
    std::os::unix::fs::symlink(&victim, home.path().join("data/ledger.lock")).expect("linked");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("this call is not recorded");
    assert_eq!(fs::read_to_string(&victim).expect("there"), "precious");
}

// L16, L17
#[cfg(unix)]
#[test]
fn a_directory_that_everyone_may_write_to_costs_no_answer_and_holds_no_prompt() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    let home = Home::with(&gateway);
    let data = home.path().join("data");
    fs::create_dir_all(&data).expect("a directory");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).expect("permitted");
    let outcome = home.llm(["ask", "CANARY-1"]).output();
    outcome.exits(0).prints("Hello.\n").says("can be written to by every user").says("this call is not recorded");
    assert!(fs::read_dir(&data).expect("listed").next().is_none(), "nothing is written there");
    // Nor is a key kept there.
    let config = format!("[gateway.corp]\nbase_url = \"{}\"\n", gateway.base_url());
    fs::write(home.file("llm.toml", ""), &config).expect("written");
    let set = home.llm(["key", "set", "corp", "--store", "file"]).env("LLM_CONFIG", home.path().join("llm.toml"));
    set.stdin("sk-0123456789abcdef").output().exits(4).says("can be written to by every user");
    assert!(home.llm(["doctor"]).output().stdout().contains("! data"));
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("permitted");
    home.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(home.log().len(), 1);
    // The ledger may be a link, and its log is beside what that leads to.
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    fs::rename(data.join("ledger.db"), elsewhere.join("ledger.db")).expect("moved");
    std::os::unix::fs::symlink(elsewhere.join("ledger.db"), data.join("ledger.db")).expect("a link");
    home.llm(["ask", "hi"]).output().exits(0).never_says("every user");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o777)).expect("permitted");
    home.llm(["ask", "hi"]).output().exits(0).says("can be written to by every user");
}

#[cfg(unix)]
#[test]
fn a_call_that_waits_for_the_database_in_no_file_is_told_as_lost() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    // Nothing listens there.
    let store = "[store]\nurl = \"postgres://llm@127.0.0.1:1/llm?sslmode=disable\"\n";
    let home = Home::with(&gateway).config(store);
    let data = home.path().join("data");
    fs::create_dir_all(&data).expect("a directory");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).expect("permitted");
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(0).says("calls wait in memory until they can be recorded").says("1 call is not recorded");
    outcome.never_says("calls wait in /");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("permitted");
    home.llm(["ask", "hi"]).output().exits(0).says("calls wait in /").never_says("is not recorded");
}

#[cfg(unix)]
#[test]
fn a_saved_key_that_others_can_replace_is_told_wherever_it_is_used() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    let corp = format!(
        "default_gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nauth = \"required\"\n",
        gateway.base_url()
    );
    let home = Home::new();
    let config = home.file("corp.toml", corp);
    let llm = |arguments: &[&str]| home.llm(arguments.to_vec()).env("LLM_CONFIG", &config).output();
    let set = home.llm(["key", "set", "corp", "--store", "file"]).env("LLM_CONFIG", &config);
    set.stdin("sk-0123456789abcdef").output().exits(0);
    let data = home.path().join("data");
    let permit = |mode| fs::set_permissions(&data, fs::Permissions::from_mode(mode)).expect("permitted");
    let commands: [&[&str]; 7] = [
        &["ask", "-m", "m", "--log", "off", "hi"],
        &["compare", "-m", "m,n", "--log", "off", "hi"],
        &["key", "list"],
        &["key", "show"],
        &["key", "test"],
        &["models", "--refresh"],
        &["key", "rm", "corp"],
    ];
    for command in commands {
        if command[1] != "rm" {
            llm(command).never_says("every user");
        }
        permit(0o777);
        let outcome = llm(command);
        outcome.says("can be written to by every user, who could replace");
        assert_eq!(outcome.stderr().matches("who could replace").count(), 1, "{outcome}");
        permit(0o1777);
        llm(command).never_says("who could replace");
        permit(0o700);
    }
}

#[cfg(unix)]
#[test]
fn a_config_that_others_can_change_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    let home = Home::with(&gateway).config("[set]\nx = [\"a\"]\n");
    home.llm(["ask", "hi"]).output().exits(0).never_says("who could make the config run programs");
    let config = home.files().into_iter().find(|path| path.ends_with("llm.toml")).expect("a config");
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    let directory = config.parent().expect("a directory").to_owned();
    for (path, exposed, safe) in [(&config, 0o666, 0o600), (&directory, 0o777, 0o700)] {
        mode(path, exposed);
        home.llm(["ask", "hi"]).output().exits(0).says("can be written to by every user, who could make the config");
        home.llm(["ask", "-q", "hi"]).output().exits(0).never_says("every user");
        assert!(home.llm(["doctor"]).output().stdout().contains("! config"));
        mode(path, safe);
    }
    home.llm(["ask", "hi"]).env("LLM_CONFIG", "/dev/null").output().exits(0).never_says("every user");
    // As in /tmp, where only the owner of a file can replace it.
    mode(&directory, 0o1777);
    home.llm(["ask", "hi"]).output().exits(0).never_says("every user");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_the_ledger_is_not_waited_for() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let ledger = home.files().into_iter().find(|path| path.ends_with("ledger.db")).expect("a ledger");
    let mkfifo = |path: &std::path::Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
    };
    // Neither are files that SQLite keeps beside it, and the lock of the keys.
    for beside in ["ledger.db-journal", "ledger.db-wal"] {
        let pipe = ledger.with_file_name(beside);
        mkfifo(&pipe);
        for command in [&["usage"][..], &["serve", "key", "list"]] {
            home.llm(command).output().exits(3).says(beside).says("it is not a file");
        }
        home.llm(["ask", "hi"]).output().exits(0);
        std::fs::remove_file(&pipe).expect("removed");
    }
    home.llm(["key", "set", "g", "--store", "file"]).stdin("sk-0123456789abcdef").output();
    let lock = ledger.with_file_name("keys.lock");
    let _ = std::fs::remove_file(&lock);
    mkfifo(&lock);
    let refused = home.llm(["key", "rm", "g", "--store", "file"]).output();
    assert_ne!(refused.code(), Some(0), "{refused}");
    std::fs::remove_file(&lock).expect("removed");
    std::fs::remove_file(&ledger).expect("removed");
    mkfifo(&ledger);
    for command in [&["log"][..], &["usage"], &["usage", "--budgets"], &["last"], &["serve", "key", "list"]] {
        home.llm(command).output().exits(3).says("ledger.db").says("it is not a file");
    }
    home.llm(["ask", "hi"]).output().exits(0);
    std::fs::remove_file(&ledger).expect("removed");
}
