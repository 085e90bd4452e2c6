use super::*;

/// As much of a terminal as live lines need. It breaks lines that are too wide, and breaks them anew when its width
/// changes, as nearly all terminals do.
struct Terminal {
    /// The lines as they were written, before they are broken.
    lines: Vec<String>,
    /// The line and the character in it at which the cursor stands.
    cursor: (usize, usize),
    columns: usize,
}

impl Terminal {
    fn new(columns: usize) -> Self {
        Self { lines: vec!["$ llm compare".into(), String::new()], cursor: (1, 0), columns }
    }

    fn rows_of(&self, line: usize) -> usize {
        self.lines[line].chars().count().div_ceil(self.columns).max(1)
    }

    /// Moves up by rows. Fails if that ends within a line, which is where stale rows come from.
    fn up(&mut self, rows: usize) {
        let mut left = rows - self.cursor.1 / self.columns;
        while left > 0 {
            self.cursor.0 -= 1;
            left = left.checked_sub(self.rows_of(self.cursor.0)).expect("the cursor stays at the start of a line");
        }
        self.cursor.1 = 0;
    }

    fn write(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (line, at) = self.cursor;
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).expect("a final character");
                match sequence.as_bytes()[end] {
                    b'A' => self.up(sequence[..end].parse().expect("a number")),
                    b'K' => self.lines[line].truncate(at),
                    b'J' => {
                        self.lines[line].truncate(at);
                        self.lines.truncate(line + 1);
                    }
                    other => panic!("unknown sequence {other}"),
                }
                rest = &sequence[end + 1..];
                continue;
            }
            match c {
                '\r' => self.cursor.1 = 0,
                '\n' => {
                    self.cursor.0 += 1;
                    if self.cursor.0 == self.lines.len() {
                        self.lines.push(String::new());
                    }
                }
                c => {
                    let end = (at + 1).min(self.lines[line].len());
                    self.lines[line].replace_range(at..end, &c.to_string());
                    self.cursor.1 += 1;
                }
            }
            rest = &rest[c.len_utf8()..];
        }
    }
}

fn rows(texts: &[&str]) -> Vec<Row> {
    texts.iter().map(|text| Row { text: (*text).into(), cells: text.len() }).collect()
}

#[test]
fn lines_take_the_place_of_earlier_ones_and_leave_none_behind() {
    let (mut terminal, mut drawn) = (Terminal::new(20), Drawn::default());
    for texts in [&["one", "two", "three"][..], &["1"], &["a longer one", "", "x", "y"]] {
        terminal.write(&drawn.replace(&rows(texts), 20));
        assert_eq!(terminal.lines[1..], *texts);
    }
    terminal.write(&drawn.erase(20));
    assert_eq!((terminal.lines, terminal.cursor), (vec!["$ llm compare".to_owned(), String::new()], (1, 0)));
    assert_eq!(drawn.erase(20), "", "there is nothing to remove twice");
}

#[test]
fn a_terminal_that_changes_its_width_keeps_no_stale_rows() {
    let (mut terminal, mut drawn) = (Terminal::new(40), Drawn::default());
    let wide = "a line of nearly forty cells, as drawn";
    for columns in [40, 10, 39, 7, 19, 38, 1, 40] {
        // Drawn for the old width, and resized before the next time.
        terminal.write(&drawn.replace(&rows(&[wide, "short", wide]), terminal.columns));
        terminal.columns = columns;
        terminal.write(&drawn.replace(&rows(&["a", "b"]), columns));
        assert_eq!(terminal.lines, ["$ llm compare", "a", "b"], "{columns}");
    }
    terminal.write(&drawn.erase(40));
    assert_eq!(terminal.lines, ["$ llm compare", ""]);
}
