//! What the ledger has beside what gateways say was spent: as a table, as JSON and as CSV.

use jiff::Timestamp;
use serde::Serialize;

use super::format::{self, UNKNOWN};
use super::grid::{self, Column, Grid};
use super::term::{Output, Text};
use super::{csv as csv_format, json as json_format};
use crate::catalog::Statement;
use crate::config::Period;
use crate::money::Usd;
use crate::record::TotalCost;

/// On a page of at least so many cells, notes stand in the table.
const WIDE: usize = 130;

/// A thousandth of a cent. A smaller difference is none, because gateways round amounts.
const ROUNDING: Usd = Usd::from_picos(10_000_000);

/// The columns of CSV. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 11] = [
    "gateway",
    "key",
    "period",
    "began_at",
    "gateway_usd",
    "ledger_usd",
    "ledger_unknown",
    "ledger_computed",
    "calls",
    "difference_usd",
    "note",
];

/// What a gateway says about one of its keys.
#[derive(Debug, Clone)]
pub struct Account {
    pub gateway: String,
    /// The name of the key in the ledger; `None` where there is no key, or none was looked for.
    pub key: Option<String>,
    /// What the gateway says, with the sums of the ledger; `None` where the gateway has no endpoint for that. An error says why
    /// the gateway could not be asked.
    pub result: Result<Option<(Statement, Vec<Line>)>, String>,
}

/// One period, with what the gateway and the ledger say of it.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub period: Period,
    /// `None` where it is all time.
    pub began: Option<Timestamp>,
    pub gateway_says: Usd,
    pub ledger: TotalCost,
    /// How many calls the ledger has.
    pub calls: u64,
}

impl Line {
    /// How much more the gateway says than the ledger; `None` where the ledger knows no cost.
    pub fn difference(&self) -> Option<Usd> {
        Some(self.gateway_says - self.ledger.usd?)
    }

    fn agrees(&self) -> bool {
        self.ledger.unknown == 0 && self.difference().is_some_and(|more| more.picos().abs() <= ROUNDING.picos())
    }

    /// Why the two amounts may differ.
    fn note(&self) -> String {
        let mut notes = Vec::new();
        if self.ledger.unknown > 0 {
            notes.push(format!("{} of unknown cost", format::count(self.ledger.unknown as u64, "call", "calls")));
        }
        match self.difference() {
            None => {}
            Some(more) if more.picos().abs() <= ROUNDING.picos() => notes.push("agrees".into()),
            Some(more) if more > Usd::ZERO => {
                notes.push(match (self.period, self.began) {
                    (Period::Total, None) => {
                        "the gateway counts since the key was made: also what other programs and machines spent, and \
                         what was not recorded"
                    }
                    _ => "spent by other programs or machines, or not recorded",
                }
                .into());
            }
            Some(_) => {
                notes.push("the gateway may book late".into());
                if self.ledger.computed {
                    notes.push("the ledger's sum is partly computed from prices".into());
                }
            }
        }
        notes.join("; ")
    }

    fn began(&self) -> Option<String> {
        self.began.map(|began| format!("{began:.0}"))
    }
}

/// The period in words.
fn period(line: &Line) -> String {
    match (line.period, line.began) {
        (Period::Total, Some(began)) => began.strftime("since %Y-%m-%d %H:%M").to_string(),
        (Period::Total, None) => "in total".into(),
        (period, _) => format!("this {}", period.as_str()),
    }
}

fn signed(usd: Usd) -> String {
    if usd > Usd::ZERO { format!("+{usd}") } else { usd.to_string().replacen('-', "−", 1) }
}

/// What is known of a whole account.
fn remarks(statement: &Statement) -> Vec<String> {
    let mut remarks = statement.remarks.clone();
    if let Some(limit) = statement.limit {
        let left = statement.left.map(|left| format!(", {left} of it left")).unwrap_or_default();
        remarks.insert(0, format!("limit {limit}{left}"));
    }
    remarks
}

const NO_ENDPOINT: &str = "does not say what was spent";

/// A line for each account and period, and below them what is known of a whole account. The gateways that do not say what
/// was spent are named together at the end.
pub fn text(accounts: &[Account], out: &Output) -> Text {
    let is_wide = !out.tty || out.columns >= WIDE;
    let mut columns = vec![
        Column::left("gateway").wraps(8),
        Column::left("key").wraps(8),
        Column::left("time (UTC)"),
        Column::right("gateway says"),
        Column::right("ledger says"),
        Column::right("difference"),
    ];
    if is_wide {
        columns.push(Column::left("note").wraps(24));
    }
    let mut grid = Grid::new(columns);
    for account in accounts {
        rows(account).into_iter().for_each(|row| grid.row(row));
    }
    let mut below: String = accounts
        .iter()
        .flat_map(|account| remarks_below(account, is_wide))
        .map(|text| grid::remark(&text, out))
        .collect();
    let silent = accounts.iter().filter(|account| matches!(account.result, Ok(None)));
    let silent: Vec<&str> = silent.map(|account| account.gateway.as_str()).collect();
    match silent.as_slice() {
        [] => {}
        [name] => below += &grid::remark(&format!("{name} {NO_ENDPOINT}"), out),
        names => below += &grid::remark(&format!("{} do not say what was spent", names.join(", ")), out),
    }
    if silent.len() == accounts.len() {
        return below.into();
    }
    let gap = if below.is_empty() { "" } else { "\n" };
    // Output to a pipe has no greatest width.
    let columns = if out.tty { out.columns } else { usize::from(u16::MAX) };
    grid.render(&Output { columns, ..*out }) + gap + below.as_str()
}

