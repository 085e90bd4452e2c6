//! The prompt and stdin: what is read, what is left alone, and what is never waited for.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, Reply};

fn hello() -> Gateway {
    Gateway::always(Reply::stream(&["Hello."]))
}

#[test]
fn stdin_alone_is_the_prompt() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask"]).stdin("from a pipe\n").output().exits(0);
    home.llm(["ask", "-"]).stdin("from a pipe\n").output().exits(0);
    home.llm(["ask"])
        .stdin_file(File::open(home.file("prompt.txt", "from a file")).expect("it is there"))
        .output()
        .exits(0);
    let prompts: Vec<_> = gateway.requests().iter().map(|request| request.prompt().trim_end().to_owned()).collect();
    assert_eq!(prompts, ["from a pipe", "from a pipe", "from a file"]);
}

#[test]
fn prompt_and_stdin_are_joined_by_a_blank_line_or_where_the_prompt_says() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "Summarise:"]).stdin("the text").output().exits(0);
    home.llm(["ask", "Is <{input}> good?"]).stdin("this").output().exits(0);
    let prompts: Vec<_> = gateway.requests().iter().map(|request| request.prompt().trim_end().to_owned()).collect();
    assert_eq!(prompts, ["Summarise:\n\nthe text", "Is <this> good?"]);
}

#[test]
fn stdin_is_left_alone_when_told_so() {
    let gateway = hello();
    Home::with(&gateway).llm(["ask", "-n", "hi"]).stdin("not this").output().exits(0);
    assert_eq!(gateway.request().prompt(), "hi");
}

#[test]
fn a_loop_that_reads_lines_gets_every_line() {
    let gateway = Gateway::by(|request| Reply::stream(&["<", &request.prompt(), ">"]));
    let home = Home::with(&gateway);
    home.file("lines", "one\ntwo\nthree\n");
    let script = "while read -r line; do \"$llm\" ask \"$line\"; done < lines";
    home.shell(script).output().exits(0).prints("<one>\n<two>\n<three>\n");
}

#[test]
fn a_file_in_whose_middle_another_program_stands_is_left_alone() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let mut file = File::open(home.file("words", "first second")).expect("it is there");
    file.seek(SeekFrom::Start(6)).expect("a file can be sought in");
    home.llm(["ask", "hi"]).stdin_file(file.try_clone().expect("a further descriptor")).output().exits(0);
    assert_eq!(gateway.request().prompt(), "hi");
    assert_eq!(file.stream_position().expect("a position"), 6);
}

// P09
#[test]
fn no_prompt_is_2_and_never_a_silent_wait() {
    let home = Home::with(&hello());
    home.llm(["ask"]).output().exits(2).says("prompt");
    home.llm(["ask"]).stdin("").output().exits(2).says("prompt");
    home.llm(["ask"]).terminal(Wiring::STDIN).output().exits(2).says("prompt");
    home.shell("\"$llm\" ask <&-").output().exits(2).says("prompt");
    home.llm(["ask", ""]).output().exits(2);
}

#[test]
fn input_that_the_prompt_speaks_of_has_to_be_there() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.file("empty", "");
    for script in ["\"$llm\" ask 'Translate: {input}' <empty", "echo hi | \"$llm\" ask -n 'Translate: {input}'"] {
        home.shell(script).output().exits(2).says("{input}");
    }
    assert_eq!(gateway.connections(), 0);
}

#[test]
fn a_prompt_is_enough_whatever_stdin_is() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm(["ask", "hi"]).terminal(Wiring::STDIN).output().exits(0);
    home.llm(["ask", "hi"]).stdin("").output().exits(0);
    home.shell("\"$llm\" ask hi <&-").output().exits(0);
    assert!(gateway.requests().iter().all(|request| request.prompt() == "hi"));
}

#[test]
fn a_pipe_that_stays_silent_is_said_and_so_is_the_way_out() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let mut running = home.llm(["ask", "hi"]).stdin_open().start();
    running.await_stderr("-n");
    running.stdin.take().expect("a pipe").write_all(b"at last").expect("it still listens");
    running.finish().exits(0);
    assert_eq!(gateway.request().prompt(), "hi\n\nat last");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_prompt() {
    let gateway = hello();
    Home::with(&gateway).llm(["ask"]).stdin("\u{feff}hi").output().exits(0);
    assert_eq!(gateway.request().prompt(), "hi");
}

