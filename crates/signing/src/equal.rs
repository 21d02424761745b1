use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether `a` and `b` are the same bytes, in a time that does not tell where they differ. Both are
/// hashed first, so that it does not tell the length of the longer one either.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    Sha256::digest(a)
        .as_slice()
        .ct_eq(Sha256::digest(b).as_slice())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_equal() {
        assert!(equal(b"", b""));
        assert!(equal(b"a long enough key", b"a long enough key"));
        assert!(!equal(b"a long enough key", b"a long enough kez"));
        assert!(!equal(b"a long enough key", b"A long enough key"));
        assert!(!equal(b"a long enough key", b"a long enough ke"));
        assert!(!equal(b"a long enough key", b""));
        assert!(!equal(b"\0", b"\0\0"));
    }
}
