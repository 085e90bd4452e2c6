use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::adapter::Api;
use crate::config::{Auth, BaseUrl, KeySource, Timeouts};
use crate::gateway::Fetched;

/// A gateway that answers from a table and remembers what it was asked.
#[derive(Default)]
struct Canned {
    documents: BTreeMap<String, Result<Fetched, Failure>>,
    asked: Mutex<Vec<(String, Option<String>)>>,
}

impl Canned {
    fn with(mut self, path: &str, document: Result<&str, FailureKind>) -> Self {
        let document = document
            .map(|body| Fetched { status: 200, body: body.into(), etag: Some("\"v1\"".into()) })
            .map_err(|kind| Failure::new(kind, "no"));
        self.documents.insert(format!("https://host/{path}"), document);
        self
    }

    fn unchanged() -> Self {
        let mut canned = Self::default();
        let document = Fetched { status: 304, body: Vec::new(), etag: None };
        canned.documents.insert("https://host/v1/models".into(), Ok(document));
        canned
    }

    fn asked(&self) -> Vec<(String, Option<String>)> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Fetch for Canned {
    async fn get(&self, url: &str, etag: Option<&str>) -> Result<Fetched, Failure> {
        self.asked.lock().expect("not poisoned").push((url.to_owned(), etag.map(str::to_owned)));
        let not_found = || Err(Failure::new(FailureKind::NotFound, format!("nothing at {url}")));
        self.documents.get(url).cloned().unwrap_or_else(not_found)
    }
}

fn gateway(price_list: PriceList) -> Gateway {
    Gateway {
        name: "corp".into(),
        base_url: BaseUrl::parse("https://host/v1", false).expect("good"),
        api: Api::OpenaiChat,
        model_api: std::collections::BTreeMap::new(),
        auth: Auth::Optional,
        key: KeySource::default(),
        headers: BTreeMap::new(),
        ca_file: None,
        timeouts: Timeouts::default(),
        rate: Default::default(),
        markup: None,
        models: Vec::new(),
        price_list,
        price_provider: None,
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

fn ids(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.models.iter().map(|model| model.id.as_str()).collect()
}

const ONE: &str = r#"{"data":[{"id":"one","pricing":{"prompt":"1e-6","completion":"2e-6"}}]}"#;
const TWO: &str = r#"{"data":[{"id":"two"}]}"#;
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_list_is_kept_for_a_day() {
    let dir = tempfile::tempdir().expect("a directory");
    let (corp, dir) = (gateway(PriceList::Models), Some(dir.path()));
    let one = Canned::default().with("v1/models", Ok(ONE));
    let first = load(&corp, &one, dir, false, now()).await.expect("a list");
    assert_eq!((ids(&first), first.source, first.fetched_at), (vec!["one"], Source::Gateway, now()));

    let two = Canned::default().with("v1/models", Ok(TWO));
    let kept = load(&corp, &two, dir, false, now() + 23 * HOUR).await.expect("a list");
    assert_eq!((&kept.models, kept.source, kept.fetched_at), (&first.models, Source::Cache, now()));
    assert!(two.asked().is_empty());

    let refreshed = load(&corp, &two, dir, true, now() + 23 * HOUR).await.expect("a list");
    assert_eq!((ids(&refreshed), refreshed.source), (vec!["two"], Source::Gateway));
    assert_eq!(two.asked(), [("https://host/v1/models".into(), Some("\"v1\"".into()))]);

    let old = load(&corp, &one, dir, false, now() + 48 * HOUR).await.expect("a list");
    assert_eq!(ids(&old), ["one"]);
    let from_the_future = load(&corp, &two, dir, false, now()).await.expect("a list");
    assert_eq!(ids(&from_the_future), ["two"], "a list of another clock is not young");
}

#[tokio::test]
async fn geminis_list_is_where_its_version_is() {
    let base_url = BaseUrl::parse("https://host", false).expect("good");
    let corp = Gateway { base_url, api: Api::Gemini, ..gateway(PriceList::Models) };
    for (place, asked) in [("v1beta/models", 1), ("v1/models", 2), ("models", 3)] {
        let canned = Canned::default().with(place, Ok(ONE));
        let models = load(&corp, &canned, None, false, now()).await.expect("a list");
        assert_eq!((ids(&models), canned.asked().len()), (vec!["one"], asked), "{place}");
    }
    let error = load(&corp, &Canned::default(), None, false, now()).await.expect_err("nowhere");
    assert_eq!(error.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (corp, dir) = (gateway(PriceList::Models), Some(dir.path()));
    load(&corp, &Canned::default().with("v1/models", Ok(ONE)), dir, false, now()).await.expect("a list");
    let later = now() + 48 * HOUR;
    let list = load(&corp, &Canned::unchanged(), dir, false, later).await.expect("a list");
    assert_eq!((ids(&list), list.source, list.fetched_at), (vec!["one"], Source::Gateway, later));
    let none = Canned::unchanged();
    assert_eq!(load(&corp, &none, dir, false, later + HOUR).await.expect("a list").source, Source::Cache);
    let error = load(&corp, &none, None, false, now()).await.expect_err("nothing to fall back on");
    assert_eq!(error.kind, FailureKind::Protocol);
}

#[tokio::test]
async fn an_old_list_is_better_than_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let (corp, dir) = (gateway(PriceList::Models), Some(dir.path()));
    let down = Canned::default().with("v1/models", Err(FailureKind::Network));
    assert_eq!(load(&corp, &down, dir, false, now()).await.expect_err("down").kind, FailureKind::Network);
    load(&corp, &Canned::default().with("v1/models", Ok(ONE)), dir, false, now()).await.expect("a list");
    let stale = load(&corp, &down, dir, false, now() + 48 * HOUR).await.expect("a list");
    assert_eq!((ids(&stale), stale.source, stale.fetched_at), (vec!["one"], Source::StaleCache, now()));
    assert_eq!(stale.notes, ["the list of models could not be fetched again: no"]);
    let error = load(&corp, &down, dir, true, now() + 48 * HOUR).await.expect_err("a new one was asked for");
    assert_eq!(error.kind, FailureKind::Network);
}

#[tokio::test]
async fn lists_of_other_gateways_are_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let (corp, dir) = (gateway(PriceList::Models), dir.path());
    let one = Canned::default().with("v1/models", Ok(ONE));
    load(&corp, &one, Some(dir), false, now()).await.expect("a list");
    assert!(cached(&corp, dir, now()).is_some());
    let moved = BaseUrl::parse("https://other/v1", false).expect("good");
    for other in [
        Gateway { name: "../corp".into(), ..corp.clone() },
        Gateway { base_url: moved, ..corp.clone() },
        Gateway { price_list: PriceList::LiteLlm, ..corp.clone() },
    ] {
        assert_eq!(cached(&other, dir, now()), None);
    }
    let odd = Gateway { name: "../co rp".into(), ..corp };
    load(&odd, &one, Some(dir), false, now()).await.expect("a list");
    assert!(cached(&odd, dir, now()).is_some());
    assert_eq!(std::fs::read_dir(dir).expect("listed").count(), 1, "its name leads nowhere else");
}

#[tokio::test]
async fn prices_hold_for_a_month() {
    let dir = tempfile::tempdir().expect("a directory");
    let (corp, dir) = (gateway(PriceList::Models), dir.path());
    load(&corp, &Canned::default().with("v1/models", Ok(ONE)), Some(dir), false, now()).await.expect("a list");
    let list = cached(&corp, dir, now() + 29 * 24 * HOUR).expect("a list");
    assert_eq!(list.source, Source::StaleCache);
    assert_eq!(list.prices().map(|(model, _)| model).collect::<Vec<_>>(), ["one"]);
    assert_eq!(cached(&corp, dir, now() + 31 * 24 * HOUR), None);
    std::fs::write(path(dir, &corp), b"{\"layout\":1,").expect("written");
    assert_eq!(cached(&corp, dir, now()), None, "a broken file is as good as none");
}

#[tokio::test]
async fn all_pages_are_fetched() {
    let page = |id: &str, more: bool| format!(r#"{{"data":[{{"id":"{id}"}}],"has_more":{more},"last_id":"{id}"}}"#);
    let canned = Canned::default()
        .with("v1/models", Ok(&page("a", true)))
        .with("v1/models?limit=1000&after_id=a", Ok(&page("b", true)))
        .with("v1/models?limit=1000&after_id=b", Ok(&page("c", false)));
    let list = load(&gateway(PriceList::Models), &canned, None, false, now()).await.expect("a list");
    assert_eq!((ids(&list), list.notes.len()), (vec!["a", "b", "c"], 0));

    let endless = Canned::default()
        .with("v1/models", Ok(&page("a", true)))
        .with("v1/models?limit=1000&after_id=a", Ok(&page("a", true)));
    let list = load(&gateway(PriceList::Models), &endless, None, false, now()).await.expect("a list");
    assert_eq!(ids(&list), ["a"]);
    assert_eq!(list.notes, ["the gateway's list of models has no end; what follows was not fetched"]);
}

#[tokio::test]
async fn a_list_with_more_models_than_any_is_cut_and_says_so() {
    let page = |first: usize, count: usize, more: bool| {
        let rows: Vec<String> = (first..first + count).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        format!(r#"{{"data":[{}],"has_more":{more},"last_id":"l"}}"#, rows.join(","))
    };
    let note = "the gateway's list has more than 20000 models; what follows was left out";
    for (first, more) in [(20_001, false), (19_999, true)] {
        let canned = Canned::default()
            .with("v1/models", Ok(&page(0, first, more)))
            .with("v1/models?limit=1000&after_id=l", Ok(&page(first, 2, true)));
        let list = load(&gateway(PriceList::Models), &canned, None, false, now()).await.expect("a list");
        assert_eq!((list.models.len(), list.notes), (20_000, vec![note.to_owned()]), "{first}");
    }
    let all = Canned::default().with("v1/models", Ok(&page(0, 20_000, false)));
    let list = load(&gateway(PriceList::Models), &all, None, false, now()).await.expect("a list");
    assert_eq!((list.models.len(), list.notes.len()), (20_000, 0));
}

#[tokio::test]
async fn a_list_of_several_documents_is_not_asked_for_by_the_mark_of_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let litellm = gateway(PriceList::LiteLlm);
    let canned = Canned::default().with("v1/models", Ok(TWO)).with("v1/model/info", Ok(r#"{"data":[]}"#));
    load(&litellm, &canned, Some(dir.path()), false, now()).await.expect("a list");
    load(&litellm, &canned, Some(dir.path()), true, now()).await.expect("a list");
    assert!(canned.asked().iter().all(|(_, etag)| etag.is_none()));
}

#[tokio::test]
async fn prices_may_stand_in_a_document_of_their_own() {
    let price =
        |list: &Catalogue| list.models[0].price.as_ref().and_then(|price| price.base.input).map(|rate| rate.picos());
    let info = r#"{"data":[{"model_name":"two","model_info":{"input_cost_per_token":3e-6,"output_cost_per_token":4e-6,"max_input_tokens":8192}},
        {"model_name":"hidden","model_info":{}}]}"#;
    let litellm = Canned::default().with("v1/models", Ok(TWO)).with("v1/model/info", Ok(info));
    let list = load(&gateway(PriceList::LiteLlm), &litellm, None, false, now()).await.expect("a list");
    assert_eq!((ids(&list), price(&list), list.models[0].context), (vec!["two"], Some(3_000_000), Some(8192)));
    assert_eq!(list.models[0].deployments, Some(1));

    let ratios = r#"{"data":[{"model_name":"two","model_ratio":2,"completion_ratio":1}],"group_ratio":{"default":1}}"#;
    let one_api = Canned::default().with("v1/models", Ok(TWO)).with("api/pricing", Ok(ratios));
    let list = load(&gateway(PriceList::OneApi), &one_api, None, false, now()).await.expect("a list");
    assert_eq!(price(&list), Some(4_000_000));
}

#[tokio::test]
async fn a_list_without_its_prices_is_shown_but_not_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let litellm = gateway(PriceList::LiteLlm);
    let canned = Canned::default().with("v1/models", Ok(TWO)).with("v1/model/info", Err(FailureKind::Auth));
    let list = load(&litellm, &canned, Some(dir.path()), false, now()).await.expect("a list");
    assert_eq!(list.notes, ["the gateway's prices could not be fetched: no"]);
    assert_eq!(cached(&litellm, dir.path(), now()), None);
}

#[tokio::test]
async fn what_is_no_list_is_not_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let corp = gateway(PriceList::Models);
    let canned = Canned::default().with("v1/models", Ok("<html>welcome</html>"));
    let error = load(&corp, &canned, Some(dir.path()), false, now()).await.expect_err("no list");
    assert_eq!(error.kind, FailureKind::Protocol);
    assert_eq!(cached(&corp, dir.path(), now()), None);
}
