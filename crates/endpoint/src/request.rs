//! The request of an attempt: its headers and its signature.

use crate::endpoint::Endpoint;
use bytes::Bytes;
use domain::Timestamp;
use domain::id::EventId;
use domain::subscription::Scheme;
use egress::Request;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use signing::WebhookSecret;
use signing::webhook::{self, Covered, Version};

/// Says that the event was told before, perhaps.
const REPLAY_HEADER: &str = "webhook-replay";
/// Says that nothing happened: somebody tries the endpoint.
const TEST_HEADER: &str = "webhook-test";

/// What is told.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// The id of its event.
    pub event_id: EventId,
    /// The type of it.
    pub event_type: &'a str,
    /// The body, as it is signed.
    pub body: Bytes,
    /// What is special about it.
    pub marks: Marks,
}

/// What is special about a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// The event was told before, perhaps.
    pub is_replay: bool,
    /// Nothing happened: somebody tries the endpoint.
    pub is_test: bool,
}

/// The signed request of an attempt that is made now, by this release, as part of this trace.
pub fn request(
    endpoint: &Endpoint,
    told: Outgoing<'_>,
    now: Timestamp,
    version: &str,
    traceparent: &str,
) -> Request {
    let Outgoing {
        event_id,
        event_type,
        body,
        marks,
    } = told;
    let id = event_id.to_string();
    let mut headers = endpoint.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set(&mut headers, USER_AGENT, &format!("Tidings/{version}"));
    put(&mut headers, webhook::ID_HEADER, &id);
    let timestamp = now.as_seconds();
    put(
        &mut headers,
        webhook::TIMESTAMP_HEADER,
        &timestamp.to_string(),
    );
    put(&mut headers, "traceparent", traceparent);
    if marks.is_replay {
        put(&mut headers, REPLAY_HEADER, "true");
    }
    if marks.is_test {
        put(&mut headers, TEST_HEADER, "true");
    }
    let secrets = endpoint.secrets(now);
    let versions = versions(endpoint);
    if !versions.is_empty() {
        let signature = webhook::sign_as(&versions, &secrets, &id, timestamp, &body);
        put(&mut headers, webhook::SIGNATURE_HEADER, &signature);
    }
    if let Some(covered) = covered(endpoint) {
        sign_in_hex(
            &mut headers,
            endpoint,
            event_type,
            covered,
            &secrets,
            timestamp,
            &body,
        );
    }
    Request {
        method: endpoint.method.clone(),
        destination: endpoint.destination.clone(),
        headers,
        body,
    }
}

fn versions(endpoint: &Endpoint) -> Vec<Version> {
    let version = |scheme: &Scheme| match scheme {
        Scheme::V1 => Some(Version::V1),
        Scheme::V1Sha512 => Some(Version::V1Sha512),
        Scheme::Sha256Timestamped | Scheme::Sha256Body => None,
    };
    let schemes = &endpoint.signing.schemes;
    schemes.iter().filter_map(version).collect()
}

fn covered(endpoint: &Endpoint) -> Option<Covered> {
    let covered = |scheme: &Scheme| match scheme {
        Scheme::Sha256Timestamped => Some(Covered::TimestampAndBody),
        Scheme::Sha256Body => Some(Covered::Body),
        Scheme::V1 | Scheme::V1Sha512 => None,
    };
    endpoint.signing.schemes.iter().find_map(covered)
}

/// Receivers of this kind compare one value: the newest secret's stands alone, those before it in a
/// header of their own.
fn sign_in_hex(
    headers: &mut HeaderMap,
    endpoint: &Endpoint,
    event_type: &str,
    covered: Covered,
    secrets: &[WebhookSecret],
    timestamp: i64,
    body: &[u8],
) {
    let mut put = |name: &str, value: &str| {
        put(
            headers,
            &format!("{}-{name}", endpoint.signing.header_prefix()),
            value,
        );
    };
    let sign = |secret| webhook::sign_in_hex(covered, secret, timestamp, body);
    if let Some((newest, previous)) = secrets.split_first() {
        put("Signature", &sign(newest));
        let previous: Vec<String> = previous.iter().map(sign).collect();
        if !previous.is_empty() {
            put("Signature-Previous", &previous.join(","));
        }
    }
    put("Event", event_type);
    put("Timestamp", &timestamp.to_string());
}

/// Every name set here was judged, or is ours.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(name) = name.parse() {
        set(headers, name, value);
    }
}

/// Every value set here is plain ASCII of ours.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
