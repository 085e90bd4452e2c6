use unicode_width::UnicodeWidthChar;

use super::*;
use crate::call::Target;
use crate::chat::Usage;
use crate::report::samples::{HOSTILE, ms, rate_limited};
use crate::report::wrap;

const PLAIN: Style = Style { on: false };

fn live(count: usize) -> LiveLines {
    LiveLines::new((0..count).map(|i| format!("model-{i}")).collect())
}

fn tell(live: &mut LiveLines, call: usize, at: u64, event: Event) {
    live.apply(&RunEvent { call, at: ms(at), event });
}

fn drawn(live: &LiveLines, now: u64, columns: usize, rows: usize) -> Vec<String> {
    live.rows(ms(now), columns, rows, PLAIN).into_iter().map(|row| row.text.to_string()).collect()
}

fn attempt() -> Event {
    Event::Attempt { target: Target { gateway: "g".into(), model: "m".into() } }
}

fn text(text: &str) -> Event {
    Event::Stream(StreamEvent::TextDelta(text.into()))
}

#[test]
fn each_call_has_a_line_that_says_where_it_is() {
    let mut live = live(6);
    for call in 1..6 {
        tell(&mut live, call, 100, attempt());
    }
    tell(&mut live, 2, 200, Event::Stream(StreamEvent::ReasoningDelta("hm, let\nme".into())));
    tell(&mut live, 3, 300, text("Hello  there"));
    tell(&mut live, 3, 300, Event::Stream(StreamEvent::Usage(Usage { output: Some(12), ..Usage::default() })));
    tell(&mut live, 3, 400, Event::Done(Ok(())));
    tell(&mut live, 4, 300, Event::Retry { after: ms(1500), cause: rate_limited() });
    tell(&mut live, 5, 300, Event::Done(Err(rate_limited())));
    let lines = drawn(&live, 800, 80, 20);
    assert_eq!(
        lines,
        [
            "  model-0 queued",
            "⠼ model-1 waiting           0.7 s",
            "⠼ model-2 thinking          0.7 s     10 chars  hm, let me",
            "✓ model-3 done              0.3 s    12 tokens  Hello there",
            "⠼ model-4 retry in 1.0 s    0.7 s               429 rate limited",
            "✗ model-5 failed            0.2 s               429 rate limited",
        ]
        .map(|line| line.replace('⠼', SPINNER[8]))
    );
}

#[test]
fn a_fallback_starts_the_text_anew() {
    let mut live = live(1);
    tell(&mut live, 0, 0, attempt());
    tell(&mut live, 0, 0, text("lost"));
    let to = Target { gateway: "g".into(), model: "other".into() };
    let fallback = Event::Fallback { from: to.clone(), to, cause: rate_limited() };
    tell(&mut live, 0, 100, fallback.clone());
    assert!(drawn(&live, 100, 80, 20)[0].ends_with("429 rate limited, trying other"));
    tell(&mut live, 0, 100, Event::SeveralGateways { model: "other".into() });
    tell(&mut live, 0, 100, fallback);
    assert!(drawn(&live, 100, 80, 20)[0].ends_with("429 rate limited, trying g::other"));
}

#[test]
fn calls_without_room_are_counted_and_running_ones_come_first() {
    let mut live = live(10);
    for call in 0..5 {
        tell(&mut live, call, 0, attempt());
        tell(&mut live, call, 10, Event::Done(if call == 0 { Err(rate_limited()) } else { Ok(()) }));
    }
    for call in 5..8 {
        tell(&mut live, call, 0, attempt());
    }
    let lines = drawn(&live, 20, 80, 4);
    assert_eq!(lines.len(), 4);
    assert!(lines[0].contains("model-5") && lines[2].contains("model-7"), "{lines:?}");
    assert_eq!(lines[3], "  and 7 more: 2 queued, 4 done, 1 failed");
    assert_eq!(drawn(&live, 20, 80, 1), ["  and 10 more: 3 running, 2 queued, 4 done, 1 failed"]);
}

