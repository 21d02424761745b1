//! The vault: secrets at rest, sealed with AES-256-GCM (NIST SP 800-38D).
//!
//! A sealed secret is one version byte, four bytes that name the key, the 12-byte nonce, and the
//! ciphertext with its 16-byte tag. Version, key and the context (which row the secret belongs to)
//! are authenticated with it, so a sealed secret opens nowhere else.

use crate::Error;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// Keeps the hash that names a key apart from every other use of SHA-256 over it.
const KEY_ID_DOMAIN: &[u8] = b"tidings vault key id\0";

/// Seals and opens secrets under one key. While that is being changed, it opens those of the key before
/// as well.
#[derive(Clone)]
pub struct Vault {
    current: Key,
    previous: Option<Key>,
}

impl Vault {
    /// A vault under this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            current: Key::new(key),
            previous: None,
        }
    }

    /// A vault under `key` that also opens what was sealed under `previous`, and seals nothing with it.
    ///
    /// # Errors
    /// [`Error::KeysAlike`] when they are the same key, or two that have the same name.
    pub fn with_previous(key: [u8; 32], previous: [u8; 32]) -> Result<Self, Error> {
        let (current, previous) = (Key::new(key), Key::new(previous));
        if current.id == previous.id {
            return Err(Error::KeysAlike);
        }
        Ok(Self {
            current,
            previous: Some(previous),
        })
    }

    /// Whether it opens what was sealed under another key than the one it seals with.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Whether this was sealed under the key that it seals with. Looks at the key's name only: it may be
    /// damaged all the same.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.current.head())
    }

    /// Reads a key as operators write it: 32 bytes in standard base64 with padding.
    ///
    /// # Errors
    /// [`Error::KeyBase64`], [`Error::KeyLength`].
    pub fn parse_key(base64: &str) -> Result<[u8; 32], Error> {
        let bytes = Zeroizing::new(STANDARD.decode(base64).map_err(|_| Error::KeyBase64)?);
        bytes
            .as_slice()
            .try_into()
            .map_err(|_| Error::KeyLength { bytes: bytes.len() })
    }

    /// Seals `plaintext` for `context`, the place where it is kept (`provider_account:acc_…`).
    ///
    /// The nonce must be fresh random bytes each time: a repeated one gives both secrets away.
    /// Random ones are safe for some four thousand million seals under one key.
    #[expect(
        clippy::expect_used,
        reason = "AES-GCM refuses only what is longer than 64 GiB"
    )]
    pub fn seal(&self, context: &str, plaintext: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let head = self.current.head();
        let mut ciphertext = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        ciphertext.extend_from_slice(plaintext);
        self.current
            .cipher()
            .encrypt_in_place(&nonce.into(), &bound(head, context), &mut ciphertext)
            .expect("a secret is shorter than 64 GiB");
        [&head, nonce.as_slice(), &ciphertext].concat()
    }

    /// Opens what [`Vault::seal`] sealed under the same key, or under the previous one, for the same
    /// `context`.
    ///
    /// # Errors
    /// [`Error::SealedTooShort`], [`Error::SealedVersion`], [`Error::OtherKey`],
    /// [`Error::Tampered`] (also for another context).
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let too_short = Error::SealedTooShort {
            bytes: sealed.len(),
        };
        match sealed.first() {
            None => return Err(too_short),
            Some(&VERSION) => {}
            Some(&version) => return Err(Error::SealedVersion { version }),
        }
        let (head, rest) = sealed
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or(too_short.clone())?;
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(too_short.clone())?;
        if ciphertext.len() < TAG_BYTES {
            return Err(too_short);
        }
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let key = keys
            .find(|key| key.head() == *head)
            .ok_or(Error::OtherKey)?;
        let mut secret = Zeroizing::new(ciphertext.to_vec());
        key.cipher()
            .decrypt_in_place(nonce.into(), &bound(*head, context), &mut *secret)
            .map_err(|_| Error::Tampered)?;
        Ok(secret)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("key_id", &hex::encode(self.current.id))
            .finish_non_exhaustive()
    }
}

/// A key with its name.
#[derive(Clone)]
struct Key {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; KEY_ID_BYTES],
}

impl Key {
    fn new(key: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(key);
        Self {
            id: key_id(&bytes),
            bytes,
        }
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.bytes).into())
    }

    /// What everything sealed under it begins with.
    fn head(&self) -> [u8; HEAD_BYTES] {
        let [a, b, c, d] = self.id;
        [VERSION, a, b, c, d]
    }
}

/// The name of a key: tells keys apart and gives nothing of them away.
fn key_id(key: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let digest = Sha256::new()
        .chain_update(KEY_ID_DOMAIN)
        .chain_update(key)
        .finalize();
    let [a, b, c, d, ..] = digest.0;
    [a, b, c, d]
}

/// What is authenticated beside the secret. The head has a fixed length, so that no context can
/// pass for another head.
fn bound(head: [u8; HEAD_BYTES], context: &str) -> Vec<u8> {
    [head.as_slice(), context.as_bytes()].concat()
}
