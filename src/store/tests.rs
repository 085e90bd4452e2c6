//! What every store must do.

use std::collections::BTreeMap;

use super::*;
use crate::config::KeyRules;
use crate::ledger::LedgerWriter;

pub(crate) fn entry(action: &'static str, key: &str) -> Entry {
    Entry { actor: "tester".into(), action, key: key.into(), detail: "{}".into() }
}

pub(crate) fn key(name: &str) -> ScopedKey {
    let rules = KeyRules { tags: BTreeMap::from([("team".into(), "search".into())]), ..KeyRules::default() };
    ScopedKey::new(name, &Secret::random().expect("random numbers"), Some(i64::MAX), rules)
}

/// What every store of keys must do.
pub(crate) async fn keys(store: &(impl KeyStore + AuditLog)) {
    assert_eq!(store.version().await.expect("it works"), 0);
    assert_eq!(store.keys().await.expect("it works"), []);
    let (bot, app) = (key("bot"), key("app"));
    assert!(store.add(bot.clone(), entry("new", "bot")).await.expect("it works"));
    assert!(store.add(app.clone(), entry("new", "app")).await.expect("it works"));
    assert!(!store.add(key("bot"), entry("new", "bot")).await.expect("it works"), "the name is taken");
    assert_eq!(store.keys().await.expect("it works"), [app.clone(), bot.clone()]);
    let before = store.version().await.expect("it works");

    let other = Secret::random().expect("random numbers");
    let (hash, last_four) = (other.hash(), other.last_four());
    let rotate = move |key: &mut ScopedKey| {
        key.previous = Some((key.hash, 99));
        (key.hash, key.last_four) = (hash, last_four);
    };
    let rotated =
        store.change(Box::new(rotate), entry("rotate", "bot")).await.expect("it works").expect("there is one");
    assert_eq!((rotated.hash, rotated.previous), (hash, Some((bot.hash, 99))));
    assert_eq!(store.keys().await.expect("it works"), [app, rotated]);
    assert_ne!(store.version().await.expect("it works"), before);
    assert_eq!(store.change(Box::new(|_| ()), entry("revoke", "nobody")).await.expect("it works"), None);

    let log = store.entries(10).await.expect("it works");
    let told: Vec<_> = log.iter().map(|entry| (&*entry.actor, &*entry.action, &*entry.key)).collect();
    assert_eq!(told, [("tester", "rotate", "bot"), ("tester", "new", "app"), ("tester", "new", "bot")]);
    assert_eq!(store.entries(1).await.expect("it works").len(), 1);
}

pub(crate) fn demand(id: &str, key: &str) -> Demand {
    Demand { id: id.into(), key: key.into(), requests: None, tokens: None, in_flight: None }
}

pub(crate) async fn refusal(store: &impl RateStore, demand: Demand) -> Option<Limit> {
    store.admit(demand).await.expect("it works").refused.map(|(limit, _)| limit)
}

/// What every store of rates must do.
pub(crate) async fn rates(store: &impl RateStore) {
    let of_requests = |id| Demand { requests: Some(2), ..demand(id, "requests") };
    let first = store.admit(of_requests("r1")).await.expect("it works");
    let level = first.requests.expect("a limit");
    assert_eq!((first.refused, level.limit, level.remaining), (None, 2, 1));
    assert_eq!(refusal(store, of_requests("r2")).await, None);
    let third = store.admit(of_requests("r3")).await.expect("it works");
    let (limit, wait) = third.refused.expect("two a minute");
    assert_eq!(limit, Limit::Requests);
    assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(30), "{wait:?}");
    assert_eq!(refusal(store, Demand { requests: Some(2), ..demand("r4", "another key") }).await, None);

    // What is used beyond the estimate is taken as well, and what is not used is given back.
    let of_tokens = |id, estimate| Demand { tokens: Some((100, estimate)), ..demand(id, "tokens") };
    let first = of_tokens("t1", 60);
    assert_eq!(refusal(store, first.clone()).await, None);
    assert_eq!(refusal(store, of_tokens("t2", 60)).await, Some(Limit::Tokens));
    store.settle(&first, Some(10));
    let second = of_tokens("t3", 60);
    assert_eq!(refusal(store, second.clone()).await, None);
    store.settle(&second, Some(300));
    assert_eq!(refusal(store, of_tokens("t4", 1)).await, Some(Limit::Tokens));
    let whole = Demand { tokens: Some((100, 5_000)), ..demand("t5", "large requests") };
    assert_eq!(refusal(store, whole).await, None, "a request that needs more than a minute's worth gets a full bucket");

    let at_once = |id| Demand { in_flight: Some(1), requests: Some(9), ..demand(id, "at once") };
    assert_eq!(refusal(store, at_once("f1")).await, None);
    let second = store.admit(at_once("f2")).await.expect("it works");
    assert_eq!(second.refused.map(|(limit, _)| limit), Some(Limit::InFlight));
    assert_eq!(second.requests.expect("a limit").remaining, 8, "a request that is refused takes nothing");
    store.settle(&at_once("f1"), None);
    assert_eq!(refusal(store, at_once("f3")).await, None);
    store.beat().await.expect("it works");
    assert_eq!(refusal(store, at_once("f4")).await, Some(Limit::InFlight), "its server lives");
}

