//! What goes into the ledger comes out of it, whatever stands in the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::TransactionBehavior;

use super::row::Circumstances;
use super::store::Mode;
use super::*;
use crate::chat::{FinishReason, Message, Request, Role, ToolCall, Usage};
use crate::error::{Failure, FailureKind};
use crate::rates::Rates;
use crate::record::{Attempt, Cost, CostOrigin, Record, Status, Timing};

const CANARY: &str = "CANARY-5f2d";

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A call on which nothing is missing: a failed attempt, an answer, every figure.
fn record(id: &str) -> Record {
    let failure = Failure::new(FailureKind::Unavailable, format!("no: {CANARY}")).with_status(503);
    let attempt = |model: &str, error: Option<Failure>| Attempt {
        gateway: "corp".into(),
        model: model.into(),
        status: Some(if error.is_some() { 503 } else { 200 }),
        error,
        start: ms(1),
        duration: ms(300),
        cost: Some("0.0001".parse().expect("dollars")),
        request_id: Some("req-1".into()),
    };
    Record {
        id: id.into(),
        run: "01900000-0000-7000-8000-00000000aaaa".into(),
        model: "fast".into(),
        gateway: "corp".into(),
        answered_by: Some("qwen".into()),
        status: Status::Ok,
        text: format!("the answer {CANARY}"),
        reasoning: format!("hm {CANARY}"),
        reasoning_signature: Some(format!("sig {CANARY}")),
        tool_calls: vec![ToolCall { id: "t".into(), name: "f".into(), arguments: format!("{{\"a\":\"{CANARY}\"}}") }],
        // These are not kept.
        logprobs: Vec::new(),
        finish_reason: Some(FinishReason::Other("eos".into())),
        cached: false,
        saved: None,
        usage: Usage { input: Some(12), output: Some(5), reasoning: Some(2), ..Usage::default() },
        cost: Some(Cost::new("0.0123".parse().expect("dollars"), CostOrigin::Config)),
        rates: Some(Rates { input: "0.001".parse().ok(), ..Rates::default() }),
        timing: Timing {
            connect: Some(ms(3)),
            first_byte: Some(ms(4)),
            first_reasoning: Some(ms(5)),
            first_token: Some(Duration::from_micros(6_789)),
            total: Some(ms(700)),
            tokens_per_second: Some(12.5),
        },
        attempts: vec![attempt("deepseek", Some(failure.clone())), attempt("qwen", None)],
        error: Some(failure),
        tags: BTreeMap::from([("app".into(), "bot".into())]),
    }
}

pub(crate) fn row(id: &str, texts: bool) -> Row {
    let request = Request {
        messages: vec![Message::text(Role::System, "be brief"), Message::text(Role::User, format!("why? {CANARY}"))],
        temperature: Some(0.5),
        ..Request::default()
    };
    Row::new(
        record(id),
        &Circumstances {
            command: "ask",
            place: 0,
            at: Timestamp::from_millisecond(1_790_000_000_000).expect("a time"),
            key: Some("team-a"),
            task: Some("coding"),
            request: &request,
            turn: None,
            texts,
        },
    )
}

pub(super) fn id(n: u32) -> String {
    format!("01900000-0000-7000-8000-{n:012x}")
}

/// Everything that is in the ledger, oldest first.
pub(super) fn all(dir: &Path) -> Vec<Row> {
    let store = Store::open_to_read(dir).expect("readable").expect("there");
    let mut rows = find(&store, &Filter::default(), None).expect("found");
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

pub(super) fn problems(dir: &Path) -> String {
    let store = Store::open_to_read(dir).expect("readable").expect("there");
    store.outside(|c| c.pragma_query_value(None, "integrity_check", |row| row.get(0))).expect("checked")
}

#[test]
fn what_is_recorded_is_read() {
    let home = tempfile::tempdir().expect("a directory");
    let kept = row(&id(1), true);
    let said = super::record(home.path(), std::slice::from_ref(&kept));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("calls are recorded from now on, prompts and answers included, in "), "{said:?}");
    assert_eq!(all(home.path()), std::slice::from_ref(&kept));
    assert_eq!(super::record(home.path(), std::slice::from_ref(&kept)), Vec::<String>::new(), "said once");
    assert_eq!(all(home.path()).len(), 1, "a call is recorded once");
    let read = all(home.path()).remove(0);
    assert_eq!(
        serde_json::to_value(read.clone().into_record()).expect("json"),
        serde_json::to_value(record(&id(1))).expect("json")
    );
    assert_eq!(read.request.request().expect("kept").messages[1].parts.len(), 1);
}

