//! Where the answer goes: a pipe, a file, a device that is full, or nowhere.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Gateway, Home, Reply};

fn hello() -> Gateway {
    Gateway::always(Reply::stream(&["Hello."]))
}

// T13
#[test]
fn a_pipe_gets_the_answer_byte_for_byte() {
    let hostile = "\u{1b}[2J\u{1b}]0;title\u{7}\r\u{9b}1m\u{202e}\0 end";
    let gateway = Gateway::always(Reply::stream(&[hostile]));
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(0).prints(&format!("{hostile}\n"));
}

#[test]
fn a_last_line_is_ended_once() {
    for (answer, printed) in [("one", "one\n"), ("one\n", "one\n"), ("one\n\n", "one\n\n")] {
        let gateway = Gateway::always(Reply::stream(&[answer]));
        Home::with(&gateway).llm(["ask", "hi"]).output().exits(0).prints(printed);
    }
}

// P06, P07
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_74_and_the_way_out_is_named() {
    let long = "word ".repeat(100_000);
    for answer in ["Hello.", "", long.as_str()] {
        let gateway = Gateway::always(Reply::sse().role().text(answer).finish("stop").done());
        let home = Home::with(&gateway);
        for arguments in ["ask hi", "ask -o json hi", "compare -m a,b hi", "compare -m a,b -o jsonl hi"] {
            if answer.is_empty() && arguments == "ask hi" {
                continue; // Nothing is to be written.
            }
            let outcome = home.shell(&format!("\"$llm\" {arguments} > /dev/full")).output();
            outcome.exits(74).says("error: ").says("--out");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_for_which_a_place_has_no_room_is_not_lost_without_a_word() {
    let gateway = hello();
    let home = Home::with(&gateway);
    for arguments in ["compare -m a,b hi", "ask -o json hi"] {
        let full = home.shell(&format!("\"$llm\" {arguments} --out /dev/full")).output();
        full.exits(74).says("make room there").says("`llm last` prints the last answer");
        let limited = format!("ulimit -f 0; exec \"$llm\" {arguments} --log off --out answer.txt");
        home.shell(&limited).output().exits(74).says("make room there").never_says("llm last");
        // A full disk takes no record either, so that the last answer of the ledger is an older one.
        let full = home.shell(&limited.replace("--log off ", "")).output();
        full.exits(74).says("make room there").says("recorded").never_says("llm last");
    }
    home.llm(["last"]).output().exits(0).prints("Hello.\n");
    // What was cut is not there.
    let gateway = Gateway::always(Reply::sse().role().text(&"word ".repeat(100_000)).hold());
    let home = Home::with(&gateway);
    home.shell("\"$llm\" ask hi > /dev/full").output().exits(74).says("--out").never_says("llm last");
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_74_too() {
    let home = Home::new();
    for arguments in ["--help", "--version"] {
        home.shell(&format!("\"$llm\" {arguments} > /dev/full")).output().exits(74);
    }
}

// P08
#[test]
fn streams_that_are_closed_do_no_harm() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let (to_stdout, to_stderr) = match cfg!(target_os = "linux") {
        true => (">&- --out /dev/stdout", "2>&- --out /dev/stderr"),
        false => (">&-", ">&- 2>&-"),
    };
    for (closed, code) in [
        (">&-", 74),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 74),
        (">&- --out answer.txt", 0),
        (to_stdout, 74),
        (to_stderr, 74),
        ("--out /dev/null", 0),
    ] {
        let outcome = home.shell(&format!("\"$llm\" ask hi {closed}; echo \"status $?\"")).output();
        assert!(outcome.stdout().ends_with(&format!("status {code}\n")), "{closed}\n{outcome}");
        outcome.never_says("panicked");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_nobody_could_see_is_not_made_or_told() {
    let home = Home::new();
    home.shell("\"$llm\" serve key new one >&-").output().exits(74);
    home.shell("\"$llm\" serve key new two > /dev/full").output().exits(74).says("`llm serve key rotate two` makes");
    let keys = home.llm(["serve", "key", "list", "-o", "json"]).output().json();
    let names: Vec<_> = keys.as_array().into_iter().flatten().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["two"]);
}

// P08
#[test]
fn an_answer_that_would_be_lost_is_not_asked_for() {
    let gateway = hello();
    let home = Home::with(&gateway);
    for arguments in
        ["ask hi", "ask -o json hi", "compare -m a,b hi", "chat hi", "--help", "--version", "log", "config path"]
    {
        home.shell(&format!("\"$llm\" {arguments} >&-")).output().exits(74).says("error: ");
    }
    assert_eq!(gateway.connections(), 0);
    // Shells open /dev/null for writing, other programs for reading and writing too.
    for null in [">/dev/null", "1<>/dev/null"] {
        home.shell(&format!("\"$llm\" ask hi {null}")).output().exits(0);
    }
    assert_eq!(gateway.connections(), 2);
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let path = home.file("answer.txt", "the old one");
    home.llm(["ask", "--out", "answer.txt", "hi"]).output().exits(0).prints("");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "Hello.\n");

    let failing = Gateway::always(Reply::error(400, "no"));
    let home = home.env("LLM_BASE_URL", failing.base_url());
    home.llm(["ask", "--out", "answer.txt", "hi"]).output().exits(1);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "Hello.\n", "a failure leaves what was there");
    let left: Vec<_> = home.files().into_iter().filter(|path| path.to_string_lossy().contains("answer")).collect();
    assert_eq!(left, [path], "no half-written file is left");
}

#[test]
fn a_file_that_cannot_be_written_is_74_before_anything_is_sent() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "--out", "no/such/directory/answer.txt", "hi"]).output().exits(74).says("answer.txt");
    std::fs::create_dir(home.path().join("taken")).expect("a directory");
    home.llm(["ask", "--out", "taken", "hi"]).output().exits(74).says("taken");
    assert_eq!(gateway.connections(), 0);
}

