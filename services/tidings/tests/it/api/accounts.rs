//! Provider accounts: how they are made, what is shown of them, and how they end at the door.

use super::{PHONE, id, members};
use crate::app::TestApp;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{eventually, providers::hmac_sha256_hex};

const JSON: (&str, &str) = ("content-type", "application/json");
/// How long the door may take to know of a change.
const TWO_SECONDS: Duration = Duration::from_secs(2);

/// A callback URL as a path of the ingress.
fn path_of(app: &TestApp, account: &Value) -> String {
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    url.strip_prefix(app.ingress.base_url()).unwrap().to_owned()
}

async fn status(app: &TestApp, path: &str) -> u16 {
    let report = stub_report("m-1", "DELIVRD", PHONE, None);
    app.ingress.post_raw(path, &[JSON], report).await.status
}

/// The door answers so within two seconds, and goes on answering so.
async fn door_answers(app: &TestApp, path: &str, expected: u16) {
    eventually("the door knows", TWO_SECONDS, async || {
        let status = status(app, path).await;
        (status == expected).then_some(()).ok_or(status)
    })
    .await;
    assert_eq!(status(app, path).await, expected);
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
            "slug",
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

#[tokio::test]
async fn a_put_replaces_the_checks_and_keeps_a_token_that_was_there() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant.account("stub", "clinic").await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let body = |auth: Value| json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    let from_here = json!({ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] });
    let bare = "/v1/callbacks/clinic/reports";
    assert_eq!(status(&app, bare).await, 200);

    // A new token is shown, and asked for.
    app.clock.advance(Duration::from_secs(1));
    let changed = tenant
        .api
        .put(&own, body(json!([{ "type": "token" }])))
        .await
        .expect(200);
    let with_token = path_of(&app, &changed);
    assert!(!with_token.contains("{token}"), "{changed}");
    assert_eq!(changed["created_at"], made["created_at"]);
    assert!(
        changed["updated_at"].as_str() > made["updated_at"].as_str(),
        "{changed}"
    );
    door_answers(&app, bare, 401).await;
    door_answers(&app, &with_token, 200).await;

    // It stays, unseen, when something else is replaced.
    let changed = tenant
        .api
        .put(&own, body(json!([from_here, { "type": "token" }])))
        .await
        .expect(200);
    assert!(path_of(&app, &changed).contains("{token}"), "{changed}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(status(&app, &with_token).await, 200);

    // Left out, it is gone.
    tenant
        .api
        .put(&own, body(json!([from_here])))
        .await
        .expect(200);
    door_answers(&app, &with_token, 401).await;
    door_answers(&app, bare, 200).await;

    // What an account is cannot change.
    let mut other = body(json!([from_here]));
    other["provider"] = json!("orange");
    super::assert_refused(&tenant.api.put(&own, other).await, &["/provider"]);
    let mut other = body(json!([from_here]));
    other["slug"] = json!("elsewhere");
    super::assert_refused(&tenant.api.put(&own, other).await, &["/slug"]);
    super::assert_refused(&tenant.api.put(&own, body(json!([]))).await, &["/auth"]);
    let kept = tenant.api.get(&own).await.expect(200);
    assert_eq!(
        (&kept["slug"], &kept["provider"]),
        (&json!("clinic"), &json!("stub"))
    );
}

#[tokio::test]
async fn a_rotated_token_opens_and_the_one_before_does_not() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant
        .account_with("stub", "clinic", json!([{ "type": "token" }]))
        .await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let first = path_of(&app, &made);
    assert_eq!(status(&app, &first).await, 200);
    let rotated = tenant
        .api
        .request("POST", &format!("{own}/rotate-token"), &[], [])
        .await
        .expect(200);
    assert_eq!(members(&rotated), members(&made));
    let second = path_of(&app, &rotated);
    assert_ne!(first, second);
    door_answers(&app, &first, 401).await;
    door_answers(&app, &second, 200).await;
    let found = tenant.api.get(&own).await;
    assert!(
        path_of(&app, &found.expect(200)).contains("{token}"),
        "{found}"
    );
    // Nothing to rotate.
    let bare = id(&tenant.account("stub", "bare").await);
    let path = format!("/v1/provider-accounts/{bare}/rotate-token");
    tenant
        .api
        .request("POST", &path, &[], [])
        .await
        .expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_deleted_account_is_a_401_at_the_door_within_two_seconds() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant.account("stub", "clinic").await;
    let bare = "/v1/callbacks/clinic/reports";
    let message = tenant.message("clinic", "m-1", PHONE).await;
    assert_eq!(status(&app, bare).await, 200);
    tenant.wait_for_state(&message, "delivered").await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let answer = tenant.api.delete(&own).await;
    answer.expect(204);
    assert_eq!(answer.text, "");
    door_answers(&app, bare, 401).await;
    // What came through it is still there, and nothing new can be sent through it.
    let kept = tenant
        .api
        .get(&format!("/v1/messages/{message}"))
        .await
        .expect(200);
    assert_eq!(kept["provider_account"], "clinic");
    let page = tenant
        .api
        .get("/v1/callbacks?account=clinic")
        .await
        .expect(200);
    assert!(!super::ids(&page).is_empty());
    let body = json!({ "provider_account": "clinic", "client_reference": "r", "to": PHONE });
    super::assert_refused(
        &tenant.api.post("/v1/messages", body).await,
        &["/provider_account"],
    );
}

#[tokio::test]
async fn a_slug_that_the_door_just_refused_opens_once_it_has_an_account() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let bare = "/v1/callbacks/clinic/reports";
    assert_eq!(status(&app, bare).await, 401);
    tenant.account("stub", "clinic").await;
    eventually("the account opens", Duration::from_secs(3), async || {
        (status(&app, bare).await == 200).then_some(())
    })
    .await;
}
