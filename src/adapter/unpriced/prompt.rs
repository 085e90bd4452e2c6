//! What a prompt may refer to that is larger than it looks: a file elsewhere, a film, a picture that is not counted as one.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::adapter::field_names::{folded, is_same_field};
use crate::adapter::media::{data_type, is_picture_content, picture_by_url};
use crate::adapter::tree::Tree;
use crate::chat::MediaKind;

/// Where a wire format has its prompt.
pub(in crate::adapter) struct Prompt {
    /// The fields in which its pictures are counted.
    pub(in crate::adapter) fields: &'static [&'static str],
    /// The field of a message that holds its parts.
    pub(in crate::adapter) parts: &'static str,
}

/// The fields in which some format has its prompt, or marks it for a cache. No other spelling of them is counted.
const PROMPTS: [&str; 9] = [
    "cache_control",
    "contents",
    "input",
    "instructions",
    "messages",
    "prompt",
    "system",
    "systemInstruction",
    "system_instruction",
];

/// Fields inside of a prompt that decide what something is, as the formats spell them.
const DECISIVE: [&str; 21] = [
    "cache_control",
    "content",
    "file",
    "file_data",
    "fileData",
    "file_id",
    "file_uri",
    "fileUri",
    "file_url",
    "function_response",
    "functionResponse",
    "image_url",
    "inline_data",
    "inlineData",
    "media_type",
    "mime_type",
    "mimeType",
    "parts",
    "source",
    "type",
    "url",
];

/// Fields inside of a prompt that hold nothing but text to a model: whatever is in them counts by its bytes.
const FREE: [&str; 13] = [
    "annotations",
    "args",
    "arguments",
    "citations",
    "extra_content",
    "input",
    "input_schema",
    "logprobs",
    "metadata",
    "parameters",
    "reasoning_details",
    "response",
    "schema",
];

/// Whether some gateway may read its prompt from a field of this name.
pub(super) fn is_prompt(name: &str) -> bool {
    PROMPTS.iter().any(|prompt| is_same_field(prompt, name))
}

impl Prompt {
    /// The path of what has no known price in this field of a body.
    pub(super) fn unpriced(&self, name: &str, value: &RawValue) -> Option<String> {
        if !is_prompt(name) {
            return None;
        }
        if !PROMPTS.contains(&name) {
            return Some(name.to_owned());
        }
        let Ok(tree) = serde_json::from_str::<Tree<'_>>(value.get()) else { return Some(name.to_owned()) };
        let is_counted = self.fields.contains(&name);
        if let Some(path) = self.in_tree(&tree, is_counted) {
            return Some(below(name, &path));
        }
        // In a format that does not have this field for chats, it holds texts to embed, or to continue.
        let is_of_texts = ["input", "prompt"].contains(&name) && !is_counted;
        (is_of_texts && !is_text_alone(&tree)).then(|| name.to_owned())
    }

    /// The path below this value; empty for the value itself. `is_counted` says whether pictures at this place are counted.
    fn in_tree(&self, tree: &Tree<'_>, is_counted: bool) -> Option<String> {
        let mut items = tree.items().iter().enumerate();
        if let Some(path) =
            items.find_map(|(place, item)| Some(below(&place.to_string(), &self.in_tree(item, is_counted)?)))
        {
            return Some(path);
        }
        let fields = tree.fields();
        if tree.repeats_a_field() {
            return Some(String::new());
        }
        fields.iter().filter(|(_, value)| !value.is_null()).find_map(|(name, value)| {
            let is_other_spelling = || DECISIVE.iter().any(|known| is_same_field(known, name));
            if !DECISIVE.contains(&&**name) && is_other_spelling() || is_unpriced(name, value, tree, is_counted) {
                return Some((**name).to_owned());
            }
            if FREE.contains(&&**name) {
                return None;
            }
            let is_counted = is_counted && **name == *self.parts && is_message(tree);
            Some(below(name, &self.in_tree(value, is_counted)?))
        })
    }
}

/// Whether this holds texts, tokens, or lists or objects of texts alone. Whatever else an object has may be the address of a file,
/// under any name.
fn is_text_alone(tree: &Tree<'_>) -> bool {
    let is_text = |(name, value): &(Cow<'_, str>, Tree<'_>)| match &**name {
        "text" => value.text().is_some(),
        "type" => matches!(value.text(), Some("text" | "input_text")),
        "content" => is_text_alone(value),
        _ => false,
    };
    tree.items().iter().all(is_text_alone) && tree.fields().iter().all(is_text)
}

