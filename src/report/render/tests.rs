use proptest::prelude::*;

use super::super::samples::HOSTILE;
use super::*;

const ON: Style = Style { on: true };
const OFF: Style = Style { on: false };

/// Every kind of block and of emphasis.
const TOUR: &str = include_str!("tests/tour.md");

fn shown(text: &str, columns: usize, style: Style) -> String {
    lines(text, columns, style).iter().map(|line| line.to_string() + "\n").collect()
}

#[test]
fn every_block_has_its_form() {
    assert_eq!(shown(TOUR, 60, OFF), include_str!("tests/tour.60.txt"));
    assert_eq!(shown(TOUR, 24, OFF), include_str!("tests/tour.24.txt"));
}

/// `^` stands for the escape character.
#[test]
fn every_look_has_its_colour() {
    assert_eq!(shown(TOUR, 60, ON).replace('\u{1b}', "^"), include_str!("tests/tour.colours.txt"));
}

#[test]
fn code_has_the_colours_of_its_language() {
    let code = |language: &str, code: &str| {
        let shown = shown(&format!("```{language}\n{code}\n```"), 80, ON);
        shown.lines().nth(1).expect("a line").replace("\u{1b}[", "<").replace("<0m", ">")
    };
    assert_eq!(code("python", "def f(x): return 'a#b' # why"), "<35mdef> f(x): <35mreturn> <32m'a#b'> <2m# why>");
    assert_eq!(code("rust", "let a: &'a str = \"\\\"\"; // x"), "<35mlet> a: &'a str = <32m\"\\\"\">; <2m// x>");
    assert_eq!(code("sh", "echo $# \"it's\" --no # c"), "<35mecho> $# <32m\"it's\"> --no <2m# c>");
    assert_eq!(code("sql", "Select 'it''s', 12 -- all"), "<35mSelect> <32m'it''s'>, <36m12> <2m-- all>");
    assert_eq!(code("diff", "+added"), "<32m+added>");
    assert_eq!(code("brainfuck", "+ 'a' 1"), "+ 'a' 1");
    assert_eq!(code("", "let x = 1"), "let x = 1");
    let several = shown("```js\n/* one\ntwo */ let\n`a\nb` 1\n```", 80, ON);
    assert!(several.contains("\u{1b}[2mtwo */\u{1b}[0m \u{1b}[35mlet"), "{several:?}");
    assert!(several.contains("\u{1b}[32mb`\u{1b}[0m \u{1b}[36m1"), "{several:?}");
}

/// What is final after each of these pieces, and the row that may still change.
fn steps(pieces: &[&str]) -> Vec<(String, String)> {
    let mut markdown = Markdown::new(30, OFF);
    let mut step = |piece: &&str| {
        markdown.push(piece);
        (markdown.take_done().to_string(), markdown.preview().to_string())
    };
    pieces.iter().map(&mut step).collect()
}

#[test]
fn a_line_is_final_when_nothing_can_change_it() {
    let pieces = ["Some wor", "ds that fill ", "a **whole ", "line and", " more** than", " that.\n", "\nNext"];
    let expected = [
        ("", "Some wor"),
        ("", "Some words that fill"),
        ("", "Some words that fill a"),
        ("", "Some words that fill a **whole"),
        ("Some words that fill a **whole\n", "line and more** than"),
        ("", "line and more** than that."),
        ("line and more** than that.\n\n", "Next"),
    ];
    let steps = steps(&pieces);
    let expected: Vec<_> = expected.iter().map(|(done, row)| ((*done).to_owned(), (*row).to_owned())).collect();
    assert_eq!(steps, expected);
}

#[test]
fn code_is_final_line_by_line_and_a_table_when_it_is_over() {
    let steps = steps(&["```\nlet", " a\nlet b", "\n```\n| a", " | b |\n|--|--|\n| 1 ", "| 2 |\n", "\nend"]);
    let done: Vec<&str> = steps.iter().map(|(done, _)| done.as_str()).collect();
    assert_eq!(done, ["```\n", "let a\n", "let b\n```\n", "", "", "a │ b\n──┼──\n1 │ 2\n\n"]);
    let rows: Vec<&str> = steps.iter().map(|(_, row)| row.as_str()).collect();
    assert_eq!(rows, ["let", "let b", "", "| 1", "", "end"]);
}

