//! Signatures of every form a provider may use.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::time::Duration;

const NEW: &str = "the new secret, 0123456789";
const OLD: &str = "the old secret, 0123456789";

fn mac(algorithm: &str, secret: &str, content: &str) -> Vec<u8> {
    fn with<M: Mac + KeyInit>(secret: &str, content: &str) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(content.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        "sha256" => with::<Hmac<Sha256>>(secret, content),
        "sha512" => with::<Hmac<Sha512>>(secret, content),
        "sha1" => with::<Hmac<Sha1>>(secret, content),
        "md5" => with::<Hmac<Md5>>(secret, content),
        other => panic!("no algorithm is called {other}"),
    }
}

fn encoded(encoding: &str, mac: &[u8]) -> String {
    match encoding {
        "hex" => hex::encode(mac),
        _ => STANDARD.encode(mac),
    }
}

#[tokio::test]
async fn every_algorithm_encoding_and_form_is_believed_with_either_secret() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = delivered("m-1");
    let changed = body.replace("m-1", "m-2");
    let mut taken = Vec::new();
    for algorithm in ["sha256", "sha512", "sha1", "md5"] {
        for encoding in ["hex", "base64"] {
            for signed in ["body", "timestamp.body"] {
                let slug = format!("{algorithm}-{encoding}-{}", signed.len());
                let mut check = json!({
                    "type": "hmac", "secrets": [NEW, OLD], "algorithm": algorithm,
                    "encoding": encoding, "header": "X-Signature", "signed": signed,
                });
                if signed != "body" {
                    check["timestamp_header"] = "X-Time".into();
                }
                tenant.account_with("stub", &slug, json!([check])).await;
                let path = format!("/v1/callbacks/{slug}/reports");
                let time = app.clock.now().as_seconds().to_string();
                let content = match signed {
                    "body" => body.clone(),
                    _ => format!("{time}.{body}"),
                };
                let sign = |secret| encoded(encoding, &mac(algorithm, secret, &content));
                let send = async |signature: &str, body: &str| {
                    let headers = [JSON, ("x-signature", signature), ("x-time", &time)];
                    app.ingress.post_raw(&path, &headers, body).await
                };
                let id = accepted_id(&send(&sign(NEW), &body).await);
                assert_eq!(accepted_id(&send(&sign(OLD), &body).await), id, "{slug}");
                let upper = send(&sign(NEW).to_uppercase(), &body).await;
                upper.expect(if encoding == "hex" { 200 } else { 401 });
                send(&sign(NEW), &changed).await.expect(401);
                send(&sign("another secret, 0123456"), &body)
                    .await
                    .expect(401);
                send(sign(NEW).trim_end_matches('=').get(1..).unwrap(), &body)
                    .await
                    .expect(401);
                taken.push(id);
            }
        }
    }
    assert_only(&tenant, &taken).await;
    let seen = processed(&tenant, &taken[0]).await;
    assert_eq!(seen["signature_checked"], true);
}

#[tokio::test]
async fn a_signed_request_is_good_for_its_tolerance_and_no_longer() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let check = json!({
        "type": "hmac", "secret": NEW, "algorithm": "sha256", "encoding": "hex", "header": "S",
        "signed": "timestamp.body", "timestamp_header": "T", "tolerance_seconds": 600,
    });
    tenant.account_with("stub", "clinic", json!([check])).await;
    // The times in the report are of yesterday and of next year: they are no request's time.
    let body = stub_report("m-1", "DELIVRD", PHONE, Some("2019-01-01T00:00:00Z"));
    let send = async |time: i64| {
        let time = time.to_string();
        let signature = encoded("hex", &mac("sha256", NEW, &format!("{time}.{body}")));
        let headers = [JSON, ("s", &*signature), ("t", &*time)];
        app.ingress.post_raw(CLINIC, &headers, &*body).await
    };
    let signed_at = app.clock.now().as_seconds();
    let id = accepted_id(&send(signed_at).await);
    app.clock.advance(Duration::from_secs(595));
    assert_eq!(accepted_id(&send(signed_at).await), id, "just in time");
    app.clock.advance(Duration::from_secs(7));
    send(signed_at).await.expect_problem(401, "unauthorized");
    assert_eq!(security_events(&app, "stale_timestamp").await, 1);
    let now = app.clock.now().as_seconds();
    assert_eq!(accepted_id(&send(now + 600).await), id, "a fast clock");
    send(now + 605).await.expect_problem(401, "unauthorized");
    assert_eq!(security_events(&app, "stale_timestamp").await, 2);
}

