//! Events that are published over the broker.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A message of a publisher, as it came in. Of its API key it has a hash alone: a job lies in queues and
/// among the dead letters, where a key must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishJob {
    /// SHA-256 of the API key, in hex; none where it came without one.
    pub key_hash: Option<String>,
    /// What tells it from others: its idempotency key.
    pub message_id: Option<String>,
    /// The queue that is to have the answer.
    pub reply_to: Option<String>,
    /// What the answer is to have of it.
    pub correlation_id: Option<String>,
    /// What the body is said to be.
    pub content_type: Option<String>,
    /// How the body is said to be packed.
    pub content_encoding: Option<String>,
    /// When it came in.
    pub received_at: Timestamp,
    /// How large the body was, in bytes.
    pub size_bytes: u64,
    /// Whether `body` is that body: it was text, and not too large.
    pub is_whole: bool,
    /// The body, or as much of it as can be shown.
    pub body: String,
}

impl PublishJob {
    /// The largest body that is carried whole, in bytes: as the largest of a request.
    pub const MAX_BODY_BYTES: usize = 1024 * 1024;
    /// How much is kept of one that is not, in bytes.
    const KEPT_BYTES: usize = 4 * 1024;

    /// What is carried of a body: its text, and whether that is all of it.
    pub fn carry(body: Vec<u8>) -> (String, bool) {
        let refused = |body: &[u8]| {
            let kept = body.get(..Self::KEPT_BYTES).unwrap_or(body);
            (String::from_utf8_lossy(kept).into_owned(), false)
        };
        if body.len() > Self::MAX_BODY_BYTES {
            return refused(&body);
        }
        match String::from_utf8(body) {
            Ok(text) => (text, true),
            Err(error) => refused(error.as_bytes()),
        }
    }

    /// The hash of its key.
    pub fn key_hash(&self) -> Option<[u8; 32]> {
        parse_hash(self.key_hash.as_deref()?)
    }
}

/// Reads a hash in hex.
pub(crate) fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_carried_whole_where_it_is_text_and_not_too_large() {
        let largest = vec![b'x'; PublishJob::MAX_BODY_BYTES];
        assert!(PublishJob::carry(largest.clone()).1);
        let (kept, is_whole) = PublishJob::carry([largest, vec![b'x']].concat());
        assert_eq!((kept.len(), is_whole), (4_096, false));
        assert_eq!(
            PublishJob::carry(b"a\xff".to_vec()),
            ("a\u{fffd}".to_owned(), false)
        );
    }

    #[test]
    fn a_hash_is_read_as_it_is_written_and_nothing_else_is() {
        let text = "0f".repeat(32);
        assert_eq!(parse_hash(&text), Some([15; 32]));
        for other in [
            "",
            "0f",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"+f".repeat(32),
        ] {
            assert_eq!(parse_hash(other), None, "{other}");
        }
    }
}
