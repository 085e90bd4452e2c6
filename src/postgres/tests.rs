//! The promises of every store, kept by a PostgreSQL. `tests/real/postgres/run` starts one.

use secrecy::ExposeSecret as _;

use super::*;
use crate::ledger::tests::row;
use crate::ledger::{Alike, Calls, Filter, Journal, RemoteCalls};
use crate::policy::budget::store_tests;
use crate::store::tests as keys_and_rates;

/// A database of its own, in the server at `LLM_TEST_POSTGRES`.
fn database(name: &str) -> SharedStore {
    database_as(name, "ENCODING 'UTF8' TEMPLATE template0")
}

/// A database that is made in this way.
fn database_as(name: &str, how: &str) -> SharedStore {
    let env = crate::config::Env::of_process();
    let server = env.get("LLM_TEST_POSTGRES").expect("the address of a server, without a database");
    let admin = format!("{server}/postgres");
    let mut client = postgres::Client::connect(&admin, postgres::NoTls).expect("a server");
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).expect("dropped");
    client.batch_execute(&format!("CREATE DATABASE {name} {how}")).expect("created");
    at(&format!("{server}/{name}"))
}

fn at(url: &str) -> SharedStore {
    SharedStore { url: url.into(), ca_file: None, said: "c.toml:2".to_owned() }
}