#[test]
fn no_line_is_wider_than_the_terminal_or_acts_on_it() {
    let mut live = LiveLines::new(vec![HOSTILE.to_owned(), "日本語".repeat(30), "m".into(), "m".repeat(200)]);
    for call in 0..4 {
        tell(&mut live, call, 0, attempt());
        tell(&mut live, call, 1, text(&format!("{HOSTILE}\n\t日本語👩‍👩‍👧{}", "e\u{301}".repeat(2000))));
    }
    for columns in [1, 2, 5, 10, 20, 40, 80, 200] {
        for row in live.rows(ms(100), columns, 10, PLAIN) {
            assert!(row.cells <= columns.max(2), "{columns}: {row:?}");
            let text = row.text.to_string();
            assert!(wrap::width(&text) <= row.cells, "{row:?}");
            assert!(!text.contains(|c: char| c.is_control()), "{row:?}");
        }
    }
}

/// Some terminals draw a family as one picture, two cells wide, and others as its members, who take eight.
#[test]
fn a_joined_emoji_has_room_whatever_a_terminal_makes_of_it() {
    let mut live = live(1);
    tell(&mut live, 0, 0, attempt());
    tell(&mut live, 0, 1, text(&"👨‍👩‍👧‍👦❤\u{fe0f}👍🏽🇩🇪".repeat(100)));
    for columns in 50..90 {
        let text = drawn(&live, 100, columns, 10).remove(0);
        let apart: usize = text.chars().filter_map(UnicodeWidthChar::width).sum();
        assert!(apart < columns && wrap::width(&text) < columns, "{columns}: {apart} {text:?}");
        assert!(text.matches("👨‍👩‍👧‍👦").count() == text.matches('👨').count(), "no emoji is cut: {text:?}");
    }
}

#[test]
fn long_names_that_must_be_cut_stay_apart() {
    let live = LiveLines::new(vec![format!("{}-a", "m".repeat(90)), format!("{}-b", "m".repeat(90))]);
    let lines = drawn(&live, 0, 60, 10);
    assert_ne!(lines[0], lines[1]);
}

#[test]
fn names_lose_their_middle_first_and_what_went_wrong_is_shown() {
    let labels = ["vendor/a-model-of-a-very-long-name-2026-01-01", "vendor/a-model-of-a-very-long-name-2026-02-01"];
    let mut live = LiveLines::new(labels.map(str::to_owned).to_vec());
    for call in 0..2 {
        tell(&mut live, call, 0, attempt());
    }
    tell(&mut live, 0, 1, text("The sky is blue because of the scattering of light"));
    tell(&mut live, 1, 200, Event::Done(Err(rate_limited())));
    let lines = drawn(&live, 800, 80, 10);
    assert_eq!(
        lines,
        [
            "⠼ vendor/a-m…-2026-01-01 writing           0.8 s     50 chars  …tering of light",
            "✗ vendor/a-m…-2026-02-01 failed            0.2 s               429 rate limited",
        ]
        .map(|line| line.replace('⠼', SPINNER[8]))
    );
    let lines = drawn(&live, 800, 50, 10);
    assert!(lines[0].contains("vend…01-01 writing") && lines[0].ends_with("light"), "{lines:?}");
    assert!(lines[1].contains("vend…02-01 failed") && lines[1].contains("0.2 s  429"), "{lines:?}");
}

#[test]
fn no_two_names_look_alike_wherever_they_differ() {
    let base = "m".repeat(60);
    for differs in [0, 3, 15, 30, 45, 59] {
        let named = |c: char| {
            let mut name = base.clone();
            name.replace_range(differs..differs + 1, &c.to_string());
            name
        };
        let names = [named('a'), named('b'), named('c')];
        for columns in 10..60 {
            let short = short_names(&names, columns);
            assert!(short.iter().all(|name| cells(name) <= columns), "{columns}: {short:?}");
            assert_eq!(short.iter().collect::<HashSet<_>>().len(), 3, "{differs} {columns}: {short:?}");
        }
    }
}

#[test]
fn one_token_is_not_several() {
    let mut live = live(1);
    tell(&mut live, 0, 0, attempt());
    tell(&mut live, 0, 0, text("x"));
    assert!(drawn(&live, 0, 80, 1)[0].contains(" 1 char "));
    tell(&mut live, 0, 0, Event::Stream(StreamEvent::Usage(Usage { output: Some(1), ..Usage::default() })));
    assert!(drawn(&live, 0, 80, 1)[0].contains(" 1 token "));
}

#[test]
fn memory_does_not_grow_with_the_answer() {
    let mut live = live(1);
    for _ in 0..10_000 {
        tell(&mut live, 0, 0, text("日本語 and more "));
    }
    assert!(live.calls[0].tail.capacity() < 8 * TAIL);
    assert_eq!(live.calls[0].characters, 130_000);
}
