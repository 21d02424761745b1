//! What is seen of an attack: its answer, what was counted, and what was noted down.

use crate::app::TestApp;
use crate::attack::{Answer, Attack};
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::Api;

const CALLBACKS: &str = "tidings_callbacks_total";
const SECURITY_EVENTS: &str = "tidings_security_events_total";

/// The one answer is the expected one.
pub fn assert_answered(attack: &Attack, answers: &str) -> Result<(), String> {
    // A client that asks whether it may send its body is told so first.
    let answers = answers
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(answers);
    let found = match answers.split_once("\r\n\r\n") {
        None if answers.is_empty() => Answer::Closed,
        None => return Err(format!("half an answer: {answers}")),
        Some((head, body)) => read(head, body, attack.answer),
    };
    let is_one = answers.matches("HTTP/1.").count() <= 1;
    if found == attack.answer && is_one {
        return Ok(());
    }
    Err(format!("expected {:?}, got {answers}", attack.answer))
}

fn read(head: &str, body: &str, expected: Answer) -> Answer {
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.unwrap_or_default();
    if body.is_empty() {
        return Answer::Bare(status);
    }
    let is_problem = head
        .to_ascii_lowercase()
        .contains("content-type: application/problem+json");
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    match expected {
        Answer::Problem(_, code) if is_problem && problem["code"] == code => {
            Answer::Problem(status, code)
        }
        _ => Answer::Problem(status, "another"),
    }
}

/// The counters of a Tidings.
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub async fn of(app: &TestApp) -> Self {
        let metrics = app.admin.get("/metrics").await;
        metrics.expect(200);
        let counted = metrics.text.lines().filter_map(|line| {
            let (series, count) = line.rsplit_once(' ')?;
            Some((series.to_owned(), count.parse().ok()?))
        });
        Self(counted.collect())
    }

    /// `after` these counts, exactly what the attack is counted as has grown by one.
    pub fn assert_grown(&self, after: &Self, attack: &Attack) -> Result<(), String> {
        let watched = |series: &str| {
            [CALLBACKS, SECURITY_EVENTS].contains(&series.split('{').next().unwrap_or_default())
        };
        let grown: BTreeMap<_, _> = after
            .0
            .iter()
            .filter(|(series, _)| watched(series))
            .map(|(series, count)| (series.clone(), count - self.count(series)))
            .filter(|(_, grown)| *grown != 0)
            .collect();
        let callback = attack.counted.map(|(provider, outcome)| {
            format!(r#"{CALLBACKS}{{outcome="{outcome}",provider="{provider}"}}"#)
        });
        let security_event = attack
            .noticed
            .map(|reason| format!(r#"{SECURITY_EVENTS}{{type="{reason}"}}"#));
        let expected: BTreeMap<_, _> = callback
            .into_iter()
            .chain(security_event)
            .map(|series| (series, 1))
            .collect();
        if grown == expected {
            return Ok(());
        }
        Err(format!("expected to count {expected:?}, counted {grown:?}"))
    }

    /// One callback was taken, its one report applied, and no job is left.
    pub fn assert_one_good(&self) -> Result<(), String> {
        let accepted = |series: &str| {
            series.starts_with(CALLBACKS) && series.contains(r#"outcome="accepted""#)
        };
        let reports = |series: &str| series.starts_with("tidings_reports_total");
        let applied = r#"tidings_reports_total{outcome="applied"}"#;
        let depth = r#"tidings_queue_depth{queue="callbacks.v1"}"#;
        let is_told = self.0.contains_key(depth) && self.0.contains_key("tidings_orphans");
        let found = [
            self.sum(accepted),
            self.sum(reports),
            self.count(applied),
            self.count(depth),
            self.count("tidings_orphans"),
        ];
        if is_told && found == [1, 1, 1, 0, 0] {
            return Ok(());
        }
        Err(format!(
            "accepted, reports, applied, waiting, orphans: {found:?}"
        ))
    }

    pub fn count(&self, series: &str) -> u64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    fn sum(&self, is_asked_for: impl Fn(&str) -> bool) -> u64 {
        let asked_for = self.0.iter().filter(|(series, _)| is_asked_for(series));
        asked_for.map(|(_, count)| count).sum()
    }
}

/// How often there was a security event of a type at an account.
#[derive(Debug, PartialEq, Eq)]
pub struct Tally(BTreeMap<(String, String), u64>);

impl Tally {
    pub fn expected(table: &[Attack]) -> Self {
        let mut tally = BTreeMap::new();
        for attack in table {
            if let Some(reason) = attack.noticed {
                let key = (reason.to_owned(), attack.account.to_owned());
                *tally.entry(key).or_default() += 1;
            }
        }
        Self(tally)
    }

    /// What these callers see together.
    pub async fn found<const N: usize>(callers: [&Api; N]) -> Self {
        let mut tally = BTreeMap::new();
        for api in callers {
            let page = api.get("/v1/security-events?limit=100").await.expect(200);
            for event in page["data"].as_array().unwrap() {
                let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
                let key = (text("type"), text("provider_account"));
                *tally.entry(key).or_default() += event["count"].as_u64().unwrap();
            }
        }
        Self(tally)
    }

    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|(_, account)| account.as_str())
    }

    pub fn assert_is(&self, expected: &Self) -> Result<(), String> {
        if self == expected {
            return Ok(());
        }
        Err(format!("expected {expected:?}, found {self:?}"))
    }
}
