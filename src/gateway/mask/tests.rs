use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::forms::*;
use super::letters::{Style, WIDEST_GAP};
use super::*;
use crate::adapter::{error_body, verdict};
use crate::chat::{Alternative, Calls, TokenLogprob};
use crate::error::FailureKind;

const KEY: &str = "sk-CANARY/0f7d+3c5b9a1e";

fn mask(key: &str) -> Mask {
    let headers = [("X-Team-Token", "Bearer team-secret-0123"), ("X-Title", "a title of a program")];
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let gateway = Gateway { headers, ..crate::secret::testing::gateway("g") };
    Mask::new(&gateway, Some(&SecretString::from(key)))
}

fn name(mask: &Mask, text: &str) -> String {
    let mut text = text.to_owned();
    mask.name(&mut text);
    text
}

/// The key in every form in which it must not come back.
fn forms() -> Vec<String> {
    let each = |escape: &dyn Fn(u8) -> String| KEY.bytes().map(escape).collect::<String>();
    let mut forms = vec![
        KEY.to_owned(),
        KEY.to_uppercase(),
        KEY.chars().rev().collect(),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("%{byte:02X}")),
        each(&|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") }),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("\\x{byte:02x}")),
        each(&|byte| format!("&#{byte};")),
        each(&|byte| format!("&#x{byte:x};")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        each(&|byte| format!("%25{byte:02X}")),
        each(&|byte| format!("%2525{byte:02x}")),
        each(&|byte| format!("&amp;#{byte};")),
        each(&|byte| format!("&amp;amp;#x{byte:x};")),
        each(&|byte| format!("&#{byte:04}")),
        each(&|byte| format!("\\u{{{byte:x}}}")),
        each(&|byte| format!("\\{byte:03o}")),
        each(&|byte| format!("\\{}", char::from(byte))),
        each(&|byte| {
            if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("\\{}", char::from(byte)) }
        }),
        each(&|byte| format!("={byte:02X}")),
        each(&|byte| format!("00{byte:02x}")).split_off(2),
        each(&|byte| format!(":{byte:02x}")).split_off(1),
        each(&|byte| format!(" {byte:02X}")).split_off(1),
        each(&|byte| format!(", 0x{byte:02x}")).split_off(4),
        each(&|byte| format!(" {byte}")).split_off(1),
        each(&|byte| format!(",0,{byte}")).split_off(3),
        each(&|byte| format!("\0{}", char::from(byte))).split_off(1),
        each(&|byte| format!("\\u0000\\u{byte:04x}")).split_off(6),
        each(&|byte| format!("\u{200b}{}", char::from(byte))).split_off(3),
        each(&|byte| format!("\\u200b{}", char::from(byte))).split_off(6),
        each(&|byte| format!(" {}", char::from(byte))).split_off(1),
        each(&|byte| format!("\x01\x1b{}", char::from(byte))).split_off(2),
        each(&|byte| format!("\x7f{}", char::from(byte))).split_off(1),
        each(&|byte| format!("&nbsp;{}", char::from(byte))).split_off(6),
        each(&|byte| format!("%20{}", char::from(byte))).split_off(3),
        each(&|byte| format!("\u{338}{}", char::from(byte))).split_off(2),
        each(&|byte| format!("\u{85}{}", char::from(byte))).split_off(2),
        each(&|byte| format!("\\u0007{}", char::from(byte))).split_off(6),
        each(&|byte| format!("-{byte:02X}")).split_off(1),
        each(&|byte| format!("%u{byte:04X}")),
        each(&|byte| format!("\\U{byte:08x}")),
        each(&|byte| format!("\" . \"{}", char::from(byte))).split_off(5),
        each(&|byte| format!("\u{a0}{}", char::from(byte))).split_off(2),
        each(&|byte| format!("\u{180e}{}", char::from(byte))).split_off(3),
        each(&|byte| format!("\u{fe0f}{}", char::from(byte))).split_off(3),
        each(&|byte| format!("\u{2063}{}", char::from(byte))).split_off(3),
        each(&|byte| format!("\u{34f}\u{61c}{}", char::from(byte))).split_off(4),
        each(&|byte| format!("\u{3164}\u{2028}{}", char::from(byte))).split_off(6),
        each(&|byte| format!("\u{e0100}{}", char::from(byte))).split_off(4),
        each(&|byte| format!(".{}", char::from(byte))).split_off(1),
        each(&|byte| format!("|{}", char::from(byte))).split_off(1),
        each(&|byte| format!("_;{}", char::from(byte))).split_off(2),
        format!("{}\" + \"{}", &KEY[..9], &KEY[9..]),
        format!("{}\\\n  {}", &KEY[..9], &KEY[9..]),
        format!("{}\r\n\t{}", &KEY[..9], &KEY[9..]),
        format!("{}=\n{}", &KEY[..9], &KEY[9..]),
        KEY.replace('/', "\\/"),
        KEY.replace('-', "\\u002d"),
    ];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for around in ["", "B", "Be", "Bearer "] {
            forms.push(engine.encode(format!("{around}{KEY}")));
            forms.push(engine.encode(format!("{around}{KEY}{around}!")));
        }
    }
    for once in [STANDARD_NO_PAD.encode(KEY), STANDARD_NO_PAD.encode(format!("Bearer {KEY}"))] {
        forms.push(STANDARD_NO_PAD.encode(&once));
        forms.push(STANDARD_NO_PAD.encode(format!(" {once}")));
        let lines: Vec<String> = once.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line).into()).collect();
        forms.push(lines.join("\r\n "));
        forms.push(lines.join("\\n"));
    }
    let utf16 = |bytes: fn(u16) -> [u8; 2]| KEY.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    forms.push(STANDARD_NO_PAD.encode(utf16(u16::to_le_bytes)));
    forms.push(STANDARD_NO_PAD.encode(utf16(u16::to_be_bytes)));
    forms
}

