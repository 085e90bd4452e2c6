//! Estimates of how many tokens a request takes, for when no gateway has counted them.

use std::cell::Cell;

use serde_json::Value;

use super::media::{Count, Left};
use super::{archive, document};
use crate::chat::{ImageSource, Part, Request, ResponseFormat, Usage};
use crate::rates::CacheMark;

/// What vendors add to a prompt where tools may be called, in tokens: Anthropic at most 346, and 735 for those of its own.
const TOOLS: u64 = 1_081;

/// The tokens of an answer without a limit.
const USUAL_OUTPUT: u64 = 500;

/// About how many tokens a request has for this model.
pub fn input_tokens(request: &Request, model: &str) -> u64 {
    let count = Count::about(model);
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let tools = request.tools.iter().map(|tool| {
        let words = text(&tool.name) + tool.description.as_deref().map_or(0, text);
        words + tool.parameters.as_ref().map_or(0, json)
    });
    let form = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) => json(schema),
        Some(ResponseFormat::JsonObject) | None => 0,
    };
    parts.map(|it| part(it, count)).chain(tools).sum::<u64>() + form
}

fn text(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

fn json(value: &Value) -> u64 {
    text(&value.to_string())
}

/// The most input that a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostInput {
    pub tokens: u64,
    /// What the request marks for a cache of the vendor.
    pub mark: CacheMark,
}

