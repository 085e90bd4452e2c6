//! A list to choose from by typing a part of a name. It is drawn on stderr, and leaves nothing behind.

use std::io;

use super::drawing::{Drawn, write};
use super::keyboard::{self, Mode, Pressed};
use super::live_lines::Row;
use super::term::{self, Output, Style, Text};
use super::{escape, format, wrap};

/// How many names are shown at once.
const SHOWN: usize = 12;

/// A name to choose, and a word or two about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    pub about: String,
}

/// Lets the person at the terminal choose. Returns the place of the choice; `None` where the person chooses nothing. Blocks
/// the thread.
///
/// # Errors
/// No key can be read.
pub fn pick(choices: &[Choice], what: &str, stderr: &Output) -> io::Result<Option<usize>> {
    let mut list = List::new(choices, what);
    let _mode = Mode::keys();
    let mut drawn = Drawn::default();
    let chosen = loop {
        let (columns, rows) = term::size_of_stderr().unwrap_or((stderr.columns, stderr.rows));
        write(&drawn.replace(&list.rows(columns, rows.saturating_sub(2).max(2), stderr.style), columns));
        match keyboard::press().map(|pressed| list.press(pressed)) {
            Ok(Next::Goes) => {}
            Ok(Next::Chosen(place)) => break Ok(Some(place)),
            Ok(Next::Left) => break Ok(None),
            Err(error) => break Err(error),
        }
    };
    write(&drawn.erase(term::size_of_stderr().map_or(stderr.columns, |(columns, _)| columns)));
    chosen
}

/// What a key leads to.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Goes,
    Chosen(usize),
    Left,
}

/// The list, and what has been typed.
#[derive(Debug)]
struct List<'c> {
    choices: &'c [Choice],
    /// What is chosen, such as `model`.
    what: &'c str,
    typed: String,
    /// The places of the choices that fit, the best first.
    fitting: Vec<usize>,
    /// Which of them is marked.
    marked: usize,
}

impl<'c> List<'c> {
    fn new(choices: &'c [Choice], what: &'c str) -> Self {
        Self { choices, what, typed: String::new(), fitting: (0..choices.len()).collect(), marked: 0 }
    }

    fn press(&mut self, pressed: Pressed) -> Next {
        match pressed {
            Pressed::Enter => {
                return self.fitting.get(self.marked).map_or(Next::Goes, |place| Next::Chosen(*place));
            }
            Pressed::Leave => return Next::Left,
            Pressed::Up => self.marked = (self.marked + 1).min(self.fitting.len().saturating_sub(1)),
            Pressed::Down => self.marked = self.marked.saturating_sub(1),
            Pressed::Char(c) => {
                self.typed.push(c);
                self.search();
            }
            Pressed::Backspace => {
                self.typed.pop();
                self.search();
            }
            Pressed::Other => {}
        }
        Next::Goes
    }

    fn search(&mut self) {
        let words: Vec<String> = self.typed.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let rank = |(place, choice): (usize, &Choice)| Some((rank(&choice.name.to_lowercase(), &words)?, place));
        let mut fitting: Vec<_> = self.choices.iter().enumerate().filter_map(rank).collect();
        fitting.sort_unstable();
        self.fitting = fitting.into_iter().map(|(_, place)| place).collect();
        self.marked = 0;
    }

    /// The names, the best nearest to what is typed, which stands below them.
    fn rows(&self, columns: usize, rows: usize, style: Style) -> Vec<Row> {
        let shown = SHOWN.min(rows.saturating_sub(1));
        let first = self.marked.saturating_sub(shown.saturating_sub(1));
        let mut lines: Vec<Text> = Vec::new();
        for (n, place) in self.fitting.iter().enumerate().skip(first).take(shown) {
            lines.push(self.line(&self.choices[*place], n == self.marked, columns, style));
        }
        lines.reverse();
        let count = format::count(self.fitting.len() as u64, self.what, &format!("{}s", self.what));
        let typed = escape::line(&self.typed).into_owned();
        let query = wrap::beginning(&format!("{}: {typed}▏", self.what), columns.saturating_sub(1));
        let mut line = style.bold(query);
        if line.width() + count.len() + 4 < columns {
            line += style.dim(format!("  {count}"));
        }
        lines.push(line);
        lines.into_iter().map(|text| Row { cells: text.most_cells(), text }).collect()
    }

