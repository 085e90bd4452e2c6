//! Signals and readers that leave: what came is kept, what runs is stopped, and the shell is told the truth.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::process::{PATIENCE, Run, Running};
use crate::support::reply::{Step, chunk};
use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, Reply};

fn half() -> Gateway {
    Gateway::always(Reply::sse().role().text("Half").hold())
}

// P01, P04
#[test]
fn a_signal_keeps_what_came_stops_the_request_and_kills() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let gateway = half();
        let running = Home::with(&gateway).llm(["ask", "hi"]).start();
        running.await_stdout("Half");
        let began = Instant::now();
        running.signal(signal);
        let outcome = running.finish();
        assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
        outcome.dies_by(signal.as_raw()).prints("Half\n").says("[interrupted]");
        gateway.await_left(1);
    }
}

#[test]
fn a_signal_before_the_answer_stops_as_well() {
    let gateway = Gateway::always(Reply::silence().hold());
    let running = Home::with(&gateway).llm(["ask", "hi"]).start();
    gateway.await_requests(1);
    running.signal(Signal::INT);
    running.finish().dies_by(Signal::INT.as_raw()).prints("");
    gateway.await_left(1);
}

#[test]
fn a_signal_during_the_wait_for_a_retry_stops_as_well() {
    let gateway = Gateway::always(Reply::error_with(429, &[("retry-after", "30")], "slow down"));
    let running = Home::with(&gateway).llm(["ask", "hi"]).start();
    running.await_stderr("429");
    running.signal(Signal::INT);
    running.finish().dies_by(Signal::INT.as_raw()).prints("");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn what_was_interrupted_is_recorded_as_such() {
    let gateway = half();
    let running = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).start();
    gateway.await_requests(1);
    // The piece is on its way with the headers; nothing is printed until the end.
    gateway.await_held(1);
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    assert_eq!(outcome.json()["status"], "interrupted", "{outcome}");
}

#[test]
fn an_interrupted_comparison_prints_what_arrived() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "quick" => Reply::stream(&["Done."]),
        _ => Reply::sse().role().text("Half").hold(),
    });
    let running = Home::with(&gateway).llm(["compare", "-m", "quick,slow", "-o", "jsonl", "hi"]).start();
    running.await_stdout("Done.");
    gateway.await_held(1);
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    let records: Vec<serde_json::Value> =
        outcome.stdout().lines().map(|line| serde_json::from_str(line).expect("one record a line")).collect();
    let statuses: Vec<_> = records.iter().map(|record| record["status"].clone()).collect();
    assert_eq!(statuses, [json!("ok"), json!("interrupted")], "{outcome}");
}

// P03
#[cfg(target_os = "linux")]
#[test]
fn a_loop_stops_with_its_command() {
    let gateway = half();
    let home = Home::with(&gateway);
    // The terminal sends SIGINT to loop and command alike; the loop ends because the command died by it.
    let script =
        "trap 'caught=1' INT; for i in 1 2 3; do \"$llm\" ask hi; echo \"status $?\"; [ \"$caught\" ] && exit; done";
    let running = home.shell(script).start();
    running.await_stdout("Half");
    running.signal(Signal::INT);
    let child = child_of(running.id());
    rustix::process::kill_process(child, Signal::INT).expect("the command lives");
    running.finish().prints("Half\nstatus 130\n");
    assert_eq!(gateway.requests().len(), 1);
}

/// The only child of a process.
#[cfg(target_os = "linux")]
fn child_of(parent: u32) -> rustix::process::Pid {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("Linux says so");
    let child = children.split_whitespace().next().and_then(|id| id.parse().ok()).expect("it has a child");
    rustix::process::Pid::from_raw(child).expect("a process id")
}

// P05
#[test]
fn a_reader_that_leaves_stops_the_request_quietly() {
    let line = chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"line\\n\"}}]}\n\n");
    let gateway = Gateway::always(Reply::sse().role().then(Step::Flood(line)));
    let outcome =
        Home::with(&gateway).shell("\"$llm\" ask --log off hi | head -n 1; echo \"${PIPESTATUS[0]}\"").output();
    outcome.exits(0).prints("line\n141\n");
    assert_eq!(outcome.stderr(), "", "{outcome}");
    gateway.await_left(1);
}

