//! What a request may hold that changes its price: other prices for its tokens, or more to pay for than tokens.
//!
//! Vendors add such fields all the time, so the fields that change no price are listed, and not those that do.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::field_names::is_same_field;
use super::object::Object;

/// The fields of a wire format that change no price, whatever their values are.
pub(super) struct Known {
    /// Those of its own, besides [`EVERYWHERE`].
    pub(super) fields: &'static [&'static str],
    /// Those in its object of settings, and the names of that object.
    pub(super) settings: Option<(&'static str, &'static [&'static str])>,
}

/// Fields of several formats, and of gateways that run models themselves.
const EVERYWHERE: [&str; 64] = [
    "add_generation_prompt",
    "bad_words",
    "best_of",
    // What it costs is known.
    "cache_control",
    "chat_template_kwargs",
    "continue_final_message",
    "dimensions",
    "dry_multiplier",
    "echo",
    "enable_thinking",
    "encoding_format",
    "frequency_penalty",
    "functions",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "include_reasoning",
    "input",
    "keep_alive",
    "length_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "messages",
    "metadata",
    "min_p",
    "min_tokens",
    "mirostat",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "random_seed",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "reasoning_split",
    "repetition_penalty",
    "response_format",
    "safe_prompt",
    "safety_identifier",
    "seed",
    "skip_special_tokens",
    "stop",
    "stop_token_ids",
    "store",
    "stream",
    "stream_options",
    "structured_outputs",
    "temperature",
    "thinking",
    "tool_choice",
    "top_a",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncate_prompt_tokens",
    "typical_p",
    "usage",
    "user",
    "verbosity",
];

impl Known {
    /// The first field of the body that may change what is paid for a token, or for which more than tokens is paid. `None`
    /// where the price of the model says what the request can cost.
    pub(super) fn unpriced_field(&self, body: &[u8]) -> Option<String> {
        let fields: Object<'_> = serde_json::from_slice(body).unwrap_or_default();
        fields.0.iter().find_map(|(name, value)| match self.settings {
            Some((settings, known)) if is_same_field(name, settings) => {
                let inner: Object<'_> = serde_json::from_str(value.get()).unwrap_or_default();
                let unknown = inner.0.iter().find(|(name, value)| !is_in(known, name) && !changes_nothing(name, value));
                unknown.map(|(inner, _)| format!("{name}.{inner}"))
            }
            _ => {
                let is_known = is_in(self.fields, name) || is_in(&EVERYWHERE, name) || changes_nothing(name, value);
                (!is_known).then(|| (**name).to_owned())
            }
        })
    }
}

fn is_in(names: &[&str], name: &str) -> bool {
    names.contains(&name) || names.iter().any(|known| is_same_field(known, name))
}

/// Whether a field that may change the price has a value with which it does not.
fn changes_nothing(name: &str, value: &RawValue) -> bool {
    let is = |other| is_same_field(name, other);
    value.get() == "null"
        || is("service_tier") && all(value, |tier: &String| is_usual_tier(tier))
        || is("speed") && all(value, |speed: &String| speed == "standard")
        || (is("modalities") || is("response_modalities"))
            && all(value, |kinds: &Vec<String>| kinds.iter().all(|kind| kind.eq_ignore_ascii_case("text")))
        || is("tools") && all(value, |tools: &Vec<Value>| tools.iter().all(runs_at_the_client))
        || is("context_management") && all(value, only_clears)
        || is("contents") && all(value, |contents: &Vec<Content>| contents.iter().all(Content::is_sent_whole))
}

fn all<T: DeserializeOwned>(value: &RawValue, holds: impl Fn(&T) -> bool) -> bool {
    serde_json::from_str(value.get()).is_ok_and(|value| holds(&value))
}

/// Whether requests of this tier cost what lists say, or less.
fn is_usual_tier(tier: &str) -> bool {
    let usual = ["auto", "default", "standard", "standard_only", "on_demand", "flex", "batch"];
    usual.iter().any(|name| tier.eq_ignore_ascii_case(name))
}

/// Whether the client runs the tool, so that nothing but the tokens of its description and its calls is paid for.
fn runs_at_the_client(tool: &Value) -> bool {
    /// Tools that a vendor describes and a client runs.
    const DESCRIBED: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];
    match tool["type"].as_str() {
        Some(kind) => {
            matches!(kind, "function" | "custom") || DESCRIBED.iter().any(|described| kind.starts_with(described))
        }
        None if !tool["type"].is_null() => false,
        // Anthropic's functions have a schema. Gemini's tools are an object with a field for each kind.
        None => tool.as_object().is_some_and(|fields| {
            fields.contains_key("input_schema") || fields.keys().all(|kind| is_same_field(kind, "functionDeclarations"))
        }),
    }
}

