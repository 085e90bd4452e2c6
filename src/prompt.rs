//! The prompt: from the command line, stdin, or both. It is never cut, and a wait for it is never silent.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::Error;

/// The most that is read from stdin, in bytes. More is an error.
const LARGEST_INPUT: u64 = 64 * 1024 * 1024;

/// How long stdin may be silent before a notice says what is waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// Where the input stands in a prompt.
const MARK: &str = "{input}";

/// The kinds of stdin that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stdin {
    Terminal,
    /// A pipe, or a regular file from which nothing has been read.
    Input,
    /// A file that another program has begun to read (`while read line`), a socket, a device, or nothing.
    Other,
}

/// Puts together the prompt of a command. `notice` is told what is being waited for.
///
/// # Errors
/// There is no prompt, or stdin cannot be read.
pub fn read(argument: Option<&str>, no_stdin: bool, notice: impl FnMut(&str)) -> Result<String, Error> {
    let argument = argument.filter(|text| *text != "-");
    let prompt = gather(argument, stdin(argument.is_none(), argument, no_stdin, notice)?.as_deref())?;
    let hint = if no_stdin {
        "-n leaves stdin alone: give one as an argument"
    } else {
        "give one as an argument, or pipe one in"
    };
    prompt.ok_or_else(|| Error::usage_hint("there is no prompt", hint))
}

/// As [`read`], where there need not be a prompt. Stdin that may be without an end, such as a device, is read only if the
/// prompt is `needed`.
///
/// # Errors
/// Stdin cannot be read.
pub fn read_if_any(
    argument: Option<&str>,
    no_stdin: bool,
    needed: bool,
    notice: impl FnMut(&str),
) -> Result<Option<String>, Error> {
    let is_stdin = argument == Some("-");
    let argument = argument.filter(|text| *text != "-");
    gather(argument, stdin(argument.is_none() && (needed || is_stdin), argument, no_stdin, notice)?.as_deref())
}

/// The text on stdin, if it is to be read. `needed` says that nothing else can be the prompt.
fn stdin(
    needed: bool,
    argument: Option<&str>,
    no_stdin: bool,
    notice: impl FnMut(&str),
) -> Result<Option<String>, Error> {
    match classify() {
        _ if no_stdin => Ok(None),
        Stdin::Terminal => Ok(None),
        // Where there is no prompt in the arguments, stdin is read whatever it is.
        Stdin::Other if argument.is_some() || !needed => Ok(None),
        Stdin::Input | Stdin::Other => text(read_stdin(notice)?).map(Some),
    }
}

/// Prompt alone, input alone, or both: the input stands where the prompt says `{input}`, else below it. `None` where there
/// is neither.
fn gather(argument: Option<&str>, input: Option<&str>) -> Result<Option<String>, Error> {
    let input = input.filter(|text| !text.trim().is_empty());
    let prompt = match (argument, input) {
        (Some(argument), None) if argument.contains(MARK) => {
            return Err(Error::usage_hint(
                "nothing came by stdin for `{input}` in the prompt to stand for",
                "pipe the input in; a prompt that is piped in itself may say {input} and mean just that",
            ));
        }
        (Some(argument), Some(input)) if argument.contains(MARK) => insert(argument, input),
        (Some(argument), Some(input)) => format!("{argument}\n\n{input}"),
        (Some(argument), None) => argument.to_owned(),
        (None, Some(input)) => input.to_owned(),
        (None, None) => String::new(),
    };
    Ok(Some(prompt).filter(|prompt| !prompt.trim().is_empty()))
}

/// Puts the input at each mark. Where a mark stands within a line, the input's last line break is left out, so that the
/// line goes on behind it.
fn insert(argument: &str, input: &str) -> String {
    let within = input.strip_suffix('\n').map_or(input, |text| text.strip_suffix('\r').unwrap_or(text));
    let mut prompt = String::with_capacity(argument.len() + input.len());
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once(MARK) {
        prompt.push_str(before);
        let is_alone = (prompt.is_empty() || prompt.ends_with('\n')) && (after.is_empty() || after.starts_with('\n'));
        prompt.push_str(if is_alone { input } else { within });
        rest = after;
    }
    prompt + rest
}

/// Bytes to text: a byte order mark is dropped, anything that is not UTF-8 is an error that says where.
fn text(bytes: Vec<u8>) -> Result<String, Error> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Error::usage_hint(
            format!("stdin is not UTF-8 text: bad byte at offset {offset}"),
            "-f PATH attaches images, PDFs and audio; iconv converts other encodings",
        )
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// All of stdin, as bytes. `notice` is told what is being waited for.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn stdin_bytes(notice: impl FnMut(&str)) -> Result<Vec<u8>, Error> {
    read_stdin(notice)
}

