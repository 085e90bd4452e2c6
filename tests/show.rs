//! `llm models show`: one model at every gateway that has it, against its maker's own price.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, KEY, Reply};

fn acme() -> Gateway {
    Gateway::always(Reply::json(
        200,
        &json!({"data": [
            {"id": "acme/large", "architecture": {"input_modalities": ["text", "image"]},
             "pricing": {"prompt": "0.000003", "completion": "0.000015", "internal_reasoning": "0.00002"},
             "supported_parameters": ["tools", "seed"]},
        ]}),
    ))
}

/// Two gateways that sell the same model under different names and prices, one of which adds a markup.
fn two() -> (Gateway, Gateway, Home) {
    let router = Gateway::always(Reply::json(
        200,
        &json!({"data": [
            {"id": "anthropic/claude-sonnet-4.5", "name": "Anthropic: Claude Sonnet 4.5", "context_length": 1_000_000,
             "pricing": {"prompt": "0.0000033", "completion": "0.000015", "input_cache_read": "3e-7"}},
            {"id": "anthropic/claude-sonnet-4.5:free", "pricing": {"prompt": "0", "completion": "0"}},
            {"id": "anthropic/claude-opus-4.5", "pricing": {"prompt": "0.000005", "completion": "0.000025"}},
        ]}),
    ));
    let corp =
        Gateway::always(Reply::json(200, &json!({"data": [{"id": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}]})));
    let home = Home::new().env("ROUTER_KEY", KEY).config(&format!(
        "default_gateway = \"router\"\n\
         [gateway.router]\nbase_url = \"{}\"\nkey_env = [\"ROUTER_KEY\"]\nprice_provider = \"openrouter\"\n\
         [gateway.corp]\nbase_url = \"{}\"\nauth = \"none\"\nprice_provider = \"aws\"\nmarkup = 0.1\n",
        router.base_url(),
        corp.base_url()
    ));
    (router, corp, home)
}

/// Gateway, model, origin of the price, markup, and how input and output stand against the list price.
fn rows(document: &Value) -> Vec<String> {
    let row = |row: &Value| {
        let origin = &row["price"]["origin"];
        let against = &row["against_list"];
        format!(
            "{} {} {origin} {} {} {}",
            row["gateway"], row["id"], row["markup"], against["input"], against["output"]
        )
    };
    let rows = document["gateways"].as_array().expect("gateways").iter().map(row);
    rows.map(|row| row.replace('"', "")).collect()
}

#[test]
fn one_model_is_shown_whole() {
    let gateway = acme();
    let home = Home::with(&gateway);
    let outcome = home.llm(["models", "show", "acme/large", "-o", "json"]).output();
    outcome.exits(0);
    let model = outcome.json();
    assert_eq!(model["price"]["output"], json!(15));
    assert_eq!(model["supports"], json!(["tools", "vision"]));
    home.llm(["models", "show", "acme/larg"]).output().exits(1).says("did you mean acme/large?");
}

#[test]
fn what_a_gateway_says_of_parameters_and_thinking_is_shown() {
    let gateway = acme();
    let outcome = Home::with(&gateway).llm(["models", "show", "acme/large"]).output();
    outcome.exits(0);
    let page = outcome.stdout();
    for said in ["parameters      seed tools", "supports        tools vision", "$20.00", "made by         acme"] {
        assert!(page.contains(said), "{said}\n{page}");
    }
}

#[test]
fn one_model_is_found_at_all_gateways_however_they_spell_it() {
    let (_router, _corp, home) = two();
    let outcome = home.llm(["models", "show", "claude-sonnet-4-5", "-o", "json"]).output();
    outcome.exits(0);
    let document = outcome.json();
    assert_eq!(document["maker"], "anthropic");
    assert_eq!(document["list_price"]["output"], json!(15));
    assert_eq!(document["list_price"]["steps"][0]["above_input_tokens"], json!(200_000));
    assert_eq!(
        rows(&document),
        [
            "router anthropic/claude-sonnet-4.5 gateway null 0.1 0.0",
            "router anthropic/claude-sonnet-4.5:free gateway null -1.0 -1.0",
            // Bedrock's own price in that region is 10 % above Anthropic's, and the config puts 10 % on top.
            "corp us.anthropic.claude-sonnet-4-5-20250929-v1:0 table 0.1 0.21 0.21",
        ]
    );
    assert_eq!(document["id"], "anthropic/claude-sonnet-4.5", "what the default gateway says of it comes first");
    let exact = home.llm(["models", "show", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "-o", "json"]).output();
    assert!(rows(&exact.json())[0].starts_with("corp"), "a name that is exactly that comes first");
}

