//! `status_api` and `silence` of a provider account.

use super::{KEY, Scene, account};
use crate::app::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn how_a_provider_is_asked_is_shown_without_its_secrets_and_kept_when_these_are_left_out() {
    let scene = Scene::new().await;
    let api = &scene.tenant.api;
    let list = api.get("/v1/provider-accounts").await;
    assert!(!list.text.contains(KEY), "{}", list.text);
    let shown = list.expect(200)["data"][0].clone();
    let url = scene.provider.url("");
    assert_eq!(
        shown["status_api"],
        json!({ "base_url": url, "per_second": 5 })
    );
    let usual = json!({ "state": "unknown", "after_seconds": null });
    assert_eq!(shown["silence"], usual);

    // The secret is kept for the same place, and for no other: its owner cannot be asked to send it elsewhere.
    let own = format!("/v1/provider-accounts/{}", shown["id"].as_str().unwrap());
    let mut faster = account(
        "clinic",
        json!({ "base_url": format!("{url}/"), "per_second": 20 }),
    );
    faster["silence"] = json!({ "state": "expired", "after_seconds": 7_200 });
    let changed = api.put(&own, &faster).await;
    assert!(!changed.text.contains(KEY), "{}", changed.text);
    let changed = changed.expect(200);
    assert_eq!(
        changed["status_api"],
        json!({ "base_url": url, "per_second": 20 })
    );
    assert_eq!(changed["silence"], faster["silence"]);
    let elsewhere = account(
        "clinic",
        json!({ "base_url": scene.provider.url("/elsewhere") }),
    );
    let refused = api.put(&own, elsewhere).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/status_api/key");
    scene.knows(&[("m-1", "DELIVRD")]);
    let message = scene.tenant.message("clinic", "m-1", super::PHONE).await;
    let path = format!("/v1/messages/{message}/poll");
    api.post(&path, json!({})).await.expect(202);
    let asked = scene.asked(1).await;
    let bearer = format!("Bearer {KEY}");
    assert_eq!(asked[0].header("authorization"), Some(&*bearer));

    // A replacement without it asks nobody any more.
    let mut none = account("clinic", Value::Null);
    none.as_object_mut().unwrap().remove("status_api");
    let changed = api.put(&own, none).await.expect(200);
    assert_eq!(
        (&changed["status_api"], &changed["silence"]),
        (&Value::Null, &usual)
    );
    assert!(!scene.app.store_holds(KEY).await);
}

#[tokio::test]
async fn what_is_wrong_with_it_is_said_where_it_is_wrong() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let url = "https://sms.example.org";
    let long = "x".repeat(513);
    for (status_api, pointer) in [
        (json!({ "key": KEY }), "/status_api/base_url"),
        (json!({ "base_url": url }), "/status_api/key"),
        (json!({ "base_url": url, "key": "" }), "/status_api/key"),
        (json!({ "base_url": url, "key": long }), "/status_api/key"),
        (json!({ "base_url": url, "key": "a\nb" }), "/status_api/key"),
        (json!({ "base_url": url, "key": 5 }), "/status_api/key"),
        (
            json!({ "base_url": url, "key": KEY, "user": "x" }),
            "/status_api/user",
        ),
        (
            json!({ "base_url": url, "key": KEY, "per_second": 0 }),
            "/status_api/per_second",
        ),
        (
            json!({ "base_url": url, "key": KEY, "per_second": 101 }),
            "/status_api/per_second",
        ),
        (
            json!({ "base_url": url, "key": KEY, "per_second": 1.5 }),
            "/status_api/per_second",
        ),
        (
            json!({ "base_url": "ftp://sms.example.org", "key": KEY }),
            "/status_api/base_url",
        ),
        (
            json!({ "base_url": "https://a:b@sms.example.org", "key": KEY }),
            "/status_api/base_url",
        ),
        (
            json!({ "base_url": "https://sms.example.org/?a", "key": KEY }),
            "/status_api/base_url",
        ),
        (
            json!({ "base_url": "http://10.0.0.1", "key": KEY }),
            "/status_api/base_url",
        ),
        (
            json!({ "base_url": "http://169.254.169.254", "key": KEY }),
            "/status_api/base_url",
        ),
        (
            json!({ "base_url": "", "key": KEY }),
            "/status_api/base_url",
        ),
        (json!({ "base_url": 7, "key": KEY }), "/status_api/base_url"),
        (json!([]), "/status_api"),
        (json!("on"), "/status_api"),
    ] {
        let body = account("clinic", status_api);
        let refused = tenant
            .api
            .post("/v1/provider-accounts", &body)
            .await
            .expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        assert!(!refused.to_string().contains(KEY), "{refused}");
    }
    for (silence, pointer) in [
        (json!({ "state": "delivered" }), "/silence/state"),
        (json!({}), "/silence/state"),
        (
            json!({ "state": "expired", "after_seconds": 59 }),
            "/silence/after_seconds",
        ),
        (
            json!({ "state": "expired", "after_seconds": 2_592_001 }),
            "/silence/after_seconds",
        ),
        (json!({ "state": "expired", "after": 60 }), "/silence/after"),
    ] {
        let mut body = account("clinic", Value::Null);
        body["silence"] = silence;
        let refused = tenant
            .api
            .post("/v1/provider-accounts", &body)
            .await
            .expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let mut kannel = account("clinic", json!({ "base_url": url, "key": KEY }));
    kannel["provider"] = json!("kannel");
    let refused = tenant
        .api
        .post("/v1/provider-accounts", &kannel)
        .await
        .expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/status_api");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("kannel has no API")
    );
    kannel["status_api"] = Value::Null;
    let made = tenant
        .api
        .post("/v1/provider-accounts", &kannel)
        .await
        .expect(201);
    assert_eq!(made["status_api"], Value::Null);
}

#[tokio::test]
async fn a_token_url_is_judged_and_a_kept_secret_does_not_follow_it_elsewhere() {
    let scene = Scene::new().await;
    let api = &scene.tenant.api;
    let body = |token_url: Value, secret: Value| {
        let base_url = scene.provider.url("/one-api");
        let mut body = account(
            "orange-1",
            json!({ "base_url": base_url, "client_id": "me", "token_url": token_url }),
        );
        body["provider"] = json!("orange");
        if !secret.is_null() {
            body["status_api"]["client_secret"] = secret;
        }
        body
    };
    for url in [
        "ftp://auth.example.org",
        "http://169.254.169.254/token",
        "token",
    ] {
        let body = body(json!(url), json!(KEY));
        let refused = api.post("/v1/provider-accounts", body).await;
        let refused = refused.expect_problem(422, "url_not_allowed");
        assert_eq!(refused["errors"][0]["pointer"], "/status_api/token_url");
    }
    let url = scene.provider.url("/token");
    let made = api
        .post("/v1/provider-accounts", body(json!(url), json!(KEY)))
        .await
        .expect(201);
    assert_eq!(made["status_api"]["token_url"], url.as_str());
    let own = format!("/v1/provider-accounts/{}", made["id"].as_str().unwrap());
    api.put(&own, body(json!(url), Value::Null))
        .await
        .expect(200);
    for elsewhere in [json!(scene.provider.url("/other")), Value::Null] {
        let refused = api
            .put(&own, body(elsewhere, Value::Null))
            .await
            .expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/status_api/client_secret");
    }
}
