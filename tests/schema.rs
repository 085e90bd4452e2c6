//! `--schema` and `--tools`: what is sent in each api's own form, and what becomes of the answers.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},
    "required":["city","days"],"additionalProperties":false}"#;

const TOOLS: &str = r#"[{"type":"function","function":{"name":"weather","description":"Tells it.",
    "parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2}}}}},
    {"type":"function","function":{"name":"clock"}}]"#;

/// What `ask --schema` ends with when the model says this.
fn answers(text: &str) -> crate::support::Outcome {
    let gateway = Gateway::always(Reply::stream(&[text]));
    let home = Home::with(&gateway);
    let schema = home.file("schema.json", SCHEMA);
    home.llm(["ask", "-o", "json", "--schema"]).arg(schema).arg("hi").output()
}

#[test]
fn an_answer_that_follows_the_schema_is_0() {
    let outcome = answers(r#"{"city": "Oslo", "days": 3}"#);
    outcome.exits(0);
    assert_eq!(outcome.json()["status"], "ok");
}

#[test]
fn an_answer_that_does_not_is_9_and_kept() {
    let outcome = answers(r#"{"city": "Oslo"}"#);
    outcome.exits(9).says("does not follow the schema");
    let record = outcome.json();
    assert_eq!((&record["status"], &record["text"]), (&json!("failed"), &json!(r#"{"city": "Oslo"}"#)));
    assert_eq!((&record["error"]["kind"], &record["error"]["retryable"]), (&json!("schema"), &json!(false)));
}

#[test]
fn an_answer_that_is_cut_is_8_whatever_the_schema_says() {
    let gateway = Gateway::always(Reply::sse().role().text("{\"city\"").finish("length").done());
    let home = Home::with(&gateway);
    let schema = home.file("schema.json", SCHEMA);
    home.llm(["ask", "--schema"]).arg(schema).arg("hi").output().exits(8);
}

#[test]
fn a_file_that_makes_no_sense_is_2_and_nothing_is_sent() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    for (flag, content) in
        [("--schema", "{"), ("--schema", r#"{"type":"objekt"}"#), ("--tools", "{}"), ("--tools", "[{}]")]
    {
        let file = home.file("given.json", content);
        home.llm(["ask", "hi", flag]).arg(file).output().exits(2).says("given.json: ");
    }
    home.llm(["ask", "hi", "--tools", "no-such-file"]).output().exits(2).says("no-such-file");
    assert_eq!(gateway.requests().len(), 0);
}

#[test]
fn both_are_sent_in_the_form_of_each_api() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let home = Home::new();
    let (schema_file, tools) = (home.file("schema.json", SCHEMA), home.file("tools.json", TOOLS));
    let body = |api: &str| {
        let config = format!("[gateway.corp]\nbase_url = \"http://127.0.0.1:9\"\nauth = \"none\"\napi = \"{api}\"\n");
        let config = home.file("llm.toml", config);
        let run = home.llm(["ask", "-m", "corp::m", "--dry-run", "-o", "json", "hi", "--schema"]);
        let outcome = run.arg(&schema_file).arg("--tools").arg(&tools).env("LLM_CONFIG", config).output();
        outcome.exits(0);
        outcome.json()["requests"][0]["body"].clone()
    };
    let strict = |more: Value| {
        let mut form = json!({"name": "answer", "schema": schema, "strict": true});
        form.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        form
    };
    let chat = body("openai-chat");
    assert_eq!(chat["response_format"], json!({"type": "json_schema", "json_schema": strict(json!({}))}));
    assert_eq!(chat["tools"][0]["function"]["name"], "weather");
    let responses = body("openai-responses");
    assert_eq!(responses["text"]["format"], strict(json!({"type": "json_schema"})));
    assert_eq!(responses["tools"][1]["name"], "clock");
    let anthropic = body("anthropic");
    assert_eq!(anthropic["output_config"]["format"], json!({"type": "json_schema", "schema": schema}));
    assert_eq!(anthropic["tools"][0]["input_schema"]["properties"]["city"], json!({"type": "string"}));
    let gemini = body("gemini");
    assert_eq!(gemini["generationConfig"]["responseJsonSchema"], schema);
    assert_eq!(gemini["tools"][0]["functionDeclarations"][1]["name"], "clock");
}