#[test]
fn the_table_says_where_prices_come_from_and_how_they_compare() {
    let (_router, _corp, home) = two();
    let outcome = home.llm(["models", "show", "claude-sonnet-4-5"]).output();
    let lines: Vec<String> =
        outcome.stdout().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "router anthropic/claude-sonnet-4.5 1M $3.30 $15.00 $0.30 – +10 % in, ±0 % out gateway",
        "router anthropic/claude-sonnet-4.5:free – $0.00 $0.00 – – −100 % gateway",
        "list price anthropic – $3.00 $15.00 $0.30 $3.75 table",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}\n{}", outcome.stdout());
    }
}

#[test]
fn a_price_of_the_config_wins_and_says_so() {
    let (router, _corp, home) = two();
    let config = format!(
        "[gateway.router]\nbase_url = \"{}\"\nkey_env = [\"ROUTER_KEY\"]\nmarkup = 0.5\n\
         [price.\"anthropic/claude-sonnet-4.5\"]\ninput = 6\noutput = 15\nreasoning = 20\n",
        router.base_url()
    );
    let home = home.config(&config);
    let document = home.llm(["models", "show", "claude-sonnet-4-5", "-o", "json"]).output().json();
    assert_eq!(
        rows(&document),
        [
            "router anthropic/claude-sonnet-4.5 config null 1.0 0.0",
            "router anthropic/claude-sonnet-4.5:free gateway 0.5 -1.0 -1.0"
        ]
    );
    assert_eq!(document["price"]["reasoning"], json!(20));
}

#[test]
fn kept_lists_suffice_without_network() {
    let (router, corp, home) = two();
    home.llm(["models", "show", "claude-sonnet-4-5"]).output().exits(0).says("");
    drop((router, corp));
    let again = home.llm(["models", "show", "claude-sonnet-4-5", "-o", "csv"]).output();
    again.exits(0).says("router, corp: oldest list fetched");
    assert_eq!(again.stdout().lines().count(), 4, "{}", again.stdout());
    let fresh = home.llm(["models", "show", "claude-sonnet-4-5", "--refresh"]).output();
    fresh.exits(0).says("router: the list could not be fetched").says("corp: the list could not be fetched");
}

#[test]
fn one_gateway_alone_is_looked_at_where_it_is_named() {
    let (router, corp, home) = two();
    for arguments in [&["claude-sonnet-4-5", "-g", "corp"][..], &["corp::claude-sonnet-4-5"]] {
        let document = home.llm(["models", "show", "-o", "json"]).args(arguments).output().json();
        assert_eq!(rows(&document).len(), 1, "{document}");
    }
    assert_eq!((router.requests().len(), corp.requests().len()), (0, 1));
    home.llm(["models", "show", "gpt-4o", "-g", "corp"]).output().exits(1).says("corp lists no model gpt-4o");
}

#[cfg(unix)]
#[test]
fn a_mere_look_asks_no_keyring_and_no_command_for_a_key() {
    let (usual, gateway) = (acme(), acme());
    let corp = format!("[gateway.corp]\nbase_url = \"{}\"\nkey_command = [\"touch\", \"asked\"]\n", gateway.base_url());
    let usual =
        format!("default_gateway = \"usual\"\n[gateway.usual]\nbase_url = \"{}\"\nauth = \"none\"\n", usual.base_url());
    let home = Home::new().config(&format!("{usual}{corp}"));
    home.llm(["models", "show", "gpt-4o"]).output().exits(0).says("corp: its list was never fetched");
    assert!(!home.path().join("asked").exists() && gateway.requests().is_empty());
    home.llm(["models", "show", "gpt-4o", "--refresh"]).output().exits(0);
    assert!(home.path().join("asked").exists(), "fresh lists need keys");

    // Several are named together.
    let other = corp.replace("gateway.corp", "gateway.lab");
    let home = Home::new().config(&format!("{usual}{corp}{other}"));
    let outcome = home.llm(["models", "show", "gpt-4o"]).output();
    outcome.exits(0).says("corp, lab: their lists were never fetched");

    // The default gateway's list is fetched as `llm models` fetches it.
    let home = Home::new().config(&corp);
    home.llm(["models", "show", "gpt-4o"]).output().exits(0);
    assert!(home.path().join("asked").exists());
    home.llm(["models", "show", "demo/steady"]).env("LLM_GATEWAY", "demo").output().exits(0);
}

