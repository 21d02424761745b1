//! A report and the registration of its message, at the same moment, again and again.

use crate::app::{SOON, Tenant, TestApp};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use testkit::Ingress;
use testkit::providers::stub_report;

const MESSAGES: usize = 300;
const AT_ONCE: usize = 24;

/// By what a report finds its message.
#[derive(Clone, Copy)]
enum By {
    ProviderId,
    Reference,
    /// One send to two phones has one id.
    Recipient,
}

const WAYS: [By; 3] = [By::ProviderId, By::Reference, By::Recipient];

fn phone(number: usize) -> String {
    format!("+2547{number:08}")
}

/// How the message of this number is registered, and what is reported of it.
fn pair(number: usize) -> (Value, Value) {
    let to = phone(number);
    let report = |id: &str| serde_json::from_str(&stub_report(id, "DELIVRD", &to, None)).unwrap();
    let (name, id) = match WAYS[number % WAYS.len()] {
        By::ProviderId => ("provider_message_id", format!("id-{number}")),
        By::Reference => ("client_reference", format!("ref-{number}")),
        // Shared with another one of this kind.
        By::Recipient => ("provider_message_id", format!("both-{}", number / 6)),
    };
    let mut reported: Value = report(&id);
    if name == "client_reference" {
        let report = reported.as_object_mut().unwrap();
        report.remove("messageId");
        report.insert("clientRef".to_owned(), id.clone().into());
    }
    (
        json!({ "provider_account": "clinic", name: id, "to": to }),
        reported,
    )
}

async fn race(ingress: &Ingress, tenant: &Tenant, number: usize) -> String {
    let (registration, report) = pair(number);
    let register = async {
        // Who is first is left to chance, and chance is helped.
        tokio::time::sleep(Duration::from_micros((number as u64 * 619) % 9_000)).await;
        let made = tenant
            .api
            .post("/v1/messages", registration)
            .await
            .expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let report = ingress.post_json("/v1/callbacks/clinic/reports", report);
    let (message, answer) = tokio::join!(register, report);
    answer.expect(200);
    message
}

#[tokio::test]
async fn a_report_that_races_its_registration_is_applied_and_told_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let (ingress, tenant_ref) = (&app.ingress, &tenant);
    let messages: Vec<String> = stream::iter(0..MESSAGES)
        .map(|number| race(ingress, tenant_ref, number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for message in &messages {
        tenant.wait_for_state(message, "delivered").await;
    }
    let nobody_waits = |found: &Value| found["data"] == json!([]);
    tenant
        .api
        .get_until("/v1/orphans", nobody_waits, SOON)
        .await;

    // It was a race: now the one came first, now the other.
    let metrics = app.admin.get("/metrics").await.text;
    for outcome in ["applied", "orphaned"] {
        let line = format!(r#"tidings_reports_total{{outcome="{outcome}"}}"#);
        assert!(metrics.contains(&line), "none was {outcome}");
    }

    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for event in tenant.all("/v1/events").await {
        let message = event["data"]["message_id"].as_str().unwrap().to_owned();
        let event_type = event["type"].as_str().unwrap().to_owned();
        told.entry(message).or_default().push(event_type);
    }
    assert_eq!(told.len(), MESSAGES);
    for message in &messages {
        assert_eq!(told[message], ["sms.delivered"], "{message}");
    }
}
