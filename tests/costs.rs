//! What an answer cost, and who says so.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

/// A gateway whose answers have this usage, and which lists one model with a price.
fn gateway(usage: Value) -> Gateway {
    Gateway::by(move |request| match request.path.as_str() {
        "/v1/models" => {
            Reply::json(200, &json!({"data": [{"id": "listed", "pricing": {"prompt": "2e-6", "completion": "4e-6"}}]}))
        }
        _ => Reply::json(
            200,
            &json!({
                "model": request.model(),
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
                "usage": usage,
            }),
        ),
    })
}

fn home(gateway: &Gateway, more: &str) -> Home {
    Home::new().config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nauth = \"none\"\n{more}\n",
        gateway.base_url()
    ))
}

fn cost(home: &Home, model: &str) -> Value {
    let outcome = home.llm(["ask", "-m", model, "-o", "json", "hi"]).output();
    outcome.exits(0);
    outcome.json()["cost"].clone()
}

fn tokens() -> Value {
    json!({"prompt_tokens": 1000, "completion_tokens": 100})
}

#[test]
fn the_best_source_wins() {
    let gateway = gateway(tokens());
    let home = home(&gateway, "price_provider = \"openai\"\n[price.mine]\ninput = 1\noutput = 10");
    assert_eq!(cost(&home, "mine"), json!({"usd": 0.002, "origin": "config"}));
    assert_eq!(cost(&home, "gpt-4o-mini"), json!({"usd": 0.00021, "origin": "table"}));
    assert_eq!(cost(&home, "listed"), json!({"usd": null, "origin": "unknown"}));
    home.llm(["models"]).output().exits(0);
    assert_eq!(cost(&home, "listed"), json!({"usd": 0.0024, "origin": "gateway"}), "once its list is known");

    let reporting = self::gateway(json!({"prompt_tokens": 1000, "completion_tokens": 100, "cost": 9.4e-6}));
    let home = self::home(&reporting, "[price.mine]\ninput = 1\noutput = 10");
    assert_eq!(cost(&home, "mine"), json!({"usd": 0.0000094, "origin": "reported"}));
}

#[test]
fn a_zero_for_a_model_without_a_price_is_unknown() {
    let gateway = gateway(json!({"prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.0}));
    let home = home(&gateway, "[price.free]\ninput = 0\noutput = 0");
    assert_eq!(cost(&home, "mine"), json!({"usd": null, "origin": "unknown"}));
    assert_eq!(cost(&home, "free"), json!({"usd": 0, "origin": "reported"}));
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let gateway = gateway(json!({"prompt_tokens": 1000}));
    let home = home(&gateway, "[price.mine]\ninput = 1\noutput = 10");
    assert_eq!(cost(&home, "mine"), json!({"usd": null, "origin": "unknown"}));
}

#[test]
fn markup_is_on_list_prices() {
    let gateway = gateway(tokens());
    let home = home(&gateway, "price_provider = \"openai\"\nmarkup = 0.055");
    assert_eq!(cost(&home, "gpt-4o-mini"), json!({"usd": 0.00022155, "origin": "table"}));
}

#[test]
fn list_prices_take_no_file() {
    let gateway = gateway(tokens());
    let home = home(&gateway, "price_provider = \"openai\"");
    assert_eq!(cost(&home, "gpt-4o-mini"), json!({"usd": 0.00021, "origin": "table"}));
    assert!(!home.path().join("data/cache/prices.json").exists());
}

#[test]
fn what_the_price_of_tokens_does_not_cover_makes_every_sum_a_lower_bound() {
    let gateway = gateway(json!({"prompt_tokens": 1000, "completion_tokens": 100, "num_search_queries": 2}));
    let home = home(&gateway, "price_provider = \"openai\"");
    assert_eq!(cost(&home, "gpt-4o-mini"), json!({"usd": 0.00021, "origin": "table", "partial": true}));
    let record = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
    assert_eq!(record["cost"]["partial"], true, "{record}");
    assert_eq!(record["attempts"][0]["cost"], Value::Null, "{record}");
    let sums = home.llm(["usage", "-o", "json"]).output().exits(0).json();
    assert_eq!(sums["total"]["cost"], json!({"usd": 0.00021, "unknown": 1, "computed": true}), "{sums}");
    let shown = home.llm(["usage"]).output().exits(0).stdout();
    assert!(shown.contains("≥$0.00021"), "{shown}");
}

#[test]
fn no_output_tokens_beside_a_text_are_unknown_and_not_free() {
    let priced = "[price.mine]\ninput = 1\noutput = 10";
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 0});
    let streamed = Gateway::always(Reply::sse().text("Hello.").finish("stop").usage_json(&usage).done());
    for gateway in [gateway(usage), streamed] {
        let record = home(&gateway, priced).llm(["ask", "-m", "mine", "-o", "json", "hi"]).output().exits(0).json();
        assert_eq!((&record["usage"]["input_tokens"], &record["usage"]["output_tokens"]), (&json!(1000), &json!(null)));
        assert_eq!(record["cost"]["usd"], json!(null), "{record}");
    }
}
