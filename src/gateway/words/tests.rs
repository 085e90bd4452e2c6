use super::*;
use crate::chat::{Alternative, FinishReason};

const KEY: &str = "sk-0123456789abcdef";

fn mask() -> Mask {
    Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()))
}

/// What is told of these events, and whether the key came in pieces.
fn told(events: impl IntoIterator<Item = StreamEvent>) -> (Vec<StreamEvent>, bool) {
    let mask = mask();
    let mut words = Words::new(&mask, true);
    let mut told = Vec::new();
    events.into_iter().for_each(|event| words.push(event, &mut |event| told.push(event)));
    words.flush(&mut |event| told.push(event));
    (told, words.is_split())
}

fn text(events: &[StreamEvent]) -> String {
    events.iter().map(|event| if let StreamEvent::TextDelta(text) = event { text } else { "" }).collect()
}

#[test]
fn a_key_is_masked_however_the_words_are_cut() {
    for (said, shown) in [
        (KEY.to_owned(), "***"),
        (format!("a {KEY}{KEY} b sk-sk-01 {KEY}sk-0123 é"), "a ****** b sk-sk-01 ***sk-0123 é"),
        ("sk-0123456789 and sk-01234567 é sk-".to_owned(), "sk-0123456789 and sk-01234567 é sk-"),
        // The answer was cut within the key.
        ("é sk-0123456789ab".to_owned(), "é ***"),
    ] {
        for size in 1..=said.len() {
            let pieces: Vec<String> =
                said.chars().collect::<Vec<_>>().chunks(size).map(|piece| piece.iter().collect()).collect();
            let is_cut = |start: usize| (start + 1..start + KEY.len()).any(|at| at % size == 0);
            let has_cut = said.match_indices(KEY).any(|(start, _)| is_cut(start)) || shown == "é ***";
            let (told, is_split) = told(pieces.into_iter().map(StreamEvent::TextDelta));
            // The first letters of a key that comes in pieces were told before anybody could know.
            let (mut rest, all) = (shown, text(&told));
            let mut seen = &*all;
            while let Some(at) = rest.find("***") {
                seen = seen.strip_prefix(&rest[..at]).unwrap_or_else(|| panic!("{said} in {size}: {all}"));
                let extra = seen.find("***").expect("it is masked");
                assert!(extra < SHORTEST_PART && KEY.starts_with(&seen[..extra]), "{said} in {size}: {all}");
                (rest, seen) = (&rest[at + 3..], &seen[extra + 3..]);
            }
            assert_eq!(seen, rest, "{said} in {size}: {all}");
            assert_eq!(is_split, has_cut, "{said} in {size}");
        }
    }
}

#[test]
fn words_without_the_beginning_of_a_key_are_told_at_once() {
    let mask = mask();
    let mut words = Words::new(&mask, true);
    for said in ["this", "sk", "-01", " and sk-01", ""] {
        let mut told = Vec::new();
        words.push(StreamEvent::TextDelta(said.to_owned()), &mut |event| told.push(event));
        assert_eq!((told, words.is_open()), (vec![StreamEvent::TextDelta(said.to_owned())], false));
    }
    let mut told = Vec::new();
    words.push(StreamEvent::TextDelta("234".to_owned()), &mut |event| told.push(event));
    assert!(told.is_empty() && words.is_open());
}

#[test]
fn each_kind_of_words_is_its_own_and_ends_before_what_follows() {
    let (one, two) = KEY.split_at(10);
    let arguments = |index, arguments: &str| StreamEvent::ToolCallDelta { index, arguments: arguments.to_owned() };
    let start = |index| StreamEvent::ToolCallStart { index, id: "c".into(), name: "f".into() };
    let finish = StreamEvent::Finish(FinishReason::Stop);
    let usage = StreamEvent::Usage(crate::chat::Usage::default());
    let reasoning = |text: &str| StreamEvent::ReasoningDelta(text.to_owned());
    let events =
        [reasoning(one), usage.clone(), reasoning(two), start(0), arguments(0, one), arguments(0, two), start(1)];
    let (seen, is_split) = told(events.into_iter().chain([arguments(1, one), finish.clone()]));
    assert!(is_split);
    let expected = [usage, reasoning("***"), start(0), arguments(0, "***"), start(1), arguments(1, one), finish];
    assert_eq!(seen, expected);
}