/// The rows of an account, one for each period; the last cell is the note.
fn rows(account: &Account) -> Vec<Vec<String>> {
    let names = || vec![account.gateway.clone(), account.key.clone().unwrap_or_else(|| UNKNOWN.into())];
    let row = |line: &Line| {
        let mut cells = names();
        cells.extend([
            period(line),
            line.gateway_says.to_string(),
            format::total_cost(line.ledger),
            format::or_unknown(line.difference(), signed),
            line.note(),
        ]);
        cells
    };
    match &account.result {
        Err(error) => {
            let mut cells = names();
            cells.extend([UNKNOWN; 4].map(str::to_owned));
            cells.push(error.clone());
            vec![cells]
        }
        Ok(None) => Vec::new(),
        Ok(Some((_, lines))) => lines.iter().map(row).collect(),
    }
}

/// What stands below the table about an account; the notes of its rows are part of it where the table has no column for them.
fn remarks_below(account: &Account, has_notes: bool) -> Vec<String> {
    let gateway = &account.gateway;
    let (statement, lines) = match &account.result {
        Err(error) if !has_notes => return vec![format!("{gateway}: {error}")],
        Err(_) | Ok(None) => return Vec::new(),
        Ok(Some(said)) => said,
    };
    let key = account.key.as_deref().map(|key| format!(" ({key})")).unwrap_or_default();
    let notes = lines.iter().filter(|line| !has_notes && !line.agrees());
    let mut below: Vec<String> =
        notes.map(|line| format!("{gateway}{key}, {}: {}", period(line), line.note())).collect();
    let remarks = remarks(statement);
    if !remarks.is_empty() {
        below.push(format!("{gateway}{key}: {}", remarks.join("; ")));
    }
    below
}

#[derive(Serialize)]
struct AccountJson<'a> {
    gateway: &'a str,
    key: Option<&'a str>,
    /// Whether the gateway has an endpoint for this.
    supported: bool,
    error: Option<&'a str>,
    limit_usd: Option<Usd>,
    left_usd: Option<Usd>,
    remarks: Vec<String>,
    periods: Vec<LineJson>,
}

#[derive(Serialize)]
struct LineJson {
    period: Period,
    began_at: Option<String>,
    gateway_usd: Usd,
    ledger: TotalCost,
    calls: u64,
    difference_usd: Option<Usd>,
    note: String,
}

/// A JSON array with an object for each gateway and key.
pub fn json(accounts: &[Account], out: &Output) -> Text {
    let line = |line: &Line| LineJson {
        period: line.period,
        began_at: line.began(),
        gateway_usd: line.gateway_says,
        ledger: line.ledger,
        calls: line.calls,
        difference_usd: line.difference(),
        note: line.note(),
    };
    let entry = |account: &'_ Account| {
        let said = account.result.as_ref().ok().and_then(Option::as_ref);
        let statement = said.map(|(statement, _)| statement);
        (
            !matches!(account.result, Ok(None)),
            statement.and_then(|statement| statement.limit),
            statement.and_then(|statement| statement.left),
            statement.map(remarks).unwrap_or_default(),
            said.map(|(_, lines)| lines.iter().map(line).collect()).unwrap_or_default(),
        )
    };
    let entries: Vec<AccountJson<'_>> = accounts
        .iter()
        .map(|account| {
            let (supported, limit_usd, left_usd, remarks, periods) = entry(account);
            let error = account.result.as_ref().err().map(String::as_str);
            let (gateway, key) = (account.gateway.as_str(), account.key.as_deref());
            AccountJson { gateway, key, supported, error, limit_usd, left_usd, remarks, periods }
        })
        .collect();
    json_format::document(&entries, out)
}

