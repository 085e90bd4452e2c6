//! The code blocks of an answer. Models put them between fences, also inside of lists.

/// A block between two fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBlock<'a> {
    /// The first word behind the opening fence; empty where there is none.
    pub language: &'a str,
    /// The lines between the fences, without the indentation that the fence has too.
    pub code: String,
}

/// The blocks of a text, in order. One that is not closed goes to the end of the text.
pub fn code_blocks(text: &str) -> Vec<CodeBlock<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(Fence<'_>, String)> = None;
    for line in text.split_inclusive('\n') {
        match &mut open {
            None => open = Fence::opened_by(line).map(|fence| (fence, String::new())),
            Some((fence, _)) if fence.is_closed_by(line) => {
                blocks.extend(open.take().map(|(fence, code)| CodeBlock { language: fence.language, code }));
            }
            Some((fence, code)) => code.push_str(without_indentation(line, fence.indentation)),
        }
    }
    blocks.extend(open.map(|(fence, code)| CodeBlock { language: fence.language, code }));
    blocks
}

/// The code of the last block, or of the last in this language. It ends with a line break.
pub fn last_block(text: &str, language: Option<&str>) -> Option<String> {
    let wanted = language.map(canonical);
    let fits = |block: &CodeBlock<'_>| wanted.as_ref().is_none_or(|wanted| canonical(block.language) == *wanted);
    let mut code = code_blocks(text).into_iter().rfind(fits)?.code;
    if !code.ends_with('\n') {
        code.push('\n');
    }
    Some(code)
}

/// The languages of the blocks, each once, in order; blocks without one are left out.
pub fn languages(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for block in code_blocks(text) {
        if !block.language.is_empty() && !names.iter().any(|name| name == block.language) {
            names.push(block.language.to_owned());
        }
    }
    names
}

/// The opening line of a block.
#[derive(Debug)]
struct Fence<'a> {
    mark: char,
    length: usize,
    indentation: usize,
    language: &'a str,
}

impl<'a> Fence<'a> {
    fn opened_by(line: &'a str) -> Option<Self> {
        let rest = line.trim_start_matches([' ', '\t']);
        let indentation = line.len() - rest.len();
        let mark = rest.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = rest.trim_start_matches(mark);
        let length = rest.len() - info.len();
        // Behind backticks, a further one means code within a line.
        if length < 3 || (mark == '`' && info.contains('`')) {
            return None;
        }
        let word = info.trim().trim_start_matches('{').trim_start_matches('.');
        let language =
            word.split(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | '=')).next().unwrap_or_default();
        Some(Self { mark, length, indentation, language })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.chars().all(|c| c == self.mark)
    }
}

fn without_indentation(line: &str, most: usize) -> &str {
    let own = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[own.min(most)..]
}

/// The name of a language of which people use several.
fn canonical(language: &str) -> String {
    let lower = language.to_lowercase();
    match lower.as_str() {
        "py" | "python3" => "python",
        "js" | "node" | "mjs" => "javascript",
        "ts" => "typescript",
        "sh" | "bash" | "zsh" | "shell" | "console" | "shell-session" => "shell",
        "yml" => "yaml",
        "rs" => "rust",
        "rb" => "ruby",
        "md" => "markdown",
        "c++" | "cxx" => "cpp",
        "cs" | "c#" => "csharp",
        "golang" => "go",
        "ps1" | "pwsh" => "powershell",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "Use `x`:\n```python title=\"a.py\"\nprint(1)\n\n  if x:\n```\n1. or\n   ~~~sh\n   ls\n     -l\n   ~~~\n\
                          ````md\n```\ninner\n```\n````\nDone.\n";

    #[test]
    fn blocks_are_found_with_their_languages_and_without_indentation() {
        let blocks = code_blocks(ANSWER);
        let found: Vec<_> = blocks.iter().map(|block| (block.language, block.code.as_str())).collect();
        assert_eq!(found, [("python", "print(1)\n\n  if x:\n"), ("sh", "ls\n  -l\n"), ("md", "```\ninner\n```\n")]);
        assert_eq!(languages(ANSWER), ["python", "sh", "md"]);
    }

    #[test]
    fn the_last_block_is_taken_or_the_last_of_a_language() {
        assert_eq!(last_block(ANSWER, None).as_deref(), Some("```\ninner\n```\n"));
        assert_eq!(last_block(ANSWER, Some("Py")).as_deref(), Some("print(1)\n\n  if x:\n"));
        assert_eq!(last_block(ANSWER, Some("bash")).as_deref(), Some("ls\n  -l\n"));
        assert_eq!(last_block(ANSWER, Some("rust")), None);
        assert_eq!(last_block("a ```b``` c\n``` x ` y\n", None), None);
        assert_eq!(last_block("", None), None);
    }

    #[test]
    fn a_block_that_is_not_closed_goes_to_the_end() {
        assert_eq!(last_block("```rust,ignore\nfn main() {}", Some("rust")).as_deref(), Some("fn main() {}\n"));
        assert_eq!(last_block("```\n", None).as_deref(), Some("\n"));
        assert_eq!(last_block("```\r\na\r\n```\r\n", None).as_deref(), Some("a\r\n"));
        assert_eq!(last_block("```{.ts}\né\n````\n", Some("typescript")).as_deref(), Some("é\n"));
    }
}