#[test]
fn the_key_is_masked_in_every_form() {
    let mask = mask(KEY);
    for form in forms() {
        assert_eq!(name(&mask, &format!("id {form} and {form}.")), "id *** and ***.", "{form}");
        assert_eq!(mask.message(&format!("got '{form}'")), "got '***'", "{form}");
    }
    assert_eq!(name(&mask, "team-secret-0123 a title of a program"), "*** a title of a program");
}

#[test]
fn a_key_that_is_cut_by_the_end_of_a_text_is_masked() {
    let mask = mask(KEY);
    for length in 6..KEY.len() {
        for end in ["", "…", "..."] {
            assert_eq!(name(&mask, &format!("got {}{end}", &KEY[..length])), format!("got ***{end}"), "{length}");
        }
    }
    assert_eq!(name(&mask, "got sk-CANARY and more"), "got sk-CANARY and more");
    // The end of the text may stand within an escape.
    let escapes: [fn(u8) -> String; 5] = [
        |byte| format!("%{byte:02x}"),
        |byte| format!("%2525{byte:02x}"),
        |byte| format!("&#x{byte:04X};"),
        |byte| format!("\\\\u00{byte:02x}"),
        |byte| format!("\\U{byte:08x}"),
    ];
    for escape in escapes {
        let text: String = KEY.bytes().map(escape).collect();
        let one = escape(b'k').len();
        for length in 6 * one..text.len() {
            for end in ["", "…", "..."] {
                let shown = name(&mask, &format!("got {}{end}", &text[..length]));
                let rest = shown.strip_prefix("got ***").unwrap_or_else(|| panic!("{length} {shown}"));
                assert!(rest.trim_end_matches(end).len() < one, "{shown}");
            }
        }
    }
    // Or between two characters, of which some programs write each by itself.
    let apart: [fn(u8) -> String; 5] = [
        |byte| format!("{byte:02x} "),
        |byte| format!("{byte:02X}:"),
        |byte| format!("0x{byte:02x}, "),
        |byte| format!("{byte}, "),
        |byte| format!("{} ", char::from(byte)),
    ];
    for written in apart {
        let text: String = KEY.bytes().map(written).collect();
        let sixth: usize = KEY.bytes().take(SHORTEST_PART).map(|byte| written(byte).len()).sum();
        for length in sixth..text.len() {
            for end in ["", "…", "..."] {
                let shown = name(&mask, &format!("got {}{end}", &text[..length]));
                let rest = shown.trim_start_matches("got ").trim_start_matches("0x").strip_prefix("***");
                let rest = rest.unwrap_or_else(|| panic!("{length} {shown}"));
                assert!(rest.trim_end_matches(end).len() <= 6, "{shown}");
            }
        }
    }
}

