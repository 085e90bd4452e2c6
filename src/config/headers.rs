//! The headers that a config names: only what HTTP can send, so that a mistake is found with its line and not by a call.

use std::collections::BTreeMap;

use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, de};

/// The headers that say how a message is carried. The HTTP client sets them, and another value would break the message.
const OF_THE_CONNECTION: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// The name of a header.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name(String);

/// The value of a header. It may be secret, so no message repeats it.
struct Content(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            let message = format!("`{}` cannot name a header", name.escape_debug());
            return Err(de::Error::custom(message));
        }
        if OF_THE_CONNECTION.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(de::Error::custom(format!("the header `{name}` cannot be set: every request has its own")));
        }
        Ok(Self(name))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        if HeaderValue::from_str(&value).is_err() {
            let message = "the value of this header cannot be sent: it has to be one line without control characters";
            return Err(de::Error::custom(message));
        }
        Ok(Self(value))
    }
}

/// Header names and values.
pub(super) fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<Name, Content>::deserialize(deserializer)?;
    Ok(headers.into_iter().map(|(name, value)| (name.0, value.0)).collect())
}

/// The same for a key that may be left out.
pub(super) fn some_headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    headers(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::toml_text::{Mistake, from_toml};
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Table {
        #[serde(deserialize_with = "headers")]
        headers: BTreeMap<String, String>,
    }

    fn read(name: &str, value: &str) -> Result<Table, Mistake> {
        let quoted = |text: &str| {
            let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
            format!("\"{escaped}\"")
        };
        from_toml(&format!("\n[headers]\nAccept = \"x\"\n{} = {}\n", quoted(name), quoted(value)))
    }

    #[test]
    fn what_http_can_send_is_taken_as_it_is() {
        for (name, value) in [("X-Key", "Bearer s3cret"), ("x_1.~", ""), ("a", "a\tb: \"c\""), ("b", "é")] {
            assert_eq!(read(name, value).expect(name).headers[name], value);
        }
    }

    #[test]
    fn what_http_cannot_send_is_refused_with_its_line_and_without_its_value() {
        for name in ["", "a b", "x:y", "é", "a\nb", "a\r", "\0"] {
            let mistake = read(name, "s3cret").expect_err(name);
            assert_eq!(mistake.line, Some(4), "{name:?}");
            assert!(mistake.message.ends_with("cannot name a header") && !mistake.message.contains('\n'));
        }
        for name in ["Content-Length", "transfer-encoding", "Connection"] {
            let mistake = read(name, "5").expect_err(name);
            let message = format!("the header `{name}` cannot be set: every request has its own");
            assert_eq!((mistake.line, mistake.message), (Some(4), message));
        }
        for value in ["\0", "s3cret\nX-B: b", "\u{7f}", "s3cret\r", "\u{1b}[s3cret"] {
            let mistake = read("X-A", value).expect_err(value);
            assert_eq!(mistake.line, Some(4), "{value:?}");
            assert!(mistake.message.contains("cannot be sent") && !mistake.message.contains("s3cret"));
        }
    }
}
