//! The checks of a provider account, as they are described; they are read by `signing`.

use serde::Deserialize;
use utoipa::ToSchema;

/// What a callback has to pass. Secrets are 16 to 512 printable bytes and are never shown again.
#[expect(dead_code, reason = "it only describes what signing reads")]
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Check {
    /// A token in the URL, made here.
    Token {},
    /// A signature over the body.
    Hmac {
        /// The secret.
        #[schema(min_length = 16, max_length = 512)]
        secret: Option<String>,
        /// The new secret and the old one, while they change.
        #[schema(min_items = 1, max_items = 2)]
        secrets: Option<Vec<String>>,
        /// `sha256`, `sha512`, `sha1` or `md5`.
        algorithm: Algorithm,
        /// `hex` or `base64`.
        encoding: Encoding,
        /// The header that has it.
        header: String,
        /// What stands before it in the header.
        prefix: Option<String>,
        /// What is signed: the body alone unless you say otherwise.
        signed: Option<Signed>,
        /// The header of the timestamp, in Unix seconds.
        timestamp_header: Option<String>,
        /// How old the timestamp may be: 300 unless you say otherwise.
        tolerance_seconds: Option<u32>,
    },
    /// A key in a header.
    ApiKey {
        /// The header.
        header: String,
        /// The key.
        #[schema(min_length = 16, max_length = 512)]
        key: String,
    },
    /// HTTP Basic authentication.
    Basic {
        /// The name.
        username: String,
        /// The password.
        #[schema(min_length = 16, max_length = 512)]
        password: String,
    },
    /// The signature of Twilio.
    Twilio {
        /// The account's auth token.
        #[schema(min_length = 16, max_length = 512)]
        auth_token: String,
        /// The URL that Twilio signs, where it is not the one of the answer.
        public_url: Option<String>,
    },
    /// The signature of Vonage.
    Vonage {
        /// The signature secret.
        #[schema(min_length = 16, max_length = 512)]
        secret: String,
        /// How it signs.
        method: VonageMethod,
    },
    /// The addresses that callbacks come from.
    IpAllowlist {
        /// Networks, like `196.201.214.0/24`.
        #[schema(min_items = 1)]
        cidrs: Vec<String>,
        /// Has to be true for a network that is every address.
        allow_any: Option<bool>,
    },
}

/// With what it is signed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CheckAlgorithm)]
pub(super) enum Algorithm {
    Sha256,
    Sha512,
    Sha1,
    Md5,
}

/// How the signature is written.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CheckEncoding)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

/// What is signed.
#[derive(Deserialize, ToSchema)]
#[schema(as = CheckSigned)]
pub(super) enum Signed {
    #[serde(rename = "body")]
    Body,
    #[serde(rename = "timestamp.body")]
    TimestampAndBody,
}

/// How Vonage signs.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum VonageMethod {
    Md5hash,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}