#[test]
fn half_of_a_key_is_masked_wherever_it_stands() {
    let mask = mask(KEY);
    let half = 12;
    for length in 1..KEY.len() {
        let (first, last) = KEY.split_at(length);
        let shown = name(&mask, &format!("key {first}, too long"));
        assert_eq!(shown.contains(first), length < half, "{shown}");
        let shown = name(&mask, &format!("key ends with {last}, too long"));
        assert_eq!(shown.contains(last), last.len() < half, "{shown}");
    }
}

#[test]
fn what_stands_between_the_strings_of_json_is_not_masked() {
    let mask = mask(KEY);
    let (first, last) = KEY.split_at(9);
    let numbers = KEY.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    for body in [format!("[\"{first}\",\"{last}\"]"), format!("[{numbers}]"), format!("{{\"{first}\":\"{last}\"}}")] {
        let masked = mask.body(body.clone().into_bytes());
        serde_json::from_slice::<serde_json::Value>(&masked).unwrap_or_else(|_| panic!("{body}"));
    }
}

#[test]
fn bodies_stay_json() {
    let mask = mask(KEY);
    for form in [KEY.to_owned(), KEY.replace('-', "\\u002d"), KEY.replace("sk", "\\u0073k"), KEY.replace('/', "\\/")] {
        let once = format!("{{\"id\": \"a {form} b\"}}");
        // The same as a text within JSON: some gateways pass on what another one said in this way.
        let twice = format!("{{\"raw\": {}}}", serde_json::Value::from(once.clone()));
        for body in [once, twice] {
            let masked = String::from_utf8(mask.body(body.clone().into_bytes())).expect("text");
            let value: serde_json::Value = serde_json::from_str(&masked).unwrap_or_else(|_| panic!("{body}: {masked}"));
            assert!(value.to_string().contains("a *** b"), "{body}: {masked}");
        }
    }
    let other = vec![0xff, b'x'];
    assert_eq!(mask.body(other.clone()), other);
}

#[test]
fn other_texts_stay_to_the_letter() {
    let mask = mask(KEY);
    for text in ["", "xai-grok-4-fast-reasoning", "chatcmpl-0123456789", "100 % of \\u0020 &#; &#x; %", "é…", "sk-"]
    {
        assert_eq!(name(&mask, text), text);
    }
    // Local servers take words as keys that are also in the names of models.
    let short = self::mask("ollama");
    assert_eq!(name(&short, "ollama/llama3"), "ollama/llama3");
    assert_eq!(short.message("the key ollama is wrong"), "the key *** is wrong");
}

#[test]
fn each_long_part_of_a_secret_header_is_a_secret() {
    const SID: &str = "Secret-99887766aabb==";
    for value in [
        format!("sid={SID}"),
        format!("lang=en; sid=\"{SID}\"; x=1"),
        format!("sid={SID}; lang=en; analytics_consent="),
        format!("{SID} v2"),
        format!("Token token={SID}"),
    ] {
        let name = if value.contains("sid=") { "cookie" } else { "x-token" };
        let headers = std::collections::BTreeMap::from([(name.to_owned(), value.clone())]);
        let mask = Mask::new(&Gateway { headers, ..crate::secret::testing::gateway("g") }, None);
        let sid = SID.trim_end_matches('=');
        let text = format!("a {sid} b lang=en");
        let mut found = mask.find_exact(text.as_bytes());
        assert_eq!((found.next(), found.next()), (Some(2..2 + sid.len()), None), "{value}");
    }
}

