//! What is kept of an attempt for the one who looks for what went wrong.

use domain::attempt::{Detail, Timing};
use domain::text;
use egress::{Attempted, Request, Response};
use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How much of the headers of an answer is kept, in bytes of names and values.
const MAX_HEADER_BYTES: usize = 8 * 1024;
/// Stands for what is secret.
const REDACTED: &str = "***";

/// What is known before the request is sent as part of this trace.
pub fn of_request(request: &Request, traceparent: &str) -> Detail {
    Detail {
        method: request.method.to_string(),
        request_headers: request.headers.iter().map(shown).collect(),
        trace_id: traceparent.split('-').nth(1).map(str::to_owned),
        payload_bytes: u64::try_from(request.body.len()).unwrap_or(u64::MAX),
        payload_sha256: hex::encode(Sha256::digest(&request.body)),
        ..Detail::default()
    }
}

/// Adds what became of it.
pub fn add_outcome(detail: &mut Detail, sent: &Attempted) {
    let timing = &sent.timing;
    detail.timing = Timing {
        dns_ms: timing.dns.map(millis),
        connect_ms: timing.connect.map(millis),
        tls_ms: timing.tls.map(millis),
        first_byte_ms: timing.first_byte.map(millis),
        total_ms: millis(sent.duration),
    };
    match &sent.result {
        Ok(response) => {
            let (headers, is_cut) = kept(&response.headers);
            detail.response_headers = headers;
            detail.is_response_cut = is_cut || response.truncated;
        }
        Err(failure) => detail.error_detail = Some(text::clean(failure.detail.clone())),
    }
}

/// What was answered, as text that can be kept.
pub fn kept_body(response: &Response) -> String {
    text::clean(String::from_utf8_lossy(&response.body).into_owned())
}

/// As many as there is room for, and whether there were more.
fn kept(headers: &HeaderMap) -> (Vec<(String, String)>, bool) {
    let mut room = MAX_HEADER_BYTES;
    let mut kept = Vec::new();
    for header in headers {
        let (name, value) = shown(header);
        let Some(left) = room.checked_sub(name.len() + value.len()) else {
            return (kept, true);
        };
        room = left;
        kept.push((name, value));
    }
    (kept, false)
}

fn shown((name, value): (&http::HeaderName, &HeaderValue)) -> (String, String) {
    let is_secret = value.is_sensitive() || name == SET_COOKIE;
    let value = if is_secret {
        REDACTED.to_owned()
    } else {
        text::clean(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    (name.to_string(), value)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_an_answer_are_kept_up_to_8_kib_and_without_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", HeaderValue::from_static("session=secret"));
        headers.insert("x-odd", HeaderValue::from_bytes(b"a\xff").unwrap());
        let long = HeaderValue::from_str(&"v".repeat(5_000)).unwrap();
        headers.append("x-long", long.clone());
        headers.append("x-long", long);
        let (kept, is_cut) = kept(&headers);
        assert!(is_cut);
        assert_eq!(kept.len(), 3);
        assert!(kept.contains(&("set-cookie".to_owned(), "***".to_owned())));
        assert!(kept.contains(&("x-odd".to_owned(), "a\u{fffd}".to_owned())));
    }
}
