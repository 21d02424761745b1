//! HMAC (RFC 2104) over the hash functions that providers and Standard Webhooks sign with, and the
//! plain MD5 of one provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// The longest encoded MAC: SHA-512 in hex.
const MAX_ENCODED_BYTES: usize = 128;

/// The hash function of an HMAC. MD5 and SHA-1 are broken as hashes and not as HMACs; providers use
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-MD5.
    Md5,
}

/// How a MAC stands in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits in any case.
    Hex,
    /// The standard alphabet of RFC 4648 with padding.
    Base64,
}

impl Algorithm {
    /// Every algorithm with its name.
    pub(crate) const NAMES: &[(&str, Self)] = &[
        ("sha256", Self::Sha256),
        ("sha512", Self::Sha512),
        ("sha1", Self::Sha1),
        ("md5", Self::Md5),
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
        }
    }

    /// The MAC of the concatenated `content`.
    pub(crate) fn mac(self, key: &[u8], content: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => authenticate::<Hmac<Sha256>>(key, content),
            Self::Sha512 => authenticate::<Hmac<Sha512>>(key, content),
            Self::Sha1 => authenticate::<Hmac<Sha1>>(key, content),
            Self::Md5 => authenticate::<Hmac<Md5>>(key, content),
        }
    }
}

impl Encoding {
    /// Every encoding with its name.
    pub(crate) const NAMES: &[(&str, Self)] = &[("hex", Self::Hex), ("base64", Self::Base64)];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    /// The bytes that `text` stands for; nothing around them is tolerated.
    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() > MAX_ENCODED_BYTES {
            return None;
        }
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

/// The MD5 of the concatenated `content`.
pub(crate) fn md5(content: &[&[u8]]) -> Vec<u8> {
    let mut hash = Md5::new();
    for part in content {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn authenticate<M: Mac + KeyInit>(key: &[u8], content: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in content {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JEFE: &[u8] = b"what do ya want for nothing?";
    const LARGE: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";

    #[test]
    fn the_vectors_of_rfc_4231_and_rfc_2202_hold() {
        let vectors: [(Algorithm, &[u8], &[u8], &str); 8] = [
            (
                Algorithm::Sha256,
                b"Jefe",
                JEFE,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                Algorithm::Sha256,
                &[0xaa; 131],
                LARGE,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                Algorithm::Sha512,
                b"Jefe",
                JEFE,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (
                Algorithm::Sha512,
                &[0xaa; 131],
                LARGE,
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
                 6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ),
            (
                Algorithm::Sha1,
                b"Jefe",
                JEFE,
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                Algorithm::Sha1,
                &[0xaa; 80],
                LARGE,
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
            (
                Algorithm::Md5,
                b"Jefe",
                JEFE,
                "750c783e6ab0b503eaa86e310a5db738",
            ),
            (
                Algorithm::Md5,
                &[0xaa; 80],
                LARGE,
                "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
            ),
        ];
        for (algorithm, key, data, expected) in vectors {
            assert_eq!(
                hex::encode(algorithm.mac(key, &[data])),
                expected,
                "{algorithm:?}"
            );
        }
    }

    #[test]
    fn the_mac_of_parts_is_the_mac_of_their_concatenation() {
        for (_, algorithm) in Algorithm::NAMES {
            let whole = algorithm.mac(b"key", &[b"1700000000.body"]);
            assert_eq!(
                algorithm.mac(b"key", &[b"1700000000", b"", b".", b"body"]),
                whole
            );
        }
    }

    #[test]
    fn the_vectors_of_rfc_1321_hold() {
        assert_eq!(hex::encode(md5(&[])), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            hex::encode(md5(&[b"message", b"", b" digest"])),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(
            Algorithm::NAMES
                .iter()
                .all(|(name, algorithm)| algorithm.as_str() == *name)
        );
        assert!(
            Encoding::NAMES
                .iter()
                .all(|(name, encoding)| encoding.as_str() == *name)
        );
    }

    #[test]
    fn decoding_tolerates_nothing_but_the_case_of_hex() {
        assert_eq!(Encoding::Hex.decode(b"00fF"), Some(vec![0, 255]));
        assert_eq!(Encoding::Base64.decode(b"AP8="), Some(vec![0, 255]));
        let not_hex: [&[u8]; 5] = [b"0", b"0g", b" 00", b"0x00", b"00,ff"];
        assert!(
            not_hex
                .iter()
                .all(|text| Encoding::Hex.decode(text).is_none())
        );
        // No padding, too much of it, stray bits, the URL alphabet, white space, a list.
        let not_base64: [&[u8]; 7] = [
            b"AP8",
            b"AP8==",
            b"AP9=",
            b"-_8=",
            b"AP8= ",
            b"AP\n8=",
            b"AP8=,AP8=",
        ];
        assert!(
            not_base64
                .iter()
                .all(|text| Encoding::Base64.decode(text).is_none())
        );
        assert!(Encoding::Hex.decode(&[b'0'; 130]).is_none());
    }
}
