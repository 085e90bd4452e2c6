//! Escaping, held against chosen and generated text.

use super::*;
use crate::report::samples::HOSTILE;
use proptest::prelude::*;

/// Text in which every kind of character that needs care is likely.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z ]{0,4}",
        prop::sample::select(vec![
            "\r",
            "\n",
            "\r\n",
            "\r\r\n",
            "\t",
            "\x1b[2J",
            "\u{9b}",
            "\u{202e}",
            "\u{e0041}",
            "👩‍👩‍👧"
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_a_terminal_would_obey_is_shown() {
    for (text, shown) in [
        ("plain", "plain"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a␍b"),
        ("a\r\r\n", "a␍\n"),
        ("\r", "␍"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b]8;;http://x", "␛]8;;http://x"),
        ("\0\x08\x7f", "␀␈␡"),
        ("\u{80}\u{85}\u{9b}31m\u{9f}", "\\u{80}\\u{85}\\u{9b}31m\\u{9f}"),
        ("\u{202e}a\u{2066}", "\\u{202e}a\\u{2066}"),
        ("\u{61c}\u{200b}\u{200e}\u{200f}", "\\u{61c}\\u{200b}\\u{200e}\\u{200f}"),
        ("\u{2028}\u{2029}\u{2060}\u{feff}", "\\u{2028}\\u{2029}\\u{2060}\\u{feff}"),
        ("\u{fff9}\u{e0041}\u{e0100}", "\\u{fff9}\\u{e0041}\\u{e0100}"),
        ("\u{fff0}\u{1bca0}\u{1d173}\u{1d17a}", "\\u{fff0}\\u{1bca0}\\u{1d173}\\u{1d17a}"),
        ("\u{ad}\u{115f}\u{3164}\u{ffa0}", "\\u{ad}\\u{115f}\\u{3164}\\u{ffa0}"),
    ] {
        assert_eq!(terminal(text), shown, "{text:?}");
    }
}

#[test]
fn writing_systems_and_emoji_stay_whole() {
    for text in ["می\u{200c}خواهم", "👩‍👩‍👧", "❤\u{fe0f}", "🏴\u{200d}☠\u{fe0f}", "e\u{301}", "日本語", "🇩🇪"]
    {
        assert!(matches!(terminal(text), Cow::Borrowed(same) if same == text), "{text}");
    }
}

#[test]
fn a_label_stays_on_its_line() {
    assert_eq!(line("a\r\nb\tc\n"), "a ⏎ b c");
    assert_eq!(line("gpt-5.4"), "gpt-5.4");
}

proptest! {
    #[test]
    fn no_control_character_but_newline_and_tab_gets_through(text in text()) {
        let shown = terminal(&text);
        prop_assert!(!shown.contains(|c: char| is_unsafe(c) || (c.is_control() && c != '\n' && c != '\t')));
    }

    #[test]
    fn pieces_look_like_the_whole(text in text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| ends[cut.index(ends.len())]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let (mut stream, mut out) = (Stream::default(), String::new());
        for pair in cuts.windows(2) {
            stream.push(&text[pair[0]..pair[1]], &mut out);
        }
        stream.finish(&mut out);
        prop_assert_eq!(out, terminal(&text).into_owned());
    }

    #[test]
    fn json_for_a_terminal_means_the_same(text in text()) {
        let document = serde_json::to_string(&text).expect("json");
        let shown = json(&document);
        prop_assert_eq!(serde_json::from_str::<String>(&shown).expect("json"), text);
        prop_assert!(!shown.contains(is_unsafe));
    }

    #[test]
    fn a_fence_is_longer_than_any_run_inside(text in "[`a\n ]{0,40}") {
        let fence = markdown_fence(&text);
        prop_assert!(fence.len() >= 3 && fence.bytes().all(|byte| byte == b'`') && !text.contains(&fence));
    }
}

#[test]
fn a_fence_is_no_longer_than_it_must_be() {
    assert_eq!(["", "a ` b", "a `` b", "``` b", "a\n````"].map(markdown_fence), ["```", "```", "```", "````", "`````"]);
}

#[test]
fn json_layout_keeps_its_line_breaks() {
    assert_eq!(json("{\n  \"a\": \"\u{9b}\u{e0041}\"\n}\n"), "{\n  \"a\": \"\\u009b\\udb40\\udc41\"\n}\n");
}

#[test]
fn html_text_holds_no_markup() {
    assert_eq!(html("<a href=\"x\" b='y'>&amp;</a>"), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
    assert_eq!(html("a\r\nb\x1b\u{202e}"), "a\nb␛\\u{202e}");
    assert_eq!(html("a\rb\r"), "a␍b␍", "a return alone could hide what stands before it");
    assert!(!html(HOSTILE).contains(is_unsafe));
}

#[test]
fn formulas_are_guarded_and_numbers_are_not() {
    for text in [
        "=1+1",
        "+A1",
        "-A1",
        "@sum",
        "\t=1",
        "\rx",
        " =1",
        "\u{a0}\u{a0}=1",
        "ok\n=1",
        "ok\r=1",
        "ok\r\n -x",
        "=1",
        "-inf",
        "-",
    ] {
        assert_eq!(csv_cell(text), format!("'{text}"), "{text:?}");
    }
    for text in ["", "a=b", "1", "-1.5", "+3", "-2e-5", "0.000177", "a-b", "x\ny", "(=1)"] {
        assert_eq!(csv_cell(text), text, "{text:?}");
    }
}

#[test]
fn markdown_specials_mean_themselves() {
    assert_eq!(markdown_line("a|b`c*_<i>[x](y)\n#"), "a\\|b\\`c\\*\\_&lt;i&gt;\\[x\\](y) ⏎ \\#");
}