// P10
#[test]
fn input_that_is_no_text_is_2_and_the_place_is_named() {
    let gateway = hello();
    Home::with(&gateway).llm(["ask"]).stdin(*b"0123456789\xff\xfe").output().exits(2).says("10");
    assert_eq!(gateway.connections(), 0);
}

// P10
#[test]
fn input_without_an_end_is_2_and_never_cut() {
    let gateway = hello();
    let outcome = Home::with(&gateway).shell("ulimit -d 262144; exec \"$llm\" ask < <(yes)").output();
    outcome.exits(2).prints("").says("64");
    assert_eq!(gateway.connections(), 0);
}

// P10
#[test]
fn input_arrives_whole_and_unchanged() {
    let gateway = hello();
    let long = "zero\0tab\tümlaut 猫\n".repeat(50_000);
    Home::with(&gateway).llm(["ask"]).stdin(long.clone()).output().exits(0);
    assert_eq!(gateway.request().prompt().trim_end(), long.trim_end());
}

#[test]
fn a_system_prompt_may_come_from_a_file() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.file("system.txt", "Be brief.");
    home.llm(["ask", "-s", "@system.txt", "hi"]).output().exits(0);
    assert_eq!(gateway.request().json()["messages"][0]["content"], "Be brief.");
    home.llm(["ask", "-s", "@no-such-file", "hi"]).output().exits(2).says("no-such-file");
}

#[test]
fn a_file_that_never_ends_is_refused_and_the_writer_of_a_pipe_is_waited_for() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let mkfifo = std::process::Command::new("mkfifo").arg(home.path().join("fifo")).status();
    assert!(mkfifo.expect("mkfifo runs").success());
    for flag in ["--schema", "--tools", "-f", "-s"] {
        let at = if flag == "-s" { "@" } else { "" };
        let device = home.llm(["ask", flag, &format!("{at}/dev/zero"), "hi"]).output();
        device.exits(2).says("it is a device, not a file").says("/dev/zero");
    }
    for flag in ["--schema", "--tools", "-f", "-s"] {
        let at = if flag == "-s" { "@" } else { "" };
        let nobody = home.llm(["ask", "--timeout", "10ms", flag, &format!("{at}fifo"), "hi"]).output();
        nobody.exits(7).says("fifo: no program has written to this pipe within the time limit");
    }
    assert!(gateway.requests().is_empty());
    for (flag, name) in [("-f", "fifo"), ("-s", "@fifo")] {
        let before = gateway.requests().len();
        let asking = home.llm(["ask", flag, name, "hi"]).start();
        // This opens only when there is a reader, which has to wait for what is written.
        let mut writer = std::fs::OpenOptions::new().write(true).open(home.path().join("fifo")).expect("a reader");
        std::io::Write::write_all(&mut writer, b"late content").expect("a reader");
        drop(writer);
        asking.finish().exits(0);
        assert!(gateway.requests()[before].json()["messages"].to_string().contains("late content"));
    }
    let waiting = home.llm(["ask", "-f", "fifo", "hi"]).start();
    let writer = std::fs::OpenOptions::new().write(true).open(home.path().join("fifo")).expect("a reader");
    waiting.signal(rustix::process::Signal::INT);
    waiting.finish().dies_by(2);
    drop(writer);
    home.shell("\"$llm\" ask -s @<(echo 'Be brief.') hi").output().exits(0);
    assert_eq!(gateway.requests()[2].json()["messages"][0]["content"], "Be brief.\n");
}

#[test]
fn a_config_that_is_a_pipe_or_a_device_is_refused() {
    let home = Home::new();
    let fifo = home.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    for (path, said) in [(fifo.as_path(), "it is a pipe"), (std::path::Path::new("/dev/zero"), "it is a device")] {
        home.llm(["config", "check"]).env("LLM_CONFIG", path).output().exits(3).says(said);
    }
    home.llm(["config", "check"]).env("LLM_CONFIG", "/dev/null").output().exits(0);
}
