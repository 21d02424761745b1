//! The health of a provider account, and that its tenant is told when reports do not come.

use super::{PHONE, assert_refused, members};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::africastalking_report;
use testkit::{Endpoint, eventually};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PATH: &str = "/v1/callbacks/clinic/reports";

/// Messages that callbacks end, one in four of them badly.
async fn end_messages(app: &TestApp, tenant: &Tenant, series: &str, count: usize) {
    for number in 0..count {
        let id = format!("{series}-{number}");
        tenant.message("clinic", &id, PHONE).await;
        app.clock.advance(Duration::from_millis(100));
        let word = if number % 4 == 0 { "Failed" } else { "Success" };
        let body = africastalking_report(&id, word, PHONE, &[]);
        app.ingress.post_raw(PATH, &[FORM], body).await.expect(200);
    }
}

#[tokio::test]
async fn a_provider_that_stops_calling_is_told_of_once_and_again_when_it_calls() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = tenant.account("africastalking", "clinic").await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["provider.*"]).await;
    // Time that moves under an attempt has it made again.
    let is_recorded = async |deliveries: usize| {
        let all = |all: &[Value]| {
            all.len() == deliveries && all.iter().all(|one| one["state"] == "delivered")
        };
        tenant.wait_for_deliveries(&webhook, all).await;
    };
    let path = format!(
        "/v1/provider-accounts/{}/health",
        account["id"].as_str().unwrap()
    );
    let unknown = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        (&unknown["state"], &unknown["since"]),
        (&json!("unknown"), &Value::Null)
    );

    end_messages(&app, &tenant, "one", 20).await;
    let heard = |found: &Value| found["heard"] == 20;
    let found = tenant.api.get_until(&path, heard, SOON).await;
    assert_eq!(
        members(&found),
        [
            "delay_ms",
            "heard",
            "missed",
            "missed_ratio",
            "provider",
            "provider_account",
            "reports_per_minute",
            "silent",
            "since",
            "state",
            "success_by_network",
            "usual_reports_per_minute",
            "window_seconds",
        ]
    );
    assert_eq!(found["provider_account"], "clinic");
    assert_eq!(
        (&found["state"], &found["missed_ratio"]),
        (&json!("healthy"), &json!(0.0))
    );
    let on_network = json!({ "delivered": 15, "ended": 20, "ratio": 0.75 });
    assert_eq!(found["success_by_network"], json!({ "63902": on_network }));
    assert!(found["delay_ms"]["p50"].as_u64().unwrap() >= 90, "{found}");

    // As if the answers to our questions had come before the callbacks.
    let changed = "update tallies set name = 'ended_poll' where name = 'ended_callback'";
    assert!(app.change_store(changed).await > 0);
    app.clock.advance(Duration::from_mins(1));
    let hits = endpoint.wait_for(1, SOON).await;
    is_recorded(1).await;
    let told = hits[0].json();
    assert_eq!(told["type"], "provider.degraded");
    assert_eq!(told["resource"]["id"], account["id"]);
    assert_eq!(told["data"]["missed_ratio"], json!(1.0));
    assert_eq!(told["data"]["missed"], 20);
    let ratio = "tidings_reports_missed_ratio{provider=\"africastalking\"} 1";
    eventually("the ratio is a metric", SOON, async || {
        app.admin
            .get("/metrics")
            .await
            .text
            .contains(ratio)
            .then_some(())
    })
    .await;
    app.clock.advance(Duration::from_mins(1));

    app.clock.advance(Duration::from_mins(70));
    end_messages(&app, &tenant, "two", 20).await;
    tenant.api.get_until(&path, heard, SOON).await;
    app.clock.advance(Duration::from_mins(1));
    let hits = endpoint.wait_for(2, SOON).await;
    is_recorded(2).await;
    let told = hits[1].json();
    assert_eq!(told["type"], "provider.recovered");
    assert_eq!(told["data"]["state"], "healthy");
    let found = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        (&found["state"], &found["since"]),
        (&json!("healthy"), &told["data"]["since"])
    );
    assert!(found["usual_reports_per_minute"].as_f64().unwrap() > 0.0);
    assert_eq!(endpoint.hits().len(), 2);
}

#[tokio::test]
async fn the_health_of_anothers_account_is_nowhere_but_for_the_operator() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    let account = tenant.account("stub", "clinic").await;
    let path = format!(
        "/v1/provider-accounts/{}/health",
        account["id"].as_str().unwrap()
    );
    for answer in [
        other.api.get(&path).await,
        app.operator.get(&path).await,
        tenant.api.get("/v1/provider-accounts/acc_1/health").await,
    ] {
        answer.expect_problem(404, "not_found");
    }
    let named = format!("{path}?tenant={}", tenant.id);
    other.api.get(&named).await.expect_problem(403, "forbidden");
    let found = app.operator.get(&named).await.expect(200);
    assert_eq!(found["state"], "unknown");
    assert_refused(
        &tenant.api.get(&format!("{path}?after=1")).await,
        &["/after"],
    );
}

#[tokio::test]
async fn what_a_person_or_a_late_registration_ends_is_counted_by_the_api() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = tenant.account("africastalking", "clinic").await;
    let path = format!(
        "/v1/provider-accounts/{}/health",
        account["id"].as_str().unwrap()
    );
    let body = africastalking_report("early", "Success", PHONE, &[]);
    let accepted = app.ingress.post_raw(PATH, &[FORM], body).await.expect(200);
    let own = format!(
        "/v1/callbacks/{}",
        accepted["callback_id"].as_str().unwrap()
    );
    let processed = |found: &Value| found["status"] == "processed";
    tenant.api.get_until(&own, processed, SOON).await;
    tenant.message("clinic", "early", PHONE).await;
    let id = tenant.message("clinic", "never", PHONE).await;
    let ruling = json!({ "state": "failed", "reason": "nothing came" });
    let rule = format!("/v1/messages/{id}/state");
    tenant.api.post(&rule, ruling).await.expect(200);
    let found = tenant.api.get(&path).await.expect(200);
    assert_eq!((&found["heard"], &found["missed"]), (&json!(1), &json!(0)));
    let expected = json!({
        "63902": { "delivered": 1, "ended": 1, "ratio": 1.0 },
        "unknown": { "delivered": 0, "ended": 1, "ratio": 0.0 },
    });
    assert_eq!(found["success_by_network"], expected);
}