#[test]
fn a_key_is_found_whatever_comes_between_its_pieces() {
    let text = |text: &str| StreamEvent::TextDelta(text.to_owned());
    let arguments = |index, text: &str| StreamEvent::ToolCallDelta { index, arguments: text.to_owned() };
    let between = [
        StreamEvent::ReasoningDelta("hm".into()),
        StreamEvent::ToolCallStart { index: 0, id: "c".into(), name: "f".into() },
        StreamEvent::ReasoningSignature("s".into()),
        arguments(0, "{"),
    ];
    for other in between {
        let pieces = KEY.as_bytes().chunks(SHORTEST_PART).map(|piece| std::str::from_utf8(piece).expect("ASCII"));
        let (seen, is_split) = told(pieces.clone().flat_map(|piece| [text(piece), other.clone()]));
        assert!(is_split && super::tests::text(&seen) == "***", "{seen:?}");
        let (seen, is_split) = told(pieces.flat_map(|piece| [arguments(1, piece), other.clone()]));
        assert!(is_split && seen.contains(&arguments(1, "***")), "{seen:?}");
    }
}

#[test]
fn a_key_with_escapes_in_arguments_is_masked_however_they_are_cut() {
    let said =
        r#"{"url":"https:\/\/x\u002fy\u0041","key":"\u0073k\u002d012345\u00367\u003889abcdef","n":"\\u002d\n\u00e9"}"#;
    let said = said.replace("\\u003889", "\\u00389");
    let shown = said.replace(r"\u0073k\u002d012345\u00367\u00389abcdef", "***");
    assert!(shown.contains("***"));
    for size in 1..=said.len() {
        let pieces = said.as_bytes().chunks(size).map(|piece| str::from_utf8(piece).expect("ASCII").to_owned());
        let (told, _) = told(pieces.map(|arguments| StreamEvent::ToolCallDelta { index: 0, arguments }));
        let all: String = told
            .iter()
            .map(|event| if let StreamEvent::ToolCallDelta { arguments, .. } = event { arguments } else { "" })
            .collect();
        let seen: serde_json::Value =
            serde_json::from_str(&all).unwrap_or_else(|error| panic!("{size}: {error}: {all}"));
        let key = seen["key"].as_str().expect("a text");
        let first = key.strip_suffix("***").unwrap_or_else(|| panic!("{size}: {all}"));
        assert!(first.len() < SHORTEST_PART && KEY.starts_with(first), "{size}: {all}");
        let others = serde_json::from_str::<serde_json::Value>(&shown).expect("JSON");
        assert_eq!((&seen["url"], &seen["n"]), (&others["url"], &others["n"]), "{size}");
    }
    // A model may write these in its text.
    let plain = StreamEvent::TextDelta(r"sk\u002d0123456789abcdef".to_owned());
    assert_eq!(told([plain.clone()]).0, [plain]);
    // The answer was cut within the key, and within an escape.
    let cut = StreamEvent::ToolCallDelta { index: 0, arguments: r"x sk\u002d0123456789\u00".to_owned() };
    let (told, is_split) = told([cut]);
    assert_eq!(
        told,
        [
            StreamEvent::ToolCallDelta { index: 0, arguments: "x ".to_owned() },
            StreamEvent::ToolCallDelta { index: 0, arguments: "***".to_owned() },
        ]
    );
    assert!(is_split);
}

