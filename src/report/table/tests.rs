//! Tables of figures, at the widths that terminals have.

use super::*;
use crate::chat::Usage;
use crate::report::samples::{attempt, failed, ms, rate_limited, record, three, truncated};
use crate::report::wrap;

fn page(records: &[Record], columns: usize) -> String {
    comparison(&Comparison::new("run", "prompt", records), &Output::terminal(columns)).shown(false).into_owned()
}

#[test]
fn the_best_of_each_column_is_marked_and_costs_are_summed() {
    insta::assert_snapshot!(page(&three(), 120), @r"
     model              first token     total  tok/s  in  out         cost  note
     claude-sonnet-4-6       412 ms     1.9 s     61  14    9    $0.000177
     gpt-5.4-mini          ▸ 198 ms  ▸ 600 ms   ▸ 88  14    8  ▸ $0.000013
     deepseek-v4             640 ms     2.2 s     31  14    8   ~$0.000015  retried once (429)
     total                              2.2 s         42   25   ~$0.000205
    ");
}

#[test]
fn a_usual_terminal_shows_the_table_with_the_notes_below() {
    insta::assert_snapshot!(page(&three(), 80), @r"
     model              first token     total  tok/s  in  out         cost
     claude-sonnet-4-6       412 ms     1.9 s     61  14    9    $0.000177
     gpt-5.4-mini          ▸ 198 ms  ▸ 600 ms   ▸ 88  14    8  ▸ $0.000013
     deepseek-v4             640 ms     2.2 s     31  14    8   ~$0.000015
     total                              2.2 s         42   25   ~$0.000205
     deepseek-v4: retried once (429)
    ");
}

#[test]
fn what_is_unknown_or_failed_is_no_zero() {
    let mut silent = record("silent", "x");
    silent.usage = Usage::default();
    silent.cost = None;
    silent.timing.tokens_per_second = None;
    let records = [record("gpt", "x"), silent, failed("down"), truncated("cut")];
    insta::assert_snapshot!(page(&records, 140), @r"
     model   status     first token   total  tok/s   in  out        cost  note
     gpt     ok              412 ms   1.9 s     61   14    9   $0.000177
     silent  ok              412 ms   1.9 s      –    –    –           –
     down    failed               –  310 ms      –    –    –           –  503 no provider is available for this model
     cut     truncated       412 ms   1.9 s     61   14    9   $0.000177  truncated: length
     total                            1.9 s         ≥28  ≥18  ≥$0.000354
    ");
}

#[test]
fn narrow_terminals_get_names_and_values() {
    insta::assert_snapshot!(page(&three()[1..], 40), @r"
    gpt-5.4-mini
      first token  ▸ 198 ms
      total        ▸ 600 ms
      tok/s        ▸ 88
      in           14
      out          8
      cost         ▸ $0.000013
    deepseek-v4
      first token  640 ms
      total        2.2 s
      tok/s        31
      in           14
      out          8
      cost         ~$0.000015
      note         retried once (429)
    total
      total        2.2 s
      in           28
      out          16
      cost         ~$0.000028
    ");
    for columns in [20, 40, 60, 80, 120, 200] {
        let mut records = three();
        records.extend([failed(&"m".repeat(90)), truncated("日本語モデル")]);
        assert!(page(&records, columns).lines().all(|line| wrap::width(line) <= columns), "{columns}");
    }
}

#[test]
fn nothing_is_best_alone_or_among_equals() {
    assert!(!page(&[record("a", "x"), record("b", "y"), record("a", "z")], 120).contains(BEST));
    assert!(!page(&[record("a", "x"), failed("b")], 120).contains(BEST));
    let mut cached = record("cached", "x");
    cached.cached = true;
    cached.timing.total = Some(ms(1));
    assert!(!page(&[record("a", "x"), cached], 120).contains(BEST), "the cache is no model");
}

#[test]
fn what_reads_the_same_is_marked_alike() {
    let mut records = [record("a", "x"), record("b", "x"), record("c", "x")];
    records[0].timing.total = Some(Duration::from_micros(1_902_000));
    records[1].timing.total = Some(Duration::from_micros(1_901_000));
    records[2].timing.total = Some(ms(5000));
    assert_eq!(page(&records, 120).matches("▸ 1.9 s").count(), 2);
}

#[test]
fn all_that_can_become_of_a_call_at_80_and_160_columns() {
    let mut elsewhere = record("fast", "A cat.");
    elsewhere.answered_by = Some("qwen3-coder-480b-a35b-instruct".into());
    elsewhere.attempts.insert(0, attempt("deepseek-v4", Some(503), Some(rate_limited())));
    elsewhere.cost = None;
    let mut records = three();
    records.extend([
        elsewhere,
        failed("模型/通义千问-plus"),
        truncated("vendor/a-model-with-a-rather-long-name-preview"),
    ]);
    insta::assert_snapshot!([80, 160].map(|columns| page(&records, columns)).join("\n"), @r"
    model             status     first token     total  tok/s  in  out         cost
    claude-sonnet-4-  ok              412 ms     1.9 s     61  14    9    $0.000177
    6
    gpt-5.4-mini      ok            ▸ 198 ms  ▸ 600 ms   ▸ 88  14    8  ▸ $0.000013
    deepseek-v4       ok              640 ms     2.2 s     31  14    8   ~$0.000015
    fast              ok              412 ms     1.9 s     61  14    9            –
    模型/通义千问-    failed               –    310 ms      –   –    –            –
    plus
    vendor/a-model-   truncated       412 ms     1.9 s     61  14    9    $0.000177
    with-a-rather-
    long-name-
    preview
    total                                        2.2 s         70   43   ≥$0.000382
    deepseek-v4: retried once (429)
    fast: fell back to qwen3-coder-480b-a35b-instruct
    模型/通义千问-plus: 503 no provider is available for this model
    vendor/a-model-with-a-rather-long-name-preview: truncated: length

    model                                           status     first token     total  tok/s  in  out         cost  note
    claude-sonnet-4-6                               ok              412 ms     1.9 s     61  14    9    $0.000177
    gpt-5.4-mini                                    ok            ▸ 198 ms  ▸ 600 ms   ▸ 88  14    8  ▸ $0.000013
    deepseek-v4                                     ok              640 ms     2.2 s     31  14    8   ~$0.000015  retried once (429)
    fast                                            ok              412 ms     1.9 s     61  14    9            –  fell back to qwen3-coder-480b-a35b-instruct
    模型/通义千问-plus                              failed               –    310 ms      –   –    –            –  503 no provider is available for this model
    vendor/a-model-with-a-rather-long-name-preview  truncated       412 ms     1.9 s     61  14    9    $0.000177  truncated: length
    total                                                                      2.2 s         70   43   ≥$0.000382
    ");
}
