//! What a request may say, rule by rule, and where a refusal says it is wrong.

use super::{assert_refused, nested, pointers};
use crate::app::{Tenant, TestApp};
use serde_json::{Value, json};

/// `base` with these members replaced or added.
fn with(base: &Value, members: &Value) -> Value {
    let mut body = base.clone();
    let all = body.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        all.insert(name.clone(), value.clone());
    }
    body
}

/// Each of `bad` breaks a rule at its pointers; each of `good` breaks none.
async fn judge(
    tenant: &Tenant,
    path: &str,
    base: &Value,
    good: &[Value],
    bad: &[(Value, &[&str])],
) {
    for members in good {
        let answer = tenant.api.post(path, with(base, members)).await;
        assert!((200..300).contains(&answer.status), "{members}: {answer}");
    }
    for (members, at) in bad {
        assert_refused(&tenant.api.post(path, with(base, members)).await, at);
    }
}

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
        (json!({ "method": "PUT" }), &["/method"]),
        (json!({ "headers": {} }), &["/headers"]),
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

#[tokio::test]
async fn the_rules_of_a_provider_account() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (shortest, longest) = ("s".repeat(16), "s".repeat(512));
    let (too_short, too_long) = ("s".repeat(15), "s".repeat(513));
    let base = json!({ "provider": "stub", "slug": "clinic", "auth": [{ "type": "token" }] });
    let hmac = |members: Value| {
        let usual = json!({ "type": "hmac", "secret": shortest, "algorithm": "sha256",
            "encoding": "hex", "header": "x-signature" });
        json!({ "auth": [with(&usual, &members)] })
    };
    let key = |header: &str, key: &str| json!({ "auth": [{ "type": "api_key", "header": header, "key": key }] });
    let from = |cidr: &str| json!({ "auth": [{ "type": "ip_allowlist", "cidrs": [cidr] }] });
    let good = [
        json!({ "slug": "0" }),
        json!({ "slug": "a".repeat(63), "environment": "staging" }),
        with(
            &hmac(json!({ "secret": longest })),
            &json!({ "slug": "a-1" }),
        ),
        with(&key("x-api-key", &longest), &json!({ "slug": "a-2" })),
        with(&from("2001:db8::/32"), &json!({ "slug": "a-3" })),
    ];
    let bad: &[(Value, &[&str])] = &[
        (json!({ "provider": "nobody" }), &["/provider"]),
        (json!({ "provider": "Stub" }), &["/provider"]),
        (json!({ "provider": null }), &["/provider"]),
        (json!({ "slug": "" }), &["/slug"]),
        (json!({ "slug": "-a" }), &["/slug"]),
        (json!({ "slug": "A" }), &["/slug"]),
        (json!({ "slug": "a_b" }), &["/slug"]),
        (json!({ "slug": "a/b" }), &["/slug"]),
        (json!({ "slug": "a".repeat(64) }), &["/slug"]),
        (json!({ "environment": "Staging" }), &["/environment"]),
        (json!({ "environment": null }), &["/environment"]),
        (json!({ "auth": null }), &["/auth"]),
        (json!({ "auth": [] }), &["/auth"]),
        (json!({ "auth": {} }), &["/auth"]),
        (json!({ "auth": ["token"] }), &["/auth/0"]),
        (json!({ "auth": [{}] }), &["/auth/0/type"]),
        (json!({ "auth": [{ "type": "none" }] }), &["/auth/0/type"]),
        (
            json!({ "auth": [{ "type": "token", "token": "mine" }] }),
            &["/auth/0/token"],
        ),
        (
            json!({ "auth": [{ "type": "token" }, { "type": "x" }] }),
            &["/auth/1/type"],
        ),
        (hmac(json!({ "secret": too_short })), &["/auth/0/secret"]),
        (hmac(json!({ "secret": too_long })), &["/auth/0/secret"]),
        (
            hmac(json!({ "secret": "é".repeat(16) })),
            &["/auth/0/secret"],
        ),
        (
            hmac(json!({ "secret": format!("{shortest}\n") })),
            &["/auth/0/secret"],
        ),
        (hmac(json!({ "algorithm": "sha3" })), &["/auth/0/algorithm"]),
        (hmac(json!({ "encoding": "base32" })), &["/auth/0/encoding"]),
        (hmac(json!({ "header": "bad header" })), &["/auth/0/header"]),
        (hmac(json!({ "signed": "url" })), &["/auth/0/signed"]),
        (
            hmac(json!({ "signed": "timestamp.body" })),
            &["/auth/0/timestamp_header"],
        ),
        (
            hmac(json!({ "tolerance_seconds": 0 })),
            &["/auth/0/tolerance_seconds"],
        ),
        (hmac(json!({ "extra": 1 })), &["/auth/0/extra"]),
        (key("x-api-key", &too_short), &["/auth/0/key"]),
        (key("x-api-key", &format!(" {shortest}")), &["/auth/0/key"]),
        (key("", &shortest), &["/auth/0/header"]),
        (from("203.0.113.7"), &["/auth/0/cidrs/0"]),
        (from("203.0.113.7/24"), &["/auth/0/cidrs/0"]),
        (from("203.0.113.0/33"), &["/auth/0/cidrs/0"]),
        (from("::/129"), &["/auth/0/cidrs/0"]),
        (from("0.0.0.0/0"), &["/auth/0/cidrs/0"]),
        (from("::/0"), &["/auth/0/cidrs/0"]),
        (from("everywhere"), &["/auth/0/cidrs/0"]),
        (
            json!({ "auth": [{ "type": "ip_allowlist", "cidrs": [] }] }),
            &["/auth/0/cidrs"],
        ),
        (json!({ "callback_urls": {} }), &["/callback_urls"]),
    ];
    judge(&tenant, "/v1/provider-accounts", &base, &good, bad).await;
    // The slug of everything refused is still free.
    tenant
        .api
        .post("/v1/provider-accounts", &base)
        .await
        .expect(201);
    let answer = tenant
        .api
        .post(
            "/v1/provider-accounts",
            with(&base, &hmac(json!({ "secret": too_short }))),
        )
        .await;
    assert!(!answer.text.contains(&too_short), "{answer}");
    let open = json!([{ "type": "ip_allowlist", "cidrs": ["0.0.0.0/0"], "allow_any": true }]);
    tenant.account_with("stub", "open", open).await;
}