#[test]
fn a_scheme_is_one_short_word_or_that_of_a_signature() {
    for (value, secret) in [
        ("Bearer abc", "abc"),
        ("abcdefghijk rest", "rest"),
        ("abcdefghijkl rest", "abcdefghijkl rest"),
        ("k3y rest", "k3y rest"),
        ("AWS4-HMAC-SHA256 Credential=x", "Credential=x"),
        ("alone", "alone"),
    ] {
        assert_eq!(without_scheme(value), secret);
    }
}

#[test]
fn a_text_is_cut_only_where_it_is_too_long() {
    for (text, most, left) in [("abc", 3, "abc"), ("abcd", 3, "abc…"), ("aéb", 2, "a…"), ("", 0, "")] {
        let mut text = text.to_owned();
        cut(&mut text, most);
        assert_eq!(text, left);
    }
}

#[test]
fn the_password_of_basic_is_a_secret_by_itself() {
    let value = format!("Basic {}", STANDARD_NO_PAD.encode("user:a-long-password"));
    let headers = std::collections::BTreeMap::from([("Authorization".to_owned(), value)]);
    let mask = Mask::new(&Gateway { headers, ..crate::secret::testing::gateway("g") }, None);
    assert_eq!(mask.message("user and a-long-password"), "user and ***");
}

#[test]
fn all_that_a_gateway_says_is_masked_but_the_answer() {
    let mask = mask(KEY);
    let text = || KEY.to_owned();
    for event in [
        StreamEvent::Start { id: Some(text()), model: Some(text()) },
        StreamEvent::ToolCallStart { index: 0, id: text(), name: text() },
        StreamEvent::ReasoningSignature(text()),
        StreamEvent::Logprobs(vec![TokenLogprob {
            token: text(),
            logprob: 0.0,
            top: vec![Alternative { token: text(), logprob: 0.0 }],
        }]),
        StreamEvent::Finish(FinishReason::Other(text())),
    ] {
        assert!(!format!("{:?}", mask.event(event)).contains("CANARY"));
    }
    for event in [
        StreamEvent::TextDelta(text()),
        StreamEvent::ReasoningDelta(text()),
        StreamEvent::ToolCallDelta { index: 0, arguments: text() },
    ] {
        assert_eq!(mask.event(event.clone()), event);
    }
    let failure = Failure { param: Some(text()), ..Failure::new(FailureKind::Auth, text()).with_cause(text()) };
    assert!(!format!("{:?}", mask.failure(failure)).contains("CANARY"));
    let meta = mask.meta(Meta { request_id: Some(text()), ..Meta::default() });
    assert_eq!(meta.request_id.as_deref(), Some("***"));
}

#[test]
fn of_a_key_in_an_error_no_part_is_left_where_it_looks_like_one_of_a_vendor_alone_to_its_middle() {
    const LONG_KEY: &str = "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";
    let (first, last) = LONG_KEY.split_at(40);
    for between in ["\n", "\n    ", "\\n", "\\u0030", " ... ", "[...]", "[REDACTED]", "••••", "&hellip;"] {
        let last = if between == "\\u0030" { &last[1..] } else { last };
        let said = serde_json::json!({"error": {"message": format!("wrong: {first}{between}{last} .")}});
        let failure = mask(LONG_KEY).failure(error_body::decode(400, said.to_string().as_bytes()));
        let left = LONG_KEY.as_bytes().windows(SHORTEST_PART).filter_map(|part| str::from_utf8(part).ok());
        assert_eq!(left.filter(|part| failure.message.contains(part)).count(), 0, "{}", failure.message);
    }
    let foreign = r#"{"error":{"message":"OpenAIException - Incorrect API key provided: sk-bad-0123456789"}}"#;
    let failure = mask(LONG_KEY).failure(error_body::decode(401, foreign.as_bytes()));
    assert!(failure.message.ends_with("provided: ***"), "{}", failure.message);
}

