//! Odd bodies are processed like any other, and hold up nobody.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A body of JSON is taken and processed; what became of its reports.
async fn take(app: &TestApp, tenant: &Tenant, path: &str, body: &str) -> Value {
    let answer = app.ingress.post_raw(path, &[JSON], body).await;
    let id = accepted_id(&answer);
    processed(tenant, &id).await
}

#[tokio::test]
async fn texts_that_a_database_may_choke_on_are_processed() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let long = "W".repeat(100 << 10);
    let emoji = "😊".repeat(2_000);
    let words = [
        r"DEL\u0000IVRD",
        r"\u0000",
        r"\u0001\u0007\u001b[31m",
        r"\ud83d\ude0a",
        r"\ufffe\uffff",
        r"'; DROP TABLE messages; --",
        "\u{202e}\u{200b}",
        &long,
        &emoji,
    ];
    for word in words {
        let body = format!(r#"{{"messageId":"m-1","to":"{PHONE}","status":"{word}"}}"#);
        let shown: String = word.chars().take(40).collect();
        let seen = take(&app, &tenant, CLINIC, &body).await;
        let expected = json!([{ "outcome": "unmapped", "message_id": message }]);
        assert_eq!(seen["reports"], expected, "{shown}");
    }
    let path = format!("/v1/messages/{message}");
    let found = tenant.api.get(&path).await.expect(200);
    assert_eq!(found["state"], "pending");
    let history = found["history"].as_array().unwrap();
    assert_eq!(history.len(), words.len());
    assert_eq!(history[0]["word"], "DEL\u{fffd}IVRD", "a NUL is marked");
    assert!(
        history
            .iter()
            .all(|told| told["word"].as_str().unwrap().len() <= 512)
    );
    let seen = take(&app, &tenant, CLINIC, &delivered("m-1")).await;
    assert_eq!(seen["reports"][0]["outcome"], "applied");
}

#[tokio::test]
async fn half_a_character_is_marked_and_the_rest_is_taken() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    for text in [r"\ud800", r"\udc00x", r"\ud83d\ud83d\ude0a", r"\\\ud800"] {
        let body = format!(r#"{{"messageId":"m-1","status":"{text}","{text}":"{text}"}}"#);
        let seen = take(&app, &tenant, CLINIC, &body).await;
        let expected = json!([{ "outcome": "unmapped", "message_id": message }]);
        assert_eq!(seen["reports"], expected, "{text}");
        assert_eq!(
            seen["body_base64"],
            STANDARD.encode(body),
            "kept as it came"
        );
    }
    let path = format!("/v1/messages/{message}");
    let found = tenant.api.get(&path).await.expect(200);
    let words = found["history"].as_array().unwrap().iter();
    let words: Vec<_> = words.map(|told| told["word"].as_str().unwrap()).collect();
    assert_eq!(words, ["\u{fffd}", "\u{fffd}x", "\u{fffd}😊", "\\\u{fffd}"]);
    let cut = r#"{"messageId":"i-1","from":"+1","to":"4455","text":"Asante \ud83d"}"#;
    take(&app, &tenant, "/v1/callbacks/clinic/inbound", cut).await;
}

#[tokio::test]
async fn ids_are_taken_up_to_512_bytes_and_exactly() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let longest = "é".repeat(256);
    let seen = take(&app, &tenant, CLINIC, &delivered(&longest)).await;
    assert_eq!(seen["reports"][0]["outcome"], "orphaned");
    let longer = app
        .ingress
        .post_raw(CLINIC, &[JSON], delivered(&format!("{longest}x")))
        .await;
    longer.expect_problem(422, "unrecognised");
    let nul = r#"{"messageId":"m\u0000","clientRef":"\u0000","status":"DELIVRD"}"#;
    take(&app, &tenant, CLINIC, nul).await;
    // Numbers are the digits they are written with.
    let id = tenant
        .message("clinic", "00123456789012345678901234567890", PHONE)
        .await;
    let number = r#"{"messageId":123456789012345678901234567890,"status":"DELIVRD"}"#;
    let seen = take(&app, &tenant, CLINIC, number).await;
    assert_eq!(seen["reports"][0]["outcome"], "orphaned");
    let exact = r#"{"messageId":"00123456789012345678901234567890","status":"DELIVRD"}"#;
    let seen = take(&app, &tenant, CLINIC, exact).await;
    assert_eq!(seen["reports"][0]["message_id"], id.as_str());
}

#[tokio::test]
async fn a_batch_of_two_thousand_reports_is_processed_beside_everybody_elses() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.account("orange", "orange-ci").await;
    let to = |n: u32| format!("+225070{n:07}");
    let first = tenant.message("orange-ci", "r-1", &to(0)).await;
    let last = tenant.message("orange-ci", "r-1", &to(1_999)).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let entry = |n| json!({ "address": to(n), "deliveryStatus": "DeliveredToTerminal" });
    let entries: Vec<_> = (0..2_000).map(entry).collect();
    let body =
        json!({ "deliveryInfoNotification": { "callbackData": "r-1", "deliveryInfo": entries } });
    let path = "/v1/callbacks/orange-ci/reports";
    let (batch, single) = tokio::join!(
        app.ingress.post_json(path, &body),
        app.ingress.post_raw(CLINIC, &[JSON], delivered("m-1")),
    );
    accepted_id(&single);
    tenant.wait_for_state(&message, "delivered").await;
    let seen = processed(&tenant, &accepted_id(&batch)).await;
    let reports = seen["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 2_000);
    assert_eq!(
        reports[0],
        json!({ "outcome": "applied", "message_id": first })
    );
    assert_eq!(reports[1_999]["message_id"], last.as_str());
    let orphaned = reports.iter().filter(|it| it["outcome"] == "orphaned");
    assert_eq!(orphaned.count(), 1_998);

    // The same report over and over is one.
    let same = json!({ "deliveryInfoNotification": {
        "callbackData": "r-1", "deliveryInfo": vec![entry(0); 2_000],
    }});
    let again = app.ingress.post_json(path, same).await;
    let seen = processed(&tenant, &accepted_id(&again)).await;
    let reports = seen["reports"].as_array().unwrap();
    assert!(reports.iter().all(|it| it["outcome"] == "duplicate"));
    let found = tenant
        .api
        .get(&format!("/v1/messages/{first}"))
        .await
        .expect(200);
    assert_eq!(found["history"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn odd_callbacks_among_many_good_ones_hold_up_none_of_them() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let mut messages = Vec::new();
    for n in 0..40 {
        messages.push(tenant.message("clinic", &format!("m-{n}"), PHONE).await);
    }
    let posts = (0..40).flat_map(|n| {
        let odd =
            format!(r#"{{"messageId":"\u0000{n}","to":"\u0000","status":"\u0000","part":7}}"#);
        [delivered(&format!("m-{n}")), odd]
    });
    let posts = posts.map(|body| app.ingress.post_raw(CLINIC, &[JSON], body));
    for answer in futures_util::future::join_all(posts).await {
        accepted_id(&answer);
    }
    for message in messages {
        tenant.wait_for_state(&message, "delivered").await;
    }
    let dead = counted(&app, "tidings_reports_total", &[("outcome", "dead")]).await;
    assert_eq!(whole(dead), 0);
    app.admin.get("/readyz").await.expect(200);
}
