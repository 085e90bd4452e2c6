//! Markdown in web pages. A template gets a flat list of what to open, print and close; the names of elements come from
//! here alone, and text of others is only printed. Nothing of it becomes an element that loads or leads anywhere: HTML is
//! shown as text, and links and images as their text with the address behind it.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde::Serialize;

/// One step of a page.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Step {
    Text {
        text: String,
    },
    Open {
        open: &'static str,
    },
    Close {
        close: &'static str,
    },
    /// A block of code. Its language is empty where it is not named.
    Code {
        code: String,
        language: String,
    },
}

/// Stands for `<` while the text is parsed, so that no HTML is found in it. It is no character of any text.
const ANGLE: char = '\u{fdd0}';

/// The steps that show this text.
pub(super) fn steps(text: &str) -> Vec<Step> {
    let text = text.replace('<', ANGLE.encode_utf8(&mut [0; 4]));
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut writer = Writer { steps: Vec::new(), code: None, cell: "td", links: Vec::new() };
    Parser::new_ext(&text, options).for_each(|event| writer.event(event));
    writer.steps
}

struct Writer {
    steps: Vec<Step>,
    /// The block of code that is open: its language, and what has come of it.
    code: Option<(String, String)>,
    /// The element of the cells of a table's row.
    cell: &'static str,
    /// Where the open links lead, each with the number of steps before it.
    links: Vec<(String, usize)>,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => plain(&language),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Event::End(TagEnd::CodeBlock) => {
                let block = self.code.take();
                self.steps.extend(block.map(|(language, code)| Step::Code { code, language }));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.links.push((plain(&dest_url), self.steps.len()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => self.end_link(),
            Event::Start(Tag::TableHead) => {
                self.cell = "th";
                self.open("tr");
            }
            Event::End(TagEnd::TableHead) => {
                self.cell = "td";
                self.close("tr");
            }
            Event::Start(Tag::TableCell) => self.open(self.cell),
            Event::End(TagEnd::TableCell) => self.close(self.cell),
            Event::Start(tag) => element(tag.to_end()).into_iter().for_each(|name| self.open(name)),
            Event::End(tag) => element(tag).into_iter().for_each(|name| self.close(name)),
            Event::Code(text) => {
                self.open("code");
                self.text(&text);
                self.close("code");
            }
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => {
                self.open("hr");
            }
            Event::TaskListMarker(done) => self.text(if done { "☑ " } else { "☐ " }),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.text(&text),
        }
    }

    fn open(&mut self, open: &'static str) {
        self.steps.push(Step::Open { open });
    }

    fn close(&mut self, close: &'static str) {
        self.steps.push(Step::Close { close });
    }

    fn text(&mut self, text: &str) {
        let text = plain(text);
        match (&mut self.code, self.steps.last_mut()) {
            (Some((_, code)), _) => code.push_str(&text),
            (None, Some(Step::Text { text: before })) => before.push_str(&text),
            (None, _) => self.steps.push(Step::Text { text }),
        }
    }

    /// Behind its text, a link says where it leads, unless its text says that already.
    fn end_link(&mut self) {
        let Some((url, begins)) = self.links.pop() else { return };
        let ends_with_url = self.steps[begins.saturating_sub(1)..].iter().any(|step| match step {
            Step::Text { text } => text.ends_with(&url),
            _ => false,
        });
        if !url.is_empty() && !ends_with_url {
            self.text(&format!(" ({url})"));
        }
    }
}

fn plain(text: &str) -> String {
    text.replace(ANGLE, "<")
}

/// The element that shows what ends with this.
fn element(tag: TagEnd) -> Option<&'static str> {
    Some(match tag {
        TagEnd::Paragraph => "p",
        TagEnd::Heading(level) => match level as usize {
            1 => "h3",
            2 => "h4",
            _ => "h5",
        },
        TagEnd::BlockQuote(_) => "blockquote",
        TagEnd::List(true) => "ol",
        TagEnd::List(false) => "ul",
        TagEnd::Item => "li",
        TagEnd::Table => "table",
        TagEnd::TableRow => "tr",
        TagEnd::Emphasis => "em",
        TagEnd::Strong => "strong",
        TagEnd::Strikethrough => "s",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps as a page has them, text between brackets.
    fn shown(text: &str) -> String {
        let step = |step: Step| match step {
            Step::Text { text } => format!("[{text}]"),
            Step::Open { open } => format!("<{open}>"),
            Step::Close { close } => format!("</{close}>"),
            Step::Code { code, language } => format!("<pre {language}>[{code}]"),
        };
        steps(text).into_iter().map(step).collect()
    }

    #[test]
    fn blocks_and_emphasis_become_elements() {
        assert_eq!(
            shown("# A *b*\n\nOne\ntwo **c** `d<e`\n\n---\n"),
            "<h3>[A ]<em>[b]</em></h3><p>[One\ntwo ]<strong>[c]</strong>[ ]<code>[d<e]</code></p><hr>"
        );
        assert_eq!(shown("- a\n- [x] b\n\n1. c\n"), "<ul><li>[a]</li><li>[☑ b]</li></ul><ol><li>[c]</li></ol>");
        let table = "<table><tr><th>[a]</th><th>[b]</th></tr><tr><td>[1]</td><td>[2]</td></tr></table>";
        assert_eq!(shown("| a | b |\n|---|---|\n| 1 | 2 |\n"), table);
        assert_eq!(
            shown("> q\n\n```rs\nlet a < b;\n```\n"),
            "<blockquote><p>[q]</p></blockquote><pre rs>[let a < b;\n]"
        );
    }

    #[test]
    fn html_links_and_images_are_text() {
        assert_eq!(shown("<b onclick=x>a</b>"), "<p>[<b onclick=x>a</b>]</p>");
        assert_eq!(shown("<!-- a\n```\nb\n```\n"), "<p>[<!-- a]</p><pre >[b\n]");
        assert_eq!(shown("[a](javascript:x) ![b](https://c.d/e)"), "<p>[a (javascript:x) b (https://c.d/e)]</p>");
        assert_eq!(shown("&lt;script&gt; [https://a.b](https://a.b)"), "<p>[<script> https://a.b]</p>");
    }
}
