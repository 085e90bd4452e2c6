//! `key_command`: a program of the user's that prints the key.

use std::time::Duration;

use super::key::{Cleaned, Key};
use crate::child::{Program, Stop, Unfinished};
use crate::error::Error;

/// How long a `key_command` may take; password managers ask for fingerprints.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The most that is read of the output, in bytes: more than the longest key and all that is removed around it.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Runs the program without a shell and takes the one line that it prints as the key.
///
/// It gets no input, and none of the variables in `scrub` (those that hold keys). It runs in a process group of its own,
/// which is killed as a whole at the limit. What it writes to stderr is shown only if it fails, and then without the
/// words that might be keys.
pub(super) fn run(argv: &[String], scrub: &[String], limit: Duration) -> Result<(Key, Cleaned), Error> {
    let program = argv.first().ok_or_else(|| failed("", "names no program", None))?;
    let fail = |what: &str, cause: Option<String>| failed(program, what, cause);
    let (variables, input, max_output, stop) = (&[][..], &[][..], MAX_OUTPUT_BYTES, &Stop::default());
    let ended = Program { argv, scrub, variables, input, limit, max_output, stop }.run();
    let output = ended.map_err(|why| match why {
        Unfinished::CannotRun(error) => Error::no_process(&format!("key_command `{program}` cannot be run"), &error)
            .unwrap_or_else(|| fail("cannot be run", Some(error.to_string()))),
        Unfinished::TooMuch => fail("printed far more than a key", None),
        Unfinished::Late | Unfinished::Stopped => fail(&format!("gave no key within {} s", limit.as_secs_f64()), None),
    })?;
    if !output.status.success() {
        return Err(fail(&format!("failed ({})", output.status), last_words(&output.stderr, &output.stdout)));
    }
    Key::from_bytes(output.stdout).map_err(|why| fail("printed no key", Some(why.to_string())))
}

/// The last lines of its error messages, with every word masked that may be a key or that it printed as one.
fn last_words(said: &[u8], output: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let output = String::from_utf8_lossy(output);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let masked: Vec<String> = lines
        .get(lines.len().saturating_sub(3)..)?
        .iter()
        .map(|line| line.split_whitespace().map(|word| mask(word, &output)).collect::<Vec<_>>().join(" "))
        .collect();
    (!masked.is_empty()).then(|| masked.join("; "))
}

fn mask<'a>(word: &'a str, output: &str) -> &'a str {
    let printed = output.split_whitespace().any(|secret| secret.len() >= 8 && word.contains(secret));
    // Prose and paths have short words or slashes; keys are long runs without any.
    let like_a_key = word.contains("sk-") || word.split(['/', '.', ':', '=', '"', '\'']).any(|run| run.len() >= 20);
    if printed || like_a_key { "[masked]" } else { word }
}

fn failed(program: &str, what: &str, cause: Option<String>) -> Error {
    Error::Key {
        message: format!("key_command `{program}` {what}"),
        cause,
        hint: Some("it must print the key, and nothing else, as one line; try it in your shell".into()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, limit: Duration) -> Result<(Key, Cleaned), Error> {
        run(&["sh".into(), "-c".into(), script.into()], &[], limit)
    }

    fn says(script: &str, message: &str) -> Error {
        let error = shell(script, LONG).expect_err(script);
        let all = format!("{error} {:?}", error.cause());
        assert!(all.contains(message), "{script}: {all}");
        assert_eq!(error.exit_code(), 4);
        error
    }

    #[test]
    fn the_one_line_it_prints_is_the_key() {
        for script in ["echo sk-abc", "printf sk-abc", "printf 'sk-abc\\r\\n'", "echo sk-abc; echo noise >&2"] {
            assert_eq!(shell(script, LONG).expect(script).0.expose(), "sk-abc");
        }
        assert!(shell("echo Bearer sk-abc", LONG).expect("a key").1.bearer);
    }

    #[test]
    fn what_is_not_one_key_is_refused() {
        says("true", "empty");
        says("echo", "empty");
        says("echo sk-a; echo sk-b", "more than one line");
        says("printf 'sk-a\\377'", "not text");
        says("exec head -c 10000000 /dev/zero", "far more than a key");
        says("exec yes", "far more than a key");
        says("exit 3", "exit status: 3");
        says("kill -9 $$", "signal: 9");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&["/nonexistent/op".into()], &[], LONG).expect_err("not there");
        assert!(error.to_string().contains("/nonexistent/op"), "{error}");
        assert!(run(&[], &[], LONG).is_err());
    }

    #[test]
    fn nothing_is_left_to_a_shell() {
        let argv = ["printf", "%s", "$(touch${IFS}x);`id`"].map(str::to_owned);
        assert_eq!(run(&argv, &[], LONG).expect("text").0.expose(), "$(touch${IFS}x);`id`");
    }

    #[test]
    fn what_hangs_is_killed_with_all_its_children() {
        use rustix::fs::{OFlags, fcntl_setfl};
        use std::os::unix::fs::OpenOptionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("alive");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        for script in [
            "exec 9>FIFO; sleep 100 & sleep 100",
            "exec 9>FIFO; echo sk-abc; sleep 100",
            "exec 9>FIFO; sleep 100 & echo sk-abc",
            "exec 9>FIFO; echo sk-abc; exec >&-; sleep 100",
            "trap '' TERM INT HUP; exec 9>FIFO; sleep 100 & wait",
        ] {
            let begin = Instant::now();
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            let mut alive = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&fifo).expect("a FIFO");
            let error = shell(&script.replace("FIFO", &format!("'{}'", fifo.display())), Duration::from_millis(300))
                .expect_err(script);
            assert!(error.to_string().contains("within 0.3 s"), "{script}: {error}");
            // Ends when the last process that holds the other end is dead.
            fcntl_setfl(&alive, OFlags::empty()).expect("blocking");
            alive.read_to_end(&mut Vec::new()).expect("an end");
            assert!(begin.elapsed() < Duration::from_secs(60), "{script}: something lived on");
        }
    }

    #[test]
    fn it_sees_no_keys_and_no_input() {
        // Variables that are surely there stand for the ones that hold keys.
        let argv = ["sh", "-c", "cat; echo \"k:${PATH-gone}:${CARGO_MANIFEST_DIR-gone}\""].map(str::to_owned);
        let seen = |scrub: &[&str]| {
            let scrub: Vec<String> = scrub.iter().map(|name| (*name).to_owned()).collect();
            run(&argv, &scrub, LONG).expect("text").0.expose().to_owned()
        };
        assert!(!seen(&[]).ends_with(":gone"));
        assert!(seen(&["CARGO_MANIFEST_DIR"]).ends_with(":gone"));
    }

    #[test]
    fn what_it_complains_is_shown_without_keys() {
        let error =
            says("echo 'vault is sealed' >&2; echo 'token sk-CANARY' >&2; exit 1", "vault is sealed; token [masked]");
        assert!(!format!("{error:?}").contains("CANARY"));
        let error = says("echo CANARYab; echo 'bad: CANARYab' >&2; exit 1", "bad: [masked]");
        assert!(!format!("{error:?}").contains("CANARY"));
        let error = says("echo abcdefghijklmnopqrstuvwxyz012345 >&2; exit 1", "[masked]");
        assert!(!format!("{error:?}").contains("abcdefghij"));
        says("head -c 1000000 /dev/zero | tr '\\0' ' ' >&2; exit 7", "exit status: 7");
    }
}