fn below(name: &str, path: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{name}.{path}") }
}

/// Whether the parts of this object are read, because it is no part itself.
fn is_message(tree: &Tree<'_>) -> bool {
    let is_kind = tree.get(&["type"]).is_none_or(|kind| matches!(kind.text(), Some("message" | "tool_result")));
    is_kind && tree.get(&["text"]).is_none()
}

/// Whether this field of a part refers to something whose price is not known.
fn is_unpriced(name: &str, value: &Tree<'_>, part: &Tree<'_>, is_counted: bool) -> bool {
    let kind = part.get(&["type"]).and_then(Tree::text);
    let text = |tree: &Tree<'_>, names: &[&str]| tree.get(names).and_then(Tree::text).map(str::to_owned);
    match &*folded(name) {
        "fileid" | "fileurl" | "videourl" | "audiourl" | "documenturl" | "pdfurl" | "image" | "video" | "audio" => true,
        "attachments" | "fileids" | "files" => true,
        // So fine may a picture be read that it costs more than others.
        "mediaresolution" => true,
        // Some vendors take an address for the data.
        "inputaudio" => text(value, &["data"]).is_none_or(|data| data.contains(':')),
        "imageurl" => {
            let is_kind = matches!(kind, Some("image_url" | "input_image"));
            let url = value.text().or_else(|| value.get(&["url"]).and_then(Tree::text));
            // LiteLLM's field for what the address does not tell.
            let is_picture_type = text(value, &["format"]).is_none_or(|media_type| is_picture(&media_type));
            !(is_counted && is_kind && is_picture_type && url.is_some_and(|url| picture_by_url(url) != Some(false)))
        }
        "source" if !value.fields().is_empty() => {
            let media_type = text(value, &["media_type"]);
            let is_film_type = media_type.as_deref().is_some_and(is_film);
            let is_picture = match (&media_type, text(value, &["url"])) {
                (Some(media_type), None) => is_picture(media_type) && holds_picture(value),
                (None, Some(url)) => picture_by_url(&url) != Some(false),
                _ => false,
            };
            match kind {
                Some("image") => !(is_counted && is_picture),
                Some("document") => is_film_type || value.get(&["url"]).is_some(),
                _ => true,
            }
        }
        "filedata" => match value {
            Tree::Text(url) => data_type(url).is_some_and(is_film),
            file => !(is_counted && is_alone(part) && is_picture_elsewhere(file)),
        },
        "inlinedata" => {
            let is_right =
                |media_type: String| !is_film(&media_type) && (!is_picture(&media_type) || holds_picture(value));
            !(is_counted && is_alone(part) && text(value, &["mimeType", "mime_type"]).is_none_or(is_right))
        }
        _ => false,
    }
}

/// Whether the content of a part is the picture as which it is sent.
fn holds_picture(value: &Tree<'_>) -> bool {
    value.get(&["data"]).and_then(Tree::text).is_some_and(is_picture_content)
}

fn is_picture(media_type: &str) -> bool {
    MediaKind::of(media_type) == MediaKind::Picture
}

fn is_film(media_type: &str) -> bool {
    MediaKind::of(media_type) == MediaKind::Film
}

/// Whether one of Gemini's parts is nothing else as well. Of several, only one is counted.
fn is_alone(part: &Tree<'_>) -> bool {
    let kinds = [
        &["text"][..],
        &["inlineData", "inline_data"],
        &["fileData", "file_data"],
        &["functionCall", "function_call"],
        &["functionResponse", "function_response"],
    ];
    kinds.iter().filter(|kind| part.get(kind).is_some()).count() == 1
}

/// Whether one of Gemini's files elsewhere is a picture. A picture has a usual size, a film or a document may be of any length.
fn is_picture_elsewhere(file: &Tree<'_>) -> bool {
    let text = |names| file.get(names).and_then(Tree::text).unwrap_or_default();
    let by_url = picture_by_url(text(&["fileUri", "file_uri"]));
    match text(&["mimeType", "mime_type"]) {
        "" => by_url == Some(true),
        media_type => is_picture(media_type) && by_url != Some(false),
    }
}
