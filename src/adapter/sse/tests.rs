use super::*;
use proptest::prelude::*;

type Owned = Result<(String, String), FrameError>;

fn owned(frame: Result<Frame<'_>, FrameError>) -> Owned {
    frame.map(|frame| (frame.event.to_owned(), frame.data.to_owned()))
}

fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut parser = Parser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(frame) = parser.next() {
            frames.push(owned(frame));
        }
    }
    frames.extend(parser.finish().map(owned));
    assert_eq!(parser.finish(), None, "a frame is handed out once");
    frames
}

fn data(text: &str) -> Vec<String> {
    parse([text.as_bytes()]).into_iter().map(|frame| frame.expect("a good frame").1).collect()
}

#[test]
fn lines_end_in_lf_crlf_or_cr() {
    for text in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
        assert_eq!(data(text), ["a", "b"], "{text:?}");
    }
    assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
}

#[test]
fn an_event_of_several_lines_is_whole_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "event: e|data: a|data: b||data: c||".replace('|', end);
        let expected = [("e", "a\nb"), ("", "c")].map(|(event, data)| Ok((event.into(), data.into())));
        assert_eq!(parse([text.as_bytes()]), expected, "{end:?}");
    }
}

#[test]
fn large_events_that_come_at_once_are_measured_each_by_itself() {
    let long = "x".repeat(MAX_EVENT - 10);
    assert!(data(&format!("data: {long}\n\ndata: {long}")) == [&*long, &*long]);
}

#[test]
fn nothing_else_ends_a_line() {
    assert_eq!(data("data: a\u{85}b\u{2028}c\u{b}d\u{c}e\n\n"), ["a\u{85}b\u{2028}c\u{b}d\u{c}e"]);
}

#[test]
fn fields_follow_the_standard() {
    assert_eq!(data("data:no space\n\ndata:  two\n\n"), ["no space", " two"]);
    assert_eq!(data("data: a\ndata\ndata: b\n\n"), ["a\n\nb"]);
    assert_eq!(data(": comment\nid: 1\nretry: 5\nother: x\ndata: a\n\n: ping\n\n"), ["a"]);
    assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
    assert_eq!(
        parse([&b"event: one\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\n\n"[..]]),
        [("one", "a"), ("", "b"), ("", "c")].map(|(event, data)| Ok((event.into(), data.into())))
    );
}

#[test]
fn the_last_event_needs_no_blank_line() {
    assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(data("data: a\n\n: bye"), ["a"]);
}

#[test]
fn bytes_that_are_not_utf8_cost_one_frame() {
    let frames = parse([&b"data: a\n\ndata: \xff\n\ndata: c\n\n"[..]]);
    assert_eq!(frames, [Ok((String::new(), "a".into())), Err(FrameError::NotUtf8), Ok((String::new(), "c".into()))]);
}

#[test]
fn an_endless_line_is_an_error_and_takes_no_memory() {
    let mut parser = Parser::new();
    parser.push(b"data: ");
    let piece = vec![b'x'; 64 << 10];
    let mut errors = 0;
    for _ in 0..1000 {
        parser.push(&piece);
        errors += usize::from(parser.next() == Some(Err(FrameError::TooLarge)));
        assert!(parser.buffer.capacity() <= 4 * MAX_EVENT);
    }
    assert_eq!((errors, parser.next()), (1, None));
    assert_eq!(parser.finish(), None);
}

#[test]
fn an_event_of_endless_lines_is_an_error() {
    let mut parser = Parser::new();
    let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
    let results: Vec<_> = (0..6)
        .filter_map(|_| {
            parser.push(&line);
            parser.next().map(owned)
        })
        .collect();
    assert_eq!(results, [Err(FrameError::TooLarge)]);
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_reads_alike(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "data: x", "data:", "data", "event: e", ": c", "id: 1", "é😀\u{2028}", "\u{feff}", " ",
                "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n",
            ]),
            0..40,
        ),
        cuts in prop::collection::vec(1usize..7, 1..30),
    ) {
        let bytes = parts.concat().into_bytes();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        prop_assert_eq!(parse(pieces), parse([&bytes[..]]));
    }
}
