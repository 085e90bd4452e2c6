//! The table of figures: one row an answer, the best of each column marked, and a total.

use std::cmp::Ordering;
use std::time::Duration;

use super::grid::{BEST, Column, Grid};
use super::term::{Output, Text};
use super::{Comparison, format, notes};
use crate::record::{Record, Status, TotalCost};

/// How narrow the names of models, and the notes, may get before they are wrapped no further.
const MIN_MODEL: usize = 16;
const MIN_NOTE: usize = 20;

/// The figures of a comparison, ending with a line break. No line is wider than the page.
pub fn comparison(comparison: &Comparison<'_>, out: &Output) -> Text {
    let records = comparison.records;
    let cells = Cells::of(comparison);
    let mut grid = Grid::new(vec![
        Column::left("model").wraps(MIN_MODEL),
        Column::left("status"),
        Column::right("score"),
        Column::right("first token"),
        Column::right("total"),
        Column::right("tok/s"),
        Column::right("in"),
        Column::right("out"),
        Column::right("cost"),
        Column::left("note").wraps(MIN_NOTE).remarks(),
    ]);
    for (i, label) in comparison.labels().into_iter().enumerate() {
        let record = &records[i];
        let mut row = vec![label, cells.status[i].clone()];
        row.extend(cells.marked(i));
        row.push(notes::of(record));
        grid.row(row);
    }
    if records.len() > 1 {
        let mut row = vec!["total".to_owned(), String::new(), String::new(), String::new()];
        row.extend(totals(comparison.own()));
        grid.row(row);
    }
    grid.render(out)
}

/// What is shown of each record, column by column.
pub(super) struct Cells {
    /// Empty where every answer is complete.
    pub(super) status: Vec<String>,
    pub(super) columns: [Values; 7],
}

/// One column of figures.
#[derive(Default)]
pub(super) struct Values {
    pub(super) texts: Vec<String>,
    /// Which of them are the best.
    pub(super) best: Vec<bool>,
}

impl Cells {
    pub(super) fn of(comparison: &Comparison<'_>) -> Self {
        let records = comparison.records;
        let all_ok = records.iter().all(|record| record.status == Status::Ok);
        let status = |record: &Record| if all_ok { String::new() } else { record.status.as_str().to_owned() };
        // What comes from the cache says nothing about a model, and what is incomplete is no match.
        let fair: Vec<bool> = records.iter().map(|record| record.status == Status::Ok && !record.cached).collect();
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let by = |text: &dyn Fn(&Record) -> String, rank: &dyn Fn(&Record) -> Option<f64>| {
            let ranks = records.iter().zip(&fair).map(|(record, fair)| rank(record).filter(|_| *fair)).collect();
            Values::ranked(records.iter().map(text).collect(), ranks)
        };
        let duration = |time| format::or_unknown(time, format::duration);
        let count = |count| format::or_unknown(count, |n: u64| n.to_string());
        let unranked = |_: &Record| None;
        Self {
            status: records.iter().map(status).collect(),
            columns: [
                Values::scores(comparison),
                by(&|r| duration(r.timing.first_token), &|r| seconds(r.timing.first_token)),
                by(&|r| duration(r.timing.total), &|r| seconds(r.timing.total)),
                by(&|r| format::or_unknown(r.timing.tokens_per_second, format::rate), &|r| {
                    r.timing.tokens_per_second.map(|rate| -rate)
                }),
                by(&|r| count(r.usage.input), &unranked),
                by(&|r| count(r.usage.output), &unranked),
                // Only to find the least: the amounts shown and summed are never floats.
                by(&|r| format::or_unknown(r.cost, format::cost), &|r| r.cost.map(|cost| cost.usd.picos() as f64)),
            ],
        }
    }

    pub(super) fn marked(&self, row: usize) -> impl Iterator<Item = String> {
        self.columns.iter().map(move |values| {
            let text = &values.texts[row];
            if values.best[row] { format!("{BEST} {text}") } else { text.clone() }
        })
    }
}

impl Values {
    /// Marks the least of the ranks, and what reads the same. Nothing is best where there is nothing to compare, or
    /// where all are alike.
    fn ranked(texts: Vec<String>, ranks: Vec<Option<f64>>) -> Self {
        let known: Vec<usize> = (0..texts.len()).filter(|i| ranks[*i].is_some()).collect();
        let least = known.iter().copied().min_by(|a, b| ranks[*a].partial_cmp(&ranks[*b]).unwrap_or(Ordering::Equal));
        let differ = known.iter().any(|i| texts[*i] != texts[known[0]]);
        let is_best = |i: usize| differ && ranks[i].is_some() && least.is_some_and(|least| texts[i] == texts[least]);
        Self { best: (0..texts.len()).map(is_best).collect(), texts }
    }

    fn scores(comparison: &Comparison<'_>) -> Self {
        let count = comparison.records.len();
        if comparison.scores.is_empty() {
            return Self { texts: vec![String::new(); count], best: vec![false; count] };
        }
        let score = |i: usize| comparison.scores.get(i).copied().flatten();
        let texts = (0..count).map(|i| format::or_unknown(score(i), format::score)).collect();
        Self { texts, best: (0..count).map(|i| comparison.winner == Some(i)).collect() }
    }
}

/// The cells of the total row from `total` on: the longest time, the sums.
pub(super) fn totals(records: &[Record]) -> [String; 5] {
    let longest = records.iter().filter_map(|record| record.timing.total).max();
    [
        format::or_unknown(longest, format::duration),
        String::new(),
        sum(records, |record| record.usage.input),
        sum(records, |record| record.usage.output),
        format::total_cost(records.iter().collect::<TotalCost>()),
    ]
}

