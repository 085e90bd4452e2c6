use super::super::{list, list_json};
use super::*;
use crate::ledger::jobs::{Job, JobProgress, JobState};
use crate::ledger::shards::{Shard, SharedJob};

fn shard(number: u64, state: JobState, ok: u64) -> Shard {
    Shard {
        id: format!("0190-shard{number:03}"),
        shard: number,
        began_ms: 1_000_000 + number.cast_signed(),
        seen_ms: 2_000_000,
        state,
        is_silent: false,
        is_replaced: false,
        via_api: false,
        models: vec!["gpt".to_owned()],
        progress: JobProgress { total: Some(10), ok, picos: Some(1_000_000_000), ..JobProgress::default() },
    }
}

fn own(id: &str, began_ms: i64, state: JobState) -> Shown {
    let job = Job {
        id: id.to_owned(),
        began_ms,
        seen_ms: 3_000_000,
        state,
        via_api: false,
        input: "/data/rows.jsonl".to_owned(),
        output: Some("/data/out.jsonl".to_owned()),
        directory: "/data".to_owned(),
        command: vec!["batch".to_owned()],
        plan: std::collections::BTreeMap::new(),
        models: vec!["gpt".to_owned()],
        progress: JobProgress { total: Some(10), ok: 9, failed: 1, ..JobProgress::default() },
    };
    Shown { job, is_alive: false }
}

/// One shard was killed on this machine, one is done elsewhere, and one was begun anew there.
fn listed() -> Vec<Entry> {
    let shards = vec![
        shard(1, JobState::Running, 3),
        shard(2, JobState::Finished, 10),
        Shard { is_replaced: true, ..shard(3, JobState::Stopped, 1) },
        Shard { id: "0190-shard033".to_owned(), ..shard(3, JobState::Finished, 10) },
    ];
    let job = SharedJob {
        id: "0190-thejob00".to_owned(),
        began_ms: 1_000_000,
        of: 3,
        input: "rows.jsonl".to_owned(),
        shards,
    };
    let own =
        vec![own("0190-shard001", 900_000, JobState::Running), own("0190-alone000", 5_000_000, JobState::Finished)];
    entries(own, vec![job])
}

#[test]
fn a_list_has_the_shards_of_a_job_below_it_and_no_second_time() {
    insta::assert_snapshot!(list(&listed(), &Output::terminal(120)), @r"
    id          began (UTC)       state      done  failed    cost  models  output
    alone000    1970-01-01 01:23  finished  10/10       1       –  gpt     /data/out.jsonl
    thejob00    1970-01-01 00:16  silent    30/30       1  $0.003  gpt     3 of 3 shards
      shard001  1970-01-01 00:16  killed    10/10       1       –          1/3 /data/out.jsonl
      shard002  1970-01-01 00:16  finished  10/10          $0.001          2/3
      shard003  1970-01-01 00:16  replaced   1/10          $0.001          3/3
      shard033  1970-01-01 00:16  finished  10/10          $0.001          3/3
    ");
}

#[test]
fn the_status_of_a_job_has_a_row_for_each_shard_and_the_sums() {
    let listed = listed();
    let [Entry::Own(_), Entry::Shared(shared)] = listed.as_slice() else { panic!("{listed:?}") };
    insta::assert_snapshot!(shared_status(shared, &Output::terminal(120)), @r"
    batch thejob00: silent, 30/30 done, began 1970-01-01 00:16 UTC, 3 of 3 shards of rows.jsonl

     shard  id        state     seen (UTC)         done  ok  failed    cost  output
       1/3  shard001  killed    1970-01-01 00:33  10/10   9       1       –  /data/out.jsonl
       2/3  shard002  finished  1970-01-01 00:33  10/10  10          $0.001
       3/3  shard003  replaced  1970-01-01 00:33   1/10   1          $0.001
       3/3  shard033  finished  1970-01-01 00:33  10/10  10          $0.001
       all  thejob00  silent    1970-01-01 00:33  30/30  29       1  $0.003
    ");
    assert!(shared.is_named("shard002") && shared.is_named("0190-the") && !shared.is_named("alone000"));
}

#[test]
fn json_has_one_job_with_its_shards() {
    let text = list_json(&listed(), &Output::plain(80)).to_string();
    let jobs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(jobs.as_array().map(Vec::len), Some(2));
    assert_eq!((&jobs[0]["id"], &jobs[0]["shards"]), (&json!("0190-alone000"), &json!(null)));
    let job = &jobs[1];
    assert_eq!(
        (&job["state"], &job["ok"], &job["failed"], &job["total"]),
        (&json!("silent"), &json!(29), &json!(1), &json!(30))
    );
    assert_eq!((&job["shard_count"], &job["output"]), (&json!(3), &json!(null)));
    let field = |name: &str| -> Vec<serde_json::Value> {
        job["shards"].as_array().expect("a list").iter().map(|shard| shard[name].clone()).collect()
    };
    assert_eq!(field("state"), ["killed", "finished", "replaced", "finished"]);
    assert_eq!(field("shard"), [1, 2, 3, 3]);
    assert_eq!(field("output"), [json!("/data/out.jsonl"), json!(null), json!(null), json!(null)]);
}
