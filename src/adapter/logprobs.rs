//! Log-probabilities of tokens: how a request asks for them, and the two forms in which they are written.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::DecodeError;
use super::body::Fields;
use super::lenient::{by_position, maybe};
use crate::chat::{Alternative, Request, StreamEvent, TokenLogprob};

/// How many alternatives a request asks for; `None` for none, which needs no field.
pub(super) fn alternatives(request: &Request) -> Option<u8> {
    request.logprobs.filter(|count| *count > 0)
}

/// Reads what a request asks for, where one field says whether log-probabilities are wanted and another how many
/// alternatives.
pub(super) fn asked(fields: &mut Fields, whether: &str, alternatives: &str) -> Result<Option<u8>, DecodeError> {
    let is_asked = fields.take_if(whether, |value| (*value == Value::Bool(true)).then_some(())).is_some();
    if is_asked { Ok(Some(fields.take(alternatives)?.unwrap_or(0))) } else { Ok(None) }
}

/// A token in OpenAI's or Gemini's form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Token<'a> {
    #[serde(deserialize_with = "maybe")]
    token: Option<String>,
    #[serde(alias = "logProbability", deserialize_with = "maybe")]
    logprob: Option<f64>,
    #[serde(borrow)]
    top_logprobs: Option<&'a RawValue>,
}

impl Token<'_> {
    fn read(self, top: Vec<Alternative>) -> Option<TokenLogprob> {
        Some(TokenLogprob { token: self.token?, logprob: self.logprob?, top })
    }
}

/// Reads OpenAI's list of tokens. An item without a token or a number is skipped.
pub(super) fn read_openai(raw: &RawValue) -> Vec<TokenLogprob> {
    let tokens = by_position::<Token<'_>>(raw).into_iter().flatten();
    let read = |token: Token<'_>| {
        let top = token.top_logprobs.map(read_alternatives).unwrap_or_default();
        token.read(top)
    };
    tokens.filter_map(read).collect()
}

fn read_alternatives(raw: &RawValue) -> Vec<Alternative> {
    let tokens = by_position::<Token<'_>>(raw).into_iter().flatten();
    let read = |Token { token, logprob, .. }: Token<'_>| Some(Alternative { token: token?, logprob: logprob? });
    let mut alternatives: Vec<Alternative> = tokens.filter_map(read).collect();
    // A list begins with room for several, and there is one for each token of an answer.
    alternatives.shrink_to_fit();
    alternatives
}

/// Reads Gemini's form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Lists<'a> {
    #[serde(borrow)]
    chosen_candidates: Option<&'a RawValue>,
    #[serde(borrow)]
    top_candidates: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Top<'a> {
    #[serde(borrow)]
    candidates: Option<&'a RawValue>,
}

/// Gemini's two lists, of chosen tokens and of alternatives, whose items belong together by position.
pub(super) fn read_gemini(raw: &RawValue) -> Vec<TokenLogprob> {
    let Lists { chosen_candidates, top_candidates } = serde_json::from_str(raw.get()).unwrap_or_default();
    let chosen = chosen_candidates.map(by_position::<Token<'_>>).unwrap_or_default();
    let mut tops = top_candidates.map(by_position::<Top<'_>>).unwrap_or_default().into_iter();
    let tokens = chosen.into_iter().map(|token| {
        let top = tops.next().flatten().and_then(|top| top.candidates);
        token?.read(top.map(read_alternatives).unwrap_or_default())
    });
    tokens.flatten().collect()
}

/// Adds the event with these tokens, unless there are none.
pub(super) fn tell(tokens: Vec<TokenLogprob>, events: &mut Vec<StreamEvent>) {
    if !tokens.is_empty() {
        events.push(StreamEvent::Logprobs(tokens));
    }
}

/// The tokens as OpenAI writes them. They are written one by one: a tree of them takes a kilobyte for each token.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenaiTokens<'a>(pub(super) &'a [TokenLogprob]);

/// One token, and what it is chosen from.
#[derive(Serialize)]
struct OpenaiToken<'a> {
    #[serde(flatten)]
    chosen: OpenaiAlternative<'a>,
    top_logprobs: Vec<OpenaiAlternative<'a>>,
}

#[derive(Serialize)]
struct OpenaiAlternative<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
}

impl<'a> OpenaiAlternative<'a> {
    fn new(token: &'a str, logprob: f64) -> Self {
        Self { token, logprob, bytes: token.as_bytes() }
    }
}

