//! Searches what `llm` leaves behind for the key of the tests, in every form in which a key is likely to slip out.

use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// The key of the tests: no byte of it may be seen outside the request to the gateway. A test that needs a second key appends to this
/// one, so that both are searched for.
pub const KEY: &str = "sk-CANARY-0f7d3c5b9a1e";

/// Names a form of the key that occurs in these bytes.
pub fn found_in(bytes: &[u8]) -> Option<&'static str> {
    static FINDERS: OnceLock<Vec<(&str, Finder<'static>)>> = OnceLock::new();
    let finders = FINDERS.get_or_init(|| {
        let finder = |(name, text): (_, String)| (name, Finder::new(text.as_bytes()).into_owned());
        forms().into_iter().map(finder).collect()
    });
    finders.iter().find(|(_, finder)| finder.find(bytes).is_some()).map(|(name, _)| *name)
}

/// Fails the test where a regular file below the directory holds the key or is named after it. Links are not followed, and pipes not
/// opened: their bytes are found where they are stored.
#[track_caller]
pub fn search(directory: &Path, exceptions: &[String]) {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory_below) = directories.pop() {
        // A test may have removed a directory or made it unreadable, and a process may still remove files.
        let entries = std::fs::read_dir(&directory_below).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let kind = path.symlink_metadata().map(|metadata| metadata.file_type());
            let excepted = exceptions.contains(&name);
            match kind {
                Ok(kind) if kind.is_dir() => directories.push(path),
                Ok(kind) if kind.is_file() && !excepted => {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    if let Some(form) = found_in(&bytes).or_else(|| found_in(name.as_bytes())) {
                        panic!("the key stands {form} in the file {name}");
                    }
                }
                _ => {}
            }
        }
    }
}

/// Every form that is searched for, with the words that name it.
fn forms() -> Vec<(&'static str, String)> {
    let each = |escape: &dyn Fn(u8) -> String| KEY.bytes().map(escape).collect::<String>();
    let mut forms = vec![
        ("plain", KEY.to_owned()),
        ("in lower case", KEY.to_lowercase()),
        ("in upper case", KEY.to_uppercase()),
        ("reversed", KEY.chars().rev().collect()),
        ("in hex", each(&|byte| format!("{byte:02x}"))),
        ("in hex", each(&|byte| format!("{byte:02X}"))),
        ("percent-encoded", each(&|byte| format!("%{byte:02x}"))),
        ("percent-encoded", each(&|byte| format!("%{byte:02X}"))),
        ("percent-encoded", KEY.replace('-', "%2d")),
        ("percent-encoded", KEY.replace('-', "%2D")),
        ("escaped for JSON", each(&|byte| format!("\\u{byte:04x}"))),
        ("escaped for JSON", each(&|byte| format!("\\u{byte:04X}"))),
        ("escaped for JSON", KEY.replace('-', "\\u002d")),
        ("escaped for JSON", KEY.replace('-', "\\u002D")),
    ];
    for before in 0..3 {
        let text = [&vec![0; before][..], KEY.as_bytes()].concat();
        // Base64 makes six bits one character. The first and last characters that also carry bits of the neighbours are left out.
        let certain = (before * 8).div_ceil(6)..text.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            forms.push(("in base64", encoded[certain.clone()].to_owned()));
        }
    }
    forms.dedup();
    forms
}

#[test]
fn every_form_of_the_key_is_found_wherever_it_stands() {
    let percent = |upper: bool| -> String {
        KEY.bytes().map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") }).collect()
    };
    let mut texts = vec![
        format!("Bearer {KEY}"),
        KEY.to_lowercase(),
        KEY.to_uppercase(),
        KEY.chars().rev().collect(),
        percent(false),
        percent(true),
        percent(false).replace('%', ""),
        percent(true).replace('%', ""),
        percent(false).replace('%', "\\u00"),
        percent(true).replace('%', "\\u00"),
        "?key=sk%2DCANARY%2D0f7d3c5b9a1e".to_owned(),
        r#"{"key":"sk\u002dCANARY\u002d0f7d3c5b9a1e"}"#.to_owned(),
    ];
    for before in ["", "a", "ab", "abc", "Bearer ", "user:", "\u{ff}\u{fe}~"] {
        for after in ["", "?", "~~", "more"] {
            texts.push(STANDARD_NO_PAD.encode(format!("{before}{KEY}{after}")));
            texts.push(URL_SAFE_NO_PAD.encode(format!("{before}{KEY}{after}")));
        }
    }
    for text in texts {
        assert!(found_in(format!("before {text} after").as_bytes()).is_some(), "{text}");
        let home = super::Home::new();
        home.file("deep/down/file", format!("\0\u{1}{text}\0"));
        let searched = std::panic::catch_unwind(|| search(home.path(), &[]));
        assert!(searched.is_err(), "{text} in a file");
        search(home.path(), &["deep/down/file".to_owned()]);
        home.may_hold_the_key("deep/down/file");
    }
    for harmless in ["", "sk-CANARY", "0f7d3c5b9a1e", "***"] {
        assert_eq!(found_in(harmless.as_bytes()), None, "{harmless}");
    }
}

/// Runs this shell script in a home whose processes have the key, and says whether the search failed the test.
#[cfg(unix)]
fn fails(script: &'static str) -> bool {
    std::panic::catch_unwind(|| {
        let home = super::Home::new().env("LLM_API_KEY", KEY);
        home.shell(script).output();
    })
    .is_err()
}

#[cfg(unix)]
#[test]
fn a_process_that_shows_the_key_anywhere_fails_its_test() {
    assert!(fails("echo $LLM_API_KEY"), "stdout");
    assert!(fails("echo $LLM_API_KEY >&2"), "stderr");
    assert!(fails("mkdir -p data/cache && printf %s $LLM_API_KEY | base64 > data/cache/entry"), "a file");
    assert!(fails("touch data/$LLM_API_KEY"), "the name of a file");
    assert!(!fails("echo ***; mkfifo data/pipe; ln -s / data/link"), "nothing");
    let terminal = std::panic::catch_unwind(|| {
        let home = super::Home::new().env("LLM_API_KEY", KEY);
        home.shell("echo $LLM_API_KEY > /dev/tty").terminal(super::terminal::Wiring::ALL).output();
        home.shell("echo $LLM_API_KEY").terminal(super::terminal::Wiring::ALL).output();
    });
    assert!(terminal.is_err(), "the terminal");
}
