use super::*;
use crate::catalog::Feature;
use crate::money::Usd;

fn page(json: &str) -> Page {
    parse(json.as_bytes()).expect(json)
}

/// The only model of a list.
fn only(json: &str) -> ModelInfo {
    let mut page = page(json);
    assert_eq!((page.models.len(), page.skipped), (1, 0), "{json}");
    page.models.remove(0)
}

fn per_million(model: &ModelInfo) -> (Option<String>, Option<String>) {
    let text = |rate: Option<Usd>| rate.and_then(|rate| rate.times(1_000_000)).map(Usd::to_decimal);
    let rates = model.price.as_ref().map(|price| price.base).unwrap_or_default();
    (text(rates.input), text(rates.output))
}

fn features(model: &ModelInfo) -> Option<Vec<Feature>> {
    Some(model.supports.as_ref()?.iter().copied().collect())
}

fn text(text: &str) -> Option<String> {
    Some(text.into())
}

#[test]
fn plain_openai() {
    let model =
        only(r#"{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1715367049,"owned_by":"system"}]}"#);
    assert_eq!((model.id.as_str(), model.created, model.context), ("gpt-4o", Some(1_715_367_049), None));
    assert_eq!((model.price.clone(), features(&model)), (None, None));
}

#[test]
fn openrouter() {
    let model = only(
        r#"{"data":[{"id":"acme/one","name":"Acme: One","created":1700000000,"context_length":200000,
        "architecture":{"input_modalities":["text","image"],"output_modalities":["text"],"tokenizer":"x"},
        "pricing":{"prompt":"0.000003","completion":"0.000015","request":"0","image":"0.0048","web_search":"0.01","internal_reasoning":"0","input_cache_read":"0.0000003"},
        "top_provider":{"context_length":200000,"max_completion_tokens":64000,"is_moderated":true},"per_request_limits":null,
        "supported_parameters":["tools","response_format","reasoning","max_tokens"],"expiration_date":"2027-01-31"}]}"#,
    );
    assert_eq!(
        (model.name.as_deref(), model.context, model.max_output),
        (Some("Acme: One"), Some(200_000), Some(64_000))
    );
    assert_eq!(per_million(&model), (text("3"), text("15")));
    assert_eq!(features(&model), Some(vec![Feature::Tools, Feature::Vision, Feature::Json, Feature::Reasoning]));
    assert_eq!(model.expires.as_deref(), Some("2027-01-31"));
    let plain =
        r#"{"data":[{"id":"a","supported_parameters":[]},{"id":"b","architecture":{"input_modalities":["text"]}}]}"#;
    let supports: Vec<_> = page(plain).models.iter().map(features).collect();
    assert_eq!(supports, [Some(Vec::new()), None], "an empty list says more than none");
    let auto = only(r#"{"data":[{"id":"openrouter/auto","pricing":{"prompt":"-1","completion":"-1"}}]}"#);
    assert_eq!(auto.price, None);
}

#[test]
fn litellm() {
    let model = only(
        r#"{"data":[{"id":"fast","object":"model","created":1677610602,"owned_by":"openai","mode":"chat","max_input_tokens":128000.0,"max_output_tokens":16384}]}"#,
    );
    assert_eq!((model.created, model.context, model.max_output), (None, Some(128_000), Some(16_384)));
}

#[test]
fn together() {
    let model = only(
        r#"[{"id":"acme/One-70B","object":"model","created":0,"type":"chat","display_name":"One 70B","context_length":131072,
        "pricing":{"hourly":0,"input":0.88,"output":0.88,"base":0,"finetune":0}}]"#,
    );
    assert_eq!((model.name.as_deref(), model.created), (Some("One 70B"), None));
    assert_eq!(per_million(&model), (text("0.88"), text("0.88")));
}

#[test]
fn vercel() {
    let model = only(
        r#"{"object":"list","data":[{"id":"acme/one","name":"One","type":"language","context_window":262144,"max_tokens":32000,
        "tags":["tool-use","vision","reasoning"],"pricing":{"input":"0.00000029","output":"0.00000059","input_cache_read":"0.0000001"}}]}"#,
    );
    assert_eq!(per_million(&model), (text("0.29"), text("0.59")));
    assert_eq!((model.context, model.max_output), (Some(262_144), Some(32_000)));
    assert_eq!(features(&model), Some(vec![Feature::Tools, Feature::Vision, Feature::Reasoning]));
}

