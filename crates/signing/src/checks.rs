//! The checks of a provider account: what a callback must carry to be believed.
//!
//! The API's JSON becomes [`CheckSpec`]s ([`Checks::parse_specs`]: the shape), and these become
//! [`Checks`] ([`Checks::from_specs`]: the meaning). `Checks` are all-or-nothing: what exists can
//! be relied on.

mod api_key;
mod basic;
mod header;
mod hmac;
mod invalid;
mod ip_allowlist;
mod parameter;
mod parse;
mod secret;
mod spec;
mod stored;
mod token;
mod twilio;
mod vonage;

use self::api_key::ApiKey;
use self::basic::Basic;
use self::hmac::Hmac;
use self::invalid::Problems;
use self::ip_allowlist::IpAllowlist;
use self::token::Token;
use self::twilio::Twilio;
use self::vonage::Vonage;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

pub use self::invalid::Invalid;
pub use self::secret::Secret;
pub use self::spec::{ApiKeySpec, BasicSpec, CheckSpec, HmacSpec, IpAllowlistSpec, SignedContent};
pub use self::spec::{TwilioSpec, VonageMethod, VonageSpec};
pub use crate::mac::{Algorithm, Encoding};

/// The most checks an account may have.
pub const MAX_CHECKS: usize = 8;

/// The complete, verified checks of an account: one to eight, all of which a callback must pass.
#[derive(Debug, Clone)]
pub struct Checks {
    list: Vec<Check>,
}

/// What a callback carries.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// All headers, names in lower case, repeated ones as often as they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The token in the path.
    pub token: Option<&'a str>,
    /// What it says, as received: the body, or the query where that is what is read.
    pub body: &'a [u8],
    /// What providers see before [`Presented::target`]: the scheme, the host, and the path in front
    /// of ours, if any.
    pub public_url: &'a str,
    /// The path and the query, as they stand in the request line.
    pub target: &'a str,
    /// Where what it says will be read; none if it will not be read at all.
    pub parameters: Option<Parameters>,
    /// Who sent it: the socket's peer, or what a trusted proxy says.
    pub source: IpAddr,
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Where a callback says what it says. A signature over parameters is judged by those there, so it
/// must be where they are read once the callback is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// In the body, as a form.
    Form,
    /// In the body, as JSON.
    Json,
    /// In the query.
    Query,
}

/// Why a callback is not believed. For the log and the security event, never for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The source address is in none of the account's networks.
    UnauthorizedIp,
    /// The signature, or what is needed to judge it, is missing, repeated, unreadable or wrong.
    InvalidSignature,
    /// The API key, or the user name and the password, are missing, repeated, unreadable or wrong.
    InvalidApiKey,
    /// The token is missing or wrong, or there is one where the account has none.
    InvalidToken,
    /// The signature is genuine and too old, or too far ahead.
    StaleTimestamp,
}

/// One verified check.
#[derive(Debug, Clone)]
enum Check {
    Token(Token),
    Hmac(Hmac),
    ApiKey(ApiKey),
    Basic(Basic),
    Twilio(Twilio),
    Vonage(Vonage),
    IpAllowlist(IpAllowlist),
}

impl Checks {
    /// Reads the API's list of checks: its shape, without judging what it means. A missing list is
    /// `null`.
    ///
    /// # Errors
    /// Everything that is wrong with it, up to a limit, with pointers relative to the list.
    pub fn parse_specs(value: &Value) -> Result<Vec<CheckSpec>, Vec<Invalid>> {
        parse::specs(value)
    }

    /// The headers whose values are secrets, in lower case: a callback is kept without them.
    pub fn secret_headers(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter_map(|check| match check {
            Check::ApiKey(api_key) => Some(api_key.header()),
            Check::Basic(_) => Some(Basic::header()),
            Check::Token(_)
            | Check::Hmac(_)
            | Check::Twilio(_)
            | Check::Vonage(_)
            | Check::IpAllowlist(_) => None,
        })
    }

    /// The checks of these specs. `token` makes a new token, and is called only if one is wanted:
    /// 22 to 128 characters of `A-Z a-z 0-9 - _`, of at least 128 random bits.
    ///
    /// # Errors
    /// Everything that is wrong with them, up to a limit, with pointers relative to the list.
    pub fn from_specs(
        specs: Vec<CheckSpec>,
        token: impl FnOnce() -> String,
    ) -> Result<Self, Vec<Invalid>> {
        let mut problems = Problems::default();
        if !problems.accept_count(specs.len()) {
            return Err(problems.into_list());
        }
        let mut make_token = Some(token);
        let mut list = Vec::with_capacity(specs.len());
        for (index, spec) in specs.into_iter().enumerate() {
            let (at, found) = (&format!("/{index}"), &mut problems);
            list.extend(match spec {
                CheckSpec::Token => {
                    Token::from_spec(make_token.take(), at, found).map(Check::Token)
                }
                CheckSpec::Hmac(spec) => Hmac::from_spec(spec, at, found).map(Check::Hmac),
                CheckSpec::ApiKey(spec) => ApiKey::from_spec(spec, at, found).map(Check::ApiKey),
                CheckSpec::Basic(spec) => Basic::from_spec(spec, at, found).map(Check::Basic),
                CheckSpec::Twilio(spec) => Twilio::from_spec(spec, at, found).map(Check::Twilio),
                CheckSpec::Vonage(spec) => Vonage::from_spec(spec, at, found).map(Check::Vonage),
                CheckSpec::IpAllowlist(spec) => {
                    IpAllowlist::from_spec(&spec, at, found).map(Check::IpAllowlist)
                }
            });
        }
        problems.unless_any(Self { list })
    }

