//! Three days of three people's use of the demo gateway, explained from `usage` and `log` alone.
//!
//! What must come out is worked out from what was done and from what the demo's models are known to do, never from what
//! `llm` says of it.

use std::collections::BTreeMap;

use onekey::money::Usd;
use serde_json::{Value, json};

use crate::support::process::Running;
use crate::support::{Gateway, Home, KEY, Outcome, Reply};

/// The days, long ago, to which what was done is moved.
const DAYS: [&str; 3] = ["2025-03-30", "2025-03-31", "2025-04-01"];

/// Picodollars a token, in and out.
const PRICES: [(&str, i64, i64); 4] = [
    ("demo/quick", 100_000, 400_000),
    ("demo/steady", 1_000_000, 4_000_000),
    ("demo/thinker", 3_000_000, 15_000_000),
    ("demo/flaky", 200_000, 800_000),
];

/// One command that makes one call, and what must become of it.
#[derive(Debug, Clone)]
struct Deed {
    day: usize,
    user: &'static str,
    arguments: &'static [&'static str],
    prompt: String,
    task: Option<&'static str>,
    gateway: &'static str,
    /// What answers, or is tried last.
    model: &'static str,
    status: &'static str,
    exit: i32,
    /// The HTTP status of each attempt; of one that was stopped there is none.
    attempts: &'static [Option<u16>],
    /// How many attempts were at another target than the one before.
    fallbacks: usize,
    cached: bool,
    /// Tokens in and out.
    tokens: Option<(usize, usize)>,
}

impl Deed {
    fn team(&self) -> &'static str {
        if self.user == "ada" { "red" } else { "blue" }
    }

    fn picos(&self) -> Option<i64> {
        let (input, output) = self.tokens?;
        let (_, per_input, per_output) = PRICES.iter().find(|(model, ..)| *model == self.model)?;
        Some(if self.cached { 0 } else { per_input * input as i64 + per_output * output as i64 })
    }

    fn start(&self, home: &Home) -> Running {
        let tags = [format!("user={}", self.user), format!("team={}", self.team())];
        let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
        home.llm(["ask", "--quiet"]).args(self.arguments).args(tags).arg(&self.prompt).start()
    }

    /// What it adds to the sums.
    fn figures(&self) -> Sums {
        let (input, output) = self.tokens.unwrap_or_default();
        // What a stopped request cost nobody tells.
        let unknown = usize::from(self.status == "interrupted" || self.attempts.contains(&None));
        Sums {
            calls: 1,
            failed: usize::from(self.status == "failed"),
            partial: usize::from(matches!(self.status, "truncated" | "interrupted")),
            retries: self.attempts.len().saturating_sub(1 + self.fallbacks),
            fallbacks: self.fallbacks,
            cached: usize::from(self.cached),
            input,
            output,
            picos: self.picos(),
            untold: if self.tokens.is_none() { unknown } else { 0 },
            unknown,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sums {
    calls: usize,
    failed: usize,
    partial: usize,
    retries: usize,
    fallbacks: usize,
    cached: usize,
    input: usize,
    output: usize,
    /// Calls whose tokens are not known.
    untold: usize,
    /// `None` where nothing is known to have cost anything.
    picos: Option<i64>,
    /// Calls whose cost is not known, or not all of it.
    unknown: usize,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.calls, other.calls),
            (&mut self.failed, other.failed),
            (&mut self.partial, other.partial),
            (&mut self.retries, other.retries),
            (&mut self.fallbacks, other.fallbacks),
            (&mut self.cached, other.cached),
            (&mut self.input, other.input),
            (&mut self.output, other.output),
            (&mut self.untold, other.untold),
            (&mut self.unknown, other.unknown),
        ] {
            *sum += more;
        }
        self.picos = self.picos.map_or(other.picos, |picos| Some(picos + other.picos.unwrap_or(0)));
    }

    /// What `usage -o json` says of a group.
    fn told(group: &Value) -> Self {
        let count = |name: &str| usize::try_from(group[name].as_u64().expect(name)).expect("a count");
        let usd = &group["cost"]["usd"];
        let untold = count("output_tokens_unknown");
        // No call told any where there is no sum, and that is no zero.
        let tokens = |name: &str| if group[name].is_null() && untold > 0 { 0 } else { count(name) };
        Self {
            calls: count("calls"),
            failed: count("failed"),
            partial: count("partial"),
            retries: count("retries"),
            fallbacks: count("fallbacks"),
            cached: count("cached"),
            input: tokens("input_tokens"),
            output: tokens("output_tokens"),
            untold,
            picos: (!usd.is_null()).then(|| usd.to_string().parse::<Usd>().expect("dollars").picos()),
            unknown: usize::try_from(group["cost"]["unknown"].as_u64().expect("unknown")).expect("a count"),
        }
    }
}