// H33
#[test]
fn what_may_be_billed_is_kept_and_makes_sums_lower_bounds() {
    let home = tempfile::tempdir().expect("a directory");
    let lost = |id: &str| {
        let mut row = row(id, true);
        (row.attempts[0].cost_picos, row.attempts[0].maybe_billed) = (None, Some(true));
        row.cost.as_mut().expect("known").partial = true;
        row
    };
    let mut stopped = lost(&id(3));
    (stopped.cost, stopped.status, stopped.tokens) = (None, Status::Interrupted, Tokens::default());
    let mut early = row(&id(4), true);
    (early.cost, early.status, early.tokens, early.attempts) =
        (None, Status::Interrupted, Tokens::default(), Vec::new());
    let mut surcharged = row(&id(5), true);
    surcharged.cost.as_mut().expect("known").partial = true;
    let rows = [row(&id(1), true), lost(&id(2)), stopped, early, surcharged];
    super::record(home.path(), &rows);
    assert_eq!(all(home.path()), rows);
    let record = rows[1].clone().into_record();
    assert!(record.attempts[0].maybe_billed() && record.cost.is_some_and(|cost| cost.partial));
    let store = Store::open_to_read(home.path()).expect("readable").expect("there");
    let total = usage(&store, &Filter::default(), &[], |_| None).expect("summed").total;
    assert_eq!((total.calls, total.cost.unknown), (5, 3));
    let records: Vec<Record> = rows.into_iter().map(Row::into_record).collect();
    assert_eq!(records.iter().collect::<crate::record::TotalCost>(), total.cost, "as the records say");
}

#[test]
fn l19_metadata_holds_no_text() {
    let home = tempfile::tempdir().expect("a directory");
    super::record(home.path(), &[row(&id(1), false)]);
    let kept = all(home.path()).remove(0);
    assert_eq!((kept.answer.as_ref(), kept.request.body.as_ref()), (None, None));
    assert_eq!((kept.answer_chars, kept.request.chars), (22, 24));
    assert_eq!(kept.request.hash.len(), 64);
    assert_eq!(kept.error.expect("failed").kind, FailureKind::Unavailable);
    for file in fs::read_dir(home.path()).expect("listed") {
        let path = file.expect("an entry").path();
        let bytes = fs::read(&path).expect("read");
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
    }
}

#[test]
fn l02_many_writers_lose_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    std::thread::scope(|scope| {
        for writer in 0..32 {
            let dir = home.path();
            scope.spawn(move || {
                for n in 0..5 {
                    super::record(dir, &[row(&id(writer * 100 + n), true)]);
                }
            });
        }
    });
    // Whoever waited too long left a row in the spill file, for the next.
    super::record(home.path(), &[row(&id(9_999), true)]);
    assert_eq!(all(home.path()).len(), 161);
    assert_eq!(problems(home.path()), "ok");
}

#[test]
fn l03_what_cannot_be_recorded_now_is_recorded_next() {
    let home = tempfile::tempdir().expect("a directory");
    super::record(home.path(), &[row(&id(1), true)]);
    let mut other = rusqlite::Connection::open(home.path().join(FILE_NAME)).expect("opened");
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("locked");
    let said = super::record(home.path(), &[row(&id(2), true)]);
    assert!(said[0].ends_with("this call will be recorded with the next"), "{said:?}");
    assert_eq!(all(home.path()).len(), 1);
    drop(lock);
    assert_eq!(super::record(home.path(), &[row(&id(3), true)]), Vec::<String>::new());
    assert_eq!(all(home.path()), [row(&id(1), true), row(&id(2), true), row(&id(3), true)]);
    assert_eq!(fs::read(home.path().join(SPILL_NAME)).expect("there"), b"");
}

#[test]
fn a_spilled_line_that_was_cut_off_is_kept_aside() {
    let home = tempfile::tempdir().expect("a directory");
    spill::append(home.path(), &[row(&id(1), true)]).expect("spilled");
    let path = home.path().join(SPILL_NAME);
    let mut text = fs::read_to_string(&path).expect("read");
    text.push_str("{\"id\":\"0190");
    fs::write(&path, text).expect("written");
    let said = super::record(home.path(), &[row(&id(2), true)]);
    assert!(said.iter().any(|said| said.contains("some lines cannot be read")), "{said:?}");
    assert_eq!(all(home.path()).len(), 2);
    let aside = fs::read_to_string(home.path().join("ledger-spill.jsonl.corrupt")).expect("kept");
    assert_eq!(aside, "{\"id\":\"0190\n");
}

