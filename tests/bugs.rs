//! What a bug in `llm` does: it is said, it shows no key, and budgets and ledger are right after it. Debug builds panic where
//! `LLM_FAILPOINT` says.

use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, KEY, Reply};

/// A token of answer costs ten cents, and the budget lasts for three calls of ten tokens.
const BUDGET: &str = "[[budget]]\nlimit = 3\nper = \"total\"\n[price.\"*\"]\ninput = 0\noutput = 100000\n";

/// A message as a panic may have it: with what a gateway sent.
fn failpoint(point: &str) -> String {
    format!("{point}=cannot slice '\x1b[31m\u{202e}Bearer {KEY}\nhint: nothing'")
}

fn left(home: &Home) -> String {
    home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0]["left_usd"].to_string()
}

// S05, P15
#[test]
fn a_bug_is_101_shows_no_key_and_leaves_the_budget_right() {
    for (point, sent, remaining) in [("prepared", 0, "3"), ("response", 1, "2"), ("ended", 1, "2")] {
        let gateway = Gateway::always(Reply::sse().role().text("Hello.").finish("stop").usage(1, 10).done());
        let home = Home::with(&gateway).config(BUDGET);
        let outcome = home.llm(["ask", "--max-tokens", "10", "hi"]).env("LLM_FAILPOINT", failpoint(point)).output();
        outcome.exits(101).says("llm has a bug: cannot slice").says("src/").says("hint: please report this bug");
        assert!(!outcome.stderr().contains(['\x1b', '\u{202e}']), "{point}: {outcome}");
        assert_eq!(gateway.requests().len(), sent, "{point}");
        assert_eq!(left(&home), remaining, "{point}: {outcome}");
        // What comes next finds all in order.
        home.llm(["ask", "--max-tokens", "10", "hi"]).output().exits(0).prints("Hello.\n");
        assert_eq!(home.log().len(), if point == "ended" { 2 } else { 1 }, "{point}: what was over is recorded");
    }
}

// T20
#[test]
fn a_bug_leaves_the_terminal_as_it_was() {
    for point in ["response", "ended"] {
        // One that answers when live lines are on the terminal, and one that would answer later.
        let gateway = Gateway::by(|request| match request.model().as_str() {
            "a" => Reply::silence().gate().and(Reply::stream(&["Hello."])),
            _ => Reply::silence().hold(),
        });
        let home = Home::with(&gateway);
        let run = home.llm(["compare", "-m", "a,b", "hi"]).env("LLM_FAILPOINT", failpoint(point));
        let running = run.terminal(Wiring::ALL).start();
        gateway.await_gated(1);
        running.terminal.as_ref().expect("a terminal").await_screen("\r\u{1b}[1A");
        gateway.release();
        let outcome = running.finish();
        outcome.exits(101);
        let screen = outcome.terminal();
        let (hidden, shown) = (screen.rfind("\x1b[?25l"), screen.rfind("\x1b[?25h"));
        assert!(hidden <= shown, "{point}: the cursor is visible: {screen:?}");
        assert!(screen.trim_end().ends_with("with the lines above"), "{point}: nothing is drawn after it: {screen:?}");
        let (erased, said) = (screen.rfind("\r\u{1b}[1A\u{1b}[J"), screen.rfind("llm has a bug"));
        assert!(erased.is_some() && erased < said, "{point}: the lines are removed before it: {screen:?}");
    }
}

// P15
#[test]
fn a_bug_while_rows_are_read_is_no_end_of_the_data() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    home.file("rows.txt", "one\ntwo\n");
    let run = home.llm(["batch", "rows.txt", "{{ line }}", "--out", "out.jsonl"]);
    let outcome = run.env("LLM_FAILPOINT", failpoint("row")).output();
    outcome.exits(2).says("llm has a bug").says("could not be read").says("to go on: ");
    home.llm(["batch", "rows.txt", "{{ line }}", "--out", "out.jsonl", "--resume"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 2);
}