#[test]
fn a_second_interrupt_is_as_good_as_one() {
    let gateway = half();
    let running = Home::with(&gateway).llm(["ask", "hi"]).start();
    running.await_stdout("Half");
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    running.finish().dies_by(Signal::INT.as_raw());
}

// P11
#[test]
fn a_pause_by_the_shell_is_no_end() {
    let gateway = Gateway::always(Reply::sse().role().text("Half, ").gate().text("whole.").finish("stop").done());
    let running = Home::with(&gateway).llm(["ask", "hi"]).start();
    running.await_stdout("Half, ");
    running.signal(Signal::STOP);
    gateway.release();
    running.signal(Signal::CONT);
    running.finish().exits(0).prints("Half, whole.\n");
}

// T20
#[test]
fn an_interrupted_comparison_leaves_the_terminal_as_it_was() {
    let gateway = half();
    let running = Home::with(&gateway).llm(["compare", "-m", "a,b", "hi"]).terminal(Wiring::STDERR).start();
    running.terminal.as_ref().expect("a terminal").await_screen("Half");
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    let screen = outcome.terminal();
    let (hidden, shown) = (screen.rfind("\u{1b}[?25l"), screen.rfind("\u{1b}[?25h"));
    assert!(hidden <= shown, "the cursor is visible again\n{screen:?}");
}

// T20
#[test]
fn a_typed_interrupt_leaves_no_live_line() {
    let gateway = half();
    let running = Home::with(&gateway).llm(["compare", "-m", "a,b", "hi"]).terminal(Wiring::STDERR).start();
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_screen("Half");
    // The terminal echoes in order: it is through with the first key once it has shown the second.
    terminal.type_keys("\u{3}~");
    terminal.await_screen("~");
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    assert!(!outcome.terminal().contains("^C"), "{:?}", outcome.terminal());
}

// T20
#[test]
fn a_signal_leaves_no_live_line_of_a_list_that_is_waited_for() {
    let gateway = Gateway::always(Reply::silence().hold());
    for command in [&["models"][..], &["doctor"], &["key", "test"]] {
        let running = Home::with(&gateway).llm(command).terminal(Wiring::ALL).start();
        running.terminal.as_ref().expect("a terminal").await_screen("waiting for the models");
        running.signal(Signal::INT);
        let outcome = running.finish();
        outcome.dies_by(Signal::INT.as_raw());
        let screen = outcome.terminal();
        let shown = screen.rfind("waiting").expect("a line");
        assert!(screen.rfind("\r\u{1b}[J").is_some_and(|cleared| cleared > shown), "{command:?}\n{screen:?}");
    }
}

// T20
#[test]
fn a_signal_at_a_prompt_leaves_the_terminal_as_it_was() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    for (command, shown, signals) in [
        // The editor of a chat takes SIGINT as it takes Ctrl-C.
        (&["chat"][..], "test-model", &[Signal::TERM, Signal::HUP][..]),
        (&["ask", "hi", "-g", "demo", "-m"], "demo/quick", &[Signal::INT, Signal::TERM, Signal::HUP]),
    ] {
        for signal in signals {
            let running = home.llm(command).terminal(Wiring::ALL).start();
            let terminal = running.terminal.as_ref().expect("a terminal");
            terminal.await_screen(shown);
            terminal.await_line_mode(false);
            running.signal(*signal);
            terminal.await_line_mode(true);
            let outcome = running.finish();
            outcome.dies_by(signal.as_raw());
            let screen = outcome.terminal();
            let (marks, plain) = (screen.rfind("\u{1b}[?2004h"), screen.rfind("\u{1b}[?2004l"));
            assert!(marks <= plain, "what is pasted has no marks any more\n{screen:?}");
        }
    }
}

// T20
#[test]
fn a_signal_while_a_prompt_begins_leaves_the_terminal_as_it_was() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    for delay in (0..30).map(|try_| Duration::from_micros(50 * try_)) {
        let running = home.llm(["chat"]).terminal(Wiring::ALL).start();
        let terminal = running.terminal.as_ref().expect("a terminal");
        terminal.await_line_mode(false);
        // The next prompt begins, and the signal comes before it has changed the modes, or after.
        terminal.type_keys("\r");
        let began = Instant::now();
        while began.elapsed() < delay {
            std::hint::spin_loop();
        }
        running.signal(Signal::TERM);
        running.await_end();
        assert!(terminal.is_in_line_mode(), "after {delay:?}");
        running.finish().dies_by(Signal::TERM.as_raw());
    }
}