#[test]
fn calls_that_wait_are_taken_in_by_pieces_and_what_is_no_line_is_not_held() {
    let home = tempfile::tempdir().expect("a directory");
    let large = |number| {
        let mut row = row(&id(number), true);
        row.answer.as_mut().expect("texts").text = "x".repeat(9 << 20);
        row
    };
    let rows: Vec<Row> = (1..=3).map(large).collect();
    spill::append(home.path(), &rows).expect("spilled");
    let path = home.path().join(SPILL_NAME);
    // Zeros without a line end, as a file has that a disk has lost.
    let file = fs::File::options().write(true).open(&path).expect("there");
    let end = file.metadata().expect("there").len();
    file.set_len(end + (3 << 20)).expect("longer");
    let mut spilled = spill::take(home.path()).expect("read").expect("rows");
    let pieces: Vec<usize> =
        std::iter::from_fn(|| Some(spilled.rows().expect("read").len()).filter(|rows| *rows > 0)).collect();
    assert_eq!(pieces, [2, 1]);
    drop(spilled);
    let said = super::record(home.path(), &[row(&id(4), true)]);
    assert!(said.iter().any(|said| said.contains("some lines cannot be read")), "{said:?}");
    assert_eq!(all(home.path()).len(), 4);
    let aside = fs::metadata(home.path().join("ledger-spill.jsonl.corrupt")).expect("kept").len();
    assert_eq!(aside, (3 << 20) + 1);
}

#[test]
fn l15_a_newer_ledger_costs_no_call() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::open(home.path(), Mode::RECORD).expect("opened");
    store.outside(|c| c.pragma_update(None, "user_version", 99)).expect("set");
    let said = super::record(home.path(), &[row(&id(1), true)]);
    assert!(said[0].contains("version 99") && said[0].ends_with("recorded with the next"), "{said:?}");
    store.outside(|c| c.pragma_update(None, "user_version", SCHEMA)).expect("set");
    super::record(home.path(), &[row(&id(2), true)]);
    assert_eq!(all(home.path()).len(), 2);
}

#[test]
fn l14_damage_that_shows_late_is_set_aside_too() {
    let home = tempfile::tempdir().expect("a directory");
    super::record(home.path(), &[row(&id(1), true)]);
    let path = home.path().join(FILE_NAME);
    let store = Store::open(home.path(), Mode::RECORD).expect("opened");
    store.outside(|c| c.pragma_update(None, "wal_checkpoint", "truncate")).expect("in one file");
    drop(store);
    let mut bytes = fs::read(&path).expect("read");
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).expect("written");
    let said = super::record(home.path(), &[row(&id(2), true)]);
    assert!(said[0].starts_with("the ledger was damaged; it is now "), "{said:?}");
    assert_eq!(all(home.path()).len(), 1);
    let aside = |name: &fs::DirEntry| name.file_name().to_string_lossy().contains(".corrupt-");
    assert_eq!(fs::read_dir(home.path()).expect("listed").filter(|e| e.as_ref().is_ok_and(aside)).count(), 1);
}

#[test]
fn where_nothing_can_be_written_that_is_said() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("file");
    fs::write(&file, "").expect("written");
    let said = super::record(&file, &[row(&id(1), true)]);
    assert!(said[0].ends_with("this call is not recorded"), "{said:?}");
    let mut recorder = Recorder::new(&file);
    for rows in [&[row(&id(1), true)][..], &[row(&id(2), true), row(&id(3), true)]] {
        assert!(!recorder.commit(Vec::new(), rows, &|_| Instant::now()));
    }
    let said = recorder.take_notices();
    assert!(matches!(&said[..], [said] if said.ends_with(": 3 calls are not recorded")), "all are counted: {said:?}");
    assert!(recorder.take_notices().is_empty());
}

#[test]
fn calls_are_gone_through_one_by_one_as_they_were_at_the_beginning_while_others_write() {
    let home = tempfile::tempdir().expect("a directory");
    super::record(home.path(), &[1, 2, 3].map(|n| row(&id(n), true)));
    let store = Store::open_to_read(home.path()).expect("readable").expect("there");
    let mut seen = Vec::new();
    let each = |row: Row| {
        if seen.is_empty() {
            assert_eq!(super::record(home.path(), &[super::tests::row(&id(4), true)]), Vec::<String>::new(), "no lock");
            let mut other = Store::open(home.path(), Mode::RECORD).expect("opened");
            other.write(|transaction| transaction.execute("DELETE FROM calls", [])).expect("no lock");
        }
        seen.push(row.id);
        Ok::<_, StoreError>(())
    };
    for_each(&store, &Filter::default(), None, each).expect("read");
    assert_eq!(seen, [id(3), id(2), id(1)]);
    assert_eq!(all(home.path()), []);
    super::record(home.path(), &[1, 2, 3].map(|n| row(&id(n), true)));
    let mut count = 0;
    let stopped = for_each(&store, &Filter::default(), Some(2), |_| {
        count += 1;
        if count == 2 { Err(crate::error::Error::usage("enough")) } else { Ok(()) }
    });
    assert_eq!((stopped.expect_err("stopped").to_string().as_str(), count), ("enough", 2));
}

