//! Provider accounts: how they are made, and what is shown of them.

mod changes;

use super::{PHONE, id, members};
use crate::app::TestApp;
use serde_json::{Value, json};
use testkit::providers::{hmac_sha256_hex, stub_report};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A callback URL as a path of the ingress.
fn path_of(app: &TestApp, account: &Value) -> String {
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    url.strip_prefix(app.ingress.base_url()).unwrap().to_owned()
}

#[tokio::test]
async fn an_account_of_every_kind_of_check_shows_everything_but_its_secrets() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (secret, older, key) = (
        "the-newest-secret-00",
        "the-older-secret-000",
        "the-api-key-00000000",
    );
    let auth = json!([
        { "type": "token" },
        { "type": "hmac", "secrets": [secret, older], "algorithm": "sha256", "encoding": "hex",
          "header": "X-Signature", "prefix": "sha256=", "signed": "timestamp.body",
          "timestamp_header": "X-Timestamp" },
        { "type": "api_key", "header": "X-Api-Key", "key": key },
        { "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] },
    ]);
    let body =
        json!({ "provider": "stub", "slug": "clinic", "auth": auth, "environment": "staging" });
    let made = tenant.api.post("/v1/provider-accounts", body).await;
    let text = made.text.clone();
    let made = made.expect(201);
    assert_eq!(
        members(&made),
        [
            "auth",
            "callback_urls",
            "created_at",
            "environment",
            "id",
            "provider",
            "silence",
            "slug",
            "status_api",
            "updated_at"
        ]
    );
    assert!(id(&made).starts_with("acc_"));
    assert_eq!(
        (&made["provider"], &made["slug"]),
        (&json!("stub"), &json!("clinic"))
    );
    assert_eq!(made["environment"], "staging");
    assert_eq!(members(&made["callback_urls"]), ["inbound", "reports"]);
    let path = path_of(&app, &made);
    let token = path.split('/').nth(4).unwrap();
    assert!(token.len() >= 32, "at least 128 bits: {token}");
    assert_eq!(path, format!("/v1/callbacks/clinic/{token}/reports"));
    let shown = json!([
        { "type": "token" },
        { "type": "hmac", "secret_count": 2, "algorithm": "sha256", "encoding": "hex",
          "header": "x-signature", "prefix": "sha256=", "signed": "timestamp.body",
          "timestamp_header": "x-timestamp", "tolerance_seconds": 300 },
        { "type": "api_key", "header": "x-api-key" },
        { "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"], "allow_any": false },
    ]);
    assert_eq!(made["auth"], shown);

    let own = format!("/v1/provider-accounts/{}", id(&made));
    let found = tenant.api.get(&own).await;
    let list = tenant.api.get("/v1/provider-accounts").await;
    for hidden in [secret, older, key] {
        for seen in [&text, &found.text, &list.text] {
            assert!(!seen.contains(hidden), "{seen}");
        }
    }
    for seen in [&found.text, &list.text] {
        assert!(!seen.contains(token), "{seen}");
    }
    let mut expected = made.clone();
    let base = app.ingress.base_url();
    for kind in ["reports", "inbound"] {
        expected["callback_urls"][kind] =
            json!(format!("{base}/v1/callbacks/clinic/{{token}}/{kind}"));
    }
    assert_eq!(found.expect(200), expected);
    assert_eq!(list.expect(200)["data"], json!([expected]));

    // All of them must pass.
    let report = stub_report("m-1", "DELIVRD", PHONE, None);
    let now = app.clock.now().as_seconds().to_string();
    for signing in [secret, older] {
        let mac = format!(
            "sha256={}",
            hmac_sha256_hex(signing, format!("{now}.{report}"))
        );
        let headers = [
            JSON,
            ("x-signature", mac.as_str()),
            ("x-timestamp", &now),
            ("x-api-key", key),
        ];
        app.ingress
            .post_raw(&path, &headers, report.clone())
            .await
            .expect(200);
        app.ingress
            .post_raw(&path, &headers[..3], report.clone())
            .await
            .expect(401);
    }
}

#[tokio::test]
async fn callback_urls_are_those_of_the_provider_on_the_public_url() {
    let app =
        TestApp::start_with(&[("TIDINGS_INGRESS__PUBLIC_URL", "https://in.example.org/x/")]).await;
    let tenant = app.tenant("Clinic").await;
    for (provider, kinds) in [
        ("stub", &["inbound", "reports"][..]),
        ("orange", &["inbound", "reports"]),
        (
            "africastalking",
            &["inbound", "opt-outs", "reports", "subscriptions"],
        ),
    ] {
        let slug = format!("clinic-{provider}");
        let made = tenant.account(provider, &slug).await;
        assert_eq!(members(&made["callback_urls"]), kinds);
        for kind in kinds {
            let url = format!("https://in.example.org/x/v1/callbacks/{slug}/{kind}");
            assert_eq!(made["callback_urls"][kind], url);
        }
    }
}

#[tokio::test]
async fn a_slug_belongs_to_one_account_and_providers_names_to_the_platform() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    let body =
        |slug: &str| json!({ "provider": "stub", "slug": slug, "auth": [{ "type": "token" }] });
    let first = one
        .api
        .post("/v1/provider-accounts", body("clinic"))
        .await
        .expect(201);
    for api in [&one.api, &two.api, &app.operator] {
        let answer = api.post("/v1/provider-accounts", body("clinic")).await;
        let problem = answer.expect_problem(409, "slug_taken");
        assert_eq!(super::pointers(&problem), ["/slug"]);
        assert!(
            !answer.text.contains(&id(&first)),
            "whose it is is nobody's business: {answer}"
        );
    }
    for reserved in [
        "africastalking",
        "orange",
        "mtn",
        "airtel",
        "zamtel",
        "kannel",
        "jasmin",
        "twilio",
        "infobip",
        "vonage",
        "stub",
    ] {
        let answer = one.api.post("/v1/provider-accounts", body(reserved)).await;
        let problem = answer.expect_problem(409, "slug_reserved");
        assert_eq!(super::pointers(&problem), ["/slug"]);
    }
    app.operator
        .post("/v1/provider-accounts", body("stub"))
        .await
        .expect(201);
    one.api
        .post("/v1/provider-accounts", body("stub-2"))
        .await
        .expect(201);
    // A slug that was given up is free again.
    let path = format!("/v1/provider-accounts/{}", id(&first));
    one.api.delete(&path).await.expect(204);
    two.api
        .post("/v1/provider-accounts", body("clinic"))
        .await
        .expect(201);
    one.api.get(&path).await.expect_problem(404, "not_found");
    one.api.delete(&path).await.expect_problem(404, "not_found");
}