#[test]
fn names_have_a_length() {
    let mask = mask(KEY);
    let long = || "é".repeat(3000);
    let StreamEvent::Start { id: Some(id), model: Some(model) } =
        mask.event(StreamEvent::Start { id: Some(long()), model: Some(format!("m{}", long())) })
    else {
        panic!("another event");
    };
    assert_eq!((id, model), ("é".repeat(2048) + "…", format!("m{}…", "é".repeat(2047))));
    let call = StreamEvent::ToolCallStart { index: 0, id: long(), name: "f".into() };
    assert_eq!(mask.event(call.clone()), call);
}

#[test]
fn of_a_key_in_a_reason_that_is_cut_no_part_is_left() {
    let mask = mask(KEY);
    for before in 0..300 {
        let reason = FinishReason::other(&format!("{}{KEY}{}", "x".repeat(before), "y".repeat(300)));
        let message = verdict::complete(Some(&reason), Calls::None).expect_err("cut").message;
        let StreamEvent::Finish(kept) = mask.event(StreamEvent::Finish(reason)) else { panic!("another event") };
        for text in [kept.as_str(), &mask.message(&message)] {
            assert!(!text.contains(&KEY[..SHORTEST_PART]), "{text}");
        }
    }
}

#[test]
fn what_is_held_back_of_bytes_that_pass_is_the_beginning_of_a_secret_and_no_more() {
    let mask = mask(KEY);
    for length in 1..KEY.len() {
        assert_eq!(mask.open_at_end(format!("data: {}", &KEY[..length]).as_bytes()), length);
    }
    assert_eq!(mask.open_at_end(KEY.as_bytes()), 0, "a whole one has been masked before");
    assert_eq!(mask.open_at_end(b"data"), 0);
    assert!(!mask.is_empty());
    assert!(Mask::new(&crate::secret::testing::gateway("g"), None).is_empty());
}

#[test]
fn the_breaks_of_lines_in_an_encoded_secret_are_passed_over() {
    for (text, length) in [(&b"x"[..], 0), (b"\r\n x", 3), (b"\\r\\n\\tx", 6), (b" \\nx", 3), (b"\\x", 0)] {
        assert_eq!(line_break(text), length, "{text:?}");
    }
    let encoded = STANDARD_NO_PAD.encode(KEY);
    for length in SHORTEST_PART..encoded.len() {
        for end in ["", "...", "…"] {
            let text = format!("got {}{end}", &encoded[..length]);
            assert_eq!(cut_at_end(&text, encoded.as_bytes()), Some(4..4 + length), "{text}");
        }
    }
    assert_eq!(cut_at_end(&encoded[..SHORTEST_PART - 1], encoded.as_bytes()), None);
}