// T20
#[cfg(target_os = "linux")]
#[test]
fn a_chat_that_is_stopped_can_be_ended_and_continued() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    for (then, said) in [
        // The shell lets it go on after the signal, in the background, where the terminal is not its own.
        (
            "pid=$(jobs -p); kill %1; for try in {1..200}; do kill -0 $pid 2> /dev/null || break; sleep 0.02; done; \
             kill -KILL $pid 2> /dev/null && echo \"it stays\" || echo \"it is gone\"",
            "it is gone",
        ),
        ("fg; echo \"ended by $?\"", "ended by 0"),
    ] {
        let script = format!("exec setsid -c -w bash -c 'set -m; \"$llm\" chat; echo stopped; {then}'");
        let running = home.shell(&script).terminal(Wiring::ALL).start();
        let terminal = running.terminal.as_ref().expect("a terminal");
        terminal.await_line_mode(false);
        terminal.type_keys("\u{1a}");
        terminal.await_screen("stopped");
        if then.starts_with("fg") {
            terminal.await_line_mode(false);
            terminal.type_keys("hi\r");
            terminal.await_screen("Hello.");
            terminal.await_line_mode(false);
            terminal.type_keys("\u{4}");
        }
        terminal.await_screen(said);
        running.finish();
    }
}

// T20
#[test]
fn a_signal_after_a_turn_leaves_the_terminal_of_a_chat_as_it_was() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    let running = home.llm(["chat"]).terminal(Wiring::ALL).start();
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_line_mode(false);
    terminal.type_keys("hi\r");
    terminal.await_screen("Hello.");
    terminal.await_screen("tokens");
    terminal.await_line_mode(false);
    running.signal(Signal::TERM);
    terminal.await_line_mode(true);
    running.finish().dies_by(Signal::TERM.as_raw());
}

// P02
#[test]
fn a_second_signal_ends_even_what_is_stuck_in_writing() {
    let token =
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(9000));
    let gateway = Gateway::always(Reply::sse().then(Step::Flood(chunk(token.as_bytes()))));
    // The shell keeps the pipe open and reads no more than its beginning. Half a second fills it many times over: a
    // signal that came sooner would prove nothing.
    let script = "mkfifo pipe && exec 3<>pipe && { \"$llm\" ask hi -n >&3 & } && head -c 1 <&3 > /dev/null && sleep 0.5
        for try in {1..100}; do kill -TERM $! 2> /dev/null || break; sleep 0.05; done
        kill -KILL $! 2> /dev/null; wait $!; echo \"status $?\"";
    Home::with(&gateway).shell(script).output().prints("status 143\n");
}

/// A pipe in the directory of this home that is open and that nobody reads.
struct Unread(std::fs::File);

impl Unread {
    fn new(home: &Home) -> Self {
        home.shell("mkfifo pipe").output().exits(0);
        let pipe = std::fs::File::options().read(true).write(true).open(home.path().join("pipe"));
        Self(pipe.expect("a pipe"))
    }

    /// Waits until it holds so much that a further write blocks.
    fn await_full(&self) {
        let began = Instant::now();
        while rustix::io::ioctl_fionread(&self.0).expect("a pipe") < 60_000 {
            assert!(began.elapsed() < PATIENCE, "the pipe was never full");
            std::thread::yield_now();
        }
    }
}

/// More than fits into a pipe.
fn long() -> String {
    "word ".repeat(40_000)
}

// P01
#[test]
fn a_signal_ends_what_is_not_read() {
    let gateway = Gateway::always(Reply::sse().role().text(&long()).hold());
    let home = Home::with(&gateway);
    let pipe = Unread::new(&home);
    let running = home.shell("exec \"$llm\" ask hi > pipe").start();
    pipe.await_full();
    let began = Instant::now();
    running.signal(Signal::INT);
    let outcome = running.finish();
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    outcome.dies_by(Signal::INT.as_raw()).says("[interrupted]");
    gateway.await_left(1);
    assert_eq!(home.log()[0]["status"], "interrupted");
}

