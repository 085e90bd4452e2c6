//! A terminal shows what the model says, and does nothing that the model says.

use crate::support::process::Running;
use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, Outcome, Reply};

/// What a terminal must never be sent by a model, each with a word after it that must stay visible.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}[Hcleared",                 // T01: clear, cursor home
    "\u{1b}[?1049h\u{1b}[?25lhidden",           // T01: alternate screen, cursor
    "\u{1b}]52;c;cm0gLXJm\u{7}clipboard",       // T02
    "\u{1b}]8;;https://x.example\u{1b}\\link",  // T03
    "\u{1b}]0;title\u{7}titled",                // T03
    "\u{1b}[6n\u{1b}[c\u{1b}P$qm\u{1b}\\asked", // T04
    "\u{9b}2J\u{9d}0;t\u{9c}c1",                // T05
    "safe\rover",                               // T06
    "safe\u{8}\u{8}\u{8}\u{8}back\u{7f}",       // T06
    "\u{1b}]52;c;unfinished",                   // T07
    "\u{1b}Punfinished",                        // T07
    "abc\u{202e}cba\u{2066}bidi",               // T09
    "zero\u{200b}width\u{e0041}\u{feff}",       // T10
];

/// Every control character that the terminal got, except line ends and our own colours.
pub fn controls(outcome: &Outcome) -> String {
    // Select Graphic Rendition, the only sequences that anything is printed with.
    let ours = ["0", "1", "2", "3", "4", "9", "1;3", "1;4", "1;3;4", "1;31", "31", "32", "33", "35", "36"];
    let ours = ours.map(|code| format!("\u{1b}[{code}m"));
    // The last row of an answer is drawn again where its text has changed.
    let screen = outcome.terminal().replace("\r\n", "\n").replace("\r\u{1b}[J", "");
    let rest = ours.iter().fold(screen, |screen, colour| screen.replace(colour, ""));
    let unsafe_one = |c: &char| {
        let format = matches!(*c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        (c.is_control() && *c != '\n' && *c != '\t') || format
    };
    rest.chars().filter(unsafe_one).flat_map(char::escape_unicode).collect()
}

// T01 … T10
#[test]
fn nothing_that_a_model_says_acts_on_the_terminal() {
    for text in HOSTILE {
        let gateway = Gateway::always(Reply::stream(&[text, " end"]));
        let outcome = Home::with(&gateway).llm(["ask", "hi"]).terminal(Wiring::STDOUT).output();
        outcome.exits(0);
        assert_eq!(controls(&outcome), "", "{text:?}\n{:?}", outcome.terminal());
        let mut words = text.rsplit(|c: char| !c.is_ascii_alphanumeric());
        let word = words.find(|word| !word.is_empty()).expect("a word");
        assert!(outcome.terminal().contains(word), "{text:?}\n{:?}", outcome.terminal());
        assert!(outcome.terminal().contains(" end"), "{text:?}\n{:?}", outcome.terminal());
    }
}

// T08
#[test]
fn a_sequence_split_over_pieces_is_shown_like_one_in_one_piece() {
    let text = HOSTILE.concat();
    let ask = |reply| {
        let gateway = Gateway::always(reply);
        let outcome = Home::with(&gateway).llm(["ask", "hi"]).terminal(Wiring::STDOUT).output();
        outcome.exits(0);
        outcome.terminal()
    };
    let pieces: Vec<String> = text.chars().map(String::from).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(ask(Reply::stream(&pieces)), ask(Reply::stream(&[&text])));
}

// T10
#[test]
fn emoji_and_scripts_that_join_stay_whole() {
    let text = "👩‍👩‍👧 ❤️ 🇩🇪 می‌خواهم e\u{301}";
    let gateway = Gateway::always(Reply::stream(&[text]));
    let outcome = Home::with(&gateway).llm(["ask", "hi"]).terminal(Wiring::STDOUT).output();
    assert!(outcome.exits(0).terminal().contains(text), "{outcome}");
}

// T11
#[test]
fn names_and_errors_of_the_gateway_do_nothing_either() {
    let evil = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}1mevil";
    let ok = serde_json::json!({"id": evil, "model": evil, "choices": [{"index": 0, "finish_reason": evil,
        "message": {"role": "assistant", "content": "Hi."}}]});
    let replies = [
        Reply::error(400, evil),
        Reply::error(429, evil),
        Reply::with_body(502, "text/html", evil),
        Reply::with_body(200, "text/plain", evil),
        Reply::sse().role().text("Half").error_event(500, evil).done(),
        Reply::sse().role().text("Half").finish(evil).done(),
        Reply::sse().bytes(format!("data: {evil}\n\n")).done(),
        Reply::json(200, &ok),
        Reply::with_headers(302, &[("location", "http://x.example/\u{9b}evil")], ""),
    ];
    for reply in replies {
        let gateway = Gateway::always(reply.clone());
        let home = Home::with(&gateway);
        for command in [["ask", "-m", "m\u{1b}[2J"], ["compare", "-m", "m\u{1b}[2J,n"]] {
            let run =
                home.llm(command).args(["--retries", "0", "hi"]).terminal(Wiring { columns: 100, ..Wiring::STDOUT });
            let outcome = run.output();
            assert_eq!(controls(&outcome), "", "{command:?} {reply:?}\n{outcome:?}");
        }
        let outcome = home.llm(["ask", "-m", "m\u{1b}[2J", "--retries", "0", "hi"]).terminal(Wiring::STDERR).output();
        assert_eq!(controls(&outcome), "", "{reply:?}\n{outcome:?}");
        // Messages that are kept in a file may be read on a terminal later.
        let outcome = home.llm(["ask", "-m", "m\u{1b}[2J", "--retries", "0", "--color", "never", "hi"]).output();
        let said = outcome.stderr();
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{reply:?}\n{outcome:?}");
    }
}

