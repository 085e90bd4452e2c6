//! What a request may hold that changes its price: other prices for its tokens, or more to pay for than tokens.
//!
//! Vendors add such fields all the time, so the fields that change no price are listed, and not those that do.

mod elsewhere;
mod prompt;
mod tools;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::field_names::{is_same_field, repeated};
use super::object::Object;
use super::tree::Tree;

pub use self::elsewhere::naming_model;
pub(super) use self::prompt::Prompt;

/// The fields of a wire format that change no price, whatever their values are.
pub(super) struct Known {
    /// Those of its own, besides [`EVERYWHERE`].
    pub(super) fields: &'static [&'static str],
    /// Those in its object of settings, and the names of that object.
    pub(super) settings: Option<(&'static str, &'static [&'static str])>,
    /// Where its prompt is.
    pub(super) prompt: Prompt,
}

/// Fields of several formats, and of gateways that run models themselves.
const EVERYWHERE: [&str; 65] = [
    "add_generation_prompt",
    "bad_words",
    "best_of",
    // What it costs is known.
    "cache_control",
    "chat_template_kwargs",
    "contents",
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
        let prompts = fields.0.iter().map(|(name, _)| &**name).filter(|name| prompt::is_prompt(name));
        if let Some(name) = repeated(prompts) {
            return Some(name.to_owned());
        }
        fields.0.iter().find_map(|(name, value)| match self.settings {
            Some((settings, known)) if is_same_field(name, settings) => {
                let inner: Object<'_> = serde_json::from_str(value.get()).unwrap_or_default();
                let unknown = inner.0.iter().find(|(name, value)| !is_in(known, name) && !changes_nothing(name, value));
                unknown.map(|(inner, _)| format!("{name}.{inner}"))
            }
            _ => {
                let is_known = is_in(self.fields, name) || is_in(&EVERYWHERE, name) || changes_nothing(name, value);
                if is_known { self.prompt.unpriced(name, value) } else { Some((**name).to_owned()) }
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
        || is("tools") && all(value, |tools: &Vec<Tree<'_>>| tools.iter().all(tools::runs_at_the_client))
        || is("context_management") && all(value, only_clears)
        || is("background") && value.get() == "false"
}

/// The field by which this request of OpenAI's responses asks for an answer that is written after the reply, if there is one.
pub fn asks_for_background(body: &[u8]) -> Option<String> {
    let fields: Object<'_> = serde_json::from_slice(body).unwrap_or_default();
    fields.0.iter().find_map(|(name, value)| {
        let asks = is_same_field(name, "background") && !changes_nothing(name, value);
        asks.then(|| (**name).to_owned())
    })
}

fn all<'a, T: Deserialize<'a>>(value: &'a RawValue, holds: impl Fn(&T) -> bool) -> bool {
    serde_json::from_str(value.get()).is_ok_and(|value| holds(&value))
}

/// Whether requests of this tier cost what lists say, or less.
pub(super) fn is_usual_tier(tier: &str) -> bool {
    let usual = ["auto", "default", "standard", "standard_only", "on_demand", "flex", "batch", "unspecified"];
    usual.iter().any(|name| tier.eq_ignore_ascii_case(name))
}

/// Whether earlier parts of the conversation are only left out, and not summed up by a further answer.
fn only_clears(management: &Tree<'_>) -> bool {
    let is_cleared = |edit: &Tree<'_>| {
        let kind = edit.get(&["type"]).and_then(Tree::text);
        !edit.repeats_a_field() && kind.is_some_and(|kind| kind.starts_with("clear_"))
    };
    let edits = management.get(&["edits"]).filter(|_| !management.repeats_a_field());
    edits.is_some_and(|edits| matches!(edits, Tree::List(edits) if edits.iter().all(is_cleared)))
}

#[cfg(test)]
mod tests;
