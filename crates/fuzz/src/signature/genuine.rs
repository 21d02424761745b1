//! Requests that are signed as the account says. The MACs are made here, not by what is tested.

use super::account::{HEADER, Hmac, TIMESTAMP_HEADER, TOLERANCE_S};
use super::request::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit, Mac};
use signing::checks::{Checks, Refusal};

/// The last time that has 12 digits, which is what a header may have.
const MAX_TIME_S: i64 = 999_999_999_999;

/// A request with this body and the right signature is believed while it is fresh, and never once
/// the body or the time is another, or the headers came twice.
pub(super) fn is_believed(hmac: Hmac, checks: &Checks, request: &Request<'_>) {
    let (signed_at, expected) = time(hmac, request);
    let (time, other_time) = (signed_at.to_string(), (signed_at ^ 1).to_string());
    let (body, other_body) = (request.body, altered(request.body));
    for secret in hmac.secrets() {
        let signature = signature(hmac, secret, &time, body);
        let verdict = |times: usize, time: &str, body: &[u8]| {
            let headers = [
                (HEADER.to_owned(), signature.as_bytes()),
                (TIMESTAMP_HEADER.to_owned(), time.as_bytes()),
            ];
            let headers = std::iter::repeat_n(headers, times).flatten();
            request.with(headers.collect(), body).verified_by(checks)
        };
        let refused = Err(Refusal::InvalidSignature);
        assert_eq!(verdict(1, &time, body), expected, "signed");
        assert_eq!(verdict(2, &time, body), refused, "twice");
        assert_eq!(verdict(1, &time, &other_body), refused, "another body");
        if hmac.has_timestamp {
            assert_eq!(verdict(1, &other_time, body), refused, "another time");
        }
    }
}

/// When the request was signed, and what is thought of that.
fn time(hmac: Hmac, request: &Request<'_>) -> (i64, Result<(), Refusal>) {
    let now_s = request.now_ms.div_euclid(1_000);
    let signed_at = now_s
        .saturating_add(drift(request.body))
        .clamp(0, MAX_TIME_S);
    let is_stale = now_s.abs_diff(signed_at) > TOLERANCE_S.unsigned_abs();
    if hmac.has_timestamp && is_stale {
        return (signed_at, Err(Refusal::StaleTimestamp));
    }
    (signed_at, Ok(()))
}

/// By how many seconds the sender's clock is wrong: the last two bytes of the body say it.
fn drift(body: &[u8]) -> i64 {
    match body {
        [.., high, low] => i64::from(i16::from_be_bytes([*high, *low])) % (2 * TOLERANCE_S),
        _ => 0,
    }
}

/// Another body: with one bit changed, which its first byte chooses, or no longer empty.
fn altered(body: &[u8]) -> Vec<u8> {
    let mut altered = body.to_vec();
    let at = usize::from(body.first().copied().unwrap_or_default());
    match altered.get_mut(at % body.len().max(1)) {
        Some(byte) => *byte ^= 1 << (at % 8),
        None => altered.push(0),
    }
    altered
}

fn signature(hmac: Hmac, secret: &str, time: &str, body: &[u8]) -> String {
    let content = if hmac.has_timestamp {
        [time.as_bytes(), b".", body].concat()
    } else {
        body.to_vec()
    };
    let mac = match hmac.algorithm {
        "sha256" => mac::<hmac::Hmac<sha2::Sha256>>(secret, &content),
        "sha512" => mac::<hmac::Hmac<sha2::Sha512>>(secret, &content),
        "sha1" => mac::<hmac::Hmac<sha1::Sha1>>(secret, &content),
        _ => mac::<hmac::Hmac<md5::Md5>>(secret, &content),
    };
    let mac = match hmac.encoding {
        "hex" => hex::encode(mac),
        _ => STANDARD.encode(mac),
    };
    format!("{}{mac}", hmac.prefix())
}

fn mac<M: Mac + KeyInit>(secret: &str, content: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}
