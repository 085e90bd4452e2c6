//! Request for generated content → unified request, for servers.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::adapter::body::{Fields, arguments_text, malformed};
use crate::adapter::{DecodeError, NamedRequest, SCHEMA_NAME, logprobs};
use crate::chat::{
    Audio, File, Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice,
};

#[derive(Debug, Deserialize)]
struct Content {
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    parts: Vec<WirePart>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WirePart {
    text: Option<String>,
    thought: bool,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    file_data: Option<FileData>,
    #[serde(alias = "function_call")]
    function_call: Option<FunctionCall>,
    #[serde(alias = "function_response")]
    function_response: Option<FunctionResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    #[serde(alias = "mime_type")]
    mime_type: String,
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileData {
    #[serde(default, alias = "mime_type")]
    mime_type: Option<String>,
    #[serde(alias = "file_uri")]
    file_uri: String,
}

#[derive(Debug, Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Value,
}

#[derive(Debug, Deserialize)]
struct FunctionResponse {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    response: Value,
    /// Pictures and files of the result.
    #[serde(default)]
    parts: Vec<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTool {
    #[serde(alias = "function_declarations")]
    function_declarations: Vec<Function>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, alias = "parameters_json_schema")]
    parameters_json_schema: Option<Value>,
    #[serde(default)]
    parameters: Option<Value>,
}

pub(super) fn decode(path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError> {
    let (model, stream) = read_path(path)?;
    let mut fields = Fields::parse(body)?;
    fields.0 = camel_case(fields.0);
    let mut calls = Calls::default();
    let mut messages = Vec::new();
    if let Some(system) = fields.take::<Content>("systemInstruction")? {
        messages.push(Message { role: Role::System, parts: calls.parts(system.parts)? });
    }
    for content in fields.require::<Vec<Content>>("contents")? {
        messages.push(calls.message(content)?);
    }
    let mut config = fields.open("generationConfig");
    config.0 = camel_case(config.0);
    let max_tokens = config.take("maxOutputTokens")?;
    let temperature = config.take("temperature")?;
    let top_p = config.take("topP")?;
    let stop = config.take("stopSequences")?.unwrap_or_default();
    let seed = config.take("seed")?;
    let logprobs = logprobs::asked(&mut config, "responseLogprobs", "logprobs")?;
    let reasoning_effort = config.take_if("thinkingConfig", effort);
    let response_format = response_format(&mut config);
    fields.put_back("generationConfig", config);
    let request = Request {
        messages,
        tools: fields.take_if("tools", tools).unwrap_or_default(),
        tool_choice: fields.take_if("toolConfig", tool_choice),
        parallel_tool_calls: None,
        max_tokens,
        temperature,
        top_p,
        stop,
        seed,
        logprobs,
        reasoning_effort,
        response_format,
        stream,
        extra: fields.0,
    };
    Ok(NamedRequest { model, request })
}

/// Names in snake case that mean the same as those in camel case: clients use both.
const SPELLINGS: [(&str, &str); 17] = [
    ("allowed_function_names", "allowedFunctionNames"),
    ("candidate_count", "candidateCount"),
    ("function_calling_config", "functionCallingConfig"),
    ("generation_config", "generationConfig"),
    ("include_thoughts", "includeThoughts"),
    ("max_output_tokens", "maxOutputTokens"),
    ("response_json_schema", "responseJsonSchema"),
    ("response_logprobs", "responseLogprobs"),
    ("response_mime_type", "responseMimeType"),
    ("response_schema", "responseSchema"),
    ("stop_sequences", "stopSequences"),
    ("system_instruction", "systemInstruction"),
    ("thinking_budget", "thinkingBudget"),
    ("thinking_config", "thinkingConfig"),
    ("thinking_level", "thinkingLevel"),
    ("tool_config", "toolConfig"),
    ("top_p", "topP"),
];

/// The fields, those that are known here with their names in camel case.
fn camel_case(mut fields: Map<String, Value>) -> Map<String, Value> {
    for (snake, camel) in SPELLINGS {
        if let Some(value) = fields.shift_remove(snake) {
            fields.insert(camel.to_owned(), value);
        }
    }
    fields
}

/// Reads `…/models/MODEL:METHOD`. Returns the model, and whether a stream is wanted.
fn read_path(path: &str) -> Result<(String, bool), DecodeError> {
    let (model, method) = model_and_method(path)?;
    match method {
        "generateContent" => Ok((model, false)),
        "streamGenerateContent" => Ok((model, true)),
        other => Err(malformed(format!("there is no method `{other}`"))),
    }
}

/// The model and the method of a path `…/models/MODEL:METHOD`, whatever its query.
pub(in crate::adapter) fn model_and_method(path: &str) -> Result<(String, &str), DecodeError> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let named = path.split_once("models/").and_then(|(_, rest)| rest.rsplit_once(':'));
    let (model, method) = named.ok_or_else(|| malformed("the path names no model and method"))?;
    let model = percent_decode_str(model).decode_utf8().map_err(|_| malformed("the model's name is not UTF-8"))?;
    Ok((model.into_owned(), method))
}

