//! What is taken of an answer, and what is sent with a prompt: code blocks, the clipboard, directories, URLs, the editor.

use std::time::{Duration, Instant};

use crate::support::reply::{Step, chunk};
use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, KEY, Reply};

const ANSWER: &str = "First:\n```sh\nls\n```\nThen:\n```python\nprint(1)\n```\nDone.\n";

#[test]
fn a_code_block_is_taken_from_an_answer() {
    let gateway = Gateway::always(Reply::stream(&[&ANSWER[..20], &ANSWER[20..]]));
    let home = Home::with(&gateway);
    home.llm(["ask", "hi", "-x"]).output().exits(0).prints("print(1)\n");
    home.llm(["ask", "-x", "bash", "hi"]).output().exits(0).prints("ls\n");
    home.llm(["ask", "-x", "two words"]).output().exits(0).prints("print(1)\n");
    assert_eq!(gateway.requests()[2].prompt(), "two words");
    let file = home.path().join("code.py");
    home.llm(["ask", "hi", "-x", "--out"]).arg(&file).output().exits(0).prints("");
    assert_eq!(std::fs::read_to_string(&file).expect("written"), "print(1)\n");
    home.llm(["ask", "-x", "rust", "hi"]).output().exits(9).prints("").says("in rust").says("blocks in sh, python");
    home.llm(["ask", "hi", "-x", "-o", "json"]).output().exits(2);
    home.llm(["last"]).output().exits(0).prints(ANSWER);
    home.llm(["last", "-x", "sh"]).output().exits(0).prints("ls\n");
    home.llm(["last", "-x", "go"]).output().exits(9).prints("");
    let id = home.log().last().expect("a call")["id"].as_str().expect("an id").to_owned();
    home.llm(["last", &id]).output().exits(0).prints(ANSWER);
    home.llm(["log", "show", &id, "--answer"]).output().exits(0).prints(ANSWER);
}

#[test]
fn an_answer_without_code_or_without_an_end_says_so() {
    let cut = Reply::sse().role().text("```sh\nls\n").close();
    let gateway = Gateway::in_turn([Reply::stream(&["No code."]), cut, Reply::error(400, "no")]);
    let home = Home::with(&gateway);
    home.llm(["last"]).output().exits(2).says("no recorded call");
    let outcome = home.llm(["ask", "hi", "-x", "--fallback", "other"]).output();
    outcome
        .exits(9)
        .prints("")
        .says("no code block")
        .says("other is not tried: an answer that is whole is not replaced");
    home.llm(["ask", "hi", "-x"]).output().exits(8).prints("ls\n");
    home.llm(["ask", "hi", "-x"]).output().exits(1).prints("").never_says("code block");
    home.llm(["last"]).output().exits(0).prints("```sh\nls\n").says("this answer is not complete");
    home.llm(["last", "-x"]).output().exits(8).prints("ls\n").says("this answer is not complete");
    home.llm(["last", "-x", "go"]).output().exits(8).prints("").says("no code block in go");
    home.llm(["ask", "--log", "off", "hi"]).output();
    home.llm(["last", "ffffffff"]).output().exits(2);
}

#[test]
fn what_is_printed_can_be_copied() {
    let gateway = Gateway::always(Reply::stream(&[ANSWER]));
    let home = Home::with(&gateway);
    let bin = home.path().join("bin");
    home.script("bin/xclip", "env | grep -c LLM_API_KEY > \"$HOME/keys\"; cat > \"$HOME/copied\"");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let home = home.env("PATH", path).env("DISPLAY", ":9");
    let copied = || std::fs::read_to_string(home.path().join("copied")).expect("copied");
    home.llm(["ask", "hi", "--copy"]).output().exits(0).prints(ANSWER).says("copied 9 lines (xclip)");
    assert_eq!(copied(), ANSWER);
    assert_eq!(std::fs::read_to_string(home.path().join("keys")).expect("counted").trim(), "0");
    home.llm(["last", "-x", "sh", "--copy"]).output().exits(0).prints("ls\n");
    // What cannot be copied is printed all the same.
    let without = home.llm(["last", "-x", "sh", "--copy"]).env("PATH", "/nonexistent").output();
    without.exits(74).prints("ls\n").says("the clipboard");
    assert_eq!(copied(), "ls\n");
    // From another machine, the terminal's own clipboard is the one of the user.
    let remote = home.llm(["last", "-x", "sh", "--copy"]).env("SSH_TTY", "/dev/x").terminal(Wiring::ALL).output();
    assert!(remote.terminal().contains("\u{1b}]52;c;bHMK\u{7}") && remote.terminal().contains("OSC 52"), "{remote}");
}

