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
