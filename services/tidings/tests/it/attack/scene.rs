//! Who is attacked: a tenant with accounts of every sort, each with a message that waits for its
//! report.

mod account;

use crate::app::{SOON, Tenant, TestApp};
use crate::attack::seen::{Counts, Tally, assert_answered};
use crate::attack::{Answer, Attack};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::providers::stub_report;
use testkit::{Endpoint, eventually, raw};

pub use self::account::*;

/// The setting of how many failures a source has; every family but one is about something else.
pub const FAILURES: &str = "TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE";

/// What an attacker knows, besides what is written in this file.
pub struct Known {
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// Of the account `token`.
    pub token: String,
    /// Of the account `both`.
    pub both: String,
}

impl Known {
    /// For those who only look at the tables.
    pub fn nothing() -> Self {
        let token = "0".repeat(48);
        Self {
            now: 1_800_000_000,
            both: token.clone(),
            token,
        }
    }
}

/// A Tidings that is attacked.
pub struct Scene {
    pub app: TestApp,
    pub known: Known,
    pub clinic: Tenant,
    pub rival: Tenant,
    endpoint: Endpoint,
    /// The messages that are attacked.
    messages: Vec<(Tenant, String)>,
}

impl Scene {
    pub async fn set_with(settings: &[(&str, &str)]) -> Self {
        let is_limited = settings.iter().any(|(name, _)| *name == FAILURES);
        let unlimited = [(FAILURES, "100000")];
        let unlimited = if is_limited { &[][..] } else { &unlimited };
        let settings = [unlimited, settings].concat();
        let app = TestApp::start_with(&settings).await;
        let (clinic, rival) = (app.tenant("Clinic").await, app.tenant("Rival").await);
        let endpoint = Endpoint::start().await;
        for tenant in [&clinic, &rival] {
            tenant.webhook(&endpoint, &["*"]).await;
        }
        clinic.account("stub", "good").await;
        let mut known = Known::nothing();
        let mut messages = Vec::new();
        for (slug, provider) in ACCOUNTS {
            let account = clinic.account_with(provider, slug, checks(slug)).await;
            match slug {
                "token" => known.token = token_of(&account),
                "both" => known.both = token_of(&account),
                "rotated" => rotate(&clinic, &account).await,
                _ => {}
            }
            let message = clinic.message(slug, "m-1", PHONE).await;
            messages.push((app.again(&clinic), message));
        }
        rival.account_with("stub", "rival", checks("rival")).await;
        let message = rival.message("rival", "m-1", PHONE).await;
        messages.push((app.again(&rival), message));
        let gone = clinic.account_with("stub", "gone", checks("signed")).await;
        clinic.api.delete(&path_of(&gone)).await.expect(204);
        let name = "africastalking";
        let shared = json!({ "provider": name, "slug": name, "auth": checks("token") });
        app.operator
            .post("/v1/provider-accounts", shared)
            .await
            .expect(201);
        known.now = app.clock.now().as_seconds();
        Self {
            app,
            known,
            clinic,
            rival,
            endpoint,
            messages,
        }
    }

    pub async fn set() -> Self {
        Self::set_with(&[]).await
    }

