//! What can be read of a request that is not understood as a whole, and so only passed on: its owner finds in the ledger what was
//! asked, although one part of it may be unknown.

use serde_json::{Map, Value};

use crate::chat::{Message, Role};

/// Where the formats keep what is said, and by whom it is said there.
const PLACES: [(&str, Role); 8] = [
    ("system", Role::System),
    ("instructions", Role::System),
    ("systemInstruction", Role::System),
    ("system_instruction", Role::System),
    ("messages", Role::User),
    ("contents", Role::User),
    ("input", Role::User),
    ("prompt", Role::User),
];

/// The messages of a request in any of the formats. A part of an unknown kind is told by its kind, as in `[video_url]`.
pub(super) fn messages(body: &Map<String, Value>) -> Vec<Message> {
    let said = PLACES.into_iter().filter_map(|(place, role)| Some((body.get(place)?, role)));
    let each = |(said, role): (&Value, Role)| match said {
        Value::Array(turns) if role == Role::User => turns.iter().filter_map(|turn| message(turn, role)).collect(),
        other => message(other, role).into_iter().collect::<Vec<_>>(),
    };
    said.flat_map(each).collect()
}

fn message(turn: &Value, otherwise: Role) -> Option<Message> {
    let role = match turn["role"].as_str() {
        Some("assistant" | "model") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        _ => otherwise,
    };
    let text = text(turn);
    (!text.is_empty()).then(|| Message::text(role, text))
}

fn text(said: &Value) -> String {
    match said {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n"),
        Value::Object(part) => {
            let inner = ["text", "content", "parts"].into_iter().filter_map(|name| part.get(name));
            match inner.map(text).find(|text| !text.is_empty()) {
                Some(text) => text,
                None if part.contains_key("role") => String::new(),
                None => {
                    let kind = part.get("type").and_then(Value::as_str).or(part.keys().next().map(String::as_str));
                    kind.map_or_else(String::new, |kind| format!("[{kind}]"))
                }
            }
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::Part;

    #[test]
    fn what_is_known_is_read_in_every_format() {
        let read = |body: Value| {
            let all = messages(body.as_object().expect("an object"));
            let shown = |message: &Message| match &message.parts[..] {
                [Part::Text(text)] => format!("{:?}: {text}", message.role),
                other => panic!("{other:?}"),
            };
            all.iter().map(shown).collect::<Vec<_>>()
        };
        let film = json!({"type": "video_url", "video_url": {"url": "u"}});
        let chat = json!({"model": "m", "messages": [{"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "look"}, film]},
            {"role": "assistant", "content": null, "tool_calls": []}]});
        assert_eq!(read(chat), ["System: be kind", "User: look\n[video_url]"]);
        let anthropic = json!({"system": [{"type": "text", "text": "s"}], "messages": [{"role": "assistant", "content": [
            {"type": "server_tool_use", "name": "web_search", "input": {}}, {"type": "text", "text": "found"}]}]});
        assert_eq!(read(anthropic), ["System: s", "Assistant: [server_tool_use]\nfound"]);
        let responses =
            json!({"instructions": "i", "input": [{"role": "user", "content": "q"}, {"type": "web_search_call"}]});
        assert_eq!(read(responses), ["System: i", "User: q", "User: [web_search_call]"]);
        let gemini =
            json!({"contents": [{"role": "model", "parts": [{"executableCode": {"code": "1"}}, {"text": "t"}]}]});
        assert_eq!(read(gemini), ["Assistant: [executableCode]\nt"]);
        assert_eq!(read(json!({"prompt": "p", "input": 7})), ["User: p"]);
    }
}