#[tokio::test]
async fn the_store_in_the_ledger_keeps_its_promises() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::new(dir.path(), LedgerWriter::new(dir.path()));
    keys(&store).await;
    rates(&store).await;
}

#[tokio::test]
async fn the_rates_in_memory_keep_their_promises() {
    rates(&MemoryRates::default()).await;
}

/// What every store must do that servers share; each of these is a server, and `later` one that is started afterwards.
pub(crate) async fn shared<S: KeyStore + RateStore>(servers: [S; 3], later: impl FnOnce() -> S) {
    let mut admitted = 0;
    for id in 0..12 {
        let demand = Demand { requests: Some(5), in_flight: Some(4), ..demand(&id.to_string(), "shared") };
        admitted += usize::from(refusal(&servers[id % 3], demand).await.is_none());
    }
    assert_eq!(admitted, 4);
    // They survive a restart.
    let restarted = later();
    let after = Demand { requests: Some(5), ..demand("later", "shared") };
    assert_eq!(refusal(&restarted, after.clone()).await, None);
    assert_eq!(refusal(&restarted, Demand { id: "last".into(), ..after }).await, Some(Limit::Requests));
    // A change by one of them is seen by all.
    let before = servers[1].keys().await.expect("it works").len();
    servers[0].add(key("shared"), entry("new", "shared")).await.expect("it works");
    assert_eq!(servers[1].keys().await.expect("it works").len(), before + 1);
}

#[tokio::test]
async fn servers_that_share_a_file_share_its_limits() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = || SqliteStore::new(dir.path(), LedgerWriter::new(dir.path()));
    shared([store(), store(), store()], store).await;
}

#[tokio::test]
async fn what_ran_on_a_server_that_is_gone_does_not_count_for_ever() {
    let dir = tempfile::tempdir().expect("a directory");
    let at_once = |id: &str| Demand { in_flight: Some(1), ..demand(id, "bot") };
    let gone = SqliteStore::new(dir.path(), LedgerWriter::new(dir.path()));
    assert_eq!(refusal(&gone, at_once("1")).await, None);
    let store = SqliteStore::new(dir.path(), LedgerWriter::new(dir.path()));
    assert_eq!(refusal(&store, at_once("2")).await, Some(Limit::InFlight));
    let writer = LedgerWriter::new(dir.path());
    let age = |transaction: &rusqlite::Transaction<'_>| transaction.execute("UPDATE servers SET seen = seen - 31", []);
    writer.transact(age).await.expect("it works");
    assert_eq!(refusal(&store, at_once("3")).await, None);
    store.beat().await.expect("it works");
    let count = |transaction: &rusqlite::Transaction<'_>| {
        transaction.query_row("SELECT count(*) FROM key_requests", [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(writer.transact(count).await.expect("it works"), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_locks_no_key_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, writer) = (SqliteStore::new(dir.path(), LedgerWriter::new(dir.path())), LedgerWriter::new(dir.path()));
    let later = async |seconds: i64| {
        let shift = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute("UPDATE key_rates SET at = at - ?1", [seconds])?;
            transaction.execute("UPDATE servers SET seen = seen - ?1", [seconds])
        };
        writer.transact(shift).await.expect("it works");
    };
    let limited =
        |id: &str| Demand { requests: Some(1), tokens: Some((60, 60)), in_flight: Some(1), ..demand(id, "bot") };
    assert_eq!(refusal(&store, limited("1")).await, None);
    store.settle(&limited("1"), None);
    assert_eq!(refusal(&store, limited("2")).await, Some(Limit::Requests));
    later(-3_600).await;
    assert_eq!(refusal(&store, limited("3")).await, Some(Limit::Requests), "what was used stays used");
    later(61).await;
    assert_eq!(refusal(&store, limited("4")).await, None);
    // What a server ran that is gone does not count until its time comes.
    later(-3_600).await;
    let other = SqliteStore::new(dir.path(), LedgerWriter::new(dir.path()));
    assert_eq!(refusal(&other, Demand { in_flight: Some(1), ..demand("5", "bot") }).await, None);
    other.beat().await.expect("it works");
    let servers = |transaction: &rusqlite::Transaction<'_>| {
        transaction.query_row("SELECT count(*) FROM servers", [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(writer.transact(servers).await.expect("it works"), 1);
}

#[test]
fn nothing_shows_a_secret_or_its_hash() {
    let secret = Secret::random().expect("random numbers");
    let key = ScopedKey::new("bot", &secret, None, KeyRules::default());
    assert!(secret.expose().starts_with("lk-") && secret.expose().len() == 46);
    let hex: String = key.hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = format!("{key:?} {secret:?}");
    assert!(!shown.contains(secret.expose()) && !shown.contains(&hex) && !shown.contains(&format!("{:?}", key.hash.0)));
    assert!(key.hash == SecretHash::of(secret.expose()) && key.hash != SecretHash::of("lk-other"));
    assert!(secret.expose().ends_with(&key.last_four));
}
