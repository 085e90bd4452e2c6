//! `llm usage --check`: the ledger against what gateways say was spent.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, KEY, Reply};

/// A gateway that answers prompts for $0.01 each, and says at `path` what was spent.
fn gateway(path: &'static str, says: Value) -> Gateway {
    Gateway::by(move |request| match request.path.as_str() {
        "/v1/chat/completions" => {
            let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.01});
            Reply::sse().text("yes").finish("stop").usage_json(&usage).done().end()
        }
        asked if asked == path => Reply::json(200, &says),
        _ => Reply::error(404, "nothing here"),
    })
}

fn home(gateway: &Gateway, more: &str) -> Home {
    let table = format!("[gateway.corp]\nbase_url = \"{}\"\nkey_env = [\"CORP_KEY\"]\n{more}\n", gateway.base_url());
    Home::new().env("CORP_KEY", KEY).config(&format!("default_gateway = \"corp\"\nmodel = \"m\"\n{table}"))
}

/// Period, what the gateway says, what the ledger says, and the difference, of the first account.
fn lines(document: &Value) -> Vec<String> {
    let line = |line: &Value| {
        let parts = [&line["period"], &line["gateway_usd"], &line["ledger"]["usd"], &line["difference_usd"]];
        parts.map(Value::to_string).join(" ").replace('"', "")
    };
    document[0]["periods"].as_array().expect("periods").iter().map(line).collect()
}