    /// Whether a callback passes all checks. The cheap ones come first, so that a stranger's body
    /// is not hashed in vain.
    ///
    /// # Errors
    /// The first [`Refusal`] in the order of its declaration, cheap checks before signatures.
    pub fn verify(&self, presented: &Presented<'_>) -> Result<(), Refusal> {
        let (signatures, cheap): (Vec<_>, Vec<_>) =
            self.list.iter().partition(|check| check.is_signature());
        let uninvited_token = presented.token.is_some() && self.token().is_none();
        let refused = |check: &Check| check.verify(presented).err();
        let cheap = cheap.into_iter().filter_map(refused);
        if let Some(refusal) = cheap
            .chain(uninvited_token.then_some(Refusal::InvalidToken))
            .min()
        {
            return Err(refusal);
        }
        signatures
            .into_iter()
            .filter_map(refused)
            .min()
            .map_or(Ok(()), Err)
    }

    /// The token in the account's callback URLs, if it has a token check.
    pub fn token(&self) -> Option<&str> {
        self.list.iter().find_map(|check| match check {
            Check::Token(token) => Some(token.reveal()),
            _ => None,
        })
    }

    /// The same checks with another token; `None` if there is no token check, or if `new` is not a
    /// token as [`Checks::from_specs`] describes it.
    #[must_use]
    pub fn with_token(&self, new: String) -> Option<Self> {
        let mut rotated = self.clone();
        let token = rotated.list.iter_mut().find_map(|check| match check {
            Check::Token(token) => Some(token),
            _ => None,
        })?;
        *token = Token::new(new)?;
        Some(rotated)
    }

    /// The signed time of a request, as it is written, and how far it may be off; none where the account's
    /// signatures have no time, or the request does not carry it.
    pub fn signed_time<'a>(&self, headers: &[(&'a str, &'a [u8])]) -> Option<(&'a [u8], Duration)> {
        self.list.iter().find_map(|check| match check {
            Check::Hmac(hmac) => hmac.signed_time(headers),
            _ => None,
        })
    }

    /// Whether what a callback says is signed.
    pub fn is_signed(&self) -> bool {
        self.list.iter().any(Check::is_signature)
    }

    /// The list as the API shows it: without any secret, key or token.
    pub fn redacted(&self) -> Value {
        self.list.iter().map(Check::redacted).collect()
    }
}

impl Check {
    fn verify(&self, presented: &Presented<'_>) -> Result<(), Refusal> {
        match self {
            Self::Token(token) => token.verify(presented.token),
            Self::Hmac(hmac) => hmac.verify(presented),
            Self::ApiKey(key) => key.verify(presented.headers),
            Self::Basic(basic) => basic.verify(presented.headers),
            Self::Twilio(twilio) => twilio.verify(presented),
            Self::Vonage(vonage) => vonage.verify(presented),
            Self::IpAllowlist(networks) => networks.verify(presented.source),
        }
    }

    fn is_signature(&self) -> bool {
        matches!(self, Self::Hmac(_) | Self::Twilio(_) | Self::Vonage(_))
    }

    fn redacted(&self) -> Value {
        match self {
            Self::Token(_) => Token::shape(),
            Self::Hmac(hmac) => hmac.redacted(),
            Self::ApiKey(key) => key.shape(),
            Self::Basic(basic) => basic.shape(),
            Self::Twilio(twilio) => twilio.shape(),
            Self::Vonage(vonage) => vonage.shape(),
            Self::IpAllowlist(networks) => networks.shape(),
        }
    }

    /// As the API would be given it, secrets included. The token itself is stored beside the list.
    fn revealed(&self) -> Value {
        match self {
            Self::Token(_) => Token::shape(),
            Self::Hmac(hmac) => hmac.revealed(),
            Self::ApiKey(key) => key.revealed(),
            Self::Basic(basic) => basic.revealed(),
            Self::Twilio(twilio) => twilio.revealed(),
            Self::Vonage(vonage) => vonage.revealed(),
            Self::IpAllowlist(networks) => networks.shape(),
        }
    }
}

impl Refusal {
    /// Its name in logs and security events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnauthorizedIp => "unauthorized_ip",
            Self::InvalidSignature => "invalid_signature",
            Self::InvalidApiKey => "invalid_api_key",
            Self::InvalidToken => "invalid_token",
            Self::StaleTimestamp => "stale_timestamp",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
