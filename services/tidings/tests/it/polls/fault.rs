//! Providers that cannot be asked, or answer what they should not.

use super::{FIRST, KEY, PHONE, Scene, account, known};
use crate::app::SOON;
use serde_json::json;
use std::time::Duration;
use testkit::{Hit, Reply};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn while_a_provider_fails_its_messages_stay_young_and_it_is_left_alone() {
    let scene = Scene::new().await;
    scene.provider.answer_at("/status", 503);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    for failures in 1..=3 {
        scene.app.clock.advance(FIRST);
        scene.asked(failures).await;
    }
    // The breaker is open: another message is not asked about, though it is due.
    let other = scene.tenant.message("clinic", "m-2", PHONE).await;
    let path = format!("/v1/messages/{other}/poll");
    scene.tenant.api.post(&path, json!({})).await.expect(202);
    scene.is_not_asked().await;

    for _ in 0..3 {
        let before = scene.provider.hits().len();
        scene.app.clock.advance(Duration::from_hours(24));
        scene.asked(before + 1).await;
    }
    assert_eq!(scene.find(&message).await["state"], "pending");
    // It answers again, and the message is as young as it was.
    scene.knows(&[("m-1", "ENROUTE"), ("m-2", "DELIVRD")]);
    scene.app.clock.advance(FIRST);
    scene.tenant.wait_for_state(&other, "delivered").await;
    scene.app.clock.advance(FIRST);
    scene.tenant.wait_for_state(&message, "sent").await;
}

#[tokio::test]
async fn a_provider_that_refuses_the_credentials_is_asked_every_five_minutes_or_when_they_change() {
    let scene = Scene::new().await;
    scene.provider.answer_at("/status", 401);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    scene.app.clock.advance(FIRST);
    scene.asked(1).await;
    scene.app.clock.advance(Duration::from_secs(200));
    scene.is_not_asked().await;
    scene.app.clock.advance(Duration::from_secs(101));
    scene.asked(2).await;
    let ready = scene.app.admin.get("/readyz").await;
    ready.expect(200);

    scene.knows(&[("m-1", "DELIVRD")]);
    let list = scene
        .tenant
        .api
        .get("/v1/provider-accounts")
        .await
        .expect(200);
    let own = format!(
        "/v1/provider-accounts/{}",
        list["data"][0]["id"].as_str().unwrap()
    );
    let better = json!({ "base_url": scene.provider.url(""), "key": "a-better-key" });
    let changed = account("clinic", better);
    scene.tenant.api.put(&own, changed).await.expect(200);
    scene.tenant.wait_for_state(&message, "delivered").await;
    let asked = scene.asked(3).await;
    assert_eq!(
        asked[2].header("authorization"),
        Some("Bearer a-better-key")
    );
}

#[tokio::test]
async fn a_provider_that_asks_us_to_slow_down_is_left_alone_for_as_long() {
    let scene = Scene::new().await;
    let slow = Reply::with(429, &[("retry-after", "600")], "");
    scene.provider.answer_at("/status", slow);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    scene.app.clock.advance(FIRST);
    scene.asked(1).await;
    scene.knows(&[("m-1", "DELIVRD")]);
    scene.app.clock.advance(Duration::from_secs(550));
    scene.is_not_asked().await;
    scene.app.clock.advance(Duration::from_mins(1));
    scene.tenant.wait_for_state(&message, "delivered").await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_right_changes_nothing_and_holds_no_other_account_up() {
    let scene = Scene::new().await;
    let html = Reply::with(
        200,
        &[("content-type", "text/html")],
        "<html>Please log in</html>",
    );
    let huge = Reply::with(200, &[JSON], vec![b' '; 2 * 1024 * 1024]);
    let endless = json!({ "messages": [], "next": "again" }).to_string();
    let stranger = json!({ "messages": [
        { "messageId": "m-9", "status": "DELIVRD", "to": PHONE },
        { "messageId": "m-1", "status": "DELIVRD", "to": "+254700000009" },
    ] });
    let twice = r#"{"messages":[{"messageId":"m-1","status":"SENT","status":"DELIVRD"}]}"#;
    let cases = [
        ("html", html, 1),
        ("huge", huge, 1),
        ("endless", Reply::with(200, &[JSON], endless), 20),
        (
            "stranger",
            Reply::with(200, &[JSON], stranger.to_string()),
            1,
        ),
        ("twice", Reply::with(200, &[JSON], twice), 1),
        (
            "redirect",
            Reply::with(302, &[("location", "/good/status")], ""),
            1,
        ),
        ("closed", Reply::Close, 1),
    ];
    let mut messages = Vec::new();
    for (name, reply, _) in &cases {
        scene
            .provider
            .answer_at(&format!("/{name}/status"), reply.clone());
        let more = json!({ "environment": "test" });
        scene.account(name, &format!("/{name}"), more).await;
        messages.push(scene.tenant.message(name, "m-1", PHONE).await);
    }
    scene
        .provider
        .answer_at("/status", known(&[("good", "DELIVRD")]));
    let good = scene.tenant.message("clinic", "good", PHONE).await;
    scene.app.clock.advance(FIRST);
    scene.tenant.wait_for_state(&good, "delivered").await;
    for (name, _, requests) in &cases {
        let path = format!("/{name}/status");
        let of_it = |hit: &&Hit| hit.path.starts_with(&path);
        let is_asked = |hits: &[Hit]| hits.iter().filter(of_it).count() == *requests;
        scene.provider.wait_until(is_asked, SOON).await;
    }
    scene.is_not_asked().await;
    for message in messages {
        assert_eq!(scene.find(&message).await["state"], "pending");
    }
    let callbacks = scene.tenant.api.get("/v1/callbacks").await.expect(200);
    assert_eq!(
        callbacks["data"].as_array().unwrap().len(),
        1,
        "the good one"
    );
}

#[tokio::test]
async fn an_address_that_is_forbidden_now_is_not_connected_to() {
    let mut scene = Scene::new().await;
    scene.knows(&[("m-1", "DELIVRD")]);
    scene.tenant.message("clinic", "m-1", PHONE).await;
    scene
        .app
        .set("TIDINGS_EGRESS__ALLOW_NETWORKS", "10.0.0.0/8");
    scene.app.restart().await;
    scene.tenant = scene.app.again(&scene.tenant);
    scene.app.clock.advance(FIRST);
    let told = r#"tidings_polls_total{outcome="unavailable",provider="stub"} 1"#;
    testkit::eventually("it was tried", SOON, async || {
        let metrics = scene.app.admin.get("/metrics").await.text;
        metrics.contains(told).then_some(())
    })
    .await;
    assert_eq!(scene.provider.connections(), 0);
    // Nor can such an address be given.
    let body = account(
        "other",
        json!({ "base_url": scene.provider.url(""), "key": KEY }),
    );
    let refused = scene
        .tenant
        .api
        .post("/v1/provider-accounts", body)
        .await
        .expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/status_api/base_url");
}