#[test]
fn stdin_and_directories_are_attached() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway);
    home.llm(["ask", "-f", "-", "what is it?"]).stdin("a text").output().exits(0);
    assert_eq!(gateway.requests()[0].prompt(), "<file name=\"stdin\">\na text\n</file>\n\nwhat is it?");
    home.llm(["ask", "-f", "-"]).stdin("a text").output().exits(2).says("-f -");
    home.llm(["ask", "-f", "-", "-f", "-", "hi"]).stdin("a text").output().exits(2).says("only once");
    for (name, text) in [
        ("src/b.rs", &b"fn b() {}\n"[..]),
        ("src/a/deep.txt", b"deep"),
        ("src/.hidden", b"hidden"),
        ("src/.gitignore", b"*.log\n"),
        ("src/big.log", b"ignored"),
        ("src/blob", b"\xff\xfe\x00"),
    ] {
        home.file(name, text);
    }
    let outcome = home.llm(["ask", "-f", "src", "review"]).output();
    outcome.exits(0).says("src: 2 files, 14 B, about 3 tokens; 1 file that is no text is left out");
    let prompt = gateway.requests()[1].prompt();
    let expected =
        "<file name=\"src/a/deep.txt\">\ndeep\n</file>\n\n<file name=\"src/b.rs\">\nfn b() {}\n</file>\n\nreview";
    assert_eq!(prompt, expected);
    home.file("empty/.gitignore", "");
    home.llm(["ask", "-f", "empty", "hi"]).output().exits(2).says("no text file");
    #[cfg(unix)]
    {
        home.file("endless/x.txt", "x");
        let exclusions = home.path().join("endless/.gitignore");
        std::os::unix::fs::symlink("/dev/zero", &exclusions).expect("a link");
        home.llm(["ask", "-f", "endless", "hi"]).output().exits(2).says("it is a device, not a file");
        home.shell("rm endless/.gitignore && mkdir endless/deep && mkfifo endless/deep/.ignore").output().exits(0);
        home.llm(["ask", "-f", "endless", "hi"]).output().exits(2).says("it is a pipe, not a file");
    }
    for level in 0..6 {
        home.file(&format!("nested{}/.gitignore", "/d".repeat(level)), "*.log\n".repeat(200 * 1024 / 6));
    }
    home.llm(["ask", "-f", "nested", "hi"])
        .output()
        .exits(2)
        .says("nested/d/d/d/d/d/.gitignore")
        .says("larger than 1 MiB");
    home.file("large/x.txt", "x".repeat(3 << 20));
    home.file("large/y.txt", "y".repeat(3 << 20));
    home.llm(["ask", "-f", "large", "hi"]).output().exits(2).says("more than 4 MiB");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn files_of_llm_itself_are_neither_attached_nor_written_over() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway).config("[price.x]\ninput = 1\n");
    for (name, text) in
        [("data/keys.toml", "secret = 1\n"), ("data/chat_history", "secret 2\n"), ("data/notes.md", "mine\n")]
    {
        home.file(name, text);
    }
    let outcome = home.llm(["ask", "-f", ".", "what is it?"]).output();
    outcome
        .exits(0)
        .says("keys.toml is left out: it is a file of llm itself")
        .says("chat_history is left out")
        .says("llm.toml is left out");
    let prompt = gateway.requests()[0].prompt();
    assert!(prompt.contains("mine") && !prompt.contains("secret") && !prompt.contains("base_url"), "{prompt}");
    home.llm(["ask", "-f", "data/keys.toml", "hi"]).output().exits(2).says("a file of llm itself, and may hold keys");
    home.file("rows.jsonl", "{\"text\": \"hi\"}\n");
    for command in
        [&["ask", "hi"][..], &["usage"], &["log", "export"], &["last"], &["batch", "rows.jsonl", "{{ text }}"]]
    {
        for out in ["data/keys.toml", "data/ledger.db", "llm.toml", "data/../data/ledger.db-wal"] {
            let outcome = home.llm(command).args(["--out", out]).output();
            outcome.exits(2).says("is a file of llm itself, which no output may replace");
        }
    }
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn texts_of_the_web_are_attached_without_any_key() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let web = Gateway::by(|request| match request.path.split('?').next().unwrap_or_default() {
        "/page.txt" => Reply::with_body(200, "text/plain", "from the web"),
        "/moved" => Reply::with_headers(302, &[("location", "/page.txt")], ""),
        "/away" => Reply::with_headers(302, &[("location", "http://localhost:1/admin?token=SECRET")], ""),
        "/chart" => Reply::with_body(200, "image/png", "png"),
        "/data" => Reply::with_body(200, "application/octet-stream", b"\xff\xfe"),
        "/large" => Reply::with_body(200, "text/plain", "x".repeat((4 << 20) + 1)),
        _ => Reply::with_body(404, "text/plain", "not here"),
    });
    let home = Home::with(&gateway);
    let url = |path: &str| format!("{}{path}", web.origin());
    home.llm(["ask", "-f", &url("/moved?token=SECRET"), "what?"]).output().exits(0);
    let sent = gateway.requests()[0].prompt();
    assert!(sent.contains("\nfrom the web\n</file>\n\nwhat?"), "{sent}");
    assert_eq!(web.requests()[0].path, "/moved?token=SECRET");
    assert!(sent.contains(&format!("<file name=\"{}\">", url("/moved"))) && !home.holds("SECRET"), "{sent}");
    let with_password = url("/page.txt").replace("http://", "http://me:SECRET@");
    let refused = home.llm(["ask", "-f", &with_password, "what?"]).output();
    refused.exits(2).says("has a user name or a password");
    let away = home.llm(["ask", "-f", &url("/away"), "what?"]).output();
    away.exits(7).says("it redirects to http://localhost:1/admin, which is a less safe place");
    assert!(!format!("{refused}{away}").contains("SECRET"));
    for request in web.requests() {
        let head = format!("{request:?}");
        assert!(!head.contains(KEY) && request.header("authorization").is_none(), "{head}");
    }
    home.llm(["ask", "-f", &url("/chart"), "what?"]).output().exits(0);
    let body = gateway.requests()[1].json();
    assert_eq!(body["messages"][0]["content"][0]["image_url"]["url"], url("/chart"));
    for (path, said) in [("/none", "404"), ("/data", "no UTF-8 text"), ("/large", "larger than 4 MiB")] {
        let outcome = home.llm(["ask", "-f", &url(path), "hi"]).output();
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        outcome.says(said);
    }
    let asked = web.requests().len();
    home.llm(["ask", "--dry-run", "-f", &url("/page.txt"), "hi"]).output().exits(0).says("fetches nothing");
    home.llm(["ask", "-f", "https://pictures.example/x.PNG?size=1", "hi"]).output().exits(0);
    assert_eq!((web.requests().len(), gateway.requests().len()), (asked, 3));
}

