//! The reports of usage, each by hand-made sums at the widths that pages have.

use std::collections::BTreeMap;

use super::*;
use crate::ledger::Short;
use crate::record::TotalCost;
use crate::report::usage_html;

fn usd(text: &str) -> Usd {
    text.parse().expect("dollars")
}

fn counted(count: u64) -> TokenSum {
    let mut tokens = TokenSum::default();
    tokens.add(Some(count));
    tokens
}

fn group(key: &[Option<&str>], calls: u64, cost: Option<&str>) -> Group {
    let percentiles = |median, p95| Some(Percentiles { median, p95 });
    Group {
        key: key.iter().map(|part| part.map(str::to_owned)).collect(),
        calls,
        cost: TotalCost { usd: cost.map(usd), unknown: usize::from(cost.is_none()), computed: false },
        input: counted(calls * 1_200),
        cache_read: counted(calls * 400),
        output: counted(calls * 150),
        first_token: percentiles(412_000, 1_900_000),
        total: percentiles(2_300_000, 64_000_000),
        ..Group::default()
    }
}

/// Calls by group, with everything in them that leaks, and a sum of all.
fn usage(groups: Vec<Group>) -> Usage {
    let mut total = group(&[], groups.iter().map(|group| group.calls).sum(), None);
    for one in &groups {
        total.failed += one.failed;
        total.partial += one.partial;
        total.retries += one.retries;
        total.fallbacks += one.fallbacks;
        total.saved += one.saved;
        total.cached += one.cached;
        total.cost.unknown += one.cost.unknown;
        if let Some(cost) = one.cost.usd {
            *total.cost.usd.get_or_insert(Usd::ZERO) += cost;
        }
    }
    total.cost.unknown -= 1;
    Usage { total, groups, ..Usage::default() }
}

/// Three models, one of them dear, one that nobody knows the price of, and what became of the calls.
fn by_model() -> Usage {
    let dear = Group {
        partial: 2,
        short: Short { calls: 12, input: 2_400, output: 600, cost: usd("0.6") },
        ..group(&[Some("anthropic/claude-opus-4.8")], 40, Some("12.3456789"))
    };
    let cheap = Group {
        retries: 31,
        fallbacks: 9,
        failed: 4,
        short: Short { calls: 900, input: 180_000, output: 45_000, cost: usd("0.09") },
        saved: usd("0.25"),
        cached: 17,
        cost: TotalCost { usd: Some(usd("0.875")), unknown: 3, computed: true },
        ..group(&[Some("openai/gpt-5.4-mini")], 460, None)
    };
    let failed_attempts = [("openrouter", "openai/gpt-5.4-mini", 31, "0"), ("corp", "qwen3-coder", 9, "0.0042")]
        .map(|(gateway, model, count, cost)| FailedAttempts {
            gateway: gateway.into(),
            model: model.into(),
            count,
            cost: usd(cost),
            cost_unknown: 0,
        })
        .into();
    let mut usage = usage(vec![dear, cheap, group(&[Some("模型/通义千问-plus")], 7, None)]);
    usage.total.retry_cost = usd("0.0042");
    usage.models = usage.groups.iter().map(|group| (group.key[0].clone().expect("a name"), group.clone())).collect();
    Usage { failed_attempts, ..usage }
}

fn at(columns: usize, usage: &Usage, by: &[&str]) -> String {
    let by: Vec<Dimension> = by.iter().map(|word| Dimension::named(word).expect("a dimension")).collect();
    text(usage, &by, &Output::terminal(columns)).to_string()
}

