//! Requests with a signed time that come a second time within its window. They have no second effect, for
//! what they say is known by its keys on every node; that they came is worth counting, for somebody may
//! have recorded them. Each process counts what it has seen itself.

use domain::Timestamp;
use reception::{Account, Request};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many requests are remembered. Beyond it the oldest windows are forgotten first, and then no more
/// is remembered until they end.
const MOST_REMEMBERED: usize = 50_000;

/// The requests with a signed time that were seen, and until when that time is taken.
#[derive(Default)]
pub(crate) struct Replays {
    seen: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Replays {
    /// Whether this authenticated request was seen before.
    pub(crate) fn is_one(&self, account: &Account, request: &Request<'_>) -> bool {
        let Some((time, tolerance)) = account.checks.signed_time(request.headers) else {
            return false;
        };
        let now = request.received_at;
        let digest: [u8; 32] = Sha256::new()
            .chain_update(account.id.as_bytes())
            .chain_update(time)
            .chain_update(b".")
            .chain_update(request.said(account))
            .finalize()
            .into();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&digest).is_some_and(|until| *until >= now) {
            return true;
        }
        if seen.len() >= MOST_REMEMBERED {
            seen.retain(|_, until| *until >= now);
        }
        if seen.len() < MOST_REMEMBERED {
            // A time that is ahead by the tolerance is taken for twice as long.
            seen.insert(digest, now.plus(tolerance * 2));
        }
        false
    }
}
