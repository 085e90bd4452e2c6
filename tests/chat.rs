//! `llm chat`: turns, commands, and what is recorded; by a pipe, and on a pseudo-terminal.

use serde_json::Value;

use crate::support::gateway::Request;
use crate::support::process::Running;
use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, Reply};

/// A gateway that answers with the model, how many messages it got, and the last prompt.
fn echo() -> Gateway {
    Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(400, "no"),
        model => Reply::stream(&[&format!("{model} got {}: {}", messages(request).len(), prompt(request))]),
    })
}

fn messages(request: &Request) -> Vec<Value> {
    request.json()["messages"].as_array().expect("messages").clone()
}

fn prompt(request: &Request) -> String {
    messages(request).last().and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned()
}

fn roles(request: &Request) -> Vec<String> {
    messages(request).iter().map(|message| message["role"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_line_of_a_pipe_is_a_turn_of_one_conversation() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let outcome = home.llm(["chat", "-s", "Be brief."]).stdin("one\n\ntwo\r\nthree").output();
    outcome.exits(0).prints("test-model got 2: one\ntest-model got 4: two\ntest-model got 6: three\n");
    let requests = gateway.requests();
    assert_eq!(roles(&requests[2]), ["system", "user", "assistant", "user", "assistant", "user"]);
    assert_eq!(messages(&requests[2])[4]["content"], "test-model got 4: two");
    assert_eq!(gateway.connections(), 1, "the connection is kept");
    let calls = home.log();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call["command"] == "chat"), "{calls:?}");
    assert_eq!(calls[0]["conversation"], calls[2]["id"]);
    assert_eq!(calls[0]["parent"], calls[1]["id"]);
    let page = home.llm(["log", "show", "--conversation", calls[0]["id"].as_str().expect("an id")]).output();
    let page = page.exits(0).stdout();
    assert!(page.contains("one") && page.contains("got 6: three"), "{page}");
}

#[test]
fn a_turn_that_the_cache_answers_does_not_keep_the_next_one_from_the_gateway() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let one = "test-model got 1: one\n";
    home.llm(["ask", "--cache", "one"]).output().exits(0).prints(one);
    for asked in [2, 2] {
        let outcome = home.llm(["chat", "--cache"]).stdin("one\ntwo\n").output();
        outcome.exits(0).prints(&format!("{one}test-model got 3: two\n"));
        assert_eq!(gateway.requests().len(), asked);
    }
}

#[test]
fn a_recorded_conversation_goes_on_whoever_began_it() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.llm(["ask", "-m", "first-model", "zero"]).output().exits(0);
    home.llm(["chat", "-c"]).stdin("one\n").output().exits(0).prints("first-model got 3: one\n");
    home.llm(["chat", "-c", "-m", "other"]).stdin("two\n").output().exits(0).prints("other got 5: two\n");
    home.llm(["chat", "--log", "off", "new"]).stdin("").output().exits(0).prints("test-model got 1: new\n");
    let list = home.llm(["chat", "--list"]).output().exits(0).stdout();
    assert!(list.contains("3") && list.contains("other") && list.contains("zero"), "{list}");
    assert_eq!(list.lines().count(), 2, "one conversation: {list}");
    let id =
        list.lines().last().expect("a line").split_whitespace().find(|word| word.len() == 8 && !word.contains('-'));
    home.llm(["chat", "-c", id.expect("an id")]).stdin("three\n").output().exits(0).prints("other got 7: three\n");
    home.llm(["chat", "--list", "zero"]).output().exits(0);
    home.llm(["chat", "--list", "nowhere"]).output().exits(0).prints("").says("no conversation fits");
}

#[test]
fn a_template_makes_the_first_prompt_and_its_settings_hold_for_all() {
    let gateway = echo();
    let config = "[template.t]\nmodel = \"large\"\nsystem = \"Speak {{ lang }}.\"\n\
                  prompt = \"Translate: {{ input }}!\"\ntemperature = 0.25\n";
    let home = Home::with(&gateway).config(config);
    let outcome = home.llm(["chat", "-T", "t", "--var", "lang=Thai"]).stdin("one\ntwo\n").output();
    outcome.exits(0).prints("large got 2: Translate: one!\nlarge got 4: two\n");
    let second = &gateway.requests()[1];
    assert_eq!(messages(second)[0]["content"], "Speak Thai.");
    assert_eq!(second.json()["temperature"], 0.25);
    assert_eq!(home.log()[0]["tags"]["template"], "t");
    let outcome = home.llm(["chat", "-T", "t", "-m", "other", "-s", "Be brief."]).stdin("one\n").output();
    outcome.exits(2).says("needs a value for `lang`");
    let arguments = ["chat", "-T", "t", "-m", "other", "-s", "Be brief.", "--var", "lang=Thai"];
    home.llm(arguments).stdin("one\n").output().exits(0).prints("other got 2: Translate: one!\n");
    assert_eq!(messages(&gateway.requests()[2])[0]["content"], "Be brief.");
}