    /// Makes all attacks of a table, each of which is answered and counted as it says, and then
    /// sees that nothing came of them.
    pub async fn withstands(&self, table: &[Attack]) {
        let (mut wrong, mut refusals) = (Vec::new(), BTreeSet::new());
        let mut before = Counts::of(&self.app).await;
        for attack in table {
            let answer = raw(self.app.ingress.base_url(), attack.bytes()).await;
            let after = Counts::of(&self.app).await;
            let found =
                assert_answered(attack, &answer).and_then(|()| before.assert_grown(&after, attack));
            wrong.extend(found.err().map(|why| format!("{}: {why}", attack.name)));
            before = after;
            if attack.answer == Answer::Problem(401, "unauthorized") {
                refusals.insert(without_its_own(&answer));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(refusals.len() <= 1, "they tell reasons apart: {refusals:?}");
        self.assert_nothing_came_of(table).await;
    }

    /// Nothing came of anything but one good callback, which is posted now: what would have come
    /// before it is there when its event is.
    async fn assert_nothing_came_of(&self, table: &[Attack]) {
        let message = self.clinic.message("good", "good-1", PHONE).await;
        let report = stub_report("good-1", "DELIVRD", PHONE, None);
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", "127.0.0.1"),
        ];
        let path = "/v1/callbacks/good/reports";
        let answer = self.app.ingress.post_raw(path, &headers, report).await;
        let callback = answer.expect(200)["callback_id"].clone();
        let hits = self.endpoint.wait_for(1, SOON).await;
        self.assert_noticed(table).await;
        self.assert_rows(&callback).await;
        self.assert_metrics().await;
        let hits = [hits, self.endpoint.hits()].concat();
        let is_of_good = |hit: &testkit::Hit| hit.json()["data"]["message_id"] == message.as_str();
        assert!(hits.len() == 2 && hits.iter().all(is_of_good), "{hits:?}");
        for (tenant, message) in &self.messages {
            let path = format!("/v1/messages/{message}");
            let found = tenant.api.get(&path).await.expect(200);
            assert_eq!(found["state"], "pending", "{found}");
            assert_eq!(found["history"], json!([]), "{found}");
        }
    }

    /// One callback and one event, and none of anybody else.
    async fn assert_rows(&self, callback: &Value) {
        let page = self
            .clinic
            .api
            .get("/v1/callbacks?limit=100")
            .await
            .expect(200);
        let found = page["data"].as_array().unwrap();
        assert!(found.len() == 1 && found[0]["id"] == *callback, "{page}");
        let page = self
            .clinic
            .api
            .get("/v1/events?limit=100")
            .await
            .expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
        for api in [&self.rival.api, &self.app.operator] {
            let page = api.get("/v1/callbacks?limit=100").await.expect(200);
            assert_eq!(page["data"], json!([]), "{page}");
        }
        let page = self.rival.api.get("/v1/events?limit=100").await.expect(200);
        assert_eq!(page["data"], json!([]), "{page}");
    }

    /// Every refusal that is a security event is recorded as one, and no tenant sees another's.
    async fn assert_noticed(&self, table: &[Attack]) {
        let expected = Tally::expected(table);
        eventually("the security events are recorded", SOON, async || {
            let found = Tally::found([&self.clinic.api, &self.rival.api, &self.app.operator]).await;
            found.assert_is(&expected)
        })
        .await;
        let rivals = Tally::found([&self.rival.api]).await;
        assert!(
            rivals.accounts().all(|account| account == "rival"),
            "{rivals:?}"
        );
        let others = Tally::found([&self.clinic.api, &self.app.operator]).await;
        assert!(
            others.accounts().all(|account| account != "rival"),
            "{others:?}"
        );
    }

    /// No job is left, and none was there but that of the good callback.
    async fn assert_metrics(&self) {
        eventually("the metrics tell of one callback", SOON, async || {
            Counts::of(&self.app).await.assert_one_good()
        })
        .await;
    }
}

/// An answer without what differs between any two: when it was given, and the request's id.
fn without_its_own(answer: &str) -> String {
    let differs = |line: &&str| line.starts_with("date: ") || line.starts_with("x-request-id: ");
    let lines = answer.lines().filter(|line| !differs(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// From now on it signs as `signed` does.
async fn rotate(tenant: &Tenant, account: &Value) {
    let body = json!({ "provider": "stub", "slug": "rotated", "auth": checks("signed") });
    tenant.api.put(&path_of(account), body).await.expect(200);
}

fn path_of(account: &Value) -> String {
    format!("/v1/provider-accounts/{}", account["id"].as_str().unwrap())
}

fn token_of(account: &Value) -> String {
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    url.rsplit('/').nth(1).unwrap().to_owned()
}
