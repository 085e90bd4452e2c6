//! The body of a client's request as it came. A gateway that speaks the client's wire format gets it unchanged, but for the
//! model's name and what a policy changes, so that a field which no type of ours knows is not lost.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::body::malformed;
use super::field_names::{is_same_field, may_name_others, names_other_model};
use super::object::Object;
use super::output_bound::{ask_for_several, may_ask_for_several};
use super::{Api, DecodeError, WireRequest, gemini};
use crate::chat::check_values;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operation {
    /// An answer of a model.
    #[default]
    Generate,
    /// The number of tokens of a prompt.
    CountTokens,
    /// Vectors of texts, in OpenAI's format.
    Embed,
    /// The continuation of a text, in OpenAI's format before chats.
    Complete,
}

/// One request of a client of a server, in the client's own wire format.
#[derive(Clone, PartialEq)]
pub struct ClientBody {
    api: Api,
    operation: Operation,
    /// Below the base URL. Where the path names the model, only what follows the name.
    path: String,
    bytes: Bytes,
    fields: Vec<Field>,
    model: String,
    stream: bool,
    hides_usage: bool,
    /// Why it cannot be said in our terms, if it cannot.
    obstacle: Option<String>,
    headers: Vec<(String, String)>,
}

/// Whether this field holds the request of which Gemini counts the tokens.
fn is_counted_request(name: &str) -> bool {
    is_same_field(name, "generateContentRequest")
}

/// A field of the body's object, with the place of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    value: Range<usize>,
}

/// Without the body, which holds the prompt.
impl fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBody").field("api", &self.api).field("path", &self.path).finish_non_exhaustive()
    }
}

impl ClientBody {
    /// Reads as much of a request as has to be known to send it on. `path` is the one below the base URL, with its query;
    /// Gemini's names the model.
    ///
    /// # Errors
    /// The body is not a JSON object, or no model is named.
    pub fn read(api: Api, operation: Operation, path: &str, bytes: Bytes) -> Result<Self, DecodeError> {
        check_values(&bytes).map_err(malformed)?;
        let fields = fields_of(&bytes)?;
        if let Some(field) = fields.iter().find(|field| names_other_model(&field.name)) {
            return Err(malformed(format!(
                "`{}` may ask a model that no limit knows of; `model` names it",
                field.name
            )));
        }
        let value = |name: &str| {
            let field = fields.iter().rev().find(|field| field.name == name)?;
            serde_json::from_slice::<Value>(&bytes[field.value.clone()]).ok()
        };
        let (model, stream, path) = if api == Api::Gemini {
            let (model, method) = gemini::model_and_method(path)?;
            let is_its_name = |name: &str| name.strip_prefix("models/").unwrap_or(name) == model;
            let is_other = |field: &Field| {
                let is_request = is_counted_request(&field.name);
                if field.name != "model" && !is_request {
                    return false;
                }
                // What cannot be read may say anything.
                let Ok(value) = serde_json::from_slice::<Value>(&bytes[field.value.clone()]) else { return true };
                let name = if is_request { &value["model"] } else { &value };
                !name.is_null() && !name.as_str().is_some_and(is_its_name)
            };
            if fields.iter().any(is_other) {
                return Err(malformed("`model` is not the model that the path names"));
            }
            (model, method == "streamGenerateContent", format!("{method}{}", form(path)))
        } else {
            let Some(Value::String(model)) = value("model") else {
                return Err(malformed("`model` is missing, or is not a text"));
            };
            (model, value("stream") == Some(Value::Bool(true)), path.to_owned())
        };
        if may_name_others(&model) {
            return Err(malformed("a comma or a preset in the name of a model may ask a model that no limit knows of"));
        }
        let (hides_usage, obstacle, headers) = (false, None, Vec::new());
        Ok(Self { api, operation, path, bytes, fields, model, stream, hides_usage, obstacle, headers })
    }

    /// The same body, which cannot be said in our terms for this reason.
    #[must_use]
    pub fn not_understood(self, obstacle: String) -> Self {
        Self { obstacle: Some(obstacle), ..self }
    }

    /// Why the body cannot be said in our terms. Where there is no reason, nothing in it can be larger than it looks.
    pub fn obstacle(&self) -> Option<&str> {
        self.obstacle.as_deref()
    }