/// The tool calls of a conversation. A result without an id belongs to the first open call of its name.
#[derive(Debug, Default)]
struct Calls {
    count: usize,
    /// The name and id of each call that has no result yet, oldest first.
    open: Vec<(String, String)>,
}

impl Calls {
    fn message(&mut self, content: Content) -> Result<Message, DecodeError> {
        let parts = self.parts(content.parts)?;
        let role = match content.role.as_deref() {
            Some("model") => Role::Assistant,
            Some("user" | "function") | None => Role::User,
            Some(other) => return Err(malformed(format!("no content can have the role `{other}`"))),
        };
        let is_results = role == Role::User && matches!(parts.first(), Some(Part::ToolResult { .. }));
        Ok(Message { role: if is_results { Role::Tool } else { role }, parts })
    }

    fn parts(&mut self, wire: Vec<WirePart>) -> Result<Vec<Part>, DecodeError> {
        let mut thought = String::new();
        let mut signed = None;
        let mut parts = Vec::with_capacity(wire.len());
        for part in wire {
            signed = signed.or(part.thought_signature);
            match part {
                WirePart { text: Some(text), thought: true, .. } => thought.push_str(&text),
                WirePart { text: Some(text), .. } => parts.push(Part::Text(text)),
                WirePart { inline_data: Some(blob), .. } => parts.push(media(blob)),
                WirePart { file_data: Some(file), .. } => parts.push(at_address(file)?),
                WirePart { function_call: Some(call), .. } => parts.push(Part::ToolCall(self.call(call))),
                WirePart { function_response: Some(response), .. } if response.parts.is_empty() => {
                    parts.push(self.result(response));
                }
                WirePart { function_response: Some(_), .. } => {
                    return Err(malformed("a tool result can hold nothing but text"));
                }
                _ => return Err(malformed("a part is of no kind that is known here")),
            }
        }
        if !thought.is_empty() || signed.is_some() {
            parts.insert(0, Part::Reasoning { text: thought, signature: signed });
        }
        Ok(parts)
    }

    fn call(&mut self, call: FunctionCall) -> ToolCall {
        let id = call.id.unwrap_or_else(|| format!("call_{}", self.count));
        self.count += 1;
        self.open.push((call.name.clone(), id.clone()));
        ToolCall { id, name: call.name, arguments: arguments_text(call.args) }
    }