/// Whether earlier parts of the conversation are only left out, and not summed up by a further answer.
fn only_clears(management: &Value) -> bool {
    let edits = management["edits"].as_array();
    let is_cleared = |edit: &Value| edit["type"].as_str().is_some_and(|kind| kind.starts_with("clear_"));
    edits.is_some_and(|edits| edits.iter().all(is_cleared))
}

/// The parts of Gemini's contents that refer to something elsewhere. A picture has a usual size, a film or a document may be of
/// any length.
#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(alias = "fileData")]
    file_data: Option<FileData>,
}

#[derive(Deserialize)]
struct FileData {
    #[serde(default, alias = "mimeType")]
    mime_type: String,
    #[serde(default, alias = "fileUri")]
    file_uri: String,
}

impl Content {
    fn is_sent_whole(&self) -> bool {
        let is_picture = |file: &FileData| {
            let name = file.file_uri.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let is_named_so = matches!(ending, "png" | "jpg" | "jpeg" | "webp" | "gif" | "heic" | "heif" | "avif");
            file.mime_type.starts_with("image/") || file.mime_type.is_empty() && is_named_so
        };
        self.parts.iter().filter_map(|part| part.file_data.as_ref()).all(is_picture)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::adapter::{Api, WireRequest};
    use crate::chat::{Message, Request, ResponseFormat, Role, Tool, ToolChoice};

    const ALL: [Api; 4] = [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini];

    fn found(api: Api, extra: &serde_json::Value) -> Option<String> {
        let request = Request {
            messages: vec![Message::text(Role::System, "service_tier"), Message::text(Role::User, "plugins")],
            extra: extra.as_object().cloned().expect("an object"),
            ..Request::default()
        };
        let adapter = api.adapter();
        adapter.unpriced_field(&adapter.encode_request("m", &request))
    }

    #[test]
    fn whatever_llm_itself_sends_changes_no_price() {
        let request = Request {
            messages: vec![Message::text(Role::System, "s"), Message::text(Role::User, "u")],
            tools: vec![Tool { name: "f".into(), description: None, parameters: None, strict: Some(true) }],
            tool_choice: Some(ToolChoice::Auto),
            parallel_tool_calls: Some(false),
            max_tokens: Some(1),
            temperature: Some(0.5),
            top_p: Some(0.5),
            stop: vec!["x".into()],
            seed: Some(1),
            logprobs: Some(2),
            reasoning_effort: Some("high".into()),
            response_format: Some(ResponseFormat::JsonSchema { name: "n".into(), schema: json!({}), strict: None }),
            stream: true,
            extra: serde_json::Map::new(),
        };
        for api in ALL {
            let adapter = api.adapter();
            assert_eq!(adapter.unpriced_field(&adapter.encode_request("m", &request)), None, "{api:?}");
        }
    }

    #[test]
    fn what_may_cost_more_than_its_tokens_is_found_by_its_name() {
        for (field, value) in [
            ("service_tier", json!("priority")),
            ("serviceTier", json!("priority")),
            ("SERVICE_TIER", json!("Priority")),
            ("service_tier", json!(["default"])),
            ("plugins", json!([{"id": "web"}])),
            ("web_search_options", json!({})),
            ("modalities", json!(["text", "audio"])),
            ("audio", json!({"voice": "a"})),
            ("prediction", json!({"type": "content"})),
            ("provider", json!({"sort": "throughput"})),
            ("preset", json!("dear")),
            ("previous_response_id", json!("resp_1")),
            ("conversation", json!("conv_1")),
            ("speed", json!("fast")),
            ("container", json!("c")),
            ("mcp_servers", json!([])),
            ("cachedContent", json!("cachedContents/1")),
            ("context_management", json!({"edits": [{"type": "compact_20260112"}]})),
            ("tools", json!([{"type": "function", "function": {"name": "f"}}, {"type": "web_search_preview"}])),
            ("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
            ("tools", json!([{"functionDeclarations": []}, {"googleSearch": {}}])),
            ("tools", json!([{"functionDeclarations": [], "google_search": {}}])),
            ("tools", json!("web")),
            ("tools", json!([{"type": 5, "name": "f", "input_schema": {}}])),
            ("of_tomorrow", json!(1)),
            ("", json!(1)),
        ] {
            for api in ALL {
                assert_eq!(found(api, &json!({field: value})), Some(field.to_owned()), "{api:?} {value}");
                assert_eq!(found(api, &json!({field: null})), None, "{api:?} {field}");
            }
        }
        let speech = json!({"generationConfig": {"temperature": 1, "speechConfig": {}}});
        assert_eq!(found(Api::Gemini, &speech), Some("generationConfig.speechConfig".into()));
        let images = json!({"generation_config": {"responseModalities": ["TEXT", "IMAGE"]}});
        assert_eq!(found(Api::Gemini, &images), Some("generation_config.responseModalities".into()));
    }

    #[test]
    fn the_usual_fields_of_gateways_change_no_price() {
        for extra in [
            json!({"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "logit_bias": {"1": 2}, "user": "u"}),
            json!({"service_tier": "flex", "metadata": {"a": "b"}, "store": true, "stream_options": {}}),
            json!({"modalities": ["text"], "usage": {"include": true}, "reasoning": {"effort": "low"}}),
            json!({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "name": "g"}]}),
            json!({"tools": [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]}),
            json!({"tools": [{"functionDeclarations": [{"name": "f"}]}], "TOP_P": 1}),
        ] {
            for api in ALL {
                assert_eq!(found(api, &extra), None, "{api:?} {extra}");
            }
        }
        let edits =
            json!({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}, "speed": "standard"});
        assert_eq!(found(Api::Anthropic, &edits), None);
        let settings = json!({"generationConfig": {"topK": 1, "responseModalities": ["TEXT"]}, "safetySettings": []});
        assert_eq!(found(Api::Gemini, &settings), None);
    }

    #[test]
    fn a_film_elsewhere_may_have_any_length() {
        for (file, is_priced) in [
            (r#"{"fileUri":"https://x/a.PNG?size=1"}"#, true),
            (r#"{"mimeType":"image/png","fileUri":"https://x/a"}"#, true),
            (r#"{"mimeType":"video/mp4","fileUri":"https://x/a.png"}"#, false),
            (r#"{"mime_type":"application/pdf","file_uri":"https://x/a.png"}"#, false),
            (r#"{"fileUri":"https://films.example/watch?v=1.png"}"#, false),
            (r"{}", false),
        ] {
            for name in ["fileData", "file_data"] {
                let body = format!(r#"{{"contents":[{{"parts":[{{"text":"t"}},{{"{name}":{file}}}]}}]}}"#);
                let wire = WireRequest { path: String::new(), body: body.clone().into_bytes() };
                assert_eq!(Api::Gemini.adapter().unpriced_field(&wire).is_none(), is_priced, "{body}");
            }
        }
    }
}
