//! Where others publish: an exchange of ours, to whose queue everything goes that is published to it.
//!
//! What comes in there is somebody else's message, whatever it says in headers of ours. It becomes a job at
//! once, in which its API key is a hash: wherever the job goes on to, the key does not. A message is known to
//! come in by the exchange it was published to, which RabbitMQ says and nobody can pretend.

use domain::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ShortString};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use wire::{Envelope, Job, PublishJob};

/// Where the API key is, as over HTTP: `Bearer tk_live_…`.
const AUTHORIZATION: &str = "authorization";
const TRACEPARENT: &str = "traceparent";
/// No key of ours is longer, and no trace context is, in bytes.
const MAX_KEY_BYTES: usize = 512;
const MAX_TRACE_BYTES: usize = 128;

/// The payload of the job that a message of somebody else is.
pub(super) fn admit(delivery: Delivery, now: Timestamp) -> Vec<u8> {
    let properties = &delivery.properties;
    let said = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    let size = delivery.data.len();
    let (body, is_whole) = PublishJob::carry(delivery.data);
    let envelope = Envelope {
        traceparent: header(properties, TRACEPARENT).filter(|text| text.len() <= MAX_TRACE_BYTES),
        job: Job::Publish(PublishJob {
            key_hash: header(properties, AUTHORIZATION).and_then(|text| hash_of(&text)),
            message_id: said(properties.message_id()),
            reply_to: said(properties.reply_to()),
            correlation_id: said(properties.correlation_id()),
            content_type: said(properties.content_type()),
            content_encoding: said(properties.content_encoding()),
            received_at: now,
            size_bytes: u64::try_from(size).unwrap_or(u64::MAX),
            is_whole,
            body,
        }),
    };
    // Texts, numbers and booleans can always be written.
    envelope.to_bytes().unwrap_or_default()
}

/// The hash of the key of `Bearer …`.
fn hash_of(text: &str) -> Option<String> {
    let (scheme, key) = text.split_once(' ')?;
    let key = key.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && (1..=MAX_KEY_BYTES).contains(&key.len());
    fits.then(|| {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(key.as_bytes()) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    })
}

fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash_and_comes_as_a_bearer() {
        let expected = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        assert_eq!(hash_of("Bearer key").as_deref(), Some(expected));
        assert_eq!(hash_of("bearer  key ").as_deref(), Some(expected));
        let long = format!("Bearer {}", "k".repeat(513));
        for other in ["key", "Basic key", "Bearer ", "Bearer", "", &long] {
            assert_eq!(hash_of(other), None, "{other}");
        }
    }
}