    fn result(&mut self, result: FunctionResponse) -> Part {
        let is_its_call = |(name, id): &(String, String)| match &result.id {
            Some(known) => id == known,
            None => *name == result.name,
        };
        let call = self.open.iter().position(is_its_call).map(|at| self.open.remove(at).1);
        let content = match &result.response {
            Value::Object(fields) if fields.len() == 1 => fields.get("result").or_else(|| fields.get("output")),
            _ => None,
        };
        let content = match content.unwrap_or(&result.response) {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Part::ToolResult { id: result.id.or(call).unwrap_or(result.name), content }
    }
}

/// What is at an address. Only pictures have one in the other formats.
fn at_address(FileData { mime_type, file_uri }: FileData) -> Result<Part, DecodeError> {
    match mime_type {
        Some(other) if !other.starts_with("image/") => Err(malformed(format!(
            "a file of type `{other}` must come as inlineData: only a picture can have an address"
        ))),
        _ => Ok(Part::Image(Image { source: ImageSource::Url(file_uri), detail: None })),
    }
}

fn media(Blob { mime_type, data }: Blob) -> Part {
    let data = standard_base64(data);
    if mime_type.starts_with("image/") {
        Part::Image(Image { source: ImageSource::Data { media_type: mime_type, base64: data }, detail: None })
    } else if mime_type.starts_with("audio/") {
        Part::Audio(Audio { media_type: mime_type, base64: data })
    } else {
        Part::File(File { name: None, media_type: mime_type, base64: data })
    }
}

/// Base64 in the alphabet that the other formats know, without line ends and filled up. Google's clients send the one of URLs.
fn standard_base64(mut data: String) -> String {
    data.retain(|letter| !letter.is_ascii_whitespace());
    if data.contains(['-', '_']) {
        data = data.replace('-', "+").replace('_', "/");
    }
    data.truncate(data.trim_end_matches('=').len());
    data.extend(std::iter::repeat_n('=', data.len().wrapping_neg() % 4));
    data
}

fn effort(config: &Value) -> Option<String> {
    let config = &Value::Object(camel_case(config.as_object()?.clone()));
    if *config == json!({"thinkingBudget": 0}) {
        return Some("none".into());
    }
    let level = config["thinkingLevel"].as_str()?;
    (*config == json!({"thinkingLevel": level, "includeThoughts": true})).then(|| level.to_lowercase())
}

fn response_format(config: &mut Fields) -> Option<ResponseFormat> {
    config.take_if("responseMimeType", |kind| (kind == "application/json").then_some(()))?;
    let schema = config.take_if("responseJsonSchema", |schema| Some(schema.clone()));
    let schema = schema.or_else(|| config.take_if("responseSchema", |schema| Some(json_schema(schema.clone()))));
    Some(match schema {
        Some(schema) => ResponseFormat::JsonSchema { name: SCHEMA_NAME.into(), schema, strict: None },
        None => ResponseFormat::JsonObject,
    })
}

/// Returns `None` where there are tools other than functions; these are passed on as they are.
fn tools(value: &Value) -> Option<Vec<Tool>> {
    let tools: Vec<WireTool> = serde_json::from_value(value.clone()).ok()?;
    let function = |Function { name, description, parameters_json_schema, parameters }| Tool {
        name,
        description,
        parameters: parameters_json_schema.or_else(|| parameters.map(json_schema)),
        strict: None,
    };
    Some(tools.into_iter().flat_map(|tool| tool.function_declarations).map(function).collect())
}

/// The bounds of a schema, which Google's clients write as texts.
const BOUNDS: [&str; 6] = ["maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"];

/// A schema in Google's older dialect, as JSON Schema: types are in capitals there, and what may be null is `nullable`.
fn json_schema(schema: Value) -> Value {
    let Value::Object(fields) = schema else { return schema };
    let each = |schemas: Value| match schemas {
        Value::Object(named) => named.into_iter().map(|(name, schema)| (name, json_schema(schema))).collect(),
        Value::Array(list) => list.into_iter().map(json_schema).collect(),
        other => other,
    };
    let mut schema = Map::new();
    let mut is_nullable = false;
    for (name, value) in fields {
        let value = match (&*name, value) {
            ("nullable", Value::Bool(may_be_null)) => {
                is_nullable = may_be_null;
                continue;
            }
            // Properties are in the order in which they are written.
            ("propertyOrdering" | "property_ordering", _) => continue,
            ("type", Value::String(kind)) => kind.to_lowercase().into(),
            (
                "properties" | "patternProperties" | "dependentSchemas" | "anyOf" | "oneOf" | "allOf" | "prefixItems"
                | "$defs" | "definitions",
                schemas,
            ) => each(schemas),
            (
                "items" | "additionalProperties" | "contains" | "propertyNames" | "not" | "if" | "then" | "else",
                inner,
            ) => json_schema(inner),
            (bound, Value::String(digits)) if BOUNDS.contains(&bound) => {
                digits.parse::<u64>().map_or(Value::String(digits), Value::from)
            }
            (_, other) => other,
        };
        schema.insert(name, value);
    }
    if is_nullable {
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
        match (schema.shift_remove("type"), schema.get_mut("anyOf")) {
            (Some(kind), _) => drop(schema.insert("type".to_owned(), json!([kind, "null"]))),
            (None, Some(Value::Array(any))) => any.push(json!({"type": "null"})),
            (None, _) => {}
        }
    }
    schema.into()
}

fn tool_choice(config: &Value) -> Option<ToolChoice> {
    let mut config = camel_case(config.as_object()?.clone());
    if config.len() != 1 {
        return None;
    }
    let Value::Object(config) = config.shift_remove("functionCallingConfig")? else { return None };
    let config = camel_case(config);
    match (config.get("mode")?.as_str()?, config.get("allowedFunctionNames").and_then(Value::as_array)) {
        ("AUTO", None) => Some(ToolChoice::Auto),
        ("NONE", None) => Some(ToolChoice::None),
        ("ANY", None) => Some(ToolChoice::Required),
        ("ANY", Some(names)) if names.len() == 1 => names[0].as_str().map(|name| ToolChoice::Tool(name.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_model_and_method() {
        let read = |path| read_path(path).map_err(|error| error.to_string());
        assert_eq!(read("/v1beta/models/gemini-3-pro:generateContent"), Ok(("gemini-3-pro".into(), false)));
        assert_eq!(read("models/a/b%20c:x:streamGenerateContent?alt=sse"), Ok(("a/b c:x".into(), true)));
        assert!(read("/v1beta/models/m:countTokens").is_err());
        assert!(read("/v1beta/models").is_err());
    }

    #[test]
    fn calls_and_results_without_ids_find_each_other() {
        let body = json!({"contents": [
            {"role": "model", "parts": [
                {"functionCall": {"name": "f", "args": {"n": 1}}},
                {"functionCall": {"name": "g"}},
                {"functionCall": {"name": "f"}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "one"}}},
                {"functionResponse": {"name": "f", "response": {"x": 2}}},
                {"functionResponse": {"name": "g", "response": {"output": "three"}}},
            ]},
        ]});
        let request = decode("models/m:generateContent", body.to_string().as_bytes()).expect("a request").request;
        assert_eq!(request.messages[1].role, Role::Tool);
        assert_eq!(
            request.messages[1].parts,
            [("call_0", "one"), ("call_2", r#"{"x":2}"#), ("call_1", "three")]
                .map(|(id, content)| Part::ToolResult { id: id.into(), content: content.into() })
        );
    }

    #[test]
    fn only_a_picture_is_taken_from_an_address() {
        let read = |file: Value| {
            let body = json!({"contents": [{"parts": [{"fileData": file}]}]});
            decode("models/m:generateContent", body.to_string().as_bytes()).map(|read| read.request.messages)
        };
        let picture = |messages: Vec<Message>| matches!(messages[0].parts[..], [Part::Image(_)]);
        for file in [json!({"fileUri": "https://a/b"}), json!({"file_uri": "https://a/b", "mime_type": "image/png"})] {
            assert!(read(file).is_ok_and(picture));
        }
        for kind in ["application/pdf", "video/mp4", "audio/wav", "text/plain", "IMAGE"] {
            let refused = read(json!({"fileUri": "https://a/b", "mimeType": kind})).expect_err(kind).to_string();
            assert!(refused.contains(kind), "{refused}");
        }
    }

    #[test]
    fn a_schema_of_googles_dialect_becomes_json_schema() {
        let schema = json!({"type": "OBJECT", "nullable": true, "propertyOrdering": ["type"], "required": ["type"], "properties": {
            "type": {"type": "STRING", "nullable": true, "enum": ["A"], "description": "TYPE"},
            "nullable": {"type": "ARRAY", "maxItems": "7", "items": {"type": "NUMBER", "nullable": false}},
            "one": {"oneOf": [{"type": "STRING"}, {"allOf": [{"type": "OBJECT"}], "not": {"type": "NULL"}}]},
            "either": {"nullable": true, "anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}}});
        let meant = json!({"type": ["object", "null"], "required": ["type"], "properties": {
            "type": {"type": ["string", "null"], "enum": ["A", null], "description": "TYPE"},
            "nullable": {"type": "array", "maxItems": 7, "items": {"type": "number"}},
            "one": {"oneOf": [{"type": "string"}, {"allOf": [{"type": "object"}], "not": {"type": "null"}}]},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}}});
        assert_eq!(json_schema(schema), meant);
    }

    #[test]
    fn a_picture_in_the_result_of_a_tool_is_refused() {
        let part = json!({"inlineData": {"mimeType": "image/png", "data": "QUJD"}});
        let result = json!({"functionResponse": {"name": "f", "response": {}, "parts": [part]}});
        let body = json!({"contents": [{"parts": [result]}]}).to_string();
        let refused = decode("models/m:generateContent", body.as_bytes()).expect_err("refused").to_string();
        assert!(refused.contains("nothing but text"), "{refused}");
    }

    #[test]
    fn older_spellings_mean_the_same() {
        let body = json!({
            "system_instruction": {"parts": [{"text": "s"}]},
            "contents": [{"parts": [{"text": "u"}, {"inline_data": {"mime_type": "image/png", "data": "QUJD"}}]}],
            "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}}]}],
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
            "generation_config": {"max_output_tokens": 9, "top_p": 0.5, "stop_sequences": ["x"], "response_mime_type": "application/json",
                "response_schema": {"type": "OBJECT", "properties": {"some_name": {"type": "STRING"}}},
                "thinking_config": {"thinking_level": "LOW", "include_thoughts": true}},
        });
        let request = decode("models/m:generateContent", body.to_string().as_bytes()).expect("a request").request;
        assert_eq!(request.messages[0], Message::text(Role::System, "s"));
        assert_eq!(request.messages[1].parts.len(), 2);
        let schema = json!({"type": "object", "properties": {"type": {"type": "string"}}});
        assert_eq!(request.tools[0].parameters, Some(schema));
        assert_eq!(request.tool_choice, Some(ToolChoice::Tool("f".into())));
        assert_eq!((request.max_tokens, request.top_p, &*request.stop), (Some(9), Some(0.5), &["x".to_owned()][..]));
        assert_eq!(request.reasoning_effort.as_deref(), Some("low"));
        let schema = json!({"type": "object", "properties": {"some_name": {"type": "string"}}});
        let expected = ResponseFormat::JsonSchema { name: SCHEMA_NAME.into(), schema, strict: None };
        assert_eq!(request.response_format, Some(expected), "the names in a schema are the client's own");
        assert!(request.extra.is_empty(), "{:?}", request.extra);
    }

    #[test]
    fn base64_of_urls_becomes_that_of_the_other_formats() {
        for (sent, read) in [
            ("-_-_", "+/+/"),
            ("QQ", "QQ=="),
            ("QUI", "QUI="),
            ("QUI=", "QUI="),
            ("QUJD", "QUJD"),
            ("QU\nI=\r\n", "QUI="),
            ("", ""),
        ] {
            assert_eq!(standard_base64(sent.into()), read);
        }
    }
}
