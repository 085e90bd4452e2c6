//! Every resource that runs out at every point: whatever fails, nothing is kept in part and nothing is claimed wrongly.

use rusqlite::Connection;

use crate::support::{Gateway, Home, Outcome, Reply};

/// What must hold after each process, whatever it was short of.
#[track_caller]
fn holds(home: &Home, outcome: &Outcome, text: &str, limit: &str) {
    assert_ne!(outcome.code(), Some(101), "{limit}: {}", outcome.stderr());
    if outcome.code() == Some(0) {
        assert!(outcome.stdout().strip_suffix('\n') == Some(text), "{limit}: {}", outcome.stderr());
    }
    let ledger = home.path().join("data/ledger.db");
    if !ledger.exists() {
        return;
    }
    let database = Connection::open(&ledger).expect("a database");
    let check: String = database.pragma_query_value(None, "quick_check", |row| row.get(0)).expect(limit);
    assert_eq!(check, "ok", "{limit}");
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).expect(limit);
    if version > 0 {
        let sql = "SELECT (SELECT count(*) FROM calls) - (SELECT count(*) FROM details)";
        let in_part: i64 = database.query_row(sql, [], |row| row.get(0)).expect(limit);
        assert_eq!(in_part, 0, "{limit}: a call is recorded whole or not at all");
    }
}

/// Asks once within each limit of the shell, in a home that is fresh each time; the exit codes.
fn sweep(limits: impl IntoIterator<Item = String>, config: &str, text: &str) -> Vec<Option<i32>> {
    let mut codes = Vec::new();
    for limit in limits {
        let gateway = Gateway::always(Reply::stream(&[text]));
        let home = Home::with(&gateway).config(config);
        let outcome = home.shell(&format!("{limit} && exec \"$llm\" ask --retries 0 --max-tokens 10 hi")).output();
        holds(&home, &outcome, text, &limit);
        if outcome.code() == Some(5) {
            assert!(gateway.requests().is_empty(), "{limit}: refused, and sent all the same");
        }
        // With enough of everything the next one finds all in order.
        home.llm(["ask", "--max-tokens", "10", "hi"]).output().exits(0);
        home.llm(["log", "-o", "json"]).output().exits(0);
        codes.push(outcome.code());
    }
    codes
}

const BUDGET: &str = "[[budget]]\nlimit = 100\nper = \"day\"\n[price.\"*\"]\ninput = 1\noutput = 1\n";

// P18, L12
#[test]
fn files_that_cannot_grow_at_any_point_cost_no_answer() {
    let limits = || (0..12).chain((12..140).step_by(8)).map(|blocks| format!("ulimit -f {blocks}"));
    assert!(sweep(limits(), "", "Hello.").iter().all(|code| *code == Some(0)));
    let codes = sweep(limits(), BUDGET, "Hello.");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 5))), "{codes:?}");
    assert_eq!((codes.first(), codes.last()), (Some(&Some(5)), Some(&Some(0))), "both ends are met");
}

// P18
#[test]
fn files_that_cannot_be_opened_at_any_point_are_an_error_or_no_loss() {
    for config in ["", BUDGET] {
        let codes = sweep((4..28).map(|files| format!("ulimit -n {files}")), config, "Hello.");
        assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
    }
}

// P14
#[test]
fn memory_that_ends_at_any_point_leaves_nothing_in_part() {
    // What an answer takes grows with it, so that memory ends in the middle of things.
    let text = "x".repeat(2 << 20);
    let codes = sweep((4..20).map(|step| format!("ulimit -d {}", step << 10)), BUDGET, &text);
    assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
    assert_ne!(codes.first(), Some(&Some(0)), "{codes:?}");
}