/// What stands in these places of a text.
fn found<'t>(text: &'t str, secret: &str) -> Vec<&'t str> {
    let reversed: String = secret.chars().rev().collect();
    Forms::new(secret, &reversed).find(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn a_large_part_of_a_long_secret_is_masked_with_what_stands_around_it() {
    assert_eq!((large_part(40), large_part(LONG)), (20, LONG));
    let half = large_part(KEY.len());
    for length in half..=KEY.len() {
        for start in 0..=KEY.len() - length {
            let part = &KEY[start..start + length];
            let parts = found(&format!("a {part} b"), KEY).len();
            assert!(parts > 0 && found(&format!("a {part} b"), KEY).iter().all(|found| *found == part), "{part}");
        }
    }
    assert!(found(&KEY[KEY.len() - half + 1..], KEY).is_empty());
    assert!(found("short", "short").is_empty(), "a short secret has no large part");
    assert_eq!(found(&format!("x{}x", &KEY[..LONG]), &KEY[..LONG])[0], &KEY[..LONG]);
}

#[test]
fn a_large_part_of_a_key_is_masked_in_every_form() {
    /// Two and a half times as long as the key above, and of as many letters as keys of vendors have.
    const LONGER: &str = "sk-Zq7xW2mN9vB4kT6yR1pL8sD3fG5hJ0aCu7Yw-Qe3Xt_Ui9Op";
    let each = |part: &str, escape: &dyn Fn(u8) -> String| part.bytes().map(escape).collect::<String>();
    for key in [KEY, LONGER] {
        let mask = mask(key);
        let missing = key.len() / 3;
        for part in [&key[..key.len() - missing], &key[missing..], &key[missing / 2..key.len() - missing / 2]] {
            let twice = STANDARD_NO_PAD.encode(STANDARD_NO_PAD.encode(part));
            let encoded = STANDARD_NO_PAD.encode(format!("Bearer {part}"));
            for form in [
                part.to_uppercase(),
                part.to_lowercase(),
                part.chars().rev().collect(),
                part.chars().rev().collect::<String>().to_uppercase(),
                each(part, &|byte| format!("{byte:02x}")),
                each(part, &|byte| format!("{byte:02X}")),
                each(part, &|byte| format!(" {byte:02X}")).split_off(1),
                each(part, &|byte| format!(", 0x{byte:02x}")).split_off(4),
                each(part, &|byte| format!(", {byte}")).split_off(2),
                each(part, &|byte| format!("%{byte:02X}")),
                each(part, &|byte| format!("\\u{byte:04x}")),
                each(part, &|byte| format!("&#{byte};")),
                STANDARD_NO_PAD.encode(part),
                URL_SAFE_NO_PAD.encode(part),
                twice,
                format!("{}\r\n {}", &encoded[..encoded.len() / 2], &encoded[encoded.len() / 2..]),
                encoded,
            ] {
                let shown = name(&mask, &format!("got {form}, and more"));
                // A letter before or behind the part may stand beside the mask.
                assert!(shown.contains("***") && shown.len() < 28, "{part}: {form}: {shown}");
                let body = serde_json::json!({"id": form, "x": "y"}).to_string();
                if form.contains(", ") && form.chars().all(|c| c.is_ascii_digit() || ", ".contains(c)) {
                    continue;
                }
                let masked = String::from_utf8(mask.body(body.clone().into_bytes())).expect("text");
                assert!(masked.contains("***") && masked.ends_with("\"x\":\"y\"}"), "{body}: {masked}");
            }
        }
    }
}

#[test]
fn a_large_part_of_a_key_is_masked_whichever_of_its_letters_are_escaped() {
    const KEY: &str = "aB9/kLm+4xQz7=pRt_Wv2/HdKf+Pu9.GjA4sEi==";
    let mask = mask(KEY);
    for part in [
        r"pRt_Wv2\/HdKf+Pu9.GjA4sEi==",
        "pRt_Wv2/HdKf%2BPu9.GjA4sEi==",
        r"pRt_Wv2/HdKf\u002bPu9.GjA4sEi==",
        "pRt_Wv2&#x2F;HdKf+Pu9.GjA4sEi==",
        r"pRt\_Wv2/HdKf\+Pu9.GjA4sEi==",
        "m+4xQz7=pRt_Wv2%2FHdKf+Pu9.Gj",
        "pRt_Wv2/HdKf+Pu9.GjA4sEi&equals;&equals;",
        r"pRt_Wv2\2f HdKf+Pu9.GjA4sEi==",
        "aB9&sol;kLm&plus;4xQz7&equals;pRt&lowbar;Wv2&sol;HdKf&plus;Pu9&period;GjA4sEi&equals;&equals;",
    ] {
        let text = format!("your key ...{part} is odd");
        let masked = mask.message(&text);
        assert!(masked.starts_with("your key ...***") && masked.ends_with(" is odd"), "{masked}");
        assert!(masked.len() < 40, "{masked}");
        assert_eq!(name(&mask, "the path is %2Fa&sol;b"), "the path is %2Fa&sol;b");
    }
}

#[test]
fn a_key_without_its_middle_is_masked() {
    let mask = mask(KEY);
    for short in ["sk-CANARY...9a1e", "sk-…9a1e", "sk-****b9a1e", "sk-CAN**********5b9a1e"] {
        assert_eq!(name(&mask, &format!("id {short} x")), "id *** x");
    }
    for other in ["sk-CANARY.9a1e", "sk-CANARY...9a1f", "s...9a1e", "sk-...a1e", "*** ... … ..", "e…sk-"] {
        assert_eq!(name(&mask, other), other);
    }
}

#[test]
fn a_form_of_a_key_without_its_middle_is_masked() {
    const KEY: &str = "sk-Zq7WmT4xLb92RkVn6YpHc83Dgs5Jf";
    let mask = mask(KEY);
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = STANDARD.encode(KEY);
    let cut = |text: &str, first: usize, last: usize, between: &str| {
        format!("{}{between}{}", &text[..first], &text[text.len() - last..])
    };
    for shown in [
        cut(KEY, 13, 12, "...").to_uppercase(),
        cut(KEY, 13, 12, " ... ").to_lowercase(),
        cut(KEY, 13, 12, "…").chars().rev().collect(),
        cut(&hex, 26, 24, "***"),
        cut(&base64, 18, 13, "..."),
    ] {
        let masked = mask.message(&format!("the key {shown} has no access"));
        assert!(masked.starts_with("the key ***") && masked.ends_with(" has no access"), "{masked}");
        assert!(masked.len() <= "the key *** has no access".len() + 3, "{masked}");
    }
    assert_eq!(name(&mask, "sk-Z ... Dgs5 and **so** on"), "sk-Z ... Dgs5 and **so** on");
}

#[test]
fn a_beginning_and_an_end_of_a_key_are_masked_whatever_stands_between_them() {
    let mask = mask("sk-Zq7xW2mN9vB4kT6yR1pL8sD3fG5hJ0aC");
    for gap in ["[...]", " ... ", "(redacted)", "<redacted>", "&hellip;", "%E2%80%A6", "\\u2026", "⋯", "···", "XXXX"]
    {
        let cut = format!("id sk-Zq7xW2m{gap}D3fG5hJ0aC x");
        assert_eq!(name(&mask, &cut), "id *** x", "{gap}");
    }
    for other in ["sk-Zq7 and 5hJ0aC", "sk-Zq7xW2m is not what follows: D3fG5hJ0aC"] {
        assert_eq!(name(&mask, other), other);
    }
}

#[test]
fn no_part_of_a_character_is_masked() {
    // `é` and `ũ` end with the same byte.
    let mask = mask("éééééééééééé");
    for text in ["ũéééééééééé x", "x éééééééééü", "ééééééééééééé", "ũũũũũũũũũũũũũ"]
    {
        name(&mask, text);
    }
}

#[test]
fn ids_and_hashes_that_look_like_keys_stay() {
    let mask = mask("sk-Zq7xW2mN9vB4kT6yR1pL8sD3fG5hJ0aC");
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..20_000 {
        let letters = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(random >> 40) as usize % 64]
        });
        let id = format!("chatcmpl-{}", String::from_utf8(letters.take(40).collect()).expect("ASCII"));
        assert_eq!(name(&mask, &id), id);
    }
}