#[tokio::test]
async fn the_signature_of_twilio_is_over_the_public_url_and_every_field() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let check = json!([{ "type": "twilio", "auth_token": NEW }]);
    let proxied =
        json!([{ "type": "twilio", "auth_token": NEW, "public_url": "https://sms.example" }]);
    tenant.account_with("twilio", "direct", check).await;
    tenant.account_with("twilio", "proxied", proxied).await;
    let body = "MessageStatus=delivered&MessageSid=SM1&To=%2B254700000001";
    let sign = |url: &str| {
        let fields = "MessageSidSM1MessageStatusdeliveredTo+254700000001";
        STANDARD.encode(mac("sha1", NEW, &format!("{url}{fields}")))
    };
    for (slug, base) in [
        ("direct", app.ingress.base_url().to_owned()),
        ("proxied", "https://sms.example".to_owned()),
    ] {
        let path = format!("/v1/callbacks/{slug}/reports?from=here");
        let signature = sign(&format!("{base}{path}"));
        let headers = [FORM, ("x-twilio-signature", signature.as_str())];
        let post = async |path: &str, body: &str| app.ingress.post_raw(path, &headers, body).await;
        accepted_id(&post(&path, body).await);
        let elsewhere = format!("/v1/callbacks/{slug}/reports?from=there");
        post(&elsewhere, body)
            .await
            .expect_problem(401, "unauthorized");
        let more = format!("{body}&ErrorCode=30005");
        post(&path, &more).await.expect_problem(401, "unauthorized");
        let bare = app.ingress.post_raw(&path, &[FORM], body).await;
        bare.expect_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn the_signature_of_vonage_is_over_what_is_read_wherever_it_stands() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let check = json!([{ "type": "vonage", "secret": NEW, "method": "sha256" }]);
    tenant.account_with("vonage", "clinic-vonage", check).await;
    let sig = hex::encode(mac(
        "sha256",
        NEW,
        "&messageId=m-1&msisdn=254700000001&status=delivered",
    ));
    let query = format!("messageId=m-1&msisdn=254700000001&status=delivered&sig={sig}");
    let json =
        json!({ "messageId": "m-1", "msisdn": "254700000001", "status": "delivered", "sig": sig });
    let path = "/v1/callbacks/clinic-vonage/reports";
    let called = format!("{path}?{query}");
    accepted_id(&app.ingress.request("GET", &called, &[], "").await);
    accepted_id(&app.ingress.post_form(path, query.as_str()).await);
    accepted_id(&app.ingress.post_json(path, &json).await);
    // A signed query does not vouch for a body.
    let forged = r#"{"messageId":"m-2","msisdn":"254700000001","status":"failed"}"#;
    let answer = app.ingress.post_raw(&called, &[JSON], forged).await;
    answer.expect_problem(401, "unauthorized");
    let changed = called.replace("delivered", "failed");
    let answer = app.ingress.request("GET", &changed, &[], "").await;
    answer.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_user_name_and_a_password_open_the_door_and_are_kept_nowhere() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let check = json!([{ "type": "basic", "username": "jasmin", "password": NEW }]);
    tenant.account_with("jasmin", "gateway", check).await;
    let path = "/v1/callbacks/gateway/reports";
    let body = "id=1&message_status=DELIVRD";
    let post = async |credentials: &str| {
        let value = format!("Basic {}", STANDARD.encode(credentials));
        let headers = [FORM, ("authorization", value.as_str())];
        app.ingress.post_raw(path, &headers, body).await
    };
    let answer = post(&format!("jasmin:{NEW}")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "ACK/Jasmin"));
    for wrong in [
        format!("jasmin:{OLD}"),
        format!("kannel:{NEW}"),
        "jasmin".to_owned(),
    ] {
        post(&wrong).await.expect_problem(401, "unauthorized");
    }
    let id = answer.header("x-tidings-callback-id").unwrap();
    let kept = processed(&tenant, id).await;
    assert_eq!(
        kept["headers"]["authorization"],
        json!(["[hidden]"]),
        "{kept}"
    );
}

#[tokio::test]
async fn the_body_of_a_get_vouches_for_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let check = json!([{ "type": "hmac", "secret": NEW, "algorithm": "sha256", "encoding": "hex", "header": "X-Signature" }]);
    tenant.account_with("kannel", "gateway", check).await;
    let (genuine, forged) = ("id=1&status=4", "id=1&status=1");
    let signature = hex::encode(mac("sha256", NEW, genuine));
    let headers = [FORM, ("x-signature", signature.as_str())];
    let path = "/v1/callbacks/gateway/reports";
    accepted_id(&app.ingress.post_raw(path, &headers, genuine).await);
    let answer = app
        .ingress
        .request("GET", &format!("{path}?{forged}"), &headers, genuine)
        .await;
    answer.expect_problem(401, "unauthorized");
    let answer = app
        .ingress
        .request("GET", &format!("{path}?{genuine}"), &headers, "")
        .await;
    accepted_id(&answer);
}