// T11
#[test]
fn no_name_or_message_of_a_gateway_begins_a_line() {
    let evil = "m\n✓ answers   FORGED\nhint: run FORGED";
    let answer = serde_json::json!({"id": evil, "model": evil, "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hi."}}]});
    // The message of a failure has a part of its own in all about one call.
    for (reply, shows_call) in [(Reply::json(200, &answer), true), (Reply::error(400, evil), false)] {
        let gateway = Gateway::always(reply);
        let home = Home::with(&gateway);
        for command in [
            &["ask", "-m", "x", "--log", "full", "hi"][..],
            &["compare", "-m", "x,y", "hi"],
            &["doctor"],
            &["log", "show"],
            &["log", "show", "--conversation"],
            &["log"],
            &["usage"],
        ] {
            if command[..].get(1) == Some(&"show") && !shows_call {
                continue;
            }
            let outcome = home.llm(command).terminal(Wiring { columns: 100, ..Wiring::STDOUT }).output();
            let shown = outcome.terminal().replace('\r', "");
            let is_forged = |line: &str| line.contains("FORGED") && line.starts_with(['✓', 'h']);
            assert!(!shown.lines().chain(outcome.stderr().lines()).any(is_forged), "{command:?}\n{outcome:?}");
        }
    }
}

// T11
#[test]
fn what_is_rendered_for_a_pager_does_nothing_either() {
    let evil = "\u{1b}[31m\u{202e}\u{9b}31m\u{1b}]0;x\u{7}";
    let answer = serde_json::json!({"id": evil, "model": format!("m{evil}"), "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": format!("**Hi.** {evil}"), "reasoning_content": format!("why {evil}")}}]});
    let gateway = Gateway::always(Reply::json(200, &answer));
    let home = Home::with(&gateway);
    let rendered = ["--render", "markdown", "--color", "always"];
    home.llm(["ask", "--log", "full", "hi"]).output().exits(0);
    for command in [&["log", "show"][..], &["log", "show", "--conversation"]] {
        let outcome = home.llm(command).args(rendered).output();
        let shown = outcome.exits(0).stdout();
        for escape in ["\u{1b}[31m", "\u{202e}", "\u{9b}", "\u{7}"] {
            assert!(!shown.contains(escape), "{command:?} {escape:?}: {shown:?}");
        }
        assert!(shown.contains("\u{1b}["), "it has colours of its own: {shown:?}");
    }
}