#[test]
fn the_last_answered_call_of_a_command_is_found_behind_any_others() {
    let home = tempfile::tempdir().expect("a directory");
    let last = || {
        let store = Store::open_to_read(home.path()).expect("readable").expect("there");
        last_answered(&store, "ask").expect("read").map(|row| row.id)
    };
    let other = |n: u32, command: &str, status| {
        let mut row = row(&id(n), true);
        (row.command, row.run, row.status, row.at_ms) = (command.into(), id(n), status, row.at_ms + i64::from(n));
        row
    };
    super::record(home.path(), &[other(1, "compare", Status::Ok), other(2, "ask", Status::Failed)]);
    assert_eq!(last(), None);
    super::record(home.path(), &[other(3, "ask", Status::Truncated)]);
    super::record(home.path(), &(4..400).map(|n| other(n, "compare", Status::Ok)).collect::<Vec<_>>());
    super::record(home.path(), &[other(400, "ask", Status::Interrupted)]);
    assert_eq!(last(), Some(id(3)));
}

#[test]
fn a_brief_row_keeps_the_beginning_of_the_prompt_and_no_other_text() {
    let mut long = row(&id(1), true);
    let mut request = long.request.request().expect("kept");
    request.messages.push(Message::text(Role::User, "so \n and ".repeat(10_000)));
    long.request.body = Some(serde_json::to_string(&request).expect("JSON"));
    let brief = long.brief();
    let messages = brief.request.request().expect("kept").messages;
    assert_eq!(messages.len(), 1);
    assert!(format!("{messages:?}").contains("so and so and"), "{messages:?}");
    assert!(brief.answer.is_none() && brief.request.body.expect("kept").len() < 500);
    assert_eq!(row(&id(2), false).brief().request.body, None);
}

#[test]
fn people_can_read_the_calls_with_a_tool_of_sqlite() {
    let home = tempfile::tempdir().expect("a directory");
    let mut unknown = row(&id(2), false);
    (unknown.cost, unknown.times.total, unknown.at_ms) = (None, None, unknown.at_ms + 1);
    let mut whole = row(&id(3), true);
    (whole.cost.as_mut().expect("known").picos, whole.at_ms) = (2_000_000_000_000, whole.at_ms + 2);
    super::record(home.path(), &[row(&id(1), true), unknown, whole]);
    let database = rusqlite::Connection::open(home.path().join(FILE_NAME)).expect("opened");
    let columns = "at_utc, model, gateway, status, first_token_ms, total_ms, input_tokens, cost_usd, prompt, answer";
    let mut select = database
        .prepare(&format!("SELECT concat_ws('|', {columns}) FROM calls_readable ORDER BY at_utc"))
        .expect("a view");
    let lines = select.query_map([], |row| row.get::<_, String>(0)).expect("read");
    assert_eq!(
        lines.map(|line| line.expect("text")).collect::<Vec<_>>(),
        [
            "2026-09-21 14:13:20.000|qwen|corp|ok|6.789|700.0|12|0.0123|why? CANARY-5f2d|the answer CANARY-5f2d",
            "2026-09-21 14:13:20.001|qwen|corp|ok|6.789|12|why? CANARY-5f2d",
            "2026-09-21 14:13:20.002|qwen|corp|ok|6.789|700.0|12|2|why? CANARY-5f2d|the answer CANARY-5f2d",
        ]
    );
}

fn files_hold_canary(dir: &Path) -> bool {
    let mut files = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    let holds = |path: std::path::PathBuf| {
        fs::read(path).expect("read").windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
    };
    files.any(holds)
}