#[test]
fn a_line_without_spaces_is_final_when_it_is_full() {
    let text = "日本語のテキストは空白なしで続くので、どこでも改行できる";
    let each: Vec<String> = text.chars().map(String::from).collect();
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    let steps = steps(&each);
    let first = steps.iter().position(|(done, _)| !done.is_empty()).expect("a line is full");
    assert_eq!(steps[first].0, "日本語のテキストは空白なしで続\n", "it is 30 cells wide");
    assert_eq!(steps[first].1, "くので");
}

#[test]
fn what_has_no_place_to_break_is_read_in_parts() {
    let whole = shown(&"[é".repeat(70_000), 80, OFF);
    assert_eq!(whole.replace('\n', ""), "[é".repeat(70_000));
    // The mark stands where a part begins.
    for word in ["[é".repeat(70_000), format!("{}_b c_ d", "a".repeat(64 * 1024))] {
        let whole = shown(&word, 80, ON);
        let letters: Vec<char> = word.chars().collect();
        for size in [999, 64 * 1024 + 1] {
            let mut markdown = Markdown::new(80, ON);
            letters.chunks(size).for_each(|piece| markdown.push(&piece.iter().collect::<String>()));
            markdown.finish();
            assert_eq!(markdown.take_done().to_string(), whole, "{size}");
        }
    }
}

#[test]
fn a_table_without_measure_is_shown_as_it_is_written() {
    let head = format!("|{}\n|{}\n", "a|".repeat(1_000), "-|".repeat(1_000));
    let rows = "|b|\n".repeat(1_000);
    let large = shown(&format!("{head}{rows}"), 80, OFF);
    assert_eq!(large.replace(GOES_ON, "").replace('\n', ""), format!("{head}{rows}").replace('\n', ""));
    let long = shown(&format!("|a|\n|-|\n{}", "|b|\n".repeat(LARGEST_TABLE / 3)), 80, OFF);
    assert!(long.ends_with("|b|\n"), "{}", &long[long.len() - 40..]);
}

#[test]
fn a_mark_that_nothing_closes_does_not_hold_text_back_for_ever() {
    let mut markdown = Markdown::new(40, OFF);
    markdown.push("a [stray `mark and then ");
    markdown.push(&"words ".repeat(500));
    assert!(markdown.take_done().to_string().starts_with("a [stray `mark and then words"));
}

/// A screen of unlimited width and height.
#[derive(Default)]
struct Screen(Vec<String>);

impl Screen {
    fn write(&mut self, bytes: &str) {
        for (n, line) in bytes.split('\n').enumerate() {
            if n > 0 || self.0.is_empty() {
                self.0.push(String::new());
            }
            for (n, part) in line.split("\r\u{1b}[J").enumerate() {
                let last = self.0.last_mut().expect("a line");
                if n > 0 {
                    last.clear();
                }
                last.push_str(part);
            }
        }
    }
}

/// The screen after these pieces, each drawn as it arrives.
fn drawn(pieces: &[&str], columns: usize, style: Style) -> String {
    let (mut markdown, mut row, mut screen) = (Markdown::new(columns, style), LastRow::default(), Screen::default());
    for piece in pieces {
        markdown.push(piece);
        let (done, preview) = (markdown.take_done(), markdown.preview());
        assert!(preview.width() <= columns, "{preview:?}");
        screen.write(&row.update(&done, preview, columns));
    }
    markdown.finish();
    screen.write(&row.update(&markdown.take_done(), Text::new(), columns));
    // The same looks may be written in one sequence or in several.
    screen.0.join("\n").replace("\u{1b}[0m\u{1b}[", "\u{1b}[").replace("\u{1b}", "^")
}

