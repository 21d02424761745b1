//! Something sealed in each column, made through a process, and whether a process can still open it.

use crate::app::SOON;
use serde_json::{Value, json};
use testkit::providers::{hmac_sha256_hex, stub_report};
use testkit::{ADMIN_KEY, Answer, Api, Endpoint, Ingress, Process};

const SECRET: &str = "a-secret-of-a-provider-0";
const STATUS_KEY: &str = "a-key-of-a-status-api";
const EVENT: &str = "job.created";

/// An account, a webhook, and a request in quarantine.
pub struct Secrets {
    slug: String,
    pub account: String,
    /// The newest first.
    of_webhook: [String; 2],
    quarantined: String,
    endpoint: Endpoint,
}

impl Secrets {
    /// By these processes: one with the API, one with the ingress.
    pub async fn make(slug: &str, api: &Process, ingress: &Process) -> Self {
        let operator = operator(api);
        let auth = json!([{ "type": "hmac", "secret": SECRET, "algorithm": "sha256",
            "encoding": "hex", "header": "x-signature" }]);
        let endpoint = Endpoint::start().await;
        let status_api = json!({ "base_url": endpoint.url("/api"), "key": STATUS_KEY });
        let account = json!({ "provider": "stub", "slug": slug, "auth": auth,
            "status_api": status_api });
        let account = operator.post("/v1/provider-accounts", account).await;
        let webhook = json!({ "url": endpoint.url("/hook"), "events": [EVENT],
            "headers": { "x-own": "own-header" },
            "endpoint_auth": { "type": "bearer", "token": "own-token" } });
        let webhook = operator.post("/v1/webhooks", webhook).await.expect(201);
        let path = format!(
            "/v1/webhooks/{}/secret/rotate",
            webhook["id"].as_str().unwrap()
        );
        let rotated = operator.post(&path, json!({})).await.expect(200);
        call(slug, ingress, "wrong-secret").await.expect(401);
        let one = |found: &Value| found["data"].as_array().unwrap().len() == 1;
        let path = format!("/v1/quarantine?account={slug}");
        let quarantined = operator.get_until(&path, one, SOON).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            slug: slug.to_owned(),
            account: text(&account.expect(201)["id"]),
            of_webhook: [text(&rotated["secret"]), text(&webhook["secret"])],
            quarantined: text(&quarantined["data"][0]["id"]),
            endpoint,
        }
    }

    /// A callback with the account's signature is believed, an event is told with the webhook's, and what
    /// was refused can be looked at.
    pub async fn assert_open(&self, api: &Process, ingress: &Process) {
        self.assert_webhook_opens(api).await;
        self.assert_quarantined_opens(api).await;
        call(&self.slug, ingress, SECRET).await.expect(200);
        let account = format!("/v1/provider-accounts/{}", self.account);
        let shown = operator(api).get(&account).await;
        assert!(!shown.text.contains(STATUS_KEY), "{}", shown.text);
        let shown = shown.expect(200);
        assert_eq!(shown["status_api"]["base_url"], self.endpoint.url("/api"));
    }

    pub async fn assert_webhook_opens(&self, api: &Process) {
        let event = json!({ "type": EVENT, "data": {} });
        let event = operator(api).post("/v1/events", event).await.expect(202);
        let id = event["id"].as_str().unwrap();
        let is_it = |hit: &testkit::Hit| hit.webhook_id() == id;
        let told = self
            .endpoint
            .wait_until(|hits| hits.iter().any(is_it), SOON);
        let told = told.await;
        let hit = told.iter().find(|hit| is_it(hit)).unwrap();
        for secret in &self.of_webhook {
            hit.verify(secret).unwrap();
        }
        assert_eq!(hit.header("authorization"), Some("Bearer own-token"));
        assert_eq!(hit.header("x-own"), Some("own-header"));
    }

    pub async fn assert_quarantined_opens(&self, api: &Process) {
        let path = format!("/v1/quarantine/{}", self.quarantined);
        let shown = operator(api).get(&path).await.expect(200);
        let body = shown["body_redacted"].as_str().unwrap();
        assert!(body.contains("DELIVRD"), "{shown}");
    }
}

pub fn operator(process: &Process) -> Api {
    Api::new(&process.api_url(), ADMIN_KEY)
}

async fn call(slug: &str, ingress: &Process, secret: &str) -> Answer {
    let body = stub_report("m-1", "DELIVRD", "+254700000001", None);
    let signature = hmac_sha256_hex(secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-signature", signature.as_str()),
    ];
    let path = format!("/v1/callbacks/{slug}/reports");
    let ingress = Ingress::new(&ingress.ingress_url());
    ingress.post_raw(&path, &headers, body).await
}