// P01
#[test]
fn a_signal_ends_the_wait_for_a_reader_of_a_complete_answer() {
    let gateway = Gateway::always(Reply::stream(&[&long()]));
    let home = Home::with(&gateway);
    let pipe = Unread::new(&home);
    for format in ["text", "json"] {
        let running = home.shell(&format!("exec \"$llm\" ask -o {format} hi > pipe")).start();
        pipe.await_full();
        running.signal(Signal::INT);
        running.finish().dies_by(Signal::INT.as_raw());
        home.shell("dd bs=1M count=1 < pipe > /dev/null 2>&1").output().exits(0);
    }
}

// P01
#[test]
fn a_signal_ends_a_batch_whose_lines_are_not_read() {
    let gateway = Gateway::always(Reply::stream(&[&long()]));
    let home = Home::with(&gateway);
    home.file("rows.txt", "row\n".repeat(100_000));
    let pipe = Unread::new(&home);
    let running = home.shell("exec \"$llm\" batch rows.txt '{{ line }}' > pipe").start();
    pipe.await_full();
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw()).says("no further rows are taken").says("not read");
}

// P01
#[test]
fn a_signal_ends_the_wait_for_the_reader_of_a_pipe_that_out_names() {
    let gateway = Gateway::always(Reply::stream(&[&long()]));
    let home = Home::with(&gateway);
    home.file("rows.txt", "row\n".repeat(200));
    let home = home.config("[pipeline.one]\nsteps = [{ name = \"only\", model = \"a\", prompt = \"{{ input }}\" }]\n");
    let pipe = Unread::new(&home);
    home.llm(["ask", "hi"]).output().exits(0);
    for command in [
        "ask hi",
        "ask -o json hi",
        "compare -m a,b hi",
        "rerun -m a",
        "pipeline run one hi",
        "batch rows.txt '{{ line }}'",
        "batch rows.txt '{{ line }}' --order input",
    ] {
        let running = home.shell(&format!("exec \"$llm\" {command} --out pipe")).start();
        pipe.await_full();
        running.signal(Signal::INT);
        running.finish().dies_by(Signal::INT.as_raw());
        home.shell("dd bs=1M count=1 < pipe > /dev/null 2>&1").output().exits(0);
    }
}

#[test]
fn a_time_limit_ends_the_wait_for_the_reader_of_a_pipe_that_out_names() {
    let gateway = Gateway::always(Reply::sse().role().text(&long()).hold());
    let home = Home::with(&gateway);
    let pipe = Unread::new(&home);
    let running = home.shell("exec \"$llm\" ask --timeout 1s hi --out pipe").start();
    pipe.await_full();
    running.finish().exits(8).says("longer than 1 s").says("not read");
}

#[test]
fn a_time_limit_ends_what_is_not_read() {
    let gateway = Gateway::always(Reply::sse().role().text(&long()).hold());
    let home = Home::with(&gateway);
    let pipe = Unread::new(&home);
    let running = home.shell("exec \"$llm\" ask --timeout 2s hi > pipe").start();
    pipe.await_full();
    running.finish().exits(8).says("longer than 2 s").says("not read");
    gateway.await_left(1);
    assert_eq!(home.log()[0]["status"], "truncated");
}

#[test]
fn a_reader_that_is_slow_gets_all_in_order() {
    let gateway = Gateway::always(Reply::stream(&[&long()]));
    // The reader begins when the call has been recorded. Figures follow the answer through the same pipe.
    let script = "\"$llm\" ask --stats hi 2>&1 | {
            until \"$llm\" log 2> /dev/null | grep -q ok; do :; done; sed -n '1p; 2s/ · .*//p' > out; }
        echo \"${PIPESTATUS[*]}\"; cat out";
    let outcome = Home::with(&gateway).shell(script).output();
    outcome.exits(0).prints(&format!("0 0\n{}\ntest-model\n", long()));
}

