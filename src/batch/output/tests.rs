use std::fs;

use super::*;
use crate::batch::line::{Line, RowPart, WorthPart, write};
use crate::batch::rows::RowHash;
use crate::record::{Record, Status};

fn line(row: u64, model: &str, status: Status) -> Vec<u8> {
    let mut record = record(model);
    record.status = status;
    let part = RowPart { row, line: row, row_id: None, row_hash: RowHash(row), job: "j", plan: RowHash(7) };
    write(&part, &record, &WorthPart::default()).expect("json")
}

fn record(model: &str) -> Record {
    use crate::call::{Call, Target};
    let target = Target { gateway: "g".into(), model: model.into() };
    let call = Call::new(0, model, vec![target.into()], std::sync::Arc::default());
    crate::record::Recorder::new("run", &call, std::time::Duration::ZERO).finish(std::time::Duration::ZERO)
}

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("out"), content).expect("written");
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn open(&self) -> OutputFile {
        OutputFile::open(&self.path(), true).expect("ours")
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.path()).expect("readable")
    }
}

fn rows(output: &mut OutputFile) -> Vec<(u64, String)> {
    let mut rows = Vec::new();
    output.scan(|line| rows.push((line.row, line.model.to_string()))).expect("lines");
    rows
}

// L27
#[test]
fn a_torn_last_line_is_removed_wherever_it_was_torn() {
    let (first, second) = (line(1, "m", Status::Ok), line(2, "m", Status::Ok));
    for cut in 1..second.len() - 1 {
        let fixture = Fixture::new(&[&first[..], &second[..cut]].concat());
        let mut output = fixture.open();
        assert_eq!(output.repair().expect("mended"), Repaired::Removed(cut as u64), "at {cut}");
        assert_eq!(fixture.content(), first);
        output.append(&second, (2, 0)).expect("written");
        assert_eq!(rows(&mut output), [(1, "m".into()), (2, "m".into())]);
    }
}

// L28
#[test]
fn a_whole_last_line_without_its_end_is_kept() {
    let (first, second) = (line(1, "m", Status::Ok), line(2, "m", Status::Ok));
    let fixture = Fixture::new(&[&first[..], &second[..second.len() - 1]].concat());
    let mut output = fixture.open();
    assert_eq!(output.repair().expect("mended"), Repaired::LineEnd);
    assert_eq!(fixture.content(), [first, second].concat());
    assert_eq!(output.repair().expect("nothing to do"), Repaired::Nothing);
}

#[test]
fn a_torn_line_longer_than_a_buffer_is_removed_too() {
    let first = line(1, "m", Status::Ok);
    let fixture = Fixture::new(&[&first[..], &vec![b'x'; 300_000]].concat());
    assert_eq!(fixture.open().repair().expect("mended"), Repaired::Removed(300_000));
    assert_eq!(fixture.content(), first);
}

#[test]
fn a_torn_first_line_is_removed_wherever_it_was_torn() {
    let first = line(12, "m", Status::Ok);
    for cut in 1..first.len() - 1 {
        let fixture = Fixture::new(&first[..cut]);
        assert_eq!(fixture.open().repair().expect("mended"), Repaired::Removed(cut as u64), "at {cut}");
        assert_eq!(fixture.content(), b"");
    }
}

#[test]
fn content_that_is_no_beginning_of_a_line_is_not_removed() {
    let long = "x".repeat(300_000);
    for content in [
        "notes",
        long.as_str(),
        "{",
        "{}",
        "[1, 2",
        "{\"row",
        "{\"row\": 1",
        "{\"rows\":[",
        "{\"row\":\"1",
        "{\"row\":1,\"column\":",
        "{\"row\":1,\"line\":1,\"row_id\":null} and more",
        "\0\0\0",
    ] {
        let fixture = Fixture::new(content.as_bytes());
        let repaired = fixture.open().repair();
        match content {
            // These can be ours.
            "{" | "{\"row" => assert!(matches!(repaired, Ok(Repaired::Removed(_))), "{content}"),
            _ => {
                let said = repaired.expect_err("not ours").to_string();
                assert!(said.starts_with("line 1 of") && said.contains("is not a line of a batch"), "{said}");
                assert_eq!(fixture.content(), content.as_bytes());
            }
        }
    }
}

// L30
#[test]
fn a_second_writer_is_refused_until_the_first_has_gone() {
    let fixture = Fixture::new(b"");
    let first = fixture.open();
    assert!(is_locked(&fixture.path()));
    assert!(matches!(OutputFile::open(&fixture.path(), true), Err(OutputError::Locked(_))));
    drop(first);
    fixture.open();
}

#[test]
fn a_new_batch_leaves_what_is_there_alone() {
    let fixture = Fixture::new(b"precious\n");
    assert!(matches!(OutputFile::open(&fixture.path(), false), Err(OutputError::NotEmpty(_))));
    let mut output = fixture.open();
    let foreign = output.scan(|_| {}).expect_err("not ours").to_string();
    assert!(foreign.contains("line 1 of") && foreign.contains("is not a line of a batch"), "{foreign}");
    assert_eq!(fixture.content(), b"precious\n");
}

