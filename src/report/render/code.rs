//! Colours of code: comments, strings, numbers and keywords, for the languages of [`LANGUAGES`].
//!
//! The crate syntect does more, and takes 130 ms for the first line of a language, then 70 to 240 µs for each four
//! characters, 12 MB of memory and 2.2 MB of the program. Answers arrive at 2 µs a token, so this reads words only.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::text::{Look, Style, Text};

/// What is known of a language, or of several that are alike.
struct Language {
    /// How a block of code names it, in lower case.
    names: &'static str,
    /// What begins a comment to the end of the line.
    comments: &'static [&'static str],
    /// What begins and ends a comment of several lines.
    block: Option<(&'static str, &'static str)>,
    /// What begins and ends a string, and whether it may have several lines.
    strings: &'static [(&'static str, &'static str, bool)],
    /// Whether `\` escapes a character in strings.
    escapes: bool,
    /// Whether keywords may be written in any case.
    any_case: bool,
    keywords: &'static str,
}

const C: Language = Language {
    names: "",
    comments: &["//"],
    block: Some(("/*", "*/")),
    strings: &[("\"", "\"", false), ("'", "'", false)],
    escapes: true,
    any_case: false,
    keywords: "",
};

const HASH: Language = Language { comments: &["#"], block: None, ..C };