/// A sentence of so many words that is said to nobody else.
fn sentence(words: usize, about: &str, day: usize) -> String {
    let begin = format!("Say day {day} {about}");
    let fill = words - begin.split(' ').count();
    format!("{begin}{}", " word".repeat(fill))
}

/// What is done at once on each day.
fn deeds(day: usize) -> Vec<Deed> {
    let answered = Deed {
        day,
        user: "",
        arguments: &[],
        prompt: String::new(),
        task: None,
        gateway: "east",
        model: "",
        status: "ok",
        exit: 0,
        attempts: &[Some(200)],
        fallbacks: 0,
        cached: false,
        tokens: None,
    };
    let mut all = Vec::new();
    for (n, about) in ["harbour", "ferry", "gulls"].iter().enumerate() {
        // The demo's answers repeat the first sentence of the prompt.
        let words = 6 + n + day;
        all.push(Deed {
            user: "ada",
            arguments: &["-t", "summary"],
            prompt: sentence(words, about, day),
            task: Some("summary"),
            model: "demo/quick",
            tokens: Some((words, words)),
            ..answered.clone()
        });
    }
    // Thirteen words of thought, and `In short:`.
    all.push(Deed {
        user: "ada",
        arguments: &["-m", "demo/thinker"],
        prompt: sentence(9, "proof", day),
        model: "demo/thinker",
        tokens: Some((9, 9 + 15)),
        ..answered.clone()
    });
    for about in ["parser", "lexer"] {
        all.push(Deed {
            user: "bob",
            arguments: &["-t", "coding"],
            prompt: sentence(11, about, day),
            task: Some("coding"),
            model: "demo/steady",
            attempts: &[Some(503), Some(503), Some(200)],
            fallbacks: 1,
            tokens: Some((11, 11)),
            ..answered.clone()
        });
    }
    all.push(Deed {
        user: "bob",
        arguments: &["-m", "demo/down", "--retries", "1"],
        prompt: sentence(5, "despair", day),
        model: "demo/down",
        status: "failed",
        exit: 6,
        attempts: &[Some(503), Some(503)],
        ..answered.clone()
    });
    all.push(Deed {
        user: "bob",
        arguments: &["-m", "demo/steady", "--max-tokens", "3"],
        prompt: sentence(14, "saga", day),
        model: "demo/steady",
        status: "truncated",
        exit: 8,
        tokens: Some((14, 3)),
        ..answered.clone()
    });
    for about in ["weather", "tides", "stars"].iter().take(day + 1) {
        all.push(Deed {
            user: "cy",
            arguments: &["-m", "demo/flaky"],
            prompt: sentence(7, about, day),
            model: "demo/flaky",
            attempts: &[Some(503), Some(200)],
            tokens: Some((7, 7)),
            ..answered.clone()
        });
    }
    all.push(Deed {
        user: "cy",
        arguments: &["-t", "chat"],
        prompt: sentence(8, "gossip", day),
        task: Some("chat"),
        model: "demo/quick",
        attempts: &[None, Some(200)],
        fallbacks: 1,
        tokens: Some((8, 8)),
        ..answered.clone()
    });
    all.push(Deed {
        user: "cy",
        arguments: &["-g", "west", "-m", "demo/steady"],
        prompt: sentence(10, "deserts", day),
        gateway: "west",
        model: "demo/steady",
        tokens: Some((10, 10)),
        ..answered.clone()
    });
    all.push(Deed {
        user: "cy",
        arguments: &["-m", "demo/none"],
        prompt: sentence(4, "", day),
        model: "demo/none",
        status: "failed",
        exit: 1,
        attempts: &[Some(404)],
        ..answered
    });
    all
}

