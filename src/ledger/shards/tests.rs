use super::*;

fn shard(number: u64, state: JobState, done: u64) -> Shard {
    let progress =
        JobProgress { total: Some(10), ok: done, failed: 1, truncated: 2, picos: Some(1_000), concurrency: 8 };
    Shard {
        id: format!("shard-{number}"),
        shard: number,
        began_ms: 1,
        seen_ms: 5 * number.cast_signed(),
        state,
        is_silent: false,
        is_replaced: false,
        via_api: false,
        models: vec!["a".to_owned()],
        progress,
    }
}

fn job(shards: Vec<Shard>) -> SharedJob {
    SharedJob { id: "job".to_owned(), began_ms: 1, of: 3, input: "rows.jsonl".to_owned(), shards }
}

fn silent(shard: Shard) -> Shard {
    Shard { is_silent: true, ..shard }
}

#[test]
fn a_shard_joins_a_job_that_lacks_it_and_replaces_one_that_came_to_no_end() {
    use JobState::{Cancelled, Finished, Running, Stopped, Submitted};
    let place = |found: Shard| job(vec![found]).place(2);
    assert_eq!(place(shard(1, Finished, 7)), Place::Joins);
    assert_eq!(place(shard(2, Finished, 7)), Place::Anew);
    assert_eq!(place(shard(2, Running, 3)), Place::Anew);
    assert_eq!(place(shard(2, Submitted, 0)), Place::Anew);
    assert_eq!(place(silent(shard(2, Running, 3))), Place::Replaces);
    assert_eq!(place(shard(2, Stopped, 3)), Place::Replaces);
    assert_eq!(place(shard(2, Cancelled, 3)), Place::Replaces);
    let replaced = Shard { is_replaced: true, ..shard(2, Stopped, 3) };
    assert_eq!(job(vec![replaced.clone(), shard(2, Finished, 7)]).place(2), Place::Anew);
    assert_eq!(job(vec![replaced, shard(1, Finished, 7)]).place(2), Place::Joins);
}

#[test]
fn sums_are_those_of_the_shards_that_count_and_all_that_was_paid() {
    let mut found = job(vec![shard(1, JobState::Finished, 7), shard(2, JobState::Running, 3)]);
    let two = found.progress();
    assert_eq!((two.total, two.ok, two.failed, two.truncated, two.picos), (None, 10, 2, 4, Some(2_000)));
    assert_eq!((found.begun(), found.seen_ms()), (2, 10));
    found.shards.push(Shard { is_replaced: true, ..shard(3, JobState::Stopped, 5) });
    assert_eq!((found.begun(), found.progress().total), (2, None));
    found.shards.push(shard(3, JobState::Running, 1));
    let three = found.progress();
    assert_eq!((three.total, three.ok, three.failed, three.picos), (Some(30), 11, 3, Some(4_000)));
    found.shards[3].progress.total = None;
    assert_eq!(found.progress().total, None);
    assert_eq!(job(Vec::new()).progress().picos, None);
    for shard in &mut found.shards {
        shard.progress.picos = None;
    }
    assert_eq!(found.progress().picos, None, "unknown is not zero");
    found.shards[3].models = vec!["b".to_owned(), "a".to_owned()];
    assert_eq!(found.models(), ["a", "b"]);
}

#[test]
fn a_job_is_finished_when_all_its_shards_are() {
    use JobState::{Cancelled, Finished, Running, Stopped, Submitted};
    let state = |shards: Vec<Shard>| job(shards).state();
    let done = |number| shard(number, Finished, 7);
    assert_eq!(state(vec![done(1), done(2), done(3)]), (Finished, false));
    assert_eq!(state(vec![done(1), done(2)]), (Stopped, false), "one has not begun");
    assert_eq!(state(vec![done(1), shard(2, Running, 1), silent(shard(3, Running, 1))]), (Running, false));
    assert_eq!(state(vec![done(1), done(2), silent(shard(3, Running, 1))]), (Running, true));
    assert_eq!(state(vec![done(1), shard(2, Stopped, 1), shard(3, Cancelled, 1)]), (Stopped, false));
    assert_eq!(state(vec![done(1), done(2), shard(3, Cancelled, 1)]), (Cancelled, false));
    assert_eq!(state(vec![done(1), done(2), shard(3, Submitted, 0)]), (Submitted, false));
    let replaced = Shard { is_replaced: true, ..shard(3, Stopped, 5) };
    assert_eq!(state(vec![done(1), done(2), replaced, done(3)]), (Finished, false));
}