#[test]
fn only_long_secrets_are_searched_for_in_other_styles() {
    assert_eq!(styles(&[b'a'; LONG - 1], Place::Text), [Style::Escaped]);
    assert_eq!(styles(&[b'a'; LONG], Place::Text), [Style::Escaped, Style::Hex, Style::Decimal]);
    assert_eq!(styles(&[b'a'; LONG], Place::Json), [Style::Escaped, Style::Hex]);
}

#[test]
fn escapes_of_an_escape_are_masked_with_it_and_others_stay() {
    let mask = mask(KEY);
    for escapes in 1..5 {
        let text = format!("a {}u0073{} b", "\\".repeat(escapes), &KEY[1..]);
        assert_eq!(name(&mask, &text), "a *** b", "{text}");
    }
    assert_eq!(name(&mask, &format!("a \\ {KEY} b")), "a \\ *** b");
}

#[test]
fn gaps_between_the_letters_of_a_long_secret_have_a_width() {
    let apart = |key: &str, width: usize| key.chars().map(String::from).collect::<Vec<_>>().join(&" ".repeat(width));
    assert_eq!(name(&mask(KEY), &apart(KEY, WIDEST_GAP)), "***");
    let wider = apart(KEY, WIDEST_GAP + 1);
    assert_eq!(name(&mask(KEY), &wider), wider);
    let (short, spaced) = (&KEY[..LONG - 1], apart(&KEY[..LONG - 1], 1));
    assert_eq!((mask(short).message(short), mask(short).message(&spaced)), ("***".to_owned(), spaced.clone()));
}

