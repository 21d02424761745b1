//! One trace from a provider's callback to a tenant's endpoint.

use crate::app::{SOON, TestApp};
use serde_json::Value;
use testkit::providers::stub_report;
use testkit::{Collector, Endpoint};

#[tokio::test]
async fn one_trace_leads_from_the_callback_to_the_tenants_endpoint() {
    let collector = Collector::start().await;
    let app =
        TestApp::start_with(&[("TIDINGS_TELEMETRY__OTLP_ENDPOINT", &collector.endpoint())]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    tenant.message("clinic", "m-1", "+254700000001").await;
    let body = stub_report("m-1", "DELIVRD", "+254700000001", None);
    let body: Value = serde_json::from_str(&body).unwrap();
    app.ingress
        .post_json("/v1/callbacks/clinic/reports", body)
        .await
        .expect(200);

    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    let traceparent = hit.header("traceparent").unwrap().to_owned();
    let parts: Vec<&str> = traceparent.split('-').collect();
    let (trace_id, span_id) = (parts[1], parts[2]);
    let names = ["receive callback", "track callback", "attempt delivery"];
    let spans = collector
        .wait_until(
            |spans| {
                let of_trace = |name: &&str| {
                    spans
                        .iter()
                        .any(|span| span.trace_id == trace_id && span.name == **name)
                };
                names.iter().all(of_trace)
            },
            SOON,
        )
        .await;
    let find = |name: &str| {
        spans
            .iter()
            .find(|span| span.trace_id == trace_id && span.name == name)
            .unwrap()
    };
    assert_eq!(
        find("attempt delivery").span_id,
        span_id,
        "the tenant's request goes on from it"
    );
    assert_eq!(
        find("attempt delivery").parent_span_id,
        find("track callback").span_id
    );
    assert_eq!(
        find("track callback").parent_span_id,
        find("receive callback").span_id
    );
}
