//! How long a prompt a model really accepts. Some gateways list more than they accept, and some cut the beginning of a
//! long prompt without saying so.

use super::{Answer, Feature, Finding, Value, excerpt, prompt};
use crate::chat::Request;
use crate::error::FailureKind;

/// The prompt that is tried where nobody says how large the context is, in tokens.
const USUAL: u64 = 131_072;

/// The most requests of one search.
const MOST_STEPS: u32 = 8;

/// The output tokens that an answer may have. They are part of the context.
const ANSWER_TOKENS: u64 = 256;

/// What stands at the beginning of the prompt, and is asked for at its end.
const WORD: &str = "marigold";

/// Common words that are one token each in most vocabularies.
const WORDS: [&str; 8] = ["tree", "house", "river", "stone", "light", "road", "paper", "water"];

/// A search for the longest prompt that is accepted: first the whole context, then half of what is left in doubt.
#[derive(Debug, Clone)]
pub struct Search {
    listed: Option<u64>,
    /// The largest prompt that is tried, in tokens.
    most: u64,
    /// The largest prompt that was accepted and read: as it was asked for, and by the gateway's count.
    accepted: Option<(u64, u64)>,
    /// The smallest prompt that was not, and what came back.
    refused: Option<(u64, String)>,
    /// Why the search ended without a result.
    broken: Option<String>,
    steps: u32,
}

impl Search {
    /// A search in a context that the gateway lists with this many tokens, with prompts of at most `limit` tokens.
    pub fn new(listed: Option<u64>, limit: Option<u64>) -> Self {
        let most = listed.unwrap_or(USUAL).min(limit.unwrap_or(u64::MAX));
        Self { listed, most, accepted: None, refused: None, broken: None, steps: 0 }
    }

    /// The largest prompt that the search may send, in tokens.
    pub fn largest(&self) -> u64 {
        // The count of tokens is a guess, and the answer needs room.
        (self.most * 95 / 100).saturating_sub(ANSWER_TOKENS).max(1)
    }

    /// How many tokens the next prompt has; `None` at the end.
    pub fn next(&self) -> Option<u64> {
        if self.broken.is_some() || self.steps >= MOST_STEPS {
            return None;
        }
        let Some((refused, _)) = &self.refused else {
            return self.accepted.is_none().then(|| self.largest());
        };
        let low = self.accepted.map_or(0, |(asked, _)| asked);
        let middle = low + (refused - low) / 2;
        (refused - low > (self.most / 16).max(64)).then_some(middle)
    }

    /// Takes in the answer to a prompt of so many tokens.
    pub fn take(&mut self, asked: u64, answer: &Answer) {
        self.steps += 1;
        let too_long = [FailureKind::ContextLength, FailureKind::InvalidRequest];
        match &answer.failure {
            _ if answer.is_whole() && answer.text.to_lowercase().contains(WORD) => {
                self.accepted = Some((asked, answer.usage.input.unwrap_or(asked)));
            }
            _ if answer.is_whole() => {
                let what = format!("{}, so the beginning of the prompt was not read", answer.said());
                self.refused = Some((asked, what));
            }
            Some(failure) if too_long.contains(&failure.kind) || failure.status == Some(413) => {
                self.refused = Some((asked, answer.why()));
            }
            _ => self.broken = Some(answer.why()),
        }
    }

    /// What was found, and the largest prompt that was accepted and read, in tokens.
    pub fn finding(&self) -> (Finding, Option<u64>) {
        let accepted = self.accepted.map(|(_, counted)| counted);
        let found = accepted.map(|tokens| format!("{tokens} tokens accepted and read"));
        let listed = self.listed.map_or_else(String::new, |listed| format!(" of {listed} listed"));
        let (value, received) = match (found, &self.refused, &self.broken) {
            (Some(found), None, _) if self.listed.is_some_and(|listed| listed > self.most) => {
                (Value::Unknown, format!("{found}{listed}; more was not tried"))
            }
            (Some(found), None, _) => (Value::Yes, format!("{found}{listed}")),
            (Some(found), Some((asked, what)), _) => {
                // Where nothing is listed, there is nothing that the model falls short of.
                let value = if self.listed.is_some() { Value::No } else { Value::Yes };
                (value, format!("{found}{listed}; about {asked}: {what}"))
            }
            (None, Some((asked, what)), None) => (Value::No, format!("about {asked} tokens{listed}: {what}")),
            (None, _, Some(why)) => (Value::Unknown, excerpt(why)),
            (None, None, None) => (Value::Unknown, "not asked".to_owned()),
        };
        let sent = "prompts of many words, with a word to remember at the beginning".to_owned();
        (Finding { value, sent, received }, accepted)
    }
}

/// The name of this feature's requests among those of a run.
pub fn label(tokens: u64) -> String {
    format!("{} {tokens}", Feature::Context.as_str())
}

/// A prompt of about this many tokens.
pub fn request(tokens: u64) -> Request {
    let filler: Vec<&str> = WORDS.iter().copied().cycle().take(usize::try_from(tokens).unwrap_or(usize::MAX)).collect();
    let text = format!(
        "The word to remember is {WORD}.\n\n{}.\n\nWhich word were you told to remember at the beginning? Answer with it.",
        filler.join(" ")
    );
    Request { max_tokens: Some(ANSWER_TOKENS), ..prompt(&text) }
}
