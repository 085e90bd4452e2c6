//! Budgets, allow-lists and `--max-cost`: what may cost too much is not sent.

use crate::support::{Gateway, Home, Reply};

/// An answer that costs a dollar at [`PRICE`].
fn dollar() -> Reply {
    Reply::sse().role().text("Hello.").finish("stop").usage(1, 10).done()
}

/// A token of answer costs ten cents.
const PRICE: &str = "[price.\"*\"]\ninput = 0\noutput = 100000\n";

fn home(gateway: &Gateway, config: &str) -> Home {
    Home::with(gateway).config(&format!("{config}\n{PRICE}"))
}

const ASK: [&str; 4] = ["ask", "--max-tokens", "10", "hi"];

#[test]
fn a_budget_that_is_spent_is_5_and_says_what_is_left_and_until_when() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 2.5\nper = \"day\"\n");
    home.llm(ASK).output().exits(0);
    home.llm(ASK).output().exits(0);
    let outcome = home.llm(ASK).output();
    outcome.exits(5).prints("").says("budget of $2.50 a day for everything: $0.50 left").says("it begins anew at ");
    assert_eq!(gateway.requests().len(), 2);
    let record = home.llm(ASK).args(["-o", "json"]).output().exits(5).json();
    assert_eq!((&record["status"], &record["error"]["kind"]), (&"refused".into(), &"refused".into()));
}

#[test]
fn a_budget_is_for_what_it_matches() {
    let gateway = Gateway::by(|_| dollar());
    let config = "[[budget]]\nlimit = 0\nper = \"hour\"\nmatch = { model = \"claude-*\", tag.app = \"bot\" }\n\
                  [[budget]]\nlimit = 0\nper = \"month\"\nmatch = { model = \"watched\" }\naction = \"warn\"\n\
                  [[budget]]\nlimit = 0\nper = \"week\"\nmatch = { task = \"toys\" }\n[task]\ntoys = \"plain\"\n";
    let home = home(&gateway, config);
    let ask = |more: &[&str]| home.llm(ASK).args(more.iter().copied()).output();
    ask(&["-m", "anthropic/claude-x", "--tag", "app=bot"]).exits(5);
    ask(&["-m", "anthropic/claude-x", "--tag", "app=other"]).exits(0);
    ask(&["-m", "watched"]).exits(0).says("budget of $0.00 a month for model watched");
    ask(&["-t", "toys"]).exits(5);
    ask(&["-m", "plain"]).exits(0);
}

#[test]
fn a_refusal_is_the_users_to_mend_and_no_reason_to_try_another_model() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[allow]\nLLM_API_KEY = [\"gpt-*-mini\"]\n");
    let outcome = home.llm(ASK).args(["-m", "gpt-5.4", "--fallback", "gpt-5.4-mini"]).output();
    outcome.exits(5).says("the key LLM_API_KEY may not be used for gpt-5.4");
    assert!(gateway.requests().is_empty());
    home.llm(ASK).args(["-m", "openai/gpt-5.4-mini"]).output().exits(0);
}

#[test]
fn a_command_costs_no_more_than_it_may() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "");
    home.llm(ASK).args(["--max-cost", "0.99"]).output().exits(5).says("this call may cost up to $1.00");
    home.llm(ASK).args(["--max-cost", "1"]).output().exits(0);
    home.llm(["ask", "hi", "--max-cost", "1"]).output().exits(5).says("--max-tokens sets a limit");
    home.llm(ASK).args(["--max-cost", "cheap"]).output().exits(2);
    let arguments = ["compare", "-m", "a,b,c", "--max-tokens", "10", "--max-cost", "2", "hi"];
    home.llm(arguments).output().exits(8);
    assert_eq!(gateway.requests().len(), 3);
}

// L05
#[cfg(unix)]
#[test]
fn many_processes_at_once_never_spend_more_than_the_budget() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 10\nper = \"total\"\n");
    // Those that are refused end with 5, which is no failure of the script.
    let script = "seq 32 | xargs -P 32 -I{} sh -c '\"$llm\" ask --max-tokens 10 hi -q || [ $? = 5 ]'";
    home.shell(script).output().exits(0);
    assert_eq!(gateway.requests().len(), 10);
    home.llm(ASK).output().exits(5).says("$0.00 left");
}

// L06
#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_process_had_reserved_is_free_again_and_said() {
    let gateway = Gateway::by(|request| if request.prompt() == "hang" { Reply::silence().hold() } else { dollar() });
    let home = home(&gateway, "[[budget]]\nlimit = 1\nper = \"total\"\n");
    let hanging = home.llm(["ask", "--max-tokens", "10", "hang"]).start();
    gateway.await_requests(1);
    home.llm(ASK).output().exits(5).says("$0.00 left");
    hanging.signal(rustix::process::Signal::KILL);
    hanging.finish();
    home.llm(ASK).output().exits(0).says("$1.00 that a process which is gone had reserved is free again");
}

// L11
#[cfg(unix)]
#[test]
fn a_call_that_was_interrupted_counts_as_what_was_set_aside() {
    let gateway = Gateway::always(Reply::sse().role().text("Half").hold());
    let home = home(&gateway, "[[budget]]\nlimit = 1.5\nper = \"total\"\n");
    let running = home.llm(ASK).start();
    running.await_stdout("Half");
    running.signal(rustix::process::Signal::TERM);
    running.finish();
    home.llm(ASK).output().exits(5).says("$0.50 left");
}
