//! Telling whether a payload is still what was published: disks change bytes, and SQLite does not look.

use sha2::{Digest, Sha256};

/// The first 8 bytes of the payload's SHA-256, as a number.
pub(super) fn of(payload: &[u8]) -> i64 {
    let digest = Sha256::digest(payload);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}