#[test]
fn groq_and_mistral() {
    let groq = only(r#"{"data":[{"id":"one","active":true,"context_window":131072,"max_completion_tokens":8192}]}"#);
    assert_eq!((groq.context, groq.max_output), (Some(131_072), Some(8_192)));
    let mistral = only(
        r#"{"data":[{"id":"one","name":"one","aliases":[],"max_context_length":32768,"deprecation":"2027-02-01T00:00:00Z",
        "capabilities":{"completion_chat":true,"function_calling":true,"vision":false}}]}"#,
    );
    assert_eq!((mistral.name.clone(), mistral.context), (None, Some(32_768)));
    assert_eq!(features(&mistral), Some(vec![Feature::Tools]));
    assert_eq!(mistral.expires.as_deref(), Some("2027-02-01T00:00:00Z"));
}

#[test]
fn anthropic_comes_in_pages() {
    let page = page(
        r#"{"data":[{"type":"model","id":"claude-one","display_name":"Claude One","created_at":"2025-09-29T00:00:00Z","max_input_tokens":200000,"max_tokens":64000,
        "capabilities":{"image_input":{"supported":true},"structured_outputs":{"supported":true},"thinking":{"supported":true,"types":{}},"batch":{"supported":true}}}],
        "has_more":true,"first_id":"claude-one","last_id":"claude/one"}"#,
    );
    assert_eq!(page.next.as_deref(), Some("limit=1000&after_id=claude%2Fone"));
    let model = &page.models[0];
    assert_eq!((model.context, model.max_output, model.created), (Some(200_000), Some(64_000), Some(1_759_104_000)));
    assert_eq!(features(model), Some(vec![Feature::Tools, Feature::Vision, Feature::Json, Feature::Reasoning]));
}

#[test]
fn gemini_comes_in_pages() {
    let page = page(
        r#"{"models":[{"name":"models/gemini-one","displayName":"Gemini One","inputTokenLimit":1048576,"outputTokenLimit":65536,
        "supportedGenerationMethods":["generateContent"],"thinking":true}],"nextPageToken":"a+b"}"#,
    );
    assert_eq!(page.next.as_deref(), Some("pageSize=1000&pageToken=a%2Bb"));
    let model = &page.models[0];
    assert_eq!((model.id.as_str(), model.name.as_deref()), ("gemini-one", Some("Gemini One")));
    assert_eq!((model.context, model.max_output), (Some(1_048_576), Some(65_536)));
    assert_eq!(features(model), Some(vec![Feature::Reasoning]));
}

#[test]
fn llama_cpp_and_ollama() {
    let both = only(
        r#"{"models":[{"name":"tiny","model":"tiny","size":"","capabilities":["completion"]}],"object":"list",
        "data":[{"id":"tiny","aliases":["tiny"],"created":1795167506,"meta":{"n_ctx":2048,"n_ctx_train":4096}}]}"#,
    );
    assert_eq!((both.id.as_str(), both.context), ("tiny", Some(2048)));
    let tags =
        only(r#"{"models":[{"name":"llama:8b","model":"llama:8b","size":4661224676,"details":{"family":"llama"}}]}"#);
    assert_eq!((tags.id.as_str(), tags.name), ("llama:8b", None));
}

#[test]
fn prices_per_million_in_the_row_itself() {
    let model = only(r#"{"data":[{"id":"client:one","max_input_tokens":8192,"input_price":0.5,"output_price":1.5}]}"#);
    assert_eq!(per_million(&model), (text("0.5"), text("1.5")));
}

#[test]
fn odd_rows_are_counted_and_the_others_kept() {
    let page = page(
        r#"{"data":[{"id":"a"},{"object":"model"},7,null,{"id":""},{"id":"a"},{"id":"b","context_length":"8192"}]}"#,
    );
    assert_eq!(page.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(page.skipped, 4);
    assert_eq!(page.models[1].context, Some(8192));
}

#[test]
fn what_is_no_list_is_said_to_be_none() {
    for body in ["", "<html>", "{}", r#"{"error":{"message":"no"}}"#, r#"{"data":[{"x":1}]}"#, "[1]", "\"x\""] {
        assert_eq!(parse(body.as_bytes()).expect_err(body).kind, FailureKind::Protocol, "{body}");
    }
    assert_eq!(page(r#"{"data":[]}"#).models, []);
}