// T15
#[test]
fn what_is_told_of_requests_and_responses_does_nothing_either() {
    let evil = "\u{9b}2J\u{202e}evil";
    let gateway = Gateway::by(move |request| match request.model().as_str() {
        "refused" => Reply::error_with(400, &[("x-request-id", evil)], evil),
        "page" => Reply::with_body(200, &format!("text/{evil}"), evil),
        _ => Reply::sse_with(&[("x-request-id", evil), ("x-evil", evil)]).role().text("Hi.").finish("stop").done(),
    });
    let home = Home::with(&gateway);
    for model in ["whole", "refused", "page"] {
        let ask = home.llm(["ask", "-v", "-m", model, "--retries", "0", "hi"]);
        let outcome = ask.terminal(Wiring { columns: 200, ..Wiring::STDERR }).output();
        assert_eq!(controls(&outcome), "", "{model}\n{:?}", outcome.terminal());
        assert!(outcome.terminal().contains(": asking "), "{outcome}");
    }
}

// T11
#[test]
fn no_form_of_output_acts_on_the_terminal() {
    let text = HOSTILE.concat();
    let gateway = Gateway::always(Reply::stream(&[&text]));
    let home = Home::with(&gateway);
    let ask = ["text", "json", "jsonl", "markdown"].map(|form| ["ask", "-o", form, "hi"].to_vec());
    let compare = ["text", "json", "jsonl", "markdown", "csv", "html"]
        .map(|form| ["compare", "-m", "a,b", "-q", "-o", form, "hi"].to_vec());
    for command in ask.into_iter().chain(compare) {
        let outcome = home.llm(&command).terminal(Wiring::STDOUT).output();
        assert_eq!(controls(outcome.exits(0)), "", "{command:?}\n{:?}", outcome.terminal());
        assert!(outcome.terminal().contains("unfinished"), "{command:?}\n{:?}", outcome.terminal());
    }
}

// T14
#[test]
fn json_on_a_terminal_is_safe_and_means_the_same() {
    let text = HOSTILE.concat();
    let gateway = Gateway::always(Reply::stream(&[&text]));
    let outcome = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).terminal(Wiring::STDOUT).output();
    assert_eq!(controls(&outcome), "", "{:?}", outcome.terminal());
    let record: serde_json::Value = serde_json::from_str(&outcome.exits(0).terminal()).expect("JSON");
    assert_eq!(record["text"], text);
}

// T19
#[test]
fn no_colour_means_none() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "good" => Reply::stream(&["Hello."]),
        _ => Reply::error(400, "no"),
    });
    let home = Home::with(&gateway).env("TERM", "xterm-256color");
    let compare = || home.llm(["compare", "-m", "good,bad", "hi"]).terminal(Wiring::ALL);
    for run in [compare().env("NO_COLOR", "1"), compare().env("TERM", "dumb"), compare().args(["--color", "never"])] {
        let outcome = run.output();
        outcome.exits(8);
        let sgr = outcome
            .terminal()
            .split("\u{1b}[")
            .skip(1)
            .any(|after| after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
        assert!(!sgr, "{:?}", outcome.terminal());
    }
}

// T19
#[test]
fn a_dumb_terminal_gets_no_escape_at_all() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway).env("TERM", "dumb");
    for arguments in [&["ask", "hi"][..], &["compare", "-m", "a,b", "hi"]] {
        let outcome = home.llm(arguments).terminal(Wiring::ALL).output();
        assert!(!outcome.exits(0).terminal().contains('\u{1b}'), "{:?}", outcome.terminal());
    }
}

#[test]
fn a_pipe_gets_neither_colour_nor_spinner() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway).env("TERM", "xterm-256color");
    for arguments in [&["ask", "hi"][..], &["compare", "-m", "a,b", "hi"]] {
        let outcome = home.llm(arguments).output();
        outcome.exits(0);
        assert!(!outcome.stdout().contains('\u{1b}') && !outcome.stderr().contains('\u{1b}'), "{outcome:?}");
    }
}

#[test]
fn colour_is_forced_where_the_user_says_so() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    let outcome = home.llm(["compare", "-m", "a,b", "--color", "always", "hi"]).output();
    assert!(outcome.exits(0).stdout().contains("\u{1b}["), "{outcome}");
}