#[test]
fn a_dead_gateway_hides_no_other() {
    let (router, corp, home) = two();
    drop(corp);
    let outcome = home.llm(["models", "show", "claude-sonnet-4-5", "-o", "json"]).output();
    outcome.exits(0).says("corp: the list could not be fetched");
    assert_eq!(rows(&outcome.json()).len(), 2);
    drop(router);
}

#[test]
fn what_holds_for_several_gateways_is_said_once() {
    for (status, kept) in [(404, "no list of models"), (401, "`llm doctor -g GATEWAY`")] {
        let gateway = Gateway::always(Reply::error(status, "not for you"));
        let table =
            |n: i32| format!("[gateway.g{n}]\nbase_url = \"{}\"\nkey_env = [\"CORP_KEY\"]\n", gateway.base_url());
        let tables: String = (0..3).map(table).collect();
        let home = Home::new().config(&format!("default_gateway = \"g1\"\n{tables}")).env("CORP_KEY", KEY);
        let outcome = home.llm(["models", "show", "no-such-model"]).output();
        outcome.says("; the lists of g1, g0, g2 could not be fetched: ").says(kept).never_says("`llm models");
        assert_eq!(outcome.stderr().matches("not for you").count(), 1, "{outcome}");
        // What its maker asks for it is shown.
        let outcome = home.llm(["models", "show", "gpt-4o"]).output();
        outcome.exits(0).says("g1, g0, g2: their lists could not be fetched: ").never_says("`llm models");
        // One list that is not there leads to no list either.
        home.llm(["models", "-g", "g0"]).output().never_says("`llm models");
    }
}

#[test]
fn a_model_that_no_list_has_while_one_could_not_be_fetched_ends_as_that_did() {
    for (status, code) in [(401, 4), (503, 6), (404, 1)] {
        let gateway = Gateway::always(Reply::error(status, "not for you"));
        let other = acme();
        let config = format!(
            "default_gateway = \"usual\"\n[gateway.usual]\nbase_url = \"{}\"\n\
             [gateway.other]\nbase_url = \"{}\"\nauth = \"none\"\n",
            gateway.base_url(),
            other.base_url()
        );
        let home = Home::new().config(&config).env("LLM_API_KEY", "sk-0123456789abcdef");
        let outcome = home.llm(["models", "show", "no-such-model"]).output();
        outcome.exits(code).says("has a model no-such-model; the list of usual could not be fetched: ");
        assert_eq!(outcome.stderr().matches("could not be fetched").count(), 1, "{outcome}");
        // What another list has is shown.
        home.llm(["models", "show", "acme/large"]).output().exits(0).says("usual: the list could not be fetched");
    }
    let home = Home::new().config(
        "default_gateway = \"usual\"\n[gateway.usual]\nbase_url = \"http://127.0.0.1:9/v1\"\nkey_command = [\"false\"]\n",
    );
    home.llm(["models", "show", "no-such-model"]).output().exits(4).says("the list of usual could not be fetched: ");
}

#[test]
fn a_model_that_no_gateway_lists_has_its_makers_price_or_is_not_found() {
    let home = Home::new();
    let outcome = home.llm(["models", "show", "claude-sonnet-4-5", "-o", "json"]).output();
    outcome.exits(0).says("this is what its maker asks for it");
    assert_eq!(outcome.json()["list_price"]["input"], json!(3));
    home.llm(["models", "show", "my-own"]).output().exits(3).says("no gateway is set up yet");
    let gateway = acme();
    Home::with(&gateway).llm(["models", "show", "acme/larg"]).output().exits(1).says("did you mean acme/large?");
}

#[test]
fn show_wants_its_flags_behind_it() {
    let home = Home::new();
    home.llm(["models", "-g", "demo", "show", "demo/quick"]).output().exits(2).says("llm models show ID -g GATEWAY");
    home.llm(["models", "show"]).output().exits(2).says("<ID>");
}