#[test]
fn a_link_stays_and_a_private_file_stays_private() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let path = home.file("private.txt", "the old one");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let link = home.path().join("link.txt");
    std::os::unix::fs::symlink("private.txt", &link).expect("a link");
    home.llm(["ask", "--out", "link.txt", "hi"]).output().exits(0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "Hello.\n");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let early = home.path().join("early.txt");
    std::os::unix::fs::symlink("not-there-yet.txt", &early).expect("a link");
    home.llm(["ask", "--out", "early.txt", "hi"]).output().exits(0);
    let made = std::fs::read_to_string(home.path().join("not-there-yet.txt"));
    assert_eq!((early.is_symlink(), made.expect("a file").as_str()), (true, "Hello.\n"));
}

#[test]
fn a_pipe_or_a_device_is_written_to_and_stays_what_it_is() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let script = "mkfifo pipe && { cat pipe & } && \"$llm\" ask --out pipe hi && wait && test -p pipe";
    home.shell(script).output().exits(0).prints("Hello.\n");
    home.shell("\"$llm\" ask --out >(cat) hi | cat").output().exits(0).prints("Hello.\n");
}

#[test]
fn a_comparison_goes_to_a_file_as_well() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["compare", "-m", "a,b", "-o", "json", "--out", "run.json", "hi"]).output().exits(0).prints("");
    let text = std::fs::read(home.path().join("run.json")).expect("a file");
    let run: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(run["answers"].as_array().map(Vec::len), Some(2));
}

// P17
#[test]
fn no_home_is_no_reason_not_to_answer() {
    let gateway = hello();
    let gone = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "LLM_DATA_DIR"];
    let home = gone.iter().fold(Home::with(&gateway), |home, name| home.without_env(name));
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");

    let home = Home::with(&gateway);
    let data = home.path().join("data");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).expect("a directory of ours");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).expect("a directory of ours");

    for odd in [&b"with space"[..], b"with\nnewline", "ünïcode".as_bytes(), b"not \xff UTF-8", b"no/such/directory"] {
        let home = Home::with(&gateway);
        let path = home.path().join(OsStr::from_bytes(odd));
        let home = gone.iter().fold(home, |home, name| home.env(name, &path));
        home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
    }
}