// P12
#[test]
fn a_narrow_terminal_is_never_overrun() {
    let gateway = Gateway::always(Reply::stream(&["A rather long answer with 猫 and many words in it."]));
    let home = Home::with(&gateway).env("TERM", "xterm").env("NO_COLOR", "1");
    for columns in [20, 40, 80] {
        let wiring = Wiring { columns, ..Wiring::STDOUT };
        let outcome = home.llm(["compare", "-m", "a,b,c", "hi"]).terminal(wiring).output();
        let screen = outcome.exits(0).terminal();
        for name in ["a", "b", "c"] {
            assert!(screen.contains(name), "{screen}");
        }
        assert!(screen.contains("rather"), "{screen}");
    }
}

/// The live lines of a comparison of three models whose answers are held half way, drawn on a terminal.
fn live_lines(text: &str) -> (Gateway, Running) {
    let gateway = Gateway::always(Reply::sse().role().text(text).gate().finish("stop").done());
    let home = Home::with(&gateway).env("NO_COLOR", "1");
    let running = home.llm(["compare", "-m", "a,b,c", "--log", "off", "hi"]).terminal(Wiring::STDERR).start();
    gateway.await_gated(3);
    (gateway, running)
}

// T21
#[test]
fn live_lines_are_parted_whatever_the_terminal_makes_of_joined_emoji() {
    let (gateway, running) = live_lines(&"👨‍👩‍👧‍👦".repeat(100));
    running.terminal.as_ref().expect("a terminal").await_screen("c writing");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    for line in screen.split(['\r', '\n']).filter(|line| line.contains("writing")) {
        let members = line.matches(['👨', '👩', '👧', '👦']).count();
        let others = line.split("…").next().expect("a start").chars().count();
        assert!(members > 0 && members % 4 == 0, "no family is cut: {line:?}");
        assert!(others + 1 + members * 2 < 80, "its members fit one by one: {line:?}");
    }
    // One line for each model, and each begins where a row does.
    let frame = screen.split("\u{1b}[J").find(|frame| frame.contains("c writing")).expect("a frame");
    assert_eq!(frame.matches("\r\n").count(), 2, "{frame:?}");
}

#[test]
fn a_terminal_that_becomes_narrower_keeps_no_stale_rows() {
    let (gateway, running) = live_lines(&"many words ".repeat(50));
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_screen("c writing");
    // Each of the two lines above the last one takes two rows now.
    terminal.resize(40);
    terminal.await_screen("\r\u{1b}[4A");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    assert!(screen.ends_with("\r\u{1b}[2A\u{1b}[J"), "nothing is left: {screen:?}");
}

#[test]
fn answers_are_printed_for_the_width_that_the_terminal_has_then() {
    let gateway = Gateway::always(Reply::sse().role().text(&"many words ".repeat(50)).gate().finish("stop").done());
    let home = Home::with(&gateway).env("NO_COLOR", "1");
    let running = home.llm(["compare", "-m", "a,b", "--log", "off", "hi"]).terminal(Wiring::ALL).start();
    gateway.await_gated(2);
    running.terminal.as_ref().expect("a terminal").resize(50);
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    let page = screen.rsplit("\u{1b}[J").next().expect("what follows the live lines").replace("\r\n", "\n");
    assert!(page.starts_with("── a ──"), "the columns of 80 cells have no room: {page}");
    assert!(page.lines().all(|line| line.chars().count() <= 50), "{page}");
}

/// `ask` whose answer is held back at `gate`, with stdout and stderr on one terminal.
fn held(reply: Reply, arguments: &[&str]) -> (Gateway, Running) {
    let gateway = Gateway::always(reply);
    let home = Home::with(&gateway).env("NO_COLOR", "1");
    let running = home.llm(["ask", "--log", "off", "hi"]).args(arguments).terminal(Wiring::ALL).start();
    gateway.await_gated(1);
    (gateway, running)
}

#[test]
fn an_answer_is_waited_for_in_a_line_that_leaves_no_trace() {
    let thinking = Reply::sse().role().reasoning("hm, let me see").gate().text("The answer.").finish("stop").done();
    let (gateway, running) = held(thinking, &[]);
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_screen("test-model thinking");
    terminal.await_screen("14 chars  hm, let me see");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    let (before, after) = screen.rsplit_once("\r\u{1b}[J").expect("the line is removed");
    assert!(!before.contains("The answer."), "{screen:?}");
    assert!(after.starts_with("The answer.\r\n") && !after.contains("thinking"), "{screen:?}");
}

