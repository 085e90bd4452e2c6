use super::*;

const KEY: &str = "sk-0123456789abcdef";

/// What is known after these events.
fn spelling<'e>(events: impl IntoIterator<Item = &'e str>) -> Spelling {
    let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
    let mut spelling = Spelling::default();
    events.into_iter().for_each(|event| spelling.read(&mask, event.as_bytes()));
    spelling
}

/// The key in pieces of six letters, each in an event of this form.
fn pieces(event: &str) -> Vec<String> {
    KEY.as_bytes().chunks(6).map(|piece| event.replace('@', str::from_utf8(piece).expect("ASCII"))).collect()
}

#[test]
fn a_key_in_pieces_is_found_in_every_field_and_whatever_is_between_them() {
    for event in [
        r#"data: {"choices":[{"index":0,"text":"@"}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":"@"}}}]}"#,
        r#"data: {"logprobs":{"content":[{"token" : "@","logprob":-1}]}}"#,
        r#"data: {"type":"response.custom_tool_call_input.delta","delta":"@"}"#,
        r#"data: {"list":["@"]}"#,
        r#"data: {"id":"c","choices":[{"delta":{"tool_calls":[{"id":"@","function":{"name":"f"}}]}}]}"#,
        r#"data: {"id":"c","delta":{"calls":[{"x":{"id":"z"}},{"x":{},"id":"@"}]}}"#,
    ] {
        let others = ["event: x", ": comment", r#"{"content":"hm","text":""}"#, r#"{"new":null}"#];
        let events = pieces(event);
        let with_others = events.iter().flat_map(|event| [event.as_str()].into_iter().chain(others));
        assert!(spelling(with_others).is_split(), "{event}");
        let first = spelling([events[0].as_str()]);
        assert!(first.is_open(0) && !first.is_open(MOST_HELD + 1) && !first.is_split(), "{event}");
        let other = event.replace('@', "x");
        let interrupted = events.iter().flat_map(|event| [event.as_str(), &other]);
        assert!(!spelling(interrupted).is_split(), "the words go on otherwise: {event}");
    }
    let whole = format!("[{}]", pieces(r#"{"text": "@", "x": "y"}"#).join(","));
    assert!(spelling([whole.as_str()]).is_split(), "in one body");
    let escaped: Vec<String> = pieces(r#"{"text":"@"}"#).iter().map(|event| event.replace('-', "\\u002d")).collect();
    assert!(spelling(escaped.iter().map(String::as_str)).is_split());
}

#[test]
fn a_key_in_pieces_is_found_in_the_fields_of_events_and_in_names() {
    for event in [
        "id: @\ndata: {}",
        "event: @\r\ndata: {}",
        "event:@\rdata: {}",
        ": @",
        "retry: @",
        "data: @",
        "@: x",
        "@",
        r#"data: {"choices":[],"@":1}"#,
        r#"data: {"choices":[{"x":{"@":"y"},"z":[]}]}"#,
        r#"[{"@" : null},"#,
    ] {
        let others = ["", r#"data: {"choices":[{"index":0,"delta":{"content":"hm"}}],"other_names":{"s":"k"}}"#];
        let events = pieces(event);
        let with_others = events.iter().flat_map(|event| [event.as_str()].into_iter().chain(others));
        assert!(spelling(with_others).is_split(), "{event}");
        let first = spelling([events[0].as_str()]);
        assert!(first.is_open(0) && !first.is_split(), "{event}");
    }
}

#[test]
fn a_name_that_begins_like_a_key_in_every_event_holds_nothing_back_for_long() {
    let events = vec![format!(r#"data: {{"choices":[],"{}":1}}"#, &KEY[..8]); OLD];
    let spelling = spelling(events.iter().map(String::as_str));
    assert!(!spelling.is_open(0) && !spelling.is_split());
    assert_eq!(spelling.names.len(), 2, "one for the name, and one for the last letter of another");
}

#[test]
fn what_is_told_beside_a_masked_part_is_found() {
    for (pieces, is_split) in [
        (&[0..6, 6..19][..], true),
        (&[0..3, 3..19], false),
        (&[0..3, 3..16, 16..19], true),
        (&[0..12, 12..17], false),
        (&[0..12, 12..18], true),
        (&[0..12, 12..14, 14..16, 16..18], true),
        (&[2..14, 14..19], false),
        (&[1..13, 13..19], true),
    ] {
        for form in [r#"{"id":"@"}"#, r#"{"x":{"@":1}}"#] {
            let events: Vec<String> = pieces.iter().map(|piece| form.replace('@', &KEY[piece.clone()])).collect();
            let mut spelling = spelling(events.iter().map(String::as_str));
            spelling.end();
            assert_eq!(spelling.is_split(), is_split, "{pieces:?} {form}");
        }
    }
}

#[test]
fn nothing_is_taken_for_masked_in_the_text_of_an_answer() {
    for (pieces, is_split) in
        [(&[0..14, 14..19][..], true), (&[0..5, 5..19], true), (&[0..14, 0..0], true), (&[0..11, 0..0], false)]
    {
        for form in [r#"{"choices":[{"text":"@"}]}"#, r#"{"choices":[{"index":1,"delta":{"content":"@"}}]}"#] {
            let events: Vec<String> = pieces.iter().map(|piece| form.replace('@', &KEY[piece.clone()])).collect();
            let mut spelling = spelling(events.iter().map(String::as_str));
            assert!(!pieces[1].is_empty() || spelling.is_open(0), "{form}");
            spelling.end();
            assert_eq!(spelling.is_split(), is_split, "{pieces:?} {form}");
        }
    }
}

#[test]
fn a_byte_order_mark_hides_nothing() {
    let body = format!("\u{feff}[{}]", pieces(r#"{"x":1,"text":"@"}"#).join(","));
    assert!(spelling([body.as_str()]).is_split());
}

#[test]
fn choices_and_blocks_are_told_apart() {
    for other in [r#"{"index":1,"text":"other"}"#, r#"{"output_index": 0,"content_index": 2,"text":"other"}"#] {
        let events = pieces(r#"{"index":0,"text":"@"}"#);
        assert!(spelling(events.iter().flat_map(|event| [event.as_str(), other])).is_split());
        let chunks: Vec<String> = events.iter().map(|event| format!("{event}\n{other}\n")).collect();
        assert!(spelling(chunks.iter().map(String::as_str)).is_split(), "two events at once");
    }
    let blocks = pieces(r#"{"index":@,"text":"@"}"#);
    let blocks = blocks
        .iter()
        .enumerate()
        .map(|(i, event)| event.replacen(&KEY[i * 6..KEY.len().min(i * 6 + 6)], &i.to_string(), 1));
    let blocks: Vec<String> = blocks.collect();
    assert!(spelling(blocks.iter().map(String::as_str)).is_split(), "{blocks:?}");
}

#[test]
fn what_one_event_has_for_several_choices_is_told_apart() {
    for event in [
        r#"data: {"choices":[{"index":0,"delta":{"content":"zz"}},{"index":1,"delta":{"content":"@"}}]}"#,
        r#"data: {"choices":[{"delta":{"content":"zz"},"index":0},{"delta":{"content":"@"},"index":1}]}"#,
        r#"data: {"candidates":[{"content":{"parts":[{"text":"a, b"},{"text":"zz"}]}},{"content":{"parts":[{"text":"@"}]}}]}"#,
        r#"data: {"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a"}},{"index":0,"function":{"arguments":"@"}}]}}]}"#,
        r#"data: {"a":{"x":{"text":"zz"}},"b":{"x":{"text":"@"}}}"#,
        r#"data: [[],["zz","[{"],["@"]]"#,
        r#"data: {"choices":[{"delta":{"content":"zz","content":"@"}}]}"#,
        "id: zz\nid: @\ndata: {}\n",
    ] {
        assert!(spelling(pieces(event).iter().map(String::as_str)).is_split(), "{event}");
    }
    let [plain, escaped] = [r#"{"id":"@"}"#, r#"{"\u0069d":"@"}"#].map(pieces);
    let by_turns = plain.iter().zip(&escaped).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
    let with_others = by_turns.flat_map(|event| [event, r#"{"x":"zz"}"#]);
    assert!(spelling(with_others).is_split(), "one name in two spellings");
    // By turns at the first and the second place.
    let [first, second] = [
        r#"{"choices":[{"index":1,"text":"@"},{"index":0,"text":"zz"}]}"#,
        r#"{"choices":[{"index":0,"text":"zz"},{"index":1,"text":"@"}]}"#,
    ]
    .map(pieces);
    let by_turns = first.iter().zip(&second).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
    assert!(spelling(by_turns).is_split());
    // Its number comes after the text, and its place changes; or each has an event of its own.
    let [first, second] = [
        r#"{"choices":[{"delta":{"content":"@"},"index":1},{"delta":{"content":"zz"},"index":0}]}"#,
        r#"{"choices":[{"delta":{"content":"zz"},"index":0},{"delta":{"content":"@"},"index":1}]}"#,
    ]
    .map(pieces);
    let by_turns = first.iter().zip(&second).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
    assert!(spelling(by_turns).is_split());
    let event = |n: u8, token: &str| {
        format!(
            r#"{{"choices":[{{"logprobs":{{"content":[{{"token":"{token}","top":[{{"token":"zz"}}]}}]}},"index":{n}}}]}}"#
        )
    };
    let own: Vec<String> = KEY
        .as_bytes()
        .chunks(6)
        .flat_map(|piece| [event(0, "hm"), event(1, str::from_utf8(piece).expect("ASCII"))])
        .collect();
    assert!(spelling(own.iter().map(String::as_str)).is_split());
    for other in [
        r#"{"type":"response.reasoning_text.delta","output_index":0,"delta":"zz"}"#,
        r#"{"type":"response.output_text.delta","item_id":"b","output_index":0,"delta":"zz"}"#,
    ] {
        let events = pieces(r#"{"type":"response.output_text.delta","item_id":"a","output_index":0,"delta":"@"}"#);
        assert!(spelling(events.iter().flat_map(|event| [event.as_str(), other])).is_split(), "{other}");
    }
}

#[test]
fn a_key_with_escapes_in_a_text_of_a_stream_is_found() {
    let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
    let event = format!(r#"data: {{"choices":[{{"delta":{{"content":"it is {}"}}}}]}}"#, KEY.replace('-', "\\u002d"));
    for (mut spelling, is_split) in [(Spelling::of_stream(), true), (Spelling::default(), false)] {
        spelling.read(&mask, event.as_bytes());
        assert_eq!(spelling.is_split(), is_split, "{event}");
    }
    let mut plain = Spelling::of_stream();
    plain.read(&mask, event.replace("\\u002d", "-").as_bytes());
    assert!(!plain.is_split(), "it is masked where it is spelled as it is");
}

#[test]
fn a_key_with_escapes_in_the_arguments_of_a_tool_is_found_however_it_is_cut() {
    let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
    let arguments = r#"{"n":"a\\nb","key":"\u0073k\u002d0123456789abcd\u0065f"}"#;
    let event = |piece: &str| {
        let piece = serde_json::Value::from(piece);
        format!(
            r#"data: {{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]}}}}]}}"#
        )
    };
    for size in [1, 2, 5, 7, 20, 100] {
        let mut spelling = Spelling::of_stream();
        for piece in arguments.as_bytes().chunks(size) {
            spelling.read(&mask, event(str::from_utf8(piece).expect("ASCII")).as_bytes());
        }
        assert!(spelling.is_split(), "in pieces of {size}");
    }
    let mut other = Spelling::of_stream();
    for piece in arguments.replace("5f", "55f").as_bytes().chunks(7) {
        other.read(&mask, event(str::from_utf8(piece).expect("ASCII")).as_bytes());
    }
    assert!(!other.is_split() && !other.is_open(0));
}

#[test]
fn a_field_that_one_event_has_twice_changes_nothing() {
    let events = pieces(r#"data: {"id":"@"}"#);
    for twice in [
        r#"data: {"id":"x","id":"@"}"#,
        r#"data: {"id":"0","id":"x","id":"@"}"#,
        r#"data: {"a":{"b":1},"id":"zz","id":"@","id":"@"}"#,
    ] {
        let twice = pieces(twice);
        assert!(spelling([events[0].as_str(), &twice[1], &twice[2], &events[3]]).is_split(), "{twice:?}");
    }
    let [one, two] = [r#"{"a":{"id":"@"}}"#, r#"{"a":{"id":"x"},"a":{"id":"@"}}"#].map(pieces);
    assert!(spelling([one[0].as_str(), &two[1], &one[2], &two[3]]).is_split());
    for end in ["\n", "\r\n", "\r"] {
        let [one, two] = ["id: @--", "id: zz-data: {}-id: @--"].map(|event| pieces(&event.replace('-', end)));
        assert!(spelling([one[0].as_str(), &two[1], &one[2], &two[3]]).is_split(), "{end:?}");
        let twice = pieces(&"id: zz-id: @--".replace('-', end));
        assert!(spelling(twice.iter().map(String::as_str)).is_split(), "{end:?}");
    }
    // Some readers take the first one.
    let [one, two] = [r#"{"id":"@"}"#, r#"{"id":"@","id":"zz"}"#].map(pieces);
    assert!(spelling([one[0].as_str(), &two[1], &two[2], &one[3]]).is_split());
    let [one, two] = ["id: @\n\n", "id: zz\n\n"].map(pieces);
    assert!(!spelling([one[0].as_str(), &two[0], &one[1], &one[2], &one[3]]).is_split());
    assert!(!spelling([one[0].as_str(), "id: zz\n\n", &one[1], &one[2], &one[3]]).is_split());
}

#[test]
fn long_names_and_many_numbers_are_read_in_no_time() {
    let name = format!(r#"{{"{}\u0041":{}"s"{}}}"#, "n".repeat(1 << 20), "[".repeat(100), "]".repeat(100));
    spelling([name.as_str()]);
    let many: Vec<String> = (0..20_000).map(|i| format!(r#"{{"index":{i},"t":"s"}}"#)).collect();
    spelling([format!("[{}]", many.join(",")).as_str()]);
}

#[test]
fn the_ends_of_many_strings_take_little_memory() {
    let list = |text: &str, count| format!("[{}]", vec![format!(r#"{{"x":"{text}"}}"#); count].join(","));
    let ends = spelling([list("ends with s", 10_000).as_str()]);
    assert!(ends.in_json.len() <= super::ends::MOST_OPEN && !ends.is_split(), "{}", ends.in_json.len());
    assert!(!spelling([list(&KEY[..SHORTEST_PART], 100).as_str()]).is_split());
    assert!(spelling([list(&KEY[..SHORTEST_PART], 10_000).as_str()]).is_split());
}

#[test]
fn an_answer_that_ends_within_a_key_is_found_at_its_end() {
    let two = |length: usize| [&KEY[..6], &KEY[6..length]].map(|piece| format!(r#"{{"text":"{piece}"}}"#));
    for (length, is_split) in [(LONG - 1, false), (LONG, true)] {
        let mut spelling = spelling(two(length).iter().map(String::as_str));
        spelling.end();
        assert_eq!(spelling.is_split(), is_split);
    }
}

/// Whether a key was told in these events of a stream.
fn is_told(key: &str, events: &[&str]) -> bool {
    let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&key.into()));
    let mut spelling = Spelling::of_stream();
    events.iter().for_each(|event| spelling.read(&mask, event.as_bytes()));
    spelling.is_split()
}

#[test]
fn an_escape_that_is_cut_belongs_to_the_text_that_it_ends() {
    for field in ["arguments", "content"] {
        let event = |text: &str| format!("{{{}}}", text.replace('F', field));
        let [first, last] = [r#""F":"sk""#, r#""F":"56789abcdef""#].map(event);
        let twice = event(r#""F":"zz\\","F":"-01234""#);
        assert!(is_told(KEY, &[&first, &twice, &last]));
        let [first, twice] = [r#""F":"sk\\u00""#, r#""F":"zz","F":"2d01234""#].map(event);
        assert!(is_told(KEY, &[&first, &twice, &last]));
        let other = event(r#""F":"2e01234""#);
        assert!(!is_told(KEY, &[&first, &other, &last]));
    }
}

#[test]
fn an_escape_that_takes_letters_of_a_key_does_not_hide_it() {
    const HEX: &str = "6fa8b0c1d2e3f405162738495a6b7c8d";
    for field in ["arguments", "content"] {
        let event = |piece: &str| format!(r#"{{"{field}":"{piece}"}}"#);
        let [one, two, three] = [&HEX[..10], &HEX[10..20], &HEX[20..]];
        assert!(is_told(HEX, &[&event(r"x \\u00"), &event(one), &event(two), &event(three)]));
        assert!(is_told(HEX, &[&event(&format!(r"x \\u00{one}")), &event(two), &event(three)]));
    }
    // In the bytes it is masked as it is.
    let first = r#"{"arguments":"{\"u\":\"https:\\"}"#;
    assert!(!is_told(KEY, &[first, &format!(r#"{{"arguments":"/ {KEY}"}}"#)]));
    assert!(!is_told(KEY, &[&format!(r#"{{"arguments":"a\nb {KEY}"}}"#)]));
    assert!(is_told(KEY, &[&format!(r#"{{"arguments":"{KEY} \u0073{}"}}"#, &KEY[1..])]));
}

#[test]
fn many_fields_of_one_event_take_little_time_and_memory() {
    let lines: String = (0..50_000).map(|i| format!("a{i}: s\na{i}: t\n")).collect();
    let of_event = spelling([lines.as_str(), &" \n".repeat(50_000)]);
    assert!(of_event.of_events.len() <= super::ends::MOST_OPEN && !of_event.is_split());
    let fields: Vec<String> = (0..40_000).map(|i| format!(r#""a{i}":"s","a{i}":"t""#)).collect();
    let of_json = spelling([format!("{{{}}}", fields.join(",")).as_str()]);
    assert!(of_json.in_json.len() <= super::ends::MOST_OPEN && !of_json.is_split());
}

#[test]
fn the_bytes_of_tokens_tell_no_key() {
    let event = |bytes: &[u8]| format!(r#"{{"content":[{{"token":"***","bytes" : {bytes:?}}}]}}"#);
    assert!(spelling([event(format!("x{KEY}y").as_bytes()).as_str()]).is_split());
    let pieces: Vec<String> = KEY.as_bytes().chunks(5).map(event).collect();
    assert!(spelling(pieces.iter().map(String::as_str)).is_split());
    let floats: Vec<String> = KEY.bytes().map(|byte| format!("{byte}.0")).collect();
    for name in ["bytes", r"b\u0079tes"] {
        assert!(spelling([format!(r#"{{"{name}":[{}]}}"#, floats.join(", ")).as_str()]).is_split(), "{name}");
    }
    let others =
        [event(b"Hello"), event(&KEY.as_bytes()[..5]), event(b"!"), r#"{"bytes":null,"x":"bytes"}"#.to_owned()];
    assert!(!spelling(others.iter().map(String::as_str)).is_split());
}

#[test]
fn letters_of_a_key_among_many_others_are_no_key() {
    let tokens = KEY.chars().flat_map(|letter| [letter.to_string(), "other".into(), "s".into()]);
    let tokens: Vec<String> = tokens
        .map(|token| {
            format!(r#"{{"token":"{token}","bytes":{:?},"top_logprobs":[{{"token":"x"}}]}}"#, token.as_bytes())
        })
        .collect();
    let mut whole = spelling([format!(r#"{{"logprobs":{{"content":[{}]}}}}"#, tokens.join(",")).as_str()]);
    whole.end();
    assert!(!whole.is_split());
}

#[test]
fn long_names_of_many_fields_take_little_memory() {
    let name = "n".repeat(4 << 20);
    let ends = spelling([format!(r#"{{"{name}":[{}]}}"#, vec![r#""s""#; 3_000].join(",")).as_str()]);
    assert!(ends.in_json.len() <= super::ends::MOST_OPEN);
    let nested = format!("{}{}", r#"[{"bytes":"#.repeat(200_000), "}]".repeat(200_000));
    spelling([nested.as_str()]);
}
