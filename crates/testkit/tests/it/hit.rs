use standardwebhooks::Webhook;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings_testkit::{Endpoint, Hit, Ingress};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "evt_01h455vb4pex5vsknk084sn02q";
const BODY: &str = r#"{"id":"evt_01h455vb4pex5vsknk084sn02q","type":"sms.delivered"}"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the verifier compares with the clock of the machine"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn sign(secret: &str, at: i64) -> String {
    let webhook = Webhook::new(secret).unwrap();
    webhook.sign(ID, at, BODY.as_bytes()).unwrap()
}

/// What an endpoint sees of a webhook with these headers and this body.
async fn received(headers: &[(&str, &str)], body: &str) -> Hit {
    let endpoint = Endpoint::start().await;
    Ingress::new(&endpoint.url(""))
        .post_raw("/hook", headers, body)
        .await;
    endpoint.hits().remove(0)
}

async fn signed(signature: &str, at: i64, body: &str) -> Hit {
    let at = at.to_string();
    let headers = [
        ("webhook-id", ID),
        ("webhook-timestamp", at.as_str()),
        ("webhook-signature", signature),
    ];
    received(&headers, body).await
}

#[tokio::test]
async fn a_genuine_signature_verifies() {
    let at = now();
    let hit = signed(&sign(SECRET, at), at, BODY).await;
    assert_eq!(hit.verify(SECRET), Ok(()));
    assert_eq!((hit.webhook_id(), hit.webhook_timestamp()), (ID, at));
}

#[tokio::test]
async fn one_of_several_signatures_is_enough() {
    let at = now();
    let other = sign("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", at);
    let both = format!("{other} {}", sign(SECRET, at));
    assert_eq!(signed(&both, at, BODY).await.verify(SECRET), Ok(()));
    assert!(signed(&other, at, BODY).await.verify(SECRET).is_err());
}

#[tokio::test]
async fn whatever_was_tampered_with_does_not_verify() {
    let at = now();
    let signature = sign(SECRET, at);
    let tampered = [
        signed(&signature, at, &BODY.replace("delivered", "failed")).await,
        signed(&signature, at + 1, BODY).await,
        signed(&sign(SECRET, at - 600), at - 600, BODY).await,
        signed("v1,", at, BODY).await,
    ];
    for hit in tampered {
        assert!(hit.verify(SECRET).is_err(), "{hit}");
    }
}

#[tokio::test]
async fn a_signed_header_that_is_missing_or_repeated_does_not_verify() {
    let at = now();
    let (signature, at) = (sign(SECRET, at), at.to_string());
    let headers = [
        ("webhook-id", ID),
        ("webhook-timestamp", at.as_str()),
        ("webhook-signature", signature.as_str()),
        ("webhook-id", ID),
    ];
    assert_eq!(received(&headers[..3], BODY).await.verify(SECRET), Ok(()));
    let missing = received(&headers[..2], BODY).await.verify(SECRET);
    assert_eq!(missing, Err("no webhook-signature".to_owned()));
    let repeated = received(&headers, BODY).await.verify(SECRET);
    assert_eq!(repeated, Err("more than one webhook-id".to_owned()));
}