/// Moves what was recorded of late to that day.
fn move_to(home: &Home, day: &str) {
    let midnight: jiff::Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
    let database = rusqlite::Connection::open(home.ledger()).expect("a database");
    for table in ["calls", "runs"] {
        // Whatever was before the year 2026 has been moved already.
        let sql = format!("UPDATE {table} SET at_ms = ?1 + at_ms % 86400000 WHERE at_ms > 1767225600000");
        database.execute(&sql, [midnight.as_millisecond()]).expect("moved");
    }
}

/// The three days, done; what was done, the ids of a conversation's calls in turn, and what answers.
fn three_days() -> (Home, Vec<Deed>, Vec<String>, (Running, Gateway)) {
    let home = Home::new().env("EAST_KEY", format!("{KEY}-east")).env("WEST_KEY", format!("{KEY}-west"));
    let demo = home.llm(["demo-gateway"]).stdin_open().start();
    demo.await_stdout("\n");
    let url = demo.stdout().trim().to_owned();
    // A race whose winner is certain.
    let silent = Gateway::always(Reply::silence().hold());
    let gateway = |name: &str| {
        let key = name.to_uppercase();
        format!("[gateway.{name}]\nbase_url = \"{url}\"\nauth = \"required\"\nkey_env = [\"{key}_KEY\"]\n")
    };
    let home = home.config(&format!(
        "default_gateway = \"east\"\n{}{}\
         [alias.careful]\nmodels = [\"demo/down\", \"demo/steady\"]\nretries = 1\n\
         [gateway.silent]\nbase_url = \"{}\"\nauth = \"none\"\n\
         [alias.fast]\nmodels = [\"silent::any\", \"demo/quick\"]\nhedge = \"10ms\"\n\
         [task]\ncoding = \"careful\"\nsummary = \"demo/quick\"\nchat = \"fast\"\n",
        gateway("east"),
        gateway("west"),
        silent.base_url()
    ));
    // Whose price lists are known then.
    for name in ["east", "west"] {
        home.llm(["models", "-g", name]).output().exits(0);
    }
    let (mut done, mut conversation) = (Vec::new(), Vec::<String>::new());
    for (day, date) in DAYS.iter().enumerate() {
        let today = deeds(day);
        let running: Vec<Running> = today.iter().map(|deed| deed.start(&home)).collect();
        let bored = Deed {
            arguments: &["-m", "demo/steady"],
            prompt: sentence(200, "boredom", day),
            user: "bob",
            status: "interrupted",
            task: None,
            model: "demo/steady",
            attempts: &[Some(200)],
            fallbacks: 0,
            tokens: None,
            ..today[0].clone()
        };
        let interrupted = bored.start(&home);
        interrupted.await_stdout("Say day");
        interrupted.signal(rustix::process::Signal::INT);
        interrupted.finish().dies_by(2);
        for (deed, running) in today.iter().zip(running) {
            running.finish().exits(deed.exit);
        }
        done.extend(today);
        done.push(bored);
        for time in 0..2 {
            let cached = day + time > 0;
            let same = Deed {
                arguments: &["-m", "demo/quick", "--cache"],
                prompt: sentence(6, "prayer", 0),
                task: None,
                attempts: if cached { &[] } else { &[Some(200)] },
                cached,
                tokens: Some((6, 6)),
                day,
                ..done[0].clone()
            };
            same.start(&home).finish().exits(0);
            done.push(same);
        }
        // A conversation that goes on every day, with another model each time.
        let (model, input, output) = [("demo/quick", 5, 5), ("demo/steady", 15, 5), ("demo/thinker", 25, 20)][day];
        let mut ask = home.llm(["ask", "-q", "-o", "json", "-m", model, "--tag", "user=ada", "--tag", "team=red"]);
        if let Some(last) = conversation.last() {
            ask = ask.args(["-c", last]);
        }
        let prompt = sentence(5, "conversation", day);
        let answer = ask.arg(&prompt).output();
        conversation.push(answer.exits(0).json()["id"].as_str().expect("an id").to_owned());
        done.push(Deed { prompt, task: None, model, tokens: Some((input, output)), day, ..done[0].clone() });
        move_to(&home, date);
    }
    (home, done, conversation, (demo, silent))
}