fn store(settings: &SharedStore) -> PostgresStore {
    PostgresStore::new(settings).expect("an address")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn keys_rates_and_the_audit_log_keep_their_promises() {
    let settings = database("llm_keys");
    runtime().block_on(async {
        let first = store(&settings);
        keys_and_rates::keys(&first).await;
        keys_and_rates::rates(&first).await;
        keys_and_rates::shared([store(&settings), store(&settings), store(&settings)], || store(&settings)).await;
    });
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn budgets_keep_their_promises() {
    let settings = database("llm_budgets");
    let store = store(&settings);
    runtime().block_on(store_tests::keeps_its_promises(&store));
    // Commands ask while they run futures, too.
    let budget = crate::config::KeyBudget { limit: crate::money::Usd::from_picos(5), per: crate::config::Period::Day };
    let balances = async { store.balances(&[budget.of_key("bot")], Timestamp::now()) };
    assert_eq!(runtime().block_on(balances).expect("readable").len(), 1);
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn stores_that_decide_at_once_never_spend_the_same_money() {
    let settings = database("llm_contended");
    let (a, b) = (store_tests::account("a", 1_000), store_tests::account("b", 600));
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|server| {
                // The accounts in another order in every other server.
                let accounts = if server % 2 == 0 { [a.clone(), b.clone()] } else { [b.clone(), a.clone()] };
                let store = store(&settings);
                scope.spawn(move || {
                    runtime().block_on(async {
                        let entry = |nth| store_tests::entry(&format!("{server}-{nth}"), 10, &accounts);
                        let entries: Vec<_> = (0..50).map(entry).collect();
                        let decided = entries.iter().map(|entry| store_tests::reserve(&store, entry));
                        let decided = futures_util::future::join_all(decided).await;
                        let made = entries.iter().zip(&decided).filter(|(_, decision)| decision.refused.is_none());
                        made.map(|(entry, _)| BudgetStore::settle(&store, entry, store_tests::cost(10))).count()
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(made, 60);
    let late = runtime().block_on(store_tests::reserve(&store(&settings), &store_tests::entry("late", 1, &[b])));
    assert_eq!(late.refused.expect("all is spent").left.picos(), 0);
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn nothing_stays_reserved_for_whoever_stops_waiting() {
    let settings = database("llm_dropped");
    let accounts = [store_tests::account("a", 100)];
    runtime().block_on(async {
        let store = store(&settings);
        for id in 0..20 {
            let entry = store_tests::entry(&id.to_string(), 10, &accounts);
            let waiting = store.reserve(&entry);
            // Dropped before anything is done, and after the thread may have begun.
            if id % 2 == 0 {
                drop(waiting);
            } else {
                let _ = timeout(Duration::from_micros(200 * id), waiting).await.map(|made| {
                    BudgetStore::settle(&store, &entry, Spent::default());
                    made.expect("it works")
                });
            }
        }
        let whole = store_tests::reserve(&store, &store_tests::entry("whole", 100, &accounts)).await;
        assert_eq!(whole.refused, None);
    });
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn calls_come_back_as_they_were_and_never_twice() {
    let settings = database("llm_calls");
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(&settings);
    let tell: crate::ledger::Tell = Arc::new(|text: &str| panic!("{text}"));
    let journal = Journal::start(dir.path(), JOURNAL, store.sink(), tell).expect("a thread");
    let mut rows: Vec<_> = (0..700).map(|id| row(&format!("{id:08}"), id % 2 == 0)).collect();
    for row in rows.iter_mut().filter(|row| row.answer.is_none()) {
        // A ledger in SQLite keeps each request once.
        row.request.hash = format!("hash of {}", row.id);
    }
    for (n, row) in rows.iter_mut().enumerate() {
        row.tags.insert("team \"a\"".to_owned(), format!("{}", n % 3));
        row.conversation = (n % 5 == 0).then(|| "00000009".to_owned());
        row.command = if n % 7 == 0 { "serve" } else { "ask" }.to_owned();
        row.key = Some(format!("key {}", n % 2));
    }
    // No text of PostgreSQL holds this character.
    rows[0].asked = "a\0b".to_owned();
    rows[0].answer.as_mut().expect("an answer").text = "zero \0 zero".to_owned();
    for row in rows.iter().chain(&rows[..10]) {
        journal.add(row.clone());
    }
    journal.close(std::time::Duration::from_secs(120));
    let (all, calls) = (Filter::default(), RemoteCalls::new(Arc::new(store.clone())));
    let find = |filter: &Filter| crate::ledger::find(&calls, filter, None).expect("readable");
    let mut found = find(&all);
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found.len(), 700);
    for (found, row) in found.iter().zip(&rows) {
        assert_eq!(found, row);
    }
    // More than the database sends at a time, and fewer.
    for stop in [5, 64, 65, 200] {
        let (mut limited, mut stopped) = (Vec::new(), Vec::new());
        let mut keep = |row: Row| {
            limited.push(row.id);
            true
        };
        calls.each(&all, Some(stop), &mut keep).expect("readable");
        let mut stop_there = |row: Row| {
            stopped.push(row.id);
            stopped.len() < stop
        };
        calls.each(&all, None, &mut stop_there).expect("readable");
        assert_eq!((limited.len(), &limited), (stop, &stopped));
    }
    let other = Filter { model: Some("no such".into()), ..Filter::default() };
    assert_eq!((find(&other).len(), calls.count(&other).expect("readable")), (0, 0));
    assert_eq!(calls.count(&all).expect("readable"), 700);
    let usage = calls.usage(&all, &[], |_| None).expect("readable");
    assert_eq!(usage.total.calls, 700);
    let Alike::Calls(alike) = calls.like("00000007").expect("readable") else { panic!("it is no run") };
    assert_eq!(alike, [rows[7].clone()]);
    let run = rows[0].run.clone();
    let Alike::Run(of_run) = calls.like(&run).expect("readable") else { panic!("it is the id of a run") };
    assert_eq!(of_run.len(), rows.iter().filter(|row| row.run == run).count());
    // What the columns do not tell.
    let tagged = |name: &str, value: Option<&str>| {
        let tags = vec![(name.to_owned(), value.map(str::to_owned))];
        find(&Filter { tags, ..Filter::default() }).len()
    };
    assert_eq!((tagged("team \"a\"", None), tagged("team \"a\"", Some("1"))), (700, 233));
    assert_eq!((tagged("team \"a\"", Some("3")), tagged("asked", None)), (0, 0));
    let conversation = Filter { conversation: Some("00000009".into()), ..Filter::default() };
    assert_eq!((find(&conversation).len(), calls.count(&conversation).expect("readable")), (141, 141));
    let with_key = |or_served| {
        let filter = Filter { key: Some("key 1".into()), or_served, ..Filter::default() };
        calls.usage(&filter, &[], |_| None).expect("readable").total.calls
    };
    assert_eq!([with_key(false), with_key(true)], [350, 400], "every fourteenth has another key, and is of a server");
    let said = Filter { search: Some("zero".into()), ..Filter::default() };
    assert_eq!(find(&said).iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["00000000"]);
    assert_eq!(store.purge(None).expect("deleted"), 700);
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn a_call_that_the_database_refuses_holds_up_no_other() {
    let settings = database("llm_refused");
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(&settings);
    let told = Arc::<Mutex<Vec<String>>>::default();
    let hear = Arc::clone(&told);
    let tell: crate::ledger::Tell = Arc::new(move |text: &str| hear.lock().expect("no panic").push(text.to_owned()));
    let journal = Journal::start(dir.path(), JOURNAL, store.sink(), tell).expect("a thread");
    // A text without repetitions, which the database cannot shorten.
    let name = |length: usize| {
        let hashes = (0..length.div_ceil(32)).flat_map(|n| crate::store::SecretHash::of(&n.to_string()).0);
        hashes.map(|byte| char::from(b'a' + byte % 26)).take(length).collect::<String>()
    };
    let long = Row { model: name(10_000), ..row("3", true) };
    // Nobody but `llm` makes the names of runs, so that none is as long as this one.
    let refused = Row { run: name(10_000), ..row("2", true) };
    for row in [row("1", true), refused.clone(), long.clone(), row("4", true)] {
        journal.add(row);
    }
    journal.close(std::time::Duration::from_secs(120));
    let calls = RemoteCalls::new(Arc::new(store.clone()));
    let mut found = crate::ledger::find(&calls, &Filter::default(), None).expect("readable");
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["1", "3", "4"]);
    assert_eq!(found[1], long);
    let aside = std::fs::read_to_string(dir.path().join("refused-shared-calls.jsonl")).expect("a file");
    assert_eq!(serde_json::from_str::<Row>(&aside).expect("a call"), refused);
    assert_eq!(told.lock().expect("no panic").len(), 1);
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn a_database_that_lacks_characters_is_refused() {
    let settings = database_as("llm_latin", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let refused = RemoteLedger::count(&store(&settings), &Filter::default()).expect_err("refused");
    assert!(refused.sentence().contains("its encoding is LATIN1"), "{refused:?}");
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn a_connection_that_others_have_had_meanwhile_is_told_as_that_of_a_pooler() {
    let settings = database("llm_pooled");
    let mut link = Link::new(Address::read(&settings).expect("an address"));
    link.transact(keys::version).expect("prepared");
    link.session().expect("open").client.batch_execute("DEALLOCATE ALL").expect("forgotten");
    let failed = link.transact(keys::version).expect_err("not known any more");
    assert!(failed.sentence().contains("does not exist; is there a pooler"), "{failed:?}");
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn shards_of_one_batch_are_one_job() {
    use crate::ledger::jobs::JobState::{Finished, Running, Stopped};
    use crate::ledger::jobs::{JobProgress, SILENT_MS};
    use crate::ledger::shards::ShardStart;
    let settings = database("llm_shards");
    let store = store(&settings);
    let start = |id: &str, shard: u64| ShardStart {
        id: id.to_owned(),
        fingerprint: "one".to_owned(),
        shard,
        of: 3,
        input: "rows\0.jsonl".to_owned(),
        models: vec!["m".to_owned()],
        via_api: false,
    };
    let done = |ok| JobProgress { total: Some(10), ok, failed: 1, truncated: 2, picos: Some(5), concurrency: 0 };
    let mut shards = store.shards();
    // Three machines begin at once.
    let jobs: Vec<String> = std::thread::scope(|scope| {
        let begin = |shard: u64| {
            let (mut shards, start) = (store.shards(), start(&format!("a{shard}"), shard));
            scope.spawn(move || shards.join(&start, Running, &done(0)).expect("joined").job)
        };
        let threads: Vec<_> = (1..=3).map(begin).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
    assert!(shards.note("a1", Finished, &done(7)).expect("noted"));
    assert!(!shards.note("unknown", Finished, &done(7)).expect("noted"));
    let listed = shards.jobs().expect("readable");
    assert_eq!(
        (listed.len(), listed[0].of, listed[0].begun(), listed[0].input.as_str()),
        (1, 3, 3, "rows\u{fffd}.jsonl")
    );
    assert_eq!(
        listed[0].progress(),
        JobProgress { total: Some(30), ok: 7, failed: 3, truncated: 6, picos: Some(15), concurrency: 0 }
    );
    assert_eq!(listed[0].state(), (Running, false));
    // The shard goes on: it is the same one, whatever has changed since.
    let on = shards.join(&ShardStart { fingerprint: "two".to_owned(), ..start("a1", 1) }, Running, &done(8));
    assert_eq!(on.expect("joined").job, jobs[0]);
    // One that stopped is begun anew by another machine, and one that runs is another batch.
    shards.note("a2", Stopped, &done(1)).expect("noted");
    assert_eq!(shards.join(&start("b2", 2), Running, &done(0)).expect("joined").job, jobs[0]);
    let another = shards.join(&start("b3", 3), Running, &done(0)).expect("joined").job;
    assert_ne!(another, jobs[0]);
    // From now on, shards belong to the later job.
    assert_eq!(shards.join(&start("c1", 1), Running, &done(0)).expect("joined").job, another);
    let listed = shards.jobs().expect("readable");
    assert_eq!(listed.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), [another.as_str(), jobs[0].as_str()]);
    let seen = |shard: &crate::ledger::shards::Shard| (shard.id.clone(), shard.is_replaced, shard.state);
    assert_eq!(
        listed[1].shards.iter().map(seen).collect::<Vec<_>>(),
        [
            ("a1".to_owned(), false, Running),
            ("a2".to_owned(), true, Stopped),
            ("b2".to_owned(), false, Running),
            ("a3".to_owned(), false, Running),
        ]
    );
    // One that says nothing any more.
    let mut client = postgres::Client::connect(settings.url.expose_secret(), postgres::NoTls).expect("a server");
    client.execute("UPDATE llm.batch_shards SET seen_ms = seen_ms - $1", &[&SILENT_MS]).expect("changed");
    assert!(shards.jobs().expect("readable").iter().all(|job| job.state() == (Running, true)));
    store.purge(Some(1)).expect("deleted");
    assert_eq!(shards.jobs().expect("readable").len(), 2);
    store.purge(None).expect("deleted");
    assert_eq!(shards.jobs().expect("readable").len(), 0);
}

#[test]
#[ignore = "needs a PostgreSQL"]
fn a_database_of_the_version_before_is_changed_so_that_it_can_still_use_it() {
    let settings = database("llm_versions");
    let mut client = postgres::Client::connect(settings.url.expose_secret(), postgres::NoTls).expect("a server");
    let begin = "CREATE SCHEMA llm; SET search_path = llm; CREATE TABLE schema_version (version int4 PRIMARY KEY)";
    client.batch_execute(begin).expect("made");
    client.batch_execute(include_str!("schema-1.sql")).expect("made");
    client.batch_execute("INSERT INTO schema_version VALUES (1)").expect("made");
    assert_eq!(store(&settings).shards().jobs().expect("readable").len(), 0);
    // Version 1 refuses what is above this.
    let version: i32 = client.query_one("SELECT max(version) FROM schema_version", &[]).expect("one").get(0);
    assert_eq!(version, 1);
    // What a later version only adds is no obstacle, and anything else is.
    client.batch_execute("INSERT INTO schema_additions VALUES (1000)").expect("changed");
    store(&settings).shards().jobs().expect("readable");
    client.batch_execute("INSERT INTO schema_version VALUES (1001)").expect("changed");
    let error = store(&settings).shards().jobs().expect_err("unknown");
    assert!(error.sentence().contains("version 1001"), "{}", error.sentence());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_waited_for_in_full_only_once() {
    // Connections are taken, and nothing is said on them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://me@{}/db", silent.local_addr().expect("an address"));
    let store = store(&at(&url));
    let began = tokio::time::Instant::now();
    for (asked, seconds) in [("first", 10), ("second", 11), ("third", 12)] {
        store.version().await.expect_err(asked);
        assert_eq!(began.elapsed().as_secs(), seconds, "{asked}");
    }
    // Whether a slow store works again is found out by whoever can wait.
    store.beat().await.expect_err("it says nothing");
    assert_eq!(began.elapsed().as_secs(), 22);
}

#[test]
fn an_address_that_cannot_be_read_is_named_by_its_place() {
    for url in [
        "mysql://h/s3cret",
        "postgres://h:99999/d",
        "postgres://h/d?sslmode=s3cret",
        "postgres://h/d?s3cret=1",
        "postgres://me:s3cret@",
        "postgres://h/d?sslmode=verify-ca",
        "postgres://h/d?sslkey=s3cret",
        "",
    ] {
        let error = PostgresStore::check(&at(url)).expect_err(url);
        assert!(error.to_string().starts_with("c.toml:2: ") && error.exit_code() == 3, "{url}: {error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        assert_eq!(PostgresStore::new(&at(url)).expect_err(url).to_string(), error.to_string());
    }
    // A file of certificates may be on the server alone.
    PostgresStore::check(&at("postgres://h/d?sslrootcert=none.pem")).expect("an address");
}

#[test]
fn no_error_and_no_debug_output_holds_the_password() {
    for url in [
        "postgres://me:s3cret@localhost:1/db",
        "postgres://me:s3cret@[::/db",
        "postgres://me:s3cret@/db?x=s3cret",
        // Passwords with characters that have a meaning in an address.
        "postgres://me:a@s3cret@localhost:1/db",
        "postgres://me:@s3cret@localhost:1/db",
        "postgres://me:a@b,s3cret@localhost:1/db",
        "postgres://me:5/s3cret@localhost:1/db",
        "postgres://me:a@b/s3cret@localhost:1/db",
        "postgres://me:a@b?s3cret=1@localhost:1/db",
        "postgres://me:5#s3cret@localhost:1/db",
    ] {
        let settings = at(url);
        let shown = match PostgresStore::new(&settings) {
            Ok(store) => {
                let error = store.purge(None).expect_err("nobody listens");
                format!("{store:?} {error:?} {}", error.sentence())
            }
            Err(error) => format!("{error:?} {error}"),
        };
        assert!(!shown.contains("s3cret") && !format!("{settings:?}").contains("s3cret"), "{shown}");
    }
}