const LANGUAGES: &[Language] = &[
    Language {
        names: "rust rs",
        strings: &[("r#\"", "\"#", true), ("\"", "\"", true)],
        keywords: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
        ..C
    },
    Language {
        names: "c h cpp c++ cc cxx hpp arduino cuda",
        comments: &["//", "#include", "#define", "#if", "#endif", "#else", "#pragma"],
        keywords: "alignas alignof auto bool break case catch char class concept const consteval constexpr continue default delete do double else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept nullptr operator override private protected public register requires return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using virtual void volatile while",
        ..C
    },
    Language {
        names: "java kotlin kt scala groovy",
        strings: &[("\"\"\"", "\"\"\"", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "abstract as boolean break byte case catch char class companion const continue data def default do double else enum extends false final finally float for fun if implements import in instanceof int interface internal is lateinit lazy long match native new null object open override package private protected public record return sealed short static super switch synchronized this throw throws trait true try type val var void volatile when while with yield",
        ..C
    },
    Language {
        names: "csharp cs c# fsharp fs",
        strings: &[("@\"", "\"", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "abstract as async await base bool break byte case catch char class const continue decimal default delegate do double else enum event explicit extern false finally fixed float for foreach get if implicit in int interface internal is let lock long match module namespace new null object operator out override params private protected public readonly record ref return sealed set short sizeof static string struct switch this throw true try type typeof using var virtual void volatile when where while yield",
        ..C
    },
    Language {
        names: "javascript js jsx mjs typescript ts tsx",
        strings: &[("`", "`", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "abstract any as async await boolean break case catch class const continue declare default delete do else enum export extends false finally for from function get if implements import in instanceof interface keyof let namespace never new null number of private protected public readonly return set static string super switch this throw true try type typeof undefined unknown var void while yield",
        ..C
    },
    Language {
        names: "go golang",
        strings: &[("`", "`", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "break case chan const continue default defer else fallthrough false for func go goto if import interface iota map nil package range return select struct switch true type var",
        ..C
    },
    Language {
        names: "swift dart zig php objc objective-c solidity proto protobuf",
        comments: &["//"],
        strings: &[("\"\"\"", "\"\"\"", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "abstract actor as async await break case catch class comptime const continue contract default defer do echo else elseif enum extension extends false final fn for foreach func function guard if implements import in inout init interface is late let match message mut namespace new nil null override package private protocol pub public required return rpc self static struct super switch this throw throws trait true try use var void where while yield",
        ..C
    },
    Language {
        names: "css scss less",
        comments: &[],
        keywords: "and auto block flex from grid important inherit initial inline none not only or to unset",
        ..C
    },
    Language {
        names: "python py python3 pyi",
        strings: &[("\"\"\"", "\"\"\"", true), ("'''", "'''", true), ("\"", "\"", false), ("'", "'", false)],
        keywords: "False None True and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return self try while with yield",
        ..HASH
    },
    Language {
        names: "bash sh shell zsh console fish shell-session",
        strings: &[("\"", "\"", true), ("'", "'", true)],
        keywords: "alias case cd do done echo elif else esac eval exec exit export fi for function if in local read return set shift source sudo then trap unset until while",
        ..HASH
    },
    Language {
        names: "ruby rb elixir ex exs crystal",
        keywords: "alias and begin break case class cond def defmodule defp do else elsif end ensure false fn for if import in include module next nil not or private protected public raise redo require rescue retry return self super then true undef unless until use when while with yield",
        ..HASH
    },
    Language {
        names: "perl pl r julia jl nim",
        strings: &[("\"", "\"", true), ("'", "'", true)],
        keywords: "FALSE NULL TRUE and begin break do else elseif elsif end export false for foreach function if import in last let local macro module my next not or our package print proc quote repeat return struct sub then true try unless use using var while",
        ..HASH
    },
    Language {
        names: "yaml yml toml ini cfg conf properties env dotenv",
        comments: &["#", ";"],
        keywords: "true false null yes no on off",
        ..HASH
    },
    Language {
        names: "dockerfile docker makefile make cmake nix terraform hcl tf",
        keywords: "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL USER VOLUME WORKDIR data define else endif export false for if ifdef ifeq ifneq in include inherit let locals module output provider rec resource then true variable with",
        ..HASH
    },
    Language {
        names: "powershell ps1 pwsh",
        block: Some(("<#", "#>")),
        escapes: false,
        any_case: true,
        keywords: "begin break catch class continue do else elseif end exit finally for foreach function if in param process return switch throw trap try until using while",
        ..HASH
    },
    Language { names: "json json5 jsonc jsonl", keywords: "true false null", ..C },
    Language {
        names: "sql postgres postgresql mysql sqlite plsql tsql",
        comments: &["--"],
        strings: &[("'", "'", true), ("\"", "\"", false)],
        escapes: false,
        any_case: true,
        keywords: "add all alter and any as asc begin between by case check column commit constraint create cross database default delete desc distinct drop else end exists false foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer over partition primary references returning right rollback select set table then true union unique update using values view when where with",
        ..C
    },
    Language {
        names: "lua luau",
        comments: &["--"],
        block: Some(("--[[", "]]")),
        keywords: "and break do else elseif end false for function goto if in local nil not or repeat return then true until while",
        ..C
    },
    Language {
        names: "haskell hs elm purescript ocaml ml sml",
        comments: &["--"],
        block: Some(("{-", "-}")),
        strings: &[("\"", "\"", false)],
        keywords: "and as case class data deriving do else end exception external foldr forall fun function if import in infix instance let match module mutable newtype of open otherwise rec struct then type val when where with",
        ..C
    },
    Language {
        names: "lisp clojure clj scheme racket elisp common-lisp emacs-lisp",
        comments: &[";"],
        block: None,
        strings: &[("\"", "\"", true)],
        keywords: "and begin cond def define defmacro defn defun defvar do else fn for if lambda let loop nil not ns or quote recur require set setq t true false when",
        ..C
    },
    Language {
        names: "html xml svg vue svelte xhtml",
        comments: &[],
        block: Some(("<!--", "-->")),
        strings: &[("\"", "\"", true)],
        escapes: false,
        ..C
    },
    Language {
        names: "tex latex matlab octave erlang erl prolog",
        comments: &["%"],
        block: None,
        strings: &[("\"", "\"", false)],
        ..C
    },
    Language {
        names: "asm nasm assembly vim",
        comments: &[";"],
        any_case: true,
        keywords: "add and call cmp dec div inc int ja jb je jg jge jl jle jmp jne jnz jz lea mov mul neg nop not or pop push ret shl shr sub syscall test xor",
        ..C
    },
];

/// Colours the lines of a block of code, one after the other.
#[derive(Clone)]
pub(super) struct Highlighter {
    style: Style,
    kind: Option<Colours>,
}

#[derive(Clone)]
enum Colours {
    Words {
        language: &'static Language,
        keywords: Arc<HashSet<&'static str>>,
        /// What ends the comment or the string in which the next line begins.
        inside: Option<Inside>,
    },
    /// Lines that begin with `+`, `-` or `@`.
    Difference,
}

#[derive(Clone, Copy)]
enum Inside {
    Comment(&'static str),
    String(&'static str),
}

impl std::fmt::Debug for Highlighter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Highlighter").field("is_on", &self.kind.is_some()).finish_non_exhaustive()
    }
}

impl Highlighter {
    /// For the language of this info string, such as `rust` or `python title="x"`. Other code has no colours.
    pub(super) fn new(info: &str, style: Style) -> Self {
        let name = info.split([' ', ',', '{', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let is_it = |language: &&Language| language.names.split(' ').any(|known| known == name);
        let kind = match &*name {
            _ if !style.on || name.is_empty() => None,
            "diff" | "patch" => Some(Colours::Difference),
            _ => LANGUAGES.iter().find(is_it).map(|language| Colours::Words {
                language,
                keywords: Arc::new(language.keywords.split(' ').filter(|word| !word.is_empty()).collect()),
                inside: None,
            }),
        };
        Self { style, kind }
    }

    /// The next line in its colours.
    pub(super) fn line(&mut self, line: &str) -> Text {
        let style = self.style;
        match &mut self.kind {
            None => line.into(),
            Some(Colours::Difference) => match line.as_bytes().first() {
                Some(b'+') => style.green(line),
                Some(b'-') => style.removed(line),
                Some(b'@') => style.cyan(line),
                _ => line.into(),
            },
            Some(Colours::Words { language, keywords, inside }) => {
                Lexer { language, keywords, inside }.line(line, style)
            }
        }
    }
}

struct Lexer<'a> {
    language: &'static Language,
    keywords: &'a HashSet<&'static str>,
    inside: &'a mut Option<Inside>,
}

/// Part of a line.
struct Token {
    /// How many bytes it has.
    length: usize,
    look: Look,
    /// Whether it is a word, or like the end of one.
    is_word: bool,
}

impl Lexer<'_> {
    fn line(&mut self, line: &str, style: Style) -> Text {
        let mut text = Text::new().clone_with_room(line.len());
        let mut rest = line;
        let mut follows_word = false;
        while !rest.is_empty() {
            let token = self.token(rest, follows_word);
            text.push_look(style, token.look, &rest[..token.length]);
            follows_word = token.is_word;
            rest = &rest[token.length..];
        }
        text
    }

    /// The token at the beginning of the text.
    fn token(&mut self, rest: &str, follows_word: bool) -> Token {
        let language = self.language;
        if let Some(inside) = *self.inside {
            return self.until(rest, 0, inside);
        }
        let first = rest.chars().next().unwrap_or(' ');
        if first == ' ' {
            let length = rest.bytes().take_while(|byte| *byte == b' ').count();
            return Token { length, look: Look::PLAIN, is_word: false };
        }
        if let Some((_, close)) = language.block.filter(|block| rest.starts_with(block.0)) {
            return self.until(rest, language.block.map_or(0, |block| block.0.len()), Inside::Comment(close));
        }
        if let Some(mark) = language.comments.iter().find(|mark| rest.starts_with(**mark)) {
            // `#` within a word (`$#`, `a#b`) and `--` of a flag begin no comment.
            if !(follows_word && *mark != "//") {
                return Token { length: rest.len(), look: Look::DIM, is_word: false };
            }
        }
        if let Some((open, close, long)) = language.strings.iter().find(|string| rest.starts_with(string.0)) {
            let is_string = *long || open.len() > 1 || self.ends(rest, open.len(), close);
            if is_string && !(follows_word && *open == "'") {
                return self.until(rest, open.len(), Inside::String(close));
            }
        }
        if first.is_ascii_digit() {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            return Token { length, look: Look::NUMBER, is_word: true };
        }
        if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let look = if self.is_keyword(&rest[..length]) { Look::KEYWORD } else { Look::PLAIN };
            return Token { length, look, is_word: true };
        }
        let is_word = matches!(first, '$' | '-' | '.') || !first.is_ascii();
        Token { length: first.len_utf8(), look: Look::PLAIN, is_word }
    }

    fn is_keyword(&self, word: &str) -> bool {
        if self.language.any_case {
            self.keywords.contains(word.to_ascii_lowercase().as_str())
        } else {
            self.keywords.contains(word)
        }
    }

    /// Whether a string that began so many bytes ago ends in this line. Else it is no string: an apostrophe, a lifetime.
    fn ends(&self, rest: &str, begun: usize, close: &str) -> bool {
        self.end(&rest[begun..], close).is_some()
    }

    fn end(&self, text: &str, close: &str) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = from + text[from..].find(close)?;
            let escapes = text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
            if !self.language.escapes || escapes % 2 == 0 {
                return Some(at + close.len());
            }
            from = at + 1;
        }
    }

    /// The rest of a comment or a string, of which so many bytes are known.
    fn until(&mut self, rest: &str, begun: usize, inside: Inside) -> Token {
        let (look, end) = match inside {
            Inside::Comment(close) => (Look::DIM, rest[begun..].find(close).map(|at| at + close.len())),
            Inside::String(close) => (Look::STRING, self.end(&rest[begun..], close)),
        };
        *self.inside = if end.is_none() { Some(inside) } else { None };
        Token { length: end.map_or(rest.len(), |end| begun + end), look, is_word: false }
    }
}