/// The groups of `usage`, by their keys.
fn usage(home: &Home, by: &str, more: &[&str]) -> BTreeMap<Vec<Option<String>>, Sums> {
    let outcome = home.llm(["usage", "-o", "json", "--by", by]).args(more).output();
    let document = outcome.exits(0).json();
    let groups = document["groups"].as_array().expect("a list").iter();
    let names: Vec<&str> = by.split(',').collect();
    let key = |group: &Value| names.iter().map(|name| group["key"][name].as_str().map(str::to_owned)).collect();
    groups.map(|group| (key(group), Sums::told(group))).collect()
}

/// The same from what was done.
fn expected<'a>(done: impl IntoIterator<Item = &'a Deed>, by: &str) -> BTreeMap<Vec<Option<String>>, Sums> {
    let mut groups = BTreeMap::<Vec<Option<String>>, Sums>::new();
    for deed in done {
        let part = |name: &str| match name {
            "tag:user" => Some(deed.user),
            "tag:team" => Some(deed.team()),
            "model" => Some(deed.model),
            "gateway" => Some(deed.gateway),
            "provider" => Some("demo"),
            // What comes from the cache takes no key.
            "key" if deed.cached => None,
            "key" => Some(if deed.gateway == "west" { "WEST_KEY" } else { "EAST_KEY" }),
            "task" => deed.task,
            "day" => Some(DAYS[deed.day]),
            "status" => Some(deed.status),
            other => panic!("{other}"),
        };
        let key = by.split(',').map(|name| part(name).map(str::to_owned)).collect();
        groups.entry(key).or_default().add(&deed.figures());
    }
    groups
}

fn shows(outcome: &Outcome, texts: &[&str]) {
    for text in texts {
        assert!(outcome.stdout().contains(text), "{text:?} is not in\n{outcome}");
    }
}

