use super::{judge, with};
use crate::api::{nested, pointers};
use crate::app::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn the_rules_of_an_event() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (longest, too_long) = ("é".repeat(128), "é".repeat(129));
    let data = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) });
    let base = json!({ "type": "job.created", "data": {} });
    let good = [
        json!({ "data": data(256 * 1024) }),
        json!({ "data": { "nul": "\u{0}", "deep": nested(60) } }),
        json!({ "version": 1, "source": longest, "environment": "staging" }),
        json!({ "version": null, "resource": null, "source": null, "context": null, "metadata": null }),
        json!({ "resource": { "type": longest, "id": longest, "data": { "a": 1 } }, "context": {} }),
        json!({ "context": { "user_id": "u", "session_id": "s", "request_id": "r", "source_ip": "::1" } }),
        json!({ "metadata": nested(8) }),
    ];
    let bad: &[(Value, &[&str])] = &[
        (json!({ "data": data(256 * 1024 + 1) }), &["/data"]),
        (json!({ "data": [] }), &["/data"]),
        (json!({ "data": "text" }), &["/data"]),
        (json!({ "data": null }), &["/data"]),
        (json!({ "version": 0 }), &["/version"]),
        (json!({ "version": 2 }), &["/version"]),
        (json!({ "source": "" }), &["/source"]),
        (json!({ "source": too_long }), &["/source"]),
        (
            json!({ "resource": { "type": "", "id": too_long } }),
            &["/resource/type", "/resource/id"],
        ),
        (
            json!({ "resource": { "type": "t", "id": "i", "data": [] } }),
            &["/resource/data"],
        ),
        (
            json!({ "resource": { "type": "t", "id": "i", "data": nested(9) } }),
            &["/resource/data"],
        ),
        (
            json!({ "context": { "user_id": too_long } }),
            &["/context/user_id"],
        ),
        (
            json!({ "context": { "source_ip": "" } }),
            &["/context/source_ip"],
        ),
        (json!({ "context": [] }), &["/context"]),
        (json!({ "metadata": [] }), &["/metadata"]),
        (json!({ "metadata": nested(9) }), &["/metadata"]),
        (json!({ "metadata": data(16 * 1024 + 1) }), &["/metadata"]),
        (json!({ "environment": "Production" }), &["/environment"]),
        (json!({ "id": "evt_1" }), &["/id"]),
        (json!({ "tenant_id": tenant.id }), &["/tenant_id"]),
        (json!({ "type": null }), &["/type"]),
    ];
    judge(&tenant, "/v1/events", &base, &good, bad).await;
    let types = [
        (
            "unknown_event_type",
            &[
                "",
                "job",
                "job.*",
                "*",
                "JOB.CREATED",
                "job.created ",
                "fax.sent",
            ][..],
        ),
        (
            "reserved_event_type",
            &[
                "sms.received",
                "sms.sent",
                "sms.delivered",
                "sms.failed",
                "sms.expired",
                "sms.rejected",
                "sms.unknown",
                "sms.status.conflict",
                "sms.opt_out",
                "webhook.test",
                "webhook.disabled",
                "security.suspicious_activity",
                "provider.degraded",
                "delivery.exhausted",
                "tenant.limit.reached",
            ],
        ),
    ];
    for (code, names) in types {
        for name in names {
            let body = with(&base, &json!({ "type": name }));
            let problem = tenant
                .api
                .post("/v1/events", body)
                .await
                .expect_problem(422, code);
            assert_eq!(pointers(&problem), ["/type"], "{name}");
        }
    }
}
