//! `llm models`: the gateway's list, kept for a day, with prices from wherever they can be had.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, KEY, Reply};

fn list() -> Value {
    json!({"data": [
        {"id": "acme/large", "name": "Acme: Large", "context_length": 200_000,
         "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
         "pricing": {"prompt": "0.000003", "completion": "0.000015"}, "supported_parameters": ["tools"]},
        {"id": "acme/small", "context_length": 32_768, "pricing": {"prompt": "1.5e-7", "completion": "6e-7"}},
        {"id": "own"},
    ]})
}

fn gateway() -> Gateway {
    Gateway::always(Reply::json(200, &list()))
}

#[test]
fn a_list_has_one_line_a_model_and_says_how_old_it_is() {
    let gateway = gateway();
    let home = Home::with(&gateway);
    let outcome = home.llm(["models"]).output();
    outcome.exits(0).says("3 of 3 models, fetched just now");
    let lines: Vec<String> =
        outcome.stdout().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "model context modalities $/M in $/M out price from",
            "acme/large 200k text+image $3.00 $15.00 gateway",
            "acme/small 33k – $0.15 $0.60 gateway",
            "own – – – – –",
        ]
    );
    let request = gateway.request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
}

#[test]
fn a_list_is_asked_for_once_a_day_or_when_told_to() {
    let gateway = gateway();
    let home = Home::with(&gateway);
    home.llm(["models"]).output().exits(0);
    home.llm(["models", "large"]).output().exits(0).says("1 of 3 models").says("ago; --refresh asks again");
    assert_eq!(gateway.requests().len(), 1);
    home.llm(["models", "--refresh"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn an_old_list_is_shown_as_such_when_the_gateway_is_down() {
    let gateway = Gateway::in_turn([Reply::json(200, &list()), Reply::error(503, "down for now")]);
    let home = Home::with(&gateway);
    home.llm(["models"]).output().exits(0);
    let kept = home.path().join("data/cache/models/env.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&kept).expect("a kept list")).expect("JSON");
    file["fetched_at"] = json!(1_700_000_000);
    std::fs::write(&kept, file.to_string()).expect("written");
    let outcome = home.llm(["models", "-o", "json"]).output();
    outcome.exits(0).says("the list of models could not be fetched again").says("down for now");
    assert_eq!(outcome.json()["fetched_at"], "2023-11-14T22:13:20Z");
    home.llm(["models", "--refresh"]).output().exits(6).prints("");
}

#[test]
fn filters_tell_what_they_left_out_for_lack_of_words() {
    let gateway = gateway();
    let home = Home::with(&gateway);
    let ids = |arguments: &[&str]| {
        let outcome = home.llm(["models", "-o", "json"]).args(arguments).output();
        outcome.exits(0);
        let models = outcome.json()["models"].as_array().cloned().unwrap_or_default();
        models.iter().map(|model| model["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--sort", "price"]), ["acme/small", "acme/large", "own"]);
    assert_eq!(ids(&["--supports", "tools,vision"]), ["acme/large"]);
    assert_eq!(ids(&["--max-price", "1"]), ["acme/small"]);
    assert_eq!(ids(&["--min-context", "100k"]), ["acme/large"]);
    home.llm(["models", "--supports", "tools"]).output().says("2 left out: the gateway does not say what they support");
    home.llm(["models", "--supports", "flying"]).output().exits(2).says("no feature is called flying");
}

#[test]
fn prices_that_the_gateway_does_not_give_come_from_elsewhere() {
    let gateway = Gateway::always(Reply::json(200, &json!({"data": [{"id": "gpt-4o-mini"}, {"id": "my-own"}]})));
    let home = Home::new().env("CORP_KEY", KEY).config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nauth = \"none\"\nprice_provider = \"openai\"\n\
         [price.my-own]\ninput = 0.4\noutput = 1.6\n",
        gateway.base_url()
    ));
    home.llm(["models", "-o", "csv"]).output().exits(0).prints(
        "id,name,context,max_output,input_modalities,output_modalities,supports,input_usd_per_million,output_usd_per_million,price_origin,created,expires\n\
         gpt-4o-mini,,,,,,,0.15,0.6,table,,\n\
         my-own,,,,,,,0.4,1.6,config,,\n",
    );
}

#[test]
fn a_refused_list_says_that_there_was_no_key() {
    let gateway = Gateway::always(Reply::error(401, "no key given"));
    let home = Home::with(&gateway).without_env("LLM_API_KEY");
    home.llm(["models"]).output().exits(4).prints("").says("no key");
}

#[test]
fn what_is_no_list_is_an_error() {
    let gateway = Gateway::always(Reply::with_body(200, "text/html", "<html>Welcome</html>"));
    Home::with(&gateway).llm(["models"]).output().exits(1).prints("").says("list of models is not JSON");
}

#[test]
fn a_text_that_no_model_has_is_exit_1_with_a_hint() {
    let home = Home::new();
    home.llm(["models", "-g", "demo", "stedy"]).output().exits(1).says("did you mean `steady`?");
    home.llm(["models", "-g", "demo", "zzzzzz"]).output().exits(1).says("lists all");
    home.llm(["models", "-g", "demo", "steady"]).output().exits(0);
}

#[test]
fn no_figure_of_a_list_is_too_large_to_be_shown() {
    let models: Vec<_> = ["18446744073709551615", "9223372036854775807", "1e300", "-1", "1e25", "\"9\"", "0.5"]
        .iter()
        .enumerate()
        .map(|(n, figure)| {
            format!(
                r#"{{"id":"m{n}","created":{figure},"context_length":{figure},"max_output_tokens":{figure},
                    "pricing":{{"prompt":{figure},"completion":"{}","request":{figure}}}}}"#,
                figure.trim_matches('"')
            )
        })
        .collect();
    let list = format!(r#"{{"object":"list","data":[{}]}}"#, models.join(","));
    let gateway = Gateway::always(Reply::with_body(200, "application/json", list));
    let home = Home::with(&gateway);
    for format in ["text", "json", "csv"] {
        home.llm(["models", "-o", format]).output().exits(0);
        for n in 0..models.len() {
            home.llm(["models", "show", &format!("m{n}"), "-o", if format == "csv" { "text" } else { format }])
                .output()
                .exits(0);
        }
    }
}