/// A table in the format of RFC 4180, with a heading. A cell is empty where its value is unknown.
pub fn csv(accounts: &[Account]) -> Text {
    let mut rows = Vec::new();
    for account in accounts {
        let names = || vec![account.gateway.clone(), account.key.clone().unwrap_or_default()];
        let without = |note: &str| {
            let mut row = names();
            row.resize(HEADINGS.len() - 1, String::new());
            row.push(note.to_owned());
            row
        };
        match &account.result {
            Err(error) => rows.push(without(error)),
            Ok(None) => rows.push(without(NO_ENDPOINT)),
            Ok(Some((_, lines))) => rows.extend(lines.iter().map(|line| {
                let mut row = names();
                row.extend([
                    line.period.as_str().to_owned(),
                    line.began().unwrap_or_default(),
                    line.gateway_says.to_decimal(),
                    line.ledger.usd.map_or_else(String::new, Usd::to_decimal),
                    line.ledger.unknown.to_string(),
                    line.ledger.computed.to_string(),
                    line.calls.to_string(),
                    line.difference().map_or_else(String::new, Usd::to_decimal),
                    line.note(),
                ]);
                row
            })),
        }
    }
    csv_format::table(&HEADINGS, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Spent;

    fn usd(text: &str) -> Usd {
        text.parse().expect(text)
    }

    fn line(period: Period, says: &str, ledger: Option<&str>, unknown: usize, computed: bool) -> Line {
        let began = (period != Period::Total).then(|| "2026-11-20T00:00:00Z".parse().expect("a time"));
        let ledger = TotalCost { usd: ledger.map(usd), unknown, computed };
        Line { period, began, gateway_says: usd(says), ledger, calls: 3 }
    }

    fn accounts() -> Vec<Account> {
        let statement = Statement {
            spent: vec![Spent { period: Period::Day, since: None, usd: usd("0.5") }],
            limit: Some(usd("10")),
            left: Some(usd("8.5")),
            remarks: vec!["$0.25 more went through your own keys of providers".into()],
        };
        let lines = vec![
            line(Period::Day, "0.5", Some("0.5"), 0, false),
            line(Period::Week, "0.75", Some("0.8"), 0, true),
            line(Period::Month, "2", Some("1.5"), 1, false),
            line(Period::Total, "12.25", None, 2, false),
        ];
        let account = |gateway: &str, key: Option<&str>, result| Account {
            gateway: gateway.into(),
            key: key.map(str::to_owned),
            result,
        };
        vec![
            account("openrouter", Some("team-a"), Ok(Some((statement, lines)))),
            account("openai", None, Ok(None)),
            account("litellm", None, Err("No connected db\u{1b}[31m.".into())),
        ]
    }

    #[test]
    fn a_narrow_page_has_notes_below() {
        insta::assert_snapshot!(text(&accounts(), &Output::terminal(80)), @r"
        gateway     key     time (UTC)  gateway says  ledger says  difference
        openrouter  team-a  this day           $0.50        $0.50       $0.00
        openrouter  team-a  this week          $0.75       ~$0.80      −$0.05
        openrouter  team-a  this month         $2.00       ≥$1.50      +$0.50
        openrouter  team-a  in total          $12.25            –           –
        litellm     –       –                      –            –           –

        openrouter (team-a), this week: the gateway may book late; the ledger's sum
          is partly computed from prices
        openrouter (team-a), this month: 1 call of unknown cost; spent by other
          programs or machines, or not recorded
        openrouter (team-a), in total: 2 calls of unknown cost
        openrouter (team-a): limit $10.00, $8.50 of it left; $0.25 more went through
          your own keys of providers
        litellm: No connected db␛[31m.
        openai does not say what was spent
        ");
    }

    #[test]
    fn a_wide_page_has_all_in_a_line() {
        insta::assert_snapshot!(text(&accounts(), &Output::terminal(160)), @r"
        gateway     key     time (UTC)  gateway says  ledger says  difference  note
        openrouter  team-a  this day           $0.50        $0.50       $0.00  agrees
        openrouter  team-a  this week          $0.75       ~$0.80      −$0.05  the gateway may book late; the ledger's sum is partly computed from prices
        openrouter  team-a  this month         $2.00       ≥$1.50      +$0.50  1 call of unknown cost; spent by other programs or machines, or not recorded
        openrouter  team-a  in total          $12.25            –           –  2 calls of unknown cost
        litellm     –       –                      –            –           –  No connected db␛[31m.

        openrouter (team-a): limit $10.00, $8.50 of it left; $0.25 more went through your own keys of providers
        openai does not say what was spent
        ");
    }

    #[test]
    fn what_many_gateways_do_not_say_is_told_once() {
        let account = |gateway: &str| Account { gateway: gateway.into(), key: None, result: Ok(None) };
        let page = text(&["groq", "openai", "xai"].map(account), &Output::terminal(80));
        assert_eq!(page.to_string(), " groq, openai, xai do not say what was spent\n");
    }

    #[test]
    fn rounding_is_no_difference_and_an_unknown_cost_is_none() {
        let note = |says: &str, ledger: Option<&str>| line(Period::Day, says, ledger, 0, false).note();
        assert_eq!(note("0.50001", Some("0.5")), "agrees");
        assert_ne!(note("0.50002", Some("0.5")), "agrees");
        assert_eq!(line(Period::Day, "0.5", None, 1, false).difference(), None);
        assert_eq!([signed(usd("0.5")), signed(usd("-0.5")), signed(Usd::ZERO)], ["+$0.50", "−$0.50", "$0.00"]);
    }
}
