//! Each provider that can be asked, simulated as a process: every callback is lost.

use super::FIRST;
use crate::app::{SOON, TestApp};
use crate::commands::PROGRAM;
use serde_json::{Value, json};
use testkit::Simulator;

const PHONE: &str = "+260970000001";

/// A provider, the path of its API, and what its account has to give for it.
fn providers(url: &str) -> [(&'static str, String, Value); 6] {
    let client = json!({ "client_id": "me", "client_secret": "a-secret" });
    let mut one_api = client.clone();
    one_api["token_url"] = json!(format!("{url}/oauth/v3/token"));
    let twilio = json!({ "account_sid": "AC0123456789", "auth_token": "a-secret" });
    let vonage = json!({ "api_key": "abcd1234", "api_secret": "a-secret" });
    [
        ("mtn", url.to_owned(), client),
        ("orange", format!("{url}/smsmessaging/v1"), one_api),
        ("twilio", url.to_owned(), twilio),
        ("infobip", url.to_owned(), json!({ "api_key": "a-secret" })),
        ("vonage", url.to_owned(), vonage),
        ("stub", url.to_owned(), json!({ "key": "a-secret" })),
    ]
}

async fn simulator(provider: &str) -> Simulator {
    let args = ["--provider", provider, "--delay", "0", "--loss", "1"];
    Simulator::start(PROGRAM, &[&args[..], &["--seed", "7"]].concat()).await
}

async fn account(
    tenant: &crate::app::Tenant,
    provider: &str,
    base_url: &str,
    mut access: Value,
) -> String {
    access["base_url"] = json!(base_url);
    let slug = format!("sim-{provider}");
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let body = json!({ "provider": provider, "slug": slug, "auth": auth, "status_api": access });
    tenant
        .api
        .post("/v1/provider-accounts", body)
        .await
        .expect(201);
    slug
}

#[tokio::test]
async fn every_provider_that_can_be_asked_tells_what_its_callbacks_did_not() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut running = Vec::new();
    let mut messages = Vec::new();
    for (index, (provider, ..)) in providers("").into_iter().enumerate() {
        let simulator = simulator(provider).await;
        let all = providers(simulator.url());
        let (_, base_url, access) = &all[index];
        let slug = account(&tenant, provider, base_url, access.clone()).await;
        for outcome in ["delivered", "failed"] {
            let sent = json!({ "to": PHONE, "from": "MYCLINIC", "outcome": outcome });
            let id = simulator.send(sent).await;
            let body = json!({
                "provider_account": slug, "provider_message_id": id, "to": PHONE, "from": "MYCLINIC",
            });
            let made = tenant.api.post("/v1/messages", body).await.expect(201);
            messages.push((provider, made["id"].as_str().unwrap().to_owned(), outcome));
        }
        running.push(simulator);
    }
    app.clock.advance(FIRST);
    for (provider, message, outcome) in messages {
        let found = tenant.wait_for_state(&message, outcome).await;
        assert_eq!(found["history"][0]["source"], "poll", "{provider}: {found}");
        assert_eq!(found["history"].as_array().unwrap().len(), 1, "{provider}");
    }
    for simulator in running {
        let requests = simulator.requests().await;
        assert_eq!(
            requests["asked_about"], 2,
            "each was asked about once: {requests}"
        );
        assert_eq!(requests["callbacks"]["accepted"], 0);
    }
}

#[tokio::test]
async fn faults_that_end_hold_a_message_up_and_do_nothing_else() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let simulator = simulator("twilio").await;
    let [_, _, (_, url, access), ..] = providers(simulator.url());
    let slug = account(&tenant, "twilio", &url, access).await;
    let sent = json!({ "to": PHONE, "from": "MYCLINIC" });
    let id = simulator.send(sent).await;
    let message = tenant.message(&slug, &id, PHONE).await;
    let mut requests = 0;
    for fault in ["html", "error_body", "wrong_message", "rate_limited"] {
        simulator.set(json!({ fault: 1 })).await;
        app.clock.advance(FIRST);
        requests += 1;
        let is_asked = |seen: &Value| seen["all"].as_u64() >= Some(requests);
        let path = "/simulator/requests";
        let seen = simulator.api().get_until(path, is_asked, SOON).await;
        requests = seen["all"].as_u64().unwrap();
        simulator.set(json!({ fault: 0 })).await;
        let found = tenant.api.get(&format!("/v1/messages/{message}")).await;
        assert_eq!(found.expect(200)["state"], "pending", "{fault}");
    }
    for _ in 0..3 {
        app.clock.advance(FIRST * 4);
    }
    tenant.wait_for_state(&message, "delivered").await;
}

#[tokio::test]
async fn what_phones_wrote_is_fetched_from_the_inbox_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let simulator = simulator("africastalking").await;
    for text in ["Hello", "STOP"] {
        let message = json!({ "from": "+254700000001", "to": "20880", "text": text });
        let put = simulator.api().post("/simulator/inbound", message).await;
        put.expect(201);
    }
    let access = json!({ "username": "me", "api_key": "a-secret" });
    account(&tenant, "africastalking", simulator.url(), access).await;
    app.clock.advance(FIRST);
    let path = "/v1/callbacks?kind=inbound";
    let came = |found: &Value| !found["data"].as_array().unwrap().is_empty();
    let found = tenant.api.get_until(path, came, SOON).await;
    app.clock.advance(FIRST);
    let is_asked = |seen: &Value| seen["all"].as_u64() >= Some(2);
    let requests = "/simulator/requests";
    simulator.api().get_until(requests, is_asked, SOON).await;
    let again = tenant.api.get(path).await.expect(200);
    assert_eq!(
        again["data"].as_array().unwrap().len(),
        found["data"].as_array().unwrap().len()
    );
}
