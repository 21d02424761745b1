//! Genuine requests that were captured, and are sent again elsewhere, altered or too late.

use crate::app::SOON;
use crate::attack::scene::{
    Known, PHONE, REMOVED, SECRET, Scene, genuine, mac, provider_of, sha256_hex,
};
use crate::attack::seen::Counts;
use crate::attack::{Attack, attack};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use serde_json::json;
use testkit::raw;

#[tokio::test]
async fn what_was_captured_comes_to_nothing_elsewhere_altered_or_late() {
    let scene = Scene::set().await;
    scene.withstands(&table(&scene.known)).await;
}

#[tokio::test]
async fn what_was_captured_and_comes_again_in_time_is_the_same_callback_and_is_told() {
    let scene = Scene::set().await;
    let time = scene.known.now;
    let captured = timed("a captured request", time, &sign(time));
    let ingress = scene.app.ingress.base_url();
    let first = raw(ingress, captured.bytes()).await;
    let (_, said) = first.split_once("\r\n\r\n").unwrap();
    for _ in 0..3 {
        let again = raw(ingress, captured.bytes()).await;
        assert!(again.starts_with("HTTP/1.1 200 "), "{again}");
        assert!(again.ends_with(said), "{again}");
    }
    let callbacks = "/v1/callbacks?account=timed";
    let found = scene
        .clinic
        .api
        .get_until(
            callbacks,
            |page| page["data"][0]["receipts"] == 4 && page["data"][0]["status"] == "processed",
            SOON,
        )
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
    let counts = Counts::of(&scene.app).await;
    let replayed = r#"tidings_security_events_total{type="replayed"}"#;
    assert_eq!(counts.count(replayed), 3);
    let page = "/v1/security-events?type=replayed&account=timed";
    let is_told = |page: &serde_json::Value| page["data"][0]["count"] == 3;
    scene.clinic.api.get_until(page, is_told, SOON).await;
    let message = "/v1/messages?provider_message_id=m-1&state=delivered";
    let found = scene.clinic.api.get(message).await.expect(200);
    let history = &found["data"][0]["history"];
    assert_eq!(history.as_array().unwrap().len(), 1, "{found}");
    let events = scene.clinic.api.get("/v1/events").await.expect(200);
    let types: Vec<_> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(types, [json!("sms.delivered")]);
}

pub fn table(known: &Known) -> Vec<Attack> {
    const WRONG: &str = "invalid_signature";
    const STALE: &str = "stale_timestamp";
    let now = known.now;
    let body = genuine("stub").1;
    let altered = body.replace("DELIVRD", "UNDELIV");
    let signature = format!("sha256={}", sha256_hex(SECRET, &body));
    let removed = format!("sha256={}", sha256_hex(REMOVED, &body));
    let of = |name, account| attack(name, account).with("x-signature", &signature);
    let at = |name, time| timed(name, time, &sign(time));
    let twilio = format!("MessageSidm-1MessageStatusdeliveredTo{PHONE}");
    let twilio = format!("https://sms.example/v1/callbacks/twilio-ci/reports{twilio}");
    let twilio = STANDARD.encode(mac::<Hmac<sha1::Sha1>>(SECRET, twilio));
    let vonage = "&messageId=m-1&msisdn=254700000001&status=delivered&timestamp=1";
    let vonage = sha256_hex(SECRET, vonage);
    let form = genuine(provider_of("vonage-ci")).1;
    vec![
        at("a time just over the tolerance", now - 301).refused(STALE),
        at("a time that is ahead of the tolerance", now + 310).refused(STALE),
        at("a time of yesterday", now - 86_400).refused(STALE),
        at("a time of the epoch", 0).refused(STALE),
        at("a time before the epoch", -1).refused(WRONG),
        at("a time in milliseconds", now * 1_000).refused(WRONG),
        at("a time at the end of all times", i64::MAX).refused(WRONG),
        timed("an old signature with a fresh time", now, &sign(now - 400)).refused(WRONG),
        timed("a fresh signature with an old time", now - 400, &sign(now)).refused(WRONG),
        timed("a fresh time with an altered body", now, &sign(now))
            .body(&*altered)
            .refused(WRONG),
        timed("a fresh time with a body of one byte less", now, &sign(now))
            .body(&body[..body.len() - 1])
            .refused(WRONG),
        timed(
            "a time that takes a digit of the body",
            now / 10,
            &sign(now),
        )
        .refused(WRONG),
        attack("a request from before the secret was rotated", "rotated")
            .with("x-signature", removed)
            .refused(WRONG),
        of("a captured signature with an altered body", "signed")
            .body(&*altered)
            .refused(WRONG),
        of(
            "a captured signature with a space behind the body",
            "signed",
        )
        .body(format!("{body} "))
        .refused(WRONG),
        of("a captured report at the address for inbound", "signed")
            .to("/v1/callbacks/signed/inbound")
            .unrecognised(),
        of(
            "a captured report at a kind that there is not here",
            "signed",
        )
        .to("/v1/callbacks/signed/subscriptions")
        .refused("unknown_account"),
        of("a captured request at another tenant's account", "rival").refused(WRONG),
        of("a captured request at an account with a time", "timed")
            .with("x-timestamp", now.to_string())
            .refused(WRONG),
        of("a captured request at an account with a token", "both").refused("invalid_token"),
        of("a captured request at an account that was deleted", "gone").refused("unknown_account"),
        of("a captured request by get", "signed")
            .method("GET")
            .to("/v1/callbacks/signed/reports?messageId=m-2")
            .not_taken(405, "method_not_allowed"),
        attack("a captured request of twilio at another url", "twilio-ci")
            .to("/v1/callbacks/twilio-ci/inbound")
            .with("x-twilio-signature", &twilio)
            .refused(WRONG),
        attack("a captured request of twilio with a query", "twilio-ci")
            .to("/v1/callbacks/twilio-ci/reports?x=1")
            .with("x-twilio-signature", &twilio)
            .refused(WRONG),
        attack(
            "a captured request of vonage with another time",
            "vonage-ci",
        )
        .body(format!("{form}&timestamp=2&sig={vonage}"))
        .refused(WRONG),
        attack("a captured request of vonage without its time", "vonage-ci")
            .body(format!("{form}&sig={vonage}"))
            .refused(WRONG),
    ]
}

/// The report at the account `timed`.
fn timed(name: &'static str, time: i64, signature: &str) -> Attack {
    attack(name, "timed")
        .with("x-signature", signature)
        .with("x-timestamp", time.to_string())
}

/// What the provider signs at a time.
fn sign(time: i64) -> String {
    sha256_hex(SECRET, format!("{time}.{}", genuine("stub").1))
}
