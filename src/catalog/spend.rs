//! What was spent with a key, as the gateway says: OpenRouter's `/key`, LiteLLM's `/key/info`, one-api's billing.

use jiff::{Span, Timestamp, ToSpan};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Fetch;
use super::lenient::{Maybe, Record};
use crate::config::{Accounts, Gateway, Period};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

/// What a gateway says was spent with one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    pub spent: Vec<Spent>,
    /// What may be spent with the key; `None` where there is no limit.
    pub limit: Option<Usd>,
    /// What is left of the limit.
    pub left: Option<Usd>,
    /// What else there is to know about the sums, in sentences for people.
    pub remarks: Vec<String>,
}

/// What was spent in the current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The current day, week or month (UTC), or the total since `since`.
    pub period: Period,
    /// When the gateway began to count a total; `None` where it does not say.
    pub since: Option<Timestamp>,
    pub usd: Usd,
}

impl Spent {
    fn in_total(usd: Usd, since: Option<Timestamp>) -> Self {
        Self { period: Period::Total, since, usd }
    }
}

/// What was spent with the key with which `fetch` asks. Returns `None` where the gateway has no endpoint for that.
///
/// # Errors
/// The gateway could not be asked, or does not tell what was spent.
pub async fn statement(gateway: &Gateway, fetch: &impl Fetch) -> Result<Option<Statement>, Failure> {
    let base = &gateway.base_url;
    Ok(Some(match gateway.accounts() {
        None => return Ok(None),
        Some(Accounts::OpenRouter) => open_router(&fetch.get(&base.join("key"), None).await?.body)?,
        Some(Accounts::LiteLlm) => {
            let fetched = fetch.get(&base.at_root("/key/info"), None).await;
            let advice = "LiteLLM keeps accounts only where it has a database";
            // What else goes wrong has another reason, such as the key, and advice of its own.
            let has_no_accounts = |failure: &Failure| {
                use FailureKind::{InvalidRequest, NotFound, ServerError, Unavailable};
                let is_refusal = matches!(failure.kind, NotFound | InvalidRequest | ServerError | Unavailable);
                is_refusal && failure.status != Some(407) && failure.retry_after.is_none()
            };
            let advised = |failure: Failure| match has_no_accounts(&failure) {
                true => failure.with_advice(advice),
                false => failure,
            };
            litellm(&fetched.map_err(advised)?.body)?
        }
        Some(Accounts::OneApi) => {
            let usage = fetch.get(&base.join("dashboard/billing/usage"), None).await?.body;
            // Without the limit, the sums are still worth telling.
            let subscription = fetch.get(&base.join("dashboard/billing/subscription"), None).await.ok();
            one_api(&usage, subscription.as_ref().map(|fetched| fetched.body.as_slice()))?
        }
    }))
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Failure> {
    let read = serde_json::from_slice::<Record<T>>(body);
    read.map(|record| record.0).map_err(|error| unreadable(what).with_cause(error.to_string()))
}

fn unreadable(what: &str) -> Failure {
    Failure::new(FailureKind::Protocol, format!("{what} does not say what was spent"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenRouterBody {
    data: Maybe<Record<OpenRouterKey>>,
}

/// In US dollars. Days, weeks from Monday on, and months are of UTC.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenRouterKey {
    usage: Maybe<Usd>,
    usage_daily: Maybe<Usd>,
    usage_weekly: Maybe<Usd>,
    usage_monthly: Maybe<Usd>,
    byok_usage: Maybe<Usd>,
    limit: Maybe<Usd>,
    limit_remaining: Maybe<Usd>,
}

fn open_router(body: &[u8]) -> Result<Statement, Failure> {
    const WHAT: &str = "OpenRouter's /key";
    let key = parse::<OpenRouterBody>(body, WHAT)?.data.0.ok_or_else(|| unreadable(WHAT))?;
    let periods = [
        (Period::Day, key.usage_daily.0),
        (Period::Week, key.usage_weekly.0),
        (Period::Month, key.usage_monthly.0),
        (Period::Total, key.usage.0),
    ];
    let spent: Vec<Spent> =
        periods.into_iter().filter_map(|(period, usd)| Some(Spent { period, since: None, usd: usd? })).collect();
    if spent.is_empty() {
        return Err(unreadable(WHAT));
    }
    let byok = key.byok_usage.filter(|usd| *usd > Usd::ZERO);
    let byok = byok.map(|usd| format!("{usd} more went through your own keys of providers"));
    Ok(Statement { spent, limit: key.limit.0, left: key.limit_remaining.0, remarks: byok.into_iter().collect() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LiteLlmBody {
    info: Maybe<Record<LiteLlmKey>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LiteLlmKey {
    spend: Maybe<Usd>,
    max_budget: Maybe<Usd>,
    /// After this time, such as `30d`, the sum starts at zero again.
    budget_duration: Maybe<String>,
    budget_reset_at: Maybe<String>,
    created_at: Maybe<String>,
}

fn litellm(body: &[u8]) -> Result<Statement, Failure> {
    const WHAT: &str = "LiteLLM's /key/info";
    let key = parse::<LiteLlmBody>(body, WHAT)?.info.0.ok_or_else(|| unreadable(WHAT))?;
    let spend = key.spend.0.ok_or_else(|| unreadable(WHAT))?;
    let reset = || {
        let length = span(key.budget_duration.as_deref()?)?;
        let ends = moment(&key.budget_reset_at)?.to_zoned(jiff::tz::TimeZone::UTC);
        Some(ends.checked_sub(length).ok()?.timestamp())
    };
    // A key that is younger than its budget's period has counted since it was made.
    let since = reset().max(moment(&key.created_at));
    Ok(Statement {
        spent: vec![Spent::in_total(spend, since)],
        limit: key.max_budget.0,
        left: key.max_budget.0.map(|limit| limit - spend),
        remarks: vec!["LiteLLM books with up to a minute's delay".into()],
    })
}

fn moment(text: &Maybe<String>) -> Option<Timestamp> {
    text.as_deref()?.parse().ok()
}

/// `30s`, `15m`, `24h`, `7d`, `2w`, `1mo`.
fn span(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: i64 = text[..digits].parse().ok().filter(|count| (1..=100_000).contains(count))?;
    Some(match &text[digits..] {
        "s" => count.seconds(),
        "m" => count.minutes(),
        "h" => count.hours(),
        "d" => count.days(),
        "w" => count.weeks(),
        "mo" => i32::try_from(count).ok().filter(|count| *count <= 1200)?.months(),
        _ => return None,
    })
}

/// The shapes of OpenAI's old billing endpoints, which one-api and new-api have kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Billing {
    /// Cents.
    total_usage: Maybe<Usd>,
    /// Dollars. Gateways without a limit write a hundred million, which is too large to be read and so counts as missing.
    hard_limit_usd: Maybe<Usd>,
}

fn one_api(usage: &[u8], subscription: Option<&[u8]>) -> Result<Statement, Failure> {
    const WHAT: &str = "the gateway's billing/usage";
    let cents = parse::<Billing>(usage, WHAT)?.total_usage.0.ok_or_else(|| unreadable(WHAT))?;
    let usd = Usd::from_picos(cents.picos() / 100);
    let limit = subscription.and_then(|body| parse::<Billing>(body, WHAT).ok()?.hard_limit_usd.0);
    Ok(Statement {
        spent: vec![Spent::in_total(usd, None)],
        limit,
        left: limit.map(|limit| limit - usd),
        remarks: vec!["in dollars only if the gateway's owner left its display at that".into()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().expect(text)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn open_router_counts_by_day_week_and_month() {
        let body = br#"{"data":{"label":"sk-or-v1-abc...123","limit":10,"limit_remaining":7.25,"limit_reset":null,
            "include_byok_in_limit":false,"usage":2.75,"usage_daily":0.0123,"usage_weekly":0.5,"usage_monthly":1.5,
            "byok_usage":0.25,"byok_usage_daily":0,"is_free_tier":false,"rate_limit":{"requests":-1,"interval":"10s"}}}"#;
        let spent = |period, amount| Spent { period, since: None, usd: usd(amount) };
        assert_eq!(
            open_router(body).expect("readable"),
            Statement {
                spent: vec![
                    spent(Period::Day, "0.0123"),
                    spent(Period::Week, "0.5"),
                    spent(Period::Month, "1.5"),
                    spent(Period::Total, "2.75")
                ],
                limit: Some(usd("10")),
                left: Some(usd("7.25")),
                remarks: vec!["$0.25 more went through your own keys of providers".into()],
            }
        );
        let old = open_router(br#"{"data":{"usage":1e-7,"limit":null,"byok_usage":0}}"#).expect("readable");
        assert_eq!((old.spent, old.limit), (vec![spent(Period::Total, "0.0000001")], None));
        assert_eq!(old.remarks, Vec::<String>::new());
    }

    #[test]
    fn litellm_counts_from_the_last_reset_of_the_budget() {
        let statement = |info: &str| litellm(format!(r#"{{"key":"hash","info":{{{info}}}}}"#).as_bytes());
        let since = |info: &str| statement(info).expect(info).spent[0].since;
        let month = r#""spend":0.5,"max_budget":2.0,"budget_duration":"30d","budget_reset_at":"2026-12-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z""#;
        assert_eq!(since(month), Some(at("2026-11-01T00:00:00Z")));
        let said = statement(month).expect("readable");
        assert_eq!((said.spent[0].usd, said.limit, said.left), (usd("0.5"), Some(usd("2")), Some(usd("1.5"))));
        let young = month.replace("2026-01-01", "2026-11-10");
        assert_eq!(since(&young), Some(at("2026-11-10T00:00:00Z")));
        assert_eq!(
            since(r#""spend":0,"created_at":"2026-01-01T00:00:00Z","budget_duration":null"#),
            Some(at("2026-01-01T00:00:00Z"))
        );
        assert_eq!(since(r#""spend":9.4e-6"#), None);
        assert!(statement(r#""spend":null"#).is_err());
    }

    #[test]
    fn lengths_of_budgets_are_read_as_litellm_writes_them() {
        let before = |text: &str| {
            let end = at("2026-03-31T00:00:00Z").to_zoned(jiff::tz::TimeZone::UTC);
            Some(end.checked_sub(span(text)?).ok()?.timestamp().to_string())
        };
        for (text, began) in [
            ("30s", Some("2026-03-30T23:59:30Z")),
            ("15m", Some("2026-03-30T23:45:00Z")),
            ("24h", Some("2026-03-30T00:00:00Z")),
            ("7d", Some("2026-03-24T00:00:00Z")),
            ("1mo", Some("2026-02-28T00:00:00Z")),
            ("", None),
            ("d", None),
            ("0d", None),
            ("30y", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(before(text).as_deref(), began, "{text}");
        }
    }

    #[test]
    fn one_api_counts_in_cents() {
        let usage = br#"{"object":"list","total_usage":123.4567}"#;
        let limit = br#"{"object":"billing_subscription","soft_limit_usd":5,"hard_limit_usd":5.0,"access_until":0}"#;
        let said = one_api(usage, Some(limit)).expect("readable");
        assert_eq!(
            (said.spent[0].usd, said.limit, said.left),
            (usd("1.234567"), Some(usd("5")), Some(usd("3.765433")))
        );
        let endless = one_api(usage, Some(br#"{"hard_limit_usd":100000000}"#)).expect("readable");
        assert_eq!((endless.limit, endless.left), (None, None));
    }

    #[test]
    fn what_says_nothing_is_an_error() {
        for body in [&b""[..], b"{}", b"<html>", br#"{"data":null}"#, br#"{"data":{"label":"x"}}"#] {
            assert!(open_router(body).is_err() && litellm(body).is_err() && one_api(body, None).is_err());
        }
    }
}