#[test]
fn three_days_are_explained_by_usage_and_log() {
    let (home, done, conversation, _gateways) = three_days();

    // Who spent what, on which model, on which day, with which key, for what.
    for by in [
        "tag:user",
        "tag:user,model",
        "tag:team,day",
        "model",
        "gateway",
        "provider",
        "key",
        "task",
        "day",
        "status",
        "day,tag:user,model,status",
    ] {
        assert_eq!(usage(&home, by, &[]), expected(&done, by), "by {by}");
    }
    let blue = done.iter().filter(|deed| deed.team() == "blue" && deed.day == 1);
    let narrowed = ["--tag", "team=blue", "--since", DAYS[1], "--before", DAYS[2]];
    assert_eq!(usage(&home, "model", &narrowed), expected(blue, "model"));

    // Where attempts failed that others made good: not at the models that answered in the end.
    let document = home.llm(["usage", "-o", "json"]).output().json();
    assert_eq!(
        document["failed_attempts"],
        json!([
            // Two for each of six that fell back, and one for each of three that failed for good.
            {"gateway": "east", "model": "demo/down", "attempts": 15, "cost_usd": 0, "cost_unknown": 0},
            {"gateway": "east", "model": "demo/flaky", "attempts": 6, "cost_usd": 0, "cost_unknown": 0},
        ])
    );

    // Every single call.
    let log = home.log();
    assert_eq!(log.len(), done.len());
    for deed in &done {
        let is_it = |call: &&Value| {
            let prompt = call["messages"].as_array().and_then(|all| all.last()).map(|last| &last["parts"][0]["text"]);
            prompt == Some(&json!(deed.prompt))
                && call["cached"] == deed.cached
                && call["when"].as_str().is_some_and(|when| when.starts_with(DAYS[deed.day]))
        };
        let call = log.iter().find(is_it).unwrap_or_else(|| panic!("{deed:?} is not in the log"));
        let statuses: Vec<Value> =
            call["attempts"].as_array().expect("a list").iter().map(|attempt| attempt["status"].clone()).collect();
        assert_eq!(json!(statuses), json!(deed.attempts), "{deed:?}");
        assert_eq!((&call["status"], &call["task"]), (&json!(deed.status), &json!(deed.task)), "{deed:?}");
        let answered = (deed.status != "failed").then_some(deed.model);
        assert_eq!((&call["answered_by"], &call["gateway"]), (&json!(answered), &json!(deed.gateway)), "{deed:?}");
        let told = &call["cost"]["usd"];
        let told = (!told.is_null()).then(|| told.to_string().parse::<Usd>().expect("dollars").picos());
        assert_eq!(told, deed.picos(), "{deed:?}");
    }

    // What one bad answer went through.
    let parser =
        home.llm(["log", "--search", "parser", "--since", DAYS[1], "--before", DAYS[2], "-o", "json"]).output();
    let parser = parser.exits(0).json();
    assert_eq!(parser.as_array().map(Vec::len), Some(1));
    let shown = home.llm(["log", "show", parser[0]["id"].as_str().expect("an id")]).env("COLUMNS", "160").output();
    shows(
        shown.exits(0),
        &[
            "careful, task coding",
            "demo/steady at east, key EAST_KEY",
            "team=blue user=bob",
            " 1  0.0 ms  east::demo/down ",
            "unavailable: demo/down is overloaded (demo)",
            "after a wait of",
            " 3 ",
            "east::demo/steady",
            "answered",
            "11 in, 11 out",
            // 11 at a microdollar and 11 at four.
            "~$0.000055 (gateway)",
            "$1.00 in, $4.00 out per million tokens",
            "Say day 1 parser word",
        ],
    );
    let failed = home.llm(["log", "--status", "failed", "--tag", "user=bob", "-o", "jsonl"]).output();
    assert_eq!(failed.exits(0).stdout().lines().count(), 3, "{failed}");

    // The conversation, whoever answered.
    let talk = home.llm(["log", "show", "--conversation", &conversation[1]]).output();
    shows(talk.exits(0), &["demo/quick (", "demo/steady (", "demo/thinker (", "In short: Say day 2 conversation"]);

    // And what people read.
    let cost = |user: &str| {
        let picos = done.iter().filter(|deed| deed.user == user).filter_map(Deed::picos).sum();
        Usd::from_picos(picos).to_string()
    };
    let page = home.llm(["usage", "--by", "tag:user"]).env("COLUMNS", "200").output();
    // Those of bob and cy are lower bounds, and all but the answers of two models are computed.
    shows(&page, &[&format!(" ~{}", cost("ada")), &format!("≥{}", cost("bob")), &format!("≥{}", cost("cy"))]);
    shows(page.exits(0), &["15 at east::demo/down, 6 at east::demo/flaky"]);
    shows(&page, &["demo/thinker took", "caches saved", "llm's own answered 5 calls"]);
}