/// What is told of the arguments of a tool that come in pieces of this size.
fn arguments_told(mask: &Mask, said: &str, size: usize) -> String {
    let mut words = Words::new(mask, true);
    let mut told = String::new();
    let mut each = |event| {
        if let StreamEvent::ToolCallDelta { arguments, .. } = event {
            told.push_str(&arguments);
        }
    };
    for piece in said.as_bytes().chunks(size) {
        let arguments = str::from_utf8(piece).expect("ASCII").to_owned();
        words.push(StreamEvent::ToolCallDelta { index: 0, arguments }, &mut each);
    }
    words.flush(&mut each);
    told
}

#[test]
fn an_escape_that_takes_letters_of_a_key_is_masked_with_it() {
    for (key, said) in [
        ("6fa8b0c1d2e3f405162738495a6b7c8d", r#"{"a":"x \u006fa8b0c1d2e3f405162738495a6b7c8d y"}"#),
        ("00416fa8b0c1d2e3f405162738", r#"{"a":"x \u00416fa8b0c1d2e3f405162738 y"}"#),
        (r#"pa"ss\0123456789"#, r#"{"a":"x pa\"ss\\0123456789 y"}"#),
        ("nvapi-0123456789", r#"{"a":"x \nvapi-0123456789 y"}"#),
        ("nvapi-0123456789", r#"{"a":"x \\nvapi-0123456789 y"}"#),
        ("aaaaaaaaaaaab", r#"{"a":"x aaaaaaaaaa\u0061aaaaaaaab\u0061aaaaaaaaaaab y"}"#),
    ] {
        let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&key.into()));
        for size in 1..=said.len() {
            let told = arguments_told(&mask, said, size);
            let read: serde_json::Value =
                serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told} in {size}"));
            let read = read["a"].as_str().expect("a text");
            assert!(told.contains("***") && read.starts_with("x ") && read.ends_with(" y"), "{told} in {size}");
            for part in key.as_bytes().windows(SHORTEST_PART + 4) {
                let part = str::from_utf8(part).expect("ASCII");
                assert!(!told.contains(part) && !read.contains(part) || key.starts_with('a'), "{told} in {size}");
            }
            assert!(!read.contains(key) && !told.contains(key), "{told} in {size}");
        }
    }
}

#[test]
fn tokens_tell_no_key() {
    let token = |token: &str| TokenLogprob {
        token: token.to_owned(),
        logprob: -1.0,
        top: vec![
            Alternative { token: KEY.to_owned(), logprob: -1.0 },
            Alternative { token: "x".into(), logprob: -2.0 },
        ],
    };
    let pieces = ["a s", "k-01234", "56789abc", "def b", "c", "sk-0"];
    let (events, _) = told(pieces.into_iter().map(|piece| StreamEvent::Logprobs(vec![token(piece)])));
    let tokens: Vec<TokenLogprob> = events
        .into_iter()
        .flat_map(|event| if let StreamEvent::Logprobs(tokens) = event { tokens } else { Vec::new() })
        .collect();
    let seen: Vec<_> = tokens.iter().map(|token| (&*token.token, token.top.len())).collect();
    assert_eq!(seen, [("a ***", 0), ("", 0), ("", 0), (" b", 0), ("c", 1), ("sk-0", 1)]);
}

#[test]
fn the_owner_of_the_key_gets_words_as_they_are_and_signatures_without_it() {
    let gateway = crate::secret::testing::gateway("g");
    let mask = Mask::new(&gateway, Some(&KEY.into()));
    let mut words = Words::new(&mask, false);
    let mut told = Vec::new();
    words.push(StreamEvent::TextDelta(KEY.to_owned()), &mut |event| told.push(event));
    assert_eq!(told, [StreamEvent::TextDelta(KEY.to_owned())]);
    let mut signed = String::new();
    for piece in KEY.as_bytes().chunks(4) {
        let piece = StreamEvent::ReasoningSignature(String::from_utf8_lossy(piece).into_owned());
        words.push(piece, &mut |event| {
            if let StreamEvent::ReasoningSignature(piece) = event {
                signed += &piece;
            }
        });
    }
    assert!(signed.len() < super::SHORTEST_PART, "{signed}");
}