#[test]
fn what_goes_wrong_meanwhile_stands_above_the_line() {
    let gateway = Gateway::in_turn([
        Reply::error_with(429, &[("retry-after", "0")], "slow down"),
        Reply::sse().role().gate().text("The answer.").finish("stop").done(),
    ]);
    let home = Home::with(&gateway).env("NO_COLOR", "1");
    let running = home.llm(["ask", "--log", "off", "hi"]).terminal(Wiring::ALL).start();
    gateway.await_gated(1);
    running.terminal.as_ref().expect("a terminal").await_screen("test-model waiting");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    assert!(screen.contains("test-model: 429 rate limited, trying again in"), "{screen:?}");
    let after = screen.rsplit("\u{1b}[J").next().expect("what follows the line");
    assert!(after.starts_with("The answer.\r\n"), "{screen:?}");
}

#[test]
fn nothing_is_drawn_where_nobody_sees_it_or_wants_it() {
    let reply = || Reply::sse().role().gate().text("The answer.").finish("stop").done();
    for (arguments, name, value, wiring) in [
        (&["-q"][..], "LANG", "C", Wiring::ALL),
        (&["-v"], "LANG", "C", Wiring::ALL),
        (&[], "TERM", "dumb", Wiring::ALL),
        (&[], "CI", "true", Wiring::ALL),
        (&[], "LANG", "C", Wiring::STDOUT),
    ] {
        let gateway = Gateway::always(reply());
        let home = Home::with(&gateway).env("NO_COLOR", "1").env(name, value);
        let running = home.llm(["ask", "--log", "off", "hi"]).args(arguments).terminal(wiring).start();
        gateway.await_gated(1);
        gateway.release();
        let outcome = running.finish();
        let screen = outcome.exits(0).terminal();
        assert!(
            !screen.contains('\u{1b}') && !screen.contains("test-model waiting"),
            "{arguments:?} {name}: {screen:?}"
        );
    }
}

#[test]
fn an_answer_in_one_piece_is_waited_for_until_its_end() {
    let reply = Reply::sse().role().text("Half").gate().text(" the answer.").finish("stop").done();
    let (gateway, running) = held(reply, &["-o", "json"]);
    running.terminal.as_ref().expect("a terminal").await_screen("test-model writing");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(0).terminal();
    let after = screen.rsplit("\r\u{1b}[J").next().expect("what follows the line");
    assert!(after.contains("test-model ·") && after.contains("\"Half the answer.\""), "{screen:?}");
}

#[test]
fn a_failed_call_has_its_hint_last_and_no_line_of_dashes() {
    let gateway = Gateway::always(Reply::error(401, "no such key"));
    let outcome = Home::with(&gateway).llm(["ask", "--log", "off", "hi"]).terminal(Wiring::STDERR).output();
    let screen = outcome.exits(4).terminal().replace("\r\n", "\n");
    assert!(!screen.contains('–'), "{screen}");
    let (_, hint) = screen.split_once("hint:").expect("a hint");
    assert!(hint.ends_with("checks it\n"), "{screen}");
}

#[test]
fn figures_follow_the_answer_on_a_terminal() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    let outcome = home.llm(["ask", "hi"]).terminal(Wiring::STDERR).output();
    outcome.exits(0).prints("Hello.\n");
    assert!(outcome.terminal().contains("test-model"), "{outcome}");
    let outcome = home.llm(["ask", "-q", "hi"]).terminal(Wiring::STDERR).output();
    assert_eq!(outcome.exits(0).terminal(), "", "{outcome}");
    home.llm(["ask", "--stats", "hi"]).output().exits(0).prints("Hello.\n").says("test-model");
}

const ANSWER: &str = "# Title\n\nSome **bold** words and `code`.\n\n- an item\n\n```rust\nlet x = 1;\n```\n";
const RENDERED: &str = "\u{1b}[1;4mTitle\u{1b}[0m\r\n\r\nSome \u{1b}[1mbold\u{1b}[0m words and \u{1b}[36mcode\u{1b}[0m.\r\n\r\n\
    \u{1b}[36m•\u{1b}[0m an item\r\n\r\n\u{1b}[2m```rust\u{1b}[0m\r\n\
    \u{1b}[35mlet\u{1b}[0m x = \u{1b}[36m1\u{1b}[0m;\r\n\u{1b}[2m```\u{1b}[0m\r\n";