impl Serialize for OpenaiTokens<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|TokenLogprob { token, logprob, top }| OpenaiToken {
            chosen: OpenaiAlternative::new(token, *logprob),
            top_logprobs: top.iter().map(|top| OpenaiAlternative::new(&top.token, top.logprob)).collect(),
        }))
    }
}

/// The tokens as Gemini writes them, one by one as well.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiTokens<'a> {
    chosen_candidates: GeminiCandidates<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_candidates: Option<GeminiTops<'a>>,
}

#[derive(Debug)]
struct GeminiCandidates<'a>(&'a [TokenLogprob]);

#[derive(Debug)]
struct GeminiTops<'a>(&'a [TokenLogprob]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiCandidate<'a> {
    token: &'a str,
    log_probability: f64,
}

#[derive(Serialize)]
struct GeminiTop<'a> {
    candidates: Vec<GeminiCandidate<'a>>,
}

impl<'a> GeminiTokens<'a> {
    /// `None` where there are no tokens.
    pub(super) fn new(tokens: &'a [TokenLogprob]) -> Option<Self> {
        let has_tops = tokens.iter().any(|token| !token.top.is_empty());
        (!tokens.is_empty()).then(|| Self {
            chosen_candidates: GeminiCandidates(tokens),
            top_candidates: has_tops.then_some(GeminiTops(tokens)),
        })
    }
}

impl<'a> GeminiCandidate<'a> {
    fn new(token: &'a str, log_probability: f64) -> Self {
        Self { token, log_probability }
    }
}

impl Serialize for GeminiCandidates<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|token| GeminiCandidate::new(&token.token, token.logprob)))
    }
}

impl Serialize for GeminiTops<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|TokenLogprob { top, .. }| GeminiTop {
            candidates: top.iter().map(|top| GeminiCandidate::new(&top.token, top.logprob)).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(token: &str, logprob: f64, top: &[(&str, f64)]) -> TokenLogprob {
        let top =
            top.iter().map(|(token, logprob)| Alternative { token: (*token).into(), logprob: *logprob }).collect();
        TokenLogprob { token: token.into(), logprob, top }
    }

    fn raw(value: &impl Serialize) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).expect("JSON")
    }

    #[test]
    fn a_bad_token_costs_no_other_one() {
        let all = json!([
            {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "b"}, 7]},
            {"token": "b"}, {"token": 1, "logprob": -1}, {"logprob": -1}, {"token": "c", "logprob": "-1"}, 4, null, [],
            {"token": "", "logprob": 0, "top_logprobs": "many"},
        ]);
        assert_eq!(read_openai(&raw(&all)), [token("a", -0.5, &[("a", -0.5)]), token("", 0.0, &[])]);
        for none in [json!([]), json!({}), json!("x"), json!(null), json!(1)] {
            assert_eq!(read_openai(&raw(&none)), [], "{none}");
            assert_eq!(read_gemini(&raw(&none)), [], "{none}");
        }
        let huge: Box<RawValue> = serde_json::from_str(r#"[{"token":"a","logprob":-1e999}]"#).expect("JSON");
        assert_eq!(read_openai(&huge), []);
    }

    #[test]
    fn alternatives_keep_their_place_beside_a_token_that_is_skipped() {
        let lists = json!({
            "chosenCandidates": [{"token": "a"}, {"token": "b", "logProbability": -0.25, "tokenId": 3}, {"token": "c", "logProbability": -1}],
            "topCandidates": [{"candidates": [{"token": "x", "logProbability": -2}]}, {"candidates": [{"token": "y", "logProbability": -3}]}],
        });
        assert_eq!(read_gemini(&raw(&lists)), [token("b", -0.25, &[("y", -3.0)]), token("c", -1.0, &[])]);
    }

    #[test]
    fn a_number_comes_back_to_the_last_digit() {
        for logprob in [0.0, -0.000_175_029_25, -0.002_632_617_950_314_283_4, -9999.0, -1.401_298_464_324_817e-45] {
            let tokens = [token("é", logprob, &[("é", logprob), ("e", -7.062_500_476_837_158)])];
            assert_eq!(read_openai(&raw(&OpenaiTokens(&tokens))), tokens);
            assert_eq!(read_gemini(&raw(&GeminiTokens::new(&tokens).expect("tokens"))), tokens);
        }
    }
}
