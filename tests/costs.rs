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
    for (usage, meant) in [
        (json!({"prompt_tokens": 1000}), json!({"usd": 0.001, "origin": "config", "partial": true})),
        (json!({"completion_tokens": 1000}), json!({"usd": null, "origin": "unknown"})),
    ] {
        let gateway = gateway(usage);
        let home = home(&gateway, "[price.mine]\ninput = 1\noutput = 10");
        assert_eq!(cost(&home, "mine"), meant);
    }
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
fn no_output_tokens_beside_a_text_or_hidden_reasoning_are_unknown_and_not_free() {
    let priced = "[price.mine]\ninput = 1\noutput = 10";
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 0});
    let streamed = Gateway::always(Reply::sse().text("Hello.").finish("stop").usage_json(&usage).done());
    let hidden = json!({"role": "assistant", "content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "AAAA"}]});
    let hidden = json!({"choices": [{"message": hidden, "finish_reason": "stop"}], "usage": usage});
    for gateway in [gateway(usage), streamed, Gateway::always(Reply::json(200, &hidden))] {
        let record = home(&gateway, priced).llm(["ask", "-m", "mine", "-o", "json", "hi"]).output().exits(0).json();
        assert_eq!((&record["usage"]["input_tokens"], &record["usage"]["output_tokens"]), (&json!(1000), &json!(null)));
        // What the prompt costs is certain.
        assert_eq!(record["cost"], json!({"usd": 0.001, "origin": "config", "partial": true}), "{record}");
    }
}

const MINE: &str = "[price.mine]\ninput = 1\noutput = 10\n[[budget]]\nlimit = 1\nper = \"total\"";

/// What is spent of the only budget.
fn spent(home: &Home) -> String {
    home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0]["spent_usd"].to_string()
}

#[test]
fn a_stream_that_tells_only_at_its_beginning_what_it_takes_has_a_lower_bound_as_its_cost() {
    let start = json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "model": "mine", "content": [],
        "usage": {"input_tokens": 1000, "output_tokens": 1}}});
    let text = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Half"}});
    let begun = || Reply::sse_until_close().event(&start).event(&text);
    let finish = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let stop = json!({"type": "message_stop"});
    for (reply, code) in [(begun(), 8), (begun().event(&finish).event(&stop), 0)] {
        let gateway = Gateway::always(reply.close());
        let home = home(&gateway, &format!("api = \"anthropic\"\n{MINE}"));
        let asked = home.llm(["ask", "-m", "mine", "--max-tokens", "100", "-o", "json", "hi"]).output();
        asked.exits(code);
        let record = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
        assert_eq!(record["cost"], json!({"usd": 0.001, "origin": "config", "partial": true}), "{record}");
        assert_eq!(record["usage"]["output_tokens"], json!(null), "{record}");
        let spent: f64 = spent(&home).parse().expect("an amount");
        assert!(spent > 0.001, "a hundred tokens of answer were set aside");
    }
}

#[test]
fn what_failed_and_told_what_it_took_costs_that_and_no_more() {
    let failed = json!({"type": "response.failed", "response": {"id": "r", "model": "mine", "status": "failed",
        "error": {"code": "server_error", "message": "boom"}, "usage": {"input_tokens": 1000, "output_tokens": 0}}});
    let whole = json!({"object": "response", "id": "r", "model": "mine", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "boom"}, "usage": {"input_tokens": 1000, "output_tokens": 0}});
    for reply in [Reply::sse_until_close().event(&failed).close(), Reply::json(200, &whole)] {
        let gateway = Gateway::always(reply);
        let home = home(&gateway, &format!("api = \"openai-responses\"\n{MINE}"));
        let ask = ["ask", "-m", "mine", "--max-tokens", "100", "hi", "--retries"];
        home.llm(ask).arg("0").output().exits(1);
        let record = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
        assert_eq!(record["cost"], json!({"usd": 0.001, "origin": "config"}), "{record}");
        assert_eq!((&record["attempts"][0]["maybe_billed"], spent(&home).as_str()), (&json!(false), "0.001"));
    }
}

#[test]
fn an_answer_that_another_model_replaced_is_in_the_cost() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "mine" => Reply::sse().finish("content_filter").usage(1000, 3).done(),
        _ => Reply::sse().text("Hello.").finish("stop").usage(1000, 3).done(),
    });
    let home = home(&gateway, &format!("{MINE}\n[price.other]\ninput = 2\noutput = 20"));
    let ask = ["ask", "-m", "mine", "--fallback", "other", "--max-tokens", "100", "-o", "json", "hi"];
    let record = home.llm(ask).output().exits(0).json();
    assert_eq!(record["attempts"][0]["cost"], json!(0.00103), "{record}");
    assert_eq!((&record["cost"], spent(&home).as_str()), (&json!({"usd": 0.00309, "origin": "config"}), "0.00309"));
}

#[test]
fn a_model_that_searches_has_no_price_where_the_table_lacks_the_fee_of_its_searches() {
    let gateway = gateway(tokens());
    let home = home(&gateway, "price_provider = \"openrouter\"");
    let limited = home.llm(["ask", "-m", "perplexity/sonar", "--max-tokens", "5", "--max-cost", "1", "hi"]).output();
    limited.exits(5).says("nobody knows what perplexity/sonar costs");
    assert_eq!(
        cost(&home, "perplexity/sonar"),
        json!({"usd": null, "origin": "unknown"}),
        "and where no cost is reported, none is told"
    );
}