#[test]
#[cfg(unix)]
fn a_prompt_is_written_in_the_editor() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let editor = home.script("editor", "printf ' and more\\n' >> \"$1\"");
    let llm = || home.llm(["chat"]).env("VISUAL", &editor);
    llm().stdin("/edit one\n").output().exits(0).prints("test-model got 1: one and more\n");
    let emptied = home.script("emptied", ": > \"$1\"");
    let outcome = home.llm(["chat"]).env("VISUAL", &emptied).stdin("/edit one\n").output();
    outcome.exits(0).prints("").says("nothing was written, so nothing is sent");
    let failing = home.script("failing", "exit 3");
    let outcome = home.llm(["chat"]).env("VISUAL", &failing).stdin("/edit one\ntwo\n").output();
    outcome.says("error").prints("test-model got 1: two\n");
    assert!(!outcome.stderr().contains("the file is"), "nothing was written, so nothing is kept: {outcome}");
    let crashing = home.script("crashing", "printf ' and lost' >> \"$1\"; exit 3");
    let outcome = home.llm(["chat"]).env("VISUAL", &crashing).env("TMPDIR", home.path()).stdin("/edit one\n").output();
    let kept =
        outcome.stderr().split("the file is ").nth(1).and_then(|rest| rest.lines().next()).expect("a file").to_owned();
    assert_eq!(std::fs::read_to_string(&kept).expect("kept"), "one and lost", "{kept}");
    let endless = home.script("endless", "rm \"$1\"; ln -s /dev/zero \"$1\"; exit 3");
    home.llm(["chat"]).env("VISUAL", &endless).stdin("/edit one\n").output().says("editor");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn commands_change_what_the_next_turn_is() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("note.txt", "a note");
    let script =
        "one\n/model other\n/file note.txt\n/system Be kind.\ntwo\n/undo\nthree\n/retry again\n//four\n/cost\n";
    let outcome = home.llm(["chat"]).stdin(script).output();
    let stdout = outcome.exits(0).stdout();
    let answers: Vec<&str> = stdout.lines().filter(|line| line.contains(" got ")).collect();
    assert_eq!(
        answers,
        [
            "test-model got 1: one",
            "other got 4: <file name=\"note.txt\">",
            "other got 3: three",
            "again got 3: three",
            "again got 5: /four",
        ],
        "{stdout}"
    );
    assert_eq!(roles(&gateway.requests()[1]), ["user", "assistant", "system", "user"]);
    assert!(prompt(&gateway.requests()[1]).ends_with("\n\ntwo"));
    assert!(stdout.contains("total"), "{stdout}");
}

#[test]
fn a_turn_may_go_to_several_models_and_one_answer_goes_on() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let outcome = home.llm(["chat"]).stdin("/compare down,a,b\none\ntwo\n").output();
    let stdout = outcome.stdout();
    assert!(stdout.contains("a got 1: one") && stdout.contains("b got 1: one"), "{stdout}");
    assert!(stdout.ends_with("a got 3: two\n"), "the first complete answer goes on: {stdout}");
    outcome.says("a goes on");
}

#[test]
fn what_goes_wrong_is_said_and_the_chat_goes_on() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let outcome = home
        .llm(["chat"])
        .stdin("/modle x\n/file none.txt\n/save\n/model down\none\n/model up\n/retry\ntwo\n")
        .output();
    outcome.prints("up got 1: one\nup got 3: two\n").says("did you mean /model?").says("cannot read none.txt");
    outcome.says("no part of the conversation").exits(1);
    for flags in [&["--out", "x"][..], &["--dry-run"], &["-n"]] {
        home.llm(["chat"]).args(flags).stdin("").output().exits(2).says("has no meaning in a chat");
    }
}