// P01
#[test]
fn an_interrupted_wait_for_stdin_leaves_no_file() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let running = home.llm(["ask", "--out", "out/answer.txt"]).stdin_open();
    std::fs::create_dir(home.path().join("out")).expect("a directory");
    let running = running.start();
    running.await_stderr("waiting for input on stdin");
    running.signal(rustix::process::Signal::INT);
    running.finish().dies_by(rustix::process::Signal::INT.as_raw()).prints("");
    let left: Vec<_> = home.files().into_iter().filter(|path| path.starts_with(home.path().join("out"))).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_directory_that_takes_no_new_file_is_74_before_anything_is_sent() {
    if rustix::process::geteuid().is_root() {
        return; // Permissions do not stop the superuser.
    }
    let gateway = hello();
    let home = Home::with(&gateway);
    let directory = home.path().join("out");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o500)).expect("a directory of ours");
    home.llm(["ask", "--out", "out/answer.txt", "hi"]).output().exits(74).says("answer.txt");
    assert_eq!(gateway.connections(), 0);
}

/// Limits that stand in a config which cannot be seen do not vanish without a word.
#[cfg(target_os = "linux")]
#[test]
fn a_config_in_a_directory_that_may_not_be_entered_is_told() {
    let gateway = hello();
    let home = Home::with(&gateway).env("LLM_BASE_URL", gateway.base_url()).env("LLM_MODEL", "m").env("LLM_CONFIG", "");
    let Some(as_other) = home.as_other_user() else { return };
    let config = home.path().join("hidden/llm/config.toml");
    home.file("hidden/llm/config.toml", "");
    let script = format!(
        "chmod 0 hidden; export XDG_CONFIG_HOME=\"$PWD/hidden\" LLM_DATA_DIR=/nowhere; {as_other} \"$llm\" ask -q hi; code=$?; chmod 700 hidden; exit $code"
    );
    home.shell(&script)
        .output()
        .exits(0)
        .prints("Hello.\n")
        .says(&format!("the config {} cannot be looked at", config.display()));
}

/// A key that is saved there is not taken for none.
#[cfg(target_os = "linux")]
#[test]
fn keys_in_a_directory_that_may_not_be_entered_are_told() {
    let gateway = hello();
    let home = Home::with(&gateway).without_env("LLM_API_KEY");
    let Some(as_other) = home.as_other_user() else { return };
    let script = format!(
        "mkdir hidden; chmod 0 hidden; export LLM_DATA_DIR=\"$PWD/hidden\"; {as_other} \"$llm\" ask --log off hi; code=$?; chmod 700 hidden; exit $code"
    );
    home.shell(&script)
        .output()
        .exits(4)
        .says(&format!("cannot read {}", home.path().join("hidden/keys.toml").display()));
    assert_eq!(gateway.requests().len(), 0);
}

// P17
#[test]
fn a_home_that_is_no_directory_is_no_reason_not_to_answer() {
    let gateway = hello();
    let gone = ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "LLM_DATA_DIR"];
    let home = gone.iter().fold(Home::with(&gateway), |home, name| home.without_env(name)).env("HOME", "/dev/null");
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(0).prints("Hello.\n");
    let warnings = outcome.stderr().lines().filter(|line| !line.starts_with(' ')).count();
    assert!(warnings <= 1, "{outcome}");
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_open_files_is_no_mistake_in_the_config() {
    let gateway = hello();
    let outcome = Home::with(&gateway).shell("ulimit -n 4 && exec \"$llm\" ask hi").output();
    outcome.exits(71).says("Too many open files").says("ulimit -n");
}

#[cfg(unix)]
#[test]
fn the_reader_of_a_pipe_is_waited_for_no_longer_than_the_time_limit() {
    let gateway = Gateway::always(Reply::stream(&["Hello"]));
    let home = Home::with(&gateway);
    assert!(
        std::process::Command::new("mkfifo").arg(home.path().join("pipe")).status().expect("mkfifo runs").success()
    );
    for command in [&["ask", "hi"][..], &["compare", "-m", "a,b", "hi"], &["bench", "-m", "a"], &["probe", "-m", "a"]] {
        let outcome = home.llm(command).args(["--timeout", "10ms", "--out", "pipe"]).output();
        outcome.exits(7).says("no program has opened pipe for reading within the time limit");
    }
    assert!(gateway.requests().is_empty());
}