#[test]
fn a_page_of_the_web_takes_no_longer_than_the_time_limit() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let web = Gateway::by(|request| match request.path.as_str() {
        "/silent" => Reply::silence().hold(),
        _ => Reply::sse().then(Step::Drip(chunk(b"lively"), Duration::from_millis(50))),
    });
    let home = Home::with(&gateway);
    let late = "it took longer than 0.5 s";
    for path in ["/silent", "/endless"] {
        let url = format!("{}{path}", web.origin());
        for command in ["ask", "compare"] {
            let began = Instant::now();
            let outcome = home.llm([command, "--timeout", "500ms", "-m", "a", "-f", &url, "hi"]).output();
            outcome.exits(7).says(late).says(&url).says("--timeout sets another limit");
            assert!(began.elapsed() < Duration::from_secs(10), "{outcome}");
        }
        let chat = home.llm(["chat", "--timeout", "500ms"]).stdin(format!("/file {url}\n")).output();
        chat.exits(7).says(late);
    }
    assert!(gateway.requests().is_empty());
}

#[test]
fn a_prompt_is_written_in_the_editor() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway);
    let editor = home.script("editor", "case \"$1\" in *.md) ;; *) exit 3 ;; esac; printf '%s' \"$TEXT\" >> \"$1\"");
    let home = home.env("VISUAL", editor);
    home.llm(["ask", "--edit", "Dear"]).env("TEXT", " model,\nhello\n\n").output().exits(0).prints("ok\n");
    assert_eq!(gateway.requests()[0].prompt(), "Dear model,\nhello");
    home.llm(["-e"]).env("TEXT", "hi there").output().exits(0);
    home.llm(["ask", "-e"]).env("TEXT", "sum up:").stdin("piped").output().exits(0);
    assert_eq!(gateway.requests()[2].prompt(), "sum up:\n\npiped");
    home.llm(["ask", "-e"]).env("TEXT", " \n").output().exits(2).says("nothing was written");
    assert_eq!(gateway.requests().len(), 3);
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).expect("listed").count(), 0);
}

#[test]
fn a_person_chooses_a_model_from_a_list() {
    let gateway = Gateway::by(|request| Reply::stream(&["by ", &request.model()]));
    let home =
        Home::with(&gateway).config("[alias.cheap]\nmodels = [\"small\"]\n[alias.strong]\nmodels = [\"large\"]\n");
    let running = home.llm(["ask", "hi", "-m"]).env("NO_COLOR", "1").terminal(Wiring::ALL).start();
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_screen("model: ");
    terminal.type_keys("trong");
    terminal.await_screen("1 model");
    terminal.type_keys("\r");
    terminal.await_screen("by large");
    running.finish().exits(0);
    let running = home.llm(["ask", "hi", "-m"]).env("NO_COLOR", "1").terminal(Wiring::ALL).start();
    running.terminal.as_ref().expect("a terminal").await_screen("model: ");
    running.terminal.as_ref().expect("a terminal").type_keys("\u{3}");
    assert_eq!(running.finish().signal(), Some(2));
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn without_a_terminal_a_model_is_named() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway);
    home.llm(["ask", "hi", "-m"]).output().exits(2).says("-m needs the name of a model").says("llm models");
    home.llm(["chat", "-m"]).output().exits(2).says("-m needs the name of a model");
    home.llm(["ask", "hi", "-m", ""]).output().never_says("lets you choose").exits(2);
    assert_eq!(gateway.requests().len(), 0);
}