    /// The same with headers of the client that belong to its wire format and are sent on.
    #[must_use]
    pub fn with_headers(self, headers: Vec<(String, String)>) -> Self {
        Self { headers, ..self }
    }

    /// The wire format.
    pub fn api(&self) -> Api {
        self.api
    }

    /// What the client asks for.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The model as the client names it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the client wants a stream.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether usage is asked for that the client did not ask for, so that it is left out of what the client gets.
    pub fn hides_usage(&self) -> bool {
        self.hides_usage
    }

    /// The headers of the client that are sent on.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The bytes as they came, or as they were last changed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The request as it is sent, for this model.
    pub fn wire(&self, model: &str) -> WireRequest {
        let (path, name) = match self.api {
            Api::Gemini => (gemini::path(model, &self.path), format!("models/{}", model.trim_start_matches("models/"))),
            _ => (self.path.clone(), model.to_owned()),
        };
        let name = Value::from(name);
        let named = self.fields.iter().filter_map(|field| {
            let value = match &*field.name {
                "model" => name.clone(),
                _ => self.with_model(field, &name)?,
            };
            Some((field.value.clone(), value.to_string()))
        });
        let mut body = Vec::with_capacity(self.bytes.len() + 64);
        let mut done = 0;
        for (place, value) in named {
            body.extend_from_slice(&self.bytes[done..place.start]);
            body.extend_from_slice(value.as_bytes());
            done = place.end;
        }
        body.extend_from_slice(&self.bytes[done..]);
        WireRequest { path, body }
    }

    /// The request in a field of Gemini's token counting, if it names a model, with this one in its place.
    fn with_model(&self, field: &Field, name: &Value) -> Option<Value> {
        if self.api != Api::Gemini || !is_counted_request(&field.name) {
            return None;
        }
        let mut request: Map<String, Value> = serde_json::from_slice(&self.bytes[field.value.clone()]).ok()?;
        *request.get_mut("model").filter(|model| !model.is_null())? = name.clone();
        Some(Value::Object(request))
    }

    /// Whether the client may want several answers at once. Of the body, no more is read than the fields that may say so.
    pub fn wants_several(&self) -> bool {
        let fields = self.fields.iter().filter(|field| may_ask_for_several(&field.name));
        let read = |field: &Range<usize>| serde_json::from_slice(&self.bytes[field.clone()]).ok();
        ask_for_several(&Object(
            fields.filter_map(|field| Some((Cow::Borrowed(&*field.name), read(&field.value)?))).collect(),
        ))
    }

    /// Whether the body has a field of this name, at the top or among the settings of Gemini's format.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
            || self.settings().is_some_and(|(_, settings)| settings.contains_key(name))
    }

    /// The body without the fields of these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut kept = self.clone();
        if let Some((at, mut settings)) = self.settings()
            && names.iter().any(|name| settings.contains_key(*name))
        {
            settings.retain(|name, _| !names.contains(&name.as_str()));
            kept = kept.replaced(at, &Value::Object(settings).to_string());
        }
        kept.rebuilt(|name| (!names.contains(&name)).then(|| name.to_owned()))
    }

    /// The body with a field under another name.
    #[must_use]
    pub fn renamed(&self, from: &str, to: &str) -> Self {
        self.rebuilt(|name| Some(if name == from { to.to_owned() } else { name.to_owned() }))
    }

    /// The body that asks for usage at the end of a stream, in the format that does not send it unasked. All else stays as
    /// it is to the byte.
    #[must_use]
    pub fn with_usage(&self) -> Self {
        const OPTIONS: &str = "stream_options";
        if self.api != Api::OpenaiChat || !self.stream {
            return self.clone();
        }
        let place = self.fields.iter().rposition(|field| field.name == OPTIONS);
        let options = place.map(|at| serde_json::from_slice(&self.bytes[self.fields[at].value.clone()]));
        let asking = match options {
            Some(Ok(Value::Object(options))) if options.get("include_usage") == Some(&Value::Bool(true)) => {
                return self.clone();
            }
            Some(Ok(Value::Object(mut options))) => {
                options.insert("include_usage".into(), true.into());
                self.replaced(place.unwrap_or_default(), &Value::Object(options).to_string())
            }
            Some(_) => self.replaced(place.unwrap_or_default(), &json!({"include_usage": true}).to_string()),
            None => {
                let open = self.bytes.iter().position(|byte| *byte == b'{').unwrap_or_default() + 1;
                // The body names a model, so that another field follows.
                self.spliced(open..open, r#""stream_options":{"include_usage":true},"#)
            }
        };
        Self { hides_usage: true, ..asking }
    }

    /// The field that holds the settings of Gemini's format, and the settings.
    fn settings(&self) -> Option<(usize, Map<String, Value>)> {
        let is_settings = |field: &Field| matches!(&*field.name, "generationConfig" | "generation_config");
        let at = self.fields.iter().position(is_settings).filter(|_| self.api == Api::Gemini)?;
        let settings = serde_json::from_slice(&self.bytes[self.fields[at].value.clone()]).ok()?;
        Some((at, settings))
    }

    fn replaced(&self, field: usize, value: &str) -> Self {
        self.spliced(self.fields[field].value.clone(), value)
    }

    fn spliced(&self, place: Range<usize>, text: &str) -> Self {
        let bytes = [&self.bytes[..place.start], text.as_bytes(), &self.bytes[place.end..]].concat();
        self.with_bytes(bytes)
    }

    /// The body with each field under the name that `named` gives it, or without it.
    fn rebuilt(&self, named: impl Fn(&str) -> Option<String>) -> Self {
        if self.fields.iter().all(|field| named(&field.name).as_ref() == Some(&field.name)) {
            return self.clone();
        }
        let mut bytes = vec![b'{'];
        for field in &self.fields {
            let Some(name) = named(&field.name) else { continue };
            if bytes.len() > 1 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(Value::from(name).to_string().as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(&self.bytes[field.value.clone()]);
        }
        bytes.push(b'}');
        self.with_bytes(bytes)
    }

    fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        let fields = fields_of(&bytes).unwrap_or_default();
        Self { bytes: bytes.into(), fields, ..self.clone() }
    }
}

