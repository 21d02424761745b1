/// Why a secret, a key or something stored cannot be used. No message shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A webhook secret without its prefix.
    #[error("a webhook secret begins with `whsec_`, followed by base64")]
    SecretPrefix,
    /// A webhook secret that is not base64 after its prefix.
    #[error(
        "the part of the webhook secret after `whsec_` is not base64: use the standard alphabet \
         (+ and /) with = padding"
    )]
    SecretBase64,
    /// A webhook secret that is too short or too long.
    #[error("a webhook secret is 24 to 64 bytes before its base64 encoding")]
    SecretLength,
    /// A check that cannot be read.
    #[error("invalid check: {detail}")]
    InvalidCheck {
        /// What is wrong, and where in it.
        detail: String,
    },
    /// The stored checks of a provider account cannot be read.
    #[error("the stored checks of the provider account cannot be read: {detail}; set them anew")]
    StoredChecks {
        /// What is wrong, and where in them.
        detail: String,
    },
    /// An encryption key that is not base64.
    #[error(
        "the encryption key is not base64: use the standard alphabet (+ and /) with = padding, as \
         `openssl rand -base64 32` prints it"
    )]
    KeyBase64,
    /// An encryption key of a wrong length.
    #[error(
        "the encryption key is {bytes} bytes and must be 32, as `openssl rand -base64 32` makes it"
    )]
    KeyLength {
        /// How long it is.
        bytes: usize,
    },
    /// Two encryption keys of one name.
    #[error(
        "the two encryption keys cannot be told apart: make another new one, with \
         `openssl rand -base64 32`"
    )]
    KeysAlike,
    /// A sealed secret that was cut off.
    #[error("the sealed secret is only {bytes} bytes: it was cut off or is none")]
    SealedTooShort {
        /// How long it is.
        bytes: usize,
    },
    /// A sealed secret of a format that this release does not know.
    #[error(
        "the sealed secret has format version {version}, which this release does not know: use the \
         release that wrote it or a newer one"
    )]
    SealedVersion {
        /// Its first byte.
        version: u8,
    },
    /// A sealed secret of another key.
    #[error(
        "the store was sealed with another encryption key: restore the key that was in use when \
         the secret was stored (store.encryption_key, or its file in the data directory)"
    )]
    OtherKey,
    /// A sealed secret that was changed, or belongs elsewhere.
    #[error("the sealed secret was altered, or moved here from another row")]
    Tampered,
}
