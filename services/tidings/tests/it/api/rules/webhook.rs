use super::{judge, with};
use crate::api::pointers;
use crate::app::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn the_rules_of_a_webhook() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let secret = |bytes: usize| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(vec![7; bytes]);
        format!("whsec_{text}")
    };
    let (longest, too_long) = ("é".repeat(128), "é".repeat(129));
    let base = json!({ "url": "http://127.0.0.1:9999/hook", "events": ["*"] });
    let good = [
        json!({}),
        json!({ "events": ["sms.*", "job.created", "call.recording.*"] }),
        json!({ "events": vec!["sms.sent"; 100] }),
        json!({ "secret": secret(24) }),
        json!({ "secret": secret(64), "name": longest, "description": longest }),
        json!({ "secret": null, "name": null, "description": null }),
        json!({ "environment": "staging", "enabled": false }),
        json!({ "url": "http://localhost:9999/" }),
    ];
    let bad: &[(Value, &[&str])] = &[
        (json!({ "url": null }), &["/url"]),
        (json!({ "url": ["http://127.0.0.1:9999/"] }), &["/url"]),
        (json!({ "events": null }), &["/events"]),
        (json!({ "events": "*" }), &["/events"]),
        (json!({ "events": [] }), &["/events"]),
        (json!({ "events": [1] }), &["/events/0"]),
        (json!({ "events": ["sms.sent", null] }), &["/events/1"]),
        (json!({ "events": ["*", "sms.sent"] }), &["/events"]),
        (json!({ "events": ["sms.sent", "*"] }), &["/events"]),
        (json!({ "events": vec!["sms.sent"; 101] }), &["/events"]),
        (json!({ "secret": "" }), &["/secret"]),
        (json!({ "secret": "whsec_" }), &["/secret"]),
        (json!({ "secret": secret(23) }), &["/secret"]),
        (json!({ "secret": secret(65) }), &["/secret"]),
        (json!({ "secret": &secret(32)[6..] }), &["/secret"]),
        (
            json!({ "secret": format!("{}!", secret(32)) }),
            &["/secret"],
        ),
        (json!({ "secret": 1 }), &["/secret"]),
        (json!({ "name": too_long }), &["/name"]),
        (json!({ "name": "" }), &["/name"]),
        (json!({ "description": too_long }), &["/description"]),
        (json!({ "environment": "Staging" }), &["/environment"]),
        (json!({ "environment": null }), &["/environment"]),
        (json!({ "enabled": "yes" }), &["/enabled"]),
        (json!({ "enabled": null }), &["/enabled"]),
        (json!({ "method": "GET" }), &["/method"]),
        (json!({ "filter": null }), &["/filter"]),
        (json!({ "id": "sub_1" }), &["/id"]),
        (
            json!({ "name": "", "environment": "?", "secret": "?" }),
            &["/name", "/environment", "/secret"],
        ),
    ];
    judge(&tenant, "/v1/webhooks", &base, &good, bad).await;
    for (events, pointer) in [
        (json!(["sms.sent", "sms.lost"]), "/events/1"),
        (json!(["fax.*"]), "/events/0"),
        (json!(["sms"]), "/events/0"),
        (json!(["sms*"]), "/events/0"),
        (json!(["SMS.sent"]), "/events/0"),
        (json!(["*.sent"]), "/events/0"),
        (json!([""]), "/events/0"),
        (json!(["**"]), "/events/0"),
    ] {
        let body = with(&base, &json!({ "events": events }));
        let problem = tenant.api.post("/v1/webhooks", body).await;
        let problem = problem.expect_problem(422, "unknown_event_type");
        assert_eq!(pointers(&problem), [pointer]);
    }
    // A refusal never repeats a secret.
    let answer = tenant
        .api
        .post(
            "/v1/webhooks",
            with(&base, &json!({ "secret": secret(65) })),
        )
        .await;
    assert!(!answer.text.contains(&secret(65)), "{answer}");
}
