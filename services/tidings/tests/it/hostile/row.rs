//! One behaviour and what has to come of it.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::hostile::{Behaviour, Step};
use testkit::{Api, Hostile};

/// What an attempt may take, in seconds, where it is meant to be late, and where it is not.
const SHORT: u64 = 2;
const AMPLE: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// How many webhooks are made at once.
const AT_ONCE: usize = 16;
/// When it is tried again unless the endpoint asks for something else, in seconds.
const AGAIN: u64 = 3_600;
/// What is taken of an endpoint that has no end, with what lies in the buffers of the system.
const MOST_TAKEN: usize = 24 << 20;
/// In everything that is secret.
pub const SECRET: &str = "s3cret";

pub struct Row {
    pub name: String,
    pub behaviour: Behaviour,
    status: Option<u16>,
    error: Option<&'static str>,
    is_cut: bool,
    body: Option<Vec<u8>>,
    again: u64,
    /// Whether it says what it says without an end, and faster than anybody wants.
    takes_no_more: bool,
}

impl Row {
    /// An answer that is fine.
    pub fn fine(name: &str, behaviour: Behaviour) -> Self {
        Self::answered(name, behaviour, 200, None)
    }

    /// An answer that is not.
    pub fn status(name: &str, behaviour: Behaviour, status: u16, error: &'static str) -> Self {
        Self::answered(name, behaviour, status, Some(error))
    }

    /// No answer.
    pub fn no(error: &'static str, name: &str, behaviour: Behaviour) -> Self {
        Self {
            status: None,
            ..Self::answered(name, behaviour, 0, Some(error))
        }
    }

    fn answered(
        name: &str,
        behaviour: Behaviour,
        status: u16,
        error: Option<&'static str>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            behaviour,
            status: Some(status),
            error,
            is_cut: false,
            body: None,
            again: AGAIN,
            takes_no_more: false,
        }
    }

    pub fn cut(self) -> Self {
        Self {
            is_cut: true,
            ..self
        }
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    pub fn again(self, again: u64) -> Self {
        Self { again, ..self }
    }

    pub fn endless(self) -> Self {
        Self {
            takes_no_more: true,
            ..self
        }
    }

    pub fn instead_of_tls(self) -> Self {
        Self {
            behaviour: self.behaviour.instead_of_tls(),
            ..self
        }
    }

    fn timeout(&self) -> u64 {
        if self.error == Some("timeout") {
            SHORT
        } else {
            AMPLE
        }
    }

    fn check(&self, hostile: &Hostile, delivery: &Value) {
        let name = &self.name;
        let attempt = &delivery["attempts"][0];
        assert_eq!(attempt["error"], json!(self.error), "{name}: {attempt}");
        assert_eq!(
            attempt["status_code"],
            json!(self.status),
            "{name}: {attempt}"
        );
        assert_eq!(attempt["number"], 1, "{name}");
        assert!(delivery["attempts"][1].is_null(), "{name}: {delivery}");
        let state = if self.error.is_some() {
            "pending"
        } else {
            "delivered"
        };
        assert_eq!(delivery["state"], state, "{name}");
        self.check_detail(attempt);
        self.check_next(delivery, attempt);
        let seen = hostile.seen(name);
        assert!(seen.met <= 1, "{name} was asked {} times", seen.met);
        // One that never comes to the point is listened to until its time is over.
        let taken = if self.error == Some("timeout") {
            0
        } else {
            seen.written
        };
        assert!(taken < MOST_TAKEN, "{name}: {taken}");
        if self.takes_no_more {
            assert!(seen.written > 0, "{name}");
        }
    }

    fn check_detail(&self, attempt: &Value) {
        let name = &self.name;
        let (took, limit) = (
            attempt["duration_ms"].as_u64().unwrap(),
            self.timeout() * 1_000,
        );
        if self.error == Some("timeout") {
            assert!(took >= limit, "{name}: {took}");
        }
        assert!(took < limit + 3_000, "{name}: {took}");
        assert_eq!(
            attempt["payload_sha256"].as_str().unwrap().len(),
            64,
            "{name}"
        );
        assert_eq!(attempt["trace_id"].as_str().unwrap().len(), 32, "{name}");
        assert_eq!(attempt["method"], "POST", "{name}");
        if self.status.is_some() {
            assert_eq!(attempt["response_cut"], self.is_cut, "{name}: {attempt}");
            assert_eq!(attempt["error_detail"], Value::Null, "{name}");
            let body = attempt["response_body"].as_str().unwrap();
            assert!(body.chars().count() <= 16 * 1024, "{name}");
            if let Some(expected) = &self.body {
                assert!(body.as_bytes() == expected, "{name}: {body}");
            }
            let headers = attempt["response_headers"].to_string();
            assert!(headers.len() <= 64 * 1024, "{name}: {}", headers.len());
        } else {
            let detail = attempt["error_detail"].as_str().unwrap();
            assert!(
                (1..=200).contains(&detail.chars().count()),
                "{name}: {detail}"
            );
            assert!(!detail.contains(char::is_control), "{name}: {detail}");
            for private in [SECRET, "127.0.0.1", "::1", "?"] {
                assert!(!detail.contains(private), "{name}: {detail}");
            }
            for of_an_answer in ["response_body", "response_headers", "response_cut"] {
                assert_eq!(attempt[of_an_answer], Value::Null, "{name}: {of_an_answer}");
            }
        }
    }

    fn check_next(&self, delivery: &Value, attempt: &Value) {
        let name = &self.name;
        if self.error.is_none() {
            assert_eq!(delivery["next_attempt_at"], Value::Null, "{name}");
            return;
        }
        let at = |of: &Value| domain::Timestamp::parse_rfc3339(of.as_str().unwrap()).unwrap();
        let ended = at(&attempt["started_at"]).plus(Duration::from_millis(
            attempt["duration_ms"].as_u64().unwrap(),
        ));
        let wait = at(&delivery["next_attempt_at"]).since(ended).as_secs();
        // Where the endpoint asked for more than the schedule has, it gets exactly that.
        let most = (AGAIN * 6 / 5).max(self.again) + 3;
        assert!((self.again - 2..=most).contains(&wait), "{name}: {wait}");
    }
}

