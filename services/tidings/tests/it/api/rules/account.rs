use super::{judge, with};
use crate::app::TestApp;
use serde_json::{Value, json};

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