// L33
#[cfg(unix)]
#[test]
fn a_file_that_is_gone_or_replaced_is_not_written() {
    let fixture = Fixture::new(b"");
    let mut output = fixture.open();
    let row = line(1, "m", Status::Ok);
    output.append(&row, (1, 0)).expect("written");
    fs::rename(fixture.path(), fixture.dir.path().join("elsewhere")).expect("renamed");
    output.append(&row, (2, 0)).expect_err("renamed");
    fs::write(fixture.path(), "another").expect("written");
    output.append(&row, (2, 0)).expect_err("replaced");
    assert_eq!(fs::read(fixture.dir.path().join("elsewhere")).expect("kept"), row);
}

#[test]
fn lines_are_sorted_by_row_and_model_and_the_lock_is_kept() {
    let lines =
        [line(2, "b", Status::Ok), line(1, "b", Status::Ok), line(2, "a", Status::Failed), line(1, "a", Status::Ok)];
    let fixture = Fixture::new(b"");
    let mut output = fixture.open();
    for (row, place, line) in [(2, 1, &lines[0]), (1, 1, &lines[1]), (2, 0, &lines[2]), (1, 0, &lines[3])] {
        output.append(line, (row, place)).expect("written");
    }
    assert!(!output.is_in_order());
    output.sort(|model| usize::from(model == "b")).expect("sorted");
    assert!(output.is_in_order() && is_locked(&fixture.path()));
    assert_eq!(fixture.content(), [&lines[3][..], &lines[1], &lines[2], &lines[0]].concat());
    output.retain(|line| line.has_answer(), |_| 0).expect("rewritten");
    assert_eq!(rows(&mut output).len(), 3, "the failed one is asked again");
    output.append(&lines[2], (2, 0)).expect("the new file is open for appending");
    assert_eq!(rows(&mut output).len(), 4);
}

#[test]
fn what_is_done_is_known_by_row_and_model() {
    let mut done = Done::new(&["a".into(), "b".into()]);
    let add = |done: &mut Done, row, model: &str, status| {
        let bytes = line(row, model, status);
        let line = Line::parse(&bytes).expect("a line");
        done.add(line.row, line.row_hash, &line.model, line.status)
    };
    assert!(add(&mut done, 3, "a", Status::Ok));
    assert!(add(&mut done, 3, "b", Status::Failed));
    assert!(add(&mut done, 5, "c", Status::Truncated), "a model that is not asked any more");
    assert!(!add(&mut done, 3, "a", Status::Ok), "a second line does not count");
    assert_eq!((done.state(3, 0), done.state(3, 1), done.state(1, 0)), (State::Answered, State::Failed, State::Open));
    assert_eq!((done.hash(3), done.hash(4), done.last_row()), (Some(RowHash(3)), None, 5));
    assert_eq!((done.lines(0), done.lines(2), done.repeated), (1, 1, 1));
}

#[test]
fn a_file_is_read_alike_on_one_thread_and_on_several() {
    const LINES: u64 = 6_000;
    let mut content: Vec<u8> = (1..=LINES).flat_map(|row| line(row, "m", Status::Ok)).collect();
    assert!(content.len() > 3 << 20, "there are several blocks");
    // A line of several blocks, and a part of one that is being written.
    let mut long = record("m");
    long.text = "x".repeat(5 << 19);
    let part = RowPart { row: LINES + 1, line: 1, row_id: None, row_hash: RowHash(1), job: "j", plan: RowHash(7) };
    content.extend(write(&part, &long, &WorthPart::default()).expect("json"));
    let end = content.len();
    content.extend(b"{\"row\":");
    let fixture = Fixture::new(&content);
    for threads in [0, 1, 3] {
        let mut rows = Vec::new();
        fixture.open().scan_on(threads, |line| rows.push(line.row)).expect("lines");
        assert_eq!(rows, (1..=LINES + 1).collect::<Vec<_>>(), "{threads} threads");
    }
    content.truncate(end);
    let middle = content.len() / 3;
    let at = middle + content[middle..].iter().position(|byte| *byte == b'\n').expect("a line end") + 1;
    let before = content[..at].iter().filter(|byte| **byte == b'\n').count();
    content.splice(at..at, *b"foreign\n");
    let fixture = Fixture::new(&content);
    for threads in [0, 1, 3] {
        let mut rows = Vec::new();
        let error = fixture.open().scan_on(threads, |line| rows.push(line.row)).expect_err("not ours").to_string();
        assert!(error.starts_with(&format!("line {} of", before + 1)), "{threads} threads: {error}");
        assert_eq!(rows.len(), before, "{threads} threads");
    }
}