/// `name` reads a request and says this.
pub fn saying(name: &str, text: impl Into<Vec<u8>>) -> (&str, Behaviour) {
    (name, Behaviour::says(text))
}

/// A request is read, this is said, and then this again and again.
pub fn endless(head: &str, again: &str) -> Behaviour {
    Behaviour::of([
        Step::Read,
        Step::Say(head.into()),
        Step::Endless(again.repeat(64).into_bytes()),
    ])
}

/// Has one event told to a webhook for each row and to one that behaves, all at once, and checks what
/// became of each. Returns all that the API said of it.
pub async fn told(api: &Api, hostile: &Hostile, rows: &[Row]) -> String {
    let hook = async |name: &str, timeout: u64| {
        let body = json!({
            "url": format!("{}?token={SECRET}", hostile.url(name)), "events": ["*"],
            "timeout_seconds": timeout, "retry": { "delays": [AGAIN] },
            "headers": { "Cookie": format!("session={SECRET}") },
            "endpoint_auth": { "type": "bearer", "token": SECRET },
        });
        let made = api.post("/v1/webhooks", body).await.expect(201);
        format!("/v1/webhooks/{}/deliveries", made["id"].as_str().unwrap())
    };
    let hooks = stream::iter(rows).map(|row| hook(&row.name, row.timeout()));
    let paths: Vec<String> = hooks.buffered(AT_ONCE).collect().await;
    let well = hook("well", AMPLE).await;
    let event = json!({ "type": "job.created", "data": { "patient": SECRET } });
    api.post("/v1/events", event).await.expect(202);
    let is_tried = |found: &Value| found["data"][0]["attempts"][0].is_object();
    let tried = paths
        .iter()
        .map(|path| api.get_until(path, is_tried, PATIENCE));
    let told = join_all(tried).await;
    let mut faults = Vec::new();
    for (row, found) in rows.iter().zip(&told) {
        let check = || row.check(hostile, &found["data"][0]);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err() {
            faults.push(row.name.as_str());
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
    let well = api.get_until(&well, is_tried, PATIENCE).await;
    assert_eq!(well["data"][0]["state"], "delivered");
    assert_not_held_up(&well["data"][0], &told);
    let said: Vec<String> = told.iter().map(Value::to_string).collect();
    let said = said.join("\n");
    assert!(!said.contains(SECRET), "the API tells no secret");
    said
}

/// Whoever behaves had its turn before those who do not had been given up.
fn assert_not_held_up(well: &Value, told: &[Value]) {
    let began = |delivery: &Value| {
        let started_at = delivery["attempts"][0]["started_at"].as_str().unwrap();
        domain::Timestamp::parse_rfc3339(started_at).unwrap()
    };
    let took = |delivery: &Value| delivery["attempts"][0]["duration_ms"].as_u64().unwrap();
    let late = told.iter().map(|found| &found["data"][0]);
    let late = late.filter(|one| one["attempts"][0]["error"] == "timeout");
    let ends = late.map(|one| began(one).plus(Duration::from_millis(took(one))));
    assert!(began(well) < ends.min().unwrap(), "{well}");
}