// L19
#[test]
fn what_is_deleted_beside_a_reader_is_not_called_gone_before_it_is() {
    let home = tempfile::tempdir().expect("a directory");
    super::record(home.path(), &[row(&id(1), true)]);
    let reader = rusqlite::Connection::open(home.path().join(FILE_NAME)).expect("opened");
    reader.execute_batch("BEGIN; SELECT count(*) FROM calls").expect("reads");
    let mode = Mode { timeout: Duration::from_millis(20), ..Mode::ACCOUNT };
    let mut store = Store::open(home.path(), mode).expect("opened");
    let error = purge(&mut store, None).expect_err("the reader needs what is in the log");
    assert!(matches!(error, StoreError::Undeleted { count: 1, .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("again")), "{error}");
    assert!(files_hold_canary(home.path()), "or the error would be wrong");
    drop(reader);
    assert_eq!(purge(&mut store, None).expect("nobody reads"), 0);
    assert!(!files_hold_canary(home.path()));
}

#[test]
fn calls_are_found_by_what_they_were() {
    let home = tempfile::tempdir().expect("a directory");
    let mut other = row(&id(2), true);
    other.tags = BTreeMap::from([("app".into(), "web".into()), ("team".into(), "x".into())]);
    other.model = "claude".into();
    other.asked = "claude".into();
    other.status = Status::Failed;
    other.at_ms += 1000;
    other.answer.as_mut().expect("kept").text = "nothing \"to\" see".into();
    super::record(home.path(), &[row(&id(1), true), other]);
    let store = Store::open_to_read(home.path()).expect("readable").expect("there");
    let found = |filter: Filter| -> Vec<String> {
        let rows = find(&store, &filter, None).expect("found");
        rows.iter().map(|row| row.id.trim_start_matches("01900000-0000-7000-8000-00000000000").to_owned()).collect()
    };
    let any = Filter::default();
    assert_eq!(found(any.clone()), ["2", "1"], "newest first");
    assert_eq!(found(Filter { model: Some("QWEN".into()), ..any.clone() }), ["1"]);
    assert_eq!(found(Filter { model: Some("fas".into()), ..any.clone() }), ["1"]);
    assert_eq!(found(Filter { model: Some("gpt".into()), ..any.clone() }), Vec::<String>::new());
    assert_eq!(found(Filter { status: Some("failed".into()), ..any.clone() }), ["2"]);
    assert_eq!(found(Filter { gateway: Some("corp".into()), ..any.clone() }), ["2", "1"]);
    assert_eq!(found(Filter { gateway: Some("cor".into()), ..any.clone() }), Vec::<String>::new());
    assert_eq!(found(Filter { tags: vec![("app".into(), None)], ..any.clone() }), ["2", "1"]);
    assert_eq!(found(Filter { tags: vec![("app".into(), Some("web".into()))], ..any.clone() }), ["2"]);
    assert_eq!(found(Filter { since_ms: Some(1_790_000_000_001), ..any.clone() }), ["2"]);
    assert_eq!(found(Filter { before_ms: Some(1_790_000_000_001), ..any.clone() }), ["1"]);
    assert_eq!(found(Filter { search: Some("Answer".into()), ..any.clone() }), ["1"]);
    assert_eq!(found(Filter { search: Some("why \"to\" see".into()), ..any.clone() }), ["2"]);
    assert_eq!(found(Filter { search: Some("OR \" * NOT".into()), ..any.clone() }), Vec::<String>::new());
    assert_eq!(found(Filter { search: Some(" ".into()), ..any.clone() }), ["2", "1"]);
    for part in ["01900000-0000-7000-8000-000000000001", "…00000001", "0001"] {
        let rows = find_like(&store, part).expect("read").calls();
        assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [id(1)], "{part}");
    }
    assert_eq!(find_like(&store, "x").expect("read").calls().len(), 0);
    let run = "01900000-0000-7000-8000-00000000aaaa";
    for part in ["0190", run] {
        let Alike::Run(rows) = find_like(&store, part).expect("read") else { panic!("{part} is the only run") };
        assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [id(1), id(2)], "{part}");
    }
    let mut later = row(&id(3), true);
    later.run = "01900000-0000-7000-8000-00000000bbbb".into();
    later.at_ms += 2000;
    super::record(home.path(), &[later]);
    let Alike::Calls(rows) = find_like(&store, "0190").expect("read") else { panic!("there are two runs") };
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [id(3), id(2), id(1)], "newest first");
    let Alike::Run(rows) = find_like(&store, run).expect("read") else { panic!("it is the id of a run") };
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_request_that_names_its_model_as_older_rows_may_is_read() {
    let mut sent = row(&id(1), true).request;
    let request = sent.request().expect("kept");
    sent.body = sent.body.map(|body| body.replacen('{', "{\"model\":\"vendor/m\",", 1));
    assert_eq!(sent.request(), Some(request));
}