#[test]
fn a_conversation_is_saved_as_text() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.llm(["chat"]).stdin("one\n/save talk.md\n").output().exits(0);
    let saved = std::fs::read_to_string(home.path().join("talk.md")).expect("saved");
    assert!(saved.starts_with("prompt\none\n\ntest-model (") && saved.contains("test-model got 1: one"), "{saved}");
}

#[test]
fn a_conversation_that_cannot_be_saved_goes_on_and_no_file_is_replaced_unasked() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("notes.txt", "precious\n");
    let outcome = home.llm(["chat"]).stdin("one\n/save none/talk.md\n/save notes.txt\ntwo\n").output();
    outcome.says("cannot write none/talk.md").says("notes.txt exists already").says("/save! notes.txt replaces it");
    outcome.exits(2);
    assert_eq!(gateway.requests().len(), 2, "the chat went on");
    assert_eq!(std::fs::read_to_string(home.path().join("notes.txt")).expect("kept"), "precious\n");
    let outcome = home.llm(["chat"]).stdin("/save none/talk.md\none\n").output();
    outcome.exits(74);
    home.llm(["chat"]).stdin("three\n/save! notes.txt\n").output().exits(0);
    let saved = std::fs::read_to_string(home.path().join("notes.txt")).expect("saved");
    assert!(saved.starts_with("prompt\nthree\n"), "{saved}");
}

/// A chat on a terminal, with its first prompt shown.
fn typed(home: &Home, arguments: &[&str]) -> Running {
    let running = home.llm(["chat"]).args(arguments).env("NO_COLOR", "1").terminal(Wiring::ALL).start();
    screen(&running, "test-model> ");
    running
}

fn screen(running: &Running, text: &str) {
    running.terminal.as_ref().expect("a terminal").await_screen(text);
}

fn keys(running: &Running, keys: &str) {
    running.terminal.as_ref().expect("a terminal").type_keys(keys);
}

#[test]
fn a_person_types_pastes_and_completes() {
    let gateway = echo();
    let home = Home::with(&gateway).config("[alias.fast-alias]\nmodels = [\"quick\"]");
    let running = typed(&home, &[]);
    keys(&running, "one\r");
    screen(&running, "test-model got 1: one");
    screen(&running, "13 tokens> ");
    // A further line by Alt-Enter, and one by a backslash.
    keys(&running, "two\u{1b}\rlines\\\rand more\r");
    screen(&running, "test-model got 3: two");
    // Pasted lines are one prompt, and what is typed before a prompt is there counts.
    keys(&running, "\u{1b}[200~pasted\nlines\u{1b}[201~\r");
    screen(&running, "test-model got 5: pasted");
    // Of lines that come at once, none is lost.
    home.file("my report.txt", "what was measured");
    keys(&running, "/file my\t\rattached\r");
    screen(&running, "test-model got 7: ");
    keys(&running, "/mod\tfast\t\r/cost\r/exit\r");
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    assert!(screen.contains("fast-alias answers from now on") && screen.contains("turns"), "{screen}");
    let prompts: Vec<String> = gateway.requests().iter().map(prompt).collect();
    assert_eq!(prompts[..3], ["one", "two\nlines\nand more", "pasted\nlines"]);
    let last = String::from_utf8(gateway.requests().last().expect("a request").body.clone()).expect("text");
    assert!(last.contains("what was measured"), "a path with spaces is completed as /file reads it: {last}");
    let history = home.path().join("data/chat_history");
    let kept = std::fs::read_to_string(&history).expect("a history");
    assert!(kept.contains("pasted"), "{kept}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&history).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600, "only the user reads it");
}

#[test]
fn what_is_no_text_is_dropped_and_the_chat_goes_on() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let running = typed(&home, &[]);
    keys(&running, "one\r");
    screen(&running, "test-model got 1: one");
    screen(&running, "13 tokens> ");
    // As a terminal in Latin-1 sends it.
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.type_bytes(b"caf\xe9\rthe rest\rof a paste\r");
    // More lines than come at once, and keys that would end the chat.
    for _ in 0..60 {
        terminal.type_bytes(b"a line \x03\x1c\r");
    }
    screen(&running, "not UTF-8");
    keys(&running, "two\r");
    screen(&running, "test-model got 3: two");
    keys(&running, "\u{1b}[A\u{1b}[A\r");
    screen(&running, "test-model got 5: one");
    keys(&running, "/exit\r");
    running.finish().exits(0);
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn a_history_that_is_no_file_is_not_waited_for() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("data/notes", "");
    let history = home.path().join("data/chat_history");
    assert!(std::process::Command::new("mkfifo").arg(&history).status().expect("mkfifo runs").success());
    let running = typed(&home, &[]);
    keys(&running, "one\r");
    screen(&running, "test-model got 1: one");
    keys(&running, "/exit\r");
    running.finish().exits(0);
}