/// The most input that a request with this body may have for this model. No tokenizer makes more tokens of a text than the text has bytes,
/// and the JSON around a message has more bytes than a model's own marks around it have tokens. Only what is no text is
/// estimated: an image by its usual price, a PDF by its pages and what its text is compressed to, an office file by what is compressed in
/// it, a recording by its length. A file of text in Base64 counts by its bytes.
pub fn most_input(request: &Request, body: &[u8], model: &str) -> MostInput {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let (documents, archives) = (Cell::new(document::MOST_INFLATED), Cell::new(archive::MOST_INFLATED));
    let left = Left { documents: &documents, archives: &archives };
    let most = Count::most(model, left);
    let (base64, tokens) = parts.fold((0, 0), |(base64, tokens), media| match media {
        Part::Image(image) => match &image.source {
            ImageSource::Url(_) => (base64, tokens + part(media, most)),
            ImageSource::Data { base64: data, .. } => (base64 + data.len(), tokens + part(media, most)),
        },
        Part::File(file) => (base64 + file.base64.len(), tokens + part(media, most)),
        Part::Audio(audio) => (base64 + audio.base64.len(), tokens + part(media, most)),
        Part::Text(_) | Part::Reasoning { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => (base64, tokens),
    });
    let tools = if has(body, "\"tools\"") { TOOLS } else { 0 };
    let tokens = (body.len().saturating_sub(base64) as u64).saturating_add(tokens).saturating_add(tools);
    MostInput { tokens, mark: mark(body) }
}

fn has(body: &[u8], text: &str) -> bool {
    memchr::memmem::find(body, text.as_bytes()).is_some()
}

/// What the body marks for a cache. No writer of JSON escapes a letter in a name, so a body that has such an escape may hide a
/// mark.
fn mark(body: &[u8]) -> CacheMark {
    let is_hidden =
        || memchr::memmem::find_iter(body, br"\u00").any(|at| matches!(body.get(at + 4), Some(b'4'..=b'7')));
    if has(body, "prompt_cache_breakpoint") || is_hidden() {
        CacheMark::HalfDay
    } else if has(body, "cache_control") {
        CacheMark::Hour
    } else {
        CacheMark::None
    }
}

fn part(part: &Part, count: Count<'_>) -> u64 {
    match part {
        Part::Text(content) => text(content),
        Part::Reasoning { text: content, .. } => text(content),
        Part::ToolCall(call) => text(&call.name) + text(&call.arguments),
        Part::ToolResult { content, .. } => text(content),
        Part::Image(image) => count.image(image),
        Part::File(file) => count.file(file),
        Part::Audio(audio) => count.audio(audio),
    }
}

/// What a call of this model is expected to use, to compare the prices of models.
/// Where the model is not known yet, an empty name is that of a usual one. Reasoning is taken as none, since it cannot be known.
pub fn expected(request: &Request, model: &str) -> Usage {
    let output = request.max_tokens.map_or(USUAL_OUTPUT, |most| most.min(USUAL_OUTPUT));
    Usage { input: Some(input_tokens(request, model)), output: Some(output), reasoning: Some(0), ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Image, Message, Role, Tool};
    use crate::pricing::media::{IMAGE, ORIGINAL};

    #[test]
    fn four_bytes_are_about_a_token_and_no_picture_is_free() {
        let mut request = Request { messages: vec![Message::text(Role::User, "a".repeat(401))], ..Request::default() };
        assert_eq!(input_tokens(&request, "m"), 101);
        let image = Image { source: ImageSource::Url("https://x/y.png".into()), detail: None };
        request.messages[0].parts.push(Part::Image(image));
        assert_eq!(input_tokens(&request, "m"), 101 + IMAGE);
    }

    #[test]
    fn a_picture_counts_as_much_as_its_model_takes_for_it() {
        let image = Image { source: ImageSource::Url("https://x/y.png".into()), detail: None };
        let parts = vec![Part::Image(image)];
        let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
        for (model, tokens) in [
            ("openai/gpt-4o-mini-2024-07-18", 48_169),
            ("GPT-4o-mini", 48_169),
            ("gpt-4o", IMAGE),
            ("openai/gpt-4.1-nano", 3_779),
            ("o4-mini", 2_642),
            ("gpt-5.4-mini", 2_642),
            ("openai/gpt-5-nano", 3_779),
            ("gpt-5.5", 2_500),
        ] {
            assert_eq!(input_tokens(&request, model), tokens, "{model}");
            assert_eq!(most_input(&request, b"", model).tokens, tokens, "{model}");
        }
    }

    #[test]
    fn a_picture_in_all_its_detail_counts_as_the_most_that_one_may_take() {
        for (detail, tokens) in
            [(None, IMAGE), (Some("low"), IMAGE), (Some("high"), IMAGE), (Some("original"), ORIGINAL)]
        {
            let source = ImageSource::Url("https://x/y.png".into());
            let parts = vec![Part::Image(Image { source, detail: detail.map(str::to_owned) })];
            let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
            assert_eq!(most_input(&request, b"", "m").tokens, tokens, "{detail:?}");
        }
    }

    #[test]
    fn tools_and_schemas_are_part_of_what_is_sent() {
        let schema = serde_json::json!({"type": "object", "description": "x".repeat(4_000)});
        let tool = Tool {
            name: "look".into(),
            description: Some("y".repeat(400)),
            parameters: Some(schema.clone()),
            strict: None,
        };
        let tokens = json(&schema);
        assert!(tokens > 1_000);
        let body = br#"{"tools":[]}"#;
        assert_eq!(most_input(&Request::default(), body, "m").tokens, body.len() as u64 + TOOLS);
        let with_tool = Request { tools: vec![tool], ..Request::default() };
        assert_eq!(input_tokens(&with_tool, "m"), 1 + 100 + tokens);
        let format = ResponseFormat::JsonSchema { name: "n".into(), schema, strict: None };
        assert_eq!(input_tokens(&Request { response_format: Some(format), ..Request::default() }, "m"), tokens);
    }

    #[test]
    fn no_text_has_more_tokens_than_bytes_and_media_are_estimated() {
        let text = Part::Text("大".repeat(100));
        let data = "A".repeat(60_000);
        let file =
            Part::File(crate::chat::File { name: None, media_type: "application/pdf".into(), base64: data.clone() });
        let image = Image { source: ImageSource::Data { media_type: "image/png".into(), base64: data }, detail: None };
        let most = |parts: Vec<Part>| {
            let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
            let body = crate::adapter::Api::OpenaiChat.adapter().encode_request("m", &request).body;
            most_input(&request, &body, "m").tokens
        };
        let with_text = most(vec![text.clone()]);
        assert!((300..500).contains(&with_text), "{with_text}");
        let with_all = most(vec![text, file, Part::Image(image)]);
        // A document whose pages cannot be counted has a token for each byte.
        assert!((with_text + 45_000 + IMAGE..with_text + 45_500 + IMAGE).contains(&with_all), "{with_all}");
    }

    #[test]
    fn every_medium_counts_once_and_its_base64_not_at_all() {
        let data = |length: usize| "A".repeat(length);
        let picture = |source| Part::Image(Image { source, detail: None });
        let file = |name: Option<&str>, media_type: &str| {
            Part::File(crate::chat::File {
                name: name.map(str::to_owned),
                media_type: media_type.into(),
                base64: data(6_000),
            })
        };
        let png = || picture(ImageSource::Data { media_type: "image/png".into(), base64: data(500) });
        let parts = vec![
            png(),
            png(),
            picture(ImageSource::Url("https://host/a.png".into())),
            picture(ImageSource::Url("https://host/b.png".into())),
            picture(ImageSource::Data { media_type: "application/pdf".into(), base64: data(600) }),
            file(None, "application/pdf"),
            file(Some("a.pdf"), "application/pdf"),
            file(Some("a.txt"), "application/pdf"),
            Part::Audio(crate::chat::Audio { media_type: "audio/mpeg".into(), base64: data(600) }),
            Part::Audio(crate::chat::Audio { media_type: "audio/mpeg".into(), base64: data(1_200) }),
            Part::ToolCall(crate::chat::ToolCall { id: "1".into(), name: "abcd".into(), arguments: data(8) }),
        ];
        let base64 = 2 * 500 + 600 + 3 * 6_000 + 600 + 1_200;
        let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
        let recordings = 30 + 60;
        let documents = 450 + 4_500 + 4_500;
        assert_eq!(
            most_input(&request, &vec![b'x'; base64 + 70], "m").tokens,
            70 + 4 * IMAGE + recordings + documents + 4_500
        );
        let media = 4 * IMAGE + recordings / 3 + 10 + 100 + 100;
        // One token for four bytes of text, and one for each of a few around a message.
        let empty = Request { messages: vec![Message { role: Role::User, parts: vec![] }], ..Request::default() };
        assert_eq!(input_tokens(&request, "m") - input_tokens(&empty, "m"), media + 1_125 + 1 + 2);
    }

    #[test]
    fn a_file_of_text_counts_as_text_and_a_picture_as_a_picture() {
        let tokens = |media_type: &str| {
            let file = crate::chat::File { name: None, media_type: media_type.into(), base64: "A".repeat(6_000) };
            let parts = vec![Part::File(file)];
            let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
            (input_tokens(&request, "m"), most_input(&request, &[b'x'; 6_000], "m").tokens)
        };
        for text in ["text/plain", "TEXT/csv", "application/json", "application/xml", "application/octet-stream", ""] {
            assert_eq!(tokens(text), (1_125, 4_500), "{text}");
        }
        assert_eq!(tokens("audio/wav"), (100, 100));
        assert_eq!(tokens("audio/mpeg"), (100, 300));
        assert_eq!(tokens("audio/ogg"), (100, 750));
        for document in ["application/pdf", "Application/PDF"] {
            assert_eq!(tokens(document), (100, 4_500), "{document}: no page can be found in it");
        }
        assert_eq!(tokens("image/png"), (IMAGE, IMAGE));
    }

    #[test]
    fn a_pdf_counts_by_its_pages_whatever_it_is_called() {
        let pdf = "%PDF-1.4 1 0 obj<</Type/Pages/Count 100>>endobj 2 0 obj<</Type/Page>>endobj";
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pdf);
        for media_type in ["application/pdf", "application/octet-stream", ""] {
            let file = crate::chat::File { name: None, media_type: media_type.into(), base64: base64.clone() };
            let parts = vec![Part::File(file)];
            let request = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
            assert_eq!(most_input(&request, base64.as_bytes(), "m").tokens, 100 * IMAGE, "{media_type}");
        }
    }

    #[test]
    fn what_is_marked_for_a_cache_is_found_and_counts_once() {
        for (body, mark) in [
            (r#"{"text":"caf\u00e9 \u001b"}"#, CacheMark::None),
            (r#"{"cache_control":{"ttl":"1h"}}"#, CacheMark::Hour),
            (r#"{"prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}"#, CacheMark::HalfDay),
            (r#"{"cache\u005fcontrol":{}}"#, CacheMark::HalfDay),
            (r#"{"\u0063ache_control":{}}"#, CacheMark::HalfDay),
        ] {
            let most = most_input(&Request::default(), body.as_bytes(), "m");
            assert_eq!(most, MostInput { tokens: body.len() as u64, mark }, "{body}");
        }
    }

    #[test]
    fn an_answer_is_expected_to_be_no_longer_than_it_may() {
        let request = |max_tokens| Request { max_tokens, ..Request::default() };
        assert_eq!(expected(&request(None), "m").output, Some(USUAL_OUTPUT));
        assert_eq!(expected(&request(Some(20)), "m").output, Some(20));
        assert_eq!(expected(&request(Some(100_000)), "m").output, Some(USUAL_OUTPUT));
    }
}