#[test]
fn by_model_at_160_columns() {
    insta::assert_snapshot!(at(160, &by_model(), &["model"]), @r"
     model                      calls  failed  partial  retries  fallbacks      in  cached    out     cost  share            first token    p95  total       p95
     anthropic/claude-opus-4.8     40       0        2        0          0   48000    33 %   6000   $12.35   93 %  ███████▌       412 ms  1.9 s  2.3 s  1 m 04 s
     openai/gpt-5.4-mini          460       4        0       31          9  552000    33 %  69000  ≥$0.875  6.6 %  ▌              412 ms  1.9 s  2.3 s  1 m 04 s
     模型/通义千问-plus             7       0        0        0          0    8400    33 %   1050        –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
     total                        507       4        2       31          9  608400    33 %  76050  ≥$13.22  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    ▸ $0.0042 went into attempts that gave no answer, most of it at corp::qwen3-coder ($0.0042)
    ▸ anthropic/claude-opus-4.8 took 93 % of the cost for 7.9 % of the calls (three times its share or more)
    ▸ 12 short calls (at most 500 tokens in and 150 out) went to anthropic/claude-opus-4.8 for $0.60; at openai/gpt-5.4-mini the same tokens cost a fifth of that or
      less
    ▸ 40 attempts failed and had to be made again or elsewhere (one for every twenty calls or more): 31 at openrouter::openai/gpt-5.4-mini, 9 at corp::qwen3-coder
    ▸ caches saved $0.25; llm's own answered 17 calls
    ");
}

#[test]
fn by_model_at_80_columns() {
    insta::assert_snapshot!(at(80, &by_model(), &["model"]), @r"
     model                      calls  failed     cost  share            total
     anthropic/claude-opus-4.8     40       0   $12.35   93 %  ███████▌  2.3 s
     openai/gpt-5.4-mini          460       4  ≥$0.875  6.6 %  ▌         2.3 s
     模型/通义千问-plus             7       0        –      –            2.3 s
     total                        507       4  ≥$13.22  100 %            2.3 s

    ▸ $0.0042 went into attempts that gave no answer, most of it at
      corp::qwen3-coder ($0.0042)
    ▸ anthropic/claude-opus-4.8 took 93 % of the cost for 7.9 % of the calls (three
      times its share or more)
    ▸ 12 short calls (at most 500 tokens in and 150 out) went to
      anthropic/claude-opus-4.8 for $0.60; at openai/gpt-5.4-mini the same tokens
      cost a fifth of that or less
    ▸ 40 attempts failed and had to be made again or elsewhere (one for every twenty
      calls or more): 31 at openrouter::openai/gpt-5.4-mini, 9 at corp::qwen3-coder
    ▸ caches saved $0.25; llm's own answered 17 calls
    ");
}

#[test]
fn by_every_other_dimension_at_80_and_160_columns() {
    let page: Vec<String> = [
        ("gateway", [Some("openrouter"), Some("corp")]),
        ("provider", [Some("anthropic"), None]),
        ("key", [Some("team-a"), Some("LLM_API_KEY")]),
        ("task", [Some("coding"), None]),
        ("day", [Some("2026-11-19"), Some("2026-11-20")]),
        ("status", [Some("ok"), Some("failed")]),
        ("tag:team", [Some("payments and invoices"), None]),
    ]
    .iter()
    .flat_map(|(by, keys)| {
        let usage = usage(vec![group(&[keys[0]], 3, Some("0.5")), group(&[keys[1]], 2, None)]);
        [80, 160].map(|columns| at(columns, &usage, &[*by]))
    })
    .collect();
    insta::assert_snapshot!(page.join("\n"), @r"
    gateway     calls  failed  retries  fallbacks    cost  share            total
    openrouter      3       0        0          0   $0.50  100 %  ████████  2.3 s
    corp            2       0        0          0       –      –            2.3 s
    total           5       0        0          0  ≥$0.50  100 %            2.3 s

    gateway     calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    openrouter      3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    corp            2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total           5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    provider   calls  failed  retries  fallbacks    cost  share            total
    anthropic      3       0        0          0   $0.50  100 %  ████████  2.3 s
    –              2       0        0          0       –      –            2.3 s
    total          5       0        0          0  ≥$0.50  100 %            2.3 s

    provider   calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    anthropic      3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    –              2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total          5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    key          calls  failed  retries  fallbacks    cost  share            total
    team-a           3       0        0          0   $0.50  100 %  ████████  2.3 s
    LLM_API_KEY      2       0        0          0       –      –            2.3 s
    total            5       0        0          0  ≥$0.50  100 %            2.3 s

    key          calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    team-a           3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    LLM_API_KEY      2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total            5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    task    calls  failed  retries  fallbacks    cost  share            total
    coding      3       0        0          0   $0.50  100 %  ████████  2.3 s
    –           2       0        0          0       –      –            2.3 s
    total       5       0        0          0  ≥$0.50  100 %            2.3 s

    task    calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    coding      3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    –           2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total       5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    day         calls  failed  retries  fallbacks    cost  share            total
    2026-11-19      3       0        0          0   $0.50  100 %  ████████  2.3 s
    2026-11-20      2       0        0          0       –      –            2.3 s
    total           5       0        0          0  ≥$0.50  100 %            2.3 s

    day         calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    2026-11-19      3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    2026-11-20      2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total           5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    status  calls  failed  retries  fallbacks    cost  share            total
    ok          3       0        0          0   $0.50  100 %  ████████  2.3 s
    failed      2       0        0          0       –      –            2.3 s
    total       5       0        0          0  ≥$0.50  100 %            2.3 s

    status  calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    ok          3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    failed      2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total       5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s

    team                   calls  failed    cost  share            total
    payments and invoices      3       0   $0.50  100 %  ████████  2.3 s
    –                          2       0       –      –            2.3 s
    total                      5       0  ≥$0.50  100 %            2.3 s

    team                   calls  failed  partial  retries  fallbacks    in  cached  out    cost  share            first token    p95  total       p95
    payments and invoices      3       0        0        0          0  3600    33 %  450   $0.50  100 %  ████████       412 ms  1.9 s  2.3 s  1 m 04 s
    –                          2       0        0        0          0  2400    33 %  300       –      –                 412 ms  1.9 s  2.3 s  1 m 04 s
    total                      5       0        0        0          0  6000    33 %  750  ≥$0.50  100 %                 412 ms  1.9 s  2.3 s  1 m 04 s
    ");
}

#[test]
fn by_several_dimensions_at_80_and_160_columns() {
    let keys = |team, day| [Some(team), Some(day), Some("anthropic/claude-opus-4.8")];
    let usage = usage(vec![
        group(&keys("red", "2026-11-19"), 3, Some("0.5")),
        group(&keys("blue", "2026-11-19"), 1, Some("0.0000071")),
        group(&keys("red", "2026-11-20"), 1_234_567, Some("98765.4321")),
    ]);
    let page = [80, 160].map(|columns| at(columns, &usage, &["tag:team", "day", "model"]));
    insta::assert_snapshot!(page.join("\n"), @r"
    team   day         model                        calls        cost
    red    2026-11-19  anthropic/claude-opus-4.8        3       $0.50
    blue   2026-11-19  anthropic/claude-opus-4.8        1  $0.0000071
    red    2026-11-20  anthropic/claude-opus-4.8  1234567   $98765.43
    total                                         1234571   $98765.93

    team   day         model                        calls  failed  partial  retries  fallbacks        cost   share            total       p95
    red    2026-11-19  anthropic/claude-opus-4.8        3       0        0        0          0       $0.50  <0.1 %            2.3 s  1 m 04 s
    blue   2026-11-19  anthropic/claude-opus-4.8        1       0        0        0          0  $0.0000071  <0.1 %            2.3 s  1 m 04 s
    red    2026-11-20  anthropic/claude-opus-4.8  1234567       0        0        0          0   $98765.43   100 %  ████████  2.3 s  1 m 04 s
    total                                         1234571       0        0        0          0   $98765.93   100 %            2.3 s  1 m 04 s
    ");
}

#[test]
fn names_that_begin_or_end_alike_stay_two_at_every_width() {
    let long = "a-gateway/a-model-with-a-name-that-goes-on-for-longer-than-any-page-is-wide-2026-11-20-preview";
    let names = [format!("{long}-a"), format!("{long}-b"), format!("x{long}-a")];
    let usage = usage(names.iter().map(|name| group(&[Some(name)], 1, Some("1"))).collect());
    for columns in [20, 40, 80, 120, 160] {
        let page = at(columns, &usage, &["model"]);
        let whole: String = page.chars().filter(|c| !c.is_whitespace() && !c.is_ascii_digit()).collect();
        for line in page.lines() {
            assert!(wrap::width(line) <= columns, "at {columns}: {line}");
        }
        // Wrapped, a name's pieces are in lines of their own: each name's last piece is somewhere, and no name is cut.
        for end in ["-a", "-b"] {
            assert!(page.contains(end), "at {columns}:\n{page}");
        }
        assert!(!whole.contains('…'), "at {columns}:\n{page}");
    }
}

#[test]
fn documents_hold_the_same_figures() {
    let (usage, by) = (by_model(), [Dimension::Model]);
    insta::assert_snapshot!(markdown(&usage, &by), @r"
    | model | calls | failed | partial | retries | fallbacks | in | cached | out | cost | share | first token | first token p95 | total | total p95 |
    |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
    | anthropic/claude-opus-4.8 | 40 | 0 | 2 | 0 | 0 | 48000 | 33 % | 6000 | $12.35 | 93 % | 412 ms | 1.9 s | 2.3 s | 1 m 04 s |
    | openai/gpt-5.4-mini | 460 | 4 | 0 | 31 | 9 | 552000 | 33 % | 69000 | ≥$0.875 | 6.6 % | 412 ms | 1.9 s | 2.3 s | 1 m 04 s |
    | 模型/通义千问-plus | 7 | 0 | 0 | 0 | 0 | 8400 | 33 % | 1050 | – | – | 412 ms | 1.9 s | 2.3 s | 1 m 04 s |
    | **total** | 507 | 4 | 2 | 31 | 9 | 608400 | 33 % | 76050 | ≥$13.22 | 100 % | 412 ms | 1.9 s | 2.3 s | 1 m 04 s |

    - $0.0042 went into attempts that gave no answer, most of it at corp::qwen3-coder ($0.0042)
    - anthropic/claude-opus-4.8 took 93 % of the cost for 7.9 % of the calls (three times its share or more)
    - 12 short calls (at most 500 tokens in and 150 out) went to anthropic/claude-opus-4.8 for $0.60; at openai/gpt-5.4-mini the same tokens cost a fifth of that or less
    - 40 attempts failed and had to be made again or elsewhere (one for every twenty calls or more): 31 at openrouter::openai/gpt-5.4-mini, 9 at corp::qwen3-coder
    - caches saved $0.25; llm's own answered 17 calls
    ");
    insta::assert_snapshot!(csv(&usage, &by), @r"
    model,calls,failed,partial,retries,fallbacks,cached,input_tokens,cached_input_tokens,output_tokens,cost_usd,cost_unknown,cost_computed,cost_share,retry_cost_usd,cache_saved_usd,first_token_median_ms,first_token_p95_ms,total_median_ms,total_p95_ms,input_tokens_unknown,cached_input_tokens_unknown,output_tokens_unknown,retry_cost_unknown,cache_saved_unknown
    anthropic/claude-opus-4.8,40,0,2,0,0,0,48000,16000,6000,12.3456789,0,false,0.9338,0,0,412,1900,2300,64000,0,0,0,0,0
    openai/gpt-5.4-mini,460,4,0,31,9,17,552000,184000,69000,0.875,3,true,0.0662,0,0.25,412,1900,2300,64000,0,0,0,0,0
    模型/通义千问-plus,7,0,0,0,0,0,8400,2800,1050,,1,false,,0,0,412,1900,2300,64000,0,0,0,0,0
    ");
    let document: serde_json::Value =
        serde_json::from_str(&json(&usage, &by, &Output::plain(80)).to_string()).expect("JSON");
    assert_eq!(document["groups"][0]["cost"]["usd"], serde_json::json!(12.3456789));
    assert_eq!(document["failed_attempts"][1]["model"], "qwen3-coder");
    assert_eq!(document["leaks"].as_array().map(Vec::len), Some(leaks(&usage).len()));
    let period = usage_html::Period { since_ms: Some(0), before_ms: None, now_ms: 86_400_000 };
    let page = usage_html::page(&usage, &by, period).expect("a page").to_string();
    for text in [
        "anthropic/claude-opus-4.8",
        "≥$0.875",
        "width: 93.4%",
        "9 at corp::qwen3-coder",
        "<div class=\"headline\">≥$13.22</div>",
        "507 calls · since 1970-01-01 00:00 UTC",
        "made 1970-01-02 00:00 UTC",
    ] {
        assert!(page.contains(text), "{text}:\n{page}");
    }
    assert_eq!(page.matches("class=\"bar\"").count(), 2, "a group without cost has no bar");
}

#[test]
fn tokens_that_nobody_told_are_no_zeros_and_those_that_some_told_are_lower_bounds() {
    let silent = || {
        let mut tokens = TokenSum::default();
        tokens.add(None);
        tokens
    };
    let mut some = counted(1_000);
    some.add(None);
    let half = Group {
        cache_read: {
            let mut read = counted(300);
            read.add(None);
            read
        },
        input: counted(1_000),
        ..group(&[Some("half")], 2, None)
    };
    let none = Group { input: silent(), cache_read: silent(), output: silent(), ..group(&[Some("none")], 1, None) };
    let part = Group { input: some, output: some, cache_read: some, ..group(&[Some("part")], 2, None) };
    let usage = usage(vec![half, none, part]);
    let cells = |place: usize| [Input, Cached, Output].map(|figure| figure.cell(&usage.groups[place], &usage));
    assert_eq!(cells(0), ["1000", "≥30 %", "300"]);
    assert_eq!(cells(1), ["–", "–", "–"]);
    assert_eq!(cells(2), ["≥1000", "100 %", "≥1000"]);
    let by = [Dimension::Model];
    let csv = csv(&usage, &by);
    assert!(
        csv.to_string().lines().nth(2).is_some_and(|row| row.contains(",0,,,,,") && row.ends_with(",1,1,1,0,0")),
        "{csv}"
    );
    let document: serde_json::Value =
        serde_json::from_str(&json(&usage, &by, &Output::plain(80)).to_string()).expect("JSON");
    let fields = |place: usize| {
        ["input_tokens", "cached_input_tokens", "output_tokens", "output_tokens_unknown"]
            .map(|name| document["groups"][place][name].clone())
    };
    let null = serde_json::Value::Null;
    assert_eq!(fields(1), [null.clone(), null.clone(), null, 1.into()]);
    assert_eq!(fields(2), [1_000, 1_000, 1_000, 1].map(serde_json::Value::from));
}

#[test]
fn amounts_of_which_nothing_is_known_are_null_and_empty_and_never_zero() {
    let by = [Dimension::named("model").expect("a dimension")];
    let unknown = Group { retry_cost_unknown: 2, saved_unknown: 1, ..group(&[Some("m")], 9, None) };
    let mut usage = usage(vec![unknown.clone()]);
    usage.total = unknown;
    usage.failed_attempts =
        vec![FailedAttempts { gateway: "g".into(), model: "m".into(), count: 2, cost: Usd::ZERO, cost_unknown: 1 }];
    let document = |usage: &Usage| -> serde_json::Value {
        serde_json::from_str(&json(usage, &by, &Output::plain(80)).to_string()).expect("JSON")
    };
    let found = document(&usage);
    for (field, expected) in [("retry_cost_unknown", 2), ("cache_saved_unknown", 1)] {
        assert_eq!(found["total"][field], expected);
    }
    for field in ["retry_cost_usd", "cache_saved_usd"] {
        assert!(found["total"][field].is_null(), "{field}");
    }
    assert_eq!(found["failed_attempts"][0]["cost_usd"], serde_json::Value::Null);
    assert!(csv(&usage, &by).to_string().contains(",,,,412,"), "{}", csv(&usage, &by));
    usage.total.retry_cost = usd("0.5");
    assert_eq!(document(&usage)["total"]["retry_cost_usd"], serde_json::json!(0.5));
    // The other of two calls was answered from the cache.
    usage.total.cost = TotalCost { usd: Some(Usd::ZERO), unknown: 1, computed: false };
    let known = |cost: &TotalCost| serde_json::to_value(cost).expect("JSON")["usd"].clone();
    assert_eq!(
        (known(&usage.total.cost), known(&TotalCost { unknown: 0, ..usage.total.cost })),
        (serde_json::Value::Null, 0.into())
    );
    assert_eq!(leaks(&usage)[0], "≥$0.50 went into attempts that gave no answer");
}

#[test]
fn nothing_leaks_where_nothing_does() {
    let mut usage = usage(vec![group(&[Some("m")], 100, Some("1")), group(&[Some("n")], 100, Some("1"))]);
    usage.models = BTreeMap::from([("m".into(), usage.groups[0].clone()), ("n".into(), usage.groups[1].clone())]);
    let failed =
        |count| FailedAttempts { gateway: "g".into(), model: "m".into(), count, cost: Usd::ZERO, cost_unknown: 0 };
    usage.failed_attempts = vec![failed(9)];
    assert_eq!(leaks(&usage), Vec::<String>::new());
    usage.failed_attempts = vec![failed(10)];
    assert_eq!(leaks(&usage).len(), 1);
    assert_eq!(text(&Usage::default(), &[Dimension::Model], &Output::terminal(80)), "");
}