// P01
#[test]
fn a_signal_ends_what_writes_to_a_terminal_that_is_stopped() {
    let gateway = Gateway::always(Reply::sse().role().text("Half").gate().text(&long()).hold());
    let home = Home::with(&gateway);
    let running = home.llm(["ask", "hi"]).terminal(Wiring::ALL).start();
    let terminal = running.terminal.as_ref().expect("a terminal");
    terminal.await_screen("Half");
    terminal.type_keys("\u{13}");
    gateway.release();
    gateway.await_held(1);
    running.signal(Signal::INT);
    running.finish().dies_by(Signal::INT.as_raw());
    gateway.await_left(1);
    assert_eq!(home.log()[0]["status"], "interrupted");
}

// P01
#[test]
fn a_signal_ends_a_vote_on_a_terminal_that_nobody_reads() {
    let gateway = Gateway::always(Reply::stream(&[&long()]));
    let home = Home::with(&gateway);
    let (unread, name) = crate::support::terminal::unread();
    let script = format!("exec \"$llm\" compare -m a,b --vote hi > {name}");
    let running = home.shell(&script).terminal(Wiring::ALL).start();
    let began = Instant::now();
    // No terminal keeps all of them for whoever reads it.
    while rustix::io::ioctl_fionread(&unread).expect("a terminal") < 1_000 {
        assert!(began.elapsed() < PATIENCE, "the answers were never shown");
        std::thread::yield_now();
    }
    // Ctrl-C is a signal, as nothing waits for a vote that nobody could give.
    assert!(running.terminal.as_ref().expect("a terminal").is_in_line_mode());
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    assert!(!outcome.terminal().contains("Which is best"), "{outcome}");
    assert_eq!(home.log().len(), 2, "the answers are kept");
}

/// A phase of a run, the run, and what waits until it is in that phase.
type Phase<'a> = (&'a str, Run, Box<dyn Fn(&Running) + 'a>);

// P01, P02
#[test]
fn a_signal_is_heard_in_every_phase() {
    let silent = Gateway::always(Reply::silence().hold());
    let busy = Gateway::always(Reply::error_with(429, &[("retry-after", "30")], "slow down"));
    let (half, whole) = (half(), Gateway::always(Reply::stream(&["Hello."])));
    let homes = [&silent, &busy, &half, &whole].map(Home::with);
    let [at_silent, at_busy, at_half, at_whole] = &homes;
    let with_command = Home::new().config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\n\
         key_command = [\"sh\", \"-c\", \"touch started; exec sleep 60 2> /dev/null\"]\n",
        whole.base_url()
    ));
    at_whole.llm(["ask", "hi"]).output().exits(0);
    let mut other = rusqlite::Connection::open(at_whole.ledger()).expect("a database");
    let _lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("locked");
    let phases: [Phase<'_>; 6] = [
        (
            "stdin",
            at_half.llm(["ask"]).stdin_open(),
            Box::new(|running| running.await_stderr("waiting for input on stdin")),
        ),
        (
            "key_command",
            with_command.llm(["ask", "-m", "m", "hi"]),
            Box::new(|_| {
                let began = Instant::now();
                while !with_command.path().join("started").exists() {
                    assert!(began.elapsed() < PATIENCE, "the command was never run");
                    std::thread::yield_now();
                }
            }),
        ),
        ("request", at_silent.llm(["ask", "hi"]), Box::new(|_| silent.await_requests(1))),
        ("retry", at_busy.llm(["ask", "hi"]), Box::new(|running| running.await_stderr("429"))),
        ("answer", at_half.llm(["ask", "hi"]), Box::new(|running| running.await_stdout("Half"))),
        // The answer is printed as a whole after the calls, and before the ledger is closed, which another process has locked.
        ("ledger", at_whole.llm(["ask", "-o", "json", "hi"]), Box::new(|running| running.await_stdout("}\n"))),
    ];
    for (phase, run, await_phase) in phases {
        let running = run.start();
        await_phase(&running);
        let began = Instant::now();
        running.signal(Signal::INT);
        let outcome = running.finish();
        assert_eq!(outcome.signal(), Some(Signal::INT.as_raw()), "{phase}\n{outcome}");
        assert!(began.elapsed() < Duration::from_secs(1), "{phase} took {:?}", began.elapsed());
        if phase == "ledger" {
            outcome.says("may be missing");
        }
    }
}