    fn line(&self, choice: &Choice, is_marked: bool, columns: usize, style: Style) -> Text {
        let name = wrap::beginning(&escape::line(&choice.name), columns.saturating_sub(3).max(1));
        let about = escape::line(&choice.about).into_owned();
        let room = columns.saturating_sub(wrap::width(&name) + 5);
        let mut line = if is_marked { style.bold("▸ ") + style.bold(name) } else { Text::from("  ") + name.as_str() };
        if !about.is_empty() && room > 8 {
            line += style.dim(format!("  {}", wrap::beginning(&about, room)));
        }
        line
    }
}

/// How well a name in lower case fits these words, less is better: whole words before letters that are spread, the beginning
/// before the middle, short names before long ones. `None` where it does not fit.
fn rank(name: &str, words: &[String]) -> Option<(usize, usize, usize)> {
    let (mut spread, mut at) = (0, 0);
    for word in words {
        match name.find(word.as_str()) {
            Some(found) => at += found,
            None => {
                let mut letters = name.chars();
                if !word.chars().all(|wanted| letters.any(|letter| letter == wanted)) {
                    return None;
                }
                spread += 1;
            }
        }
    }
    Some((spread, at, if words.is_empty() { 0 } else { name.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(names: &[&str]) -> Vec<Choice> {
        names.iter().map(|name| Choice { name: (*name).to_owned(), about: String::new() }).collect()
    }

    fn typed(names: &[&str], keys: &str) -> Vec<String> {
        let choices = choices(names);
        let mut list = List::new(&choices, "model");
        keys.chars().for_each(|key| assert_eq!(list.press(Pressed::Char(key)), Next::Goes));
        list.fitting.iter().map(|place| choices[*place].name.clone()).collect()
    }

    #[test]
    fn what_fits_best_comes_first() {
        let names = ["openai/gpt-5.4-mini", "mini-max", "anthropic/claude-sonnet-4.6", "openai/gpt-5.4"];
        assert_eq!(typed(&names, ""), names);
        assert_eq!(typed(&names, "GPT"), ["openai/gpt-5.4", "openai/gpt-5.4-mini"]);
        assert_eq!(typed(&names, "mini"), ["mini-max", "openai/gpt-5.4-mini"]);
        assert_eq!(typed(&names, "mini gpt"), ["openai/gpt-5.4-mini"]);
        assert_eq!(typed(&names, "snt46"), ["anthropic/claude-sonnet-4.6"]);
        assert_eq!(typed(&names, "zzz"), Vec::<String>::new());
    }

    #[test]
    fn keys_move_the_mark_and_choose() {
        let choices = choices(&["a", "b", "ab"]);
        let mut list = List::new(&choices, "model");
        assert_eq!(list.press(Pressed::Down), Next::Goes);
        list.press(Pressed::Up);
        assert_eq!(list.press(Pressed::Enter), Next::Chosen(1));
        list.press(Pressed::Char('b'));
        assert_eq!(list.press(Pressed::Enter), Next::Chosen(1));
        list.press(Pressed::Char('x'));
        assert_eq!(list.press(Pressed::Enter), Next::Goes, "nothing fits");
        list.press(Pressed::Backspace);
        list.press(Pressed::Up);
        list.press(Pressed::Up);
        assert_eq!(list.press(Pressed::Enter), Next::Chosen(2));
        assert_eq!(list.press(Pressed::Leave), Next::Left);
    }

    #[test]
    fn no_row_is_too_wide_and_the_marked_one_is_shown() {
        let mut choices = choices(&["日本語/模型", "x\u{1b}[2J\ny"]);
        choices.extend((0..100).map(|n| Choice { name: format!("maker/model-{n}"), about: "openrouter".repeat(n) }));
        let mut list = List::new(&choices, "model");
        (0..60).for_each(|_| _ = list.press(Pressed::Up));
        for columns in [1, 10, 40, 120] {
            for height in [1, 2, 10, 50] {
                let rows = list.rows(columns, height, Style { on: false });
                assert!(rows.len() <= height.clamp(1, SHOWN + 1));
                if columns > 3 {
                    assert!(rows.iter().all(|row| row.cells <= columns), "{rows:?}");
                }
                let shown = rows.iter().any(|row| row.text.shown(true).starts_with("▸ "));
                assert!(shown || height == 1 || columns < 4, "{rows:?}");
            }
        }
    }
}