fn without_looks(text: &str) -> String {
    let mut parts = text.split("^[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn what_stands_on_the_screen_is_not_written_again() {
    let (mut markdown, mut row) = (Markdown::new(40, ON), LastRow::default());
    let mut writes = |piece: &str| {
        markdown.push(piece);
        let (done, preview) = (markdown.take_done(), markdown.preview());
        row.update(&done, preview, 40)
    };
    assert_eq!(writes("Some "), "Some");
    assert_eq!(writes("words **bold"), " words \u{1b}[1mbold\u{1b}[0m");
    assert_eq!(writes(" and"), "\u{1b}[1m and\u{1b}[0m");
    assert_eq!(writes("** so on\n\nx"), " so on\n\nx");
}

#[test]
fn a_terminal_that_became_narrower_loses_all_of_the_last_row() {
    let mut row = LastRow::default();
    assert_eq!(row.update(&Text::new(), "x".repeat(70).as_str().into(), 80), "x".repeat(70));
    assert_eq!(row.erase(30), "\r\u{1b}[2A\u{1b}[J");
    assert_eq!(row.erase(30), "");
}

#[test]
fn no_text_acts_on_a_terminal_whatever_it_is_part_of() {
    for text in [
        HOSTILE,
        &format!("# {HOSTILE}"),
        &format!("```{HOSTILE}\n{HOSTILE}\n```"),
        &format!("[{HOSTILE}](/{HOSTILE})"),
        &format!("| {HOSTILE} |\n|--|\n| `{HOSTILE}` |"),
        &format!("> - {HOSTILE}"),
        "&#27;[2J &#x9b;2J &ZeroWidthSpace; &rlm;",
    ] {
        for line in lines(text, 40, OFF) {
            let line = line.to_string();
            assert_eq!(super::escape::terminal(&line), line, "{text:?}");
            assert!(!line.contains(char::is_control), "{text:?}");
        }
    }
}

/// Pieces of Markdown, well and badly formed.
fn markdown() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z]{1,9} ",
        1 => prop::sample::select(vec![
            "**", "*", "_", "`", "``", "~~", "[", "](", ") ", "] ", "\\", "\n", "\n\n", "\n# ", "\n- ", "\n  - ", "\n1. ",
            "\n   ", "\n> ", "\n```rs\n", "\n```\n", "\n| a | b |\n|---|:-:|\n| c | d e |\n", "\n---\n", "| ", "\t",
            "https://example.org/a-long-path/that_has/no-spaces?at=all&b=c ", "日本語、テキスト。", "日本", "語", "<https://日本語.example/日本>", "한국어", "か\u{3099}", "👩‍👩‍👧", "e\u{301}", "می‌خواهم ",
            "\\( a_1 \\) ", "$$ x * y $$ ", "\n\\[\n", "\n\\]\n", "$5 ", "\n    ", "!", "<b>", "\r\n", "**bold** ", "`code x` ",
            "\u{1b}[2J", "1.", "-", "=", "\n===\n", "***",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The letters, in an order that tables do not change.
fn letters(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.sort_unstable();
    letters
}

#[test]
fn a_heading_that_comes_in_pieces_has_one_space_behind_its_mark() {
    let pieces = ["#", " ", "\t", "a", " "];
    assert_eq!(drawn(&pieces, 20, OFF), drawn(&[&pieces.concat()], 20, OFF));
    assert_eq!(drawn(&pieces, 20, OFF), "# a\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_gives_the_same_screen(text in markdown(), seed in any::<u64>(), columns in 20usize..120, on in any::<bool>()) {
        let style = Style { on };
        let mut random = seed;
        let mut cuts = vec![0];
        for (at, _) in text.char_indices() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if random >> 62 == 0 {
                cuts.push(at);
            }
        }
        cuts.push(text.len());
        let pieces: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        let each: Vec<String> = text.chars().map(String::from).collect();
        let each: Vec<&str> = each.iter().map(String::as_str).collect();
        let whole: String = lines(&text, columns, style).iter().map(|line| line.to_string() + "\n").collect();
        let whole = whole.replace('\u{1b}', "^");
        let looks = |text: &str| without_looks(text);
        prop_assert_eq!(looks(&drawn(&pieces, columns, style)), looks(&whole));
        prop_assert_eq!(looks(&drawn(&each, columns, style)), looks(&whole));
        // The looks of the final lines are the same, too.
        let mut markdown = Markdown::new(columns, style);
        each.iter().for_each(|piece| markdown.push(piece));
        markdown.finish();
        prop_assert_eq!(markdown.take_done().to_string().replace('\u{1b}', "^"), whole);
    }

    #[test]
    fn all_words_are_there_and_no_line_is_too_wide(text in markdown(), columns in 20usize..=200) {
        let page = lines(&text, columns, OFF);
        for line in &page {
            prop_assert!(line.width() <= columns, "{:?} is wider than {}", line, columns);
        }
        let page: String = page.iter().map(|line| line.to_string() + "\n").collect();
        prop_assert_eq!(letters(&page), letters(&super::escape::terminal(&text)));
    }
}
