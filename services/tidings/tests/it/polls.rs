//! Messages of which nothing is heard: their provider is asked, and in the end they end.

mod account;
mod fault;
mod reconciled;
mod silence;
mod simulated;
mod wish;

use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Endpoint, Hit, Reply};

const PHONE: &str = "+254700000001";
const KEY: &str = "the-key-of-the-status-api";
/// Longer than the first wait, however it is spread.
const FIRST: Duration = Duration::from_secs(331);
/// Longer than a poller needs to write down what was answered.
const WRITTEN: Duration = Duration::from_millis(700);
/// Longer than a poller needs to find what is due.
const A_LOOK: Duration = Duration::from_millis(2_500);

/// A tenant with an account whose provider can be asked.
struct Scene {
    app: TestApp,
    tenant: Tenant,
    provider: Endpoint,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[], json!({})).await
    }

    /// With settings, and with more fields of the account.
    async fn with(settings: &[(&str, &str)], more: Value) -> Self {
        let app = TestApp::start_with(settings).await;
        let tenant = app.tenant("Clinic").await;
        let provider = Endpoint::start().await;
        let scene = Self {
            app,
            tenant,
            provider,
        };
        scene.account("clinic", "", more).await;
        scene
    }

    /// One more account of the stub, whose API is below this path of the provider.
    async fn account(&self, slug: &str, path: &str, more: Value) -> Value {
        let mut body = account(
            slug,
            json!({ "base_url": self.provider.url(path), "key": KEY }),
        );
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = self.tenant.api.post("/v1/provider-accounts", body).await;
        made.expect(201)
    }

    /// The provider knows these messages from now on.
    fn knows(&self, statuses: &[(&str, &str)]) {
        self.provider.answer_at("/status", known(statuses));
    }

    /// Waits until somebody has asked so often, and has written it down.
    async fn asked(&self, times: usize) -> Vec<Hit> {
        let asked = self.provider.wait_for(times, SOON).await;
        tokio::time::sleep(WRITTEN).await;
        asked
    }

    /// Nobody asks, though there was time to.
    async fn is_not_asked(&self) {
        let before = self.provider.hits().len();
        tokio::time::sleep(A_LOOK).await;
        assert_eq!(self.provider.hits().len(), before);
    }

    async fn find(&self, message: &str) -> Value {
        let path = format!("/v1/messages/{message}");
        self.tenant.api.get(&path).await.expect(200)
    }
}

fn account(slug: &str, status_api: Value) -> Value {
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    json!({ "provider": "stub", "slug": slug, "auth": auth, "status_api": status_api })
}

fn known(statuses: &[(&str, &str)]) -> Reply {
    let messages = statuses
        .iter()
        .map(|(id, status)| json!({ "messageId": id, "status": status, "to": PHONE }));
    let body = json!({ "messages": messages.collect::<Vec<_>>() });
    Reply::with(
        200,
        &[("content-type", "application/json")],
        body.to_string(),
    )
}