#[test]
fn a_history_that_others_may_put_elsewhere_or_that_is_too_large_is_not_used() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("data/notes", "");
    let data = home.path().join("data");
    let history = data.join("chat_history");
    let chat = |why: &str| {
        let running = typed(&home, &["--log", "full"]);
        keys(&running, "one\r");
        screen(&running, "test-model got 1: one");
        keys(&running, "/exit\r");
        let outcome = running.finish();
        // The terminal breaks lines anywhere.
        let letters = |text: &str| text.split_whitespace().collect::<String>();
        assert!(letters(&outcome.exits(0).terminal()).contains(&letters(why)), "{outcome}");
    };
    let permit = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&data, permissions).expect("our directory");
    };
    let elsewhere = home.file("elsewhere", "");
    std::os::unix::fs::symlink(&elsewhere, &history).expect("a link");
    permit(0o777);
    chat("can be written to by every user");
    assert_eq!(std::fs::read_to_string(&elsewhere).expect("it stays"), "");
    permit(0o700);
    std::fs::remove_file(&history).expect("it was there");
    std::fs::File::create(&history).and_then(|file| file.set_len(1 << 30)).expect("a file with a hole");
    chat("it is larger than 16");
    // No test looks through a gigabyte for secrets.
    std::fs::remove_file(&history).expect("it was there");
}

#[test]
fn ctrl_c_stops_an_answer_and_keeps_what_came() {
    let gateway = Gateway::by(|request| match &*prompt(request) {
        "one" | "three" => Reply::sse().role().text("Half an answer").gate().text(" and more").finish("stop").done(),
        _ => Reply::stream(&[&format!("after {}", messages(request)[1]["content"])]),
    });
    let home = Home::with(&gateway);
    let running = typed(&home, &[]);
    keys(&running, "\u{3}");
    screen(&running, "Ctrl-D or /exit ends the chat");
    keys(&running, "one\r");
    screen(&running, "Half an answer");
    running.signal(rustix::process::Signal::INT);
    screen(&running, "[interrupted]");
    keys(&running, "two\r");
    screen(&running, "after \"Half an answer\"");
    // A second answer can be stopped as well.
    keys(&running, "three\r");
    gateway.await_gated(2);
    running.signal(rustix::process::Signal::INT);
    keys(&running, "/exit\r");
    let outcome = running.finish();
    outcome.exits(0);
    let stopped = home.log().iter().filter(|call| call["status"] == "interrupted").count();
    assert_eq!(stopped, 2);
}

#[test]
fn a_person_chooses_whose_answer_goes_on() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let running = typed(&home, &[]);
    keys(&running, "/compare a,b\r");
    screen(&running, "the next turn goes to a, b");
    keys(&running, "one\r");
    screen(&running, "whose answer goes on? 1 a · 2 b");
    keys(&running, "7\r");
    screen(&running, "a number from 1 to 2, or a name");
    keys(&running, "2\r");
    screen(&running, "b · ");
    keys(&running, "two\r");
    screen(&running, "b got 3: two");
    keys(&running, "/exit\r");
    running.finish().exits(0);
}

#[test]
fn ctrl_d_ends_the_chat() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let running = typed(&home, &[]);
    keys(&running, "\u{4}");
    running.finish().exits(0);
}

#[test]
fn a_chat_does_not_write_to_a_pipe() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let outcome = home.llm(["chat"]).terminal(Wiring::STDIN).output();
    outcome.exits(2).says("a chat needs a terminal for its answers");
}

#[test]
fn nothing_of_a_chat_is_kept_where_nothing_is_recorded() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let running = typed(&home, &["--log", "off"]);
    keys(&running, "one\r");
    screen(&running, "got 1: one");
    keys(&running, "two\r");
    screen(&running, "got 3: two");
    keys(&running, "/exit\r");
    running.finish().exits(0);
    assert!(!home.path().join("data/chat_history").exists());
    assert!(!home.path().join("data/ledger.db").exists());
}
