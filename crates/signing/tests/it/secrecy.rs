//! The stored form, the API's view, and what is never shown.

use crate::{Request, TOKEN, accepted};
use serde_json::{Value, json};
use tidings_signing::Error;
use tidings_signing::checks::{Checks, Secret};

const NEW: &str = "NEW-secret-of-the-provider";
const OLD: &str = "OLD-secret-of-the-provider";
const KEY: &str = "KEY-of-the-provider";

fn everything() -> Value {
    json!([
        {"type": "hmac", "secrets": [NEW, OLD], "algorithm": "sha512", "encoding": "base64",
         "header": "X-Signature", "prefix": "v1=", "signed": "timestamp.body",
         "timestamp_header": "X-Timestamp", "tolerance_seconds": 60},
        {"type": "token"},
        {"type": "api_key", "header": "X-Api-Key", "key": KEY},
        {"type": "ip_allowlist", "cidrs": ["203.0.113.0/24", "::ffff:198.51.100.0/120"]},
        {"type": "hmac", "secret": OLD, "algorithm": "md5", "encoding": "hex", "header": "X-Old",
         "tolerance_seconds": 60},
        {"type": "basic", "username": "provider", "password": KEY},
        {"type": "twilio", "auth_token": NEW, "public_url": "https://hooks.example.org/sms"},
        {"type": "vonage", "secret": OLD, "method": "md5hash"},
    ])
}

fn secrets_in(text: &str) -> bool {
    [NEW, OLD, KEY, TOKEN]
        .iter()
        .any(|secret| text.contains(secret))
}

#[test]
fn the_view_has_everything_but_the_secrets() {
    let view = accepted(&everything()).redacted();
    assert!(!secrets_in(&view.to_string()));
    let expected = json!([
        {"type": "hmac", "secret_count": 2, "algorithm": "sha512", "encoding": "base64",
         "header": "x-signature", "prefix": "v1=", "signed": "timestamp.body",
         "timestamp_header": "x-timestamp", "tolerance_seconds": 60},
        {"type": "token"},
        {"type": "api_key", "header": "x-api-key"},
        {"type": "ip_allowlist", "cidrs": ["203.0.113.0/24", "198.51.100.0/24"], "allow_any": false},
        {"type": "hmac", "secret_count": 1, "algorithm": "md5", "encoding": "hex", "header": "x-old",
         "signed": "body"},
        {"type": "basic", "username": "provider"},
        {"type": "twilio", "public_url": "https://hooks.example.org/sms"},
        {"type": "vonage", "method": "md5hash"},
    ]);
    assert_eq!(view, expected);
}

#[test]
fn debug_shows_no_secret() {
    let checks = accepted(&everything());
    assert!(!secrets_in(&format!("{checks:?} {checks:#?}")));
    let specs = Checks::parse_specs(&everything()).unwrap();
    assert!(!secrets_in(&format!("{specs:?} {specs:#?}")));
    assert_eq!(format!("{:?}", Secret::from(KEY)), "***");
}

#[test]
fn the_stored_form_reads_back_as_the_same_checks() {
    for list in [
        everything(),
        json!([{"type": "token"}]),
        json!([everything()[2]]),
        json!([{"type": "twilio", "auth_token": NEW}]),
        json!([{"type": "vonage", "secret": OLD, "method": "sha512"}]),
    ] {
        let checks = accepted(&list);
        let stored = checks.to_json();
        let read = Checks::from_json(&stored).unwrap();
        assert_eq!(read.to_json(), stored);
        assert_eq!(read.redacted(), checks.redacted());
        assert_eq!(read.token(), checks.token());
        assert_eq!(read.is_signed(), checks.is_signed());
    }
    let mut request = Request::new(b"").with("x-api-key", KEY);
    let checks = accepted(&json!([everything()[2], {"type": "token"}]));
    let read = Checks::from_json(&checks.to_json()).unwrap();
    assert!(request.verified_by(&read).is_err());
    request.token = Some(TOKEN);
    assert_eq!(request.verified_by(&read), Ok(()));
}

#[test]
fn a_stored_form_that_is_not_whole_is_refused_and_not_quoted() {
    let key = json!({"type": "api_key", "header": "x-api-key", "key": KEY});
    let token = json!({"type": "token"});
    for stored in [
        json!({"version": 2, "token": null, "checks": [key]}),
        json!({"version": 1, "token": null, "checks": []}),
        json!({"version": 1, "token": null, "checks": null}),
        json!({"version": 1, "token": null}),
        json!({"version": 1, "token": TOKEN, "checks": [key]}),
        json!({"version": 1, "token": null, "checks": [token]}),
        json!({"version": 1, "token": "short", "checks": [token]}),
        json!({"version": 1, "token": KEY, "checks": [token, token]}),
        json!({"version": 1, "token": null, "checks": [key], "more": KEY}),
        json!({"version": KEY, "token": null, "checks": [key]}),
        json!({"version": 1, "token": null, "checks": [{"type": KEY}]}),
        json!({"version": 1, "token": null, "checks": [{"type": "basic", "password": KEY}]}),
        json!({"version": 1, "token": null, "checks": [{"type": "twilio", "auth_token": [KEY]}]}),
        json!({"version": 1, "token": null, "checks": [{"type": "vonage", "secret": KEY}]}),
        json!([KEY]),
        json!(KEY),
        json!(null),
    ] {
        let refused = Checks::from_json(stored.to_string().as_bytes()).unwrap_err();
        assert!(matches!(refused, Error::StoredChecks { .. }), "{stored}");
        assert!(
            !secrets_in(&format!("{refused} {refused:?}")),
            "{stored}: {refused}"
        );
    }
    let stored = accepted(&everything()).to_json();
    for length in 0..stored.len() {
        assert!(Checks::from_json(&stored[..length]).is_err());
    }
}

#[test]
fn a_token_is_rotated_alone() {
    let checks = accepted(&everything());
    let rotated = checks
        .with_token("lkjihgfedcba9876543210".to_owned())
        .unwrap();
    assert_eq!(checks.token(), Some(TOKEN));
    assert_eq!(rotated.token(), Some("lkjihgfedcba9876543210"));
    assert_eq!(rotated.redacted(), checks.redacted());

    let without = accepted(&json!([everything()[2]]));
    assert_eq!(without.token(), None);
    assert!(without.with_token(TOKEN.to_owned()).is_none());
}

#[test]
fn what_is_signed_is_told_from_what_only_shows_a_secret() {
    assert!(accepted(&everything()).is_signed());
    for (index, is_signed) in [true, false, false, false, true, false, true, true]
        .into_iter()
        .enumerate()
    {
        let check = &everything()[index];
        assert_eq!(accepted(&json!([check])).is_signed(), is_signed, "{check}");
    }
}

#[test]
fn the_headers_that_hold_a_secret_are_named() {
    let checks = accepted(&everything());
    let names: Vec<&str> = checks.secret_headers().collect();
    assert_eq!(names, ["x-api-key", "authorization"]);
}