/// The sum of the counts that are known, with `≥` if an answer does not say its own.
fn sum(records: &[Record], count: impl Fn(&Record) -> Option<u64>) -> String {
    let known: Vec<u64> = records.iter().filter_map(&count).collect();
    if known.is_empty() {
        return format::UNKNOWN.to_owned();
    }
    let used_nothing = |record: &Record| {
        matches!(record.status, Status::Failed | Status::Refused | Status::Skipped) && record.usage.is_unknown()
    };
    let partial = records.iter().any(|record| count(record).is_none() && !used_nothing(record));
    let sum = known.into_iter().fold(0u64, u64::saturating_add);
    format!("{}{sum}", if partial { "≥" } else { "" })
}

/// The figures of models that were each asked several times: medians of the complete answers, below them the spread
/// from least to most, and the sum of the costs of all. Each group holds the records of one model.
pub fn repeated(groups: &[(String, Vec<&Record>)], out: &Output) -> Text {
    let mut grid = Grid::new(vec![
        Column::left("model").wraps(MIN_MODEL),
        Column::right("ok"),
        Column::right("first token"),
        Column::right("total"),
        Column::right("tok/s"),
        Column::right("total cost"),
    ]);
    for (label, records) in groups {
        let ok: Vec<&Record> = records.iter().copied().filter(|r| r.status == Status::Ok && !r.cached).collect();
        let time = |time: Duration| format::duration(time);
        let first_token = Spread::of(ok.iter().filter_map(|r| r.timing.first_token), |a, b| (a + b) / 2);
        let total = Spread::of(ok.iter().filter_map(|r| r.timing.total), |a, b| (a + b) / 2);
        let rate = Spread::of(ok.iter().filter_map(|r| r.timing.tokens_per_second), |a, b| (a + b) / 2.0);
        grid.row(vec![
            label.clone(),
            format!("{}/{}", ok.len(), records.len()),
            format::or_unknown(first_token, |spread| time(spread.median)),
            format::or_unknown(total, |spread| time(spread.median)),
            format::or_unknown(rate, |spread| format::rate(spread.median)),
            format::total_cost(records.iter().copied().collect()),
        ]);
        if ok.len() > 1 {
            let range = |spread: Option<Spread<Duration>>| spread.map_or_else(String::new, |s| s.range(time));
            let rates = rate.map_or_else(String::new, |spread| spread.range(format::rate));
            grid.row(vec!["└ min–max".to_owned(), String::new(), range(first_token), range(total), rates]);
        }
    }
    if groups.len() > 1 {
        let all = groups.iter().flat_map(|(_, records)| records.iter().copied());
        let mut row = vec!["total".to_owned()];
        row.resize(5, String::new());
        row.push(format::total_cost(all.collect()));
        grid.row(row);
    }
    grid.render(out)
}

/// Several measurements of the same thing.
#[derive(Debug, Clone, Copy)]
struct Spread<T> {
    least: T,
    median: T,
    most: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// `None` of no values at all. The median of an even count is the `mean` of both in the middle.
    fn of(values: impl Iterator<Item = T>, mean: impl Fn(T, T) -> T) -> Option<Self> {
        let mut values: Vec<T> = values.collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        let middle = values.len() / 2;
        let (least, most) = (*values.first()?, *values.last()?);
        let median = if values.len() % 2 == 1 { values[middle] } else { mean(values[middle - 1], values[middle]) };
        Some(Self { least, median, most })
    }

    /// `198–640 ms`, `600 ms–2.2 s`.
    fn range(&self, format: impl Fn(T) -> String) -> String {
        let (least, most) = (format(self.least), format(self.most));
        match (least.rsplit_once(' '), most.rsplit_once(' ')) {
            (Some((number, unit)), Some((_, same))) if unit == same && !number.contains(' ') => {
                format!("{number}–{most}")
            }
            _ => format!("{least}–{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{attempt, failed, ms, rate_limited, record, three, truncated};
    use super::*;
    use crate::chat::Usage;
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
    fn scores_get_a_column_and_the_winner_its_mark() {
        let records = three();
        let scores = [Some(0.5), None, Some(0.75)];
        let scored = Comparison { scores: &scores, winner: Some(2), ..Comparison::new("run", "prompt", &records) };
        let page = comparison(&scored, &Output::terminal(120)).to_string();
        assert!(page.contains("  ▸ 0.75  ") && page.contains("  –  "), "{page}");
    }

    #[test]
    fn repeats_show_median_and_spread() {
        let records = three();
        let slow = [record("slow", "x"), failed("slow")];
        let groups = [("gpt".to_owned(), records.iter().collect()), ("slow".to_owned(), slow.iter().collect())];
        insta::assert_snapshot!(repeated(&groups, &Output::terminal(80)), @r"
         model       ok  first token         total  tok/s  total cost
         gpt        3/3       412 ms         1.9 s     61  ~$0.000205
         └ min–max        198–640 ms  600 ms–2.2 s  31–88
         slow       1/2       412 ms         1.9 s     61   $0.000177
         total                                             ~$0.000382
        ");
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let spread = Spread::of([ms(100), ms(400), ms(200), ms(300)].into_iter(), |a, b| (a + b) / 2).expect("values");
        assert_eq!((spread.least, spread.median, spread.most), (ms(100), ms(250), ms(400)));
        assert!(Spread::of(std::iter::empty::<f64>(), |a, b| (a + b) / 2.0).is_none());
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
        total                                        2.2 s         70   43  ≥~$0.000382
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
        total                                                                      2.2 s         70   43  ≥~$0.000382
        ");
    }
}