/// The part of a query that says in which form Gemini's answer comes. Whatever else is there may be secret.
fn form(path: &str) -> String {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let form = query.split('&').find(|part| part.starts_with("alt=") || part.starts_with("$alt="));
    form.map_or_else(String::new, |form| format!("?{form}"))
}

/// The fields of the body's object. Their values stay unread, since some of them hold whole files.
fn fields_of(body: &[u8]) -> Result<Vec<Field>, DecodeError> {
    let text = str::from_utf8(body).map_err(|_| malformed("the request body is not UTF-8"))?;
    let found = serde_json::from_str(text);
    let Object(found) = found.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => malformed("the request body is not a JSON object"),
        _ => malformed(format!("the request body is not JSON: {error}")),
    })?;
    let start = text.as_ptr() as usize;
    let place = |(name, value): (Cow<'_, str>, &RawValue)| {
        let at = value.get().as_ptr() as usize - start;
        Field { name: name.into_owned(), value: at..at + value.get().len() }
    };
    Ok(found.into_iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: &str) -> ClientBody {
        let body = Bytes::copy_from_slice(body.as_bytes());
        ClientBody::read(Api::OpenaiChat, Operation::Generate, "chat/completions", body).expect("a request")
    }

    // V07
    #[test]
    fn a_field_that_may_ask_another_model_is_refused() {
        for field in ["models", "fallbacks", "Model", "MODELS", "model_list", "\\u006dodels", "user_config"] {
            let body = format!(r#"{{"model":"cheap","{field}":["dear"],"messages":[]}}"#);
            let read = |api| ClientBody::read(api, Operation::Generate, "chat/completions", body.clone().into());
            let error = read(Api::OpenaiChat).expect_err(field).to_string();
            assert!(error.contains("may ask a model that no limit knows of"), "{error}");
        }
        for name in ["@preset/dear", "cheap@preset/dear", "cheap@PRESET/dear", "cheap,dear", "cheap, dear", "cheap,"] {
            let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
            let error = ClientBody::read(Api::OpenaiChat, Operation::Generate, "chat/completions", body.into());
            assert!(error.expect_err(name).to_string().contains("may ask a model that no limit knows of"));
        }
        chat(r#"{"model":"cheap","metadata":{"models":["x"]},"provider":{"order":["a"]}}"#);
    }

    fn text(wire: WireRequest) -> String {
        String::from_utf8(wire.body).expect("UTF-8")
    }

    #[test]
    fn all_but_the_model_stays_as_it_is_to_the_byte() {
        let body = "\n{ \"new\" : [1.0, 1e3 ,{\"a\":\"\\u00e9\"}],\r\n\"model\":\t\"fast\", \"z\":{\"model\":\"x\"}, \"a\":null}\n";
        let wire = chat(body).wire("vendor/\"m\"");
        assert_eq!(wire.path, "chat/completions");
        assert_eq!(text(wire), body.replace("\"fast\"", r#""vendor/\"m\"""#));
        assert_eq!(text(chat(r#"{"model":"a","model":"b"}"#).wire("c")), r#"{"model":"c","model":"c"}"#);
    }

    #[test]
    fn a_field_is_left_out_or_renamed_and_the_others_keep_their_bytes() {
        let body = chat(r#"{"max_tokens": 5, "model":"m","odd" : {"b":1,"a" : 2}, "seed":1.50}"#);
        assert!(body.has("seed") && !body.has("b"));
        let left = text(body.without(&["seed", "absent"]).wire("m"));
        assert_eq!(left, r#"{"max_tokens":5,"model":"m","odd":{"b":1,"a" : 2}}"#);
        assert!(
            text(body.renamed("max_tokens", "max_completion_tokens").wire("m"))
                .starts_with(r#"{"max_completion_tokens":5,"#)
        );
        assert_eq!(text(body.without(&["absent"]).wire("m")), text(body.wire("m")));
    }

    #[test]
    fn usage_is_asked_for_where_the_client_does_not_and_hidden_then() {
        for (body, sent) in [
            (
                r#"{ "stream":true,"model":"m"}"#,
                r#"{"stream_options":{"include_usage":true}, "stream":true,"model":"m"}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{"new":1}}"#,
                r#"{"model":"m","stream":true,"stream_options":{"new":1,"include_usage":true}}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":null}"#,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            let asking = chat(body).with_usage();
            assert_eq!((text(asking.wire("m")), asking.hides_usage()), (sent.to_owned(), true));
        }
        for body in [r#"{"model":"m"}"#, r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#] {
            let asking = chat(body).with_usage();
            assert_eq!((text(asking.wire("m")), asking.hides_usage()), (body.to_owned(), false));
        }
    }

    #[test]
    fn the_path_names_geminis_model_and_never_keeps_the_key() {
        let path = "models/fast:streamGenerateContent?key=lk-secret&alt=sse";
        let body = Bytes::from_static(br#"{"generationConfig":{"topP":0.5,"new":1},"contents":[]}"#);
        let body = ClientBody::read(Api::Gemini, Operation::Generate, path, body).expect("a request");
        assert_eq!((body.model(), body.stream()), ("fast", true));
        let wire = body.without(&["topP"]).wire("gemini-3");
        assert_eq!(wire.path, "models/gemini-3:streamGenerateContent?alt=sse");
        assert_eq!(text(wire), r#"{"generationConfig":{"new":1},"contents":[]}"#);
    }

    #[test]
    fn a_body_of_gemini_names_no_other_model_than_its_path() {
        let read = |body: &'static str| {
            let path = "models/fast:generateContent";
            ClientBody::read(Api::Gemini, Operation::Generate, path, Bytes::from_static(body.as_bytes()))
        };
        for body in [r#"{"model":"fast","contents":[]}"#, r#"{"model":"models/fast","contents":[]}"#] {
            let body = read(body).expect("its own name");
            assert_eq!(text(body.wire("gemini-3")), r#"{"model":"models/gemini-3","contents":[]}"#);
        }
        for body in [r#"{"model":"dear"}"#, r#"{"model":"dear","model":"fast"}"#, r#"{"model":["dear"]}"#] {
            let refused = read(body).expect_err(body).to_string();
            assert_eq!(refused, "`model` is not the model that the path names");
        }
    }

    #[test]
    fn what_is_no_request_says_so() {
        let read = |body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            ClientBody::read(Api::OpenaiChat, Operation::Generate, "chat/completions", body)
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("[1]").expect_err("a list"), "the request body is not a JSON object");
        assert!(read("{\"model\":").expect_err("cut").starts_with("the request body is not JSON: "));
        assert!(read("{\"model\":\"m\"} x").expect_err("more").starts_with("the request body is not JSON: "));
        assert_eq!(read("{\"model\":7}").expect_err("a number"), "`model` is missing, or is not a text");
    }
}