#[test]
fn markdown_is_rendered_on_a_terminal_and_nowhere_else() {
    let gateway = Gateway::always(Reply::stream(&[ANSWER]));
    let home = Home::with(&gateway);
    assert_eq!(home.llm(["ask", "hi"]).terminal(Wiring::STDOUT).output().exits(0).terminal(), RENDERED);
    home.llm(["ask", "hi"]).output().exits(0).prints(ANSWER);
    home.llm(["ask", "hi"]).terminal(Wiring::STDERR).output().exits(0).prints(ANSWER);
    let dumb = home.llm(["ask", "hi"]).env("TERM", "dumb").terminal(Wiring::STDOUT).output();
    assert_eq!(dumb.exits(0).terminal().replace("\r\n", "\n"), ANSWER);
    home.llm(["ask", "--out", "answer.md", "hi"]).terminal(Wiring::STDOUT).output().exits(0);
    assert_eq!(std::fs::read_to_string(home.path().join("answer.md")).expect("written"), ANSWER);
}

#[test]
fn a_flag_or_the_config_says_how_markdown_is_shown() {
    let gateway = Gateway::always(Reply::stream(&[ANSWER]));
    let home = Home::with(&gateway);
    let ask = |home: &Home, arguments: &[&str]| {
        home.llm(["ask", "hi"])
            .args(arguments)
            .terminal(Wiring::STDOUT)
            .output()
            .exits(0)
            .terminal()
            .replace("\r\n", "\n")
    };
    assert_eq!(ask(&home, &["--render", "plain"]), ANSWER);
    let piped = home.llm(["ask", "--render", "markdown", "--color", "always", "hi"]).output();
    assert_eq!(piped.exits(0).stdout(), RENDERED.replace("\r\n", "\n"));
    // Without colours, the marks of emphasis stay.
    let piped = home.llm(["ask", "--render", "markdown", "hi"]).output();
    assert!(piped.exits(0).stdout().contains("# Title\n\nSome **bold** words and `code`.\n\n• an item\n"), "{piped}");
    let home = Home::with(&gateway).config("render = \"plain\"");
    assert_eq!(ask(&home, &[]), ANSWER);
    assert_eq!(ask(&home, &["--render", "auto"]), RENDERED.replace("\r\n", "\n"));
}

#[test]
fn every_command_that_shows_answers_renders_them() {
    let gateway = Gateway::always(Reply::stream(&[ANSWER]));
    let home = Home::with(&gateway).config("[pipeline.p]\nsteps = [{ name = \"s\", model = \"m\", prompt = \"hi\" }]");
    home.llm(["ask", "hi"]).output().exits(0);
    for command in
        [&["ask", "hi"][..], &["compare", "-m", "a,b", "hi"], &["rerun"], &["pipeline", "run", "p"], &["log", "show"]]
    {
        let outcome = home.llm(command).terminal(Wiring { columns: 100, ..Wiring::STDOUT }).output();
        let screen = outcome.exits(0).terminal();
        assert!(screen.contains("\u{1b}[36m•\u{1b}[0m an item"), "{command:?}: {screen}");
        assert!(screen.contains("\u{1b}[35mlet\u{1b}[0m x"), "{command:?}: {screen}");
    }
}

#[test]
fn a_notice_stands_above_the_row_that_is_not_final() {
    let reply =
        Reply::sse().role().text("One **bold").gate().bytes("data: {broken\n\n").text("** word.").finish("stop").done();
    let (gateway, running) = held(reply, &[]);
    running.terminal.as_ref().expect("a terminal").await_screen("One **bold**");
    gateway.release();
    let outcome = running.finish();
    let screen = outcome.exits(8).terminal();
    let end = screen.split_once("One **bold**").expect("the row").1;
    assert!(end.starts_with("\r\u{1b}[Jtest-model: skipped a piece"), "{screen:?}");
    assert!(end.contains("\r\nOne **bold** word.\r\n"), "{screen:?}");
}
