//! Standard Webhooks 1.0.0, against its published vectors and its published Rust library.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use std::time::SystemTime;
use tidings_signing::Error;
use tidings_signing::webhook::{
    Covered, VerifyError, Version, WebhookSecret, sign, sign_as, sign_in_hex, verify,
};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const AT: i64 = 1_649_367_553;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

fn secret(text: &str) -> WebhookSecret {
    WebhookSecret::parse(text).unwrap()
}

/// Numbers that look random and are the same each time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    fn secret(&mut self) -> WebhookSecret {
        let length = 24 + self.below(41);
        WebhookSecret::from_bytes(&self.bytes(length)).unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the library that is the oracle reads the real clock"
)]
fn real_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[test]
fn the_published_vectors_hold() {
    assert_eq!(sign(&[secret(SECRET)], ID, AT, BODY), SIGNATURE);
    let other = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signed = sign(
        &[other],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn the_published_library_signs_as_we_do() {
    let mut numbers = Numbers(1);
    for round in 0..300 {
        let secret = numbers.secret();
        let oracle = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
        let id = format!("evt_{:016x}", numbers.next());
        let length = numbers.below(500);
        // It refuses what is not UTF-8; ASCII is enough here.
        let body: Vec<u8> = numbers
            .bytes(length)
            .iter()
            .map(|byte| byte & 0x7f)
            .collect();
        let theirs = oracle.sign(&id, AT + round, &body).unwrap();
        assert_eq!(
            sign(std::slice::from_ref(&secret), &id, AT + round, &body),
            theirs
        );
        let at = (AT + round).to_string();
        assert_eq!(
            verify(&[secret], &id, &at, &theirs, &body, AT + round, 0),
            Ok(())
        );
    }
}

#[test]
fn the_published_library_verifies_what_we_sign() {
    let mut numbers = Numbers(2);
    let now = real_now();
    for _ in 0..100 {
        let (new, old, other) = (numbers.secret(), numbers.secret(), numbers.secret());
        let body = format!(r#"{{"n":{}}}"#, numbers.next());
        let id = format!("evt_{:016x}", numbers.next());
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        let signatures = sign(&[new.clone(), old.clone()], &id, now, body.as_bytes());
        headers.insert("webhook-signature", signatures.parse().unwrap());
        let accepts = |secret: &WebhookSecret, body: &str| {
            let oracle = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
            oracle.verify(body.as_bytes(), &headers).is_ok()
        };
        assert!(accepts(&new, &body) && accepts(&old, &body));
        assert!(!accepts(&other, &body) && !accepts(&new, &format!("{body} ")));
    }
}

#[test]
fn any_bytes_are_signed_and_any_changed_bit_is_noticed() {
    let mut numbers = Numbers(3);
    for _ in 0..200 {
        let secrets = [numbers.secret()];
        let length = 1 + numbers.below(200);
        let mut body = numbers.bytes(length);
        let signature = sign(&secrets, ID, AT, &body);
        let at = AT.to_string();
        assert_eq!(
            verify(&secrets, ID, &at, &signature, &body, AT, 300),
            Ok(())
        );
        let changed = numbers.below(length);
        body[changed] ^= 1 << numbers.below(8);
        let refused = verify(&secrets, ID, &at, &signature, &body, AT, 300);
        assert_eq!(refused, Err(VerifyError::NoMatch));
    }
}

#[test]
fn a_rotation_signs_with_both_secrets_newest_first() {
    let mut numbers = Numbers(4);
    let (new, old) = (numbers.secret(), numbers.secret());
    let both = sign(&[new.clone(), old.clone()], ID, AT, BODY);
    let newest = sign(std::slice::from_ref(&new), ID, AT, BODY);
    let oldest = sign(std::slice::from_ref(&old), ID, AT, BODY);
    assert_eq!(both, format!("{newest} {oldest}"));
    assert_eq!(sign(&[], ID, AT, BODY), "");
    let at = AT.to_string();
    for receivers in [
        vec![new.clone()],
        vec![old.clone()],
        vec![numbers.secret(), old, new],
    ] {
        assert_eq!(verify(&receivers, ID, &at, &both, BODY, AT, 300), Ok(()));
    }
    assert_eq!(
        verify(&[], ID, &at, &both, BODY, AT, 300),
        Err(VerifyError::NoMatch)
    );
}

#[test]
fn everything_that_is_signed_must_be_as_it_was() {
    let at = "1649367553";
    let other = STANDARD.encode([0; 32]);
    let mac = &SIGNATURE[3..];
    let good = [
        SIGNATURE.to_owned(),
        format!("v1,{other} {SIGNATURE}"),
        format!("v1a,{other} v2,x nonsense  {SIGNATURE} v1,"),
    ];
    for signature in &good {
        assert_eq!(
            verify(&[secret(SECRET)], ID, at, signature, BODY, AT, 300),
            Ok(()),
            "{signature}"
        );
    }
    let many = format!("{}{SIGNATURE}", "v1,x ".repeat(16));
    for (id, at, signature, refusal) in [
        ("", at, SIGNATURE, VerifyError::InvalidId),
        ("msg.1", at, SIGNATURE, VerifyError::InvalidId),
        (
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpl",
            at,
            SIGNATURE,
            VerifyError::NoMatch,
        ),
        (ID, "", SIGNATURE, VerifyError::InvalidTimestamp),
        (ID, "hello", SIGNATURE, VerifyError::InvalidTimestamp),
        (ID, "-1649367553", SIGNATURE, VerifyError::InvalidTimestamp),
        (ID, "1649367553.", SIGNATURE, VerifyError::InvalidTimestamp),
        (ID, "1649367552", SIGNATURE, VerifyError::NoMatch),
        (ID, "01649367553", SIGNATURE, VerifyError::NoMatch),
        (ID, at, "", VerifyError::NoMatch),
        (ID, at, "v1,", VerifyError::NoMatch),
        (ID, at, &SIGNATURE[..8], VerifyError::NoMatch),
        (ID, at, mac, VerifyError::NoMatch),
        (ID, at, &format!("v2,{mac}"), VerifyError::NoMatch),
        (ID, at, &format!("v1a,{mac}"), VerifyError::NoMatch),
        (
            ID,
            at,
            &format!("v1,{}", mac.trim_end_matches('=')),
            VerifyError::NoMatch,
        ),
        (ID, at, &format!("v1,{other},{mac}"), VerifyError::NoMatch),
        (ID, at, &many, VerifyError::NoMatch),
    ] {
        let refused = verify(&[secret(SECRET)], id, at, signature, BODY, AT, 300);
        assert_eq!(refused, Err(refusal), "{id} {at} {signature}");
    }
}

#[test]
fn a_request_is_good_only_within_the_tolerance() {
    for (now, expected) in [
        (AT, Ok(())),
        (AT + 300, Ok(())),
        (AT + 301, Err(VerifyError::TooOld)),
        (AT - 300, Ok(())),
        (AT - 301, Err(VerifyError::TooNew)),
        (i64::MAX, Err(VerifyError::TooOld)),
        (i64::MIN, Err(VerifyError::TooNew)),
    ] {
        let at = AT.to_string();
        let judged = verify(&[secret(SECRET)], ID, &at, SIGNATURE, BODY, now, 300);
        assert_eq!(judged, expected, "{now}");
    }
}

#[test]
fn a_secret_is_24_to_64_bytes_with_its_prefix() {
    for length in [24, 25, 26, 32, 63, 64] {
        let bytes = vec![0x5a; length];
        let secret = WebhookSecret::from_bytes(&bytes).unwrap();
        assert_eq!(secret.as_bytes(), bytes);
        assert_eq!(
            secret.reveal(),
            format!("whsec_{}", STANDARD.encode(&bytes))
        );
        assert_eq!(
            WebhookSecret::parse(&secret.reveal()).unwrap().as_bytes(),
            bytes
        );
    }
    for length in [0, 1, 23, 65, 66, 67, 1_000] {
        let bytes = vec![0x5a; length];
        assert_eq!(
            WebhookSecret::from_bytes(&bytes).unwrap_err(),
            Error::SecretLength
        );
        let text = format!("whsec_{}", STANDARD.encode(&bytes));
        assert_eq!(
            WebhookSecret::parse(&text).unwrap_err(),
            Error::SecretLength,
            "{length}"
        );
    }
    for (text, expected) in [
        ("", Error::SecretPrefix),
        ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Error::SecretPrefix),
        (
            "WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            Error::SecretPrefix,
        ),
        ("whsk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Error::SecretPrefix),
        (
            "whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD",
            Error::SecretBase64,
        ),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o", Error::SecretBase64),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n",
            Error::SecretBase64,
        ),
        (
            "whsec_ C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            Error::SecretBase64,
        ),
    ] {
        assert_eq!(
            WebhookSecret::parse(text).unwrap_err(),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_secret_is_not_shown() {
    let shown = format!("{:?} {:#?}", secret(SECRET), secret(SECRET));
    assert_eq!(shown, "whsec_*** whsec_***");
}

// What follows was computed with Python's hmac.
const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const OTHER_BODY: &[u8] = br#"{"test": 2432232314}"#;
const OTHER_AT: i64 = 1_614_265_330;
const OTHER_V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const OTHER_SHA512: &str = "v1-sha512,6tCj9QaIA2sXno6tr52xtJSf7C1DFUjL57o7GpMcNtKT+cTJjCL7+MR725hhy1tRjDat8d8ZD0zjkEupzYSsjw==";

#[test]
fn sha512_stands_beside_v1_and_the_newest_secret_comes_first() {
    let versions = [Version::V1, Version::V1Sha512];
    let (new, old) = (secret(OTHER_SECRET), secret(SECRET));
    let one = sign_as(
        &versions,
        std::slice::from_ref(&new),
        OTHER_ID,
        OTHER_AT,
        OTHER_BODY,
    );
    assert_eq!(one, format!("{OTHER_V1} {OTHER_SHA512}"));
    let both = [new.clone(), old.clone()];
    let signature = sign_as(&versions, &both, OTHER_ID, OTHER_AT, OTHER_BODY);
    let entries: Vec<&str> = signature.split(' ').collect();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[..2], [OTHER_V1, OTHER_SHA512]);
    // Whoever knows only v1 finds it, of either secret.
    for secret in both {
        let at = OTHER_AT.to_string();
        let known = std::slice::from_ref(&secret);
        verify(known, OTHER_ID, &at, &signature, OTHER_BODY, OTHER_AT, 0).unwrap();
    }
    let now = real_now();
    let signature = sign_as(&versions, &[old, new], ID, now, BODY);
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", ID.parse().unwrap());
    headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
    headers.insert("webhook-signature", signature.parse().unwrap());
    let library = standardwebhooks::Webhook::new(OTHER_SECRET).unwrap();
    library.verify(BODY, &headers).unwrap();
}

#[test]
fn a_signature_in_hex_is_made_with_the_text_of_the_secret() {
    let sign = |covered| sign_in_hex(covered, &secret(OTHER_SECRET), OTHER_AT, OTHER_BODY);
    assert_eq!(
        sign(Covered::TimestampAndBody),
        "sha256=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964"
    );
    assert_eq!(
        sign(Covered::Body),
        "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"
    );
}
