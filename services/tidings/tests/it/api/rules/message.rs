use super::{judge, with};
use crate::api::nested;
use crate::app::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn the_rules_of_a_message() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    app.tenant("Other").await.account("stub", "theirs").await;
    let (longest, too_long) = ("é".repeat(128), "é".repeat(129));
    // {"a":"…"} of exactly 16 KiB, and one byte more.
    let object = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) });
    let base =
        json!({ "provider_account": "clinic", "provider_message_id": "m", "to": "+1234567" });
    let good = [
        json!({ "provider_message_id": "m-1", "to": "tel:+254 700-000 001" }),
        json!({ "provider_message_id": "m-2", "to": "+123456789012345" }),
        json!({ "provider_message_id": longest, "client_reference": longest }),
        json!({ "provider_message_id": "m-3", "from": longest, "notification_id": longest }),
        json!({ "provider_message_id": "m-4", "from": null, "metadata": null, "parts": null }),
        json!({ "provider_message_id": "m-5", "metadata": {}, "parts": 255 }),
        json!({ "provider_message_id": "m-6", "metadata": object(16 * 1024) }),
        json!({ "provider_message_id": "m-7", "metadata": nested(8) }),
        json!({ "provider_message_id": "m-8", "environment": "a-staging_2" }),
        json!({ "provider_message_id": null, "client_reference": "c-1" }),
    ];
    let bad: &[(Value, &[&str])] = &[
        (
            json!({ "provider_account": "nobody" }),
            &["/provider_account"],
        ),
        (
            json!({ "provider_account": "theirs" }),
            &["/provider_account"],
        ),
        (json!({ "provider_account": "" }), &["/provider_account"]),
        (
            json!({ "provider_account": "No Slug" }),
            &["/provider_account"],
        ),
        (json!({ "provider_account": null }), &["/provider_account"]),
        (json!({ "provider_message_id": null }), &[""]),
        (json!({ "to": "" }), &["/to"]),
        (json!({ "to": "254700000001" }), &["/to"]),
        (json!({ "to": "+123456" }), &["/to"]),
        (json!({ "to": "+1234567890123456" }), &["/to"]),
        (json!({ "to": "+12345abc" }), &["/to"]),
        (json!({ "to": "+٢٥٤٧٠٠٠٠٠٠" }), &["/to"]),
        (json!({ "to": "++1234567" }), &["/to"]),
        (json!({ "to": "CLINIC" }), &["/to"]),
        (
            json!({ "to": format!("+1234567{}", " ".repeat(40)) }),
            &["/to"],
        ),
        (json!({ "to": 254_700_000_001_u64 }), &["/to"]),
        (json!({ "to": null }), &["/to"]),
        (
            json!({ "provider_message_id": too_long }),
            &["/provider_message_id"],
        ),
        (
            json!({ "provider_message_id": "" }),
            &["/provider_message_id"],
        ),
        (
            json!({ "provider_message_id": "a\u{0}b" }),
            &["/provider_message_id"],
        ),
        (
            json!({ "provider_message_id": 17 }),
            &["/provider_message_id"],
        ),
        (
            json!({ "client_reference": too_long }),
            &["/client_reference"],
        ),
        (
            json!({ "client_reference": "a\nb" }),
            &["/client_reference"],
        ),
        (json!({ "from": too_long }), &["/from"]),
        (json!({ "from": "" }), &["/from"]),
        (
            json!({ "notification_id": too_long }),
            &["/notification_id"],
        ),
        (json!({ "metadata": [] }), &["/metadata"]),
        (json!({ "metadata": "text" }), &["/metadata"]),
        (json!({ "metadata": 1 }), &["/metadata"]),
        (json!({ "metadata": object(16 * 1024 + 1) }), &["/metadata"]),
        (json!({ "metadata": nested(9) }), &["/metadata"]),
        (json!({ "parts": 0 }), &["/parts"]),
        (json!({ "parts": 256 }), &["/parts"]),
        (json!({ "parts": -1 }), &["/parts"]),
        (json!({ "parts": "2" }), &["/parts"]),
        (json!({ "parts": 1.5 }), &["/parts"]),
        (json!({ "environment": "" }), &["/environment"]),
        (json!({ "environment": "Production" }), &["/environment"]),
        (json!({ "environment": "-a" }), &["/environment"]),
        (json!({ "environment": "a".repeat(33) }), &["/environment"]),
        (json!({ "environment": null }), &["/environment"]),
        (json!({ "state": "delivered" }), &["/state"]),
        (
            json!({ "to": "?", "from": "", "parts": 0, "metadata": [], "environment": "?" }),
            &["/from", "/metadata", "/to", "/parts", "/environment"],
        ),
    ];
    judge(&tenant, "/v1/messages", &base, &good, bad).await;
    // Another tenant's account cannot be told from one that is not there.
    let refusal = async |slug: &str| {
        let body = with(&base, &json!({ "provider_account": slug }));
        tenant.api.post("/v1/messages", body).await.body
    };
    assert_eq!(refusal("theirs").await, refusal("nobody").await);
}