#[tokio::test]
async fn an_overdue_message_is_asked_about_and_a_late_callback_says_nothing_new() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::start().await;
    scene.tenant.webhook(&endpoint, &["sms.*"]).await;
    scene.knows(&[("m-1", "DELIVRD")]);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    scene.is_not_asked().await;
    scene.app.clock.advance(FIRST);
    let found = scene.tenant.wait_for_state(&message, "delivered").await;
    assert_eq!(found["history"][0]["source"], "poll");
    assert_eq!(found["history"][0]["word"], "DELIVRD");
    let asked = scene.asked(1).await;
    assert_eq!(
        (&*asked[0].method, &*asked[0].path),
        ("GET", "/status?ids=m-1")
    );
    let bearer = format!("Bearer {KEY}");
    assert_eq!(asked[0].header("authorization"), Some(&*bearer));
    // What was answered is kept as a callback is.
    let id = found["history"][0]["callback_id"].as_str().unwrap();
    let callback = scene.tenant.api.get(&format!("/v1/callbacks/{id}")).await;
    let callback = callback.expect(200);
    assert_eq!(callback["status"], "processed");
    assert!(!callback.to_string().contains(KEY), "{callback}");

    let timeline = format!("/v1/messages/{message}/timeline");
    let timeline = scene.tenant.api.get(&timeline).await.expect(200);
    let lines = timeline["data"].as_array().unwrap();
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..4],
        ["registered", "poll", "report", "event"],
        "{timeline}"
    );
    assert_eq!(
        [&lines[1]["outcome"], &lines[1]["detail"]],
        ["reported", "DELIVRD"]
    );

    let late = serde_json::from_str::<Value>(&stub_report("m-1", "DELIVRD", PHONE, None)).unwrap();
    let path = "/v1/callbacks/clinic/reports";
    scene.app.ingress.post_json(path, late).await.expect(200);
    let told = endpoint.wait_for(1, SOON).await;
    assert_eq!(told[0].json()["type"], "sms.delivered");
    scene.app.clock.advance(Duration::from_hours(30));
    scene.is_not_asked().await;
    let ids: std::collections::BTreeSet<String> = endpoint
        .hits()
        .iter()
        .map(|hit| hit.webhook_id().to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "one change, one event");
}

#[tokio::test]
async fn the_waits_double_and_an_answer_that_says_nothing_new_is_not_told() {
    let scene = Scene::new().await;
    scene.knows(&[("m-1", "ENROUTE")]);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    scene.app.clock.advance(FIRST);
    scene.tenant.wait_for_state(&message, "sent").await;
    for (asked, wait) in [(2, 331), (3, 661), (4, 1_321)] {
        // Three quarters of the wait are not enough.
        scene
            .app
            .clock
            .advance(Duration::from_secs(wait * 3 / 4 - 60));
        scene.is_not_asked().await;
        scene.app.clock.advance(Duration::from_secs(wait / 4 + 120));
        scene.asked(asked).await;
    }
    let found = scene.find(&message).await;
    assert_eq!(found["history"].as_array().unwrap().len(), 1, "{found}");
    let metrics = scene.app.admin.get("/metrics").await.text;
    for line in [
        r#"tidings_polls_total{outcome="reported",provider="stub"} 1"#,
        r#"tidings_polls_total{outcome="unchanged",provider="stub"}"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn many_messages_are_asked_about_in_few_requests_at_the_accounts_rate() {
    let scene = Scene::new().await;
    let ids: Vec<String> = (0..120).map(|number| format!("m-{number}")).collect();
    let statuses: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "DELIVRD")).collect();
    scene.knows(&statuses);
    for id in &ids {
        scene.tenant.message("clinic", id, PHONE).await;
    }
    scene.app.clock.advance(FIRST);
    let asked = scene.asked(3).await;
    let count = |hit: &Hit| hit.path.matches("m-").count();
    let counts: Vec<usize> = asked.iter().map(count).collect();
    assert_eq!(counts, [50, 50, 20]);
    let apart = asked[2].at.duration_since(asked[0].at);
    assert!(apart >= Duration::from_millis(380), "5 a second: {apart:?}");
    let path = "/v1/messages?state=delivered&limit=100";
    let all = |found: &Value| found["data"].as_array().unwrap().len() == 100;
    scene.tenant.api.get_until(path, all, SOON).await;
    scene.is_not_asked().await;
}

#[tokio::test]
async fn a_poller_that_is_switched_off_asks_nobody_and_gives_nothing_up() {
    let scene = Scene::with(&[("TIDINGS_POLLER__ENABLED", "false")], json!({})).await;
    scene.knows(&[("m-1", "DELIVRD")]);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    scene.app.clock.advance(Duration::from_hours(100));
    scene.is_not_asked().await;
    assert_eq!(scene.find(&message).await["state"], "pending");
    let path = format!("/v1/messages/{message}/poll");
    let refused = scene.tenant.api.post(&path, json!({})).await.expect(409);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("poller.enabled")
    );
}
