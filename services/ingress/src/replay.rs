//! Requests with a signed time that come a second time within its window. They have no second effect, for
//! what they say is known by its keys on every node; that they came is worth counting, for somebody may
//! have recorded them. Each process counts what it has seen itself.

use domain::Remembered;
use reception::{Account, Request};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// How many requests are remembered; no more are until the windows of some end.
const MOST_REMEMBERED: usize = 50_000;

/// The requests with a signed time that were seen, and until when that time is taken.
pub(crate) struct Replays {
    /// By 128 bits of their SHA-256, which is enough for what is counted.
    seen: Mutex<Remembered<[u8; 16]>>,
}

impl Default for Replays {
    fn default() -> Self {
        Self {
            seen: Mutex::new(Remembered::new(MOST_REMEMBERED)),
        }
    }
}

impl Replays {
    /// Whether this authenticated request was seen before.
    pub(crate) fn is_one(&self, account: &Account, request: &Request<'_>) -> bool {
        let Some((time, tolerance)) = account.checks.signed_time(request.headers) else {
            return false;
        };
        let now = request.received_at;
        let digest = Sha256::new()
            .chain_update(account.id.as_bytes())
            .chain_update(time)
            .chain_update(b".")
            .chain_update(request.said(account))
            .finalize();
        let Some(digest) = digest.first_chunk().copied() else {
            return false;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_seen = seen.get(&digest, now).is_some();
        if !is_seen {
            // A time that is ahead by the tolerance is taken for twice as long.
            seen.note(digest, (), now.plus(tolerance * 2), now);
        }
        is_seen
    }
}