#[test]
fn open_router_is_compared_by_day_week_month_and_in_total() {
    let says = json!({"data": {"usage": 1.5, "usage_daily": 0.02, "usage_weekly": 0.02, "usage_monthly": 0.005,
                               "limit": 10, "limit_remaining": 8.5, "byok_usage": 0}});
    let gateway = gateway("/v1/key", says);
    let home = home(&gateway, "price_provider = \"openrouter\"");
    for _ in 0..2 {
        home.llm(["ask", "is it?"]).output().exits(0);
    }
    let outcome = home.llm(["usage", "--check", "-o", "json"]).output();
    outcome.exits(0);
    let document = outcome.json();
    assert_eq!(
        lines(&document),
        ["day 0.02 0.02 0", "week 0.02 0.02 0", "month 0.005 0.02 -0.015", "total 1.5 0.02 1.48"]
    );
    assert_eq!(document[0]["key"], "CORP_KEY");
    assert_eq!((&document[0]["limit_usd"], &document[0]["left_usd"]), (&json!(10), &json!(8.5)));
    let notes = |n: usize| document[0]["periods"][n]["note"].as_str().unwrap_or_default().to_owned();
    assert_eq!(notes(0), "agrees");
    assert!(notes(2).contains("may book late") && notes(3).contains("since the key was made"));
    let last = gateway.requests().pop().expect("asked");
    assert_eq!(last.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let page = home.llm(["usage", "--check"]).output().stdout();
    assert!(page.contains("limit $10.00, $8.50 of it left") && page.contains("this week"), "{page}");
}

#[test]
fn litellm_is_compared_since_its_budget_began_anew() {
    let says = json!({"key": "hash", "info": {"spend": 0.01, "max_budget": null, "budget_duration": "30d",
                                              "budget_reset_at": "2099-01-01T00:00:00Z"}});
    let gateway = gateway("/key/info", says);
    let home = home(&gateway, "price_list = \"litellm\"");
    home.llm(["ask", "is it?"]).output().exits(0);
    let outcome = home.llm(["usage", "--check", "-g", "corp", "-o", "json"]).output();
    outcome.exits(0);
    // The window has not begun, so nothing that was recorded is in it.
    assert_eq!(lines(&outcome.json()), ["total 0.01 0 0.01"]);
    assert_eq!(outcome.json()[0]["periods"][0]["began_at"], "2098-12-02T00:00:00Z");
}

#[test]
fn one_api_is_compared_in_total() {
    let gateway = gateway("/v1/dashboard/billing/usage", json!({"object": "list", "total_usage": 1.0}));
    let home = home(&gateway, "price_list = \"one-api\"");
    home.llm(["ask", "is it?"]).output().exits(0);
    let outcome = home.llm(["usage", "--check", "-o", "csv"]).output();
    outcome.exits(0).prints(
        "gateway,key,period,began_at,gateway_usd,ledger_usd,ledger_unknown,ledger_computed,calls,difference_usd,note\n\
         corp,CORP_KEY,total,,0.01,0.01,0,false,1,0,agrees\n",
    );
}

#[test]
fn a_gateway_without_such_an_endpoint_says_so_and_is_asked_for_nothing() {
    let gateway = gateway("/none", json!({}));
    let home = home(&gateway, "");
    let outcome = home.llm(["usage", "--check"]).output();
    outcome.exits(0);
    assert!(outcome.stdout().contains("does not say what was spent"), "{}", outcome.stdout());
    assert!(gateway.requests().is_empty());
}

#[test]
fn only_what_was_paid_with_the_same_key_is_compared() {
    let gateway = gateway("/v1/key", json!({"data": {"usage_daily": 0.01}}));
    let home = home(&gateway, "price_provider = \"openrouter\"");
    home.llm(["key", "set", "corp", "--name", "other", "--store", "file"])
        .stdin(format!("{KEY}-other"))
        .output()
        .exits(0);
    home.llm(["ask", "is it?"]).output().exits(0);
    for _ in 0..2 {
        home.llm(["ask", "--key", "other", "is it?"]).output().exits(0);
    }
    let document = home.llm(["usage", "--check", "-o", "json"]).output().json();
    let sums = |n: usize| (document[n]["key"].clone(), document[n]["periods"][0]["ledger"]["usd"].clone());
    assert_eq!([sums(0), sums(1)], [(json!("CORP_KEY"), json!(0.01)), (json!("other"), json!(0.02))]);
    let one = home.llm(["usage", "--check", "--key", "other", "-o", "json"]).output().json();
    assert_eq!(one.as_array().map(Vec::len), Some(1), "{one}");
}

#[test]
fn a_gateway_that_fails_hides_no_other() {
    let good = gateway("/v1/key", json!({"data": {"usage_daily": 0}}));
    let bad = Gateway::always(Reply::error(500, "No connected db."));
    let more = format!(
        "price_provider = \"openrouter\"\n\
         [gateway.proxy]\nbase_url = \"{}\"\nkey_env = [\"PROXY_KEY\"]\nprice_list = \"litellm\"",
        bad.base_url()
    );
    let home = home(&good, &more).env("PROXY_KEY", KEY);
    let outcome = home.llm(["usage", "--check"]).output();
    outcome.exits(8);
    assert!(
        outcome.stdout().contains("No connected db.") && outcome.stdout().contains("agrees"),
        "{}",
        outcome.stdout()
    );
    home.llm(["usage", "--check", "-g", "proxy"]).output().exits(1).prints("").says("has a database");
}

#[test]
fn where_every_gateway_fails_each_has_its_line() {
    let failing = |status, message| Gateway::always(Reply::error(status, message));
    let (first, second) = (failing(401, "bad key"), failing(500, "out of order"));
    let home = |second: &Gateway| {
        let more = format!(
            "price_provider = \"openrouter\"\n\
             [gateway.other]\nbase_url = \"{}\"\nkey_env = [\"OTHER_KEY\"]\nprice_provider = \"openrouter\"",
            second.base_url()
        );
        home(&first, &more).env("OTHER_KEY", KEY)
    };
    let several = home(&second);
    let outcome = several.llm(["usage", "--check"]).output();
    let page = outcome.exits(1).says("hint: the gateway refused the key").stdout();
    for (gateway, message) in [("corp", "bad key"), ("other", "out of order")] {
        let has_both = |line: &str| line.contains(gateway) && line.contains(message);
        assert!(page.lines().any(has_both), "{page}");
    }
    let rows = several.llm(["usage", "--check", "-o", "json"]).output().exits(1).json();
    assert_eq!((&rows[0]["gateway"], &rows[0]["error"]), (&json!("corp"), &json!("bad key")));
    assert_eq!((&rows[1]["gateway"], &rows[1]["error"]), (&json!("other"), &json!("out of order")));
    // What they have in common is the exit code.
    home(&failing(403, "not you")).llm(["usage", "--check", "-o", "csv"]).output().exits(4);
    // A third one that tells no amounts is not asked for any.
    let silent = format!("\n[gateway.silent]\nbase_url = \"{}\"\nkey_env = [\"OTHER_KEY\"]\n", second.base_url());
    let more = format!("price_provider = \"openrouter\"{silent}");
    self::home(&first, &more).env("OTHER_KEY", KEY).llm(["usage", "--check"]).output().exits(4);
}

#[test]
fn a_refused_key_is_no_missing_database() {
    for (status, body) in [(403, "Forbidden"), (401, "who are you?"), (200, r#"{"message":"Invalid API key"}"#)] {
        let gateway = Gateway::always(Reply::with_body(status, "application/json", body));
        let outcome = home(&gateway, "price_list = \"litellm\"").llm(["usage", "--check"]).output();
        outcome.exits(4).says("hint: the").says("key").never_says("database");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let home = Home::new();
    home.llm(["usage", "--check", "--by", "model"]).output().exits(2);
    home.llm(["usage", "--check", "-o", "html"]).output().exits(2).says("it can be text, json or csv");
    home.llm(["usage", "--check"]).output().exits(3).says("no gateway is set up yet");
    home.llm(["usage", "--check", "-g", "openrouter"]).output().exits(4);
}

#[cfg(feature = "postgres")]
#[test]
fn with_a_store_the_calls_of_all_machines_are_compared_and_never_those_of_this_one_alone() {
    let gateway = gateway("/v1/key", json!({"data": {"usage_daily": 0.01}}));
    let home = home(&gateway, "price_provider = \"openrouter\"");
    home.llm(["ask", "is it?"]).output().exits(0);
    home.llm(["usage", "--check"]).output().exits(0);
    // Nobody listens there.
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[store]\nurl = \"postgres://u:p@127.0.0.1:1/x\"\n");
    home.llm(["usage", "--check"]).output().exits(7).prints("").says("127.0.0.1");
}