#[test]
fn bytes_that_are_no_text_hide_no_key() {
    let mask = mask(KEY);
    let (start, end) = KEY.split_at(9);
    for body in [format!("{{\"x\":\"\u{0}\",\"y\":\"{KEY}\"}}"), format!("{start}\u{0}{end} \u{0}")] {
        let body: Vec<u8> = body.bytes().map(|byte| if byte == 0 { 0xff } else { byte }).collect();
        let masked = String::from_utf8(mask.body(body)).expect("text");
        assert!(masked.contains("***") && !masked.contains(end), "{masked}");
    }
    let other = b"{\"x\":\"\xff\"}".to_vec();
    assert_eq!(mask.body(other.clone()), other, "what has no key stays to the byte");
}

#[test]
fn a_secret_in_a_string_of_json_is_masked_by_what_the_string_means() {
    let mask = mask(KEY);
    let all = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    let encoded = STANDARD_NO_PAD.encode(KEY);
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let ellipsis = format!("{}\\u2026{}", &KEY[..7], &KEY[KEY.len() - 5..]);
    let slashes = format!("{}...{}", &KEY[..12], &KEY[KEY.len() - 5..]).replace('/', "\\/");
    for spelled in [all(&encoded), hex.replace('6', "\\u0036"), ellipsis, slashes] {
        let inner = format!(r#"{{"id":"x: {spelled}"}}"#);
        let outer = format!(r#"{{"text":{},"é":"a\nb"}}"#, serde_json::Value::String(inner.clone()));
        for body in [inner.clone(), format!("data: {inner}"), outer] {
            let masked = String::from_utf8(mask.body(body.clone().into_bytes())).expect("text");
            assert!(masked.contains("***") && !masked.contains(&spelled), "{body}: {masked}");
            let json = masked.trim_start_matches("data: ");
            let json: serde_json::Value =
                serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {masked}"));
            assert!(json["id"].as_str().is_some_and(|id| id.starts_with("x: ")) || json["é"] == "a\nb", "{masked}");
        }
    }
    let list = KEY.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    let list = serde_json::json!({"arguments": format!("{{\"k\":[{list}]}}")}).to_string().into_bytes();
    assert_eq!(mask.body(list.clone()), list, "a list stays one");
    let other = br#"{"text":"caf\u00e9 \/ \"a\\nb\"","x":"\u2026"}"#.to_vec();
    assert_eq!(mask.body(other.clone()), other, "what has no key stays to the byte");
}
