//! The accounts that are attacked: by what they believe a request, and what their providers send.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use testkit::providers::{africastalking_report, orange_report, stub_report};

pub const PHONE: &str = "+254700000001";
/// Of the accounts that sign.
pub const SECRET: &str = "the-secret-of-the-clinic";
/// What the account `rotated` signed with before.
pub const REMOVED: &str = "a-secret-that-was-removed";
pub const RIVALS_SECRET: &str = "the-secret-of-the-rival";
pub const KEY: &str = "an-api-key-0123456789";
/// Where Twilio believes the account to be.
pub const PUBLIC_URL: &str = "https://sms.example";

/// Slugs, and whose callbacks they take. Every one has a message `m-1`.
pub const ACCOUNTS: [(&str, &str); 15] = [
    ("open", "stub"),
    ("signed", "stub"),
    ("coded", "stub"),
    ("timed", "stub"),
    ("rotated", "stub"),
    ("key", "stub"),
    ("token", "stub"),
    ("both", "stub"),
    ("guarded", "stub"),
    ("elsewhere", "stub"),
    ("gateway", "jasmin"),
    ("at", "africastalking"),
    ("orange-ci", "orange"),
    ("twilio-ci", "twilio"),
    ("vonage-ci", "vonage"),
];

/// The provider by which attacks on an account are counted, once it was looked up.
pub fn provider_of(account: &str) -> &'static str {
    match account {
        "rival" => "stub",
        "africastalking" => "africastalking",
        _ => ACCOUNTS
            .iter()
            .find(|(slug, _)| *slug == account)
            .map_or("unknown", |(_, provider)| provider),
    }
}

/// The content type and the body of a provider's report that the message `m-1` was delivered.
pub fn genuine(provider: &str) -> (&'static str, String) {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    match provider {
        "africastalking" => (FORM, africastalking_report("m-1", "Success", PHONE, &[])),
        "jasmin" => (FORM, "id=m-1&message_status=DELIVRD&dlvrd=1".to_owned()),
        "orange" => (JSON, orange_report("m-1", PHONE, "DeliveredToTerminal")),
        "twilio" => (
            FORM,
            "MessageSid=m-1&MessageStatus=delivered&To=%2B254700000001".to_owned(),
        ),
        "vonage" => (
            FORM,
            "messageId=m-1&msisdn=254700000001&status=delivered".to_owned(),
        ),
        _ => (JSON, stub_report("m-1", "DELIVRD", PHONE, None)),
    }
}

/// What the callbacks of an account must show.
pub fn checks(slug: &str) -> Value {
    let hmac = |secret: &str| {
        json!({
            "type": "hmac", "secret": secret, "algorithm": "sha256", "encoding": "hex",
            "header": "X-Signature", "prefix": "sha256=",
        })
    };
    let addresses = |cidrs: &[&str]| json!({ "type": "ip_allowlist", "cidrs": cidrs });
    let token = json!({ "type": "token" });
    match slug {
        "signed" => json!([hmac(SECRET)]),
        "rotated" => json!([hmac(REMOVED)]),
        "rival" => json!([hmac(RIVALS_SECRET)]),
        "coded" => json!([{
            "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "base64",
            "header": "X-Signature",
        }]),
        "timed" => json!([{
            "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
            "header": "X-Signature", "signed": "timestamp.body", "timestamp_header": "X-Timestamp",
        }]),
        "key" => json!([{ "type": "api_key", "header": "X-Api-Key", "key": KEY }]),
        "gateway" => json!([{ "type": "basic", "username": "jasmin", "password": SECRET }]),
        "token" => json!([token]),
        "both" => json!([token, hmac(SECRET)]),
        "guarded" => json!([addresses(&["127.0.0.0/8"]), hmac(SECRET)]),
        "elsewhere" => json!([addresses(&["203.0.113.0/24", "2001:db8::/32"])]),
        "twilio-ci" => {
            json!([{ "type": "twilio", "auth_token": SECRET, "public_url": PUBLIC_URL }])
        }
        "vonage-ci" => json!([{ "type": "vonage", "secret": SECRET, "method": "sha256" }]),
        _ => json!([addresses(&["127.0.0.0/8"])]),
    }
}

/// The MAC of an algorithm.
pub fn mac<A: Mac + KeyInit>(secret: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut mac = <A as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(content.as_ref());
    mac.finalize().into_bytes().to_vec()
}

/// As most accounts here sign.
pub fn sha256_hex(secret: &str, content: impl AsRef<[u8]>) -> String {
    hex::encode(mac::<Hmac<sha2::Sha256>>(secret, content))
}