/// Reads all of stdin, on a thread of its own so that `notice` can be called while it is silent.
fn read_stdin(mut notice: impl FnMut(&str)) -> Result<Vec<u8>, Error> {
    let (sender, receiver) = mpsc::sync_channel(16);
    let thread = thread::Builder::new().name("input".into()).spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let chunk = match stdin.read(&mut buffer) {
                Ok(length) => Ok(buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let last = !matches!(&chunk, Ok(bytes) if !bytes.is_empty());
            if sender.send(chunk).is_err() || last {
                return;
            }
        }
    });
    thread.map_err(|error| Error::system("the system has no thread to read standard input", &error))?;
    let mut bytes = Vec::new();
    let mut notice_after = Some(SILENCE);
    loop {
        let chunk = match notice_after {
            Some(limit) => match receiver.recv_timeout(limit) {
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    notice("waiting for input on stdin; -n leaves it alone, Ctrl-C stops");
                    notice_after = None;
                    continue;
                }
                chunk => chunk.ok(),
            },
            None => receiver.recv().ok(),
        };
        match chunk {
            None => return Ok(bytes),
            Some(Ok(chunk)) if chunk.is_empty() => return Ok(bytes),
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(source)) => return Err(Error::Input { path: "standard input".into(), source }),
        }
        if bytes.len() as u64 > LARGEST_INPUT {
            return Err(Error::usage(format!("stdin holds more than {} MiB", LARGEST_INPUT >> 20)));
        }
    }
}

#[cfg(unix)]
fn classify() -> Stdin {
    use std::fs::File;
    use std::io::Seek;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;

    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Stdin::Terminal;
    }
    let Ok(mut file) = stdin.as_fd().try_clone_to_owned().map(File::from) else { return Stdin::Other };
    let Ok(kind) = file.metadata().map(|metadata| metadata.file_type()) else { return Stdin::Other };
    let untouched = kind.is_file() && file.stream_position().is_ok_and(|position| position == 0);
    if kind.is_fifo() || untouched { Stdin::Input } else { Stdin::Other }
}

#[cfg(windows)]
fn classify() -> Stdin {
    use std::os::windows::io::{AsHandle, AsRawHandle};

    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Stdin::Terminal;
    }
    // A service and a program without a console have no handle, or one that is not valid and cannot be duplicated.
    let handle = stdin.as_handle();
    let address = handle.as_raw_handle().addr();
    let is_there = address != 0 && address != usize::MAX && handle.try_clone_to_owned().is_ok();
    if is_there { Stdin::Input } else { Stdin::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combine(argument: Option<&str>, input: Option<&str>) -> Result<String, Error> {
        gather(argument, input)?.ok_or_else(|| Error::usage("no prompt"))
    }

    #[test]
    fn input_within_a_line_has_no_line_break_at_its_end() {
        let both = |prompt, input| combine(Some(prompt), Some(input)).expect("a prompt");
        assert_eq!(both("Is '{input}' a word?", "cat\n"), "Is 'cat' a word?");
        assert_eq!(both("Is '{input}' a word?", "cat\r\n"), "Is 'cat' a word?");
        assert_eq!(both("a: {input}, b: {input}", "x\n\n"), "a: x\n, b: x\n");
        assert_eq!(both("Text:\n{input}\nEnd.", "x\n"), "Text:\nx\n\nEnd.");
        assert_eq!(both("{input}", "x\n"), "x\n");
    }

    #[test]
    fn input_goes_below_the_prompt_or_where_it_is_marked() {
        let both = |prompt, input| combine(Some(prompt), Some(input)).expect("a prompt");
        assert_eq!(both("summarize", "a\nb\n"), "summarize\n\na\nb\n");
        assert_eq!(both("first {input} then {input}", "x"), "first x then x");
        assert_eq!(combine(Some("hi"), None).expect("a prompt"), "hi");
        assert_eq!(combine(None, Some("hi")).expect("a prompt"), "hi");
        assert_eq!(combine(Some("hi"), Some("  \n")).expect("a prompt"), "hi");
        for (argument, input) in [(None, None), (Some(" "), None), (None, Some("\n"))] {
            assert_eq!(combine(argument, input).expect_err("no prompt").exit_code(), 2);
        }
    }

    #[test]
    fn a_mark_for_input_that_is_not_there_is_not_sent() {
        for input in [None, Some(""), Some(" \n")] {
            let error = combine(Some("Translate: {input}"), input).expect_err("nothing to translate");
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("{input}"), "{error}");
        }
        assert_eq!(combine(None, Some("what is {input}?")).expect("a prompt"), "what is {input}?");
    }

    #[test]
    fn text_keeps_everything_but_a_byte_order_mark() {
        assert_eq!(text(b"\xef\xbb\xbfa\0\r\nb".to_vec()).expect("text"), "a\0\r\nb");
        let error = text(b"ab\xff".to_vec()).expect_err("not text");
        assert!(error.to_string().ends_with("offset 2"), "{error}");
    }
}
